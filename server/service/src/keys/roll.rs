//! Use cases of rotating a key: a new key replaces it, and both work during a grace period.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    ApiError, ApiKey, ErrorCode, Expiry, GracePeriod, IssuedKey, KeyAct, KeyId, KeyPolicy, KeyState, Operation, Unfit,
    api_key::{
        act::RollKey,
        policy::{self, Bounds, Proposed},
    },
    scope::ScopeRequest,
};

use super::{
    api_keys::{ApiKeys, cancel_invitations, refusal},
    issue::{self, Checked},
    perform::performs,
    usage::UsageBuffer,
};
use crate::{
    access::{Actor, WritePermit},
    context::Context,
    error::Result,
    input,
    storage::{
        self, Tx,
        audit::Entry,
        db::retry,
        keys::{Candidate, NewKey},
    },
};

/// The revocation reason of a rotated key.
const REASON: &str = "rotated";

/// Use cases of rotating a key.
pub struct Rolls<'a> {
    pub(crate) context: &'a Context,
    pub(crate) usage: &'a Arc<UsageBuffer>,
}

performs! {
    RollKey: |keys, actor, input| Rolls::of(keys).roll(actor, input);
    FinishRoll: |keys, actor, input| Rolls::of(keys).finish(actor, input.key);
    ExtendRoll: |keys, actor, input| Rolls::of(keys).extend(actor, input.key, &input.overlap);
    CancelRoll: |keys, actor, input| Rolls::of(keys).cancel(actor, input.key);
}

impl<'a> Rolls<'a> {
    fn of(keys: &'a ApiKeys<'_>) -> Self {
        Self { context: keys.context, usage: keys.usage }
    }
}

impl Rolls<'_> {
    fn api_keys(&self) -> ApiKeys<'_> {
        ApiKeys { context: self.context, usage: self.usage }
    }

    /// Creates a key that replaces the old one, with the same name, owner and lifetime. Only this response contains its
    /// token.
    ///
    /// # Errors
    /// Field errors at `overlap`, `deadline`; `CONFIRMATION_REQUIRED`; `CONFLICT` if the key is revoked, expired,
    /// suspended or already rotated; `NOT_FOUND`, `FORBIDDEN`.
    #[tracing::instrument(skip_all, fields(api_key.id = %input.key))]
    pub async fn roll(&self, actor: &Actor, input: &RollKey) -> Result<IssuedKey> {
        let (actor, permit) = self.api_keys().permit_write(actor, Operation::RollApiKey, input.key).await?;
        let now = self.context.now();
        let overlap = input.grace_period(now)?;
        let old = storage::keys::find(self.context.db(), &permit, input.key).await?.ok_or_else(ApiError::not_found)?;
        let policies = storage::key_policies::list(self.context.db(), old.tenant_id, now).await?;
        let checked = Checked {
            name: old.name.clone(),
            expires_at: renewed(&old, &policies, now),
            idempotency_key: input::idempotency_key(input.idempotency_key.as_deref())?,
            scopes: ScopeRequest::Grant(old.scopes.clone()),
            limits: old.limits.clone(),
        };
        let (key, token) = issue::draft(&actor, old.owner.kind(), checked, now)?;
        let ends_on_use = matches!(overlap, GracePeriod::FirstUse { .. });
        let key = NewKey { replaces: Some(old.id), ends_on_use, ..key };
        let rolled = retry!(self.context.db(), for permit.tenant_id(), tx => {
            roll(tx, &actor, &permit, &key, overlap).await
        });
        let subject = ("api_key", old.id.0);
        let record = self.context.audit().record_if_refused(rolled, &actor, Operation::RollApiKey, subject).await?;
        Ok(IssuedKey { is_repeat: record.id != key.id, key: record, token })
    }

    /// Returns when the replacement of a key would expire if the key were rotated now; `None` means never. The
    /// replacement gets the same lifetime, but no longer than the tenant's key policies allow.
    ///
    /// # Errors
    /// As [`crate::ApiKeys::get`]; `FORBIDDEN` if a key policy forbids the rotation.
    pub async fn renewed_expiry(&self, actor: &Actor, id: KeyId) -> Result<Option<DateTime<Utc>>> {
        let (old, now) = (self.api_keys().get(actor, id).await?, self.context.now());
        let policies = storage::key_policies::list(self.context.db(), old.tenant_id, now).await?;
        let expires_at = renewed(&old, &policies, now).map(Expiry::instant);
        let by_key = actor.key_id().is_some();
        policy::check(&policies, Proposed { owner: old.owner.kind(), expires_at, by_key, scopes: &old.scopes }, now)?;
        Ok(expires_at)
    }

    /// Ends the grace period: the old token is refused from the next request.
    ///
    /// # Errors
    /// `CONFLICT` if the key isn't in its grace period; `NOT_FOUND`, `FORBIDDEN`.
    #[tracing::instrument(skip_all, fields(api_key.id = %id))]
    pub async fn finish(&self, actor: &Actor, id: KeyId) -> Result<ApiKey> {
        self.change(actor, id, Change::Finish).await
    }

    /// Extends the grace period to `overlap` from now, but never past the old key's own expiry.
    ///
    /// # Errors
    /// A field error at `overlap`, also if the grace period wouldn't get longer; `CONFIRMATION_REQUIRED`; `CONFLICT` if
    /// the key isn't in its grace period; `NOT_FOUND`, `FORBIDDEN`.
    #[tracing::instrument(skip_all, fields(api_key.id = %id))]
    pub async fn extend(&self, actor: &Actor, id: KeyId, overlap: &str) -> Result<ApiKey> {
        let now = self.context.now();
        let parsed = GracePeriod::parse(overlap, None, now);
        let until = parsed.ok().filter(|overlap| !matches!(overlap, GracePeriod::FirstUse { .. }));
        let until = until.and_then(|overlap| overlap.until(now));
        let until = until.ok_or_else(|| ApiError::field("overlap", "Choose 1h, 24h or 7d."))?;
        self.change(actor, id, Change::Extend(until)).await
    }

    /// Undoes a rotation: the new token is refused from the next request, and the old key keeps its original expiry.
    ///
    /// # Errors
    /// `CONFIRMATION_REQUIRED`; `CONFLICT` if the key isn't in its grace period, or the new key has itself been
    /// rotated; `NOT_FOUND`, `FORBIDDEN`.
    #[tracing::instrument(skip_all, fields(api_key.id = %id))]
    pub async fn cancel(&self, actor: &Actor, id: KeyId) -> Result<ApiKey> {
        self.change(actor, id, Change::Cancel).await
    }

    async fn change(&self, actor: &Actor, id: KeyId, change: Change) -> Result<ApiKey> {
        let (actor, permit) = self.api_keys().permit_write(actor, change.operation(), id).await?;
        let now = self.context.now();
        let after = retry!(self.context.db(), for permit.tenant_id(), tx => {
            storage::tenants::lock_tenant(tx, permit.tenant_id()).await?;
            let old = storage::keys::find_in(tx, &permit, id).await?.ok_or_else(ApiError::not_found)?;
            let in_overlap = old.overlap_until(now).is_some();
            if !in_overlap || !change.make(tx, &actor, &permit, &old, now).await? {
                return Err(ApiError::from(Unfit::NotRotating).into());
            }
            let after = storage::keys::find_in(tx, &permit, id).await?.ok_or_else(ApiError::not_found)?;
            let subject = ("api_key", id.0, old.name.as_str());
            let entry = Entry::by(&actor, change.operation(), now, subject).with(change.detail(&old, &after));
            storage::audit::insert(tx, &entry).await?;
            Ok(after)
        })?;
        Ok(self.api_keys().completed(after).await)
    }
}

/// A change to a rotation.
enum Change {
    Finish,
    Extend(DateTime<Utc>),
    Cancel,
}

impl Change {
    fn operation(&self) -> Operation {
        match self {
            Self::Finish => Operation::FinishRoll,
            Self::Extend(_) => Operation::ExtendRoll,
            Self::Cancel => Operation::CancelRoll,
        }
    }

    fn detail(&self, old: &ApiKey, after: &ApiKey) -> String {
        let new = old.replaced_by.as_ref().map(|new| new.hint.as_str()).unwrap_or_default();
        match self {
            Self::Finish => format!("replaced by {new}…"),
            Self::Extend(until) => format!("until {}", domain::time::utc_text(after.expires_at.unwrap_or(*until))),
            Self::Cancel => format!("{new}… revoked"),
        }
    }

    async fn make(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        permit: &WritePermit,
        old: &ApiKey,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        match self {
            Self::Finish => storage::keys::revoke(tx, permit, old.id, now, actor.name(), REASON).await,
            Self::Extend(until) => {
                if let Some(end) = old.overlap_until(now).filter(|end| end >= until) {
                    let message = format!(
                        "The old key already works until {}. Choose a longer time, or end the old key now.",
                        domain::time::utc_text(end)
                    );
                    return Err(ApiError::field("overlap", message).into());
                }
                let extended = storage::rolls::extend(tx, permit, old.id, now, *until).await?;
                let after = storage::keys::find_in(tx, permit, old.id).await?;
                if extended && after.is_some_and(|after| after.expires_at == old.expires_at) {
                    let message =
                        "The old key expires then anyway. A grace period never extends past the old key's own expiry.";
                    return Err(ApiError::field("overlap", message).into());
                }
                Ok(extended)
            }
            Self::Cancel => {
                check_last(tx, permit, old, now).await?;
                let undone = storage::rolls::undo(tx, permit, old.id, now).await?;
                if let (true, Some(new)) = (undone, &old.replaced_by) {
                    storage::keys::revoke(tx, permit, new.id, now, actor.name(), "rotation undone").await?;
                    let new = storage::keys::find_in(tx, permit, new.id).await?.ok_or_else(ApiError::not_found)?;
                    for entry in cancel_invitations(tx, actor, &new, now).await? {
                        storage::audit::insert(tx, &entry).await?;
                    }
                }
                Ok(undone)
            }
        }
    }
}

/// Refuses to undo a rotation whose new key has itself been rotated, because the successor's token would keep working.
async fn check_last(tx: &mut Tx, permit: &WritePermit, old: &ApiKey, now: DateTime<Utc>) -> Result<()> {
    let mut key = match &old.replaced_by {
        Some(new) => storage::keys::find_in(tx, permit, new.id).await?,
        None => None,
    };
    let rolls_on = key.as_ref().is_some_and(|new| new.overlap_until(now).is_some());
    while let Some(next) = key.and_then(|key| key.replaced_by) {
        key = storage::keys::find_in(tx, permit, next.id).await?;
        let is_over = |key: &ApiKey| matches!(key.state(now), KeyState::Revoked { .. } | KeyState::Expired { .. });
        if key.as_ref().is_none_or(is_over) {
            continue;
        }
        let hint = &next.hint;
        let message = if rolls_on {
            format!("The new key is being replaced by {hint}…. Undo that rotation first, or end the old key now.")
        } else {
            format!("The new key was replaced by {hint}…. Revoke that key first, or end the old key now.")
        };
        return Err(ApiError::new(ErrorCode::Conflict, message).into());
    }
    Ok(())
}

/// The expiry of the replacement of a key: the same lifetime, within the limits of the tenant's key policies.
fn renewed(old: &ApiKey, policies: &[KeyPolicy], now: DateTime<Utc>) -> Option<Expiry> {
    let length = old.expires_at.map(|at| (at - old.created_at).max(TimeDelta::minutes(2)));
    let length = Bounds::with_scopes(policies, &old.scopes, now).limit(length);
    length.and_then(|length| Expiry::at(now + length, now).ok())
}

async fn roll(tx: &mut Tx, actor: &Actor, permit: &WritePermit, key: &NewKey, overlap: GracePeriod) -> Result<ApiKey> {
    let (old_id, now, new_id) = (key.replaces.unwrap_or_default(), key.created_at, key.id);
    let hint = key.hint.clone();
    storage::tenants::lock_tenant(tx, permit.tenant_id()).await?;
    let made = issue::insert_or_repeat(tx, actor, permit, key).await?;
    if made.id != new_id {
        let other = || ApiError::new(ErrorCode::Conflict, "This form was already used. Start again.");
        let old = storage::keys::find_in(tx, permit, old_id).await?.ok_or_else(ApiError::not_found)?;
        let is_same = made.replaces == Some(old_id) && ends_as_asked(&old, &made, overlap, now);
        return if is_same { Ok(made) } else { Err(other().into()) };
    }
    let old = storage::keys::find_in(tx, permit, old_id).await?.ok_or_else(ApiError::not_found)?;
    // The scopes and limits may have been changed since the new key was drafted.
    let is_same = key.scopes == ScopeRequest::Grant(old.scopes.clone()) && key.limits == old.limits;
    if !old.state(now).is_valid() || !is_same {
        return Err(refusal(KeyAct::Roll, &old, now).into());
    }
    // Without a grace period, the old key gets an end that is just ahead, and is revoked immediately.
    let until = overlap.until(now).unwrap_or(now + TimeDelta::seconds(1));
    if !storage::rolls::replace(tx, permit, old_id, new_id, now, until).await? {
        return Err(refusal(KeyAct::Roll, &old, now).into());
    }
    storage::rolls::transfer_ends_key(tx, old_id, new_id).await?;
    if overlap == GracePeriod::None {
        storage::keys::revoke(tx, permit, old_id, now, actor.name(), REASON).await?;
    }
    let entry = Entry::by(actor, Operation::RollApiKey, now, ("api_key", old_id.0, old.name.as_str()));
    storage::audit::insert(tx, &entry.with(format!("replaced by {hint}…, {}", overlap.audit_text()))).await?;
    let entry = Entry::by(actor, Operation::CreateApiKey, now, ("api_key", new_id.0, old.name.as_str()));
    storage::audit::insert(tx, &entry.with(format!("key {hint}…, replaces {}…", old.hint))).await?;
    Ok(storage::keys::find_in(tx, permit, new_id).await?.ok_or_else(ApiError::not_found)?)
}

/// Whether a rotation that a form has already made ends the old key as the form says now, when it is sent again: nobody may
/// believe that the old key was stopped while it still works.
fn ends_as_asked(old: &ApiKey, new: &ApiKey, asked: GracePeriod, now: DateTime<Utc>) -> bool {
    let Some(until) = asked.until(now) else { return old.revocation.is_some() };
    let (Some(end), Some(successor)) = (old.expires_at, &old.replaced_by) else { return false };
    let is_on_use = matches!(asked, GracePeriod::FirstUse { .. });
    if old.revocation.is_some() || successor.ends_on_use != is_on_use {
        return false;
    }
    let is = |time: DateTime<Utc>| (end - time).abs() <= TimeDelta::seconds(1);
    let asked_then = until - (now - new.created_at);
    let is_another = [GracePeriod::Hour, GracePeriod::Day, GracePeriod::Week]
        .into_iter()
        .filter_map(|one| one.until(new.created_at))
        .any(is);
    // The old key may have expired earlier by itself.
    is(until) || is(asked_then) || (end < asked_then && !is_another)
}

/// How long a request waits until the old key has been ended. If another transaction has locked the tenant for longer,
/// the old key is ended in the background.
const WAIT: Duration = Duration::from_millis(300);

/// The old keys that are being ended because their replacement was first used.
#[derive(Debug, Default)]
pub(crate) struct PredecessorEndings(Mutex<HashSet<KeyId>>);

impl PredecessorEndings {
    fn lock(&self) -> MutexGuard<'_, HashSet<KeyId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the old key when its replacement is first used. Only the first of several concurrent requests does it; the
/// others continue meanwhile.
pub(crate) async fn end_predecessor(context: &Context, endings: &Arc<PredecessorEndings>, new: &Candidate, old: KeyId) {
    if !endings.lock().insert(old) {
        return;
    }
    let (context, endings) = (context.clone(), Arc::clone(endings));
    let (new_id, name) = (new.key_id, new.name.clone());
    let permit = WritePermit::of_key(new.tenant_id, new.owner, Operation::FinishRoll);
    let task = tokio::spawn(async move {
        if let Err(error) = end(&context, &permit, (old, new_id), name.as_str()).await {
            // The new key is valid anyway. Its next use tries again.
            tracing::warn!(%error, "a rotated key could not be ended");
        }
        endings.lock().remove(&old);
    });
    tokio::time::timeout(WAIT, task).await.ok();
}

async fn end(context: &Context, permit: &WritePermit, (old, new): (KeyId, KeyId), name: &str) -> Result<()> {
    let now = context.now();
    retry!(context.db(), for permit.tenant_id(), tx => {
        storage::tenants::lock_tenant(tx, permit.tenant_id()).await?;
        let (mut next, mut ended) = (Some(old), Vec::new());
        while let Some(key) = next {
            // If the rotation was undone meanwhile, the old key stays active.
            let replaced = storage::rolls::lock_replaced(tx, key, new).await?;
            if replaced && storage::keys::revoke(tx, permit, key, now, "Latchkey", REASON).await? {
                ended.push(key);
            }
            next = storage::rolls::find_ends_key(tx, key).await?;
        }
        storage::rolls::clear_ends_key(tx, new).await?;
        for key in ended {
            let subject = ("api_key", key.0, name);
            let entry = Entry::by_service(permit.tenant_id(), Operation::FinishRoll, now, subject);
            storage::audit::insert(tx, &entry.with("the new key was used")).await?;
        }
        Ok(())
    })
}

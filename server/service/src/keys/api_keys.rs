//! Use cases of API keys.

use std::{
    cmp::Reverse,
    collections::{HashMap, hash_map},
    sync::Arc,
};

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    ApiError, ApiKey, AuditEntry, AuditQuery, ErrorCode, InventoryQuery, Invitation, IssuedKey, KeyAct, KeyId,
    KeyQuery, KeyState, Name, Operation, Owner, Page, Recent, SuspendedBy, Total, Usage,
    api_key::{input::CreateKey, policy::KeyPolicyViolation},
    input::Changed,
};

use super::{
    issue::{self, Checked},
    known_token::KnownToken,
    limit_checks::check_lockout,
    perform::performs,
    usage::UsageBuffer,
};
use crate::{
    access::{
        Actor, ReadPermit, Target, WritePermit, authorize, authorize_write, check_exposed, inviter_may_still_invite,
        is_offered, may_resume_for_others,
    },
    audit::subject_of_owner,
    context::Context,
    error::Result,
    input,
    storage::{
        self, Tx,
        audit::Entry,
        db::retry,
        invitations::Closed,
        key_list::{Alert, AlertsAbout, Asked, Scope},
        keys::KeyPosition,
        usage::Of,
    },
};

/// The most keys in a [`KeyStep`].
pub const STEP: u32 = 1_000;

/// How many keys of each kind [`KeyAlerts`] is meant to show. It contains one more if there are others.
pub const MAX_ALERTS: u32 = 5;
/// An expiring key that wasn't used for this time causes no alert: nothing would fail.
const IN_USE: TimeDelta = TimeDelta::days(30);
/// How long a refused request with a rotated key causes an alert.
const TRIED_LATELY: TimeDelta = TimeDelta::days(7);
/// The most clients and scopes that the usage of a key returns.
const MAX_SCOPE_USES: u32 = 2_000;
/// The most clients that the usage of a key returns.
const MAX_CLIENTS: u32 = 100;

/// Keys that need attention from their owner or an administrator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyAlerts {
    /// Exposed keys that are neither revoked nor expired, latest report first.
    pub exposed: Vec<ApiKey>,
    /// Valid keys that expire soon, were used in the past 30 days and have no unrevoked replacement, soonest first.
    pub expiring: Vec<ApiKey>,
    /// Rotated keys that were still tried in the past 7 days, last tried first.
    pub tried: Vec<ApiKey>,
}

/// A part of a list that can be long, so that it is read in steps and never is in memory as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyStep {
    /// The keys, newest first.
    pub keys: Vec<ApiKey>,
    /// Where the next step starts; `None` if this is the last one.
    pub next: Option<KeyPosition>,
}

impl KeyStep {
    /// Creates the step with the rows that a statement limited to [`STEP`] returned.
    fn of(keys: Vec<ApiKey>) -> Self {
        let is_full = keys.len() >= STEP as usize;
        let next = keys.last().filter(|_| is_full).map(|key| KeyPosition { at: key.created_at, id: key.id });
        Self { keys, next }
    }
}

/// The result of [`ApiKeys::revoke_with`].
#[derive(Clone, Debug)]
pub struct RevokedKey {
    /// The key.
    pub key: ApiKey,
    /// The addresses whose invitations were cancelled, because a revoked key had created them.
    pub cancelled: Vec<String>,
}

impl From<RevokedKey> for Changed {
    fn from(revoked: RevokedKey) -> Self {
        revoked.key.into()
    }
}

/// Use cases of API keys.
pub struct ApiKeys<'a> {
    pub(crate) context: &'a Context,
    pub(crate) usage: &'a Arc<UsageBuffer>,
}

impl ApiKeys<'_> {
    /// Returns one page of an owner's keys in the actor's tenant.
    ///
    /// # Errors
    /// `FORBIDDEN` for another owner's keys without the right; `BAD_USER_INPUT` for a cursor of another kind of list.
    pub async fn list(&self, actor: &Actor, owner: Owner, query: &KeyQuery) -> Result<Page<ApiKey>> {
        let permit =
            self.context.permit(actor, Operation::ListApiKeys, Target::Owner(actor.tenant_id(), owner)).await?;
        let query = &KeyQuery { search: input::search(&query.search), ..query.clone() };
        let scope = Scope::Here(owner, permit.tenant_id());
        let asked =
            Asked { scope, query, inventory: InventoryQuery::default(), policies: &[], now: self.context.now() };
        let mut page = storage::key_list::list(self.context.db(), asked).await?;
        self.complete(&mut page.items).await?;
        Ok(page)
    }

    /// Counts the actor's own working or suspended keys in the user's other tenants. 0 for a key or a service account,
    /// which belong to one tenant.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_elsewhere(&self, actor: &Actor) -> Result<Total> {
        let own = Target::Owner(actor.tenant_id(), actor.require_owner()?);
        self.context.permit(actor, Operation::ListApiKeys, own).await?;
        let Some(user) = actor.user_id().filter(|_| actor.is_session()) else { return Ok(Total::up_to(0, 0)) };
        storage::key_list::count_elsewhere(self.context.db(), user, actor.tenant_id(), self.context.now()).await
    }

    /// Returns the valid keys that the actor may see: its own in the tenant and, for an administrator, those of all
    /// service accounts. Newest first, at most [`STEP`], starting after a position.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn visible(&self, actor: &Actor, after: Option<KeyPosition>) -> Result<KeyStep> {
        let permit = self
            .context
            .permit(actor, Operation::ListApiKeys, Target::Owner(actor.tenant_id(), actor.require_owner()?))
            .await?;
        let accounts = authorize(actor, Operation::ListServiceAccounts, Target::Tenant(actor.tenant_id())).is_ok();
        let now = self.context.now();
        let keys = storage::key_list::list_visible(self.context.db(), &permit, accounts, now, after, STEP).await?;
        let mut step = KeyStep::of(keys);
        self.complete(&mut step.keys).await?;
        Ok(step)
    }

    /// Returns the keys in the actor's tenant that need attention. At most [`MAX_ALERTS`] of each kind, and one more if
    /// there are others.
    ///
    /// # Errors
    /// `FORBIDDEN` for other keys than the actor's own without the right.
    pub async fn alerts(&self, actor: &Actor, about: AlertsAbout) -> Result<KeyAlerts> {
        let (operation, target) = match about {
            AlertsAbout::Own => (Operation::ListApiKeys, Target::Owner(actor.tenant_id(), actor.require_owner()?)),
            AlertsAbout::ServiceAccounts => (Operation::ListServiceAccounts, Target::Tenant(actor.tenant_id())),
            AlertsAbout::Tenant => (Operation::ListTenantKeys, Target::Tenant(actor.tenant_id())),
        };
        let permit = self.context.permit(actor, operation, target).await?;
        let now = self.context.now();
        self.usage.flush_before_read(self.context).await;
        let list =
            |alert| storage::key_list::list_alerts(self.context.db(), &permit, about, alert, now, MAX_ALERTS + 1);
        let (exposed, expiring, tried) = (
            list(Alert::Exposed).await?,
            list(Alert::ExpiringAndUsedSince(now - IN_USE)).await?,
            list(Alert::TriedSince(now - TRIED_LATELY)).await?,
        );
        Ok(KeyAlerts { exposed, expiring, tried })
    }

    /// Returns one key.
    ///
    /// # Errors
    /// `NOT_FOUND` for a key in another tenant; `FORBIDDEN` without the right.
    pub async fn get(&self, actor: &Actor, id: KeyId) -> Result<ApiKey> {
        let (_, permit) = self.permit(actor, Operation::GetApiKey, id).await?;
        let mut key = storage::keys::find(self.context.db(), &permit, id).await?.ok_or_else(ApiError::not_found)?;
        self.complete(std::slice::from_mut(&mut key)).await?;
        Ok(key)
    }

    /// Returns what was done to a key, and with it, newest first. Available to everyone who may see the key.
    ///
    /// # Errors
    /// As [`ApiKeys::get`].
    pub async fn history(&self, actor: &Actor, id: KeyId, query: &AuditQuery) -> Result<Page<AuditEntry>> {
        let key = self.get(actor, id).await?;
        let query = AuditQuery { subject: Some(id.0), ..query.clone() };
        storage::audit::list(self.context.db(), key.tenant_id, &query).await
    }

    /// Checks that the actor may create keys for itself in its tenant.
    ///
    /// # Errors
    /// `FORBIDDEN`.
    pub async fn check_may_create(&self, actor: &Actor) -> Result<()> {
        let own = Target::Owner(actor.tenant_id(), actor.require_owner()?);
        self.context.permit(actor, Operation::CreateApiKey, own).await.map(drop)
    }

    /// Creates a key. Only this response contains its token.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` with the fields `name`, `expires_at`, `scopes`, `allowed_addresses`, `rate_limit`, `tenant_id`;
    /// `CONFIRMATION_REQUIRED`; `FORBIDDEN`; `NOT_FOUND` for an owner that isn't in the tenant; `CONFLICT` if the same
    /// form created its key more than a minute ago, or that key was already used, and for addresses that leave out that
    /// of the person's browser.
    #[tracing::instrument(skip_all, fields(api_key.id))]
    pub async fn create(&self, actor: &Actor, input: &CreateKey) -> Result<IssuedKey> {
        let (actor, owner, permit) = self.permit_creation(actor, input).await?;
        let checked = self.check(input)?;
        if !input.allow_lockout {
            check_lockout(&actor, None, checked.limits.addresses.as_ref())?;
        }
        let (key, token) = issue::draft(&actor, owner.kind(), checked, self.context.now())?;
        let made =
            retry!(self.context.db(), for permit.tenant_id(), tx => issue::insert(tx, &actor, &permit, &key).await);
        let subject = subject_of_owner(owner);
        let record = self.context.audit().record_if_refused(made, &actor, Operation::CreateApiKey, subject).await?;
        tracing::Span::current().record("api_key.id", tracing::field::display(record.id));
        Ok(IssuedKey { is_repeat: record.id != key.id, key: record, token })
    }

    /// Like [`ApiKeys::create`], with a token that already exists. Only for the operator.
    ///
    /// # Errors
    /// As [`ApiKeys::create`], and `CONFLICT` if the token belongs to a key.
    pub(crate) async fn create_known(&self, actor: &Actor, input: &CreateKey, known: KnownToken) -> Result<ApiKey> {
        let (actor, owner, permit) = self.permit_creation(actor, input).await?;
        let key = issue::draft_known(&actor, self.check(input)?, known, self.context.now());
        let create = async || {
            retry!(self.context.db(), for permit.tenant_id(), tx => {
                issue::insert_known(tx, &actor, &permit, &key).await
            })
        };
        let made = match create().await {
            // Another key got the token meanwhile. The next attempt sees whose it is.
            Err(error) if error.is_unique_violation() => create().await,
            made => made,
        };
        let subject = subject_of_owner(owner);
        self.context.audit().record_if_refused(made, &actor, Operation::CreateApiKey, subject).await
    }

    async fn permit_creation(&self, actor: &Actor, input: &CreateKey) -> Result<(Actor, Owner, WritePermit)> {
        let actor = self.context.in_tenant(actor, input.tenant_id.unwrap_or_else(|| actor.tenant_id())).await?;
        let owner = input.owner.map_or_else(|| actor.require_owner(), Ok)?;
        let target = Target::Owner(actor.tenant_id(), owner);
        let permit = self.context.permit_write(&actor, Operation::CreateApiKey, target).await?;
        Ok((actor, owner, permit))
    }

    /// Returns who used a key, from where and how often, as far back as usage is kept.
    ///
    /// # Errors
    /// `NOT_FOUND` for a key in another tenant; `FORBIDDEN` without the right.
    pub async fn usage(&self, actor: &Actor, id: KeyId) -> Result<Usage> {
        let (_, permit) = self.permit(actor, Operation::GetApiKeyUsage, id).await?;
        self.usage.flush_before_read(self.context).await;
        let since = self.context.now() - domain::usage::KEPT_FOR;
        Ok(Usage {
            clients: storage::usage::list_clients(self.context.db(), &permit, id, MAX_CLIENTS).await?,
            hours: storage::usage::list_hours(self.context.db(), &permit, id, since).await?,
            scopes: storage::scopes::list_uses(self.context.db(), &permit, id, since, MAX_SCOPE_USES).await?,
            refusals: storage::key_refusals::list(self.context.db(), &permit, id, since).await?,
        })
    }

    /// Returns the usage of a key in the past 24 hours, which stopping it would interrupt.
    ///
    /// # Errors
    /// As [`ApiKeys::usage`].
    pub async fn recent(&self, actor: &Actor, id: KeyId) -> Result<Recent> {
        let (_, permit) = self.permit(actor, Operation::GetApiKeyUsage, id).await?;
        self.recent_of(&permit, Of::Key(id)).await
    }

    /// Like [`ApiKeys::recent`], for all keys of an owner in the tenant.
    ///
    /// # Errors
    /// `FORBIDDEN` for another owner's keys without the right.
    pub async fn recent_of_owner(&self, actor: &Actor, owner: Owner) -> Result<Recent> {
        let target = Target::Owner(actor.tenant_id(), owner);
        let permit = self.context.permit(actor, Operation::GetApiKeyUsage, target).await?;
        self.recent_of(&permit, Of::Owner(owner)).await
    }

    async fn recent_of(&self, permit: &ReadPermit, of: Of) -> Result<Recent> {
        self.usage.flush_before_read(self.context).await;
        storage::usage::recent(self.context.db(), permit, of, self.context.now() - TimeDelta::days(1)).await
    }

    /// Returns the keys that were created with a key and that the actor may see, newest first; at most [`STEP`],
    /// starting after a position.
    ///
    /// # Errors
    /// As [`ApiKeys::get`].
    pub async fn created_by(&self, actor: &Actor, id: KeyId, after: Option<KeyPosition>) -> Result<KeyStep> {
        let (actor, permit) = self.permit(actor, Operation::GetApiKey, id).await?;
        let keys = storage::keys::list_created_by(self.context.db(), &permit, id, after, STEP).await?;
        let mut step = KeyStep::of(keys);
        let may_see = |key: &ApiKey| authorize(&actor, Operation::GetApiKey, Target::Owner(key.tenant_id, key.owner));
        step.keys.retain(|key| may_see(key).is_ok());
        self.complete(&mut step.keys).await?;
        Ok(step)
    }

    /// Returns the keys that [`ApiKeys::revoke_with`] would also revoke: those that are neither revoked nor expired.
    ///
    /// # Errors
    /// As [`ApiKeys::get`].
    pub async fn created_keys(&self, actor: &Actor, id: KeyId) -> Result<Vec<ApiKey>> {
        let (actor, permit) = self.permit(actor, Operation::GetApiKey, id).await?;
        let created_keys =
            storage::keys::list_active_descendants(self.context.db(), &permit, id, self.context.now()).await?;
        let mut keys: Vec<ApiKey> = revocable(&actor, created_keys).map(|(_, key)| key).collect();
        self.complete(&mut keys).await?;
        Ok(keys)
    }

    /// Returns the open invitations that [`ApiKeys::revoke_with`] would cancel: those that were created with the key or
    /// with a key that would also be revoked. Newest first.
    ///
    /// # Errors
    /// As [`ApiKeys::get`].
    pub async fn open_invitations(&self, actor: &Actor, id: KeyId, and_created: bool) -> Result<Vec<Invitation>> {
        let (actor, permit) = self.permit(actor, Operation::GetApiKey, id).await?;
        let (db, now) = (self.context.db(), self.context.now());
        let mut open = storage::invitations::list_of_key(db, &permit, id, now).await?;
        if and_created {
            let created = storage::keys::list_active_descendants(db, &permit, id, now).await?;
            for (permit, key) in revocable(&actor, created) {
                open.extend(storage::invitations::list_of_key(db, &permit, key.id, now).await?);
            }
        }
        let seen = |(invitation, inviter)| Invitation { is_paused: !inviter_may_still_invite(inviter), ..invitation };
        let mut open: Vec<Invitation> = open.into_iter().map(seen).collect();
        open.sort_by_key(|one| (Reverse(one.created_at), one.id.0));
        open.dedup_by_key(|one| one.id);
        Ok(open)
    }

    /// Revokes a key permanently. It is refused from the next request.
    ///
    /// # Errors
    /// `CONFLICT` if it is already revoked; `NOT_FOUND`, `FORBIDDEN`.
    pub async fn revoke(&self, actor: &Actor, id: KeyId) -> Result<ApiKey> {
        Ok(self.revoke_with(actor, id, false).await?.key)
    }

    /// Revokes a key and, if `and_created`, all keys that were created with it, with those keys, and so on, as far as
    /// the actor may revoke them. Cancels the open invitations that were created with a revoked key.
    ///
    /// # Errors
    /// As [`ApiKeys::revoke`].
    #[tracing::instrument(skip_all, fields(api_key.id = %id))]
    pub async fn revoke_with(&self, actor: &Actor, id: KeyId, and_created: bool) -> Result<RevokedKey> {
        let (actor, permit) = self.permit_write(actor, Operation::RevokeApiKey, id).await?;
        let now = self.context.now();
        let (key, cancelled) = retry!(self.context.db(), for permit.tenant_id(), tx => {
            if and_created {
                storage::tenants::lock_tenant(tx, permit.tenant_id()).await?;
            }
            let revoked = storage::keys::revoke(tx, &permit, id, now, actor.name(), "").await?;
            let key = storage::keys::find_in(tx, &permit, id).await?.ok_or_else(ApiError::not_found)?;
            if !revoked {
                return Err(refusal(KeyAct::Revoke, &key, now).into());
            }
            let entry_of =
                |key: &ApiKey| Entry::by(&actor, Operation::RevokeApiKey, now, ("api_key", key.id.0, key.name.as_str()));
            let mut entries = vec![entry_of(&key)];
            let mut cancelled = cancel_invitations(tx, &actor, &key, now).await?;
            // Read after the revocation: a key that it was just creating is included, and it can't create more.
            let created_keys = if and_created {
                storage::keys::list_active_descendants_in(tx, &permit, id, now).await?
            } else {
                Vec::new()
            };
            for (permit, made) in &revocable(&actor, created_keys).collect::<Vec<_>>() {
                let reason = "the key that created it was revoked";
                if storage::keys::revoke(tx, permit, made.id, now, actor.name(), reason).await? {
                    entries.push(entry_of(made).with(format!("along with {}…, which created it", key.hint)));
                    cancelled.extend(cancel_invitations(tx, &actor, made, now).await?);
                }
            }
            for entry in entries.iter().chain(&cancelled) {
                storage::audit::insert(tx, entry).await?;
            }
            Ok((key, cancelled))
        })?;
        let cancelled = cancelled.into_iter().map(|entry| entry.subject_name).collect();
        Ok(RevokedKey { key: self.completed(key).await, cancelled })
    }

    /// Renames a key.
    ///
    /// # Errors
    /// A field error at `name`; `CONFLICT` for a revoked key; `NOT_FOUND`, `FORBIDDEN`.
    #[tracing::instrument(skip_all, fields(api_key.id = %id))]
    pub async fn rename(&self, actor: &Actor, id: KeyId, name: &str) -> Result<ApiKey> {
        let name = input::name(name).map_err(|error| ApiError::field("name", error.to_string()))?;
        self.change(actor, id, Change::Rename(name)).await
    }

    /// Suspends a key. It is refused from the next request until it is resumed.
    ///
    /// # Errors
    /// `CONFLICT` if it is already suspended, revoked or expired; `NOT_FOUND`, `FORBIDDEN`.
    #[tracing::instrument(skip_all, fields(api_key.id = %id))]
    pub async fn suspend(&self, actor: &Actor, id: KeyId) -> Result<ApiKey> {
        self.change(actor, id, Change::Suspend).await
    }

    /// Resumes a suspended key. Only an administrator can resume a key that was suspended by an administrator.
    ///
    /// # Errors
    /// `CONFLICT` if it isn't suspended, is revoked or expired, or was suspended by an administrator; `FORBIDDEN` for an
    /// exposed key to anybody who isn't signed in or the operator; `CONFIRMATION_REQUIRED`; `NOT_FOUND`, `FORBIDDEN`.
    #[tracing::instrument(skip_all, fields(api_key.id = %id))]
    pub async fn resume(&self, actor: &Actor, id: KeyId) -> Result<ApiKey> {
        self.change(actor, id, Change::Resume).await
    }

    async fn change(&self, actor: &Actor, id: KeyId, change: Change) -> Result<ApiKey> {
        let (actor, permit) = self.permit_write(actor, change.operation(), id).await?;
        let now = self.context.now();
        let changed = retry!(self.context.db(), for permit.tenant_id(), tx => {
            let before = storage::keys::find_in(tx, &permit, id).await?.ok_or_else(ApiError::not_found)?;
            if matches!(change, Change::Resume) {
                check_exposed(&actor, &before, "resume it")?;
            }
            if !change.make(tx, &actor, &permit, id, now).await? {
                return Err(change.refusal(&before, now).into());
            }
            let subject = ("api_key", id.0, before.name.as_str());
            let entry = Entry::by(&actor, change.operation(), now, subject);
            let entry = if let Change::Rename(name) = &change { entry.with(format!("renamed to {name}")) } else { entry };
            storage::audit::insert(tx, &entry).await?;
            Ok(storage::keys::find_in(tx, &permit, id).await?.ok_or_else(ApiError::not_found)?)
        });
        let subject = ("api_key", id.0);
        let key = self.context.audit().record_if_refused(changed, &actor, change.operation(), subject).await?;
        Ok(self.completed(key).await)
    }

    /// Adds what isn't in the rows of the keys: usage that isn't written yet, and the key policies that they violate.
    pub(crate) async fn complete(&self, keys: &mut [ApiKey]) -> Result<()> {
        self.usage.overlay(keys.iter_mut());
        let now = self.context.now();
        let mut policies = HashMap::new();
        for key in keys.iter_mut() {
            if matches!(key.state(now), KeyState::Revoked { .. } | KeyState::Expired { .. }) {
                continue;
            }
            let of_tenant = match policies.entry(key.tenant_id) {
                hash_map::Entry::Occupied(known) => known.into_mut(),
                hash_map::Entry::Vacant(unknown) => {
                    unknown.insert(storage::key_policies::list(self.context.db(), key.tenant_id, now).await?)
                }
            };
            let violated = of_tenant.iter().filter(|policy| policy.is_violated_by(key));
            let violated =
                violated.map(|policy| KeyPolicyViolation { kind: policy.kind, effective_from: policy.effective_from });
            key.violations = violated.collect();
            // For a policy that is in effect and will change, only the current one is reported.
            key.violations.dedup_by_key(|violation| violation.kind);
        }
        Ok(())
    }

    /// Like [`ApiKeys::complete`], for a key that was just changed. A failure is only logged: the change is already
    /// done.
    pub(crate) async fn completed(&self, mut key: ApiKey) -> ApiKey {
        if let Err(error) = self.complete(std::slice::from_mut(&mut key)).await {
            tracing::warn!(%error, "the key policies of a changed key could not be read");
        }
        key
    }

    /// Whether menus should offer an actor an operation on a key. Only for display: grants nothing.
    pub fn may(actor: &Actor, operation: Operation, key: &ApiKey) -> bool {
        is_offered(actor, operation, key)
    }

    /// Authorizes reading a key, in the actor's tenant or, for a user's own key, in the key's. Returns the actor in
    /// that tenant, and the permit.
    async fn permit(&self, actor: &Actor, operation: Operation, id: KeyId) -> Result<(Actor, ReadPermit)> {
        let (actor, target) = self.place(actor, id).await?;
        let permit = self.context.audit().permit_about(&actor, operation, target, ("api_key", id.0)).await?;
        Ok((actor, permit))
    }

    /// Like [`ApiKeys::permit`], for changing a key. A key of another tenant can be read, but not changed before that
    /// tenant is selected: a form that was opened in one tenant never acts in another.
    pub(crate) async fn permit_write(
        &self,
        actor: &Actor,
        operation: Operation,
        id: KeyId,
    ) -> Result<(Actor, WritePermit)> {
        let (there, target) = self.place(actor, id).await?;
        if there.tenant_id() != actor.tenant_id() {
            let message = "This key belongs to another of your tenants. Select that tenant to change the key.";
            return Err(ApiError::new(ErrorCode::Conflict, message).into());
        }
        let permit = self.context.permit_write_about(&there, operation, target, ("api_key", id.0)).await?;
        Ok((there, permit))
    }

    /// Returns the owner of a key as a target, and the actor in the tenant where authorization is decided.
    async fn place(&self, actor: &Actor, id: KeyId) -> Result<(Actor, Target)> {
        let place = storage::keys::find_tenant_and_owner(self.context.db(), id).await?;
        let (tenant, owner) = place.ok_or_else(ApiError::not_found)?;
        let own = Some(owner) == actor.owner();
        let actor = if own { self.context.in_tenant(actor, tenant).await? } else { actor.clone() };
        Ok((actor, Target::Owner(tenant, owner)))
    }

    pub(crate) fn check(&self, input: &CreateKey) -> Result<Checked> {
        let mut wrong = input::Fields::default();
        let name = wrong.take("name", input::name(&input.name));
        let expires_at = wrong.take("expires_at", input.expiry(self.context.now()));
        let scopes = wrong.take("scopes", input.scopes());
        let limits = wrong.take_all(input.limits());
        let idempotency_key = input::idempotency_key(input.idempotency_key.as_deref())?;
        match (name, expires_at, scopes, limits) {
            (Some(name), Some(expires_at), Some(scopes), Some(limits)) => {
                Ok(Checked { name, expires_at, idempotency_key, scopes, limits })
            }
            _ => Err(wrong.into_error().into()),
        }
    }
}

/// Returns the error for an act that the key's state didn't allow.
pub(crate) fn refusal(act: KeyAct, key: &ApiKey, now: DateTime<Utc>) -> ApiError {
    match act.fits(key, now) {
        Err(unfit) => unfit.into(),
        // A concurrent change came first.
        Ok(()) => ApiError::new(ErrorCode::Conflict, "This key was changed in the meantime. Try again."),
    }
}

/// Cancels the open invitations that a revoked key created. Returns the audit entries.
pub(crate) async fn cancel_invitations(
    tx: &mut Tx,
    actor: &Actor,
    key: &ApiKey,
    now: DateTime<Utc>,
) -> Result<Vec<Entry>> {
    let closed = storage::invitations::close_of_key(tx, key.tenant_id, key.id, now).await?;
    let entry = |one: Closed| {
        let entry = Entry::by(actor, Operation::CancelInvitation, now, ("invitation", one.id, one.email.as_str()));
        entry.with(format!("along with the key {}…, which created it", key.hint))
    };
    Ok(closed.into_iter().map(entry).collect())
}

/// Returns those keys that the actor may revoke, each with a permit.
fn revocable(actor: &Actor, created_keys: Vec<ApiKey>) -> impl Iterator<Item = (WritePermit, ApiKey)> {
    created_keys.into_iter().filter_map(move |key| {
        let may = authorize_write(actor, Operation::RevokeApiKey, Target::Owner(key.tenant_id, key.owner));
        may.ok().map(|permit| (permit, key))
    })
}

performs! {
    RenameKey: |keys, actor, input| keys.rename(actor, input.key, &input.name);
    SuspendKey: |keys, actor, input| keys.suspend(actor, input.key);
    ResumeKey: |keys, actor, input| keys.resume(actor, input.key);
    RevokeKey: |keys, actor, input| keys.revoke_with(actor, input.key, input.and_created);
    ChangeKeyLimits: |keys, actor, input| keys.change_limits(actor, input);
    ChangeKeyScopes: |keys, actor, input| keys.change_scopes(actor, input);
}

/// A reversible change to a key.
enum Change {
    Rename(Name),
    Suspend,
    Resume,
}

impl Change {
    fn act(&self) -> KeyAct {
        match self {
            Self::Rename(_) => KeyAct::Rename,
            Self::Suspend => KeyAct::Suspend,
            Self::Resume => KeyAct::Resume,
        }
    }

    fn operation(&self) -> Operation {
        self.act().operation()
    }

    /// Returns false if the key's state doesn't allow the change.
    async fn make(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        permit: &WritePermit,
        id: KeyId,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        match self {
            Self::Rename(name) => storage::keys::rename(tx, permit, id, name).await,
            Self::Suspend => storage::keys::suspend(tx, permit, id, now, (actor.name(), actor.id())).await,
            Self::Resume => {
                let only_by = (!may_resume_for_others(actor)).then(|| actor.id().unwrap_or_default());
                storage::keys::resume(tx, permit, id, now, only_by).await
            }
        }
    }

    fn refusal(&self, key: &ApiKey, now: DateTime<Utc>) -> ApiError {
        if let (Self::Resume, KeyState::Suspended { by: SuspendedBy::Name(by), .. }) = (self, key.state(now)) {
            let message = format!("This key was suspended by {by}. Only an administrator can resume it.");
            return ApiError::new(ErrorCode::Conflict, message);
        }
        refusal(self.act(), key, now)
    }
}

/// Returns the detail of an audit entry for an act that revoked an owner's keys.
pub(crate) fn keys_revoked(count: u64) -> String {
    format!("{count} key{} revoked", if count == 1 { "" } else { "s" })
}

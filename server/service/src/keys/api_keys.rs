//! Use cases of API keys.

use std::{
    cmp::Reverse,
    collections::{HashMap, hash_map},
    sync::Arc,
};

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    ApiError, ApiKey, AuditEntry, AuditQuery, ErrorCode, InventoryQuery, IssuedKey, KeyAct, KeyId, KeyQuery, KeyState,
    Name, Operation, Owner, Page, Recent, SuspendedBy, Usage,
    api_key::{input::CreateKey, key::EXPIRING_SOON, policy::Against},
};

use super::{
    issue::{self, Checked},
    usage::UsageBuffer,
};
use crate::{
    access::{Actor, ReadPermit, Target, WritePermit, authorize, authorize_write, is_offered, may_lift},
    context::Context,
    error::Result,
    input,
    storage::{
        self, Tx,
        audit::Entry,
        db::retry,
        key_list::{Alert, AlertScope, Asked, Scope},
        usage::Of,
    },
};

/// How many keys `auth_api_key` shows at most.
const VISIBLE_LIMIT: u32 = 1_000;

/// How many keys of a kind [`KeyAlerts`] names; one more tells that there are others.
pub const MOST_ALERTS: u32 = 5;
/// In how many tenants one statement looks for them: `SQLite` joins at most 500 SELECTs.
const SCOPES_AT_ONCE: usize = 100;
/// How long the use of a rolled-out key is spoken of.
const TRIED_LATELY: TimeDelta = TimeDelta::days(7);
/// How many clients the usage of a key shows at most.
const MOST_CLIENTS: u32 = 100;

/// What an owner or an administrator should see to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyAlerts {
    /// Good keys that end within [`EXPIRING_SOON`] and that nothing living replaces, the first to end first.
    pub expiring: Vec<ApiKey>,
    /// Keys that were rolled out and were tried all the same in the last week, the last tried first.
    pub tried: Vec<ApiKey>,
}

/// Use cases of API keys.
pub struct ApiKeys<'a> {
    pub(crate) context: &'a Context,
    pub(crate) usage: &'a Arc<UsageBuffer>,
}

impl ApiKeys<'_> {
    /// One page of an owner's keys. A person at a browser sees their own keys of all their tenants.
    ///
    /// # Errors
    /// `FORBIDDEN` for someone else's, without the right; `BAD_USER_INPUT` for a foreign cursor.
    pub async fn list(&self, actor: &Actor, owner: Owner, query: &KeyQuery) -> Result<Page<ApiKey>> {
        let permit =
            self.context.permit(actor, Operation::ListApiKeys, Target::Owner(actor.tenant_id(), owner)).await?;
        let query = &KeyQuery { search: input::search(&query.search), ..query.clone() };
        let own_session = actor.is_session() && Some(owner) == actor.owner();
        let scope = if own_session { Scope::Everywhere(owner) } else { Scope::Here(owner, permit.tenant_id()) };
        let asked =
            Asked { scope, query, inventory: InventoryQuery::default(), policies: &[], now: self.context.now() };
        let mut page = storage::key_list::list(self.context.db(), asked).await?;
        self.complete(&mut page.items).await?;
        Ok(page)
    }

    /// The good keys that the actor may know of: its own in the tenant and, for an Administrator, those of all
    /// service accounts; the newest first, at most 1,000.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn visible(&self, actor: &Actor) -> Result<Vec<ApiKey>> {
        let permit = self
            .context
            .permit(actor, Operation::ListApiKeys, Target::Owner(actor.tenant_id(), actor.require_owner()?))
            .await?;
        let accounts = authorize(actor, Operation::ListServiceAccounts, Target::Tenant(actor.tenant_id())).is_ok();
        let mut keys =
            storage::key_list::list_visible(self.context.db(), &permit, accounts, self.context.now(), VISIBLE_LIMIT)
                .await?;
        self.complete(&mut keys).await?;
        Ok(keys)
    }

    /// What the actor should see to among its own keys, a person's in all their tenants, and for an Administrator among those
    /// of the tenant: at most [`MOST_ALERTS`] of each kind, and one more when there are more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn alerts(&self, actor: &Actor) -> Result<KeyAlerts> {
        let own = Target::Owner(actor.tenant_id(), actor.require_owner()?);
        let permit = self.context.permit(actor, Operation::ListApiKeys, own).await?;
        let administers = authorize(actor, Operation::ListTenantKeys, Target::Tenant(actor.tenant_id())).is_ok();
        let mut scopes = vec![AlertScope { permit, administers }];
        if let (Some(user), true) = (actor.user_id(), actor.is_session()) {
            for membership in storage::users::list_membership_roles(self.context.db(), user).await? {
                let (tenant, role) = (membership.tenant_id, membership.role);
                if tenant != actor.tenant_id() {
                    let (own, there) =
                        (Target::Owner(tenant, actor.require_owner()?), actor.with_membership(tenant, role));
                    let permit = authorize(&there, Operation::ListApiKeys, own)?;
                    scopes.push(AlertScope { permit, administers: false });
                }
            }
        }
        let now = self.context.now();
        self.usage.flush_before_read(self.context).await;
        let (mut expiring, mut tried) = (Vec::new(), Vec::new());
        for scopes in scopes.chunks(SCOPES_AT_ONCE) {
            let list = |alert| storage::key_list::list_alerts(self.context.db(), scopes, alert, now, MOST_ALERTS + 1);
            expiring.extend(list(Alert::EndsBefore(now + EXPIRING_SOON)).await?);
            tried.extend(list(Alert::TriedSince(now - TRIED_LATELY)).await?);
        }
        expiring.sort_by_key(|key| (key.expires_at, key.id));
        tried.sort_by_key(|key| (Reverse(key.last_refused.as_ref().map(|last| last.at)), key.id));
        for keys in [&mut expiring, &mut tried] {
            keys.truncate(MOST_ALERTS as usize + 1);
        }
        Ok(KeyAlerts { expiring, tried })
    }

    /// One key.
    ///
    /// # Errors
    /// `NOT_FOUND` outside the tenant, `FORBIDDEN` inside it without the right.
    pub async fn get(&self, actor: &Actor, id: KeyId) -> Result<ApiKey> {
        let (_, permit) = self.permit(actor, Operation::GetApiKey, id).await?;
        let mut key = storage::keys::find(self.context.db(), &permit, id).await?.ok_or_else(ApiError::not_found)?;
        self.complete(std::slice::from_mut(&mut key)).await?;
        Ok(key)
    }

    /// What was done to a key, and with it, the newest first: for all who may see the key.
    ///
    /// # Errors
    /// As [`ApiKeys::get`].
    pub async fn history(&self, actor: &Actor, id: KeyId, query: &AuditQuery) -> Result<Page<AuditEntry>> {
        let key = self.get(actor, id).await?;
        let query = AuditQuery { subject: Some(id.0), ..query.clone() };
        storage::audit::list(self.context.db(), key.tenant_id, &query).await
    }

    /// Whether the actor may make keys of its own where it stands.
    ///
    /// # Errors
    /// `FORBIDDEN`.
    pub async fn check_may_create(&self, actor: &Actor) -> Result<()> {
        let own = Target::Owner(actor.tenant_id(), actor.require_owner()?);
        self.context.permit_write(actor, Operation::CreateApiKey, own).await.map(drop)
    }

    /// Makes a key. The answer holds its token; nothing ever will again.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` with the fields `name`, `expires_at`, `tenant_id`; `CONFIRMATION_REQUIRED`; `FORBIDDEN`; `NOT_FOUND` for an owner
    /// that isn't in the tenant; `CONFLICT` when the same form made its key more than a minute ago.
    pub async fn create(&self, actor: &Actor, input: &CreateKey) -> Result<IssuedKey> {
        let actor = self.context.in_tenant(actor, input.tenant_id.unwrap_or_else(|| actor.tenant_id())).await?;
        let owner = input.owner.map_or_else(|| actor.require_owner(), Ok)?;
        let permit =
            self.context.permit_write(&actor, Operation::CreateApiKey, Target::Owner(actor.tenant_id(), owner)).await?;
        self.context.require_fresh(&actor)?;
        let (key, token) = issue::draft(&actor, owner.kind(), self.check(input)?, self.context.now())?;
        let mut tx = self.context.db().begin().await?;
        let made = issue::insert(&mut tx, self.usage, &actor, &permit, key).await;
        let made = tx.end(made).await;
        let record = self.context.audit().record_if_refused(made, &actor, Operation::CreateApiKey, owner).await?;
        Ok(IssuedKey { key: record, token })
    }

    /// Who used a key, from where and how often, as far as it is kept.
    ///
    /// # Errors
    /// `NOT_FOUND` outside the tenant, `FORBIDDEN` inside it without the right.
    pub async fn usage(&self, actor: &Actor, id: KeyId) -> Result<Usage> {
        let (_, permit) = self.permit(actor, Operation::GetApiKeyUsage, id).await?;
        self.usage.flush_before_read(self.context).await;
        let since = self.context.now() - domain::usage::KEPT_FOR;
        Ok(Usage {
            clients: storage::usage::list_clients(self.context.db(), &permit, id, MOST_CLIENTS).await?,
            hours: storage::usage::list_hours(self.context.db(), &permit, id, since).await?,
        })
    }

    /// What stopping a key would cut off now.
    ///
    /// # Errors
    /// As [`ApiKeys::usage`].
    pub async fn recent(&self, actor: &Actor, id: KeyId) -> Result<Recent> {
        let (_, permit) = self.permit(actor, Operation::GetApiKeyUsage, id).await?;
        self.recent_of(&permit, Of::Key(id)).await
    }

    /// What stopping all of an owner's keys in the tenant would cut off now.
    ///
    /// # Errors
    /// `FORBIDDEN` for someone else's, without the right.
    pub async fn recent_of_owner(&self, actor: &Actor, owner: Owner) -> Result<Recent> {
        let target = Target::Owner(actor.tenant_id(), owner);
        let permit = self.context.permit(actor, Operation::GetApiKeyUsage, target).await?;
        self.recent_of(&permit, Of::Owner(owner)).await
    }

    async fn recent_of(&self, permit: &ReadPermit, of: Of) -> Result<Recent> {
        self.usage.flush_before_read(self.context).await;
        storage::usage::recent(self.context.db(), permit, of, self.context.now() - TimeDelta::days(1)).await
    }

    /// The keys that were made with a key, as far as the actor may see them, the newest first; at most 1,000.
    ///
    /// # Errors
    /// As [`ApiKeys::get`].
    pub async fn created_by(&self, actor: &Actor, id: KeyId) -> Result<Vec<ApiKey>> {
        let (actor, permit) = self.permit(actor, Operation::GetApiKey, id).await?;
        let mut keys = storage::keys::list_created_by(self.context.db(), &permit, id, VISIBLE_LIMIT).await?;
        keys.retain(|key| authorize(&actor, Operation::GetApiKey, Target::Owner(key.tenant_id, key.owner)).is_ok());
        self.complete(&mut keys).await?;
        Ok(keys)
    }

    /// The living keys that [`ApiKeys::revoke_with`] would revoke along with a key.
    ///
    /// # Errors
    /// As [`ApiKeys::get`].
    pub async fn offspring(&self, actor: &Actor, id: KeyId) -> Result<Vec<ApiKey>> {
        let (actor, permit) = self.permit(actor, Operation::GetApiKey, id).await?;
        let offspring =
            storage::keys::list_living_offspring(self.context.db(), &permit, id, self.context.now()).await?;
        let mut keys: Vec<ApiKey> = revocable(&actor, offspring).map(|(_, key)| key).collect();
        self.complete(&mut keys).await?;
        Ok(keys)
    }

    /// Ends a key for good; it is refused from the next request on.
    ///
    /// # Errors
    /// `CONFLICT` when it was revoked already, `NOT_FOUND`, `FORBIDDEN`.
    pub async fn revoke(&self, actor: &Actor, id: KeyId) -> Result<ApiKey> {
        self.revoke_with(actor, id, false).await
    }

    /// The same, and with it, if `and_created`, every key that was made with it, by those keys, and so on: those that the
    /// actor may revoke.
    ///
    /// # Errors
    /// As [`ApiKeys::revoke`].
    pub async fn revoke_with(&self, actor: &Actor, id: KeyId, and_created: bool) -> Result<ApiKey> {
        let (actor, permit) = self.permit_write(actor, Operation::RevokeApiKey, id).await?;
        let now = self.context.now();
        let key = retry!(self.context.db(), tx => {
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
            // Read behind the revocation: what it was making meanwhile is there, and it makes no more.
            let offspring = if and_created {
                storage::keys::list_living_offspring_in(tx, &permit, id, now).await?
            } else {
                Vec::new()
            };
            for (permit, made) in &revocable(&actor, offspring).collect::<Vec<_>>() {
                let reason = "the key that made it was revoked";
                if storage::keys::revoke(tx, permit, made.id, now, actor.name(), reason).await? {
                    entries.push(entry_of(made).with(format!("along with {}, which had made it", key.hint)));
                }
            }
            for entry in &entries {
                storage::audit::insert(tx, entry).await?;
            }
            Ok(key)
        })?;
        Ok(self.completed(key).await)
    }

    /// Calls a key by another name.
    ///
    /// # Errors
    /// A field error at `name`; `CONFLICT` for a revoked key; `NOT_FOUND`, `FORBIDDEN`.
    pub async fn rename(&self, actor: &Actor, id: KeyId, name: &str) -> Result<ApiKey> {
        let name = input::name(name).map_err(|error| ApiError::field("name", error.to_string()))?;
        self.change(actor, id, Change::Rename(name)).await
    }

    /// Stops a key for now; it is refused from the next request on.
    ///
    /// # Errors
    /// `CONFLICT` when it is suspended or over already; `NOT_FOUND`, `FORBIDDEN`.
    pub async fn suspend(&self, actor: &Actor, id: KeyId) -> Result<ApiKey> {
        self.change(actor, id, Change::Suspend).await
    }

    /// Lets a suspended key work again. What an administrator has suspended only an administrator resumes.
    ///
    /// # Errors
    /// `CONFLICT` when it isn't suspended, is over, or was suspended by an administrator; `NOT_FOUND`, `FORBIDDEN`.
    pub async fn resume(&self, actor: &Actor, id: KeyId) -> Result<ApiKey> {
        self.change(actor, id, Change::Resume).await
    }

    async fn change(&self, actor: &Actor, id: KeyId, change: Change) -> Result<ApiKey> {
        let (actor, permit) = self.permit_write(actor, change.operation(), id).await?;
        let now = self.context.now();
        let mut tx = self.context.db().begin().await?;
        let before = storage::keys::find_in(&mut tx, &permit, id).await?.ok_or_else(ApiError::not_found)?;
        if !change.make(&mut tx, &actor, &permit, id, now).await? {
            return Err(change.refusal(&before, now).into());
        }
        let subject = ("api_key", id.0, before.name.as_str());
        let entry = Entry::by(&actor, change.operation(), now, subject);
        let entry = if let Change::Rename(name) = &change { entry.with(format!("now {name}")) } else { entry };
        storage::audit::insert(&mut tx, &entry).await?;
        let key = storage::keys::find_in(&mut tx, &permit, id).await?.ok_or_else(ApiError::not_found)?;
        tx.commit().await?;
        Ok(self.completed(key).await)
    }

    /// Adds to keys that were read what doesn't stand in their rows: usage that isn't written yet, and which policies they
    /// are against.
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
            let against = of_tenant.iter().filter(|policy| policy.is_against(key));
            let against = against.map(|policy| Against { kind: policy.kind, effective_from: policy.effective_from });
            key.against = against.collect();
            // Of one that holds and will be changed, the one that holds is said.
            key.against.dedup_by_key(|against| against.kind);
        }
        Ok(())
    }

    /// The same with one that was just changed: the change is done, whatever becomes of this.
    pub(crate) async fn completed(&self, mut key: ApiKey) -> ApiKey {
        if let Err(error) = self.complete(std::slice::from_mut(&mut key)).await {
            tracing::warn!(%error, "a changed key's policies could not be read");
        }
        key
    }

    /// Whether to offer an actor to do something with a key: a question for menus, never a right.
    pub fn may(actor: &Actor, operation: Operation, key: &ApiKey) -> bool {
        is_offered(actor, operation, key)
    }

    /// The permit to read about a key: in the actor's tenant or, for a person's own key, in the key's.
    async fn permit(&self, actor: &Actor, operation: Operation, id: KeyId) -> Result<(Actor, ReadPermit)> {
        let (actor, target) = self.place(actor, id).await?;
        let permit = self.context.audit().permit_about(&actor, operation, target, ("api_key", id.0)).await?;
        Ok((actor, permit))
    }

    /// The permit to change a key: as [`ApiKeys::permit`].
    pub(crate) async fn permit_write(
        &self,
        actor: &Actor,
        operation: Operation,
        id: KeyId,
    ) -> Result<(Actor, WritePermit)> {
        let (actor, target) = self.place(actor, id).await?;
        let permit = self.context.audit().permit_write_about(&actor, operation, target, ("api_key", id.0)).await?;
        Ok((actor, permit))
    }

    /// Whose key it is, and the actor where that is to be judged.
    async fn place(&self, actor: &Actor, id: KeyId) -> Result<(Actor, Target)> {
        let place = storage::keys::find_place(self.context.db(), id).await?;
        let (tenant, owner) = place.ok_or_else(ApiError::not_found)?;
        let own = Some(owner) == actor.owner();
        let actor = if own { self.context.in_tenant(actor, tenant).await? } else { actor.clone() };
        Ok((actor, Target::Owner(tenant, owner)))
    }

    fn check(&self, input: &CreateKey) -> Result<Checked> {
        let mut wrong = input::Fields::default();
        let name = wrong.take("name", input::name(&input.name));
        let expires_at = wrong.take("expires_at", input.expiry(self.context.now()));
        let idempotency_key = input::idempotency_key(input.idempotency_key.as_deref())?;
        match (name, expires_at) {
            (Some(name), Some(expires_at)) => Ok(Checked { name, expires_at, idempotency_key }),
            _ => Err(wrong.into_error().into()),
        }
    }
}

/// The refusal of an act that a key's row didn't allow.
pub(crate) fn refusal(act: KeyAct, key: &ApiKey, now: DateTime<Utc>) -> ApiError {
    match act.fits(key, now) {
        Err(unfit) => unfit.into(),
        // Another change came first.
        Ok(()) => ApiError::new(ErrorCode::Conflict, "This key was changed in the meantime. Try again."),
    }
}

/// Of keys, those that the actor may revoke, with the permit for each.
fn revocable(actor: &Actor, offspring: Vec<ApiKey>) -> impl Iterator<Item = (WritePermit, ApiKey)> {
    offspring.into_iter().filter_map(move |key| {
        let may = authorize_write(actor, Operation::RevokeApiKey, Target::Owner(key.tenant_id, key.owner));
        may.ok().map(|permit| (permit, key))
    })
}

/// A change of a key that can be taken back.
enum Change {
    Rename(Name),
    Suspend,
    Resume,
}

impl Change {
    fn operation(&self) -> Operation {
        match self {
            Self::Rename(_) => Operation::RenameApiKey,
            Self::Suspend => Operation::SuspendApiKey,
            Self::Resume => Operation::ResumeApiKey,
        }
    }

    /// False when the key's state doesn't let it.
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
                let only_by = (!may_lift(actor)).then(|| actor.id().unwrap_or_default());
                storage::keys::resume(tx, permit, id, now, only_by).await
            }
        }
    }

    fn refusal(&self, key: &ApiKey, now: DateTime<Utc>) -> ApiError {
        let act = match self {
            Self::Rename(_) => KeyAct::Rename,
            Self::Suspend => KeyAct::Suspend,
            Self::Resume => KeyAct::Resume,
        };
        if let (Self::Resume, KeyState::Suspended { by: SuspendedBy::Name(by), .. }) = (self, key.state(now)) {
            let message = format!("This key was suspended by {by}. Only an administrator can resume it.");
            return ApiError::new(ErrorCode::Conflict, message);
        }
        refusal(act, key, now)
    }
}

/// The detail of an audit entry about what revoked an owner's keys.
pub(crate) fn keys_revoked(count: u64) -> String {
    format!("{count} key{} revoked", if count == 1 { "" } else { "s" })
}

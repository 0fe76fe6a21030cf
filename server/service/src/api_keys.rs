//! Use cases of API keys.

use chrono::{DateTime, Utc};
use domain::{
    ApiError, ApiKey, ErrorCode, Expiry, IssuedKey, KeyId, KeyQuery, KeyState, Name, Operation, Owner, Page, Role,
    TenantId,
};

use crate::{
    Actor, Result, Services,
    actor::Actors,
    input,
    issuing::{self, Checked},
    policy::{Permit, Target, authorize},
    storage::{self, Tx, audit::Entry, key_list::Scope},
};

/// How many keys `auth_api_key` shows at most.
const VISIBLE_LIMIT: u32 = 1_000;

/// What someone typed to make a key.
#[derive(Clone, Debug)]
pub struct CreateApiKey {
    /// For whom.
    pub owner: Owner,
    /// Where; the actor's tenant, when `None`. Only a person's session may name another of its tenants.
    pub tenant_id: Option<TenantId>,
    /// What to call it: see [`domain::Name`].
    pub name: String,
    /// RFC 3339 with an offset; empty or `None`: never.
    pub expires_at: Option<String>,
    /// The form's UUID: the same form twice makes one key.
    pub idempotency_key: Option<String>,
}

/// Use cases of API keys.
pub struct ApiKeys<'a>(pub(crate) &'a Services);

impl ApiKeys<'_> {
    /// One page of an owner's keys. A person at a browser sees their own keys of all their tenants.
    ///
    /// # Errors
    /// `FORBIDDEN` for someone else's, without the right; `BAD_USER_INPUT` for a foreign cursor.
    pub async fn list(&self, actor: &Actor, owner: Owner, query: &KeyQuery) -> Result<Page<ApiKey>> {
        let permit = authorize(actor, Operation::ListApiKeys, Target::Owner(actor.tenant_id(), owner))?;
        let own_session = actor.is_session() && owner == actor.owner();
        let scope = if own_session { Scope::Everywhere } else { Scope::Here };
        let mut page = storage::key_list::list(self.0.db(), &permit, scope, query, self.0.now()).await?;
        self.0.uses().overlay(&mut page.items);
        Ok(page)
    }

    /// The good keys that the actor may know of: its own in the tenant and, for an Administrator, those of all
    /// service accounts; the newest first, at most 1,000.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn visible(&self, actor: &Actor) -> Result<Vec<ApiKey>> {
        let permit = authorize(actor, Operation::ListApiKeys, Target::Owner(actor.tenant_id(), actor.owner()))?;
        let accounts = authorize(actor, Operation::ListServiceAccounts, Target::Tenant(actor.tenant_id())).is_ok();
        let mut keys =
            storage::key_list::list_visible(self.0.db(), &permit, accounts, self.0.now(), VISIBLE_LIMIT).await?;
        self.0.uses().overlay(&mut keys);
        Ok(keys)
    }

    /// One key.
    ///
    /// # Errors
    /// `NOT_FOUND` outside the tenant, `FORBIDDEN` inside it without the right.
    pub async fn get(&self, actor: &Actor, id: KeyId) -> Result<ApiKey> {
        let (_, permit) = self.permit(actor, Operation::GetApiKey, id).await?;
        let mut key = storage::keys::find(self.0.db(), &permit, id).await?.ok_or_else(ApiError::not_found)?;
        self.0.uses().overlay([&mut key]);
        Ok(key)
    }

    /// Makes a key. The answer holds its token; nothing ever will again.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` with the fields `name`, `expires_at`, `tenant_id`; `FORBIDDEN`; `NOT_FOUND` for an owner
    /// that isn't in the tenant; `CONFLICT` when the same form made its key more than a minute ago.
    pub async fn create(&self, actor: &Actor, input: &CreateApiKey) -> Result<IssuedKey> {
        let actor = Actors(self.0).in_tenant(actor, input.tenant_id.unwrap_or_else(|| actor.tenant_id())).await?;
        let permit = authorize(&actor, Operation::CreateApiKey, Target::Owner(actor.tenant_id(), input.owner))?;
        let (key, token) = issuing::draft(&actor, input.owner.kind(), self.check(input)?, self.0.now())?;
        let services = self.0.clone();
        let record = self
            .0
            .db()
            .write(move |tx| Box::pin(async move { issuing::insert(tx, &services, &actor, &permit, key).await }))
            .await?;
        Ok(IssuedKey { key: record, token })
    }

    /// Ends a key for good; it is refused from the next request on.
    ///
    /// # Errors
    /// `CONFLICT` when it was revoked already, `NOT_FOUND`, `FORBIDDEN`.
    pub async fn revoke(&self, actor: &Actor, id: KeyId) -> Result<ApiKey> {
        let (actor, permit) = self.permit(actor, Operation::RevokeApiKey, id).await?;
        let now = self.0.now();
        let mut key = self
            .0
            .db()
            .write(move |tx| {
                Box::pin(async move {
                    let revoked = storage::keys::revoke(tx, &permit, id, now, actor.name(), "revoked by hand").await?;
                    let key = storage::keys::find_in(tx, &permit, id).await?.ok_or_else(ApiError::not_found)?;
                    if !revoked {
                        return Err(already_revoked(&key).into());
                    }
                    let subject = ("api_key", id.0, key.name.as_str());
                    storage::audit::insert(tx, &Entry::by(&actor, Operation::RevokeApiKey, now, subject)).await?;
                    Ok(key)
                })
            })
            .await?;
        self.0.uses().overlay([&mut key]);
        Ok(key)
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
        let (actor, permit) = self.permit(actor, change.operation(), id).await?;
        let now = self.0.now();
        let mut key = self
            .0
            .db()
            .write(move |tx| {
                Box::pin(async move {
                    let before = storage::keys::find_in(tx, &permit, id).await?.ok_or_else(ApiError::not_found)?;
                    if !change.make(tx, &actor, &permit, id, now).await? {
                        return Err(change.refusal(&before, now).into());
                    }
                    let subject = ("api_key", id.0, before.name.as_str());
                    let entry = Entry::by(&actor, change.operation(), now, subject);
                    let entry =
                        if let Change::Rename(name) = &change { entry.with(format!("now {name}")) } else { entry };
                    storage::audit::insert(tx, &entry).await?;
                    Ok(storage::keys::find_in(tx, &permit, id).await?.ok_or_else(ApiError::not_found)?)
                })
            })
            .await?;
        self.0.uses().overlay([&mut key]);
        Ok(key)
    }

    /// The permit for an operation on a key: in the actor's tenant or, for a person's own key, in the key's.
    async fn permit(&self, actor: &Actor, operation: Operation, id: KeyId) -> Result<(Actor, Permit)> {
        let place = storage::keys::find_place(self.0.db(), id).await?;
        let (tenant, owner) = place.ok_or_else(ApiError::not_found)?;
        let own = owner == actor.owner();
        let actor = if own { Actors(self.0).in_tenant(actor, tenant).await? } else { actor.clone() };
        let permit = authorize(&actor, operation, Target::Owner(tenant, owner))?;
        Ok((actor, permit))
    }

    fn check(&self, input: &CreateApiKey) -> Result<Checked> {
        let mut wrong = input::Fields::default();
        let name = wrong.take("name", input::name(&input.name));
        let text = input.expires_at.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let expires_at = wrong.take("expires_at", text.map(|text| Expiry::parse(text, self.0.now())).transpose());
        let idempotency_key = input::idempotency_key(input.idempotency_key.as_deref())?;
        match (name, expires_at) {
            (Some(name), Some(expires_at)) => Ok(Checked { name, expires_at, idempotency_key }),
            _ => Err(wrong.into_error().into()),
        }
    }
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
    async fn make(&self, tx: &mut Tx, actor: &Actor, permit: &Permit, id: KeyId, now: DateTime<Utc>) -> Result<bool> {
        match self {
            Self::Rename(name) => storage::keys::rename(tx, permit, id, name).await,
            Self::Suspend => {
                storage::keys::suspend(tx, permit, id, now, (actor.name(), issuing::creator_id(actor))).await
            }
            // What an administrator has stopped, the owner can't start.
            Self::Resume => {
                let only_by = (actor.role() < Role::TenantAdmin).then(|| issuing::creator_id(actor));
                storage::keys::resume(tx, permit, id, now, only_by).await
            }
        }
    }

    fn refusal(&self, key: &ApiKey, now: DateTime<Utc>) -> ApiError {
        let message = match (self, key.state(now)) {
            (_, KeyState::Revoked { .. }) => return already_revoked(key),
            (_, KeyState::Expired { at }) => {
                format!("This key has expired, on {}. Create a new one.", domain::time::utc_text(at))
            }
            (Self::Suspend, _) => "This key is suspended already.".to_owned(),
            (Self::Resume, KeyState::Suspended { .. }) if key.suspended_at.is_some() => format!(
                "This key was suspended by {}, an administrator of the tenant. Ask them to let it work again.",
                key.suspended_by.clone().unwrap_or_default()
            ),
            (Self::Resume, KeyState::Suspended { .. }) => {
                "The service account is suspended, and its keys with it. Resume the account.".to_owned()
            }
            _ => "This key isn't suspended.".to_owned(),
        };
        ApiError::new(ErrorCode::Conflict, message)
    }
}

fn already_revoked(key: &ApiKey) -> ApiError {
    let when = key.revoked_at.map(domain::time::utc_text).unwrap_or_default();
    ApiError::new(ErrorCode::Conflict, format!("This key was revoked already, on {when}."))
}

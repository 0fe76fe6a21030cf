//! Use cases of API keys.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    ApiError, ApiKey, ErrorCode, Expiry, IssuedKey, KeyId, KeyQuery, Name, Operation, Owner, OwnerKind, Page, Role,
    Secret, TenantId,
};
use uuid::Uuid;

use crate::{
    Actor, Result, Services,
    actor::Actors,
    input,
    policy::{Permit, Target, authorize},
    storage::{self, Tx, audit::Entry, key_list::Scope, keys::NewKey},
    token,
};

/// How long a repeated form (a double click, a lost answer) may still be answered with the key that it made.
const REPEAT_WITHIN: TimeDelta = TimeDelta::seconds(60);
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

/// A checked [`CreateApiKey`].
pub(crate) struct Checked {
    pub(crate) name: Name,
    pub(crate) expires_at: Option<Expiry>,
    pub(crate) idempotency_key: Option<Uuid>,
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
        let (key, token) = draft(&actor, input.owner.kind(), self.check(input)?, self.0.now())?;
        let services = self.0.clone();
        let record = self
            .0
            .db()
            .write(move |tx| Box::pin(async move { insert(tx, &services, &actor, &permit, key).await }))
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

/// A key about to be, and its token.
pub(crate) fn draft(actor: &Actor, kind: OwnerKind, checked: Checked, now: DateTime<Utc>) -> Result<(NewKey, Secret)> {
    let token = token::draw(kind);
    let digest = token::digest_of(token.expose())
        .ok_or_else(|| crate::Error::Fault("a drawn token is ill-formed".to_owned()))?;
    let key = NewKey {
        id: KeyId(token::new_id(now)),
        digest,
        hint: token::hint_of(&token),
        name: checked.name,
        created_at: now,
        created_by: actor.name().to_owned(),
        created_by_id: creator_id(actor),
        created_by_key: actor.key_id().map(|id| id.0),
        created_channel: actor.client().channel.as_str(),
        expires_at: checked.expires_at.map(Expiry::instant),
        idempotency_key: checked.idempotency_key,
    };
    Ok((key, token))
}

/// Inserts, or answers a repeated form: the row that it made gets the new token, so that one form makes one key and
/// the token in the answer that somebody reads is the one that works.
pub(crate) async fn insert(
    tx: &mut Tx,
    services: &Services,
    actor: &Actor,
    permit: &Permit,
    key: NewKey,
) -> Result<ApiKey> {
    hold_owner(tx, permit).await?;
    let repeated = match key.idempotency_key {
        Some(idempotency_key) => storage::keys::find_repeated(tx, permit, idempotency_key).await?,
        None => None,
    };
    if let Some(earlier) = repeated {
        return answer_again(tx, services, permit, &earlier, &key).await;
    }
    storage::keys::insert(tx, permit, &key).await?;
    let subject = ("api_key", key.id.0, key.name.as_str());
    storage::audit::insert(
        tx,
        &Entry::by(actor, Operation::CreateApiKey, key.created_at, subject).with(format!("hint {}", key.hint)),
    )
    .await?;
    Ok(storage::keys::find_in(tx, permit, key.id).await?.ok_or_else(ApiError::not_found)?)
}

async fn answer_again(
    tx: &mut Tx,
    services: &Services,
    permit: &Permit,
    earlier: &ApiKey,
    key: &NewKey,
) -> Result<ApiKey> {
    let fresh = key.created_at - earlier.created_at <= REPEAT_WITHIN && !services.uses().is_pending(earlier.id);
    if fresh && storage::keys::replace_unused_token(tx, permit, earlier.id, key.digest, &key.hint).await? {
        return Ok(storage::keys::find_in(tx, permit, earlier.id).await?.ok_or_else(ApiError::not_found)?);
    }
    let message = format!(
        "This form has made the key \"{}\" already. Its token was shown then; to make another, open the form anew.",
        earlier.name
    );
    Err(ApiError::new(ErrorCode::Conflict, message).into())
}

/// Holds the owner's row: the owner's end and this key can't pass each other.
async fn hold_owner(tx: &mut Tx, permit: &Permit) -> Result<()> {
    let holds = match permit.owner() {
        Some(Owner::User(id)) => {
            storage::tenants::hold_membership(tx, permit.tenant_id(), id).await?.is_some_and(|role| role >= Role::User)
        }
        Some(Owner::ServiceAccount(id)) => storage::service_accounts::hold(tx, permit, id).await?,
        None => false,
    };
    if holds { Ok(()) } else { Err(ApiError::not_found().into()) }
}

fn creator_id(actor: &Actor) -> Uuid {
    match actor.owner() {
        Owner::User(id) => id.0,
        Owner::ServiceAccount(id) => id.0,
    }
}

fn already_revoked(key: &ApiKey) -> ApiError {
    let when = key.revoked_at.map(domain::time::utc_text).unwrap_or_default();
    ApiError::new(ErrorCode::Conflict, format!("This key was revoked already, on {when}."))
}

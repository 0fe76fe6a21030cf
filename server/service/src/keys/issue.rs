//! Creating a key: generating its token, and inserting it while its owner's row is locked.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    ApiError, ApiKey, ErrorCode, Expiry, KeyId, KeyLimits, KeyPolicy, Name, Operation, Owner, OwnerKind, Role,
    ScopeGrant, Secret,
    api_key::policy::{self, Proposed, keys_text},
    scope::{Catalogue, ScopeRequest},
    time::utc_text,
};
use uuid::Uuid;

use super::{
    known_token::KnownToken,
    scopes::{self, check_catalogue, check_within},
    token,
};
use crate::{
    access::{Actor, ReadPermit, WritePermit, check_still_creates},
    error::{Error, Result},
    random,
    storage::{
        self, Tx,
        audit::Entry,
        keys::{Holder, NewKey},
    },
};

/// How long a form that is submitted again (a double click, a lost response) still gets the key that it created.
const REPEAT_WITHIN: TimeDelta = TimeDelta::seconds(60);
/// How long after its creation by a form the first use of a key is recorded before it is accepted. Longer than
/// [`REPEAT_WITHIN`], because the clocks of two servers may differ.
const RECORD_FIRST_USE_WITHIN: TimeDelta = TimeDelta::minutes(10);

/// Returns whether a form that is submitted again could still replace the unused token of a key that was created at
/// `created_at`.
pub(crate) fn may_be_replaced(created_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    now - created_at <= RECORD_FIRST_USE_WITHIN
}

/// A validated [`domain::api_key::input::CreateKey`].
pub(crate) struct Checked {
    pub(crate) name: Name,
    pub(crate) expires_at: Option<Expiry>,
    pub(crate) idempotency_key: Option<Uuid>,
    pub(crate) scopes: ScopeRequest,
    pub(crate) limits: KeyLimits,
}

/// Returns a key to insert, and its token.
pub(crate) fn draft(actor: &Actor, kind: OwnerKind, checked: Checked, now: DateTime<Utc>) -> Result<(NewKey, Secret)> {
    let token = token::draw(kind);
    let known = KnownToken::of_token(&token, kind).map_err(|error| Error::Fault(format!("a drawn token: {error}")))?;
    Ok((draft_known(actor, checked, known, now), token))
}

/// Like [`draft`], for a token that already exists.
pub(crate) fn draft_known(actor: &Actor, checked: Checked, known: KnownToken, now: DateTime<Utc>) -> NewKey {
    let now = random::to_id_precision(now);
    NewKey {
        id: KeyId(random::new_id(now)),
        digest: known.digest,
        hint: known.hint,
        is_imported: known.is_imported,
        name: checked.name,
        created_at: now,
        created_by: actor.name().to_owned(),
        created_by_id: actor.id(),
        created_by_key: actor.key_id().map(|id| id.0),
        created_by_session: actor.session_id().map(|id| id.0),
        created_channel: actor.client().channel.as_str(),
        expires_at: checked.expires_at.map(Expiry::instant),
        idempotency_key: checked.idempotency_key,
        replaces: None,
        ends_on_use: false,
        scopes: checked.scopes,
        limits: checked.limits,
    }
}

/// Inserts a key, or answers a form that is submitted again: the key that it created gets the new token, so that a form
/// creates only one key, and the token in the response that the user sees is the one that works.
pub(crate) async fn insert(tx: &mut Tx, actor: &Actor, permit: &WritePermit, key: &NewKey) -> Result<ApiKey> {
    let made = insert_or_repeat(tx, actor, permit, key).await?;
    if made.id == key.id {
        storage::audit::insert(tx, &entry_of(actor, key, &made.scopes)).await?;
    }
    Ok(made)
}

/// Like [`insert`], for a key with a token that already exists.
///
/// # Errors
/// `CONFLICT` if the token belongs to a key, whatever the key's state.
pub(crate) async fn insert_known(tx: &mut Tx, actor: &Actor, permit: &WritePermit, key: &NewKey) -> Result<ApiKey> {
    if let Some(holder) = storage::keys::find_holder_in(tx, &key.digest).await? {
        return Err(already_held(&holder, permit).into());
    }
    insert(tx, actor, permit, key).await
}

/// Returns the refusal of a token that already belongs to a key. `permit`: of the owner for whom it was given.
pub(crate) fn already_held(holder: &Holder, permit: &ReadPermit) -> ApiError {
    let (id, name) = (holder.key_id, &holder.name);
    let message = if let Some(at) = holder.revoked_at {
        let at = utc_text(at);
        format!("The key {id} with this token was revoked on {at}. A revoked token never works again.")
    } else if is_of(holder, permit) {
        format!("This owner already has the key “{name}” with this token.")
    } else {
        format!("The key {id} of another owner has this token.")
    };
    ApiError::new(ErrorCode::Conflict, message)
}

/// Whether a key belongs to the permit's owner.
pub(crate) fn is_of(holder: &Holder, permit: &ReadPermit) -> bool {
    (holder.tenant_id, Some(holder.owner)) == (permit.tenant_id(), permit.owner())
}

/// Returns the audit entry for a created key. `granted`: what it may do at most.
pub(crate) fn entry_of(actor: &Actor, key: &NewKey, granted: &ScopeGrant) -> Entry {
    let subject = ("api_key", key.id.0, key.name.as_str());
    let entry = Entry::by(actor, Operation::CreateApiKey, key.created_at, subject);
    let limits = if key.limits.is_unlimited() { String::new() } else { format!("; {}", key.limits.audit_text()) };
    let imported = if key.is_imported { "; imported" } else { "" };
    entry.with(format!("key {}…{}{limits}{imported}", key.hint, scopes::audit_text(granted)))
}

/// Like [`insert`], but without the audit entry of a new key, for callers that create the key together with something
/// else.
pub(crate) async fn insert_or_repeat(tx: &mut Tx, actor: &Actor, permit: &WritePermit, key: &NewKey) -> Result<ApiKey> {
    let role = lock_owner(tx, permit, key).await?;
    if let Some(maker) = key.created_by_key
        && !storage::keys::lock(tx, KeyId(maker)).await?
    {
        return Err(ApiError::unauthenticated().into());
    }
    let repeated = match key.idempotency_key {
        Some(idempotency_key) => storage::keys::find_repeated(tx, permit, idempotency_key).await?,
        None => None,
    };
    let catalogue = storage::scopes::catalogue_in(tx).await?;
    let scopes = key.scopes.resolve(&catalogue, role)?;
    check_within(actor, &scopes)?;
    if let Some(earlier) = repeated {
        return answer_again(tx, actor, permit, &earlier, (key, &scopes)).await;
    }
    // Read in the transaction: a policy that was set before the key is created applies to it.
    let policies = storage::key_policies::list_in(tx, permit.tenant_id(), key.created_at).await?;
    check_rules((&catalogue, &policies), permit, role, key, &scopes)?;
    check_limit(tx, permit, key, &policies).await?;
    storage::keys::insert(tx, permit, key, &scopes).await?;
    Ok(storage::keys::find_in(tx, permit, key.id).await?.ok_or_else(ApiError::not_found)?)
}

/// Refuses a key whose scopes aren't in the catalogue, or that a key policy forbids. `role`: the owner's.
pub(crate) fn check_rules(
    (catalogue, policies): (&Catalogue, &[KeyPolicy]),
    permit: &ReadPermit,
    role: Role,
    key: &NewKey,
    scopes: &ScopeGrant,
) -> Result<()> {
    // A rotation continues a key, whose scopes may have been removed from the catalogue.
    if key.replaces.is_none() {
        check_catalogue(catalogue, scopes, role)?;
    }
    let owner = permit.owner().map_or(OwnerKind::User, Owner::kind);
    let proposed = Proposed { owner, expires_at: key.expires_at, by_key: key.created_by_key.is_some(), scopes };
    policy::check(policies, proposed, key.created_at).map_err(Error::Rule)
}

/// Refuses a key for an owner that has as many as the tenant allows. The owner's row is locked, so the count stays true
/// until the key is inserted. A rotation has twice the limit, because both keys count until the grace period ends.
async fn check_limit(tx: &mut Tx, permit: &WritePermit, key: &NewKey, policies: &[KeyPolicy]) -> Result<()> {
    let limit = policy::key_limit(policies, key.created_at);
    let most = if key.replaces.is_some() { limit.saturating_mul(2) } else { limit };
    if storage::keys::count_live(tx, permit, key.created_at, most).await? < most {
        return Ok(());
    }
    Err(Error::Rule(too_many(permit, most)))
}

/// Returns the refusal of a key for an owner that already has `most`.
pub(crate) fn too_many(permit: &ReadPermit, most: u32) -> ApiError {
    let owner = match permit.owner() {
        Some(Owner::ServiceAccount(_)) => "A service account",
        _ => "A person",
    };
    let message = format!(
        "{owner} can have at most {} in this tenant. Revoke keys that aren't needed anymore, or ask an administrator \
         to raise the limit in the key policy “Keys per owner”.",
        keys_text(most)
    );
    ApiError::new(ErrorCode::Conflict, message)
}

/// Gives the key of an earlier submission the new token. The database decides whether the earlier token was used, on
/// any server: its first use was recorded before it was accepted, see `Verification::verify`.
async fn answer_again(
    tx: &mut Tx,
    actor: &Actor,
    permit: &WritePermit,
    earlier: &ApiKey,
    (key, scopes): (&NewKey, &ScopeGrant),
) -> Result<ApiKey> {
    let is_same = earlier.scopes == *scopes
        && earlier.limits == key.limits
        && earlier.name == key.name
        && is_same_expiry(earlier, key);
    let fresh = key.created_at - earlier.created_at <= REPEAT_WITHIN && is_same;
    if fresh && storage::keys::replace_unused_token(tx, permit, earlier.id, key.digest, &key.hint).await? {
        let subject = ("api_key", earlier.id.0, earlier.name.as_str());
        let entry = Entry::by(actor, Operation::CreateApiKey, key.created_at, subject);
        let detail = format!("form sent again: token {}… replaces {}…, which was never used", key.hint, earlier.hint);
        storage::audit::insert(tx, &entry.with(detail)).await?;
        return Ok(storage::keys::find_in(tx, permit, earlier.id).await?.ok_or_else(ApiError::not_found)?);
    }
    let message = format!(
        "This form already created the key “{}”, and its token was shown then. To create another key, start again.",
        earlier.name
    );
    Err(ApiError::new(ErrorCode::Conflict, message).into())
}

/// Whether a form that is sent again states the same expiry: the same time, or the same time after the creation.
fn is_same_expiry(earlier: &ApiKey, key: &NewKey) -> bool {
    // The form of a rotation states none: it follows from the old key, whose own expiry the rotation has moved.
    if key.replaces.is_some() {
        return true;
    }
    let (Some(one), Some(other)) = (earlier.expires_at, key.expires_at) else {
        return earlier.expires_at == key.expires_at;
    };
    let (lifetime, other_lifetime) = (one - earlier.created_at, other - key.created_at);
    // The time of the form and that of the key are read one after the other.
    one == other || (lifetime - other_lifetime).abs() <= TimeDelta::seconds(1)
}

/// Locks the owner's row, so that the key can't be created while the owner is being removed, or while the role of an
/// owner that creates a key for itself is being lowered. Returns the owner's role.
async fn lock_owner(tx: &mut Tx, permit: &WritePermit, key: &NewKey) -> Result<Role> {
    let role = lock_role(tx, permit).await?;
    let is_for_itself = match permit.owner() {
        // An administrator who creates the key needs no right of the account.
        Some(Owner::ServiceAccount(id)) => key.created_by_id == Some(id.0),
        Some(Owner::User(_)) | None => true,
    };
    if is_for_itself {
        check_still_creates(permit, role)?;
    }
    Ok(role)
}

/// Locks the row of the permit's owner, and returns the owner's role.
pub(crate) async fn lock_role(tx: &mut Tx, permit: &WritePermit) -> Result<Role> {
    let role = match permit.owner() {
        Some(Owner::User(id)) => storage::tenants::lock_membership(tx, permit.tenant_id(), id).await?,
        Some(Owner::ServiceAccount(id)) => storage::service_accounts::lock(tx, permit, id).await?,
        None => None,
    };
    Ok(role.ok_or_else(ApiError::not_found)?)
}

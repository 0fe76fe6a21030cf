//! A key is made: drawn, and written under its owner's row.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    ApiError, ApiKey, ErrorCode, Expiry, KeyId, Name, Operation, Owner, OwnerKind, Secret, api_key::policy::Proposed,
};
use uuid::Uuid;

use super::{token, usage::UsageBuffer};
use crate::{
    access::{Actor, WritePermit, check_still_makes},
    error::{Error, Result},
    random,
    storage::{self, Tx, audit::Entry, keys::NewKey},
};

/// How long a repeated form (a double click, a lost answer) may still be answered with the key that it made.
const REPEAT_WITHIN: TimeDelta = TimeDelta::seconds(60);
/// A checked [`domain::api_key::input::CreateKey`].
pub(crate) struct Checked {
    pub(crate) name: Name,
    pub(crate) expires_at: Option<Expiry>,
    pub(crate) idempotency_key: Option<Uuid>,
}

/// A key about to be, and its token.
pub(crate) fn draft(actor: &Actor, kind: OwnerKind, checked: Checked, now: DateTime<Utc>) -> Result<(NewKey, Secret)> {
    let token = token::draw(kind);
    let digest =
        token::digest_of(token.expose()).ok_or_else(|| Error::Fault("a drawn token is ill-formed".to_owned()))?;
    let now = random::to_id_precision(now);
    let key = NewKey {
        id: KeyId(random::new_id(now)),
        digest,
        hint: token::hint_of(&token),
        name: checked.name,
        created_at: now,
        created_by: actor.name().to_owned(),
        created_by_id: actor.id(),
        created_by_key: actor.key_id().map(|id| id.0),
        created_channel: actor.client().channel.as_str(),
        expires_at: checked.expires_at.map(Expiry::instant),
        idempotency_key: checked.idempotency_key,
        replaces: None,
        ends_on_use: false,
    };
    Ok((key, token))
}

/// Inserts, or answers a repeated form: the row that it made gets the new token, so that one form makes one key and
/// the token in the answer that somebody reads is the one that works.
pub(crate) async fn insert(
    tx: &mut Tx,
    usage: &UsageBuffer,
    actor: &Actor,
    permit: &WritePermit,
    key: NewKey,
) -> Result<ApiKey> {
    let made = insert_or_repeat(tx, usage, permit, &key).await?;
    if made.id == key.id {
        storage::audit::insert(tx, &entry_of(actor, &key)).await?;
    }
    Ok(made)
}

/// The audit entry of a key that was made.
pub(crate) fn entry_of(actor: &Actor, key: &NewKey) -> Entry {
    let subject = ("api_key", key.id.0, key.name.as_str());
    Entry::by(actor, Operation::CreateApiKey, key.created_at, subject).with(format!("hint {}", key.hint))
}

/// The same as [`insert`] without the audit entry, for who makes the key along with something else.
pub(crate) async fn insert_or_repeat(
    tx: &mut Tx,
    usage: &UsageBuffer,
    permit: &WritePermit,
    key: &NewKey,
) -> Result<ApiKey> {
    lock_owner(tx, permit, key).await?;
    if let Some(maker) = key.created_by_key
        && !storage::keys::lock(tx, KeyId(maker)).await?
    {
        return Err(ApiError::unauthenticated().into());
    }
    let repeated = match key.idempotency_key {
        Some(idempotency_key) => storage::keys::find_repeated(tx, permit, idempotency_key).await?,
        None => None,
    };
    if let Some(earlier) = repeated {
        return answer_again(tx, usage, permit, &earlier, key).await;
    }
    // Read in the transaction: a policy that was set before the key is made holds for it.
    let policies = storage::key_policies::list_in(tx, permit.tenant_id(), key.created_at).await?;
    let owner = permit.owner().map_or(OwnerKind::User, Owner::kind);
    let proposed = Proposed { owner, expires_at: key.expires_at, by_key: key.created_by_key.is_some() };
    domain::api_key::policy::check(&policies, proposed, key.created_at).map_err(Error::Rule)?;
    storage::keys::insert(tx, permit, key).await?;
    Ok(storage::keys::find_in(tx, permit, key.id).await?.ok_or_else(ApiError::not_found)?)
}

async fn answer_again(
    tx: &mut Tx,
    usage: &UsageBuffer,
    permit: &WritePermit,
    earlier: &ApiKey,
    key: &NewKey,
) -> Result<ApiKey> {
    let fresh = key.created_at - earlier.created_at <= REPEAT_WITHIN && !usage.is_pending(earlier.id);
    if fresh && storage::keys::replace_unused_token(tx, permit, earlier.id, key.digest, &key.hint).await? {
        return Ok(storage::keys::find_in(tx, permit, earlier.id).await?.ok_or_else(ApiError::not_found)?);
    }
    let message = format!(
        "This form has made the key \"{}\" already. Its token was shown then; to make another, open the form anew.",
        earlier.name
    );
    Err(ApiError::new(ErrorCode::Conflict, message).into())
}

/// Locks the owner's row: the owner's end and this key can't pass each other, nor can a lower role of one that makes the key
/// for itself.
async fn lock_owner(tx: &mut Tx, permit: &WritePermit, key: &NewKey) -> Result<()> {
    let role = match permit.owner() {
        Some(Owner::User(id)) => storage::tenants::lock_membership(tx, permit.tenant_id(), id).await?,
        Some(Owner::ServiceAccount(id)) => {
            if !storage::service_accounts::lock(tx, permit, id).await? {
                return Err(ApiError::not_found().into());
            }
            if key.created_by_id != Some(id.0) {
                // An administrator's hand: the account's own role isn't asked.
                return Ok(());
            }
            // NOTE: counts the account's keys too, because what locks the row doesn't give its role.
            storage::service_accounts::find_in(tx, permit, id, key.created_at).await?.map(|account| account.role)
        }
        None => None,
    };
    Ok(check_still_makes(permit, role.ok_or_else(ApiError::not_found)?)?)
}

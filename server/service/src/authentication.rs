//! Authentication: turns a session or a bearer token into an [`Actor`].

use chrono::{DateTime, Utc};
use domain::{ApiError, Owner, TenantId, UserId};

use crate::{
    access::{Actor, Client, Principal},
    error::Result,
    keys::verification::{Verification, VerifiedKey},
    storage,
};

/// Authenticates callers.
pub struct Actors<'a> {
    pub(crate) verification: Verification<'a>,
}

impl Actors<'_> {
    /// Returns the user of a session, in the tenant that the session has selected or, if they are no longer a member of
    /// it, in the first of their tenants. `confirmed_at`: when they last entered their password in this session.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if the user isn't a member of any tenant.
    pub async fn from_session(
        &self,
        user: UserId,
        tenant: TenantId,
        confirmed_at: DateTime<Utc>,
        client: Client,
    ) -> Result<Actor> {
        let memberships = storage::users::list_membership_roles(self.verification.context.db(), user).await?;
        let chosen = memberships.iter().find(|membership| membership.tenant_id == tenant).or(memberships.first());
        let Some(membership) = chosen else { return Err(ApiError::unauthenticated().into()) };
        let principal = Principal::User { id: user, name: membership.user_name.clone() };
        Ok(Actor::of_session(principal, membership.tenant_id, membership.role, confirmed_at, client))
    }

    /// Returns the owner of a key, with its current role. Records the usage.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if the token isn't valid, whatever the reason.
    pub async fn from_bearer(&self, token: &str, client: Client) -> Result<Actor> {
        let verified = self.verification.verify(token, &client).await?;
        let Some(key) = verified else { return Err(ApiError::unauthenticated().into()) };
        Ok(Self::of_key(&key, client))
    }

    /// Returns the owner of a key that was verified for this request.
    pub fn of_key(key: &VerifiedKey, client: Client) -> Actor {
        let name = key.owner_name().to_owned();
        let principal = match key.owner() {
            Owner::User(id) => Principal::User { id, name },
            Owner::ServiceAccount(id) => Principal::ServiceAccount { id, name },
        };
        let scopes = key.scopes().clone();
        Actor::of_key(principal, key.tenant_id(), key.role(), (key.key_id(), scopes), client)
    }
}

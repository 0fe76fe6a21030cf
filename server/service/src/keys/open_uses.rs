//! Keys in continuous use: streams and websockets that were opened with a key, and have to end with it.

use domain::{
    ApiError, Role, Scope, ScopeGrant, TenantId,
    scope::{Missing, demand, effective},
};
use tokio::sync::watch;

use super::{
    limit_checks::is_allowed_from,
    verification::{Verification, VerifiedKey},
};
use crate::{access::Client, error::Result, storage};

impl VerifiedKey {
    /// Whether the key may be used from a client's address.
    pub fn allows(&self, client: &Client) -> bool {
        is_allowed_from(self.limits(), client)
    }
}

impl Verification<'_> {
    /// Returns a key that was verified before as it is now; `None` if it isn't valid any more. Records no usage, and doesn't
    /// count towards the key's rate limit. Reads the database only if something about the key has changed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recheck(&self, key: &VerifiedKey) -> Result<Option<VerifiedKey>> {
        let (digest, latest) = (key.0.digest, self.context.clock().latest_possible());
        let mut now = storage::keys::find_in_memory(self.context.db(), &digest);
        if now.is_none() {
            let found = storage::keys::find_by_digest(self.context.db(), &digest).await?;
            now = found.filter(|found| found.is_valid_at(latest)).and_then(|found| found.into_key(digest));
        }
        let is_same = |now: &VerifiedKey| now.key_id() == key.key_id() && now.tenant_id() == key.tenant_id();
        let has_time = |now: &VerifiedKey| now.expires_at().is_none_or(|at| latest < at);
        Ok(now.map(VerifiedKey).filter(|now| is_same(now) && has_time(now)))
    }

    /// Returns the scopes that a grant lacks for somebody with a role. Counts nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lacking(&self, grant: &ScopeGrant, role: Role, demanded: &[Scope]) -> Result<Option<Missing>> {
        if demanded.is_empty() {
            return Ok(None);
        }
        let catalogue = storage::scopes::known_catalogue(self.context.db()).await?;
        Ok(demand(grant, role, &catalogue, demanded).err())
    }

    /// Returns the scopes that a role allows.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn scopes_of_role(&self, role: Role) -> Result<Vec<Scope>> {
        let catalogue = storage::scopes::known_catalogue(self.context.db()).await?;
        Ok(effective(&ScopeGrant::Unscoped, role, &catalogue).map(|entry| entry.scope.clone()).collect())
    }

    /// Returns a receiver that is told whenever something may have changed about any key.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.context.db().key_cache().feed().subscribe()
    }

    /// Returns the tenant with a slug or, without one, the only tenant.
    ///
    /// # Errors
    /// `NOT_FOUND`; `CONFLICT` if no slug is given and there are several tenants.
    pub async fn tenant_of(&self, slug: Option<&str>) -> Result<TenantId> {
        let db = self.context.db();
        if let Some(slug) = slug {
            let found = storage::tenants::find_by_slug(db, slug).await?;
            return found.map(|tenant| tenant.id).ok_or_else(|| ApiError::not_found().into());
        }
        match storage::tenants::find_only(db).await? {
            Some(tenant) => Ok(tenant),
            None if storage::tenants::is_any(db).await? => {
                Err(ApiError::new(domain::ErrorCode::Conflict, "There are several tenants.").into())
            }
            None => Err(ApiError::not_found().into()),
        }
    }
}

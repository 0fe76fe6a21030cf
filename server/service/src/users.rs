//! Use cases of a person about themselves.

use domain::{ApiError, Operation, TenantId, Viewer};

use crate::{
    Actor, Result, Services,
    actor::Actors,
    policy::{Target, authorize},
    storage,
};

/// Use cases of a person about themselves.
pub struct Users<'a>(pub(crate) &'a Services);

impl Users<'_> {
    /// Who is asking, with all their tenants.
    ///
    /// # Errors
    /// `FORBIDDEN` for a service account.
    pub async fn viewer(&self, actor: &Actor) -> Result<Viewer> {
        authorize(actor, Operation::ViewSelf, Target::Tenant(actor.tenant_id()))?;
        let id = actor.user_id().ok_or_else(ApiError::unauthenticated)?;
        let user = storage::users::find(self.0.db(), id).await?.ok_or_else(ApiError::unauthenticated)?;
        let mut memberships = storage::users::list_memberships(self.0.db(), id).await?;
        if !actor.is_session() {
            // A key acts in its own tenant and knows of no other.
            memberships.retain(|membership| membership.tenant.id == actor.tenant_id());
        }
        Ok(Viewer { user, tenant_id: actor.tenant_id(), memberships })
    }

    /// Checks that a person may stand in another tenant; the session then remembers it.
    ///
    /// # Errors
    /// `NOT_FOUND` when it isn't one of theirs, `FORBIDDEN` for a key.
    pub async fn switch_tenant(&self, actor: &Actor, to: TenantId) -> Result<TenantId> {
        authorize(actor, Operation::SwitchTenant, Target::Tenant(actor.tenant_id()))?;
        Ok(Actors(self.0).in_tenant(actor, to).await?.tenant_id())
    }
}

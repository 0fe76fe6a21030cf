//! Use cases of a person about themselves.

use domain::{ApiError, Operation, Tenant, TenantId, Viewer};

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

    /// The tenants that the actor may act in: a key's own; all of a person's, with a session.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tenants(&self, actor: &Actor) -> Result<Vec<Tenant>> {
        let permit = authorize(actor, Operation::GetTenant, Target::Tenant(actor.tenant_id()))?;
        if let (Some(user), true) = (actor.user_id(), actor.is_session()) {
            let memberships = storage::users::list_memberships(self.0.db(), user).await?;
            return Ok(memberships.into_iter().map(|membership| membership.tenant).collect());
        }
        Ok(storage::tenants::find(self.0.db(), &permit).await?.into_iter().collect())
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

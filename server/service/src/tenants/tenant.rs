//! Use cases of tenants: creating and renaming them.

use chrono::{DateTime, Utc};
use domain::{ApiError, Name, Operation, Role, Slug, Tenant, TenantId};

use crate::{
    access::{Actor, Target},
    context::Context,
    error::Result,
    input, random,
    storage::{self, audit::Entry, db::retry},
    text,
};

/// Use cases of tenants.
pub struct Tenants<'a> {
    pub(crate) context: &'a Context,
}

impl Tenants<'_> {
    /// Returns the actor's tenant.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn get(&self, actor: &Actor) -> Result<Tenant> {
        let permit = self.context.permit(actor, Operation::GetTenant, Target::Tenant(actor.tenant_id())).await?;
        Ok(storage::tenants::find(self.context.db(), &permit).await?.ok_or_else(ApiError::not_found)?)
    }

    /// Like [`Tenants::get`], for an actor who may rename the tenant.
    ///
    /// # Errors
    /// `FORBIDDEN`.
    pub async fn get_to_change(&self, actor: &Actor) -> Result<Tenant> {
        self.context.permit(actor, Operation::RenameTenant, Target::Tenant(actor.tenant_id())).await?;
        self.get(actor).await
    }

    /// Checks that the actor may create a tenant.
    ///
    /// # Errors
    /// `FORBIDDEN` for a service account, and for a user who isn't an administrator of the current tenant.
    pub async fn check_may_create(&self, actor: &Actor) -> Result<()> {
        self.context.permit(actor, Operation::CreateTenant, Target::Tenant(actor.tenant_id())).await.map(drop)
    }

    /// Creates a tenant, with the actor as its administrator. An empty `slug` is made from the name.
    ///
    /// # Errors
    /// Field errors at `name`, `slug`; `CONFIRMATION_REQUIRED`; `FORBIDDEN` for a service account, and for a user who
    /// isn't an administrator of the current tenant.
    #[tracing::instrument(skip_all)]
    pub async fn create(&self, actor: &Actor, name: &str, slug: &str) -> Result<Tenant> {
        self.context.permit_write(actor, Operation::CreateTenant, Target::Tenant(actor.tenant_id())).await?;
        let user = actor.user_id().ok_or_else(ApiError::unauthenticated)?;
        let mut wrong = input::Fields::default();
        let parsed =
            (wrong.take("name", input::name(name)), wrong.take("slug", Slug::chosen(slug, &text::compose(name))));
        let (Some(name), Some(slug)) = parsed else { return Err(wrong.into_error().into()) };
        let tenant = new_tenant(self.context.now(), name, slug);
        let subject = ("tenant", tenant.id.0, tenant.name.as_str());
        let entry = Entry::by(actor, Operation::CreateTenant, tenant.created_at, subject);
        // The first entry of the new tenant's own log.
        let entry = Entry { tenant_id: Some(tenant.id.0), ..entry };
        retry!(self.context.db(), tx => {
            storage::tenants::insert(tx, &tenant).await?;
            let at = storage::micros(tenant.created_at);
            storage::tenants::insert_member(tx, tenant.id, user, Role::TenantAdmin, at).await?;
            storage::audit::insert(tx, &entry).await
        })?;
        Ok(tenant)
    }

    /// Renames the tenant. Its slug doesn't change, because clients and scripts use it.
    ///
    /// # Errors
    /// A field error at `name`; `FORBIDDEN`.
    #[tracing::instrument(skip_all)]
    pub async fn rename(&self, actor: &Actor, name: &str) -> Result<Tenant> {
        let permit =
            self.context.permit_write(actor, Operation::RenameTenant, Target::Tenant(actor.tenant_id())).await?;
        let name = input::name(name).map_err(|error| ApiError::field("name", error.to_string()))?;
        let before = self.get(actor).await?;
        let subject = ("tenant", before.id.0, before.name.as_str());
        let entry =
            Entry::by(actor, Operation::RenameTenant, self.context.now(), subject).with(format!("renamed to {name}"));
        let after = Tenant { name: name.clone(), ..before.clone() };
        retry!(self.context.db(), tx => {
            storage::tenants::rename(tx, &permit, &name).await?;
            storage::audit::insert(tx, &entry).await
        })?;
        Ok(after)
    }
}

/// Returns a new tenant that is created at `now`.
pub(crate) fn new_tenant(now: DateTime<Utc>, name: Name, slug: Slug) -> Tenant {
    Tenant { id: TenantId(random::new_id(now)), name, slug, created_at: now }
}

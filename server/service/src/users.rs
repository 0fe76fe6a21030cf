//! Use cases of a person about themselves.

use domain::{ApiError, Operation, Secret, Tenant, TenantId, UserId, Viewer};

use crate::{
    Actor, Result, Services,
    actor::Actors,
    input, password,
    policy::{Target, authorize},
    storage::{self, audit::Entry},
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

    /// Changes one's own name, as others see it from now on.
    ///
    /// # Errors
    /// A field error at `name`; `FORBIDDEN` for a key.
    pub async fn rename(&self, actor: &Actor, name: &str) -> Result<()> {
        let (user, entry) = self.about_oneself(actor, Operation::UpdateProfile)?;
        let name = input::name(name).map_err(|error| ApiError::field("name", error.to_string()))?;
        self.0
            .db()
            .write(move |tx| {
                Box::pin(async move {
                    if !storage::users::rename(tx, user, &name).await? {
                        return Err(ApiError::unauthenticated().into());
                    }
                    storage::audit::insert(tx, &entry.with(format!("now {name}"))).await
                })
            })
            .await
    }

    /// Changes one's own password and ends one's other sessions. `session`: the digest of the one that stays.
    ///
    /// # Errors
    /// Field errors at `current_password`, `password`; `RATE_LIMITED` after ten wrong ones in five minutes; `FORBIDDEN`
    /// for a key.
    pub async fn change_password(
        &self,
        actor: &Actor,
        current: &Secret,
        new: &Secret,
        session: [u8; 32],
    ) -> Result<()> {
        let (user, entry) = self.about_oneself(actor, Operation::ChangePassword)?;
        let (names, now) = ([format!("password of {user}")], self.0.now());
        self.0.attempts().take(&names, now)?;
        let hash = storage::users::find_password_hash(self.0.db(), user).await?;
        if !self.0.hasher().verify(current.clone(), hash).await? {
            return Err(ApiError::field("current_password", "This isn't your password.").into());
        }
        self.0.attempts().give_back(&names, now);
        let person = storage::users::find(self.0.db(), user).await?.ok_or_else(ApiError::unauthenticated)?;
        password::check_new(new, &[person.email.as_str(), person.name.as_str()])?;
        let hash = self.0.hasher().hash(new.clone()).await?;
        self.0
            .db()
            .write(move |tx| {
                Box::pin(async move {
                    storage::users::update_password(tx, user, &hash).await?;
                    storage::sessions::delete_others_of_user(tx, user, &session).await?;
                    storage::audit::insert(tx, &entry).await
                })
            })
            .await
    }

    /// The person, and the line that tells of what they do about themselves.
    fn about_oneself(&self, actor: &Actor, operation: Operation) -> Result<(UserId, Entry)> {
        authorize(actor, operation, Target::Tenant(actor.tenant_id()))?;
        let user = actor.user_id().ok_or_else(ApiError::unauthenticated)?;
        Ok((user, Entry::by(actor, operation, self.0.now(), ("user", user.0, actor.name()))))
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

//! What every use case works with: the database, the clock, the audit log, mail, and the questions about rights.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::{ApiError, Operation, TenantId, UserId};

use crate::{
    access::{Actor, FreshSignIn, ReadPermit, Target, WritePermit},
    audit::Audit,
    clock::Clock,
    error::Result,
    mail::Mail,
    storage::{self, Db, audit::Entry},
};

/// What every use case works with. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    db: Db,
    clock: Clock,
    audit: Arc<Audit>,
    mail: Mail,
    fresh_sign_in: FreshSignIn,
}

impl Context {
    pub(crate) fn new(db: Db, clock: Clock, mail: Mail, fresh_sign_in: FreshSignIn) -> Self {
        let audit = Arc::new(Audit::new(db.clone(), clock.clone()));
        Self { db, clock, audit, mail, fresh_sign_in }
    }

    pub(crate) fn db(&self) -> &Db {
        &self.db
    }

    /// Now, by the services' clock.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub(crate) fn audit(&self) -> &Audit {
        &self.audit
    }

    pub(crate) fn mail(&self) -> &Mail {
        &self.mail
    }

    /// See [`Audit::permit`].
    ///
    /// # Errors
    /// `NOT_FOUND` for anything of another tenant, `FORBIDDEN` inside one's own without the right.
    pub(crate) async fn permit(&self, actor: &Actor, operation: Operation, target: Target) -> Result<ReadPermit> {
        self.audit.permit(actor, operation, target).await
    }

    /// See [`Audit::permit_write`].
    ///
    /// # Errors
    /// `NOT_FOUND` for anything of another tenant, `FORBIDDEN` inside one's own without the right.
    pub(crate) async fn permit_write(
        &self,
        actor: &Actor,
        operation: Operation,
        target: Target,
    ) -> Result<WritePermit> {
        self.audit.permit_write(actor, operation, target).await
    }

    /// A person about themselves: their id, and the entry for what they do.
    ///
    /// # Errors
    /// `FORBIDDEN` for a service account, and for a key where the operation asks for a session.
    pub(crate) async fn permit_oneself(&self, actor: &Actor, operation: Operation) -> Result<(UserId, Entry)> {
        self.permit(actor, operation, Target::Tenant(actor.tenant_id())).await?;
        let user = actor.user_id().ok_or_else(ApiError::unauthenticated)?;
        Ok((user, Entry::by(actor, operation, self.now(), ("user", user.0, actor.name()))))
    }

    /// Whether the person signed in, or confirmed that it is them, recently enough. A key always is fresh.
    pub(crate) fn is_fresh(&self, actor: &Actor) -> bool {
        self.fresh_sign_in.is_fresh(actor, self.now())
    }

    /// Refuses to create or reveal what lasts after an old sign-in.
    ///
    /// # Errors
    /// `CONFIRMATION_REQUIRED`.
    pub(crate) fn require_fresh(&self, actor: &Actor) -> Result<()> {
        Ok(self.fresh_sign_in.require(actor, self.now())?)
    }

    /// The same person in another of their tenants, with the role there. A key stays in its own.
    ///
    /// # Errors
    /// `NOT_FOUND` when the tenant isn't theirs, or a key asks for another than its own; `UNAUTHENTICATED` when the person
    /// belongs to no tenant any more.
    pub(crate) async fn in_tenant(&self, actor: &Actor, tenant: TenantId) -> Result<Actor> {
        if actor.tenant_id() == tenant {
            return Ok(actor.clone());
        }
        let (Some(user), true) = (actor.user_id(), actor.is_session()) else {
            return Err(ApiError::not_found().into());
        };
        let memberships = storage::users::list_membership_roles(&self.db, user).await?;
        if memberships.is_empty() {
            return Err(ApiError::unauthenticated().into());
        }
        let there = memberships.iter().find(|membership| membership.tenant_id == tenant);
        let there = there.ok_or_else(ApiError::not_found)?;
        Ok(actor.with_membership(there.tenant_id, there.role))
    }
}

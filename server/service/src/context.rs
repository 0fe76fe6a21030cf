//! The dependencies of all use cases: the database, the clock, the audit log, mail and authorization.

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

/// The dependencies of all use cases. Cheap to clone.
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

    /// Returns the current time of the services' clock.
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
    /// `NOT_FOUND` for a target in another tenant; `FORBIDDEN` without the right.
    pub(crate) async fn permit(&self, actor: &Actor, operation: Operation, target: Target) -> Result<ReadPermit> {
        self.audit.permit(actor, operation, target).await
    }

    /// See [`Audit::permit_write`].
    ///
    /// # Errors
    /// `NOT_FOUND` for a target in another tenant; `FORBIDDEN` without the right.
    pub(crate) async fn permit_write(
        &self,
        actor: &Actor,
        operation: Operation,
        target: Target,
    ) -> Result<WritePermit> {
        self.audit.permit_write(actor, operation, target).await
    }

    /// Authorizes an operation on the user's own account. Returns their id and the audit entry for the operation.
    ///
    /// # Errors
    /// `FORBIDDEN` for a service account, and for a key if the operation requires a session.
    pub(crate) async fn permit_oneself(&self, actor: &Actor, operation: Operation) -> Result<(UserId, Entry)> {
        self.permit(actor, operation, Target::Tenant(actor.tenant_id())).await?;
        let user = actor.user_id().ok_or_else(ApiError::unauthenticated)?;
        Ok((user, Entry::by(actor, operation, self.now(), ("user", user.0, actor.name()))))
    }

    /// Whether the user signed in, or entered their password again, recently enough. Always true for a key.
    pub(crate) fn is_fresh(&self, actor: &Actor) -> bool {
        self.fresh_sign_in.is_fresh(actor, self.now())
    }

    /// Requires a recent sign-in before something lasting is created or revealed.
    ///
    /// # Errors
    /// `CONFIRMATION_REQUIRED`.
    pub(crate) fn require_fresh(&self, actor: &Actor) -> Result<()> {
        Ok(self.fresh_sign_in.require(actor, self.now())?)
    }

    /// Returns the same user in another of their tenants, with their role there. A key stays in its tenant.
    ///
    /// # Errors
    /// `NOT_FOUND` if the user isn't a member of the tenant, or for a key of another tenant; `UNAUTHENTICATED` if the
    /// user is no longer a member of any tenant.
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

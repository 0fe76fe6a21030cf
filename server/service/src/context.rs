//! The dependencies of all use cases: the database, the clock, the audit log, mail and authorization.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::{ApiError, Operation, TenantId, UserId, operation::Confirmation};
use uuid::Uuid;

use crate::{
    access::{Actor, FreshSignIn, ReadPermit, Target, WritePermit},
    audit::{Audit, Subject},
    clock::Clock,
    error::Result,
    mail::Mail,
    secrets::Secrets,
    storage::{
        self, Db,
        audit::Entry,
        sealed::{Purpose, Sealed},
    },
};

/// The dependencies of all use cases. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    db: Db,
    clock: Clock,
    audit: Arc<Audit>,
    mail: Mail,
    fresh_sign_in: FreshSignIn,
    secrets: Arc<Secrets>,
}

impl Context {
    pub(crate) fn new(db: Db, clock: Clock, mail: Mail, fresh_sign_in: FreshSignIn, secrets: Secrets) -> Self {
        let audit = Arc::new(Audit::new(db.clone(), clock.clone()));
        Self { db, clock, audit, mail, fresh_sign_in, secrets: Arc::new(secrets) }
    }

    pub(crate) fn db(&self) -> &Db {
        &self.db
    }

    /// Returns the current time of the services' clock.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) fn audit(&self) -> &Audit {
        &self.audit
    }

    pub(crate) fn mail(&self) -> &Mail {
        &self.mail
    }

    pub(crate) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Encrypts a value that is stored in a row.
    ///
    /// # Errors
    /// `CONFLICT` if the operator hasn't set a secret key.
    pub(crate) async fn seal(&self, purpose: Purpose, row: Uuid, value: &[u8]) -> Result<Sealed> {
        self.secrets.seal(&self.db, self.now(), purpose, row, value).await
    }

    /// Decrypts the value of a row.
    ///
    /// # Errors
    /// When its secret key is missing, or the value was changed.
    pub(crate) fn open(&self, purpose: Purpose, row: Uuid, sealed: &Sealed) -> Result<Vec<u8>> {
        self.secrets.open(purpose, row, sealed)
    }

    /// See [`Audit::permit`].
    ///
    /// # Errors
    /// `NOT_FOUND` for a target in another tenant; `FORBIDDEN` without the right.
    pub(crate) async fn permit(&self, actor: &Actor, operation: Operation, target: Target) -> Result<ReadPermit> {
        self.audit.permit(actor, operation, target).await
    }

    /// See [`Audit::permit_write`]. Requires a recent sign-in for an operation that always requires one. A page that
    /// only offers the operation calls [`Context::permit`] instead.
    ///
    /// # Errors
    /// `NOT_FOUND` for a target in another tenant; `FORBIDDEN` without the right; `CONFIRMATION_REQUIRED`.
    pub(crate) async fn permit_write(
        &self,
        actor: &Actor,
        operation: Operation,
        target: Target,
    ) -> Result<WritePermit> {
        let permit = self.audit.permit_write(actor, operation, target).await?;
        self.require_confirmation(actor, operation)?;
        Ok(permit)
    }

    /// Like [`Context::permit_write`], for a subject that isn't the target itself, such as a key of the target.
    ///
    /// # Errors
    /// As [`Context::permit_write`].
    pub(crate) async fn permit_write_about(
        &self,
        actor: &Actor,
        operation: Operation,
        target: Target,
        subject: Subject,
    ) -> Result<WritePermit> {
        let permit = self.audit.permit_write_about(actor, operation, target, subject).await?;
        self.require_confirmation(actor, operation)?;
        Ok(permit)
    }

    /// Authorizes an operation on the user's own account. Returns their id and the audit entry for the operation.
    ///
    /// # Errors
    /// `FORBIDDEN` for a service account, and for a key if the operation requires a session; `CONFIRMATION_REQUIRED`.
    pub(crate) async fn permit_oneself(&self, actor: &Actor, operation: Operation) -> Result<(UserId, Entry)> {
        let user = self.permit_reading_oneself(actor, operation).await?;
        self.require_confirmation(actor, operation)?;
        Ok((user, Entry::by(actor, operation, self.now(), ("user", user.0, actor.name()))))
    }

    /// Like [`Context::permit_oneself`], to read what the operation is about. Requires no recent sign-in.
    ///
    /// # Errors
    /// `FORBIDDEN` for a service account, and for a key if the operation requires a session.
    pub(crate) async fn permit_reading_oneself(&self, actor: &Actor, operation: Operation) -> Result<UserId> {
        self.permit(actor, operation, Target::Tenant(actor.tenant_id())).await?;
        Ok(actor.user_id().ok_or_else(ApiError::unauthenticated)?)
    }

    /// Returns the rule for how recent a sign-in must be.
    pub(crate) fn fresh_sign_in(&self) -> FreshSignIn {
        self.fresh_sign_in
    }

    /// Whether the user signed in, or entered their password again, recently enough. Always true for a key.
    pub(crate) fn is_fresh(&self, actor: &Actor) -> bool {
        self.fresh_sign_in.is_fresh(actor, self.now())
    }

    fn require_confirmation(&self, actor: &Actor, operation: Operation) -> Result<()> {
        if operation.confirmation() == Confirmation::Always { self.require_fresh(actor) } else { Ok(()) }
    }

    /// Requires a recent sign-in for an operation that requires one only if it widens access.
    ///
    /// # Errors
    /// `CONFIRMATION_REQUIRED`.
    pub(crate) fn require_fresh_to_widen(&self, actor: &Actor, operation: Operation, widens: bool) -> Result<()> {
        debug_assert_eq!(operation.confirmation(), Confirmation::WhenWidening, "{operation:?}");
        if widens { self.require_fresh(actor) } else { Ok(()) }
    }

    /// Requires a recent sign-in before a secret is revealed.
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

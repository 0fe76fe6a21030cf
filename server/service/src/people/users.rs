//! Use cases of a user's own account.

use chrono::{DateTime, Utc};
use domain::{
    ApiError, BrowserSession, Email, Name, Operation, Secret, SessionId, Tenant, TenantId, User, UserId, Viewer,
    user::input::confirm,
};

use super::{
    made_in_sessions,
    passwords::Hasher,
    second_factor::SecondFactors,
    throttle::{Limits, Throttle},
};
use crate::{
    access::{Actor, Target},
    context::Context,
    error::{Error, Result},
    input, random,
    storage::{
        self,
        audit::Entry,
        db::retry,
        sessions::{PasswordMark, mark_of},
    },
};

/// Use cases of a user's own account.
pub struct Users<'a> {
    pub(crate) context: &'a Context,
    pub(crate) hasher: &'a Hasher,
    pub(crate) throttle: &'a Throttle,
}

impl Users<'_> {
    /// Returns the current user with all their tenants; with a key, only with the key's.
    ///
    /// # Errors
    /// `FORBIDDEN` for a service account.
    pub async fn viewer(&self, actor: &Actor) -> Result<Viewer> {
        self.context.permit(actor, Operation::ViewSelf, Target::Tenant(actor.tenant_id())).await?;
        let id = actor.user_id().ok_or_else(ApiError::unauthenticated)?;
        let user = storage::users::find(self.context.db(), id).await?.ok_or_else(ApiError::unauthenticated)?;
        let mut memberships = storage::users::list_memberships(self.context.db(), id).await?;
        if !actor.is_session() {
            // A key acts in its own tenant and knows of no other.
            memberships.retain(|membership| membership.tenant.id == actor.tenant_id());
        }
        Ok(Viewer { user, tenant_id: actor.tenant_id(), memberships })
    }

    /// Returns the tenants that the actor may act in: with a session, all of the user's; with a key, only the key's.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tenants(&self, actor: &Actor) -> Result<Vec<Tenant>> {
        let permit = self.context.permit(actor, Operation::GetTenant, Target::Tenant(actor.tenant_id())).await?;
        if let (Some(user), true) = (actor.user_id(), actor.is_session()) {
            let memberships = storage::users::list_memberships(self.context.db(), user).await?;
            return Ok(memberships.into_iter().map(|membership| membership.tenant).collect());
        }
        Ok(storage::tenants::find(self.context.db(), &permit).await?.into_iter().collect())
    }

    /// Changes the user's name.
    ///
    /// # Errors
    /// A field error at `name`; `FORBIDDEN` for a service account.
    #[tracing::instrument(skip_all)]
    pub async fn rename(&self, actor: &Actor, name: &str) -> Result<()> {
        let (user, entry) = self.context.permit_oneself(actor, Operation::UpdateProfile).await?;
        let name = input::name(name).map_err(|error| ApiError::field("name", error.to_string()))?;
        let entry = entry.with(format!("now {name}"));
        retry!(self.context.db(), tx => {
            if !storage::users::rename(tx, user, &name).await? {
                return Err(ApiError::unauthenticated().into());
            }
            storage::audit::insert(tx, &entry).await
        })
    }

    /// Changes the user's password, and ends their other sessions with the invitations and the calendar link that they
    /// created. `session`: the digest of the session to keep. With `ends_calendars`, the links of all the user's
    /// calendar feeds stop working. Returns the mark of the new password, which the kept session must store.
    ///
    /// # Errors
    /// Field errors at `current_password`, `password`; `RATE_LIMITED` after ten wrong ones in five minutes; `FORBIDDEN`
    /// for a key.
    #[tracing::instrument(skip_all)]
    pub async fn change_password(
        &self,
        actor: &Actor,
        current: &Secret,
        new: &Secret,
        session: [u8; 32],
        ends_calendars: bool,
    ) -> Result<PasswordMark> {
        let (user, entry) = self.context.permit_oneself(actor, Operation::ChangePassword).await?;
        self.check_password(user, current, "current_password", &entry).await?;
        let person = storage::users::find(self.context.db(), user).await?.ok_or_else(ApiError::unauthenticated)?;
        self.hasher.check_new(new, &[person.email.as_str(), person.name.as_str()]).await??;
        let hash = self.hasher.hash(new.clone()).await?;
        retry!(self.context.db(), tx => {
            storage::users::update_password(tx, user, &hash, entry.at).await?;
            // Whoever entered wrong two-factor codes with the old password can't do so any more.
            storage::second_factors::unlock(tx, user).await?;
            let ended = storage::sessions::delete_others_of_user(tx, user, &session).await?;
            let mut entries = made_in_sessions::end_all(tx, user, &ended, entry.clone(), entry.at).await?;
            if ends_calendars && storage::reminders::delete_feeds(tx, user, None).await? {
                let operation = Operation::RevokeCalendarFeed;
                let entry = Entry::by(actor, operation, entry.at, ("user", user.0, actor.name()));
                entries.push(entry.with("with the change of the password"));
            }
            storage::audit::insert_all(tx, entries).await
        })?;
        Ok(mark_of(&hash))
    }

    /// Checks the user's password. `entry`: the audit entry of the operation, recorded as refused if the password is
    /// wrong.
    async fn check_password(&self, user: UserId, password: &Secret, field: &str, entry: &Entry) -> Result<()> {
        let attempt = self.throttle.take(self.context, Limits::of(&format!("password of {user}"))).await?;
        let hash = storage::users::find_password_hash(self.context.db(), user).await?;
        let is_equal = match self.hasher.verify(password.clone(), hash).await {
            Ok(is_equal) => is_equal,
            Err(error) => {
                self.throttle.release(self.context, attempt).await?;
                return Err(error);
            }
        };
        if !is_equal {
            self.context.audit().record(entry.clone().refused()).await?;
            return Err(ApiError::field(field, "Incorrect password.").into());
        }
        self.throttle.release(self.context, attempt).await
    }

    /// Confirms the user's identity again, by their password and, if they have two-factor authentication, a code.
    /// Returns the actor with a recent sign-in.
    ///
    /// # Errors
    /// Field errors at `confirm_password`, `confirm_code`; `RATE_LIMITED` after ten wrong ones in five minutes;
    /// `FORBIDDEN` for a key.
    #[tracing::instrument(skip_all)]
    pub async fn confirm(&self, actor: &Actor, password: &Secret, code: &str) -> Result<Actor> {
        let (user, entry) = self.context.permit_oneself(actor, Operation::ConfirmSignIn).await?;
        self.check_password(user, password, confirm::PASSWORD, &entry).await?;
        if self.second_factors().is_enabled(user).await?
            && let Err(error) = self.second_factors().check(user, code, actor.client()).await
        {
            if !error.is_rate_limit() {
                self.context.audit().record(entry.refused()).await?;
            }
            return Err(match error {
                Error::Api(refusal) if refusal.at("code").is_some() => {
                    ApiError::field(confirm::CODE, refusal.message).into()
                }
                other => other,
            });
        }
        self.context.audit().record(entry).await?;
        Ok(actor.clone().confirmed(self.context.now()))
    }

    /// Lists the user's sessions, last used first. `this`: the digest of the current session; with a key, bytes that
    /// match none.
    ///
    /// # Errors
    /// `FORBIDDEN` for a service account.
    pub async fn sessions(&self, actor: &Actor, this: [u8; 32]) -> Result<Vec<BrowserSession>> {
        let (user, _) = self.context.permit_oneself(actor, Operation::ListSessions).await?;
        storage::sessions::list_of_user(self.context.db(), user, &this, storage::micros(self.context.now())).await
    }

    /// Ends one of the user's sessions, with the open invitations and the calendar link that were created in it. It is
    /// signed out with its next request.
    ///
    /// # Errors
    /// `NOT_FOUND`; `FORBIDDEN` for a key.
    #[tracing::instrument(skip_all, fields(session.id = %id))]
    pub async fn end_session(&self, actor: &Actor, id: SessionId) -> Result<()> {
        let (user, entry) = self.context.permit_oneself(actor, Operation::EndSession).await?;
        retry!(self.context.db(), tx => {
            if !storage::sessions::delete_one_of_user(tx, user, id).await? {
                return Err(ApiError::not_found().into());
            }
            let entries = made_in_sessions::end_all(tx, user, &[id], entry.clone(), entry.at).await?;
            storage::audit::insert_all(tx, entries).await
        })
    }

    /// Ends all the user's sessions except the current one, whose digest is `this`, with the open invitations and the
    /// calendar link that were created in them.
    ///
    /// # Errors
    /// `FORBIDDEN` for a key.
    #[tracing::instrument(skip_all)]
    pub async fn end_other_sessions(&self, actor: &Actor, this: [u8; 32]) -> Result<()> {
        let (user, entry) = self.context.permit_oneself(actor, Operation::EndOtherSessions).await?;
        retry!(self.context.db(), tx => {
            let ended = storage::sessions::delete_others_of_user(tx, user, &this).await?;
            let entries = made_in_sessions::end_all(tx, user, &ended, entry.clone(), entry.at).await?;
            storage::audit::insert_all(tx, entries).await
        })
    }

    /// Checks that the user may select another tenant, which the session then remembers.
    ///
    /// # Errors
    /// `NOT_FOUND` if they aren't a member of it; `FORBIDDEN` for a key.
    #[tracing::instrument(skip_all, fields(tenant.id = %to))]
    pub async fn switch_tenant(&self, actor: &Actor, to: TenantId) -> Result<TenantId> {
        self.context.permit_write(actor, Operation::SwitchTenant, Target::Tenant(actor.tenant_id())).await?;
        Ok(self.context.in_tenant(actor, to).await?.tenant_id())
    }

    fn second_factors(&self) -> SecondFactors<'_> {
        SecondFactors { context: self.context, throttle: self.throttle }
    }
}

/// Returns a new user that is created at `now`.
pub(crate) fn new_user(now: DateTime<Utc>, email: Email, name: Name) -> User {
    User { id: UserId(random::new_id(now)), email, name, created_at: now }
}

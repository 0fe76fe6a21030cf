//! Signing in, and the stored browser sessions.

use chrono::{DateTime, Utc};
use domain::{ApiError, ErrorCode, Secret, TenantId, User, UserId, audit::Outcome};
use uuid::Uuid;

use super::{
    passwords::Hasher,
    second_factor::SecondFactors,
    throttle::{Limits, Throttle},
};
use crate::{
    access::Client,
    context::Context,
    error::{Error, Result},
    input,
    storage::{
        self,
        audit::Entry,
        sessions::{PasswordMark, SessionFacts, StoredSession, mark_of},
    },
};

/// The user who has signed in, and the tenant they start in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// The user's id.
    pub user_id: UserId,
    /// The first of their tenants.
    pub tenant_id: TenantId,
    /// Whether a two-factor code is still required, see [`Sessions::check_code`].
    pub needs_code: bool,
    /// Whether a two-factor code was entered.
    pub has_code: bool,
    /// The mark of the password, see [`StoredSession::password_mark`].
    pub password: PasswordMark,
}

/// Use cases of signing in.
pub struct Sessions<'a> {
    pub(crate) context: &'a Context,
    pub(crate) hasher: &'a Hasher,
    pub(crate) throttle: &'a Throttle,
}

impl Sessions<'_> {
    /// Checks an email address and a password. An unknown address takes the same time and gets the same answer.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`, always with the same message; `FORBIDDEN` for a user without a tenant; `RATE_LIMITED` after
    /// ten failures in five minutes for the account in this network (decision 0025), or if too many people are signing
    /// in at once.
    #[tracing::instrument(skip_all)]
    pub async fn sign_in(&self, email: &str, password: &Secret, client: &Client) -> Result<SignedIn> {
        let (user, mark) = self.recognise(email, password, client).await?;
        let memberships = storage::users::list_membership_roles(self.context.db(), user.id).await?;
        let Some(first) = memberships.first() else {
            let message = "You're no longer a member of any tenant. Ask an administrator to invite you.";
            return Err(ApiError::new(ErrorCode::Forbidden, message).into());
        };
        let needs_code = self.second_factors().is_enabled(user.id).await?;
        if !needs_code {
            self.record(&user, client, Outcome::Done).await?;
        }
        Ok(SignedIn { user_id: user.id, tenant_id: first.tenant_id, needs_code, has_code: false, password: mark })
    }

    /// Returns the user with an email address and a password, and the mark of that password.
    ///
    /// # Errors
    /// As [`Sessions::sign_in`].
    pub(crate) async fn recognise(
        &self,
        email: &str,
        password: &Secret,
        client: &Client,
    ) -> Result<(User, PasswordMark)> {
        let parsed = input::email(email).ok();
        let account = parsed.as_ref().map_or_else(|| email.trim().to_lowercase(), |email| email.as_str().to_owned());
        let found = match &parsed {
            Some(email) => storage::users::find_by_email(self.context.db(), email).await?,
            None => None,
        };
        let (user, hash) = found.map(|found| (found.user, found.password_hash)).unzip();
        let of = user.as_ref().map_or(UserId(Uuid::nil()), |user| user.id);
        let browser = self.find_browser(of, client.browser.as_ref()).await?;
        let mut place = self.hasher.enter(browser.is_some())?;
        let network = self.throttle.network_of(client);
        let limits = Limits::of_sign_in(&account, &network, browser.as_ref());
        let attempt = self.throttle.take(self.context, limits).await?;
        if !attempt.delay.is_zero() {
            // Somebody is trying many passwords of this account. Nobody else waits for that.
            drop(place);
            tokio::time::sleep(attempt.delay).await;
            place = match self.hasher.enter(false) {
                Ok(place) => place,
                Err(error) => {
                    self.throttle.release(self.context, attempt).await?;
                    return Err(error);
                }
            };
        }
        let mark = hash.as_deref().map(mark_of).unwrap_or_default();
        let equal = self.hasher.verify_at(place, password.clone(), hash).await;
        let good = match equal {
            Ok(equal) => equal,
            Err(error) => {
                self.throttle.release(self.context, attempt).await?;
                return Err(error);
            }
        };
        let (Some(user), true) = (user.clone(), good) else {
            // An unknown address causes the same reads, and the entry is written in the background, so that the
            // response time doesn't reveal whether the user exists.
            let first = self.first_tenant(of).await?;
            if let (Some(user), Some(tenant)) = (user, first) {
                self.context.audit().defer(self.entry(&user, tenant, client, Outcome::Refused));
            }
            return Err(refusal().into());
        };
        self.throttle.release(self.context, attempt).await?;
        Ok((user, mark))
    }

    /// The second step of signing in: checks a code from the app, or a recovery code.
    ///
    /// # Errors
    /// A field error at `code`; `RATE_LIMITED` after ten wrong ones in five minutes.
    #[tracing::instrument(skip_all)]
    pub async fn check_code(&self, signed_in: SignedIn, code: &str, client: &Client) -> Result<SignedIn> {
        let user =
            storage::users::find(self.context.db(), signed_in.user_id).await?.ok_or_else(ApiError::unauthenticated)?;
        let checked = self.second_factors().check(user.id, code, client).await;
        let outcome = if checked.is_ok() { Outcome::Done } else { Outcome::Refused };
        // A rate-limited attempt isn't recorded: the tenth wrong code already was.
        if !checked.as_ref().is_err_and(Error::is_rate_limit) {
            self.record(&user, client, outcome).await?;
        }
        checked.map(|()| SignedIn { needs_code: false, has_code: true, ..signed_in })
    }

    fn second_factors(&self) -> SecondFactors<'_> {
        SecondFactors { context: self.context, throttle: self.throttle }
    }

    /// Writes an entry in the audit log of the user's first tenant. A user without a tenant has no audit log.
    async fn record(&self, user: &User, client: &Client, outcome: Outcome) -> Result<()> {
        let Some(tenant) = self.first_tenant(user.id).await? else { return Ok(()) };
        self.context.audit().record(self.entry(user, tenant, client, outcome)).await
    }

    async fn first_tenant(&self, user: UserId) -> Result<Option<TenantId>> {
        let memberships = storage::users::list_membership_roles(self.context.db(), user).await?;
        Ok(memberships.first().map(|first| first.tenant_id))
    }

    fn entry(&self, user: &User, tenant: TenantId, client: &Client, outcome: Outcome) -> Entry {
        Entry {
            at: self.context.now(),
            tenant_id: Some(tenant.0),
            operation: "sign_in",
            outcome,
            actor_kind: "user",
            actor_id: Some(user.id.0),
            actor_name: user.name.as_str().to_owned(),
            key_id: None,
            client: client.clone(),
            subject_kind: "user",
            subject_id: Some(user.id.0),
            subject_name: user.name.as_str().to_owned(),
            detail: String::new(),
        }
    }

    /// Returns a session that hasn't expired. `digest`: SHA-256 of the cookie's secret.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn load(&self, digest: &[u8; 32]) -> Result<Option<StoredSession>> {
        storage::sessions::find(self.context.db(), digest, storage::micros(self.context.now())).await
    }

    /// Stores a new session, unless the user's password has changed since it was checked, or they have turned on
    /// two-factor authentication: both also end sessions that are only about to begin.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn create(&self, digest: &[u8; 32], session: &StoredSession) -> Result<()> {
        storage::sessions::insert(self.context.db(), *digest, session.clone()).await
    }

    /// Updates a session. A session that was deleted meanwhile stays deleted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn save(&self, digest: &[u8; 32], session: &StoredSession) -> Result<()> {
        storage::sessions::update(self.context.db(), *digest, session.clone()).await
    }

    /// Updates when, from where and with what a session was last used, and when it expires, without touching its data.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn touch(&self, digest: &[u8; 32], facts: &SessionFacts, expires_at: DateTime<Utc>) -> Result<()> {
        storage::sessions::touch(self.context.db(), *digest, facts, expires_at).await
    }

    /// Deletes a session.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete(&self, digest: &[u8; 32]) -> Result<()> {
        storage::sessions::delete(self.context.db(), *digest).await
    }
}

fn refusal() -> ApiError {
    ApiError::new(ErrorCode::Unauthenticated, "Incorrect email or password.")
}

//! Two-factor authentication: one-time codes from an app (TOTP, RFC 6238), and recovery codes in case the app is lost.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{ApiError, ErrorCode, Operation, Secret, UserId};

use super::{
    made_in_sessions,
    one_time_codes::{draw_codes, is_from_app, latest_step, plain, step_of, totp_of},
    throttle::{Attempt, Limits, Throttle},
};
use crate::{
    access::{Actor, Client},
    context::Context,
    digest::sha256,
    error::{Error, Result},
    random,
    storage::{self, Tx, audit::Entry, db::retry, sealed::Purpose, second_factors::Stored},
};

/// How long after its start an enrolment can be completed.
const ENROL_WITHIN: TimeDelta = TimeDelta::minutes(30);
/// What an authenticator app needs to be enrolled.
#[derive(Clone, Debug)]
pub struct Enrolment {
    /// The secret in base32, for typing.
    pub secret: Secret,
    /// The secret as a URL (`otpauth://totp/…`), for a QR code.
    pub url: Secret,
}

/// Whether a user has two-factor authentication.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SecondFactorState {
    /// When it was turned on; `None` if it is off.
    pub enabled_at: Option<DateTime<Utc>>,
    /// How many recovery codes are unused.
    pub codes_left: u32,
    /// Since when codes of the app are refused, because there were too many wrong ones.
    pub locked_at: Option<DateTime<Utc>>,
}

/// Use cases of a user's two-factor authentication. All but [`SecondFactors::state`] require a browser session.
pub struct SecondFactors<'a> {
    pub(crate) context: &'a Context,
    pub(crate) throttle: &'a Throttle,
}

impl SecondFactors<'_> {
    /// Returns whether the user has two-factor authentication. Also available with a key.
    ///
    /// # Errors
    /// `FORBIDDEN` for a service account.
    pub async fn state(&self, actor: &Actor) -> Result<SecondFactorState> {
        let (user, _) = self.context.permit_oneself(actor, Operation::ViewSelf).await?;
        let stored = storage::second_factors::find(self.context.db(), user).await?;
        let Some(stored) = stored.filter(|stored| stored.enabled_at.is_some()) else {
            return Ok(SecondFactorState::default());
        };
        let codes_left = storage::second_factors::count_codes(self.context.db(), user).await?;
        Ok(SecondFactorState { enabled_at: stored.enabled_at, codes_left, locked_at: stored.locked_at })
    }

    /// Starts an enrolment with a new secret. It takes effect with the first correct code, see
    /// [`SecondFactors::enable`].
    ///
    /// # Errors
    /// `CONFLICT` if two-factor authentication is already on; `CONFIRMATION_REQUIRED`; `FORBIDDEN` for a key.
    #[tracing::instrument(skip_all)]
    pub async fn begin(&self, actor: &Actor) -> Result<Enrolment> {
        let (user, entry) = self.context.permit_oneself(actor, Operation::BeginSecondFactor).await?;
        let (secret, now) = (random::draw_seed(), self.context.now());
        let sealed = self.context.seal(Purpose::SecondFactor, user.0, &secret).await?;
        retry!(self.context.db(), tx => {
            match storage::second_factors::begin(tx, user, &sealed, now).await {
                Ok(true) => {}
                Ok(false) => return Err(already_on().into()),
                // The operator has just replaced the secret key.
                Err(error) if error.is_foreign_key_violation() => return Err(changed_meanwhile().into()),
                Err(error) => return Err(error),
            }
            storage::audit::insert(tx, &entry).await
        })?;
        self.enrolment(user, &secret).await
    }

    /// Returns the enrolment that was started and not yet completed, for the page that asks for the first code.
    ///
    /// # Errors
    /// `CONFIRMATION_REQUIRED`; `FORBIDDEN` for a key.
    pub async fn pending(&self, actor: &Actor) -> Result<Option<Enrolment>> {
        match self.begun(actor).await? {
            None => Ok(None),
            Some((user, stored)) => {
                self.context.require_fresh(actor)?;
                self.enrolment(user, &self.open(user, &stored)?).await.map(Some)
            }
        }
    }

    /// Returns whether an enrolment was started and not yet completed. Reveals no secret, so it needs no recent
    /// sign-in.
    ///
    /// # Errors
    /// `FORBIDDEN` for a key.
    pub async fn is_pending(&self, actor: &Actor) -> Result<bool> {
        Ok(self.begun(actor).await?.is_some())
    }

    /// Completes an enrolment with the app's first code. From then on, signing in requires a code. Only this response
    /// contains the recovery codes. `only_session`: the digest of the session to keep, to end all others with the
    /// invitations and the calendar link that they created.
    ///
    /// # Errors
    /// A field error at `code`; `CONFLICT` if no enrolment was started, it has timed out, or it is already completed;
    /// `CONFIRMATION_REQUIRED`; `RATE_LIMITED`; `FORBIDDEN` for a key.
    #[tracing::instrument(skip_all)]
    pub async fn enable(&self, actor: &Actor, code: &str, only_session: Option<[u8; 32]>) -> Result<Vec<Secret>> {
        let (user, entry) = self.context.permit_oneself(actor, Operation::EnableSecondFactor).await?;
        let now = self.context.now();
        let stored = storage::second_factors::find(self.context.db(), user).await?;
        if stored.as_ref().is_some_and(|stored| stored.enabled_at.is_some()) {
            let message = "Two-factor authentication is already on. Generate new recovery codes if you need them.";
            return Err(ApiError::new(ErrorCode::Conflict, message).into());
        }
        let Some(stored) = stored.filter(|stored| stored.is_pending(now)) else {
            let message = "Setup timed out. Start again from your profile.";
            return Err(ApiError::new(ErrorCode::Conflict, message).into());
        };
        let attempt = self.take_attempt(user, "code", actor.client()).await?;
        let Some(step) = step_of(&self.open(user, &stored)?, code, now)? else { return Err(wrong_code().into()) };
        self.throttle.release(self.context, attempt).await?;
        let (codes, digests) = draw_codes();
        retry!(self.context.db(), tx => {
            if !storage::second_factors::enable(tx, user, &stored.secret, now, step).await? {
                return Err(changed_meanwhile().into());
            }
            storage::second_factors::replace_codes(tx, user, &digests).await?;
            let Some(kept) = only_session else { return storage::audit::insert(tx, &entry).await };
            let ended = storage::sessions::delete_others_of_user(tx, user, &kept).await?;
            let entry = entry.clone().with("signed out everywhere else");
            let entries = made_in_sessions::end_all(tx, user, &ended, entry, now).await?;
            storage::audit::insert_all(tx, entries).await
        })?;
        Ok(codes)
    }

    /// Turns two-factor authentication off. Signing in then only requires the password.
    ///
    /// # Errors
    /// `CONFLICT` if it is already off; `CONFIRMATION_REQUIRED`; `FORBIDDEN` for a key.
    #[tracing::instrument(skip_all)]
    pub async fn disable(&self, actor: &Actor) -> Result<()> {
        let (user, entry) = self.context.permit_oneself(actor, Operation::DisableSecondFactor).await?;
        retry!(self.context.db(), tx => {
            disable(tx, user, &entry).await
        })
    }

    /// Generates new recovery codes. The old ones stop working. Only this response contains the new ones.
    ///
    /// # Errors
    /// `CONFLICT` if two-factor authentication is off; `CONFIRMATION_REQUIRED`; `FORBIDDEN` for a key.
    #[tracing::instrument(skip_all)]
    pub async fn renew_codes(&self, actor: &Actor) -> Result<Vec<Secret>> {
        let (user, entry) = self.context.permit_oneself(actor, Operation::RenewRecoveryCodes).await?;
        if self.state(actor).await?.enabled_at.is_none() {
            return Err(not_there().into());
        }
        let (codes, digests) = draw_codes();
        retry!(self.context.db(), tx => {
            storage::second_factors::replace_codes(tx, user, &digests).await?;
            storage::audit::insert(tx, &entry).await
        })?;
        Ok(codes)
    }

    /// Whether the user has two-factor authentication, so that signing in requires a code.
    pub(crate) async fn is_enabled(&self, user: UserId) -> Result<bool> {
        let stored = storage::second_factors::find(self.context.db(), user).await?;
        Ok(stored.is_some_and(|stored| stored.enabled_at.is_some()))
    }

    /// Checks a code from the app, or a recovery code. Each works once, even in concurrent requests. Allows ten wrong
    /// codes in five minutes from one network. After too many wrong codes of the app in a row, only a recovery code is
    /// accepted; it ends the lock.
    pub(crate) async fn check(&self, user: UserId, code: &str, client: &Client) -> Result<()> {
        let code = plain(code);
        if code.is_empty() {
            return Err(ApiError::field("code", "Enter the code from your app, or a recovery code.").into());
        }
        let stored = storage::second_factors::find(self.context.db(), user).await?;
        let Some(stored) = stored.filter(|stored| stored.enabled_at.is_some()) else { return Err(wrong_code().into()) };
        // Recovery codes are too long to be guessed. They are limited separately, so that wrong codes of
        // the app don't keep the user from entering one.
        let is_from_app = is_from_app(&code);
        if let (true, Some(at)) = (is_from_app, stored.locked_at) {
            return Err(Self::locked(at).into());
        }
        let kind = if is_from_app { "code" } else { "recovery code" };
        let attempt = self.take_attempt(user, kind, client).await?;
        if is_from_app {
            self.use_app_code(user, &stored, &code, client).await?;
        } else {
            self.use_recovery_code(user, &code).await?;
        }
        self.throttle.release(self.context, attempt).await?;
        Ok(())
    }

    async fn use_app_code(&self, user: UserId, stored: &Stored, code: &str, client: &Client) -> Result<()> {
        let now = self.context.now();
        let Some(step) = step_of(&self.open(user, stored)?, code, now)? else {
            let locked_at = self.record_wrong_code(user, client).await?;
            return Err(locked_at.map_or_else(wrong_code, Self::locked).into());
        };
        let is_unused = retry!(self.context.db(), tx => {
            storage::second_factors::use_step(tx, user, step, latest_step(now)).await
        })?;
        if is_unused { Ok(()) } else { Err(wrong_code().into()) }
    }

    async fn use_recovery_code(&self, user: UserId, code: &str) -> Result<()> {
        retry!(self.context.db(), tx => {
            if !storage::second_factors::use_code(tx, user, &sha256(code.as_bytes())).await? {
                return Err(wrong_code().into());
            }
            storage::second_factors::unlock(tx, user).await.map(drop)
        })
    }

    async fn take_attempt(&self, user: UserId, kind: &str, client: &Client) -> Result<Attempt> {
        let network = self.throttle.network_of(client);
        self.throttle.take(self.context, Limits::in_network(&format!("{kind} of {user}"), &network)).await
    }

    fn open(&self, user: UserId, stored: &Stored) -> Result<Vec<u8>> {
        self.context.open(Purpose::SecondFactor, user.0, &stored.secret)
    }

    async fn begun(&self, actor: &Actor) -> Result<Option<(UserId, Stored)>> {
        let user = self.context.permit_reading_oneself(actor, Operation::BeginSecondFactor).await?;
        let stored = storage::second_factors::find(self.context.db(), user).await?;
        Ok(stored.filter(|stored| stored.is_pending(self.context.now())).map(|stored| (user, stored)))
    }

    async fn enrolment(&self, user: UserId, secret: &[u8]) -> Result<Enrolment> {
        let person = storage::users::find(self.context.db(), user).await?.ok_or_else(ApiError::unauthenticated)?;
        let totp = totp_of(secret, person.email.as_str())?;
        let url = totp.to_url().map_err(|error| Error::Fault(format!("no TOTP URL: {error:?}")))?;
        Ok(Enrolment { secret: Secret::new(totp_rs::Secret::from(secret.to_vec()).to_base32()), url: Secret::new(url) })
    }
}

impl Stored {
    fn is_pending(&self, now: DateTime<Utc>) -> bool {
        self.enabled_at.is_none() && now - self.begun_at < ENROL_WITHIN
    }
}

/// Turns two-factor authentication off. Also for the operator.
pub(crate) async fn disable(tx: &mut Tx, user: UserId, entry: &Entry) -> Result<()> {
    if !storage::second_factors::delete(tx, user).await? {
        return Err(not_there().into());
    }
    storage::second_factors::replace_codes(tx, user, &[]).await?;
    storage::audit::insert(tx, entry).await
}

fn wrong_code() -> ApiError {
    ApiError::field("code", "Incorrect or already used code. Wait for the next one.")
}

fn changed_meanwhile() -> ApiError {
    let message = "Two-factor authentication was changed in another window. Reload the page.";
    ApiError::new(ErrorCode::Conflict, message)
}

fn already_on() -> ApiError {
    ApiError::new(ErrorCode::Conflict, "Two-factor authentication is already on. Turn it off first.")
}

fn not_there() -> ApiError {
    ApiError::new(ErrorCode::Conflict, "Two-factor authentication isn't turned on.")
}

//! Two-factor authentication: one-time codes from an app (TOTP, RFC 6238), and recovery codes in case the app is lost.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{ApiError, ErrorCode, Operation, Secret, UserId};
use totp_rs::{Builder, Totp};

use super::throttle::Throttle;
use crate::{
    access::Actor,
    context::Context,
    digest::sha256,
    error::{Error, Result},
    random,
    storage::{self, Tx, audit::Entry, second_factors::Stored},
};

/// How long after its start an enrolment can be completed.
const ENROL_WITHIN: TimeDelta = TimeDelta::minutes(30);
/// How many recovery codes a user gets.
const CODES: usize = 10;

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
        let Some(enabled_at) = stored.and_then(|stored| stored.enabled_at) else {
            return Ok(SecondFactorState::default());
        };
        let codes_left = storage::second_factors::count_codes(self.context.db(), user).await?;
        Ok(SecondFactorState { enabled_at: Some(enabled_at), codes_left })
    }

    /// Starts an enrolment with a new secret. It takes effect with the first correct code, see
    /// [`SecondFactors::enable`].
    ///
    /// # Errors
    /// `CONFLICT` if two-factor authentication is already on; `CONFIRMATION_REQUIRED`; `FORBIDDEN` for a key.
    #[tracing::instrument(skip_all)]
    pub async fn begin(&self, actor: &Actor) -> Result<Enrolment> {
        let (user, entry) = self.context.permit_oneself(actor, Operation::BeginSecondFactor).await?;
        self.context.require_fresh(actor)?;
        let (secret, now) = (random::draw_seed(), self.context.now());
        let mut tx = self.context.db().begin().await?;
        if !storage::second_factors::begin(&mut tx, user, &secret, now).await? {
            return Err(already_on().into());
        }
        storage::audit::insert(&mut tx, &entry).await?;
        tx.commit().await?;
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
                self.enrolment(user, &stored.secret).await.map(Some)
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
    /// contains the recovery codes.
    ///
    /// # Errors
    /// A field error at `code`; `CONFLICT` if no enrolment was started, it has timed out, or it is already completed;
    /// `CONFIRMATION_REQUIRED`; `RATE_LIMITED`; `FORBIDDEN` for a key.
    #[tracing::instrument(skip_all)]
    pub async fn enable(&self, actor: &Actor, code: &str) -> Result<Vec<Secret>> {
        let (user, entry) = self.context.permit_oneself(actor, Operation::EnableSecondFactor).await?;
        self.context.require_fresh(actor)?;
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
        let attempt = self.throttle.take(self.context, &[format!("code of {user}")]).await?;
        let Some(step) = step_of(&stored, code, now)? else { return Err(wrong_code().into()) };
        self.throttle.release(self.context, attempt).await?;
        let (codes, digests) = draw_codes();
        let mut tx = self.context.db().begin().await?;
        if !storage::second_factors::enable(&mut tx, user, &stored.secret, now, step).await? {
            return Err(changed_meanwhile().into());
        }
        storage::second_factors::replace_codes(&mut tx, user, &digests).await?;
        storage::audit::insert(&mut tx, &entry).await?;
        tx.commit().await?;
        Ok(codes)
    }

    /// Turns two-factor authentication off. Signing in then only requires the password.
    ///
    /// # Errors
    /// `CONFLICT` if it is already off; `CONFIRMATION_REQUIRED`; `FORBIDDEN` for a key.
    #[tracing::instrument(skip_all)]
    pub async fn disable(&self, actor: &Actor) -> Result<()> {
        let (user, entry) = self.context.permit_oneself(actor, Operation::DisableSecondFactor).await?;
        self.context.require_fresh(actor)?;
        let mut tx = self.context.db().begin().await?;
        disable(&mut tx, user, &entry).await?;
        tx.commit().await
    }

    /// Generates new recovery codes. The old ones stop working. Only this response contains the new ones.
    ///
    /// # Errors
    /// `CONFLICT` if two-factor authentication is off; `CONFIRMATION_REQUIRED`; `FORBIDDEN` for a key.
    #[tracing::instrument(skip_all)]
    pub async fn renew_codes(&self, actor: &Actor) -> Result<Vec<Secret>> {
        let (user, entry) = self.context.permit_oneself(actor, Operation::RenewRecoveryCodes).await?;
        self.context.require_fresh(actor)?;
        if self.state(actor).await?.enabled_at.is_none() {
            return Err(not_there().into());
        }
        let (codes, digests) = draw_codes();
        let mut tx = self.context.db().begin().await?;
        storage::second_factors::replace_codes(&mut tx, user, &digests).await?;
        storage::audit::insert(&mut tx, &entry).await?;
        tx.commit().await?;
        Ok(codes)
    }

    /// Whether the user has two-factor authentication, so that signing in requires a code.
    pub(crate) async fn is_enabled(&self, user: UserId) -> Result<bool> {
        let stored = storage::second_factors::find(self.context.db(), user).await?;
        Ok(stored.is_some_and(|stored| stored.enabled_at.is_some()))
    }

    /// Checks a code from the app, or a recovery code. Each works once, even in concurrent requests. Allows ten wrong
    /// codes in five minutes.
    pub(crate) async fn check(&self, user: UserId, code: &str) -> Result<()> {
        if plain(code).is_empty() {
            return Err(ApiError::field("code", "Enter the code from your app, or a recovery code.").into());
        }
        let now = self.context.now();
        let attempt = self.throttle.take(self.context, &[format!("code of {user}")]).await?;
        let stored = storage::second_factors::find(self.context.db(), user).await?;
        let Some(stored) = stored.filter(|stored| stored.enabled_at.is_some()) else { return Err(wrong_code().into()) };
        let step = step_of(&stored, code, now)?;
        let digest = sha256(plain(code).as_bytes());
        let mut tx = self.context.db().begin().await?;
        let good = match step {
            Some(step) => storage::second_factors::use_step(&mut tx, user, step).await?,
            None => storage::second_factors::use_code(&mut tx, user, &digest).await?,
        };
        tx.commit().await?;
        if !good {
            return Err(wrong_code().into());
        }
        self.throttle.release(self.context, attempt).await?;
        Ok(())
    }

    async fn begun(&self, actor: &Actor) -> Result<Option<(UserId, Stored)>> {
        let (user, _) = self.context.permit_oneself(actor, Operation::BeginSecondFactor).await?;
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

/// Six digits, SHA-1, 30 seconds, a tolerance of one step: what every authenticator app supports.
fn totp_of(secret: &[u8], account: &str) -> Result<Totp> {
    // The account part of the URL can't contain a colon.
    let builder = Builder::new().with_secret(secret.to_vec()).with_account_name(account.replace(':', "_"));
    let built = builder.with_issuer(Some("Latchkey")).build();
    built.map_err(|error| Error::Fault(format!("no TOTP: {error:?}")))
}

/// Returns the time step that a code belongs to, unless a code of that step or a later one was already used.
fn step_of(stored: &Stored, code: &str, now: DateTime<Utc>) -> Result<Option<i64>> {
    let time = u64::try_from(now.timestamp()).unwrap_or(0);
    let step = totp_of(&stored.secret, "")?.check(&plain(code), time);
    Ok(step.and_then(|step| i64::try_from(step).ok()).filter(|step| *step > stored.last_step))
}

/// Normalizes a code, because people type it with spaces and hyphens.
fn plain(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}

/// Generates recovery codes of 80 bits each. Returns them, and the digests to store.
fn draw_codes() -> (Vec<Secret>, Vec<[u8; 32]>) {
    let draw = |_| {
        let text = totp_rs::Secret::from(random::draw_bytes()[..10].to_vec()).to_base32();
        let digest = sha256(text.as_bytes());
        let parts: Vec<_> = text.as_bytes().chunks(4).map(String::from_utf8_lossy).collect();
        (Secret::new(parts.join("-")), digest)
    };
    (0..CODES).map(draw).unzip()
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

/// The code that an app shows, for tests that enrol one.
#[cfg(test)]
pub(crate) fn code_at(secret: &Secret, now: DateTime<Utc>) -> String {
    let secret = totp_rs::Secret::try_from_base32(secret.expose()).expect("it was drawn here");
    let totp = Builder::new().with_secret(secret).build().expect("it is long enough");
    totp.generate(u64::try_from(now.timestamp()).expect("after 1970")).to_string()
}

//! One-time codes of an app (TOTP, RFC 6238), and recovery codes: generating, reading and comparing them.

use chrono::{DateTime, Utc};
use domain::Secret;
use totp_rs::{Builder, Totp};

use crate::{
    digest::sha256,
    error::{Error, Result},
    random, text,
};

/// How many recovery codes a user gets.
const CODES: usize = 10;
/// How long a code of an app is shown.
const STEP_SECONDS: i64 = 30;
/// How many digits a code of an app has.
const DIGITS: usize = 6;

/// Six digits, SHA-1, 30 seconds, a tolerance of one step: what every authenticator app supports.
pub(crate) fn totp_of(secret: &[u8], account: &str) -> Result<Totp> {
    // The account part of the URL can't contain a colon.
    let builder = Builder::new().with_secret(secret.to_vec()).with_account_name(account.replace(':', "_"));
    let built = builder.with_issuer(Some("Latchkey")).build();
    built.map_err(|error| Error::Fault(format!("no TOTP: {error:?}")))
}

/// Returns the time step that a code of the secret belongs to.
pub(crate) fn step_of(secret: &[u8], code: &str, now: DateTime<Utc>) -> Result<Option<i64>> {
    let time = u64::try_from(now.timestamp()).unwrap_or(0);
    let step = totp_of(secret, "")?.check(&plain(code), time);
    Ok(step.and_then(|step| i64::try_from(step).ok()))
}

/// Returns the latest time step whose code is accepted.
pub(crate) fn latest_step(now: DateTime<Utc>) -> i64 {
    now.timestamp() / STEP_SECONDS + 1
}

/// Whether a normalized code has the form of an app's.
pub(crate) fn is_from_app(code: &str) -> bool {
    code.len() == DIGITS && code.bytes().all(|digit| digit.is_ascii_digit())
}

/// Normalizes a code, because people type it with spaces, hyphens and full-width digits.
pub(crate) fn plain(code: &str) -> String {
    text::simplify(code).chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}

/// Generates recovery codes of 80 bits each. Returns them, and the digests to store.
pub(crate) fn draw_codes() -> (Vec<Secret>, Vec<[u8; 32]>) {
    let draw = |_| {
        let text = totp_rs::Secret::from(random::draw_bytes()[..10].to_vec()).to_base32();
        let digest = sha256(text.as_bytes());
        let parts: Vec<_> = text.as_bytes().chunks(4).map(String::from_utf8_lossy).collect();
        (Secret::new(parts.join("-")), digest)
    };
    (0..CODES).map(draw).unzip()
}

/// The code that an app shows, for tests that enrol one.
#[cfg(any(test, feature = "testing"))]
pub(crate) fn code_at(secret: &Secret, now: DateTime<Utc>) -> String {
    let secret = totp_rs::Secret::try_from_base32(secret.expose()).expect("it was drawn here");
    let totp = Builder::new().with_secret(secret).build().expect("it is long enough");
    totp.generate(u64::try_from(now.timestamp()).expect("after 1970")).to_string()
}

//! Randomness for ids, secrets and tokens. No other module uses a random number generator.

use chrono::{DateTime, SubsecRound as _, Utc};
use domain::{Secret, SessionId};
use uuid::Uuid;

/// The digits of base62.
pub(crate) const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const LINK_CHARS: usize = 43;

/// Appends uniformly random base62 characters until `text` is `length` bytes long.
pub(crate) fn extend_base62(text: &mut String, length: usize) {
    while text.len() < length {
        let mut bytes = [0; 32];
        fill(&mut bytes);
        // 248 = 4 × 62: larger bytes would favour the first characters.
        let drawn = bytes.into_iter().filter(|byte| *byte < 248).map(|byte| char::from(BASE62[usize::from(byte % 62)]));
        text.extend(drawn.take(length - text.len()));
    }
}

/// Returns a random secret of 256 bits, as 43 base62 characters, for the links of setup, invitations and calendar
/// feeds.
pub(crate) fn draw_link_secret() -> Secret {
    let mut secret = String::with_capacity(LINK_CHARS);
    extend_base62(&mut secret, LINK_CHARS);
    Secret::new(secret)
}

/// Returns a random seed of 160 bits, as RFC 4226 §4 recommends for one-time codes.
pub(crate) fn draw_seed() -> [u8; 20] {
    let mut bytes = [0; 20];
    fill(&mut bytes);
    bytes
}

/// Returns 16 random bytes, for password salts, recovery codes, and the ids of requests, error references and forms.
pub(crate) fn draw_bytes() -> [u8; 16] {
    let mut bytes = [0; 16];
    fill(&mut bytes);
    bytes
}

/// Returns random bytes, for secret keys and nonces.
pub(crate) fn draw_array<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}

/// Truncates a time to milliseconds, the precision of a UUID v7, so that keys sort the same by creation time and by id.
pub(crate) fn to_id_precision(now: DateTime<Utc>) -> DateTime<Utc> {
    now.trunc_subsecs(3)
}

/// Returns a new UUID v7 (RFC 9562 §5.7) for the given time.
pub(crate) fn new_id(now: DateTime<Utc>) -> Uuid {
    let mut random = [0; 10];
    fill(&mut random);
    let millis = u64::try_from(now.timestamp_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

/// Returns a new random UUID for a form, so that a form that is submitted twice creates only one thing.
pub fn new_form_id() -> String {
    uuid::Builder::from_random_bytes(draw_bytes()).into_uuid().to_string()
}

/// Returns a new id for a session that begins at `now`.
pub fn new_session_id(now: DateTime<Utc>) -> SessionId {
    SessionId(new_id(now))
}

/// Returns a new random id for a request, 32 hexadecimal digits. It marks the request's entries in the process's log.
pub fn new_request_id() -> String {
    Uuid::from_bytes(draw_bytes()).simple().to_string()
}

/// NOTE: panics if the operating system provides no randomness, because continuing without it would be worse.
fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system provides randomness");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_secret_is_43_letters_and_digits() {
        let secret = draw_link_secret();
        assert_eq!(secret.expose().len(), 43);
        assert!(secret.expose().bytes().all(|b| b.is_ascii_alphanumeric()));
    }
}

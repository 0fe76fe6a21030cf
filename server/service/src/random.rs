//! The only user of randomness: ids, and what secrets and tokens are drawn from.

use chrono::{DateTime, SubsecRound as _, Utc};
use domain::{Secret, SessionId};
use uuid::Uuid;

/// The digits of base62.
pub(crate) const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const LINK_CHARS: usize = 43;

/// Adds characters of base62, each as likely as any other, until the text has so many bytes.
pub(crate) fn extend_base62(text: &mut String, length: usize) {
    while text.len() < length {
        let mut bytes = [0; 32];
        fill(&mut bytes);
        // 248 = 4 × 62: larger bytes would favour the first characters.
        let drawn = bytes.into_iter().filter(|byte| *byte < 248).map(|byte| char::from(BASE62[usize::from(byte % 62)]));
        text.extend(drawn.take(length - text.len()));
    }
}

/// A random secret of 256 bits, 43 characters of base62, for links: set-up, invitations, calendar feeds.
pub(crate) fn draw_link_secret() -> Secret {
    let mut secret = String::with_capacity(LINK_CHARS);
    extend_base62(&mut secret, LINK_CHARS);
    Secret::new(secret)
}

/// A random seed of 160 bits, as RFC 4226 §4 recommends it for one-time codes.
pub(crate) fn draw_seed() -> [u8; 20] {
    let mut bytes = [0; 20];
    fill(&mut bytes);
    bytes
}

/// Sixteen random bytes: a password's salt, recovery codes, and the ids of requests, references and forms.
pub(crate) fn draw_bytes() -> [u8; 16] {
    let mut bytes = [0; 16];
    fill(&mut bytes);
    bytes
}

/// An instant as exactly as a UUID v7 holds it, to the millisecond: what was created then is in the order of its ids.
pub(crate) fn to_id_precision(now: DateTime<Utc>) -> DateTime<Utc> {
    now.trunc_subsecs(3)
}

/// A new UUID v7 (RFC 9562 §5.7) of the instant.
pub(crate) fn new_id(now: DateTime<Utc>) -> Uuid {
    let mut random = [0; 10];
    fill(&mut random);
    let millis = u64::try_from(now.timestamp_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

/// A fresh UUID for a form, so that the same form sent twice makes one thing.
pub fn new_form_id() -> String {
    uuid::Builder::from_random_bytes(draw_bytes()).into_uuid().to_string()
}

/// An id for a session that begins now.
pub fn new_session_id(now: DateTime<Utc>) -> SessionId {
    SessionId(new_id(now))
}

/// A fresh id for a request, by which its entries in the process's log are found: 32 hexadecimal digits.
pub fn new_request_id() -> String {
    Uuid::from_bytes(draw_bytes()).simple().to_string()
}

/// NOTE: panics when the operating system has no randomness, because going on without would be worse.
fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system gives randomness");
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

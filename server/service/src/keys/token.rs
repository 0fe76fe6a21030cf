//! Tokens: how they are drawn, checked without a database, and kept as digests. The only user of randomness.

use domain::{OwnerKind, Secret};
use sha2::{Digest, Sha256};
use uuid::Uuid;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BODY_CHARS: usize = 32;
const CHECK_CHARS: usize = 6;
const PREFIX_CHARS: usize = 4;
const LINK_CHARS: usize = 43;
/// The length of every token, in bytes.
pub const TOKEN_CHARS: usize = PREFIX_CHARS + BODY_CHARS + CHECK_CHARS;

/// SHA-256 of a whole token: what the database keeps of it.
pub type TokenDigest = [u8; 32];

/// The prefix of a kind of owner's tokens.
pub fn prefix(kind: OwnerKind) -> &'static str {
    match kind {
        OwnerKind::User => "lku_",
        OwnerKind::ServiceAccount => "lks_",
    }
}

/// Draws a new token (190 bits from the operating system) for a kind of owner.
pub fn draw(kind: OwnerKind) -> Secret {
    let mut token = String::with_capacity(TOKEN_CHARS);
    token.push_str(prefix(kind));
    extend_to(&mut token, PREFIX_CHARS + BODY_CHARS);
    let check = checksum(token.as_bytes());
    token.extend(check.map(char::from));
    Secret::new(token)
}

/// Adds characters of base62, each as likely as any other, until the text has so many bytes.
fn extend_to(text: &mut String, length: usize) {
    while text.len() < length {
        let mut bytes = [0; BODY_CHARS];
        fill(&mut bytes);
        // 248 = 4 × 62: larger bytes would favour the first characters.
        let drawn =
            bytes.into_iter().filter(|byte| *byte < 248).map(|byte| char::from(ALPHABET[usize::from(byte % 62)]));
        text.extend(drawn.take(length - text.len()));
    }
}

/// The digest of a well-formed token; `None` for any text that no `draw` ever made, found without a database.
pub fn digest_of(token: &str) -> Option<TokenDigest> {
    let bytes = token.as_bytes();
    let known_prefix = bytes.starts_with(b"lku_") || bytes.starts_with(b"lks_");
    if bytes.len() != TOKEN_CHARS || !known_prefix {
        return None;
    }
    let (text, check) = bytes.split_at(PREFIX_CHARS + BODY_CHARS);
    let clean = text[PREFIX_CHARS..].iter().all(u8::is_ascii_alphanumeric);
    (clean && checksum(text) == check).then(|| sha256(bytes))
}

/// Prefix and the first four characters of the body: enough to recognise, too little to guess.
pub fn hint_of(token: &Secret) -> String {
    token.expose().chars().take(PREFIX_CHARS + 4).collect()
}

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn checksum(text: &[u8]) -> [u8; CHECK_CHARS] {
    let mut rest = crc32fast::hash(text);
    let mut check = [b'0'; CHECK_CHARS];
    for place in check.iter_mut().rev() {
        *place = ALPHABET[(rest % 62) as usize];
        rest /= 62;
    }
    check
}

/// A random secret of 256 bits, 43 characters of base62, for links: set-up, invitations, calendar feeds.
pub fn draw_link_secret() -> Secret {
    let mut secret = String::with_capacity(LINK_CHARS);
    extend_to(&mut secret, LINK_CHARS);
    Secret::new(secret)
}

/// A random seed of 160 bits, as RFC 4226 §4 recommends it for one-time codes.
pub fn draw_seed() -> [u8; 20] {
    let mut bytes = [0; 20];
    fill(&mut bytes);
    bytes
}

/// An instant as exactly as a UUID v7 holds it, to the millisecond: what was made then is in the order of its ids.
pub fn made_at(now: chrono::DateTime<chrono::Utc>) -> chrono::DateTime<chrono::Utc> {
    use chrono::SubsecRound as _;
    now.trunc_subsecs(3)
}

/// A new UUID v7 (RFC 9562 §5.7) of the instant.
pub fn new_id(now: chrono::DateTime<chrono::Utc>) -> Uuid {
    let mut random = [0; 10];
    fill(&mut random);
    let millis = u64::try_from(now.timestamp_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

/// Sixteen random bytes: a password's salt, recovery codes, and the ids of requests, references and forms.
pub fn draw_bytes() -> [u8; 16] {
    let mut bytes = [0; 16];
    fill(&mut bytes);
    bytes
}

/// NOTE: panics when the operating system has no randomness, because going on without would be worse.
fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system gives randomness");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_token_has_the_published_form_and_its_own_digest() {
        for kind in [OwnerKind::User, OwnerKind::ServiceAccount] {
            let token = draw(kind);
            let text = token.expose();
            assert_eq!(text.len(), 42);
            assert!(text.starts_with(prefix(kind)));
            assert!(text[4..].bytes().all(|b| b.is_ascii_alphanumeric()));
            assert_eq!(digest_of(text), Some(sha256(text.as_bytes())));
        }
    }

    #[test]
    fn tokens_differ() {
        assert_ne!(draw(OwnerKind::User).expose(), draw(OwnerKind::User).expose());
    }

    #[test]
    fn a_link_secret_is_43_letters_and_digits() {
        let secret = draw_link_secret();
        assert_eq!(secret.expose().len(), 43);
        assert!(secret.expose().bytes().all(|b| b.is_ascii_alphanumeric()));
    }

    #[test]
    fn every_single_wrong_character_is_refused_by_the_checksum() {
        let token = draw(OwnerKind::User);
        for place in 4..TOKEN_CHARS {
            let mut bytes = token.expose().as_bytes().to_vec();
            bytes[place] = if bytes[place] == b'a' { b'b' } else { b'a' };
            assert_eq!(digest_of(std::str::from_utf8(&bytes).unwrap()), None, "place {place}");
        }
    }

    #[test]
    fn the_checksum_is_crc_32_of_all_before_it_in_base62() {
        // CRC-32/ISO-HDLC of "123456789" is the catalogue's check value 0xCBF43926 = 3421780262.
        let text: String = checksum(b"123456789").map(char::from).iter().collect();
        let value = text.bytes().fold(0u64, |sum, b| sum * 62 + ALPHABET.iter().position(|a| *a == b).unwrap() as u64);
        assert_eq!(value, 3_421_780_262);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_check_panic(text in "\\PC{0,60}") {
            prop_assert_eq!(digest_of(&text), None);
        }
    }
}

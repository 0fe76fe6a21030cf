//! The format of tokens, which is checked before anything is asked.

use std::ops::RangeInclusive;

use sha2::{Digest as _, Sha256};

/// The SHA-256 of a token. The token itself is never kept.
pub(crate) type TokenDigest = [u8; 32];

const PREFIXES: [&[u8]; 2] = [b"lku_", b"lks_"];
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// The length of a token.
const CHARS: usize = 42;
/// The length of the checksum at its end: the CRC-32 of everything before it, in base62.
const CHECK_CHARS: usize = 6;

/// The lengths of tokens that another system has made, in bytes.
const FOREIGN_CHARS: RangeInclusive<usize> = 8..=512;

/// Returns the digest of a well-formed token of Latchkey, and `None` for any other text.
pub(crate) fn digest_of(token: impl AsRef<[u8]>) -> Option<TokenDigest> {
    let bytes = token.as_ref();
    if !has_own_shape(bytes) {
        return None;
    }
    let (text, check) = bytes.split_at(CHARS - CHECK_CHARS);
    (checksum(text) == check).then(|| Sha256::digest(bytes).into())
}

/// Returns the digest of a text that can be the token of an imported key, and `None` for any other. A mistyped token of
/// Latchkey is none.
pub(crate) fn foreign_digest_of(token: impl AsRef<[u8]>) -> Option<TokenDigest> {
    let bytes = token.as_ref();
    let is_possible = FOREIGN_CHARS.contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
    (is_possible && !has_own_shape(bytes)).then(|| Sha256::digest(bytes).into())
}

/// Whether a text looks like a token of Latchkey, apart from its checksum.
fn has_own_shape(bytes: &[u8]) -> bool {
    let has_prefix = || PREFIXES.iter().any(|prefix| bytes.starts_with(prefix));
    bytes.len() == CHARS && has_prefix() && bytes[PREFIXES[0].len()..].iter().all(u8::is_ascii_alphanumeric)
}

fn checksum(text: &[u8]) -> [u8; CHECK_CHARS] {
    let mut rest = crc32fast::hash(text);
    let mut check = [b'0'; CHECK_CHARS];
    for place in check.iter_mut().rev() {
        *place = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    check
}

/// Returns a well-formed token, for tests.
#[cfg(test)]
pub(crate) fn example(number: u32) -> String {
    let text = format!("lks_{number:032}");
    let check: String = checksum(text.as_bytes()).map(char::from).iter().collect();
    text + &check
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_well_formed_token_has_a_digest() {
        let token = example(7);
        assert_eq!(digest_of(&token), Some(Sha256::digest(token.as_bytes()).into()));
        for place in 0..CHARS {
            let mut bytes = token.clone().into_bytes();
            bytes[place] = if bytes[place] == b'a' { b'b' } else { b'a' };
            assert_eq!(digest_of(&bytes), None, "place {place}");
            assert_eq!(foreign_digest_of(&bytes).is_some(), place < PREFIXES[0].len(), "place {place}");
        }
        for wrong in ["", "lks_", &token[1..], &format!("{token}0"), &token.to_uppercase(), "lks_ä", " "] {
            assert_eq!(digest_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_foreign_token_is_visible_ascii() {
        for token in ["12345678", "sk_live_51H8xq", "a:b=c+d/e~f!g", &"x".repeat(512)] {
            assert_eq!(foreign_digest_of(token), Some(Sha256::digest(token.as_bytes()).into()), "{token}");
        }
        for wrong in ["", "1234567", "sk_live 1", "sk_live_ä", &"x".repeat(513), &example(1)] {
            assert_eq!(foreign_digest_of(wrong), None, "{wrong}");
        }
    }
}

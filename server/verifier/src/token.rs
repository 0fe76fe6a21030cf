//! The format of tokens, which is checked before anything is asked.

use sha2::{Digest as _, Sha256};

/// The SHA-256 of a token. The token itself is never kept.
pub(crate) type TokenDigest = [u8; 32];

const PREFIXES: [&[u8]; 2] = [b"lku_", b"lks_"];
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// The length of a token.
const CHARS: usize = 42;
/// The length of the checksum at its end: the CRC-32 of everything before it, in base62.
const CHECK_CHARS: usize = 6;

/// Returns the digest of a well-formed token, and `None` for any other text, which can't be a key.
pub(crate) fn digest_of(token: impl AsRef<[u8]>) -> Option<TokenDigest> {
    let bytes = token.as_ref();
    if bytes.len() != CHARS || !PREFIXES.iter().any(|prefix| bytes.starts_with(prefix)) {
        return None;
    }
    let (text, check) = bytes.split_at(CHARS - CHECK_CHARS);
    let is_clean = text[PREFIXES[0].len()..].iter().all(u8::is_ascii_alphanumeric);
    (is_clean && checksum(text) == check).then(|| Sha256::digest(bytes).into())
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
        }
        for wrong in ["", "lks_", &token[1..], &format!("{token}0"), &token.to_uppercase(), "lks_ä", " "] {
            assert_eq!(digest_of(wrong), None, "{wrong}");
        }
    }
}

//! Tokens: generation, validation without a database, and digests.

use std::ops::RangeInclusive;

pub use domain::secret::TOKEN_PREFIXES;
use domain::{OwnerKind, Secret, secret::TOKEN_BODY};

use crate::{
    digest::sha256,
    random::{self, BASE62},
    storage::db::TokenDigest,
};

const BODY_CHARS: usize = 32;
const CHECK_CHARS: usize = 6;
const PREFIX_CHARS: usize = 4;
/// The length of every token, in bytes.
pub const TOKEN_CHARS: usize = PREFIX_CHARS + BODY_CHARS + CHECK_CHARS;

/// The lengths of tokens that another system has made, in bytes.
const FOREIGN_CHARS: RangeInclusive<usize> = 8..=512;

/// What is removed from texts is what is generated here.
const _: () = assert!(BODY_CHARS + CHECK_CHARS == TOKEN_BODY, "the domain's tokens have another length");

/// Matches every token, in the syntax that most regular expression libraries share. The checksum tells a token from
/// other texts that it matches.
pub const TOKEN_REGEX: &str = "lk[us]_[0-9A-Za-z]{38}";

/// Returns the prefix of the tokens of a kind of owner.
pub fn prefix(kind: OwnerKind) -> &'static str {
    match kind {
        OwnerKind::User => TOKEN_PREFIXES[0],
        OwnerKind::ServiceAccount => TOKEN_PREFIXES[1],
    }
}

/// Generates a token for a kind of owner, with 190 random bits from the operating system.
pub fn draw(kind: OwnerKind) -> Secret {
    let mut token = String::with_capacity(TOKEN_CHARS);
    token.push_str(prefix(kind));
    random::extend_base62(&mut token, PREFIX_CHARS + BODY_CHARS);
    let check = checksum(token.as_bytes());
    token.extend(check.map(char::from));
    Secret::new(token)
}

/// Returns the digest of a well-formed token, and `None` for any text that [`draw`] can't return. Needs no database.
pub fn digest_of(token: &str) -> Option<TokenDigest> {
    if !has_own_shape(token) {
        return None;
    }
    let bytes = token.as_bytes();
    let (text, check) = bytes.split_at(PREFIX_CHARS + BODY_CHARS);
    (checksum(text) == check).then(|| sha256(bytes))
}

/// Whether a text looks like a token of Latchkey, apart from its checksum.
pub(crate) fn has_own_shape(text: &str) -> bool {
    let bytes = text.as_bytes();
    let has_prefix = || TOKEN_PREFIXES.iter().any(|prefix| text.starts_with(prefix));
    bytes.len() == TOKEN_CHARS && has_prefix() && bytes[PREFIX_CHARS..].iter().all(u8::is_ascii_alphanumeric)
}

/// Whether a text can be the token of an imported key: 8 to 512 visible ASCII characters. A text that looks like
/// Latchkey's own tokens is none, so that a token with a wrong character is refused without a database.
pub(crate) fn may_be_foreign(text: &str) -> bool {
    FOREIGN_CHARS.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) && !has_own_shape(text)
}

/// Returns the digest of a text that can be the token of an imported key, and `None` for any other.
pub(crate) fn foreign_digest_of(text: &str) -> Option<TokenDigest> {
    may_be_foreign(text).then(|| sha256(text.as_bytes()))
}

/// Returns the prefix and the first four characters of the body: enough to recognise a token, too little to guess it.
pub fn hint_of(token: &Secret) -> String {
    token.expose().chars().take(PREFIX_CHARS + 4).collect()
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
        let value = text.bytes().fold(0u64, |sum, b| sum * 62 + BASE62.iter().position(|a| *a == b).unwrap() as u64);
        assert_eq!(value, 3_421_780_262);
    }

    #[test]
    fn a_foreign_token_is_visible_ascii_and_not_a_mistyped_token_of_latchkey() {
        let own = draw(OwnerKind::User);
        let mistyped = format!("{}{}", &own.expose()[..41], if own.expose().ends_with('0') { '1' } else { '0' });
        for text in ["12345678", "sk_live_51H8xq", "a:b=c+d/e~f!g", &"x".repeat(512), &mistyped[..41]] {
            assert_eq!(foreign_digest_of(text), Some(sha256(text.as_bytes())), "{text}");
        }
        let long = "x".repeat(513);
        for text in ["", "1234567", &long, "sk_live 1", "sk_live_\t1", "sk_live_é", own.expose(), &mistyped] {
            assert_eq!(foreign_digest_of(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_check_panic(text in "\\PC{0,60}") {
            prop_assert_eq!(digest_of(&text), None);
        }
    }
}

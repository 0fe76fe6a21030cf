//! Tokens that exist before their key: those of another system, of which only the SHA-256 is known, and those that an
//! operator has generated in advance.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use domain::{ApiError, OwnerKind, Secret};

use super::token;
use crate::{
    digest::{hex, of_hex, sha256},
    storage::db::TokenDigest,
};

const CONFIG: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
/// Both alphabets of base64, with or without padding.
const BASE64: [GeneralPurpose; 2] =
    [GeneralPurpose::new(&alphabet::URL_SAFE, CONFIG), GeneralPurpose::new(&alphabet::STANDARD, CONFIG)];

/// The most characters of a hint that is given for a token.
pub const MAX_HINT: usize = 16;
/// How many bytes of the digest the hint of an unknown token shows.
const HINTED_BYTES: usize = 4;

/// What an export hashes where it has no token.
const LOST: [&str; 9] = ["", "\n", "\r\n", " ", "null", "NULL", "nil", "None", "undefined"];

/// The token of a key that is created for a token that already exists. Contains its digest, never the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownToken {
    pub(crate) digest: TokenDigest,
    pub(crate) hint: String,
    /// Whether it has another format than Latchkey's own, or may have.
    pub(crate) is_imported: bool,
}

/// Reads a SHA-256: 64 hexadecimal digits, or 32 bytes in base64 or base64url, with or without padding.
///
/// # Errors
/// A field error at `sha256`, which doesn't contain the text: it may be a token.
pub fn read_sha256(text: &str) -> Result<[u8; 32], ApiError> {
    let found = if text.len() == 64 { of_hex(text) } else { of_base64(text) };
    if let Some(digest) = &found
        && let Some(lost) = LOST.into_iter().find(|lost| sha256(lost.as_bytes()) == *digest)
    {
        let what = if lost.trim().is_empty() { "an empty text".to_owned() } else { format!("the word “{lost}”") };
        return Err(ApiError::field("sha256", format!("This is the SHA-256 of {what}. The token itself is missing.")));
    }
    found.ok_or_else(|| {
        let detail = "This must be a SHA-256: 64 hexadecimal digits, or 32 bytes in base64 or base64url. It isn't the \
            token itself.";
        ApiError::field("sha256", detail)
    })
}

fn of_base64(text: &str) -> Option<[u8; 32]> {
    BASE64.iter().find_map(|base64| base64.decode(text).ok()?.try_into().ok())
}

impl KnownToken {
    /// Returns the token of another system, by its SHA-256. `hint`: its first characters, or another name by which people
    /// recognise it. Without one, the first digits of the digest are shown.
    ///
    /// # Errors
    /// A field error at `hint` if it is too long, has other characters than visible ASCII, or is the whole token.
    pub fn of_sha256(digest: [u8; 32], hint: Option<&str>) -> Result<Self, ApiError> {
        let hint = match hint {
            Some(hint) => checked_hint(hint, &digest)?,
            None => hint_of(&digest),
        };
        Ok(Self { digest, hint, is_imported: true })
    }

    /// Returns a token that the operator has. One in Latchkey's format must be for the kind of owner.
    ///
    /// # Errors
    /// A field error at `token`, which doesn't contain the token.
    pub fn of_token(token: &Secret, owner: OwnerKind) -> Result<Self, ApiError> {
        let wrong = |detail: &str| Err(ApiError::field("token", detail));
        let text = token.expose();
        if let Some(digest) = token::digest_of(text) {
            if !text.starts_with(token::prefix(owner)) {
                return wrong("This token begins like those of another kind of owner.");
            }
            return Ok(Self { digest, hint: token::hint_of(token), is_imported: false });
        }
        if token::has_own_shape(text) {
            return wrong("This token has a wrong checksum. Check that it was copied completely.");
        }
        match token::foreign_digest_of(text) {
            Some(digest) => Ok(Self { digest, hint: hint_of(&digest), is_imported: true }),
            None => wrong("A token must have 8 to 512 visible ASCII characters, without spaces."),
        }
    }

    /// The SHA-256 of the whole token.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Whether it has another format than Latchkey's own, or may have.
    pub fn is_imported(&self) -> bool {
        self.is_imported
    }
}

fn hint_of(digest: &TokenDigest) -> String {
    format!("sha256:{}", hex(&digest[..HINTED_BYTES]))
}

fn checked_hint(hint: &str, digest: &TokenDigest) -> Result<String, ApiError> {
    let wrong = |detail: String| Err(ApiError::field("hint", detail));
    if hint.is_empty() || hint.len() > MAX_HINT || !hint.bytes().all(|byte| byte.is_ascii_graphic()) {
        return wrong(format!("This must have 1 to {MAX_HINT} visible ASCII characters, without spaces."));
    }
    if sha256(hint.as_bytes()) == *digest {
        return wrong("This is the whole token. Give no more than its first characters.".to_owned());
    }
    Ok(hint.to_owned())
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    use super::*;

    fn field<T>(result: Result<T, ApiError>) -> String {
        result.err().unwrap().fields[0].field.clone()
    }

    proptest! {
        #[test]
        fn a_digest_is_read_from_every_form_in_which_it_is_stored(digest in any::<[u8; 32]>()) {
            let hex = hex(&digest);
            let forms = [
                hex.to_uppercase(),
                hex,
                STANDARD.encode(digest),
                STANDARD_NO_PAD.encode(digest),
                URL_SAFE.encode(digest),
                URL_SAFE_NO_PAD.encode(digest),
            ];
            for form in forms {
                prop_assert_eq!(read_sha256(&form), Ok(digest), "{}", form);
            }
        }

        #[test]
        fn any_other_text_is_refused_and_not_repeated(text in "\\PC{1,80}") {
            if let Err(error) = read_sha256(&text) {
                let shown = format!("{error:?}");
                prop_assert!(text.len() < 20 || !shown.contains(&text));
            } else {
                // Only 32 bytes have these lengths.
                prop_assert!([43, 44, 64].contains(&text.len()), "{}", text);
            }
        }

        #[test]
        fn a_digest_that_lacks_a_character_is_refused(digest in any::<[u8; 32]>(), place in 0..43_usize) {
            for mut form in [hex(&digest), URL_SAFE_NO_PAD.encode(digest)] {
                form.remove(place);
                prop_assert!(read_sha256(&form).is_err(), "{}", form);
            }
        }
    }

    #[test]
    fn digests_with_other_characters_or_lengths_are_refused() {
        let hex = "0".repeat(64);
        let wrong = ["", "0", &hex[1..], &format!("{hex}0"), &hex.replacen('0', "g", 1), &format!(" {}", &hex[1..])];
        // The last character has two bits that are no part of the 32 bytes.
        let trailing = format!("{}B", "A".repeat(42));
        for text in wrong.into_iter().chain([trailing.as_str(), &format!("{}+_A", "A".repeat(40))]) {
            assert_eq!(field(read_sha256(text)), "sha256", "{text}");
        }
    }

    #[test]
    fn the_digest_of_no_token_is_refused() {
        for lost in LOST {
            let error = read_sha256(&hex(&sha256(lost.as_bytes()))).unwrap_err();
            assert!(error.at("sha256").unwrap().contains("is missing"), "{lost:?}");
        }
        assert!(read_sha256(&STANDARD.encode(sha256(b""))).is_err());
        assert!(read_sha256(&hex(&sha256(b"nullable"))).is_ok());
    }

    #[test]
    fn a_hint_is_short_and_never_the_token() {
        let digest = sha256(b"sk_live_abc");
        let hint = |hint: &str| KnownToken::of_sha256(digest, Some(hint));
        assert_eq!(hint("sk_live_ab").unwrap().hint, "sk_live_ab");
        assert_eq!(KnownToken::of_sha256(digest, None).unwrap().hint, format!("sha256:{}", hex(&digest[..4])));
        for wrong in ["", "sk live", "sk_live_é", "sk_live_abc", "sk_live_abcdefghi"] {
            assert_eq!(field(hint(wrong)), "hint", "{wrong}");
        }
    }

    #[test]
    fn a_given_token_is_checked_and_never_shown() {
        let of = |text: &str, kind| KnownToken::of_token(&Secret::new(text), kind);
        let own = token::draw(OwnerKind::ServiceAccount);
        let known = of(own.expose(), OwnerKind::ServiceAccount).unwrap();
        assert_eq!((known.is_imported, known.hint.as_str()), (false, &own.expose()[..8]));
        let foreign = of("sk_live_1234567890abcdef", OwnerKind::User).unwrap();
        assert!(foreign.is_imported && foreign.hint.starts_with("sha256:"));
        let (rest, last) = own.expose().split_at(own.expose().len() - 1);
        let typo = format!("{rest}{}", if last == "0" { "1" } else { "0" });
        for (wrong, kind) in [
            (own.expose(), OwnerKind::User),
            (typo.as_str(), OwnerKind::ServiceAccount),
            ("", OwnerKind::User),
            ("1234567", OwnerKind::User),
            ("with a space in it", OwnerKind::User),
            ("émile-and-his-token", OwnerKind::User),
            (&"a".repeat(513), OwnerKind::User),
        ] {
            let error = of(wrong, kind).unwrap_err();
            assert_eq!(error.fields[0].field, "token");
            assert!(wrong.is_empty() || !format!("{error:?}").contains(wrong), "{wrong}");
        }
    }
}

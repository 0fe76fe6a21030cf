//! Secret keys, and the authenticated encryption with them (XChaCha20-Poly1305).

use base64::{Engine as _, engine::general_purpose::GeneralPurpose, prelude::BASE64_STANDARD};
use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit, Payload},
};
use domain::Secret;
use uuid::Uuid;

use crate::{
    digest::{hex, sha256},
    random,
    storage::sealed::{Purpose, Sealed},
};

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
/// How many bytes of the digest of a key are its id.
const ID_BYTES: usize = 8;

/// A secret key. Its id is part of the digest of the key, so that a wrong key is noticed by its id alone.
#[derive(Clone)]
pub(crate) struct SecretKey {
    id: String,
    text: Secret,
    cipher: XChaCha20Poly1305,
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecretKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl SecretKey {
    /// Returns a new random key.
    pub(crate) fn draw() -> Self {
        Self::of(&random::draw_array())
    }

    /// Parses a key: 32 bytes in Base64, with or without padding.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        const ALPHABET: GeneralPurpose = GeneralPurpose::new(
            &base64::alphabet::STANDARD,
            base64::engine::GeneralPurposeConfig::new()
                .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
        );
        let bytes: [u8; KEY_BYTES] = ALPHABET.decode(text).ok()?.try_into().ok()?;
        Some(Self::of(&bytes))
    }

    fn of(bytes: &[u8; KEY_BYTES]) -> Self {
        let digest = sha256(&[b"latchkey secret key id".as_slice(), bytes.as_slice()].concat());
        let id = hex(&digest[..ID_BYTES]);
        let text = Secret::new(BASE64_STANDARD.encode(bytes));
        Self { id, text, cipher: XChaCha20Poly1305::new(bytes.into()) }
    }

    /// Returns the id, 16 hexadecimal digits. It isn't secret.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Returns the key in Base64.
    pub(crate) fn text(&self) -> &Secret {
        &self.text
    }

    /// Encrypts a value. It can only be decrypted for the same purpose and row. `None` if it is too long to encrypt.
    pub(crate) fn seal(&self, purpose: Purpose, row: Uuid, value: &[u8]) -> Option<Sealed> {
        let nonce: [u8; NONCE_BYTES] = random::draw_array();
        let aad = context(purpose, row);
        let encrypted = self.cipher.encrypt(&XNonce::from(nonce), Payload { msg: value, aad: &aad }).ok()?;
        Some(Sealed { key_id: self.id.clone(), bytes: [nonce.as_slice(), &encrypted].concat() })
    }

    /// Decrypts a value. `None` if it wasn't encrypted with this key, for this purpose and this row, or was changed.
    pub(crate) fn open(&self, purpose: Purpose, row: Uuid, sealed: &Sealed) -> Option<Vec<u8>> {
        let (nonce, encrypted) = sealed.bytes.split_first_chunk::<NONCE_BYTES>()?;
        let aad = context(purpose, row);
        self.cipher.decrypt(&XNonce::from(*nonce), Payload { msg: encrypted, aad: &aad }).ok()
    }
}

/// Returns the associated data, which binds a value to its place in the database.
fn context(purpose: Purpose, row: Uuid) -> Vec<u8> {
    format!("latchkey/{}/{row}", purpose.as_str()).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_opens_only_with_its_key_in_its_row_and_unchanged() {
        let (key, row) = (SecretKey::draw(), Uuid::from_u128(7));
        let sealed = key.seal(Purpose::SecondFactor, row, b"a seed").unwrap();
        let again = key.seal(Purpose::SecondFactor, row, b"a seed").unwrap();
        assert_ne!(sealed.bytes, again.bytes, "equal values look different");
        assert_eq!(key.open(Purpose::SecondFactor, row, &sealed).as_deref(), Some(b"a seed".as_slice()));
        assert!(key.open(Purpose::SecondFactor, Uuid::from_u128(8), &sealed).is_none(), "moved to another row");
        assert!(SecretKey::draw().open(Purpose::SecondFactor, row, &sealed).is_none());
        for at in 0..sealed.bytes.len() {
            let mut changed = sealed.clone();
            changed.bytes[at] ^= 1;
            assert!(key.open(Purpose::SecondFactor, row, &changed).is_none(), "byte {at}");
            changed.bytes.truncate(at);
            assert!(key.open(Purpose::SecondFactor, row, &changed).is_none(), "cut at {at}");
        }
    }

    #[test]
    fn a_key_is_32_bytes_in_base64_and_its_id_depends_on_it_alone() {
        let key = SecretKey::draw();
        let text = key.text().expose().to_owned();
        assert_eq!(SecretKey::parse(&text).unwrap().id(), key.id());
        assert_eq!(SecretKey::parse(text.trim_end_matches('=')).unwrap().id(), key.id(), "without padding");
        assert_ne!(SecretKey::draw().id(), key.id());
        assert_eq!(key.id().len(), 16);
        for bad in ["", "secret", "c2hvcnQ=", &text[1..], &format!("{text}AAAA")] {
            assert!(SecretKey::parse(bad).is_none(), "{bad}");
        }
        assert!(!format!("{key:?}").contains(&text));
    }
}

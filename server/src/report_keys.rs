//! The public keys that sign leak reports, in a file of the form of `https://api.github.com/meta/public_keys/secret_scanning`.

use std::path::{Path, PathBuf};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use rustls_pki_types::{SubjectPublicKeyInfoDer, pem::PemObject};
use serde::Deserialize;
use webpki::{RawPublicKeyEntity, ring::ECDSA_P256_SHA256};

/// The maximum size of the file, in bytes.
const MAX_FILE: u64 = 1_024 * 1_024;

/// The file. It is read again for each signed report, so that it can be replaced while the server runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportKeys(PathBuf);

/// Why the file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ReportKeysError {
    /// It can't be read.
    #[error("the file can't be read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// It doesn't have GitHub's form.
    #[error("the file must contain JSON with \"public_keys\", a list of objects with \"key_identifier\" and \"key\"")]
    Malformed,
    /// It contains no keys.
    #[error("the file contains no keys")]
    Empty,
    /// A key isn't an ECDSA key.
    #[error("the key {0} isn't a public key in PEM format")]
    Key(String),
}

/// Why a signature is rejected.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignatureError {
    /// The file has changed since the server started, and can't be used any more.
    #[error(transparent)]
    Keys(#[from] ReportKeysError),
    /// No key has the identifier, or the signature doesn't match.
    #[error("the signature doesn't match")]
    Mismatch,
}

#[derive(Deserialize)]
struct KeyFile {
    public_keys: Vec<PublicKey>,
}

#[derive(Deserialize)]
struct PublicKey {
    key_identifier: String,
    /// In PEM format.
    key: String,
}

impl PublicKey {
    fn parse(&self) -> Result<SubjectPublicKeyInfoDer<'static>, ReportKeysError> {
        let invalid = || ReportKeysError::Key(self.key_identifier.clone());
        let key = SubjectPublicKeyInfoDer::from_pem_slice(self.key.as_bytes()).map_err(|_| invalid())?;
        RawPublicKeyEntity::try_from(&key).map_err(|_| invalid())?;
        Ok(key)
    }
}

impl ReportKeys {
    /// Uses a file.
    ///
    /// # Errors
    /// When the file can't be read, or contains anything but keys.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ReportKeysError> {
        let file = Self(path.as_ref().to_owned());
        parse(&service::read_regular(&file.0, MAX_FILE)?)?;
        Ok(file)
    }

    /// Checks a signature, ECDSA with P-256 and SHA-256 in DER, over a body.
    ///
    /// # Errors
    /// When it doesn't match, or the file can't be used any more.
    pub(crate) async fn verify(&self, identifier: &str, signature: &str, body: &[u8]) -> Result<(), SignatureError> {
        let path = self.0.clone();
        let read = tokio::task::spawn_blocking(move || service::read_regular(&path, MAX_FILE)).await;
        let keys = parse(&read.map_err(std::io::Error::from).flatten().map_err(ReportKeysError::from)?)?;
        let key = keys.iter().find(|key| key.key_identifier == identifier).ok_or(SignatureError::Mismatch)?.parse()?;
        let signature = BASE64_STANDARD.decode(signature.trim()).map_err(|_| SignatureError::Mismatch)?;
        let key = RawPublicKeyEntity::try_from(&key).map_err(|_| SignatureError::Mismatch)?;
        key.verify_signature(ECDSA_P256_SHA256, body, &signature).map_err(|_| SignatureError::Mismatch)
    }
}

fn parse(bytes: &[u8]) -> Result<Vec<PublicKey>, ReportKeysError> {
    let file: KeyFile = serde_json::from_slice(bytes).map_err(|_| ReportKeysError::Malformed)?;
    if file.public_keys.is_empty() {
        return Err(ReportKeysError::Empty);
    }
    for key in &file.public_keys {
        key.parse()?;
    }
    Ok(file.public_keys)
}

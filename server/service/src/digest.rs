//! SHA-256. The database stores digests of tokens and secrets, never the values themselves.

use sha2::{Digest as _, Sha256};

/// Returns the SHA-256 digest of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

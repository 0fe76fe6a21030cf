//! SHA-256, by which the database knows tokens and secrets without keeping them.

use sha2::{Digest as _, Sha256};

/// SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

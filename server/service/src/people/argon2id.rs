//! argon2id (RFC 9106) in memory that is reused while others wait, and that returns to the operating system afterwards.

use std::sync::{Mutex, PoisonError};

use argon2::{
    Algorithm, Argon2, Block, Params, PasswordHash, Version,
    password_hash::{Output, ParamsString, Salt, SaltString},
};

use crate::{
    error::{Error, Result},
    random,
};

/// Memory of one hash in KiB, and its passes (OWASP Password Storage: argon2id, m=19 MiB, t=2, p=1).
const MEMORY_KIB: u32 = 19 * 1_024;
const PASSES: u32 = 2;
const OUTPUT_BYTES: usize = 32;

/// How much address space one hash reserves, in blocks of a KiB. glibc maps only allocations of more than 32 MiB
/// separately whatever was freed before, and unmaps them when they are freed. Smaller ones stay with the thread that
/// made them. Pages that are reserved and never touched use no memory.
const RESERVED_BLOCKS: usize = 33 * 1_024;

/// Memory of hashes that have ended, for the next ones.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<Vec<Vec<Block>>>);

impl Memory {
    /// Runs `work` with memory for a hash, which is kept afterwards until [`Memory::release`].
    pub(crate) fn lend<T>(&self, work: impl FnOnce(&mut Vec<Block>) -> T) -> T {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut blocks = kept.unwrap_or_else(|| Vec::with_capacity(RESERVED_BLOCKS));
        let outcome = work(&mut blocks);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(blocks);
        outcome
    }

    /// Returns the memory that isn't lent to the system.
    pub(crate) fn release(&self) {
        let kept = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        drop(kept);
    }
}

/// Hashes a password. Returns it in the PHC string format.
pub(crate) fn hash(password: &[u8], blocks: &mut Vec<Block>) -> Result<String> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, Some(OUTPUT_BYTES)).map_err(|cause| fault("parameters", cause))?;
    let salt_bytes = random::draw_bytes();
    let salt = SaltString::encode_b64(&salt_bytes).map_err(|cause| fault("salt", cause))?;
    let written = ParamsString::try_from(&params).map_err(|cause| fault("parameters", cause))?;
    let output = compute((Algorithm::Argon2id, Version::V0x13, params), password, &salt_bytes, blocks, OUTPUT_BYTES)?;
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: written,
        salt: Some(Salt::from(&salt)),
        hash: Some(output),
    };
    Ok(hash.to_string())
}

/// Whether a stored hash is that of a password. Compares in constant time.
pub(crate) fn verify(password: &[u8], hash: &str, blocks: &mut Vec<Block>) -> Result<bool> {
    let stored = PasswordHash::new(hash).map_err(|cause| fault("stored hash", cause))?;
    let (Some(salt), Some(expected)) = (stored.salt, stored.hash) else {
        return Err(Error::Fault("argon2, stored hash: it is incomplete".to_owned()));
    };
    let mut buffer = [0; 64];
    let salt = salt.decode_b64(&mut buffer).map_err(|cause| fault("stored salt", cause))?;
    let algorithm = Algorithm::try_from(stored.algorithm).map_err(|cause| fault("stored algorithm", cause))?;
    let version = stored.version.unwrap_or(Version::V0x13.into());
    let version = Version::try_from(version).map_err(|cause| fault("stored version", cause))?;
    let params = Params::try_from(&stored).map_err(|cause| fault("stored parameters", cause))?;
    Ok(compute((algorithm, version, params), password, salt, blocks, expected.len())? == expected)
}

fn compute(
    (algorithm, version, params): (Algorithm, Version, Params),
    password: &[u8],
    salt: &[u8],
    blocks: &mut Vec<Block>,
    length: usize,
) -> Result<Output> {
    blocks.resize(params.block_count(), Block::new());
    let argon2 = Argon2::new(algorithm, version, params);
    let output = Output::init_with(length, |out| {
        Ok(argon2.hash_password_into_with_memory(password, salt, out, blocks.as_mut_slice())?)
    });
    output.map_err(|cause| fault("hash", cause))
}

fn fault(what: &str, cause: impl std::fmt::Display) -> Error {
    Error::Fault(format!("argon2, {what}: {cause}"))
}

#[cfg(test)]
mod tests {
    use argon2::{PasswordHasher, PasswordVerifier};

    use super::*;

    #[test]
    fn hashes_in_used_memory_are_those_of_the_library() {
        let memory = Memory::default();
        for password in ["seven lamps under the pier", "семь ламп под причалом", ""] {
            let hash = memory.lend(|blocks| hash(password.as_bytes(), blocks)).unwrap();
            let parsed = PasswordHash::new(&hash).unwrap();
            assert!(Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok(), "{hash}");
            assert!(memory.lend(|blocks| verify(password.as_bytes(), &hash, blocks)).unwrap());
            assert!(!memory.lend(|blocks| verify(b"another", &hash, blocks)).unwrap());
        }
    }

    #[test]
    fn hashes_with_other_parameters_are_still_verified() {
        let params = Params::new(64, 3, 2, Some(24)).unwrap();
        let old = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let salt = SaltString::encode_b64(b"sixteen bytes...").unwrap();
        let hash = old.hash_password(b"seven lamps", &salt).unwrap().to_string();
        let mut blocks = Vec::new();
        assert!(verify(b"seven lamps", &hash, &mut blocks).unwrap() && !verify(b"seven", &hash, &mut blocks).unwrap());
        assert!(verify(b"seven lamps", "not a hash", &mut blocks).is_err());
    }

    #[test]
    fn memory_is_reused_until_it_is_released() {
        let memory = Memory::default();
        memory.lend(|blocks| blocks.resize(1, Block::new()));
        memory.lend(|blocks| assert_eq!(blocks.len(), 1));
        memory.release();
        memory.lend(|blocks| assert!(blocks.is_empty()));
    }
}

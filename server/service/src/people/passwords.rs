//! Passwords: argon2id behind a semaphore, and the rules for new ones (OWASP ASVS 5.0, V6.2; NIST SP 800-63B §3.1.1.2).

use argon2::{
    Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version,
    password_hash::{Salt, SaltString},
};
use domain::{ApiError, ErrorCode, Secret};
use tokio::sync::Semaphore;
use zxcvbn::Score;

use crate::{
    error::{Error, Result},
    random,
};

/// The shortest password, in characters.
pub const MIN_CHARS: usize = 15;
/// The longest accepted password, in bytes. Far more than the 128 characters that must be accepted.
pub const MAX_BYTES: usize = 1_024;
/// Memory of one hash in KiB, and its passes (OWASP Password Storage: argon2id, m=19 MiB, t=2, p=1).
const MEMORY_KIB: u32 = 19 * 1_024;
const PASSES: u32 = 2;
/// How many passwords per core may wait to be hashed.
const QUEUE_PER_CORE: usize = 8;

/// Passphrases that are well known although they look random, and the product's name.
const WELL_KNOWN: [&str; 4] =
    ["correct horse battery staple", "correct-horse-battery-staple", "correcthorsebatterystaple", "latchkey"];

/// Checks a new password. `related`: texts that make it easy to guess, such as the user's name, address and tenant.
///
/// # Errors
/// A field error at `password`.
pub fn check_new(password: &Secret, related: &[&str]) -> std::result::Result<(), ApiError> {
    let text = password.expose();
    if text.chars().count() < MIN_CHARS {
        return Err(ApiError::field("password", "Use at least 15 characters. Tip: use several unrelated words."));
    }
    if text.len() > MAX_BYTES {
        return Err(ApiError::field("password", "Use at most 1,024 bytes."));
    }
    let known: Vec<&str> = WELL_KNOWN.iter().chain(related).copied().collect();
    // A score of 3 means at least 10⁸ guesses: safe against guessing at a hash that is as slow as argon2id.
    if zxcvbn::zxcvbn(text, &known).score() < Score::Three {
        return Err(ApiError::field("password", "This password is easy to guess. Choose several unrelated words."));
    }
    Ok(())
}

/// Hashes and verifies passwords, a limited number at a time.
#[derive(Debug)]
pub(crate) struct Hasher {
    running: Semaphore,
    queue: Semaphore,
    decoy: String,
}

impl Hasher {
    /// Creates a hasher that runs one hash per core at a time.
    pub(crate) fn new() -> Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let decoy = hash_now(&Secret::new("a password that nobody has"))?;
        Ok(Self { running: Semaphore::new(cores), queue: Semaphore::new(cores * (1 + QUEUE_PER_CORE)), decoy })
    }

    /// Hashes a password.
    pub(crate) async fn hash(&self, password: Secret) -> Result<String> {
        self.in_queue(move || hash_now(&password)).await
    }

    /// Compares a password with a hash. Without a hash (unknown address), takes the same time and returns false.
    pub(crate) async fn verify(&self, password: Secret, hash: Option<String>) -> Result<bool> {
        let there = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.decoy.clone());
        let equal = self.in_queue(move || verify_now(&password, &hash)).await?;
        Ok(there && equal)
    }

    async fn in_queue<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        let Ok(_queued) = self.queue.try_acquire() else {
            let busy = ApiError::new(
                ErrorCode::RateLimited,
                "Too many people are signing in right now. Try again in a few seconds.",
            );
            return Err(ApiError { retry_after: Some(2), ..busy }.into());
        };
        let _running = self.running.acquire().await.map_err(|_| Error::Fault("the hasher is closed".to_owned()))?;
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|cause| Error::Fault(format!("hashing didn't complete: {cause}")))?
    }
}

fn argon2() -> Result<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(|cause| Error::Fault(format!("argon2: {cause}")))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash_now(password: &Secret) -> Result<String> {
    let salt = SaltString::encode_b64(&random::draw_bytes()).map_err(|cause| Error::Fault(format!("salt: {cause}")))?;
    let hash = argon2()?.hash_password(password.expose().as_bytes(), Salt::from(&salt));
    hash.map(|hash| hash.to_string()).map_err(|cause| Error::Fault(format!("argon2: {cause}")))
}

fn verify_now(password: &Secret, hash: &str) -> Result<bool> {
    let parsed = PasswordHash::new(hash).map_err(|cause| Error::Fault(format!("stored hash: {cause}")))?;
    Ok(password.expose().len() <= MAX_BYTES && argon2()?.verify_password(password.expose().as_bytes(), &parsed).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_common_repeated_and_personal_passwords_are_refused() {
        for bad in [
            "short",
            "passwordpassword",
            "aaaaaaaaaaaaaaaa",
            "abcabcabcabcabcabc",
            "1234567890123456",
            "ada@example.org12",
            "qwertyuiopasdfgh",
            "Administrator123",
            "iloveyouforever1",
            "P@ssw0rdP@ssw0rd",
            "latchkeylatchkey",
        ] {
            assert!(check_new(&Secret::new(bad), &["ada@example.org"]).is_err(), "{bad}");
        }
        assert!(check_new(&Secret::new("correct horse battery staple"), &[]).is_err(), "everybody knows that one");
        assert!(check_new(&Secret::new("seven lamps under the pier"), &["Ada"]).is_ok());
        let long =
            "семь ламп под причалом, рыжая кошка на крыше и ещё сорок восемь вёдер синей краски для старого забора "
                .to_owned()
                + "у реки, где никто не живёт";
        assert!(long.chars().count() >= 128 && check_new(&Secret::new(&long), &[]).is_ok());
    }

    #[tokio::test]
    async fn a_hash_verifies_its_password_and_no_other() {
        let hasher = Hasher::new().unwrap();
        let hash = hasher.hash(Secret::new("seven lamps under the pier")).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(hasher.verify(Secret::new("seven lamps under the pier"), Some(hash.clone())).await.unwrap());
        assert!(!hasher.verify(Secret::new("seven lamps under the quay"), Some(hash)).await.unwrap());
        assert!(!hasher.verify(Secret::new("a password that nobody has"), None).await.unwrap());
    }
}

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

/// How much of the beginning and of the end of a password is judged, in characters. The estimate tries every
/// combination of substitutions like `4` for `a`, which takes seconds for a hundred characters.
const JUDGED_CHARS: usize = 24;
/// How many letters and digits a password must have besides the words in `related`.
const MIN_OWN_CHARS: usize = 6;

/// Checks a new password, in up to a tenth of a second. See [`Hasher::check_new`].
fn check_new(password: &Secret, related: &[String]) -> std::result::Result<(), ApiError> {
    let text = password.expose();
    if text.chars().count() < MIN_CHARS {
        return Err(ApiError::field("password", "Use at least 15 characters. Tip: use several unrelated words."));
    }
    if text.len() > MAX_BYTES {
        return Err(ApiError::field("password", "Use at most 1,024 bytes."));
    }
    let related = related.iter().flat_map(|text| text.split(|part: char| !part.is_alphanumeric()));
    let related: Vec<String> = related.filter(|word| word.chars().count() > 2).map(str::to_lowercase).collect();
    let known: Vec<&str> = WELL_KNOWN.into_iter().chain(related.iter().map(String::as_str)).collect();
    let chars: Vec<char> = text.chars().collect();
    let ends = [&chars[..chars.len().min(JUDGED_CHARS)], &chars[chars.len().saturating_sub(JUDGED_CHARS)..]];
    // A score of 4 means at least 10¹⁰ guesses.
    let is_hard = |part: &&[char]| zxcvbn::zxcvbn(&String::from_iter(*part), &known).score() == Score::Four;
    let is_known = WELL_KNOWN.contains(&text.to_lowercase().as_str());
    if !is_known && has_own_chars(text, &related) && ends.iter().any(is_hard) {
        return Ok(());
    }
    Err(ApiError::field("password", "This password is easy to guess. Choose several unrelated words."))
}

/// Whether a password is more than the given words, in whatever order.
fn has_own_chars(text: &str, words: &[String]) -> bool {
    let rest = words.iter().fold(text.to_lowercase(), |rest, word| rest.replace(word.as_str(), ""));
    rest.chars().filter(|own| own.is_alphanumeric()).count() >= MIN_OWN_CHARS
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

    /// Checks a new password outside the async threads. `related`: texts that make it easy to guess, such as the user's
    /// name, address and tenant. The inner result is a field error at `password`.
    pub(crate) async fn check_new(
        &self,
        password: &Secret,
        related: &[&str],
    ) -> Result<std::result::Result<(), ApiError>> {
        let (password, related) = (password.clone(), related.iter().map(|&text| text.to_owned()).collect::<Vec<_>>());
        self.in_queue(move || Ok(check_new(&password, &related))).await
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
        let check = |password: &str, related: &[&str]| {
            let related: Vec<String> = related.iter().map(|&text| text.to_owned()).collect();
            check_new(&Secret::new(password), &related)
        };
        for bad in [
            "short",
            "passwordpassword",
            "aaaaaaaaaaaaaaaa",
            "abcabcabcabcabcabc",
            "1234567890123456",
            "qwertyuiopasdfgh",
            "Administrator123",
            "iloveyouforever1",
            "P@ssw0rdP@ssw0rd",
            "latchkeylatchkey",
            "correct horse battery staple",
        ] {
            assert!(check(bad, &[]).is_err(), "{bad}");
        }
        let related = ["wilhelmina.ptarmigan@quokkafield.example", "Wilhelmina Ptarmigan", "Zebra Quarry & Söhne"];
        for own in [
            "wilhelmina.ptarmigan",
            "WilhelminaPtarmigan1!",
            "quokkafieldquokkafield",
            "Zebra Quarry & Söhne",
            "zebraquarry1234",
        ] {
            assert!(check(own, &related).is_err(), "{own}");
        }
        assert!(check("seven lamps under the pier", &related).is_ok());
        assert!(check(&("1".repeat(100) + "vermilion goat sundial orbit"), &related).is_ok(), "the end is good");
        let long =
            "семь ламп под причалом, рыжая кошка на крыше и ещё сорок восемь вёдер синей краски для старого забора "
                .to_owned()
                + "у реки, где никто не живёт";
        assert!(long.chars().count() >= 128 && check(&long, &[]).is_ok());
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

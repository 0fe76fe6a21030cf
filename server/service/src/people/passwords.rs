//! Passwords: argon2id behind a queue, and the rules for new ones (OWASP ASVS 5.0, V6.2; NIST SP 800-63B §3.1.1.2).

use std::sync::Arc;

use domain::{ApiError, ErrorCode, Secret, usage::number_text};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use zxcvbn::Score;

use super::argon2id::{self, Memory};
use crate::{
    error::{Error, Result},
    text,
};

/// The shortest password, in characters.
pub const MIN_CHARS: usize = 15;
/// The longest accepted password, in bytes. Far more than the 128 characters that must be accepted.
pub const MAX_BYTES: usize = 1_024;
/// How many passwords per core may wait to be hashed.
const QUEUE_PER_CORE: usize = 8;
/// How many more may wait per core, for browsers in which the user has signed in before.
const RESERVED_PER_CORE: usize = 2;

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
    let text = text::simplify(password.expose());
    if text.chars().count() < MIN_CHARS {
        let message = format!("Use at least {MIN_CHARS} characters. Tip: use several unrelated words.");
        return Err(ApiError::field("password", message));
    }
    if text.len().max(password.expose().len()) > MAX_BYTES {
        return Err(ApiError::field("password", format!("Use at most {} bytes.", number_text(MAX_BYTES as u64))));
    }
    let related = related.iter().flat_map(|text| text.split(|part: char| !part.is_alphanumeric()));
    let related: Vec<String> = related.filter(|word| word.chars().count() > 2).map(str::to_lowercase).collect();
    let known: Vec<&str> = WELL_KNOWN.into_iter().chain(related.iter().map(String::as_str)).collect();
    let chars: Vec<char> = text.chars().collect();
    let ends = [&chars[..chars.len().min(JUDGED_CHARS)], &chars[chars.len().saturating_sub(JUDGED_CHARS)..]];
    // A score of 4 means at least 10¹⁰ guesses.
    let is_hard = |part: &&[char]| zxcvbn::zxcvbn(&String::from_iter(*part), &known).score() == Score::Four;
    let is_known = WELL_KNOWN.contains(&text.to_lowercase().as_str());
    if !is_known && has_own_chars(&text, &related) && ends.iter().any(is_hard) {
        return Ok(());
    }
    Err(ApiError::field("password", "This password is easy to guess. Choose several unrelated words."))
}

/// Whether a password is more than the given words, in whatever order.
fn has_own_chars(text: &str, words: &[String]) -> bool {
    let rest = words.iter().fold(text.to_lowercase(), |rest, word| rest.replace(word.as_str(), ""));
    rest.chars().filter(|own| own.is_alphanumeric()).count() >= MIN_OWN_CHARS
}

/// Hashes and verifies passwords, a limited number at a time. Work that has begun keeps its place until it is done, even
/// if the caller has gone away.
#[derive(Debug)]
pub(crate) struct Hasher {
    queue: Arc<Semaphore>,
    /// Places for browsers in which the user has signed in before, so that a flood of strangers can't take all.
    reserved: Arc<Semaphore>,
    running: Arc<Semaphore>,
    cores: usize,
    memory: Arc<Memory>,
    decoy: String,
}

/// A place in the queue of a [`Hasher`].
#[derive(Debug)]
pub(crate) struct Place {
    /// `None` while it is dropped.
    permit: Option<OwnedSemaphorePermit>,
    queue: Arc<Semaphore>,
    memory: Arc<Memory>,
    /// How many places are free when nobody has to wait.
    free_without_waiting: usize,
}

impl Drop for Place {
    /// Leaves the queue, and returns memory to the system if nobody waits for it. Whoever leaves without a hash does so
    /// too.
    fn drop(&mut self) {
        drop(self.permit.take());
        if self.queue.available_permits() >= self.free_without_waiting {
            self.memory.release();
        }
    }
}

impl Hasher {
    /// Creates a hasher that runs one hash per core at a time.
    pub(crate) fn new() -> Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let memory = Memory::default();
        let decoy = memory.lend(|blocks| argon2id::hash(b"a password that nobody has", blocks))?;
        memory.release();
        let (queue, running) = (Semaphore::new(cores * (1 + QUEUE_PER_CORE)), Semaphore::new(cores));
        let reserved = Arc::new(Semaphore::new(cores * RESERVED_PER_CORE));
        Ok(Self {
            queue: Arc::new(queue),
            reserved,
            running: Arc::new(running),
            cores,
            memory: Arc::new(memory),
            decoy,
        })
    }

    /// Takes a place in the queue. `is_known`: whether the user has signed in in this browser before.
    ///
    /// # Errors
    /// `RATE_LIMITED` if the queue is full.
    pub(crate) fn enter(&self, is_known: bool) -> Result<Place> {
        let busy = ApiError::new(
            ErrorCode::RateLimited,
            "Too many people are signing in right now. Try again in a few seconds.",
        );
        let place = Arc::clone(&self.queue).try_acquire_owned();
        let place =
            place.or_else(|full| if is_known { Arc::clone(&self.reserved).try_acquire_owned() } else { Err(full) });
        let permit = place.map_err(|_| ApiError { retry_after: Some(2), ..busy })?;
        Ok(Place {
            permit: Some(permit),
            queue: Arc::clone(&self.queue),
            memory: Arc::clone(&self.memory),
            free_without_waiting: self.cores * QUEUE_PER_CORE,
        })
    }

    /// Checks a new password outside the async threads. `related`: texts that make it easy to guess, such as the user's
    /// name, address and tenant. The inner result is a field error at `password`.
    pub(crate) async fn check_new(
        &self,
        password: &Secret,
        related: &[&str],
    ) -> Result<std::result::Result<(), ApiError>> {
        let (password, related) = (password.clone(), related.iter().map(|&text| text.to_owned()).collect::<Vec<_>>());
        self.run(self.enter(false)?, move |_| Ok(check_new(&password, &related))).await
    }

    /// Hashes a password.
    pub(crate) async fn hash(&self, password: Secret) -> Result<String> {
        self.run(self.enter(false)?, move |memory| memory.hash(&password)).await
    }

    /// Compares a password with a hash. Without a hash (unknown address), takes the same time and returns false.
    pub(crate) async fn verify(&self, password: Secret, hash: Option<String>) -> Result<bool> {
        self.verify_at(self.enter(false)?, password, hash).await
    }

    /// Like [`Hasher::verify`], with a place that was taken before.
    pub(crate) async fn verify_at(&self, place: Place, password: Secret, hash: Option<String>) -> Result<bool> {
        let there = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.decoy.clone());
        let equal = self.run(place, move |memory| memory.verify(&password, &hash)).await?;
        Ok(there && equal)
    }

    /// Runs work on a thread for blocking work when it is the place's turn.
    async fn run<T: Send + 'static>(
        &self,
        place: Place,
        work: impl FnOnce(&Lent) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let running = Arc::clone(&self.running).acquire_owned().await;
        let running = running.map_err(|_| Error::Fault("the hasher is closed".to_owned()))?;
        let memory = Arc::clone(&self.memory);
        // The thread keeps the permits, because it continues even if the caller is dropped.
        let hashing = move || {
            let outcome = work(&Lent(memory));
            drop((running, place));
            outcome
        };
        let done = tokio::task::spawn_blocking(hashing).await;
        done.map_err(|cause| Error::Fault(format!("hashing didn't complete: {cause}")))?
    }
}

/// The memory of a [`Hasher`], while it runs some work.
struct Lent(Arc<Memory>);

impl Lent {
    fn hash(&self, password: &Secret) -> Result<String> {
        let text = text::simplify(password.expose());
        self.0.lend(|blocks| argon2id::hash(text.as_bytes(), blocks))
    }

    fn verify(&self, password: &Secret, hash: &str) -> Result<bool> {
        let text = text::simplify(password.expose());
        // A longer password can't have been set. It still costs a hash, so that nothing depends on its length.
        let is_short = text.len() <= MAX_BYTES;
        let bytes = if is_short { text.as_bytes() } else { &[] };
        Ok(self.0.lend(|blocks| argon2id::verify(bytes, hash, blocks))? && is_short)
    }
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
    async fn a_password_is_the_same_in_every_composition_and_costs_one_hash() {
        let hasher = Hasher::new().unwrap();
        let verify =
            async |typed: &str, hash: &str| hasher.verify(Secret::new(typed), Some(hash.to_owned())).await.unwrap();
        let (composed, decomposed) = ("sieben Caf\u{e9}s unterm Kai", "sieben Cafe\u{301}s unterm Kai");
        for set in [composed, decomposed] {
            let hash = hasher.hash(Secret::new(set)).await.unwrap();
            assert!(verify(composed, &hash).await && verify(decomposed, &hash).await);
            assert!(!verify("sieben Cafes unterm Kai", &hash).await);
        }
        // What isn't in the stored form was never stored.
        let hash = hasher.memory.lend(|blocks| argon2id::hash(decomposed.as_bytes(), blocks)).unwrap();
        assert!(!verify(decomposed, &hash).await);
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

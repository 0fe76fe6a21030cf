//! The verifier: decides about keys, from memory if it may and by asking the server otherwise.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::HeaderName;
use tokio::{
    sync::Notify,
    task::{AbortHandle, JoinHandle},
};

use crate::{
    api::{Answer, Api},
    cache::Cache,
    caller::Caller,
    clock, feed,
    known::{EndClient, Known},
    reporter,
    shared::Shared,
    token,
};

/// How long the last report may take.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It has no key.
    Missing,
    /// The key isn't valid, whatever the reason.
    Invalid,
    /// The key may be used again after some seconds.
    TooOften(u32),
    /// The server can't say whether the key is valid.
    Unavailable,
}

/// A wrong setting.
#[derive(Debug, thiserror::Error)]
#[error("the verifier can't be set up: {0}")]
pub struct SettingError(String);

/// The settings of a [`Verifier`].
#[derive(Clone)]
pub struct Builder {
    url: String,
    key: String,
    name: Option<String>,
    realm: String,
    header: Option<HeaderName>,
    most: usize,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("url", &self.url).field("name", &self.name).finish_non_exhaustive()
    }
}

impl Builder {
    /// Sets the name under which Latchkey lists this process. Each process needs another one. By default, it is random.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the realm of the challenge in refusals. By default, it is `API`.
    #[must_use]
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = realm.into();
        self
    }

    /// Also accepts a key in a header of its own, such as `X-API-Key`.
    #[must_use]
    pub fn header(mut self, name: HeaderName) -> Self {
        self.header = Some(name);
        self
    }

    /// Sets how many keys are kept in memory. By default, there are at most 100,000, which take about 60 MB.
    #[must_use]
    pub fn most_keys(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    /// Starts the verifier. Must be called within a Tokio runtime. Doesn't wait for the server: keys are refused with 503
    /// while it can't be reached.
    ///
    /// # Errors
    /// If a setting can't be right.
    pub fn start(self) -> Result<Verifier, SettingError> {
        let is_visible = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        let name = self.name.unwrap_or_else(random_name);
        if !is_visible(&name) || name.len() > 64 {
            return Err(SettingError("the name must have 1 to 64 visible ASCII characters".to_owned()));
        }
        let is_quotable = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
        if !self.realm.bytes().all(is_quotable) {
            return Err(SettingError("the realm must be visible ASCII without quotes and backslashes".to_owned()));
        }
        let shared = Arc::new(Shared {
            api: Api::new(&self.url, &self.key).map_err(SettingError)?,
            cache: Cache::new(self.most),
            usage: Arc::default(),
            name,
            applied: Notify::default(),
            is_closing: AtomicBool::new(false),
        });
        let reporter = tokio::spawn(reporter::report(Arc::clone(&shared)));
        let tasks = [tokio::spawn(feed::follow(Arc::clone(&shared))).abort_handle(), reporter.abort_handle()];
        let reporter = Mutex::new(Some(reporter));
        Ok(Verifier(Arc::new(Inner { shared, tasks, reporter, realm: self.realm, header: self.header })))
    }
}

/// Returns a name that no other process has.
fn random_name() -> String {
    use std::hash::{BuildHasher, RandomState};
    // Two processes on one machine, or with one id in two containers, get different names.
    format!("verifier-{}-{:016x}", std::process::id(), RandomState::new().hash_one(clock::monotonic_micros()))
}

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    tasks: [AbortHandle; 2],
    reporter: Mutex<Option<JoinHandle<()>>>,
    realm: String,
    header: Option<HeaderName>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

/// Verifies keys. Cheap to clone. Its tasks end when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Verifier(Arc<Inner>);

impl Verifier {
    /// Returns the settings of a verifier. `url`: the public URL of Latchkey. `key`: a key of this service that has the
    /// scope `latchkey:verify`. Only keys of its tenant are valid.
    pub fn builder(url: impl Into<String>, key: impl Into<String>) -> Builder {
        Builder { url: url.into(), key: key.into(), name: None, realm: "API".to_owned(), header: None, most: 100_000 }
    }

    /// Verifies a token. Counts as a request with the key.
    ///
    /// # Errors
    /// If the token isn't a valid key, or that can't be found out.
    pub async fn verify(&self, token: &str) -> Result<Caller, Refusal> {
        match self.known(token, EndClient::default)? {
            Some(caller) => Ok(caller),
            // In a box, so that the answer from memory doesn't copy the room for it.
            None => Box::pin(self.ask(token, EndClient::default())).await,
        }
    }

    /// Reports the usage that hasn't been reported yet. Call this when the service ends, after its last request; waits for at
    /// most 5 s. Later usage isn't reported any more, and keys are soon verified by asking the server.
    pub async fn close(&self) {
        self.0.shared.is_closing.store(true, Ordering::Release);
        self.0.shared.applied.notify_one();
        let reporter = self.0.reporter.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(reporter) = reporter {
            tokio::time::timeout(CLOSE_WITHIN, reporter).await.ok();
        }
    }

    /// Whether keys are verified from memory at the moment. Otherwise the server is asked about each of them.
    pub fn is_current(&self) -> bool {
        self.0.shared.cache.is_usable(clock::monotonic_micros())
    }

    /// Returns the key of a token from memory. `None`: the server has to be asked.
    pub(crate) fn known(
        &self,
        token: impl AsRef<[u8]>,
        client: impl FnOnce() -> EndClient,
    ) -> Result<Option<Caller>, Refusal> {
        let (cache, now) = (&self.0.shared.cache, clock::monotonic_micros());
        let foreign = || token::foreign_digest_of(&token).filter(|_| cache.may_have_imported(now));
        let digest = token::digest_of(&token).or_else(foreign).ok_or(Refusal::Invalid)?;
        let Some(known) = cache.get(&digest, now) else { return Ok(None) };
        known.count_use(now, client);
        Ok(Some(Caller::new(known)))
    }

    /// Asks the server about a token, and keeps the answer if it may be kept.
    pub(crate) async fn ask(&self, token: &str, client: EndClient) -> Result<Caller, Refusal> {
        let shared = &self.0.shared;
        let digest = token::digest_of(token).or_else(|| token::foreign_digest_of(token)).ok_or(Refusal::Invalid)?;
        let (active, read_at) = match shared.api.introspect(token, &client).await {
            Ok(Answer::Valid(active, read_at)) => (*active, read_at),
            Ok(Answer::Invalid) => return Err(Refusal::Invalid),
            Ok(Answer::TooOften(seconds)) => return Err(Refusal::TooOften(seconds)),
            Err(error) => {
                tracing::debug!(%error, "a key couldn't be verified");
                return Err(Refusal::Unavailable);
            }
        };
        let known = Arc::new(Known::new(digest, active, &shared.usage));
        if let Some(read_at) = read_at {
            shared.cache.insert(&known, &read_at);
        }
        Ok(Caller::new(known))
    }

    pub(crate) fn realm(&self) -> &str {
        &self.0.realm
    }

    pub(crate) fn header(&self) -> Option<&HeaderName> {
        self.0.header.as_ref()
    }
}

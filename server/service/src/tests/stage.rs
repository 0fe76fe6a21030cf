//! The setup of the service's tests: a new database of either kind, a fixed clock, and a tenant with an administrator.

use std::{
    future::Future,
    path::{Path, PathBuf},
};

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    ApiKey, IssuedKey, KeyFilter, KeyQuery, Owner, PageRequest, Role, Secret, ServiceAccountId, TenantId, UserId,
    api_key::input::{CreateKey, SetKeyPolicy},
    audit::Channel,
    service_account::input::CreateAccount,
};

use crate::{Actor, Client, Clock, SecretKeys, Services, Serving, Settings, create_secret_key_file};

/// A password that complies with the rules.
pub(crate) const PASSWORD: &str = "seven lamps under the pier";

/// The file with the secret keys: where `SQLite` has it by default, beside `test.db`.
const KEY_FILE: &str = "test.db.key";

/// A database with one tenant, and the service that uses it.
pub(crate) struct Stage {
    pub(crate) services: Services,
    pub(crate) clock: Clock,
    pub(crate) tenant: TenantId,
    pub(crate) admin: UserId,
    pub(crate) database_url: String,
    pub(crate) folder: tempfile::TempDir,
    /// The keys are kept in memory, as in a server.
    pub(crate) _serving: Serving,
}

/// Runs a story on `SQLite` and, if `LATCHKEY_TEST_POSTGRES` names a server, on `PostgreSQL`.
pub(crate) fn on_both<F, Fut>(story: F)
where
    F: Fn(Stage) -> Fut,
    Fut: Future<Output = ()>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        story(Stage::set(&url, folder).await).await;
        if let Ok(server) = std::env::var("LATCHKEY_TEST_POSTGRES") {
            let story = async |url: String| story(Stage::set(&url, tempfile::tempdir().unwrap()).await).await;
            crate::testing::with_postgres(&server, story).await;
        }
    });
}

/// Returns the client of a browser request.
pub(crate) fn browser() -> Client {
    Client {
        channel: Channel::Browser,
        endpoint: None,
        address: Some("192.0.2.7".to_owned()),
        is_address_shared: false,
        user_agent: Some("test".to_owned()),
        agent_id: None,
        browser: None,
    }
}

impl Stage {
    async fn set(url: &str, folder: tempfile::TempDir) -> Self {
        let clock = Clock::fixed("2027-01-01T00:00:00Z".parse().unwrap());
        if !url.starts_with("sqlite:") {
            create_secret_key_file(&folder.path().join(KEY_FILE)).unwrap();
        }
        let settings = settings_of(url, folder.path());
        let services = Services::open(&settings, clock.clone()).await.unwrap();
        services.migrate().await.unwrap();
        let tenant = services.admin().create_tenant("Acme", "acme").await.unwrap();
        let serving = services.begin_serving().unwrap();
        let admin = add_user(&services, "ada@example.org", "acme", Role::TenantAdmin).await;
        Self { services, clock, tenant, admin, database_url: url.to_owned(), folder, _serving: serving }
    }

    /// Returns the settings of the stage's services.
    pub(crate) fn settings(&self) -> Settings {
        settings_of(&self.database_url, self.folder())
    }

    /// Returns the folder of the stage's files.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the file with the secret keys. With `SQLite`, it exists once it was needed.
    pub(crate) fn key_file(&self) -> PathBuf {
        self.folder().join(KEY_FILE)
    }

    pub(crate) fn advance(&self, by: TimeDelta) -> DateTime<Utc> {
        let then = self.services.now() + by;
        self.clock.set(then);
        then
    }

    pub(crate) async fn add_user(&self, email: &str, slug: &str, role: Role) -> UserId {
        add_user(&self.services, email, slug, role).await
    }

    pub(crate) async fn session(&self, user: UserId) -> Actor {
        self.services.actors().from_session(user, self.tenant, self.services.now(), browser()).await.unwrap()
    }

    /// Returns the actor that authenticates with a key.
    pub(crate) async fn by_key(&self, key: &IssuedKey) -> Actor {
        self.services.actors().from_bearer(key.token.expose(), browser()).await.unwrap()
    }

    pub(crate) async fn add_account(&self, by: &Actor, name: &str) -> ServiceAccountId {
        let input = CreateAccount { name: name.to_owned(), ..CreateAccount::default() };
        self.services.service_accounts().create(by, &input).await.unwrap().id
    }

    /// Sets how many keys each owner can have.
    pub(crate) async fn set_key_limit(&self, by: &Actor, limit: u32) {
        let (policy, limit) = ("max_keys".to_owned(), limit.to_string());
        let policy = SetKeyPolicy { policy, limit, ..SetKeyPolicy::default() };
        self.services.tenant_policies().set(by, &policy).await.unwrap();
    }

    pub(crate) async fn add_key(&self, by: &Actor, owner: Owner, name: &str) -> IssuedKey {
        self.services.api_keys().create(by, &new_key(owner, name)).await.unwrap()
    }

    pub(crate) async fn is_valid(&self, key: &IssuedKey) -> bool {
        self.services.verification().verify(key.token.expose(), &browser()).await.unwrap().is_some()
    }

    /// Returns the keys of all pages of a list.
    pub(crate) async fn walk(&self, actor: &Actor, owner: Owner, query: &KeyQuery) -> Vec<ApiKey> {
        let (mut all, mut query) = (Vec::new(), query.clone());
        loop {
            let page = self.services.api_keys().list(actor, owner, &query).await.unwrap();
            all.extend(page.items);
            let Some(next) = page.next else { return all };
            query.page = PageRequest { after: Some(next), ..query.page };
        }
    }
}

fn settings_of(url: &str, folder: &Path) -> Settings {
    let is_beside = url.starts_with("sqlite:");
    let secret_keys = if is_beside { SecretKeys::Beside } else { SecretKeys::File(folder.join(KEY_FILE)) };
    Settings { secret_keys, ..Settings::new(url) }
}

/// Runs `act` concurrently on all threads, once for each number below `times`, and returns the results.
pub(crate) async fn at_once<Fut>(times: usize, act: impl Fn(usize) -> Fut) -> Vec<Fut::Output>
where
    Fut: Future<Output: Send> + Send + 'static,
{
    let tasks: Vec<_> = (0..times).map(|n| tokio::spawn(act(n))).collect();
    let mut outcomes = Vec::with_capacity(times);
    for task in tasks {
        outcomes.push(task.await.unwrap());
    }
    outcomes
}

/// Returns the owner of an actor's own keys.
pub(crate) fn own(actor: &Actor) -> Owner {
    actor.require_owner().unwrap()
}

/// Returns the input for a key without an expiry.
pub(crate) fn new_key(owner: Owner, name: &str) -> CreateKey {
    CreateKey { owner: Some(owner), name: name.to_owned(), ..CreateKey::default() }
}

/// Returns a query for every key.
pub(crate) fn every_key() -> KeyQuery {
    KeyQuery { filter: KeyFilter::All, ..KeyQuery::default() }
}

async fn add_user(services: &Services, email: &str, slug: &str, role: Role) -> UserId {
    services.admin().create_user(email, None, slug, role.as_str(), &Secret::new(PASSWORD)).await.unwrap()
}

/// Returns the error code of a refusal.
pub(crate) fn code<T>(result: crate::Result<T>) -> domain::ErrorCode {
    match result {
        Err(crate::Error::Api(refusal) | crate::Error::Rule(refusal)) => refusal.code,
        _ => panic!("not a refusal"),
    }
}

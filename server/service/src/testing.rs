//! Support for tests and benchmarks of dependent crates, which have no access to the database.

mod proxy;

use chrono::{DateTime, TimeDelta, Utc};
use domain::{KeyId, LastUse, Operation, Owner, ScopeGrant, ServiceAccount, ServiceAccountId, scope::ScopeRequest};
use sqlx::Connection;

pub use self::proxy::Proxy;
pub use crate::access::rights;
use crate::{
    Services,
    access::{Target, WritePermit, authorize_write},
    digest::sha256,
    error::Result,
    keys::token,
    random,
    storage::{self, Db, Tx, keys::NewKey},
};

/// Creates a new database on a test server and returns its URL.
///
/// # Panics
/// If the server can't be reached, or refuses to create it.
pub async fn new_postgres(server: &str) -> String {
    let name = format!("t{}", random::new_id(DateTime::UNIX_EPOCH).simple());
    change_server(server, format!("CREATE DATABASE {name}")).await;
    let (base, _) = server.rsplit_once('/').expect("the URL names a database");
    format!("{base}/{name}")
}

/// Runs a story with the URL of a new database, which is removed afterwards: hundreds of tests would fill the disk.
///
/// # Panics
/// If the server can't be reached, or refuses to create or remove the database.
pub async fn with_postgres<Fut: Future<Output = ()>>(server: &str, story: impl FnOnce(String) -> Fut) {
    let url = new_postgres(server).await;
    story(url.clone()).await;
    let (_, name) = url.rsplit_once('/').expect("the URL names a database");
    change_server(server, format!("DROP DATABASE {name} WITH (FORCE)")).await;
}

async fn change_server(server: &str, statement: String) {
    let mut connection = sqlx::PgConnection::connect(server).await.expect("the test server answers");
    let done = sqlx::query(storage::query::assembled(statement)).execute(&mut connection).await;
    done.expect("the test server allows creating and removing databases");
    connection.close().await.expect("the test server answers");
}

/// Returns a well-formed token that belongs to no key.
pub fn draw_token() -> String {
    token::draw(domain::OwnerKind::ServiceAccount).expose().to_owned()
}

/// Returns the code that an authenticator app with this secret in base32 shows.
///
/// # Panics
/// If the secret isn't in base32.
pub fn code_at(secret: &domain::Secret, now: DateTime<Utc>) -> String {
    crate::people::one_time_codes::code_at(secret, now)
}

/// A transaction that has the write lock of an `SQLite` database until it is dropped.
pub struct WriteLock(#[expect(dead_code, reason = "it is held")] Tx);

/// Begins a transaction that others wait for.
///
/// # Panics
/// If the database fails.
pub async fn hold_write_lock(services: &Services) -> WriteLock {
    WriteLock(services.db().begin().await.expect("nobody else has it"))
}

/// A change of an `SQLite` database that is going to fail when it is committed.
pub struct DoomedChange(Tx);

impl DoomedChange {
    /// Makes a change in a new transaction.
    ///
    /// # Panics
    /// If the database fails, or is on `PostgreSQL`.
    pub async fn begin(services: &Services, sql: &str) -> Self {
        // A foreign key that is only checked by the commit.
        let violation = "PRAGMA defer_foreign_keys = ON; \
                         INSERT INTO recovery_codes (user_id, digest) VALUES (zeroblob(16), zeroblob(32));";
        let mut tx = services.db().begin().await.expect("nobody else has it");
        let Tx::Sqlite(begun) = &mut tx else { panic!("it isn't SQLite") };
        let sql = sqlx::raw_sql(storage::query::assembled(format!("{sql}; {violation}")));
        sql.execute(&mut **begun).await.expect("valid SQL");
        Self(tx)
    }

    /// Waits until another transaction waits for this one, which then sees its change, and commits them together.
    ///
    /// # Panics
    /// If the commit succeeds.
    pub async fn fail_together(self) {
        while matches!(&self.0, Tx::Sqlite(tx) if !tx.has_waiting()) {
            tokio::task::yield_now().await;
        }
        self.0.commit().await.expect_err("a foreign key is violated");
    }
}

/// Locks the head of a tenant's audit chain on `PostgreSQL`, so that every change of the tenant waits, until the value is
/// dropped.
///
/// # Panics
/// If the database fails.
pub async fn hold_audit_head(url: &str, tenant: domain::TenantId) -> impl Drop + use<> {
    let pool = sqlx::PgPool::connect(url).await.expect("the server answers");
    let mut held = pool.begin().await.expect("a transaction");
    let lock = sqlx::query(storage::audit::LOCK_HEAD).bind(tenant.0).execute(&mut *held);
    lock.await.expect("the head exists");
    held
}

/// A table of a `PostgreSQL` database that nobody else can read or change until this is dropped.
pub struct LockedTable {
    name: &'static str,
    pool: sqlx::PgPool,
    _held: sqlx::Transaction<'static, sqlx::Postgres>,
}

impl LockedTable {
    /// Locks a table.
    ///
    /// # Panics
    /// If the database fails.
    pub async fn hold(url: &str, name: &'static str) -> Self {
        let pool = sqlx::PgPool::connect(url).await.expect("the server answers");
        let mut held = pool.begin().await.expect("a transaction");
        let lock = storage::query::assembled(format!("LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE"));
        sqlx::query(lock).execute(&mut *held).await.expect("the table exists");
        Self { name, pool, _held: held }
    }

    /// Whether somebody waits for the table.
    ///
    /// # Panics
    /// If the database fails.
    pub async fn is_awaited(&self) -> bool {
        sqlx::query_scalar(storage::maintenance::IS_AWAITED)
            .bind(self.name)
            .fetch_one(&self.pool)
            .await
            .expect("the server answers")
    }
}

/// Executes SQL statements on the database of the services.
///
/// # Panics
/// If the database rejects a statement.
pub async fn execute(services: &Services, sql: &str) {
    let sql = sqlx::raw_sql(storage::query::assembled(sql));
    match services.db() {
        Db::Sqlite { writer, .. } => {
            let mut connection = writer.connect().await.expect("the file can be opened");
            sql.execute(&mut connection).await.expect("valid SQL");
        }
        Db::Postgres(pg) => {
            let mut connection = pg.connect().await.expect("the server answers");
            sql.execute(&mut *connection).await.expect("valid SQL");
        }
    }
    services.db().key_cache().catch_up().await;
}

/// Makes the database look as if a newer version had migrated it.
///
/// # Panics
/// If the database fails.
#[cfg(feature = "testing")]
pub async fn disguise_as_newer(services: &Services) {
    execute(services, storage::migrations::disguises::NEWER).await;
}

/// Makes the database look as if a development version had created it.
///
/// # Panics
/// If the database fails.
#[cfg(feature = "testing")]
pub async fn disguise_as_development(services: &Services) {
    use storage::migrations::disguises::{DEVELOPMENT_ON_POSTGRES, DEVELOPMENT_ON_SQLITE};
    let is_sqlite = matches!(services.db(), Db::Sqlite { .. });
    execute(services, if is_sqlite { DEVELOPMENT_ON_SQLITE } else { DEVELOPMENT_ON_POSTGRES }).await;
}

/// How many service accounts and keys [`fill`] creates.
#[derive(Clone, Copy, Debug)]
pub struct Crowd {
    /// Service accounts, at least one.
    pub accounts: u32,
    /// Their keys. Of every five, one never expires, one expires soon, one has expired, one is suspended, one is
    /// revoked.
    pub keys: u32,
}

/// Fills a tenant for benchmarks, with the same statements as the use cases, but many per transaction and without audit
/// entries. The names of the first 120 keys contain a word that the other names don't.
///
/// # Errors
/// When the tenant doesn't exist, or the database fails.
pub async fn fill(services: &Services, slug: &str, crowd: Crowd) -> Result<()> {
    fill_with(services, slug, crowd, None).await
}

/// Like [`fill`], as if the keys had been created with another key.
///
/// # Errors
/// As [`fill`].
pub async fn fill_with(services: &Services, slug: &str, crowd: Crowd, created_by_key: Option<KeyId>) -> Result<()> {
    const AT_ONCE: u32 = 1_000;
    let tenant = services.admin().operator(slug).await?;
    let accounts: Vec<ServiceAccountId> =
        (0..crowd.accounts).map(|_| ServiceAccountId(random::new_id(services.now()))).collect();
    for first in (0..crowd.accounts).step_by(AT_ONCE as usize) {
        let now = services.now();
        let last = crowd.accounts.min(first + AT_ONCE);
        let mut tx = services.db().begin().await?;
        let target = Target::Tenant(tenant.tenant_id());
        let permit = authorize_write(&tenant, Operation::CreateServiceAccount, target)?;
        for number in first..last {
            let account = account(&permit, accounts[number as usize], number, now);
            storage::service_accounts::insert(&mut tx, &permit, &account, None).await?;
            if number % 50 == 49 {
                storage::service_accounts::delete(&mut tx, &permit, account.id, now, "Bench").await?;
            }
        }
        tx.commit().await?;
    }
    for first in (0..crowd.keys).step_by(AT_ONCE as usize) {
        let now = services.now();
        let last = crowd.keys.min(first + AT_ONCE);
        let mut tx = services.db().begin().await?;
        for number in first..last {
            let owner = Owner::ServiceAccount(accounts[(number % crowd.accounts) as usize]);
            let target = Target::Owner(tenant.tenant_id(), owner);
            let permit = authorize_write(&tenant, Operation::CreateApiKey, target)?;
            insert_key(&mut tx, &permit, number, created_by_key, now).await?;
        }
        tx.commit().await?;
    }
    storage::keys::mark_expired(services.db(), services.now()).await?;
    if let Db::Postgres(pg) = services.db() {
        // As autovacuum does within a minute.
        sqlx::query("VACUUM ANALYZE").execute(&mut *pg.connect().await?).await?;
    }
    Ok(())
}

/// Counts requests of every key on each of the last 90 days.
///
/// # Panics
/// When the database fails, or has counts already.
pub async fn use_every_day(services: &Services) {
    let today = storage::usage::day_of(services.now());
    execute(services, &storage::usage::made_up_days(today - 89, today)).await;
}

/// Adds valid keys of one service account to a tenant, and returns their tokens.
///
/// # Errors
/// As [`fill`].
pub async fn add_valid_keys(services: &Services, slug: &str, count: usize) -> Result<Vec<String>> {
    const AT_ONCE: usize = 5_000;
    let tenant = services.admin().operator(slug).await?;
    let owner = Owner::ServiceAccount(ServiceAccountId(random::new_id(services.now())));
    let mut tx = services.db().begin().await?;
    let target = Target::Tenant(tenant.tenant_id());
    let permit = authorize_write(&tenant, Operation::CreateServiceAccount, target)?;
    let Owner::ServiceAccount(id) = owner else { return Ok(Vec::new()) };
    storage::service_accounts::insert(&mut tx, &permit, &account(&permit, id, 0, services.now()), None).await?;
    tx.commit().await?;
    let permit = authorize_write(&tenant, Operation::CreateApiKey, Target::Owner(tenant.tenant_id(), owner))?;
    let mut tokens = Vec::with_capacity(count);
    while tokens.len() < count {
        let mut tx = services.db().begin().await?;
        for number in tokens.len()..count.min(tokens.len() + AT_ONCE) {
            let token = token::draw(domain::OwnerKind::ServiceAccount);
            let key = new_key(&token, format!("agent frankfurt {number:06}"), services.now());
            storage::keys::insert(&mut tx, &permit, &key, &ScopeGrant::Unscoped).await?;
            tokens.push(token.expose().to_owned());
        }
        tx.commit().await?;
    }
    Ok(tokens)
}

/// Returns a key that never expires.
fn new_key(token: &domain::Secret, name: String, created_at: DateTime<Utc>) -> NewKey {
    let created_at = random::to_id_precision(created_at);
    NewKey {
        id: KeyId(random::new_id(created_at)),
        digest: sha256(token.expose().as_bytes()),
        hint: token::hint_of(token),
        is_imported: false,
        name: storage::stored_name(&name),
        created_at,
        created_by: "Bench".to_owned(),
        created_by_id: None,
        created_by_key: None,
        created_by_session: None,
        created_channel: "cli",
        expires_at: None,
        idempotency_key: None,
        replaces: None,
        ends_on_use: false,
        scopes: ScopeRequest::Grant(ScopeGrant::Unscoped),
        limits: domain::KeyLimits::default(),
    }
}

fn account(permit: &WritePermit, id: ServiceAccountId, number: u32, now: DateTime<Utc>) -> ServiceAccount {
    let rare = if number < 20 { "zebra " } else { "" };
    ServiceAccount {
        id,
        tenant_id: permit.tenant_id(),
        name: storage::stored_name(&format!("{rare}deployer {number:06}")),
        role: domain::Role::User,
        created_at: now - TimeDelta::minutes(i64::from(number)),
        created_by: "Bench".to_owned(),
        suspended_at: None,
        suspended_by: None,
        deleted_at: None,
        active_keys: 0,
        all_keys: 0,
        last_used: None,
    }
}

async fn insert_key(
    tx: &mut Tx,
    permit: &WritePermit,
    number: u32,
    created_by_key: Option<KeyId>,
    now: DateTime<Utc>,
) -> Result<()> {
    let token = token::draw(domain::OwnerKind::ServiceAccount);
    let kind = number % 5;
    let rare = if number < 120 { "zebra " } else { "" };
    let some = if number < 20 || number.is_multiple_of(100) { "berlin " } else { "" };
    // Every age up to 400 days, independent of the kind.
    let age = TimeDelta::days(i64::from(number * 37 % 400)) + TimeDelta::seconds(i64::from(number));
    let created_at = random::to_id_precision(now - age);
    let key = NewKey {
        created_by_key: created_by_key.map(|key| key.0),
        expires_at: match kind {
            1 => Some(now + TimeDelta::hours(i64::from(number * 7 % 312) + 1)),
            2 => Some(now - TimeDelta::days(1)),
            3 => Some(now + TimeDelta::days(300)),
            _ => None,
        },
        ..new_key(&token, format!("{rare}{some}agent frankfurt {number:06}"), created_at)
    };
    storage::keys::insert(tx, permit, &key, &ScopeGrant::Unscoped).await?;
    // Half of the keys were used in the past 24 hours, independent of kind and age.
    let ago = match (number.wrapping_mul(2_654_435_761) >> 16) % 4 {
        0 | 1 => Some(TimeDelta::minutes(i64::from(number % 1_440))),
        2 => Some((now - created_at) / 2),
        _ => None,
    };
    if let Some(ago) = ago {
        let at = (now - ago).max(created_at);
        let last = LastUse { at, address: Some("192.0.2.1".to_owned()), user_agent: None };
        storage::usage::update_last_use(tx, key.id, &last).await?;
    }
    match kind {
        3 => drop(storage::keys::suspend(tx, permit, key.id, now, ("Bench", None)).await?),
        4 => drop(storage::keys::revoke(tx, permit, key.id, now, "Bench", "bench").await?),
        _ => {}
    }
    Ok(())
}

//! A `PostgreSQL` server as it is in production: its host disappears, another takes over, and many tenants share it.

use std::time::Duration;

use domain::{IssuedKey, api_key::act::RollKey};
use sqlx::{Connection, PgConnection};
use tokio::time::{Instant, timeout};

use crate::{
    Actor, Error, OpenError, PostgresOptions, Result, Services, Settings, storage::Db, testing::Proxy, tests::stage::*,
};

/// The longest that a verification may take, whatever the database does.
const ANSWER: Duration = Duration::from_secs(3);
/// The longest that anything else may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs a story on `PostgreSQL` only.
fn on_postgres<Fut: Future<Output = ()>>(story: impl Fn(Stage) -> Fut) {
    on_both(|stage| {
        let run = matches!(stage.services.db(), Db::Postgres(_)).then(|| story(stage));
        async {
            if let Some(run) = run {
                run.await;
            }
        }
    });
}

async fn open(stage: &Stage, url: &str) -> Services {
    Services::open(&Settings::new(url), stage.clock.clone()).await.unwrap()
}

async fn verify(services: &Services, key: &IssuedKey) -> Result<bool> {
    Ok(services.verification().verify(key.token.expose(), &browser()).await?.is_some())
}

/// Creates and revokes keys one after the other until that fails.
fn keep_changing(services: &Services, actor: &Actor) -> tokio::task::JoinHandle<Error> {
    let (services, actor) = (services.clone(), actor.clone());
    tokio::spawn(async move {
        loop {
            let created = services.api_keys().create(&actor, &new_key(own(&actor), "ci")).await;
            let changed = match created {
                Ok(key) => services.api_keys().revoke(&actor, key.key.id).await.map(drop),
                Err(error) => Err(error),
            };
            if let Err(error) = changed {
                return error;
            }
        }
    })
}

fn is_unavailable(error: Error) -> bool {
    domain::ApiError::from(error).code == domain::ErrorCode::Unavailable
}

#[test]
fn a_host_that_disappears_is_noticed_at_once_and_its_successor_is_used() {
    on_postgres(async |stage| {
        let ada = stage.session(stage.admin).await;
        let key = stage.add_key(&ada, own(&ada), "ci").await;
        let (proxy, url) = Proxy::before_database(&stage.database_url).await;
        let services = open(&stage, &url).await;
        let changes: Vec<_> = (0..16).map(|_| keep_changing(&services, &ada)).collect();
        for _ in 0..50 {
            assert!(verify(&services, &key).await.unwrap());
        }
        proxy.vanish();
        for _ in 0..3 {
            let outcome = timeout(ANSWER, verify(&services, &key)).await.expect("an answer within three seconds");
            assert!(is_unavailable(outcome.expect_err("no key is verified")));
        }
        for change in changes {
            let error = timeout(PATIENCE, change).await.expect("every change ends").unwrap();
            assert!(is_unavailable(error));
        }
        proxy.appear();
        let begun = Instant::now();
        while !timeout(ANSWER, verify(&services, &key)).await.expect("an answer").unwrap_or(false) {
            assert!(begun.elapsed() < PATIENCE, "the new host isn't used");
        }
        timeout(ANSWER, services.api_keys().create(&ada, &new_key(own(&ada), "after"))).await.expect("a key").unwrap();
        proxy.vanish();
        timeout(PATIENCE, services.close()).await.expect("closing ends");
    });
}

#[test]
fn a_server_that_can_only_be_read_is_refused_until_it_accepts_changes() {
    on_postgres(async |stage| {
        let ada = stage.session(stage.admin).await;
        let key = stage.add_key(&ada, own(&ada), "ci").await;
        let mut outside = PgConnection::connect(&stage.database_url).await.unwrap();
        let mut set_read_only = async |value: &str| {
            let sql = format!(
                "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = {value}', \
                 current_database()); END $$; SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE datname = current_database() AND pid <> pg_backend_pid()"
            );
            sqlx::raw_sql(crate::storage::query::assembled(sql)).execute(&mut outside).await.unwrap();
        };
        set_read_only("on").await;
        let refused = Services::open(&Settings::new(&stage.database_url), stage.clock.clone()).await;
        assert!(matches!(refused, Err(OpenError::ReadOnly(_))));
        let outcome = timeout(ANSWER, verify(&stage.services, &key)).await.expect("an answer");
        assert!(is_unavailable(outcome.expect_err("a standby verifies nothing: it may lag behind")));
        set_read_only("off").await;
        let begun = Instant::now();
        while !verify(&stage.services, &key).await.unwrap_or(false) {
            assert!(begun.elapsed() < PATIENCE, "the primary isn't used");
        }
        stage.add_key(&ada, own(&ada), "after").await;
    });
}

#[test]
fn of_several_hosts_the_one_that_answers_is_used() {
    on_postgres(async |stage| {
        let ada = stage.session(stage.admin).await;
        let key = stage.add_key(&ada, own(&ada), "ci").await;
        let (proxy, url) = Proxy::before_database(&stage.database_url).await;
        let (user, rest) = url.split_once('@').unwrap();
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let real = stage.database_url.split(['@', '/']).nth(3).unwrap();
        let host = rest.split('/').next().unwrap();
        let database = rest.split('/').nth(1).unwrap();
        let url = format!("{user}@{closed},{host},{real}/{database}?target_session_attrs=read-write");
        let services = open(&stage, &url).await;
        assert!(verify(&services, &key).await.unwrap());
        proxy.vanish();
        let begun = Instant::now();
        while !timeout(ANSWER, verify(&services, &key)).await.expect("an answer").unwrap_or(false) {
            assert!(begun.elapsed() < PATIENCE, "the other host isn't used");
        }
    });
}

#[test]
fn changes_that_wait_in_one_tenant_delay_no_other() {
    on_postgres(async |stage| {
        let ada = stage.session(stage.admin).await;
        stage.services.admin().create_tenant("Other", "other").await.unwrap();
        let password = domain::Secret::new(PASSWORD);
        stage.services.admin().create_user("bob@example.org", None, "other", "TENANT_ADMIN", &password).await.unwrap();
        let bob = stage.services.admin().operator("other").await.unwrap();
        let account = stage.add_account(&bob, "deployer").await;
        let key = stage.add_key(&bob, domain::Owner::ServiceAccount(account), "ci").await;
        let mut holder = PgConnection::connect(&stage.database_url).await.unwrap();
        let mut held = holder.begin().await.unwrap();
        sqlx::query(crate::storage::audit::LOCK_HEAD).bind(stage.tenant.0).execute(&mut *held).await.unwrap();
        let waiting: Vec<_> = (0..64).map(|_| keep_changing(&stage.services, &ada)).collect();
        let mut watcher = PgConnection::connect(&stage.database_url).await.unwrap();
        let blocked =
            "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while sqlx::query_scalar::<_, i64>(blocked).fetch_one(&mut watcher).await.unwrap() == 0 {
            tokio::task::yield_now().await;
        }
        let begun = Instant::now();
        for number in 0..20 {
            assert!(verify(&stage.services, &key).await.unwrap());
            stage.add_key(&bob, domain::Owner::ServiceAccount(account), &format!("key {number}")).await;
        }
        assert!(begun.elapsed() < Duration::from_millis(1_500), "{:?}", begun.elapsed());
        for task in waiting {
            assert!(is_unavailable(timeout(PATIENCE, task).await.expect("an end").unwrap()));
        }
        held.rollback().await.unwrap();
    });
}

#[test]
fn a_transaction_is_not_committed_after_a_failed_statement() {
    on_postgres(async |stage| {
        let mut tx = stage.services.db().begin().await.unwrap();
        let failed = crate::storage::db::change!(&mut tx, sqlx::query("UPDATE tenants SET slug = NULL"));
        assert!(failed.is_err());
        assert!(matches!(tx.commit().await, Err(Error::Fault(_))));
    });
}

#[test]
fn more_connections_than_allowed_are_never_opened() {
    on_postgres(async |stage| {
        let ada = stage.session(stage.admin).await;
        let settings = Settings {
            postgres: PostgresOptions { connections: 5, ..PostgresOptions::default() },
            ..Settings::new(&stage.database_url)
        };
        let services = Services::open(&settings, stage.clock.clone()).await.unwrap();
        stage.services.close().await;
        let created = at_once(50, |number| {
            let (services, ada) = (services.clone(), ada.clone());
            async move { services.api_keys().create(&ada, &new_key(own(&ada), &format!("key {number}"))).await.is_ok() }
        });
        assert!(created.await.into_iter().all(|is_created| is_created));
        let mut watcher = PgConnection::connect(&stage.database_url).await.unwrap();
        let sql =
            "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        assert!(sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut watcher).await.unwrap() <= 5);
    });
}

/// Changes the same few keys and accounts in every way, in an order of its own.
async fn change_everything(services: Services, ada: Actor, keys: Vec<domain::KeyId>, seed: usize) -> Vec<Error> {
    let mut errors = Vec::new();
    for round in 0..12 {
        let step = seed * 5 + round * 7;
        let (key, other) = (keys[step % keys.len()], keys[(step * 3 + 1) % keys.len()]);
        let keys = services.api_keys();
        let outcome = match step % 8 {
            0 => keys.suspend(&ada, key).await.map(drop),
            1 => keys.resume(&ada, key).await.map(drop),
            2 => keys.rename(&ada, key, &format!("key {step}")).await.map(drop),
            3 => {
                let input = RollKey { key, overlap: "1h".to_owned(), ..RollKey::default() };
                services.rolls().roll(&ada, &input).await.map(drop)
            }
            4 => services.inventory().suspend(&ada, &[key, other]).await.map(drop),
            5 => keys.create(&ada, &new_key(own(&ada), "ci")).await.map(drop),
            6 => services.rolls().finish(&ada, key).await.map(drop),
            _ => keys.revoke_with(&ada, other, true).await.map(drop),
        };
        errors.extend(outcome.err().filter(|error| !matches!(error, Error::Api(_) | Error::Rule(_))));
        services.verification().verify("lku_unknown", &browser()).await.ok();
        services.0.usage.flush(services.db(), services.now()).await.unwrap();
    }
    errors
}

#[test]
fn changes_of_the_same_rows_end_without_a_deadlock() {
    on_postgres(async |stage| {
        let ada = stage.session(stage.admin).await;
        let mut keys = Vec::new();
        for number in 0..12 {
            keys.push(stage.add_key(&ada, own(&ada), &format!("key {number}")).await.key.id);
        }
        let errors =
            at_once(16, |seed| change_everything(stage.services.clone(), ada.clone(), keys.clone(), seed)).await;
        let errors: Vec<Error> = errors.into_iter().flatten().collect();
        assert!(errors.is_empty(), "{errors:?}");
        let mut watcher = PgConnection::connect(&stage.database_url).await.unwrap();
        let sql = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
        assert_eq!(sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut watcher).await.unwrap(), 0);
    });
}

//! Transactions: what remains of a cancelled call, and what is retried after a deadlock.

use std::{
    collections::BTreeSet,
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::Poll,
    time::Duration,
};

use domain::{
    AuditQuery, PageRequest, Role, Secret, TenantId, api_key::act::RollKey, api_key::input::SetKeyPolicy,
    page::MAX_LIMIT, service_account::input::CreateAccount,
};
use sqlx::Connection;
use tokio::{sync::Barrier, time::timeout};

use crate::{
    Actor, Error, Result,
    background::Background,
    storage::{
        self, Db, Tx,
        db::{change, retry},
    },
    tests::stage::*,
};

/// Longer than any write takes, and shorter than every timeout for a connection or a lock.
const AT_ONCE: Duration = Duration::from_millis(1_500);

/// Polls a future at most `polls` times, then drops it. Returns `None` if it was dropped.
async fn dropped_after<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let (mut future, mut left) = (pin!(future), polls);
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if left == 1 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

async fn rename(tx: &mut Tx, tenant: TenantId, name: &str) -> Result<()> {
    let renamed = change!(tx, sqlx::query("UPDATE tenants SET name = $2 WHERE id = $1").bind(tenant.0).bind(name))?;
    assert_eq!(renamed, 1);
    Ok(())
}

/// Returns the ids of the keys that were created according to the audit log, and of those that exist.
async fn created(stage: &Stage, actor: &Actor) -> [BTreeSet<uuid::Uuid>; 2] {
    let page = PageRequest { limit: MAX_LIMIT, ..PageRequest::default() };
    let mut query = AuditQuery { operation: "create_api_key".to_owned(), page, ..AuditQuery::default() };
    let mut told = BTreeSet::new();
    loop {
        let page = stage.services.audit_log().list(actor, &query).await.unwrap();
        told.extend(page.items.iter().filter_map(|entry| entry.subject_id));
        let Some(next) = page.next else { break };
        query.page.after = Some(next);
    }
    let keys = stage.walk(actor, own(actor), &every_key()).await;
    [told, keys.iter().map(|key| key.id.0).collect()]
}

/// Waits until no connection of the pool is idle in a transaction.
async fn all_ended(stage: &Stage) {
    let Db::Postgres(_) = stage.services.db() else { return };
    // A separate connection: one from the pool would be active while it runs the query itself.
    let mut watcher = sqlx::PgConnection::connect(&stage.database_url).await.unwrap();
    let sql = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'";
    while sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut watcher).await.unwrap() > 0 {
        tokio::task::yield_now().await;
    }
    watcher.close().await.unwrap();
}

#[test]
fn a_dropped_transaction_changes_nothing_and_blocks_nobody() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let mut tx = stage.services.db().begin().await.unwrap();
        rename(&mut tx, stage.tenant, "Dropped").await.unwrap();
        drop(tx);
        let next = async {
            let mut tx = stage.services.db().begin().await.unwrap();
            let name: String = match &mut tx {
                Tx::Sqlite(tx) => sqlx::query_scalar("SELECT name FROM tenants").fetch_one(&mut **tx).await.unwrap(),
                Tx::Postgres(tx) => sqlx::query_scalar("SELECT name FROM tenants").fetch_one(&mut **tx).await.unwrap(),
            };
            rename(&mut tx, stage.tenant, "Kept").await.unwrap();
            tx.commit().await.unwrap();
            name
        };
        assert_eq!(timeout(AT_ONCE, next).await.unwrap(), "Acme");
        assert_eq!(stage.services.tenants().get(&ada).await.unwrap().name.as_str(), "Kept");
    });
}

#[test]
fn a_call_cancelled_at_any_moment_has_all_or_no_effect_and_blocks_nobody() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let keys = stage.services.api_keys();
        let mut dropped = 0;
        for polls in (0..80).map(|round| round % 10 + 1) {
            let outcome = dropped_after(polls, keys.create(&ada, &new_key(own(&ada), &format!("k{polls}")))).await;
            let ended = timeout(AT_ONCE, all_ended(&stage)).await;
            ended.unwrap_or_else(|_| panic!("a transaction is open after {polls} polls"));
            // This call locks the same rows, so it also waits for a commit that is still in progress.
            let next = async { keys.create(&ada, &new_key(own(&ada), "next")).await };
            timeout(AT_ONCE, next).await.unwrap_or_else(|_| panic!("after {polls} polls")).unwrap();
            let [told, there] = created(&stage, &ada).await;
            assert_eq!(told, there, "after {polls} polls");
            match outcome {
                None => dropped += 1,
                Some(outcome) => drop(outcome.unwrap()),
            }
        }
        assert!(dropped > 10, "only {dropped} calls were dropped");
    });
}

#[test]
fn a_transaction_aborted_by_a_deadlock_is_retried() {
    on_both(async |stage| {
        if matches!(stage.services.db(), Db::Sqlite { .. }) {
            // SQLite has a single writer, so transactions never wait for each other while they hold a row.
            return;
        }
        let other = stage.services.admin().create_tenant("Other", "other").await.unwrap();
        let (runs, both_hold_one) = (AtomicU32::new(0), Barrier::new(2));
        let rename_both = async |name: &str, first, second| {
            let has_run = AtomicU32::new(0);
            retry!(stage.services.db(), tx => {
                runs.fetch_add(1, Ordering::Relaxed);
                rename(tx, first, name).await?;
                if has_run.fetch_add(1, Ordering::Relaxed) == 0 {
                    both_hold_one.wait().await;
                }
                rename(tx, second, name).await
            })
        };
        let (one, two) = tokio::join!(rename_both("One", stage.tenant, other), rename_both("Two", other, stage.tenant));
        one.unwrap();
        two.unwrap();
        assert_eq!(runs.into_inner(), 3, "one of them was retried");
    });
}

#[test]
fn a_retryable_failure_is_tried_five_times_and_any_other_once() {
    on_both(async |stage| {
        let Db::Postgres(_) = stage.services.db() else { return };
        for (code, most) in [("40001", 5), ("40P01", 5), ("55P03", 1), ("23505", 1)] {
            let runs = AtomicU32::new(0);
            let sql = format!("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{code}'; END $$");
            let outcome = retry!(stage.services.db(), tx => {
                runs.fetch_add(1, Ordering::Relaxed);
                change!(tx, sqlx::query(sqlx::AssertSqlSafe(sql.as_str())))?;
                Ok(())
            });
            assert!(matches!(outcome, Err(Error::Database(_))));
            assert_eq!(runs.into_inner(), most, "{code}");
        }
    });
}

/// Runs a statement on a connection outside of the service.
async fn alone(connection: &mut sqlx::PgConnection, sql: &str) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(connection).await.unwrap();
}

#[test]
fn a_use_case_survives_a_deadlock_with_another_transaction() {
    on_both(async |stage| {
        let Db::Postgres(_) = stage.services.db() else { return };
        let ada = stage.session(stage.admin).await;
        let mut other = sqlx::PgConnection::connect(&stage.database_url).await.unwrap();
        let mut watcher = sqlx::PgConnection::connect(&stage.database_url).await.unwrap();
        // The use case changes the user and then its tenant's chain; the other transaction does it the other way round.
        alone(&mut other, "BEGIN; UPDATE audit_heads SET seq = seq").await;
        let renamed = {
            let (services, ada) = (stage.services.clone(), ada.clone());
            tokio::spawn(async move { services.users().rename(&ada, "Ada Byron").await })
        };
        let waits =
            "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while sqlx::query_scalar::<_, i64>(waits).fetch_one(&mut watcher).await.unwrap() == 0 {
            tokio::task::yield_now().await;
        }
        // PostgreSQL aborts the transaction that has waited for longer.
        alone(&mut other, "UPDATE users SET created_at = created_at; COMMIT").await;
        renamed.await.unwrap().unwrap();
        let name = stage.services.users().viewer(&ada).await.unwrap().user.name;
        assert_eq!(name.as_str(), "Ada Byron");
        other.close().await.unwrap();
        watcher.close().await.unwrap();
    });
}

/// Lets the first insertion of an audit entry after each `ALTER SEQUENCE faults RESTART` fail as after a deadlock.
/// Sequences aren't rolled back.
const FAULTS: &str = "CREATE SEQUENCE faults; \
    CREATE FUNCTION fail_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
    IF nextval('faults') = 1 THEN RAISE EXCEPTION 'deadlock' USING ERRCODE = '40P01'; END IF; RETURN NEW; END $$; \
    CREATE TRIGGER faults BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION fail_once()";

/// Runs each change with a deadlock at its first attempt.
macro_rules! survives {
    ($connection:ident: $($change:expr;)+) => {
        $(
            alone(&mut $connection, "ALTER SEQUENCE faults RESTART").await;
            let outcome = $change.await;
            assert!(outcome.is_ok(), "{}: {:?}", stringify!($change), outcome.err());
            let hits: i64 = sqlx::query_scalar("SELECT last_value FROM faults").fetch_one(&mut $connection).await.unwrap();
            assert!(hits > 1, "{} writes an entry, which failed once", stringify!($change));
        )+
    };
}

#[test]
fn every_change_is_repeated_after_a_deadlock() {
    on_both(async |stage| {
        let Db::Postgres(_) = stage.services.db() else { return };
        let ada = stage.session(stage.admin).await;
        let bob = stage.add_user("bob@example.org", "acme", Role::User).await;
        let account = stage.add_account(&ada, "CI").await;
        let key = stage.add_key(&ada, own(&ada), "laptop").await.key.id;
        let second = stage.add_key(&ada, own(&ada), "second").await.key.id;
        let mut db = sqlx::PgConnection::connect(&stage.database_url).await.unwrap();
        alone(&mut db, FAULTS).await;
        let services = &stage.services;
        let (keys, accounts, rolls) = (services.api_keys(), services.service_accounts(), services.rolls());
        let (users, members, invitations) = (services.users(), services.members(), services.invitations());
        let (policies, admin) = (services.tenant_policies(), services.admin());
        let roll = RollKey { key, overlap: "1h".to_owned(), ..RollKey::default() };
        let new = new_key(own(&ada), "new");
        let limit = "3".to_owned();
        let policy = SetKeyPolicy { policy: "max_keys".to_owned(), limit, ..SetKeyPolicy::default() };
        let create = CreateAccount { name: "Second".to_owned(), ..CreateAccount::default() };
        let with_key = CreateAccount { name: "Third".to_owned(), ..CreateAccount::default() };
        let (old, password) = (Secret::new(PASSWORD), Secret::new("nine quiet herons at noon"));
        survives! { db:
            keys.create(&ada, &new);
            keys.rename(&ada, key, "renamed");
            keys.suspend(&ada, key);
            keys.resume(&ada, key);
            rolls.roll(&ada, &roll);
            rolls.extend(&ada, key, "24h");
            rolls.cancel(&ada, key);
            rolls.roll(&ada, &roll);
            rolls.finish(&ada, key);
            services.inventory().suspend(&ada, &[second]);
            services.inventory().revoke(&ada, &[second]);
            accounts.create(&ada, &create);
            accounts.create_with_key(&ada, &with_key);
            accounts.rename(&ada, account, "Build");
            accounts.suspend(&ada, account);
            accounts.resume(&ada, account);
            accounts.delete(&ada, account);
            policies.set(&ada, &policy);
            policies.clear(&ada, "max_keys");
            members.change_role(&ada, bob, Role::ReadOnlyUser);
            members.remove(&ada, bob);
            invitations.invite(&ada, "eve@example.org", Role::User);
            services.tenants().create(&ada, "Other", "other");
            services.tenants().rename(&ada, "Acme & Co");
            services.calendar().create(&ada);
            services.calendar().revoke(&ada);
            services.second_factors().begin(&ada);
            users.rename(&ada, "Ada Byron");
            users.end_other_sessions(&ada, [1; 32]);
            users.confirm(&ada, &old, "");
            users.change_password(&ada, &old, &password, [1; 32], false);
            admin.create_tenant("Third", "third");
            admin.create_user("zoe@example.org", None, "third", Role::User.as_str(), &password);
            admin.set_role("third", "zoe@example.org", Role::TenantAdmin.as_str());
            admin.rename_user("zoe@example.org", "Zoe");
            admin.change_password("zoe@example.org", &old);
        }
        db.close().await.unwrap();
    });
}

#[test]
fn the_end_waits_for_running_background_tasks_and_lets_no_other_begin() {
    on_both(async |stage| {
        let background = Arc::clone(&stage.services.0.background);
        let turn = Background::begin_turn(&Arc::downgrade(&background)).await.expect("a turn");
        let services = stage.services.clone();
        let closing = tokio::spawn(async move { services.close().await });
        while !background.is_ending() {
            tokio::task::yield_now().await;
        }
        for _ in 0..100 {
            tokio::task::yield_now().await;
            storage::clock::find(stage.services.db()).await.expect("the database isn't closed yet");
        }
        drop(turn);
        closing.await.unwrap();
        assert!(Background::begin_turn(&Arc::downgrade(&background)).await.is_none());
    });
}

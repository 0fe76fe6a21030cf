//! Keys that are known in memory: nothing about them is used after it has changed, whoever changed it.

use std::time::Duration;

use chrono::TimeDelta;
use domain::{IssuedKey, Owner, Role, ScopeGrant, scope::SetScope, service_account::input::CreateAccount};

use super::stage::{Stage, browser, new_key, on_both, own};
use crate::{
    OpenError, Services, Settings, VerifiedKey,
    storage::{self, db::read},
    testing,
};

/// The longest time after which a change on another server is seen, and a bit.
const SEEN: Duration = Duration::from_millis(1_100);

async fn verify(services: &Services, key: &IssuedKey) -> Option<VerifiedKey> {
    services.verification().verify(key.token.expose(), &browser()).await.unwrap()
}

/// Verifies a key, so that it is known in memory.
async fn remember(stage: &Stage, key: &IssuedKey) {
    // Right after a commit, the row may have been read before a change, and isn't kept.
    for _ in 0..100 {
        assert!(verify(&stage.services, key).await.is_some());
        if is_known(stage, key) {
            return;
        }
    }
    panic!("a valid key is known after it was verified");
}

fn is_known(stage: &Stage, key: &IssuedKey) -> bool {
    let digest = crate::keys::token::digest_of(key.token.expose()).unwrap();
    storage::keys::find_in_memory(stage.services.db(), &digest).is_some()
}

async fn wait_until_followed(stage: &Stage) {
    for _ in 0..200 {
        if stage.services.db().key_cache().is_followed() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the changes are read");
}

#[test]
fn a_key_is_verified_from_memory_until_it_expires() {
    on_both(async |stage| {
        wait_until_followed(&stage).await;
        let admin = stage.session(stage.admin).await;
        let mut input = new_key(own(&admin), "soon over");
        input.expires_at = Some("2027-01-01T01:00:00Z".to_owned());
        let key = stage.services.api_keys().create(&admin, &input).await.unwrap();
        remember(&stage, &key).await;
        stage.advance(TimeDelta::minutes(59));
        assert!(verify(&stage.services, &key).await.is_some());
        stage.advance(TimeDelta::minutes(1));
        assert!(verify(&stage.services, &key).await.is_none(), "refused at the instant of its expiry");
        stage.clock.set("2027-01-01T00:30:00Z".parse().unwrap());
        storage::keys::mark_expired(stage.services.db(), "2027-01-01T02:00:00Z".parse().unwrap()).await.unwrap();
        assert!(verify(&stage.services, &key).await.is_none(), "a clock that is set back revives nothing");
    });
}

#[test]
fn every_change_is_effective_when_it_is_acknowledged() {
    on_both(async |stage| {
        wait_until_followed(&stage).await;
        let services = &stage.services;
        let admin = stage.session(stage.admin).await;
        let eve = stage.add_user("eve@example.org", "acme", Role::User).await;
        let eve_there = stage.session(eve).await;
        let account = services
            .service_accounts()
            .create(&admin, &CreateAccount { name: "Deploy".to_owned(), ..CreateAccount::default() })
            .await
            .unwrap();
        let hers = stage.add_key(&eve_there, own(&eve_there), "hers").await;
        let its = stage.add_key(&admin, Owner::ServiceAccount(account.id), "its").await;
        let role = async |key: &IssuedKey| verify(services, key).await.map(|key| key.role());

        remember(&stage, &hers).await;
        services.members().change_role(&admin, eve, Role::ReadOnlyUser).await.unwrap();
        assert_eq!(role(&hers).await, Some(Role::ReadOnlyUser));
        services.members().change_role(&admin, eve, Role::User).await.unwrap();

        remember(&stage, &its).await;
        services.service_accounts().change_role(&admin, account.id, Role::User).await.unwrap();
        assert_eq!(role(&its).await, Some(Role::User));

        remember(&stage, &its).await;
        services.service_accounts().suspend(&admin, account.id).await.unwrap();
        assert_eq!(role(&its).await, None);
        services.service_accounts().resume(&admin, account.id).await.unwrap();

        remember(&stage, &its).await;
        services.service_accounts().rename(&admin, account.id, "Deployment").await.unwrap();
        assert_eq!(verify(services, &its).await.unwrap().owner_name(), "Deployment");

        remember(&stage, &hers).await;
        services.users().rename(&eve_there, "Eve").await.unwrap();
        assert_eq!(verify(services, &hers).await.unwrap().owner_name(), "Eve");

        remember(&stage, &hers).await;
        services.api_keys().rename(&eve_there, hers.key.id, "renamed").await.unwrap();
        assert_eq!(verify(services, &hers).await.unwrap().name().as_str(), "renamed");

        remember(&stage, &hers).await;
        services.api_keys().suspend(&eve_there, hers.key.id).await.unwrap();
        assert!(verify(services, &hers).await.is_none());
        services.api_keys().resume(&eve_there, hers.key.id).await.unwrap();

        remember(&stage, &its).await;
        services.api_keys().revoke(&admin, its.key.id).await.unwrap();
        assert!(verify(services, &its).await.is_none());

        let other = stage.add_key(&admin, Owner::ServiceAccount(account.id), "other").await;
        remember(&stage, &other).await;
        services.service_accounts().delete(&admin, account.id).await.unwrap();
        assert!(verify(services, &other).await.is_none());

        remember(&stage, &hers).await;
        services.members().remove(&admin, eve).await.unwrap();
        assert!(verify(services, &hers).await.is_none());
    });
}

#[test]
fn every_column_that_verification_reads_is_followed() {
    on_both(async |stage| {
        wait_until_followed(&stage).await;
        let admin = stage.session(stage.admin).await;
        let account = stage.add_account(&admin, "Deploy").await;
        let key = stage.add_key(&admin, Owner::ServiceAccount(account), "its").await;
        let hers = stage.add_key(&admin, own(&admin), "hers").await;
        let rolled = stage.add_key(&admin, Owner::ServiceAccount(account), "rolled").await;
        for (key, statement) in [
            (&key, "UPDATE api_keys SET name = name || '!'"),
            (&key, "UPDATE api_keys SET expires_at = 4000000000000000"),
            (&key, "UPDATE api_keys SET scopes = 'a:read'"),
            (&key, "UPDATE api_keys SET allowed_addresses = '0.0.0.0/0'"),
            (&key, "UPDATE api_keys SET rate_requests = 1000, rate_seconds = 1"),
            (&key, "UPDATE api_keys SET rate_requests = 1001"),
            (&key, "UPDATE api_keys SET rate_seconds = 2"),
            (&key, "UPDATE service_accounts SET name = name || '!'"),
            (&key, "UPDATE service_accounts SET role = 'USER'"),
            (&key, "UPDATE tenants SET slug = 'acme-2'"),
            (&hers, "UPDATE memberships SET role = 'USER'"),
            (&hers, "UPDATE users SET name = name || '!'"),
            (
                &hers,
                "UPDATE api_keys SET user_id = NULL, service_account_id = (SELECT id FROM service_accounts) WHERE user_id IS NOT NULL",
            ),
            (&hers, "UPDATE api_keys SET lifecycle = 1, suspended_at = 1 WHERE name LIKE 'hers%'"),
            (&rolled, "UPDATE api_keys SET ends_key = id WHERE name LIKE 'rolled%'"),
            (&key, "UPDATE service_accounts SET suspended_at = 1"),
        ] {
            remember(&stage, key).await;
            testing::execute(&stage.services, statement).await;
            assert!(!is_known(&stage, key), "{statement}");
        }
    });
}

#[test]
fn the_catalogue_is_known_until_it_changes() {
    on_both(async |stage| {
        wait_until_followed(&stage).await;
        let db = stage.services.db();
        let count = async || storage::scopes::known_catalogue(db).await.unwrap().operators().count();
        assert_eq!(count().await, 0);
        let input = SetScope { scope: "a:read".to_owned(), description: "Read a".to_owned(), ..SetScope::default() };
        let input = SetScope { least_role: Some(Role::ReadOnlyUser), ..input };
        stage.services.admin().set_scope(&input).await.unwrap();
        assert_eq!(count().await, 1);
        assert!(db.key_cache().known_catalogue().is_some());
        stage.services.admin().remove_scope("a:read").await.unwrap();
        assert_eq!(count().await, 0);
    });
}

#[test]
fn a_change_by_another_process_is_seen_in_time() {
    on_both(async |stage| {
        wait_until_followed(&stage).await;
        let settings =
            Settings { secret_keys: crate::SecretKeys::File(stage.key_file()), ..Settings::new(&stage.database_url) };
        let other = Services::open(&settings, stage.clock.clone()).await.unwrap();
        let admin = stage.session(stage.admin).await;
        for n in 0..5 {
            let key = stage.add_key(&admin, own(&admin), &format!("key {n}")).await;
            remember(&stage, &key).await;
            other.api_keys().revoke(&admin, key.key.id).await.unwrap();
            if !stage.database_url.starts_with("sqlite:") {
                tokio::time::sleep(SEEN).await;
            }
            assert!(verify(&stage.services, &key).await.is_none(), "{n}");
        }
        other.close().await;
    });
}

#[test]
fn only_one_process_serves_an_sqlite_file() {
    on_both(async |stage| {
        let other = Services::open(&Settings::new(&stage.database_url), stage.clock.clone()).await.unwrap();
        let refused = other.begin_serving();
        if stage.database_url.starts_with("sqlite:") {
            assert!(matches!(refused, Err(OpenError::Served(_))), "{refused:?}");
        } else {
            assert!(refused.is_ok());
        }
        other.close().await;
    });
}

#[test]
fn changes_that_were_deleted_before_they_were_read_are_not_missed() {
    on_both(async |stage| {
        wait_until_followed(&stage).await;
        let admin = stage.session(stage.admin).await;
        let key = stage.add_key(&admin, own(&admin), "key").await;
        remember(&stage, &key).await;
        testing::execute(&stage.services, "UPDATE api_keys SET name = 'other'; DELETE FROM changes").await;
        assert_eq!(verify(&stage.services, &key).await.unwrap().name().as_str(), "other");
        assert_eq!(verify(&stage.services, &key).await.unwrap().scopes(), &ScopeGrant::Unscoped);
    });
}

#[test]
fn numbers_that_are_used_again_are_not_taken_for_known_ones() {
    on_both(async |stage| {
        wait_until_followed(&stage).await;
        let admin = stage.session(stage.admin).await;
        let key = stage.add_key(&admin, own(&admin), "key").await;
        for name in ["one", "two", "three"] {
            stage.services.api_keys().rename(&admin, key.key.id, name).await.unwrap();
        }
        remember(&stage, &key).await;
        // As on a standby that lacked the latest two changes and became the primary.
        let lost = "UPDATE change_heads SET number = number - 2; DELETE FROM changes WHERE number > 1";
        testing::execute(&stage.services, lost).await;
        assert!(!is_known(&stage, &key));
        for name in ["four", "five"] {
            remember(&stage, &key).await;
            stage.services.api_keys().rename(&admin, key.key.id, name).await.unwrap();
            assert_eq!(verify(&stage.services, &key).await.unwrap().name().as_str(), name);
        }
    });
}

#[test]
fn old_changes_are_deleted_and_the_latest_stay() {
    on_both(async |stage| {
        let tenant = "(SELECT id FROM tenants)";
        let numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)";
        let fill = format!(
            "DELETE FROM changes; DELETE FROM change_heads; {numbers} INSERT INTO changes (tenant_id, number, kind, subject_id) \
             SELECT {tenant}, i, 4, {tenant} FROM n; \
             INSERT INTO change_heads (tenant_id, number) VALUES ({tenant}, 12000)"
        );
        testing::execute(&stage.services, &fill).await;
        let db = stage.services.db();
        storage::changes::sweep(db).await.unwrap();
        let kept: (i64, i64) =
            read!(db, c => sqlx::query_as("SELECT COUNT(*), MIN(number) FROM changes").fetch_one(c)).unwrap();
        assert_eq!(kept, (10_000, 2_001));
    });
}

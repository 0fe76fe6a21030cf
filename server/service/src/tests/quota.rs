//! How many keys an owner can have.

use chrono::TimeDelta;
use domain::{ErrorCode, Owner, Role, api_key::act::RollKey, api_key::input::CreateKey};

use crate::tests::stage::*;

#[test]
fn an_owner_at_the_limit_gets_no_key_until_one_has_ended() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        stage.set_key_limit(&ada, 3).await;
        let account = Owner::ServiceAccount(stage.add_account(&ada, "bot").await);
        for owner in [own(&ada), account] {
            let keys = stage.services.api_keys();
            let first = stage.add_key(&ada, owner, "first").await;
            let second = stage.add_key(&ada, owner, "second").await;
            let soon = (stage.services.now() + TimeDelta::minutes(2)).to_rfc3339();
            let short = CreateKey { expires_at: Some(soon), ..new_key(owner, "short") };
            keys.create(&ada, &short).await.unwrap();
            let Err(crate::Error::Rule(refusal)) = keys.create(&ada, &new_key(owner, "fourth")).await else {
                panic!("not refused");
            };
            assert_eq!(refusal.code, ErrorCode::Conflict);
            assert!(refusal.message.contains("at most 3 keys"), "{}", refusal.message);

            keys.suspend(&ada, first.key.id).await.unwrap();
            assert_eq!(code(keys.create(&ada, &new_key(owner, "fourth")).await), ErrorCode::Conflict, "still counts");
            keys.revoke(&ada, second.key.id).await.unwrap();
            keys.create(&ada, &new_key(owner, "fourth")).await.unwrap();
            stage.advance(TimeDelta::minutes(3));
            keys.create(&ada, &new_key(owner, "fifth")).await.unwrap();
            assert_eq!(code(keys.create(&ada, &new_key(owner, "sixth")).await), ErrorCode::Conflict);
        }
    });
}

#[test]
fn keys_can_be_rotated_at_the_limit() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        stage.set_key_limit(&ada, 1).await;
        let first = stage.add_key(&ada, own(&ada), "first").await;
        let roll = |key| RollKey { key, overlap: "7d".to_owned(), ..RollKey::default() };
        let second = stage.services.rolls().roll(&ada, &roll(first.key.id)).await.unwrap();
        let third = stage.services.rolls().roll(&ada, &roll(second.key.id)).await;
        assert_eq!(code(third), ErrorCode::Conflict, "two keys in their grace period, and a third");
        stage.services.rolls().finish(&ada, first.key.id).await.unwrap();
        stage.services.rolls().roll(&ada, &roll(second.key.id)).await.unwrap();
    });
}

#[test]
fn concurrent_requests_do_not_exceed_the_limit() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        stage.set_key_limit(&ada, 10).await;
        let account = Owner::ServiceAccount(stage.add_account(&ada, "bot").await);
        let created = at_once(30, |n| {
            let (services, ada) = (stage.services.clone(), ada.clone());
            async move { services.api_keys().create(&ada, &new_key(account, &format!("key {n}"))).await.is_ok() }
        })
        .await;
        assert_eq!(created.into_iter().filter(|done| *done).count(), 10);
        assert_eq!(stage.walk(&ada, account, &every_key()).await.len(), 10);
    });
}

#[test]
fn the_limit_is_500_without_a_policy_and_each_owner_and_tenant_has_its_own() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        stage.services.admin().create_tenant("Other", "other").await.unwrap();
        let full = Owner::ServiceAccount(stage.add_account(&ada, "full").await);
        let keys = stage.services.api_keys();
        // Few at once, so that none waits for too long.
        for round in 0..50 {
            let created = at_once(10, |n| {
                let (services, ada, name) = (stage.services.clone(), ada.clone(), format!("key {round} {n}"));
                async move { services.api_keys().create(&ada, &new_key(full, &name)).await.is_ok() }
            });
            assert!(created.await.into_iter().all(|done| done), "round {round}");
        }
        assert_eq!(code(keys.create(&ada, &new_key(full, "one more")).await), ErrorCode::Conflict);
        keys.create(&ada, &new_key(own(&ada), "of another owner")).await.unwrap();
        stage.set_key_limit(&ada, 501).await;
        keys.create(&ada, &new_key(full, "one more")).await.unwrap();
        stage.services.tenant_policies().clear(&ada, "max_keys").await.unwrap();
        assert_eq!(code(keys.create(&ada, &new_key(full, "two more")).await), ErrorCode::Conflict);

        let bob = stage.add_user("bob@example.org", "other", Role::User).await;
        stage.add_user("bob@example.org", "acme", Role::User).await;
        stage.set_key_limit(&ada, 1).await;
        let bob = stage.session(bob).await;
        stage.add_key(&bob, own(&bob), "here").await;
        assert_eq!(code(keys.create(&bob, &new_key(own(&bob), "again")).await), ErrorCode::Conflict);
        let other = stage.services.users().viewer(&bob).await.unwrap().memberships;
        let other = other.into_iter().find(|one| one.tenant.slug.as_str() == "other").unwrap().tenant.id;
        let there = CreateKey { tenant_id: Some(other), ..new_key(own(&bob), "there") };
        keys.create(&bob, &there).await.unwrap();
    });
}

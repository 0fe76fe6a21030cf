//! The confirmation that changes require which give somebody more rights, and those that don't require it.

use chrono::TimeDelta;
use domain::{
    AuditQuery, ErrorCode, KeyId, Owner, Role,
    api_key::act::RollKey,
    api_key::input::{CreateKey, SetKeyPolicy},
    service_account::input::CreateAccount,
};

use crate::{Actor, tests::stage::*};

/// Returns a session of the administrator whose sign-in is too old.
async fn stale(stage: &Stage) -> Actor {
    let actor = stage.session(stage.admin).await;
    stage.advance(TimeDelta::minutes(11));
    actor
}

fn asks<T: std::fmt::Debug>(result: crate::Result<T>) -> bool {
    match result {
        Ok(_) => false,
        Err(crate::Error::Api(refusal) | crate::Error::Rule(refusal)) => {
            assert_eq!(refusal.code, ErrorCode::ConfirmationRequired, "{}", refusal.message);
            true
        }
        Err(error) => panic!("{error:?}"),
    }
}

fn policy(policy: &str, days: &str, limit: &str) -> SetKeyPolicy {
    SetKeyPolicy {
        policy: policy.to_owned(),
        days: days.to_owned(),
        limit: limit.to_owned(),
        ..SetKeyPolicy::default()
    }
}

#[test]
fn an_old_sign_in_makes_and_resumes_nothing_but_can_stop_everything() {
    on_both(async |stage| {
        let fresh = stage.session(stage.admin).await;
        let account = stage.add_account(&fresh, "bot").await;
        let key = stage.add_key(&fresh, own(&fresh), "laptop").await.key.id;
        let second = stage.add_key(&fresh, own(&fresh), "second").await.key.id;
        let stale = stale(&stage).await;
        let (keys, accounts) = (stage.services.api_keys(), stage.services.service_accounts());
        assert!(asks(keys.create(&stale, &CreateKey { name: "new".to_owned(), ..CreateKey::default() }).await));
        assert!(asks(stage.services.rolls().roll(&stale, &RollKey { key, ..RollKey::default() }).await));
        assert!(asks(
            accounts.create(&stale, &CreateAccount { name: "x".to_owned(), ..CreateAccount::default() }).await
        ));
        assert!(asks(stage.services.invitations().invite(&stale, "eve@example.org", Role::User).await));
        assert!(asks(stage.services.calendar().create(&stale).await));
        assert!(asks(stage.services.tenants().create(&stale, "New", "new").await));

        keys.rename(&stale, key, "renamed").await.unwrap();
        keys.suspend(&stale, key).await.unwrap();
        assert!(asks(keys.resume(&stale, key).await));
        accounts.suspend(&stale, account).await.unwrap();
        assert!(asks(accounts.resume(&stale, account).await));
        keys.revoke(&stale, second).await.unwrap();

        let now = stage.session(stage.admin).await;
        keys.resume(&now, key).await.unwrap();
        accounts.resume(&now, account).await.unwrap();
    });
}

#[test]
fn only_a_higher_role_requires_a_recent_sign_in() {
    on_both(async |stage| {
        let fresh = stage.session(stage.admin).await;
        let account = stage.add_account(&fresh, "bot").await;
        let bob = stage.add_user("bob@example.org", "acme", Role::User).await;
        let stale = stale(&stage).await;
        let (members, accounts) = (stage.services.members(), stage.services.service_accounts());
        assert!(asks(members.change_role(&stale, bob, Role::TenantAdmin).await));
        assert!(!asks(members.change_role(&stale, bob, Role::User).await), "the same role");
        assert!(!asks(members.change_role(&stale, bob, Role::ReadOnlyUser).await));
        assert!(asks(members.change_role(&stale, bob, Role::User).await));
        assert!(!asks(accounts.change_role(&stale, account, Role::User).await));
        assert!(asks(accounts.change_role(&stale, account, Role::TenantAdmin).await));
        assert!(!asks(members.remove(&stale, bob).await));

        let now = stage.session(stage.admin).await;
        accounts.change_role(&now, account, Role::TenantAdmin).await.unwrap();
    });
}

#[test]
fn only_a_weaker_policy_requires_a_recent_sign_in() {
    on_both(async |stage| {
        let stale = stale(&stage).await;
        let policies = stage.services.tenant_policies();
        assert!(!asks(policies.set(&stale, &policy("max_lifetime", "90", "")).await), "there was no limit");
        assert!(!asks(policies.set(&stale, &policy("max_lifetime", "30", "")).await));
        assert!(asks(policies.set(&stale, &policy("max_lifetime", "31", "")).await));
        let later = SetKeyPolicy { from: "2027-06-01".to_owned(), ..policy("max_lifetime", "365", "") };
        assert!(asks(policies.set(&stale, &later).await), "weaker later");
        assert!(asks(policies.clear(&stale, "max_lifetime").await));
        assert!(!asks(policies.set(&stale, &policy("max_keys", "", "20")).await));
        assert!(asks(policies.set(&stale, &policy("max_keys", "", "501")).await));

        let now = stage.session(stage.admin).await;
        policies.set(&now, &later).await.unwrap();
        policies.clear(&now, "max_lifetime").await.unwrap();
    });
}

#[test]
fn an_export_of_the_audit_log_requires_a_recent_sign_in_and_reading_it_does_not() {
    on_both(async |stage| {
        let stale = stale(&stage).await;
        let (log, query) = (stage.services.audit_log(), AuditQuery::default());
        log.list(&stale, &query).await.unwrap();
        assert!(asks(log.export(&stale, &query, "CSV").await));
        let entries = log.list(&stale, &query).await.unwrap().items;
        assert!(entries.iter().all(|entry| !entry.detail.starts_with("exported")));
        log.export(&stage.session(stage.admin).await, &query, "CSV").await.unwrap();
    });
}

#[test]
fn a_key_is_never_asked_and_a_missing_right_comes_first() {
    on_both(async |stage| {
        let fresh = stage.session(stage.admin).await;
        let account = stage.add_account(&fresh, "bot").await;
        let key = stage.add_key(&fresh, Owner::ServiceAccount(account), "main").await;
        let bob = stage.add_user("bob@example.org", "acme", Role::ReadOnlyUser).await;
        let bob = stage.session(bob).await;
        stage.advance(TimeDelta::hours(2));
        let by_key = stage.by_key(&key).await;
        stage.services.invitations().invite(&by_key, "eve@example.org", Role::User).await.unwrap();
        stage.services.audit_log().export(&by_key, &AuditQuery::default(), "CSV").await.unwrap();

        let refused = stage.services.api_keys().create(&bob, &new_key(own(&bob), "mine")).await;
        assert_eq!(code(refused), ErrorCode::Forbidden);
        let refused = stage.services.api_keys().resume(&fresh, KeyId::default()).await;
        assert_eq!(code(refused), ErrorCode::NotFound);
    });
}

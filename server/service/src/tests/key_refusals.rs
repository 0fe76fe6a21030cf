//! Why requests with a key were rejected.

use chrono::TimeDelta;
use domain::{
    Endpoint, ErrorCode, IssuedKey, KeyId, KeyRefusal, Owner, RefusalReason, Role, Scope, api_key::act::RollKey,
    api_key::input::CreateKey, refusal::MAX_REFUSALS,
};

use crate::{Actor, Authorized, Client, RegisterAgent, storage, tests::stage::*};

fn from(address: &str, agent: &str) -> Client {
    Client { address: Some(address.to_owned()), user_agent: Some(agent.to_owned()), ..browser() }.at(Endpoint::Verify)
}

async fn refused(stage: &Stage, key: &IssuedKey, client: &Client) {
    assert!(stage.services.verification().verify(key.token.expose(), client).await.unwrap().is_none());
}

async fn listed(stage: &Stage, by: &Actor, key: KeyId) -> Vec<KeyRefusal> {
    stage.services.api_keys().usage(by, key).await.unwrap().refusals
}

async fn reasons(stage: &Stage, by: &Actor, key: KeyId) -> Vec<(RefusalReason, u64)> {
    listed(stage, by, key).await.iter().map(|one| (one.reason, one.count)).collect()
}

async fn expiring(stage: &Stage, by: &Actor, owner: Owner) -> IssuedKey {
    let expires_at = Some((stage.services.now() + TimeDelta::hours(1)).to_rfc3339());
    stage.services.api_keys().create(by, &CreateKey { expires_at, ..new_key(owner, "k") }).await.unwrap()
}

#[test]
fn each_reason_is_told_to_the_owner_and_to_administrators_only() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let bob = stage.session(stage.add_user("bob@example.org", "acme", Role::User).await).await;
        let eve = stage.session(stage.add_user("eve@example.org", "acme", Role::User).await).await;
        let keys = stage.services.api_keys();
        let client = from("192.0.2.1", "curl/8");
        let key = stage.add_key(&bob, own(&bob), "ci").await;
        let id = key.key.id;
        assert!(listed(&stage, &bob, id).await.is_empty(), "nothing was rejected yet");
        keys.suspend(&bob, id).await.unwrap();
        refused(&stage, &key, &client).await;
        let suspended = stage.services.now();
        stage.advance(TimeDelta::minutes(1));
        keys.revoke(&bob, id).await.unwrap();
        refused(&stage, &key, &client).await;
        refused(&stage, &key, &client).await;
        let expected = [(RefusalReason::Revoked, 2), (RefusalReason::Suspended, 1)];
        assert_eq!(reasons(&stage, &bob, id).await, expected);
        assert_eq!(reasons(&stage, &ada, id).await, expected);
        assert_eq!(code(keys.usage(&eve, id).await), ErrorCode::Forbidden);
        let oldest = listed(&stage, &bob, id).await.pop().unwrap();
        assert_eq!((oldest.first_at, oldest.last_at, oldest.endpoint), (suspended, suspended, Some(Endpoint::Verify)));
        assert_eq!((oldest.address.as_deref(), oldest.user_agent.as_deref()), (Some("192.0.2.1"), Some("curl/8")));

        let key = expiring(&stage, &bob, own(&bob)).await;
        assert!(stage.is_valid(&key).await, "it is known in memory");
        stage.advance(TimeDelta::hours(1));
        refused(&stage, &key, &client).await;
        assert_eq!(reasons(&stage, &bob, key.key.id).await, [(RefusalReason::Expired, 1)]);
    });
}

#[test]
fn keys_of_rotations_and_of_owners_who_left_are_told_apart() {
    on_both(async |stage| {
        let client = from("192.0.2.1", "curl/8");
        let roll = |key: &IssuedKey, overlap: &str| RollKey {
            key: key.key.id,
            overlap: overlap.to_owned(),
            ..RollKey::default()
        };
        let rolls = stage.services.rolls();
        for overlap in ["now", "1h", "first_use"] {
            let ada = stage.session(stage.admin).await;
            let old = stage.add_key(&ada, own(&ada), overlap).await;
            let new = rolls.roll(&ada, &roll(&old, overlap)).await.unwrap();
            stage.advance(TimeDelta::hours(1));
            assert!(stage.is_valid(&new).await);
            refused(&stage, &old, &client).await;
            assert_eq!(reasons(&stage, &ada, old.key.id).await, [(RefusalReason::Replaced, 1)], "{overlap}");
        }
        // Revoked for another reason than its rotation.
        let ada = stage.session(stage.admin).await;
        let old = stage.add_key(&ada, own(&ada), "stopped").await;
        rolls.roll(&ada, &roll(&old, "24h")).await.unwrap();
        stage.services.api_keys().revoke(&ada, old.key.id).await.unwrap();
        refused(&stage, &old, &client).await;
        assert_eq!(reasons(&stage, &ada, old.key.id).await, [(RefusalReason::Revoked, 1)]);
    });
}

#[test]
fn the_missing_scopes_are_named_also_those_of_latchkey_itself() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let scopes = Some("latchkey:agent".to_owned());
        let key = CreateKey { scopes, ..new_key(own(&ada), "agent") };
        let key = stage.services.api_keys().create(&ada, &key).await.unwrap();
        let demanded = [Scope::parse("orders:read").unwrap(), Scope::parse("latchkey:agent").unwrap()];
        let client = from("192.0.2.1", "curl/8");
        let verification = stage.services.verification();
        let answer = verification.authorize(key.token.expose(), &demanded, None, &client).await.unwrap();
        assert!(matches!(answer, Authorized::Lacks(..)), "{answer:?}");
        stage.advance(TimeDelta::seconds(1));
        let by_key = stage.by_key(&key).await;
        assert_eq!(code(stage.services.api_keys().rename(&by_key, key.key.id, "x").await), ErrorCode::Forbidden);
        let refusals = listed(&stage, &ada, key.key.id).await;
        let seen: Vec<_> = refusals.iter().map(|one| (one.reason, one.scopes_text())).collect();
        let missing = |scope: &str| (RefusalReason::MissingScope, scope.to_owned());
        assert_eq!(seen, [missing("latchkey:manage"), missing("orders:read")]);
    });
}

#[test]
fn a_flood_keeps_the_fifty_most_recent_and_counts_equal_ones_across_batches() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let (key, other) = (stage.add_key(&ada, own(&ada), "a").await, stage.add_key(&ada, own(&ada), "b").await);
        for one in [&key, &other] {
            stage.services.api_keys().revoke(&ada, one.key.id).await.unwrap();
        }
        refused(&stage, &other, &from("192.0.2.1", "curl/8")).await;
        let audit = stage.services.0.context.audit();
        for batch in 0..3 {
            for n in 0..2 * MAX_REFUSALS {
                refused(&stage, &key, &from("192.0.2.1", &format!("invented {batch} {n}"))).await;
            }
            refused(&stage, &other, &from("192.0.2.1", "curl/8")).await;
            audit.flush_usage().await.unwrap();
            stage.advance(TimeDelta::seconds(1));
        }
        let kept = listed(&stage, &ada, key.key.id).await;
        assert_eq!(kept.len(), MAX_REFUSALS);
        assert!(kept.iter().all(|one| one.user_agent.as_deref().unwrap().starts_with("invented 2 ")));
        assert_eq!(reasons(&stage, &ada, other.key.id).await, [(RefusalReason::Revoked, 4)]);
        // An older batch of another server leaves the times and the order right.
        let mut late = listed(&stage, &ada, other.key.id).await.remove(0);
        let (first, last) = (late.first_at, late.last_at);
        (late.first_at, late.last_at, late.count) = (first - TimeDelta::hours(1), first, 5);
        let mut tx = stage.services.db().begin().await.unwrap();
        storage::key_refusals::add(&mut tx, other.key.id, &late).await.unwrap();
        tx.commit().await.unwrap();
        let merged = listed(&stage, &ada, other.key.id).await.remove(0);
        assert_eq!((merged.first_at, merged.last_at, merged.count), (first - TimeDelta::hours(1), last, 9));
    });
}

#[test]
fn rejected_requests_are_kept_for_ninety_days_and_name_the_agent() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let account = stage.add_account(&ada, "Deployer").await;
        let key = stage.add_key(&ada, Owner::ServiceAccount(account), "agent").await;
        let actor = stage.by_key(&key).await;
        let (kind, name) = ("LocalAgent".to_owned(), Some("frankfurt".to_owned()));
        let input = RegisterAgent { kind, name, labels: Vec::new(), tenant_id: None, version: None };
        let agent = stage.services.agents().register(&actor, &input).await.unwrap();
        stage.services.api_keys().suspend(&ada, key.key.id).await.unwrap();
        refused(&stage, &key, &Client { agent_id: Some(agent), ..browser() }).await;
        let listed_now = listed(&stage, &ada, key.key.id).await;
        assert_eq!(listed_now[0].agent_name.as_ref().map(domain::Name::as_str), Some("frankfurt"));
        let kept_for = domain::usage::KEPT_FOR;
        storage::key_refusals::sweep(stage.services.db(), stage.services.now() - kept_for).await.unwrap();
        assert_eq!(listed(&stage, &ada, key.key.id).await.len(), 1);
        let later = stage.advance(kept_for + TimeDelta::seconds(1));
        assert!(listed(&stage, &ada, key.key.id).await.is_empty());
        storage::key_refusals::sweep(stage.services.db(), later - kept_for).await.unwrap();
        stage.advance(-kept_for);
        assert!(listed(&stage, &ada, key.key.id).await.is_empty(), "deleted");
    });
}

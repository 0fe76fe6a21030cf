//! The limits of keys: allowed addresses, and requests per window.

use chrono::TimeDelta;
use domain::{
    AuditQuery, ErrorCode, IssuedKey, KeyId, KeyLimits, Owner, Role, Scope, ServiceAccountId,
    api_key::act::{ChangeKeyLimits, RollKey},
    api_key::input::CreateKey,
};

use crate::{Actor, Authorized, Client, Verification, VerificationOutcome, tests::stage::*};

fn from(address: Option<&str>) -> Client {
    Client { address: address.map(str::to_owned), ..browser() }
}

fn limited(owner: Owner, addresses: &str, rate: &str) -> CreateKey {
    let (requests, window) = rate.split_once('/').unwrap_or_default();
    CreateKey {
        allowed_addresses: Some(addresses.to_owned()),
        rate_limit: Some(requests.to_owned()),
        rate_window: Some(window.to_owned()),
        allow_lockout: true,
        ..new_key(owner, "k")
    }
}

fn to(key: KeyId, addresses: Option<&str>, rate: Option<&str>) -> ChangeKeyLimits {
    let rate = rate.map(|rate| rate.split_once('/').unwrap_or_default());
    ChangeKeyLimits {
        key,
        allowed_addresses: addresses.map(str::to_owned),
        rate_limit: rate.map(|(requests, _)| requests.to_owned()),
        rate_window: rate.map(|(_, window)| window.to_owned()),
        allow_lockout: true,
        ..ChangeKeyLimits::default()
    }
}

fn limits(addresses: &str, rate: &str) -> KeyLimits {
    let (requests, window) = rate.split_once('/').unwrap_or_default();
    KeyLimits::parse(Some(addresses), Some(requests), Some(window)).unwrap()
}

/// What a request from an address is told: `ok`, `refused`, or the seconds to wait.
async fn ask(stage: &Stage, key: &IssuedKey, address: Option<&str>) -> String {
    let verification = stage.services.verification();
    match verification.authorize(key.token.expose(), &[], None, &from(address)).await.unwrap() {
        Authorized::Granted(_) => "ok".to_owned(),
        Authorized::Refused => "refused".to_owned(),
        Authorized::RateLimited(wait) => wait.to_string(),
        Authorized::Lacks(..) => "lacks".to_owned(),
    }
}

async fn audited(stage: &Stage) -> Vec<String> {
    let ada = stage.session(stage.admin).await;
    let query = AuditQuery { operation: "change_api_key_limits".to_owned(), ..AuditQuery::default() };
    let page = stage.services.audit_log().list(&ada, &query).await.unwrap();
    page.items.into_iter().map(|entry| entry.detail).filter(|detail| !detail.is_empty()).collect()
}

/// Returns the message of a refusal at a field.
fn at<T>(field: &str, result: crate::Result<T>) -> String {
    match result {
        Err(crate::Error::Api(refusal) | crate::Error::Rule(refusal)) => {
            refusal.at(field).unwrap_or_else(|| panic!("{refusal:?}")).to_owned()
        }
        _ => panic!("not a refusal"),
    }
}

#[test]
fn a_key_works_only_from_its_addresses() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let keys = stage.services.api_keys();
        let input = limited(own(&ada), "203.0.113.0/24, 2001:db8::/32", "");
        let key = keys.create(&ada, &input).await.unwrap();
        assert_eq!(key.key.limits, limits("203.0.113.0/24 2001:db8::/32", ""));
        // The first round reads the database, the others what is known in memory.
        for round in 0..3 {
            for (address, expected) in [
                (Some("203.0.114.0"), "refused"),
                (None, "refused"),
                (Some("unknown"), "refused"),
                (Some("203.0.113.255"), "ok"),
                (Some("::ffff:203.0.113.1"), "ok"),
                (Some("::ffff:203.0.114.1"), "refused"),
                (Some("2001:db8::9"), "ok"),
                (Some("2001:db9::9"), "refused"),
            ] {
                assert_eq!(ask(&stage, &key, address).await, expected, "{address:?} in round {round}");
            }
        }
        let by_key = stage.services.actors().from_bearer(key.token.expose(), from(Some("192.0.2.7"))).await;
        assert_eq!(code(by_key), ErrorCode::Unauthenticated);
        let counts = stage.services.metrics().verifications();
        let counted: u64 = counts
            .iter()
            .filter(|(_, outcome, _)| *outcome == VerificationOutcome::AddressNotAllowed)
            .map(|(.., n)| n)
            .sum();
        assert_eq!(counted, 16);
        let usage = keys.usage(&ada, key.key.id).await.unwrap();
        assert!(usage.refusals.iter().all(|one| one.reason == domain::RefusalReason::AddressNotAllowed));
        assert_eq!(usage.refusals.iter().map(|one| one.count).sum::<u64>(), 16);
    });
}

#[test]
fn the_client_that_a_service_names_is_the_one_that_counts() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let keys = stage.services.api_keys();
        let key = keys.create(&ada, &limited(own(&ada), "203.0.113.0/24", "")).await.unwrap();
        let verification = stage.services.verification();
        let service = from(Some("10.0.0.1"));
        let ask = async |address: Option<&str>| {
            let client = Verification::end_client(Some(stage.tenant), &service, (address, None)).unwrap();
            let answer = verification.authorize(key.token.expose(), &[], Some(stage.tenant), &client).await.unwrap();
            matches!(answer, Authorized::Granted(_))
        };
        assert!(ask(Some("203.0.113.5")).await && ask(Some("::ffff:203.0.113.5")).await);
        assert!(!ask(Some("10.0.0.1")).await && !ask(None).await);
        // The service's own key is limited by the service's address.
        let own_key =
            CreateKey { scopes: Some("latchkey:verify".to_owned()), ..limited(own(&ada), "10.0.0.1", "1/day") };
        let own_key = keys.create(&ada, &own_key).await.unwrap();
        let caller = async |address| verification.caller(own_key.token.expose(), &from(Some(address))).await;
        assert_eq!(code(caller("10.0.0.2").await), ErrorCode::Unauthenticated);
        assert_eq!(caller("10.0.0.1").await.unwrap(), stage.tenant);
        assert_eq!(code(caller("10.0.0.1").await), ErrorCode::RateLimited);
    });
}

#[test]
fn a_key_is_refused_until_its_rate_limit_allows_another_request() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let keys = stage.services.api_keys();
        let key = keys.create(&ada, &limited(own(&ada), "192.0.2.0/24", "3/minute")).await.unwrap();
        let here = Some("192.0.2.7");
        for _ in 0..5 {
            assert_eq!(ask(&stage, &key, Some("198.51.100.1")).await, "refused", "counts towards nothing");
        }
        for expected in ["ok", "ok", "ok", "20", "20"] {
            assert_eq!(ask(&stage, &key, here).await, expected);
        }
        let verify = async || stage.services.verification().verify(key.token.expose(), &from(here)).await;
        let refused = match verify().await {
            Err(crate::Error::Api(refused)) => refused,
            other => panic!("{other:?}"),
        };
        assert_eq!((refused.code, refused.retry_after), (ErrorCode::RateLimited, Some(20)));
        let actor = stage.services.actors().from_bearer(key.token.expose(), from(here)).await;
        assert_eq!(code(actor), ErrorCode::RateLimited);
        stage.advance(TimeDelta::microseconds(19_999_999));
        assert_eq!(ask(&stage, &key, here).await, "1");
        stage.advance(TimeDelta::microseconds(1));
        assert_eq!(ask(&stage, &key, here).await, "ok");
        assert_eq!(ask(&stage, &key, here).await, "20");
        stage.advance(TimeDelta::minutes(1));
        // A demanded scope that it lacks counts as a request, too.
        let scope = Scope::parse("orders:read").unwrap();
        let verification = stage.services.verification();
        for _ in 0..3 {
            let answer = verification
                .authorize(key.token.expose(), std::slice::from_ref(&scope), None, &from(here))
                .await
                .unwrap();
            assert!(matches!(answer, Authorized::Lacks(..)), "{answer:?}");
        }
        let answer = verification.authorize(key.token.expose(), &[scope], None, &from(here)).await.unwrap();
        assert!(matches!(answer, Authorized::RateLimited(20)), "{answer:?}");
        // Another key of the same owner isn't affected, and neither is the key once the limit is gone.
        assert!(stage.is_valid(&stage.add_key(&ada, own(&ada), "other").await).await);
        keys.change_limits(&ada, &to(key.key.id, None, Some(""))).await.unwrap();
        assert_eq!(ask(&stage, &key, here).await, "ok");
        let usage = keys.usage(&ada, key.key.id).await.unwrap();
        let limited = usage.refusals.iter().filter(|one| one.reason == domain::RefusalReason::RateLimited);
        assert_eq!(limited.map(|one| one.count).sum::<u64>(), 7);
    });
}

#[test]
fn tightening_needs_the_right_to_rename_and_loosening_the_right_to_create() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let bob = stage.add_user("bob@example.org", "acme", Role::User).await;
        let session = stage.session(bob).await;
        let keys = stage.services.api_keys();
        let key = keys.create(&session, &limited(own(&session), "10.0.0.0/8", "10/minute")).await.unwrap().key.id;
        let change = async |actor: &Actor, addresses, rate| keys.change_limits(actor, &to(key, addresses, rate)).await;
        assert_eq!(code(change(&ada, Some("10.0.0.1"), None).await), ErrorCode::Forbidden, "somebody else's");

        stage.services.members().change_role(&ada, bob, Role::ReadOnlyUser).await.unwrap();
        let read_only = stage.session(bob).await;
        let tighter = change(&read_only, Some("10.0.0.0/9"), Some("5/minute")).await.unwrap();
        assert_eq!(tighter.limits, limits("10.0.0.0/9", "5/minute"));
        for (addresses, rate) in [
            (Some(""), None),
            (Some("10.0.0.0/8"), None),
            (Some("10.0.0.0/9 ::1"), None),
            (None, Some("")),
            (None, Some("6/minute")),
            (None, Some("5/second")),
            (Some("10.0.0.1"), Some("6/minute")),
        ] {
            assert_eq!(code(change(&read_only, addresses, rate).await), ErrorCode::Forbidden, "{addresses:?} {rate:?}");
        }

        stage.services.members().change_role(&ada, bob, Role::User).await.unwrap();
        let session = stage.session(bob).await;
        stage.advance(TimeDelta::minutes(11));
        assert_eq!(code(change(&session, Some(""), None).await), ErrorCode::ConfirmationRequired);
        change(&session, Some("10.0.0.1"), None).await.expect("tightening asks for nothing");
        let fresh = stage.session(bob).await;
        change(&fresh, Some(""), None).await.unwrap();
        let unlimited = change(&fresh, None, Some("")).await.unwrap();
        assert!(unlimited.limits.is_unlimited());
        assert_eq!(
            audited(&stage).await,
            [
                "rate: no limit instead of 5 requests a minute",
                "addresses: all allowed",
                "addresses: added 10.0.0.1/32, removed 10.0.0.0/9",
                "addresses: added 10.0.0.0/9, removed 10.0.0.0/8; rate: 5 requests a minute instead of 10 requests a minute",
            ]
        );
        stage.services.api_keys().revoke(&fresh, key).await.unwrap();
        assert_eq!(code(change(&fresh, Some("10.0.0.1"), None).await), ErrorCode::Conflict);
    });
}

#[test]
fn a_key_never_loosens_its_own_limits() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let account: ServiceAccountId = stage.add_account(&ada, "bot").await;
        let keys = stage.services.api_keys();
        let owner = Owner::ServiceAccount(account);
        let key = keys.create(&ada, &limited(owner, "192.0.2.0/24", "100/second")).await.unwrap();
        let actor = stage.by_key(&key).await;
        let own_key = key.key.id;
        assert_eq!(code(keys.change_limits(&actor, &to(own_key, Some(""), None)).await), ErrorCode::Forbidden);
        assert_eq!(code(keys.change_limits(&actor, &to(own_key, None, Some(""))).await), ErrorCode::Forbidden);
        keys.change_limits(&actor, &to(own_key, Some("192.0.2.0/28"), Some("50/second"))).await.unwrap();
        let other = keys.create(&ada, &limited(owner, "192.0.2.0/24", "")).await.unwrap().key.id;
        keys.change_limits(&actor, &to(other, Some(""), None)).await.expect("as it could create one");

        // A key that holds less can't loosen the limits of one that holds more.
        let scopes = Some("latchkey:manage".to_owned());
        let small = CreateKey { scopes, ..limited(owner, "", "") };
        let small = stage.by_key(&keys.create(&ada, &small).await.unwrap()).await;
        let refused = keys.change_limits(&small, &to(own_key, Some(""), None)).await;
        assert!(refused.is_err_and(|error| error.to_string().contains("can't give more than it holds")));
    });
}

#[test]
fn a_form_does_not_overwrite_a_change_that_it_does_not_show() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let keys = stage.services.api_keys();
        let key = keys.create(&ada, &limited(own(&ada), "", "")).await.unwrap().key;
        let shown_as = |before: &str, addresses| ChangeKeyLimits {
            replace_all: true,
            before: Some(before.to_owned()),
            ..to(key.id, Some(addresses), None)
        };
        // Two forms were opened before either was sent.
        let limited = keys.change_limits(&ada, &shown_as(&key.limits.text(), "192.0.2.0/24")).await.unwrap();
        let second = keys.change_limits(&ada, &shown_as(&key.limits.text(), "198.51.100.0/24")).await;
        assert_eq!(code(second), ErrorCode::Conflict);
        let current = keys.get(&ada, key.id).await.unwrap();
        assert_eq!(current.limits, limits("192.0.2.0/24", ""));
        keys.change_limits(&ada, &shown_as(&limited.limits.text(), "198.51.100.0/24")).await.unwrap();
    });
}

#[test]
fn a_list_that_locks_out_its_author_is_refused_unless_that_is_allowed() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let account = Owner::ServiceAccount(stage.add_account(&ada, "bot").await);
        let keys = stage.services.api_keys();
        let strict = |input: &ChangeKeyLimits| ChangeKeyLimits { allow_lockout: false, ..input.clone() };

        // In the dashboard, the browser's address.
        let input = CreateKey { allow_lockout: false, ..limited(account, "203.0.113.0/24", "") };
        let refused = keys.create(&ada, &input).await;
        assert!(at("allow_lockout", refused).contains("192.0.2.7"));
        let listed = CreateKey { allow_lockout: false, ..limited(account, "192.0.2.7 203.0.113.0/24", "") };
        let key = keys.create(&ada, &listed).await.unwrap();
        let elsewhere = to(key.key.id, Some("203.0.113.0/24"), None);
        let refused = keys.change_limits(&ada, &strict(&elsewhere)).await;
        assert_eq!(code(refused), ErrorCode::Conflict);

        // With a key, only its own.
        let actor = stage.by_key(&key).await;
        let refused = keys.change_limits(&actor, &strict(&elsewhere)).await;
        assert!(at("allow_lockout", refused).contains("This request uses this key from 192.0.2.7"));
        assert_eq!(ask(&stage, &key, Some("192.0.2.7")).await, "ok", "nothing was changed");
        let other = keys.create(&actor, &input).await.expect("it isn't the key of the request");
        keys.change_limits(&actor, &strict(&to(other.key.id, Some("203.0.113.1"), None))).await.unwrap();
        keys.change_limits(&actor, &elsewhere).await.unwrap();
        assert_eq!(ask(&stage, &key, Some("192.0.2.7")).await, "refused");

        // A list that stays as it is asks for no confirmation.
        let same = to(key.key.id, Some("203.0.113.0/24"), Some("5/minute"));
        keys.change_limits(&ada, &strict(&same)).await.unwrap();
    });
}

#[test]
fn a_rotation_keeps_the_limits_and_the_new_key_has_its_own_count() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let keys = stage.services.api_keys();
        let old = keys.create(&ada, &limited(own(&ada), "192.0.2.0/24", "1/hour")).await.unwrap();
        assert_eq!(ask(&stage, &old, Some("192.0.2.7")).await, "ok");
        let roll = RollKey { key: old.key.id, ..RollKey::default() };
        let new = stage.services.rolls().roll(&ada, &roll).await.unwrap();
        assert_eq!(new.key.limits, old.key.limits);
        assert_eq!(ask(&stage, &new, Some("198.51.100.1")).await, "refused");
        assert_eq!(ask(&stage, &new, Some("192.0.2.7")).await, "ok");
        assert_eq!(ask(&stage, &new, Some("192.0.2.7")).await, "3600");
    });
}

#[test]
fn wrong_limits_are_refused_with_every_field() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let keys = stage.services.api_keys();
        let input = CreateKey { name: String::new(), ..limited(own(&ada), "10.0.0.5/8", "0/minute") };
        let refused = keys.create(&ada, &input).await.unwrap_err();
        let refused = domain::ApiError::from(refused);
        assert!(refused.at("name").is_some() && refused.at("rate_limit").is_some(), "{refused:?}");
        assert!(refused.at("allowed_addresses").is_some_and(|message| message.contains("Use 10.0.0.0/8")));
        let key = stage.add_key(&ada, own(&ada), "k").await.key.id;
        assert!(at("allowed_addresses", keys.change_limits(&ada, &to(key, None, None)).await).contains("Choose"));
        assert!(at("rate_limit", keys.change_limits(&ada, &to(key, None, Some("5/week"))).await).contains("second"));
        // The dashboard's script leaves out empty fields.
        keys.change_limits(&ada, &to(key, Some("10.0.0.0/8"), Some("5/minute"))).await.unwrap();
        let only_rate = ChangeKeyLimits { replace_all: true, ..to(key, None, Some("6/minute")) };
        assert_eq!(keys.change_limits(&ada, &only_rate).await.unwrap().limits, limits("", "6/minute"));
        let nothing = ChangeKeyLimits { replace_all: true, ..to(key, None, None) };
        assert!(keys.change_limits(&ada, &nothing).await.unwrap().limits.is_unlimited());
        let form = Some(uuid::Uuid::from_u128(9).to_string());
        let input = CreateKey { idempotency_key: form, ..limited(own(&ada), "10.0.0.0/8", "") };
        keys.create(&ada, &input).await.unwrap();
        let other = CreateKey { allowed_addresses: None, ..input };
        assert_eq!(code(keys.create(&ada, &other).await), ErrorCode::Conflict, "not the token of the limited key");
    });
}

//! The feed of changes: each is told to its tenant only, in order, and nothing is said while the database can't be read.

use std::time::Duration;

use chrono::TimeDelta;
use domain::{ErrorCode, IssuedKey, Owner, Role, Scope, scope::SetScope};

use super::stage::{Stage, browser, code, new_key, on_both, own};
use crate::{
    Change, Cursor, FeedEvent, KeyReport, Services, Subscription, VerifierReport, keys::token::digest_of, testing,
};

/// How long a test waits for what has to come.
const PATIENCE: Duration = Duration::from_secs(10);

async fn subscribe(services: &Services, key: &IssuedKey, after: Option<&str>) -> Subscription {
    for _ in 0..200 {
        match services.changes().subscribe(key.token.expose(), after, &browser()).await {
            Ok(subscription) => return subscription,
            // The changes haven't been read yet.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
    panic!("the changes are read");
}

async fn next(services: &Services, subscription: &mut Subscription) -> Option<Vec<FeedEvent>> {
    let changes = services.changes();
    tokio::time::timeout(PATIENCE, changes.next(subscription)).await.expect("the feed isn't silent")
}

/// Subscribes and returns the cursor with which the feed begins.
async fn begin(services: &Services, key: &IssuedKey) -> (Subscription, Cursor) {
    let mut subscription = subscribe(services, key, None).await;
    let first = next(services, &mut subscription).await.unwrap();
    let [FeedEvent::Reset { cursor, .. }] = first[..] else { panic!("the feed begins with a reset: {first:?}") };
    (subscription, cursor)
}

/// Returns all changes until the next heartbeat.
async fn changes(services: &Services, subscription: &mut Subscription) -> Vec<(Cursor, Change)> {
    let mut found = Vec::new();
    loop {
        for event in next(services, subscription).await.expect("the feed goes on") {
            match event {
                FeedEvent::Change(cursor, change) => found.push((cursor, change)),
                FeedEvent::Heartbeat { age, .. } => {
                    assert!((0..1_000_000).contains(&age), "{age}");
                    return found;
                }
                FeedEvent::Reset { .. } => panic!("nothing was missed"),
            }
        }
    }
}

async fn kinds(services: &Services, subscription: &mut Subscription) -> Vec<Change> {
    let mut kinds: Vec<Change> = Vec::new();
    for (_, change) in changes(services, subscription).await {
        if !kinds.contains(&change) {
            kinds.push(change);
        }
    }
    kinds
}

fn of_scope(scope: &str) -> SetScope {
    let input = SetScope { scope: scope.to_owned(), description: scope.to_owned(), ..SetScope::default() };
    SetScope { least_role: Some(Role::ReadOnlyUser), ..input }
}

#[test]
fn every_change_is_told_to_its_own_tenant() {
    on_both(async |stage| {
        let services = &stage.services;
        let admin = stage.session(stage.admin).await;
        let eve = stage.add_user("eve@example.org", "acme", Role::User).await;
        let eve_there = stage.session(eve).await;
        let account = stage.add_account(&admin, "Deploy").await;
        let of_account = Owner::ServiceAccount(account);
        let caller = stage.add_key(&admin, own(&admin), "verifier").await;
        let (its, hers) =
            (stage.add_key(&admin, of_account, "its").await, stage.add_key(&eve_there, own(&eve_there), "hers").await);
        services.admin().create_tenant("Other", "other").await.unwrap();
        let other = stage.add_user("olga@example.org", "other", Role::TenantAdmin).await;
        let (mut feed, start) = begin(services, &caller).await;

        let accounts = services.service_accounts();
        accounts.change_role(&admin, account, Role::User).await.unwrap();
        accounts.rename(&admin, account, "Deployment").await.unwrap();
        accounts.suspend(&admin, account).await.unwrap();
        accounts.resume(&admin, account).await.unwrap();
        // Its keys are marked, too.
        assert_eq!(kinds(services, &mut feed).await[0], Change::Owner(of_account));

        let keys = services.api_keys();
        keys.rename(&eve_there, hers.key.id, "renamed").await.unwrap();
        assert_eq!(kinds(services, &mut feed).await, [Change::Key(hers.key.id)]);
        keys.suspend(&eve_there, hers.key.id).await.unwrap();
        keys.resume(&eve_there, hers.key.id).await.unwrap();
        assert_eq!(kinds(services, &mut feed).await, [Change::Key(hers.key.id)]);
        keys.revoke(&admin, its.key.id).await.unwrap();
        assert_eq!(kinds(services, &mut feed).await, [Change::Key(its.key.id)]);

        services.members().change_role(&admin, eve, Role::ReadOnlyUser).await.unwrap();
        assert_eq!(kinds(services, &mut feed).await, [Change::Owner(Owner::User(eve))]);
        services.admin().set_scope(&of_scope("a:read")).await.unwrap();
        assert_eq!(kinds(services, &mut feed).await, [Change::Catalogue]);
        testing::execute(services, "UPDATE tenants SET name = name || '!'").await;
        assert_eq!(kinds(services, &mut feed).await, [Change::Tenant], "only of its own tenant");
        testing::execute(services, "UPDATE users SET name = name || '!' WHERE email LIKE 'olga%'").await;
        assert_eq!(kinds(services, &mut feed).await, [], "{other:?} is of another tenant");
        services.members().remove(&admin, eve).await.unwrap();
        assert!(kinds(services, &mut feed).await.contains(&Change::Owner(Owner::User(eve))));

        let mut again = subscribe(services, &caller, Some(&start.to_string())).await;
        let all = changes(services, &mut again).await;
        assert!(all.len() > 8 && all.windows(2).all(|pair| pair[0].0 != pair[1].0), "{all:?}");
        let mut rest = subscribe(services, &caller, Some(&all[3].0.to_string())).await;
        assert_eq!(changes(services, &mut rest).await, all[4..]);
        for unknown in ["", "x", "00000001-1-1-1"] {
            let mut unknown = subscribe(services, &caller, Some(unknown)).await;
            assert!(matches!(next(services, &mut unknown).await.unwrap()[..], [FeedEvent::Reset { .. }]));
        }
    });
}

#[test]
fn the_feed_ends_with_the_callers_right_to_read_it() {
    on_both(async |stage| {
        let services = &stage.services;
        let admin = stage.session(stage.admin).await;
        let account = stage.add_account(&admin, "Verifier").await;
        let owner = Owner::ServiceAccount(account);
        let key = stage.add_key(&admin, owner, "first").await;
        let mut scoped = new_key(owner, "scoped");
        scoped.scopes = Some("latchkey:verify".to_owned());
        scoped.access = Some(domain::scope::ScopeOption::Chosen);
        scoped.expires_at = Some("2027-01-01T01:00:00Z".to_owned());
        let expiring = services.api_keys().create(&admin, &scoped).await.unwrap();
        scoped.name = "narrowed".to_owned();
        let narrowed = services.api_keys().create(&admin, &scoped).await.unwrap();
        let eve = stage.add_user("eve@example.org", "acme", Role::User).await;
        let eve_there = stage.session(eve).await;
        let hers = stage.add_key(&eve_there, own(&eve_there), "hers").await;
        let refused = services.changes().subscribe(hers.token.expose(), None, &browser()).await;
        assert_eq!(code(refused), ErrorCode::Forbidden);
        let refused = services.changes().subscribe("lks_x", None, &browser()).await;
        assert_eq!(code(refused), ErrorCode::Unauthenticated);

        let (mut one, _) = begin(services, &key).await;
        let (mut two, _) = begin(services, &expiring).await;
        let (mut three, _) = begin(services, &narrowed).await;
        let ends = async |subscription: &mut Subscription| {
            for _ in 0..20 {
                if next(services, subscription).await.is_none() {
                    return true;
                }
            }
            false
        };
        services.api_keys().revoke(&admin, key.key.id).await.unwrap();
        assert!(ends(&mut one).await, "revoked");
        testing::execute(services, "UPDATE api_keys SET scopes = '' WHERE name = 'narrowed'").await;
        assert!(ends(&mut three).await, "without the scope");
        assert!(next(services, &mut two).await.is_some());
        stage.advance(TimeDelta::hours(1));
        assert!(ends(&mut two).await, "expired");
    });
}

#[test]
fn there_is_no_heartbeat_while_the_changes_cannot_be_read() {
    on_both(async |stage| {
        let services = &stage.services;
        let admin = stage.session(stage.admin).await;
        let caller = stage.add_key(&admin, own(&admin), "verifier").await;
        let (mut feed, start) = begin(services, &caller).await;
        assert!(changes(services, &mut feed).await.is_empty());
        testing::execute(services, "ALTER TABLE change_heads RENAME TO hidden").await;
        let report =
            VerifierReport { verifier: "one".to_owned(), cursor: Some(start.to_string()), ..VerifierReport::default() };
        let state = services.changes().report(caller.token.expose(), &report, &browser()).await.unwrap();
        assert_eq!(state.age, None, "the verifier can't rely on what it knows");
        let silent = tokio::time::timeout(Duration::from_millis(1_200), services.changes().next(&mut feed)).await;
        assert!(silent.is_err(), "{silent:?}");
        testing::execute(services, "ALTER TABLE hidden RENAME TO change_heads").await;
        let first = next(services, &mut feed).await.unwrap();
        assert!(matches!(first[..], [FeedEvent::Reset { .. }]), "changes may have been missed: {first:?}");
        assert!(changes(services, &mut feed).await.is_empty());
        let state = services.changes().report(caller.token.expose(), &report, &browser()).await.unwrap();
        assert_eq!(state.age, None, "the cursor is of an earlier run");
        let mut again = subscribe(services, &caller, Some(&start.to_string())).await;
        assert!(matches!(next(services, &mut again).await.unwrap()[..], [FeedEvent::Reset { .. }]));
    });
}

#[test]
fn a_tenant_has_a_limited_number_of_subscribers() {
    on_both(async |stage| {
        let services = &stage.services;
        let admin = stage.session(stage.admin).await;
        let caller = stage.add_key(&admin, own(&admin), "verifier").await;
        let mut all = Vec::new();
        for _ in 0..64 {
            all.push(subscribe(services, &caller, None).await);
        }
        let refused = services.changes().subscribe(caller.token.expose(), None, &browser()).await;
        assert_eq!(code(refused), ErrorCode::RateLimited);
        all.pop();
        subscribe(services, &caller, None).await;
    });
}

#[test]
fn a_report_is_counted_for_keys_of_the_tenant_and_says_how_far_a_change_has_spread() {
    on_both(async |stage| {
        let services = &stage.services;
        let admin = stage.session(stage.admin).await;
        services.admin().set_scope(&of_scope("a:read")).await.unwrap();
        let caller = stage.add_key(&admin, own(&admin), "verifier").await;
        let key = stage.add_key(&admin, own(&admin), "used").await;
        services.admin().create_tenant("Other", "other").await.unwrap();
        let olga = stage.add_user("olga@example.org", "other", Role::TenantAdmin).await;
        let other = crate::OwnerRef::User("olga@example.org".to_owned());
        let foreign = services.admin().create_key("other", other, "hers", None).await.unwrap();
        let (mut feed, start) = begin(services, &caller).await;

        let counted = |key: &IssuedKey| KeyReport {
            digest: digest_of(key.token.expose()).unwrap(),
            accepted: 41,
            age: Duration::from_millis(1_500),
            client: (Some("203.0.113.9".to_owned()), Some("curl".to_owned())),
            scopes: ["a:read", "b:read"].map(|scope| (Scope::parse(scope).unwrap(), 7, 2)).to_vec(),
        };
        let report = async |name: &str, cursor: Option<Cursor>, usage: Vec<KeyReport>| {
            let cursor = cursor.map(|cursor| cursor.to_string());
            let report = VerifierReport { verifier: name.to_owned(), cursor, usage };
            services.changes().report(caller.token.expose(), &report, &browser()).await
        };
        let unknown = KeyReport { digest: [7; 32], ..counted(&key) };
        let state = report("one", Some(start), vec![counted(&key), counted(&foreign), unknown]).await.unwrap();
        assert!(state.age.is_some() && state.cursor == Some(start), "{state:?}");
        let usage = services.api_keys().usage(&admin, key.key.id).await.unwrap();
        let seen = usage.clients.iter().find(|seen| seen.address.as_deref() == Some("203.0.113.9")).unwrap();
        assert_eq!(seen.use_count, 41);
        let used_at = stage.services.now() - TimeDelta::milliseconds(1_500);
        assert_eq!(seen.last_used_at, Some(used_at), "when it was used, not when that was reported");
        let demands: Vec<_> =
            usage.scopes.iter().map(|one| (one.scope.as_str(), one.use_count, one.refusals)).collect();
        assert_eq!(demands, [("a:read", 7, 2)], "only of the catalogue");
        let actor = services.actors().from_bearer(foreign.token.expose(), browser()).await.unwrap();
        let theirs = services.api_keys().usage(&actor, foreign.key.id).await.unwrap();
        assert!(theirs.clients.iter().all(|seen| seen.address.as_deref() != Some("203.0.113.9")), "{olga:?}");

        assert_eq!(code(report("", Some(start), Vec::new()).await), ErrorCode::BadUserInput);
        assert_eq!(code(report("one", Some(start), vec![counted(&key); 201]).await), ErrorCode::BadUserInput);
        report("two", Some(start), Vec::new()).await.unwrap();
        services.api_keys().revoke(&admin, key.key.id).await.unwrap();
        let key = services.api_keys().get(&admin, key.key.id).await.unwrap();
        let reach = || services.changes().reach(&key).map(|reach| (reach.reached, reach.verifiers));
        assert_eq!(reach(), Some((0, 2)));
        let told = changes(services, &mut feed).await;
        report("two", Some(told.last().unwrap().0), Vec::new()).await.unwrap();
        assert_eq!(reach(), Some((1, 2)));
        report("one", services.changes().cursor(stage.tenant), Vec::new()).await.unwrap();
        assert_eq!(reach(), Some((2, 2)));
    });
}

#[test]
fn an_answer_is_as_new_as_the_cursor_before_it() {
    on_both(async |stage: Stage| {
        let services = &stage.services;
        let admin = stage.session(stage.admin).await;
        let key = stage.add_key(&admin, own(&admin), "key").await;
        let (mut feed, _) = begin(services, &key).await;
        for n in 0..20 {
            services.api_keys().rename(&admin, key.key.id, &format!("name {n}")).await.unwrap();
            let cursor = services.changes().cursor(stage.tenant).unwrap();
            let told = next(services, &mut feed).await.unwrap();
            let [.., FeedEvent::Change(last, _)] = told[..] else { continue };
            assert_eq!(last, cursor, "an acknowledged change has been read");
        }
    });
}

//! The scopes of keys, and the catalogue.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use domain::{
    AuditQuery, ErrorCode, IssuedKey, KeyId, Operation, Owner, Role, Scope, ScopeGrant, ScopeSet, TenantId, UserId,
    api_key::act::{ChangeKeyScopes, RollKey},
    api_key::input::{CreateKey, SetKeyPolicy},
    scope::{RemoveScope, ScopeOption, SetScope},
};
use proptest::{
    prelude::*,
    sample::{select, subsequence},
    strategy::ValueTree,
    test_runner::{Config, RngSeed, TestRunner},
};

use crate::{
    Actor, Settings,
    access::{Principal, Target, authorize},
    storage,
    tests::stage::*,
};

fn entry(scope: &str, role: Role) -> SetScope {
    let (scope, description) = (scope.to_owned(), "Orders".to_owned());
    SetScope { scope, description, least_role: Some(role), ..SetScope::default() }
}

fn set(text: &str) -> ScopeGrant {
    ScopeGrant::Set(ScopeSet::parse(text).unwrap())
}

fn with_scopes(owner: Owner, scopes: &str) -> CreateKey {
    CreateKey { scopes: Some(scopes.to_owned()), ..new_key(owner, "k") }
}

fn to(key: KeyId, scopes: &str) -> ChangeKeyScopes {
    ChangeKeyScopes { key, access: None, scopes: Some(scopes.to_owned()), before: None }
}

/// Fills the catalogue.
async fn fill(stage: &Stage) {
    for (scope, role) in [
        ("orders:read", Role::ReadOnlyUser),
        ("orders:write", Role::User),
        ("refunds:create", Role::TenantAdmin),
        ("refunds:read", Role::User),
    ] {
        stage.services.admin().set_scope(&entry(scope, role)).await.unwrap();
    }
}

/// Returns what a key may do now, and checks that it is valid.
async fn effective(stage: &Stage, key: &IssuedKey) -> String {
    let verification = stage.services.verification();
    let verified = verification.verify(key.token.expose(), &browser()).await.unwrap().expect("a valid key");
    let scopes = verification.effective_scopes(&verified).await.unwrap();
    ScopeSet::new(scopes).unwrap().to_string()
}

/// Returns the message of a refusal at the scopes.
fn at_scopes<T>(result: crate::Result<T>) -> String {
    match result {
        Err(crate::Error::Api(refusal) | crate::Error::Rule(refusal)) => {
            refusal.at("scopes").unwrap_or_else(|| panic!("{refusal:?}")).to_owned()
        }
        _ => panic!("not a refusal"),
    }
}

async fn details(stage: &Stage, actor: &Actor, operation: &str) -> Vec<String> {
    let query = AuditQuery { operation: operation.to_owned(), ..AuditQuery::default() };
    let page = stage.services.audit_log().list(actor, &query).await.unwrap();
    page.items.into_iter().map(|entry| entry.detail).collect()
}

#[test]
fn a_key_holds_what_it_was_given_and_the_owners_role_limits_it_at_every_moment() {
    on_both(async |stage| {
        fill(&stage).await;
        let ada = stage.session(stage.admin).await;
        let bob = stage.add_user("bob@example.org", "acme", Role::User).await;
        let session = stage.session(bob).await;
        let (keys, own) = (stage.services.api_keys(), own(&session));
        let write = keys.create(&session, &with_scopes(own, "orders:write, orders:read")).await.unwrap();
        assert_eq!(write.key.scopes, set("orders:read orders:write"));
        let none = keys.create(&session, &with_scopes(own, "")).await.unwrap();
        let all = keys.create(&session, &new_key(own, "all")).await.unwrap();
        assert_eq!(effective(&stage, &write).await, "orders:read orders:write");
        assert_eq!(effective(&stage, &none).await, "");
        let everything = "latchkey:agent latchkey:manage latchkey:read orders:read orders:write refunds:read";
        assert_eq!(effective(&stage, &all).await, everything);

        let message = at_scopes(keys.create(&session, &with_scopes(own, "refunds:create")).await);
        assert_eq!(message, "The scope refunds:create requires the role Administrator.");
        assert!(at_scopes(keys.create(&session, &with_scopes(own, "orders:delete")).await).contains("catalogue"));
        assert!(at_scopes(keys.create(&session, &with_scopes(own, "orders:*")).await).contains("orders:*"));

        let members = stage.services.members();
        members.change_role(&ada, bob, Role::ReadOnlyUser).await.unwrap();
        assert_eq!(effective(&stage, &write).await, "orders:read");
        members.change_role(&ada, bob, Role::TenantAdmin).await.unwrap();
        assert_eq!(effective(&stage, &write).await, "orders:read orders:write", "promotion adds nothing to the set");
    });
}

#[test]
fn read_only_is_the_set_of_that_moment() {
    on_both(async |stage| {
        fill(&stage).await;
        let ada = stage.session(stage.admin).await;
        let old = SetScope { deprecated_since: "2026-01-31".to_owned(), ..entry("reports:read", Role::User) };
        stage.services.admin().set_scope(&old).await.unwrap();
        let input = CreateKey { access: Some(ScopeOption::ReadOnly), ..new_key(own(&ada), "k") };
        let key = stage.services.api_keys().create(&ada, &input).await.unwrap();
        assert_eq!(key.key.scopes, set("latchkey:read orders:read refunds:read"));
        stage.services.admin().set_scope(&entry("later:read", Role::ReadOnlyUser)).await.unwrap();
        assert_eq!(effective(&stage, &key).await, "latchkey:read orders:read refunds:read");
    });
}

#[test]
fn narrowing_needs_the_right_to_rename_and_widening_the_right_to_create() {
    on_both(async |stage| {
        fill(&stage).await;
        let ada = stage.session(stage.admin).await;
        let bob = stage.add_user("bob@example.org", "acme", Role::User).await;
        let session = stage.session(bob).await;
        let keys = stage.services.api_keys();
        let key = keys.create(&session, &with_scopes(own(&session), "orders:read orders:write")).await.unwrap().key.id;
        assert_eq!(code(keys.change_scopes(&ada, &to(key, "")).await), ErrorCode::Forbidden, "somebody else's");
        stage.services.members().change_role(&ada, bob, Role::ReadOnlyUser).await.unwrap();
        let read_only = stage.session(bob).await;
        let narrowed = keys.change_scopes(&read_only, &to(key, "orders:write")).await.unwrap();
        assert_eq!(narrowed.scopes, set("orders:write"));
        assert_eq!(
            code(keys.change_scopes(&read_only, &to(key, "orders:write orders:read")).await),
            ErrorCode::Forbidden
        );
        stage.services.members().change_role(&ada, bob, Role::User).await.unwrap();
        let session = stage.session(bob).await;
        stage.advance(TimeDelta::minutes(11));
        let wider = to(key, "orders:write orders:read");
        assert_eq!(code(keys.change_scopes(&session, &wider).await), ErrorCode::ConfirmationRequired);
        keys.change_scopes(&session, &to(key, "")).await.expect("narrowing asks for nothing");
        let fresh = stage.session(bob).await;
        keys.change_scopes(&fresh, &to(key, "orders:read")).await.unwrap();
        let full = ChangeKeyScopes { key, access: Some(ScopeOption::Full), ..ChangeKeyScopes::default() };
        assert_eq!(keys.change_scopes(&fresh, &full).await.unwrap().scopes, ScopeGrant::Unscoped);
        let nothing = ChangeKeyScopes { key, ..ChangeKeyScopes::default() };
        assert!(at_scopes(keys.change_scopes(&fresh, &nothing).await).contains("Choose"));
        let ada = stage.session(stage.admin).await;
        let mut written = details(&stage, &ada, "change_api_key_scopes").await;
        written.retain(|detail| !detail.is_empty());
        assert_eq!(
            written,
            ["no longer limited to orders:read", "added orders:read", "removed orders:write", "removed orders:read"]
        );
    });
}

#[test]
fn a_form_does_not_overwrite_scopes_that_it_does_not_show() {
    on_both(async |stage| {
        fill(&stage).await;
        let ada = stage.session(stage.admin).await;
        let keys = stage.services.api_keys();
        let key = keys.create(&ada, &with_scopes(own(&ada), "orders:read")).await.unwrap().key;
        let shown_as = |before: &str, scopes| ChangeKeyScopes { before: Some(before.to_owned()), ..to(key.id, scopes) };
        keys.change_scopes(&ada, &shown_as("orders:read", "")).await.unwrap();
        let second = keys.change_scopes(&ada, &shown_as("orders:read", "orders:read orders:write")).await;
        assert_eq!(code(second), ErrorCode::Conflict);
        assert_eq!(keys.get(&ada, key.id).await.unwrap().scopes, set(""));
        keys.change_scopes(&ada, &shown_as(&set("").text(), "orders:read")).await.unwrap();
    });
}

#[test]
fn a_key_gives_no_more_than_it_holds() {
    on_both(async |stage| {
        fill(&stage).await;
        let ada = stage.session(stage.admin).await;
        let account = Owner::ServiceAccount(stage.add_account(&ada, "bot").await);
        let keys = stage.services.api_keys();
        let manager = keys.create(&ada, &with_scopes(own(&ada), "latchkey:manage orders:read")).await.unwrap();
        let unscoped = stage.add_key(&ada, account, "unscoped").await;
        let actor = stage.by_key(&manager).await;
        let made = keys.create(&actor, &with_scopes(own(&ada), "orders:read")).await.unwrap();
        assert_eq!(made.key.scopes, set("orders:read"));
        assert!(at_scopes(keys.create(&actor, &with_scopes(account, "orders:write")).await).contains("orders:read"));
        assert!(at_scopes(keys.create(&actor, &new_key(account, "all")).await).contains("more than it holds"));
        // A rotation reveals a token with the scopes of the old key.
        let roll = RollKey { key: unscoped.key.id, ..RollKey::default() };
        assert!(at_scopes(stage.services.rolls().roll(&actor, &roll).await).contains("more than it holds"));
        assert!(at_scopes(keys.change_scopes(&actor, &to(made.key.id, "orders:write")).await).contains("more"));
        let full =
            ChangeKeyScopes { key: manager.key.id, access: Some(ScopeOption::Full), ..ChangeKeyScopes::default() };
        assert!(at_scopes(keys.change_scopes(&actor, &full).await).contains("more than it holds"));
        keys.change_scopes(&actor, &to(unscoped.key.id, "orders:write")).await.expect("taking is always allowed");

        let accounts = stage.services.service_accounts();
        let input = domain::service_account::input::CreateAccount { name: "x".to_owned(), ..Default::default() };
        assert!(at_scopes(accounts.create_with_key(&actor, &input).await).contains("more than it holds"));
    });
}

#[test]
fn a_form_that_is_sent_again_with_other_scopes_doesnt_get_the_earlier_keys_token() {
    on_both(async |stage| {
        fill(&stage).await;
        let ada = stage.session(stage.admin).await;
        let form = Some(uuid::Uuid::from_u128(9).to_string());
        let input = CreateKey { idempotency_key: form, ..with_scopes(own(&ada), "orders:read") };
        let key = stage.services.api_keys().create(&ada, &input).await.unwrap();
        let other = CreateKey { scopes: Some("orders:write".to_owned()), ..input };
        assert_eq!(code(stage.services.api_keys().create(&ada, &other).await), ErrorCode::Conflict);
        assert_eq!(effective(&stage, &key).await, "orders:read");
    });
}

#[test]
fn a_rotation_keeps_the_scopes_even_those_that_the_role_no_longer_allows() {
    on_both(async |stage| {
        fill(&stage).await;
        let ada = stage.session(stage.admin).await;
        let keys = stage.services.api_keys();
        let old = keys.create(&ada, &with_scopes(own(&ada), "orders:read refunds:create")).await.unwrap();
        stage.services.admin().set_scope(&entry("orders:read", Role::TenantAdmin)).await.unwrap();
        let roll = RollKey { key: old.key.id, ..RollKey::default() };
        let new = stage.services.rolls().roll(&ada, &roll).await.unwrap();
        assert_eq!(new.key.scopes, old.key.scopes);
        assert_eq!(effective(&stage, &new).await, "orders:read refunds:create");
    });
}

#[test]
fn a_scoped_key_needs_the_reserved_scopes_here() {
    on_both(async |stage| {
        fill(&stage).await;
        let ada = stage.session(stage.admin).await;
        let (keys, own) = (stage.services.api_keys(), own(&ada));
        let actor = async |scopes: &str| {
            let key = keys.create(&ada, &with_scopes(own, scopes)).await.unwrap();
            (stage.by_key(&key).await, key.key.id)
        };
        let (none, id) = actor("orders:read").await;
        assert_eq!(code(keys.get(&none, id).await), ErrorCode::Forbidden);
        assert_eq!(code(keys.list(&none, own, &every_key()).await), ErrorCode::Forbidden);
        assert_eq!(code(keys.rename(&none, id, "x").await), ErrorCode::Forbidden);
        let (reader, id) = actor("latchkey:read").await;
        keys.get(&reader, id).await.unwrap();
        assert_eq!(code(keys.revoke(&reader, id).await), ErrorCode::Forbidden);
        let (manager, id) = actor("latchkey:manage").await;
        assert_eq!(code(keys.get(&manager, id).await), ErrorCode::Forbidden);
        keys.rename(&manager, id, "x").await.unwrap();
        assert_eq!(code(stage.services.agents().poll(&manager, None).map(drop)), ErrorCode::Forbidden);
        let (agent, _) = actor("latchkey:agent").await;
        stage.services.agents().poll(&agent, None).unwrap();
        stage.services.users().viewer(&agent).await.unwrap();

        // A reader's requests are used scopes; so narrowing to what is used keeps them.
        let usage = keys.usage(&ada, reader.key_id().unwrap()).await.unwrap();
        let seen: Vec<_> = usage.scopes.iter().map(|one| (one.scope.as_str(), one.use_count, one.refusals)).collect();
        assert!(seen.contains(&("latchkey:read", 1, 0)) && seen.contains(&("latchkey:manage", 0, 1)), "{seen:?}");
        assert_eq!(domain::usage::used_scopes(&usage.scopes).to_string(), "latchkey:read");
    });
}

#[test]
fn demands_are_counted_by_scope_and_client_and_forgotten_after_90_days() {
    on_both(async |stage| {
        fill(&stage).await;
        let ada = stage.session(stage.admin).await;
        let keys = stage.services.api_keys();
        let key = keys.create(&ada, &with_scopes(own(&ada), "orders:read orders:write")).await.unwrap();
        let context = &stage.services.0.context;
        let catalogue = storage::scopes::catalogue(context.db()).await.unwrap();
        let demand = |scopes: &[&str], address: &str| {
            let wanted: Vec<Scope> = scopes.iter().map(|text| Scope::parse(text).unwrap()).collect();
            let client = crate::Client { address: Some(address.to_owned()), ..browser() };
            let facts = (key.key.id, &key.key.scopes, Role::TenantAdmin);
            crate::keys::scopes::demand_counted(context, facts, &catalogue, &wanted, &client)
        };
        demand(&["orders:read"], "192.0.2.1").unwrap();
        demand(&["orders:read", "orders:write"], "192.0.2.2").unwrap();
        let missing = demand(&["orders:read", "refunds:create", "x:y"], "192.0.2.1").unwrap_err();
        assert_eq!(missing.text(), "refunds:create x:y");
        assert_eq!(missing.to_string(), "This key lacks the scope refunds:create.");
        let usage = keys.usage(&ada, key.key.id).await.unwrap().scopes;
        let mut seen: Vec<_> = usage
            .iter()
            .map(|one| (one.scope.as_str(), one.address.as_deref().unwrap(), one.use_count, one.refusals))
            .collect();
        seen.sort_unstable();
        assert_eq!(
            seen,
            [
                ("orders:read", "192.0.2.1", 2, 0),
                ("orders:read", "192.0.2.2", 1, 0),
                ("orders:write", "192.0.2.2", 1, 0),
                ("refunds:create", "192.0.2.1", 0, 1)
            ],
            "x:y isn't in the catalogue"
        );
        let narrowed = set("orders:read");
        let refused: Vec<_> = domain::usage::refused_with(&usage, &narrowed).collect();
        assert_eq!(refused.len(), 1);
        assert_eq!((refused[0].scope.as_str(), refused[0].address.as_deref()), ("orders:write", Some("192.0.2.2")));
        stage.advance(TimeDelta::days(91));
        assert!(keys.usage(&ada, key.key.id).await.unwrap().scopes.is_empty());
        storage::scopes::sweep(context.db(), context.now() - TimeDelta::days(90)).await.unwrap();
        stage.advance(-TimeDelta::days(91));
        assert!(keys.usage(&ada, key.key.id).await.unwrap().scopes.is_empty(), "deleted");
    });
}

#[test]
fn removing_a_scope_takes_it_from_all_keys_of_all_tenants_and_adding_it_again_gives_it_to_none() {
    on_both(async |stage| {
        fill(&stage).await;
        stage.services.admin().create_tenant("Other", "other").await.unwrap();
        stage.add_user("eve@example.org", "other", Role::TenantAdmin).await;
        // A scope that is a part of another, and one that a pattern would find.
        stage.services.admin().set_scope(&entry("orders:write.all", Role::User)).await.unwrap();
        stage.services.admin().set_scope(&entry("orders-x:write", Role::User)).await.unwrap();
        let ada = stage.session(stage.admin).await;
        let all = "orders-x:write orders:read orders:write orders:write.all";
        let key = stage.services.api_keys().create(&ada, &with_scopes(own(&ada), all)).await.unwrap();
        let only = stage.services.api_keys().create(&ada, &with_scopes(own(&ada), "orders:write")).await.unwrap();
        let owner = crate::OwnerRef::User("eve@example.org".to_owned());
        let there = stage.services.admin().create_scoped_key("other", owner, "k", None, Some("orders:write")).await;
        let there = there.unwrap();

        stage.services.admin().remove_scope("orders:write").await.unwrap();
        assert_eq!(effective(&stage, &key).await, "orders-x:write orders:read orders:write.all");
        assert_eq!((effective(&stage, &only).await, effective(&stage, &there).await), (String::new(), String::new()));
        let missing = stage.services.admin().remove_scope("orders:write").await;
        assert_eq!(code(missing), ErrorCode::NotFound);
        stage.services.admin().set_scope(&entry("orders:write", Role::User)).await.unwrap();
        assert_eq!(effective(&stage, &key).await, "orders-x:write orders:read orders:write.all");
        let stored = stage.services.api_keys().get(&ada, only.key.id).await.unwrap().scopes;
        assert_eq!(stored, set(""), "limited to nothing, not unlimited");
        assert_eq!(details(&stage, &ada, "remove_scope").await, ["taken from 2 keys"]);
    });
}

#[test]
fn a_removal_that_was_interrupted_is_finished_before_the_scope_is_added_again() {
    on_both(async |stage| {
        fill(&stage).await;
        let ada = stage.session(stage.admin).await;
        let key = stage.services.api_keys().create(&ada, &with_scopes(own(&ada), "orders:write")).await.unwrap();
        let scope = Scope::parse("orders:write").unwrap();
        let context = &stage.services.0.context;
        let mut tx = context.db().begin().await.unwrap();
        assert!(storage::scopes::mark_removed(&mut tx, &scope, context.now()).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(effective(&stage, &key).await, "");
        stage.services.admin().set_scope(&entry("orders:write", Role::User)).await.unwrap();
        assert_eq!(effective(&stage, &key).await, "");
    });
}

#[test]
fn the_catalogue_is_changed_in_the_only_tenant_or_the_one_that_the_operator_chose() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let bob = stage.add_user("bob@example.org", "acme", Role::User).await;
        let bob = stage.session(bob).await;
        let orders = entry("orders:read", Role::ReadOnlyUser);
        let scopes = stage.services.scopes();
        assert_eq!(code(scopes.set(&bob, &orders).await), ErrorCode::Forbidden);
        scopes.set(&ada, &orders).await.unwrap();
        assert!(scopes.list(&bob).await.unwrap().find(&Scope::parse("orders:read").unwrap()).is_some());
        for reserved in ["latchkey:read", "latchkey:everything"] {
            assert_eq!(code(scopes.set(&ada, &entry(reserved, Role::User)).await), ErrorCode::BadUserInput);
        }
        assert_eq!(
            code(scopes.remove(&ada, &RemoveScope { scope: "latchkey:read".to_owned() }).await),
            ErrorCode::NotFound
        );

        stage.services.admin().create_tenant("Other", "other").await.unwrap();
        assert_eq!(code(scopes.set(&ada, &orders).await), ErrorCode::Forbidden, "others would see it");
        assert!(!scopes.may_change(&ada).await.unwrap());
        for (slug, expected) in [("acme", true), ("other", false), ("mistyped", false)] {
            let settings = Settings {
                operator_tenant: Some(slug.to_owned()),
                secret_keys: crate::SecretKeys::File(stage.key_file()),
                ..Settings::new(&stage.database_url)
            };
            let services = crate::Services::open(&settings, stage.clock.clone()).await.unwrap();
            assert_eq!(services.scopes().may_change(&ada).await.unwrap(), expected, "{slug}");
            assert_eq!(services.scopes().set(&ada, &orders).await.is_ok(), expected, "{slug}");
            services.close().await;
        }
    });
}

#[test]
fn lowering_the_role_of_a_scope_asks_for_a_recent_sign_in() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let scopes = stage.services.scopes();
        scopes.set(&ada, &entry("orders:read", Role::User)).await.unwrap();
        stage.advance(TimeDelta::minutes(11));
        let lower = entry("orders:read", Role::ReadOnlyUser);
        assert_eq!(code(scopes.set(&ada, &lower).await), ErrorCode::ConfirmationRequired);
        scopes.set(&ada, &entry("orders:read", Role::TenantAdmin)).await.unwrap();
        scopes.set(&ada, &entry("orders:write", Role::User)).await.expect("a new scope is held by no key");
        scopes.remove(&ada, &RemoveScope { scope: "orders:read".to_owned() }).await.unwrap();
    });
}

fn policy(policy: &str, scopes: &str, days: &str) -> SetKeyPolicy {
    SetKeyPolicy {
        policy: policy.to_owned(),
        scopes: scopes.to_owned(),
        days: days.to_owned(),
        ..SetKeyPolicy::default()
    }
}

#[test]
fn policies_require_scopes_keep_some_from_users_and_limit_lifetimes() {
    on_both(async |stage| {
        fill(&stage).await;
        let ada = stage.session(stage.admin).await;
        let account = Owner::ServiceAccount(stage.add_account(&ada, "bot").await);
        let (keys, policies, own) = (stage.services.api_keys(), stage.services.tenant_policies(), own(&ada));
        let unscoped = stage.add_key(&ada, own, "unscoped").await.key.id;
        let writer = keys.create(&ada, &with_scopes(own, "orders:write")).await.unwrap().key.id;
        let reader = keys.create(&ada, &with_scopes(own, "orders:read")).await.unwrap().key.id;
        let bots = keys.create(&ada, &with_scopes(account, "orders:write")).await.unwrap().key.id;
        for (set, mut expected) in [
            (policy("scopes_required", "", ""), vec![unscoped]),
            (policy("scopes_not_for_users", "orders:write", ""), vec![unscoped, writer]),
            (policy("scope_max_lifetime", "orders:write refunds:create", "30"), vec![unscoped, writer, bots]),
        ] {
            let preview = policies.preview(&ada, &set).await.unwrap();
            let mut named: Vec<_> = preview.keys.iter().map(|key| key.id).collect();
            named.sort_unstable();
            expected.sort_unstable();
            assert_eq!((preview.count as usize, named), (expected.len(), expected), "{set:?}");
            policies.set(&ada, &set).await.unwrap();
        }
        assert!(at_scopes(policies.set(&ada, &policy("scopes_not_for_users", "", "")).await).contains("at least one"));
        assert!(
            at_scopes(policies.set(&ada, &policy("scopes_not_for_users", "no:such", "")).await).contains("no:such")
        );

        let soon = |input| CreateKey { expires_at: Some("2027-01-20T00:00:00Z".to_owned()), ..input };
        let create = async |input: CreateKey| keys.create(&ada, &input).await;
        assert!(at_scopes(create(soon(new_key(account, "all"))).await).contains("limited to scopes"));
        assert!(at_scopes(create(soon(with_scopes(own, "orders:write"))).await).contains("service account"));
        assert_eq!(code(create(with_scopes(account, "orders:write")).await), ErrorCode::BadUserInput, "no expiry");
        create(soon(with_scopes(account, "orders:write"))).await.unwrap();
        keys.create(&ada, &with_scopes(own, "orders:read")).await.unwrap();
        // Adding scopes is refused like creating the key with them. Of several policies, one is named.
        let wider = to(reader, "orders:read orders:write");
        assert!(at_scopes(keys.change_scopes(&ada, &wider).await).contains("must expire within 30 days"));
        let full = ChangeKeyScopes { key: reader, access: Some(ScopeOption::Full), ..ChangeKeyScopes::default() };
        assert!(at_scopes(keys.change_scopes(&ada, &full).await).contains("must expire within 30 days"));
        keys.change_scopes(&ada, &to(writer, "orders:write orders:read")).await.expect("it violated the policy before");
        let flagged = keys.get(&ada, bots).await.unwrap().violations;
        assert_eq!(flagged.iter().map(|one| one.kind.as_str()).collect::<Vec<_>>(), ["scope_max_lifetime"]);
        // The replacement of a key gets the shorter lifetime.
        let new = stage.services.rolls().roll(&ada, &RollKey { key: bots, ..RollKey::default() }).await.unwrap();
        assert_eq!(new.key.expires_at.map(|at| (at - new.key.created_at).num_days()), Some(30));

        stage.advance(TimeDelta::minutes(11));
        let fewer = policy("scope_max_lifetime", "orders:write", "30");
        assert_eq!(code(policies.set(&ada, &fewer).await), ErrorCode::ConfirmationRequired);
        let more = policy("scope_max_lifetime", "orders:write refunds:create refunds:read", "30");
        policies.set(&ada, &more).await.expect("a stricter policy asks for nothing");
    });
}

/// A step of a random story. Keys and creators are positions, taken modulo the number of keys.
#[derive(Clone, Debug)]
enum Step {
    Create { with: Option<usize>, scopes: Option<Vec<&'static str>> },
    Change { with: Option<usize>, key: usize, scopes: Option<Vec<&'static str>> },
    Roll { with: Option<usize>, key: usize },
    Role(Role),
    Remove(&'static str),
    Add(&'static str, Role),
}

const UNIVERSE: [&str; 5] = ["a:read", "b:read", "c:write", "latchkey:manage", "latchkey:read"];
const ROLES: [Role; 3] = [Role::ReadOnlyUser, Role::User, Role::TenantAdmin];

fn step() -> impl Strategy<Value = Step> {
    let scopes = || proptest::option::weighted(0.8, subsequence(UNIVERSE.to_vec(), 0..=UNIVERSE.len()));
    let with = || proptest::option::weighted(0.4, 0..8_usize);
    prop_oneof![
        3 => (with(), scopes()).prop_map(|(with, scopes)| Step::Create { with, scopes }),
        4 => (with(), 0..8_usize, scopes()).prop_map(|(with, key, scopes)| Step::Change { with, key, scopes }),
        2 => (with(), 0..8_usize).prop_map(|(with, key)| Step::Roll { with, key }),
        3 => select(ROLES.to_vec()).prop_map(Step::Role),
        1 => select(UNIVERSE[..3].to_vec()).prop_map(Step::Remove),
        2 => (select(UNIVERSE[..3].to_vec()), select(ROLES.to_vec())).prop_map(|(scope, role)| Step::Add(scope, role)),
    ]
}

type Model = BTreeSet<String>;

/// A key with the scopes that it should hold; `None` for an unscoped one.
struct Held {
    key: IssuedKey,
    scopes: Option<Model>,
}

struct Story<'a> {
    stage: &'a Stage,
    ada: Actor,
    bob: UserId,
    role: Role,
    catalogue: BTreeMap<String, Role>,
    held: Vec<Held>,
}

impl Story<'_> {
    /// Returns the caller: a session of the owner, or one of the owner's keys with the scopes that it holds.
    async fn caller(&self, with: Option<usize>) -> (Actor, Option<Model>) {
        match with.filter(|_| !self.held.is_empty()) {
            Some(position) => {
                let held = &self.held[position % self.held.len()];
                (self.stage.by_key(&held.key).await, held.scopes.clone())
            }
            None => (self.stage.session(self.bob).await, None),
        }
    }

    async fn take(&mut self, step: Step) {
        let keys = self.stage.services.api_keys();
        let text = |scopes: &Option<Vec<&str>>| scopes.as_ref().map(|scopes| scopes.join(" "));
        let model =
            |scopes: &Option<Vec<&str>>| scopes.as_ref().map(|all| all.iter().map(|one| (*one).to_owned()).collect());
        match step {
            Step::Create { with, scopes } => {
                let (actor, own_scopes) = self.caller(with).await;
                let input = CreateKey { scopes: text(&scopes), ..new_key(Owner::User(self.bob), "k") };
                if let Ok(key) = keys.create(&actor, &input).await {
                    self.check_given(own_scopes.as_ref(), model(&scopes).as_ref(), None);
                    self.held.push(Held { key, scopes: model(&scopes) });
                }
            }
            Step::Change { with, key, scopes } if !self.held.is_empty() => {
                let (actor, own_scopes) = self.caller(with).await;
                let position = key % self.held.len();
                let access = scopes.is_none().then_some(ScopeOption::Full);
                let input = ChangeKeyScopes {
                    key: self.held[position].key.key.id,
                    access,
                    scopes: text(&scopes),
                    before: None,
                };
                if keys.change_scopes(&actor, &input).await.is_ok() {
                    let before = self.held[position].scopes.clone();
                    self.check_given(own_scopes.as_ref(), model(&scopes).as_ref(), Some(before.as_ref()));
                    self.held[position].scopes = model(&scopes);
                }
            }
            Step::Roll { with, key } if !self.held.is_empty() => {
                let (actor, own_scopes) = self.caller(with).await;
                let old = &self.held[key % self.held.len()];
                let (id, scopes) = (old.key.key.id, old.scopes.clone());
                let input = RollKey { key: id, ..RollKey::default() };
                if let Ok(key) = self.stage.services.rolls().roll(&actor, &input).await {
                    assert!(includes(own_scopes.as_ref(), scopes.as_ref()), "a key rotated one that holds more");
                    self.held.push(Held { key, scopes });
                }
            }
            Step::Role(role) => {
                self.stage.services.members().change_role(&self.ada, self.bob, role).await.unwrap();
                self.role = role;
            }
            Step::Remove(scope) => {
                if self.stage.services.admin().remove_scope(scope).await.is_ok() {
                    self.catalogue.remove(scope);
                    for held in &mut self.held {
                        held.scopes.as_mut().map(|scopes| scopes.remove(scope));
                    }
                }
            }
            Step::Add(scope, role) => {
                self.stage.services.admin().set_scope(&entry(scope, role)).await.unwrap();
                self.catalogue.insert(scope.to_owned(), role);
            }
            Step::Change { .. } | Step::Roll { .. } => {}
        }
    }

    /// Checks an accepted grant: the caller's key holds it, and the owner's role allows what is new in it.
    #[expect(clippy::option_option, reason = "a key that is made had no grant before, and an unscoped one has no set")]
    fn check_given(&self, maker: Option<&Model>, given: Option<&Model>, before: Option<Option<&Model>>) {
        let widens = before.is_none_or(|before| !includes(before, given));
        if !widens {
            return;
        }
        assert!(self.role >= Role::User, "without the right to create");
        let empty = Model::new();
        let before = before.flatten().unwrap_or(&empty);
        for scope in given.into_iter().flatten().filter(|scope| !before.contains(*scope)) {
            assert!(maker.is_none_or(|maker| maker.contains(scope)), "a key gave {scope} and doesn't hold it");
            assert!(
                self.catalogue.get(scope).is_some_and(|least| *least <= self.role),
                "the role doesn't allow {scope}"
            );
        }
        assert!(given.is_some() || maker.is_none(), "a scoped key made an unscoped one");
    }

    async fn check(&self) {
        for held in &self.held {
            let holds = |scope: &&String| held.scopes.as_ref().is_none_or(|scopes| scopes.contains(*scope));
            let allowed = self.catalogue.iter().filter(|(_, least)| **least <= self.role).map(|(scope, _)| scope);
            let expected: Vec<&str> = allowed.filter(holds).map(String::as_str).collect();
            let seen = effective(self.stage, &held.key).await;
            let seen: Vec<&str> = seen.split(' ').filter(|scope| UNIVERSE.contains(scope)).collect();
            assert_eq!(seen, expected, "of {:?} as {:?}", held.scopes, self.role);
        }
    }
}

fn includes(outer: Option<&Model>, inner: Option<&Model>) -> bool {
    match (outer, inner) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(outer), Some(inner)) => inner.is_subset(outer),
    }
}

#[test]
fn the_rights_of_a_key_are_always_what_it_holds_and_its_owners_role_allows() {
    let seed = RngSeed::Fixed(42);
    let mut runner = TestRunner::new(Config { rng_seed: seed, ..Config::default() });
    let stories: Vec<Vec<Step>> =
        (0..6).map(|_| proptest::collection::vec(step(), 25).new_tree(&mut runner).unwrap().current()).collect();
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        for (number, story) in stories.iter().enumerate() {
            let bob = stage.add_user(&format!("bob{number}@example.org"), "acme", Role::User).await;
            let mut catalogue: BTreeMap<String, Role> = BTreeMap::new();
            for scope in &UNIVERSE[..3] {
                stage.services.admin().set_scope(&entry(scope, Role::User)).await.unwrap();
                catalogue.insert((*scope).to_owned(), Role::User);
            }
            catalogue.extend(UNIVERSE[3..].iter().map(|own| ((*own).to_owned(), Role::ReadOnlyUser)));
            let held = Vec::new();
            let mut story_of = Story { stage: &stage, ada: ada.clone(), bob, role: Role::User, catalogue, held };
            for step in story {
                story_of.take(step.clone()).await;
                story_of.check().await;
            }
            assert!(!story_of.held.is_empty());
        }
    });
}

/// Returns an administrator's key with scopes.
fn administrators_key(scopes: Option<&str>) -> Actor {
    let principal = Principal::User { id: UserId(uuid::Uuid::from_u128(2)), name: "Ada".to_owned() };
    let key = Some(KeyId(uuid::Uuid::from_u128(3)));
    let actor = Actor::for_test(principal, TENANT, Role::TenantAdmin, key);
    actor.scoped_for_test(scopes.map_or(ScopeGrant::Unscoped, set))
}

const TENANT: TenantId = TenantId(uuid::Uuid::from_u128(1));

/// Returns the operations that the key may perform on its owner or on the tenant.
fn allowed(scopes: Option<&str>) -> Vec<Operation> {
    let actor = administrators_key(scopes);
    let targets = [Target::Tenant(TENANT), Target::Owner(TENANT, own(&actor))];
    let is_allowed = |operation: &Operation| targets.iter().any(|on| authorize(&actor, *operation, *on).is_ok());
    Operation::ALL.iter().copied().filter(is_allowed).collect()
}

#[test]
fn a_scoped_key_may_do_here_only_what_its_reserved_scopes_allow() {
    let all = allowed(None);
    assert_eq!(allowed(Some("")), []);
    assert_eq!(allowed(Some("orders:read latchkey:verify")), [], "scopes of another API");
    let agents = [
        Operation::RegisterAgent,
        Operation::PollQueue,
        Operation::CreateFlowProject,
        Operation::RegisterFlow,
        Operation::CreateFlowRun,
        Operation::CancelFlowRun,
        Operation::ReportFlowRun,
    ];
    let others = all.iter().copied().filter(|one| !agents.contains(one));
    let (reads, changes): (Vec<_>, Vec<_>) = others.partition(|one| one.is_read());
    assert_eq!(allowed(Some("latchkey:read")), reads);
    // A change of the own name or the tenant's is answered with it.
    let answered = [Operation::ViewSelf, Operation::GetTenant];
    let manage: Vec<_> = all.iter().copied().filter(|one| changes.contains(one) || answered.contains(one)).collect();
    assert_eq!(allowed(Some("latchkey:manage")), manage);
    let also = [Operation::ViewSelf, Operation::GetTenant, Operation::ReadFlows];
    let agent: Vec<_> = all.iter().copied().filter(|one| agents.contains(one) || also.contains(one)).collect();
    assert_eq!(allowed(Some("latchkey:agent")), agent);
    assert_eq!(allowed(Some("latchkey:agent latchkey:manage latchkey:read")), all);
}

#[test]
fn a_refusal_names_the_missing_reserved_scope() {
    let actor = administrators_key(Some(""));
    let message = |operation| authorize(&actor, operation, Target::Owner(TENANT, own(&actor))).unwrap_err().message;
    assert!(message(Operation::ListApiKeys).contains("latchkey:read"));
    assert!(message(Operation::RevokeApiKey).contains("latchkey:manage"));
    assert!(message(Operation::PollQueue).contains("latchkey:agent"));
}

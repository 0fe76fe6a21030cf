//! The inventory of a tenant's keys, and the tenant's key policies.

use chrono::TimeDelta;
use domain::{
    ErrorCode, ExpiryWindow, InventoryFilter, InventoryQuery, KeyFilter, KeyPolicyKind, KeyQuery, KeySort, Owner,
    OwnerKind, PageRequest, Role,
    api_key::{
        act::RollKey,
        input::{CreateKey, SetKeyPolicy},
        policy::KeyPolicyViolation,
    },
};

use crate::{Actor, keys::key_policies, tests::stage::*};

async fn names(stage: &Stage, by: &Actor, query: KeyQuery, inventory: InventoryQuery) -> Vec<String> {
    let (mut all, mut query) = (Vec::new(), query);
    query.page = PageRequest { limit: 2, ..PageRequest::default() };
    loop {
        let page = stage.services.inventory().list(by, &query, inventory).await.unwrap();
        all.extend(page.items.iter().map(|key| key.name.to_string()));
        let Some(next) = page.next else { break };
        query.page.after = Some(next);
    }
    all.sort();
    all
}

fn only(filter: InventoryFilter) -> InventoryQuery {
    InventoryQuery { filter, ..InventoryQuery::default() }
}

fn set(policy: &str, days: Option<u32>) -> SetKeyPolicy {
    let days = days.map(|days| days.to_string()).unwrap_or_default();
    SetKeyPolicy { policy: policy.to_owned(), days, ..SetKeyPolicy::default() }
}

#[test]
fn the_inventory_lists_every_key_of_the_tenant_by_state_owner_kind_search_and_filter() {
    on_both(async |stage| {
        stage.services.admin().create_tenant("Other", "other").await.unwrap();
        let eve = stage.add_user("eve@example.org", "other", Role::TenantAdmin).await;
        let eve = stage.session(eve).await;
        stage.add_key(&eve, own(&eve), "foreign").await;
        let ada = stage.session(stage.admin).await;
        let bob_id = stage.add_user("bob@example.org", "acme", Role::User).await;
        let bob = stage.session(bob_id).await;
        let account = Owner::ServiceAccount(stage.add_account(&ada, "bot").await);
        stage.add_key(&ada, own(&ada), "Ada's laptop").await;
        stage.add_key(&bob, own(&bob), "Bob's laptop").await;
        let deploy = stage.add_key(&ada, account, "deploy").await;
        let input = CreateKey { expires_at: Some("2027-01-10T00:00:00Z".to_owned()), ..new_key(account, "soon") };
        stage.services.api_keys().create(&ada, &input).await.unwrap();
        let stopped = stage.add_key(&ada, account, "stopped").await;
        stage.services.api_keys().suspend(&ada, stopped.key.id).await.unwrap();

        let active = KeyQuery::default();
        let any = InventoryQuery::default();
        let four = ["Ada's laptop", "Bob's laptop", "deploy", "soon"];
        assert_eq!(names(&stage, &ada, active.clone(), any).await, four);
        for sort in KeySort::ALL {
            assert_eq!(names(&stage, &ada, KeyQuery { sort, ..active.clone() }, any).await, four, "{sort:?}");
        }
        let state = |filter| KeyQuery { filter, ..KeyQuery::default() };
        assert_eq!(names(&stage, &ada, state(KeyFilter::Suspended), any).await, ["stopped"]);
        assert!(names(&stage, &ada, state(KeyFilter::ExpiringSoon), any).await.is_empty(), "9 of its 9 days are left");
        assert_eq!(names(&stage, &ada, state(KeyFilter::All), any).await.len(), 5);
        let kind = |kind| InventoryQuery { kind: Some(kind), ..InventoryQuery::default() };
        assert_eq!(names(&stage, &ada, active.clone(), kind(OwnerKind::User)).await, ["Ada's laptop", "Bob's laptop"]);
        assert_eq!(names(&stage, &ada, active.clone(), kind(OwnerKind::ServiceAccount)).await, ["deploy", "soon"]);
        // "soon" expires in 9 days.
        let within = |after, within| InventoryQuery { expires: ExpiryWindow::new(after, within), ..any };
        for (window, found) in [((0, 30), 1), ((0, 9), 1), ((8, 9), 1), ((0, 8), 0), ((9, 30), 0)] {
            for query in KeySort::ALL.map(|sort| KeyQuery { sort, ..active.clone() }) {
                let seen = names(&stage, &ada, query, within(window.0, window.1)).await;
                assert_eq!(seen, &["soon"][..found], "{window:?}");
            }
        }
        let people = InventoryQuery { kind: Some(OwnerKind::User), ..within(0, 30) };
        assert!(names(&stage, &ada, active.clone(), people).await.is_empty());
        let search = |text: &str| KeyQuery { search: text.to_owned(), ..KeyQuery::default() };
        assert_eq!(names(&stage, &ada, search("LAPT"), any).await, ["Ada's laptop", "Bob's laptop"]);
        assert_eq!(names(&stage, &ada, search("ptop"), any).await, ["Ada's laptop", "Bob's laptop"]);
        assert_eq!(names(&stage, &ada, search("b's lap"), any).await, ["Bob's laptop"]);
        assert_eq!(names(&stage, &ada, search(&deploy.key.hint), any).await, ["deploy"]);
        assert!(names(&stage, &ada, search("foreign"), any).await.is_empty());

        stage.advance(TimeDelta::days(8));
        assert_eq!(names(&stage, &ada, state(KeyFilter::ExpiringSoon), any).await, ["soon"], "1 of its 9 days is left");
        stage.advance(TimeDelta::days(2));
        assert_eq!(
            names(&stage, &ada, state(KeyFilter::Expired), any).await,
            ["soon"],
            "before it is marked as expired"
        );
        crate::storage::keys::mark_expired(stage.services.db(), stage.services.now()).await.unwrap();
        assert_eq!(names(&stage, &ada, state(KeyFilter::Expired), any).await, ["soon"], "and afterwards");
        assert_eq!(
            names(&stage, &ada, active.clone(), only(InventoryFilter::NeverExpires)).await,
            ["Ada's laptop", "Bob's laptop", "deploy"]
        );
        stage.advance(TimeDelta::days(81));
        assert!(stage.is_valid(&deploy).await);
        stage.services.0.usage.flush(stage.services.db(), stage.services.now()).await.unwrap();
        assert_eq!(
            names(&stage, &ada, active.clone(), only(InventoryFilter::Unused)).await,
            ["Ada's laptop", "Bob's laptop"]
        );
        stage.services.members().remove(&ada, bob_id).await.unwrap();
        assert_eq!(
            names(&stage, &ada, state(KeyFilter::All), only(InventoryFilter::OwnerGone)).await,
            ["Bob's laptop"]
        );
        assert_eq!(code(stage.services.inventory().list(&bob, &active, any).await), ErrorCode::Forbidden);
    });
}

#[test]
fn keys_are_flagged_while_their_owner_or_creator_is_gone() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let bob_id = stage.add_user("bob@example.org", "acme", Role::TenantAdmin).await;
        let bob = stage.session(bob_id).await;
        let account = Owner::ServiceAccount(stage.add_account(&ada, "bot").await);
        stage.add_key(&bob, account, "made by bob").await;
        let gone = only(InventoryFilter::OwnerGone);
        assert!(names(&stage, &ada, KeyQuery::default(), gone).await.is_empty());
        stage.services.members().remove(&ada, bob_id).await.unwrap();
        assert_eq!(names(&stage, &ada, KeyQuery::default(), gone).await, ["made by bob"]);
        stage.add_user("bob@example.org", "acme", Role::User).await;
        assert!(names(&stage, &ada, KeyQuery::default(), gone).await.is_empty());

        let maker = stage.add_account(&ada, "maker").await;
        let made_with = stage.add_key(&ada, Owner::ServiceAccount(maker), "maker's").await;
        stage.add_key(&stage.by_key(&made_with).await, account, "made by maker").await;
        stage.services.service_accounts().delete(&ada, maker).await.unwrap();
        assert_eq!(names(&stage, &ada, KeyQuery::default(), gone).await, ["made by maker"]);
        let Owner::ServiceAccount(account) = account else { unreachable!() };
        stage.services.service_accounts().delete(&ada, account).await.unwrap();
        stage.services.members().remove(&ada, bob_id).await.unwrap();
        stage.add_user("bob@example.org", "acme", Role::User).await;
        let all = KeyQuery { filter: KeyFilter::All, ..KeyQuery::default() };
        assert_eq!(names(&stage, &ada, all, gone).await, ["made by bob", "made by maker", "maker's"], "owner gone");
    });
}

#[test]
fn bulk_suspension_and_revocation_write_an_audit_entry_for_each_key() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let mut keys = Vec::new();
        for n in 0..5 {
            keys.push(stage.add_key(&ada, own(&ada), &format!("k{n}")).await);
        }
        let ids: Vec<_> = keys.iter().map(|key| key.key.id).collect();
        stage.services.api_keys().revoke(&ada, ids[0]).await.unwrap();
        let inventory = stage.services.inventory();
        assert_eq!(inventory.get(&ada, &ids).await.unwrap().len(), 5);
        let suspended = inventory.suspend(&ada, &ids[..3]).await.unwrap();
        assert_eq!((suspended.changed, suspended.unchanged), (2, 1), "one is already inactive");
        assert_eq!(inventory.suspend(&ada, &ids[..3]).await.unwrap().changed, 0);
        assert_eq!(inventory.revoke(&ada, &ids).await.unwrap().changed, 4);
        for key in &keys {
            assert!(!stage.is_valid(key).await);
            let lines =
                crate::storage::audit::count(stage.services.db(), "delete_api_key", key.key.id.0).await.unwrap();
            assert_eq!(lines, 1);
        }
        stage.services.admin().create_tenant("Other", "other").await.unwrap();
        let eve = stage.add_user("eve@example.org", "other", Role::TenantAdmin).await;
        let eve = stage.session(eve).await;
        let foreign = stage.add_key(&eve, own(&eve), "foreign").await;
        assert!(inventory.get(&ada, &[foreign.key.id]).await.unwrap().is_empty());
        assert_eq!(inventory.revoke(&ada, &[foreign.key.id]).await.unwrap().unchanged, 1);
        assert!(stage.is_valid(&foreign).await);
        let strange = domain::KeyId(uuid::Uuid::from_u128(9));
        assert_eq!(inventory.revoke(&ada, &[strange]).await.unwrap().changed, 0);
        assert_eq!(code(inventory.revoke(&ada, &vec![strange; 201]).await), ErrorCode::BadUserInput);
        let bob = stage.add_user("bob@example.org", "acme", Role::User).await;
        let bob = stage.session(bob).await;
        assert_eq!(code(inventory.revoke(&bob, &ids).await), ErrorCode::Forbidden);
    });
}

#[test]
fn policies_preview_the_affected_keys_and_apply_to_new_keys_from_their_effective_date() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let account = Owner::ServiceAccount(stage.add_account(&ada, "bot").await);
        let old = stage.add_key(&ada, account, "endless").await;
        let policies = stage.services.tenant_policies();
        assert_eq!(code(policies.set(&ada, &set("no_such", None)).await), ErrorCode::BadUserInput);
        assert_eq!(code(policies.set(&ada, &set("max_lifetime", None)).await), ErrorCode::BadUserInput);
        let preview = policies.preview(&ada, &set("max_lifetime", Some(30))).await.unwrap();
        assert_eq!((preview.count, preview.keys[0].id), (1, old.key.id));
        assert_eq!(policies.preview(&ada, &set("service_accounts_only", None)).await.unwrap().count, 0);

        let later = SetKeyPolicy { from: "2027-01-02T00:00:00Z".to_owned(), ..set("max_lifetime", Some(30)) };
        policies.set(&ada, &later).await.unwrap();
        stage.add_key(&ada, account, "before it holds").await;
        stage.advance(TimeDelta::days(1));
        let ada = stage.session(stage.admin).await;
        let keys = stage.services.api_keys();
        assert_eq!(code(keys.create(&ada, &new_key(account, "endless too")).await), ErrorCode::BadUserInput);
        let until = |at: &str| CreateKey { expires_at: Some(at.to_owned()), ..new_key(account, "short") };
        assert_eq!(code(keys.create(&ada, &until("2027-02-02T00:00:00Z")).await), ErrorCode::BadUserInput);
        let short = keys.create(&ada, &until("2027-02-01T00:00:00Z")).await.unwrap();
        assert!(stage.is_valid(&old).await, "existing keys keep working");
        assert_eq!(
            names(&stage, &ada, KeyQuery::default(), only(InventoryFilter::ViolatesKeyPolicy)).await,
            ["before it holds", "endless"]
        );
        let roll = RollKey { key: old.key.id, ..RollKey::default() };
        let told = stage.services.rolls().renewed_expiry(&ada, old.key.id).await.unwrap();
        let rolled = stage.services.rolls().roll(&ada, &roll).await.unwrap();
        let at_the_latest = stage.services.now() + TimeDelta::days(30);
        assert_eq!((told, rolled.key.expires_at), (Some(at_the_latest), Some(at_the_latest)), "for a rolled key too");

        policies.set(&ada, &set("no_keys_by_keys", None)).await.unwrap();
        let bot = stage.by_key(&short).await;
        assert_eq!(
            code(keys.create(&bot, &CreateKey { owner: Some(own(&bot)), ..until("2027-01-20T00:00:00Z") }).await),
            ErrorCode::Forbidden
        );
        policies.set(&ada, &set("service_accounts_only", None)).await.unwrap();
        let mine = CreateKey { owner: Some(own(&ada)), ..until("2027-01-20T00:00:00Z") };
        assert_eq!(code(keys.create(&ada, &mine).await), ErrorCode::Forbidden);
        assert_eq!(policies.list(&bot).await.unwrap().len(), 3);
        policies.clear(&ada, "service_accounts_only").await.unwrap();
        assert_eq!(code(policies.clear(&ada, "service_accounts_only").await), ErrorCode::Conflict);
        keys.create(&ada, &mine).await.unwrap();
        let bob = stage.add_user("bob@example.org", "acme", Role::User).await;
        let bob = stage.session(bob).await;
        assert_eq!(code(policies.set(&bob, &set("expiry_required", None)).await), ErrorCode::Forbidden);
    });
}

#[test]
fn unused_keys_are_suspended_by_policy_and_their_owner_can_resume_them() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let bob = stage.add_user("bob@example.org", "acme", Role::User).await;
        let bob = stage.session(bob).await;
        let (idle, busy) = (stage.add_key(&bob, own(&bob), "idle").await, stage.add_key(&bob, own(&bob), "busy").await);
        stage.services.tenant_policies().set(&ada, &set("suspend_unused", Some(30))).await.unwrap();
        stage.advance(TimeDelta::days(29));
        assert!(stage.is_valid(&busy).await);
        key_policies::suspend_unused(&stage.services.0.context, &stage.services.0.usage).await.unwrap();
        stage.advance(TimeDelta::days(2));
        key_policies::suspend_unused(&stage.services.0.context, &stage.services.0.usage).await.unwrap();
        let state = async |key: &domain::IssuedKey| {
            stage.services.api_keys().get(&bob, key.key.id).await.unwrap().state(stage.services.now()).as_str()
        };
        assert_eq!((state(&idle).await, state(&busy).await), ("suspended", "active"));
        assert_eq!(
            crate::storage::audit::count(stage.services.db(), "suspend_api_key", idle.key.id.0).await.unwrap(),
            1
        );
        let now = stage.session(bob.user_id().unwrap()).await;
        stage.services.api_keys().resume(&now, idle.key.id).await.unwrap();
        key_policies::suspend_unused(&stage.services.0.context, &stage.services.0.usage).await.unwrap();
        assert_eq!(state(&idle).await, "active", "the thirty days start again");
    });
}

#[test]
fn a_policy_keeps_its_value_until_a_planned_change_takes_effect() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let policies = stage.services.tenant_policies();
        policies.set(&ada, &set("max_lifetime", Some(90))).await.unwrap();
        let later = SetKeyPolicy { from: "2027-02-01T00:00:00Z".to_owned(), ..set("max_lifetime", Some(30)) };
        policies.set(&ada, &later).await.unwrap();
        policies.set(&ada, &later).await.expect("setting the same policy again replaces it");
        let days = async || {
            let on = stage.services.tenant_policies().list(&ada).await.unwrap();
            on.iter().map(|policy| policy.days.unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(days().await, [90, 30]);
        let keys = stage.services.api_keys();
        let ends_after = async |days| {
            let actor = stage.session(stage.admin).await;
            let at = stage.services.now() + TimeDelta::days(days);
            let input = CreateKey { expires_at: Some(at.to_rfc3339()), ..new_key(own(&actor), "k") };
            keys.create(&actor, &input).await.map(drop)
        };
        assert_eq!(code(ends_after(91).await), ErrorCode::BadUserInput);
        ends_after(60).await.unwrap();
        stage.advance(TimeDelta::days(31));
        assert_eq!(days().await, [30]);
        assert_eq!(code(ends_after(60).await), ErrorCode::BadUserInput);
        ends_after(30).await.unwrap();
        let ada = stage.session(stage.admin).await;
        policies.set(&ada, &set("max_lifetime", Some(365))).await.unwrap();
        assert_eq!(days().await, [365], "it applies immediately, so no other is left");
        policies.clear(&ada, "max_lifetime").await.unwrap();
        assert!(days().await.is_empty());
    });
}

#[test]
fn a_key_lists_the_policies_that_it_violates() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let endless = stage.add_key(&ada, own(&ada), "endless").await;
        let over = stage.add_key(&ada, own(&ada), "over").await;
        stage.services.api_keys().revoke(&ada, over.key.id).await.unwrap();
        let policies = stage.services.tenant_policies();
        for (policy, days) in [("max_lifetime", Some(30)), ("expiry_required", None), ("suspend_unused", Some(30))] {
            policies.set(&ada, &set(policy, days)).await.unwrap();
        }
        let later = stage.services.now() + TimeDelta::days(7);
        let planned = SetKeyPolicy { from: later.to_rfc3339(), ..set("service_accounts_only", None) };
        policies.set(&ada, &planned).await.unwrap();
        let stricter = SetKeyPolicy { from: later.to_rfc3339(), ..set("max_lifetime", Some(7)) };
        policies.set(&ada, &stricter).await.unwrap();
        let now = stage.services.now();
        let violations = [
            (KeyPolicyKind::ExpiryRequired, now),
            (KeyPolicyKind::MaxLifetime, now),
            (KeyPolicyKind::ServiceAccountsOnly, later),
        ];
        let violations = violations.map(|(kind, effective_from)| KeyPolicyViolation { kind, effective_from });
        assert_eq!(violations.map(|violations| violations.is_scheduled(now)), [false, false, true]);
        assert_eq!(violations[2].text(now), "Service accounts only, from 8 Jan 2027, 00:00 UTC");
        let seen = stage.services.api_keys().get(&ada, endless.key.id).await.unwrap();
        assert_eq!(seen.violations, violations);
        assert!(stage.services.api_keys().get(&ada, over.key.id).await.unwrap().violations.is_empty(), "it is revoked");
        let filter = only(InventoryFilter::ViolatesKeyPolicy);
        let listed = stage.services.inventory().list(&ada, &KeyQuery::default(), filter).await.unwrap().items;
        assert!(listed.len() == 1 && listed[0].violations == violations, "the filter and the flag agree");
        let renamed = stage.services.api_keys().rename(&ada, endless.key.id, "other").await.unwrap();
        assert_eq!(renamed.violations, violations);
        for policy in ["max_lifetime", "expiry_required", "service_accounts_only"] {
            stage.services.tenant_policies().clear(&ada, policy).await.unwrap();
        }
        stage.advance(TimeDelta::days(40));
        let listed = stage.services.inventory().list(&ada, &KeyQuery::default(), filter).await.unwrap().items;
        assert!(listed.is_empty(), "the policy on unused keys flags no key");
    });
}

#[test]
fn more_unused_keys_than_fit_in_one_transaction_are_all_suspended() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        stage.services.admin().create_tenant("Other", "other").await.unwrap();
        let eve = stage.add_user("eve@example.org", "other", Role::TenantAdmin).await;
        let eve = stage.session(eve).await;
        for by in [&ada, &eve] {
            for n in 0..105 {
                stage.add_key(by, own(by), &format!("k{n}")).await;
            }
            stage.services.tenant_policies().set(by, &set("suspend_unused", Some(30))).await.unwrap();
        }
        stage.advance(TimeDelta::days(31));
        key_policies::suspend_unused(&stage.services.0.context, &stage.services.0.usage).await.unwrap();
        let (ada, eve) = (stage.session(stage.admin).await, stage.session(eve.user_id().unwrap()).await);
        for by in [&ada, &eve] {
            let active = stage.services.api_keys().list(by, own(by), &KeyQuery::default()).await.unwrap();
            assert!(active.items.is_empty());
        }
    });
}

#[test]
fn a_policy_that_is_set_concurrently_is_set_once() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let outcomes = at_once(8, |n| {
            let (services, ada) = (stage.services.clone(), ada.clone());
            let from = format!("2027-02-0{}T00:00:00Z", 1 + n % 2);
            let input = SetKeyPolicy { from, ..set("max_lifetime", Some(30)) };
            async move { services.tenant_policies().set(&ada, &input).await.map(drop) }
        })
        .await;
        for outcome in outcomes {
            outcome.unwrap();
        }
        assert_eq!(stage.services.tenant_policies().list(&ada).await.unwrap().len(), 1);
    });
}

//! What the pictures show: daily usage, expiring keys, and the overview of a tenant.

use chrono::TimeDelta;
use domain::{
    ApiKey, ErrorCode, IssuedKey, KeyAct, Owner, OwnerKind, RefusalReason, Role,
    api_key::act::RollKey,
    api_key::input::{CreateKey, SetKeyPolicy},
    page::Total,
    tenant::overview::Steps,
};

use crate::{storage::query::assembled_for, tests::stage::*};

/// Sends accepted requests with a key, and writes the usage.
async fn used(stage: &Stage, key: &IssuedKey, times: u32) {
    for _ in 0..times {
        stage.is_valid(key).await;
    }
    stage.services.0.usage.flush(stage.services.db(), stage.services.now()).await.unwrap();
}

async fn expiring_in(stage: &Stage, by: &crate::Actor, owner: Owner, name: &str, days: i64) -> IssuedKey {
    let expires_at = Some((stage.services.now() + TimeDelta::days(days)).to_rfc3339());
    stage.services.api_keys().create(by, &CreateKey { expires_at, ..new_key(owner, name) }).await.unwrap()
}

#[test]
fn the_daily_usage_of_listed_keys_is_the_sum_of_their_hours_and_takes_one_statement() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let (one, two) = (stage.add_key(&ada, own(&ada), "one").await, stage.add_key(&ada, own(&ada), "two").await);
        let unused = stage.add_key(&ada, own(&ada), "unused").await;
        for hours in [1, 7, 20, 30, 100, 700] {
            used(&stage, &one, 3).await;
            used(&stage, &two, 1).await;
            stage.advance(TimeDelta::hours(hours));
        }
        stage.services.api_keys().revoke(&ada, two.key.id).await.unwrap();
        used(&stage, &two, 2).await;
        let keys = [one.key.clone(), two.key.clone(), unused.key.clone()];
        let (services, now) = (stage.services.api_keys(), stage.services.now());
        for days in [1, 7, 30] {
            let daily = services.daily(&ada, &keys, days).await.unwrap();
            for key in &keys {
                let usage = services.usage(&ada, key.id).await.unwrap();
                let empty = domain::usage::each_day([], days, now);
                assert_eq!(*daily.get(&key.id).unwrap_or(&empty), usage.by_day(days, now), "{} {days}", key.name);
            }
            assert!(!daily.contains_key(&unused.key.id));
        }
        let refusals = services.daily(&ada, &keys, 30).await.unwrap()[&two.key.id].last().unwrap().refusals;
        assert_eq!(refusals, 2);
        assert_eq!(assembled_for(services.daily(&ada, &keys, 30)).await.len(), 1);
        assert!(services.daily(&ada, &[], 30).await.unwrap().is_empty());
    });
}

#[test]
fn the_daily_usage_of_other_peoples_and_other_tenants_keys_is_left_out() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let bob = stage.add_user("bob@example.org", "acme", Role::User).await;
        let bob = stage.session(bob).await;
        let account = Owner::ServiceAccount(stage.add_account(&ada, "bot").await);
        let (adas, bobs) = (stage.add_key(&ada, own(&ada), "a").await, stage.add_key(&bob, own(&bob), "b").await);
        let of_account = stage.add_key(&ada, account, "bot").await;
        stage.services.admin().create_tenant("Other", "other").await.unwrap();
        let eve = stage.add_user("eve@example.org", "other", Role::TenantAdmin).await;
        let eve = stage.session(eve).await;
        let eves = stage.add_key(&eve, own(&eve), "e").await;
        for key in [&adas, &bobs, &of_account, &eves] {
            used(&stage, key, 1).await;
        }
        let here = |key: &IssuedKey| ApiKey { tenant_id: stage.tenant, owner: own(&bob), ..key.key.clone() };
        // Also with records that claim to belong to the caller.
        let keys =
            [adas.key.clone(), bobs.key.clone(), of_account.key.clone(), eves.key.clone(), here(&adas), here(&eves)];
        let seen = async |actor: &crate::Actor| {
            let daily = stage.services.api_keys().daily(actor, &keys, 30).await.unwrap();
            keys[..4].iter().map(|key| daily.contains_key(&key.id)).collect::<Vec<_>>()
        };
        assert_eq!(seen(&ada).await, [true, true, true, false]);
        assert_eq!(seen(&bob).await, [false, true, false, false]);
        assert_eq!(seen(&eve).await, [false, false, false, true]);
        assert_eq!(seen(&stage.by_key(&of_account).await).await, [true, true, true, false], "an administrator");
    });
}

#[test]
fn expiring_keys_come_with_their_requests_of_the_week_and_without_replaced_ones() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let account = Owner::ServiceAccount(stage.add_account(&ada, "bot").await);
        let later = expiring_in(&stage, &ada, own(&ada), "later", 60).await;
        let soon = expiring_in(&stage, &ada, account, "soon", 20).await;
        expiring_in(&stage, &ada, own(&ada), "beyond", 91).await;
        stage.add_key(&ada, own(&ada), "never").await;
        let rotated = expiring_in(&stage, &ada, own(&ada), "rotated", 50).await;
        let roll = RollKey { key: rotated.key.id, overlap: "7d".to_owned(), ..RollKey::default() };
        stage.services.rolls().roll(&ada, &roll).await.unwrap();
        used(&stage, &later, 2).await;
        used(&stage, &soon, 5).await;
        stage.advance(TimeDelta::days(6));
        let names = async |kind| {
            let expiring = stage.services.inventory().expiring(&ada, kind).await.unwrap();
            let names =
                expiring.keys.iter().map(|(key, use_count)| (key.name.to_string(), *use_count)).collect::<Vec<_>>();
            (names, expiring.total.map(|total| total.count))
        };
        let (all, total) = names(None).await;
        let has = |name: &str| all.iter().position(|(other, _)| other == name);
        assert_eq!((has("soon"), all[0].1, has("never")), (Some(0), 5, None), "{all:?}");
        assert!(has("later") > has("soon") && has("beyond") > has("later"), "{all:?}");
        assert_eq!(all.iter().filter(|(name, _)| name == "rotated").count(), 1, "only the new key: {all:?}");
        assert_eq!(total, u32::try_from(all.len()).ok());
        assert_eq!(names(Some(OwnerKind::ServiceAccount)).await, (vec![("soon".to_owned(), 5)], Some(1)));
        stage.advance(TimeDelta::days(2));
        assert_eq!(names(Some(OwnerKind::ServiceAccount)).await.0[0].1, 0, "more than a week ago");
        let bob = stage.add_user("bob@example.org", "acme", Role::User).await;
        let bob = stage.session(bob).await;
        assert_eq!(code(stage.services.inventory().expiring(&bob, None).await), ErrorCode::Forbidden);
    });
}

#[test]
fn the_overview_counts_keys_and_requests_of_its_tenant_alone() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        stage.services.admin().create_tenant("Other", "other").await.unwrap();
        let eve = stage.add_user("eve@example.org", "other", Role::TenantAdmin).await;
        let eve = stage.session(eve).await;
        let foreign = stage.add_key(&eve, own(&eve), "foreign").await;
        used(&stage, &foreign, 9).await;
        let mut keys = Vec::new();
        for n in 1..=7 {
            let key = stage.add_key(&ada, own(&ada), &format!("k{n}")).await;
            used(&stage, &key, n).await;
            keys.push(key);
        }
        expiring_in(&stage, &ada, own(&ada), "soon", 20).await;
        expiring_in(&stage, &ada, own(&ada), "later", 40).await;
        let policy = SetKeyPolicy { policy: "expiry_required".to_owned(), ..SetKeyPolicy::default() };
        stage.services.tenant_policies().set(&ada, &policy).await.unwrap();
        stage.advance(TimeDelta::days(1));
        stage.services.api_keys().revoke(&ada, keys[0].key.id).await.unwrap();
        used(&stage, &keys[0], 4).await;
        let overview = stage.services.overviews().get(&ada).await.unwrap();
        let count = |total: Option<Total>| total.map(|total| (total.count, total.is_exact));
        assert_eq!(count(overview.active), Some((8, true)));
        assert_eq!(count(overview.expiring), Some((1, true)));
        assert_eq!(count(overview.unused), Some((0, true)));
        assert_eq!(count(overview.violating), Some((6, true)));
        let days: Vec<_> = overview.days.iter().map(|day| (day.use_count, day.refusals)).collect();
        assert_eq!((days.len(), days[28], days[29]), (30, (28, 0), (0, 4)));
        let names = |keys: &[domain::tenant::overview::KeyRequests]| {
            keys.iter().map(|one| format!("{} {} {}", one.key.name, one.use_count, one.refusals)).collect::<Vec<_>>()
        };
        assert_eq!(names(&overview.most_used), ["k7 7 0", "k6 6 0", "k5 5 0", "k4 4 0", "k3 3 0"]);
        assert_eq!(names(&overview.most_rejected), ["k1 1 4"]);
        let reasons = |overview: &domain::Overview| {
            overview.reasons.iter().map(|one| (one.reason, one.refusals)).collect::<Vec<_>>()
        };
        assert_eq!(reasons(&overview), [(RefusalReason::Revoked, 4)]);
        assert_eq!(overview.recent.len(), 10);
        assert_eq!(overview.recent[0].operation, KeyAct::Revoke.operation().as_str());

        stage.advance(TimeDelta::days(6));
        let later = stage.services.overviews().get(&ada).await.unwrap();
        assert!(later.most_used.is_empty(), "more than a week ago");
        assert_eq!(names(&later.most_rejected), ["k1 0 4"]);
        used(&stage, &keys[0], 2).await;
        assert_eq!(reasons(&stage.services.overviews().get(&ada).await.unwrap()), [(RefusalReason::Revoked, 6)]);
        let theirs = stage.services.overviews().get(&eve).await.unwrap();
        assert!(reasons(&theirs).is_empty(), "of another tenant");
        stage.advance(TimeDelta::days(6));
        let latest = stage.services.overviews().get(&ada).await.unwrap();
        assert_eq!(reasons(&latest), [(RefusalReason::Revoked, 2)], "those of the last 7 days");
    });
}

#[test]
fn the_overview_is_for_administrators_and_says_which_first_steps_are_done() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let steps = async || stage.services.overviews().get(&ada).await.unwrap().steps;
        assert_eq!(steps().await, Steps::default());
        let key = stage.add_key(&ada, own(&ada), "first").await;
        assert_eq!(steps().await, Steps { has_key: true, ..Steps::default() });
        assert!(stage.is_valid(&key).await);
        assert_eq!(steps().await, Steps { has_key: true, has_used_key: true, has_team: false });
        stage.services.api_keys().revoke(&ada, key.key.id).await.unwrap();
        stage.services.invitations().invite(&ada, "bob@example.org", Role::User).await.unwrap();
        assert_eq!(steps().await, Steps { has_key: true, has_used_key: true, has_team: true });
        stage.advance(TimeDelta::days(10));
        assert!(!steps().await.has_team, "the invitation has expired");
        let bob = stage.add_user("bob@example.org", "acme", Role::User).await;
        assert!(steps().await.has_team);
        let bob = stage.session(bob).await;
        assert_eq!(code(stage.services.overviews().get(&bob).await), ErrorCode::Forbidden);
    });
}

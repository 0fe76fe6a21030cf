//! Rolling keys, their usage, and the keys that were created with a key.

use chrono::TimeDelta;
use domain::{ErrorCode, IssuedKey, KeyId, KeyState, Owner, Role, api_key::act::RollKey, api_key::input::CreateKey};

use crate::{Actor, AlertsAbout, Client, Clock, storage, storage::Db, tests::stage::*};

fn roll(key: KeyId, overlap: &str) -> RollKey {
    RollKey { key, overlap: overlap.to_owned(), ..RollKey::default() }
}

async fn rolled(stage: &Stage, by: &Actor, key: &IssuedKey, overlap: &str) -> IssuedKey {
    stage.services.rolls().roll(by, &roll(key.key.id, overlap)).await.unwrap()
}

#[test]
fn a_rolled_key_and_the_new_one_both_work_until_the_grace_period_ends() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let input = CreateKey { expires_at: Some("2027-01-31T00:00:00Z".to_owned()), ..new_key(own(&ada), "ci") };
        let old = stage.services.api_keys().create(&ada, &input).await.unwrap();
        stage.advance(TimeDelta::days(10));
        let ada = stage.session(stage.admin).await;
        let new = rolled(&stage, &ada, &old, "24h").await;
        assert_ne!(old.token, new.token);
        assert_eq!((new.key.name.as_str(), new.key.owner, new.key.replaces), ("ci", own(&ada), Some(old.key.id)));
        let life = TimeDelta::days(30);
        assert_eq!(new.key.expires_at, Some(stage.services.now() + life), "the same lifetime as the old key");
        let seen = stage.services.api_keys().get(&ada, old.key.id).await.unwrap();
        assert_eq!(seen.overlap_until(stage.services.now()), Some(stage.services.now() + TimeDelta::days(1)));
        assert_eq!(seen.replaced_by.as_ref().map(|new| new.hint.clone()), Some(new.key.hint.clone()));
        assert!(stage.is_valid(&old).await && stage.is_valid(&new).await);
        assert_eq!(code(stage.services.rolls().roll(&ada, &roll(old.key.id, "1h")).await), ErrorCode::Conflict);
        stage.advance(TimeDelta::days(1));
        assert!(!stage.is_valid(&old).await && stage.is_valid(&new).await);
        let tried = stage.services.api_keys().get(&ada, old.key.id).await.unwrap();
        assert_eq!(
            tried.rejected_after_rotation().map(|last| last.at),
            Some(stage.services.now()),
            "attempts to use the old key are recorded"
        );
    });
}

#[test]
fn without_a_grace_period_the_old_key_ends_immediately_and_none_outlasts_its_expiry() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let old = stage.add_key(&ada, own(&ada), "a").await;
        let new = rolled(&stage, &ada, &old, "now").await;
        assert!(!stage.is_valid(&old).await && stage.is_valid(&new).await);
        assert_eq!(new.key.expires_at, None);
        let input = CreateKey { expires_at: Some("2027-01-01T06:00:00Z".to_owned()), ..new_key(own(&ada), "b") };
        let short = stage.services.api_keys().create(&ada, &input).await.unwrap();
        rolled(&stage, &ada, &short, "7d").await;
        let seen = stage.services.api_keys().get(&ada, short.key.id).await.unwrap();
        assert_eq!(seen.expires_at, short.key.expires_at);
        assert_eq!(
            code(stage.services.rolls().roll(&ada, &roll(old.key.id, "1h")).await),
            ErrorCode::Conflict,
            "revoked"
        );
        stage.services.api_keys().suspend(&ada, new.key.id).await.unwrap();
        assert_eq!(
            code(stage.services.rolls().roll(&ada, &roll(new.key.id, "1h")).await),
            ErrorCode::Conflict,
            "suspended"
        );
        assert_eq!(code(stage.services.rolls().roll(&ada, &roll(new.key.id, "soon")).await), ErrorCode::BadUserInput);
    });
}

#[test]
fn the_first_use_of_the_new_key_ends_the_old_one_once_even_when_used_concurrently() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let old = stage.add_key(&ada, own(&ada), "ci").await;
        let new = rolled(&stage, &ada, &old, "first_use").await;
        stage.advance(TimeDelta::days(6));
        assert!(stage.is_valid(&old).await, "the new key hasn't been used yet");
        let accepted = at_once(20, |_| {
            let (services, token) = (stage.services.clone(), new.token.clone());
            async move { services.verification().verify(token.expose(), &browser()).await.unwrap().is_some() }
        })
        .await;
        assert!(accepted.into_iter().all(|is_accepted| is_accepted));
        assert!(!stage.is_valid(&old).await);
        assert_eq!(storage::audit::count(stage.services.db(), "finish_roll", old.key.id.0).await.unwrap(), 1);

        let ada = stage.session(stage.admin).await;
        let unused = stage.add_key(&ada, own(&ada), "unused").await;
        let deadline = Some("2027-01-08T00:00:00Z".to_owned());
        let input = RollKey { deadline, ..roll(unused.key.id, "first_use") };
        stage.services.rolls().roll(&ada, &input).await.unwrap();
        stage.advance(TimeDelta::days(1) - TimeDelta::seconds(1));
        assert!(stage.is_valid(&unused).await);
        stage.advance(TimeDelta::seconds(1));
        assert!(!stage.is_valid(&unused).await, "the deadline ends it anyway");
        let ada = stage.session(stage.admin).await;
        let past = RollKey { deadline: Some("2026-01-08T00:00:00Z".to_owned()), ..roll(new.key.id, "first_use") };
        assert_eq!(code(stage.services.rolls().roll(&ada, &past).await), ErrorCode::BadUserInput);
    });
}

#[test]
fn a_first_use_after_the_roll_was_undone_leaves_the_old_key_active() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let old = stage.add_key(&ada, own(&ada), "ci").await;
        let new = rolled(&stage, &ada, &old, "first_use").await;
        let digest = crate::digest::sha256(new.token.expose().as_bytes());
        let seen = storage::keys::find_by_digest(stage.services.db(), &digest).await.unwrap().unwrap();
        stage.services.rolls().cancel(&ada, old.key.id).await.unwrap();
        crate::keys::roll::end_predecessor(&stage.services.0.context, &stage.services.0.endings, &seen, old.key.id)
            .await;
        assert!(stage.is_valid(&old).await && !stage.is_valid(&new).await);
    });
}

#[test]
fn an_expired_key_stays_expired_when_the_clock_is_set_back() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let input = CreateKey { expires_at: Some("2027-01-02T00:00:00Z".to_owned()), ..new_key(own(&ada), "ci") };
        let key = stage.services.api_keys().create(&ada, &input).await.unwrap();
        let begun = stage.services.now();
        stage.advance(TimeDelta::days(1));
        storage::keys::mark_expired(stage.services.db(), stage.services.now()).await.unwrap();
        // Another server, which hasn't seen the key yet and whose clock is slow.
        let late =
            crate::Services::open(&crate::Settings::new(&stage.database_url), Clock::fixed(begun)).await.unwrap();
        assert!(late.verification().verify(key.token.expose(), &browser()).await.unwrap().is_none());
        late.close().await;
    });
}

#[test]
fn a_roll_is_finished_extended_and_undone() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let rolls = stage.services.rolls();
        let first = stage.add_key(&ada, own(&ada), "a").await;
        let second = rolled(&stage, &ada, &first, "1h").await;
        rolls.finish(&ada, first.key.id).await.unwrap();
        assert!(!stage.is_valid(&first).await && stage.is_valid(&second).await);
        assert_eq!(code(rolls.finish(&ada, first.key.id).await), ErrorCode::Conflict);
        assert_eq!(code(rolls.cancel(&ada, first.key.id).await), ErrorCode::Conflict);

        let third = rolled(&stage, &ada, &second, "1h").await;
        let longer = rolls.extend(&ada, second.key.id, "7d").await.unwrap();
        assert_eq!(longer.expires_at, Some(stage.services.now() + TimeDelta::days(7)));
        assert_eq!(code(rolls.extend(&ada, second.key.id, "now").await), ErrorCode::BadUserInput);
        let back = rolls.cancel(&ada, second.key.id).await.unwrap();
        assert_eq!((back.expires_at, back.replaced_by), (None, None));
        assert!(stage.is_valid(&second).await && !stage.is_valid(&third).await);
        let again = rolled(&stage, &ada, &second, "1h").await;
        assert!(stage.is_valid(&again).await);
        stage.advance(TimeDelta::hours(2));
        assert_eq!(code(rolls.cancel(&ada, second.key.id).await), ErrorCode::ConfirmationRequired);
        let ada = stage.session(stage.admin).await;
        assert_eq!(code(rolls.extend(&ada, second.key.id, "7d").await), ErrorCode::Conflict, "it has expired");
        assert!(!stage.is_valid(&second).await);
    });
}

#[test]
fn submitting_a_form_twice_rolls_once_and_concurrent_rolls_leave_one_successor() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let old = stage.add_key(&ada, own(&ada), "ci").await;
        let form = RollKey { idempotency_key: Some(uuid::Uuid::from_u128(3).to_string()), ..roll(old.key.id, "24h") };
        let first = stage.services.rolls().roll(&ada, &form).await.unwrap();
        let second = stage.services.rolls().roll(&ada, &form).await.unwrap();
        assert_eq!(first.key.id, second.key.id);
        assert!(
            !stage.is_valid(&first).await && stage.is_valid(&second).await,
            "the last response has the working token"
        );

        let contended = stage.add_key(&ada, own(&ada), "contended").await;
        let won = at_once(20, |_| {
            let (services, ada, id) = (stage.services.clone(), ada.clone(), contended.key.id);
            async move { services.rolls().roll(&ada, &roll(id, "1h")).await.is_ok() }
        })
        .await;
        assert_eq!(won.into_iter().filter(|has_won| *has_won).count(), 1);
        let named = stage.walk(&ada, own(&ada), &every_key()).await;
        assert_eq!(named.iter().filter(|key| key.name.as_str() == "contended").count(), 2);
    });
}

#[test]
fn usage_lists_each_address_and_client_and_is_counted_by_hour() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let key = stage.add_key(&ada, own(&ada), "ci").await;
        let client = |address: &str, agent: &str| Client {
            address: Some(address.to_owned()),
            user_agent: Some(agent.to_owned()),
            ..browser()
        };
        let verify = async |address: &str, agent: &str, times: u32| {
            for _ in 0..times {
                stage.services.verification().verify(key.token.expose(), &client(address, agent)).await.unwrap();
            }
        };
        let start = stage.services.now();
        verify("192.0.2.1", "curl", 3).await;
        verify("192.0.2.2", "curl", 2).await;
        stage.services.0.usage.flush(stage.services.db(), stage.services.now()).await.unwrap();
        let later = stage.advance(TimeDelta::hours(2));
        verify("192.0.2.1", "curl", 1).await;
        let usage = stage.services.api_keys().usage(&ada, key.key.id).await.unwrap();
        let seen: Vec<_> = usage
            .clients
            .iter()
            .map(|client| {
                (client.address.as_deref().unwrap(), client.use_count, client.first_seen_at, client.last_used_at)
            })
            .collect();
        assert_eq!(seen, [("192.0.2.1", 4, start, Some(later)), ("192.0.2.2", 2, start, Some(start))]);
        assert_eq!(
            usage.hours.iter().map(|hour| (hour.hour, hour.use_count)).collect::<Vec<_>>(),
            [(start, 5), (later, 1)]
        );
        let recent = stage.services.api_keys().recent(&ada, key.key.id).await.unwrap();
        assert_eq!((recent.addresses, recent.agents, recent.keys, recent.last_used_at), (2, 0, 1, Some(later)));

        stage.services.api_keys().revoke(&ada, key.key.id).await.unwrap();
        stage.advance(TimeDelta::hours(23));
        verify("198.51.100.1", "curl", 2).await;
        let usage = stage.services.api_keys().usage(&ada, key.key.id).await.unwrap();
        assert_eq!((usage.clients[0].use_count, usage.clients[0].refusals), (0, 2), "refusals are counted");
        let bob = stage.add_user("bob@example.org", "acme", Role::User).await;
        let bob = stage.session(bob).await;
        assert_eq!(code(stage.services.api_keys().usage(&bob, key.key.id).await), ErrorCode::Forbidden);

        stage.services.verification().verify("garbage", &browser()).await.unwrap();
        let drawn = crate::keys::token::draw(domain::OwnerKind::User);
        stage.services.verification().verify(drawn.expose(), &browser()).await.unwrap();
        let refusals = stage.services.admin().refusals().await.unwrap();
        let refusals: Vec<_> = refusals.iter().map(|(_, reason, count)| (reason.as_str(), *count)).collect();
        assert_eq!(refusals, [("malformed", 1), ("unknown", 1)]);
    });
}

#[test]
fn usage_is_kept_for_ninety_days() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let key = stage.add_key(&ada, own(&ada), "ci").await;
        assert!(stage.is_valid(&key).await);
        stage.services.0.usage.flush(stage.services.db(), stage.services.now()).await.unwrap();
        let later = stage.advance(TimeDelta::days(91));
        storage::usage::sweep(stage.services.db(), later - domain::usage::KEPT_FOR).await.unwrap();
        let usage = stage.services.api_keys().usage(&ada, key.key.id).await.unwrap();
        assert!(usage.clients.is_empty() && usage.hours.is_empty());
    });
}

#[test]
fn keys_created_with_a_key_are_listed_and_optionally_revoked_with_it() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let account = stage.add_account(&ada, "bot").await;
        let root = stage.add_key(&ada, Owner::ServiceAccount(account), "root").await;
        let bot = stage.by_key(&root).await;
        let child = stage.add_key(&bot, own(&bot), "child").await;
        let by_child = stage.by_key(&child).await;
        let grandchild = stage.add_key(&by_child, own(&bot), "grandchild").await;
        stage.advance(TimeDelta::seconds(1));
        let spare = stage.add_key(&bot, own(&bot), "spare").await;
        let made = stage.services.api_keys().created_by(&ada, root.key.id, None).await.unwrap().keys;
        assert_eq!(made.iter().map(|key| key.name.as_str()).collect::<Vec<_>>(), ["spare", "child"]);
        assert_eq!((made[0].created_by_key, made[0].created_channel.as_str()), (Some(root.key.id), "browser"));

        stage.services.api_keys().revoke(&ada, spare.key.id).await.unwrap();
        stage.services.api_keys().revoke_with(&ada, root.key.id, true).await.unwrap();
        for key in [&root, &child, &grandchild] {
            assert!(!stage.is_valid(key).await);
            assert_eq!(storage::audit::count(stage.services.db(), "delete_api_key", key.key.id.0).await.unwrap(), 1);
        }
        let record = stage.services.api_keys().get(&ada, grandchild.key.id).await.unwrap();
        assert!(matches!(record.state(stage.services.now()), KeyState::Revoked { .. }));
    });
}

#[test]
fn offspring_are_found_through_rolled_and_ended_keys() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let account = Owner::ServiceAccount(stage.add_account(&ada, "bot").await);
        let root = stage.add_key(&ada, account, "root").await;
        let child = stage.add_key(&stage.by_key(&root).await, account, "child").await;
        let grandchild = stage.add_key(&stage.by_key(&child).await, account, "grandchild").await;
        let second = rolled(&stage, &ada, &child, "now").await;
        let third = rolled(&stage, &ada, &second, "now").await;
        let own_successor = rolled(&stage, &ada, &root, "24h").await;
        let along = stage.services.api_keys().created_keys(&ada, root.key.id).await.unwrap();
        let mut along: Vec<_> = along.iter().map(|key| key.id).collect();
        let mut expected = [grandchild.key.id, third.key.id];
        along.sort_unstable();
        expected.sort_unstable();
        assert_eq!(along, expected);
        stage.services.api_keys().revoke_with(&ada, root.key.id, true).await.unwrap();
        assert!(!stage.is_valid(&third).await && !stage.is_valid(&grandchild).await);
        assert!(stage.is_valid(&own_successor).await);
    });
}

#[test]
fn the_first_use_of_a_later_successor_also_ends_the_old_key() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        for (overlap, is_second_good) in [("now", false), ("24h", true), ("first_use", false)] {
            let first = stage.add_key(&ada, own(&ada), "ci").await;
            let second = rolled(&stage, &ada, &first, "first_use").await;
            let third = rolled(&stage, &ada, &second, overlap).await;
            assert!(stage.is_valid(&first).await, "{overlap}: no new key has been used yet");
            assert!(stage.is_valid(&third).await);
            assert_eq!(
                (stage.is_valid(&first).await, stage.is_valid(&second).await),
                (false, is_second_good),
                "{overlap}"
            );
        }
    });
}

#[test]
fn a_form_that_created_a_key_cannot_roll_one() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let form = Some(uuid::Uuid::from_u128(9).to_string());
        let input = CreateKey { idempotency_key: form.clone(), ..new_key(own(&ada), "made") };
        stage.services.api_keys().create(&ada, &input).await.unwrap();
        let old = stage.add_key(&ada, own(&ada), "old").await;
        let input = RollKey { idempotency_key: form, ..roll(old.key.id, "1h") };
        assert_eq!(code(stage.services.rolls().roll(&ada, &input).await), ErrorCode::Conflict);
    });
}

#[test]
fn a_grace_period_can_only_be_extended_and_a_suspended_key_can_still_leave_it() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let rolls = stage.services.rolls();
        let old = stage.add_key(&ada, own(&ada), "ci").await;
        rolled(&stage, &ada, &old, "24h").await;
        let until = async || {
            let key = stage.services.api_keys().get(&ada, old.key.id).await.unwrap();
            key.overlap_until(stage.services.now()).map(|at| at - stage.services.now())
        };
        for shorter in ["1h", "24h"] {
            assert_eq!(code(rolls.extend(&ada, old.key.id, shorter).await), ErrorCode::BadUserInput, "{shorter}");
        }
        assert_eq!(until().await, Some(TimeDelta::days(1)));
        let input = CreateKey { expires_at: Some("2027-01-01T06:00:00Z".to_owned()), ..new_key(own(&ada), "b") };
        let short = stage.services.api_keys().create(&ada, &input).await.unwrap();
        rolled(&stage, &ada, &short, "24h").await;
        assert_eq!(code(rolls.extend(&ada, short.key.id, "7d").await), ErrorCode::BadUserInput, "it expires before");
        rolls.extend(&ada, old.key.id, "7d").await.unwrap();
        assert_eq!(until().await, Some(TimeDelta::days(7)));

        stage.services.api_keys().suspend(&ada, old.key.id).await.unwrap();
        assert!(!stage.is_valid(&old).await);
        rolls.cancel(&ada, old.key.id).await.unwrap();
        let back = stage.services.api_keys().get(&ada, old.key.id).await.unwrap();
        assert!(back.suspension.is_some() && back.replaced_by.is_none(), "restored except for the suspension");
        stage.services.api_keys().resume(&ada, old.key.id).await.unwrap();
        let new = rolled(&stage, &ada, &old, "24h").await;
        stage.services.api_keys().suspend(&ada, old.key.id).await.unwrap();
        rolls.finish(&ada, old.key.id).await.unwrap();
        assert_eq!(code(rolls.finish(&ada, old.key.id).await), ErrorCode::Conflict);
        assert!(!stage.is_valid(&old).await && stage.is_valid(&new).await);
    });
}

#[test]
fn of_two_rolls_in_a_row_the_later_must_be_undone_first() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let first = stage.add_key(&ada, own(&ada), "ci").await;
        let second = rolled(&stage, &ada, &first, "7d").await;
        let third = rolled(&stage, &ada, &second, "24h").await;
        let rolls = stage.services.rolls();
        assert_eq!(code(rolls.cancel(&ada, first.key.id).await), ErrorCode::Conflict);
        assert!(stage.is_valid(&first).await && stage.is_valid(&second).await && stage.is_valid(&third).await);
        rolls.cancel(&ada, second.key.id).await.unwrap();
        rolls.cancel(&ada, first.key.id).await.unwrap();
        assert!(stage.is_valid(&first).await && !stage.is_valid(&second).await && !stage.is_valid(&third).await);

        let second = rolled(&stage, &ada, &first, "7d").await;
        let third = rolled(&stage, &ada, &second, "now").await;
        let seen = stage.services.api_keys().get(&ada, first.key.id).await.unwrap();
        assert!(seen.replaced_by.is_some_and(|new| !new.is_revoked), "the new key was rolled, not revoked by a user");
        assert!(stage.services.api_keys().alerts(&ada, AlertsAbout::Own).await.unwrap().expiring.is_empty());
        assert_eq!(code(rolls.cancel(&ada, first.key.id).await), ErrorCode::Conflict, "the third key still works");
        stage.services.api_keys().revoke(&ada, third.key.id).await.unwrap();
        rolls.cancel(&ada, first.key.id).await.unwrap();
        assert!(stage.is_valid(&first).await);
    });
}

#[test]
fn a_key_whose_successor_was_revoked_raises_expiry_alerts_again() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let feed = stage.services.calendar().create(&ada).await.unwrap();
        let old = stage.add_key(&ada, own(&ada), "ci").await;
        assert!(stage.is_valid(&old).await, "it is in use");
        let new = rolled(&stage, &ada, &old, "7d").await;
        let warned = async || {
            let alerts = stage.services.api_keys().alerts(&ada, AlertsAbout::Own).await.unwrap().expiring.len();
            (alerts, stage.services.calendar().read(feed.expose()).await.unwrap().keys.len())
        };
        let is_alone = async || {
            let old = stage.services.api_keys().get(&ada, old.key.id).await.unwrap();
            old.replaced_by.unwrap().is_revoked
        };
        assert_eq!((warned().await, is_alone().await), ((0, 0), false), "it has a successor");
        let third = rolled(&stage, &ada, &new, "now").await;
        let fourth = rolled(&stage, &ada, &third, "now").await;
        assert_eq!((warned().await, is_alone().await), ((0, 0), false), "and that has successors");
        stage.services.api_keys().revoke(&ada, fourth.key.id).await.unwrap();
        assert_eq!((warned().await, is_alone().await), ((1, 1), true));
        stage.services.rolls().cancel(&ada, old.key.id).await.unwrap();
        let again = rolled(&stage, &ada, &old, "7d").await;
        stage.services.api_keys().revoke(&ada, again.key.id).await.unwrap();
        assert_eq!((warned().await, is_alone().await), ((1, 1), true));
    });
}

#[test]
fn revoking_a_key_that_rolled_itself_keeps_its_successor() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let account = Owner::ServiceAccount(stage.add_account(&ada, "bot").await);
        let old = stage.add_key(&ada, account, "root").await;
        let bot = stage.by_key(&old).await;
        let new = rolled(&stage, &bot, &old, "24h").await;
        let child = stage.add_key(&bot, account, "child").await;
        let made = stage.services.api_keys().created_by(&ada, old.key.id, None).await.unwrap().keys;
        assert_eq!(made.iter().map(|key| key.id).collect::<Vec<_>>(), [child.key.id]);
        let by_child = stage.by_key(&child).await;
        let childs = rolled(&stage, &by_child, &child, "24h").await;
        stage.services.api_keys().revoke_with(&ada, old.key.id, true).await.unwrap();
        assert!(stage.is_valid(&new).await && !stage.is_valid(&child).await);
        assert!(!stage.is_valid(&childs).await, "the successor of a created key counts as created");
    });
}

#[test]
fn keys_of_a_suspended_account_cannot_be_rolled() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let account = stage.add_account(&ada, "bot").await;
        let key = stage.add_key(&ada, Owner::ServiceAccount(account), "main").await;
        stage.services.service_accounts().suspend(&ada, account).await.unwrap();
        assert_eq!(code(stage.services.rolls().roll(&ada, &roll(key.key.id, "1h")).await), ErrorCode::Conflict);
        stage.services.service_accounts().resume(&ada, account).await.unwrap();
        rolled(&stage, &ada, &key, "1h").await;
    });
}

/// Each of these calls writes to several keys; on `PostgreSQL` two of them could deadlock.
#[test]
fn concurrent_changes_to_several_keys_wait_for_each_other_and_none_is_lost() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        for round in 0..10 {
            let account = stage.add_account(&ada, &format!("bot {round}")).await;
            let owner = Owner::ServiceAccount(account);
            let mut keys = Vec::new();
            for n in 0..8 {
                keys.push(stage.add_key(&ada, owner, &format!("k{n}")).await);
            }
            let maker = stage.add_key(&ada, owner, "maker").await;
            let bot = stage.by_key(&maker).await;
            let ids: Vec<KeyId> = keys.iter().map(|key| key.key.id).chain([maker.key.id]).collect();
            let (services, by) = (stage.services.clone(), ada.clone());
            let bulk = tokio::spawn(async move { services.inventory().revoke(&by, &ids).await.map(drop) });
            let (services, by) = (stage.services.clone(), ada.clone());
            let deletion =
                tokio::spawn(async move { services.service_accounts().delete(&by, account).await.map(drop) });
            let mut tasks = vec![bulk, deletion];
            for key in keys.iter().rev() {
                let (services, bot, input) = (stage.services.clone(), bot.clone(), roll(key.key.id, "24h"));
                tasks.push(tokio::spawn(async move { services.rolls().roll(&bot, &input).await.map(drop) }));
            }
            for task in tasks {
                let outcome = task.await.unwrap();
                assert!(matches!(&outcome, Ok(()) | Err(crate::Error::Api(_))), "round {round}: {outcome:?}");
            }
            for key in keys.iter().chain([&maker]) {
                assert!(!stage.is_valid(key).await);
            }
        }
    });
}

#[test]
fn a_verification_does_not_wait_until_the_old_key_has_ended() {
    on_both(async |stage| {
        let Db::Postgres(pg) = stage.services.db().clone() else { return };
        let ada = stage.session(stage.admin).await;
        let old = stage.add_key(&ada, own(&ada), "ci").await;
        let new = rolled(&stage, &ada, &old, "first_use").await;
        let mut turn = pg.begin(None).await.unwrap();
        sqlx::query("UPDATE tenants SET name = name").execute(&mut *turn).await.unwrap();
        let begun = std::time::Instant::now();
        assert!(stage.is_valid(&new).await);
        assert!(begun.elapsed() < std::time::Duration::from_millis(1_500), "{:?}", begun.elapsed());
        assert!(stage.is_valid(&old).await, "not yet");
        turn.commit().await.unwrap();
        while stage.is_valid(&old).await {
            assert!(stage.is_valid(&new).await);
            tokio::task::yield_now().await;
        }
    });
}

//! The lifecycle of a key.

use chrono::TimeDelta;
use domain::{ApiKey, ErrorCode, KeyState, Operation, Owner, Role, api_key::act::RollKey, api_key::input::CreateKey};

use crate::{
    Actor, AlertsAbout, ApiKeys, Error,
    storage::{self, Db},
    tests::stage::*,
};

#[test]
fn a_key_verifies_until_it_is_revoked_and_revoking_it_again_is_a_conflict() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let key = stage.add_key(&ada, own(&ada), "ci").await;
        let seen = stage.services.verification().verify(key.token.expose(), &browser()).await.unwrap().unwrap();
        assert_eq!(
            (seen.key_id(), seen.owner(), seen.role(), seen.tenant_id()),
            (key.key.id, own(&ada), Role::TenantAdmin, stage.tenant)
        );

        let revoked = stage.services.api_keys().revoke(&ada, key.key.id).await.unwrap();
        assert!(matches!(revoked.state(stage.services.now()), KeyState::Revoked { .. }));
        assert_eq!(revoked.revocation.map(|revocation| revocation.by).as_deref(), Some("ada"));
        assert!(!stage.is_valid(&key).await);
        assert_eq!(code(stage.services.api_keys().revoke(&ada, key.key.id).await), ErrorCode::Conflict);
        assert_eq!(storage::audit::count(stage.services.db(), "delete_api_key", key.key.id.0).await.unwrap(), 1);
    });
}

#[test]
fn a_key_is_refused_from_the_instant_of_its_expiry() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let input = CreateKey { expires_at: Some("2027-01-01T01:00:00+01:00".to_owned()), ..new_key(own(&ada), "k") };
        assert_eq!(code(stage.services.api_keys().create(&ada, &input).await), ErrorCode::BadUserInput);
        let input = CreateKey { expires_at: Some("2027-01-01T02:00:00+01:00".to_owned()), ..input };
        let key = stage.services.api_keys().create(&ada, &input).await.unwrap();
        stage.advance(TimeDelta::hours(1) - TimeDelta::microseconds(1));
        assert!(stage.is_valid(&key).await);
        stage.advance(TimeDelta::microseconds(1));
        assert!(!stage.is_valid(&key).await);
    });
}

#[test]
fn all_invalid_fields_are_reported_together_and_nothing_is_created() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let input = CreateKey { expires_at: Some("yesterday".to_owned()), ..new_key(own(&ada), " \u{202E} ") };
        let Err(Error::Api(refusal)) = stage.services.api_keys().create(&ada, &input).await else {
            panic!("it was allowed")
        };
        assert!(refusal.at("name").is_some() && refusal.at("expires_at").is_some());
        let input = CreateKey { expires_at: Some(String::new()), ..new_key(own(&ada), "k") };
        assert_eq!(code(stage.services.api_keys().create(&ada, &input).await), ErrorCode::BadUserInput);
        assert!(stage.walk(&ada, own(&ada), &every_key()).await.is_empty());
    });
}

#[test]
fn submitting_a_form_twice_creates_one_key_and_the_last_response_has_its_token() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let form = uuid::Uuid::from_u128(7).to_string();
        let input = CreateKey { idempotency_key: Some(form), ..new_key(own(&ada), "once") };
        let first = stage.services.api_keys().create(&ada, &input).await.unwrap();
        let second = stage.services.api_keys().create(&ada, &input).await.unwrap();
        assert_eq!(first.key.id, second.key.id);
        assert_eq!(stage.walk(&ada, own(&ada), &every_key()).await.len(), 1);
        assert!(!stage.is_valid(&first).await && stage.is_valid(&second).await);
        assert_eq!(code(stage.services.api_keys().create(&ada, &input).await), ErrorCode::Conflict, "key in use");
    });
}

#[test]
fn a_form_that_is_resubmitted_after_a_minute_is_refused() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let form = uuid::Uuid::from_u128(8).to_string();
        let input = CreateKey { idempotency_key: Some(form), ..new_key(own(&ada), "once") };
        stage.services.api_keys().create(&ada, &input).await.unwrap();
        stage.advance(TimeDelta::seconds(61));
        assert_eq!(code(stage.services.api_keys().create(&ada, &input).await), ErrorCode::Conflict);
    });
}

#[test]
fn another_persons_key_is_forbidden_and_another_tenants_is_not_found() {
    on_both(async |stage| {
        stage.services.admin().create_tenant("Other", "other").await.unwrap();
        let bob = stage.add_user("bob@example.org", "acme", Role::User).await;
        let eve = stage.add_user("eve@example.org", "other", Role::TenantAdmin).await;
        let (ada, bob, eve) = (stage.session(stage.admin).await, stage.session(bob).await, stage.session(eve).await);
        let key = stage.add_key(&ada, own(&ada), "mine").await;
        let keys = stage.services.api_keys();
        assert_eq!(code(keys.revoke(&bob, key.key.id).await), ErrorCode::Forbidden);
        assert_eq!(code(keys.revoke(&eve, key.key.id).await), ErrorCode::NotFound);
        assert_eq!(code(keys.get(&eve, key.key.id).await), ErrorCode::NotFound);
        assert_eq!(code(keys.get(&eve, domain::KeyId(uuid::Uuid::nil())).await), ErrorCode::NotFound);
        assert!(stage.is_valid(&key).await);
        let bobs = stage.add_key(&bob, own(&bob), "bob's").await;
        keys.revoke(&ada, bobs.key.id).await.expect("an administrator may");
    });
}

#[test]
fn users_create_keys_in_all_their_tenants_and_see_those_of_the_selected_one() {
    on_both(async |stage| {
        let other = stage.services.admin().create_tenant("Other", "other").await.unwrap();
        stage.add_user("ada@example.org", "other", Role::User).await;
        let ada = stage.session(stage.admin).await;
        let here = stage.add_key(&ada, own(&ada), "here").await;
        let there = CreateKey { tenant_id: Some(other), ..new_key(own(&ada), "there") };
        let there = stage.services.api_keys().create(&ada, &there).await.unwrap();
        assert_eq!(there.key.tenant_id, other);
        let seen = stage.walk(&ada, own(&ada), &every_key()).await;
        assert_eq!(seen.iter().map(|key| key.id).collect::<Vec<_>>(), [here.key.id]);
        assert_eq!(stage.services.api_keys().count_elsewhere(&ada).await.unwrap().count, 1);

        let by_key = stage.by_key(&there).await;
        assert_eq!((by_key.tenant_id(), by_key.role()), (other, Role::User));
        let seen = stage.walk(&by_key, own(&by_key), &every_key()).await;
        assert_eq!(seen.iter().map(|key| key.id).collect::<Vec<_>>(), [there.key.id]);
        assert_eq!(code(stage.services.api_keys().revoke(&by_key, here.key.id).await), ErrorCode::NotFound);
        // From the other tenant, a session can read the key, but not change it.
        let (keys, rolls) = (stage.services.api_keys(), stage.services.rolls());
        assert_eq!(keys.get(&ada, there.key.id).await.unwrap().tenant_id, other);
        assert_eq!(code(keys.revoke(&ada, there.key.id).await), ErrorCode::Conflict);
        assert_eq!(code(keys.suspend(&ada, there.key.id).await), ErrorCode::Conflict);
        assert_eq!(code(keys.rename(&ada, there.key.id, "moved").await), ErrorCode::Conflict);
        let roll = RollKey { key: there.key.id, overlap: "1h".to_owned(), ..RollKey::default() };
        assert_eq!(code(rolls.roll(&ada, &roll).await), ErrorCode::Conflict);
        assert!(!crate::ApiKeys::may(&ada, domain::Operation::RevokeApiKey, &there.key));
        assert!(stage.is_valid(&there).await);
        let (now, actors) = (stage.services.now(), stage.services.actors());
        let ada_there = actors.from_session(stage.admin, other, now, browser()).await.unwrap();
        keys.revoke(&ada_there, there.key.id).await.unwrap();
        assert!(!stage.is_valid(&there).await);
    });
}

#[test]
fn the_last_use_is_shown_before_and_after_it_is_stored() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let key = stage.add_key(&ada, own(&ada), "used").await;
        let mut read_before = stage.services.api_keys().get(&ada, key.key.id).await.unwrap();
        assert!(read_before.last_used.is_none());
        assert!(stage.is_valid(&key).await);
        let shown = stage.services.api_keys().get(&ada, key.key.id).await.unwrap().last_used.unwrap();
        assert_eq!((shown.at, shown.address.as_deref()), (stage.services.now(), Some("192.0.2.7")));
        stage.services.0.usage.flush(stage.services.db(), stage.services.now()).await.unwrap();
        let kept = stage.services.api_keys().get(&ada, key.key.id).await.unwrap().last_used.unwrap();
        assert_eq!(kept, shown);
        // A reader that loads the row before the batch is written may look for unwritten usage afterwards.
        stage.services.0.usage.overlay([&mut read_before]);
        assert_eq!(read_before.last_used, Some(kept));
    });
}

#[test]
fn fifty_concurrent_revocations_cause_one_success_and_one_audit_entry() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let key = stage.add_key(&ada, own(&ada), "contended").await;
        let outcomes = at_once(50, |_| {
            let (services, ada, id) = (stage.services.clone(), ada.clone(), key.key.id);
            async move { services.api_keys().revoke(&ada, id).await }
        })
        .await;
        let mut successes = 0;
        for outcome in outcomes {
            match outcome {
                Ok(_) => successes += 1,
                Err(Error::Api(refusal)) => {
                    assert_eq!(refusal.code, ErrorCode::Conflict);
                    assert!(refusal.message.starts_with("This key was revoked on 1 Jan 2027"), "{refusal}");
                }
                Err(other) => panic!("{other:?}"),
            }
        }
        assert_eq!(successes, 1);
        assert_eq!(storage::audit::count(stage.services.db(), "delete_api_key", key.key.id.0).await.unwrap(), 1);
    });
}

#[test]
fn a_thousand_keys_created_64_at_a_time_all_verify() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        stage.set_key_limit(&ada, 1_000).await;
        let mut tasks = tokio::task::JoinSet::new();
        let mut issued = Vec::new();
        for n in 0..1_000 {
            if tasks.len() == 64 {
                issued.push(tasks.join_next().await.unwrap().unwrap());
            }
            let (services, ada) = (stage.services.clone(), ada.clone());
            tasks.spawn(async move {
                services.api_keys().create(&ada, &new_key(own(&ada), &format!("k{n}"))).await.unwrap()
            });
        }
        issued.extend(tasks.join_all().await);
        assert_eq!(issued.len(), 1_000);
        for key in &issued {
            assert!(stage.is_valid(key).await);
        }
    });
}

#[test]
fn read_only_users_can_revoke_their_keys_but_not_create_any() {
    on_both(async |stage| {
        let rob = stage.add_user("rob@example.org", "acme", Role::User).await;
        let rob_session = stage.session(rob).await;
        let key = stage.add_key(&rob_session, Owner::User(rob), "before").await;
        stage.services.admin().set_role("acme", "rob@example.org", "READ_ONLY_USER").await.unwrap();
        let rob_session = stage.session(rob).await;
        let refused = stage.services.api_keys().create(&rob_session, &new_key(Owner::User(rob), "after")).await;
        assert_eq!(code(refused), ErrorCode::Forbidden);
        stage.services.api_keys().revoke(&rob_session, key.key.id).await.unwrap();
    });
}

#[test]
fn a_suspended_key_is_refused_and_works_again_when_it_is_resumed() {
    on_both(async |stage| {
        let ben = stage.session(stage.add_user("ben@example.org", "acme", Role::User).await).await;
        let key = stage.add_key(&ben, own(&ben), "ci").await;
        let keys = stage.services.api_keys();
        let suspended = keys.suspend(&ben, key.key.id).await.unwrap();
        assert!(matches!(suspended.state(stage.services.now()), KeyState::Suspended { .. }));
        assert!(!stage.is_valid(&key).await);
        assert_eq!(code(keys.suspend(&ben, key.key.id).await), ErrorCode::Conflict);
        assert!(keys.resume(&ben, key.key.id).await.unwrap().state(stage.services.now()).is_valid());
        assert!(stage.is_valid(&key).await, "with the same token");
        assert_eq!(code(keys.resume(&ben, key.key.id).await), ErrorCode::Conflict);

        let ada = stage.session(stage.admin).await;
        let offers = |actor: &Actor, key: &ApiKey| ApiKeys::may(actor, Operation::ResumeApiKey, key);
        assert!(offers(&ben, &suspended) && offers(&ada, &suspended));
        let stopped = keys.suspend(&ada, key.key.id).await.unwrap();
        assert!(!offers(&ben, &stopped) && offers(&ada, &stopped));
        assert_eq!(code(keys.resume(&ben, key.key.id).await), ErrorCode::Conflict, "an administrator suspended it");
        assert!(!stage.is_valid(&key).await);
        keys.resume(&ada, key.key.id).await.unwrap();
        keys.revoke(&ben, key.key.id).await.unwrap();
        assert_eq!(code(keys.suspend(&ben, key.key.id).await), ErrorCode::Conflict);
        assert_eq!(code(keys.resume(&ada, key.key.id).await), ErrorCode::Conflict);
    });
}

#[test]
fn a_token_is_refused_as_a_name() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let key = stage.add_key(&ada, own(&ada), "ci").await;
        let renamed = stage.services.api_keys().rename(&ada, key.key.id, key.token.expose()).await;
        assert_eq!(code(renamed), ErrorCode::BadUserInput);
        let input = new_key(own(&ada), &format!("see {}", key.token.expose()));
        assert_eq!(code(stage.services.api_keys().create(&ada, &input).await), ErrorCode::BadUserInput);
    });
}

#[test]
fn a_key_is_renamed_and_found_under_its_new_name() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let key = stage.add_key(&ada, own(&ada), "old").await;
        let keys = stage.services.api_keys();
        assert_eq!(keys.rename(&ada, key.key.id, "  new ").await.unwrap().name.as_str(), "new");
        assert_eq!(code(keys.rename(&ada, key.key.id, " ").await), ErrorCode::BadUserInput);
        for (word, hits) in [("NEW", 1), ("old", 0)] {
            let query = domain::KeyQuery { search: word.to_owned(), ..every_key() };
            assert_eq!(stage.walk(&ada, own(&ada), &query).await.len(), hits, "{word}");
            let page = stage.services.inventory().list(&ada, &query, domain::InventoryQuery::default()).await.unwrap();
            assert_eq!(page.items.len(), hits, "{word}");
        }
        assert!(stage.is_valid(&key).await);
        keys.revoke(&ada, key.key.id).await.unwrap();
        assert_eq!(code(keys.rename(&ada, key.key.id, "late").await), ErrorCode::Conflict);
    });
}

#[test]
fn alerts_are_about_keys_in_use_that_expire_soon_in_one_tenant() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let bob = stage.session(stage.add_user("bob@example.org", "acme", Role::User).await).await;
        let ending = async |by: &Actor, tenant, name: &str, days| {
            let expires_at = Some((stage.services.now() + TimeDelta::days(days)).to_rfc3339());
            let input = CreateKey { tenant_id: Some(tenant), expires_at, ..new_key(own(by), name) };
            let key = stage.services.api_keys().create(by, &input).await.unwrap();
            assert!(name == "never used" || stage.is_valid(&key).await);
        };
        let names = async |by: &Actor, about| {
            let alerts = stage.services.api_keys().alerts(by, about).await.unwrap();
            let names = |keys: &[ApiKey]| keys.iter().map(|key| key.name.to_string()).collect::<Vec<_>>();
            (names(&alerts.expiring), names(&alerts.tried))
        };
        ending(&bob, stage.tenant, "bob's", 23).await;
        ending(&ada, stage.tenant, "here", 24).await;
        ending(&ada, stage.tenant, "never used", 22).await;
        ending(&ada, stage.tenant, "later", 60).await;
        let tenant = stage.services.admin().create_tenant("second", "second").await.unwrap();
        stage.add_user("ada@example.org", "second", Role::TenantAdmin).await;
        ending(&ada, tenant, "elsewhere", 22).await;
        let account = Owner::ServiceAccount(stage.add_account(&ada, "bot").await);
        let expires_at = Some((stage.services.now() + TimeDelta::days(25)).to_rfc3339());
        let of_bot = CreateKey { expires_at, ..new_key(account, "bot's") };
        let of_bot = stage.services.api_keys().create(&ada, &of_bot).await.unwrap();
        assert!(stage.is_valid(&of_bot).await);
        let old = stage.add_key(&ada, own(&ada), "rolled").await;
        let roll = RollKey { key: old.key.id, overlap: "now".to_owned(), ..RollKey::default() };
        stage.services.rolls().roll(&ada, &roll).await.unwrap();
        assert!(!stage.is_valid(&old).await);
        assert_eq!(stage.services.api_keys().count_elsewhere(&ada).await.unwrap().count, 1);
        assert_eq!(stage.services.api_keys().count_elsewhere(&bob).await.unwrap().count, 0);

        stage.advance(TimeDelta::days(1));
        let ada = stage.session(stage.admin).await;
        let bob = stage.session(bob.user_id().unwrap()).await;
        assert!(names(&ada, AlertsAbout::Own).await.0.is_empty(), "none is in the last 14 days or fifth of its life");
        stage.advance(TimeDelta::days(19));
        let ada = stage.session(stage.admin).await;
        let own_names = names(&ada, AlertsAbout::Own).await;
        assert_eq!(own_names, (vec!["here".to_owned()], vec![]), "the rolled key was tried more than 7 days ago");
        assert_eq!(names(&ada, AlertsAbout::ServiceAccounts).await.0, ["bot's"]);
        assert_eq!(names(&ada, AlertsAbout::Tenant).await.0, ["bob's", "here", "bot's"]);
        let bob = stage.session(bob.user_id().unwrap()).await;
        assert_eq!(names(&bob, AlertsAbout::Own).await.0, ["bob's"]);
        let denied = stage.services.api_keys().alerts(&bob, AlertsAbout::Tenant).await;
        assert_eq!(code(denied), ErrorCode::Forbidden);
    });
}

#[test]
fn a_token_that_was_unknown_is_valid_as_soon_as_its_key_is_imported() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let key = stage.add_key(&ada, own(&ada), "imported").await;
        let store = async |digest: Vec<u8>| {
            let query = "UPDATE api_keys SET digest = $1";
            match stage.services.db() {
                Db::Sqlite { writer, .. } => {
                    let mut connection = writer.connect().await.unwrap();
                    sqlx::query(query).bind(digest).execute(&mut connection).await.unwrap();
                }
                Db::Postgres(pg) => {
                    let mut connection = pg.connect().await.unwrap();
                    sqlx::query(query).bind(digest).execute(&mut *connection).await.unwrap();
                }
            }
        };
        store(vec![0; 32]).await;
        assert!(!stage.is_valid(&key).await, "no key has this token");
        let digest = crate::keys::token::digest_of(key.token.expose()).unwrap();
        store(digest.to_vec()).await;
        assert!(stage.is_valid(&key).await, "the rejection isn't remembered");
    });
}

#[test]
fn a_search_for_control_characters_alone_finds_nothing() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        stage.add_key(&ada, own(&ada), "ci").await;
        stage.add_account(&ada, "bot").await;
        for (search, is_searched) in
            [("\0", true), ("\u{1}\u{7f}", true), (" \0 \0", true), ("", false), (" \t\n", false)]
        {
            let search = search.to_owned();
            let keys = domain::KeyQuery { search: search.clone(), ..domain::KeyQuery::default() };
            let all = domain::InventoryQuery::default();
            let found = [
                stage.services.api_keys().list(&ada, own(&ada), &keys).await.unwrap().items.len(),
                stage.services.inventory().list(&ada, &keys, all).await.unwrap().items.len(),
                {
                    let query = domain::AccountQuery { search: search.clone(), ..domain::AccountQuery::default() };
                    stage.services.service_accounts().list(&ada, &query).await.unwrap().items.len()
                },
                {
                    let query = domain::MemberQuery { search: search.clone(), ..domain::MemberQuery::default() };
                    stage.services.members().list(&ada, &query).await.unwrap().items.len()
                },
                {
                    let query = domain::AuditQuery { actor: search.clone(), ..domain::AuditQuery::default() };
                    stage.services.audit_log().list(&ada, &query).await.unwrap().items.len()
                },
            ];
            assert!(found.iter().all(|count| (*count == 0) == is_searched), "{search:?}: {found:?}");
        }
    });
}

#[test]
fn a_refusal_is_written_for_whoever_reads_it() {
    on_both(async |stage| {
        let (admin, keys) = (stage.services.admin(), stage.services.rolls());
        let bob_id = stage.add_user("bob@example.org", "acme", Role::User).await;
        let bob = stage.session(bob_id).await;
        let key = stage.add_key(&bob, own(&bob), "k").await.key.id;
        admin.set_role("acme", "bob@example.org", "READ_ONLY_USER").await.unwrap();
        let bob = stage.session(bob_id).await;
        let said = |error: Error| domain::ApiError::from(error).message;
        let roll = RollKey { key, ..RollKey::default() };
        assert_eq!(
            said(keys.roll(&bob, &roll).await.unwrap_err()),
            "You can't do this with the role Read only. Ask an administrator to change it."
        );
        let owner = || crate::OwnerRef::User("bob@example.org".to_owned());
        let to_operator =
            "The user has the role Read only, which doesn't allow this. Change it with latchkey admin set-role.";
        assert_eq!(said(admin.create_key("acme", owner(), "k", None).await.unwrap_err()), to_operator);
        let (operator, _) = admin.key_context("acme", key).await.unwrap();
        assert_eq!(said(keys.roll(&operator, &roll).await.unwrap_err()), to_operator);
        for slug in ["", " "] {
            let refused = said(admin.create_key(slug, owner(), "k", None).await.unwrap_err());
            assert_eq!(refused, "The slug of the tenant is empty.");
        }
    });
}

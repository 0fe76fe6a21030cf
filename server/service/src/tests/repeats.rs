//! Forms that are submitted again: in another tenant, on another server, and what the audit log says about it.

use domain::{
    AuditQuery, ErrorCode, IssuedKey, Role,
    api_key::{act::RollKey, expiry::ExpiryChoice, input::CreateKey},
};

use crate::{Actor, Services, Settings, tests::stage::*};

/// Returns a second server that uses the stage's database.
async fn second_server(stage: &Stage) -> Services {
    Services::open(&Settings::new(stage.database_url.clone()), stage.clock.clone()).await.unwrap()
}

fn form(number: u128, by: &Actor) -> CreateKey {
    CreateKey { idempotency_key: Some(uuid::Uuid::from_u128(number).to_string()), ..new_key(own(by), "once") }
}

async fn is_valid_on(server: &Services, key: &IssuedKey) -> bool {
    server.verification().verify(key.token.expose(), &browser()).await.unwrap().is_some()
}

#[test]
fn a_form_that_is_sent_again_to_another_server_takes_no_token_that_is_in_use() {
    on_both(async |stage| {
        let (first, second, ada) = (&stage.services, second_server(&stage).await, stage.session(stage.admin).await);
        for number in 0..10 {
            let form = form(100 + number, &ada);
            let issued = first.api_keys().create(&ada, &form).await.unwrap();
            assert!(is_valid_on(first, &issued).await);
            assert_eq!(code(second.api_keys().create(&ada, &form).await), ErrorCode::Conflict, "round {number}");
            assert!(is_valid_on(first, &issued).await && is_valid_on(&second, &issued).await);
        }
        let form = form(200, &ada);
        let issued = first.api_keys().create(&ada, &form).await.unwrap();
        let again = second.api_keys().create(&ada, &form).await.unwrap();
        assert_eq!(issued.key.id, again.key.id, "nobody has used the first token");
        assert!(!is_valid_on(first, &issued).await && is_valid_on(first, &again).await);
        second.close().await;
    });
}

#[test]
fn a_token_that_was_accepted_stays_valid_while_its_form_is_sent_again_concurrently() {
    on_both(async |stage| {
        let (second, ada) = (second_server(&stage).await, stage.session(stage.admin).await);
        for number in 0..30 {
            let form = form(300 + number, &ada);
            let issued = stage.services.api_keys().create(&ada, &form).await.unwrap();
            let token = issued.token.expose().to_owned();
            let here = stage.services.clone();
            let used = tokio::spawn(async move { here.verification().verify(&token, &browser()).await.unwrap() });
            let (there, by) = (second.clone(), ada.clone());
            let again = tokio::spawn(async move { there.api_keys().create(&by, &form).await });
            let (is_used, again) = (used.await.unwrap().is_some(), again.await.unwrap());
            assert_ne!(is_used, again.is_ok(), "round {number}: a token is either used or replaced");
            assert_eq!(is_valid_on(&second, &issued).await, is_used, "round {number}");
        }
        second.close().await;
    });
}

#[test]
fn the_same_form_id_in_another_tenant_creates_another_key() {
    on_both(async |stage| {
        let other = stage.services.admin().create_tenant("Other", "other").await.unwrap();
        stage.add_user("ada@example.org", "other", Role::User).await;
        let ada = stage.session(stage.admin).await;
        let here = stage.services.api_keys().create(&ada, &form(7, &ada)).await.unwrap();
        let there = CreateKey { tenant_id: Some(other), ..form(7, &ada) };
        let there = stage.services.api_keys().create(&ada, &there).await.unwrap();
        assert_ne!(here.key.id, there.key.id);
        assert_eq!((here.key.tenant_id, there.key.tenant_id), (stage.tenant, other));
        assert!(stage.is_valid(&here).await && stage.is_valid(&there).await);
    });
}

#[test]
fn a_form_that_replaces_a_token_is_in_the_audit_log() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let first = stage.services.api_keys().create(&ada, &form(8, &ada)).await.unwrap();
        let second = stage.services.api_keys().create(&ada, &form(8, &ada)).await.unwrap();
        let history = stage.services.api_keys().history(&ada, first.key.id, &AuditQuery::default()).await.unwrap();
        let details: Vec<&str> = history.items.iter().map(|entry| entry.detail.as_str()).collect();
        let replaced =
            format!("form sent again: token {}… replaces {}…, which was never used", second.key.hint, first.key.hint);
        assert_eq!(details, [replaced, format!("key {}…", first.key.hint)]);
    });
}

#[test]
fn a_form_that_is_sent_again_with_other_fields_is_refused() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let keys = stage.services.api_keys();
        let never = CreateKey { expiry: Some(ExpiryChoice::Never), ..form(9, &ada) };
        let first = keys.create(&ada, &never).await.unwrap();
        let week = CreateKey { expiry: Some(ExpiryChoice::Week), ..never.clone() };
        let named = CreateKey { name: "another".to_owned(), ..never.clone() };
        for other in [&week, &named] {
            assert_eq!(code(keys.create(&ada, other).await), ErrorCode::Conflict, "{other:?}");
        }
        assert_eq!(keys.create(&ada, &never).await.unwrap().key.id, first.key.id);
        let week = CreateKey { idempotency_key: Some(uuid::Uuid::from_u128(10).to_string()), ..week };
        let first = keys.create(&ada, &week).await.unwrap();
        stage.advance(chrono::TimeDelta::seconds(20));
        assert_eq!(keys.create(&ada, &week).await.unwrap().key.id, first.key.id, "the same choice, a little later");
    });
}

#[test]
fn a_rotation_that_is_sent_again_never_claims_another_end_of_the_old_key() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let rolls = stage.services.rolls();
        let choices = ["now", "1h", "24h", "7d", "first_use"];
        for (number, made) in choices.into_iter().enumerate() {
            for (step, again) in choices.into_iter().enumerate() {
                let old = stage.add_key(&ada, own(&ada), "old").await.key.id;
                let id = uuid::Uuid::from_u128(1_000 + 10 * number as u128 + step as u128).to_string();
                let form = |overlap: &str| RollKey {
                    key: old,
                    overlap: overlap.to_owned(),
                    idempotency_key: Some(id.clone()),
                    ..RollKey::default()
                };
                let first = rolls.roll(&ada, &form(made)).await.unwrap();
                stage.advance(chrono::TimeDelta::seconds(5));
                let repeated = rolls.roll(&ada, &form(again)).await;
                if made == again {
                    assert_eq!(repeated.unwrap().key.id, first.key.id, "{made}");
                } else {
                    assert_eq!(code(repeated), ErrorCode::Conflict, "{made}, then {again}");
                }
            }
        }
    });
}

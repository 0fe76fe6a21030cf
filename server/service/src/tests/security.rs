//! A user's sessions, two-factor authentication, and the recent sign-in that some operations require.

use chrono::TimeDelta;
use domain::{
    AuditQuery, ErrorCode, Role, Secret, SessionId, UserId, api_key::act::RollKey, audit::Outcome,
    service_account::input::CreateAccount,
};

use crate::{SessionFacts, SignedIn, StoredSession, people::one_time_codes::code_at, tests::stage::*};

fn row(stage: &Stage, user: UserId, id: u128) -> StoredSession {
    let now = stage.services.now();
    StoredSession {
        data: "{}".to_owned(),
        user_id: Some(user),
        expires_at: now + TimeDelta::hours(1),
        facts: Some(SessionFacts {
            id: SessionId(uuid::Uuid::from_u128(id)),
            signed_in_at: now,
            seen_at: now,
            address: Some("192.0.2.7".to_owned()),
            user_agent: None,
        }),
        password_mark: None,
        is_without_code: false,
        replaces: None,
    }
}

#[test]
fn users_can_list_and_end_their_own_sessions_only() {
    on_both(async |stage| {
        let ben = stage.add_user("ben@example.org", "acme", domain::Role::TenantAdmin).await;
        let (sessions, users) = (stage.services.sessions(), stage.services.users());
        for (digest, user, id) in
            [([1; 32], stage.admin, 1), ([2; 32], stage.admin, 2), ([3; 32], stage.admin, 3), ([4; 32], ben, 4)]
        {
            sessions.create(&digest, &row(&stage, user, id)).await.unwrap();
        }
        let ada = stage.session(stage.admin).await;
        let seen = users.sessions(&ada, [1; 32]).await.unwrap();
        assert_eq!(seen.len(), 3);
        assert_eq!(seen.iter().filter(|session| session.is_this).count(), 1);
        let id = |number| SessionId(uuid::Uuid::from_u128(number));
        users.end_session(&ada, id(2)).await.unwrap();
        assert!(sessions.load(&[2; 32]).await.unwrap().is_none());
        assert_eq!(code(users.end_session(&ada, id(2)).await), ErrorCode::NotFound);
        assert_eq!(code(users.end_session(&ada, id(4)).await), ErrorCode::NotFound, "another person's");
        users.end_other_sessions(&ada, [1; 32]).await.unwrap();
        assert_eq!(users.sessions(&ada, [1; 32]).await.unwrap().len(), 1);
        assert!(sessions.load(&[4; 32]).await.unwrap().is_some());
        let key = stage.add_key(&ada, own(&ada), "ci").await;
        let by_key = stage.by_key(&key).await;
        assert_eq!(users.sessions(&by_key, [0; 32]).await.unwrap().len(), 1, "a key can list them, but not end any");
        assert_eq!(code(users.end_session(&by_key, id(1)).await), ErrorCode::Forbidden);
    });
}

#[test]
fn creating_access_requires_a_sign_in_within_ten_minutes_unless_a_key_is_used() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let key = stage.add_key(&ada, own(&ada), "ci").await;
        let by_key = stage.by_key(&key).await;
        stage.advance(TimeDelta::minutes(10));
        stage.add_key(&ada, own(&ada), "just in time").await;
        stage.advance(TimeDelta::seconds(1));
        let keys = stage.services.api_keys();
        assert_eq!(code(keys.create(&ada, &new_key(own(&ada), "late")).await), ErrorCode::ConfirmationRequired);
        let roll = RollKey { key: key.key.id, ..RollKey::default() };
        assert_eq!(code(stage.services.rolls().roll(&ada, &roll).await), ErrorCode::ConfirmationRequired);
        assert_eq!(code(stage.services.second_factors().begin(&ada).await), ErrorCode::ConfirmationRequired);
        assert_eq!(code(stage.services.tenants().create(&ada, "New", "new").await), ErrorCode::ConfirmationRequired);
        assert_eq!(code(stage.services.calendar().create(&ada).await), ErrorCode::ConfirmationRequired);
        let invited = stage.services.invitations().invite(&ada, "eve@example.org", Role::User).await;
        assert_eq!(code(invited), ErrorCode::ConfirmationRequired);
        let account = CreateAccount { name: "bot".to_owned(), ..CreateAccount::default() };
        let accounts = stage.services.service_accounts();
        assert_eq!(code(accounts.create(&ada, &account).await), ErrorCode::ConfirmationRequired);
        assert_eq!(code(accounts.create_with_key(&ada, &account).await), ErrorCode::ConfirmationRequired);
        keys.suspend(&ada, key.key.id).await.expect("suspending requires no confirmation");
        assert_eq!(code(keys.resume(&ada, key.key.id).await), ErrorCode::ConfirmationRequired);

        let users = stage.services.users();
        assert_eq!(code(users.confirm(&ada, &Secret::new("wrong"), "").await), ErrorCode::BadUserInput);
        assert_eq!(code(users.confirm(&by_key, &Secret::new(PASSWORD), "").await), ErrorCode::Forbidden);
        let ada = users.confirm(&ada, &Secret::new(PASSWORD), "").await.unwrap();
        stage.add_key(&ada, own(&ada), "confirmed").await;
        keys.resume(&ada, key.key.id).await.unwrap();
        stage.advance(TimeDelta::hours(1));
        stage.add_key(&by_key, own(&by_key), "by key").await;
    });
}

/// Turns on two-factor authentication for Ada. Returns its secret and the recovery codes.
async fn enrol(stage: &Stage) -> (Secret, Vec<Secret>) {
    let ada = stage.session(stage.admin).await;
    let factors = stage.services.second_factors();
    let enrolment = factors.begin(&ada).await.unwrap();
    assert!(
        enrolment.url.expose().starts_with("otpauth://totp/Latchkey:ada%40example.org?"),
        "{}",
        enrolment.url.expose()
    );
    assert_eq!(code(factors.enable(&ada, "000000", None).await), ErrorCode::BadUserInput);
    let codes = factors.enable(&ada, &code_at(&enrolment.secret, stage.services.now()), None).await.unwrap();
    assert_eq!(codes.len(), 10);
    (enrolment.secret, codes)
}

async fn sign_in(stage: &Stage) -> SignedIn {
    stage.services.sessions().sign_in("ada@example.org", &Secret::new(PASSWORD), &browser()).await.unwrap()
}

#[test]
fn two_factor_sign_in_requires_a_code_that_works_once() {
    on_both(async |stage| {
        assert!(!sign_in(&stage).await.needs_code);
        let (secret, _) = enrol(&stage).await;
        let sessions = stage.services.sessions();
        let half = sign_in(&stage).await;
        assert!(half.needs_code);
        let check = async |text: &str| sessions.check_code(half, text, &browser()).await;
        let now = stage.services.now();
        assert_eq!(code(check(&code_at(&secret, now)).await), ErrorCode::BadUserInput, "it was used for the enrolment");
        let later = stage.advance(TimeDelta::seconds(30));
        let fresh = code_at(&secret, later);
        assert!(!check(&fresh).await.unwrap().needs_code);
        assert_eq!(code(check(&fresh).await), ErrorCode::BadUserInput, "used twice");
        assert_eq!(code(check(&code_at(&secret, now)).await), ErrorCode::BadUserInput, "an earlier code");
        let later = stage.advance(TimeDelta::seconds(90));
        assert_eq!(
            code(check(&code_at(&secret, later - TimeDelta::seconds(60))).await),
            ErrorCode::BadUserInput,
            "too old"
        );
        let ahead = code_at(&secret, later + TimeDelta::seconds(30));
        check(&format!(" {} {} ", &ahead[..3], &ahead[3..])).await.expect("a fast clock, and spaces");
        let query = AuditQuery { operation: "sign_in".to_owned(), ..AuditQuery::default() };
        let ada = stage.session(stage.admin).await;
        let lines = stage.services.audit_log().list(&ada, &query).await.unwrap().items;
        assert_eq!(lines.iter().filter(|line| line.outcome == Outcome::Done).count(), 3);
        assert_eq!(lines.iter().filter(|line| line.outcome == Outcome::Refused).count(), 4);
    });
}

#[test]
fn an_enrolment_ends_after_half_an_hour_or_when_a_newer_one_begins() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let factors = stage.services.second_factors();
        let first = factors.begin(&ada).await.unwrap();
        let later = stage.advance(TimeDelta::minutes(30));
        let ada = stage.session(stage.admin).await;
        assert!(!factors.is_pending(&ada).await.unwrap());
        assert_eq!(
            code(factors.enable(&ada, &code_at(&first.secret, later), None).await),
            ErrorCode::Conflict,
            "too late"
        );
        let second = factors.begin(&ada).await.unwrap();
        let third = factors.begin(&ada).await.unwrap();
        assert_eq!(code(factors.enable(&ada, &code_at(&second.secret, later), None).await), ErrorCode::BadUserInput);
        factors.enable(&ada, &code_at(&third.secret, later), None).await.unwrap();
    });
}

#[test]
fn a_recovery_code_works_once_even_when_used_concurrently() {
    on_both(async |stage| {
        let (_, codes) = enrol(&stage).await;
        let half = sign_in(&stage).await;
        let let_in = at_once(9, |_| {
            let (services, text) = (stage.services.clone(), codes[0].expose().to_lowercase());
            async move { services.sessions().check_code(half, &text, &browser()).await.is_ok() }
        })
        .await;
        assert_eq!(let_in.into_iter().filter(|is_in| *is_in).count(), 1);
        let ada = stage.session(stage.admin).await;
        assert_eq!(stage.services.second_factors().state(&ada).await.unwrap().codes_left, 9);
        stage.advance(TimeDelta::minutes(6));
        let ada = stage.session(stage.admin).await;
        stage.services.second_factors().renew_codes(&ada).await.unwrap();
        assert_eq!(
            code(stage.services.sessions().check_code(half, codes[1].expose(), &browser()).await),
            ErrorCode::BadUserInput
        );
    });
}

#[test]
fn ten_wrong_codes_in_five_minutes_are_the_limit() {
    on_both(async |stage| {
        let (secret, _) = enrol(&stage).await;
        let half = sign_in(&stage).await;
        let sessions = stage.services.sessions();
        let later = stage.advance(TimeDelta::seconds(30));
        // The wrong code during the enrolment was the first.
        for _ in 0..9 {
            assert_eq!(code(sessions.check_code(half, "000000", &browser()).await), ErrorCode::BadUserInput);
        }
        let right = code_at(&secret, later);
        assert_eq!(code(sessions.check_code(half, &right, &browser()).await), ErrorCode::RateLimited);
    });
}

#[test]
fn confirming_requires_the_code_and_turning_off_two_factor_requires_a_recent_sign_in() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let (secret, _) = enrol(&stage).await;
        let users = stage.services.users();
        assert_eq!(code(stage.services.second_factors().begin(&ada).await), ErrorCode::Conflict);
        let later = stage.advance(TimeDelta::minutes(11));
        assert_eq!(code(users.confirm(&ada, &Secret::new(PASSWORD), "").await), ErrorCode::BadUserInput);
        assert_eq!(code(stage.services.second_factors().disable(&ada).await), ErrorCode::ConfirmationRequired);
        let ada = users.confirm(&ada, &Secret::new(PASSWORD), &code_at(&secret, later)).await.unwrap();
        stage.services.second_factors().disable(&ada).await.unwrap();
        assert!(!sign_in(&stage).await.needs_code);
        assert_eq!(code(stage.services.second_factors().disable(&ada).await), ErrorCode::Conflict);
        enrol(&stage).await;
        stage.services.admin().disable_second_factor("ada@example.org").await.unwrap();
        assert!(!sign_in(&stage).await.needs_code);
    });
}

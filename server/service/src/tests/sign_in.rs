//! Limits of signing in: guessing is limited, and nobody can lock out somebody else.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use domain::{AuditQuery, ErrorCode, Role, Secret, audit::Outcome};

use crate::{
    Actor, Client, MailSettings, SecretKeys, Services, Settings,
    people::{network::Network, one_time_codes::code_at, throttle::Limits},
    tests::stage::*,
};

fn at(address: &str) -> Client {
    Client { address: Some(address.to_owned()), ..browser() }
}

async fn attempt(stage: &Stage, email: &str, password: &str, client: &Client) -> crate::Result<()> {
    stage.services.sessions().sign_in(email, &Secret::new(password), client).await.map(drop)
}

/// Counts failures without hashing passwords.
async fn fail(stage: &Stage, account: &str, address: Option<&str>, times: usize) {
    let (throttle, context) = (&stage.services.0.throttle, &stage.services.0.context);
    for _ in 0..times {
        throttle.take(context, Limits::of_sign_in(account, &Network::of(address), None)).await.unwrap();
    }
}

#[test]
fn ten_failures_lock_an_account_only_in_their_own_network() {
    on_both(async |stage| {
        let ada = "ada@example.org";
        for _ in 0..10 {
            let wrong = attempt(&stage, ada, "wrong", &at("2001:db8:1:1::1")).await;
            assert_eq!(code(wrong), ErrorCode::Unauthenticated);
        }
        let same_network = attempt(&stage, ada, PASSWORD, &at("2001:db8:1:1:ffff::2")).await;
        assert_eq!(code(same_network), ErrorCode::RateLimited);
        attempt(&stage, ada, PASSWORD, &at("2001:db8:1:2::1")).await.expect("another network");
        attempt(&stage, ada, PASSWORD, &at("192.0.2.1")).await.expect("another address");
        stage.add_user("ben@example.org", "acme", domain::Role::User).await;
        attempt(&stage, "ben@example.org", PASSWORD, &at("2001:db8:1:1::1")).await.expect("another account");
    });
}

#[test]
fn a_browser_with_an_earlier_sign_in_gets_in_whatever_strangers_do() {
    on_both(async |stage| {
        let (ada, sessions) = ("ada@example.org", stage.services.sessions());
        let secret = sessions.remember_browser(stage.admin, None).await.unwrap();
        let known = |secret: &Secret| Client {
            browser: Some(crate::digest::sha256(secret.expose().as_bytes())),
            ..at("192.0.2.7")
        };
        fail(&stage, ada, Some("192.0.2.7"), 10).await;
        assert_eq!(code(attempt(&stage, ada, PASSWORD, &at("192.0.2.7")).await), ErrorCode::RateLimited);
        attempt(&stage, ada, PASSWORD, &known(&secret)).await.unwrap();
        let made_up = known(&Secret::new("made up"));
        assert_eq!(code(attempt(&stage, ada, PASSWORD, &made_up).await), ErrorCode::RateLimited);
        // A cookie of another user is of no use.
        stage.add_user("ben@example.org", "acme", domain::Role::User).await;
        fail(&stage, "ben@example.org", Some("192.0.2.7"), 10).await;
        assert_eq!(code(attempt(&stage, "ben@example.org", PASSWORD, &known(&secret)).await), ErrorCode::RateLimited);
        // The browser itself has ten attempts too.
        for _ in 0..10 {
            assert_eq!(code(attempt(&stage, ada, "wrong", &known(&secret)).await), ErrorCode::Unauthenticated);
        }
        assert_eq!(code(attempt(&stage, ada, PASSWORD, &known(&secret)).await), ErrorCode::RateLimited);
        // A new sign-in changes the secret, and thirty days later the browser is forgotten.
        let next = sessions.remember_browser(stage.admin, known(&secret).browser.as_ref()).await.unwrap();
        assert_eq!(sessions.find_browser(stage.admin, known(&secret).browser.as_ref()).await.unwrap(), None);
        assert!(sessions.find_browser(stage.admin, known(&next).browser.as_ref()).await.unwrap().is_some());
        stage.advance(TimeDelta::days(30));
        assert_eq!(sessions.find_browser(stage.admin, known(&next).browser.as_ref()).await.unwrap(), None);
    });
}

#[test]
fn twenty_browsers_of_a_user_are_remembered() {
    on_both(async |stage| {
        let sessions = stage.services.sessions();
        let mut digests = Vec::new();
        for _ in 0..22 {
            let secret = sessions.remember_browser(stage.admin, None).await.unwrap();
            digests.push(crate::digest::sha256(secret.expose().as_bytes()));
            stage.advance(TimeDelta::seconds(1));
        }
        let mut known = Vec::new();
        for digest in &digests {
            known.push(sessions.find_browser(stage.admin, Some(digest)).await.unwrap().is_some());
        }
        assert_eq!(known.iter().filter(|is_known| **is_known).count(), 20);
        assert!(!known[0] && !known[1]);
    });
}

#[test]
fn failures_from_many_networks_slow_an_account_down_and_never_lock_it() {
    on_both(async |stage| {
        let ada = "ada@example.org";
        for network in 0..12 {
            fail(&stage, ada, Some(&format!("198.51.100.{network}")), 9).await;
        }
        let begun = Instant::now();
        attempt(&stage, ada, PASSWORD, &at("192.0.2.1")).await.unwrap();
        assert!(begun.elapsed() >= Duration::from_secs(5), "slowed down: {:?}", begun.elapsed());
        let begun = Instant::now();
        assert_eq!(
            code(attempt(&stage, "nobody@example.org", "x", &at("192.0.2.1")).await),
            ErrorCode::Unauthenticated
        );
        assert!(begun.elapsed() < Duration::from_secs(4), "other accounts aren't");
    });
}

#[test]
fn one_network_cannot_try_a_password_on_every_account() {
    on_both(async |stage| {
        for account in 0..100 {
            fail(&stage, &format!("user{account}@example.org"), Some("198.51.100.1"), 1).await;
        }
        let spray = attempt(&stage, "user100@example.org", "x", &at("198.51.100.1")).await;
        assert_eq!(code(spray), ErrorCode::RateLimited);
    });
}

#[test]
fn where_addresses_are_not_known_strangers_do_not_use_up_the_attempts_of_others() {
    on_both(async |stage| {
        stage.services.set_addresses_are_shared(true);
        for stranger in 0..30 {
            fail(&stage, &format!("stranger{stranger}@example.org"), None, 10).await;
        }
        fail(&stage, "ada@example.org", None, 10).await;
        attempt(&stage, "ada@example.org", PASSWORD, &at("192.0.2.7")).await.unwrap();
        // Still a limit.
        fail(&stage, "ada@example.org", None, 90).await;
        assert_eq!(code(attempt(&stage, "ada@example.org", PASSWORD, &at("192.0.2.7")).await), ErrorCode::RateLimited);
    });
}

#[test]
fn a_proxy_that_is_not_trusted_weakens_the_limits_of_its_own_clients_only() {
    on_both(async |stage| {
        let behind = |proxy: &str| Client { is_address_shared: true, ..at(proxy) };
        let (throttle, context) = (&stage.services.0.throttle, &stage.services.0.context);
        let take = async |client: &Client| {
            let limits = Limits::of_sign_in("ada@example.org", &throttle.network_of(client), None);
            throttle.take(context, limits).await.map(drop)
        };
        for _ in 0..100 {
            take(&behind("10.0.0.1")).await.expect("another of its clients may be Ada");
        }
        assert_eq!(code(take(&behind("10.0.0.1")).await), ErrorCode::RateLimited);
        take(&behind("10.0.0.2")).await.unwrap();
        for address in ["198.51.100.1", "10.0.0.1"] {
            for _ in 0..10 {
                take(&at(address)).await.unwrap();
            }
            assert_eq!(code(take(&at(address)).await), ErrorCode::RateLimited);
        }
    });
}

#[test]
fn attempts_of_a_clock_that_was_ahead_do_not_lock_an_account() {
    on_both(async |stage| {
        let now = stage.services.now();
        stage.advance(TimeDelta::days(3_650));
        fail(&stage, "ada@example.org", Some("192.0.2.7"), 10).await;
        assert_eq!(code(attempt(&stage, "ada@example.org", PASSWORD, &browser()).await), ErrorCode::RateLimited);
        stage.clock.set(now);
        attempt(&stage, "ada@example.org", PASSWORD, &browser()).await.unwrap();
    });
}

/// Turns on two-factor authentication for Ada. Returns its secret and the recovery codes.
async fn enrol(stage: &Stage) -> (Secret, Vec<Secret>) {
    let ada = stage.session(stage.admin).await;
    let factors = stage.services.second_factors();
    let enrolment = factors.begin(&ada).await.unwrap();
    let codes = factors.enable(&ada, &code_at(&enrolment.secret, stage.services.now()), None).await.unwrap();
    (enrolment.secret, codes)
}

/// Signs Ada in with the password and a code.
async fn with_code(stage: &Stage, text: &str, address: &str) -> crate::Result<()> {
    let sessions = stage.services.sessions();
    let half = sessions.sign_in("ada@example.org", &Secret::new(PASSWORD), &at(address)).await?;
    sessions.check_code(half, text, &at(address)).await.map(drop)
}

#[test]
fn a_session_that_was_about_to_begin_without_a_code_ends_with_the_others() {
    on_both(async |stage| {
        let sessions = stage.services.sessions();
        let half = sessions.sign_in("ada@example.org", &Secret::new(PASSWORD), &browser()).await.unwrap();
        assert!(!half.needs_code && !half.has_code);
        let row = |is_without_code| crate::StoredSession {
            data: "{}".to_owned(),
            user_id: Some(stage.admin),
            expires_at: stage.services.now() + TimeDelta::hours(1),
            facts: None,
            password_mark: Some(half.password),
            is_without_code,
            replaces: None,
        };
        let is_created = async |digest: [u8; 32], row| {
            sessions.create(&digest, &row).await.unwrap();
            sessions.load(&digest).await.unwrap().is_some()
        };
        let ada = stage.session(stage.admin).await;
        let enrolment = stage.services.second_factors().begin(&ada).await.unwrap();
        assert!(is_created([1; 32], row(true)).await, "it isn't on yet");
        let code = code_at(&enrolment.secret, stage.services.now());
        let codes = stage.services.second_factors().enable(&ada, &code, Some([9; 32])).await.unwrap();
        assert!(sessions.load(&[1; 32]).await.unwrap().is_none());
        assert!(!is_created([2; 32], row(true)).await, "it began before, and is stored afterwards");
        let again = sessions.sign_in("ada@example.org", &Secret::new(PASSWORD), &browser()).await.unwrap();
        let full = sessions.check_code(again, codes[0].expose(), &browser()).await.unwrap();
        assert!(full.has_code && is_created([3; 32], row(!full.has_code)).await);
    });
}

/// Enters as many wrong codes as lock the app's, ten from each network.
async fn lock(stage: &Stage) {
    for attempt in 0..20 {
        let address = format!("198.51.100.{}", attempt / 10);
        assert_eq!(code(with_code(stage, "000000", &address).await), ErrorCode::BadUserInput);
    }
}

fn message(result: crate::Result<()>) -> String {
    let Err(crate::Error::Api(refusal)) = result else { panic!("not a refusal") };
    refusal.at("code").unwrap_or_default().to_owned()
}

#[test]
fn twenty_wrong_codes_lock_the_app_until_a_recovery_code_is_used() {
    on_both(async |stage| {
        let (secret, codes) = enrol(&stage).await;
        lock(&stage).await;
        let later = stage.advance(TimeDelta::days(7));
        let refused = message(with_code(&stage, &code_at(&secret, later), "192.0.2.1").await);
        assert!(refused.contains("locked") && refused.contains("recovery code"), "{refused}");
        let ada = stage.session(stage.admin).await;
        assert!(stage.services.second_factors().state(&ada).await.unwrap().locked_at.is_some());
        let query = AuditQuery { operation: "lock_second_factor".to_owned(), ..AuditQuery::default() };
        let entries = stage.services.audit_log().list(&ada, &query).await.unwrap().items;
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].subject_id, Some(stage.admin.0));
        // The one who knows the password can't keep the owner from using a recovery code.
        for _ in 0..10 {
            with_code(&stage, "AAAA-AAAA-AAAA-AAAA", "198.51.100.1").await.unwrap_err();
        }
        with_code(&stage, codes[0].expose(), "192.0.2.1").await.unwrap();
        let later = stage.advance(TimeDelta::seconds(60));
        with_code(&stage, &code_at(&secret, later), "192.0.2.1").await.unwrap();
    });
}

#[test]
fn the_user_gets_a_mail_about_the_lock() {
    on_both(async |stage| {
        let (url, mut mails) = super::smtp::listen(false).await;
        let mail = MailSettings {
            smtp_url: Secret::new(url),
            from: "Latchkey <keys@example.org>".to_owned(),
            public_url: "https://keys.example.org".to_owned(),
        };
        enrol(&stage).await;
        let secret_keys = SecretKeys::File(stage.key_file());
        let settings = Settings { mail: Some(mail), secret_keys, ..Settings::new(&stage.database_url) };
        let other = Services::open(&settings, stage.clock.clone()).await.unwrap();
        let here = Stage { services: other.clone(), ..stage };
        lock(&here).await;
        let mail = mails.recv().await.unwrap();
        assert_eq!(mail.to, "ada@example.org");
        assert!(mail.text.contains("198.51.100.1") && mail.text.contains("recovery codes"), "{}", mail.text);
        other.close().await;
    });
}

#[test]
fn a_new_password_or_the_operator_ends_the_lock() {
    on_both(async |stage| {
        let (secret, _) = enrol(&stage).await;
        let admin = stage.services.admin();
        assert_eq!(code(admin.unlock_second_factor("ada@example.org").await), ErrorCode::Conflict);
        lock(&stage).await;
        admin.unlock_second_factor("ada@example.org").await.unwrap();
        let later = stage.advance(TimeDelta::minutes(6));
        with_code(&stage, &code_at(&secret, later), "192.0.2.1").await.unwrap();
        lock(&stage).await;
        let ada = stage.session(stage.admin).await;
        let new = Secret::new("nine kites above the harbour");
        stage.services.users().change_password(&ada, &Secret::new(PASSWORD), &new, [0; 32], false).await.unwrap();
        let later = stage.advance(TimeDelta::minutes(6));
        let sessions = stage.services.sessions();
        let half = sessions.sign_in("ada@example.org", &new, &browser()).await.unwrap();
        sessions.check_code(half, &code_at(&secret, later), &browser()).await.unwrap();
    });
}

#[test]
fn right_codes_in_between_and_wrong_passwords_lock_nothing() {
    on_both(async |stage| {
        let (secret, _) = enrol(&stage).await;
        for round in 0..4 {
            let later = stage.advance(TimeDelta::minutes(6));
            for _ in 0..9 {
                with_code(&stage, "000000", "192.0.2.1").await.unwrap_err();
            }
            assert_eq!(
                code(attempt(&stage, "ada@example.org", "wrong", &at("192.0.2.9")).await),
                ErrorCode::Unauthenticated
            );
            let right = with_code(&stage, &code_at(&secret, later), "192.0.2.1").await;
            right.unwrap_or_else(|error| panic!("round {round}: {error:?}"));
        }
    });
}

#[test]
fn a_step_of_a_clock_that_was_ahead_does_not_block_later_codes() {
    on_both(async |stage| {
        let (secret, _) = enrol(&stage).await;
        let now = stage.services.now();
        let ahead = stage.advance(TimeDelta::days(365));
        with_code(&stage, &code_at(&secret, ahead), "192.0.2.1").await.unwrap();
        stage.clock.set(now + TimeDelta::minutes(1));
        let text = code_at(&secret, stage.services.now());
        with_code(&stage, &text, "192.0.2.1").await.unwrap();
        with_code(&stage, &text, "192.0.2.1").await.expect_err("it works once");
    });
}

#[test]
fn an_administrator_of_the_persons_tenant_unlocks_codes_with_a_recent_sign_in() {
    on_both(async |stage| {
        let (secret, _) = enrol(&stage).await;
        stage.services.admin().create_tenant("Other", "other").await.unwrap();
        let bob = stage.add_user("bob@example.org", "acme", Role::TenantAdmin).await;
        let eve = stage.add_user("eve@example.org", "acme", Role::User).await;
        let (members, actors) = (stage.services.members(), stage.services.actors());
        let stranger = stage.add_user("zoe@example.org", "other", Role::TenantAdmin).await;
        let stranger = stage.session(stranger).await;
        let unlock = async |by: &Actor| members.unlock_second_factor(by, stage.admin).await;
        assert_eq!(code(unlock(&stage.session(bob).await).await), ErrorCode::Conflict, "not locked");
        lock(&stage).await;
        let by_bob = stage.session(bob).await;
        let facts = members.facts(&by_bob, &[stage.admin, bob]).await.unwrap();
        let locked: Vec<_> = facts.iter().filter(|one| one.codes_locked_at.is_some()).map(|one| one.user_id).collect();
        assert_eq!(locked, [stage.admin]);
        assert_eq!(code(unlock(&stage.session(eve).await).await), ErrorCode::Forbidden);
        assert_eq!(code(unlock(&stranger).await), ErrorCode::NotFound);
        let key = stage.add_key(&by_bob, own(&by_bob), "laptop").await;
        assert_eq!(code(unlock(&stage.by_key(&key).await).await), ErrorCode::Forbidden, "not by a key");
        let long_ago = stage.services.now() - TimeDelta::hours(1);
        let stale = actors.from_session(bob, stage.tenant, long_ago, browser()).await.unwrap();
        assert_eq!(code(unlock(&stale).await), ErrorCode::ConfirmationRequired);
        assert_eq!(unlock(&by_bob).await.unwrap().user_id, stage.admin);

        let later = stage.advance(TimeDelta::minutes(6));
        with_code(&stage, &code_at(&secret, later), "192.0.2.1").await.unwrap();
        let query = AuditQuery { operation: "unlock_second_factor".to_owned(), ..AuditQuery::default() };
        let entries = stage.services.audit_log().list(&stage.session(bob).await, &query).await.unwrap().items;
        let told: Vec<_> = entries.iter().map(|one| (one.outcome, one.actor_id, one.subject_id)).collect();
        assert_eq!(told[0], (Outcome::Done, Some(bob.0), Some(stage.admin.0)));
        assert_eq!(told[1..].iter().filter(|one| one.0 == Outcome::Refused).count(), 2, "by eve and by the key");
    });
}

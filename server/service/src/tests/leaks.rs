//! Reports of leaked keys.

use chrono::TimeDelta;
use domain::{
    AuditQuery, ErrorCode, ExposureResponse, InventoryFilter, InventoryQuery, IssuedKey, KeyAct, KeyPolicyKind,
    KeyState, Owner, Role, Secret, SuspendedBy,
    api_key::act::{ChangeKeyLimits, ChangeKeyScopes},
    api_key::input::{CreateKey, SetKeyPolicy},
    audit::Channel,
};

use super::smtp;
use crate::{Actor, AlertsAbout, Client, LeakedToken, MailSettings, Services, Settings, find_tokens, tests::stage::*};

const URL: &str = "https://github.com/octo/repo/blob/1a2b/.env#L3";

fn reporter() -> Client {
    let address = Some("198.51.100.9".to_owned());
    Client { channel: Channel::Rest, address, user_agent: Some("scanner".to_owned()), ..Client::command_line() }
}

fn leaked(token: &str) -> LeakedToken {
    LeakedToken { token: Secret::new(token), source: "Commit".to_owned(), url: URL.to_owned() }
}

/// Reports a token, unsigned. Returns whether it is the token of a key.
async fn report(services: &Services, token: &str) -> bool {
    services.leak_reports().report(&[leaked(token)], None, &reporter()).await.unwrap() == [true]
}

async fn set(stage: &Stage, by: &Actor, response: ExposureResponse) {
    let (policy, on_exposure) = (KeyPolicyKind::ExposedKeys.as_str().to_owned(), response.as_str().to_owned());
    let input = SetKeyPolicy { policy, on_exposure, ..SetKeyPolicy::default() };
    stage.services.tenant_policies().set(by, &input).await.unwrap();
}

/// Returns the operations and details of the entries about a key, newest first.
async fn history(stage: &Stage, by: &Actor, key: &IssuedKey) -> Vec<(String, String)> {
    let page = stage.services.api_keys().history(by, key.key.id, &AuditQuery::default()).await.unwrap();
    page.items.into_iter().map(|entry| (entry.operation, entry.detail)).collect()
}

#[test]
fn a_reported_key_is_suspended_and_stays_exposed() {
    on_both(async |stage: Stage| {
        let ada = stage.session(stage.admin).await;
        let (key, other) =
            (stage.add_key(&ada, own(&ada), "deploy").await, stage.add_key(&ada, own(&ada), "other").await);
        let at = stage.advance(TimeDelta::hours(1));
        assert!(report(&stage.services, key.token.expose()).await);
        assert!(!stage.is_valid(&key).await && stage.is_valid(&other).await);

        let shown = stage.services.api_keys().get(&ada, key.key.id).await.unwrap();
        let exposure = shown.exposure.clone().unwrap();
        assert_eq!((exposure.at, exposure.source.as_str(), exposure.url.as_deref()), (at, "commit", Some(URL)));
        let by = SuspendedBy::Name("Latchkey, because it was exposed");
        assert_eq!(shown.state(at), KeyState::Suspended { at, by });
        assert_eq!(
            history(&stage, &ada, &key).await[..2],
            [
                ("suspend_api_key".to_owned(), "exposed".to_owned()),
                ("expose_api_key".to_owned(), format!("unsigned report, commit, {URL}")),
            ]
        );
        let entries = stage.services.api_keys().history(&ada, key.key.id, &AuditQuery::default()).await.unwrap();
        assert_eq!(entries.items[0].address.as_deref(), Some("198.51.100.9"));

        let only = InventoryQuery { filter: InventoryFilter::Exposed, ..InventoryQuery::default() };
        let listed = stage.services.inventory().list(&ada, &every_key(), only).await.unwrap().items;
        assert_eq!(listed.iter().map(|key| key.id).collect::<Vec<_>>(), [key.key.id]);
        for about in [AlertsAbout::Own, AlertsAbout::Tenant] {
            let alerts = stage.services.api_keys().alerts(&ada, about).await.unwrap();
            assert_eq!(alerts.exposed.iter().map(|key| key.id).collect::<Vec<_>>(), [key.key.id], "{about:?}");
        }
        stage.services.api_keys().revoke(&ada, key.key.id).await.unwrap();
        assert!(stage.services.api_keys().alerts(&ada, AlertsAbout::Own).await.unwrap().exposed.is_empty());
        let revoked = stage.services.api_keys().get(&ada, key.key.id).await.unwrap();
        assert_eq!(revoked.exposure, Some(exposure), "a fact that stays");
    });
}

#[test]
fn the_key_policy_decides_what_happens_to_an_exposed_key() {
    on_both(async |stage: Stage| {
        let ada = stage.session(stage.admin).await;
        for (response, state, works) in [
            (ExposureResponse::Notify, "active", true),
            (ExposureResponse::Suspend, "suspended", false),
            (ExposureResponse::Revoke, "revoked", false),
        ] {
            set(&stage, &ada, response).await;
            let key = stage.add_key(&ada, own(&ada), "deploy").await;
            assert!(report(&stage.services, key.token.expose()).await);
            let shown = stage.services.api_keys().get(&ada, key.key.id).await.unwrap();
            assert_eq!((shown.state(stage.services.now()).as_str(), stage.is_valid(&key).await), (state, works));
            assert!(shown.exposure.is_some());
        }
        let bad = SetKeyPolicy { policy: "exposed_keys".to_owned(), ..SetKeyPolicy::default() };
        assert_eq!(code(stage.services.tenant_policies().set(&ada, &bad).await), ErrorCode::BadUserInput);
    });
}

#[test]
fn no_key_widens_what_an_exposed_key_may_do() {
    on_both(async |stage: Stage| {
        let ada = stage.session(stage.admin).await;
        set(&stage, &ada, ExposureResponse::Notify).await;
        let keys = stage.services.api_keys();
        let limited = CreateKey {
            scopes: Some(String::new()),
            allowed_addresses: Some("192.0.2.0/24".to_owned()),
            allow_lockout: true,
            ..new_key(own(&ada), "deploy")
        };
        let key = keys.create(&ada, &limited).await.unwrap();
        assert!(report(&stage.services, key.token.expose()).await);
        let by_key = stage.by_key(&stage.add_key(&ada, own(&ada), "other").await).await;
        let wider =
            ChangeKeyScopes { key: key.key.id, scopes: Some("latchkey:read".to_owned()), ..ChangeKeyScopes::default() };
        let looser =
            ChangeKeyLimits { key: key.key.id, allowed_addresses: Some(String::new()), ..ChangeKeyLimits::default() };
        assert_eq!(code(keys.change_scopes(&by_key, &wider).await), ErrorCode::Forbidden);
        assert_eq!(code(keys.change_limits(&by_key, &looser).await), ErrorCode::Forbidden);
        keys.change_scopes(&ada, &wider).await.unwrap();
        keys.change_limits(&ada, &looser).await.unwrap();
    });
}

#[test]
fn a_repeated_report_changes_nothing_and_unknown_texts_look_alike() {
    on_both(async |stage: Stage| {
        let ada = stage.session(stage.admin).await;
        let key = stage.add_key(&ada, own(&ada), "deploy").await;
        let token = key.token.expose();
        let unknown = crate::keys::token::draw(domain::OwnerKind::User);
        let texts = [token, token, unknown.expose(), "lku_short", "", "something"].map(leaked);
        let answers = stage.services.leak_reports().report(&texts, Some("key-1"), &reporter()).await.unwrap();
        assert_eq!(answers, [true, true, false, false, false, false]);

        stage.services.api_keys().resume(&ada, key.key.id).await.unwrap();
        let (before, entries) =
            (stage.services.api_keys().get(&ada, key.key.id).await.unwrap(), history(&stage, &ada, &key).await);
        assert_eq!(entries[2].1, format!("report signed with key-1, commit, {URL}"));
        stage.advance(TimeDelta::hours(1));
        assert!(report(&stage.services, token).await, "the answer stays the same");
        assert_eq!(stage.services.api_keys().get(&ada, key.key.id).await.unwrap(), before);
        assert_eq!(history(&stage, &ada, &key).await, entries);
        assert!(stage.is_valid(&key).await, "whoever has the token can't suspend it again and again");
    });
}

#[test]
fn a_key_in_any_state_is_recorded_and_none_is_revived() {
    on_both(async |stage: Stage| {
        let ada = stage.session(stage.admin).await;
        let keys = stage.services.api_keys();
        let (revoked, paused) =
            (stage.add_key(&ada, own(&ada), "revoked").await, stage.add_key(&ada, own(&ada), "paused").await);
        keys.revoke(&ada, revoked.key.id).await.unwrap();
        keys.suspend(&ada, paused.key.id).await.unwrap();
        let account = stage.add_account(&ada, "bot").await;
        let of_account = stage.add_key(&ada, Owner::ServiceAccount(account), "bot's").await;
        stage.services.service_accounts().suspend(&ada, account).await.unwrap();
        for key in [&revoked, &paused, &of_account] {
            assert!(report(&stage.services, key.token.expose()).await);
            assert!(keys.get(&ada, key.key.id).await.unwrap().exposure.is_some());
        }
        let state = async |key: &IssuedKey| {
            let key = keys.get(&ada, key.key.id).await.unwrap();
            (key.state(stage.services.now()).as_str(), key.suspension.map(|suspension| suspension.by))
        };
        assert_eq!(state(&revoked).await, ("revoked", None));
        assert_eq!(state(&paused).await, ("suspended", Some(ada.name().to_owned())), "as before");
        stage.services.service_accounts().resume(&ada, account).await.unwrap();
        assert!(!stage.is_valid(&of_account).await, "suspended itself, too");
        assert_eq!(state(&of_account).await.1.as_deref(), Some("Latchkey, because it was exposed"));
    });
}

#[test]
fn only_a_person_who_has_just_signed_in_resumes_an_exposed_key() {
    on_both(async |stage: Stage| {
        let bob = stage.add_user("bob@example.org", "acme", Role::User).await;
        let bob = stage.session(bob).await;
        let (exposed, other) =
            (stage.add_key(&bob, own(&bob), "exposed").await, stage.add_key(&bob, own(&bob), "other").await);
        assert!(report(&stage.services, exposed.token.expose()).await);
        let keys = stage.services.api_keys();
        let by_key = stage.by_key(&other).await;
        assert_eq!(code(keys.resume(&by_key, exposed.key.id).await), ErrorCode::Forbidden);
        keys.suspend(&bob, other.key.id).await.unwrap();
        keys.resume(&bob, other.key.id).await.unwrap();
        stage.advance(TimeDelta::minutes(11));
        assert_eq!(code(keys.resume(&bob, exposed.key.id).await), ErrorCode::ConfirmationRequired);
        let bob = stage.session(bob.user_id().unwrap()).await;
        let resumed = keys.resume(&bob, exposed.key.id).await.unwrap();
        assert!(stage.is_valid(&exposed).await && resumed.exposure.is_some());
        assert!(KeyAct::Revoke.is_offered(&resumed, stage.services.now()));
    });
}

#[test]
fn what_used_a_key_since_it_was_reported_is_told_apart() {
    on_both(async |stage: Stage| {
        let ada = stage.session(stage.admin).await;
        set(&stage, &ada, ExposureResponse::Notify).await;
        let key = stage.add_key(&ada, own(&ada), "deploy").await;
        let used_by = async |address: &str| {
            let client = Client { address: Some(address.to_owned()), ..browser() };
            stage.services.verification().verify(key.token.expose(), &client).await.unwrap().unwrap();
        };
        used_by("192.0.2.1").await;
        let at = stage.advance(TimeDelta::hours(2));
        assert!(report(&stage.services, key.token.expose()).await);
        stage.advance(TimeDelta::minutes(5));
        for address in ["192.0.2.1", "203.0.113.5", "203.0.113.5"] {
            used_by(address).await;
        }
        let since = stage.services.api_keys().usage(&ada, key.key.id).await.unwrap().since(at);
        assert_eq!((since.clients.len(), since.addresses, since.use_count, since.refusals), (2, 2, 3, 0));
    });
}

#[test]
fn owners_and_administrators_are_told_once() {
    on_both(async |stage: Stage| {
        let (url, mut mails) = smtp::listen(false).await;
        let (from, public_url) = ("Latchkey <keys@example.org>".to_owned(), "https://keys.example.org".to_owned());
        let mail = MailSettings { smtp_url: Secret::new(url), from, public_url };
        let settings = Settings { mail: Some(mail), ..Settings::new(stage.database_url.clone()) };
        let services = Services::open(&settings, stage.clock.clone()).await.unwrap();
        let bob = stage.add_user("bob@example.org", "acme", Role::User).await;
        stage.add_user("eve@example.org", "acme", Role::User).await;
        let bob = stage.session(bob).await;
        let (one, two) = (stage.add_key(&bob, own(&bob), "one").await, stage.add_key(&bob, own(&bob), "two").await);
        let texts = [one.token.expose(), two.token.expose(), one.token.expose()].map(leaked);
        for _ in 0..2 {
            services.leak_reports().report(&texts, None, &reporter()).await.unwrap();
        }
        let mut people = Vec::new();
        for _ in 0..2 {
            let mail = mails.recv().await.unwrap();
            assert!(mail.text.contains("Subject: API keys were exposed"), "{}", mail.text);
            let text = mail.text.replace("=\r\n", "");
            for key in [&one, &two] {
                let link = format!("https://keys.example.org/user/api-keys/{}", key.key.id);
                assert!(text.contains(&link) && text.contains("It is suspended."), "{text}");
                assert!(!text.contains(key.token.expose()) && !text.contains(URL));
            }
            people.push(mail.to);
        }
        people.sort();
        assert_eq!(people, ["ada@example.org", "bob@example.org"]);
        assert!(mails.try_recv().is_err(), "a repeated report doesn't notify again");
        services.close().await;
    });
}

#[test]
fn a_key_that_the_operator_finds_is_exposed() {
    on_both(async |stage: Stage| {
        let ada = stage.session(stage.admin).await;
        let key = stage.add_key(&ada, own(&ada), "deploy").await;
        let mut found = Vec::new();
        find_tokens(format!("KEY={}", key.token.expose()).as_bytes(), |token| found.push(token)).unwrap();
        stage.services.admin().expose_key(&found[0]).await.unwrap();
        let shown = stage.services.api_keys().get(&ada, key.key.id).await.unwrap();
        assert_eq!(shown.exposure.unwrap().source_text().as_deref(), Some("scan by the operator"));
        assert!(!stage.is_valid(&key).await);
    });
}

#[test]
fn a_revoked_exposed_key_loses_its_invitations() {
    on_both(async |stage: Stage| {
        let ada = stage.session(stage.admin).await;
        set(&stage, &ada, ExposureResponse::Revoke).await;
        let key = stage.add_key(&ada, own(&ada), "inviter").await;
        let by_key = stage.by_key(&key).await;
        stage.services.invitations().invite(&by_key, "new@example.org", Role::User).await.unwrap();
        assert!(report(&stage.services, key.token.expose()).await);
        assert!(stage.services.invitations().list(&ada).await.unwrap().is_empty());
    });
}

//! Tenants, invitations, and the notices before a key expires: mails and the calendar.

use chrono::TimeDelta;
use domain::{AuditQuery, ErrorCode, Owner, Role, Secret, api_key::input::CreateKey};
use tokio::sync::mpsc::error::TryRecvError;

use super::smtp;
use crate::{
    AcceptSignedOut, CalendarFeed, Invitations, MailSettings, MemberFacts, Result, Services, Settings, SignedIn,
    keys::expiry_mail, people::one_time_codes::code_at, storage, tests::stage::*,
};

/// Accepts an invitation without a session and without a code.
async fn come_in(invitations: &Invitations<'_>, secret: &str, name: &str, password: &str) -> Result<SignedIn> {
    let typed = AcceptSignedOut { name, password: Secret::new(password), code: "" };
    invitations.accept_signed_out(secret, &typed, &browser()).await.map(|(done, _)| done)
}

#[test]
fn administrators_can_create_and_rename_tenants_and_belong_to_several() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let tenants = stage.services.tenants();
        let made = tenants.create(&ada, "Second", "second").await.unwrap();
        assert_eq!(code(tenants.create(&ada, "Third", "second").await), ErrorCode::BadUserInput);
        let viewer = stage.services.users().viewer(&ada).await.unwrap();
        assert_eq!(viewer.memberships.len(), 2);
        assert_eq!(stage.services.users().switch_tenant(&ada, made.id).await.unwrap(), made.id);
        assert_eq!(tenants.rename(&ada, "Acme Robotics").await.unwrap().name.as_str(), "Acme Robotics");
        assert_eq!(code(tenants.rename(&ada, " ").await), ErrorCode::BadUserInput);
        let bob = stage.add_user("bob@example.org", "acme", Role::User).await;
        let bob = stage.session(bob).await;
        assert_eq!(code(tenants.create(&bob, "Bob's", "bobs").await), ErrorCode::Forbidden);
        assert_eq!(code(tenants.rename(&bob, "Bob's").await), ErrorCode::Forbidden);
    });
}

#[test]
fn an_invitation_lets_one_new_user_join_once() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let invitations = stage.services.invitations();
        assert_eq!(code(invitations.invite(&ada, "nobody", Role::User).await), ErrorCode::BadUserInput);
        assert_eq!(
            code(invitations.invite(&ada, "ada@example.org", Role::User).await),
            ErrorCode::BadUserInput,
            "a member"
        );
        let issued = invitations.invite(&ada, "Eve@example.org", Role::User).await.unwrap();
        assert!(!issued.is_mailed);
        assert_eq!(invitations.list(&ada).await.unwrap(), std::slice::from_ref(&issued.invitation));
        let (found, has_account) = invitations.find(issued.secret.expose()).await.unwrap();
        assert_eq!((found.email.as_str(), has_account), ("eve@example.org", false));
        assert_eq!(code(invitations.find("guess").await), ErrorCode::NotFound);

        let accept = async |password: &str| come_in(&invitations, issued.secret.expose(), "Eve", password).await;
        assert_eq!(code(accept("short").await), ErrorCode::BadUserInput);
        let done = accept(PASSWORD).await.unwrap();
        let eve = stage.session(done.user_id).await;
        assert_eq!((eve.tenant_id(), eve.role()), (stage.tenant, Role::User));
        assert_eq!(code(accept(PASSWORD).await), ErrorCode::NotFound, "used twice");
        assert!(invitations.list(&ada).await.unwrap().is_empty());
        assert_eq!(code(invitations.list(&eve).await), ErrorCode::Forbidden);
    });
}

#[test]
fn rejoining_after_being_removed_everywhere_requires_the_two_factor_code_too() {
    on_both(async |stage| {
        let bob_id = stage.add_user("bob@example.org", "acme", Role::User).await;
        let bob = stage.session(bob_id).await;
        let factors = stage.services.second_factors();
        let enrolment = factors.begin(&bob).await.unwrap();
        factors.enable(&bob, &code_at(&enrolment.secret, stage.services.now()), None).await.unwrap();
        let ada = stage.session(stage.admin).await;
        stage.services.members().remove(&ada, bob_id).await.unwrap();
        let invitations = stage.services.invitations();
        let issued = invitations.invite(&ada, "bob@example.org", Role::User).await.unwrap();
        let later = stage.advance(TimeDelta::seconds(30));
        let come = async |text: &str| {
            let typed = AcceptSignedOut { name: "", password: Secret::new(PASSWORD), code: text };
            invitations.accept_signed_out(issued.secret.expose(), &typed, &browser()).await.map(|(done, _)| done)
        };
        for bad in ["", "000000"] {
            assert_eq!(code(come(bad).await), ErrorCode::BadUserInput);
        }
        assert_eq!(come(&code_at(&enrolment.secret, later)).await.unwrap().user_id, bob_id);
    });
}

#[test]
fn administrators_see_when_members_joined_their_keys_and_whether_they_have_a_second_factor() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let joined_at = stage.advance(TimeDelta::hours(1));
        let bob_id = stage.add_user("bob@example.org", "acme", Role::User).await;
        let bob = stage.session(bob_id).await;
        stage.services.admin().create_tenant("Other", "other").await.unwrap();
        let stranger = stage.add_user("eve@example.org", "other", Role::User).await;
        let facts = async || stage.services.members().facts(&ada, &[bob_id, stranger]).await.unwrap();
        let new = MemberFacts {
            user_id: bob_id,
            joined_at,
            has_second_factor: false,
            codes_locked_at: None,
            active_keys: 0,
            keys_last_used_at: None,
        };
        assert_eq!(facts().await, std::slice::from_ref(&new), "nothing about people of another tenant");
        assert_eq!(code(stage.services.members().facts(&bob, &[bob_id]).await), ErrorCode::Forbidden);

        let key = stage.add_key(&bob, Owner::User(bob_id), "ci").await;
        let over = stage.add_key(&bob, Owner::User(bob_id), "over").await;
        stage.services.api_keys().revoke(&bob, over.key.id).await.unwrap();
        let enrolment = stage.services.second_factors().begin(&bob).await.unwrap();
        stage.services.second_factors().enable(&bob, &code_at(&enrolment.secret, joined_at), None).await.unwrap();
        assert!(stage.is_valid(&key).await);
        stage.services.0.usage.flush(stage.services.db(), stage.services.now()).await.unwrap();
        let later = MemberFacts { has_second_factor: true, active_keys: 1, keys_last_used_at: Some(joined_at), ..new };
        assert_eq!(facts().await, [later]);
    });
}

#[test]
fn only_one_of_many_people_with_the_same_link_can_join() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let issued = stage.services.invitations().invite(&ada, "eve@example.org", Role::User).await.unwrap();
        let came_in = at_once(6, |n| {
            let (services, secret) = (stage.services.clone(), issued.secret.clone());
            async move {
                let name = format!("Eve {n}");
                let invitations = services.invitations();
                come_in(&invitations, secret.expose(), &name, PASSWORD).await.is_ok()
            }
        })
        .await;
        assert_eq!(came_in.into_iter().filter(|is_in| *is_in).count(), 1);
        assert_eq!(stage.services.members().list(&ada, &domain::MemberQuery::default()).await.unwrap().items.len(), 2);
    });
}

#[test]
fn an_invitation_for_an_existing_user_is_for_them_only_and_ends_when_expired_cancelled_or_replaced() {
    on_both(async |stage| {
        stage.services.admin().create_tenant("Other", "other").await.unwrap();
        let bob_id = stage.add_user("bob@example.org", "other", Role::User).await;
        let eve_id = stage.add_user("eve@example.org", "other", Role::User).await;
        let ada = stage.session(stage.admin).await;
        let (bob, eve) = (stage.session(bob_id).await, stage.session(eve_id).await);
        let invitations = stage.services.invitations();
        let first = invitations.invite(&ada, "bob@example.org", Role::User).await.unwrap();
        let second = invitations.invite(&ada, "bob@example.org", Role::TenantAdmin).await.unwrap();
        assert_eq!(code(invitations.accept(&bob, first.secret.expose()).await), ErrorCode::NotFound, "replaced");
        assert_eq!(code(invitations.accept(&eve, second.secret.expose()).await), ErrorCode::Forbidden, "not hers");
        let stranger = come_in(&invitations, second.secret.expose(), "Bob", PASSWORD).await;
        assert_eq!(code(stranger), ErrorCode::Conflict, "he has an account");
        assert_eq!(invitations.accept(&bob, second.secret.expose()).await.unwrap().tenant_id, stage.tenant);
        assert_eq!(stage.session(bob_id).await.role(), Role::TenantAdmin);

        let taken_back = invitations.invite(&ada, "eve@example.org", Role::User).await.unwrap();
        invitations.cancel(&ada, taken_back.invitation.id).await.unwrap();
        assert_eq!(code(invitations.cancel(&ada, taken_back.invitation.id).await), ErrorCode::NotFound);
        assert_eq!(code(invitations.accept(&eve, taken_back.secret.expose()).await), ErrorCode::NotFound);
        let old = invitations.invite(&ada, "eve@example.org", Role::User).await.unwrap();
        stage.advance(TimeDelta::hours(72));
        assert_eq!(code(invitations.accept(&eve, old.secret.expose()).await), ErrorCode::NotFound);
    });
}

#[test]
fn a_user_removed_everywhere_can_rejoin_with_an_invitation_and_their_password() {
    on_both(async |stage| {
        let bob = stage.add_user("bob@example.org", "acme", Role::User).await;
        let ada = stage.session(stage.admin).await;
        stage.services.members().remove(&ada, bob).await.unwrap();
        let invitations = stage.services.invitations();
        let issued = invitations.invite(&ada, "bob@example.org", Role::ReadOnlyUser).await.unwrap();
        let secret = issued.secret.expose();
        let (invitation, has_account) = invitations.find(secret).await.unwrap();
        assert!(has_account && invitations.has_no_tenant(&invitation).await.unwrap());
        let wrong = come_in(&invitations, secret, "", "wrong").await;
        assert_eq!(code(wrong), ErrorCode::BadUserInput);
        let done = come_in(&invitations, secret, "", PASSWORD).await.unwrap();
        assert_eq!((done.user_id, done.tenant_id, done.needs_code), (bob, stage.tenant, false));
        assert_eq!(stage.session(bob).await.role(), Role::ReadOnlyUser);
        assert!(!invitations.has_no_tenant(&invitation).await.unwrap());
    });
}

async fn with_mail(stage: &Stage, smtp_url: String) -> Services {
    let mail = MailSettings {
        smtp_url: Secret::new(smtp_url),
        from: "Latchkey <keys@example.org>".to_owned(),
        public_url: "https://keys.example.org".to_owned(),
    };
    let settings = Settings { mail: Some(mail), ..Settings::new(&stage.database_url) };
    Services::open(&settings, stage.clock.clone()).await.unwrap()
}

#[test]
fn an_invitation_is_mailed_if_mail_is_configured() {
    on_both(async |stage| {
        let (url, mut mails) = smtp::listen(false).await;
        let services = with_mail(&stage, url).await;
        let ada = stage.session(stage.admin).await;
        let issued = services.invitations().invite(&ada, "eve@example.org", Role::User).await.unwrap();
        assert!(issued.is_mailed);
        let mail = mails.recv().await.unwrap();
        assert_eq!(mail.to, "eve@example.org");
        let text = mail.text.replace("=\r\n", "");
        assert!(text.contains(&format!("https://keys.example.org/invitations/{}", issued.secret.expose())), "{text}");
        assert!(mail.text.contains("Subject: ada invited you to join Acme"), "{}", mail.text);
        let header = |name: &str| mail.text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let id = header("Message-ID:").unwrap();
        assert!(id.starts_with('<') && id.ends_with("@example.org>"), "{id}");
        assert_eq!(header("Date:"), Some("Fri, 01 Jan 2027 00:00:00 +0000"));
    });
}

#[test]
fn an_invitation_that_no_server_accepts_is_not_called_mailed() {
    on_both(async |stage| {
        let (url, _mails) = smtp::listen(true).await;
        let services = with_mail(&stage, url).await;
        let ada = stage.session(stage.admin).await;
        let issued = services.invitations().invite(&ada, "eve@example.org", Role::User).await.unwrap();
        assert!(!issued.is_mailed);
    });
}

#[test]
fn expiry_mails_are_sent_once_each_30_14_7_and_1_days_ahead() {
    on_both(async |stage| {
        let (url, mut mails) = smtp::listen(false).await;
        let (first, second) = (with_mail(&stage, url.clone()).await, with_mail(&stage, url).await);
        let ada = stage.session(stage.admin).await;
        stage.add_user("grace@example.org", "acme", Role::TenantAdmin).await;
        let account = stage.add_account(&ada, "bot").await;
        let until = async |owner, name: &str, at: &str| {
            let input = CreateKey { expires_at: Some(at.to_owned()), ..new_key(owner, name) };
            stage.services.api_keys().create(&ada, &input).await.unwrap()
        };
        until(own(&ada), "mine", "2027-04-01T00:00:00Z").await;
        until(own(&ada), "short", "2027-01-05T00:00:00Z").await;
        let gone = until(own(&ada), "gone", "2027-04-01T00:00:00Z").await;
        stage.services.api_keys().revoke(&ada, gone.key.id).await.unwrap();
        let mut told = Vec::new();
        for day in 0..95 {
            stage
                .clock
                .set("2027-01-01T00:00:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap() + TimeDelta::days(day));
            // Two servers check concurrently, and one of them twice.
            let (one, two) =
                tokio::join!(expiry_mail::send_due(&first.0.context), expiry_mail::send_due(&second.0.context));
            one.unwrap();
            two.unwrap();
            expiry_mail::send_due(&first.0.context).await.unwrap();
            while let Ok(mail) = mails.try_recv() {
                assert_eq!(mail.to, "ada@example.org");
                let subject = mail.text.lines().find(|line| line.starts_with("Subject: ")).unwrap().to_owned();
                told.push((day, subject));
            }
        }
        let expected = [
            (3, "Subject: API key short expires in 1 day"),
            (60, "Subject: API key mine expires in 30 days"),
            (76, "Subject: API key mine expires in 14 days"),
            (83, "Subject: API key mine expires in 7 days"),
            (89, "Subject: API key mine expires in 1 day"),
        ];
        assert_eq!(told, expected.map(|(day, subject)| (day, subject.to_owned())));

        let ada = stage.session(stage.admin).await;
        let input = CreateKey {
            expires_at: Some("2027-05-01T00:00:00Z".to_owned()),
            ..new_key(Owner::ServiceAccount(account), "bot's")
        };
        stage.services.api_keys().create(&ada, &input).await.unwrap();
        stage.clock.set("2027-04-30T12:00:00Z".parse().unwrap());
        expiry_mail::send_due(&first.0.context).await.unwrap();
        let mut people = [mails.recv().await.unwrap().to, mails.recv().await.unwrap().to];
        people.sort();
        assert_eq!(
            people,
            ["ada@example.org", "grace@example.org"],
            "for an account's key: to all administrators, and only the latest mail"
        );
        assert_eq!(mails.try_recv().unwrap_err(), TryRecvError::Empty);
    });
}

#[test]
fn a_mail_that_the_mail_server_refused_is_sent_later() {
    on_both(async |stage| {
        let (busy, _) = smtp::listen(true).await;
        let (free, mut mails) = smtp::listen(false).await;
        let (refused, taken) = (with_mail(&stage, busy).await, with_mail(&stage, free).await);
        let ada = stage.session(stage.admin).await;
        let input = CreateKey { expires_at: Some("2027-01-10T00:00:00Z".to_owned()), ..new_key(own(&ada), "ci") };
        stage.services.api_keys().create(&ada, &input).await.unwrap();
        stage.advance(TimeDelta::days(3));
        expiry_mail::send_due(&refused.0.context).await.unwrap();
        expiry_mail::send_due(&taken.0.context).await.unwrap();
        assert!(mails.recv().await.unwrap().text.contains("API key ci expires"));
    });
}

#[test]
fn a_calendar_link_shows_the_keys_that_its_owner_may_see_until_it_is_revoked() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let bob = stage.add_user("bob@example.org", "acme", Role::User).await;
        let bob = stage.session(bob).await;
        let account = stage.add_account(&ada, "bot").await;
        for (by, owner, name) in
            [(&ada, own(&ada), "ada's"), (&ada, Owner::ServiceAccount(account), "bot's"), (&bob, own(&bob), "bob's")]
        {
            let input = CreateKey { expires_at: Some("2027-02-01T00:00:00Z".to_owned()), ..new_key(owner, name) };
            stage.services.api_keys().create(by, &input).await.unwrap();
        }
        stage.add_key(&ada, own(&ada), "never").await;
        let calendar = stage.services.calendar();
        let names = async |secret: &Secret| {
            let mut names: Vec<_> =
                calendar.read(secret.expose()).await.unwrap().keys.iter().map(|key| key.name.to_string()).collect();
            names.sort();
            names
        };
        let (adas, bobs) = (calendar.create(&ada).await.unwrap(), calendar.create(&bob).await.unwrap());
        assert_eq!(names(&adas).await, ["ada's", "bot's"]);
        assert_eq!(names(&bobs).await, ["bob's"]);
        let feeds = calendar.list(&ada).await.unwrap();
        assert_eq!(feeds, [CalendarFeed { created_at: stage.services.now(), key: None }]);
        let newer = calendar.create(&ada).await.unwrap();
        assert_eq!(code(calendar.read(adas.expose()).await), ErrorCode::NotFound, "replaced");
        calendar.revoke(&ada).await.unwrap();
        assert_eq!(code(calendar.read(newer.expose()).await), ErrorCode::NotFound);
        assert_eq!(code(calendar.revoke(&ada).await), ErrorCode::Conflict);
        assert_eq!(storage::audit::count(stage.services.db(), "create_calendar_feed", stage.admin.0).await.unwrap(), 2);
    });
}

#[test]
fn a_feed_created_with_a_key_covers_what_the_key_may_see_and_ends_with_it() {
    on_both(async |stage| {
        stage.services.admin().create_tenant("Other", "other").await.unwrap();
        let bob = stage.add_user("bob@example.org", "other", Role::User).await;
        let there = stage.session(bob).await;
        let ada = stage.session(stage.admin).await;
        let invitation = stage.services.invitations().invite(&ada, "bob@example.org", Role::User).await.unwrap();
        let key = stage.add_key(&there, own(&there), "other's").await;
        let by_key = stage.by_key(&key).await;
        stage.services.invitations().accept(&by_key, invitation.secret.expose()).await.unwrap();
        let line = AuditQuery { operation: "accept_invitation".to_owned(), ..AuditQuery::default() };
        let line = stage.services.audit_log().list(&ada, &line).await.unwrap().items.remove(0);
        assert_eq!((line.key_id, line.actor_name.as_str()), (Some(key.key.id), "bob"));

        let here = stage.session(bob).await;
        for (actor, name) in [(&here, "in Acme"), (&there, "in Other")] {
            let input = CreateKey { expires_at: Some("2027-02-01T00:00:00Z".to_owned()), ..new_key(own(actor), name) };
            stage.services.api_keys().create(actor, &input).await.unwrap();
        }
        stage.advance(TimeDelta::days(20));
        let here = stage.session(bob).await;
        let actors = stage.services.actors();
        let there = actors.from_session(bob, there.tenant_id(), stage.services.now(), browser()).await.unwrap();
        let calendar = stage.services.calendar();
        let names = async |secret: &Secret| {
            let keys = calendar.read(secret.expose()).await.unwrap().keys;
            let mut names: Vec<_> = keys.iter().map(|key| key.name.to_string()).collect();
            names.sort();
            names
        };
        let (of_bob, of_key) = (calendar.create(&here).await.unwrap(), calendar.create(&by_key).await.unwrap());
        assert_eq!(names(&of_bob).await, ["in Acme", "in Other"]);
        assert_eq!(names(&of_key).await, ["in Other"], "a key can't access other tenants");
        let seen: Vec<_> = calendar.list(&here).await.unwrap().into_iter().map(|feed| feed.key).collect();
        assert_eq!(seen, [None, Some((key.key.id, "other's".to_owned()))]);
        assert_eq!(calendar.list(&by_key).await.unwrap().len(), 1);

        calendar.create(&by_key).await.unwrap();
        assert_eq!(code(calendar.read(of_key.expose()).await), ErrorCode::NotFound, "replaced");
        calendar.revoke(&by_key).await.unwrap();
        assert_eq!(code(calendar.revoke(&by_key).await), ErrorCode::Conflict);
        assert_eq!(names(&of_bob).await.len(), 2, "the key can't revoke it");

        let of_key = calendar.create(&by_key).await.unwrap();
        stage.services.api_keys().suspend(&there, key.key.id).await.unwrap();
        assert_eq!(code(calendar.read(of_key.expose()).await), ErrorCode::NotFound, "suspended");
        stage.services.api_keys().resume(&there, key.key.id).await.unwrap();
        assert_eq!(names(&of_key).await, ["in Other"]);
        stage.services.api_keys().revoke(&there, key.key.id).await.unwrap();
        assert_eq!(code(calendar.read(of_key.expose()).await), ErrorCode::NotFound, "revoked");
        assert_eq!(calendar.list(&here).await.unwrap().len(), 1);

        let second = stage.add_key(&there, own(&there), "second").await;
        let by_key = stage.by_key(&second).await;
        let of_key = calendar.create(&by_key).await.unwrap();
        calendar.revoke(&here).await.unwrap();
        for secret in [&of_bob, &of_key] {
            assert_eq!(code(calendar.read(secret.expose()).await), ErrorCode::NotFound, "the user revokes all of them");
        }
    });
}

#[test]
fn a_users_key_can_create_a_tenant_but_stays_in_its_own() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let key = stage.add_key(&ada, own(&ada), "mine").await;
        let by_key = stage.by_key(&key).await;
        let made = stage.services.tenants().create(&by_key, "Second", "second").await.unwrap();
        let viewer = stage.services.users().viewer(&by_key).await.unwrap();
        assert_eq!(viewer.memberships.iter().map(|one| one.tenant.id).collect::<Vec<_>>(), [stage.tenant]);
        assert_eq!(code(stage.services.users().switch_tenant(&by_key, made.id).await), ErrorCode::Forbidden);
        assert_eq!(stage.services.users().viewer(&ada).await.unwrap().memberships.len(), 2);
        let bot = stage.add_account(&ada, "bot").await;
        let bot = stage.add_key(&ada, Owner::ServiceAccount(bot), "bot's").await;
        let bot = stage.by_key(&bot).await;
        assert_eq!(code(stage.services.tenants().create(&bot, "Third", "third").await), ErrorCode::Forbidden);
    });
}

#[test]
fn of_many_concurrent_invitations_one_stays_open() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let invited = at_once(8, |_| {
            let (services, ada) = (stage.services.clone(), ada.clone());
            async move { services.invitations().invite(&ada, "eve@example.org", Role::User).await.is_ok() }
        })
        .await;
        assert!(invited.into_iter().all(|is_invited| is_invited));
        assert_eq!(stage.services.invitations().list(&ada).await.unwrap().len(), 1);
    });
}

#[test]
fn an_invitation_works_while_the_inviter_is_an_administrator_and_the_invitee_was_not_removed() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let grace_id = stage.add_user("grace@example.org", "acme", Role::TenantAdmin).await;
        let grace = stage.session(grace_id).await;
        let (invitations, members) = (stage.services.invitations(), stage.services.members());
        let issued = invitations.invite(&grace, "eve@example.org", Role::TenantAdmin).await.unwrap();
        let come = async || come_in(&invitations, issued.secret.expose(), "Eve", PASSWORD).await;
        members.change_role(&ada, grace_id, Role::User).await.unwrap();
        assert_eq!(code(invitations.find(issued.secret.expose()).await), ErrorCode::NotFound, "inviter demoted");
        assert_eq!(code(come().await), ErrorCode::NotFound);
        let is_paused =
            async || invitations.list(&ada).await.unwrap().iter().map(|open| open.is_paused).collect::<Vec<_>>();
        assert_eq!(is_paused().await, [true], "it can still be cancelled");
        members.change_role(&ada, grace_id, Role::TenantAdmin).await.unwrap();
        assert_eq!(is_paused().await, [false]);
        come().await.unwrap();

        let bob_id = stage.add_user("bob@example.org", "acme", Role::User).await;
        let spare = invitations.invite(&ada, "rob@example.org", Role::User).await.unwrap();
        stage
            .services
            .admin()
            .create_user("rob@example.org", None, "acme", "USER", &Secret::new(PASSWORD))
            .await
            .unwrap();
        let rob = members
            .list(&ada, &domain::MemberQuery::default())
            .await
            .unwrap()
            .items
            .into_iter()
            .find(|member| member.email.as_str() == "rob@example.org");
        members.remove(&ada, rob.unwrap().user_id).await.unwrap();
        assert_eq!(code(invitations.find(spare.secret.expose()).await), ErrorCode::NotFound, "the member was removed");
        members.remove(&ada, bob_id).await.unwrap();
        let bot = stage.add_account(&ada, "bot").await;
        let key = stage.add_key(&ada, Owner::ServiceAccount(bot), "bot's").await;
        let by_bot = stage.by_key(&key).await;
        let issued = invitations.invite(&by_bot, "kay@example.org", Role::User).await.unwrap();
        invitations.find(issued.secret.expose()).await.unwrap();
        stage.services.service_accounts().delete(&ada, bot).await.unwrap();
        assert_eq!(code(invitations.find(issued.secret.expose()).await), ErrorCode::NotFound);
    });
}

#[test]
fn a_feed_that_is_created_concurrently_is_created_once() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let made = at_once(10, |_| {
            let (services, ada) = (stage.services.clone(), ada.clone());
            async move { services.calendar().create(&ada).await }
        })
        .await;
        let mut working = 0;
        for secret in made.into_iter().map(Result::unwrap) {
            working += usize::from(stage.services.calendar().read(secret.expose()).await.is_ok());
        }
        assert_eq!((working, stage.services.calendar().list(&ada).await.unwrap().len()), (1, 1));
    });
}

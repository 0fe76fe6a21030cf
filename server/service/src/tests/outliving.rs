//! What a key, a session or a member leaves behind when it goes: invitations, calendar links and sessions.

use chrono::TimeDelta;
use domain::{AuditQuery, ErrorCode, IssuedKey, Owner, Role, Secret, ServiceAccountId, SessionId, UserId};

use crate::{Actor, IssuedInvitation, SessionFacts, StoredSession, tests::stage::*};

/// Creates a service account with a key.
async fn bot(stage: &Stage, by: &Actor, name: &str) -> (ServiceAccountId, IssuedKey) {
    let account = stage.add_account(by, name).await;
    (account, stage.add_key(by, Owner::ServiceAccount(account), name).await)
}

async fn invite(stage: &Stage, by: &Actor, email: &str) -> IssuedInvitation {
    stage.services.invitations().invite(by, email, Role::TenantAdmin).await.unwrap()
}

async fn is_open(stage: &Stage, invitation: &IssuedInvitation) -> bool {
    stage.services.invitations().find(invitation.secret.expose()).await.is_ok()
}

#[test]
fn revoking_a_key_cancels_the_invitations_that_it_created_and_names_them_before() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let (_, key) = bot(&stage, &ada, "bot").await;
        let by_key = stage.by_key(&key).await;
        let own_one = invite(&stage, &ada, "ada-invited@example.org").await;
        let of_key = invite(&stage, &by_key, "eve@example.org").await;
        assert_eq!(of_key.invitation.created_by_key, Some(key.key.id));
        let keys = stage.services.api_keys();
        let named = keys.open_invitations(&ada, key.key.id, false).await.unwrap();
        assert_eq!(named.iter().map(|one| one.email.as_str()).collect::<Vec<_>>(), ["eve@example.org"]);

        keys.revoke(&ada, key.key.id).await.unwrap();
        assert!(!is_open(&stage, &of_key).await && is_open(&stage, &own_one).await);
        assert!(keys.open_invitations(&ada, key.key.id, true).await.unwrap().is_empty());
        let query = AuditQuery { subject: Some(of_key.invitation.id.0), ..AuditQuery::default() };
        let log = stage.services.audit_log().list(&ada, &query).await.unwrap().items;
        assert_eq!(log[0].operation, "cancel_invitation");
        assert_eq!(log[0].detail, format!("along with the key {}…, which created it", key.key.hint));
    });
}

#[test]
fn revoking_created_keys_too_cancels_their_invitations() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let (account, key) = bot(&stage, &ada, "bot").await;
        let by_key = stage.by_key(&key).await;
        let child = stage.add_key(&by_key, Owner::ServiceAccount(account), "child").await;
        let of_child = invite(&stage, &stage.by_key(&child).await, "eve@example.org").await;
        let keys = stage.services.api_keys();
        assert!(keys.open_invitations(&ada, key.key.id, false).await.unwrap().is_empty());
        assert_eq!(keys.open_invitations(&ada, key.key.id, true).await.unwrap().len(), 1);
        keys.revoke_with(&ada, key.key.id, true).await.unwrap();
        assert!(!is_open(&stage, &of_child).await);
    });
}

#[test]
fn a_bulk_revocation_cancels_invitations_and_a_suspension_pauses_them() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let (_, key) = bot(&stage, &ada, "bot").await;
        let of_key = invite(&stage, &stage.by_key(&key).await, "eve@example.org").await;
        let keys = stage.services.api_keys();
        keys.suspend(&ada, key.key.id).await.unwrap();
        assert!(!is_open(&stage, &of_key).await);
        assert!(stage.services.invitations().list(&ada).await.unwrap()[0].is_paused);
        keys.resume(&ada, key.key.id).await.unwrap();
        assert!(is_open(&stage, &of_key).await);
        stage.services.inventory().revoke(&ada, &[key.key.id]).await.unwrap();
        assert!(!is_open(&stage, &of_key).await);
        assert!(stage.services.invitations().list(&ada).await.unwrap().is_empty());
    });
}

#[test]
fn a_rotation_keeps_invitations_and_revoking_the_new_key_cancels_them() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let (_, key) = bot(&stage, &ada, "bot").await;
        let of_old = invite(&stage, &stage.by_key(&key).await, "eve@example.org").await;
        let input = domain::api_key::act::RollKey {
            key: key.key.id,
            overlap: "now".to_owned(),
            ..domain::api_key::act::RollKey::default()
        };
        let new = stage.services.rolls().roll(&ada, &input).await.unwrap();
        assert!(is_open(&stage, &of_old).await, "a rotation continues the key");
        let keys = stage.services.api_keys();
        assert_eq!(keys.open_invitations(&ada, new.key.id, false).await.unwrap().len(), 1);
        keys.revoke(&ada, new.key.id).await.unwrap();
        assert!(!is_open(&stage, &of_old).await);
    });
}

#[test]
fn a_key_that_is_revoked_meanwhile_leaves_no_open_invitation() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        for round in 0..10 {
            let (_, key) = bot(&stage, &ada, &format!("bot {round}")).await;
            let by_key = stage.by_key(&key).await;
            let invited = {
                let services = stage.services.clone();
                let email = format!("eve{round}@example.org");
                tokio::spawn(async move { services.invitations().invite(&by_key, &email, Role::User).await })
            };
            stage.services.api_keys().revoke(&ada, key.key.id).await.unwrap();
            if let Ok(invited) = invited.await.unwrap() {
                assert!(!is_open(&stage, &invited).await, "round {round}");
            }
        }
        assert!(stage.services.invitations().list(&ada).await.unwrap().is_empty());
    });
}

#[test]
fn invitations_of_a_removed_member_and_of_a_deleted_account_stay_cancelled() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let bob = stage.add_user("bob@example.org", "acme", Role::TenantAdmin).await;
        let (account, key) = bot(&stage, &ada, "bot").await;
        let of_bob = invite(&stage, &stage.session(bob).await, "b@example.org").await;
        let of_account = invite(&stage, &stage.by_key(&key).await, "c@example.org").await;
        stage.services.members().remove(&ada, bob).await.unwrap();
        stage.services.service_accounts().delete(&ada, account).await.unwrap();
        stage.add_user("bob@example.org", "acme", Role::TenantAdmin).await;
        assert!(!is_open(&stage, &of_bob).await && !is_open(&stage, &of_account).await);
    });
}

fn session_of(stage: &Stage, user: domain::UserId) -> StoredSession {
    StoredSession {
        data: "{}".to_owned(),
        user_id: Some(user),
        expires_at: stage.services.now() + TimeDelta::hours(1),
        facts: None,
        password_mark: None,
        is_without_code: false,
        replaces: None,
    }
}

#[test]
fn a_removed_members_sessions_and_calendar_end_unless_they_are_in_another_tenant() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        stage.services.admin().create_tenant("Other", "other").await.unwrap();
        let bob = stage.add_user("bob@example.org", "acme", Role::User).await;
        let eve = stage.add_user("eve@example.org", "acme", Role::User).await;
        stage.add_user("eve@example.org", "other", Role::User).await;
        let sessions = stage.services.sessions();
        sessions.create(&[1; 32], &session_of(&stage, bob)).await.unwrap();
        sessions.create(&[2; 32], &session_of(&stage, eve)).await.unwrap();
        let calendar = stage.services.calendar();
        let of_bob = calendar.create(&stage.session(bob).await).await.unwrap();
        let of_eve = calendar.create(&stage.session(eve).await).await.unwrap();
        for user in [bob, eve] {
            stage.services.members().remove(&ada, user).await.unwrap();
        }
        assert!(sessions.load(&[1; 32]).await.unwrap().is_none());
        assert!(sessions.load(&[2; 32]).await.unwrap().is_some(), "still a member elsewhere");
        stage.add_user("bob@example.org", "acme", Role::User).await;
        assert!(sessions.load(&[1; 32]).await.unwrap().is_none(), "joining again revives no session");
        assert_eq!(code(calendar.read(of_bob.expose()).await), ErrorCode::NotFound);
        calendar.read(of_eve.expose()).await.unwrap();
    });
}

#[test]
fn a_change_of_the_password_ends_calendar_links_only_if_asked_to() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let (users, calendar) = (stage.services.users(), stage.services.calendar());
        let (old, new) = (Secret::new(PASSWORD), Secret::new("nine quiet herons at noon"));
        let link = calendar.create(&ada).await.unwrap();
        users.change_password(&ada, &old, &new, [1; 32], false).await.unwrap();
        calendar.read(link.expose()).await.unwrap();
        users.change_password(&ada, &new, &old, [1; 32], true).await.unwrap();
        assert_eq!(code(calendar.read(link.expose()).await), ErrorCode::NotFound);
        let log = stage.services.audit_log().list(&ada, &AuditQuery::default()).await.unwrap().items;
        assert_eq!(log[0].operation, "revoke_calendar_feed");
        users.change_password(&ada, &old, &new, [1; 32], true).await.unwrap();
    });
}

/// Begins a stored session, whose cookie has the digest. Returns its id and its actor.
async fn begin(stage: &Stage, user: UserId, digest: [u8; 32]) -> (SessionId, Actor) {
    let now = stage.services.now();
    let id = crate::new_session_id(now);
    let facts = SessionFacts { id, signed_in_at: now, seen_at: now, address: None, user_agent: None };
    let session = StoredSession { facts: Some(facts), ..session_of(stage, user) };
    stage.services.sessions().create(&digest, &session).await.unwrap();
    (id, stage.session(user).await.in_session(id))
}

#[test]
fn ending_a_session_ends_the_invitations_and_the_calendar_link_that_it_made_and_names_them_before() {
    on_both(async |stage| {
        let (users, calendar) = (stage.services.users(), stage.services.calendar());
        let (_, here) = begin(&stage, stage.admin, [1; 32]).await;
        let (other, elsewhere) = begin(&stage, stage.admin, [2; 32]).await;
        let (of_here, of_other) =
            (invite(&stage, &here, "h@example.org").await, invite(&stage, &elsewhere, "t@example.org").await);
        let link = calendar.create(&elsewhere).await.unwrap();
        let named = users.sessions(&here, [1; 32]).await.unwrap();
        let facts = |is_this| {
            let session = named.iter().find(|session| session.is_this == is_this).unwrap();
            (session.invitations.clone(), session.has_calendar_link)
        };
        assert_eq!(facts(true), (vec!["h@example.org".to_owned()], false));
        assert_eq!(facts(false), (vec!["t@example.org".to_owned()], true));

        users.end_session(&here, other).await.unwrap();
        assert!(is_open(&stage, &of_here).await && !is_open(&stage, &of_other).await);
        assert_eq!(code(calendar.read(link.expose()).await), ErrorCode::NotFound);
        assert_eq!(
            code(stage.services.invitations().invite(&elsewhere, "u@example.org", Role::User).await),
            ErrorCode::Unauthenticated
        );
        assert_eq!(code(calendar.create(&elsewhere).await), ErrorCode::Unauthenticated);
        let log = stage.services.audit_log().list(&here, &AuditQuery::default()).await.unwrap().items;
        let told: Vec<_> = log[..3].iter().map(|entry| (entry.operation.as_str(), entry.detail.as_str())).collect();
        let along = "along with the session that created it";
        let expected = [("revoke_calendar_feed", along), ("cancel_invitation", along), ("end_session", "")];
        assert_eq!(told, expected);
        assert!(log[..3].iter().all(|entry| entry.actor_id == Some(stage.admin.0)));
    });
}

#[test]
fn a_new_password_and_signing_out_everywhere_else_end_what_other_sessions_made_and_signing_out_ends_nothing() {
    on_both(async |stage| {
        let (users, sessions) = (stage.services.users(), stage.services.sessions());
        let (old, new) = (Secret::new(PASSWORD), Secret::new("nine quiet herons at noon"));
        let (_, here) = begin(&stage, stage.admin, [1; 32]).await;
        let mine = invite(&stage, &here, "mine@example.org").await;
        for (round, email) in ["a@example.org", "b@example.org", "c@example.org"].into_iter().enumerate() {
            let (_, there) = begin(&stage, stage.admin, [2; 32]).await;
            let invitation = invite(&stage, &there, email).await;
            match round {
                0 => drop(users.change_password(&here, &old, &new, [1; 32], false).await.unwrap()),
                1 => users.end_other_sessions(&here, [1; 32]).await.unwrap(),
                _ => stage.services.admin().change_password("ada@example.org", &old).await.unwrap(),
            }
            assert!(!is_open(&stage, &invitation).await, "{email}");
            assert!(round == 2 || is_open(&stage, &mine).await, "{email}");
        }
        assert!(!is_open(&stage, &mine).await, "the operator ends all sessions");
        let (_, there) = begin(&stage, stage.admin, [3; 32]).await;
        let invitation = invite(&stage, &there, "d@example.org").await;
        sessions.delete(&[3; 32]).await.unwrap();
        assert!(is_open(&stage, &invitation).await, "its user has signed out");
    });
}

#[test]
fn invitations_of_an_ended_session_are_cancelled_in_every_tenant() {
    on_both(async |stage| {
        let other = stage.services.admin().create_tenant("Other", "other").await.unwrap();
        stage.add_user("ada@example.org", "other", Role::TenantAdmin).await;
        let (_, here) = begin(&stage, stage.admin, [1; 32]).await;
        let (id, there) = begin(&stage, stage.admin, [2; 32]).await;
        let (now, actors) = (stage.services.now(), stage.services.actors());
        let in_other = actors.from_session(stage.admin, other, now, browser()).await.unwrap().in_session(id);
        let one = invite(&stage, &there, "one@example.org").await;
        let two = invite(&stage, &in_other, "two@example.org").await;
        stage.services.users().end_session(&here, id).await.unwrap();
        assert!(!is_open(&stage, &one).await && !is_open(&stage, &two).await);
        let query = AuditQuery { operation: "cancel_invitation".to_owned(), ..AuditQuery::default() };
        for (actor, invitation) in [(&here, &one), (&in_other, &two)] {
            let log = stage.services.audit_log().list(actor, &query).await.unwrap().items;
            assert_eq!(
                log.iter().map(|entry| entry.subject_id).collect::<Vec<_>>(),
                [Some(invitation.invitation.id.0)]
            );
        }
    });
}

//! Signing in, switching tenants, and losing rights.

use chrono::TimeDelta;
use domain::{ErrorCode, Member, MemberQuery, Owner, PageRequest, Role, Secret, Total};

use crate::{
    Error, OwnerRef, Services, SetUpInput, Settings, StoredSession, people::throttle::Limits, tests::stage::*,
};

fn refusal<T>(result: crate::Result<T>) -> domain::ApiError {
    match result {
        Err(Error::Api(refusal) | Error::Rule(refusal)) => refusal,
        _ => panic!("not a refusal"),
    }
}

#[test]
fn unknown_addresses_and_wrong_passwords_get_the_same_error() {
    on_both(async |stage| {
        let sessions = stage.services.sessions();
        let done = sessions.sign_in("ADA@example.org ", &Secret::new(PASSWORD), &browser()).await.unwrap();
        assert_eq!((done.user_id, done.tenant_id), (stage.admin, stage.tenant));
        let wrong = refusal(sessions.sign_in("ada@example.org", &Secret::new("wrong"), &browser()).await);
        let unknown = refusal(sessions.sign_in("nobody@example.org", &Secret::new("wrong"), &browser()).await);
        assert_eq!(wrong, unknown);
        assert_eq!(wrong.code, ErrorCode::Unauthenticated);
    });
}

#[test]
fn after_ten_failures_even_the_right_password_must_wait() {
    on_both(async |stage| {
        let sessions = stage.services.sessions();
        for _ in 0..10 {
            refusal(sessions.sign_in("ada@example.org", &Secret::new("wrong"), &browser()).await);
        }
        let limited = refusal(sessions.sign_in("ada@example.org", &Secret::new(PASSWORD), &browser()).await);
        assert_eq!(limited.code, ErrorCode::RateLimited);
        assert!(limited.retry_after.is_some());
        stage.advance(TimeDelta::minutes(5));
        sessions.sign_in("ada@example.org", &Secret::new(PASSWORD), &browser()).await.unwrap();
    });
}

#[test]
fn attempts_are_limited_across_servers_even_when_concurrent() {
    on_both(async |stage| {
        let open = async || Services::open(&Settings::new(&stage.database_url), stage.clock.clone()).await.unwrap();
        let servers = [open().await, open().await];
        let taken = at_once(40, |n| {
            let server = servers[n % 2].clone();
            async move { server.0.throttle.take(&server.0.context, Limits::of("ada")).await.is_ok() }
        })
        .await;
        assert_eq!(taken.into_iter().filter(|is_taken| *is_taken).count(), 10);
        stage.advance(TimeDelta::minutes(5));
        for n in 0..30 {
            let attempt = servers[n % 2].0.throttle.take(&servers[n % 2].0.context, Limits::of("ada")).await.unwrap();
            servers[n % 2].0.throttle.release(&servers[n % 2].0.context, attempt).await.unwrap();
        }
        for server in servers {
            server.close().await;
        }
    });
}

#[test]
fn a_demoted_members_key_has_the_lower_role_from_the_next_request() {
    on_both(async |stage| {
        let bob = stage.add_user("bob@example.org", "acme", Role::TenantAdmin).await;
        let session = stage.session(bob).await;
        let key = stage.add_key(&session, Owner::User(bob), "bob's").await;
        let ada = stage.session(stage.admin).await;
        stage.services.members().change_role(&ada, bob, Role::ReadOnlyUser).await.unwrap();
        let actor = stage.by_key(&key).await;
        assert_eq!(actor.role(), Role::ReadOnlyUser);
    });
}

#[test]
fn a_removed_members_keys_and_sessions_are_refused_from_the_next_request() {
    on_both(async |stage| {
        let bob = stage.add_user("bob@example.org", "acme", Role::User).await;
        let session = stage.session(bob).await;
        let key = stage.add_key(&session, Owner::User(bob), "bob's").await;
        let ada = stage.session(stage.admin).await;
        stage.services.members().remove(&ada, bob).await.unwrap();
        assert!(!stage.is_valid(&key).await);
        assert_eq!(
            refusal(stage.services.actors().from_bearer(key.token.expose(), browser()).await).code,
            ErrorCode::Unauthenticated
        );
        assert_eq!(
            refusal(stage.services.actors().from_session(bob, stage.tenant, stage.services.now(), browser()).await)
                .code,
            ErrorCode::Unauthenticated
        );
        stage
            .services
            .admin()
            .create_user("bob@example.org", None, "acme", "USER", &Secret::new(PASSWORD))
            .await
            .unwrap();
        assert!(!stage.is_valid(&key).await, "rejoining restores no keys");
    });
}

#[test]
fn members_are_listed_by_name_page_by_page_and_found_by_name_address_and_role() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        for (address, name) in [("zo", "zoë"), ("oz", "Özlem"), ("bo", "bob"), ("al", "Alan"), ("ze", "ZED")] {
            let email = format!("{address}@example.org");
            let admin = stage.services.admin();
            admin.create_user(&email, Some(name), "acme", "USER", &Secret::new(PASSWORD)).await.unwrap();
        }
        let list = async |query: &MemberQuery| stage.services.members().list(&ada, query).await.unwrap();
        let names = |members: &[Member]| members.iter().map(|member| member.name.to_string()).collect::<Vec<_>>();
        let (mut query, mut pages) = (MemberQuery::default(), Vec::new());
        query.page.limit = 4;
        let first = list(&query).await;
        query.page.after = first.next.clone();
        let second = list(&query).await;
        pages.extend([names(&first.items), names(&second.items)]);
        assert_eq!(pages, [vec!["ada", "Alan", "bob", "ZED"], vec!["zoë", "Özlem"]]);
        assert!(first.previous.is_none() && second.next.is_none());
        assert_eq!([first.total, second.total], [Some(Total { count: 6, is_exact: true }); 2]);
        query.page = PageRequest { before: second.previous, limit: 4, ..PageRequest::default() };
        assert_eq!(list(&query).await.items, first.items);
        for (search, role, found) in [
            ("ö", None, vec!["Özlem"]),
            ("ZO", None, vec!["zoë"]),
            ("bo@", None, vec!["bob"]),
            ("", Some(Role::TenantAdmin), vec!["ada"]),
            ("%", None, vec![]),
        ] {
            let query = MemberQuery { search: search.to_owned(), role, ..MemberQuery::default() };
            assert_eq!(names(&list(&query).await.items), found, "{search}");
        }
        let foreign = Some(domain::Cursor("x".to_owned()));
        let query = MemberQuery { page: PageRequest { after: foreign, ..PageRequest::default() }, ..query };
        assert_eq!(refusal(stage.services.members().list(&ada, &query).await).code, ErrorCode::BadUserInput);
    });
}

#[test]
fn an_actor_demoted_during_a_request_cannot_create_a_key() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let bob_id = stage.add_user("bob@example.org", "acme", Role::User).await;
        let bob = stage.session(bob_id).await;
        stage.services.members().change_role(&ada, bob_id, Role::ReadOnlyUser).await.unwrap();
        let late = stage.services.api_keys().create(&bob, &new_key(own(&bob), "late")).await;
        assert_eq!(refusal(late).code, ErrorCode::Forbidden);

        let account = stage.add_account(&ada, "bot").await;
        let key = stage.add_key(&ada, Owner::ServiceAccount(account), "bot's").await;
        let bot = stage.by_key(&key).await;
        stage.services.service_accounts().change_role(&ada, account, Role::ReadOnlyUser).await.unwrap();
        let late = stage.services.api_keys().create(&bot, &new_key(own(&bot), "late")).await;
        assert_eq!(refusal(late).code, ErrorCode::Forbidden);
    });
}

#[test]
fn the_operator_cannot_create_a_key_for_a_user_of_another_tenant() {
    on_both(async |stage| {
        stage.services.admin().create_tenant("Other", "other").await.unwrap();
        stage.add_user("bob@example.org", "other", Role::User).await;
        let owner = crate::OwnerRef::User("bob@example.org".to_owned());
        let made = stage.services.admin().create_key("acme", owner, "stray", None).await;
        assert_eq!(refusal(made).code, ErrorCode::NotFound);
    });
}

#[test]
fn two_administrators_who_demote_each_other_leave_one_administrator() {
    on_both(async |stage| {
        for n in 0..20 {
            let email = format!("bob{n}@example.org");
            let bob =
                stage.services.admin().create_user(&email, None, "acme", "USER", &Secret::new(PASSWORD)).await.unwrap();
            stage.services.admin().set_role("acme", &email, "TENANT_ADMIN").await.unwrap();
            let demote = |by: crate::Actor, whom| {
                let services = stage.services.clone();
                tokio::spawn(async move { services.members().change_role(&by, whom, Role::User).await.is_ok() })
            };
            let (ada, bob_session) = (stage.session(stage.admin).await, stage.session(bob).await);
            let (first, second) = (demote(ada, bob), demote(bob_session, stage.admin));
            let done = (first.await.unwrap(), second.await.unwrap());
            assert!(done.0 != done.1, "round {n}: {done:?}");
            if done.1 {
                stage.services.admin().set_role("acme", "ada@example.org", "TENANT_ADMIN").await.unwrap();
                stage.services.admin().set_role("acme", &email, "USER").await.unwrap();
            }
        }
    });
}

#[test]
fn users_can_switch_only_to_their_own_tenants_and_keys_cannot_switch() {
    on_both(async |stage| {
        let other = stage.services.admin().create_tenant("Other", "other").await.unwrap();
        let strange = stage.services.admin().create_tenant("Strange", "strange").await.unwrap();
        stage.add_user("ada@example.org", "other", Role::ReadOnlyUser).await;
        let ada = stage.session(stage.admin).await;
        let viewer = stage.services.users().viewer(&ada).await.unwrap();
        assert_eq!(viewer.memberships.len(), 2);
        assert_eq!(stage.services.users().switch_tenant(&ada, other).await.unwrap(), other);
        assert_eq!(refusal(stage.services.users().switch_tenant(&ada, strange).await).code, ErrorCode::NotFound);
        let key = stage.add_key(&ada, own(&ada), "k").await;
        let by_key = stage.by_key(&key).await;
        assert_eq!(refusal(stage.services.users().switch_tenant(&by_key, other).await).code, ErrorCode::Forbidden);
        assert_eq!(stage.services.users().viewer(&by_key).await.unwrap().memberships.len(), 1);
    });
}

#[test]
fn the_set_up_link_works_only_on_an_empty_database() {
    on_both(async |stage| {
        let secret = stage.services.set_up().issue_token();
        assert!(stage.services.set_up().is_token(secret.expose()) && !stage.services.set_up().is_token("guess"));
        let input = SetUpInput {
            tenant_name: "New".to_owned(),
            slug: "new".to_owned(),
            name: "Eve".to_owned(),
            email: "eve@example.org".to_owned(),
            password: Secret::new(PASSWORD),
        };
        assert!(!stage.services.set_up().is_needed().await.unwrap());
        assert_eq!(refusal(stage.services.set_up().complete(secret.expose(), &input).await).code, ErrorCode::NotFound);
        assert_eq!(refusal(stage.services.set_up().complete("guess", &input).await).code, ErrorCode::NotFound);
        let bad = SetUpInput { slug: "No".to_owned(), password: Secret::new("short"), ..input };
        let told = refusal(stage.services.set_up().complete(secret.expose(), &bad).await);
        assert!(told.at("slug").is_some() && told.at("password").is_some());
    });
}

#[test]
fn changing_the_password_ends_other_sessions_and_keys_cannot_change_it() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let users = stage.services.users();
        let (old, new) = (Secret::new(PASSWORD), Secret::new("nine quiet herons at noon"));
        let sessions = stage.services.sessions();
        let row = |user| StoredSession {
            data: "{}".to_owned(),
            user_id: Some(user),
            expires_at: stage.services.now() + chrono::TimeDelta::hours(1),
            facts: None,
            password_mark: None,
            is_without_code: false,
            replaces: None,
        };
        let ben = stage.add_user("ben@example.org", "acme", Role::User).await;
        for (digest, user) in [([1; 32], stage.admin), ([2; 32], stage.admin), ([3; 32], ben)] {
            sessions.create(&digest, &row(user)).await.unwrap();
        }
        let before = sessions.sign_in("ada@example.org", &old, &browser()).await.unwrap();
        let wrong = Secret::new("not the password at all");
        assert_eq!(code(users.change_password(&ada, &wrong, &new, [1; 32], false).await), ErrorCode::BadUserInput);
        assert_eq!(
            code(users.change_password(&ada, &old, &Secret::new("short"), [1; 32], false).await),
            ErrorCode::BadUserInput
        );
        assert!(sessions.load(&[2; 32]).await.unwrap().is_some());
        users.change_password(&ada, &old, &new, [1; 32], false).await.unwrap();
        assert!(sessions.load(&[1; 32]).await.unwrap().is_some(), "the session that changed it stays");
        assert!(sessions.load(&[2; 32]).await.unwrap().is_none());
        assert!(sessions.load(&[3; 32]).await.unwrap().is_some(), "another user's session stays");
        assert!(sessions.sign_in("ada@example.org", &new, &browser()).await.is_ok());
        assert!(sessions.sign_in("ada@example.org", &old, &browser()).await.is_err());

        let late = StoredSession { password_mark: Some(before.password), ..row(stage.admin) };
        sessions.create(&[4; 32], &late).await.unwrap();
        assert!(sessions.load(&[4; 32]).await.unwrap().is_none(), "the password of its sign-in was changed");
        let now = sessions.sign_in("ada@example.org", &new, &browser()).await.unwrap();
        let good = StoredSession { password_mark: Some(now.password), ..row(stage.admin) };
        sessions.create(&[5; 32], &good).await.unwrap();
        assert!(sessions.load(&[5; 32]).await.unwrap().is_some());

        let key = stage.add_key(&ada, own(&ada), "ci").await;
        let by_key = stage.by_key(&key).await;
        assert_eq!(code(users.change_password(&by_key, &new, &old, [1; 32], false).await), ErrorCode::Forbidden);
        assert_eq!(code(users.end_other_sessions(&by_key, [1; 32]).await), ErrorCode::Forbidden);
        users.rename(&by_key, "Ada King").await.unwrap();
        assert_eq!(users.viewer(&ada).await.unwrap().user.name.as_str(), "Ada King");
    });
}

#[test]
fn members_of_a_tenant_without_administrators_can_still_be_changed_and_removed() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let account = stage.add_account(&ada, "bot").await;
        let bot = stage.add_key(&ada, Owner::ServiceAccount(account), "bot's").await;
        let bot = stage.by_key(&bot).await;
        let bob = stage.add_user("bob@example.org", "acme", Role::User).await;
        let members = stage.services.members();
        assert_eq!(code(members.remove(&bot, stage.admin).await), ErrorCode::Conflict, "the last administrator");
        members.change_role(&bot, bob, Role::ReadOnlyUser).await.unwrap();
        members.remove(&bot, bob).await.unwrap();

        // The command line can create tenants without administrators.
        let lone = stage.services.admin().create_tenant("Lone", "lone").await.unwrap();
        let account = stage.services.admin().create_service_account("lone", "bot", None).await.unwrap();
        let owner = OwnerRef::ServiceAccount(account.to_string());
        let issued = stage.services.admin().create_key("lone", owner, "k", None).await.unwrap();
        let bot = stage.by_key(&issued).await;
        let eve = stage.add_user("eve@example.org", "lone", Role::User).await;
        assert_eq!(bot.tenant_id(), lone);
        members.change_role(&bot, eve, Role::ReadOnlyUser).await.unwrap();
        members.remove(&bot, eve).await.unwrap();
        assert!(members.list(&bot, &MemberQuery::default()).await.unwrap().items.is_empty());
    });
}

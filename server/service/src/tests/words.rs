//! Words that people type: names, searches, email addresses and passwords, in every composition.

use domain::{
    AccountQuery, AuditQuery, ErrorCode, KeyQuery, MemberQuery, Role, Secret,
    api_key::input::ListTenantKeys,
    service_account::input::{CreateAccount, DeleteAccount},
};

use crate::{AcceptSignedOut, Error, tests::stage::*};

/// "Zoë" in composed and in decomposed form.
const COMPOSED: &str = "Zo\u{eb}";
const DECOMPOSED: &str = "Zoe\u{308}";

/// Returns the message of a refusal for a field.
fn message<T>(result: crate::Result<T>, field: &str) -> String {
    match result {
        Err(Error::Api(refusal) | Error::Rule(refusal)) => refusal.at(field).unwrap_or_default().to_owned(),
        Err(other) => panic!("not a refusal: {other:?}"),
        Ok(_) => panic!("accepted"),
    }
}

#[test]
fn every_list_finds_names_in_either_composition_and_in_any_case() {
    on_both(async |stage| {
        let zoe = stage.services.admin();
        zoe.create_user("zoe@example.org", Some(DECOMPOSED), "acme", "TENANT_ADMIN", &Secret::new(PASSWORD))
            .await
            .unwrap();
        let ada = stage.session(stage.admin).await;
        for name in ["ΟΔΟΣΗΜΑ", "Große Straße", "Cafe\u{301} 7"] {
            stage.add_key(&ada, own(&ada), name).await;
            stage.add_account(&ada, name).await;
        }
        let keys = async |search: &str| {
            let query = KeyQuery { search: search.to_owned(), ..KeyQuery::default() };
            let own = stage.services.api_keys().list(&ada, own(&ada), &query).await.unwrap().items.len();
            let all = ListTenantKeys { query, ..ListTenantKeys::default() };
            assert_eq!(
                stage.services.inventory().list(&ada, &all.query, all.inventory).await.unwrap().items.len(),
                own
            );
            own
        };
        let accounts = async |search: &str| {
            let query = AccountQuery { search: search.to_owned(), ..AccountQuery::default() };
            stage.services.service_accounts().list(&ada, &query).await.unwrap().items.len()
        };
        for search in
            ["οδος", "ΟΔΟΣ", "GROSSE STRASSE", "straße", "Strasse", "CAFE\u{301}", "caf\u{e9}\u{A0}7", "ΟΔΟΣΗΜΑ"]
        {
            assert_eq!((keys(search).await, accounts(search).await), (1, 1), "{search}");
        }
        for search in [COMPOSED, DECOMPOSED, "ZO\u{cb}"] {
            let query = MemberQuery { search: search.to_owned(), ..MemberQuery::default() };
            assert_eq!(stage.services.members().list(&ada, &query).await.unwrap().items.len(), 1, "{search}");
        }
        let zoe = stage.session(stage.services.admin().user("zoe@example.org").await.unwrap()).await;
        stage.add_key(&zoe, own(&zoe), "hers").await;
        for search in [COMPOSED, DECOMPOSED] {
            let query = AuditQuery { actor: search.to_owned(), ..AuditQuery::default() };
            assert_eq!(stage.services.audit_log().list(&ada, &query).await.unwrap().items.len(), 1, "{search}");
        }
    });
}

#[test]
fn names_that_mislead_are_refused_at_every_door() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        stage.add_account(&ada, "ci").await;
        for name in [
            "\u{3164}",
            "ci\u{2060}",
            "ci\u{200D}",
            "\u{2800}",
            "\u{301}",
            "Latchkey",
            "Lаtchkey",
            "OPERATOR",
            "(unreadable name)",
        ] {
            let services = &stage.services;
            let key = services.api_keys().create(&ada, &new_key(own(&ada), name)).await;
            let input = CreateAccount { name: name.to_owned(), ..CreateAccount::default() };
            let account = services.service_accounts().create(&ada, &input).await;
            let told = message(key.map(drop), "name");
            assert!(!told.is_empty(), "{name:?}");
            assert_eq!(message(account.map(drop), "name"), told, "{name:?}");
            assert_eq!(message(services.users().rename(&ada, name).await, "name"), told, "{name:?}");
            assert_eq!(
                message(services.tenants().create(&ada, name, "slug").await.map(drop), "name"),
                told,
                "{name:?}"
            );
            assert_eq!(message(services.tenants().rename(&ada, name).await.map(drop), "name"), told, "{name:?}");
            assert_eq!(message(services.admin().create_tenant(name, "slug").await.map(drop), "name"), told, "{name:?}");
        }
        for name in ["👩\u{200D}💻 laptop", "می\u{200C}خواهم", "postgres-operator"] {
            let key = stage.add_key(&ada, own(&ada), name).await;
            assert_eq!(key.key.name.as_str(), name);
        }
    });
}

#[test]
fn an_account_is_deleted_by_its_name_in_either_composition() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        for typed in [DECOMPOSED, COMPOSED, "  Zo\u{eb} "] {
            let account = stage.add_account(&ada, COMPOSED).await;
            let key = stage.add_key(&ada, domain::Owner::ServiceAccount(account), "used").await;
            assert!(stage.is_valid(&key).await);
            stage.services.0.usage.flush(stage.services.db(), stage.services.now()).await.unwrap();
            let delete = async |typed: &str| {
                let input = DeleteAccount { account, confirmation: Some(typed.to_owned()) };
                stage.services.service_accounts().delete_confirmed(&ada, &input).await
            };
            assert!(!message(delete("Zoe").await.map(drop), "confirmation").is_empty());
            delete(typed).await.unwrap();
        }
    });
}

#[test]
fn what_mail_cannot_be_sent_to_is_refused_at_every_door() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        for email in [
            "a\u{200B}b@example.org",
            "a\u{202E}b@example.org",
            "a b@example.org",
            "a@b@c",
            "a..b@example.org",
            "a@192.0.2.1",
        ] {
            let invited =
                message(stage.services.invitations().invite(&ada, email, Role::User).await.map(drop), "email");
            let admin = stage.services.admin();
            let created = admin.create_user(email, None, "acme", "USER", &Secret::new(PASSWORD)).await;
            assert!(!invited.is_empty(), "{email:?}");
            assert_eq!(message(created.map(drop), "email"), invited, "{email:?}");
        }
        for (typed, stored) in [
            ("<Eve@Example.org>", "eve@example.org"),
            ("mailto:fay@example.org", "fay@example.org"),
            ("gil@example.org,", "gil@example.org"),
            ("\u{FEFF}hal@example.org\u{200B}", "hal@example.org"),
            ("ｉａｎ＠ｅｘａｍｐｌｅ.org", "ian@example.org"),
            ("joe@mu\u{308}ller.example", "joe@xn--mller-kva.example"),
        ] {
            let issued = stage.services.invitations().invite(&ada, typed, Role::User).await.unwrap();
            assert_eq!(issued.invitation.email.as_str(), stored);
            let (name, password) = ("New", Secret::new(PASSWORD));
            let accept = AcceptSignedOut { name, password, code: "" };
            stage.services.invitations().accept_signed_out(issued.secret.expose(), &accept, &browser()).await.unwrap();
            for again in [typed, stored] {
                stage.services.sessions().sign_in(again, &Secret::new(PASSWORD), &browser()).await.unwrap();
            }
        }
        let joe =
            stage.services.sessions().sign_in("joe@m\u{fc}ller.example", &Secret::new(PASSWORD), &browser()).await;
        assert!(joe.is_ok());
    });
}

#[test]
fn a_password_signs_in_however_the_keyboard_composes_it() {
    on_both(async |stage| {
        let (composed, decomposed) =
            ("sieben Caf\u{e9}s unterm Kai am Fluss", "sieben Cafe\u{301}s unterm Kai am Fluss");
        let admin = stage.services.admin();
        for (email, set) in [("eve@example.org", composed), ("fay@example.org", decomposed)] {
            admin.create_user(email, None, "acme", "USER", &Secret::new(set)).await.unwrap();
            for typed in [composed, decomposed] {
                stage.services.sessions().sign_in(email, &Secret::new(typed), &browser()).await.unwrap();
            }
            let wrong = Secret::new("sieben Cafes unterm Kai am Fluss");
            let refused = stage.services.sessions().sign_in(email, &wrong, &browser()).await;
            assert_eq!(code(refused), ErrorCode::Unauthenticated);
        }
    });
}

#[test]
fn a_decomposed_tenant_name_has_the_slug_of_the_composed_one() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let tenant = stage.services.tenants().create(&ada, "Cafe\u{301}haus", "").await.unwrap();
        assert_eq!((tenant.name.as_str(), tenant.slug.as_str()), ("Caf\u{e9}haus", "cafehaus"));
        let slug = domain::Slug::chosen("", "Caf\u{e9}haus").unwrap();
        assert_eq!(tenant.slug, slug);
    });
}

#[test]
fn an_address_is_shown_beside_names_that_look_alike() {
    on_both(async |stage| {
        let admin = stage.services.admin();
        let named = async |email: &str, name: &str| {
            admin.create_user(email, Some(name), "acme", "TENANT_ADMIN", &Secret::new(PASSWORD)).await.unwrap()
        };
        let grace = named("grace@example.org", "Grace Hopper").await;
        // With a Cyrillic letter.
        let eve = named("eve@example.org", "Grаce Hopper").await;
        let (grace, eve, ada) =
            (stage.session(grace).await, stage.session(eve).await, stage.session(stage.admin).await);
        let keys = [
            stage.add_key(&grace, own(&grace), "a").await,
            stage.add_key(&eve, own(&eve), "b").await,
            stage.add_key(&ada, own(&ada), "c").await,
        ];
        let keys = keys.map(|key| key.key);
        let members = stage.services.members();
        let beside = members.namesakes_of_keys(&ada, &keys).await.unwrap();
        let shown = keys.each_ref().map(|key| (beside.beside_owner(key), beside.beside_creator(key)));
        let (of_grace, of_eve) = (Some("grace@example.org"), Some("eve@example.org"));
        assert_eq!(shown, [(of_grace, of_grace), (of_eve, of_eve), (None, None)]);

        // Whoever acted under another name is named, too.
        stage.services.users().rename(&eve, "Eve").await.unwrap();
        let entries = stage.services.audit_log().list(&ada, &AuditQuery::default()).await.unwrap().items;
        let beside = members.namesakes_of_entries(&ada, &entries).await.unwrap();
        for entry in entries.iter().filter(|entry| entry.operation == "create_api_key") {
            let expected = match entry.actor_name.as_str() {
                "Grace Hopper" => of_grace,
                "ada" => None,
                _ => of_eve,
            };
            assert_eq!(beside.beside(entry.actor_id, &entry.actor_name), expected, "{}", entry.actor_name);
        }
    });
}

//! Importing many keys at once: every line is checked before the first key is created.

use std::collections::BTreeSet;

use domain::{
    ApiKey, AuditQuery, InventoryQuery, KeyFilter, KeyQuery, Owner, PageRequest, Role,
    api_key::input::{CreateKey, SetKeyPolicy},
    scope::SetScope,
};

use crate::{
    ImportLine, Imported, KnownToken, MAX_DESCRIBED,
    digest::sha256,
    storage::{self, db::read},
    tests::stage::*,
};

fn token_of(number: usize) -> String {
    format!("sk_live_{number:032}")
}

/// Returns a line for a key of a service account, whose token has the line's number.
fn line(number: usize, owner: &str) -> ImportLine {
    let token = KnownToken::of_sha256(sha256(token_of(number).as_bytes()), Some("sk_live_00")).unwrap();
    let key = CreateKey { name: format!("key {number}"), ..CreateKey::default() };
    ImportLine { number, tenant: "acme".to_owned(), owner: owner.to_owned(), token, key }
}

async fn import(stage: &Stage, lines: Vec<ImportLine>, skip_invalid: bool) -> Imported {
    let mut import = stage.services.admin().begin_import().await.unwrap();
    for line in lines {
        import.add(line).await.unwrap();
    }
    import.run(skip_invalid).await.unwrap()
}

async fn accepts(stage: &Stage, number: usize) -> bool {
    stage.services.verification().verify(&token_of(number), &browser()).await.unwrap().is_some()
}

/// Returns the numbers of the rejected lines, and what their errors are about.
fn rejections(done: &Imported) -> Vec<(usize, String)> {
    let member = |error: &domain::ApiError| error.fields.first().map(|field| field.field.clone()).unwrap_or_default();
    done.rejected.first.iter().map(|line| (line.number, member(&line.error))).collect()
}

async fn count(stage: &Stage, statement: &'static str) -> i64 {
    let db = stage.services.db();
    read!(db, c => sqlx::query_scalar(statement).fetch_one(c)).unwrap()
}

async fn keys(stage: &Stage) -> Vec<ApiKey> {
    let admin = stage.session(stage.admin).await;
    let page = PageRequest { limit: 100, ..PageRequest::default() };
    let query = KeyQuery { filter: KeyFilter::All, page, ..KeyQuery::default() };
    stage.services.inventory().list(&admin, &query, InventoryQuery::default()).await.unwrap().items
}

#[test]
fn keys_are_imported_with_everything_that_their_lines_say_and_an_import_can_be_repeated() {
    on_both(async |stage| {
        let admin = stage.session(stage.admin).await;
        let account = stage.add_account(&admin, "Deployer").await;
        stage.services.admin().create_tenant("Other", "other").await.unwrap();
        stage.add_user("olga@example.org", "other", Role::User).await;
        for scope in ["orders:read", "orders:write"] {
            let (scope, description) = (scope.to_owned(), "orders".to_owned());
            let input = SetScope { scope, description, least_role: Some(Role::ReadOnlyUser), ..<_>::default() };
            stage.services.admin().set_scope(&input).await.unwrap();
        }
        let lines = || {
            let mut full = line(3, &account.to_string());
            full.key.scopes = Some("orders:write orders:read".to_owned());
            full.key.expires_at = Some("2027-03-01T00:00:00Z".to_owned());
            full.key.allowed_addresses = Some("192.0.2.0/24".to_owned());
            full.key.rate_limit = Some("100".to_owned());
            full.key.rate_window = Some("60".to_owned());
            let other = ImportLine { tenant: "other".to_owned(), ..line(4, "olga@example.org") };
            vec![line(1, "ada@example.org"), line(2, "Deployer"), full, other]
        };
        let before = count(&stage, "SELECT COUNT(*) FROM audit_log").await;
        let mut preview = stage.services.admin().begin_import().await.unwrap();
        for line in lines() {
            preview.add(line).await.unwrap();
        }
        assert_eq!(preview.preview(), Imported { imported: 4, ..Imported::default() });
        drop(preview);
        assert_eq!(count(&stage, "SELECT COUNT(*) FROM api_keys").await, 0, "a preview changes nothing");
        assert_eq!(count(&stage, "SELECT COUNT(*) FROM audit_log").await, before);

        assert_eq!(import(&stage, lines(), false).await, Imported { imported: 4, ..Imported::default() });
        for number in 1..=4 {
            assert!(accepts(&stage, number).await, "{number}");
        }
        let found = keys(&stage).await;
        assert_eq!(found.len(), 3);
        let full = found.iter().find(|key| key.name.as_str() == "key 3").unwrap();
        assert_eq!((full.owner, full.hint.as_str()), (Owner::ServiceAccount(account), "sk_live_00"));
        assert_eq!(full.scopes.set().unwrap().to_string(), "orders:read orders:write");
        assert_eq!(full.expires_at, Some("2027-03-01T00:00:00Z".parse().unwrap()));
        assert!(full.limits.rate.is_some() && full.limits.addresses.is_some() && full.imported_at.is_some());
        let history = stage.services.api_keys().history(&admin, full.id, &AuditQuery::default()).await.unwrap().items;
        let [entry] = &history[..] else { panic!("{history:?}") };
        assert_eq!((entry.operation.as_str(), entry.channel.as_str()), ("create_api_key", "cli"));
        assert!(
            entry.detail.starts_with("key sk_live_00…") && entry.detail.ends_with("; imported"),
            "{}",
            entry.detail
        );
        assert_eq!(entry.actor_name, "Operator");
        assert!(stage.services.admin().check().await.unwrap().is_empty(), "the chain of the audit log is intact");

        let again = import(&stage, lines(), false).await;
        assert_eq!(again, Imported { skipped: 4, ..Imported::default() });
        assert_eq!(count(&stage, "SELECT COUNT(*) FROM api_keys").await, 4);
    });
}

#[test]
fn nothing_is_imported_if_one_line_is_wrong_unless_such_lines_are_left_out() {
    on_both(async |stage| {
        let admin = stage.session(stage.admin).await;
        stage.add_account(&admin, "Deployer").await;
        let gone = stage.add_account(&admin, "Gone").await;
        stage.services.service_accounts().delete(&admin, gone).await.unwrap();
        stage.add_user("rita@example.org", "acme", Role::ReadOnlyUser).await;
        stage.services.admin().create_tenant("Other", "other").await.unwrap();
        stage.add_user("olga@example.org", "other", Role::User).await;
        import(&stage, vec![line(1, "ada@example.org"), line(2, "ada@example.org")], false).await;
        let revoked = keys(&stage).await.into_iter().find(|key| key.name.as_str() == "key 2").unwrap();
        stage.services.api_keys().revoke(&admin, revoked.id).await.unwrap();

        let wrong = |number: usize, change: fn(&mut ImportLine)| {
            let mut line = line(number, "Deployer");
            change(&mut line);
            line
        };
        let of_other = |number: usize, token: usize| ImportLine { number, ..line(token, "Deployer") };
        let lines = || {
            vec![
                line(10, "Deployer"),
                line(11, "Nobody"),
                line(12, "nobody@example.org"),
                line(13, "olga@example.org"),
                line(14, &gone.to_string()),
                line(15, "rita@example.org"),
                wrong(16, |line| line.tenant = "nowhere".to_owned()),
                wrong(17, |line| line.key.name = "\u{202e}".to_owned()),
                wrong(18, |line| line.key.name = token_of(18)),
                wrong(19, |line| line.key.expires_at = Some("2026-12-31T00:00:00Z".to_owned())),
                wrong(20, |line| line.key.scopes = Some("orders:read".to_owned())),
                wrong(21, |line| line.key.allowed_addresses = Some("nowhere".to_owned())),
                wrong(22, |line| line.key.rate_limit = Some("0".to_owned())),
                of_other(23, 10),
                of_other(24, 1),
                of_other(25, 2),
                line(26, "Deployer"),
            ]
        };
        let expected = [
            (11, "owner"),
            (12, "owner"),
            (13, "owner"),
            (14, "owner"),
            (15, "owner"),
            (16, "tenant"),
            (17, "name"),
            (18, "name"),
            (19, "expires_at"),
            (20, "scopes"),
            (21, "allowed_addresses"),
            (22, "rate_limit"),
            // The same token as line 10, a key of another owner, and a revoked one.
            (23, "sha256"),
            (24, ""),
            (25, ""),
        ];
        let done = import(&stage, lines(), false).await;
        assert_eq!(rejections(&done), expected.map(|(number, member)| (number, member.to_owned())));
        assert_eq!((done.imported, done.is_incomplete), (0, false));
        assert!(!accepts(&stage, 10).await && !accepts(&stage, 26).await);
        let done = import(&stage, lines(), true).await;
        assert_eq!((done.imported, done.skipped, done.rejected.count), (2, 0, expected.len()));
        assert!(accepts(&stage, 10).await && accepts(&stage, 26).await && !accepts(&stage, 2).await);
        let text = format!("{:?}", done.rejected);
        assert!(text.contains("was revoked on") && text.contains("of another owner") && !text.contains(&token_of(18)));
    });
}

#[test]
fn key_policies_and_the_number_of_keys_hold_for_all_lines_together() {
    on_both(async |stage| {
        let admin = stage.session(stage.admin).await;
        stage.add_account(&admin, "Deployer").await;
        stage.set_key_limit(&admin, 3).await;
        import(&stage, vec![line(1, "Deployer")], false).await;
        let lines = || (1..=5).map(|number| line(number, "Deployer")).collect::<Vec<_>>();
        let done = import(&stage, lines(), false).await;
        assert_eq!((done.imported, done.skipped), (0, 1));
        assert_eq!(done.rejected.first.iter().map(|line| line.number).collect::<Vec<_>>(), [4, 5]);
        let done = import(&stage, lines(), true).await;
        assert_eq!((done.imported, done.skipped, done.rejected.count), (2, 1, 2));
        let policy = SetKeyPolicy { policy: "expiry_required".to_owned(), ..SetKeyPolicy::default() };
        stage.services.tenant_policies().set(&admin, &policy).await.unwrap();
        let done = import(&stage, vec![line(6, "ada@example.org")], false).await;
        assert_eq!(rejections(&done), [(6, "expires_at".to_owned())]);
        let many = (100..100 + MAX_DESCRIBED + 7).map(|number| line(number, "Nobody")).collect();
        let done = import(&stage, many, true).await;
        assert_eq!((done.rejected.first.len(), done.rejected.count), (MAX_DESCRIBED, MAX_DESCRIBED + 7));
    });
}

#[test]
fn what_changes_between_the_check_and_the_import_ends_it_and_repeating_it_continues() {
    on_both(async |stage| {
        let admin = stage.session(stage.admin).await;
        let account = stage.add_account(&admin, "Deployer").await;
        let begin = async || {
            let mut import = stage.services.admin().begin_import().await.unwrap();
            for number in 1..=3 {
                import.add(line(number, "Deployer")).await.unwrap();
            }
            import.add(line(4, "ada@example.org")).await.unwrap();
            import
        };
        let import = begin().await;
        stage.set_key_limit(&admin, 2).await;
        let done = import.run(false).await.unwrap();
        assert_eq!(
            (done.imported, done.is_incomplete, done.rejected.count),
            (0, true, 1),
            "nothing of the transaction"
        );
        stage.set_key_limit(&admin, 5).await;
        let import = begin().await;
        assert_eq!(begin().await.run(false).await.unwrap().imported, 4);
        assert_eq!(import.run(false).await.unwrap(), Imported { skipped: 4, ..Imported::default() });

        let mut import = stage.services.admin().begin_import().await.unwrap();
        import.add(line(5, "Deployer")).await.unwrap();
        import.add(line(6, "ada@example.org")).await.unwrap();
        stage.services.service_accounts().delete(&admin, account).await.unwrap();
        let done = import.run(true).await.unwrap();
        assert_eq!((done.imported, done.rejected.count, done.is_incomplete), (1, 1, false));
        assert!(!accepts(&stage, 5).await && accepts(&stage, 6).await);
    });
}

#[test]
fn many_keys_are_imported_while_others_change_something() {
    const KEYS: usize = 900;
    on_both(async |stage| {
        let admin = stage.session(stage.admin).await;
        for name in ["One", "Two", "Three"] {
            stage.add_account(&admin, name).await;
        }
        let mut import = stage.services.admin().begin_import().await.unwrap();
        for number in 0..KEYS {
            import.add(line(number, ["One", "Two", "Three"][number % 3])).await.unwrap();
        }
        let (services, by) = (stage.services.clone(), admin.clone());
        let others = tokio::spawn(async move {
            let mut made = 0;
            for number in 0..30 {
                let input = CreateKey { name: format!("other {number}"), ..new_key(own(&by), "") };
                services.api_keys().create(&by, &input).await.unwrap();
                made += 1;
            }
            made
        });
        let begun = std::time::Instant::now();
        let done = import.run(false).await.unwrap();
        println!("{KEYS} keys in {:?}", begun.elapsed());
        assert_eq!((done.imported, done.rejected.count), (KEYS, 0));
        assert_eq!(others.await.unwrap(), 30);
        let digests: BTreeSet<bool> = BTreeSet::from([accepts(&stage, 0).await, accepts(&stage, KEYS - 1).await]);
        assert_eq!(digests, BTreeSet::from([true]));
        let entries = storage::audit::count(stage.services.db(), "create_api_key", keys(&stage).await[0].id.0).await;
        assert_eq!(entries.unwrap(), 1);
        assert!(stage.services.admin().check().await.unwrap().is_empty());
    });
}

//! The audit log: what it records, who may read it, and that tampering with it is detected.

use domain::{
    AuditQuery, ErrorCode, Owner, PageRequest, Role, Secret,
    api_key::act::RollKey,
    api_key::input::SetKeyPolicy,
    audit::{Outcome, Resource},
};

use crate::{
    ChainReport, OwnerRef,
    storage::{Db, audit},
    tests::stage::*,
};

async fn run(stage: &Stage, sql: &'static str) {
    match stage.services.db() {
        Db::Sqlite { writer, .. } => {
            sqlx::query(sql).execute(&mut writer.connect().await.unwrap()).await.unwrap();
        }
        Db::Postgres(pg) => {
            sqlx::query(sql).execute(&mut *pg.connect().await.unwrap()).await.unwrap();
        }
    }
}

/// Renumbers and rehashes every entry and updates the heads, as an attacker with full write access would.
async fn rechain(stage: &Stage) {
    macro_rules! execute {
        ($query:expr) => {
            match stage.services.db() {
                Db::Sqlite { writer, .. } => {
                    $query.execute(&mut writer.connect().await.unwrap()).await.unwrap();
                }
                Db::Postgres(pg) => {
                    $query.execute(&mut *pg.connect().await.unwrap()).await.unwrap();
                }
            }
        };
    }
    let db = stage.services.db();
    for head in audit::list_heads(db).await.unwrap() {
        let (mut seq, mut previous) = (0, [0; 32]);
        for mut row in audit::list_chain(db, head.tenant_id, 0, 100).await.unwrap() {
            seq += 1;
            (row.seq, row.previous_hash) = (seq, previous.to_vec());
            let hash = row.digest();
            execute!(
                sqlx::query("UPDATE audit_log SET seq = $2, previous_hash = $3, hash = $4 WHERE id = $1")
                    .bind(row.id)
                    .bind(seq)
                    .bind(previous.as_slice())
                    .bind(hash.as_slice())
            );
            previous = hash;
        }
        execute!(
            sqlx::query("UPDATE audit_heads SET seq = $2, hash = $3 WHERE tenant_id = $1")
                .bind(head.tenant_id)
                .bind(seq)
                .bind(previous.as_slice())
        );
    }
}

async fn problems(stage: &Stage, expected: &[String]) -> Vec<String> {
    let reports = stage.services.audit_log().verify(expected).await.unwrap();
    reports.into_iter().flat_map(|report| report.problems).collect()
}

async fn report(stage: &Stage) -> ChainReport {
    let reports = stage.services.audit_log().verify(&[]).await.unwrap();
    reports.into_iter().find(|report| report.slug.as_deref() == Some("acme")).unwrap()
}

/// Writes entries until Acme's chain has six. Returns the chain's head as `audit verify` prints it.
async fn six_entries(stage: &Stage) -> String {
    let ada = stage.session(stage.admin).await;
    for name in ["a", "b", "c", "d"] {
        stage.add_key(&ada, own(&ada), name).await;
    }
    let report = report(stage).await;
    assert_eq!((report.entries, report.problems.len()), (6, 0), "tenant, user, four keys");
    format!("acme:{}:{}", report.entries, report.head)
}

#[test]
fn a_changed_entry_is_detected() {
    for sql in [
        "UPDATE audit_log SET actor_name = 'Eve' WHERE seq = 3",
        "UPDATE audit_log SET detail = '' WHERE seq = 3",
        "UPDATE audit_log SET at = at + 1 WHERE seq = 3",
        "UPDATE audit_log SET outcome = 'refused' WHERE seq = 3",
        "UPDATE audit_log SET address = NULL WHERE seq = 3",
        "UPDATE audit_log SET subject_id = actor_id WHERE seq = 3",
    ] {
        on_both(async |stage| {
            six_entries(&stage).await;
            run(&stage, sql).await;
            assert_eq!(problems(&stage, &[]).await, ["entry 3 was changed"], "{sql}");
        });
    }
}

#[test]
fn deleted_moved_and_added_entries_are_detected() {
    on_both(async |stage| {
        six_entries(&stage).await;
        run(&stage, "DELETE FROM audit_log WHERE seq = 3").await;
        let found = problems(&stage, &[]).await;
        assert_eq!(found, ["entry 3 is missing"]);
    });
    on_both(async |stage| {
        six_entries(&stage).await;
        for sql in [
            "UPDATE audit_log SET seq = 99 WHERE seq = 3",
            "UPDATE audit_log SET seq = 3 WHERE seq = 4",
            "UPDATE audit_log SET seq = 4 WHERE seq = 99",
        ] {
            run(&stage, sql).await;
        }
        let found = problems(&stage, &[]).await;
        assert!(found.contains(&"entry 3 was changed".to_owned()), "{found:?}");
        assert!(found.contains(&"entry 4 doesn't follow the one before it".to_owned()), "{found:?}");
    });
    on_both(async |stage| {
        six_entries(&stage).await;
        run(&stage, "UPDATE audit_log SET seq = 0 WHERE seq = 3").await;
        let found = problems(&stage, &[]).await;
        assert!(found.iter().any(|problem| problem.contains("outside any chain")), "{found:?}");
        assert!(found.contains(&"entry 3 is missing".to_owned()), "{found:?}");
    });
}

#[test]
fn each_chain_is_verified_every_hour_and_the_administrators_see_the_result() {
    on_both(async |stage| {
        six_entries(&stage).await;
        let ada = stage.session(stage.admin).await;
        let (log, now) = (stage.services.audit_log(), stage.clock.now());
        log.check_due(now).await.unwrap();
        let first = log.last_check(&ada).await.unwrap().unwrap();
        assert_eq!((first.at, first.problem), (now, None));
        assert!(first.entries >= 6, "{}", first.entries);
        run(&stage, "UPDATE audit_log SET actor_name = 'Mallory' WHERE seq = 2").await;
        let later = stage.advance(chrono::TimeDelta::minutes(59));
        log.check_due(later).await.unwrap();
        assert_eq!(log.last_check(&ada).await.unwrap().unwrap().at, now, "verified again within the hour");
        let later = stage.advance(chrono::TimeDelta::minutes(1));
        log.check_due(later).await.unwrap();
        let second = log.last_check(&ada).await.unwrap().unwrap();
        assert_eq!((second.at, second.problem.as_deref()), (later, Some("entry 2 was changed")));
        let reader = stage.add_user("rita@example.org", "acme", Role::ReadOnlyUser).await;
        let reader = stage.session(reader).await;
        assert_eq!(code(log.last_check(&reader).await), ErrorCode::Forbidden);
    });
}

#[test]
fn a_truncated_chain_is_detected_by_its_head_and_a_rewritten_one_by_an_earlier_printout() {
    on_both(async |stage| {
        six_entries(&stage).await;
        run(&stage, "DELETE FROM audit_log WHERE seq > 4").await;
        assert_eq!(problems(&stage, &[]).await, ["the chain ends with entry 4; its head says 6"]);
    });
    on_both(async |stage| {
        six_entries(&stage).await;
        let acme = "(SELECT id FROM tenants WHERE slug = 'acme')";
        let hash = format!("(SELECT a.hash FROM audit_log a WHERE a.seq = 4 AND a.tenant_id = {acme})");
        let sql = format!("UPDATE audit_heads SET seq = 4, hash = {hash} WHERE tenant_id = {acme}");
        run(&stage, sql.leak()).await;
        let found = problems(&stage, &[]).await;
        assert_eq!(found, ["there are entries after entry 4, where the chain's head says it ends"]);
    });
    on_both(async |stage| {
        let printed = six_entries(&stage).await;
        assert!(problems(&stage, std::slice::from_ref(&printed)).await.is_empty());
        // An attacker with full write access removes an entry and rebuilds the chain from the others.
        run(&stage, "DELETE FROM audit_log WHERE seq = 3").await;
        rechain(&stage).await;
        assert!(problems(&stage, &[]).await.is_empty());
        let ada = stage.session(stage.admin).await;
        stage.add_key(&ada, own(&ada), "e").await;
        assert_eq!(problems(&stage, &[printed]).await, ["entry 6 isn't the expected one"]);
        assert_eq!(problems(&stage, &[format!("gone:1:{}", "0".repeat(64))]).await, ["the whole chain is missing"]);
        assert_eq!(code(stage.services.audit_log().verify(&["x".to_owned()]).await), ErrorCode::BadUserInput);
    });
}

#[test]
fn a_chain_deleted_with_its_head_is_detected_and_one_that_grows_meanwhile_raises_no_alarm() {
    on_both(async |stage| {
        six_entries(&stage).await;
        let growing = {
            let (services, ada) = (stage.services.clone(), stage.session(stage.admin).await);
            tokio::spawn(async move {
                for n in 0..40 {
                    services.api_keys().create(&ada, &new_key(own(&ada), &format!("k{n}"))).await.unwrap();
                }
            })
        };
        while !growing.is_finished() {
            assert!(problems(&stage, &[]).await.is_empty());
        }
        growing.await.unwrap();
        run(&stage, "DELETE FROM audit_heads").await;
        let found = problems(&stage, &[]).await.join("; ");
        assert!(found.contains("outside any chain") && found.contains("including its head"), "{found}");
        run(&stage, "DELETE FROM audit_log").await;
        assert_eq!(problems(&stage, &[]).await, ["the whole chain is missing, including its head"]);
    });
}

#[test]
fn refusals_by_a_rule_or_for_a_wrong_password_are_audited() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let before = stage.add_key(&ada, own(&ada), "before").await;
        let wrong = Secret::new("not the password at all");
        assert_eq!(code(stage.services.users().confirm(&ada, &wrong, "").await), ErrorCode::BadUserInput);
        stage.services.users().confirm(&ada, &Secret::new(PASSWORD), "").await.unwrap();
        let policy = SetKeyPolicy { policy: "service_accounts_only".to_owned(), ..SetKeyPolicy::default() };
        stage.services.tenant_policies().set(&ada, &policy).await.unwrap();
        let refused = stage.services.api_keys().create(&ada, &new_key(own(&ada), "mine")).await;
        assert_eq!(code(refused), ErrorCode::Forbidden);
        let roll = RollKey { key: before.key.id, ..RollKey::default() };
        assert_eq!(code(stage.services.rolls().roll(&ada, &roll).await), ErrorCode::Forbidden);
        let account = stage.add_account(&ada, "bot").await;
        let policy = SetKeyPolicy { policy: "expiry_required".to_owned(), ..SetKeyPolicy::default() };
        stage.services.tenant_policies().set(&ada, &policy).await.unwrap();
        let endless = new_key(domain::Owner::ServiceAccount(account), "endless");
        assert_eq!(code(stage.services.api_keys().create(&ada, &endless).await), ErrorCode::BadUserInput);
        let gone = stage.services.members().remove(&ada, stage.admin).await;
        assert_eq!(code(gone), ErrorCode::Conflict, "the last administrator");
        let lines = stage.services.audit_log().list(&ada, &AuditQuery::default()).await.unwrap().items;
        let lines: Vec<_> = lines.iter().filter(|line| line.operation != "create_service_account").collect();
        let lines: Vec<_> = lines.iter().map(|line| (line.operation.as_str(), line.outcome)).take(8).collect();
        let (done, refused) = (Outcome::Done, Outcome::Refused);
        let expected = [
            ("remove_member", refused),
            ("create_api_key", refused),
            ("set_tenant_policy", done),
            ("roll_api_key", refused),
            ("create_api_key", refused),
            ("set_tenant_policy", done),
            ("confirm_sign_in", done),
            ("confirm_sign_in", refused),
        ];
        assert_eq!(lines, expected);
    });
}

#[test]
fn refusals_are_audited_but_cannot_flood_the_log() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let bob = stage.add_user("bob@example.org", "acme", Role::User).await;
        let bob = stage.session(bob).await;
        let key = stage.add_key(&ada, own(&ada), "mine").await;
        assert_eq!(code(stage.services.api_keys().revoke(&bob, key.key.id).await), ErrorCode::Forbidden);
        assert_eq!(code(stage.services.audit_log().list(&bob, &AuditQuery::default()).await), ErrorCode::Forbidden);
        let refused = AuditQuery { outcome: Some(Outcome::Refused), ..AuditQuery::default() };
        let lines = stage.services.audit_log().list(&ada, &refused).await.unwrap().items;
        let seen: Vec<_> = lines.iter().map(|line| (line.operation.as_str(), line.actor_name.as_str())).collect();
        assert_eq!(seen, [("audit_log", "bob"), ("delete_api_key", "bob")]);
        assert_eq!((lines[1].subject_kind.as_str(), lines[1].subject_id), ("api_key", Some(key.key.id.0)));

        for _ in 0..100 {
            stage.services.service_accounts().list(&bob, &domain::AccountQuery::default()).await.unwrap_err();
        }
        let query = AuditQuery { page: PageRequest { limit: 100, ..PageRequest::default() }, ..refused };
        let accounts = async || {
            let lines = stage.services.audit_log().list(&ada, &query).await.unwrap().items;
            lines
                .into_iter()
                .filter(|line| line.operation == "service_accounts")
                .map(|line| line.detail)
                .collect::<Vec<_>>()
        };
        assert_eq!(accounts().await, [""; 30], "each has its own entry");
        stage.services.0.context.audit().write_deferred(Some(stage.services.now())).await;
        assert_eq!(accounts().await.len(), 30, "the minute isn't over");
        let later = stage.advance(chrono::TimeDelta::minutes(1));
        stage.services.0.context.audit().write_deferred(Some(later)).await;
        stage.services.0.context.audit().write_deferred(Some(later)).await;
        let lines = accounts().await;
        assert_eq!((lines.len(), lines[0].as_str()), (31, "the last of 70 further denied attempts in this minute"));

        let bob = stage.session(bob.user_id().unwrap()).await;
        for _ in 0..31 {
            stage.services.service_accounts().list(&bob, &domain::AccountQuery::default()).await.unwrap_err();
        }
        assert_eq!(accounts().await.len(), 61);
        stage.services.0.context.audit().write_deferred(None).await;
        assert_eq!(accounts().await.len(), 62, "a server writes what it deferred before it stops");
        assert!(problems(&stage, &[]).await.is_empty());
    });
}

#[test]
fn entries_are_found_by_actor_operation_key_and_time_and_paginated() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let bob = stage.add_user("bob@example.org", "acme", Role::User).await;
        let bob = stage.session(bob).await;
        let start = stage.services.now();
        for name in ["a", "b", "c"] {
            stage.add_key(&ada, own(&ada), name).await;
        }
        let later = stage.advance(chrono::TimeDelta::hours(1));
        let bob = stage.session(bob.user_id().unwrap()).await;
        let key = stage.add_key(&bob, own(&bob), "bob's").await;
        stage.services.api_keys().rename(&bob, key.key.id, "other").await.unwrap();
        let log = stage.services.audit_log();
        let count = async |query: AuditQuery| log.list(&ada, &query).await.unwrap().items.len();
        assert_eq!(count(AuditQuery { actor: "BO".to_owned(), ..AuditQuery::default() }).await, 2);
        assert_eq!(count(AuditQuery { actor: own(&bob).to_string(), ..AuditQuery::default() }).await, 2);
        assert_eq!(count(AuditQuery { operation: "create_api_key".to_owned(), ..AuditQuery::default() }).await, 4);
        assert_eq!(count(AuditQuery { subject: Some(key.key.id.0), ..AuditQuery::default() }).await, 2);
        assert_eq!(count(AuditQuery { from: Some(later), ..AuditQuery::default() }).await, 2);
        assert_eq!(count(AuditQuery { from: Some(start), until: Some(later), ..AuditQuery::default() }).await, 6);

        let mut query =
            AuditQuery { page: PageRequest { limit: 3, ..PageRequest::default() }, ..AuditQuery::default() };
        let mut numbers = Vec::new();
        loop {
            let page = log.list(&ada, &query).await.unwrap();
            numbers.extend(page.items.iter().map(|line| line.number));
            let Some(next) = page.next else { break };
            query.page.after = Some(next);
        }
        assert_eq!(numbers, [8, 7, 6, 5, 4, 3, 2, 1]);
        let history = stage.services.api_keys().history(&bob, key.key.id, &AuditQuery::default()).await.unwrap().items;
        assert_eq!(
            history.iter().map(|line| line.operation.as_str()).collect::<Vec<_>>(),
            ["rename_api_key", "create_api_key"]
        );
        assert_eq!(log.get(&ada, history[0].id).await.unwrap(), history[0]);
    });
}

#[test]
fn entries_are_found_by_a_name_in_any_script_and_case() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        stage.services.users().rename(&ada, "Ähre_Öz").await.unwrap();
        let ada = stage.session(stage.admin).await;
        stage.add_key(&ada, own(&ada), "mine").await;
        let found = async |text: &str| {
            let query = AuditQuery { actor: text.to_owned(), ..AuditQuery::default() };
            stage.services.audit_log().list(&ada, &query).await.unwrap().items.len()
        };
        assert_eq!((found("äHRE_ö").await, found("ähreö").await, found("Ähre%").await), (1, 0, 0));
        assert_eq!((found("äHRE").await, found("operator").await), (1, 2));
    });
}

#[test]
fn concurrent_changes_form_one_unbroken_chain() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let made = at_once(100, |n| {
            let (services, ada) = (stage.services.clone(), ada.clone());
            let input = new_key(own(&ada), &format!("k{n}"));
            async move { services.api_keys().create(&ada, &input).await.is_ok() }
        })
        .await;
        assert!(made.into_iter().all(|is_made| is_made));
        let report = report(&stage).await;
        assert_eq!((report.entries, report.problems.len()), (102, 0));
    });
}

#[test]
fn entries_for_the_operators_changes_to_a_users_key_name_the_operator_and_the_user() {
    on_both(async |stage| {
        let admin = stage.services.admin();
        admin.rename_user("ada@example.org", "Ada").await.unwrap();
        let owner = OwnerRef::User("ada@example.org".to_owned());
        let key = admin.create_key("acme", owner, "laptop", None).await.unwrap();
        let (operator, id) = admin.key_context("acme", key.key.id).await.unwrap();
        let roll = RollKey { key: id, ..RollKey::default() };
        let new = stage.services.rolls().roll(&operator, &roll).await.unwrap();
        assert_eq!((key.key.created_by.as_str(), key.key.owner), ("Operator", Owner::User(stage.admin)));
        let ada = stage.session(stage.admin).await;
        let query = AuditQuery { actor: "operator".to_owned(), ..AuditQuery::default() };
        let entries = stage.services.audit_log().list(&ada, &query).await.unwrap().items;
        let of_keys = entries.iter().filter(|entry| entry.subject_kind == "api_key");
        let told: Vec<_> = of_keys.map(|entry| (entry.operation.as_str(), entry.detail.as_str())).collect();
        let expected = [
            ("create_api_key", format!("for Ada, key {}…, replaces {}…", new.key.hint, key.key.hint)),
            ("roll_api_key", format!("for Ada, replaced by {}…, grace period 24 hours", new.key.hint)),
            ("create_api_key", format!("for Ada, key {}…", key.key.hint)),
        ];
        assert_eq!(told, expected.each_ref().map(|(operation, detail)| (*operation, detail.as_str())));
        for entry in &entries {
            assert_eq!((entry.actor_kind.as_str(), entry.actor_id), ("operator", None));
            assert_eq!((entry.actor_name.as_str(), entry.channel.as_str()), ("Operator", "cli"));
        }
    });
}

#[test]
fn a_denied_attempt_names_what_it_was_about() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let bob = stage.add_user("bob@example.org", "acme", Role::User).await;
        let bob = stage.session(bob).await;
        let laptop = stage.add_key(&ada, own(&ada), "Laptop").await.key.id;
        let account = stage.add_account(&ada, "Deployer").await;
        let services = &stage.services;
        assert_eq!(code(services.api_keys().revoke(&bob, laptop).await), ErrorCode::Forbidden);
        assert_eq!(code(services.service_accounts().delete(&bob, account).await), ErrorCode::Forbidden);
        assert_eq!(code(services.members().remove(&bob, stage.admin).await), ErrorCode::Forbidden);
        let theirs = new_key(Owner::ServiceAccount(account), "mine");
        assert_eq!(code(services.api_keys().create(&bob, &theirs).await), ErrorCode::Forbidden);
        assert_eq!(code(services.audit_log().list(&bob, &AuditQuery::default()).await), ErrorCode::Forbidden);
        // A user of another tenant isn't named: an administrator here must not learn who they are.
        services.admin().create_tenant("Other", "other").await.unwrap();
        let eve = stage.add_user("eve@example.org", "other", Role::User).await;
        assert_eq!(code(services.members().remove(&bob, eve).await), ErrorCode::Forbidden);

        let refused = AuditQuery { outcome: Some(Outcome::Refused), ..AuditQuery::default() };
        let entries = services.audit_log().list(&ada, &refused).await.unwrap().items;
        let sentences: Vec<_> = entries.iter().map(domain::AuditEntry::sentence).collect();
        let expected = [
            "bob tried to remove unknown from the tenant and was denied.",
            "bob tried to view the audit log and was denied.",
            "bob tried to create a key for Deployer and was denied.",
            "bob tried to remove ada from the tenant and was denied.",
            "bob tried to delete the service account “Deployer” and was denied.",
            "bob tried to revoke the key “Laptop” and was denied.",
        ];
        assert_eq!(sentences, expected);

        let resources = services.audit_log().resources(&ada, &entries).await.unwrap();
        let found: Vec<_> = entries.iter().map(|entry| resources.of(entry).cloned()).collect();
        let expected = [
            None,
            None,
            Some(Resource::Account(account)),
            Some(Resource::Member(stage.admin)),
            Some(Resource::Account(account)),
            Some(Resource::UserKey(laptop)),
        ];
        assert_eq!(found, expected);
        assert_eq!(code(services.audit_log().resources(&bob, &entries).await), ErrorCode::Forbidden);
    });
}

#[test]
fn activity_counts_the_entries_of_each_day_in_the_own_tenant() {
    on_both(async |stage| {
        let first = stage.services.now().date_naive();
        let count = async |stage: &Stage| {
            let ada = stage.session(stage.admin).await;
            stage.services.audit_log().activity(&ada, 3).await.unwrap()
        };
        let before = count(&stage).await;
        assert_eq!(before.days.iter().map(|day| (day.done, day.denied)).collect::<Vec<_>>(), [(0, 0), (0, 0), (2, 0)]);
        stage.services.admin().create_tenant("Other", "other").await.unwrap();
        let bob = stage.add_user("bob@example.org", "acme", Role::User).await;
        stage.advance(chrono::TimeDelta::days(2));
        let bob = stage.session(bob).await;
        let ada = stage.session(stage.admin).await;
        for name in ["a", "b"] {
            stage.add_key(&ada, own(&ada), name).await;
        }
        assert_eq!(code(stage.services.audit_log().activity(&bob, 3).await), ErrorCode::Forbidden);
        let after = count(&stage).await;
        assert_eq!(after.days.iter().map(|day| (day.done, day.denied)).collect::<Vec<_>>(), [(3, 0), (0, 0), (2, 1)]);
        assert_eq!((after.days[0].day, after.is_capped), (first, false));
        stage.advance(chrono::TimeDelta::days(1));
        assert_eq!(count(&stage).await.days[0].done, 0, "older days are left out");
    });
}

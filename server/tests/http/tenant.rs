//! Managing a tenant by GraphQL with only a key, and by plain forms.

use axum::body::Body;
use chrono::TimeDelta;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use service::testing::Crowd;

use crate::support::{PASSWORD, Stage, on_both, token_in};

/// Sends a query and returns its data.
async fn ask(stage: &Stage, token: &str, query: &str, variables: Value) -> Value {
    let answer = stage.graphql(token, query, variables).await.json();
    assert_eq!(answer["errors"], Value::Null, "{query}: {answer}");
    answer["data"].clone()
}

/// Sends a query and returns the error code of its refusal.
async fn refused(stage: &Stage, token: &str, query: &str) -> String {
    let answer = stage.graphql(token, query, json!({})).await.json();
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned()
}

async fn with_bearer(stage: &Stage, path: &str, token: &str) -> crate::support::Answer {
    let request = Request::get(path).header("authorization", format!("Bearer {token}"));
    stage.send(request.body(Body::empty()).unwrap()).await
}

#[test]
fn a_key_can_roll_a_key_and_see_its_usage() {
    on_both(async |stage: Stage| {
        let (_, root) = stage.key_of_account("root").await;
        let (account, old) = stage.key_of_account("bot").await;
        let keys = ask(
            &stage,
            &root,
            "query($id: String) { api_keys(owner_id: $id) { items { id } } }",
            json!({"id": account}),
        )
        .await;
        let id = keys["api_keys"]["items"][0]["id"].as_str().unwrap().to_owned();
        let roll = "mutation($id: String!) { roll_api_key(input: {key_id: $id, overlap: \"24h\"}) { id token } }";
        let new = ask(&stage, &root, roll, json!({"id": id})).await;
        let token = new["roll_api_key"]["token"].as_str().unwrap().to_owned();
        assert!(stage.is_valid(&old).await && stage.is_valid(&token).await);
        let one = "query($id: String!) { api_key(id: $id) { replaced_by overlap_until ends_on_use created_channel } api_key_usage(id: $id) { clients { address use_count } hours { use_count refusals } } }";
        let seen = ask(&stage, &root, one, json!({"id": id})).await;
        assert_eq!(seen["api_key"]["replaced_by"], new["roll_api_key"]["id"]);
        assert_eq!(seen["api_key"]["overlap_until"], "2027-01-02T00:00:00Z");
        assert_eq!(seen["api_key_usage"]["clients"][0]["address"], "192.0.2.7");
        ask(
            &stage,
            &root,
            "mutation($id: String!) { extend_roll(id: $id, overlap: \"7d\") { overlap_until } }",
            json!({"id": id}),
        )
        .await;
        ask(&stage, &root, "mutation($id: String!) { finish_roll(id: $id) { state } }", json!({"id": id})).await;
        assert!(!stage.is_valid(&old).await && stage.is_valid(&token).await);
        assert_eq!(
            refused(&stage, &root, &format!("mutation {{ cancel_roll(id: \"{id}\") {{ state }} }}")).await,
            "CONFLICT"
        );
        assert_eq!(
            refused(
                &stage,
                &root,
                &format!("mutation {{ roll_api_key(input: {{key_id: \"{id}\", overlap: \"soon\"}}) {{ id }} }}")
            )
            .await,
            "BAD_USER_INPUT"
        );
    });
}

#[test]
fn a_key_can_invite_set_policies_and_list_all_keys() {
    on_both(async |stage: Stage| {
        let (_, root) = stage.key_of_account("root").await;
        let ada = stage.key_of_ada().await;
        let invite = "mutation { invite_member(email: \"eve@example.org\", role: USER) { id link mailed } }";
        let made = ask(&stage, &root, invite, json!({})).await;
        let link = made["invite_member"]["link"].as_str().unwrap().to_owned();
        assert!(link.starts_with("http://127.0.0.1:3000/invitations/"), "{link}");
        let open = ask(&stage, &root, "{ invitations { id email role } }", json!({})).await;
        assert_eq!(open["invitations"][0]["email"], "eve@example.org");
        let path = link.strip_prefix("http://127.0.0.1:3000").unwrap();
        let page = stage.get(path, "").await;
        assert!(page.status == StatusCode::OK && page.text.contains("Join Acme"), "{}", page.text);
        let joined = stage.post_form(path, "", "name=Eve&password=seven+lamps+under+the+pier").await;
        assert_eq!(joined.status, StatusCode::SEE_OTHER, "{}", joined.text);
        assert_eq!(stage.get(path, "").await.status, StatusCode::NOT_FOUND);

        let preview = "query { policy_preview(input: {policy: \"expiry_required\"}) { count keys { name } } }";
        assert_eq!(ask(&stage, &root, preview, json!({})).await["policy_preview"]["count"], 2);
        let set = "mutation { set_tenant_policy(input: {policy: \"max_lifetime\", days: 30}) { days effective_from } }";
        assert_eq!(ask(&stage, &root, set, json!({})).await["set_tenant_policy"]["days"], 30);
        let create = "mutation($id: String!) { create_api_key(input: {user_id: $id, name: \"endless\"}) { id } }";
        let answer = stage.graphql(&ada, create, json!({"id": stage.ada.to_string()})).await.json();
        assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{answer}");
        let all = "{ tenant_api_keys(show: \"against_policy\", sort: \"name\", direction: \"asc\") { items { id name owner_name } } }";
        let all = ask(&stage, &root, all, json!({})).await;
        let items = all["tenant_api_keys"]["items"].as_array().unwrap().clone();
        assert_eq!(items.iter().map(|key| key["name"].as_str().unwrap()).collect::<Vec<_>>(), ["ada's", "main"]);
        let ids: Vec<_> = items.iter().filter(|key| key["name"] == "ada's").map(|key| key["id"].clone()).collect();
        let suspend = "mutation($ids: [String!]!) { suspend_api_keys(key_ids: $ids) { count } }";
        assert_eq!(ask(&stage, &root, suspend, json!({"ids": ids})).await["suspend_api_keys"]["count"], 1);
        assert!(!stage.is_valid(&ada).await);
        ask(&stage, &root, "mutation { clear_tenant_policy(policy: \"max_lifetime\") { success } }", json!({})).await;
        assert_eq!(ask(&stage, &root, "{ tenant_policies { policy } }", json!({})).await["tenant_policies"], json!([]));
        ask(&stage, &root, "mutation { rename_tenant(name: \"Acme Robotics\") { name slug } }", json!({})).await;
        for not_a_bots in [
            "mutation { create_tenant(name: \"X\", slug: \"x\") { id } }",
            "mutation { confirm_sign_in(password: \"x\") { success } }",
            "mutation { begin_second_factor { secret } }",
            "mutation { end_other_sessions { success } }",
            "mutation { create_calendar_feed { link } }",
            "{ sessions { id } }",
        ] {
            assert_eq!(refused(&stage, &root, not_a_bots).await, "FORBIDDEN", "{not_a_bots}");
        }
    });
}

#[test]
fn a_users_key_can_do_what_the_user_can_except_change_how_they_sign_in() {
    on_both(async |stage: Stage| {
        let ada = stage.key_of_ada().await;
        stage.sign_in().await;
        let renamed = ask(&stage, &ada, "mutation { update_profile(name: \"Ada L.\") { name } }", json!({})).await;
        assert_eq!(renamed["update_profile"]["name"], "Ada L.");
        let sessions = ask(&stage, &ada, "{ sessions { id is_this } }", json!({})).await;
        assert_eq!(sessions["sessions"].as_array().unwrap().len(), 1);
        assert_eq!(sessions["sessions"][0]["is_this"], false);
        let tenant = "mutation { create_tenant(name: \"Second\", slug: \"second\") { slug role } }";
        let tenant = ask(&stage, &ada, tenant, json!({})).await;
        assert_eq!(tenant["create_tenant"], json!({"slug": "second", "role": "TENANT_ADMIN"}));

        let feed = ask(&stage, &ada, "mutation { create_calendar_feed { link } }", json!({})).await;
        let link = feed["create_calendar_feed"]["link"].as_str().unwrap().to_owned();
        let path = link.strip_prefix("http://127.0.0.1:3000").unwrap();
        assert_eq!(stage.get(path, "").await.status, StatusCode::OK);
        let viewer = "{ viewer { tenants { slug } second_factor { enabled_at } calendar_feeds { key_id } } }";
        let viewer = ask(&stage, &ada, viewer, json!({})).await;
        assert_eq!(viewer["viewer"]["tenants"], json!([{"slug": "acme"}]), "a key stays in its tenant");
        assert_eq!(viewer["viewer"]["second_factor"], Value::Null);
        assert!(viewer["viewer"]["calendar_feeds"][0]["key_id"].is_string());
        ask(&stage, &ada, "mutation { revoke_calendar_feed { success } }", json!({})).await;
        assert_eq!(stage.get(path, "").await.status, StatusCode::NOT_FOUND);

        for guarded in [
            "mutation { change_password(current_password: \"x\", new_password: \"y\") { success } }",
            "mutation { confirm_sign_in(password: \"x\") { success } }",
            "mutation { begin_second_factor { secret } }",
            "mutation { enable_second_factor(code: \"1\") { codes } }",
            "mutation { disable_second_factor { success } }",
            "mutation { renew_recovery_codes { codes } }",
            "mutation { end_other_sessions { success } }",
            "mutation { end_session(id: \"00000000-0000-7000-8000-000000000000\") { success } }",
        ] {
            assert_eq!(refused(&stage, &ada, guarded).await, "FORBIDDEN", "{guarded}");
        }
    });
}

#[test]
fn the_audit_log_is_read_and_exported_by_key_and_by_session_but_only_by_administrators() {
    on_both(async |stage: Stage| {
        let (_, root) = stage.key_of_account("root").await;
        let lines = ask(
            &stage,
            &root,
            "{ audit_log(operation: \"create_api_key\") { items { number operation actor_kind channel hash } } }",
            json!({}),
        )
        .await;
        assert_eq!(lines["audit_log"]["items"][0]["channel"], "cli");
        let jsonl = with_bearer(&stage, "/api/v1/audit-log.jsonl", &root).await;
        assert_eq!(
            (jsonl.status, jsonl.header("content-disposition")),
            (StatusCode::OK, "attachment; filename=\"audit-log.jsonl\"")
        );
        let rows: Vec<Value> = jsonl.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(rows.len(), 5, "tenant, user, account, key, and this export: {}", jsonl.text);
        assert_eq!((&rows[0]["detail"], &rows[0]["channel"]), (&json!("exported as JSONL"), &json!("rest")));
        let csv = with_bearer(&stage, "/api/v1/audit-log.csv?operation=create_user", &root).await;
        assert_eq!(csv.text.lines().count(), 2);
        let mut names: Vec<&str> = rows[0].as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        let mut columns: Vec<&str> = csv.text.lines().next().unwrap().split(',').collect();
        assert!(columns.starts_with(&["number", "id", "at", "operation", "result"]), "{}", csv.text);
        let line = jsonl.text.lines().next().unwrap();
        let places: Vec<_> = columns.iter().map(|name| line.find(&format!("\"{name}\":"))).collect();
        assert!(places.is_sorted() && places[0].is_some(), "the same order in both formats: {columns:?}");
        columns.sort_unstable();
        assert_eq!(columns, names, "each value is below its name");
        let for_excel = with_bearer(&stage, "/api/v1/audit-log.csv?operation=create_user&bom=1", &root).await;
        assert_eq!(for_excel.text.strip_prefix('\u{FEFF}'), Some(csv.text.as_str()));
        let twice = with_bearer(&stage, "/api/v1/audit-log.csv?operation=a&operation=b", &root).await;
        assert_eq!(
            (twice.status, twice.header("content-type")),
            (StatusCode::BAD_REQUEST, "application/problem+json"),
            "{}",
            twice.text
        );
        assert_eq!(twice.json()["status"], 400);
        let cookie = stage.sign_in().await;
        assert_eq!(stage.get("/api/v1/audit-log.csv", &cookie).await.status, StatusCode::OK);
        assert_eq!(stage.get("/api/v1/audit-log.csv", "").await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(with_bearer(&stage, "/api/v1/audit-log.txt", &root).await.status, StatusCode::NOT_FOUND);
        let reader = stage.services.admin().create_service_account("acme", "reader", Some("USER")).await.unwrap();
        let issued = stage
            .services
            .admin()
            .create_key("acme", service::OwnerRef::ServiceAccount(reader.to_string()), "r", None)
            .await
            .unwrap();
        assert_eq!(
            with_bearer(&stage, "/api/v1/audit-log.csv", issued.token.expose()).await.status,
            StatusCode::FORBIDDEN
        );
        let refusals =
            ask(&stage, &root, "{ audit_log(result: \"refused\") { items { operation actor_name } } }", json!({}))
                .await;
        assert_eq!(refusals["audit_log"]["items"], json!([{"operation": "audit_log", "actor_name": "reader"}]));
    });
}

#[test]
fn a_head_request_for_an_export_exports_nothing() {
    on_both(async |stage: Stage| {
        let (_, root) = stage.key_of_account("root").await;
        let head = async |authorization: String| {
            let request = Request::head("/api/v1/audit-log.csv?operation=create_user");
            stage.send(request.header("authorization", authorization).body(Body::empty()).unwrap()).await
        };
        let answer = head(format!("Bearer {root}")).await;
        assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, ""));
        assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8; header=present");
        assert_eq!(answer.header("content-disposition"), "attachment; filename=\"audit-log.csv\"");
        assert!(!answer.headers.contains_key("content-length"), "the length is unknown: {:?}", answer.headers);
        assert_eq!(head("Bearer nobody".to_owned()).await.status, StatusCode::UNAUTHORIZED);
        let exports = ask(&stage, &root, "{ audit_log(operation: \"audit_log\") { items { id } } }", json!({})).await;
        assert_eq!(exports["audit_log"]["items"], json!([]));
    });
}

#[test]
fn every_operation_in_the_log_is_an_option_of_the_pages_filter() {
    on_both(async |stage: Stage| {
        let (_, root) = stage.key_of_account("root").await;
        let cookie = stage.sign_in().await;
        let jsonl = with_bearer(&stage, "/api/v1/audit-log.jsonl", &root).await;
        let page = stage.get("/team/audit-log?operation=from_elsewhere", &cookie).await;
        for line in jsonl.text.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let option = format!("<option value=\"{}\"", line["operation"].as_str().unwrap());
            assert!(page.text.contains(&option), "{option}");
        }
        assert!(jsonl.text.contains("\"sign_in\"") && jsonl.text.contains("\"create_user\""), "{}", jsonl.text);
        assert!(page.text.contains("<option value=\"from_elsewhere\" selected"), "{}", page.text);
    });
}

#[test]
fn the_history_of_a_key_is_visible_to_everyone_who_may_see_the_key() {
    on_both(async |stage: Stage| {
        let admin = stage.services.admin();
        let password = domain::Secret::new(PASSWORD);
        admin.create_user("eve@example.org", Some("Eve"), "acme", "USER", &password).await.unwrap();
        let owner = |email: &str| service::OwnerRef::User(email.to_owned());
        let own = admin.create_key("acme", owner("eve@example.org"), "own", None).await.unwrap();
        let foreign = admin.create_key("acme", owner("ada@example.org"), "foreign", None).await.unwrap();
        let (eve, ada, id) = (own.token.expose(), foreign.token.expose(), own.key.id.to_string());
        let rename = "mutation($id: String!) { rename_api_key(id: $id, name: \"other\") { name } }";
        ask(&stage, eve, rename, json!({"id": id})).await;
        let history = "query($id: String!, $after: String) { api_key_history(id: $id, after: $after, limit: 1) { items { operation result actor_name channel } next } }";
        let newest = ask(&stage, eve, history, json!({"id": id})).await["api_key_history"].clone();
        let line = json!({"operation": "rename_api_key", "result": "done", "actor_name": "Eve", "channel": "graphql"});
        assert_eq!(newest["items"], json!([line]));
        let first = ask(&stage, eve, history, json!({"id": id, "after": newest["next"]})).await;
        let line = json!({"operation": "create_api_key", "result": "done", "actor_name": "Operator", "channel": "cli"});
        assert_eq!(first["api_key_history"], json!({"items": [line], "next": null}));
        assert_eq!(ask(&stage, ada, history, json!({"id": id})).await["api_key_history"], newest);

        let of = |id: &str| format!("{{ api_key_history(id: \"{id}\") {{ items {{ id }} }} }}");
        assert_eq!(refused(&stage, eve, &of(&foreign.key.id.to_string())).await, "FORBIDDEN");
        assert_eq!(refused(&stage, eve, &of("00000000-0000-7000-8000-000000000000")).await, "NOT_FOUND");
        assert_eq!(refused(&stage, eve, &of("none")).await, "NOT_FOUND");
    });
}

#[test]
fn a_long_audit_log_is_exported_completely() {
    on_both(async |stage: Stage| {
        let (_, root) = stage.key_of_account("root").await;
        for n in 0..250 {
            stage.services.admin().create_service_account("acme", &format!("a{n}"), None).await.unwrap();
        }
        let jsonl = with_bearer(&stage, "/api/v1/audit-log.jsonl", &root).await;
        let numbers: Vec<u64> = jsonl
            .text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["number"].as_u64().unwrap())
            .collect();
        assert_eq!(numbers, (1..=255).rev().collect::<Vec<_>>());
    });
}

#[test]
fn an_old_sign_in_is_confirmed_in_the_form_itself_and_no_input_is_lost() {
    on_both(async |stage: Stage| {
        let cookie = stage.sign_in().await;
        stage.clock.set(stage.services.now() + TimeDelta::minutes(11));
        let form = "name=laptop&expiry=30d";
        let asked = stage.submit("/user/api-keys/new", &cookie, form).await;
        assert_eq!(asked.status, StatusCode::FORBIDDEN);
        assert!(asked.text.contains("confirm_password") && asked.text.contains("value=\"laptop\""), "{}", asked.text);
        let wrong =
            stage.submit("/user/api-keys/new", &cookie, &format!("{form}&confirm_password=wrong-wrong-wrong")).await;
        assert!(wrong.text.contains("Incorrect password."), "{}", wrong.text);
        assert!(!wrong.text.contains("wrong-wrong-wrong"));
        let made = stage
            .submit("/user/api-keys/new", &cookie, &format!("{form}&confirm_password=seven+lamps+under+the+pier"))
            .await;
        assert!(made.status == StatusCode::OK && token_in(&made.text).is_some(), "{}", made.text);
        let cookie = made.cookies()[0].split(';').next().unwrap().to_owned();
        let fresh = stage.get("/user/api-keys/new", &cookie).await;
        assert!(!fresh.text.contains("confirm_password"), "the session is confirmed");
        let again =
            stage.submit("/user/api-keys/new", &cookie, &format!("{form}&confirm_password=wrong-wrong-wrong")).await;
        assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(
            again.text.contains("name=\"confirm_password\"") && again.text.contains("Incorrect password."),
            "the wrong password is reported although the sign-in is recent: {}",
            again.text
        );
    });
}

#[test]
fn a_calendar_has_every_key_however_many_there_are() {
    on_both(async |stage: Stage| {
        // One of five expires soon, and one in 300 days, which is suspended. They are read 500 at a time.
        let crowd = Crowd { accounts: 2, keys: 1_500 };
        service::testing::fill(&stage.services, "acme", crowd).await.unwrap();
        let ada = stage.key_of_ada().await;
        let feed = ask(&stage, &ada, "mutation { create_calendar_feed { link } }", json!({})).await;
        let link = feed["create_calendar_feed"]["link"].as_str().unwrap().to_owned();
        let path = link.strip_prefix("http://127.0.0.1:3000").unwrap();
        let calendar = stage.get(path, "").await.text;
        let events: Vec<&str> = calendar.split("BEGIN:VEVENT").skip(1).collect();
        let id = |event: &&str| event.split("\r\nUID:").nth(1).unwrap().split("\r\n").next().unwrap().to_owned();
        let ids: std::collections::HashSet<String> = events.iter().map(id).collect();
        assert_eq!((events.len(), ids.len()), (600, 600));
        assert!(calendar.trim_end().ends_with("END:VCALENDAR"));
    });
}

#[test]
fn a_calendar_can_be_read_only_by_its_secret_link() {
    on_both(async |stage: Stage| {
        let cookie = stage.sign_in().await;
        let admin = stage.services.admin();
        let owner = service::OwnerRef::User("ada@example.org".to_owned());
        admin.create_key("acme", owner, "Küche; a, b", Some("2027-03-01T12:00:00Z")).await.unwrap();
        let shown = stage.submit("/user/calendar/create", &cookie, "").await;
        let link = shown
            .text
            .split("http://127.0.0.1:3000/calendar/")
            .nth(1)
            .unwrap()
            .split(".ics")
            .next()
            .unwrap()
            .to_owned();
        let feed = stage.get(&format!("/calendar/{link}.ics"), "").await;
        assert_eq!((feed.status, feed.header("content-type")), (StatusCode::OK, "text/calendar; charset=utf-8"));
        assert!(
            feed.text.contains("DTSTART:20270301T120000Z")
                && feed.text.contains("SUMMARY:API key Küche\\; a\\, b expires"),
            "{}",
            feed.text
        );
        assert!(token_in(&feed.text).is_none());
        assert_eq!(stage.get("/calendar/guess.ics", "").await.status, StatusCode::NOT_FOUND);
        stage.submit("/user/calendar/revoke", &cookie, "").await;
        assert_eq!(stage.get(&format!("/calendar/{link}.ics"), "").await.status, StatusCode::NOT_FOUND);
    });
}

//! The requests of the Prefect clients, verbatim where the exact text matters, and the responses that they expect.

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::support::{Stage, on_both};

/// Sends a query as those clients do: to the root path, with the variables as a string and the clients' headers.
async fn ask(stage: &Stage, token: &str, query: &str, variables: Value, headers: &[(&str, &str)]) -> Value {
    let body = json!({"query": query, "variables": variables.to_string()}).to_string();
    let mut request = Request::post("/")
        .header("content-type", "application/json")
        .header("x-prefect-core-version", "1.4.1")
        .header("authorization", format!("Bearer {token}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = stage.send(request.body(Body::from(body)).unwrap()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert!(!answer.text.contains("API_ERROR"), "clients would retry");
    answer.json()
}

fn unauthenticated(field: &str) -> Value {
    json!({"data": null, "errors": [{"message": "AuthenticationError: Forbidden", "path": [field],
        "extensions": {"code": "UNAUTHENTICATED"}}]})
}

#[test]
fn logging_in_finds_the_keys_tenant_and_no_other() {
    on_both(async |stage: Stage| {
        stage.services.admin().create_tenant("Other", "other").await.unwrap();
        let (account, token) = stage.key_of_account("bot").await;
        let info =
            ask(&stage, &token, "query { auth_info { tenant_id user_id api_token_scope } }", Value::Null, &[]).await;
        let tenant = info["data"]["auth_info"]["tenant_id"].as_str().unwrap().to_owned();
        assert_eq!(
            info["data"]["auth_info"],
            json!({"tenant_id": tenant, "user_id": account, "api_token_scope": "RUNNER"})
        );
        let here = [("x-prefect-tenant-id", tenant.as_str())];
        let row = json!([{"id": tenant, "slug": "acme", "name": "Acme"}]);
        let by_id = format!(r#"query {{ tenant(where: {{ id: {{ _eq: "{tenant}" }} }}) {{ id slug name }} }}"#);
        assert_eq!(ask(&stage, &token, &by_id, Value::Null, &here).await["data"]["tenant"], row);
        let listed =
            ask(&stage, &token, "query { tenant(order_by: {slug: asc}) { id slug name } }", Value::Null, &here).await;
        assert_eq!(listed["data"]["tenant"], row, "a key acts in its own tenant only");

        let switch =
            "query($slug: String, $id: uuid) { tenant(where: {slug: { _eq: $slug }, id: { _eq: $id } }) { id } }";
        for (variables, found) in [
            (json!({"slug": null, "id": tenant}), true),
            (json!({"slug": "acme", "id": null}), true),
            (json!({"slug": "other", "id": null}), false),
            (json!({"slug": null, "id": "no uuid"}), false),
        ] {
            let answer = ask(&stage, &token, switch, variables, &here).await;
            assert_eq!(answer["data"]["tenant"].as_array().unwrap().len(), usize::from(found), "{answer}");
        }
        for wrong in ["00000000-0000-4000-8000-000000000000", "x"] {
            let answer = ask(
                &stage,
                &token,
                "query { auth_info { tenant_id } }",
                Value::Null,
                &[("x-prefect-tenant-id", wrong)],
            )
            .await;
            assert_eq!(answer, unauthenticated("auth_info"));
        }
        let person = stage.key_of_ada().await;
        let scope = ask(&stage, &person, "query { auth_info { api_token_scope } }", Value::Null, &[]).await;
        assert_eq!(scope["data"]["auth_info"]["api_token_scope"], "USER");
    });
}

#[test]
fn an_agent_registers_polls_and_is_cut_off() {
    on_both(async |stage: Stage| {
        let (account, token) = stage.key_of_account("bot").await;
        let register = "mutation($input: register_agent_input!) { register_agent(input: $input) { id } }";
        let input = json!({"input": {"type": "LocalAgent", "name": "agent", "labels": ["host"], "tenant_id": null, "agent_config_id": null}});
        let made = ask(&stage, &token, register, input, &[]).await;
        let agent = made["data"]["register_agent"]["id"].as_str().unwrap().to_owned();
        let headers = [("x-prefect-agent-id", agent.as_str())];
        assert_eq!(ask(&stage, &token, "query { hello }", Value::Null, &headers).await["data"]["hello"], "Hello, bot.");

        stage.clock.set(stage.services.now() + chrono::TimeDelta::minutes(5));
        let poll = "mutation($input: get_runs_in_queue_input!) { get_runs_in_queue(input: $input) { flow_run_ids } }";
        let input = json!({"input": {"before": "2027-01-01T00:00:10+00:00", "labels": ["host"], "tenant_id": null}});
        let queue = ask(&stage, &token, poll, input.clone(), &headers).await;
        assert_eq!(queue, json!({"data": {"get_runs_in_queue": {"flow_run_ids": []}}}));

        let admin = stage.key_of_ada().await;
        let list = format!(
            r#"{{ agents(owner_id: "{account}") {{ id type name labels version address state api_key_name last_queried }} }}"#
        );
        let seen = ask(&stage, &admin, &list, Value::Null, &[]).await;
        assert_eq!(
            seen["data"]["agents"],
            json!([{"id": agent, "type": "LocalAgent", "name": "agent", "labels": ["host"], "version": "1.4.1",
                "address": "192.0.2.7", "state": "polling", "api_key_name": "main", "last_queried": "2027-01-01T00:05:00Z"}])
        );
        let legacy = ask(&stage, &token, "query { agent { id name labels last_queried } }", Value::Null, &[]).await;
        assert_eq!(legacy["data"]["agent"][0]["id"], agent.as_str());
        let none = r#"query { agent_config(where: { id: { _eq: "x" } }) { id } }"#;
        assert_eq!(ask(&stage, &token, none, Value::Null, &[]).await["data"]["agent_config"], json!([]));

        let delete = format!(r#"mutation {{ delete_service_account(id: "{account}") {{ state }} }}"#);
        assert_eq!(
            ask(&stage, &admin, &delete, Value::Null, &[]).await["data"]["delete_service_account"]["state"],
            "deleted"
        );
        for _ in 0..2 {
            let refused = ask(&stage, &token, poll, input.clone(), &headers).await;
            assert_eq!(refused, unauthenticated("get_runs_in_queue"));
        }
        assert_eq!(ask(&stage, &admin, &list, Value::Null, &[]).await["data"]["agents"][0]["state"], "cut_off");
        let cookie = stage.sign_in().await;
        let page = stage.get(&format!("/team/service-accounts/{account}"), &cookie).await;
        assert!(page.text.contains(">Rejected<") && page.text.contains("192.0.2.7"), "the page shows it");
    });
}

#[test]
fn a_foreign_tenant_in_the_input_is_unauthenticated() {
    on_both(async |stage: Stage| {
        let (_, token) = stage.key_of_account("bot").await;
        let register = "mutation($input: register_agent_input!) { register_agent(input: $input) { id } }";
        for tenant in ["00000000-0000-4000-8000-000000000000", "x"] {
            let input = json!({"input": {"type": "LocalAgent", "name": "agent", "labels": [], "tenant_id": tenant}});
            let answer = ask(&stage, &token, register, input, &[]).await;
            assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
        }
    });
}

#[test]
fn the_older_token_operations_create_list_and_revoke_keys() {
    on_both(async |stage: Stage| {
        let admin = stage.key_of_ada().await;
        let who = "query { user { id default_membership { tenant_id tenant { slug } } } }";
        let who = ask(&stage, &admin, who, Value::Null, &[]).await["data"]["user"].clone();
        assert_eq!(who[0]["id"], stage.ada.to_string().as_str());
        assert_eq!(who[0]["default_membership"]["tenant"]["slug"], "acme");

        let create = "mutation($input: create_api_token_input!) { create_api_token(input: $input) { token id } }";
        let scope = "query { auth_info { api_token_scope } }";
        for (name, word) in [("runner", "RUNNER"), ("whole", "TENANT"), ("me", "USER")] {
            let made = ask(&stage, &admin, create, json!({"input": {"name": name, "scope": word}}), &[]).await;
            let token = made["data"]["create_api_token"]["token"].as_str().unwrap().to_owned();
            let expected = if word == "USER" { "USER" } else { "RUNNER" };
            assert_eq!(
                ask(&stage, &token, scope, Value::Null, &[]).await["data"]["auth_info"]["api_token_scope"],
                expected
            );

            let listed = ask(&stage, &admin, "query { api_token { id name } }", Value::Null, &[]).await;
            let id = made["data"]["create_api_token"]["id"].clone();
            assert!(listed["data"]["api_token"].as_array().unwrap().contains(&json!({"id": id, "name": name})));

            let delete = "mutation($input: delete_api_token_input!) { delete_api_token(input: $input) { success } }";
            for success in [true, false] {
                let gone = ask(&stage, &admin, delete, json!({"input": {"token_id": id}}), &[]).await;
                assert_eq!(gone, json!({"data": {"delete_api_token": {"success": success}}}));
            }
            assert_eq!(ask(&stage, &token, scope, Value::Null, &[]).await, unauthenticated("auth_info"));
        }
        let odd = ask(&stage, &admin, create, json!({"input": {"name": "x", "scope": "ODD"}}), &[]).await;
        assert_eq!(odd["errors"][0]["extensions"]["fields"][0]["field"], "scope");

        let tenant = who[0]["default_membership"]["tenant_id"].clone();
        let switch = "mutation($input: switch_tenant_input!) { switch_tenant(input: $input) { access_token expires_at refresh_token } }";
        let kept = ask(&stage, &admin, switch, json!({"input": {"tenant_id": tenant}}), &[]).await;
        let none = json!({"access_token": null, "expires_at": "2027-01-01T01:00:00Z", "refresh_token": null});
        assert_eq!(kept["data"]["switch_tenant"], none);
        let refresh = "mutation($input: refresh_token_input!) { refresh_token(input: $input) { access_token expires_at refresh_token } }";
        let kept = ask(&stage, &admin, refresh, json!({"input": {"access_token": "x"}}), &[]).await;
        assert_eq!(kept["data"]["refresh_token"], none);
    });
}

#[test]
fn the_schema_answers_the_introspection_query_of_tools() {
    on_both(async |stage: Stage| {
        let admin = stage.key_of_ada().await;
        let kinds = "kind name ofType { ".repeat(9) + "kind name" + &" }".repeat(9);
        let query = format!(
            "query IntrospectionQuery {{ __schema {{ description queryType {{ name kind }} mutationType {{ name kind }} \
             types {{ ...FullType }} directives {{ name description isRepeatable locations args(includeDeprecated: true) {{ ...InputValue }} }} }} }} \
             fragment FullType on __Type {{ kind name description specifiedByURL fields(includeDeprecated: true) {{ name description \
             args(includeDeprecated: true) {{ ...InputValue }} type {{ ...TypeRef }} isDeprecated deprecationReason }} \
             inputFields(includeDeprecated: true) {{ ...InputValue }} interfaces {{ ...TypeRef }} enumValues(includeDeprecated: true) \
             {{ name description isDeprecated deprecationReason }} possibleTypes {{ ...TypeRef }} }} \
             fragment InputValue on __InputValue {{ name description type {{ ...TypeRef }} defaultValue isDeprecated deprecationReason }} \
             fragment TypeRef on __Type {{ {kinds} }}"
        );
        let schema = ask(&stage, &admin, &query, Value::Null, &[]).await;
        assert!(schema.get("errors").is_none(), "{}", schema["errors"]);
        let fields =
            schema["data"]["__schema"]["types"].as_array().unwrap().iter().find(|kind| kind["name"] == "Query");
        let fields = fields.unwrap()["fields"].as_array().unwrap();
        let token = fields.iter().find(|field| field["name"] == "api_token").unwrap();
        assert_eq!((&token["isDeprecated"], &token["deprecationReason"]), (&json!(true), &json!("Use auth_api_key.")));
    });
}

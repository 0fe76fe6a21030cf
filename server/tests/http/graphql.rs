//! The GraphQL API: the documented shapes, the responses to invalid keys, and the query guard.

use axum::body::Body;
use domain::Secret;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use service::OwnerRef;

use crate::support::{PASSWORD, Stage, on_both};

#[test]
fn the_documented_operations_create_list_and_revoke_a_key() {
    on_both(async |stage: Stage| {
        let admin = stage.key_of_ada().await;
        let create = "mutation($input: create_api_key_input!) { create_api_key(input: $input) { id token key } }";
        let variables = json!({"input": {"user_id": stage.ada.to_string(), "name": "my-api-key", "expires_at": "2027-01-31T00:00:00Z"}});
        // As the Python clients send them: a string inside the JSON.
        let made = stage.graphql(&admin, create, Value::String(variables.to_string())).await.json();
        assert!(made.get("errors").is_none(), "{made}");
        let made = &made["data"]["create_api_key"];
        assert_eq!(made["token"], made["key"]);
        let token = made["token"].as_str().unwrap();

        let listed = stage
            .graphql(token, "{ auth_api_key { id name expires_at user_id } }", Value::String("null".into()))
            .await
            .json();
        let row = listed["data"]["auth_api_key"]
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row["id"] == made["id"])
            .unwrap()
            .clone();
        assert_eq!(
            row,
            json!({"id": made["id"], "name": "my-api-key", "expires_at": "2027-01-31T00:00:00Z", "user_id": stage.ada.to_string()})
        );
        assert!(!listed.to_string().contains(token));

        let delete = "mutation($input: delete_api_key_input!) { delete_api_key(input: $input) { success } }";
        let gone = stage.graphql(&admin, delete, json!({"input": {"key_id": made["id"]}})).await.json();
        assert_eq!(gone, json!({"data": {"delete_api_key": {"success": true}}}));
        for id in [made["id"].as_str().unwrap(), "no-uuid", "00000000-0000-0000-0000-000000000000"] {
            let again = stage.graphql(&admin, delete, json!({"input": {"key_id": id}})).await.json();
            assert_eq!(again, json!({"data": {"delete_api_key": {"success": false}}}));
        }
        assert!(!stage.is_valid(token).await);
    });
}

#[test]
fn an_invalid_key_gets_status_200_with_unauthenticated_in_the_documented_shape() {
    on_both(async |stage: Stage| {
        for token in ["", "lku_garbage", "lku_00000000000000000000000000000000000000"] {
            let answer = stage.graphql(token, "{ auth_api_key { id } }", Value::Null).await;
            assert_eq!(answer.status, StatusCode::OK);
            let expected = json!({"data": null, "errors": [{"message": "AuthenticationError: Forbidden", "path": ["auth_api_key"],
                "extensions": {"code": "UNAUTHENTICATED"}}]});
            assert_eq!(answer.json(), expected);
        }
        // The path is that of the operation that would have been executed, also of a field in a fragment.
        let both =
            "query first { hello } query second { ...rest } fragment rest on Query { mine: auth_api_key { id } }";
        let body = json!({"query": both, "operationName": "second"}).to_string();
        let request = Request::post("/graphql").header("content-type", "application/json");
        let request = request.header("authorization", "Bearer lku_garbage").body(Body::from(body)).unwrap();
        let answer = stage.send(request).await;
        assert_eq!(answer.json()["errors"][0]["path"], json!(["mine"]));
    });
}

#[test]
fn invalid_input_names_its_fields_and_creates_nothing() {
    on_both(async |stage: Stage| {
        let admin = stage.key_of_ada().await;
        let create = "mutation($input: create_api_key_input!) { create_api_key(input: $input) { id } }";
        let variables =
            json!({"input": {"user_id": stage.ada.to_string(), "name": "  ", "expires_at": "2020-01-01T00:00:00Z"}});
        let error = stage.graphql(&admin, create, variables).await.json()["errors"][0].clone();
        assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT");
        let fields: Vec<_> =
            error["extensions"]["fields"].as_array().unwrap().iter().map(|field| field["field"].clone()).collect();
        assert_eq!(fields, ["name", "expires_at"]);
        let count = stage.graphql(&admin, "{ api_keys(state: \"all\") { items { id } } }", Value::Null).await;
        assert_eq!(count.json()["data"]["api_keys"]["items"].as_array().unwrap().len(), 1);
        for unfit in ["{ no_such_field }", "{ api_keys(state: 1) { items { id } } }", "query($x: Int!) { hello }"] {
            let error = stage.graphql(&admin, unfit, Value::Null).await.json()["errors"][0].clone();
            assert_eq!(error["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED", "{unfit}: {error}");
        }
        let wrong = stage.graphql(&admin, "{ api_keys(state: \"odd\") { items { id } } }", Value::Null).await;
        assert_eq!(wrong.json()["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    });
}

#[test]
fn the_root_path_answers_like_the_graphql_path() {
    on_both(async |stage: Stage| {
        let token = stage.key_of_ada().await;
        let request = Request::post("/")
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {token}"));
        let answer = stage.send(request.body(Body::from(r#"{"query":"{ hello }"}"#)).unwrap()).await;
        assert_eq!(answer.json()["data"]["hello"], "Hello, Ada.");
    });
}

#[test]
fn the_scheme_of_a_key_is_case_insensitive_and_no_other_scheme_is_accepted() {
    on_both(async |stage: Stage| {
        let token = stage.key_of_ada().await;
        let hello = async |authorization: String| {
            let request = Request::post("/graphql")
                .header("content-type", "application/json; charset=utf-8")
                .header("authorization", authorization);
            let answer = stage.send(request.body(Body::from(r#"{"query":"{ hello }"}"#)).unwrap()).await;
            answer.json()["data"]["hello"].as_str().map(str::to_owned)
        };
        for accepted in [format!("Bearer {token}"), format!("bearer  {token} "), format!("BEARER {token}")] {
            assert_eq!(hello(accepted).await.as_deref(), Some("Hello, Ada."));
        }
        for rejected in [format!("Basic {token}"), "Bearer ".to_owned(), "Bearer".to_owned(), token.clone()] {
            assert_eq!(hello(rejected).await, None);
        }
    });
}

#[test]
fn administrators_read_what_the_page_of_members_shows_and_others_only_names_and_roles() {
    on_both(async |stage: Stage| {
        let fields = "name role joined_at has_second_factor codes_locked_at active_keys keys_last_used_at";
        let query = format!("{{ members {{ items {{ {fields} }} }} }}");
        let (ada, password) = (stage.key_of_ada().await, Secret::new(PASSWORD));
        stage.services.admin().create_user("bob@example.org", Some("Bob"), "acme", "USER", &password).await.unwrap();
        let owner = OwnerRef::User("bob@example.org".to_owned());
        let bob = stage.services.admin().create_key("acme", owner, "bob's", None).await.unwrap();
        let members = async |token: &str| {
            stage.graphql(token, &query, Value::Null).await.json()["data"]["members"]["items"].clone()
        };
        let shown = members(&ada).await;
        assert_eq!((&shown[1]["name"], &shown[1]["active_keys"]), (&json!("Bob"), &json!(1)), "{shown}");
        assert_eq!(shown[1]["has_second_factor"], false);
        assert!(shown[1]["joined_at"].is_string() && shown[1]["codes_locked_at"].is_null(), "{shown}");
        let shown = members(bob.token.expose()).await;
        assert_eq!((&shown[1]["name"], &shown[1]["role"]), (&json!("Bob"), &json!("USER")));
        for field in fields.split(' ').skip(2) {
            assert!(shown[0][field].is_null() && shown[1][field].is_null(), "{field}: {shown}");
        }
    });
}

#[test]
fn a_client_cant_choose_the_id_of_its_request() {
    on_both(async |stage: Stage| {
        let request = Request::get("/health/live").header("x-request-id", "chosen");
        let answer = stage.send(request.body(Body::empty()).unwrap()).await;
        let id = answer.header("x-request-id");
        assert!(id.len() == 32 && id.chars().all(|digit| digit.is_ascii_hexdigit()), "{id}");
    });
}

#[test]
fn other_methods_and_content_types_large_bodies_batches_and_bombs_are_refused() {
    on_both(async |stage: Stage| {
        let token = stage.key_of_ada().await;
        let send = async |method: &str, kind: &str, body: String| {
            let request = Request::builder().method(method).uri("/graphql").header("content-type", kind);
            stage
                .send(request.header("authorization", format!("Bearer {token}")).body(Body::from(body)).unwrap())
                .await
                .status
                .as_u16()
        };
        let query = |text: String| json!({"query": text}).to_string();
        let json = "application/json";
        assert_eq!(send("GET", json, String::new()).await, 405);
        assert_eq!(send("POST", "text/plain", query("{ hello }".into())).await, 415);
        assert_eq!(send("POST", json, "x".repeat(70_000)).await, 413);
        assert_eq!(send("POST", json, r#"[{"query":"{ hello }"}]"#.into()).await, 400);
        assert_eq!(send("POST", json, query("[".repeat(4_000))).await, 400);
        assert_eq!(send("POST", json, query(format!("{{ hello {} }}", "@skip(if: false) ".repeat(17)))).await, 400);
        assert_eq!(send("POST", json, query(" ".repeat(9_000))).await, 400);
        let chain: Vec<_> = (0..30).map(|n| format!("fragment f{n} on Query {{ ...f{0} ...f{0} }} ", n + 1)).collect();
        assert_eq!(
            send("POST", json, query(format!("{{ ...f0 }} {} fragment f30 on Query {{ hello }}", chain.concat())))
                .await,
            400
        );
        assert_eq!(send("POST", json, query("{ hello }".into())).await, 200);
    });
}

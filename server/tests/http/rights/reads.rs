//! Rights of what only reads, as a server function call and by GraphQL, and of the operations whose forms are plain HTML
//! forms, by GraphQL and at the forms' own paths. The expected results come from the same table.

use http::Request;

use super::*;

/// The operations that read, except those of agents and of clients of the backend for flow runs alone.
fn reads() -> Vec<Operation> {
    let others = [Operation::RegisterAgent, Operation::PollQueue, Operation::ReadFlows];
    Operation::ALL.iter().copied().filter(|operation| operation.is_read() && !others.contains(operation)).collect()
}

/// The columns of the table that an adapter can ask for.
fn columns(operation: Operation) -> Vec<&'static str> {
    use Operation as O;
    match operation {
        // An owner of another tenant is an owner without keys here: see the test below.
        O::ListApiKeys => rights::COLUMNS[1..].to_vec(),
        O::ListAgents | O::ListFlowRuns => rights::COLUMNS.to_vec(),
        O::GetApiKey | O::GetApiKeyUsage => [&rights::COLUMNS[1..], &["THERE"]].concat(),
        O::GetServiceAccount => vec!["tenant", "THERE"],
        _ => vec!["tenant"],
    }
}

/// The arguments of a read about a subject, as the JSON of its server function and as GraphQL arguments. `column`: what
/// the subject is in the table.
fn arguments_of(house: &House, operation: Operation, subject: &Subject, column: &str) -> (Value, String) {
    use Operation as O;
    let (owner, key) = (String::from(subject.owner), &subject.keys[0]);
    let (Owner::User(UserId(id)) | Owner::ServiceAccount(ServiceAccountId(id))) = subject.owner;
    let account = if column == "THERE" { house.account_there } else { house.account };
    match operation {
        O::ListApiKeys => (json!({"owner": owner}), format!("(owner_id: \"{id}\")")),
        O::GetApiKey | O::GetApiKeyUsage => (json!({"key": key}), format!("(id: \"{key}\")")),
        O::ListAgents | O::ListFlowRuns if column == "tenant" => (json!({}), String::new()),
        O::ListAgents | O::ListFlowRuns => (json!({"scope": {"owner": owner}}), format!("(owner_id: \"{id}\")")),
        O::GetServiceAccount => (json!({"account": account}), format!("(id: \"{account}\")")),
        O::PreviewKeyPolicy => {
            (json!({"policy": {"policy": "expiry_required"}}), "(input: {policy: \"expiry_required\"})".to_owned())
        }
        _ => (json!({}), String::new()),
    }
}

/// Sends a query or a mutation as the caller: with the session or with the key. Returns the error code.
async fn by_graphql(house: &House, caller: &Caller, text: &str) -> Option<String> {
    let body = json!({"query": text}).to_string();
    let request = Request::post("/graphql").header("content-type", "application/json");
    let request = if caller.who == "session" {
        request.header("sec-fetch-site", "same-origin").header("cookie", &caller.cookie)
    } else {
        request.header("authorization", format!("Bearer {}", caller.token))
    };
    let answer = house.stage.send(request.body(body.into()).unwrap()).await.json();
    let code = &answer["errors"][0]["extensions"]["code"];
    assert_ne!(code, "GRAPHQL_VALIDATION_FAILED", "{text}: {answer}");
    code.as_str().map(str::to_owned)
}

#[test]
fn every_read_has_the_rights_of_the_table_through_every_adapter() {
    on_both(async |stage: Stage| {
        let house = House::set(stage.with_flow_runs().await).await;
        let mut cast = cast(&house).await;
        let mut cells = 0;
        for operation in reads() {
            let word = operation.as_str();
            for caller in 0..cast.callers.len() {
                for column in columns(operation) {
                    let Caller { who, role, .. } = cast.callers[caller];
                    let may = column != "THERE" && rights::allows(operation, who, column, role);
                    let (fields, graphql) = arguments_of(&house, operation, cast.subject(caller, column), column);
                    let caller = &cast.callers[caller];
                    let cell = format!("{operation:?} of {column} by {who} as {role:?}");
                    let code = by_graphql(&house, caller, &format!("{{ {word}{graphql} {{ __typename }} }}")).await;
                    assert_eq!(is_refused(code.as_deref()), !may, "{cell}, GraphQL: {code:?}");
                    if who == "session" {
                        let path = format!("/fn/{word}");
                        let answer = house.stage.ask(&house.tenant, &path, &caller.cookie, &fields).await;
                        let code = (answer.status != StatusCode::OK).then(|| answer.json()["code"].to_string());
                        let is_refused = is_refused(code.as_deref().map(|code| code.trim_matches('"')));
                        assert_eq!(is_refused, !may, "{cell}, server function: {}", answer.text);
                        assert!(is_refused || answer.status == StatusCode::OK, "{cell}: {}", answer.text);
                    }
                    cells += 1;
                }
            }
        }
        assert!(cells > 250, "{cells}");
    });
}

#[test]
fn lists_about_an_owner_of_another_tenant_are_empty() {
    on_both(async |stage: Stage| {
        let house = House::set(stage).await;
        let cast = cast(&house).await;
        let administrator = cast.callers.iter().find(|caller| caller.who == "key" && caller.role == Role::TenantAdmin);
        let (Owner::User(UserId(id)) | Owner::ServiceAccount(ServiceAccountId(id))) = cast.there.owner;
        let query =
            format!("{{ api_keys(owner_id: \"{id}\") {{ items {{ id }} }} agents(owner_id: \"{id}\") {{ id }} }}");
        let answer = house.stage.graphql(&administrator.unwrap().token, &query, Value::Null).await.json();
        assert_eq!(answer["data"], json!({"api_keys": {"items": []}, "agents": []}), "{answer}");
    });
}

#[test]
fn every_plain_form_has_the_rights_of_the_table_with_a_session_and_with_a_key() {
    use Operation as O;
    let forms = [
        (O::ConfirmSignIn, "(password: \"wrong wrong wrong\") { __typename }", "/user/confirm"),
        (
            O::ChangePassword,
            "(current_password: \"wrong wrong wrong\", new_password: \"no\") { __typename }",
            "/user/profile/password",
        ),
        (O::BeginSecondFactor, " { __typename }", "/user/second-factor/enable"),
        (O::EnableSecondFactor, "(code: \"000000\") { __typename }", "/user/second-factor/enable"),
        (O::RenewRecoveryCodes, " { __typename }", "/user/second-factor/codes"),
        (O::DisableSecondFactor, " { __typename }", "/user/second-factor/disable"),
        (O::AcceptInvitation, "(secret: \"made-up\") { __typename }", "/invitations/made-up"),
    ];
    assert!(server::router::PLAIN_FORMS.iter().all(|operation| forms.iter().any(|(other, ..)| other == operation)));
    on_both(async |stage: Stage| {
        let house = House::set(stage).await;
        let cast = cast(&house).await;
        for (operation, arguments, path) in forms {
            for caller in &cast.callers {
                let Caller { who, role, .. } = *caller;
                let cell = format!("{operation:?} by {who} as {role:?}");
                let text = format!("mutation {{ {}{arguments} }}", operation.as_str());
                let code = by_graphql(&house, caller, &text).await;
                let may = rights::allows(operation, who, "tenant", role);
                assert_eq!(code.as_deref() == Some("FORBIDDEN"), !may, "{cell}, GraphQL: {code:?}");
                // At the form's own path only a session counts. The link of an invitation needs neither.
                if who == "session" || operation == O::AcceptInvitation {
                    continue;
                }
                let request = Request::post(path)
                    .header("content-type", "application/x-www-form-urlencoded")
                    .header("sec-fetch-site", "same-origin")
                    .header("authorization", format!("Bearer {}", caller.token));
                let answer = house.stage.send(request.body("code=000000".into()).unwrap()).await;
                let is_sign_in =
                    answer.status == StatusCode::SEE_OTHER && answer.header("location").contains("sign-in");
                assert!(is_sign_in || answer.status == StatusCode::UNAUTHORIZED, "{cell}, form: {}", answer.status);
            }
        }
    });
}

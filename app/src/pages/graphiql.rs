//! API > GraphiQL: an editor for the GraphQL API, with the permissions of the signed-in person.

use std::future::{Ready, ready};

use domain::ApiError;
use leptos::prelude::*;

use super::set_content_policy;
use crate::{
    components::copied_text::copied_text,
    list_url::encode,
    request::{GraphiqlNames, RequestContext},
    words::frame as words,
};

/// Example operations: name, document, and variables as JSON.
const EXAMPLES: [(&str, &str, &str); 7] = [
    (words::who_am_i(), "{\n  viewer {\n    id\n    name\n    tenants { id name role }\n  }\n}", ""),
    (words::all_visible_keys(), "{\n  auth_api_key {\n    id\n    name\n    expires_at\n    user_id\n  }\n}", ""),
    (
        words::my_keys(),
        "query ($after: String) {\n  api_keys(state: all, sort: created, limit: 20, after: $after) {\n    items { id name state hint last_used { at address } }\n    next\n  }\n}",
        "{\n  \"after\": null\n}",
    ),
    (
        words::create_a_key(),
        "mutation ($input: create_api_key_input!) {\n  create_api_key(input: $input) {\n    id\n    token\n  }\n}",
        "{\n  \"input\": {\n    \"user_id\": \"YOUR_ID\",\n    \"name\": \"my-api-key\",\n    \"expires_at\": null\n  }\n}",
    ),
    (
        words::revoke_a_key(),
        "mutation ($input: delete_api_key_input!) {\n  delete_api_key(input: $input) {\n    success\n  }\n}",
        "{\n  \"input\": { \"key_id\": \"API_KEY_ID\" }\n}",
    ),
    (
        words::create_a_service_account(),
        "mutation ($input: create_service_account_input!) {\n  create_service_account(input: $input) {\n    id\n    name\n    role\n  }\n}",
        "{\n  \"input\": { \"name\": \"deployer\", \"role\": \"TENANT_ADMIN\" }\n}",
    ),
    (
        words::service_accounts_and_agents(),
        "{\n  service_accounts {\n    items { id name role active_keys }\n  }\n  agents {\n    name\n    state\n    api_key_name\n    last_queried\n  }\n}",
        "",
    ),
];

/// `/graphiql`.
pub fn graphiql(request: RequestContext) -> Ready<Result<AnyView, ApiError>> {
    // GraphiQL's menus add a stylesheet of their own, with the page's nonce.
    set_content_policy(true);
    let editor = match request.assets.graphiql.clone() {
        Some(names) => editor(names).into_any(),
        None => view! {
            <p class="error-box">
                {words::no_graphiql(view! { <code>{format!("{}/graphql", request.public_url)}</code> })}
            </p>
        }
        .into_any(),
    };
    let examples = EXAMPLES.map(|(name, query, variables)| {
        let href = format!("#query={}&variables={}", encode(query), encode(variables));
        view! {
            <li>
                <a href=href>{name}</a>
            </li>
        }
    });
    let snippets = EXAMPLES.map(|(name, query, _)| copied_text(name, query.to_owned()));
    let contents = view! {
        <h1>"GraphiQL"</h1>
        <p class="lead">{words::graphiql_lead()}</p>
        <nav aria-label=words::examples() class="states examples">
            <span class="muted" aria-hidden="true">
                {words::examples_colon()}
            </span>
            <ul>{examples.into_iter().collect_view()}</ul>
        </nav>
        {editor}
        <div class="without-script">
            <p class="notice">{words::graphiql_needs_javascript()}</p>
            <div class="snippets">{snippets.into_iter().collect_view()}</div>
        </div>
    };
    ready(Ok(contents.into_any()))
}

fn editor(names: GraphiqlNames) -> impl IntoView {
    view! {
        <link rel="stylesheet" href=format!("/pkg/{}", names.stylesheet) />
        <div id="graphiql" class="graphiql-place script-only" data-query=EXAMPLES[0].1 />
        <script type="module" src=format!("/pkg/{}", names.script) />
    }
}

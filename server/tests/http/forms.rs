//! The contract of the forms: the fields that a page's form posts are those that its server function reads.

use std::collections::{BTreeMap, BTreeSet};

use app::api::wire::field;
use domain::{
    Notice, Operation,
    input::{Fields, Input},
    user::input::confirm,
};
use http::StatusCode;

use crate::{
    endings::lock_codes,
    support::{Form, PASSWORD, Stage, on_both},
};

/// The fields that a form posts in addition to the arguments of its function.
const OF_THE_FORM: [&str; 5] = [field::PAGE, field::THEN, field::TENANT, confirm::PASSWORD, confirm::CODE];

/// The fields that no form in this test posts: the timestamps that programs send instead of a form's choices, and the
/// name that confirms the deletion of a recently used account.
const NOT_POSTED: [&str; 3] = ["expires_at", "deadline", "confirmation"];

/// The limit of pages to open, higher than the number of pages in this test.
const MAX_PAGES: usize = 400;

macro_rules! fields_of {
    ($($input:ty => $function:ty),* $(,)?) => {
        vec![$((<$input as Input>::OPERATION, <$input as Fields>::FIELDS)),*]
    };
}

/// Returns the operations that have a form, with the fields that each reads.
fn operations() -> Vec<(Operation, &'static [&'static str])> {
    app::with_acts!(fields_of)
}

/// Returns the paths that a page links to, without links that have a query string.
fn links(page: &str) -> impl Iterator<Item = String> {
    page.split("<a ").skip(1).filter_map(|rest| {
        let href = rest.split('>').next()?.split("href=\"").nth(1)?;
        let path = href.split(['"', '#']).next()?.replace("&amp;", "&");
        (path.starts_with('/') && !path.contains('?')).then_some(path)
    })
}

/// Fills the tenant with records in each state that has forms of its own. Returns the pages that no link leads to.
async fn fill(stage: &Stage, cookie: &str) -> Vec<String> {
    let post = async |path: &str, body: &str| {
        let answer = stage.call(path, cookie, body).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
        answer.json()
    };
    let id_of = |created: &serde_json::Value| created["key"]["id"].as_str().expect("a key with an id").to_owned();
    let admin = stage.services.admin();
    let password = domain::Secret::new(PASSWORD);
    admin.create_tenant("Other", "other").await.unwrap();
    admin.create_user("ada@example.org", None, "other", "TENANT_ADMIN", &password).await.unwrap();
    let bob = admin.create_user("bob@example.org", None, "acme", "TENANT_ADMIN", &password).await.unwrap();
    lock_codes(stage, bob, cookie).await;
    let active = id_of(&post("/fn/create_api_key", "name=active&expiry=never").await);
    let suspended = id_of(&post("/fn/create_api_key", "name=suspended&expiry=30d").await);
    post("/fn/suspend_api_key", &format!("key={suspended}")).await;
    let rolled = id_of(&post("/fn/create_api_key", "name=rolled&expiry=never").await);
    post("/fn/roll_api_key", &format!("key={rolled}&overlap=24h")).await;
    let maker = stage.key_of_ada().await;
    let create = "mutation($input: create_api_key_input!) { create_api_key(input: $input) { id } }";
    let input = serde_json::json!({"input": {"name": "child", "user_id": stage.ada.to_string()}});
    let child = stage.graphql(&maker, create, input).await;
    assert!(child.json()["errors"].is_null(), "{}", child.text);
    stage.key_of_account("active bot").await;
    let (account, _) = stage.key_of_account("suspended bot").await;
    post("/fn/suspend_service_account", &format!("account={account}")).await;
    post("/fn/invite_member", "email=eve%40example.org&role=USER").await;
    post("/fn/create_calendar_feed", "").await;
    post("/fn/set_tenant_policy", "policy=expiry_required").await;
    post("/fn/set_scope", "scope=orders%3Aread&description=Orders&least_role=USER").await;
    stage.sign_in().await;
    let bulk = |act: &str| format!("/team/keys/bulk?act={act}&key={active}");
    vec![
        "/user/api-keys?state=all".to_owned(),
        "/team/keys?state=all".to_owned(),
        bulk("suspend"),
        bulk("revoke"),
        "/team/settings/policies/expiry_required?days=&from=2027-02-01".to_owned(),
    ]
}

#[test]
fn every_form_posts_what_its_function_reads() {
    on_both(async |stage: Stage| {
        let cookie = stage.sign_in().await;
        let mut to_open = fill(&stage, &cookie).await;
        let mut opened = BTreeSet::new();
        let mut posted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        while let Some(path) = to_open.pop() {
            if !opened.insert(path.clone()) {
                continue;
            }
            assert!(opened.len() < MAX_PAGES, "{opened:?}");
            let page = stage.get(&path, &cookie).await;
            assert!(page.status.as_u16() < 400, "{path}: {}", page.status);
            if page.status != StatusCode::OK || !page.header("content-type").starts_with("text/html") {
                continue;
            }
            to_open.extend(links(&page.text).filter(|link| !opened.contains(link)));
            for form in Form::everywhere(&page.text) {
                let Some(operation) = form.action.strip_prefix("/fn/") else { continue };
                let missing = OF_THE_FORM.iter().take(3).find(|name| !form.fields.iter().any(|field| field == *name));
                assert!(missing.is_none(), "{path}: {operation} lacks {missing:?}");
                posted.entry(operation.to_owned()).or_default().extend(form.fields);
            }
        }
        for (operation, read) in operations() {
            let posted = posted.remove(operation.as_str()).unwrap_or_default();
            assert!(!posted.is_empty(), "no page has a form for {operation:?}");
            let not_read: Vec<&String> = posted
                .iter()
                .filter(|name| !read.contains(&name.as_str()) && !OF_THE_FORM.contains(&name.as_str()))
                .collect();
            assert!(not_read.is_empty(), "{operation:?} doesn't read {not_read:?}");
            let not_posted: Vec<&&str> =
                read.iter().filter(|name| !posted.contains(**name) && !NOT_POSTED.contains(name)).collect();
            assert!(not_posted.is_empty(), "no form of {operation:?} posts {not_posted:?}");
        }
        assert!(posted.is_empty(), "forms without an operation: {posted:?}");
    });
}

#[test]
fn every_act_ends_with_a_notice_or_shows_a_secret() {
    let show_a_secret =
        [Operation::CreateApiKey, Operation::RollApiKey, Operation::InviteMember, Operation::CreateCalendarFeed];
    for (operation, _) in operations() {
        let sentence = Notice::named(operation, "Laptop").sentence();
        assert!(sentence.is_some() || show_a_secret.contains(&operation), "{operation:?}");
    }
}

#[test]
fn a_path_with_a_slash_at_its_end_is_the_same_page() {
    on_both(async |stage: Stage| {
        let cookie = stage.sign_in().await;
        let heading =
            |page: &str| page.split("<h1").nth(1).and_then(|rest| rest.split("</h1>").next()).map(str::to_owned);
        let mut compared = 0;
        for route in app::routes::ROUTES.iter().filter(|route| !route.path.contains('{') && route.path != "/") {
            let cookie = if route.access == app::route::Access::Person { &cookie } else { "" };
            let (page, same) =
                (stage.get(route.path, cookie).await, stage.get(&format!("{}/", route.path), cookie).await);
            assert_eq!(same.status, page.status, "{}", route.path);
            assert_eq!(heading(&same.text), heading(&page.text), "{}", route.path);
            // What a form of the page posts is taken at the path without the slash.
            let actions = |page: &str| Form::all(page).into_iter().map(|form| form.action).collect::<Vec<_>>();
            assert_eq!(actions(&same.text), actions(&page.text), "{}", route.path);
            compared += u32::from(page.status == StatusCode::OK);
        }
        assert!(compared > 15, "{compared}");
        let key = stage.call("/fn/create_api_key", &cookie, "name=Laptop&expiry=never").await.json();
        let path = format!("/user/api-keys/{}", key["key"]["id"].as_str().unwrap());
        assert_eq!(
            heading(&stage.get(&format!("{path}/"), &cookie).await.text),
            heading(&stage.get(&path, &cookie).await.text)
        );
    });
}

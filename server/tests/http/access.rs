//! Confirmations on pages and links, new ids for sessions, and forms that don't say in which tenant they were opened.

use axum::body::Body;
use chrono::TimeDelta;
use domain::{Operation, Role, operation::Confirmation};
use http::{Request, StatusCode};
use serde_json::json;
use service::OwnerRef;

use crate::support::{Answer, Form, PASSWORD, Stage, on_both, token_in};

/// The fields that confirm the sign-in.
const CONFIRMED: &str = "confirm_password=seven+lamps+under+the+pier";

/// Lets the sign-in of every session become too old.
fn grow_stale(stage: &Stage) {
    stage.clock.set(stage.services.now() + TimeDelta::minutes(11));
}

/// Returns the session cookie that a response sets.
fn cookie_of(answer: &Answer) -> Option<String> {
    let cookies = answer.cookies();
    let cookie = cookies.iter().find(|cookie| {
        cookie.starts_with("latchkey") && !cookie.contains("-browser=") && !cookie.contains("Max-Age=0")
    });
    cookie.map(|cookie| cookie.split(';').next().unwrap().to_owned())
}

/// Checks that a response gives the session a new id, and returns the new cookie.
async fn renewed(stage: &Stage, answer: &Answer, old: &str) -> String {
    let new = cookie_of(answer).unwrap_or_else(|| panic!("no new cookie: {}", answer.text));
    assert_ne!(new, old);
    let with_old = stage.get("/user/profile", old).await;
    assert_eq!(with_old.status, StatusCode::SEE_OTHER, "the old id is signed out");
    assert_eq!(stage.get("/user/profile", &new).await.status, StatusCode::OK);
    new
}

/// Returns the secret of the enrolment that has begun, as its page shows it.
async fn enrolled(stage: &Stage, cookie: &str) -> String {
    let shown = stage.get("/user/second-factor/enable", cookie).await.text;
    let secret = shown.split("Secret: ").nth(1).and_then(|rest| rest.split("<code>").nth(1)).expect("it shows it");
    secret.split('<').next().unwrap().replace(' ', "")
}

fn operation_of(action: &str) -> Option<Operation> {
    let code = action.strip_prefix("/fn/")?;
    Operation::ALL.iter().copied().find(|operation| operation.as_str() == code)
}

#[test]
fn pages_ask_for_the_password_where_the_table_says_so() {
    on_both(async |stage: Stage| {
        let account = stage.services.admin().create_service_account("acme", "bot", Some("USER")).await.unwrap();
        let paused = stage.services.admin().create_service_account("acme", "paused", None).await.unwrap();
        let owner = OwnerRef::ServiceAccount(account.to_string());
        let key = stage.services.admin().create_key("acme", owner.clone(), "main", None).await.unwrap().key.id;
        let suspended = stage.services.admin().create_key("acme", owner, "suspended", None).await.unwrap().key.id;
        let (admin, password) = (stage.services.admin(), domain::Secret::new(PASSWORD));
        let bob = admin.create_user("bob@example.org", None, "acme", "USER", &password).await.unwrap();
        let cookie = stage.sign_in().await;
        let keys = format!("/team/service-accounts/{account}/keys");
        stage.submit(&format!("{keys}/{suspended}/suspend"), &cookie, "").await;
        stage.submit(&format!("/team/service-accounts/{paused}/suspend"), &cookie, "").await;
        stage.submit("/team/settings/policies/expiry_required?preview=yes", &cookie, "").await;
        let stale_pages = [
            "/user/api-keys/new".to_owned(),
            "/user/calendar/create".to_owned(),
            "/user/profile/name".to_owned(),
            "/team/members/invite".to_owned(),
            format!("/team/members/{bob}/role"),
            format!("/team/members/{bob}/remove"),
            "/team/service-accounts/new".to_owned(),
            format!("/team/service-accounts/{account}/role"),
            format!("/team/service-accounts/{account}/rename"),
            format!("/team/service-accounts/{account}/delete"),
            format!("/team/service-accounts/{account}/suspend"),
            format!("/team/service-accounts/{paused}/resume"),
            format!("{keys}/new"),
            format!("{keys}/{key}/roll"),
            format!("{keys}/{key}/revoke"),
            format!("{keys}/{key}/suspend"),
            format!("{keys}/{suspended}/resume"),
            "/team/settings/policies/expiry_required/off".to_owned(),
            "/team/settings/rename".to_owned(),
            "/tenants/new".to_owned(),
        ];
        for page in &stale_pages {
            let fresh = stage.get(page, &cookie).await;
            assert!(fresh.status == StatusCode::OK, "{page}: {}", fresh.text);
            assert!(!fresh.text.contains("class=\"confirm\""), "{page} asks after a recent sign-in");
        }
        grow_stale(&stage);
        let mut asking = 0;
        for page in &stale_pages {
            let shown = stage.get(page, &cookie).await.text;
            let forms = Form::all(&shown).into_iter().filter_map(|form| Some((operation_of(&form.action)?, form)));
            for (operation, form) in forms {
                let asks = form.fields.iter().any(|field| field == "confirm_password");
                assert_eq!(asks, operation.confirmation() != Confirmation::Never, "{page}: {operation:?}");
                asking += u32::from(asks);
            }
        }
        assert!(asking >= 11, "{asking}");
    });
}

#[test]
fn a_weaker_policy_asks_for_the_password_on_its_page() {
    on_both(async |stage: Stage| {
        let cookie = stage.sign_in().await;
        let page = |days: u32| format!("/team/settings/policies/max_lifetime?preview=yes&days={days}&from=");
        assert_eq!(stage.submit(&page(30), &cookie, "").await.status, StatusCode::SEE_OTHER);
        grow_stale(&stage);
        for (days, expected) in [(29, false), (30, false), (31, true)] {
            let shown = stage.get(&page(days), &cookie).await.text;
            assert_eq!(shown.contains("class=\"confirm\""), expected, "{days} days");
        }
        let refused = stage.submit(&page(31), &cookie, "").await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        assert!(refused.text.contains("class=\"confirm\""), "{}", refused.text);
        assert_eq!(stage.submit(&page(31), &cookie, CONFIRMED).await.status, StatusCode::SEE_OTHER);
    });
}

#[test]
fn an_export_by_an_old_sign_in_asks_for_the_password_and_goes_on() {
    on_both(async |stage: Stage| {
        let cookie = stage.sign_in().await;
        let path = "/api/v1/audit-log.csv?result=done";
        assert_eq!(stage.get(path, &cookie).await.status, StatusCode::OK);
        grow_stale(&stage);
        let by_script = stage.get(path, &cookie).await;
        assert_eq!(by_script.status, StatusCode::FORBIDDEN, "{}", by_script.text);
        let link = Request::get(path).header("cookie", &cookie).header("accept", "text/html,*/*;q=0.8");
        let sent = stage.send(link.body(Body::empty()).unwrap()).await;
        assert_eq!(sent.status, StatusCode::SEE_OTHER);
        let page = sent.header("location").to_owned();
        let shown = stage.get(&page, &cookie).await;
        let form = Form::all(&shown.text).into_iter().find(|form| form.action == "/user/confirm").unwrap();
        let hidden = serde_urlencoded::to_string(&form.hidden).unwrap();
        let wrong = stage.post_form("/user/confirm", &cookie, &format!("{hidden}&confirm_password=wrong")).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(wrong.text.contains("Incorrect password."), "{}", wrong.text);
        let confirmed = stage.post_form("/user/confirm", &cookie, &format!("{hidden}&{CONFIRMED}")).await;
        assert_eq!((confirmed.status, confirmed.header("location")), (StatusCode::SEE_OTHER, path));
        let cookie = renewed(&stage, &confirmed, &cookie).await;
        assert_eq!(stage.get(path, &cookie).await.status, StatusCode::OK);

        let foreign = format!("then=https%3A%2F%2Fevil.example&{CONFIRMED}");
        assert_eq!(stage.post_form("/user/confirm", &cookie, &foreign).await.header("location"), "/");
    });
}

#[test]
fn a_session_gets_a_new_id_when_the_password_is_entered_or_changed() {
    on_both(async |stage: Stage| {
        let cookie = stage.sign_in().await;
        grow_stale(&stage);
        let created = stage.submit("/user/api-keys/new", &cookie, &format!("name=new&expiry=never&{CONFIRMED}")).await;
        assert!(token_in(&created.text).is_some(), "{}", created.text);
        let cookie = renewed(&stage, &created, &cookie).await;

        let by_script = stage.call("/user/confirm", &cookie, CONFIRMED).await;
        assert_eq!(by_script.status, StatusCode::NO_CONTENT);
        let cookie = renewed(&stage, &by_script, &cookie).await;

        let body = format!("current_password={}&password=nine+quiet+herons+at+noon", PASSWORD.replace(' ', "+"));
        let changed = stage.post_form("/user/profile/password", &cookie, &body).await;
        assert_eq!(changed.status, StatusCode::SEE_OTHER, "{}", changed.text);
        let cookie = renewed(&stage, &changed, &cookie).await;

        let query = "mutation { confirm_sign_in(password: \"nine quiet herons at noon\") { success } }";
        let request = Request::post("/graphql")
            .header("content-type", "application/json")
            .header("sec-fetch-site", "same-origin")
            .header("cookie", &cookie);
        let confirmed = stage.send(request.body(Body::from(json!({"query": query}).to_string())).unwrap()).await;
        assert_eq!(confirmed.json()["data"]["confirm_sign_in"]["success"], true, "{}", confirmed.text);
        let cookie = renewed(&stage, &confirmed, &cookie).await;

        let read = stage.get("/user/api-keys", &cookie).await;
        assert_eq!((read.status, cookie_of(&read)), (StatusCode::OK, None), "only then");
    });
}

#[test]
fn a_session_gets_a_new_id_with_two_factor_authentication_and_others_end_by_choice() {
    on_both(async |stage: Stage| {
        let code = |secret: &str| service::testing::code_at(&domain::Secret::new(secret), stage.services.now());
        let (cookie, other) = (stage.sign_in().await, stage.sign_in().await);
        stage.post_form("/user/second-factor/begin", &cookie, "").await;
        let secret = enrolled(&stage, &cookie).await;
        let body = format!("code={}&end_others=true", code(&secret));
        let enabled = stage.post_form("/user/second-factor/enable", &cookie, &body).await;
        assert_eq!(enabled.status, StatusCode::OK, "{}", enabled.text);
        let cookie = renewed(&stage, &enabled, &cookie).await;
        assert_eq!(stage.get("/user/profile", &other).await.status, StatusCode::SEE_OTHER, "signed out by choice");

        let renewed_codes = stage.post_form("/user/second-factor/codes", &cookie, "").await;
        let cookie = renewed(&stage, &renewed_codes, &cookie).await;
        let disabled = stage.post_form("/user/second-factor/disable", &cookie, "").await;
        let cookie = renewed(&stage, &disabled, &cookie).await;

        let other = stage.sign_in().await;
        stage.post_form("/user/second-factor/begin", &cookie, "").await;
        let secret = enrolled(&stage, &cookie).await;
        let enabled = stage.post_form("/user/second-factor/enable", &cookie, &format!("code={}", code(&secret))).await;
        renewed(&stage, &enabled, &cookie).await;
        assert_eq!(stage.get("/user/profile", &other).await.status, StatusCode::OK, "not asked to end");
    });
}

#[test]
fn a_removed_member_loses_the_tenant_with_the_next_request() {
    on_both(async |stage: Stage| {
        let (admin, password) = (stage.services.admin(), domain::Secret::new(PASSWORD));
        admin.create_tenant("Other", "other").await.unwrap();
        for (email, tenant) in [("bob", "acme"), ("eve", "acme"), ("eve", "other")] {
            let email = format!("{email}@example.org");
            admin.create_user(&email, None, tenant, Role::TenantAdmin.as_str(), &password).await.unwrap();
        }
        let mut cookies = Vec::new();
        for name in ["bob", "eve"] {
            let typed = format!("email={name}%40example.org&password={}", PASSWORD.replace(' ', "+"));
            cookies.push(cookie_of(&stage.post_form("/sign-in", "", &typed).await).unwrap());
        }
        let here = stage.selected_tenant(&cookies[1]).await;
        assert_eq!(here, stage.selected_tenant(&cookies[0]).await);
        for name in ["bob", "eve"] {
            admin.remove_member("acme", &format!("{name}@example.org")).await.unwrap();
        }
        assert_eq!(stage.get("/team/members", &cookies[0]).await.status, StatusCode::SEE_OTHER);
        assert_ne!(stage.selected_tenant(&cookies[1]).await, here, "in the other tenant");
        let body = format!("in_tenant={here}&page=/team/settings/rename&then=/team/settings&name=Stolen");
        stage.post_form("/fn/rename_tenant", &cookies[1], &body).await;
        let names: Vec<_> = admin.list_tenants().await.unwrap().iter().map(|tenant| tenant.name.to_string()).collect();
        assert_eq!(names, ["Acme", "Other"]);
        admin.create_user("bob@example.org", None, "acme", "USER", &password).await.unwrap();
        assert_eq!(stage.get("/team/members", &cookies[0]).await.status, StatusCode::SEE_OTHER, "stays signed out");
    });
}

#[test]
fn a_form_that_does_not_say_where_it_was_opened_does_nothing() {
    on_both(async |stage: Stage| {
        let cookie = stage.sign_in().await;
        let body = "page=/team/settings/rename&then=/team/settings&name=Stolen";
        let as_form = stage.post_form("/fn/rename_tenant", &cookie, body).await;
        assert_eq!(as_form.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", as_form.text);
        let as_call = stage.call_in("", "/fn/rename_tenant", &cookie, "name=Stolen").await;
        assert_eq!(as_call.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(stage.get("/team/settings", &cookie).await.text.contains("Acme"));
    });
}

#[test]
fn every_form_of_a_server_function_says_where_it_was_opened() {
    on_both(async |stage: Stage| {
        let cookie = stage.sign_in().await;
        let tenant = stage.selected_tenant(&cookie).await;
        for page in ["/user/api-keys/new", "/user/profile", "/team/members/invite", "/team/settings", "/graphiql"] {
            let shown = stage.get(page, &cookie).await.text;
            for form in Form::everywhere(&shown).into_iter().filter(|form| form.action.starts_with("/fn/")) {
                let named = form.hidden.iter().find(|(name, _)| name == "in_tenant").map(|(_, value)| value.as_str());
                assert_eq!(named, Some(tenant.as_str()), "{page}: {}", form.action);
            }
        }
    });
}

#[test]
fn a_client_that_accepts_anything_posts_a_form() {
    on_both(async |stage: Stage| {
        let cookie = stage.sign_in().await;
        let tenant = stage.selected_tenant(&cookie).await;
        for accept in [None, Some("*/*")] {
            let name = format!("name={}", accept.map_or("One", |_| "Two"));
            let send = async |body: &str| {
                let mut request = Request::post("/fn/rename_tenant")
                    .header("content-type", "application/x-www-form-urlencoded")
                    .header("sec-fetch-site", "same-origin")
                    .header("cookie", &cookie);
                if let Some(accept) = accept {
                    request = request.header("accept", accept);
                }
                stage.send(request.body(Body::from(body.to_owned())).unwrap()).await
            };
            let done = send(&format!("page=/team/settings/rename&then=/team/settings&in_tenant={tenant}&{name}")).await;
            assert_eq!(done.status, StatusCode::SEE_OTHER, "{accept:?}: {}", done.text);
            assert_eq!(done.header("location"), "/team/settings");
        }
        // A script must say it in a header, and is told so.
        let request = Request::post("/fn/rename_tenant")
            .header("accept", "application/json")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
            .header("cookie", &cookie);
        let answer = stage.send(request.body(Body::from("name=Three")).unwrap()).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.text.contains("x-latchkey-tenant is missing"), "{}", answer.text);
    });
}

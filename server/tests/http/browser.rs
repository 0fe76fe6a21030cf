//! The dashboard without JavaScript: sessions, forms, headers, and requests from other sites.

use axum::body::Body;
use domain::Secret;
use http::{Request, StatusCode};

use server::accept::Peer;

use crate::support::{Answer, Form, PASSWORD, Stage, on_both, on_https, token_in};

const NEW_KEY: &str = "name=laptop&expiry=30d";

#[test]
fn pages_redirect_signed_out_visitors_to_the_sign_in_and_back() {
    on_both(async |stage: Stage| {
        let answer = stage.get("/team/service-accounts?q=a", "").await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (StatusCode::SEE_OTHER, "/sign-in?next=/team/service-accounts%3Fq%3Da")
        );
        let body = "email=ada%40example.org&password=seven+lamps+under+the+pier&next=/team/service-accounts?q=a";
        assert_eq!(stage.post_form("/sign-in", "", body).await.header("location"), "/team/service-accounts?q=a");
        let evil = "email=ada%40example.org&password=seven+lamps+under+the+pier&next=//evil.example";
        assert_eq!(stage.post_form("/sign-in", "", evil).await.header("location"), "/");
    });
}

#[test]
fn an_ended_session_is_explained_and_what_was_typed_is_kept_except_secrets() {
    const REASON: &str = "Your session ended. Sign in to continue.";
    on_both(async |stage: Stage| {
        let cookie = stage.sign_in().await;
        assert!(!stage.get("/sign-in", "").await.text.contains(REASON));
        stage.post_form("/sign-out", &cookie, "").await;
        let page = stage.get("/user/api-keys", &cookie).await;
        assert_eq!(page.header("location"), "/sign-in?next=/user/api-keys&ended=yes");
        assert!(stage.get(page.header("location"), &cookie).await.text.contains(REASON));
        let wrong = "email=ada%40example.org&password=wrong&next=/user/api-keys&ended=yes";
        assert!(stage.post_form("/sign-in", &cookie, wrong).await.text.contains(REASON));

        let form = "page=/user/api-keys/new&in_tenant=x&idempotency_key=k&name=my+laptop&expiry=30d&confirm_password=p";
        let posted = stage.post_form("/fn/create_api_key", &cookie, form).await;
        let next = "/user/api-keys/new%3Fexpiry%3D30d%26name%3Dmy%2Blaptop";
        assert_eq!(posted.header("location"), format!("/sign-in?next={next}&ended=yes"));
        let again = stage.sign_in().await;
        let page = stage.get("/user/api-keys/new?expiry=30d&name=my+laptop", &again).await;
        assert!(page.text.contains(r#"value="my laptop""#), "{}", page.text);
    });
}

#[test]
fn the_first_page_depends_on_the_role() {
    on_both(async |stage: Stage| {
        let to = async |cookie: &str| {
            let answer = stage.get("/", cookie).await;
            assert_eq!(answer.status, StatusCode::SEE_OTHER);
            answer.header("location").to_owned()
        };
        assert_eq!(to("").await, "/sign-in");
        let cookie = stage.sign_in().await;
        assert_eq!(to(&cookie).await, "/team/overview");
        let overview = stage.get("/team/overview", &cookie).await;
        assert!(overview.text.contains("Three steps to protect your API"), "{}", overview.text);
        let password = Secret::new(PASSWORD);
        let admin = stage.services.admin();
        admin.create_user("bob@example.org", Some("Bob"), "acme", "USER", &password).await.unwrap();
        let typed = format!("email=bob%40example.org&password={}", PASSWORD.replace(' ', "+"));
        let signed_in = stage.post_form("/sign-in", "", &typed).await;
        let bob = signed_in.cookies()[0].split(';').next().unwrap().to_owned();
        assert_eq!(to(&bob).await, "/user/api-keys");
        assert_eq!(stage.get("/team/overview", &bob).await.status, StatusCode::FORBIDDEN);
    });
}

#[test]
fn a_failed_sign_in_shows_an_error_and_keeps_the_email_address_but_not_the_password() {
    on_both(async |stage: Stage| {
        let answer = stage.post_form("/sign-in", "", "email=ada%40example.org&password=wrongwrongwrong").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert!(answer.text.contains("Incorrect email or password.") && answer.text.contains("ada@example.org"));
        assert!(!answer.text.contains("wrongwrongwrong"));
        assert!(answer.cookies().is_empty());
        for _ in 0..9 {
            stage.post_form("/sign-in", "", "email=ada%40example.org&password=x").await;
        }
        let limited = stage.post_form("/sign-in", "", "email=ada%40example.org&password=x").await;
        assert_eq!(limited.status, StatusCode::TOO_MANY_REQUESTS);
        assert!(!limited.header("retry-after").is_empty());
    });
}

#[test]
fn forwarded_addresses_are_used_only_behind_a_trusted_proxy() {
    let sign_in = |from: &str, email: &str, password: &str| {
        let body = format!("email={email}&password={password}");
        Request::post("/sign-in")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
            .header("x-forwarded-for", from)
            .body(Body::from(body))
            .unwrap()
    };
    let right = |from: &str| sign_in(from, "ada%40example.org", "seven+lamps+under+the+pier");
    on_both(async |stage: Stage| {
        let stage = stage.behind_proxy();
        for _ in 0..10 {
            let wrong = sign_in("198.51.100.1", "ada%40example.org", "x");
            assert_eq!(stage.send(wrong).await.status, StatusCode::UNAUTHORIZED);
        }
        assert_eq!(stage.send(right("198.51.100.1")).await.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(stage.send(right("198.51.100.1, 198.51.100.2")).await.status, StatusCode::SEE_OTHER);
    });
    on_both(async |stage: Stage| {
        for n in 0..10 {
            stage.send(sign_in(&format!("198.51.100.{n}"), "ada%40example.org", "x")).await;
        }
        assert_eq!(stage.send(right("198.51.100.99")).await.status, StatusCode::TOO_MANY_REQUESTS);
    });
}

#[test]
fn a_host_that_pretends_to_be_a_proxy_changes_no_limit_of_others() {
    on_both(async |stage: Stage| {
        let stage = stage.behind_proxy();
        let mut stray = Request::get("/sign-in").header("x-forwarded-for", "x").body(Body::empty()).unwrap();
        stray.extensions_mut().insert(Peer("10.9.9.9".parse().unwrap()));
        assert_eq!(stage.send(stray).await.status, StatusCode::OK);
        let sign_in = || stage.post_form("/sign-in", "", "email=ada%40example.org&password=x");
        for _ in 0..10 {
            assert_eq!(sign_in().await.status, StatusCode::UNAUTHORIZED);
        }
        assert_eq!(sign_in().await.status, StatusCode::TOO_MANY_REQUESTS);
    });
}

#[test]
fn a_key_is_created_shown_once_and_revoked_by_plain_forms() {
    on_both(async |stage: Stage| {
        let cookie = stage.sign_in().await;
        let made = stage.submit("/user/api-keys/new", &cookie, NEW_KEY).await;
        assert_eq!((made.status, made.header("cache-control")), (StatusCode::OK, "no-store"));
        let token = token_in(&made.text).expect("the token is shown");
        assert!(stage.is_valid(&token).await);

        let list = stage.get("/user/api-keys?state=all", &cookie).await;
        assert!(list.text.contains("laptop") && token_in(&list.text).is_none());
        let end = list.text.find("/revoke\"").unwrap() + "/revoke".len();
        let revoke = list.text[..end].rsplit('"').next().unwrap().to_owned();
        let details = stage.get(revoke.trim_end_matches("/revoke"), &cookie).await;
        assert!(details.text.contains(">laptop<") && !details.text.contains(">Agents<"));
        assert!(stage.get(&revoke, &cookie).await.text.contains("Revoke “laptop”?"));
        let id = revoke.split('/').nth(3).unwrap();
        let tenant = stage.selected_tenant(&cookie).await;
        let again = format!("key={id}&page={revoke}&then=/user/api-keys&in_tenant={tenant}");
        let done = stage.submit(&revoke, &cookie, "").await;
        assert_eq!((done.status, done.header("location")), (StatusCode::SEE_OTHER, "/user/api-keys"));
        assert!(!stage.is_valid(&token).await);
        let refused = stage.post_form("/fn/delete_api_key", &cookie, &again).await;
        assert_eq!(refused.status, StatusCode::CONFLICT);
        assert!(refused.text.contains("This key was revoked on 1 Jan 2027."), "{}", refused.text);
    });
}

#[test]
fn an_invalid_form_keeps_its_values_and_shows_the_error_at_the_field() {
    on_both(async |stage: Stage| {
        let cookie = stage.sign_in().await;
        let answer =
            stage.submit("/user/api-keys/new", &cookie, "name=kept&expiry=custom&date=2020-01-01T00%3A00").await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(
            answer.text.contains("value=\"kept\"") && answer.text.contains("Choose a time in the future."),
            "{}",
            answer.text
        );
        assert!(answer.text.contains("role=\"alert\""));
        assert!(!stage.get("/user/api-keys?state=all", &cookie).await.text.contains(">kept<"));
    });
}

#[test]
fn requests_from_other_sites_change_nothing() {
    on_both(async |stage: Stage| {
        let cookie = stage.sign_in().await;
        for (name, value) in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", "https://evil.example"),
            ("origin", "null"),
        ] {
            let request =
                Request::post("/fn/create_api_key").header("content-type", "application/x-www-form-urlencoded");
            let answer = stage
                .send(request.header("cookie", &cookie).header(name, value).body(Body::from(NEW_KEY)).unwrap())
                .await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{name}: {value}");
        }
        let silent = Request::post("/sign-out")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("cookie", &cookie);
        assert_eq!(stage.send(silent.body(Body::empty()).unwrap()).await.status, StatusCode::FORBIDDEN);
        let own = Request::post("/fn/create_api_key").header("content-type", "application/x-www-form-urlencoded");
        let own = own
            .header("cookie", &cookie)
            .header("origin", "http://127.0.0.1:3000")
            .header("x-latchkey-tenant", stage.selected_tenant(&cookie).await);
        let own = own.body(Body::from(NEW_KEY)).unwrap();
        assert_eq!(stage.send(own).await.status, StatusCode::OK);
        let foreign_host = Request::get("/sign-in").header("host", "evil.example").body(Body::empty()).unwrap();
        assert_eq!(stage.send(foreign_host).await.status, StatusCode::MISDIRECTED_REQUEST);
    });
}

#[test]
fn pages_have_a_strict_content_security_policy_and_nothing_inline() {
    on_both(async |stage: Stage| {
        let cookie = stage.sign_in().await;
        for path in ["/user/api-keys", "/user/api-keys/new", "/team/service-accounts", "/nothing/here"] {
            let answer = stage.get(path, &cookie).await;
            let policy = answer.header("content-security-policy");
            assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
            assert!(
                !policy.contains("unsafe-inline") && !policy.contains("unsafe-eval'")
                    || policy.contains("'wasm-unsafe-eval'"),
                "{policy}"
            );
            assert!(!answer.text.contains(" style=") && !answer.text.contains(" onclick="), "{path}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff");
        }
        assert_eq!(stage.get("/nothing/here", &cookie).await.status, StatusCode::NOT_FOUND);
    });
}

#[test]
fn with_https_the_session_cookie_has_every_flag_and_so_has_its_removal() {
    on_https(async |stage: Stage| {
        let own = |path: &str, cookie: &str, body: &'static str| {
            Request::post(path)
                .header("host", "keys.example.org")
                .header("content-type", "application/x-www-form-urlencoded")
                .header("sec-fetch-site", "same-origin")
                .header("cookie", cookie)
                .body(Body::from(body))
                .unwrap()
        };
        let answer =
            stage.send(own("/sign-in", "", "email=ada%40example.org&password=seven+lamps+under+the+pier")).await;
        let made = answer.cookies().remove(0);
        let flags = ["__Host-latchkey=", "HttpOnly", "SameSite=Lax", "Secure", "Path=/"];
        assert!(flags.iter().all(|flag| made.contains(flag)) && !made.contains("Domain"), "{made}");
        assert!(answer.header("strict-transport-security").contains("max-age"));
        let cookie = made.split(';').next().unwrap();
        let removed = stage.send(own("/sign-out", cookie, "")).await.cookies();
        let removed = removed.iter().find(|cookie| cookie.starts_with("__Host-latchkey=")).unwrap();
        assert!(flags.iter().all(|flag| removed.contains(flag)) && removed.contains("Max-Age=0"), "{removed}");
        let page = Request::get("/user/api-keys")
            .header("host", "keys.example.org")
            .header("cookie", cookie)
            .body(Body::empty())
            .unwrap();
        assert_eq!(stage.send(page).await.status, StatusCode::SEE_OTHER, "the session has ended");
    });
}

#[test]
fn users_without_access_are_told_who_has_it() {
    on_both(async |stage: Stage| {
        stage
            .services
            .admin()
            .create_user("bob@example.org", None, "acme", "USER", &domain::Secret::new(crate::support::PASSWORD))
            .await
            .unwrap();
        let answer =
            stage.post_form("/sign-in", "", "email=bob%40example.org&password=seven+lamps+under+the+pier").await;
        let cookie = answer.cookies()[0].split(';').next().unwrap().to_owned();
        let page = stage.get("/team/service-accounts", &cookie).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
        assert!(page.text.contains("Ask an administrator to manage service accounts."));
        assert!(page.text.contains("ada@example.org"));
        assert!(!stage.get("/user/api-keys", &cookie).await.text.contains("href=\"/team/service-accounts\""));
    });
}

#[test]
fn a_form_of_a_tenant_other_than_the_current_one_is_refused_with_a_message() {
    on_both(async |stage: Stage| {
        stage.services.admin().create_tenant("Other", "other").await.unwrap();
        let password = domain::Secret::new("seven lamps under the pier");
        stage.services.admin().create_user("ada@example.org", None, "other", "TENANT_ADMIN", &password).await.unwrap();
        let cookie = stage.sign_in().await;
        let shown = stage.get("/team/settings/rename", &cookie).await.text;
        let from = shown.find("name=\"in_tenant\"").expect("the form names its tenant");
        let here = shown[from..].split("value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let there = stage.services.admin().create_tenant("Third", "third").await.unwrap().to_string();
        for (page, body) in [
            ("/team/settings/rename", "name=Stolen"),
            ("/team/settings/policies/expiry_required", "days=&from="),
            ("/team/members/invite", "email=eve%40example.org&role=TENANT_ADMIN"),
            ("/team/service-accounts/new", "name=bot&role=USER"),
        ] {
            let answer = stage.submit(page, &cookie, &format!("{body}&in_tenant={there}")).await;
            assert_eq!(answer.status, StatusCode::CONFLICT, "{page}");
            assert!(answer.text.contains("You switched tenants in another tab"), "{page}: {}", answer.text);
        }
        let called = Request::post("/fn/rename_tenant")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
            .header("cookie", &cookie)
            .header("x-latchkey-tenant", &there)
            .body(Body::from("name=Stolen"));
        assert_eq!(stage.send(called.unwrap()).await.status, StatusCode::CONFLICT, "a call from JavaScript");
        assert!(stage.get("/team/settings", &cookie).await.text.contains("Acme"));
        let renamed = stage.submit("/team/settings/rename", &cookie, &format!("name=Acme+2&in_tenant={here}")).await;
        assert_eq!(renamed.status, StatusCode::SEE_OTHER);
    });
}

#[test]
fn bulk_actions_that_change_no_key_are_refused_with_a_message() {
    on_both(async |stage: Stage| {
        let cookie = stage.sign_in().await;
        for keys in ["", "junk"] {
            let answer = stage.call("/fn/revoke_api_keys", &cookie, &format!("keys={keys}")).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{keys}: {}", answer.text);
        }
        let nobodys = "keys=00000000-0000-7000-8000-000000000000";
        let answer = stage.call("/fn/revoke_api_keys", &cookie, nobodys).await;
        assert_eq!(answer.status, StatusCode::CONFLICT);
        assert_eq!(answer.json()["message"], "All selected keys are already inactive.");
    });
}

#[test]
fn a_keys_page_shows_its_history_page_by_page_and_exists_only_under_its_owner() {
    on_both(async |stage: Stage| {
        let cookie = stage.sign_in().await;
        stage.submit("/user/api-keys/new", &cookie, NEW_KEY).await;
        let list = stage.get("/user/api-keys", &cookie).await.text;
        let end = list.find("/revoke\"").unwrap();
        let path = list[..end].rsplit('"').next().unwrap().to_owned();
        for n in 0..11 {
            stage.submit(&format!("{path}/rename"), &cookie, &format!("name=name+{n}")).await;
        }
        let first = stage.get(&path, &cookie).await.text;
        assert!(first.contains("renamed to name 10") && !first.contains("renamed to name 0<"), "the ten newest");
        let older = first.split("href=\"").find(|href| href.contains("?after=")).expect("a link to older entries");
        let older = older.split('#').next().unwrap().replace("&amp;", "&");
        let second = stage.get(&older, &cookie).await;
        assert!(second.status == StatusCode::OK && second.text.contains("Newer"));
        assert!(second.text.contains("renamed to name 0") && !second.text.contains("renamed to name 10"));

        let (account, _) = stage.key_of_account("bot").await;
        let id = path.rsplit('/').next().unwrap();
        let elsewhere = format!("/team/service-accounts/{account}/keys/{id}");
        assert_eq!(stage.get(&elsewhere, &cookie).await.status, StatusCode::NOT_FOUND);
        assert_eq!(stage.get(&format!("{elsewhere}/revoke"), &cookie).await.status, StatusCode::NOT_FOUND);
    });
}

#[test]
fn a_policy_is_set_with_the_values_that_its_page_previews() {
    on_both(async |stage: Stage| {
        let cookie = stage.sign_in().await;
        let path = "/team/settings/policies/max_lifetime";
        let shown = stage.get(path, &cookie).await.text;
        let values = shown.split("<form").find(|form| form.contains("data-live")).expect("a form with the values");
        assert!(
            values.contains("method=\"get\"") && !values.contains("type=\"hidden\""),
            "only values get into the URL"
        );
        for (query, days) in [("days=30&from=&preview=yes", "30"), ("days=60&from=", "60")] {
            let page = format!("{path}?{query}");
            let set = stage.submit(&page, &cookie, "").await;
            assert_eq!((set.status, set.header("location")), (StatusCode::SEE_OTHER, "/team/settings"), "{query}");
            assert!(stage.get("/team/settings", &cookie).await.text.contains(&format!("{days} days")), "{query}");
        }
        for (query, message) in [("days=&from=", "Choose 1 to 3,650 days."), ("days=1&from=x", "Enter a date, like")] {
            let invalid = stage.get(&format!("{path}?{query}"), &cookie).await.text;
            assert!(invalid.contains(message), "{query}");
            assert!(!Form::all(&invalid).iter().any(|form| form.action.starts_with("/fn/")), "{query}: nothing to set");
        }
        assert_eq!(stage.get("/team/settings/policies/no_such_policy", &cookie).await.status, StatusCode::NOT_FOUND);
        let off = stage.get("/team/settings/policies/expiry_required/off", &cookie).await;
        assert!(off.text.contains("This policy is already off."));
    });
}

#[test]
fn a_title_names_the_thing_and_its_tenant() {
    on_both(async |stage: Stage| {
        let cookie = stage.sign_in().await;
        stage.submit("/user/api-keys/new", &cookie, NEW_KEY).await;
        let list = stage.get("/user/api-keys", &cookie).await.text;
        let end = list.find("/revoke\"").unwrap();
        let path = list[..end].rsplit('"').next().unwrap().to_owned();
        for (path, title) in [
            ("/user/api-keys".to_owned(), "API keys · Acme"),
            (path.clone(), "laptop · API key · Acme"),
            (format!("{path}/roll"), "Rotate “laptop” · Acme"),
            (format!("{path}/revoke"), "Revoke “laptop” · Acme"),
            ("/team/settings/policies/max_lifetime".to_owned(), "Maximum lifetime · Key policy · Acme"),
            ("/user/api-keys/00000000-0000-7000-8000-000000000000".to_owned(), "Not found · Acme"),
            ("/no-such-page".to_owned(), "Page not found · Acme"),
        ] {
            let page = stage.get(&path, &cookie).await.text;
            assert!(page.contains(&format!("<title>{title} · Latchkey</title>")), "{path}: {title}");
        }
        assert!(stage.get("/sign-in", "").await.text.contains("<title>Sign in · Latchkey</title>"));
    });
}

#[test]
fn a_name_is_only_text_in_the_title_and_in_the_page() {
    on_both(async |stage: Stage| {
        let cookie = stage.sign_in().await;
        // </title><meta http-equiv=refresh content=0;url=//evil.example>&amp;
        let name = "%3C%2Ftitle%3E%3Cmeta%20http-equiv%3Drefresh%20content%3D0%3Burl%3D%2F%2Fevil.example%3E%26amp%3B";
        stage.submit("/user/api-keys/new", &cookie, &NEW_KEY.replace("laptop", name)).await;
        let list = stage.get("/user/api-keys", &cookie).await.text;
        let end = list.find("/revoke\"").unwrap();
        let path = list[..end].rsplit('"').next().unwrap().to_owned();
        let escaped = "&lt;/title>&lt;meta http-equiv=refresh content=0;url=//evil.example>&amp;amp;";
        for page in [path.clone(), format!("{path}/revoke"), format!("{path}/roll"), format!("{path}/first-request")] {
            let text = stage.get(&page, &cookie).await.text;
            assert!(!text.contains("<meta http-equiv=refresh"), "{page}");
            let title = text.split("<title>").nth(1).unwrap().split("</title>").next().unwrap();
            assert!(title.contains(escaped), "{page}: {title}");
        }
    });
}

#[test]
fn an_error_page_keeps_the_navigation_and_the_notice_waits_for_the_next_page() {
    on_both(async |stage: Stage| {
        let cookie = stage.sign_in().await;
        let notice = "notice=operation=rename_api_key&name=Laptop";
        let both = format!("{cookie}; {notice}");
        for path in ["/no-such-page", "/user/%FF", "/team/members/%FF/role", "/user/api-keys/none"] {
            let lost = stage.get(path, &both).await;
            assert_eq!(lost.status, StatusCode::NOT_FOUND, "{path}");
            assert!(lost.text.contains("aria-label=\"Main\""), "{path}: inside the navigation");
            assert!(lost.text.contains("ot found<"), "{path}");
            assert!(!lost.text.contains("Renamed to") && !lost.header("set-cookie").contains("notice"), "{path}");
        }
        let shown = stage.get("/user/api-keys", &both).await;
        assert!(shown.text.contains("Renamed to “Laptop”.") && shown.header("set-cookie").contains("notice="));
    });
}

#[test]
fn bulk_actions_return_to_the_filtered_list_and_nowhere_else() {
    on_both(async |stage: Stage| {
        let cookie = stage.sign_in().await;
        stage.submit("/user/api-keys/new", &cookie, NEW_KEY).await;
        let list = stage.get("/team/keys?q=laptop&state=all", &cookie).await.text.replace("&amp;", "&");
        let field = list.split("name=\"back\"").nth(1).expect("the form names its list");
        assert!(field.split('>').next().unwrap().contains("value=\"/team/keys?q=laptop&state=all\""), "{field}");
        let end = list.find("/revoke\"").unwrap();
        let id = list[..end].rsplit('/').next().unwrap().to_owned();

        for (back, to) in [
            ("/team/keys%3Fq%3Da%2526b%26state%3Dall", "/team/keys?q=a%26b&state=all"),
            ("//evil.example", "/team/keys"),
            ("/team/keys-of-others%3Fq%3Da", "/team/keys"),
        ] {
            let page = stage.get(&format!("/team/keys/bulk?back={back}&key={id}&act=revoke"), &cookie).await.text;
            assert!(page.replace("&amp;", "&").contains(&format!("href=\"{to}\"")), "{back}: {page}");
            assert!(!page.contains("href=\"//evil") && !page.contains("href=\"/team/keys-of"), "{back}");
        }
        let none = stage.get("/team/keys/bulk?back=/team/keys%3Fq%3Dlap&act=revoke", &cookie).await.text;
        assert!(none.contains("Select at least one key.") && none.contains("href=\"/team/keys?q=lap\""));
        assert!(!none.contains("Revoke 0"));

        let bulk = |back: &str, act: &str| format!("/team/keys/bulk?back={back}&key={id}&act={act}");
        let done = stage.submit(&bulk("/team/keys%3Fq%3Da%2526b%26state%3Dall", "suspend"), &cookie, "").await;
        assert_eq!(done.header("location"), "/team/keys?q=a%26b&state=all");
        let done = stage.submit(&bulk("//evil.example", "revoke"), &cookie, "then=//evil.example").await;
        assert_eq!((done.status, done.header("location")), (StatusCode::SEE_OTHER, "/"));
    });
}

/// Posts the form that a page showed before, with other values. Returns the response.
async fn send_shown(stage: &Stage, shown: &str, cookie: &str, typed: &str) -> Answer {
    let form = Form::all(shown).into_iter().find(|form| form.action.starts_with("/fn/")).expect("a form");
    let hidden = serde_urlencoded::to_string(&form.hidden).unwrap();
    stage.post_form(&form.action, cookie, &format!("{hidden}&{typed}")).await
}

#[test]
fn a_form_that_was_opened_before_another_change_does_not_overwrite_it() {
    on_both(async |stage: Stage| {
        let cookie = stage.sign_in().await;
        let (account, _) = stage.key_of_account("bot").await;
        let scope = "/team/settings/scopes/a%3Ab";
        let added = stage.submit("/team/settings/scopes/new", &cookie, "scope=a:b&description=A&least_role=USER").await;
        assert_eq!(added.status, StatusCode::SEE_OTHER, "{}", added.text);
        let role = format!("/team/service-accounts/{account}/role");
        let policy = "/team/settings/policies/max_lifetime";
        // Page, what the form sends, what somebody else sends first, and what the conflict says.
        for (page, late, early, now) in [
            (role.clone(), "role=TENANT_ADMIN", "role=READ_ONLY_USER", "The role is Read only now."),
            (format!("{policy}?days=90"), "", "days=30", "must expire within 30 days. Set by Ada"),
            (format!("{policy}/off"), "", "", "must expire within 20 days."),
            (
                scope.to_owned(),
                "description=Late&least_role=READ_ONLY_USER",
                "description=Early&least_role=TENANT_ADMIN",
                "least role Administrator",
            ),
        ] {
            let shown = stage.get(&page, &cookie).await.text;
            // Somebody's form that was opened at the same time.
            let early_done = if page.ends_with("/off") {
                let form = stage.get(&format!("{policy}?days=20"), &cookie).await.text;
                send_shown(&stage, &form, &cookie, "").await
            } else {
                send_shown(&stage, &shown, &cookie, early).await
            };
            assert_eq!(early_done.status, StatusCode::SEE_OTHER, "{page}: {}", early_done.text);
            let refused = send_shown(&stage, &shown, &cookie, late).await;
            assert_eq!(refused.status, StatusCode::CONFLICT, "{page}: {}", refused.text);
            assert!(refused.text.contains("Somebody else changed this meanwhile"), "{page}: {}", refused.text);
            let is_told = refused.text.contains(now);
            assert!(is_told, "{page}: {}", refused.text);
            if page == scope {
                assert!(refused.text.contains("value=\"Late\""), "what was typed is kept");
            }
            // Once it was shown again, the same values are meant, also if they are sent twice.
            let again = send_shown(&stage, &refused.text, &cookie, late).await;
            assert_eq!(again.status, StatusCode::SEE_OTHER, "{page}: {}", again.text);
            if !page.ends_with("/off") {
                let twice = send_shown(&stage, &refused.text, &cookie, late).await;
                assert_eq!(twice.status, StatusCode::SEE_OTHER, "{page}: {}", twice.text);
            }
        }
        // The form for a new scope doesn't change one that exists.
        let taken = stage.submit("/team/settings/scopes/new", &cookie, "scope=a:b&description=B&least_role=USER").await;
        assert_eq!(taken.status, StatusCode::CONFLICT, "{}", taken.text);
        // With script.
        let body = format!("account={account}&role=USER&before=READ_ONLY_USER");
        let call = stage.call("/fn/change_service_account_role", &cookie, &body).await;
        assert_eq!(call.status, StatusCode::CONFLICT, "{}", call.text);
        let member = stage.ada;
        let body = format!("user={member}&role=USER&before=READ_ONLY_USER");
        let call = stage.call("/fn/change_member_role", &cookie, &body).await;
        assert_eq!(call.status, StatusCode::CONFLICT, "{}", call.text);
    });
}

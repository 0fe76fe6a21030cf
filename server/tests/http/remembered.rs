//! The cookie of a browser in which a user has signed in, and signing in while strangers fail.

use axum::body::Body;
use http::{Request, StatusCode};

use crate::support::*;

const RIGHT: &str = "email=ada%40example.org&password=seven+lamps+under+the+pier";
const WRONG: &str = "email=ada%40example.org&password=nine+kites+above+the+harbour";

/// Returns the cookie that the browser is remembered by, with its flags.
fn browser_cookie(answer: &Answer) -> Option<String> {
    answer.cookies().into_iter().find(|cookie| cookie.contains("-browser="))
}

fn value(cookie: &str) -> &str {
    cookie.split(';').next().unwrap()
}

#[test]
fn a_sign_in_renews_the_cookie_of_the_browser_and_a_failure_does_not() {
    on_https(async |stage| {
        let post = async |cookie: &str, body: &'static str| {
            let request = Request::post("/sign-in")
                .header("host", "keys.example.org")
                .header("content-type", "application/x-www-form-urlencoded")
                .header("sec-fetch-site", "same-origin")
                .header("cookie", cookie);
            stage.send(request.body(Body::from(body)).unwrap()).await
        };
        assert_eq!(browser_cookie(&post("", WRONG).await), None);
        let first = browser_cookie(&post("", RIGHT).await).unwrap();
        assert!(first.starts_with("__Host-latchkey-browser="), "{first}");
        for flag in ["; HttpOnly", "; SameSite=Lax", "; Secure", "; Path=/", "; Max-Age=2592000"] {
            assert!(first.contains(flag), "{flag}: {first}");
        }
        assert!(!first.contains("Domain"), "{first}");
        let second = browser_cookie(&post(value(&first), RIGHT).await).unwrap();
        assert_ne!(value(&first), value(&second));
        let profile = Request::get("/user/profile").header("host", "keys.example.org").header("cookie", value(&second));
        let profile = stage.send(profile.body(Body::empty()).unwrap()).await;
        assert_eq!(profile.status, StatusCode::SEE_OTHER, "it signs nobody in");
    });
}

#[test]
fn a_remembered_browser_gets_in_after_strangers_have_failed() {
    on_both(async |stage| {
        let cookie = browser_cookie(&stage.post_form("/sign-in", "", RIGHT).await).unwrap();
        for _ in 0..10 {
            assert_eq!(stage.post_form("/sign-in", "", WRONG).await.status, StatusCode::UNAUTHORIZED);
        }
        let refused = stage.post_form("/sign-in", "", RIGHT).await;
        assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
        assert!(!refused.header("retry-after").is_empty());
        assert_eq!(stage.post_form("/sign-in", value(&cookie), RIGHT).await.status, StatusCode::SEE_OTHER);
        let (name, _) = value(&cookie).split_once('=').unwrap();
        let made_up = format!("{name}={}", "a".repeat(43));
        assert_eq!(stage.post_form("/sign-in", &made_up, RIGHT).await.status, StatusCode::TOO_MANY_REQUESTS);
    });
}

#[test]
fn known_and_unknown_addresses_get_the_same_answer() {
    on_both(async |stage| {
        for attempt in 0..12 {
            let known = stage.post_form("/sign-in", "", WRONG).await;
            let unknown = stage.post_form("/sign-in", "", &WRONG.replace("ada", "eve")).await;
            assert_eq!(known.status, unknown.status, "attempt {attempt}");
            assert_eq!(known.header("retry-after"), unknown.header("retry-after"));
            // Nonces differ.
            let plain = |answer: &Answer, name: &str| {
                let text = answer.text.replace(name, "NAME");
                text.split("nonce=\"")
                    .map(|part| part.split_once('"').map_or(part, |(_, rest)| rest))
                    .collect::<String>()
            };
            assert_eq!(plain(&known, "ada"), plain(&unknown, "eve"), "attempt {attempt}");
        }
    });
}

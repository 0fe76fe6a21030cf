//! Reads request headers, and sets all cookies except the session's.

use axum::response::Response;
use axum_extra::extract::cookie::{Cookie, SameSite};
use domain::Notice;
use http::{HeaderMap, HeaderValue, header, header::AsHeaderName};
use time::Duration;

/// The cookie with the selected theme.
const THEME: &str = "theme";
/// The cookie with the notice for the next page.
const NOTICE: &str = "notice";

/// Returns a header's text; `None` if it is missing or isn't visible ASCII.
pub(crate) fn text(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Returns whether the body is declared as JSON.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    is_media_type(headers, "application/json")
}

/// Returns whether the body is declared as the fields of an HTML form.
pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    is_media_type(headers, "application/x-www-form-urlencoded")
}

fn is_media_type(headers: &HeaderMap, expected: &str) -> bool {
    // Not axum-extra's typed header, which rejects a space before the semicolon (RFC 9110 §5.6.6 allows it).
    let declared = text(headers, header::CONTENT_TYPE).and_then(|value| value.split(';').next());
    declared.is_some_and(|declared| declared.trim().eq_ignore_ascii_case(expected))
}

/// Returns the name of the theme that the browser has stored.
pub(crate) fn theme(headers: &HeaderMap) -> Option<String> {
    cookie(headers, THEME)
}

/// Stores a theme's name for a year.
pub(crate) fn set_theme(response: &mut Response, theme: &'static str) {
    set_cookie(response, THEME, theme, Duration::days(365));
}

/// Returns the notice for this page.
pub(crate) fn notice(headers: &HeaderMap) -> Option<Notice> {
    serde_urlencoded::from_str(&cookie(headers, NOTICE)?).ok()
}

/// Returns whether there is a notice, even an unreadable one.
pub(crate) fn has_notice(headers: &HeaderMap) -> bool {
    cookie(headers, NOTICE).is_some()
}

/// Makes the next page show a notice, if it is loaded within a minute.
pub(crate) fn set_notice(response: &mut Response, notice: &Notice) {
    if let Ok(fields) = serde_urlencoded::to_string(notice) {
        set_cookie(response, NOTICE, &fields, Duration::MINUTE);
    }
}

/// Removes a notice that has been shown.
pub(crate) fn remove_notice(response: &mut Response) {
    set_cookie(response, NOTICE, "", Duration::ZERO);
}

/// Returns the value of a cookie as it was sent. `CookieJar` would decode percent signs, which a notice contains.
fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut cookies = lines.flat_map(Cookie::split_parse).filter_map(Result::ok);
    cookies.find(|cookie| cookie.name() == name).map(|cookie| cookie.value().to_owned())
}

fn set_cookie(response: &mut Response, name: &str, value: &str, max_age: Duration) {
    let cookie =
        Cookie::build((name, value)).path("/").max_age(max_age).same_site(SameSite::Lax).http_only(true).build();
    if let Ok(cookie) = HeaderValue::from_str(&cookie.to_string()) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

/// Whether the percent-decoded path of a URI is UTF-8. axum rejects others with a text of its own.
pub(crate) fn is_utf8_path(uri: &http::Uri) -> bool {
    percent_encoding::percent_decode_str(uri.path()).decode_utf8().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let headers = [(header::COOKIE, HeaderValue::from_static("my_theme=light; theme=dark"))].into_iter().collect();
        assert_eq!(theme(&headers).as_deref(), Some("dark"));
        assert_eq!(notice(&headers), None);
    }

    #[test]
    fn a_notice_survives_its_cookie() {
        let sent = Notice::named(domain::Operation::RenameApiKey, "Ünï; \"x\", R&D, a+b, 50%41");
        let mut response = Response::default();
        set_notice(&mut response, &sent);
        let cookie = response.headers()[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
        let headers = [(header::COOKIE, HeaderValue::from_str(&cookie).unwrap())].into_iter().collect();
        assert_eq!(notice(&headers), Some(sent));
    }

    #[test]
    fn a_media_type_may_have_parameters() {
        let json = |value| is_json(&[(header::CONTENT_TYPE, HeaderValue::from_static(value))].into_iter().collect());
        assert!(json("application/json") && json("Application/JSON; charset=utf-8"));
        assert!(json("application/json ;charset=utf-8"));
        assert!(!json("application/jsonl") && !json("text/plain") && !is_json(&HeaderMap::new()));
    }
}

//! Reads request headers, and sets all cookies except the session's.

use std::borrow::Cow;

use axum::response::Response;
use axum_extra::extract::cookie::{Cookie, SameSite};
use domain::{
    Notice, Secret,
    secret::{TOKEN_PREFIXES, contains_token, without_tokens},
};
use http::{HeaderMap, HeaderValue, header, header::AsHeaderName};
use time::Duration;

/// The cookie with the selected theme.
const THEME: &str = "theme";
/// The cookie with the notice for the next page.
const NOTICE: &str = "notice";

/// Returns whether a request asks for a page: a browser sent it itself, and not a script.
pub(crate) fn wants_page(headers: &HeaderMap) -> bool {
    text(headers, header::ACCEPT).is_some_and(|kinds| kinds.contains("text/html"))
}

/// Returns a header's text; `None` if it is missing or isn't visible ASCII.
pub(crate) fn text(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Returns a header's text as it is recorded: read as UTF-8 or, if it isn't, as Latin-1 (RFC 9110 §5.5). Tokens are cut
/// to their prefix, and control characters and characters that change the direction of writing become spaces.
pub(crate) fn recorded(headers: &HeaderMap, name: impl AsHeaderName, max_chars: usize) -> Option<String> {
    let bytes = headers.get(name)?.as_bytes();
    let text = str::from_utf8(bytes).map_or_else(|_| latin1(bytes), Cow::Borrowed);
    Some(as_recorded(&text, max_chars))
}

/// As [`recorded`], for a text that a client has sent in another way.
pub(crate) fn as_recorded(text: &str, max_chars: usize) -> String {
    // Nearly all texts contain nothing that has to be replaced or could be a token.
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'%';
    if text.len() <= max_chars
        && text.bytes().all(is_plain)
        && !TOKEN_PREFIXES.iter().any(|prefix| text.contains(prefix))
    {
        return text.to_owned();
    }
    let shown = |char: char| if domain::name::is_forbidden(char) { ' ' } else { char };
    redacted(text).chars().take(max_chars).map(shown).collect()
}

fn latin1(bytes: &[u8]) -> Cow<'static, str> {
    bytes.iter().map(|byte| char::from(*byte)).collect::<String>().into()
}

/// Returns a text without percent signs that encode something, however often it is encoded.
pub(crate) fn decoded(text: &str) -> Cow<'_, str> {
    let mut decoded = Cow::Borrowed(text);
    // Each round shortens the text.
    while decoded.contains('%') {
        let next = percent_encoding::percent_decode_str(&decoded).decode_utf8_lossy().into_owned();
        if next == decoded {
            break;
        }
        decoded = next.into();
    }
    decoded
}

/// Returns a text without API key tokens, however often they are percent-encoded.
pub(crate) fn redacted(text: &str) -> Cow<'_, str> {
    let decoded = decoded(text);
    if contains_token(&decoded) { without_tokens(&decoded).into_owned().into() } else { Cow::Borrowed(text) }
}

/// Returns whether percent-encoded data is UTF-8 once it is decoded.
pub(crate) fn is_utf8(encoded: &[u8]) -> bool {
    percent_encoding::percent_decode(encoded).decode_utf8().is_ok()
}

/// Removes the cookies that aren't visible ASCII. Cookies of other sites on the same host may not be, and a line that
/// isn't would be ignored with our own cookies in it.
pub(crate) fn keep_readable_cookies(headers: &mut HeaderMap) {
    if headers.get_all(header::COOKIE).iter().all(|line| line.to_str().is_ok()) {
        return;
    }
    let cookies = headers.get_all(header::COOKIE).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    let is_readable = |cookie: &&[u8]| cookie.iter().all(|byte| matches!(byte, b' '..=b'~'));
    let kept = cookies.map(<[u8]>::trim_ascii).filter(is_readable).collect::<Vec<_>>().join(b"; ".as_slice());
    headers.remove(header::COOKIE);
    if let Ok(kept) = HeaderValue::from_bytes(&kept) {
        headers.insert(header::COOKIE, kept);
    }
}

/// Returns whether a request may have a cookie of this name. True in doubt.
pub(crate) fn may_have_cookie(headers: &HeaderMap, name: &str) -> bool {
    let is_in = |line: &HeaderValue| line.as_bytes().windows(name.len()).any(|part| part == name.as_bytes());
    headers.get_all(header::COOKIE).iter().any(is_in)
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

/// Stores the secret that a browser is remembered by.
pub(crate) fn set_browser(response: &mut Response, name: &str, secret: &Secret, kept_for: Duration) {
    set_cookie(response, name, secret.expose(), kept_for);
}

/// Returns the value of a cookie as it was sent. `CookieJar` would decode percent signs, which a notice contains.
pub(crate) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
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
    is_utf8(uri.path().as_bytes())
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
    fn foreign_cookies_that_are_not_ascii_leave_ours_alone() {
        let mut headers = HeaderMap::new();
        for line in ["name=José; theme=dark; x=\u{1F511}", "latchkey=abc"] {
            headers.append(header::COOKIE, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        headers.append(header::COOKIE, HeaderValue::from_bytes(b"name=Jos\xe9;notice=a%20b").unwrap());
        assert_eq!(headers.get_all(header::COOKIE).iter().filter(|line| line.to_str().is_err()).count(), 2);
        keep_readable_cookies(&mut headers);
        assert_eq!(headers[header::COOKIE], "theme=dark; latchkey=abc; notice=a%20b");
        assert_eq!(theme(&headers).as_deref(), Some("dark"));
        assert!(may_have_cookie(&headers, "latchkey") && !may_have_cookie(&headers, "latchkey-3000"));
    }

    #[test]
    fn recorded_headers_are_readable() {
        let user_agent = |bytes: &[u8]| {
            let headers = [(header::USER_AGENT, HeaderValue::from_bytes(bytes).unwrap())].into_iter().collect();
            recorded(&headers, header::USER_AGENT, 20).unwrap()
        };
        assert_eq!(user_agent("Café-Deployer/2.1".as_bytes()), "Café-Deployer/2.1");
        assert_eq!(user_agent(b"Caf\xe9-Deployer/2.1"), "Café-Deployer/2.1");
        assert_eq!(user_agent("部署".as_bytes()), "部署");
        assert_eq!(user_agent("a\u{202e}b\tc\u{85}d".as_bytes()), "a b c d");
        assert_eq!(user_agent(&[b'x'; 300]).len(), 20);
    }

    #[test]
    fn tokens_are_redacted_in_every_spelling() {
        let token = format!("lku_{}", "a".repeat(38));
        let encoded = token.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
        let half = token.replace('_', "%5F").replace("aa", "a%61");
        for text in
            [token.clone(), encoded.clone(), encoded.replace('%', "%25"), half.clone(), half.replace('%', "%2525")]
        {
            assert_eq!(redacted(&format!("/api/v1/{text}/x")), "/api/v1/lku_…/x", "{text}");
        }
        for plain in ["/user/api-keys", "/a%20b", "/100%", "/%zz%", "/%e9"] {
            assert_eq!(redacted(plain), plain);
        }
    }

    #[test]
    fn a_media_type_may_have_parameters() {
        let json = |value| is_json(&[(header::CONTENT_TYPE, HeaderValue::from_static(value))].into_iter().collect());
        assert!(json("application/json") && json("Application/JSON; charset=utf-8"));
        assert!(json("application/json ;charset=utf-8"));
        assert!(!json("application/jsonl") && !json("text/plain") && !is_json(&HeaderMap::new()));
    }
}

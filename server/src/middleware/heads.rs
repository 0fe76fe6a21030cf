//! Refuses requests whose head can be read in more than one way, and prepares the heads of the others.

use axum::{extract::Request, middleware::Next, response::Response};
use http::{HeaderMap, HeaderValue, StatusCode, Version, header};

use crate::{accept::Refusal, headers, problem};

/// Headers that occur at most once. With two, a proxy may have read one and a handler the other.
const SINGLE: [&str; 7] =
    ["Host", "Authorization", "Content-Type", "Origin", "Sec-Fetch-Site", "X-Prefect-Tenant-Id", "X-Prefect-Agent-Id"];

/// Refuses ambiguous heads, and queries that aren't UTF-8. Removes cookies that can't be read.
pub(crate) async fn check(mut request: Request, next: Next) -> Response {
    if let Some(refusal) = refuse(&mut request) {
        return refusal;
    }
    headers::keep_readable_cookies(request.headers_mut());
    next.run(request).await
}

/// Returns the response to a head that is ambiguous or that the accept loop has refused.
pub(crate) fn refuse(request: &mut Request) -> Option<Response> {
    if let Some(refusal) = request.extensions_mut().remove::<Refusal>() {
        return Some(refused(refusal));
    }
    let detail = find_fault(request)?;
    Some(bad_request(&detail))
}

/// As [`refuse`], for a request that is forwarded: its query needn't be UTF-8.
pub(crate) fn refuse_ambiguous(request: &mut Request) -> Option<Response> {
    if let Some(refusal) = request.extensions_mut().remove::<Refusal>() {
        return Some(refused(refusal));
    }
    let detail = find_ambiguity(request)?;
    Some(bad_request(&detail))
}

fn bad_request(detail: &str) -> Response {
    let mut response = problem::answer(StatusCode::BAD_REQUEST, detail);
    // A proxy may have understood what follows in another way, too.
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Returns what is wrong with a head that the accept loop let pass.
fn find_fault(request: &Request) -> Option<String> {
    if let Some(ambiguity) = find_ambiguity(request) {
        return Some(ambiguity);
    }
    let query = request.uri().query().unwrap_or_default();
    (!headers::is_utf8(query.as_bytes())).then(|| "The query isn't valid UTF-8.".to_owned())
}

fn find_ambiguity(request: &Request) -> Option<String> {
    if let Some(name) = find_repeated(request.headers()) {
        return Some(format!("The request has more than one {name} header."));
    }
    // RFC 9112 §3.2. Health checks of load balancers use HTTP/1.0 without a host.
    let has_host = request.headers().contains_key(header::HOST) || request.uri().authority().is_some();
    if !has_host && request.version() == Version::HTTP_11 {
        return Some("The request has no Host header.".to_owned());
    }
    None
}

fn find_repeated(headers: &HeaderMap) -> Option<&'static str> {
    // Most requests have no header twice.
    if headers.len() == headers.keys_len() {
        return None;
    }
    SINGLE.into_iter().find(|name| headers.get_all(*name).iter().nth(1).is_some())
}

fn refused(refusal: Refusal) -> Response {
    let (status, detail) = match refusal {
        Refusal::TooLarge => {
            (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "The request's head is larger than 16 KiB or 100 headers.")
        }
        Refusal::TooSlow => (StatusCode::REQUEST_TIMEOUT, "The request's head wasn't received within 15 seconds."),
        Refusal::Malformed => (StatusCode::BAD_REQUEST, "The request isn't valid HTTP/1.1."),
        Refusal::Ambiguous => {
            (StatusCode::BAD_REQUEST, "The request needs one valid Content-Length or Transfer-Encoding, not both.")
        }
        Refusal::Encoding => (StatusCode::NOT_IMPLEMENTED, "The only supported Transfer-Encoding is \"chunked\"."),
    };
    problem::answer(status, detail)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn fault(headers: &[(&'static str, &str)], uri: &str) -> Option<String> {
        let mut request = Request::get(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        find_fault(&request.body(Body::empty()).unwrap())
    }

    #[test]
    fn a_head_means_one_thing() {
        let host = ("host", "a");
        assert_eq!(fault(&[host, ("cookie", "a=1"), ("cookie", "b=2"), ("accept", "a"), ("accept", "b")], "/"), None);
        for name in ["host", "authorization", "content-type", "origin", "x-prefect-tenant-id"] {
            let detail = fault(&[host, (name, "a"), (name, "a")], "/").unwrap_or_default();
            assert!(detail.to_lowercase().contains(name), "{name}: {detail}");
        }
        assert!(fault(&[], "/").is_some_and(|detail| detail.contains("Host")));
        assert_eq!(fault(&[host], "/?q=%C3%A9&p=%25"), None);
        for query in ["/?q=%E9", "/?%ff", "/?q=%C3&p=%A9", "/?q=%ed%a0%80"] {
            assert!(fault(&[host], query).is_some_and(|detail| detail.contains("UTF-8")), "{query}");
        }
    }
}

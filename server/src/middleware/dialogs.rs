//! Responses to the script that shows a form in a dialog over another page.

use axum::{extract::Request, middleware::Next, response::Response};
use http::{HeaderMap, HeaderName, StatusCode, header};

/// The request header that marks a form sent by the script.
const FROM_DIALOG: HeaderName = HeaderName::from_static("x-latchkey-dialog");
/// The response header with the redirect's target.
const REDIRECT_TO: HeaderName = HeaderName::from_static("x-latchkey-to");

/// Returns whether the script of a dialog sent a form.
pub(crate) fn is_from_dialog(headers: &HeaderMap) -> bool {
    headers.contains_key(FROM_DIALOG)
}

/// Moves a redirect's target to a header of its own. The browser would follow a redirect without the script noticing,
/// and the page would be loaded twice, the second time without its notice.
pub(crate) async fn name_redirects(request: Request, next: Next) -> Response {
    let is_from_dialog = is_from_dialog(request.headers());
    let mut response = next.run(request).await;
    if is_from_dialog
        && response.status().is_redirection()
        && let Some(to) = response.headers_mut().remove(header::LOCATION)
    {
        *response.status_mut() = StatusCode::NO_CONTENT;
        response.headers_mut().insert(REDIRECT_TO, to);
    }
    response
}

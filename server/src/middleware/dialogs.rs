//! Answers to the script that shows a form in a dialog over another page.

use axum::{extract::Request, middleware::Next, response::Response};
use http::{HeaderMap, HeaderName, StatusCode, header};

/// Says that the script sent the form.
const FROM_DIALOG: HeaderName = HeaderName::from_static("x-latchkey-dialog");
/// Where the form leads.
const REDIRECT_TO: HeaderName = HeaderName::from_static("x-latchkey-to");

/// Whether a form was sent by the script of a dialog.
pub(crate) fn is_from_dialog(headers: &HeaderMap) -> bool {
    headers.contains_key(FROM_DIALOG)
}

/// Names the address of a redirect in a header instead: a browser would follow a redirect out of the script's sight, and the
/// page would be asked for twice, the second time without its notice.
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

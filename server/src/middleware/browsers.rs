//! Remembers in which browsers users have signed in, by a cookie without any rights: strangers can't use up the attempts
//! to sign in there.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use domain::UserId;
use service::{BROWSER_KEPT_FOR, Services};
use sha2::{Digest, Sha256};
use time::Duration;

use crate::{config::Site, headers};

/// The length of the cookie's secret.
const SECRET_CHARS: usize = 43;

/// The SHA-256 of the secret in the browser's cookie, in the request's extensions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Browser(pub(crate) [u8; 32]);

/// A user who has just signed in, in the response's extensions.
#[derive(Clone, Copy, Debug)]
struct SignedInNow(UserId);

/// Marks a response to a user who has just signed in, so that [`keep`] remembers the browser.
pub(crate) fn remember(mut response: Response, user: Option<UserId>) -> Response {
    if let Some(user) = user {
        response.extensions_mut().insert(SignedInNow(user));
    }
    response
}

/// Reads the browser's cookie, and renews it when a user signs in.
pub(crate) async fn keep(
    State(services): State<Services>,
    State(site): State<Arc<Site>>,
    mut request: Request,
    next: Next,
) -> Response {
    let name = format!("{}-browser", site.session_cookie());
    let browser = headers::cookie(request.headers(), &name).and_then(|secret| digest(&secret));
    if let Some(browser) = browser {
        request.extensions_mut().insert(Browser(browser));
    }
    let mut response = next.run(request).await;
    let Some(SignedInNow(user)) = response.extensions_mut().remove() else { return response };
    match services.sessions().remember_browser(user, browser.as_ref()).await {
        Ok(secret) => {
            let kept_for = Duration::seconds(BROWSER_KEPT_FOR.num_seconds());
            headers::set_browser(&mut response, &name, &secret, kept_for);
        }
        Err(error) => tracing::warn!(%error, "a browser could not be remembered"),
    }
    response
}

fn digest(secret: &str) -> Option<[u8; 32]> {
    let is_secret = secret.len() == SECRET_CHARS && secret.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_secret.then(|| Sha256::digest(secret.as_bytes()).into())
}

//! Accessors for what the transport and the schema attach to a GraphQL request.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use async_graphql::{Context, Result};
use domain::{ApiError, Owner};
use service::{Actor, Services};
use tower_sessions::Session;

use super::error::refuse;
use crate::middleware::sessions;

/// The site's scheme and host, for links in responses.
pub(super) struct PublicUrl(pub(super) String);

/// The client's version, as sent in a request header.
pub(super) struct ClientVersion(pub(super) Option<String>);

/// Whether the data of the response says that something was refused, so that its errors don't.
#[derive(Clone, Default)]
pub(super) struct RefusedInData(Arc<AtomicBool>);

impl RefusedInData {
    /// Returns what was recorded.
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The maximum number of bytes of states, logs and flows in a response.
const MAX_RESPONSE_BYTES: usize = 16 * 1_024 * 1_024;

/// How many bytes a response already has of what one field may return megabytes of.
#[derive(Default)]
pub(super) struct ResponseBytes(AtomicUsize);

impl ResponseBytes {
    /// Adds bytes. Returns false if the response is too long.
    pub(super) fn take(&self, bytes: usize) -> bool {
        self.0.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) <= MAX_RESPONSE_BYTES
    }
}

/// Records that the data says that something was refused.
pub(super) fn record_refusal(context: &Context<'_>) -> Result<()> {
    context.data::<RefusedInData>()?.0.store(true, Ordering::Relaxed);
    Ok(())
}

/// Returns the use cases.
pub(super) fn services<'a>(context: &'a Context<'_>) -> Result<&'a Services> {
    context.data::<Services>()
}

/// Returns the request's actor. The transport rejects requests without one.
pub(super) fn actor<'a>(context: &'a Context<'_>) -> Result<&'a Actor> {
    context.data::<Actor>().map_err(|_| refuse(ApiError::unauthenticated()))
}

/// Returns the browser session, which is empty for a request authenticated by a key.
pub(super) fn session<'a>(context: &'a Context<'_>) -> Result<&'a Session> {
    context.data::<Session>()
}

/// Returns the digest that identifies the session's row. The inner error means that the session was never stored.
pub(super) fn session_digest(context: &Context<'_>) -> Result<Result<[u8; 32], ApiError>> {
    Ok(sessions::digest_of(session(context)?))
}

/// Returns the site's scheme and host.
pub(super) fn public_url<'a>(context: &'a Context<'_>) -> Result<&'a str> {
    Ok(&context.data::<PublicUrl>()?.0)
}

/// Returns the client's version, if it sent one.
pub(super) fn client_version<'a>(context: &'a Context<'_>) -> Result<Option<&'a str>> {
    Ok(context.data::<ClientVersion>()?.0.as_deref())
}

/// Parses an id. A malformed id gets the same error as one that doesn't exist.
pub(super) fn id<T: std::str::FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| refuse(ApiError::not_found()))
}

/// Returns the owner with an id: the actor itself or a service account.
pub(super) fn owner(actor: &Actor, text: &str) -> Result<Owner> {
    let own = actor.require_owner().map_err(refuse)?;
    if text.trim().eq_ignore_ascii_case(&own.to_string()) {
        return Ok(own);
    }
    id(text).map(Owner::ServiceAccount)
}

//! What the resolvers of a request share, and what the transport and the schema put there for them.

use async_graphql::{Context, Result};
use domain::{ApiError, Owner};
use service::{Actor, Services};
use tower_sessions::Session;

use super::error::refuse;
use crate::middleware::sessions;

/// Scheme and host of the site, for links in answers.
pub(super) struct PublicUrl(pub(super) String);

/// The version that a client names in its headers.
pub(super) struct ClientVersion(pub(super) Option<String>);

/// The use cases.
pub(super) fn services<'a>(context: &'a Context<'_>) -> Result<&'a Services> {
    context.data::<Services>()
}

/// The actor. The transport refuses requests without one.
pub(super) fn actor<'a>(context: &'a Context<'_>) -> Result<&'a Actor> {
    context.data::<Actor>().map_err(|_| refuse(ApiError::unauthenticated()))
}

/// The browser's session; an empty one for a request by key.
pub(super) fn session<'a>(context: &'a Context<'_>) -> Result<&'a Session> {
    context.data::<Session>()
}

/// The key of the session's row; the inner error when the session was never stored.
pub(super) fn session_digest(context: &Context<'_>) -> Result<Result<[u8; 32], ApiError>> {
    Ok(sessions::digest_of(session(context)?))
}

/// Scheme and host of the site.
pub(super) fn public_url<'a>(context: &'a Context<'_>) -> Result<&'a str> {
    Ok(&context.data::<PublicUrl>()?.0)
}

/// The version of the client, if it names one.
pub(super) fn client_version<'a>(context: &'a Context<'_>) -> Result<Option<&'a str>> {
    Ok(context.data::<ClientVersion>()?.0.as_deref())
}

/// Parses an id. A malformed one is refused like one that doesn't exist.
pub(super) fn id<T: std::str::FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| refuse(ApiError::not_found()))
}

/// The owner with an id: the actor itself, or a service account.
pub(super) fn owner(actor: &Actor, text: &str) -> Result<Owner> {
    let own = actor.require_owner().map_err(refuse)?;
    if text.trim().eq_ignore_ascii_case(&own.to_string()) {
        return Ok(own);
    }
    id(text).map(Owner::ServiceAccount)
}

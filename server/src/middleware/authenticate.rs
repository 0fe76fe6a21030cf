//! Who is asking, found out once: a bearer key, or else the browser's session.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use domain::{ApiError, ErrorCode, audit::Channel, secret::without_tokens};
use http::{Extensions, HeaderMap, Uri, header};
use service::{Actor, Client};
use tower_sessions::Session;

use super::sessions;
use crate::{accept::Peer, problem, router::Doors};

/// The longest `User-Agent` that is kept, in characters.
const MOST_AGENT_CHARS: usize = 200;

/// What is known of the caller when the handler runs.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// Neither session nor key.
    Nobody,
    /// A person or a service account.
    Known(Box<Actor>),
    /// A key was presented and isn't good, or the header isn't well-formed.
    Refused(ApiError),
}

impl Caller {
    pub(crate) fn actor(&self) -> Option<&Actor> {
        match self {
            Self::Known(actor) => Some(actor),
            Self::Nobody | Self::Refused(_) => None,
        }
    }

    /// The actor, or the refusal to give.
    pub(crate) fn require(&self) -> Result<&Actor, ApiError> {
        match self {
            Self::Known(actor) => Ok(actor),
            Self::Nobody => Err(ApiError::unauthenticated()),
            Self::Refused(error) => Err(error.clone()),
        }
    }
}

/// From where a request came.
pub(crate) fn client(headers: &HeaderMap, extensions: &Extensions, channel: Channel) -> Client {
    let user_agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    Client {
        channel,
        address: extensions.get::<Peer>().map(|peer| peer.0.to_string()),
        user_agent: user_agent.map(|agent| without_tokens(agent).chars().take(MOST_AGENT_CHARS).collect()),
        agent_id: None,
    }
}

/// For the browser's routes: by session alone.
pub(crate) async fn by_session(
    State(doors): State<Doors>,
    session: Session,
    mut request: Request,
    next: Next,
) -> Response {
    let client = client(request.headers(), request.extensions(), Channel::Browser);
    let caller = match session_actor(&doors, &session, client).await {
        Ok(caller) => caller,
        Err(error) => return problem::of(&error),
    };
    request.extensions_mut().insert(caller);
    next.run(request).await
}

/// For the API's routes: by key and, without one, by session.
pub(crate) async fn by_key_or_session(
    State(doors): State<Doors>,
    session: Session,
    mut request: Request,
    next: Next,
) -> Response {
    let channel = if request.uri().path().starts_with("/api/") { Channel::Rest } else { Channel::Graphql };
    let mut client = client(request.headers(), request.extensions(), channel);
    client.agent_id = text(request.headers(), AGENT_HEADER).and_then(|id| id.parse().ok());
    let caller = match request.headers().get(header::AUTHORIZATION) {
        Some(value) => match bearer(value.to_str().unwrap_or_default()) {
            Some(token) => doors.services.actors().from_bearer(token, client).await.map_err(ApiError::from),
            None => Err(ApiError::unauthenticated()),
        }
        .map_or_else(Caller::Refused, |actor| Caller::Known(Box::new(actor))),
        None => match session_actor(&doors, &session, client).await {
            Ok(caller) => caller,
            Err(error) => Caller::Refused(error),
        },
    };
    let caller = in_named_tenant(caller, request.headers());
    request.extensions_mut().insert(caller);
    next.run(request).await
}

/// The tenant that a client names: any other than the caller's own is refused like a bad key.
const TENANT_HEADER: &str = "x-prefect-tenant-id";
/// The agent that a client says it is.
const AGENT_HEADER: &str = "x-prefect-agent-id";

fn in_named_tenant(caller: Caller, headers: &HeaderMap) -> Caller {
    match (&caller, text(headers, TENANT_HEADER)) {
        (Caller::Known(actor), Some(named)) if named.parse() != Ok(actor.tenant_id()) => {
            Caller::Refused(ApiError::unauthenticated())
        }
        _ => caller,
    }
}

/// A header's text; none for an empty one.
fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?").trim()).filter(|text| !text.is_empty())
}

async fn session_actor(doors: &Doors, session: &Session, client: Client) -> Result<Caller, ApiError> {
    let Some(who) = sessions::who(session, &client, doors.services.now()).await? else { return Ok(Caller::Nobody) };
    match doors
        .services
        .actors()
        .from_session(who.user, who.tenant, who.confirmed_at, client)
        .await
        .map_err(ApiError::from)
    {
        Ok(actor) => Ok(Caller::Known(Box::new(actor))),
        Err(error) if error.code == ErrorCode::Unauthenticated => Ok(Caller::Nobody),
        Err(error) => Err(error),
    }
}

/// The token of an `Authorization: Bearer` header; the scheme's case doesn't matter (RFC 9110 §11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty()).then(|| token.trim())
}

/// Pages that need a person send everybody else to the sign-in, and back to where they wanted to go.
pub(crate) async fn require_person(request: Request, next: Next) -> Response {
    let known = request.extensions().get::<Caller>().is_some_and(|caller| caller.actor().is_some());
    if known {
        return next.run(request).await;
    }
    Redirect::to(&format!("/sign-in?next={}", app::list_url::encode(wanted(request.uri())))).into_response()
}

/// Where forms go that have no page of their own, or none without what was sent.
const WITHOUT_PAGE: [&str; 5] =
    ["/switch-tenant", "/sign-out", "/preferences/theme", "/team/keys/suspend", "/team/keys/revoke"];

/// The page that a request is about: a form is sent to its own page's address.
fn wanted(uri: &Uri) -> &str {
    if WITHOUT_PAGE.contains(&uri.path()) {
        return "/";
    }
    uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str)
}

#[cfg(test)]
mod tests {
    use http::Uri;

    use super::{bearer, wanted};

    #[test]
    fn a_bearer_header_has_a_scheme_and_a_token() {
        assert_eq!(bearer("Bearer abc"), Some("abc"));
        assert_eq!(bearer("bearer  abc "), Some("abc"));
        assert_eq!(bearer("Basic abc"), None);
        assert_eq!(bearer("Bearer "), None);
        assert_eq!(bearer("Bearer"), None);
    }

    #[test]
    fn a_form_leads_back_to_its_page_if_it_has_one() {
        let form = Uri::from_static("/user/api-keys/new?name=ci");
        assert_eq!(wanted(&form), "/user/api-keys/new?name=ci");
        assert_eq!(wanted(&Uri::from_static("/switch-tenant")), "/");
    }
}

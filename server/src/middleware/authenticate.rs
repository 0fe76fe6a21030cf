//! Authenticates each request once: by its key or, without one, by the browser's session.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use axum_extra::headers::{Authorization, HeaderMapExt, authorization::Bearer};
use domain::{ApiError, Endpoint, ErrorCode, TenantId, audit::Channel};
use http::{Extensions, HeaderMap, HeaderName, header};
use service::{Actor, Client, Services};
use tower_sessions::Session;

use super::{browsers::Browser, forwarded::UntrustedProxy, sessions, trace::RequestSpan};
use crate::{accept::Peer, config::Site, headers, problem};

/// The maximum length of a stored `User-Agent`, in characters.
pub(crate) const MAX_AGENT_CHARS: usize = 200;

/// The outcome of authentication, in the request's extensions.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// The request has neither a session nor a key.
    Nobody,
    /// A user or a service account.
    Known(Box<Actor>),
    /// The key is invalid, or the header is malformed.
    Refused(ApiError),
}

impl Caller {
    pub(crate) fn actor(&self) -> Option<&Actor> {
        match self {
            Self::Known(actor) => Some(actor),
            Self::Nobody | Self::Refused(_) => None,
        }
    }

    /// Returns the actor, or the error for the response.
    pub(crate) fn require(&self) -> Result<&Actor, ApiError> {
        match self {
            Self::Known(actor) => Ok(actor),
            Self::Nobody => Err(ApiError::unauthenticated()),
            Self::Refused(error) => Err(error.clone()),
        }
    }
}

/// Returns the client that sent a request.
pub(crate) fn client(headers: &HeaderMap, extensions: &Extensions, channel: Channel) -> Client {
    Client {
        channel,
        endpoint: match channel {
            Channel::Graphql => Some(Endpoint::Graphql),
            Channel::Browser => Some(Endpoint::Dashboard),
            Channel::Rest | Channel::Cli | Channel::Service => None,
        },
        address: extensions.get::<Peer>().map(|peer| peer.0.to_string()),
        is_address_shared: extensions.get::<UntrustedProxy>().is_some(),
        user_agent: headers::recorded(headers, header::USER_AGENT, MAX_AGENT_CHARS),
        agent_id: None,
        browser: extensions.get::<Browser>().map(|browser| browser.0),
    }
}

/// Authenticates the browser's routes, by session only.
pub(crate) async fn session_only(
    State(services): State<Services>,
    session: Session,
    mut request: Request,
    next: Next,
) -> Response {
    let client = client(request.headers(), request.extensions(), Channel::Browser);
    let caller = match session_actor(&services, &session, client).await {
        Ok(caller) => caller,
        Err(error) => return problem::of(&error),
    };
    request.extensions_mut().insert(caller);
    next.run(request).await
}

/// Authenticates the API's routes, by key or, without one, by session.
pub(crate) async fn by_key_or_session(
    State(services): State<Services>,
    session: Session,
    mut request: Request,
    next: Next,
) -> Response {
    let channel = if request.uri().path().starts_with("/api/") { Channel::Rest } else { Channel::Graphql };
    let mut client = client(request.headers(), request.extensions(), channel);
    client.agent_id = text(request.headers(), AGENT_HEADER).and_then(|id| id.parse().ok());
    let caller = match request.headers().typed_try_get::<Authorization<Bearer>>() {
        Ok(Some(bearer)) => services
            .actors()
            .from_bearer(bearer.token().trim_end(), client)
            .await
            .map_or_else(|error| Caller::Refused(error.into()), |actor| Caller::Known(Box::new(actor))),
        Err(_) => Caller::Refused(ApiError::unauthenticated()),
        Ok(None) => match session_actor(&services, &session, client).await {
            Ok(caller) => caller,
            Err(error) => Caller::Refused(error),
        },
    };
    let caller = in_named_tenant(caller, request.headers());
    if let (Some(span), Some(key)) = (request.extensions().get::<RequestSpan>(), caller.actor().and_then(Actor::key_id))
    {
        span.record_key(key);
    }
    request.extensions_mut().insert(caller);
    next.run(request).await
}

/// The header with the tenant that a client expects to act in. A tenant other than the caller's is rejected like an
/// invalid key.
pub(crate) const TENANT_HEADER: HeaderName = HeaderName::from_static("x-prefect-tenant-id");
/// The header with the agent id that a client claims to have.
const AGENT_HEADER: &str = "x-prefect-agent-id";

fn in_named_tenant(caller: Caller, headers: &HeaderMap) -> Caller {
    match &caller {
        Caller::Known(actor) if names_other_tenant(headers, actor.tenant_id()) => {
            Caller::Refused(ApiError::unauthenticated())
        }
        _ => caller,
    }
}

/// Whether a client expects to act in another tenant.
pub(crate) fn names_other_tenant(headers: &HeaderMap, tenant: TenantId) -> bool {
    text(headers, TENANT_HEADER.as_str()).is_some_and(|named| named.parse() != Ok(tenant))
}

/// Returns a header's text; `None` if it is empty. Unreadable text becomes `?`, which matches no id.
fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?").trim()).filter(|text| !text.is_empty())
}

async fn session_actor(services: &Services, session: &Session, client: Client) -> Result<Caller, ApiError> {
    let Some(user) = sessions::current_user(session, &client, services.now()).await? else { return Ok(Caller::Nobody) };
    match services.actors().from_session(user.id, user.tenant, user.confirmed_at, client).await.map_err(ApiError::from)
    {
        Ok(actor) => Ok(Caller::Known(Box::new(actor.in_session(user.session)))),
        Err(error) if error.code == ErrorCode::Unauthenticated => Ok(Caller::Nobody),
        Err(error) => Err(error),
    }
}

/// Redirects requests without a signed-in user to the sign-in page, which leads back to the requested page.
pub(crate) async fn require_person(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let known = request.extensions().get::<Caller>().is_some_and(|caller| caller.actor().is_some());
    if known {
        return next.run(request).await;
    }
    let page = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    redirect_to_sign_in(&site, request.headers(), page)
}

/// Redirects to the sign-in page, which leads back to `page`. If the request has a session cookie, the page says that
/// the session has ended.
pub(crate) fn redirect_to_sign_in(site: &Site, headers: &HeaderMap, page: &str) -> Response {
    let ended = if headers::cookie(headers, site.session_cookie()).is_some() { "&ended=yes" } else { "" };
    Redirect::to(&format!("/sign-in?next={}{ended}", app::list_url::encode(page))).into_response()
}

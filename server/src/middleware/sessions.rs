//! Browser sessions: tower-sessions over the service's rows, keyed by the SHA-256 of the cookie's secret.

use async_trait::async_trait;
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{ApiError, SessionId, TenantId, UserId};
use http::{HeaderValue, header};
use serde::{Deserialize, Serialize};
use service::{Client, PasswordMark, Services, SessionFacts, SignedIn, StoredSession};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use tower_sessions::{
    Expiry, Session, SessionManagerLayer, SessionStore,
    cookie::SameSite,
    session::{Id, Record},
    session_store::{Error, Result},
};

use crate::{config::Site, router::Doors};

/// A session without any request ends after this time.
const IDLE: time::Duration = time::Duration::minutes(60);
/// A session ends after this time, whatever happens.
const ABSOLUTE: TimeDelta = TimeDelta::hours(24);
/// How often a request prolongs its session: not at every click, to spare the writes.
const TOUCH_EVERY: TimeDelta = TimeDelta::minutes(1);
/// How long a code may take.
const CODE_WITHIN: TimeDelta = TimeDelta::minutes(5);
const WHO: &str = "who";
const PENDING: &str = "pending";

/// Who sits at a session, and since when.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Who {
    pub(crate) user: UserId,
    pub(crate) tenant: TenantId,
    signed_in_at: DateTime<Utc>,
    seen_at: DateTime<Utc>,
    /// When the person last gave their password here.
    #[serde(default)]
    pub(crate) confirmed_at: DateTime<Utc>,
    #[serde(default)]
    id: SessionId,
    #[serde(default)]
    address: Option<String>,
    #[serde(default)]
    user_agent: Option<String>,
    /// The password that the session began by.
    #[serde(default)]
    password: Option<PasswordMark>,
}

/// Who has given the right password, and still owes a code of the second factor.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Pending {
    user: UserId,
    tenant: TenantId,
    since: DateTime<Utc>,
    /// The password that was right. Whoever waits since before it was kept has the mark of none, by which no session begins.
    #[serde(default)]
    password: PasswordMark,
}

/// The store behind tower-sessions.
#[derive(Clone, Debug)]
pub(crate) struct Store(pub(crate) Services);

/// The layer, with the cookie's flags.
pub(crate) fn layer(services: Services, site: &Site) -> SessionManagerLayer<Store> {
    SessionManagerLayer::new(Store(services))
        .with_name(site.session_cookie())
        .with_secure(site.is_secure)
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_path("/")
        .with_expiry(Expiry::OnInactivity(IDLE))
}

/// Begins a session under a new id (an id from before signing in never becomes a signed-in one).
pub(crate) async fn begin(
    session: &Session,
    signed_in: SignedIn,
    client: &Client,
    now: DateTime<Utc>,
) -> std::result::Result<(), ApiError> {
    let who = Who {
        user: signed_in.user_id,
        tenant: signed_in.tenant_id,
        signed_in_at: now,
        seen_at: now,
        confirmed_at: now,
        id: service::new_session_id(now),
        address: client.address.clone(),
        user_agent: client.user_agent.clone(),
        password: Some(signed_in.password),
    };
    session.remove_value(PENDING).await.map_err(|error| failed(&error))?;
    session.cycle_id().await.map_err(|error| failed(&error))?;
    session.insert(WHO, who).await.map_err(|error| failed(&error))
}

/// Remembers who still owes a code, under a new id.
pub(crate) async fn await_code(
    session: &Session,
    signed_in: SignedIn,
    now: DateTime<Utc>,
) -> std::result::Result<(), ApiError> {
    session.cycle_id().await.map_err(|error| failed(&error))?;
    let SignedIn { user_id: user, tenant_id: tenant, password, .. } = signed_in;
    let pending = Pending { user, tenant, since: now, password };
    session.insert(PENDING, pending).await.map_err(|error| failed(&error))
}

/// Who owes a code, if somebody does and not for too long.
pub(crate) async fn awaits_code(
    session: &Session,
    now: DateTime<Utc>,
) -> std::result::Result<Option<SignedIn>, ApiError> {
    let pending = session.get::<Pending>(PENDING).await.map_err(|error| failed(&error))?;
    Ok(pending.filter(|pending| now - pending.since < CODE_WITHIN).map(|pending| SignedIn {
        user_id: pending.user,
        tenant_id: pending.tenant,
        needs_code: true,
        password: pending.password,
    }))
}

/// The person has just shown again that it is them.
pub(crate) async fn confirm(session: &Session, now: DateTime<Utc>) -> std::result::Result<(), ApiError> {
    if let Ok(Some(who)) = session.get::<Who>(WHO).await {
        session.insert(WHO, Who { confirmed_at: now, ..who }).await.map_err(|error| failed(&error))?;
    }
    Ok(())
}

/// Ends a session.
pub(crate) async fn end(session: &Session) -> std::result::Result<(), ApiError> {
    session.flush().await.map_err(|error| failed(&error))
}

/// What the session's row is found by.
///
/// # Errors
/// For a session that was never kept.
pub(crate) fn digest_of(session: &Session) -> std::result::Result<[u8; 32], ApiError> {
    session.id().map(digest).ok_or_else(ApiError::unauthenticated)
}

/// Moves a session to another tenant.
pub(crate) async fn stand_in(session: &Session, tenant: TenantId) -> std::result::Result<(), ApiError> {
    if let Ok(Some(who)) = session.get::<Who>(WHO).await {
        session.insert(WHO, Who { tenant, ..who }).await.map_err(|error| failed(&error))?;
    }
    Ok(())
}

/// Who sits at the session, if somebody does and it isn't over. Prolongs it, once a minute at most.
pub(crate) async fn who(
    session: &Session,
    client: &Client,
    now: DateTime<Utc>,
) -> std::result::Result<Option<Who>, ApiError> {
    let Some(who) = session.get::<Who>(WHO).await.map_err(|error| failed(&error))? else { return Ok(None) };
    if now - who.signed_in_at >= ABSOLUTE {
        end(session).await?;
        return Ok(None);
    }
    if now - who.seen_at >= TOUCH_EVERY {
        let (address, user_agent) = (client.address.clone(), client.user_agent.clone());
        let seen = Who { seen_at: now, address, user_agent, ..who.clone() };
        session.insert(WHO, seen).await.map_err(|error| failed(&error))?;
    }
    Ok(Some(who))
}

fn failed(error: &tower_sessions::session::Error) -> ApiError {
    ApiError::from(service::Error::Fault(format!("session: {error}")))
}

/// Gives the cookie that removes a session all the flags of the one that made it; a browser ignores it otherwise.
pub(crate) async fn complete_removal(State(doors): State<Doors>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let prefix = format!("{}=;", doors.site.session_cookie());
    let cookies: Vec<HeaderValue> = response.headers().get_all(header::SET_COOKIE).iter().cloned().collect();
    let is_removal = |cookie: &HeaderValue| cookie.to_str().is_ok_and(|text| text.starts_with(&prefix));
    if cookies.iter().any(is_removal) {
        response.headers_mut().remove(header::SET_COOKIE);
        for cookie in cookies {
            let cookie = if is_removal(&cookie) { removal(&doors.site) } else { cookie };
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
    response
}

fn removal(site: &Site) -> HeaderValue {
    let secure = if site.is_secure { "; Secure" } else { "" };
    let text = format!("{}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax{secure}", site.session_cookie());
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

fn digest(id: Id) -> [u8; 32] {
    Sha256::digest(id.0.to_be_bytes()).into()
}

fn backend(error: impl std::fmt::Display) -> Error {
    Error::Backend(error.to_string())
}

impl Store {
    fn row(&self, record: &Record) -> Result<StoredSession> {
        let who = record.data.get(WHO).and_then(|who| serde_json::from_value::<Who>(who.clone()).ok());
        let (user_id, begun_by) = (who.as_ref().map(|who| who.user), who.as_ref().and_then(|who| who.password));
        let facts = who.map(|who| SessionFacts {
            id: who.id,
            signed_in_at: who.signed_in_at,
            seen_at: who.seen_at,
            address: who.address,
            user_agent: who.user_agent,
        });
        let data = serde_json::to_string(&record.data).map_err(|error| Error::Encode(error.to_string()))?;
        // By our clock, like everything else that ends.
        let expires_at = self.0.now() + TimeDelta::minutes(IDLE.whole_minutes());
        Ok(StoredSession { data, user_id, expires_at, facts, begun_by })
    }
}

#[async_trait]
impl SessionStore for Store {
    async fn create(&self, record: &mut Record) -> Result<()> {
        while self.0.sessions().load(&digest(record.id)).await.map_err(backend)?.is_some() {
            record.id = Id::default();
        }
        self.0.sessions().create(&digest(record.id), &self.row(record)?).await.map_err(backend)
    }

    async fn save(&self, record: &Record) -> Result<()> {
        self.0.sessions().save(&digest(record.id), &self.row(record)?).await.map_err(backend)
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let Some(stored) = self.0.sessions().load(&digest(*id)).await.map_err(backend)? else { return Ok(None) };
        let data = serde_json::from_str(&stored.data).map_err(|error| Error::Decode(error.to_string()))?;
        let expiry_date = OffsetDateTime::from_unix_timestamp(stored.expires_at.timestamp()).map_err(backend)?;
        Ok(Some(Record { id: *id, data, expiry_date }))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.0.sessions().delete(&digest(*id)).await.map_err(backend)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn who_waits_for_a_code_since_before_passwords_were_marked_is_still_read() {
        let (user, tenant) = (UserId::default(), TenantId::default());
        let stored = json!({"user": user, "tenant": tenant, "since": "2027-01-01T00:00:00Z"});
        let pending: Pending = serde_json::from_value(stored).unwrap();
        assert_eq!((pending.user, pending.password), (user, PasswordMark::default()));
    }
}

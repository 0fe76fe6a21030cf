//! Browser sessions: tower-sessions on the service's session rows, whose key is the SHA-256 of the cookie's secret.

use std::{collections::HashMap, sync::Arc};

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
use serde_json::{Value, json};
use service::{Client, PasswordMark, Services, SessionFacts, SignedIn, StoredSession};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use tokio::sync::Semaphore;
use tower_sessions::{
    Expiry, Session, SessionManagerLayer, SessionStore,
    cookie::SameSite,
    session::{Id, Record},
    session_store::{Error, Result},
};

use crate::{config::Site, problem};

/// A session expires after this time without a request.
const IDLE: time::Duration = time::Duration::minutes(60);
/// A session expires this long after sign-in, even if it is in use.
const ABSOLUTE: TimeDelta = TimeDelta::hours(24);
/// How far the time of a sign-in may be ahead of the clock. A session further ahead began while a clock was wrong, and
/// would last for longer than [`ABSOLUTE`].
const MAX_AHEAD: TimeDelta = TimeDelta::minutes(5);
/// How often a session is extended. Not with every request, to save writes.
const EXTEND_EVERY: TimeDelta = TimeDelta::minutes(1);
/// How long after the password a two-factor code is accepted.
const CODE_WITHIN: TimeDelta = TimeDelta::minutes(5);
const WHO: &str = "who";
const PENDING: &str = "pending";
/// The user as before a request that extended the session. Never stored.
const BEFORE: &str = "before";
/// Marks a session that gets a new id with the response.
const RENEWS: &str = "renews";

/// Marks a session that begins without a two-factor code. Never stored.
const WITHOUT_CODE: &str = "without_code";
/// The digest of the id that a session had before it got a new one. Never stored.
const REPLACES: &str = "replaces";
tokio::task_local! {
    /// Set while a session gets a new id. The old row is then deleted together with the insertion of the new one:
    /// whoever ends the session in between would find neither, and the session would go on.
    static RENEWING: ();
}

/// The signed-in user, as stored in the session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CurrentUser {
    #[serde(rename = "user")]
    pub(crate) id: UserId,
    pub(crate) tenant: TenantId,
    signed_in_at: DateTime<Utc>,
    seen_at: DateTime<Utc>,
    /// When the user last entered their password in this session.
    #[serde(default)]
    pub(crate) confirmed_at: DateTime<Utc>,
    #[serde(default, rename = "id")]
    pub(crate) session: SessionId,
    #[serde(default)]
    address: Option<String>,
    #[serde(default)]
    user_agent: Option<String>,
    /// The mark of the password with which the session began.
    #[serde(default)]
    password: Option<PasswordMark>,
}

/// A sign-in with the correct password that awaits a two-factor code.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Pending {
    user: UserId,
    tenant: TenantId,
    since: DateTime<Utc>,
    /// The mark of that password. Records from before this field existed get the default mark, with which no session
    /// begins.
    #[serde(default)]
    password: PasswordMark,
}

/// The session store for tower-sessions.
#[derive(Clone, Debug)]
pub(crate) struct Store(pub(crate) Services);

/// Creates the session layer, with the cookie's flags.
pub(crate) fn layer(services: Services, site: &Site) -> SessionManagerLayer<Store> {
    SessionManagerLayer::new(Store(services))
        .with_name(site.session_cookie().to_owned())
        .with_secure(site.is_secure)
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_path("/")
        .with_expiry(Expiry::OnInactivity(IDLE))
}

/// Begins a signed-in session, with a new id against session fixation.
pub(crate) async fn begin(
    session: &Session,
    signed_in: SignedIn,
    client: &Client,
    now: DateTime<Utc>,
) -> std::result::Result<(), ApiError> {
    let user = CurrentUser {
        id: signed_in.user_id,
        tenant: signed_in.tenant_id,
        signed_in_at: now,
        seen_at: now,
        confirmed_at: now,
        session: service::new_session_id(now),
        address: client.address.clone(),
        user_agent: client.user_agent.clone(),
        password: Some(signed_in.password),
    };
    session.remove_value(PENDING).await.map_err(|error| failed(&error))?;
    session.cycle_id().await.map_err(|error| failed(&error))?;
    if !signed_in.has_code {
        session.insert(WITHOUT_CODE, true).await.map_err(|error| failed(&error))?;
    }
    session.insert(WHO, user).await.map_err(|error| failed(&error))
}

/// Stores a sign-in that awaits a code, with a new session id.
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

/// Returns the sign-in that awaits a code, unless it is too old.
pub(crate) async fn find_awaiting_code(
    session: &Session,
    now: DateTime<Utc>,
) -> std::result::Result<Option<SignedIn>, ApiError> {
    let pending = session.get::<Pending>(PENDING).await.map_err(|error| failed(&error))?;
    Ok(pending.filter(|pending| now - pending.since < CODE_WITHIN).map(|pending| SignedIn {
        user_id: pending.user,
        tenant_id: pending.tenant,
        needs_code: true,
        has_code: false,
        password: pending.password,
    }))
}

/// Records that the user has just entered their password again. The session gets a new id.
pub(crate) async fn record_confirmation(session: &Session, now: DateTime<Utc>) -> std::result::Result<(), ApiError> {
    if let Ok(Some(user)) = session.get::<CurrentUser>(WHO).await {
        session.insert(WHO, CurrentUser { confirmed_at: now, ..user }).await.map_err(|error| failed(&error))?;
    }
    renew(session).await
}

/// Records that the user has just changed their password. The session gets a new id.
pub(crate) async fn set_password(session: &Session, mark: PasswordMark) -> std::result::Result<(), ApiError> {
    if let Ok(Some(user)) = session.get::<CurrentUser>(WHO).await {
        session.insert(WHO, CurrentUser { password: Some(mark), ..user }).await.map_err(|error| failed(&error))?;
    }
    renew(session).await
}

/// Gives the session a new id with the response, so that whoever knew the old one can't use what the user has just
/// confirmed or changed (OWASP Session Management: renew the id after any privilege level change).
pub(crate) async fn renew(session: &Session) -> std::result::Result<(), ApiError> {
    session.insert(RENEWS, true).await.map_err(|error| failed(&error))
}

/// Middleware: gives a session that is to be renewed its new id. Not with a server error: such a response doesn't store
/// the session, so the browser would be signed out.
pub(crate) async fn renew_ids(session: Session, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    if response.status().is_server_error() {
        return response;
    }
    let renewed = async {
        // Looked for first, because removing marks a session as changed, and it would be stored with every request.
        if session.get::<bool>(RENEWS).await?.is_some() {
            session.remove::<bool>(RENEWS).await?;
            if let Some(old) = session.id() {
                session.insert(REPLACES, digest(old)).await?;
                RENEWING.scope((), session.cycle_id()).await?;
            }
        }
        Ok(())
    };
    match renewed.await {
        Ok(()) => response,
        Err(error) => problem::of(&failed(&error)),
    }
}

/// Ends a session.
pub(crate) async fn end(session: &Session) -> std::result::Result<(), ApiError> {
    session.flush().await.map_err(|error| failed(&error))
}

/// Returns the digest that identifies the session's row.
///
/// # Errors
/// `UNAUTHENTICATED` when the session was never stored.
pub(crate) fn digest_of(session: &Session) -> std::result::Result<[u8; 32], ApiError> {
    session.id().map(digest).ok_or_else(ApiError::unauthenticated)
}

/// Switches a session to another tenant.
pub(crate) async fn select_tenant(session: &Session, tenant: TenantId) -> std::result::Result<(), ApiError> {
    if let Ok(Some(user)) = session.get::<CurrentUser>(WHO).await {
        session.insert(WHO, CurrentUser { tenant, ..user }).await.map_err(|error| failed(&error))?;
    }
    Ok(())
}

/// Returns the signed-in user, unless the session has expired. Extends the session, at most once a minute.
pub(crate) async fn current_user(
    session: &Session,
    client: &Client,
    now: DateTime<Utc>,
) -> std::result::Result<Option<CurrentUser>, ApiError> {
    let Some(user) = session.get::<CurrentUser>(WHO).await.map_err(|error| failed(&error))? else { return Ok(None) };
    let age = now - user.signed_in_at;
    if age >= ABSOLUTE || age < -MAX_AHEAD {
        end(session).await?;
        return Ok(None);
    }
    if now - user.seen_at >= EXTEND_EVERY {
        let (address, user_agent) = (client.address.clone(), client.user_agent.clone());
        let seen = CurrentUser { seen_at: now, address, user_agent, ..user.clone() };
        session.insert(WHO, seen).await.map_err(|error| failed(&error))?;
        session.insert(BEFORE, user.clone()).await.map_err(|error| failed(&error))?;
    }
    Ok(Some(user))
}

fn failed(error: &tower_sessions::session::Error) -> ApiError {
    ApiError::from(service::Error::Fault(format!("session: {error}")))
}

/// Marks the response that ended a session of this server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended;

/// Ends the session of a browser that signs out. Returns the mark for the response, if there was a session: the cookie
/// may be of another server on this host.
pub(crate) async fn sign_out(session: &Session) -> std::result::Result<Option<Ended>, ApiError> {
    let is_own = !session.is_empty().await;
    end(session).await?;
    Ok(is_own.then_some(Ended))
}

/// What a browser deletes at sign-out. Not `"cookies"`, which would delete those of every site below the same domain.
const CLEARED: HeaderValue = HeaderValue::from_static(r#""cache", "storage""#);

/// Removes the cookie of a session that has ended, with the same flags as the cookie had; otherwise browsers ignore it.
/// Leaves the cookie of an unknown session alone, which tower-sessions would remove too.
pub(crate) async fn complete_removal(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let has_ended = response.extensions_mut().remove::<Ended>().is_some();
    if has_ended {
        response.headers_mut().insert("clear-site-data", CLEARED);
    }
    let prefix = format!("{}=;", site.session_cookie());
    let cookies: Vec<HeaderValue> = response.headers().get_all(header::SET_COOKIE).iter().cloned().collect();
    let is_removal = |cookie: &HeaderValue| cookie.to_str().is_ok_and(|text| text.starts_with(&prefix));
    if cookies.iter().any(is_removal) {
        response.headers_mut().remove(header::SET_COOKIE);
        for cookie in cookies.into_iter().filter(|cookie| !is_removal(cookie)) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        if has_ended {
            response.headers_mut().append(header::SET_COOKIE, removal(&site));
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

/// How many sessions are extended at the same time. The others are extended by a later request.
static EXTENSIONS: Semaphore = Semaphore::const_new(8);

/// Whether a request has changed nothing but when and from where the session was last used.
fn is_only_extended(data: &HashMap<String, Value>, before: Option<Value>) -> bool {
    let read = |value: &Value| CurrentUser::deserialize(value).ok();
    let (Some(before), Some(after), 1) = (before.as_ref().and_then(read), data.get(WHO).and_then(read), data.len())
    else {
        return false;
    };
    let CurrentUser { seen_at, address, user_agent, .. } = after.clone();
    after == CurrentUser { seen_at, address, user_agent, ..before }
}

impl Store {
    /// Extends a session in the background, so that a page that only reads never waits for the database's writer.
    fn extend(&self, id: Id, row: StoredSession) {
        let (services, Some(facts)) = (self.0.clone(), row.facts) else { return };
        let Ok(permit) = EXTENSIONS.try_acquire() else { return };
        tokio::spawn(async move {
            if let Err(error) = services.sessions().touch(&digest(id), &facts, row.expires_at).await {
                tracing::debug!(%error, "a session could not be extended; a later request tries again");
            }
            drop(permit);
        });
    }

    fn row(&self, record: &Record) -> Result<StoredSession> {
        let user = record.data.get(WHO).and_then(|user| serde_json::from_value::<CurrentUser>(user.clone()).ok());
        let (user_id, password_mark) =
            (user.as_ref().map(|user| user.id), user.as_ref().and_then(|user| user.password));
        let facts = user.map(|user| SessionFacts {
            id: user.session,
            signed_in_at: user.signed_in_at,
            seen_at: user.seen_at,
            address: user.address,
            user_agent: user.user_agent,
        });
        let data = serde_json::to_string(&record.data).map_err(|error| Error::Encode(error.to_string()))?;
        // By the service's clock, like every other expiry.
        let expires_at = self.0.now() + TimeDelta::minutes(IDLE.whole_minutes());
        Ok(StoredSession { data, user_id, expires_at, facts, password_mark, is_without_code: false, replaces: None })
    }
}

#[async_trait]
impl SessionStore for Store {
    async fn create(&self, record: &mut Record) -> Result<()> {
        while self.0.sessions().load(&digest(record.id)).await.map_err(backend)?.is_some() {
            record.id = Id::default();
        }
        record.data.remove(BEFORE);
        let is_without_code = record.data.remove(WITHOUT_CODE).is_some();
        let replaces = record.data.remove(REPLACES).and_then(|old| serde_json::from_value(old).ok());
        let row = StoredSession { is_without_code, replaces, ..self.row(record)? };
        self.0.sessions().create(&digest(record.id), &row).await.map_err(backend)
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let mut record = record.clone();
        let before = record.data.remove(BEFORE);
        let row = self.row(&record)?;
        if is_only_extended(&record.data, before) {
            self.extend(record.id, row);
            return Ok(());
        }
        self.0.sessions().save(&digest(record.id), &row).await.map_err(backend)
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let Some(stored) = self.0.sessions().load(&digest(*id)).await.map_err(backend)? else { return Ok(None) };
        let mut data: HashMap<String, Value> =
            serde_json::from_str(&stored.data).map_err(|error| Error::Decode(error.to_string()))?;
        // An extension doesn't change the data.
        if let (Some(Value::Object(who)), Some(facts)) = (data.get_mut(WHO), &stored.facts) {
            who.insert("seen_at".to_owned(), json!(facts.seen_at));
            who.insert("address".to_owned(), json!(facts.address));
            who.insert("user_agent".to_owned(), json!(facts.user_agent));
        }
        let expiry_date = OffsetDateTime::from_unix_timestamp(stored.expires_at.timestamp()).map_err(backend)?;
        Ok(Some(Record { id: *id, data, expiry_date }))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        if RENEWING.try_with(|()| ()).is_ok() {
            return Ok(());
        }
        self.0.sessions().delete(&digest(*id)).await.map_err(backend)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pending_sign_in_from_before_password_marks_is_still_read() {
        let (user, tenant) = (UserId::default(), TenantId::default());
        let stored = json!({"user": user, "tenant": tenant, "since": "2027-01-01T00:00:00Z"});
        let pending: Pending = serde_json::from_value(stored).unwrap();
        assert_eq!((pending.user, pending.password), (user, PasswordMark::default()));
    }
}

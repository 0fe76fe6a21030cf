//! Browser sessions. Each is stored under the SHA-256 of its cookie's secret, so that nobody can take one over by
//! reading the table.

use chrono::{DateTime, Utc};
use domain::{BrowserSession, SessionId, UserId};
use uuid::Uuid;

use super::{
    Db, Tx,
    db::{change, read, retry, run},
    instant, micros,
};
use crate::{digest::sha256, error::Result};

const DELETE: &str = "DELETE FROM sessions WHERE digest = $1";

/// Identifies the password that a user signed in with: the first half of the SHA-256 of its stored hash.
pub type PasswordMark = [u8; 16];

/// Returns the mark of a password from its stored hash.
pub(crate) fn mark_of(password_hash: &str) -> PasswordMark {
    let digest = sha256(password_hash.as_bytes());
    std::array::from_fn(|at| digest[at])
}

/// What a user may see of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionFacts {
    /// The public id. The cookie holds a separate secret.
    pub id: SessionId,
    /// When the user signed in.
    pub signed_in_at: DateTime<Utc>,
    /// When it was last used.
    pub seen_at: DateTime<Utc>,
    /// The IP address that it was last used from.
    pub address: Option<String>,
    /// The `User-Agent` that it was last used with.
    pub user_agent: Option<String>,
}

/// A session as stored. Only the session layer interprets `data`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSession {
    /// The session layer's data, as JSON.
    pub data: String,
    /// The user, after sign-in.
    pub user_id: Option<UserId>,
    /// When it expires.
    pub expires_at: DateTime<Utc>,
    /// What its user may see of it, after sign-in.
    pub facts: Option<SessionFacts>,
    /// For a new session, the password that the user signed in with. If it has changed meanwhile, the session isn't
    /// created.
    pub password_mark: Option<PasswordMark>,
    /// For a new session, whether the user signed in without a two-factor code. If they need one meanwhile, the session
    /// isn't created.
    pub is_without_code: bool,
    /// For a session that gets a new id, the digest of the old one, which is deleted. If it was ended meanwhile, the session
    /// isn't created.
    pub replaces: Option<[u8; 32]>,
}

#[derive(sqlx::FromRow)]
struct SessionRow {
    user_id: Option<Uuid>,
    data: String,
    expires_at: i64,
    #[sqlx(flatten)]
    facts: FactsRow,
}

#[derive(sqlx::FromRow)]
struct FactsRow {
    id: Option<Uuid>,
    signed_in_at: Option<i64>,
    seen_at: Option<i64>,
    address: Option<String>,
    user_agent: Option<String>,
}

impl FactsRow {
    fn into_facts(self) -> Option<SessionFacts> {
        Some(SessionFacts {
            id: SessionId(self.id?),
            signed_in_at: instant(self.signed_in_at?),
            seen_at: instant(self.seen_at?),
            address: self.address,
            user_agent: self.user_agent,
        })
    }
}

/// Finds a session that hasn't expired at `now`, in microseconds.
pub(crate) async fn find(db: &Db, digest: &[u8; 32], now: i64) -> Result<Option<StoredSession>> {
    let row: Option<SessionRow> = read!(db, c =>
        sqlx::query_as("SELECT user_id, data, expires_at, id, signed_in_at, seen_at, address, user_agent FROM sessions WHERE digest = $1 AND expires_at > $2")
            .bind(digest.as_slice())
            .bind(now)
            .fetch_optional(c))?;
    Ok(row.map(|row| StoredSession {
        data: row.data,
        user_id: row.user_id.map(UserId),
        expires_at: instant(row.expires_at),
        facts: row.facts.into_facts(),
        password_mark: None,
        is_without_code: false,
        replaces: None,
    }))
}

/// Inserts a new session, unless the user's password has changed since they entered it, or they have turned on two-factor
/// authentication since they signed in without it, or the session that it replaces was ended.
pub(crate) async fn insert(db: &Db, digest: [u8; 32], session: StoredSession) -> Result<()> {
    const SQL: &str = "INSERT INTO sessions (digest, user_id, data, expires_at, id, signed_in_at, seen_at, address, user_agent) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    retry!(db, tx => {
        if let Some(old) = &session.replaces
            && change!(tx, sqlx::query(DELETE).bind(old.as_slice()))? == 0
        {
            return Ok(());
        }
        if let (Some(user), Some(mark)) = (session.user_id, session.password_mark)
            && super::users::lock_password(tx, user).await?.is_none_or(|hash| mark_of(&hash) != mark)
        {
            return Ok(());
        }
        if let (Some(user), true) = (session.user_id, session.is_without_code)
            && super::second_factors::lock_enabled(tx, user).await?
        {
            return Ok(());
        }
        write(tx, SQL, digest, &session).await
    })
}

/// Updates a session if it still exists. One that was ended stays ended, even if one of its requests is still running.
pub(crate) async fn update(db: &Db, digest: [u8; 32], session: StoredSession) -> Result<()> {
    const SQL: &str = "UPDATE sessions SET user_id = $2, data = $3, expires_at = $4, id = $5, signed_in_at = $6, seen_at = $7, \
         address = $8, user_agent = $9 WHERE digest = $1";
    retry!(db, tx => write(tx, SQL, digest, &session).await)
}

/// Updates when, from where and with what a session was last used, and when it expires. Leaves a later use as it is.
pub(crate) async fn touch(db: &Db, digest: [u8; 32], facts: &SessionFacts, expires_at: DateTime<Utc>) -> Result<()> {
    retry!(db, tx => {
        change!(
            tx,
            sqlx::query(
                "UPDATE sessions SET seen_at = $2, address = $3, user_agent = $4, expires_at = $5 \
                 WHERE digest = $1 AND seen_at < $2"
            )
            .bind(digest.as_slice())
            .bind(micros(facts.seen_at))
            .bind(facts.address.as_deref())
            .bind(facts.user_agent.as_deref())
            .bind(micros(expires_at))
        )?;
        Ok(())
    })
}

async fn write(tx: &mut Tx, sql: &'static str, digest: [u8; 32], session: &StoredSession) -> Result<()> {
    let facts = session.facts.as_ref();
    change!(
        tx,
        sqlx::query(sql)
            .bind(digest.as_slice())
            .bind(session.user_id.map(|id| id.0))
            .bind(session.data.as_str())
            .bind(micros(session.expires_at))
            .bind(facts.map(|facts| facts.id.0))
            .bind(facts.map(|facts| micros(facts.signed_in_at)))
            .bind(facts.map(|facts| micros(facts.seen_at)))
            .bind(facts.and_then(|facts| facts.address.as_deref()))
            .bind(facts.and_then(|facts| facts.user_agent.as_deref()))
    )?;
    Ok(())
}

/// Deletes a session.
pub(crate) async fn delete(db: &Db, digest: [u8; 32]) -> Result<()> {
    retry!(db, tx => {
        change!(tx, sqlx::query(DELETE).bind(digest.as_slice()))?;
        Ok(())
    })
}

/// Returns a user's sessions that haven't expired, last used first. `this` is the digest of the caller's own session.
pub(crate) async fn list_of_user(db: &Db, user: UserId, this: &[u8; 32], now: i64) -> Result<Vec<BrowserSession>> {
    #[derive(sqlx::FromRow)]
    struct Row {
        digest: Vec<u8>,
        has_calendar_link: bool,
        #[sqlx(flatten)]
        facts: FactsRow,
    }
    let rows: Vec<Row> = read!(db, c =>
        sqlx::query_as(
            "SELECT digest, id, signed_in_at, seen_at, address, user_agent, EXISTS (SELECT 1 FROM calendar_feeds f \
             WHERE f.user_id = sessions.user_id AND f.session_id = sessions.id) AS has_calendar_link FROM sessions \
             WHERE user_id = $1 AND expires_at > $2 AND id IS NOT NULL ORDER BY seen_at DESC, id",
        )
        .bind(user.0)
        .bind(now)
        .fetch_all(c))?;
    let mut invited = super::invitations::list_of_sessions(db, user, now).await?;
    let mut session = |row: Row| {
        let is_this = row.digest == this.as_slice();
        row.facts.into_facts().map(|facts| BrowserSession {
            id: facts.id,
            signed_in_at: facts.signed_in_at,
            seen_at: facts.seen_at,
            address: facts.address,
            user_agent: facts.user_agent,
            is_this,
            invitations: invited.remove(&facts.id).unwrap_or_default(),
            has_calendar_link: row.has_calendar_link,
        })
    };
    Ok(rows.into_iter().filter_map(&mut session).collect())
}

/// Deletes one of a user's sessions. Returns false if it doesn't exist.
pub(crate) async fn delete_one_of_user(tx: &mut Tx, user: UserId, id: SessionId) -> Result<bool> {
    let rows = change!(tx, sqlx::query("DELETE FROM sessions WHERE user_id = $1 AND id = $2").bind(user.0).bind(id.0))?;
    Ok(rows == 1)
}

/// Deletes all sessions of a user, and returns their ids.
pub(crate) async fn delete_of_user(tx: &mut Tx, user: UserId) -> Result<Vec<SessionId>> {
    let ids: Vec<Option<Uuid>> = run!(tx, c =>
        sqlx::query_scalar("DELETE FROM sessions WHERE user_id = $1 RETURNING id").bind(user.0).fetch_all(c))?;
    Ok(ids.into_iter().flatten().map(SessionId).collect())
}

/// Deletes all sessions of a user who isn't a member of any tenant.
pub(crate) async fn delete_without_tenant(tx: &mut Tx, user: UserId) -> Result<()> {
    let sql =
        "DELETE FROM sessions WHERE user_id = $1 AND NOT EXISTS (SELECT 1 FROM memberships m WHERE m.user_id = $1)";
    change!(tx, sqlx::query(sql).bind(user.0))?;
    Ok(())
}

/// Deletes all sessions of a user except the one with the digest `kept`, and returns their ids.
pub(crate) async fn delete_others_of_user(tx: &mut Tx, user: UserId, kept: &[u8; 32]) -> Result<Vec<SessionId>> {
    let ids: Vec<Option<Uuid>> = run!(tx, c =>
        sqlx::query_scalar("DELETE FROM sessions WHERE user_id = $1 AND digest <> $2 RETURNING id")
            .bind(user.0)
            .bind(kept.as_slice())
            .fetch_all(c))?;
    Ok(ids.into_iter().flatten().map(SessionId).collect())
}

/// Makes the end of a user's session wait until this transaction ends, so that nothing is created in a session that has
/// ended. Returns false if there is no such session.
pub(crate) async fn lock(tx: &mut Tx, user: UserId, id: SessionId) -> Result<bool> {
    let rows =
        change!(tx, sqlx::query("UPDATE sessions SET id = id WHERE user_id = $1 AND id = $2").bind(user.0).bind(id.0))?;
    Ok(rows > 0)
}

/// Deletes all sessions that have expired at `now`, in microseconds.
pub(crate) async fn delete_expired(db: &Db, now: i64) -> Result<()> {
    const SQL: &str = "DELETE FROM sessions WHERE expires_at <= $1 AND digest IN \
         (SELECT digest FROM sessions WHERE expires_at <= $1 LIMIT $2)";
    super::sweeping::delete_in_steps(db, SQL, now).await
}

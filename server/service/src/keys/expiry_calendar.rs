//! The calendar feed: when a user's keys expire, for their calendar app.

use chrono::{DateTime, Utc};
use domain::{ApiError, ApiKey, ErrorCode, KeyId, Operation, Secret, TenantId, UserId};

use super::verification;
use crate::{
    access::Actor,
    context::Context,
    digest::sha256,
    error::Result,
    random,
    storage::{self, db::retry, keys::KeyPosition},
};

/// The most keys that are read at once.
const STEP: u32 = 500;

/// A feed whose link is valid, with its first keys.
#[derive(Clone, Debug)]
pub struct OpenFeed {
    user: UserId,
    /// The only tenant of a key's feed.
    tenant: Option<TenantId>,
    /// The keys, soonest expiry first.
    pub keys: Vec<ApiKey>,
}

/// A calendar feed, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarFeed {
    /// When its link was created.
    pub created_at: DateTime<Utc>,
    /// The id and the name of the key that created the feed, which only works while the key does; `None` for a feed
    /// created in the dashboard.
    pub key: Option<(KeyId, String)>,
}

/// Use cases of the calendar feed.
pub struct Calendar<'a> {
    pub(crate) context: &'a Context,
}

impl Calendar<'_> {
    /// Lists the feeds that the actor may revoke: in a session, the user's own first, then those of their keys; with a
    /// key, only that key's own.
    ///
    /// # Errors
    /// `FORBIDDEN` for a service account.
    pub async fn list(&self, actor: &Actor) -> Result<Vec<CalendarFeed>> {
        let (user, _) = self.context.permit_oneself(actor, Operation::ViewSelf).await?;
        let rows = storage::reminders::list_feeds(self.context.db(), user, self.context.now()).await?;
        let feeds = rows.into_iter().map(|row| CalendarFeed {
            created_at: storage::instant(row.created_at),
            key: row.key_id.map(KeyId).zip(row.key_name),
        });
        let is_its = |feed: &CalendarFeed| feed.key.as_ref().map(|key| key.0) == actor.key_id();
        Ok(feeds.filter(|feed| actor.is_session() || is_its(feed)).collect())
    }

    /// Creates a feed. Only this response contains the secret of its link; the previous link stops working. A feed
    /// created in a session covers all the user's tenants. A feed created with a key covers the key's tenant, for as
    /// long as the key is valid: it never reveals more than the key, though to every address.
    ///
    /// # Errors
    /// `CONFIRMATION_REQUIRED` for a session; `FORBIDDEN` for a service account.
    #[tracing::instrument(skip_all)]
    pub async fn create(&self, actor: &Actor) -> Result<Secret> {
        let (user, entry) = self.context.permit_oneself(actor, Operation::CreateCalendarFeed).await?;
        let (secret, now, key) = (random::draw_link_secret(), self.context.now(), actor.key_id());
        let digest = sha256(secret.expose().as_bytes());
        retry!(self.context.db(), tx => {
            // A session that is being ended creates no link that would outlive it.
            if let Some(session) = actor.session_id()
                && !storage::sessions::lock(tx, user, session).await?
            {
                return Err(ApiError::unauthenticated().into());
            }
            storage::reminders::set_feed(tx, user, (key, actor.session_id()), &digest, now).await?;
            storage::audit::insert(tx, &entry).await
        })?;
        Ok(secret)
    }

    /// Revokes the link of a feed. In a session, revokes the user's own feed and those of all their keys; with a key,
    /// only that key's own.
    ///
    /// # Errors
    /// `CONFLICT` if there is none; `FORBIDDEN` for a service account.
    #[tracing::instrument(skip_all)]
    pub async fn revoke(&self, actor: &Actor) -> Result<()> {
        let (user, entry) = self.context.permit_oneself(actor, Operation::RevokeCalendarFeed).await?;
        let key = actor.key_id();
        retry!(self.context.db(), tx => {
            if !storage::reminders::delete_feeds(tx, user, key).await? {
                return Err(ApiError::new(ErrorCode::Conflict, "The expiry calendar is already turned off.").into());
            }
            storage::audit::insert(tx, &entry).await
        })
    }

    /// Returns the first keys in a feed: those that will expire and that its user may currently see. For anyone with
    /// the link.
    ///
    /// # Errors
    /// `NOT_FOUND` for an invalid or revoked link, and for the link of a key that isn't currently valid.
    pub async fn read(&self, secret: &str) -> Result<OpenFeed> {
        let digest = sha256(secret.as_bytes());
        let (db, now) = (self.context.db(), self.context.now());
        let (owner, key) = storage::reminders::find_feed_owner(db, &digest).await?.ok_or_else(ApiError::not_found)?;
        let tenant = match key {
            None => None,
            Some(key) => {
                let tenant = verification::tenant_of_good(self.context, &key).await?;
                Some(tenant.ok_or_else(ApiError::not_found)?)
            }
        };
        let keys = storage::reminders::list_for_calendar(db, owner, tenant, now, None, STEP).await?;
        Ok(OpenFeed { user: owner, tenant, keys })
    }

    /// Returns the keys of a feed after those that were read last; none after the last ones.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn read_more(&self, feed: OpenFeed) -> Result<OpenFeed> {
        let last = feed.keys.last().filter(|_| feed.keys.len() >= STEP as usize);
        let Some((at, id)) = last.and_then(|key| Some((key.expires_at?, key.id))) else {
            return Ok(OpenFeed { keys: Vec::new(), ..feed });
        };
        let (db, after) = (self.context.db(), Some(KeyPosition { at, id }));
        let now = self.context.now();
        let keys = storage::reminders::list_for_calendar(db, feed.user, feed.tenant, now, after, STEP).await?;
        Ok(OpenFeed { keys, ..feed })
    }
}

//! The calendar feed: when a user's keys expire, for their calendar app.

use chrono::{DateTime, Utc};
use domain::{ApiError, ApiKey, ErrorCode, KeyId, Operation, Secret};

use super::verification;
use crate::{access::Actor, context::Context, digest::sha256, error::Result, random, storage};

/// The most keys in a feed.
const MOST: u32 = 500;

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
    /// long as the key is valid: it never reveals more than the key.
    ///
    /// # Errors
    /// `CONFIRMATION_REQUIRED` for a session; `FORBIDDEN` for a service account.
    #[tracing::instrument(skip_all)]
    pub async fn create(&self, actor: &Actor) -> Result<Secret> {
        let (user, entry) = self.context.permit_oneself(actor, Operation::CreateCalendarFeed).await?;
        self.context.require_fresh(actor)?;
        let (secret, now, key) = (random::draw_link_secret(), self.context.now(), actor.key_id());
        let digest = sha256(secret.expose().as_bytes());
        let mut tx = self.context.db().begin().await?;
        storage::reminders::set_feed(&mut tx, user, key, &digest, now).await?;
        storage::audit::insert(&mut tx, &entry).await?;
        tx.commit().await?;
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
        let mut tx = self.context.db().begin().await?;
        if !storage::reminders::delete_feeds(&mut tx, user, key).await? {
            return Err(ApiError::new(ErrorCode::Conflict, "The expiry calendar is already turned off.").into());
        }
        storage::audit::insert(&mut tx, &entry).await?;
        tx.commit().await
    }

    /// Returns the keys in a feed: those that will expire and that its user may currently see. For anyone with the
    /// link.
    ///
    /// # Errors
    /// `NOT_FOUND` for an invalid or revoked link, and for the link of a key that isn't currently valid.
    pub async fn read(&self, secret: &str) -> Result<Vec<ApiKey>> {
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
        storage::reminders::list_for_calendar(db, owner, tenant, now, MOST).await
    }
}

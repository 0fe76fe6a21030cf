//! The calendar feed: the ends of a person's keys, for the calendar that they look at anyway.

use chrono::{DateTime, Utc};
use domain::{ApiError, ApiKey, ErrorCode, KeyId, Operation, Secret};

use super::verification;
use crate::{access::Actor, context::Context, digest::sha256, error::Result, random, storage};

/// How many ends a feed holds.
const MOST: u32 = 500;

/// A calendar feed, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarFeed {
    /// Since when its link works.
    pub created_at: DateTime<Utc>,
    /// The key that made it, and with which it ends, with that key's name; none for one made in the dashboard.
    pub key: Option<(KeyId, String)>,
}

/// Use cases of the calendar feed.
pub struct Calendar<'a> {
    pub(crate) context: &'a Context,
}

impl Calendar<'_> {
    /// The feeds that the actor may end: a person's own first, then those of their keys; a key's own alone.
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

    /// Draws the secret of the feed's link, this once; an earlier link stops working. A session's feed tells of all the
    /// person's tenants; a key's of its own tenant, for as long as the key is good: it reaches no further than the key.
    ///
    /// # Errors
    /// `CONFIRMATION_REQUIRED` for a session; `FORBIDDEN` for a service account.
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

    /// Ends the feed: its link works no more. A session ends the person's own and those of all their keys, a key its own.
    ///
    /// # Errors
    /// `CONFLICT` when there is none; `FORBIDDEN` for a service account.
    pub async fn revoke(&self, actor: &Actor) -> Result<()> {
        let (user, entry) = self.context.permit_oneself(actor, Operation::RevokeCalendarFeed).await?;
        let key = actor.key_id();
        let mut tx = self.context.db().begin().await?;
        if !storage::reminders::delete_feeds(&mut tx, user, key).await? {
            return Err(ApiError::new(ErrorCode::Conflict, "There is no calendar feed.").into());
        }
        storage::audit::insert(&mut tx, &entry).await?;
        tx.commit().await
    }

    /// What a feed holds: the keys of its owner that will end, by the rights that they have now. For who holds the link.
    ///
    /// # Errors
    /// `NOT_FOUND` for a wrong or revoked link, and for that of a key that isn't good now.
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

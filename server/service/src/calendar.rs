//! The calendar feed: the ends of a person's keys, for the calendar that they look at anyway.

use chrono::{DateTime, Utc};
use domain::{ApiError, ApiKey, ErrorCode, Operation, Secret};

use crate::{Actor, Result, Services, storage, token};

/// How many ends a feed holds.
const MOST: u32 = 500;

/// Use cases of the calendar feed.
pub struct Calendar<'a>(pub(crate) &'a Services);

impl Calendar<'_> {
    /// Since when the person has a feed.
    ///
    /// # Errors
    /// `FORBIDDEN` for a key.
    pub async fn since(&self, actor: &Actor) -> Result<Option<DateTime<Utc>>> {
        let (user, _) = self.0.users().about_oneself(actor, Operation::ListSessions).await?;
        Ok(storage::reminders::find_feed(self.0.db(), user).await?.map(storage::instant))
    }

    /// Draws the secret of the feed's link, this once; an earlier link stops working.
    ///
    /// # Errors
    /// `CONFIRMATION_REQUIRED`; `FORBIDDEN` for a key.
    pub async fn create(&self, actor: &Actor) -> Result<Secret> {
        let (user, entry) = self.0.users().about_oneself(actor, Operation::CreateCalendarFeed).await?;
        self.0.require_fresh(actor)?;
        let (secret, now) = (token::draw_link_secret(), self.0.now());
        let digest = token::sha256(secret.expose().as_bytes());
        self.0
            .db()
            .write(move |tx| {
                Box::pin(async move {
                    storage::reminders::set_feed(tx, user, &digest, now).await?;
                    storage::audit::insert(tx, &entry).await
                })
            })
            .await?;
        Ok(secret)
    }

    /// Ends the feed: its link works no more.
    ///
    /// # Errors
    /// `CONFLICT` when there is none; `FORBIDDEN` for a key.
    pub async fn revoke(&self, actor: &Actor) -> Result<()> {
        let (user, entry) = self.0.users().about_oneself(actor, Operation::RevokeCalendarFeed).await?;
        self.0
            .db()
            .write(move |tx| {
                Box::pin(async move {
                    if !storage::reminders::delete_feed(tx, user).await? {
                        return Err(ApiError::new(ErrorCode::Conflict, "There is no calendar feed.").into());
                    }
                    storage::audit::insert(tx, &entry).await
                })
            })
            .await
    }

    /// What a feed holds: the keys of its owner that will end, by the rights that they have now. For who holds the link.
    ///
    /// # Errors
    /// `NOT_FOUND` for a wrong or revoked link.
    pub async fn read(&self, secret: &str) -> Result<Vec<ApiKey>> {
        let digest = token::sha256(secret.as_bytes());
        let owner = storage::reminders::find_feed_owner(self.0.db(), &digest).await?.ok_or_else(ApiError::not_found)?;
        storage::reminders::list_for_calendar(self.0.db(), owner, self.0.now(), MOST).await
    }
}

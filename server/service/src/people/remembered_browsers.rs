//! Remembers in which browsers users have signed in, so that strangers can't use up their attempts there. A remembered
//! browser has no rights.

use chrono::TimeDelta;
use domain::{Secret, UserId};

use super::sign_in::Sessions;
use crate::{
    digest::sha256,
    error::Result,
    random,
    storage::{self, db::retry},
};

/// How long after the last sign-in a browser is remembered.
pub const KEPT_FOR: TimeDelta = TimeDelta::days(30);

impl Sessions<'_> {
    /// Remembers that a user has just signed in in a browser. Returns the new secret for its cookie. `earlier`: the
    /// SHA-256 of the secret that the browser had before, for this user or others.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remember_browser(&self, user: UserId, earlier: Option<&[u8; 32]>) -> Result<Secret> {
        let secret = random::draw_link_secret();
        let digest = sha256(secret.expose().as_bytes());
        retry!(self.context.db(), tx => {
            if let Some(earlier) = earlier {
                storage::remembered_browsers::rename(tx, earlier, &digest).await?;
            }
            storage::remembered_browsers::insert(tx, &digest, user, self.context.now()).await?;
            Ok(())
        })?;
        Ok(secret)
    }

    /// Returns the digest that a browser is remembered by, if a user has signed in there. Takes the same time for a user
    /// who doesn't exist.
    pub(crate) async fn find_browser(&self, user: UserId, browser: Option<&[u8; 32]>) -> Result<Option<[u8; 32]>> {
        let Some(digest) = browser else { return Ok(None) };
        let since = self.context.now() - KEPT_FOR;
        let is_known = storage::remembered_browsers::is_remembered(self.context.db(), digest, user, since).await?;
        Ok(is_known.then_some(*digest))
    }
}

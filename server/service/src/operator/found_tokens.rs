//! The keys of tokens that were found outside of Latchkey.

use domain::{ApiKey, Slug};

use super::Admin;
use crate::{
    access::Actor,
    error::Result,
    keys::{api_keys::ApiKeys, token_search::FoundToken},
    storage,
};

impl Admin<'_> {
    /// Returns the key of a token, whatever its state, and the slug of its tenant. Returns `None` if this database has
    /// no such key. Doesn't record usage.
    ///
    /// # Errors
    /// When the database fails.
    #[tracing::instrument(skip_all)]
    pub async fn find_key(&self, token: &FoundToken) -> Result<Option<(Slug, ApiKey)>> {
        let Some(found) = storage::keys::find_by_digest(self.context.db(), &token.digest).await? else {
            return Ok(None);
        };
        let keys = ApiKeys { context: self.context, usage: self.usage };
        let key = keys.get(&Actor::operator(found.tenant_id), found.key_id).await?;
        Ok(Some((found.tenant_slug, key)))
    }
}

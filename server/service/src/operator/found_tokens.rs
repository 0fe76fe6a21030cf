//! The keys of tokens that were found outside of Latchkey.

use domain::{ApiKey, Exposure, Slug, api_key::exposure::SCAN};

use super::Admin;
use crate::{
    access::{Actor, Client},
    error::Result,
    keys::{api_keys::ApiKeys, token_search::FoundToken},
    leaks::exposing::{Report, expose},
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

    /// Marks the key of a token as exposed. If the key works, the tenant's key policy decides what happens to it. Does
    /// nothing if the key is already marked, or this database has no such key.
    ///
    /// # Errors
    /// When the database fails.
    #[tracing::instrument(skip_all)]
    pub async fn expose_key(&self, token: &FoundToken) -> Result<()> {
        let Some(found) = storage::exposures::find(self.context.db(), &token.digest).await? else { return Ok(()) };
        let exposure = Exposure { at: self.context.now(), source: SCAN.to_owned(), url: None };
        let client = Client::command_line();
        expose(self.context, &found, &Report { exposure, reporter: "found by the operator", client: &client }).await?;
        Ok(())
    }
}

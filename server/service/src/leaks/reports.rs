//! Reports of tokens that were found where others can read them. Anybody can report: a report without a token changes
//! nothing, and whoever has a token could do worse with it.

use std::{collections::HashMap, sync::Arc};

use domain::{
    Exposure, Secret,
    api_key::exposure::{MAX_URL, stored_source},
    secret::contains_token,
};

use super::{
    exposing::{Exposed, Report, expose},
    limits::{ReportLimits, UnverifiedReport},
    mails,
};
use crate::{
    access::Client,
    context::Context,
    error::Result,
    keys::{token_search::find_tokens, usage::UsageBuffer, verification::digest_of},
    people::throttle::Throttle,
    storage::{self, db::to_completion},
};

/// The most tokens in one call of [`LeakReports::report`].
pub const MAX_REPORTED: usize = 1_000;

/// A text that was found and may be a token.
#[derive(Clone, Debug)]
pub struct LeakedToken {
    /// The text.
    pub token: Secret,
    /// The kind of place where it was found, such as `commit`.
    pub source: String,
    /// The URL of that place. Can be empty.
    pub url: String,
}

/// Use cases of leak reports.
pub struct LeakReports<'a> {
    pub(crate) context: &'a Context,
    pub(crate) usage: &'a Arc<UsageBuffer>,
    pub(crate) throttle: &'a Throttle,
    pub(crate) limits: &'a ReportLimits,
}

impl LeakReports<'_> {
    /// Counts an unsigned report of a client. To be called before its body is read.
    ///
    /// # Errors
    /// `RATE_LIMITED` after 10 reports in a minute from the client's network, or 60 from all.
    pub fn take_unsigned(&self, client: &Client) -> Result<()> {
        Ok(self.limits.take_unsigned(&self.throttle.network_of(client), self.context.now())?)
    }

    /// Admits a report that claims to be signed. To be called before its body is read.
    ///
    /// # Errors
    /// `RATE_LIMITED` after 20 reports with a wrong signature in a minute from the client's network.
    pub fn admit_signed(&self, client: &Client) -> Result<UnverifiedReport> {
        Ok(self.limits.admit_signed(&self.throttle.network_of(client), self.context.now())?)
    }

    /// Marks the keys of the reported tokens as exposed, stops them if their tenant's key policy says so, and tells
    /// their owners and administrators. Returns for each text whether it is the token of a key, whatever the key's
    /// state. `signed_by`: the id of the key that signed the report.
    ///
    /// # Errors
    /// When the database fails. The report can then be repeated: what is already recorded doesn't change.
    #[tracing::instrument(skip_all, fields(tokens = tokens.len()))]
    pub async fn report(&self, tokens: &[LeakedToken], signed_by: Option<&str>, client: &Client) -> Result<Vec<bool>> {
        let by = signed_by.map_or_else(|| "unsigned report".to_owned(), |key| format!("report signed with {key}"));
        let (context, usage, client) = (self.context.clone(), Arc::clone(self.usage), client.clone());
        let tokens: Vec<_> = tokens.iter().take(MAX_REPORTED).cloned().collect();
        // Runs to completion, so that nobody prevents the mails by going away: a repeated report sends none.
        to_completion(async move {
            let mut exposed = Vec::new();
            let answers = expose_all(&context, &tokens, (&by, &client), &mut exposed).await;
            tell(&context, &usage, &exposed).await;
            answers
        })
        .await
    }
}

/// Exposes the keys of reported tokens, and adds them to `exposed`, also if it fails later.
async fn expose_all(
    context: &Context,
    tokens: &[LeakedToken],
    (reporter, client): (&str, &Client),
    exposed: &mut Vec<Exposed>,
) -> Result<Vec<bool>> {
    let (mut known, mut answers) = (HashMap::new(), Vec::with_capacity(tokens.len()));
    for one in tokens {
        let Some(digest) = digest_of(context, one.token.expose()).await? else {
            answers.push(false);
            continue;
        };
        if let Some(is_key) = known.get(&digest) {
            answers.push(*is_key);
            continue;
        }
        let found = storage::exposures::find(context.db(), &digest).await?;
        if let Some(found) = &found {
            let (source, url) = (stored_source(&one.source), stored_url(&one.url));
            let exposure = Exposure { at: context.now(), source, url };
            exposed.extend(expose(context, found, &Report { exposure, reporter, client }).await?);
        }
        known.insert(digest, found.is_some());
        answers.push(found.is_some());
    }
    Ok(answers)
}

/// Tells the people who have to act. The changes are already made, so a failure is only logged.
async fn tell(context: &Context, usage: &Arc<UsageBuffer>, exposed: &[Exposed]) {
    // So that the key's page shows its usage up to now.
    usage.flush_before_read(context).await;
    if let Err(error) = mails::notify(context, exposed).await {
        tracing::error!(%error, "mails about exposed keys could not be sent");
    }
}

/// Returns a reported URL if it can be stored and shown: `http` or `https`, printable ASCII, without credentials and
/// without a token.
fn stored_url(text: &str) -> Option<String> {
    let text = text.trim();
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte));
    if !is_plain || text.len() > MAX_URL || authority.is_empty() || authority.contains('@') {
        return None;
    }
    let mut has_token = contains_token(text);
    // Also finds tokens that are encoded.
    find_tokens(text.as_bytes(), |_| has_token = true).ok()?;
    (!has_token).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use domain::OwnerKind;

    use super::*;
    use crate::keys::token;

    #[test]
    fn only_plain_urls_without_secrets_are_stored() {
        let good = "https://github.com/octo/repo/blob/1a2b/config.yml?plain=1#L7";
        assert_eq!(stored_url(&format!(" {good} ")).as_deref(), Some(good));
        assert!(stored_url("http://[::1]:8080/a").is_some());
        let token = token::draw(OwnerKind::User);
        let token = token.expose();
        let tokens = [format!("https://e.org/?t={token}"), format!("https://e.org/{}", token.replacen('_', "%5F", 1))];
        let long = format!("https://e.org/{}", "a".repeat(MAX_URL));
        let bad =
            ["", "javascript:alert(1)", "https://", "https://user:pw@e.org/", "https://e.org/a b", "https://é.org/"];
        for bad in bad.into_iter().chain(tokens.iter().map(String::as_str)).chain([long.as_str()]) {
            assert_eq!(stored_url(bad), None, "{bad}");
        }
    }
}

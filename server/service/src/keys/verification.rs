//! Is this key good, for what, until when: one core behind every adapter.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use domain::{KeyId, Name, Owner, Role, Slug, TenantId};

use super::{
    roll::{self, PredecessorEndings},
    token,
    usage::{UsageBuffer, Verdict},
};
use crate::{
    access::Client,
    context::Context,
    error::Result,
    storage::{
        self,
        keys::{Bearer, Candidate, TokenDigest},
    },
};

/// A good key: what its bearer may be told to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedKey {
    /// The key.
    pub key_id: KeyId,
    /// Its name.
    pub name: Name,
    /// Whose it is.
    pub owner: Owner,
    /// The owner's name.
    pub owner_name: String,
    /// Where it works.
    pub tenant_id: TenantId,
    /// That tenant's short name.
    pub tenant_slug: Slug,
    /// What it may do there now.
    pub role: Role,
    /// When it ends; never, when `None`.
    pub expires_at: Option<DateTime<Utc>>,
}

impl Candidate {
    /// The bearer, while the key is good. It is refused at the expiry instant, not after it.
    fn bearer_at(&self, now: DateTime<Utc>) -> Option<&Bearer> {
        let is_over = self.is_revoked || self.is_marked_expired || self.expires_at.is_some_and(|at| now >= at);
        self.bearer.as_ref().filter(|_| !is_over && !self.is_suspended)
    }
}

/// How many refused tokens are remembered.
const MOST_REFUSALS: usize = 10_000;

/// Tokens that will never be good: unknown ones (a token is drawn, not chosen, so nobody will get one that was asked
/// for before) and revoked ones. Cut-off clients ask again and again, some 40 times a second; remembered, that costs no
/// database read. An owner's end revokes the keys, so nothing here ever has to be forgotten.
#[derive(Debug, Default)]
pub(crate) struct RefusedTokens(Mutex<HashMap<TokenDigest, Refused>>);

/// What is known of a token that will never be good.
#[derive(Clone, Copy, Debug)]
enum Refused {
    /// Nobody ever drew it.
    Unknown,
    /// It was this key's.
    Key(KeyId),
}

impl RefusedTokens {
    fn find(&self, digest: &TokenDigest) -> Option<Refused> {
        self.lock().get(digest).copied()
    }

    /// Remembers one; all the others are forgotten when there are too many, which costs them one read each.
    fn keep(&self, digest: TokenDigest, refused_as: Refused) {
        let mut refused = self.lock();
        if refused.len() >= MOST_REFUSALS {
            refused.clear();
        }
        refused.insert(digest, refused_as);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TokenDigest, Refused>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Verifies.
pub struct Verification<'a> {
    pub(crate) context: &'a Context,
    pub(crate) usage: &'a Arc<UsageBuffer>,
    pub(crate) refused_tokens: &'a RefusedTokens,
    pub(crate) endings: &'a Arc<PredecessorEndings>,
}

impl Verification<'_> {
    /// The key behind a token, when it is good now; `None` for whatever reason it isn't. Records the usage, off the
    /// request's path. A text with a wrong form or checksum costs no database read.
    ///
    /// # Errors
    /// Only when the database can't answer: then nobody is let in.
    pub async fn verify(&self, token: &str, client: &Client) -> Result<Option<VerifiedKey>> {
        let Some(digest) = token::digest_of(token) else {
            self.usage.record_malformed();
            return Ok(None);
        };
        if let Some(known) = self.refused_tokens.find(&digest) {
            self.record_refusal(known, client);
            return Ok(None);
        }
        let Some(candidate) = storage::keys::find_by_digest(self.context.db(), &digest).await? else {
            self.refused_tokens.keep(digest, Refused::Unknown);
            self.record_refusal(Refused::Unknown, client);
            return Ok(None);
        };
        let now = self.context.now();
        let Some(bearer) = candidate.bearer_at(now).cloned() else {
            let refused = Refused::Key(candidate.key_id);
            if candidate.is_revoked {
                self.refused_tokens.keep(digest, refused);
            }
            self.record_refusal(refused, client);
            return Ok(None);
        };
        self.usage.record(candidate.key_id, Verdict::Accepted, now, client);
        if let Some(old) = candidate.ends_key {
            roll::end_predecessor(self.context, self.endings, &candidate, old).await;
        }
        Ok(Some(VerifiedKey {
            key_id: candidate.key_id,
            name: candidate.name,
            owner: candidate.owner,
            owner_name: bearer.name,
            tenant_id: candidate.tenant_id,
            tenant_slug: candidate.tenant_slug,
            role: bearer.role,
            expires_at: candidate.expires_at,
        }))
    }

    fn record_refusal(&self, refused: Refused, client: &Client) {
        match refused {
            Refused::Key(key) => self.usage.record(key, Verdict::Refused, self.context.now(), client),
            Refused::Unknown => self.usage.record_unknown(),
        }
    }
}

/// The tenant of a key that is good now, by the digest of its token. This is no use of it.
///
/// # Errors
/// When the database can't answer.
pub(crate) async fn tenant_of_good(context: &Context, digest: &TokenDigest) -> Result<Option<TenantId>> {
    let candidate = storage::keys::find_by_digest(context.db(), digest).await?;
    Ok(candidate.filter(|key| key.bearer_at(context.now()).is_some()).map(|key| key.tenant_id))
}

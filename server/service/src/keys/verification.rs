//! Verification: whether a key is valid, what it may do, and until when. Shared by all adapters.

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

/// A valid key, with what its bearer may know about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedKey {
    /// The key's id.
    pub key_id: KeyId,
    /// The key's name.
    pub name: Name,
    /// The key's owner.
    pub owner: Owner,
    /// The owner's name.
    pub owner_name: String,
    /// The key's tenant.
    pub tenant_id: TenantId,
    /// The tenant's slug.
    pub tenant_slug: Slug,
    /// The owner's current role in the tenant.
    pub role: Role,
    /// When the key expires; `None` means never.
    pub expires_at: Option<DateTime<Utc>>,
}

impl Candidate {
    /// Returns the bearer if the key is valid at `now`. At the instant of its expiry, it no longer is.
    fn bearer_at(&self, now: DateTime<Utc>) -> Option<&Bearer> {
        let is_over = self.is_revoked || self.is_marked_expired || self.expires_at.is_some_and(|at| now >= at);
        self.bearer.as_ref().filter(|_| !is_over && !self.is_suspended)
    }
}

/// How many refused tokens are remembered.
const MAX_REFUSALS: usize = 10_000;

/// Tokens that will never be valid: unknown ones (tokens are random, so one that was tried before won't be issued
/// later) and revoked ones. Clients whose key was revoked retry about 40 times a second; remembering the token saves a
/// database read each time. Removing an owner revokes its keys, so an entry never becomes wrong.
#[derive(Debug, Default)]
pub(crate) struct RefusedTokens(Mutex<HashMap<TokenDigest, Refused>>);

/// Why a token will never be valid.
#[derive(Clone, Copy, Debug)]
enum Refused {
    /// It was never issued.
    Unknown,
    /// It belongs to this key, which is revoked.
    Key(KeyId),
}

impl RefusedTokens {
    fn find(&self, digest: &TokenDigest) -> Option<Refused> {
        self.lock().get(digest).copied()
    }

    /// Remembers a token. If there are too many, forgets all others, which costs each of them one database read.
    fn keep(&self, digest: TokenDigest, refused_as: Refused) {
        let mut refused = self.lock();
        if refused.len() >= MAX_REFUSALS {
            refused.clear();
        }
        refused.insert(digest, refused_as);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TokenDigest, Refused>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Verifies tokens.
pub struct Verification<'a> {
    pub(crate) context: &'a Context,
    pub(crate) usage: &'a Arc<UsageBuffer>,
    pub(crate) refused_tokens: &'a RefusedTokens,
    pub(crate) endings: &'a Arc<PredecessorEndings>,
}

impl Verification<'_> {
    /// Returns the key of a token if it is valid now, and `None` if it isn't, whatever the reason. Records the usage,
    /// to be written in the background. A token with a wrong format or checksum costs no database read.
    ///
    /// # Errors
    /// Only when the database fails. No token is accepted then.
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

/// Returns the tenant of a key that is valid now, by the digest of its token. Doesn't record usage.
///
/// # Errors
/// When the database fails.
pub(crate) async fn tenant_of_good(context: &Context, digest: &TokenDigest) -> Result<Option<TenantId>> {
    let candidate = storage::keys::find_by_digest(context.db(), digest).await?;
    Ok(candidate.filter(|key| key.bearer_at(context.now()).is_some()).map(|key| key.tenant_id))
}

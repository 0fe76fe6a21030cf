//! Is this key good, for what, until when: one core behind every door.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use domain::{KeyId, LastUse, Name, Owner, Role, Slug, TenantId};

use crate::{
    Result, Services,
    actor::Client,
    storage,
    token::{self, TokenDigest},
};

/// What the database says of a token, before time is asked.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) key_id: KeyId,
    pub(crate) name: Name,
    pub(crate) owner: Owner,
    pub(crate) owner_name: String,
    pub(crate) tenant_id: TenantId,
    pub(crate) tenant_slug: Slug,
    pub(crate) role: Role,
    pub(crate) expires_at: Option<DateTime<Utc>>,
    pub(crate) is_suspended: bool,
    pub(crate) is_revoked: bool,
}

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
    /// Refused at the expiry instant, not after it.
    fn is_good(&self, now: DateTime<Utc>) -> bool {
        !self.is_revoked && !self.is_suspended && self.expires_at.is_none_or(|at| now < at)
    }
}

/// How many refused tokens are remembered.
const MOST_REFUSALS: usize = 10_000;

/// Tokens that will never be good: unknown ones (a token is drawn, not chosen, so nobody will get one that was asked
/// for before) and revoked ones. Cut-off clients ask again and again, some 40 times a second; remembered, that costs no
/// database read. An owner's end revokes the keys, so nothing here ever has to be forgotten.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<HashSet<TokenDigest>>);

impl Refusals {
    fn hold(&self, digest: &TokenDigest) -> bool {
        self.lock().contains(digest)
    }

    /// Remembers one; all the others are forgotten when there are too many, which costs them one read each.
    fn keep(&self, digest: TokenDigest) {
        let mut refused = self.lock();
        if refused.len() >= MOST_REFUSALS {
            refused.clear();
        }
        refused.insert(digest);
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<TokenDigest>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Verifies.
pub struct Verification<'a>(pub(crate) &'a Services);

impl Verification<'_> {
    /// The key behind a token, when it is good now; `None` for whatever reason it isn't. Notes the use, off the
    /// request's path. A text with a wrong form or checksum costs no database read.
    ///
    /// # Errors
    /// Only when the database can't answer: then nobody is let in.
    pub async fn verify(&self, token: &str, client: &Client) -> Result<Option<VerifiedKey>> {
        let Some(digest) = token::digest_of(token) else { return Ok(None) };
        if self.0.refusals().hold(&digest) {
            return Ok(None);
        }
        let Some(candidate) = storage::keys::find_by_digest(self.0.db(), &digest).await? else {
            self.0.refusals().keep(digest);
            return Ok(None);
        };
        let now = self.0.now();
        if !candidate.is_good(now) {
            if candidate.is_revoked {
                self.0.refusals().keep(digest);
            }
            return Ok(None);
        }
        self.0.uses().note(
            candidate.key_id,
            LastUse { at: now, address: client.address.clone(), user_agent: client.user_agent.clone() },
            client.agent_id,
        );
        Ok(Some(VerifiedKey {
            key_id: candidate.key_id,
            name: candidate.name,
            owner: candidate.owner,
            owner_name: candidate.owner_name,
            tenant_id: candidate.tenant_id,
            tenant_slug: candidate.tenant_slug,
            role: candidate.role,
            expires_at: candidate.expires_at,
        }))
    }
}

//! Is this key good, for what, until when: one core behind every door.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use domain::{KeyId, Name, Owner, Role, Slug, TenantId};

use crate::{
    Result, Services,
    actor::Client,
    rolls, storage,
    token::{self, TokenDigest},
    uses::Verdict,
};

/// What the database says of a token, before time is asked.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) key_id: KeyId,
    pub(crate) name: Name,
    pub(crate) owner: Owner,
    /// Who bears it now; none, when the owner is gone from the tenant.
    pub(crate) bearer: Option<Bearer>,
    pub(crate) tenant_id: TenantId,
    pub(crate) tenant_slug: Slug,
    pub(crate) expires_at: Option<DateTime<Utc>>,
    pub(crate) is_suspended: bool,
    pub(crate) is_revoked: bool,
    /// It was seen to be over by time: that holds, also when a clock is stepped back.
    pub(crate) is_settled: bool,
    /// The key that its first use ends.
    pub(crate) ends_key: Option<KeyId>,
}

/// A key's owner at this moment.
#[derive(Clone, Debug)]
pub(crate) struct Bearer {
    pub(crate) name: String,
    pub(crate) role: Role,
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
    /// The bearer, while the key is good. It is refused at the expiry instant, not after it.
    fn bearer_at(&self, now: DateTime<Utc>) -> Option<&Bearer> {
        let is_over = self.is_revoked || self.is_settled || self.expires_at.is_some_and(|at| now >= at);
        self.bearer.as_ref().filter(|_| !is_over && !self.is_suspended)
    }
}

/// How many refused tokens are remembered.
const MOST_REFUSALS: usize = 10_000;

/// Tokens that will never be good: unknown ones (a token is drawn, not chosen, so nobody will get one that was asked
/// for before) and revoked ones. Cut-off clients ask again and again, some 40 times a second; remembered, that costs no
/// database read. An owner's end revokes the keys, so nothing here ever has to be forgotten.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<HashMap<TokenDigest, Refused>>);

/// What is known of a token that will never be good.
#[derive(Clone, Copy, Debug)]
enum Refused {
    /// Nobody ever drew it.
    Unknown,
    /// It was this key's.
    Key(KeyId),
}

impl Refusals {
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
pub struct Verification<'a>(pub(crate) &'a Services);

impl Verification<'_> {
    /// The key behind a token, when it is good now; `None` for whatever reason it isn't. Notes the use, off the
    /// request's path. A text with a wrong form or checksum costs no database read.
    ///
    /// # Errors
    /// Only when the database can't answer: then nobody is let in.
    pub async fn verify(&self, token: &str, client: &Client) -> Result<Option<VerifiedKey>> {
        let Some(digest) = token::digest_of(token) else {
            self.0.uses().note_malformed();
            return Ok(None);
        };
        if let Some(known) = self.0.refusals().find(&digest) {
            self.note_refusal(known, client);
            return Ok(None);
        }
        let Some(candidate) = storage::keys::find_by_digest(self.0.db(), &digest).await? else {
            self.0.refusals().keep(digest, Refused::Unknown);
            self.note_refusal(Refused::Unknown, client);
            return Ok(None);
        };
        let now = self.0.now();
        let Some(bearer) = candidate.bearer_at(now).cloned() else {
            let refused = Refused::Key(candidate.key_id);
            if candidate.is_revoked {
                self.0.refusals().keep(digest, refused);
            }
            self.note_refusal(refused, client);
            return Ok(None);
        };
        self.0.uses().note(candidate.key_id, Verdict::Accepted, now, client);
        if let Some(old) = candidate.ends_key {
            rolls::end_predecessor(self.0, &candidate, old).await;
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

    /// The tenant of a key that is good now, by the digest of its token. This is no use of it.
    ///
    /// # Errors
    /// When the database can't answer.
    pub(crate) async fn tenant_of_good(&self, digest: &TokenDigest) -> Result<Option<TenantId>> {
        let candidate = storage::keys::find_by_digest(self.0.db(), digest).await?;
        Ok(candidate.filter(|key| key.bearer_at(self.0.now()).is_some()).map(|key| key.tenant_id))
    }

    fn note_refusal(&self, refused: Refused, client: &Client) {
        match refused {
            Refused::Key(key) => self.0.uses().note(key, Verdict::Refused, self.0.now(), client),
            Refused::Unknown => self.0.uses().note_unknown(),
        }
    }
}

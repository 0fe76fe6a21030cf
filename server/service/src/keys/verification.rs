//! Verification: whether a key is valid, what it may do, and until when. Shared by all adapters.

use std::{net::IpAddr, sync::Arc};

use chrono::{DateTime, Utc};
use domain::{
    ApiError, ErrorCode, KeyId, LastUse, Name, Owner, Role, Scope, ScopeGrant, Slug, TenantId,
    scope::{Missing, OwnScope, effective},
};
use moka::{policy::EvictionPolicy, sync::Cache};

use super::{
    issue,
    roll::{self, PredecessorEndings},
    scopes, token,
    usage::{UsageBuffer, Verdict},
    verification_counts::VerificationOutcome,
};
use crate::{
    access::Client,
    context::Context,
    error::Result,
    storage::{
        self,
        db::TokenDigest,
        keys::{Bearer, Candidate},
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
    /// What the key may do at most.
    pub scopes: ScopeGrant,
}

/// What a request is told about a key.
#[derive(Clone, Debug)]
pub enum Authorized {
    /// The key isn't valid.
    Refused,
    /// The key is valid, but lacks scopes that the request demands.
    Lacks(VerifiedKey, Missing),
    /// The key is valid and has every scope that the request demands.
    Granted(VerifiedKey),
}

impl Candidate {
    /// Returns why a key is refused, for the metrics.
    fn refused_as(&self, now: DateTime<Utc>) -> VerificationOutcome {
        if self.is_revoked {
            VerificationOutcome::Revoked
        } else if self.is_marked_expired || self.expires_at.is_some_and(|at| now >= at) {
            VerificationOutcome::Expired
        } else if self.is_suspended {
            VerificationOutcome::Suspended
        } else if self.bearer.is_none() {
            VerificationOutcome::WithoutOwner
        } else {
            // The token was replaced before its first use.
            VerificationOutcome::Unknown
        }
    }

    /// Returns the bearer if the key is valid at `now`. At the instant of its expiry, it no longer is.
    fn bearer_at(&self, now: DateTime<Utc>) -> Option<&Bearer> {
        let is_over = self.is_revoked || self.is_marked_expired || self.expires_at.is_some_and(|at| now >= at);
        self.bearer.as_ref().filter(|_| !is_over && !self.is_suspended)
    }
}

/// How many revoked tokens are remembered.
const MAX_REVOKED: u64 = 10_000;

/// The tokens of revoked keys that were tried most recently. Clients whose key was revoked retry about 40 times a
/// second; remembering the token saves a database read each time. A revocation is permanent (removing an owner revokes
/// its keys), so an entry never becomes wrong. Unknown tokens aren't remembered: another server may import them.
#[derive(Debug)]
pub(crate) struct RevokedTokens(Cache<TokenDigest, (KeyId, TenantId)>);

impl Default for RevokedTokens {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(MAX_REVOKED).eviction_policy(EvictionPolicy::lru()).build())
    }
}

/// Verifies tokens.
pub struct Verification<'a> {
    pub(crate) context: &'a Context,
    pub(crate) usage: &'a Arc<UsageBuffer>,
    pub(crate) revoked_tokens: &'a RevokedTokens,
    pub(crate) endings: &'a Arc<PredecessorEndings>,
}

impl Verification<'_> {
    /// Returns the key of a token if it is valid now, and `None` if it isn't, whatever the reason. Records the usage,
    /// to be written in the background. A token with a wrong format or checksum costs no database read.
    ///
    /// # Errors
    /// Only when the database fails. No token is accepted then.
    #[tracing::instrument(level = "debug", skip_all, fields(api_key.id))]
    pub async fn verify(&self, token: &str, client: &Client) -> Result<Option<VerifiedKey>> {
        self.verify_in(None, token, client).await
    }

    async fn verify_in(&self, tenant: Option<TenantId>, token: &str, client: &Client) -> Result<Option<VerifiedKey>> {
        let verified = self.check(tenant, token, client).await;
        if verified.is_err() {
            self.count(client, VerificationOutcome::Failed);
        }
        verified
    }

    /// Like [`Verification::verify`], for a request that demands scopes. Counts each of them for the key. With a tenant,
    /// the keys of all others are unknown, and nothing is recorded about them.
    ///
    /// # Errors
    /// As [`Verification::verify`].
    #[tracing::instrument(level = "debug", skip_all, fields(api_key.id))]
    pub async fn authorize(
        &self,
        token: &str,
        demanded: &[Scope],
        tenant: Option<TenantId>,
        client: &Client,
    ) -> Result<Authorized> {
        let Some(key) = self.verify_in(tenant, token, client).await? else { return Ok(Authorized::Refused) };
        if demanded.is_empty() {
            return Ok(Authorized::Granted(key));
        }
        let catalogue = storage::scopes::known_catalogue(self.context.db()).await?;
        let facts = (key.key_id, &key.scopes, key.role);
        match scopes::demand_counted(self.context, facts, &catalogue, demanded, client) {
            Ok(()) => Ok(Authorized::Granted(key)),
            Err(missing) => Ok(Authorized::Lacks(key, missing)),
        }
    }

    /// Returns what a key may do at the moment: its scopes, as far as its owner's role allows them. For an unscoped key,
    /// everything that the role allows.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn effective_scopes(&self, key: &VerifiedKey) -> Result<Vec<Scope>> {
        let catalogue = storage::scopes::known_catalogue(self.context.db()).await?;
        Ok(effective(&key.scopes, key.role, &catalogue).map(|entry| entry.scope.clone()).collect())
    }

    /// Verifies the key with which a service asks about the keys of its own tenant, and returns the tenant.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if the key isn't valid; `FORBIDDEN` if it lacks the scope `latchkey:verify`.
    pub async fn caller(&self, token: &str, client: &Client) -> Result<TenantId> {
        match self.authorize(token, &[OwnScope::Verify.scope()], None, client).await? {
            Authorized::Refused => Err(ApiError::unauthenticated().into()),
            Authorized::Lacks(_, missing) => Err(ApiError::new(ErrorCode::Forbidden, missing.to_string()).into()),
            Authorized::Granted(key) => Ok(key.tenant_id),
        }
    }

    /// Returns the client that a service names as the sender of a request. `caller`: the tenant of the service's own key.
    ///
    /// # Errors
    /// `FORBIDDEN` for a service without a key: anyone could record usage under any address. A field error at
    /// `client.address`.
    pub fn end_client(
        caller: Option<TenantId>,
        client: &Client,
        (address, user_agent): (Option<&str>, Option<String>),
    ) -> Result<Client> {
        if caller.is_none() {
            let needed = OwnScope::Verify.scope();
            let detail = format!("Only a caller with a key that has the scope {needed} can say whose request it is.");
            return Err(ApiError::new(ErrorCode::Forbidden, detail).into());
        }
        let wrong = || ApiError::field("client.address", "This must be an IP address.");
        let address = match address.filter(|address| !address.is_empty()) {
            Some(text) => Some(text.parse::<IpAddr>().map_err(|_| wrong())?.to_canonical().to_string()),
            None => None,
        };
        Ok(Client { address, user_agent, ..client.clone() })
    }

    async fn check(&self, tenant: Option<TenantId>, token: &str, client: &Client) -> Result<Option<VerifiedKey>> {
        let Some(digest) = token::digest_of(token) else {
            self.count(client, VerificationOutcome::Malformed);
            self.usage.record_malformed();
            return Ok(None);
        };
        let candidate = match storage::keys::find_in_memory(self.context.db(), &digest) {
            Some(known) => known,
            None => match self.find(tenant, &digest, client).await? {
                Some(found) => found,
                None => return Ok(None),
            },
        };
        if is_foreign(tenant, candidate.tenant_id) {
            self.count_unknown(client);
            return Ok(None);
        }
        tracing::Span::current().record("api_key.id", tracing::field::display(candidate.key_id));
        let now = self.context.now();
        let latest = self.context.clock().latest_possible();
        let bearer = candidate.bearer_at(latest).cloned();
        // Before the token is accepted, so that no server replaces a token that is in use.
        let is_current = bearer.is_none() || self.record_first_use(&candidate, &digest, now, client).await?;
        let Some(bearer) = bearer.filter(|_| is_current) else {
            if candidate.is_revoked {
                self.revoked_tokens.0.insert(digest, (candidate.key_id, candidate.tenant_id));
            }
            self.record_refusal(candidate.key_id, candidate.refused_as(latest), now, client);
            return Ok(None);
        };
        self.count(client, VerificationOutcome::Accepted);
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
            scopes: candidate.scopes,
        }))
    }

    /// Finds a key that isn't known in memory. Records a refusal if the token is revoked or unknown.
    async fn find(&self, tenant: Option<TenantId>, digest: &TokenDigest, client: &Client) -> Result<Option<Candidate>> {
        if let Some((revoked, of)) = self.revoked_tokens.0.get(digest) {
            if is_foreign(tenant, of) {
                self.count_unknown(client);
            } else {
                self.record_refusal(revoked, VerificationOutcome::Revoked, self.context.now(), client);
            }
            return Ok(None);
        }
        let found = storage::keys::find_by_digest(self.context.db(), digest).await?;
        if found.is_none() {
            self.count_unknown(client);
        }
        Ok(found)
    }

    /// Records that a request with a key was rejected, and why, for the key's owner and administrators.
    fn record_refusal(&self, key: KeyId, outcome: VerificationOutcome, now: DateTime<Utc>, client: &Client) {
        self.count(client, outcome);
        self.usage.record(key, Verdict::Refused, now, client);
        if let Some(reason) = outcome.refusal_reason() {
            self.context.audit().key_refusals().record(key, (reason, Vec::new()), now, client);
        }
    }

    fn count_unknown(&self, client: &Client) {
        self.count(client, VerificationOutcome::Unknown);
        self.usage.record_unknown();
    }

    fn count(&self, client: &Client, outcome: VerificationOutcome) {
        self.usage.counts.add(client.channel, outcome);
    }

    /// Records the first use of a key that a form has just created. Returns false if the form was submitted again and
    /// has replaced the token. Does nothing for any other key.
    async fn record_first_use(
        &self,
        candidate: &Candidate,
        digest: &TokenDigest,
        now: DateTime<Utc>,
        client: &Client,
    ) -> Result<bool> {
        if !candidate.replaceable_since.is_some_and(|since| issue::may_be_replaced(since, now)) {
            return Ok(true);
        }
        let (address, user_agent) = (client.address.clone(), client.user_agent.clone());
        let first = LastUse { at: now, address, user_agent };
        storage::keys::record_first_use(self.context.db(), candidate.key_id, digest, &first).await
    }
}

/// Whether a caller that sees only one tenant doesn't see the keys of another.
fn is_foreign(seen: Option<TenantId>, of: TenantId) -> bool {
    seen.is_some_and(|seen| seen != of)
}

/// Returns the tenant of a key that is valid now, by the digest of its token. Doesn't record usage.
///
/// # Errors
/// When the database fails.
pub(crate) async fn tenant_of_good(context: &Context, digest: &TokenDigest) -> Result<Option<TenantId>> {
    let candidate = storage::keys::find_by_digest(context.db(), digest).await?;
    Ok(candidate.filter(|key| key.bearer_at(context.clock().latest_possible()).is_some()).map(|key| key.tenant_id))
}

//! Verification: whether a key is valid, what it may do, and until when. Shared by all adapters.

use std::{net::IpAddr, sync::Arc};

use chrono::{DateTime, Utc};
use domain::{
    ApiError, ErrorCode, KeyId, KeyLimits, LastUse, Name, Owner, Role, Scope, ScopeGrant, Slug, TenantId,
    scope::{Catalogue, Missing, OwnScope, effective},
};
use moka::{policy::EvictionPolicy, sync::Cache};

use super::{
    issue,
    limit_checks::is_allowed_from,
    rate_limits::RateLimits,
    roll::{self, PredecessorEndings},
    scopes, token,
    usage::{UsageBuffer, Verdict},
    verification_counts::VerificationOutcome,
};
use crate::{
    access::Client,
    context::Context,
    digest::sha256,
    error::Result,
    storage::{
        self,
        db::{CachedKey, OwnerFacts, TokenDigest},
        keys::Candidate,
    },
};

/// A valid key, with what its bearer may know about it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct VerifiedKey(pub(super) Arc<CachedKey>);

impl VerifiedKey {
    /// Returns whether both come from the same reading of the key. What follows from one then follows from the other too.
    pub fn is_same_reading(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The key's id.
    pub fn key_id(&self) -> KeyId {
        self.0.facts.id
    }

    /// The key's name.
    pub fn name(&self) -> &Name {
        &self.0.facts.name
    }

    /// When the key expires; `None` means never.
    pub fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.0.facts.expires_at().map(storage::instant)
    }

    /// What the key may do at most.
    pub fn scopes(&self) -> &ScopeGrant {
        self.0.facts.scopes()
    }

    /// From which addresses and how often the key may be used; `None` without a limit.
    pub fn limits(&self) -> Option<&KeyLimits> {
        self.0.facts.limits.as_deref()
    }

    /// The key's owner.
    pub fn owner(&self) -> Owner {
        self.owner_facts().owner
    }

    /// The owner's name.
    pub fn owner_name(&self) -> &str {
        &self.owner_facts().name
    }

    /// The owner's role in the tenant, as of now.
    pub fn role(&self) -> Role {
        self.owner_facts().role
    }

    /// The key's tenant.
    pub fn tenant_id(&self) -> TenantId {
        self.owner_facts().tenant_id
    }

    /// The tenant's slug.
    pub fn tenant_slug(&self) -> &Slug {
        &self.owner_facts().tenant_slug
    }

    fn owner_facts(&self) -> &OwnerFacts {
        &self.0.owner.facts
    }
}

/// What a request is told about a key.
#[derive(Clone, Debug)]
pub enum Authorized {
    /// The key isn't valid, or may not be used from the client's address.
    Refused,
    /// The key was used more often than its limit allows. It may be used again after this number of seconds.
    RateLimited(u32),
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

    /// Whether the key is valid at `now`. At the instant of its expiry, it no longer is.
    pub(super) fn is_valid_at(&self, now: DateTime<Utc>) -> bool {
        let is_over = self.is_revoked || self.is_marked_expired || self.expires_at.is_some_and(|at| now >= at);
        self.bearer.is_some() && !is_over && !self.is_suspended
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
    pub(crate) rate_limits: &'a RateLimits,
    pub(crate) endings: &'a Arc<PredecessorEndings>,
}

impl Verification<'_> {
    /// Returns the key of a token if it is valid now, and `None` if it isn't, whatever the reason. Records the usage,
    /// to be written in the background. A token with a wrong format or checksum costs no database read.
    ///
    /// # Errors
    /// `RATE_LIMITED` if the key was used more often than its limit allows. When the database fails, no token is accepted.
    #[tracing::instrument(level = "debug", skip_all, fields(api_key.id))]
    pub async fn verify(&self, token: &str, client: &Client) -> Result<Option<VerifiedKey>> {
        match self.verify_in(None, token, client).await? {
            Authorized::Granted(key) => Ok(Some(key)),
            Authorized::RateLimited(wait) => Err(ApiError::key_rate_limited(wait).into()),
            Authorized::Refused | Authorized::Lacks(..) => Ok(None),
        }
    }

    async fn verify_in(&self, tenant: Option<TenantId>, token: &str, client: &Client) -> Result<Authorized> {
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
    /// When the database fails. No token is accepted then.
    #[tracing::instrument(level = "debug", skip_all, fields(api_key.id))]
    pub async fn authorize(
        &self,
        token: &str,
        demanded: &[Scope],
        tenant: Option<TenantId>,
        client: &Client,
    ) -> Result<Authorized> {
        let key = match self.verify_in(tenant, token, client).await? {
            Authorized::Granted(key) => key,
            refused => return Ok(refused),
        };
        if demanded.is_empty() {
            return Ok(Authorized::Granted(key));
        }
        let catalogue = storage::scopes::known_catalogue(self.context.db()).await?;
        let facts = (key.key_id(), key.scopes(), key.role());
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
        Ok(effective(key.scopes(), key.role(), &catalogue).map(|entry| entry.scope.clone()).collect())
    }

    /// Returns the scopes that keys can hold. The same `Arc` as long as they haven't changed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn catalogue(&self) -> Result<Arc<Catalogue>> {
        storage::scopes::known_catalogue(self.context.db()).await
    }

    /// Verifies the key with which a service asks about the keys of its own tenant, and returns the tenant.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if the key isn't valid; `RATE_LIMITED`; `FORBIDDEN` if it lacks the scope `latchkey:verify`.
    pub async fn caller(&self, token: &str, client: &Client) -> Result<TenantId> {
        match self.authorize(token, &[OwnScope::Verify.scope()], None, client).await? {
            Authorized::Refused => Err(ApiError::unauthenticated().into()),
            Authorized::RateLimited(wait) => Err(ApiError::key_rate_limited(wait).into()),
            Authorized::Lacks(_, missing) => Err(ApiError::new(ErrorCode::Forbidden, missing.to_string()).into()),
            Authorized::Granted(key) => Ok(key.tenant_id()),
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

    async fn check(&self, tenant: Option<TenantId>, token: &str, client: &Client) -> Result<Authorized> {
        let Some(digest) = token::digest_of(token) else {
            // Boxed, so that the future of a verification from memory stays small.
            return Box::pin(self.check_foreign(tenant, token, client)).await;
        };
        self.check_digest(tenant, digest, client).await
    }

    /// Checks a text that isn't a token of Latchkey. Nothing is read unless keys were imported.
    async fn check_foreign(&self, tenant: Option<TenantId>, token: &str, client: &Client) -> Result<Authorized> {
        if let Some(digest) = foreign_digest_of(self.context, token).await? {
            return self.check_digest(tenant, digest, client).await;
        }
        self.count(client, VerificationOutcome::Malformed);
        self.usage.record_malformed();
        Ok(Authorized::Refused)
    }

    async fn check_digest(&self, tenant: Option<TenantId>, digest: TokenDigest, client: &Client) -> Result<Authorized> {
        match storage::keys::find_in_memory(self.context.db(), &digest) {
            Some(known) => Ok(self.check_known(tenant, VerifiedKey(known), client)),
            // Boxed, so that the future of a verification from memory stays small.
            None => Box::pin(self.check_unknown(tenant, digest, client)).await,
        }
    }

    /// Checks a key that is known in memory, and so is valid unless it has expired. Waits for nothing.
    fn check_known(&self, tenant: Option<TenantId>, key: VerifiedKey, client: &Client) -> Authorized {
        if is_foreign(tenant, key.tenant_id()) {
            self.count_unknown(client);
            return Authorized::Refused;
        }
        tracing::Span::current().record("api_key.id", tracing::field::display(key.key_id()));
        let (now, latest) = self.context.clock().times();
        if key.expires_at().is_some_and(|at| latest >= at) {
            self.record_refusal(key.key_id(), VerificationOutcome::Expired, now, client);
            return Authorized::Refused;
        }
        if !is_allowed_from(key.limits(), client) {
            self.record_refusal(key.key_id(), VerificationOutcome::AddressNotAllowed, now, client);
            return Authorized::Refused;
        }
        if let Err(wait) = self.count_towards_limit(key.key_id(), key.limits(), now, client) {
            return Authorized::RateLimited(wait);
        }
        self.count(client, VerificationOutcome::Accepted);
        self.usage.record(key.key_id(), Verdict::Accepted, now, client);
        Authorized::Granted(key)
    }

    /// Checks a token whose key isn't known in memory.
    async fn check_unknown(
        &self,
        tenant: Option<TenantId>,
        digest: TokenDigest,
        client: &Client,
    ) -> Result<Authorized> {
        let Some(candidate) = self.find(tenant, &digest, client).await? else { return Ok(Authorized::Refused) };
        if is_foreign(tenant, candidate.tenant_id) {
            self.count_unknown(client);
            return Ok(Authorized::Refused);
        }
        let id = candidate.key_id;
        tracing::Span::current().record("api_key.id", tracing::field::display(id));
        let (now, latest) = self.context.clock().times();
        let is_valid = candidate.is_valid_at(latest);
        if is_valid && !is_allowed_from(candidate.limits.as_deref(), client) {
            self.record_refusal(id, VerificationOutcome::AddressNotAllowed, now, client);
            return Ok(Authorized::Refused);
        }
        // Before the token is accepted, so that no server replaces a token that is in use.
        let is_current = !is_valid || self.record_first_use(&candidate, &digest, now, client).await?;
        if !is_valid || !is_current {
            if candidate.is_revoked {
                self.revoked_tokens.0.insert(digest, (id, candidate.tenant_id));
            }
            self.record_refusal(id, candidate.refused_as(latest), now, client);
            return Ok(Authorized::Refused);
        }
        if let Err(wait) = self.count_towards_limit(id, candidate.limits.as_deref(), now, client) {
            return Ok(Authorized::RateLimited(wait));
        }
        self.count(client, VerificationOutcome::Accepted);
        self.usage.record(id, Verdict::Accepted, now, client);
        if let Some(old) = candidate.ends_key {
            roll::end_predecessor(self.context, self.endings, &candidate, old).await;
        }
        Ok(candidate.into_key(digest).map_or(Authorized::Refused, |key| Authorized::Granted(VerifiedKey(key))))
    }

    /// Counts a request towards the rate limit of its key. If that is used up, returns after how many seconds it isn't.
    fn count_towards_limit(
        &self,
        key: KeyId,
        limits: Option<&KeyLimits>,
        now: DateTime<Utc>,
        client: &Client,
    ) -> std::result::Result<(), u32> {
        let Some(limit) = limits.and_then(|limits| limits.rate) else { return Ok(()) };
        let counted = self.rate_limits.count(key, limit, now);
        if counted.is_err() {
            self.record_refusal(key, VerificationOutcome::RateLimited, now, client);
        }
        counted
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

/// Returns the digest of a text that may be a token: in Latchkey's format or, if keys were imported, in any other.
///
/// # Errors
/// When the database fails.
pub(crate) async fn digest_of(context: &Context, text: &str) -> Result<Option<TokenDigest>> {
    match token::digest_of(text) {
        Some(digest) => Ok(Some(digest)),
        None => foreign_digest_of(context, text).await,
    }
}

/// Returns the digest of a text that may be the token of an imported key. `None` if no key was imported.
async fn foreign_digest_of(context: &Context, text: &str) -> Result<Option<TokenDigest>> {
    if !token::may_be_foreign(text) || !storage::keys::has_imported(context.db()).await? {
        return Ok(None);
    }
    Ok(Some(sha256(text.as_bytes())))
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
    Ok(candidate.filter(|key| key.is_valid_at(context.clock().latest_possible())).map(|key| key.tenant_id))
}

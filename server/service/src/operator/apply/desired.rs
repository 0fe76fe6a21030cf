//! The values of a stated configuration, once they are known to be valid. Needs no database.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
};

use chrono::{DateTime, SubsecRound, Utc};
use domain::{
    AllowedAddresses, ApiError, Email, KeyLimits, KeyPolicy, KeyPolicyKind, Name, OwnerKind, RateLimit, Role,
    ScopeGrant, ScopeSet, Slug,
    api_key::{expiry::ExpiryError, input::SetKeyPolicy},
    scope::{CatalogueScope, SetScope},
    time::parse_instant,
};

use super::stated::{
    Kind, Problem, Stated, StatedAccount, StatedConfiguration, StatedKey, StatedKeyPolicy, StatedOwner, StatedScope,
    StatedTenant, StatedToken, Subject,
};
use crate::{
    input::{self, Fields},
    keys::{
        key_policies,
        known_token::{KnownToken, read_sha256},
        token::{TOKEN_PREFIXES, digest_of},
    },
};

/// The tenants that a file names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DesiredTenant {
    pub(super) slug: Slug,
    pub(super) name: Name,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DesiredAccount {
    pub(super) tenant: Slug,
    pub(super) name: Name,
    pub(super) role: Option<Role>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DesiredKeyPolicy {
    pub(super) tenant: Slug,
    pub(super) policy: KeyPolicy,
    pub(super) input: SetKeyPolicy,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum DesiredOwner {
    User(Email),
    ServiceAccount(Name),
}

impl DesiredOwner {
    pub(super) fn kind(&self) -> OwnerKind {
        match self {
            Self::User(_) => OwnerKind::User,
            Self::ServiceAccount(_) => OwnerKind::ServiceAccount,
        }
    }

    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::User(email) => email.as_str(),
            Self::ServiceAccount(name) => name.as_str(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DesiredKey {
    pub(super) tenant: Slug,
    pub(super) owner: DesiredOwner,
    pub(super) name: Name,
    pub(super) token: KnownToken,
    pub(super) scopes: ScopeGrant,
    /// In whole seconds. May have passed.
    pub(super) expires_at: Option<DateTime<Utc>>,
    pub(super) limits: KeyLimits,
}

impl DesiredKey {
    pub(super) fn subject(&self) -> Subject {
        Subject::of_key(self.tenant.as_str(), self.owner.as_str(), self.name.as_str())
    }
}

/// A stated configuration with valid values, none of which is stated twice.
#[derive(Clone, Debug, Default)]
pub(super) struct Desired {
    pub(super) scopes: Vec<Stated<CatalogueScope>>,
    pub(super) tenants: Vec<Stated<DesiredTenant>>,
    pub(super) accounts: Vec<Stated<DesiredAccount>>,
    pub(super) policies: Vec<Stated<DesiredKeyPolicy>>,
    pub(super) keys: Vec<Stated<DesiredKey>>,
    /// The kinds of which the file states more, which isn't valid or couldn't be read.
    pub(super) incomplete: HashSet<Kind>,
}

/// Checks everything that doesn't depend on the database. Returns what is valid, and all problems.
pub(super) fn check(stated: &StatedConfiguration, now: DateTime<Utc>) -> (Desired, Vec<Problem>) {
    let mut checks = Checks { incomplete: stated.unreadable.clone(), ..Checks::default() };
    let mut desired = Desired {
        scopes: checks.all(&stated.scopes, scope_subject, scope, |scope| scope.scope.clone()),
        tenants: checks.all(&stated.tenants, tenant_subject, tenant, |tenant| tenant.slug.clone()),
        accounts: checks.all(&stated.accounts, account_subject, account, |one| (one.tenant.clone(), one.name.clone())),
        policies: checks.all(
            &stated.policies,
            policy_subject,
            |stated| policy(stated, now),
            |one| (one.tenant.clone(), one.policy.kind),
        ),
        keys: checks
            .all(&stated.keys, key_subject, key, |key| (key.tenant.clone(), key.owner.clone(), key.name.clone())),
        incomplete: HashSet::new(),
    };
    checks.tokens(&desired.keys);
    desired.incomplete = checks.incomplete;
    (desired, checks.problems)
}

#[derive(Default)]
struct Checks {
    problems: Vec<Problem>,
    incomplete: HashSet<Kind>,
}

impl Checks {
    /// Returns the valid entries of a kind, each of which must be stated once.
    fn all<S, D, K: Eq + Hash>(
        &mut self,
        stated: &[Stated<S>],
        subject: impl Fn(&S) -> Subject,
        parse: impl Fn(&S) -> Result<D, ApiError>,
        identity: impl Fn(&D) -> K,
    ) -> Vec<Stated<D>> {
        let (mut valid, mut lines) = (Vec::with_capacity(stated.len()), HashMap::new());
        for Stated { line, entry } in stated {
            match parse(entry) {
                Ok(desired) => {
                    if let Some(first) = lines.insert(identity(&desired), *line) {
                        self.add(*line, &subject(entry), format!("This is already stated on line {first}."));
                    }
                    valid.push(Stated { line: *line, entry: desired });
                }
                Err(error) => {
                    for message in messages(&error) {
                        self.add(*line, &subject(entry), message);
                    }
                }
            }
        }
        valid
    }

    /// Refuses a token that two keys have.
    fn tokens(&mut self, keys: &[Stated<DesiredKey>]) {
        let mut lines = HashMap::new();
        for Stated { line, entry } in keys {
            if let Some(first) = lines.insert(entry.token.digest(), *line) {
                self.add(*line, &entry.subject(), format!("The key on line {first} has the same token."));
            }
        }
    }

    fn add(&mut self, line: usize, subject: &Subject, message: String) {
        self.incomplete.insert(subject.kind);
        self.problems.push(Problem { line, subject: subject.to_string(), message });
    }
}

/// Returns what an error says about each member.
pub(super) fn messages(error: &ApiError) -> Vec<String> {
    if error.fields.is_empty() {
        return vec![error.message.clone()];
    }
    error.fields.iter().map(|field| format!("{}: {}", field.field, field.message)).collect()
}

fn scope_subject(stated: &StatedScope) -> Subject {
    Subject::shared(Kind::Scope, &stated.scope)
}

fn scope(stated: &StatedScope) -> Result<CatalogueScope, ApiError> {
    let least_role = stated.least_role.parse::<Role>();
    let least_role = least_role.map_err(|error| ApiError::field("least_role", error.to_string()))?;
    let input = SetScope {
        scope: stated.scope.clone(),
        description: stated.description.clone(),
        least_role: Some(least_role),
        deprecated_since: stated.deprecated_since.clone().unwrap_or_default(),
        before: None,
    };
    let entry = input.entry()?;
    // In whole microseconds, as the database stores it.
    Ok(CatalogueScope { deprecated_at: entry.deprecated_at.map(|at| at.trunc_subsecs(6)), ..entry })
}

fn tenant_subject(stated: &StatedTenant) -> Subject {
    Subject::shared(Kind::Tenant, &stated.slug)
}

fn tenant(stated: &StatedTenant) -> Result<DesiredTenant, ApiError> {
    let mut wrong = Fields::default();
    let parsed = (wrong.take("slug", Slug::parse(&stated.slug)), wrong.take("name", input::name(&stated.name)));
    let (Some(slug), Some(name)) = parsed else { return Err(wrong.into_error()) };
    Ok(DesiredTenant { slug, name })
}

fn account_subject(stated: &StatedAccount) -> Subject {
    Subject::of_tenant(Kind::ServiceAccount, &stated.tenant, &stated.name)
}

fn account(stated: &StatedAccount) -> Result<DesiredAccount, ApiError> {
    let mut wrong = Fields::default();
    let (tenant, name, role) = (
        wrong.take("tenant", Slug::parse(&stated.tenant)),
        wrong.take("name", input::name(&stated.name)),
        wrong.take("role", stated.role.as_deref().map(str::parse::<Role>).transpose()),
    );
    let (Some(tenant), Some(name), Some(role)) = (tenant, name, role) else { return Err(wrong.into_error()) };
    Ok(DesiredAccount { tenant, name, role })
}

fn policy_subject(stated: &StatedKeyPolicy) -> Subject {
    Subject::of_tenant(Kind::KeyPolicy, &stated.tenant, &stated.policy)
}

fn policy(stated: &StatedKeyPolicy, now: DateTime<Utc>) -> Result<DesiredKeyPolicy, ApiError> {
    let tenant = Slug::parse(&stated.tenant).map_err(|error| ApiError::field("tenant", error.to_string()))?;
    let number = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
    let input = SetKeyPolicy {
        policy: stated.policy.clone(),
        days: number(stated.days),
        limit: number(stated.limit),
        on_exposure: stated.on_exposure.clone().unwrap_or_default(),
        scopes: stated.scopes.as_deref().unwrap_or_default().join(" "),
        from: stated.from.clone().unwrap_or_default(),
        before: None,
    };
    if let Some(kind) = KeyPolicyKind::from_code(stated.policy.trim()) {
        let mut wrong = Fields::default();
        for (member, is_stated, is_known) in [
            ("days", stated.days.is_some(), kind.has_days()),
            ("limit", stated.limit.is_some(), kind.has_limit()),
            ("on_exposure", stated.on_exposure.is_some(), kind.has_response()),
            ("scopes", stated.scopes.is_some(), kind.has_scopes()),
        ] {
            if is_stated && !is_known {
                wrong.take::<(), _>(member, Err(format!("A policy of the kind {} doesn't have this.", kind.as_str())));
            }
        }
        let wrong = wrong.into_error();
        if !wrong.fields.is_empty() {
            return Err(wrong);
        }
    }
    let policy = key_policies::parsed(&input, "", now)?;
    Ok(DesiredKeyPolicy { tenant, policy, input })
}

fn key_subject(stated: &StatedKey) -> Subject {
    let (StatedOwner::User(owner) | StatedOwner::ServiceAccount(owner)) = &stated.owner;
    Subject::of_key(&stated.tenant, owner, &stated.name)
}

fn key(stated: &StatedKey) -> Result<DesiredKey, ApiError> {
    let mut wrong = Fields::default();
    let tenant = wrong.take("tenant", Slug::parse(&stated.tenant));
    let owner = match &stated.owner {
        StatedOwner::User(email) => wrong.take("user", input::email(email)).map(DesiredOwner::User),
        StatedOwner::ServiceAccount(name) => {
            wrong.take("service_account", input::name(name)).map(DesiredOwner::ServiceAccount)
        }
    };
    let kind = match &stated.owner {
        StatedOwner::User(_) => OwnerKind::User,
        StatedOwner::ServiceAccount(_) => OwnerKind::ServiceAccount,
    };
    let name = wrong.take("name", input::name(&stated.name));
    let token = wrong.take_all(token(&stated.token, kind));
    let scopes =
        wrong.take("scopes", stated.scopes.as_deref().map(|list| ScopeSet::parse(&list.join(" "))).transpose());
    let expires_at = wrong.take("expires_at", stated.expires_at.as_deref().map(instant).transpose());
    let addresses = stated.allowed_addresses.as_deref().map(|list| AllowedAddresses::parse(&list.join(" ")));
    let addresses = wrong.take("allowed_addresses", addresses.transpose());
    let rate = stated.rate_limit.as_deref().map(|text| text.split_once('/').unwrap_or((text, "")));
    let rate = rate.map(|(requests, window)| RateLimit::parse(requests, window));
    let rate = wrong.take("rate_limit", rate.transpose());
    match (tenant, owner, name, token, scopes, expires_at, addresses, rate) {
        (
            Some(tenant),
            Some(owner),
            Some(name),
            Some(token),
            Some(scopes),
            Some(expires_at),
            Some(addresses),
            Some(rate),
        ) => {
            let scopes = scopes.map_or(ScopeGrant::Unscoped, ScopeGrant::Set);
            Ok(DesiredKey { tenant, owner, name, token, scopes, expires_at, limits: KeyLimits { addresses, rate } })
        }
        _ => Err(wrong.into_error()),
    }
}

/// Parses an expiry, which may have passed: the file of a key that has expired stays valid.
fn instant(text: &str) -> Result<DateTime<Utc>, ExpiryError> {
    parse_instant(text).map(|at| at.trunc_subsecs(0)).ok_or(ExpiryError::Malformed)
}

fn token(stated: &StatedToken, kind: OwnerKind) -> Result<KnownToken, ApiError> {
    match stated {
        StatedToken::Sha256(text) => KnownToken::of_sha256(read_sha256(text)?, None),
        StatedToken::Token(token) => {
            let text = token.expose();
            if TOKEN_PREFIXES.iter().any(|prefix| text.starts_with(prefix)) && digest_of(text).is_none() {
                let message =
                    "The token begins like Latchkey's own, but isn't one. Check that it was copied completely.";
                return Err(ApiError::field("token_file", message));
            }
            KnownToken::of_token(token, kind).map_err(|error| ApiError::field("token_file", error.message))
        }
    }
}

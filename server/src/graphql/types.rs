//! The schema's types, converted from those of `domain`.

use async_graphql::{ID, InputObject, OutputType, SimpleObject};
use chrono::{DateTime, SecondsFormat, Utc};
use domain::{IssuedKey, api_key::input::SetKeyPolicy};
use service::MemberFacts;

use super::{
    audit_operation::AuditOperation,
    clients::flow_types::ListedFlowRun,
    enums::{
        AccountStateCode, ActorKind, AuditResult, Channel, Endpoint, ExposureResponse, KeyPolicyKind, KeyStateCode,
        OwnerKind, RefusalReason, Role, by_code,
    },
    scalars::{Count, Time},
};

/// An API key's record, named as in Prefect's API. It never contains the token.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "auth_api_key", rename_fields = "snake_case")]
pub struct ApiKey {
    /// The key's id.
    pub id: ID,
    /// The key's name.
    pub name: String,
    /// When the key expires; null if never.
    pub expires_at: Option<Time>,
    /// The id of the user or service account that owns the key.
    pub user_id: ID,
    /// Whether the owner is a person or a service account.
    pub owner_kind: OwnerKind,
    /// The owner's name.
    pub owner_name: String,
    /// The id of the tenant that the key works in.
    pub tenant_id: ID,
    /// The prefix and the first four characters of the token.
    pub hint: String,
    /// The key's state.
    pub state: KeyStateCode,
    /// When the key was created.
    pub created: Time,
    /// The name of the actor that created the key.
    pub created_by: String,
    /// The interface through which the key was created; null if a later version of Latchkey knows it.
    pub created_channel: Option<Channel>,
    /// The id of the key that was used to create this one.
    pub created_by_key: Option<ID>,
    /// The id of the key that this one replaced in a rotation.
    pub replaces: Option<ID>,
    /// The id of the key that replaced this one in a rotation.
    pub replaced_by: Option<ID>,
    /// Whether the replacement was revoked, along with every key that it was rotated into.
    pub replacement_revoked: bool,
    /// The end of the grace period, during which this key and its replacement both work; null outside it.
    pub overlap_until: Option<Time>,
    /// Whether this key will stop working when its replacement is first used. False once that has happened.
    pub ends_on_use: bool,
    /// The last rejected request with the key.
    pub last_refused: Option<LastUse>,
    /// When the key itself was suspended; null if only its service account is.
    pub suspended_at: Option<Time>,
    /// The name of the actor that suspended the key.
    pub suspended_by: Option<String>,
    /// When the key was revoked.
    pub revoked_at: Option<Time>,
    /// The name of the actor that revoked the key.
    pub revoked_by: Option<String>,
    /// Why the key was revoked.
    pub revoke_reason: Option<String>,
    /// The scopes that the key holds; null if it may do everything that its owner's role allows.
    pub scopes: Option<Vec<String>>,
    /// The networks from which the key may be used, in CIDR notation; null for all.
    pub allowed_addresses: Option<Vec<String>>,
    /// How often the key may be used; null for any number of times.
    pub rate_limit: Option<RateLimit>,
    /// The tenant's key policies that the key violates, including policies that take effect later.
    pub against_policies: Vec<KeyPolicyKind>,
    /// The last accepted request with the key.
    pub last_used: Option<LastUse>,
    /// When the key's token was first reported as found where others can read it; null if it never was.
    pub exposed_at: Option<Time>,
    /// The kind of place where the token was found, such as `commit`.
    pub exposed_source: Option<String>,
    /// The URL of that place, as the reporter gave it.
    pub exposed_url: Option<String>,
    /// When the key's token, which another system has made, was imported; null for a token in Latchkey's format.
    pub imported_at: Option<Time>,
}

impl ApiKey {
    /// Returns the record as of `now`.
    pub(super) fn at(key: domain::ApiKey, now: DateTime<Utc>) -> Self {
        let overlap_until = key.overlap_until(now).map(Time::from);
        Self {
            state: key.state(now).into(),
            id: key.id.into(),
            name: key.name.to_string(),
            expires_at: key.expires_at.map(Time::from),
            user_id: key.owner.into(),
            owner_kind: key.owner.kind().into(),
            owner_name: key.owner_name,
            tenant_id: key.tenant_id.into(),
            hint: key.hint,
            created: key.created_at.into(),
            created_by: key.created_by,
            overlap_until,
            created_channel: by_code(&key.created_channel),
            created_by_key: key.created_by_key.map(ID::from),
            replaces: key.replaces.map(ID::from),
            ends_on_use: key.replaced_by.as_ref().is_some_and(|new| new.ends_on_use),
            replacement_revoked: key.replaced_by.as_ref().is_some_and(|new| new.is_revoked),
            replaced_by: key.replaced_by.map(|new| new.id.into()),
            last_refused: key.last_refused.map(LastUse::from),
            suspended_at: key.suspension.as_ref().map(|suspension| suspension.at.into()),
            suspended_by: key.suspension.map(|suspension| suspension.by),
            revoked_at: key.revocation.as_ref().map(|revocation| revocation.at.into()),
            revoked_by: key.revocation.as_ref().map(|revocation| revocation.by.clone()),
            revoke_reason: key.revocation.map(|revocation| revocation.reason).filter(|reason| !reason.is_empty()),
            scopes: key.scopes.set().map(|set| set.iter().map(ToString::to_string).collect()),
            allowed_addresses: key.limits.addresses.as_ref().map(|list| list.iter().collect()),
            rate_limit: key.limits.rate.map(RateLimit::from),
            against_policies: key.violations.iter().map(|violation| violation.kind.into()).collect(),
            last_used: key.last_used.map(LastUse::from),
            exposed_at: key.exposure.as_ref().map(|exposure| exposure.at.into()),
            exposed_source: key.exposure.as_ref().map(|exposure| exposure.source.clone()),
            exposed_url: key.exposure.and_then(|exposure| exposure.url),
            imported_at: key.imported_at.map(Time::from),
        }
    }
}

/// How often a key may be used: `requests` at once, and as many again spread over each window of `seconds`. Each server
/// counts for itself.
#[derive(Clone, Copy, Debug, SimpleObject)]
#[graphql(name = "rate_limit", rename_fields = "snake_case")]
pub struct RateLimit {
    /// The number of requests.
    pub requests: u32,
    /// The length of the window.
    pub seconds: u32,
}

impl From<domain::RateLimit> for RateLimit {
    fn from(limit: domain::RateLimit) -> Self {
        Self { requests: limit.requests(), seconds: limit.seconds() }
    }
}

/// Input for a rate limit: `requests` at once, and as many again spread over each window of `seconds`. Each server counts
/// for itself.
#[derive(Clone, Copy, Debug, InputObject)]
#[graphql(name = "rate_limit_input", rename_fields = "snake_case")]
pub struct RateLimitInput {
    /// The number of requests, 1 to 1,000,000.
    pub requests: i32,
    /// The length of the window, 1 to 86,400.
    pub seconds: i32,
}

impl RateLimitInput {
    /// Returns the number of requests and the window, as the domain parses them.
    pub(super) fn texts(self) -> (String, String) {
        (self.requests.to_string(), self.seconds.to_string())
    }
}

/// A request with a key: when, from where and by which client.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "last_use", rename_fields = "snake_case")]
pub struct LastUse {
    /// When the request was made.
    pub at: Time,
    /// The client's IP address.
    pub address: Option<String>,
    /// The client's `User-Agent`.
    pub user_agent: Option<String>,
}

impl From<domain::LastUse> for LastUse {
    fn from(last: domain::LastUse) -> Self {
        Self { at: last.at.into(), address: last.address, user_agent: last.user_agent }
    }
}

/// A service account.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "service_account", rename_fields = "snake_case")]
pub struct ServiceAccount {
    /// The account's id.
    pub id: ID,
    /// The account's name.
    pub name: String,
    /// The role of the account and of all its keys.
    pub role: Role,
    /// The account's state.
    pub state: AccountStateCode,
    /// When the account was created.
    pub created: Time,
    /// The name of the actor that created the account.
    pub created_by: String,
    /// When the account was suspended, together with all its keys.
    pub suspended_at: Option<Time>,
    /// The name of the actor that suspended the account.
    pub suspended_by: Option<String>,
    /// The number of keys that work now.
    pub active_keys: u32,
    /// The number of keys ever created.
    pub all_keys: u32,
    /// The last accepted request with any of the account's keys.
    pub last_used: Option<LastUse>,
}

impl From<domain::ServiceAccount> for ServiceAccount {
    fn from(account: domain::ServiceAccount) -> Self {
        Self {
            id: account.id.into(),
            name: account.name.to_string(),
            role: account.role.into(),
            state: account.state().into(),
            created: account.created_at.into(),
            created_by: account.created_by,
            suspended_at: account.suspended_at.map(Time::from),
            suspended_by: account.suspended_by,
            active_keys: account.active_keys,
            all_keys: account.all_keys,
            last_used: account.last_used.map(LastUse::from),
        }
    }
}

/// One page of a list.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(
    rename_fields = "snake_case",
    concrete(name = "api_key_page", params(ApiKey)),
    concrete(name = "service_account_page", params(ServiceAccount)),
    concrete(name = "member_page", params(Member)),
    concrete(name = "audit_page", params(AuditEntry)),
    concrete(name = "flow_run_page", params(ListedFlowRun))
)]
pub struct PageOf<T: OutputType> {
    /// The items on the page.
    pub items: Vec<T>,
    /// The value of `after` for the next page; null on the last page.
    pub next: Option<String>,
    /// The value of `before` for the previous page; null on the first page.
    pub previous: Option<String>,
    /// The number of items on all pages, or a lower limit of it; null for lists that aren't counted.
    pub total_count: Option<u32>,
    /// Whether `total_count` is exact. Counting stops at 1,000, and where it would be slow.
    pub is_total_exact: bool,
}

impl<T: OutputType> PageOf<T> {
    /// Converts the rows of a page.
    pub(super) fn of<R>(page: domain::Page<R>, convert: impl FnMut(R) -> T) -> Self {
        Self {
            items: page.items.into_iter().map(convert).collect(),
            next: page.next.map(|cursor| cursor.0),
            previous: page.previous.map(|cursor| cursor.0),
            total_count: page.total.map(|total| total.count),
            is_total_exact: page.total.is_some_and(|total| total.is_exact),
        }
    }
}

/// A member of the tenant.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "member", rename_fields = "snake_case")]
pub struct Member {
    /// The user's id.
    pub user_id: ID,
    /// The user's name.
    pub name: String,
    /// The user's email address.
    pub email: String,
    /// The user's role in the tenant.
    pub role: Role,
    /// When the user joined the tenant. Null except in `members` for administrators, as are `has_second_factor`,
    /// `codes_locked_at`, `active_keys` and `keys_last_used_at`.
    pub joined_at: Option<Time>,
    /// Whether the user has turned on two-factor authentication.
    pub has_second_factor: Option<bool>,
    /// Since when two-factor codes of the user are refused, because there were too many wrong ones; null if they aren't.
    pub codes_locked_at: Option<Time>,
    /// How many of the user's keys in this tenant are active.
    pub active_keys: Option<u32>,
    /// When one of these keys was last used.
    pub keys_last_used_at: Option<Time>,
}

impl Member {
    /// Adds what administrators see.
    pub(super) fn add(&mut self, facts: &MemberFacts) {
        self.joined_at = Some(facts.joined_at.into());
        self.has_second_factor = Some(facts.has_second_factor);
        self.codes_locked_at = facts.codes_locked_at.map(Time::from);
        self.active_keys = Some(facts.active_keys);
        self.keys_last_used_at = facts.keys_last_used_at.map(Time::from);
    }
}

impl From<domain::Member> for Member {
    fn from(member: domain::Member) -> Self {
        Self {
            user_id: member.user_id.into(),
            name: member.name.to_string(),
            email: member.email.as_str().to_owned(),
            role: member.role.into(),
            joined_at: None,
            has_second_factor: None,
            codes_locked_at: None,
            active_keys: None,
            keys_last_used_at: None,
        }
    }
}

/// Input for `create_api_key`.
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "create_api_key_input", rename_fields = "snake_case")]
pub struct CreateApiKeyInput {
    /// The id of the key's owner: the caller or a service account.
    pub user_id: String,
    /// The key's name, 1 to 100 characters.
    pub name: String,
    /// When the key expires, in RFC 3339 with an offset, at least a minute from now; null for never.
    pub expires_at: Option<String>,
    /// The scopes that the key holds; null for everything that its owner's role allows.
    pub scopes: Option<Vec<String>>,
    /// The addresses and networks (CIDR) from which the key may be used, at most 32; null for all.
    pub allowed_addresses: Option<Vec<String>>,
    /// How often the key may be used; null for any number of times.
    pub rate_limit: Option<RateLimitInput>,
    /// In a browser session: whether the addresses may leave out the caller's own.
    #[graphql(default)]
    pub allow_lockout: bool,
    /// The id of another of the caller's tenants to create the key in. Requires a browser session.
    pub default_tenant_id: Option<String>,
}

/// A new key and its token.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "create_api_key_payload", rename_fields = "snake_case")]
pub struct CreateApiKeyPayload {
    /// The key's id.
    pub id: ID,
    /// The token, returned once.
    pub token: String,
    /// The token again, for clients that select it by this name.
    pub key: String,
}

impl From<IssuedKey> for CreateApiKeyPayload {
    fn from(issued: IssuedKey) -> Self {
        let token = issued.token.expose().to_owned();
        Self { id: issued.key.id.into(), key: token.clone(), token }
    }
}

/// Input for `delete_api_key`.
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "delete_api_key_input", rename_fields = "snake_case")]
pub struct DeleteApiKeyInput {
    /// The id of the key to revoke.
    pub key_id: String,
    /// Whether to also revoke the keys that were created with this key, and any that those created.
    #[graphql(default)]
    pub and_created: bool,
}

/// Input for `roll_api_key`.
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "roll_api_key_input", rename_fields = "snake_case")]
pub struct RollApiKeyInput {
    /// The id of the key to rotate.
    pub key_id: ID,
    /// The grace period, during which the old key keeps working: `now` (none), `1h`, `24h`, `7d` or `first_use` (until
    /// the new key is first used).
    #[graphql(default_with = "\"24h\".to_owned()")]
    pub overlap: String,
    /// For `first_use`: the latest time at which the old key stops working; a week from now if null.
    pub deadline: Option<Time>,
}

/// A client that sent requests with a key.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "key_client", rename_fields = "snake_case")]
pub struct KeyClient {
    /// The client's IP address.
    pub address: Option<String>,
    /// The client's `User-Agent`.
    pub user_agent: Option<String>,
    /// The agent id that the client sent.
    pub agent_id: Option<ID>,
    /// The agent's name.
    pub agent_name: Option<String>,
    /// When the client first sent the key.
    pub first_seen: Time,
    /// When a request was last accepted.
    pub last_used: Option<Time>,
    /// When a request was last rejected.
    pub last_refused: Option<Time>,
    /// The number of accepted requests.
    pub use_count: Count,
    /// The number of rejected requests.
    pub refusals: Count,
}

/// The requests with a key in one hour.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "hour_count", rename_fields = "snake_case")]
pub struct HourCount {
    /// The start of the hour.
    pub hour: Time,
    /// The number of accepted requests.
    pub use_count: Count,
    /// The number of rejected requests.
    pub refusals: Count,
}

/// The requests of one client that demanded one scope of a key.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "scope_use", rename_fields = "snake_case")]
pub struct ScopeUse {
    /// The demanded scope.
    pub scope: String,
    /// The client's IP address.
    pub address: Option<String>,
    /// The client's `User-Agent`.
    pub user_agent: Option<String>,
    /// When the key last had the scope.
    pub last_used: Option<Time>,
    /// When the key last lacked the scope.
    pub last_refused: Option<Time>,
    /// How often the key had the scope.
    pub use_count: Count,
    /// How often the key lacked the scope.
    pub refusals: Count,
}

impl From<domain::usage::ScopeUse> for ScopeUse {
    fn from(used: domain::usage::ScopeUse) -> Self {
        Self {
            scope: used.scope.into(),
            address: used.address,
            user_agent: used.user_agent,
            last_used: used.last_used_at.map(Time::from),
            last_refused: used.last_refused_at.map(Time::from),
            use_count: used.use_count.into(),
            refusals: used.refusals.into(),
        }
    }
}

/// A scope of the catalogue, which all tenants share.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "scope", rename_fields = "snake_case")]
#[expect(clippy::struct_field_names, reason = "the field is named as in every other type")]
pub struct Scope {
    /// The scope, like `orders:read`.
    pub scope: String,
    /// What it allows.
    pub description: String,
    /// The lowest role that may hold it.
    pub least_role: Role,
    /// Since when it should no longer be used; null if it isn't deprecated.
    pub deprecated_at: Option<Time>,
    /// Whether it is one of Latchkey's own, which can't be changed.
    pub is_reserved: bool,
}

impl From<domain::scope::CatalogueScope> for Scope {
    fn from(entry: domain::scope::CatalogueScope) -> Self {
        Self {
            is_reserved: entry.scope.is_reserved(),
            scope: entry.scope.into(),
            description: entry.description,
            least_role: entry.least_role.into(),
            deprecated_at: entry.deprecated_at.map(Time::from),
        }
    }
}

/// Input for `set_scope`.
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "set_scope_input", rename_fields = "snake_case")]
pub struct SetScopeInput {
    /// The scope, like `orders:read`.
    pub scope: String,
    /// What it allows, at most 200 characters.
    pub description: String,
    /// The lowest role that may hold it.
    pub least_role: Role,
    /// The UTC day since when it is deprecated, like `2027-01-31`; null if it isn't.
    pub deprecated_since: Option<String>,
}

/// Equal requests with a key that were rejected.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "key_refusal", rename_fields = "snake_case")]
pub struct KeyRefusal {
    /// Why they were rejected.
    pub reason: RefusalReason,
    /// Which API rejected them; null if unknown.
    pub endpoint: Option<Endpoint>,
    /// The demanded scopes that the key lacked; empty for every other reason.
    pub scopes: Vec<String>,
    /// The client's IP address.
    pub address: Option<String>,
    /// The client's `User-Agent`.
    pub user_agent: Option<String>,
    /// The agent id that the client claims.
    pub agent_id: Option<ID>,
    /// The agent's name, if it is an agent that uses the key.
    pub agent_name: Option<String>,
    /// When the first of them was rejected.
    pub first_refused: Time,
    /// When the last of them was rejected.
    pub last_refused: Time,
    /// How many there were.
    pub refusals: Count,
}

impl From<domain::KeyRefusal> for KeyRefusal {
    fn from(refusal: domain::KeyRefusal) -> Self {
        Self {
            reason: refusal.reason.into(),
            endpoint: refusal.endpoint.map(Endpoint::from),
            scopes: refusal.scopes.into_iter().map(String::from).collect(),
            address: refusal.address,
            user_agent: refusal.user_agent,
            agent_id: refusal.agent_id.map(ID::from),
            agent_name: refusal.agent_name.map(|name| name.to_string()),
            first_refused: refusal.first_at.into(),
            last_refused: refusal.last_at.into(),
            refusals: refusal.count.into(),
        }
    }
}

/// The clients that used a key, and how often it was used.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "key_usage", rename_fields = "snake_case")]
pub struct Usage {
    /// The clients, most recently seen first; at most 100.
    pub clients: Vec<KeyClient>,
    /// The hours of the last 90 days in which there were requests.
    pub hours: Vec<HourCount>,
    /// The requests of the last 90 days that demanded a scope, most recent first; at most 2,000.
    pub scopes: Vec<ScopeUse>,
    /// The rejected requests of the last 90 days, most recent first; at most 50, equal ones counted as one.
    pub refusals: Vec<KeyRefusal>,
}

impl From<domain::Usage> for Usage {
    fn from(usage: domain::Usage) -> Self {
        let client = |client: domain::KeyClient| KeyClient {
            address: client.address,
            user_agent: client.user_agent,
            agent_id: client.agent_id.map(ID::from),
            agent_name: client.agent_name.map(|name| name.to_string()),
            first_seen: client.first_seen_at.into(),
            last_used: client.last_used_at.map(Time::from),
            last_refused: client.last_refused_at.map(Time::from),
            use_count: client.use_count.into(),
            refusals: client.refusals.into(),
        };
        let hour = |hour: domain::HourCount| HourCount {
            hour: hour.hour.into(),
            use_count: hour.use_count.into(),
            refusals: hour.refusals.into(),
        };
        Self {
            clients: usage.clients.into_iter().map(client).collect(),
            hours: usage.hours.into_iter().map(hour).collect(),
            scopes: usage.scopes.into_iter().map(ScopeUse::from).collect(),
            refusals: usage.refusals.into_iter().map(KeyRefusal::from).collect(),
        }
    }
}

/// The requests on one day in UTC.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "day_count", rename_fields = "snake_case")]
pub struct DayCount {
    /// The start of the day.
    pub day: Time,
    /// The number of accepted requests.
    pub use_count: Count,
    /// The number of rejected requests.
    pub refusals: Count,
}

/// A number of rows that stops where counting would become slow.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "total", rename_fields = "snake_case")]
pub struct Total {
    /// The number, or a lower limit of it.
    pub count: u32,
    /// Whether there are exactly that many.
    pub is_exact: bool,
}

impl From<domain::page::Total> for Total {
    fn from(total: domain::page::Total) -> Self {
        Self { count: total.count, is_exact: total.is_exact }
    }
}

/// A key with its requests in a period.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "key_requests", rename_fields = "snake_case")]
pub struct KeyRequests {
    /// The key.
    pub key: ApiKey,
    /// The number of accepted requests.
    pub use_count: Count,
    /// The number of rejected requests.
    pub refusals: Count,
}

/// How often requests were rejected for a reason in a period.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "reason_count", rename_fields = "snake_case")]
pub struct ReasonCount {
    /// The reason.
    pub reason: RefusalReason,
    /// The number of rejected requests.
    pub refusals: Count,
}

impl From<domain::tenant::overview::ReasonCount> for ReasonCount {
    fn from(one: domain::tenant::overview::ReasonCount) -> Self {
        Self { reason: one.reason.into(), refusals: one.refusals.into() }
    }
}

/// The overview of a tenant.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "tenant_overview", rename_fields = "snake_case")]
pub struct Overview {
    /// The number of active keys. This and the other totals are null where counting would be slow.
    pub active: Option<Total>,
    /// The number of active keys that expire within 30 days.
    pub expiring: Option<Total>,
    /// The number of active keys that were created and last used more than 90 days ago.
    pub unused: Option<Total>,
    /// The number of active keys that violate a key policy, in effect or scheduled.
    pub violating: Option<Total>,
    /// The requests on each of the last 30 days in UTC, earliest first.
    pub days: Vec<DayCount>,
    /// The keys with the most accepted requests in the last 7 days, at most 5.
    pub most_used: Vec<KeyRequests>,
    /// The keys with the most rejected requests in the last 7 days, at most 5.
    pub most_rejected: Vec<KeyRequests>,
    /// Why requests with the tenant's keys were rejected in the last 7 days, most frequent reason first.
    pub reasons: Vec<ReasonCount>,
    /// The last 10 entries of the audit log, newest first.
    pub recent: Vec<AuditEntry>,
    /// Whether a key exists, in any state.
    pub has_key: bool,
    /// Whether a key was used.
    pub has_used_key: bool,
    /// Whether there is more than one member, or an open invitation.
    pub has_team: bool,
}

impl Overview {
    /// Returns the overview as of `now`.
    pub(super) fn at(overview: domain::Overview, now: DateTime<Utc>) -> Self {
        let day = |count: domain::DayCount| DayCount {
            day: count.day.into(),
            use_count: count.use_count.into(),
            refusals: count.refusals.into(),
        };
        let busiest = |keys: Vec<domain::tenant::overview::KeyRequests>| {
            let one = |one: domain::tenant::overview::KeyRequests| KeyRequests {
                key: ApiKey::at(one.key, now),
                use_count: one.use_count.into(),
                refusals: one.refusals.into(),
            };
            keys.into_iter().map(one).collect()
        };
        Self {
            active: overview.active.map(Total::from),
            expiring: overview.expiring.map(Total::from),
            unused: overview.unused.map(Total::from),
            violating: overview.violating.map(Total::from),
            days: overview.days.into_iter().map(day).collect(),
            most_used: busiest(overview.most_used),
            most_rejected: busiest(overview.most_rejected),
            reasons: overview.reasons.into_iter().map(ReasonCount::from).collect(),
            recent: overview.recent.into_iter().map(AuditEntry::from).collect(),
            has_key: overview.steps.has_key,
            has_used_key: overview.steps.has_used_key,
            has_team: overview.steps.has_team,
        }
    }
}

/// The result of a mutation that returns no data.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "success_payload", rename_fields = "snake_case")]
pub struct SuccessPayload {
    /// Whether the mutation succeeded.
    pub success: bool,
    /// Why the mutation failed, as a sentence; null if it succeeded.
    pub error: Option<String>,
}

impl SuccessPayload {
    pub(super) fn done() -> Self {
        Self { success: true, error: None }
    }

    pub(super) fn refused(refusal: domain::ApiError) -> Self {
        Self { success: false, error: Some(refusal.message) }
    }
}

/// Input for `create_service_account`.
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "create_service_account_input", rename_fields = "snake_case")]
pub struct CreateServiceAccountInput {
    /// The account's name: 1 to 100 characters, unique among the tenant's accounts that aren't deleted.
    pub name: String,
    /// The account's role; `TENANT_ADMIN` if null.
    pub role: Option<Role>,
}

/// An entry in the tenant's audit log.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "audit_entry", rename_fields = "snake_case")]
pub struct AuditEntry {
    /// The entry's id.
    pub id: ID,
    /// The entry's position in the tenant's hash chain, starting at 1.
    pub number: Count,
    /// When the operation took place.
    pub at: Time,
    /// The action; null if a later version of Latchkey wrote the entry.
    pub operation: Option<AuditOperation>,
    /// The outcome.
    pub result: AuditResult,
    /// The kind of actor; null if a later version of Latchkey wrote the entry.
    pub actor_kind: Option<ActorKind>,
    /// The actor's id, if it is a user or a service account.
    pub actor_id: Option<ID>,
    /// The actor's name at that time.
    pub actor_name: String,
    /// The interface; null if a later version of Latchkey wrote the entry.
    pub channel: Option<Channel>,
    /// The id of the key that authenticated the request.
    pub key_id: Option<ID>,
    /// The client's IP address.
    pub address: Option<String>,
    /// The client's `User-Agent`.
    pub user_agent: Option<String>,
    /// The kind of the affected resource, such as `api_key`.
    pub subject_kind: String,
    /// The id of the affected resource.
    pub subject_id: Option<ID>,
    /// The name of the affected resource at that time.
    pub subject_name: String,
    /// Details, as text.
    pub detail: String,
    /// SHA-256 of this entry and the hash of the previous one, in hexadecimal.
    pub hash: String,
}

impl From<domain::AuditEntry> for AuditEntry {
    fn from(line: domain::AuditEntry) -> Self {
        Self {
            id: line.id.into(),
            number: line.number.into(),
            at: line.at.into(),
            operation: AuditOperation::from_code(&line.operation),
            result: line.outcome.into(),
            actor_kind: by_code(&line.actor_kind),
            actor_id: line.actor_id.map(ID::from),
            actor_name: line.actor_name,
            channel: by_code(&line.channel),
            key_id: line.key_id.map(ID::from),
            address: line.address,
            user_agent: line.user_agent,
            subject_kind: line.subject_kind,
            subject_id: line.subject_id.map(ID::from),
            subject_name: line.subject_name,
            detail: line.detail,
            hash: line.hash,
        }
    }
}

/// A browser session of the caller.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "browser_session", rename_fields = "snake_case")]
pub struct BrowserSession {
    /// The session's id.
    pub id: ID,
    /// The browser's name.
    pub browser: String,
    /// When the user signed in.
    pub signed_in: Time,
    /// When the session was last used, to the minute.
    pub last_used: Time,
    /// The browser's IP address.
    pub address: Option<String>,
    /// The browser's `User-Agent`.
    pub user_agent: Option<String>,
    /// Whether it is the session of this request.
    pub is_this: bool,
    /// The addresses of the open invitations that were created in it, which ending it cancels.
    pub invitations: Vec<String>,
    /// Whether the link of the expiry calendar was created in it, which ending it turns off.
    pub has_calendar_link: bool,
}

impl From<domain::BrowserSession> for BrowserSession {
    fn from(session: domain::BrowserSession) -> Self {
        Self {
            id: session.id.into(),
            browser: session.browser(),
            signed_in: session.signed_in_at.into(),
            last_used: session.seen_at.into(),
            address: session.address,
            user_agent: session.user_agent,
            is_this: session.is_this,
            invitations: session.invitations,
            has_calendar_link: session.has_calendar_link,
        }
    }
}

/// The secret for an authenticator app, returned once.
#[derive(Clone, SimpleObject)]
#[graphql(name = "enrolment", rename_fields = "snake_case")]
pub struct Enrolment {
    /// The secret in base32.
    pub secret: String,
    /// The secret as an `otpauth` URL, for a QR code.
    pub url: String,
}

/// Recovery codes. Each is valid for one sign-in without the authenticator app.
#[derive(Clone, SimpleObject)]
#[graphql(name = "recovery_codes", rename_fields = "snake_case")]
pub struct RecoveryCodes {
    /// The codes, returned once.
    pub codes: Vec<String>,
}

impl From<Vec<domain::Secret>> for RecoveryCodes {
    fn from(codes: Vec<domain::Secret>) -> Self {
        Self { codes: codes.iter().map(|code| code.expose().to_owned()).collect() }
    }
}

/// An open invitation.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "invitation", rename_fields = "snake_case")]
pub struct Invitation {
    /// The invitation's id.
    pub id: ID,
    /// The email address of the invited person.
    pub email: String,
    /// The role that the person will have.
    pub role: Role,
    /// When the invitation was created.
    pub created: Time,
    /// The name of the inviter.
    pub created_by: String,
    /// When the link expires.
    pub expires_at: Time,
    /// The id of the key that created the invitation; null for a browser session and for the operator. Revoking the key
    /// cancels the invitation.
    pub created_by_key: Option<ID>,
    /// Whether the link is inactive: the inviter is no longer an administrator, or the service account or the key that
    /// created the invitation is suspended.
    pub is_paused: bool,
}

impl From<domain::Invitation> for Invitation {
    fn from(invitation: domain::Invitation) -> Self {
        Self {
            id: invitation.id.into(),
            email: invitation.email.as_str().to_owned(),
            role: invitation.role.into(),
            created: invitation.created_at.into(),
            created_by: invitation.created_by,
            expires_at: invitation.expires_at.into(),
            created_by_key: invitation.created_by_key.map(ID::from),
            is_paused: invitation.is_paused,
        }
    }
}

/// A new invitation and its link.
#[derive(Clone, SimpleObject)]
#[graphql(name = "invite_member_payload", rename_fields = "snake_case")]
pub struct InviteMemberPayload {
    /// The invitation's id.
    pub id: ID,
    /// The link, returned once. It can be used once within 72 hours.
    pub link: String,
    /// Whether the link is also being sent by email.
    pub mailed: bool,
}

/// A link that contains a secret.
#[derive(Clone, SimpleObject)]
#[graphql(name = "link_payload", rename_fields = "snake_case")]
pub struct LinkPayload {
    /// The link, returned once.
    pub link: String,
}

/// A key policy that is turned on.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "tenant_policy", rename_fields = "snake_case")]
pub struct KeyPolicy {
    /// The kind.
    pub policy: KeyPolicyKind,
    /// The number of days, for `max_lifetime` and `suspend_unused`.
    pub days: Option<i32>,
    /// The number of keys, for `max_keys`.
    pub limit: Option<i32>,
    /// What happens to an exposed key, for `exposed_keys`.
    pub on_exposure: Option<ExposureResponse>,
    /// The scopes, for `scopes_not_for_users` and `scope_max_lifetime`.
    pub scopes: Option<Vec<String>>,
    /// When the policy takes effect.
    pub effective_from: Time,
    /// When the policy takes effect.
    #[graphql(deprecation = "Use effective_from.")]
    pub holds_from: Time,
    /// When the policy was set.
    pub set: Time,
    /// The name of the actor that set the policy.
    pub set_by: String,
}

impl From<domain::KeyPolicy> for KeyPolicy {
    fn from(policy: domain::KeyPolicy) -> Self {
        Self {
            policy: policy.kind.into(),
            days: policy.days.and_then(|days| i32::try_from(days).ok()),
            limit: policy.limit.and_then(|limit| i32::try_from(limit).ok()),
            on_exposure: policy.on_exposure.map(ExposureResponse::from),
            scopes: policy.kind.has_scopes().then(|| policy.scopes.iter().map(ToString::to_string).collect()),
            effective_from: policy.effective_from.into(),
            holds_from: policy.effective_from.into(),
            set: policy.set_at.into(),
            set_by: policy.set_by,
        }
    }
}

/// A key policy to set or to preview.
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "tenant_policy_input", rename_fields = "snake_case")]
pub struct KeyPolicyInput {
    /// The kind.
    pub policy: KeyPolicyKind,
    /// 1 to 3650; required for `max_lifetime` and `suspend_unused`.
    pub days: Option<i32>,
    /// 1 to 100000; required for `max_keys`.
    pub limit: Option<i32>,
    /// Required for `exposed_keys`.
    pub on_exposure: Option<ExposureResponse>,
    /// Scopes of the catalogue; required for `scopes_not_for_users` and `scope_max_lifetime`.
    pub scopes: Option<Vec<String>>,
    /// When the policy takes effect; immediately if null.
    pub from: Option<Time>,
}

impl From<KeyPolicyInput> for SetKeyPolicy {
    fn from(input: KeyPolicyInput) -> Self {
        let days = input.days.map(|days| days.to_string()).unwrap_or_default();
        let from = input.from.map(|from| from.0.to_rfc3339_opts(SecondsFormat::Secs, true));
        let limit = input.limit.map(|limit| limit.to_string()).unwrap_or_default();
        let policy = domain::KeyPolicyKind::from(input.policy).as_str().to_owned();
        let on_exposure =
            input.on_exposure.map(|response| domain::ExposureResponse::from(response).as_str().to_owned());
        let scopes = input.scopes.unwrap_or_default().join(" ");
        let (on_exposure, from) = (on_exposure.unwrap_or_default(), from.unwrap_or_default());
        Self { policy, days, limit, on_exposure, scopes, from, before: None }
    }
}

/// The active keys that a key policy would affect.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "policy_preview", rename_fields = "snake_case")]
pub struct KeyPolicyPreview {
    /// The number of affected keys; counting stops at 10,000.
    pub count: u32,
    /// The oldest affected keys, at most 50.
    pub keys: Vec<ApiKey>,
}

/// The number of changed keys.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "count_payload", rename_fields = "snake_case")]
pub struct CountPayload {
    /// The number of keys that were changed.
    pub count: u32,
}

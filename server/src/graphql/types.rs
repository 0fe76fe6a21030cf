//! What the schema's types show of the domain's.

use async_graphql::{Enum, InputObject, OutputType, SimpleObject};
use chrono::{DateTime, SecondsFormat, Utc};
use domain::{AccountState, IssuedKey, OwnerKind, api_key::input::SetKeyPolicy};

/// A time: RFC 3339 in UTC, whole seconds.
pub(super) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// What a member or a service account may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(name = "role")]
pub enum Role {
    /// Everything in the tenant.
    TenantAdmin,
    /// Own keys.
    User,
    /// Reads, and stops own keys.
    ReadOnlyUser,
}

impl From<domain::Role> for Role {
    fn from(role: domain::Role) -> Self {
        match role {
            domain::Role::TenantAdmin => Self::TenantAdmin,
            domain::Role::User => Self::User,
            domain::Role::ReadOnlyUser => Self::ReadOnlyUser,
        }
    }
}

impl From<Role> for domain::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::TenantAdmin => Self::TenantAdmin,
            Role::User => Self::User,
            Role::ReadOnlyUser => Self::ReadOnlyUser,
        }
    }
}

/// An API key's record, as the documented `auth_api_key` shows it. Never the token.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "auth_api_key", rename_fields = "snake_case")]
pub struct ApiKey {
    /// The key's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When it ends by itself; never, when null.
    pub expires_at: Option<String>,
    /// The id of the user or the service account that it stands for.
    pub user_id: String,
    /// `user` or `service_account`.
    pub owner_kind: String,
    /// The owner's name.
    pub owner_name: String,
    /// The tenant that it works in.
    pub tenant_id: String,
    /// Prefix and first four characters of the token.
    pub hint: String,
    /// `active`, `expiring_soon`, `expired`, `suspended` or `revoked`.
    pub state: String,
    /// When it was made.
    pub created: String,
    /// Who made it.
    pub created_by: String,
    /// Through which door it was made: `browser`, `graphql`, `rest` or `cli`.
    pub created_channel: String,
    /// The id of the key that it was made with.
    pub created_by_key: Option<String>,
    /// The id of the key whose place it took.
    pub replaces: Option<String>,
    /// The id of the key that took its place.
    pub replaced_by: Option<String>,
    /// Whether that key was revoked, and every key that it was rolled into as well.
    pub replacement_revoked: bool,
    /// Until when it works beside the key that takes its place.
    pub overlap_until: Option<String>,
    /// Whether the first use of the key that takes its place, which hasn't come yet, ends it.
    pub ends_on_use: bool,
    /// When it was last refused.
    pub last_refused: Option<LastUse>,
    /// Since when it is suspended, by itself.
    pub suspended_at: Option<String>,
    /// Who suspended it.
    pub suspended_by: Option<String>,
    /// When it was revoked.
    pub revoked_at: Option<String>,
    /// Who revoked it.
    pub revoked_by: Option<String>,
    /// Why it was revoked.
    pub revoke_reason: Option<String>,
    /// Which of the tenant's policies, that hold or will, wouldn't let it be made so.
    pub against_policies: Vec<String>,
    /// Its last use.
    pub last_used: Option<LastUse>,
}

impl ApiKey {
    /// The record at `now`.
    pub(super) fn at(key: domain::ApiKey, now: DateTime<Utc>) -> Self {
        let overlap_until = key.overlap_until(now).map(time);
        Self {
            state: key.state(now).as_str().to_owned(),
            id: key.id.to_string(),
            name: key.name.to_string(),
            expires_at: key.expires_at.map(time),
            user_id: key.owner.to_string(),
            owner_kind: kind(key.owner.kind()),
            owner_name: key.owner_name,
            tenant_id: key.tenant_id.to_string(),
            hint: key.hint,
            created: time(key.created_at),
            created_by: key.created_by,
            overlap_until,
            created_channel: key.created_channel,
            created_by_key: key.created_by_key.map(|id| id.to_string()),
            replaces: key.replaces.map(|id| id.to_string()),
            ends_on_use: key.replaced_by.as_ref().is_some_and(|new| new.ends_on_use),
            replacement_revoked: key.replaced_by.as_ref().is_some_and(|new| new.is_revoked),
            replaced_by: key.replaced_by.map(|new| new.id.to_string()),
            last_refused: key.last_refused.map(LastUse::from),
            suspended_at: key.suspension.as_ref().map(|suspension| time(suspension.at)),
            suspended_by: key.suspension.map(|suspension| suspension.by),
            revoked_at: key.revocation.as_ref().map(|revocation| time(revocation.at)),
            revoked_by: key.revocation.as_ref().map(|revocation| revocation.by.clone()),
            revoke_reason: key.revocation.map(|revocation| revocation.reason).filter(|reason| !reason.is_empty()),
            against_policies: key.against.iter().map(|against| against.kind.as_str().to_owned()).collect(),
            last_used: key.last_used.map(LastUse::from),
        }
    }
}

fn kind(kind: OwnerKind) -> String {
    match kind {
        OwnerKind::User => "user",
        OwnerKind::ServiceAccount => "service_account",
    }
    .to_owned()
}

/// When, from where and by what a key was last accepted.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "last_use", rename_fields = "snake_case")]
pub struct LastUse {
    /// When.
    pub at: String,
    /// The client's network address.
    pub address: Option<String>,
    /// The client's `User-Agent`.
    pub user_agent: Option<String>,
}

impl From<domain::LastUse> for LastUse {
    fn from(last: domain::LastUse) -> Self {
        Self { at: time(last.at), address: last.address, user_agent: last.user_agent }
    }
}

/// A service account.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "service_account", rename_fields = "snake_case")]
pub struct ServiceAccount {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What its keys may do.
    pub role: Role,
    /// `active`, `suspended` or `deleted`.
    pub state: String,
    /// When it was made.
    pub created: String,
    /// Who made it.
    pub created_by: String,
    /// Since when it is suspended, and all its keys with it.
    pub suspended_at: Option<String>,
    /// Who suspended it.
    pub suspended_by: Option<String>,
    /// Keys that verify now.
    pub active_keys: u32,
    /// Keys ever made.
    pub all_keys: u32,
    /// The last use of any of its keys.
    pub last_used: Option<LastUse>,
}

impl From<domain::ServiceAccount> for ServiceAccount {
    fn from(account: domain::ServiceAccount) -> Self {
        let state = match account.state() {
            AccountState::Active => "active",
            AccountState::Suspended { .. } => "suspended",
            AccountState::Deleted { .. } => "deleted",
        };
        Self {
            id: account.id.to_string(),
            name: account.name.to_string(),
            role: account.role.into(),
            state: state.to_owned(),
            created: time(account.created_at),
            created_by: account.created_by,
            suspended_at: account.suspended_at.map(time),
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
    concrete(name = "audit_page", params(AuditEntry))
)]
pub struct PageOf<T: OutputType> {
    /// The rows.
    pub items: Vec<T>,
    /// For `after`, when there is a next page.
    pub next: Option<String>,
    /// For `before`, when there is a previous page.
    pub previous: Option<String>,
}

impl<T: OutputType> PageOf<T> {
    /// The page, each row as `convert` makes it.
    pub(super) fn of<R>(page: domain::Page<R>, convert: impl FnMut(R) -> T) -> Self {
        Self {
            items: page.items.into_iter().map(convert).collect(),
            next: page.next.map(|cursor| cursor.0),
            previous: page.previous.map(|cursor| cursor.0),
        }
    }
}

/// A member of the tenant.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "member", rename_fields = "snake_case")]
pub struct Member {
    /// The person's id.
    pub user_id: String,
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
    /// The role.
    pub role: Role,
}

impl From<domain::Member> for Member {
    fn from(member: domain::Member) -> Self {
        Self {
            user_id: member.user_id.to_string(),
            name: member.name.to_string(),
            email: member.email.as_str().to_owned(),
            role: member.role.into(),
        }
    }
}

/// What makes a key.
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "create_api_key_input", rename_fields = "snake_case")]
pub struct CreateApiKeyInput {
    /// The id of the user (oneself) or the service account that the key will stand for.
    pub user_id: String,
    /// 1–100 characters.
    pub name: String,
    /// RFC 3339 with an offset, at least a minute ahead; never, when null.
    pub expires_at: Option<String>,
    /// Another of one's tenants (by the dashboard's session only).
    pub default_tenant_id: Option<String>,
}

/// A key that was made.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "create_api_key_payload", rename_fields = "snake_case")]
pub struct CreateApiKeyPayload {
    /// The key's id.
    pub id: String,
    /// The token, this once.
    pub token: String,
    /// The token again, under the name that some clients ask for.
    pub key: String,
}

impl From<IssuedKey> for CreateApiKeyPayload {
    fn from(issued: IssuedKey) -> Self {
        let token = issued.token.expose().to_owned();
        Self { id: issued.key.id.to_string(), key: token.clone(), token }
    }
}

/// Which key to revoke.
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "delete_api_key_input", rename_fields = "snake_case")]
pub struct DeleteApiKeyInput {
    /// The key's id.
    pub key_id: String,
    /// Whether to revoke the keys along that were made with it.
    #[graphql(default)]
    pub and_created: bool,
}

/// How to roll a key.
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "roll_api_key_input", rename_fields = "snake_case")]
pub struct RollApiKeyInput {
    /// The key's id.
    pub key_id: String,
    /// How long the old token still works: `now`, `1h`, `24h`, `7d` or `first_use`.
    #[graphql(default_with = "\"24h\".to_owned()")]
    pub overlap: String,
    /// RFC 3339, for `first_use`: when the old token ends at the latest; a week from now, when null.
    pub deadline: Option<String>,
}

/// One client of a key.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "key_client", rename_fields = "snake_case")]
pub struct KeyClient {
    /// Its network address.
    pub address: Option<String>,
    /// Its `User-Agent`.
    pub user_agent: Option<String>,
    /// The agent that it says it is.
    pub agent_id: Option<String>,
    /// That agent's name.
    pub agent_name: Option<String>,
    /// When it first came with the key.
    pub first_seen: String,
    /// When it was last accepted.
    pub last_used: Option<String>,
    /// When it was last refused.
    pub last_refused: Option<String>,
    /// How often it was accepted.
    pub uses: u64,
    /// How often it was refused.
    pub refusals: u64,
}

/// The counts of an hour.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "hour_count", rename_fields = "snake_case")]
pub struct HourCount {
    /// The hour's first instant.
    pub hour: String,
    /// How often the key was accepted.
    pub uses: u64,
    /// How often it was refused.
    pub refusals: u64,
}

/// Who used a key, from where and how often.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "key_usage", rename_fields = "snake_case")]
pub struct Usage {
    /// Its clients, the last heard of first; at most 100.
    pub clients: Vec<KeyClient>,
    /// The hours of the last 90 days in which it was used or refused.
    pub hours: Vec<HourCount>,
}

impl From<domain::Usage> for Usage {
    fn from(usage: domain::Usage) -> Self {
        let client = |client: domain::KeyClient| KeyClient {
            address: client.address,
            user_agent: client.user_agent,
            agent_id: client.agent_id.map(|id| id.to_string()),
            agent_name: client.agent_name.map(|name| name.to_string()),
            first_seen: time(client.first_seen_at),
            last_used: client.last_used_at.map(time),
            last_refused: client.last_refused_at.map(time),
            uses: client.uses,
            refusals: client.refusals,
        };
        let hour =
            |hour: domain::HourCount| HourCount { hour: time(hour.hour), uses: hour.uses, refusals: hour.refusals };
        Self {
            clients: usage.clients.into_iter().map(client).collect(),
            hours: usage.hours.into_iter().map(hour).collect(),
        }
    }
}

/// Whether something was done.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "success_payload", rename_fields = "snake_case")]
pub struct SuccessPayload {
    /// Whether it was.
    pub success: bool,
    /// Why not, in words; null when it was.
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

/// What makes a service account.
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "create_service_account_input", rename_fields = "snake_case")]
pub struct CreateServiceAccountInput {
    /// 1–100 characters, unique among the tenant's living accounts.
    pub name: String,
    /// Administrator, when null.
    pub role: Option<Role>,
}

/// One line of the audit log.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "audit_entry", rename_fields = "snake_case")]
pub struct AuditEntry {
    /// The line's id.
    pub id: String,
    /// Its place in the tenant's chain, from 1 on.
    pub number: u64,
    /// When.
    pub at: String,
    /// What was done.
    pub operation: String,
    /// `done` or `refused`.
    pub result: String,
    /// `user`, `service_account`, `operator` or `service`.
    pub actor_kind: String,
    /// Who.
    pub actor_id: Option<String>,
    /// The name that they had then.
    pub actor_name: String,
    /// `browser`, `graphql`, `rest`, `cli` or `service`.
    pub channel: String,
    /// With which key.
    pub key_id: Option<String>,
    /// From which network address.
    pub address: Option<String>,
    /// With which client.
    pub user_agent: Option<String>,
    /// To what kind of thing.
    pub subject_kind: String,
    /// To which.
    pub subject_id: Option<String>,
    /// The name that it had then.
    pub subject_name: String,
    /// More, in words.
    pub detail: String,
    /// SHA-256 over the line and the one before it.
    pub hash: String,
}

impl From<domain::AuditEntry> for AuditEntry {
    fn from(line: domain::AuditEntry) -> Self {
        Self {
            id: line.id.to_string(),
            number: line.number,
            at: time(line.at),
            operation: line.operation,
            result: line.outcome.as_str().to_owned(),
            actor_kind: line.actor_kind,
            actor_id: line.actor_id.map(|id| id.to_string()),
            actor_name: line.actor_name,
            channel: line.channel,
            key_id: line.key_id.map(|id| id.to_string()),
            address: line.address,
            user_agent: line.user_agent,
            subject_kind: line.subject_kind,
            subject_id: line.subject_id.map(|id| id.to_string()),
            subject_name: line.subject_name,
            detail: line.detail,
            hash: line.hash,
        }
    }
}

/// A browser in which one is signed in.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "browser_session", rename_fields = "snake_case")]
pub struct BrowserSession {
    /// Its id.
    pub id: String,
    /// The browser's name.
    pub browser: String,
    /// When one signed in there.
    pub signed_in: String,
    /// When it was last used, to the minute.
    pub last_used: String,
    /// From which network address.
    pub address: Option<String>,
    /// The browser's `User-Agent`.
    pub user_agent: Option<String>,
    /// Whether it is the one that asks.
    pub is_this: bool,
}

impl From<domain::BrowserSession> for BrowserSession {
    fn from(session: domain::BrowserSession) -> Self {
        Self {
            id: session.id.to_string(),
            browser: session.browser(),
            signed_in: time(session.signed_in_at),
            last_used: time(session.seen_at),
            address: session.address,
            user_agent: session.user_agent,
            is_this: session.is_this,
        }
    }
}

/// What an app for one-time codes needs, this once.
#[derive(Clone, SimpleObject)]
#[graphql(name = "enrolment", rename_fields = "snake_case")]
pub struct Enrolment {
    /// The secret in base32.
    pub secret: String,
    /// The same as an `otpauth` URL.
    pub url: String,
}

/// Codes that each let one sign in once without the app.
#[derive(Clone, SimpleObject)]
#[graphql(name = "recovery_codes", rename_fields = "snake_case")]
pub struct RecoveryCodes {
    /// The codes, this once.
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
    /// Its id.
    pub id: String,
    /// Who is invited.
    pub email: String,
    /// The role that they will have.
    pub role: Role,
    /// When it was made.
    pub created: String,
    /// Who made it.
    pub created_by: String,
    /// When its link stops working.
    pub expires_at: String,
    /// Whether its link doesn't work now, because who made it isn't an administrator any more.
    pub is_paused: bool,
}

impl From<domain::Invitation> for Invitation {
    fn from(invitation: domain::Invitation) -> Self {
        Self {
            id: invitation.id.to_string(),
            email: invitation.email.as_str().to_owned(),
            role: invitation.role.into(),
            created: time(invitation.created_at),
            created_by: invitation.created_by,
            expires_at: time(invitation.expires_at),
            is_paused: invitation.is_paused,
        }
    }
}

/// An invitation that was made.
#[derive(Clone, SimpleObject)]
#[graphql(name = "invite_member_payload", rename_fields = "snake_case")]
pub struct InviteMemberPayload {
    /// Its id.
    pub id: String,
    /// The link, this once: it works once, for 72 hours.
    pub link: String,
    /// Whether the link is on its way by e-mail too.
    pub mailed: bool,
}

/// A link that holds a secret.
#[derive(Clone, SimpleObject)]
#[graphql(name = "link_payload", rename_fields = "snake_case")]
pub struct LinkPayload {
    /// The link, this once.
    pub link: String,
}

/// A policy that is on.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "tenant_policy", rename_fields = "snake_case")]
pub struct TenantPolicy {
    /// `max_lifetime`, `expiry_required`, `service_accounts_only`, `no_keys_by_keys` or `suspend_unused`.
    pub policy: String,
    /// How many days, where it counts some.
    pub days: Option<u32>,
    /// When it takes effect.
    pub effective_from: String,
    /// When it takes effect.
    #[graphql(deprecation = "Use effective_from.")]
    pub holds_from: String,
    /// When it was set.
    pub set: String,
    /// Who set it.
    pub set_by: String,
}

impl From<domain::KeyPolicy> for TenantPolicy {
    fn from(policy: domain::KeyPolicy) -> Self {
        Self {
            policy: policy.kind.as_str().to_owned(),
            days: policy.days,
            effective_from: time(policy.effective_from),
            holds_from: time(policy.effective_from),
            set: time(policy.set_at),
            set_by: policy.set_by,
        }
    }
}

/// A policy to set, or to think of.
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "tenant_policy_input", rename_fields = "snake_case")]
pub struct TenantPolicyInput {
    /// `max_lifetime`, `expiry_required`, `service_accounts_only`, `no_keys_by_keys` or `suspend_unused`.
    pub policy: String,
    /// 1 to 3650, for `max_lifetime` and `suspend_unused`.
    pub days: Option<u32>,
    /// RFC 3339: from when on it holds; from now on, when null.
    pub from: Option<String>,
}

impl From<TenantPolicyInput> for SetKeyPolicy {
    fn from(input: TenantPolicyInput) -> Self {
        let days = input.days.map(|days| days.to_string()).unwrap_or_default();
        Self { policy: input.policy, days, from: input.from.unwrap_or_default(), ..Self::default() }
    }
}

/// What a policy would touch.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "policy_preview", rename_fields = "snake_case")]
pub struct PolicyPreview {
    /// How many living keys; at most 10,000 are counted.
    pub count: u32,
    /// Some of them, those made first.
    pub keys: Vec<ApiKey>,
}

/// How many there were.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "count_payload", rename_fields = "snake_case")]
pub struct CountPayload {
    /// How many were changed.
    pub count: u32,
}

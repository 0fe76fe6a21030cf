//! Key policies: a tenant's rules for its keys.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::exposure::ExposureResponse;
use crate::{ApiError, ApiKey, OwnerKind, Scope, ScopeGrant, ScopeSet, usage::number_text};

/// The maximum number of days of a policy: 10 years.
pub const MAX_DAYS: u32 = 3_650;

/// The most keys that an owner can have if no policy says otherwise.
pub const DEFAULT_KEY_LIMIT: u32 = 500;
/// The highest limit that a policy of the kind [`KeyPolicyKind::MaxKeys`] can set.
pub const MAX_KEY_LIMIT: u32 = 100_000;

/// The lifetime of the new key when a key without expiry is rotated and a policy now requires one.
const DEFAULT_REQUIRED_LIFETIME: TimeDelta = TimeDelta::days(90);

/// The kind of a key policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyPolicyKind {
    /// Keys must expire within a number of days.
    MaxLifetime,
    /// Keys must have an expiry.
    ExpiryRequired,
    /// Only service accounts can have keys.
    ServiceAccountsOnly,
    /// Keys can't create keys.
    NoKeysByKeys,
    /// Keys that are unused for a number of days are suspended.
    SuspendUnused,
    /// An owner can have at most a number of keys.
    MaxKeys,
    /// What happens to a key whose token was found where others can read it.
    ExposedKeys,
    /// Keys must be limited to scopes.
    ScopesRequired,
    /// Users can't have keys that hold some scopes.
    ScopesNotForUsers,
    /// Keys that hold some scopes must expire within a number of days.
    ScopeMaxLifetime,
}

impl KeyPolicyKind {
    /// All kinds, in the order the settings list them.
    pub const ALL: [Self; 10] = [
        Self::MaxLifetime,
        Self::ExpiryRequired,
        Self::ServiceAccountsOnly,
        Self::NoKeysByKeys,
        Self::SuspendUnused,
        Self::MaxKeys,
        Self::ExposedKeys,
        Self::ScopesRequired,
        Self::ScopesNotForUsers,
        Self::ScopeMaxLifetime,
    ];

    /// Returns the code used in the database, in the APIs and in URLs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MaxLifetime => "max_lifetime",
            Self::ExpiryRequired => "expiry_required",
            Self::ServiceAccountsOnly => "service_accounts_only",
            Self::NoKeysByKeys => "no_keys_by_keys",
            Self::SuspendUnused => "suspend_unused",
            Self::MaxKeys => "max_keys",
            Self::ExposedKeys => "exposed_keys",
            Self::ScopesRequired => "scopes_required",
            Self::ScopesNotForUsers => "scopes_not_for_users",
            Self::ScopeMaxLifetime => "scope_max_lifetime",
        }
    }

    /// Returns the kind with the given code.
    pub fn from_code(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Returns the name shown to users.
    pub fn label(self) -> &'static str {
        match self {
            Self::MaxLifetime => "Maximum lifetime",
            Self::ExpiryRequired => "Expiry required",
            Self::ServiceAccountsOnly => "Service accounts only",
            Self::NoKeysByKeys => "Keys can't create keys",
            Self::SuspendUnused => "Suspend unused keys",
            Self::MaxKeys => "Keys per owner",
            Self::ExposedKeys => "Exposed keys",
            Self::ScopesRequired => "Scopes required",
            Self::ScopesNotForUsers => "Scopes kept from users",
            Self::ScopeMaxLifetime => "Lifetime limit by scope",
        }
    }

    /// Returns a description of what the policy does.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::MaxLifetime => {
                "New keys must expire within this many days. Existing keys keep working but are flagged."
            }
            Self::ExpiryRequired => {
                "New keys must have an expiry. Existing keys without one keep working but are flagged."
            }
            Self::ServiceAccountsOnly => {
                "Users can't create personal keys. Existing personal keys keep working but are flagged."
            }
            Self::NoKeysByKeys => {
                "Only people can create keys, in the dashboard or on the server's command line. \
                 Existing keys that were created with a key keep working but are flagged."
            }
            Self::SuspendUnused => "Keys unused for this many days are suspended. Owners can resume them.",
            Self::MaxKeys => {
                "A person or a service account can have at most this many keys that work or are suspended. \
                 Without this policy, the limit is 500."
            }
            Self::ExposedKeys => {
                "A key whose token is reported as found in public is suspended, is revoked, or keeps working. \
                 Its owner and the administrators are always notified. Without this policy, it is suspended."
            }
            Self::ScopesRequired => {
                "New keys must be limited to scopes. Existing keys that may do everything keep working but are flagged."
            }
            Self::ScopesNotForUsers => {
                "Users can't create personal keys that hold these scopes; a key that may do everything holds all scopes. \
                 Existing keys keep working but are flagged."
            }
            Self::ScopeMaxLifetime => {
                "New keys that hold any of these scopes must expire within this many days; a key that may do everything \
                 holds all scopes. Existing keys keep working but are flagged."
            }
        }
    }

    /// Returns whether a policy of this kind has a number of days.
    pub fn has_days(self) -> bool {
        matches!(self, Self::MaxLifetime | Self::SuspendUnused | Self::ScopeMaxLifetime)
    }

    /// Returns whether a policy of this kind has a number of keys.
    pub fn has_limit(self) -> bool {
        self == Self::MaxKeys
    }

    /// Returns whether a policy of this kind is about some scopes.
    pub fn has_scopes(self) -> bool {
        matches!(self, Self::ScopesNotForUsers | Self::ScopeMaxLifetime)
    }

    /// Returns whether a policy of this kind has a response to an exposure.
    pub fn has_response(self) -> bool {
        self == Self::ExposedKeys
    }

    /// Returns whether a policy of this kind says nothing about how keys are created or used, so that it affects no
    /// existing key.
    pub fn affects_no_existing_keys(self) -> bool {
        matches!(self, Self::MaxKeys | Self::ExposedKeys)
    }
}

/// A key policy that is turned on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPolicy {
    /// The kind of policy.
    pub kind: KeyPolicyKind,
    /// The number of days, for kinds that have one.
    pub days: Option<u32>,
    /// The number of keys, for kinds that have one.
    pub limit: Option<u32>,
    /// What happens to an exposed key, for kinds that say so.
    pub on_exposure: Option<ExposureResponse>,
    /// The scopes, for kinds that are about some; otherwise empty.
    pub scopes: ScopeSet,
    /// When the policy takes effect.
    pub effective_from: DateTime<Utc>,
    /// When it was set.
    pub set_at: DateTime<Utc>,
    /// The name of the actor that set it.
    pub set_by: String,
}

/// Returns what a form shows of the policies of a kind, to recognise whether somebody changed them since. `off` if
/// there are none.
pub fn revision(policies: &[KeyPolicy], kind: KeyPolicyKind) -> String {
    let of_kind = policies.iter().filter(|policy| policy.kind == kind);
    let number = |number: Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
    let facts = of_kind.map(|policy| {
        let (days, limit, set_at) = (number(policy.days), number(policy.limit), policy.set_at.timestamp_micros());
        let response = policy.on_exposure.map(ExposureResponse::as_str).unwrap_or_default();
        let from = policy.effective_from.timestamp_micros();
        format!("{set_at}/{from}/{days}/{limit}/{response}/{}", policy.scopes)
    });
    let facts: Vec<String> = facts.collect();
    if facts.is_empty() { "off".to_owned() } else { facts.join(" ") }
}

/// Checks that the policies of a kind are still those that a form showed: see [`crate::input::check_unchanged`].
/// `policies`: the present ones, of any kind; `after`: the policy to set, or `None` if it is to be turned off.
///
/// # Errors
/// `CONFLICT` if they aren't.
pub fn check_unchanged(
    before: Option<&str>,
    policies: &[KeyPolicy],
    kind: KeyPolicyKind,
    after: Option<&KeyPolicy>,
) -> Result<(), ApiError> {
    let present: Vec<&KeyPolicy> = policies.iter().filter(|policy| policy.kind == kind).collect();
    let is_done = match (after, present.last()) {
        (Some(after), Some(last)) => last.has_values_of(after) && last.effective_from <= after.effective_from,
        (None, None) => true,
        _ => false,
    };
    let now = revision(policies, kind);
    let after = if is_done { now.clone() } else { String::new() };
    crate::input::check_unchanged(before.map(str::to_owned).as_ref(), &now, &after, || {
        if present.is_empty() {
            return "The policy is off now.".to_owned();
        }
        let sentence = |policy: &&KeyPolicy| format!("{} Set by {}.", policy.sentence(), policy.set_by);
        present.iter().map(sentence).collect::<Vec<_>>().join(" ")
    })
}

impl KeyPolicy {
    /// Returns whether another policy of the same kind has the same values, apart from its date.
    pub fn has_values_of(&self, other: &Self) -> bool {
        (self.days, self.limit, self.on_exposure, &self.scopes)
            == (other.days, other.limit, other.on_exposure, &other.scopes)
    }

    /// Returns the policy as a sentence, for someone who is creating a key.
    pub fn sentence(&self) -> String {
        let days = days_text(self.days.unwrap_or(0));
        match self.kind {
            KeyPolicyKind::MaxLifetime => format!("Keys in this tenant must expire within {days}."),
            KeyPolicyKind::ExpiryRequired => "Keys in this tenant must have an expiry.".to_owned(),
            KeyPolicyKind::ServiceAccountsOnly => "Only service accounts can have keys in this tenant.".to_owned(),
            KeyPolicyKind::NoKeysByKeys => "Keys in this tenant can't create keys.".to_owned(),
            KeyPolicyKind::SuspendUnused => format!("Keys in this tenant are suspended if they are unused for {days}."),
            KeyPolicyKind::MaxKeys => {
                let limit = keys_text(self.limit.unwrap_or(0));
                format!("A person or a service account in this tenant can have at most {limit}.")
            }
            KeyPolicyKind::ExposedKeys => self.on_exposure.unwrap_or_default().sentence().to_owned(),
            KeyPolicyKind::ScopesRequired => "Keys in this tenant must be limited to scopes.".to_owned(),
            KeyPolicyKind::ScopesNotForUsers => {
                format!("Only service account keys can hold {} in this tenant.", self.scopes_text())
            }
            KeyPolicyKind::ScopeMaxLifetime => {
                format!("Keys in this tenant that hold {} must expire within {days}.", self.scopes_text())
            }
        }
    }

    /// Returns "the scope orders:write" or "any of the scopes orders:write and refunds:create".
    fn scopes_text(&self) -> String {
        let scopes: Vec<&str> = self.scopes.iter().map(Scope::as_str).collect();
        match scopes.as_slice() {
            [only] => format!("the scope {only}"),
            [first @ .., last] => format!("any of the scopes {} and {last}", first.join(", ")),
            [] => "no scope".to_owned(),
        }
    }

    /// Returns whether a key with these scopes holds one that the policy is about. An unscoped key holds all.
    fn is_about(&self, scopes: &ScopeGrant) -> bool {
        self.scopes.iter().any(|scope| scopes.holds(scope))
    }

    /// Returns the error message for a request that the policy forbids whatever its values, with what to do instead.
    pub fn refusal(&self) -> String {
        let instead = match self.kind {
            KeyPolicyKind::ServiceAccountsOnly => " Ask an administrator for a service account key.",
            KeyPolicyKind::NoKeysByKeys => " Create the key in the dashboard.",
            KeyPolicyKind::ScopesRequired => " Choose what the key may do.",
            KeyPolicyKind::ScopesNotForUsers => {
                " Choose other scopes, or ask an administrator for a service account key."
            }
            KeyPolicyKind::ScopeMaxLifetime => " Choose an earlier date, or other scopes.",
            KeyPolicyKind::MaxLifetime
            | KeyPolicyKind::ExpiryRequired
            | KeyPolicyKind::SuspendUnused
            | KeyPolicyKind::MaxKeys
            | KeyPolicyKind::ExposedKeys => "",
        };
        format!("{}{instead}", self.sentence())
    }

    /// Returns whether an existing key violates the policy: whether the policy would prevent creating it. Always
    /// `false` for [`KeyPolicyKind::SuspendUnused`], which says nothing about creating keys, and for
    /// [`KeyPolicyKind::MaxKeys`], which is about how many keys there are, and [`KeyPolicyKind::ExposedKeys`], which is about
    /// what happens to a key later.
    pub fn is_violated_by(&self, key: &ApiKey) -> bool {
        match self.kind {
            KeyPolicyKind::MaxLifetime => {
                let longest = lifetime(self.days);
                key.expires_at.is_none_or(|at| at - key.created_at > longest)
            }
            KeyPolicyKind::ExpiryRequired => key.expires_at.is_none(),
            KeyPolicyKind::ServiceAccountsOnly => key.owner.kind() == OwnerKind::User,
            KeyPolicyKind::NoKeysByKeys => key.created_by_key.is_some(),
            KeyPolicyKind::SuspendUnused | KeyPolicyKind::MaxKeys | KeyPolicyKind::ExposedKeys => false,
            KeyPolicyKind::ScopesRequired => key.scopes == ScopeGrant::Unscoped,
            KeyPolicyKind::ScopesNotForUsers => key.owner.kind() == OwnerKind::User && self.is_about(&key.scopes),
            KeyPolicyKind::ScopeMaxLifetime => {
                let longest = lifetime(self.days);
                self.is_about(&key.scopes) && key.expires_at.is_none_or(|at| at - key.created_at > longest)
            }
        }
    }

    /// Returns whether the policy is in effect at `now`.
    pub fn is_in_effect(&self, now: DateTime<Utc>) -> bool {
        now >= self.effective_from
    }
}

/// The effect that a policy would have on existing keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPolicyPreview {
    /// The previewed policy.
    pub policy: KeyPolicy,
    /// Some of the active keys that the policy would affect, oldest first.
    pub keys: Vec<ApiKey>,
    /// The number of affected active keys, counted up to 10,000.
    pub count: u32,
}

/// A policy that a key violates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPolicyViolation {
    /// The kind of policy.
    pub kind: KeyPolicyKind,
    /// When the policy takes effect.
    pub effective_from: DateTime<Utc>,
}

impl KeyPolicyViolation {
    /// Returns the policy's name and, if it isn't in effect yet, the time when it takes effect.
    pub fn text(self, now: DateTime<Utc>) -> String {
        let label = self.kind.label();
        if self.is_scheduled(now) {
            format!("{label}, from {}", crate::time::utc_text(self.effective_from))
        } else {
            label.to_owned()
        }
    }

    /// Returns whether the policy isn't in effect yet at `now`.
    pub fn is_scheduled(self, now: DateTime<Utc>) -> bool {
        now < self.effective_from
    }
}

/// Returns the maximum lifetime for a policy's number of days. It allows one extra minute, because a form counts the
/// same number of days from a slightly earlier time.
pub fn lifetime(days: Option<u32>) -> TimeDelta {
    TimeDelta::days(i64::from(days.unwrap_or(0))) + TimeDelta::minutes(1)
}

/// The limits that the policies in effect set for the lifetime of a new key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// The maximum lifetime.
    pub longest: Option<TimeDelta>,
    /// Whether the key must expire.
    pub requires_expiry: bool,
}

impl Bounds {
    /// Returns the limits that a tenant's policies set at `now`, without those for keys with some scopes.
    pub fn of(policies: &[KeyPolicy], now: DateTime<Utc>) -> Self {
        Self::with_scopes(policies, &ScopeGrant::Set(ScopeSet::default()), now)
    }

    /// Returns the limits that a tenant's policies set at `now` for a key with these scopes.
    pub fn with_scopes(policies: &[KeyPolicy], scopes: &ScopeGrant, now: DateTime<Utc>) -> Self {
        let holding = || policies.iter().filter(|policy| policy.is_in_effect(now));
        let most = holding().filter(|policy| match policy.kind {
            KeyPolicyKind::MaxLifetime => true,
            KeyPolicyKind::ScopeMaxLifetime => policy.is_about(scopes),
            _ => false,
        });
        Self {
            longest: most.map(|policy| TimeDelta::days(i64::from(policy.days.unwrap_or(0)))).min(),
            requires_expiry: holding().any(|policy| policy.kind == KeyPolicyKind::ExpiryRequired),
        }
    }

    /// Returns the longest allowed lifetime up to `wanted`. `None` means a key that never expires.
    pub fn limit(self, wanted: Option<TimeDelta>) -> Option<TimeDelta> {
        let wanted = wanted.or(self.requires_expiry.then_some(DEFAULT_REQUIRED_LIFETIME));
        [wanted, self.longest].into_iter().flatten().min()
    }
}

/// Returns "1 day" or "90 days".
pub fn days_text(days: u32) -> String {
    if days == 1 { "1 day".to_owned() } else { format!("{} days", number_text(u64::from(days))) }
}

/// Returns "1 key" or "500 keys".
pub fn keys_text(count: u32) -> String {
    if count == 1 { "1 key".to_owned() } else { format!("{} keys", number_text(u64::from(count))) }
}

/// Returns the policy in effect at `now` by which people can't have keys.
pub fn closing_to_people(policies: &[KeyPolicy], now: DateTime<Utc>) -> Option<&KeyPolicy> {
    in_effect(policies, KeyPolicyKind::ServiceAccountsOnly, now)
}

/// Returns how many keys that work or are suspended an owner can have at `now`.
pub fn key_limit(policies: &[KeyPolicy], now: DateTime<Utc>) -> u32 {
    in_effect(policies, KeyPolicyKind::MaxKeys, now).and_then(|policy| policy.limit).unwrap_or(DEFAULT_KEY_LIMIT)
}

/// Returns what happens to a key that is exposed at `now`.
pub fn exposure_response(policies: &[KeyPolicy], now: DateTime<Utc>) -> ExposureResponse {
    in_effect(policies, KeyPolicyKind::ExposedKeys, now).and_then(|policy| policy.on_exposure).unwrap_or_default()
}

fn in_effect(policies: &[KeyPolicy], kind: KeyPolicyKind, at: DateTime<Utc>) -> Option<&KeyPolicy> {
    let in_effect = policies.iter().filter(|policy| policy.kind == kind && policy.is_in_effect(at));
    in_effect.max_by_key(|policy| policy.effective_from)
}

/// Returns how much the policies of a kind allow at an instant. A larger number allows more.
fn allowance(policies: &[KeyPolicy], kind: KeyPolicyKind, at: DateTime<Utc>) -> u32 {
    match in_effect(policies, kind, at) {
        Some(policy) => {
            let response = policy.on_exposure.map(ExposureResponse::allowance);
            policy.days.or(policy.limit).or(response).unwrap_or(0)
        }
        None if kind == KeyPolicyKind::MaxKeys => DEFAULT_KEY_LIMIT,
        None if kind == KeyPolicyKind::ExposedKeys => ExposureResponse::default().allowance(),
        None => u32::MAX,
    }
}

/// Returns whether setting a policy would allow more than before at any time, now or later. `before`: the tenant's
/// policies, in effect and scheduled.
pub fn is_loosened_by(before: &[KeyPolicy], set: &KeyPolicy) -> bool {
    let (kind, now) = (set.kind, set.set_at);
    let before: Vec<KeyPolicy> = before.iter().filter(|policy| policy.kind == kind).cloned().collect();
    // A policy that applies now replaces all of its kind; a later one only those that aren't in effect yet.
    let stays = |policy: &&KeyPolicy| !set.is_in_effect(now) && policy.is_in_effect(now);
    let after: Vec<KeyPolicy> = before.iter().filter(stays).chain([set]).cloned().collect();
    let changes = before.iter().chain([set]).map(|policy| policy.effective_from.max(now)).chain([now]);
    let is_about_fewer = |at| {
        let scopes = |policies| in_effect(policies, kind, at).map(|policy| policy.scopes.clone()).unwrap_or_default();
        kind.has_scopes() && !scopes(&after).includes(&scopes(&before))
    };
    changes.into_iter().any(|at| allowance(&after, kind, at) > allowance(&before, kind, at) || is_about_fewer(at))
}

/// Returns the policies that still matter: for each kind, the one in effect and those that take effect later. Leaves
/// out policies that a later one in effect has replaced.
pub fn current_and_scheduled(policies: Vec<KeyPolicy>, now: DateTime<Utc>) -> Vec<KeyPolicy> {
    let is_over = |policy: &KeyPolicy| {
        policies.iter().any(|other| {
            other.kind == policy.kind && other.is_in_effect(now) && other.effective_from > policy.effective_from
        })
    };
    policies.iter().filter(|policy| !is_over(policy)).cloned().collect()
}

/// The facts about a key to be created that policies check.
#[derive(Clone, Copy, Debug)]
pub struct Proposed<'a> {
    /// The kind of owner.
    pub owner: OwnerKind,
    /// When the key would expire; never, if `None`.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether the key is created with a key.
    pub by_key: bool,
    /// What the key may do at most.
    pub scopes: &'a ScopeGrant,
}

/// Checks a key to be created against the policies in effect at `now`.
///
/// # Errors
/// A field error at `expires_at` or `scopes`; `FORBIDDEN` if no value would be allowed.
pub fn check(policies: &[KeyPolicy], proposed: Proposed<'_>, now: DateTime<Utc>) -> Result<(), ApiError> {
    for policy in policies.iter().filter(|policy| policy.is_in_effect(now)) {
        match policy.kind {
            KeyPolicyKind::MaxLifetime => {
                let last = now + lifetime(policy.days);
                if proposed.expires_at.is_none_or(|at| at > last) {
                    let message = format!(
                        "This tenant's policy requires an expiry within {}. Choose an earlier date.",
                        days_text(policy.days.unwrap_or(0))
                    );
                    return Err(ApiError::field("expires_at", message));
                }
            }
            KeyPolicyKind::ExpiryRequired if proposed.expires_at.is_none() => {
                let message = "This tenant's policy requires an expiry. Choose one.";
                return Err(ApiError::field("expires_at", message));
            }
            KeyPolicyKind::ServiceAccountsOnly if proposed.owner == OwnerKind::User => {
                return Err(ApiError::forbidden(policy.refusal()));
            }
            KeyPolicyKind::NoKeysByKeys if proposed.by_key => {
                return Err(ApiError::forbidden(policy.refusal()));
            }
            KeyPolicyKind::ScopesRequired if *proposed.scopes == ScopeGrant::Unscoped => {
                return Err(ApiError::field("scopes", policy.refusal()));
            }
            KeyPolicyKind::ScopesNotForUsers
                if proposed.owner == OwnerKind::User && policy.is_about(proposed.scopes) =>
            {
                return Err(ApiError::field("scopes", policy.refusal()));
            }
            KeyPolicyKind::ScopeMaxLifetime if policy.is_about(proposed.scopes) => {
                let last = now + lifetime(policy.days);
                if proposed.expires_at.is_none_or(|at| at > last) {
                    return Err(ApiError::field("expires_at", policy.refusal()));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Checks a key that is to be given more scopes against the policies in effect at `now`. A policy that the key already
/// violates doesn't prevent it.
///
/// # Errors
/// A field error at `scopes`.
pub fn check_added_scopes(
    policies: &[KeyPolicy],
    before: &ApiKey,
    after: &ScopeGrant,
    now: DateTime<Utc>,
) -> Result<(), ApiError> {
    let after = ApiKey { scopes: after.clone(), ..before.clone() };
    let is_newly_violated = |policy: &&KeyPolicy| {
        policy.is_in_effect(now) && policy.is_violated_by(&after) && !policy.is_violated_by(before)
    };
    let violated = policies.iter().find(is_newly_violated);
    violated.map_or(Ok(()), |policy| Err(ApiError::field("scopes", policy.refusal())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_apply_from_their_effective_time_and_say_what_to_do() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(100);
        let set_by = || "Ada".to_owned();
        let policy = |kind, days| KeyPolicy {
            kind,
            days,
            limit: None,
            on_exposure: None,
            scopes: ScopeSet::default(),
            effective_from: now,
            set_at: now,
            set_by: set_by(),
        };
        let proposed = |days: Option<i64>| Proposed {
            owner: OwnerKind::User,
            expires_at: days.map(|days| now + TimeDelta::days(days)),
            by_key: true,
            scopes: &ScopeGrant::Unscoped,
        };
        let max = [policy(KeyPolicyKind::MaxLifetime, Some(30))];
        assert!(check(&max, proposed(Some(30)), now).is_ok());
        assert!(check(&max, proposed(Some(31)), now).is_err_and(|error| error.at("expires_at").is_some()));
        assert!(check(&max, proposed(None), now).is_err());
        assert!(check(&max, proposed(None), now - TimeDelta::seconds(1)).is_ok(), "not yet");
        assert!(check(&[policy(KeyPolicyKind::ExpiryRequired, None)], proposed(None), now).is_err());
        assert!(check(&[policy(KeyPolicyKind::ServiceAccountsOnly, None)], proposed(Some(1)), now).is_err());
        assert!(check(&[policy(KeyPolicyKind::NoKeysByKeys, None)], proposed(Some(1)), now).is_err());
        assert!(check(&[policy(KeyPolicyKind::SuspendUnused, Some(1))], proposed(None), now).is_ok());

        let later = |days, hours| KeyPolicy {
            effective_from: now + TimeDelta::hours(hours),
            ..policy(KeyPolicyKind::MaxLifetime, Some(days))
        };
        let set = vec![later(90, 0), later(30, 5), policy(KeyPolicyKind::ExpiryRequired, None)];
        let days =
            |at| current_and_scheduled(set.clone(), at).iter().filter_map(|policy| policy.days).collect::<Vec<_>>();
        assert_eq!(days(now + TimeDelta::hours(4)), [90, 30], "the one in effect, and the scheduled one");
        assert_eq!(days(now + TimeDelta::hours(5)), [30]);
    }

    #[test]
    fn a_policy_that_allows_more_at_any_time_is_a_loosened_one() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(100);
        let policy = |kind: KeyPolicyKind, number: u32, days_ahead: i64| KeyPolicy {
            kind,
            days: kind.has_days().then_some(number),
            limit: kind.has_limit().then_some(number),
            on_exposure: None,
            scopes: ScopeSet::default(),
            effective_from: now + TimeDelta::days(days_ahead),
            set_at: now,
            set_by: "Ada".to_owned(),
        };
        let lifetime = |days, ahead| policy(KeyPolicyKind::MaxLifetime, days, ahead);
        let required = |ahead| policy(KeyPolicyKind::ExpiryRequired, 0, ahead);
        let keys = |count| policy(KeyPolicyKind::MaxKeys, count, 0);
        let exposed = |response| KeyPolicy { on_exposure: Some(response), ..policy(KeyPolicyKind::ExposedKeys, 0, 0) };
        let (suspend, revoke, notify) = (ExposureResponse::Suspend, ExposureResponse::Revoke, ExposureResponse::Notify);
        for (before, set, expected) in [
            (vec![], lifetime(90, 0), false),
            (vec![], lifetime(90, 5), false),
            (vec![lifetime(90, -5)], lifetime(30, 0), false),
            (vec![lifetime(90, -5)], lifetime(90, 0), false),
            (vec![lifetime(90, -5)], lifetime(91, 0), true),
            (vec![lifetime(90, -5)], lifetime(91, 5), true),
            (vec![lifetime(90, -5), lifetime(30, 5)], lifetime(60, 0), true),
            (vec![lifetime(90, -5), lifetime(30, 5)], lifetime(30, 6), true),
            (vec![lifetime(90, -5), lifetime(30, 5)], lifetime(30, 4), false),
            (vec![lifetime(90, -5)], policy(KeyPolicyKind::SuspendUnused, 3_650, 0), false),
            (vec![required(-5)], required(0), false),
            (vec![required(5)], required(6), true),
            (vec![required(5)], required(0), false),
            (vec![], keys(500), false),
            (vec![], keys(501), true),
            (vec![keys(10)], keys(11), true),
            (vec![keys(10)], keys(9), false),
            (vec![], exposed(suspend), false),
            (vec![], exposed(revoke), false),
            (vec![], exposed(notify), true),
            (vec![exposed(revoke)], exposed(suspend), true),
            (vec![exposed(notify)], exposed(suspend), false),
        ] {
            assert_eq!(is_loosened_by(&before, &set), expected, "{before:?}\n{set:?}");
        }
    }
}

//! Key policies: a tenant's rules for its keys.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{ApiError, ApiKey, OwnerKind};

/// The maximum number of days of a policy: 10 years.
pub const MAX_DAYS: u32 = 3_650;

/// The lifetime of the new key when a key without expiry is rotated and a policy now requires one.
const DEFAULT_REQUIRED_LIFETIME: TimeDelta = TimeDelta::days(90);

/// The kind of a key policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyKind {
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
}

impl PolicyKind {
    /// All kinds, in the order the settings list them.
    pub const ALL: [Self; 5] =
        [Self::MaxLifetime, Self::ExpiryRequired, Self::ServiceAccountsOnly, Self::NoKeysByKeys, Self::SuspendUnused];

    /// Returns the code used in the database, in the APIs and in URLs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MaxLifetime => "max_lifetime",
            Self::ExpiryRequired => "expiry_required",
            Self::ServiceAccountsOnly => "service_accounts_only",
            Self::NoKeysByKeys => "no_keys_by_keys",
            Self::SuspendUnused => "suspend_unused",
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
        }
    }

    /// Returns whether a policy of this kind has a number of days.
    pub fn has_days(self) -> bool {
        matches!(self, Self::MaxLifetime | Self::SuspendUnused)
    }
}

/// A key policy that is turned on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPolicy {
    /// The kind of policy.
    pub kind: PolicyKind,
    /// The number of days, for kinds that have one.
    pub days: Option<u32>,
    /// When the policy takes effect.
    pub effective_from: DateTime<Utc>,
    /// When it was set.
    pub set_at: DateTime<Utc>,
    /// The name of the actor that set it.
    pub set_by: String,
}

impl KeyPolicy {
    /// Returns the policy as a sentence, for someone who is creating a key.
    pub fn sentence(&self) -> String {
        let days = days_text(self.days.unwrap_or(0));
        match self.kind {
            PolicyKind::MaxLifetime => format!("Keys in this tenant must expire within {days}."),
            PolicyKind::ExpiryRequired => "Keys in this tenant must have an expiry.".to_owned(),
            PolicyKind::ServiceAccountsOnly => "Only service accounts can have keys in this tenant.".to_owned(),
            PolicyKind::NoKeysByKeys => "Keys in this tenant can't create keys.".to_owned(),
            PolicyKind::SuspendUnused => format!("Keys in this tenant are suspended if they are unused for {days}."),
        }
    }

    /// Returns the error message for a request that the policy forbids whatever its values, with what to do instead.
    pub fn refusal(&self) -> String {
        let instead = match self.kind {
            PolicyKind::ServiceAccountsOnly => " Ask an administrator for a service account key.",
            PolicyKind::NoKeysByKeys => " Create the key in the dashboard.",
            PolicyKind::MaxLifetime | PolicyKind::ExpiryRequired | PolicyKind::SuspendUnused => "",
        };
        format!("{}{instead}", self.sentence())
    }

    /// Returns whether an existing key violates the policy: whether the policy would prevent creating it. Always
    /// `false` for [`PolicyKind::SuspendUnused`], which says nothing about creating keys.
    pub fn is_violated_by(&self, key: &ApiKey) -> bool {
        match self.kind {
            PolicyKind::MaxLifetime => {
                let longest = lifetime(self.days);
                key.expires_at.is_none_or(|at| at - key.created_at > longest)
            }
            PolicyKind::ExpiryRequired => key.expires_at.is_none(),
            PolicyKind::ServiceAccountsOnly => key.owner.kind() == OwnerKind::User,
            PolicyKind::NoKeysByKeys => key.created_by_key.is_some(),
            PolicyKind::SuspendUnused => false,
        }
    }

    /// Returns whether the policy is in effect at `now`.
    pub fn is_in_effect(&self, now: DateTime<Utc>) -> bool {
        now >= self.effective_from
    }
}

/// The effect that a policy would have on existing keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyPreview {
    /// The previewed policy.
    pub policy: KeyPolicy,
    /// Some of the active keys that the policy would affect, oldest first.
    pub keys: Vec<ApiKey>,
    /// The number of affected active keys, counted up to 10,000.
    pub count: u32,
}

/// A policy that a key violates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyViolation {
    /// The kind of policy.
    pub kind: PolicyKind,
    /// When the policy takes effect.
    pub effective_from: DateTime<Utc>,
}

impl PolicyViolation {
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
    /// Returns the limits that a tenant's policies set at `now`.
    pub fn of(policies: &[KeyPolicy], now: DateTime<Utc>) -> Self {
        let holding = || policies.iter().filter(|policy| policy.is_in_effect(now));
        let most = holding().filter(|policy| policy.kind == PolicyKind::MaxLifetime);
        Self {
            longest: most.map(|policy| TimeDelta::days(i64::from(policy.days.unwrap_or(0)))).min(),
            requires_expiry: holding().any(|policy| policy.kind == PolicyKind::ExpiryRequired),
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
    if days == 1 { "1 day".to_owned() } else { format!("{days} days") }
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
pub struct Proposed {
    /// The kind of owner.
    pub owner: OwnerKind,
    /// When the key would expire; never, if `None`.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether the key is created with a key.
    pub by_key: bool,
}

/// Checks a key to be created against the policies in effect at `now`.
///
/// # Errors
/// A field error at `expires_at`; `FORBIDDEN` if no value would be allowed.
pub fn check(policies: &[KeyPolicy], proposed: Proposed, now: DateTime<Utc>) -> Result<(), ApiError> {
    for policy in policies.iter().filter(|policy| policy.is_in_effect(now)) {
        match policy.kind {
            PolicyKind::MaxLifetime => {
                let last = now + lifetime(policy.days);
                if proposed.expires_at.is_none_or(|at| at > last) {
                    let message = format!(
                        "This tenant's policy requires an expiry within {}. Choose an earlier date.",
                        days_text(policy.days.unwrap_or(0))
                    );
                    return Err(ApiError::field("expires_at", message));
                }
            }
            PolicyKind::ExpiryRequired if proposed.expires_at.is_none() => {
                let message = "This tenant's policy requires an expiry. Choose one.";
                return Err(ApiError::field("expires_at", message));
            }
            PolicyKind::ServiceAccountsOnly if proposed.owner == OwnerKind::User => {
                return Err(ApiError::forbidden(policy.refusal()));
            }
            PolicyKind::NoKeysByKeys if proposed.by_key => {
                return Err(ApiError::forbidden(policy.refusal()));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_apply_from_their_effective_time_and_say_what_to_do() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(100);
        let policy = |kind, days| KeyPolicy { kind, days, effective_from: now, set_at: now, set_by: "Ada".to_owned() };
        let proposed = |days: Option<i64>| Proposed {
            owner: OwnerKind::User,
            expires_at: days.map(|days| now + TimeDelta::days(days)),
            by_key: true,
        };
        let max = [policy(PolicyKind::MaxLifetime, Some(30))];
        assert!(check(&max, proposed(Some(30)), now).is_ok());
        assert!(check(&max, proposed(Some(31)), now).is_err_and(|error| error.at("expires_at").is_some()));
        assert!(check(&max, proposed(None), now).is_err());
        assert!(check(&max, proposed(None), now - TimeDelta::seconds(1)).is_ok(), "not yet");
        assert!(check(&[policy(PolicyKind::ExpiryRequired, None)], proposed(None), now).is_err());
        assert!(check(&[policy(PolicyKind::ServiceAccountsOnly, None)], proposed(Some(1)), now).is_err());
        assert!(check(&[policy(PolicyKind::NoKeysByKeys, None)], proposed(Some(1)), now).is_err());
        assert!(check(&[policy(PolicyKind::SuspendUnused, Some(1))], proposed(None), now).is_ok());

        let later = |days, hours| KeyPolicy {
            effective_from: now + TimeDelta::hours(hours),
            ..policy(PolicyKind::MaxLifetime, Some(days))
        };
        let set = vec![later(90, 0), later(30, 5), policy(PolicyKind::ExpiryRequired, None)];
        let days =
            |at| current_and_scheduled(set.clone(), at).iter().filter_map(|policy| policy.days).collect::<Vec<_>>();
        assert_eq!(days(now + TimeDelta::hours(4)), [90, 30], "the one in effect, and the scheduled one");
        assert_eq!(days(now + TimeDelta::hours(5)), [30]);
    }
}

//! A tenant's policies on keys.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{ApiError, ApiKey, OwnerKind};

/// The longest lifetime and the longest disuse that a policy can ask for, in days: ten years.
pub const MOST_DAYS: u32 = 3_650;

/// How long a key lives whose policy asks for an end, and that has none to go by.
const FOR_WANT_OF_AN_END: TimeDelta = TimeDelta::days(90);

/// What a policy is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyKind {
    /// No key lives longer than some days.
    MaxLifetime,
    /// Every key ends some day.
    ExpiryRequired,
    /// No keys of people: service accounts only.
    ServiceAccountsOnly,
    /// No key makes keys.
    NoKeysByKeys,
    /// A key that isn't used for some days is suspended.
    SuspendUnused,
}

impl PolicyKind {
    /// All, in the order they are offered.
    pub const ALL: [Self; 5] =
        [Self::MaxLifetime, Self::ExpiryRequired, Self::ServiceAccountsOnly, Self::NoKeysByKeys, Self::SuspendUnused];

    /// The word in the database, on the wire and in URLs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MaxLifetime => "max_lifetime",
            Self::ExpiryRequired => "expiry_required",
            Self::ServiceAccountsOnly => "service_accounts_only",
            Self::NoKeysByKeys => "no_keys_by_keys",
            Self::SuspendUnused => "suspend_unused",
        }
    }

    /// The policy of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// The name on the screen.
    pub fn label(self) -> &'static str {
        match self {
            Self::MaxLifetime => "Maximum lifetime",
            Self::ExpiryRequired => "Expiry required",
            Self::ServiceAccountsOnly => "Service accounts only",
            Self::NoKeysByKeys => "Keys may not create keys",
            Self::SuspendUnused => "Suspend unused keys",
        }
    }

    /// What it does, in a sentence.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::MaxLifetime => {
                "A new key must end within this many days. Keys that live longer go on, and are marked as against the policy."
            }
            Self::ExpiryRequired => {
                "A new key must have an expiry. Keys without one go on, and are marked as against the policy."
            }
            Self::ServiceAccountsOnly => {
                "People can't create keys for themselves. Keys of people go on, and are marked as against the policy."
            }
            Self::NoKeysByKeys => {
                "Keys are created by people only: in the dashboard, or at the server's command line. Keys that a key made go on, and are marked as against the policy."
            }
            Self::SuspendUnused => {
                "A key that isn't used for this many days is suspended; its owner can let it work again."
            }
        }
    }

    /// Whether it counts days.
    pub fn has_days(self) -> bool {
        matches!(self, Self::MaxLifetime | Self::SuspendUnused)
    }
}

/// A policy that is on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPolicy {
    /// What it is about.
    pub kind: PolicyKind,
    /// How many days, where it counts some.
    pub days: Option<u32>,
    /// From when on it holds.
    pub effective_from: DateTime<Utc>,
    /// When it was set.
    pub set_at: DateTime<Utc>,
    /// The name of who set it.
    pub set_by: String,
}

impl KeyPolicy {
    /// The policy in a sentence, for one who makes a key.
    pub fn sentence(&self) -> String {
        let days = self.days.unwrap_or(0);
        match self.kind {
            PolicyKind::MaxLifetime => format!("Keys of this tenant must end within {days} days."),
            PolicyKind::ExpiryRequired => "Keys of this tenant must have an expiry.".to_owned(),
            PolicyKind::ServiceAccountsOnly => "In this tenant only service accounts have keys.".to_owned(),
            PolicyKind::NoKeysByKeys => "In this tenant keys may not create keys.".to_owned(),
            PolicyKind::SuspendUnused => {
                format!("Keys of this tenant are suspended when they aren't used for {days} days.")
            }
        }
    }

    /// The policy in a sentence, for one who asked for what no value would make right, with what to do instead.
    pub fn refusal(&self) -> String {
        let instead = match self.kind {
            PolicyKind::ServiceAccountsOnly => " Ask an administrator for one.",
            PolicyKind::NoKeysByKeys => " Create it in the dashboard.",
            PolicyKind::MaxLifetime | PolicyKind::ExpiryRequired | PolicyKind::SuspendUnused => "",
        };
        format!("{}{instead}", self.sentence())
    }

    /// Whether a key that is there wouldn't be let made so. One that isn't used is no matter of its making.
    pub fn is_against(&self, key: &ApiKey) -> bool {
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

    /// Whether it holds at `now`.
    pub fn holds(&self, now: DateTime<Utc>) -> bool {
        now >= self.effective_from
    }
}

/// What a policy would do to the keys that exist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyPreview {
    /// The policy as it would be.
    pub policy: KeyPolicy,
    /// Some of the active keys that it would affect, the oldest first.
    pub keys: Vec<ApiKey>,
    /// How many there are; at most 10,000 are counted.
    pub count: u32,
}

/// A policy that a key violates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Against {
    /// What the policy is about.
    pub kind: PolicyKind,
    /// From when on it holds.
    pub effective_from: DateTime<Utc>,
}

impl Against {
    /// The policy's name, with the instant for one that doesn't hold yet.
    pub fn words(self, now: DateTime<Utc>) -> String {
        let label = self.kind.label();
        if self.is_to_come(now) {
            format!("{label}, from {}", crate::time::utc_text(self.effective_from))
        } else {
            label.to_owned()
        }
    }

    /// Whether it doesn't hold yet.
    pub fn is_to_come(self, now: DateTime<Utc>) -> bool {
        now < self.effective_from
    }
}

/// The longest life that a policy's days allow: a minute more, because a form's choice of as many days was a moment ago.
pub fn lifetime(days: Option<u32>) -> TimeDelta {
    TimeDelta::days(i64::from(days.unwrap_or(0))) + TimeDelta::minutes(1)
}

/// What the policies that hold leave of a new key's life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// The longest that it may be.
    pub longest: Option<TimeDelta>,
    /// Whether it must end some day.
    pub needs_end: bool,
}

impl Bounds {
    /// Of a tenant's policies at `now`.
    pub fn of(policies: &[KeyPolicy], now: DateTime<Utc>) -> Self {
        let holding = || policies.iter().filter(|policy| policy.holds(now));
        let most = holding().filter(|policy| policy.kind == PolicyKind::MaxLifetime);
        Self {
            longest: most.map(|policy| TimeDelta::days(i64::from(policy.days.unwrap_or(0)))).min(),
            needs_end: holding().any(|policy| policy.kind == PolicyKind::ExpiryRequired),
        }
    }

    /// `wanted`, or less. Never, when `None`.
    pub fn limit(self, wanted: Option<TimeDelta>) -> Option<TimeDelta> {
        let wanted = wanted.or(self.needs_end.then_some(FOR_WANT_OF_AN_END));
        [wanted, self.longest].into_iter().flatten().min()
    }
}

fn days_text(days: u32) -> String {
    if days == 1 { "1 day".to_owned() } else { format!("{days} days") }
}

/// The policies that count: of each kind the one that holds and the one that will. One that a later one has taken the place
/// of is left out.
pub fn counting(policies: Vec<KeyPolicy>, now: DateTime<Utc>) -> Vec<KeyPolicy> {
    let is_over = |policy: &KeyPolicy| {
        policies
            .iter()
            .any(|other| other.kind == policy.kind && other.holds(now) && other.effective_from > policy.effective_from)
    };
    policies.iter().filter(|policy| !is_over(policy)).cloned().collect()
}

/// A key about to be made, as far as policies ask.
#[derive(Clone, Copy, Debug)]
pub struct Proposed {
    /// For what kind of owner.
    pub owner: OwnerKind,
    /// When it would end.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether a key makes it.
    pub by_key: bool,
}

/// Checks a key about to be made.
///
/// # Errors
/// A field error at `expires_at`; `FORBIDDEN`, where no value would do.
pub fn check(policies: &[KeyPolicy], proposed: Proposed, now: DateTime<Utc>) -> Result<(), ApiError> {
    for policy in policies.iter().filter(|policy| policy.holds(now)) {
        match policy.kind {
            PolicyKind::MaxLifetime => {
                let last = now + lifetime(policy.days);
                if proposed.expires_at.is_none_or(|at| at > last) {
                    let message = format!(
                        "This tenant's policy requires an expiry within {}. Choose one that is sooner.",
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
    fn policies_hold_from_their_instant_and_say_what_to_do() {
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
        let days = |at| counting(set.clone(), at).iter().filter_map(|policy| policy.days).collect::<Vec<_>>();
        assert_eq!(days(now + TimeDelta::hours(4)), [90, 30], "the one that holds, and the one that will");
        assert_eq!(days(now + TimeDelta::hours(5)), [30]);
    }
}

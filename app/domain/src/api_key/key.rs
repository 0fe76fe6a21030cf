//! The API key record, its states, and the only type that carries a token.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::exposure::Exposure;
use crate::{
    KeyId, KeyLimits, Name, ScopeGrant, Secret, ServiceAccountId, TenantId, UserId, api_key::policy::KeyPolicyViolation,
};

/// The longest time before its expiry in which a key is "expiring soon"; see [`expires_soon_within`].
pub const EXPIRING_SOON: TimeDelta = TimeDelta::days(14);

/// Returns how long before its expiry a key with the given lifetime is "expiring soon": for the last fifth of its
/// lifetime, and at most [`EXPIRING_SOON`]. So a key for 7 days isn't flagged from its creation on.
pub fn expires_soon_within(lifetime: TimeDelta) -> TimeDelta {
    // In whole microseconds, as the database counts.
    let fifth = lifetime.num_microseconds().map_or(EXPIRING_SOON, |micros| TimeDelta::microseconds(micros / 5));
    fifth.min(EXPIRING_SOON)
}

/// The owner of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Owner {
    /// A user, as a member of the key's tenant.
    User(UserId),
    /// A service account of the key's tenant.
    ServiceAccount(ServiceAccountId),
}

/// The kind of owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnerKind {
    /// A user.
    User,
    /// A service account.
    ServiceAccount,
}

impl OwnerKind {
    /// Returns the code used in the APIs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::ServiceAccount => "service_account",
        }
    }
}

impl Owner {
    /// Returns the kind of owner.
    pub fn kind(self) -> OwnerKind {
        match self {
            Self::User(_) => OwnerKind::User,
            Self::ServiceAccount(_) => OwnerKind::ServiceAccount,
        }
    }
}

impl From<Owner> for String {
    /// Returns `user:{id}` or `service_account:{id}`, as form fields contain it.
    fn from(owner: Owner) -> Self {
        match owner {
            Owner::User(id) => format!("user:{id}"),
            Owner::ServiceAccount(id) => format!("service_account:{id}"),
        }
    }
}

impl TryFrom<String> for Owner {
    type Error = uuid::Error;

    fn try_from(text: String) -> Result<Self, uuid::Error> {
        match text.split_once(':') {
            Some(("service_account", id)) => id.parse().map(Self::ServiceAccount),
            Some(("user", id)) => id.parse().map(Self::User),
            _ => text.parse().map(Self::User),
        }
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::User(id) => id.fmt(f),
            Self::ServiceAccount(id) => id.fmt(f),
        }
    }
}

/// When, from where and by which client a key was last used or rejected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastUse {
    /// When the request was made.
    pub at: DateTime<Utc>,
    /// The client's IP address, if known.
    pub address: Option<String>,
    /// The client's `User-Agent`, cut to 200 characters.
    pub user_agent: Option<String>,
}

/// An API key's record. It doesn't contain the token, which can't be derived from it either.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// The key's id.
    pub id: KeyId,
    /// The only tenant in which the key works.
    pub tenant_id: TenantId,
    /// The tenant's name.
    pub tenant_name: Name,
    /// The owner.
    pub owner: Owner,
    /// The owner's name.
    pub owner_name: String,
    /// The key's name.
    pub name: Name,
    /// The prefix and the first 4 characters of the token, so that people can recognise it in a configuration file. For an
    /// imported key, what the import says about its token, or the first digits of the token's SHA-256.
    pub hint: String,
    /// When its token, which another system has made, was imported. `None` for a token in Latchkey's format. Not sent to
    /// the browser's script, which doesn't need it.
    #[serde(skip)]
    pub imported_at: Option<DateTime<Utc>>,
    /// When the key was created, to the millisecond. [`Self::id`] contains the same instant, so that ids sort by
    /// creation.
    pub created_at: DateTime<Utc>,
    /// The name of the creator.
    pub created_by: String,
    /// The code of the [`crate::audit::Channel`] that it was created via.
    pub created_channel: String,
    /// The key that authenticated its creation, if any.
    pub created_by_key: Option<KeyId>,
    /// The key that it replaces, after a rotation.
    pub replaces: Option<KeyId>,
    /// The key that replaces it, after a rotation.
    pub replaced_by: Option<Successor>,
    /// When the key expires; never, if `None`.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether the key is marked as expired. It then stays expired even if the clock is set back.
    pub has_expired: bool,
    /// The suspension of the key itself. A revoked key keeps it.
    pub suspension: Option<Suspension>,
    /// When its service account was suspended, if it is. The key is then suspended too.
    pub owner_suspended_at: Option<DateTime<Utc>>,
    /// The revocation, which is permanent.
    pub revocation: Option<Revocation>,
    /// The first report that its token was found where others can read it.
    pub exposure: Option<Exposure>,
    /// The key policies, in effect or scheduled, that the key violates. Empty for an inactive key.
    pub violations: Vec<KeyPolicyViolation>,
    /// What the key may do at most.
    pub scopes: ScopeGrant,
    /// From which addresses and how often the key may be used. Not sent to the browser's script, which doesn't need it.
    #[serde(skip)]
    pub limits: KeyLimits,
    /// The last accepted request.
    pub last_used: Option<LastUse>,
    /// The last rejected request.
    pub last_refused: Option<LastUse>,
}

/// The key that replaces another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Successor {
    /// The new key's id.
    pub id: KeyId,
    /// The prefix and the first 4 characters of its token.
    pub hint: String,
    /// When it was created.
    pub at: DateTime<Utc>,
    /// Whether its first use, which is still to come, ends the old key.
    pub ends_on_use: bool,
    /// Whether it and all keys that it was later rotated to are revoked, so that nothing replaces the old key.
    pub is_revoked: bool,
}

/// The suspension of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspension {
    /// When the key was suspended.
    pub at: DateTime<Utc>,
    /// The name of the actor that suspended it.
    pub by: String,
    /// Whether the key's owner may resume it: they suspended it themselves, or a key policy did because it was unused.
    pub owner_may_resume: bool,
}

/// The revocation of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// When the key was revoked.
    pub at: DateTime<Utc>,
    /// The name of the actor that revoked it.
    pub by: String,
    /// A short reason; empty if a person revoked it without giving one.
    pub reason: String,
}

/// Who suspended a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuspendedBy<'a> {
    /// The key itself was suspended, by the actor with this name.
    Name(&'a str),
    /// The key's service account is suspended, and the key with it.
    ServiceAccount,
}

/// The state of a key. Only `Active`, `ExpiringSoon` and `Rotating` keys pass verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState<'a> {
    /// The key works.
    Active,
    /// The key works, but expires soon; see [`expires_soon_within`].
    ExpiringSoon {
        /// When it expires.
        at: DateTime<Utc>,
    },
    /// The key works beside the one that replaces it.
    Rotating {
        /// When its grace period ends.
        until: DateTime<Utc>,
    },
    /// The expiry has passed.
    Expired {
        /// When it expired.
        at: DateTime<Utc>,
    },
    /// The key is suspended until it is resumed.
    Suspended {
        /// When it was suspended.
        at: DateTime<Utc>,
        /// Who suspended it.
        by: SuspendedBy<'a>,
    },
    /// The key is revoked permanently.
    Revoked {
        /// When it was revoked.
        at: DateTime<Utc>,
        /// The name of the actor that revoked it.
        by: &'a str,
        /// A short reason; can be empty.
        reason: &'a str,
    },
}

impl KeyState<'_> {
    /// Returns the label shown to users.
    pub fn label(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::ExpiringSoon { .. } => "Expiring soon",
            Self::Rotating { .. } => "Rotating",
            Self::Expired { .. } => "Expired",
            Self::Suspended { .. } => "Suspended",
            Self::Revoked { .. } => "Revoked",
        }
    }

    /// Returns the code used in the APIs and in CSS class names.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::ExpiringSoon { .. } => "expiring_soon",
            Self::Rotating { .. } => "rotating",
            Self::Expired { .. } => "expired",
            Self::Suspended { .. } => "suspended",
            Self::Revoked { .. } => "revoked",
        }
    }

    /// Returns whether a key in this state passes verification.
    pub fn is_valid(self) -> bool {
        matches!(self, Self::Active | Self::ExpiringSoon { .. } | Self::Rotating { .. })
    }
}

impl ApiKey {
    /// Returns the state at `now`. Revoked takes precedence over expired, and expired over suspended. A key is already
    /// expired at the instant of its expiry.
    pub fn state(&self, now: DateTime<Utc>) -> KeyState<'_> {
        if let Some(Revocation { at, by, reason }) = &self.revocation {
            return KeyState::Revoked { at: *at, by, reason };
        }
        let suspended = self
            .suspension
            .as_ref()
            .map(|suspension| (suspension.at, SuspendedBy::Name(&suspension.by)))
            .or(self.owner_suspended_at.map(|at| (at, SuspendedBy::ServiceAccount)));
        match (self.expires_at, suspended) {
            (Some(at), _) if self.has_expired || now >= at => KeyState::Expired { at },
            (_, Some((at, by))) => KeyState::Suspended { at, by },
            (Some(until), None) if self.replaced_by.as_ref().is_some_and(|new| !new.is_revoked) => {
                KeyState::Rotating { until }
            }
            (Some(at), None) if at - now <= self.expires_soon_within(at) => KeyState::ExpiringSoon { at },
            _ => KeyState::Active,
        }
    }
}

impl ApiKey {
    /// Returns how long before its expiry `at` the key is "expiring soon". A rotation shortens the life of a key, so that
    /// the share of its life that is left says nothing.
    fn expires_soon_within(&self, at: DateTime<Utc>) -> TimeDelta {
        if self.replaced_by.is_some() { EXPIRING_SOON } else { expires_soon_within(at - self.created_at) }
    }

    /// Returns the end of the grace period, until which the key works beside its successor unless it is suspended.
    /// Returns `None` if the key isn't in a grace period.
    pub fn overlap_until(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let is_living = |at: &DateTime<Utc>| self.revocation.is_none() && !self.has_expired && now < *at;
        self.expires_at.filter(|at| self.replaced_by.is_some() && is_living(at))
    }

    /// Returns the last rejected request with this key since it was rotated, if there is one.
    pub fn rejected_after_rotation(&self) -> Option<&LastUse> {
        let rolled_at = self.replaced_by.as_ref()?.at;
        self.last_refused.as_ref().filter(|last| last.at >= rolled_at)
    }

    /// Returns the path of the key's page in the dashboard, to which mails and calendars also link.
    pub fn page_path(&self) -> String {
        match self.owner {
            Owner::User(_) => format!("/user/api-keys/{}", self.id),
            Owner::ServiceAccount(id) => format!("/team/service-accounts/{id}/keys/{}", self.id),
        }
    }

    /// Returns whether the key was used in the 24 hours before `now`.
    pub fn was_used_lately(&self, now: DateTime<Utc>) -> bool {
        self.last_used.as_ref().is_some_and(|last| last.is_within_a_day(now))
    }
}

impl LastUse {
    /// Returns whether it was in the 24 hours before `now`.
    pub fn is_within_a_day(&self, now: DateTime<Utc>) -> bool {
        now - self.at < TimeDelta::days(1)
    }
}

/// A newly created key with its token. The only type that can carry a token out of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedKey {
    /// The key's record.
    pub key: ApiKey,
    /// The token. It can't be retrieved later.
    pub token: Secret,
    /// Whether the form that created the key was sent again. The token of the first response no longer works.
    pub is_repeat: bool,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn suspension(at: DateTime<Utc>) -> Suspension {
        Suspension { at, by: "Grace".to_owned(), owner_may_resume: true }
    }

    pub(crate) fn revocation(at: DateTime<Utc>) -> Revocation {
        Revocation { at, by: "Grace".to_owned(), reason: String::new() }
    }

    pub(crate) fn key() -> ApiKey {
        let id = uuid::Uuid::nil();
        ApiKey {
            id: KeyId(id),
            tenant_id: TenantId(id),
            tenant_name: Name::parse("Acme").unwrap(),
            owner: Owner::User(UserId(id)),
            owner_name: "Ada".to_owned(),
            name: Name::parse("k").unwrap(),
            hint: "lku_abcd".to_owned(),
            imported_at: None,
            created_at: DateTime::UNIX_EPOCH,
            created_by: "Ada".to_owned(),
            created_channel: "browser".to_owned(),
            created_by_key: None,
            replaces: None,
            replaced_by: None,
            expires_at: None,
            has_expired: false,
            suspension: None,
            owner_suspended_at: None,
            revocation: None,
            scopes: ScopeGrant::Unscoped,
            limits: KeyLimits::default(),
            last_used: None,
            last_refused: None,
            exposure: None,
            violations: Vec::new(),
        }
    }

    #[test]
    fn a_key_is_rejected_from_the_expiry_instant_on() {
        let at = DateTime::UNIX_EPOCH + TimeDelta::days(100);
        let key = ApiKey { expires_at: Some(at), ..key() };
        assert!(key.state(at - TimeDelta::nanoseconds(1)).is_valid());
        assert_eq!(key.state(at), KeyState::Expired { at });
    }

    #[test]
    fn a_key_expires_soon_in_the_last_fifth_of_its_life_and_at_most_14_days_before_the_end() {
        let with = |days| ApiKey { expires_at: Some(DateTime::UNIX_EPOCH + TimeDelta::days(days)), ..key() };
        let state = |days, left: TimeDelta| {
            let key = with(days);
            key.state(key.expires_at.unwrap() - left).as_str()
        };
        assert_eq!(state(7, TimeDelta::days(7)), "active");
        assert_eq!(state(7, TimeDelta::hours(34)), "active");
        assert_eq!(state(7, TimeDelta::hours(33)), "expiring_soon");
        assert_eq!(state(365, TimeDelta::days(15)), "active");
        assert_eq!(state(365, TimeDelta::days(14)), "expiring_soon");
    }

    #[test]
    fn a_replaced_key_is_rotating_until_its_replacement_is_revoked() {
        let until = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        let now = DateTime::UNIX_EPOCH + TimeDelta::hours(23);
        let new = Successor { id: key().id, hint: "lku_new1".into(), at: now, ends_on_use: false, is_revoked: false };
        let old = ApiKey { expires_at: Some(until), replaced_by: Some(new.clone()), ..key() };
        assert_eq!(old.state(now), KeyState::Rotating { until });
        assert!(old.state(now).is_valid());
        assert_eq!(old.state(until), KeyState::Expired { at: until });
        let alone = ApiKey { replaced_by: Some(Successor { is_revoked: true, ..new }), ..old };
        assert_eq!(alone.state(now), KeyState::ExpiringSoon { at: until });
    }

    #[test]
    fn a_clock_stepped_back_does_not_revive_a_key_that_is_marked_as_expired() {
        let at = DateTime::UNIX_EPOCH + TimeDelta::days(100);
        let before = at - TimeDelta::days(1);
        let new =
            Successor { id: key().id, hint: "lku_new1".into(), at: before, ends_on_use: false, is_revoked: false };
        let rotating = ApiKey { expires_at: Some(at), replaced_by: Some(new), ..key() };
        assert_eq!(rotating.overlap_until(before), Some(at));
        let marked = ApiKey { has_expired: true, ..rotating };
        assert_eq!((marked.state(before), marked.overlap_until(before)), (KeyState::Expired { at }, None));
    }

    #[test]
    fn revoked_takes_precedence_over_expired_and_expired_over_suspended() {
        let at = DateTime::UNIX_EPOCH;
        let now = at + TimeDelta::days(1);
        let both = ApiKey { expires_at: Some(at), suspension: Some(suspension(at)), ..key() };
        assert_eq!(both.state(now), KeyState::Expired { at });
        let revoked = ApiKey { revocation: Some(revocation(at)), ..both };
        assert_eq!(revoked.state(now), KeyState::Revoked { at, by: "Grace", reason: "" });
    }

    #[test]
    fn a_key_without_expiry_never_expires_and_suspension_stops_it() {
        let far = DateTime::UNIX_EPOCH + TimeDelta::days(365_000);
        assert_eq!(key().state(far), KeyState::Active);
        let suspended = ApiKey { suspension: Some(suspension(DateTime::UNIX_EPOCH)), ..key() };
        assert!(!suspended.state(far).is_valid());
    }

    #[test]
    fn printing_an_issued_key_does_not_print_the_token() {
        let issued = IssuedKey { key: key(), token: Secret::new("lku_topsecret"), is_repeat: false };
        assert!(!format!("{issued:?}").contains("topsecret"));
    }
}

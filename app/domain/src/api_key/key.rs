//! The API key's record, its states, and the one carrier of a token.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{KeyId, Name, Secret, ServiceAccountId, TenantId, UserId, api_key::policy::Against};

/// A key is "expiring soon" when it ends within this time.
pub const EXPIRING_SOON: TimeDelta = TimeDelta::days(14);

/// Whose key it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Owner {
    /// A person, in the key's tenant.
    User(UserId),
    /// A service account of the key's tenant.
    ServiceAccount(ServiceAccountId),
}

/// The two kinds of owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnerKind {
    /// A person.
    User,
    /// A service account.
    ServiceAccount,
}

impl Owner {
    /// Which kind.
    pub fn kind(self) -> OwnerKind {
        match self {
            Self::User(_) => OwnerKind::User,
            Self::ServiceAccount(_) => OwnerKind::ServiceAccount,
        }
    }
}

impl From<Owner> for String {
    /// `user:{id}` or `service_account:{id}`, as a form's field holds it.
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

/// When, from where and by what a key was last used, or tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastUse {
    /// When.
    pub at: DateTime<Utc>,
    /// The client's address.
    pub address: Option<String>,
    /// The client's `User-Agent`, at most 200 characters.
    pub user_agent: Option<String>,
}

/// An API key's record. The token isn't in it, and can't be had from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Its id.
    pub id: KeyId,
    /// The one tenant that it works in.
    pub tenant_id: TenantId,
    /// That tenant's name.
    pub tenant_name: Name,
    /// Whose it is.
    pub owner: Owner,
    /// The owner's name.
    pub owner_name: String,
    /// What its owner calls it.
    pub name: Name,
    /// Prefix and first four characters of the token, to match a configuration file to a row.
    pub hint: String,
    /// When it was made, to the millisecond: [`Self::id`] holds the same instant, so that ids are in the order of making.
    pub created_at: DateTime<Utc>,
    /// The name of who made it.
    pub created_by: String,
    /// Through which door: an [`crate::audit::Channel`]'s word.
    pub created_channel: String,
    /// With which key, if it was made with one.
    pub created_by_key: Option<KeyId>,
    /// The key whose place it took.
    pub replaces: Option<KeyId>,
    /// The key that took its place.
    pub replaced_by: Option<Successor>,
    /// When it ends by itself; never, when `None`.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether it is marked as expired: that holds, also when the clock is stepped back.
    pub has_expired: bool,
    /// The key's own suspension. It stays when the key is revoked.
    pub suspension: Option<Suspension>,
    /// Since when its owner, a service account, is suspended: then the key is too.
    pub owner_suspended_at: Option<DateTime<Utc>>,
    /// Its revocation, which is final.
    pub revocation: Option<Revocation>,
    /// Which of the tenant's policies, that hold or will, wouldn't let it be made so; none for a key that is over.
    pub against: Vec<Against>,
    /// Its last use.
    pub last_used: Option<LastUse>,
    /// When, from where and to what it was last refused.
    pub last_refused: Option<LastUse>,
}

/// The key that took another's place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Successor {
    /// Its id.
    pub id: KeyId,
    /// The beginning of its token.
    pub hint: String,
    /// When it was made.
    pub at: DateTime<Utc>,
    /// Whether its first use, which hasn't come yet, ends the other.
    pub ends_on_use: bool,
    /// Whether it was revoked, and every key that it was rolled into as well: then nothing takes the other's place.
    pub is_revoked: bool,
}

/// The suspension of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspension {
    /// When the key was suspended.
    pub at: DateTime<Utc>,
    /// The name of who suspended it.
    pub by: String,
    /// Whether the key's owner may resume it: they suspended it themselves, or a key policy did because it was unused.
    pub owner_may_resume: bool,
}

/// The revocation of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// When the key was revoked.
    pub at: DateTime<Utc>,
    /// The name of who revoked it.
    pub by: String,
    /// Why, in a few words; empty when a person revoked it without giving one.
    pub reason: String,
}

/// Who suspended a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuspendedBy<'a> {
    /// Somebody suspended the key itself: their name.
    Name(&'a str),
    /// The key's owner, a service account, is suspended, and the key with it.
    ServiceAccount,
}

/// Where a key is in its life, with the facts of that state. Only `Active` and `ExpiringSoon` verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState<'a> {
    /// Good.
    Active,
    /// Good, and ends within [`EXPIRING_SOON`].
    ExpiringSoon {
        /// When it ends.
        at: DateTime<Utc>,
    },
    /// Its expiry has passed.
    Expired {
        /// Since when.
        at: DateTime<Utc>,
    },
    /// Stopped until somebody resumes it.
    Suspended {
        /// Since when.
        at: DateTime<Utc>,
        /// By whom.
        by: SuspendedBy<'a>,
    },
    /// Stopped permanently.
    Revoked {
        /// Since when.
        at: DateTime<Utc>,
        /// The name of who revoked it.
        by: &'a str,
        /// Why, in a few words.
        reason: &'a str,
    },
}

impl KeyState<'_> {
    /// The word on the screen.
    pub fn label(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::ExpiringSoon { .. } => "Expiring soon",
            Self::Expired { .. } => "Expired",
            Self::Suspended { .. } => "Suspended",
            Self::Revoked { .. } => "Revoked",
        }
    }

    /// The word on the wire and in class names.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::ExpiringSoon { .. } => "expiring_soon",
            Self::Expired { .. } => "expired",
            Self::Suspended { .. } => "suspended",
            Self::Revoked { .. } => "revoked",
        }
    }

    /// Whether a key in this state verifies.
    pub fn is_good(self) -> bool {
        matches!(self, Self::Active | Self::ExpiringSoon { .. })
    }
}

impl ApiKey {
    /// The state at `now`. Revoked outweighs expired, expired outweighs suspended; expiry counts from its very instant.
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
            (Some(at), None) if at - now <= EXPIRING_SOON => KeyState::ExpiringSoon { at },
            _ => KeyState::Active,
        }
    }
}

impl ApiKey {
    /// Until when a key that was rolled works beside the new one, unless it is suspended; `None` for one that isn't in its
    /// overlap.
    pub fn overlap_until(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let is_living = |at: &DateTime<Utc>| self.revocation.is_none() && !self.has_expired && now < *at;
        self.expires_at.filter(|at| self.replaced_by.is_some() && is_living(at))
    }

    /// When a key that was rolled out, and is over by that, was last tried all the same.
    pub fn tried_after_roll(&self) -> Option<&LastUse> {
        let rolled_at = self.replaced_by.as_ref()?.at;
        self.last_refused.as_ref().filter(|last| last.at >= rolled_at)
    }

    /// Whether it was used in the day before `now`.
    pub fn was_used_lately(&self, now: DateTime<Utc>) -> bool {
        self.last_used.as_ref().is_some_and(|last| last.is_within_a_day(now))
    }
}

impl LastUse {
    /// Whether it was in the day before `now`.
    pub fn is_within_a_day(&self, now: DateTime<Utc>) -> bool {
        now - self.at < TimeDelta::days(1)
    }
}

/// A key that has just been made, with its token: the only type that carries a token out of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedKey {
    /// The record.
    pub key: ApiKey,
    /// The token, this once.
    pub token: Secret,
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
            last_used: None,
            last_refused: None,
            against: Vec::new(),
        }
    }

    #[test]
    fn a_key_is_refused_at_the_expiry_instant_not_after_it() {
        let at = DateTime::UNIX_EPOCH + TimeDelta::days(100);
        let key = ApiKey { expires_at: Some(at), ..key() };
        assert!(key.state(at - TimeDelta::nanoseconds(1)).is_good());
        assert_eq!(key.state(at), KeyState::Expired { at });
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
    fn revoked_outweighs_everything_and_expired_outweighs_suspended() {
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
        assert!(!suspended.state(far).is_good());
    }

    #[test]
    fn printing_an_issued_key_does_not_print_the_token() {
        let issued = IssuedKey { key: key(), token: Secret::new("lku_topsecret") };
        assert!(!format!("{issued:?}").contains("topsecret"));
    }
}

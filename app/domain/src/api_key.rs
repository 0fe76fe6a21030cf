//! API keys: the record, its life, and the one carrier of a token.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{Direction, KeyId, Name, PageRequest, Secret, ServiceAccountId, TenantId, UserId, policy::Against};

/// A key is "expiring soon" when it ends within this time.
pub const EXPIRING_SOON: TimeDelta = TimeDelta::days(14);

/// Whose key it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
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

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::User(id) => id.fmt(f),
            Self::ServiceAccount(id) => id.fmt(f),
        }
    }
}

/// When, from where and by what a key was last used, or tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastUse {
    /// When.
    pub at: DateTime<Utc>,
    /// The client's address.
    pub address: Option<String>,
    /// The client's `User-Agent`, at most 200 characters.
    pub user_agent: Option<String>,
}

/// An API key's record. The token isn't in it, and can't be had from it.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Since when it is suspended.
    pub suspended_at: Option<DateTime<Utc>>,
    /// The name of who suspended it.
    pub suspended_by: Option<String>,
    /// Whether its owner may let it work again: they suspended it, or the service did because it was unused.
    pub suspended_by_owner: bool,
    /// Since when its owner, a service account, is suspended: then the key is too.
    pub owner_suspended_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// The name of who revoked it.
    pub revoked_by: Option<String>,
    /// Why, in a few words.
    pub revoke_reason: Option<String>,
    /// Which of the tenant's policies, that hold or will, wouldn't let it be made so; none for a key that is over.
    pub against: Vec<Against>,
    /// Its last use.
    pub last_used: Option<LastUse>,
    /// When, from where and to what it was last refused.
    pub last_refused: Option<LastUse>,
}

/// The key that took another's place.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// Where a key is in its life. Only `Active` verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Good.
    Active,
    /// Good, and ends within [`EXPIRING_SOON`].
    ExpiringSoon {
        /// When.
        at: DateTime<Utc>,
    },
    /// Over by time.
    Expired {
        /// Since when.
        at: DateTime<Utc>,
    },
    /// Stopped, for now.
    Suspended {
        /// Since when.
        at: DateTime<Utc>,
    },
    /// Over for good.
    Revoked {
        /// Since when.
        at: DateTime<Utc>,
    },
}

impl KeyState {
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
    pub fn state(&self, now: DateTime<Utc>) -> KeyState {
        if let Some(at) = self.revoked_at {
            return KeyState::Revoked { at };
        }
        match (self.expires_at, self.suspended_at.or(self.owner_suspended_at)) {
            (Some(at), _) if now >= at => KeyState::Expired { at },
            (_, Some(at)) => KeyState::Suspended { at },
            (Some(at), None) if at - now <= EXPIRING_SOON => KeyState::ExpiringSoon { at },
            _ => KeyState::Active,
        }
    }
}

impl ApiKey {
    /// Until when a key that was rolled works beside the new one, unless it is suspended; `None` for one that isn't in its
    /// overlap.
    pub fn overlap_until(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.expires_at.filter(|at| self.replaced_by.is_some() && self.revoked_at.is_none() && now < *at)
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

/// Which keys a list shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyFilter {
    /// Those that verify now (those that expire soon among them).
    #[default]
    Active,
    /// Those that verify now, and end within [`EXPIRING_SOON`].
    ExpiringSoon,
    /// Over by time.
    Expired,
    /// Stopped for now.
    Suspended,
    /// Over for good.
    Revoked,
    /// Every one.
    All,
}

impl KeyFilter {
    /// All filters in the order they are offered.
    pub const ALL: [Self; 6] =
        [Self::Active, Self::ExpiringSoon, Self::Expired, Self::Suspended, Self::Revoked, Self::All];

    /// The word in URLs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::ExpiringSoon => "expiring_soon",
            Self::Expired => "expired",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
            Self::All => "all",
        }
    }

    /// The word on the screen.
    pub fn label(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::ExpiringSoon => "Expiring soon",
            Self::Expired => "Expired",
            Self::Suspended => "Suspended",
            Self::Revoked => "Revoked",
            Self::All => "All",
        }
    }

    /// The filter of a URL's word; the default for none or an unknown one.
    pub fn from_query(text: Option<&str>) -> Self {
        Self::ALL.into_iter().find(|filter| Some(filter.as_str()) == text).unwrap_or_default()
    }
}

/// What a list of keys is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeySort {
    /// By name.
    Name,
    /// By time of making.
    #[default]
    Created,
    /// By end; those that never end count as last of all.
    Expires,
    /// By last use; those never used count as first of all.
    LastUsed,
}

impl KeySort {
    /// All columns that sort.
    pub const ALL: [Self; 4] = [Self::Name, Self::Created, Self::Expires, Self::LastUsed];

    /// The word in URLs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Created => "created",
            Self::Expires => "expires",
            Self::LastUsed => "last_used",
        }
    }

    /// The column of a URL's word; the default for none or an unknown one.
    pub fn from_query(text: Option<&str>) -> Self {
        Self::ALL.into_iter().find(|sort| Some(sort.as_str()) == text).unwrap_or_default()
    }
}

/// Which keys, in which order, which page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyQuery {
    /// Part of the name or the beginning of the hint, case folded. Empty: all.
    pub search: String,
    /// By state.
    pub filter: KeyFilter,
    /// By column.
    pub sort: KeySort,
    /// Which way.
    pub direction: Direction,
    /// The page.
    pub page: PageRequest,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

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
            suspended_at: None,
            suspended_by: None,
            suspended_by_owner: false,
            owner_suspended_at: None,
            revoked_at: None,
            revoked_by: None,
            last_used: None,
            last_refused: None,
            revoke_reason: None,
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
    fn revoked_outweighs_everything_and_expired_outweighs_suspended() {
        let at = DateTime::UNIX_EPOCH;
        let now = at + TimeDelta::days(1);
        let both = ApiKey { expires_at: Some(at), suspended_at: Some(at), ..key() };
        assert_eq!(both.state(now), KeyState::Expired { at });
        assert_eq!(ApiKey { revoked_at: Some(at), ..both }.state(now), KeyState::Revoked { at });
    }

    #[test]
    fn a_key_without_expiry_never_expires_and_suspension_stops_it() {
        let far = DateTime::UNIX_EPOCH + TimeDelta::days(365_000);
        assert_eq!(key().state(far), KeyState::Active);
        let suspended = ApiKey { suspended_at: Some(DateTime::UNIX_EPOCH), ..key() };
        assert!(!suspended.state(far).is_good());
    }

    #[test]
    fn printing_an_issued_key_does_not_print_the_token() {
        let issued = IssuedKey { key: key(), token: Secret::new("lku_topsecret") };
        assert!(!format!("{issued:?}").contains("topsecret"));
    }
}

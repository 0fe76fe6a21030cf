//! Queries for lists of keys: filters, order and page.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Direction, OwnerKind, PageRequest};

/// Filters a list of keys by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyFilter {
    /// Keys that work now, including those that expire soon.
    #[default]
    Active,
    /// Keys that work now but expire soon: see [`expires_soon_within`](crate::api_key::key::expires_soon_within).
    /// Includes keys that are being rotated.
    ExpiringSoon,
    /// Expired keys.
    Expired,
    /// Suspended keys.
    Suspended,
    /// Revoked keys.
    Revoked,
    /// Keys in every state.
    All,
}

impl KeyFilter {
    /// All filters, in the order lists offer them.
    pub const ALL: [Self; 6] =
        [Self::Active, Self::ExpiringSoon, Self::Expired, Self::Suspended, Self::Revoked, Self::All];

    /// Returns the code used in URLs.
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

    /// Returns the label shown to users.
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

    /// Returns the filter with the given code from a URL, or the default if the code is missing or unknown.
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
    /// By creation time.
    #[default]
    Created,
    /// By expiry; keys that never expire count as the latest.
    Expires,
    /// By last use; keys that were never used count as the earliest.
    LastUsed,
}

impl KeySort {
    /// All sort columns.
    pub const ALL: [Self; 4] = [Self::Name, Self::Created, Self::Expires, Self::LastUsed];

    /// Returns the code used in URLs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Created => "created",
            Self::Expires => "expires",
            Self::LastUsed => "last_used",
        }
    }

    /// Returns the column with the given code from a URL, or the default if the code is missing or unknown.
    pub fn from_query(text: Option<&str>) -> Self {
        Self::ALL.into_iter().find(|sort| Some(sort.as_str()) == text).unwrap_or_default()
    }
}

/// Selects keys, their order and a page of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyQuery {
    /// A part of the name or the start of the hint, ignoring case. Empty for all keys.
    pub search: String,
    /// The state filter.
    pub filter: KeyFilter,
    /// The sort column.
    pub sort: KeySort,
    /// The sort direction.
    pub direction: Direction,
    /// The page to return.
    pub page: PageRequest,
}

/// Filters the list of the tenant's keys by more than their state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InventoryFilter {
    /// All keys.
    #[default]
    All,
    /// Keys that never expire.
    NeverExpires,
    /// Keys that were created and last used more than 90 days ago.
    Unused,
    /// Keys whose owner or creator no longer belongs to the tenant.
    OwnerGone,
    /// Keys that violate a key policy, in effect or scheduled.
    ViolatesKeyPolicy,
    /// Keys whose token was found where others can read it.
    Exposed,
}

impl InventoryFilter {
    /// All filters, in the order the list offers them.
    pub const ALL: [Self; 6] =
        [Self::All, Self::Exposed, Self::NeverExpires, Self::Unused, Self::OwnerGone, Self::ViolatesKeyPolicy];

    /// Returns the code used in the APIs and in URLs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::NeverExpires => "never_expires",
            Self::Unused => "unused",
            Self::OwnerGone => "owner_gone",
            Self::ViolatesKeyPolicy => "against_policy",
            Self::Exposed => "exposed",
        }
    }

    /// Returns the label shown to users.
    pub fn label(self) -> &'static str {
        match self {
            Self::All => "All",
            Self::NeverExpires => "Never expires",
            Self::Unused => "Unused for 90 days",
            Self::OwnerGone => "Owner or creator left",
            Self::ViolatesKeyPolicy => "Violates policy",
            Self::Exposed => "Exposed",
        }
    }

    /// Returns the filter with the given code; `All` if the code is empty or unknown.
    pub fn from_code(word: &str) -> Self {
        Self::ALL.into_iter().find(|filter| filter.as_str() == word).unwrap_or_default()
    }
}

/// Selects keys that expire after one number of days from now and within another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiryWindow {
    /// The number of days after which the keys expire.
    pub after_days: u16,
    /// The number of days within which the keys expire.
    pub within_days: u16,
}

impl ExpiryWindow {
    /// Creates a window; `None` if it is empty.
    pub fn new(after_days: u16, within_days: u16) -> Option<Self> {
        (after_days < within_days).then_some(Self { after_days, within_days })
    }

    /// Returns the code used in URLs: like `0-30`.
    pub fn code(self) -> String {
        format!("{}-{}", self.after_days, self.within_days)
    }

    /// Returns the window with the given code from a URL; `None` for one that can't be read.
    pub fn from_code(code: &str) -> Option<Self> {
        let (after, within) = code.split_once('-')?;
        Self::new(after.parse().ok()?, within.parse().ok()?)
    }

    /// Returns the instant after which the keys expire, and the last one at which they do.
    pub fn bounds(self, now: DateTime<Utc>) -> (DateTime<Utc>, DateTime<Utc>) {
        (now + TimeDelta::days(self.after_days.into()), now + TimeDelta::days(self.within_days.into()))
    }
}

/// Selects keys in the list of the tenant's keys, in addition to a [`crate::KeyQuery`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryQuery {
    /// The filter.
    pub filter: InventoryFilter,
    /// The kind of owner; both, if `None`.
    pub kind: Option<OwnerKind>,
    /// The id of a user or service account, to return only its keys.
    pub owner: Option<Uuid>,
    /// When the keys expire.
    pub expires: Option<ExpiryWindow>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_read_from_its_code_and_never_empty() {
        let window = ExpiryWindow::new(27, 30).unwrap();
        assert_eq!((window.code().as_str(), ExpiryWindow::from_code("27-30")), ("27-30", Some(window)));
        for wrong in ["", "30", "30-30", "30-27", "-1-3", "0-99999", "0-3-6", "a-b"] {
            assert_eq!(ExpiryWindow::from_code(wrong), None, "{wrong}");
        }
        let (after, within) = window.bounds(DateTime::UNIX_EPOCH);
        assert_eq!((within - after).num_days(), 3);
    }
}

//! Which keys a list shows, in which order, and which page of them.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Direction, OwnerKind, PageRequest};

/// Which keys a list shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyFilter {
    /// Those that verify now (those that expire soon among them).
    #[default]
    Active,
    /// Those that verify now, and end within [`EXPIRING_SOON`].
    ExpiringSoon,
    /// Past their expiry.
    Expired,
    /// Stopped until they are resumed.
    Suspended,
    /// Stopped permanently.
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

/// Which keys an inventory shows, beside their state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InventoryFilter {
    /// All.
    #[default]
    All,
    /// Those that never end.
    NeverExpires,
    /// Those that weren't used in 90 days.
    Unused,
    /// Those whose owner or maker doesn't belong to the tenant any more.
    OwnerGone,
    /// Those that a policy wouldn't let be made today.
    AgainstPolicy,
}

impl InventoryFilter {
    /// All, in the order they are offered.
    pub const ALL: [Self; 5] = [Self::All, Self::NeverExpires, Self::Unused, Self::OwnerGone, Self::AgainstPolicy];

    /// The word on the wire and in URLs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::NeverExpires => "never_expires",
            Self::Unused => "unused",
            Self::OwnerGone => "owner_gone",
            Self::AgainstPolicy => "against_policy",
        }
    }

    /// The word on the screen.
    pub fn label(self) -> &'static str {
        match self {
            Self::All => "Any",
            Self::NeverExpires => "Never expires",
            Self::Unused => "Unused for 90 days",
            Self::OwnerGone => "Owner or maker gone",
            Self::AgainstPolicy => "Against policy",
        }
    }

    /// The filter of a word; all, for none or an unknown one.
    pub fn from_word(word: &str) -> Self {
        Self::ALL.into_iter().find(|filter| filter.as_str() == word).unwrap_or_default()
    }
}

/// What an inventory is asked for, beside a [`crate::KeyQuery`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryQuery {
    /// Which keys.
    pub filter: InventoryFilter,
    /// Of which kind of owner; both, when `None`.
    pub kind: Option<OwnerKind>,
    /// Of one owner alone: a person's or a service account's id.
    pub owner: Option<Uuid>,
}

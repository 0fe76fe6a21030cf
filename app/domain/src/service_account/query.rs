//! Queries for lists of service accounts: filter, order and page.

use serde::{Deserialize, Serialize};

use crate::{Direction, PageRequest};

/// Filters a list of service accounts by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountFilter {
    /// Accounts that aren't deleted, including suspended ones.
    #[default]
    Active,
    /// Deleted accounts.
    Deleted,
    /// All accounts.
    All,
}

impl AccountFilter {
    /// All filters, in the order lists offer them.
    pub const ALL: [Self; 3] = [Self::Active, Self::Deleted, Self::All];

    /// Returns the code used in URLs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Deleted => "deleted",
            Self::All => "all",
        }
    }

    /// Returns the label shown to users.
    pub fn label(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Deleted => "Deleted",
            Self::All => "All",
        }
    }

    /// Returns the filter with the given code from a URL, or the default if the code is missing or unknown.
    pub fn from_query(text: Option<&str>) -> Self {
        Self::ALL.into_iter().find(|filter| Some(filter.as_str()) == text).unwrap_or_default()
    }
}

/// What a list of accounts is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountSort {
    /// By name.
    #[default]
    Name,
    /// By creation time.
    Created,
}

impl AccountSort {
    /// All sort columns.
    pub const ALL: [Self; 2] = [Self::Name, Self::Created];

    /// Returns the code used in URLs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Created => "created",
        }
    }

    /// Returns the column with the given code from a URL, or the default if the code is missing or unknown.
    pub fn from_query(text: Option<&str>) -> Self {
        Self::ALL.into_iter().find(|sort| Some(sort.as_str()) == text).unwrap_or_default()
    }
}

/// Selects service accounts, their order and a page of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountQuery {
    /// A part of the name, ignoring case. Empty for all accounts.
    pub search: String,
    /// The state filter.
    pub filter: AccountFilter,
    /// The sort column.
    pub sort: AccountSort,
    /// The sort direction.
    pub direction: Direction,
    /// The page to return.
    pub page: PageRequest,
}

impl Default for AccountQuery {
    fn default() -> Self {
        Self {
            search: String::new(),
            filter: AccountFilter::default(),
            sort: AccountSort::default(),
            direction: Direction::Asc,
            page: PageRequest::default(),
        }
    }
}

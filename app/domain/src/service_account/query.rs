//! Which service accounts a list shows, in which order, and which page of them.

use serde::{Deserialize, Serialize};

use crate::{Direction, PageRequest};

/// Which accounts a list shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountFilter {
    /// The living ones.
    #[default]
    Active,
    /// History.
    Deleted,
    /// Both.
    All,
}

impl AccountFilter {
    /// All filters in the order they are offered.
    pub const ALL: [Self; 3] = [Self::Active, Self::Deleted, Self::All];

    /// The word in URLs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Deleted => "deleted",
            Self::All => "all",
        }
    }

    /// The word on the screen.
    pub fn label(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Deleted => "Deleted",
            Self::All => "All",
        }
    }

    /// The filter of a URL's word; the default for none or an unknown one.
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
    /// By time of making.
    Created,
}

impl AccountSort {
    /// All columns that sort.
    pub const ALL: [Self; 2] = [Self::Name, Self::Created];

    /// The word in URLs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Created => "created",
        }
    }

    /// The column of a URL's word; the default for none or an unknown one.
    pub fn from_query(text: Option<&str>) -> Self {
        Self::ALL.into_iter().find(|sort| Some(sort.as_str()) == text).unwrap_or_default()
    }
}

/// Which accounts, in which order, which page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountQuery {
    /// Part of the name, case folded. Empty: all.
    pub search: String,
    /// By state.
    pub filter: AccountFilter,
    /// By column.
    pub sort: AccountSort,
    /// Which way.
    pub direction: Direction,
    /// The page.
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

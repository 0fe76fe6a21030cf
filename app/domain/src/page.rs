//! Lists in pages, by keyset: a cursor names the last row seen, so that a page costs the same anywhere in the list.

use serde::{Deserialize, Serialize};

/// The default number of rows on a page.
pub const DEFAULT_LIMIT: u32 = 20;
/// The largest number of rows on a page.
pub const MAX_LIMIT: u32 = 100;

/// An opaque place in a list. What is inside is the storage's business.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(pub String);

/// Which way a list is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Smallest first.
    Asc,
    /// Largest first.
    #[default]
    Desc,
}

impl Direction {
    /// The other way round.
    #[must_use]
    pub fn reversed(self) -> Self {
        match self {
            Self::Asc => Self::Desc,
            Self::Desc => Self::Asc,
        }
    }

    /// `asc` or `desc`, as in URLs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Asc => "asc",
            Self::Desc => "desc",
        }
    }
}

/// Which page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageRequest {
    /// Rows after this place (the next page).
    pub after: Option<Cursor>,
    /// Rows before this place (the previous page). At most one of the two is set.
    pub before: Option<Cursor>,
    /// Rows on the page, 1–[`MAX_LIMIT`].
    pub limit: u32,
}

impl Default for PageRequest {
    fn default() -> Self {
        Self { after: None, before: None, limit: DEFAULT_LIMIT }
    }
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The rows, in the order asked for.
    pub items: Vec<T>,
    /// Where the next page begins, when there is one.
    pub next: Option<Cursor>,
    /// Where the previous page ends, when there is one.
    pub previous: Option<Cursor>,
}

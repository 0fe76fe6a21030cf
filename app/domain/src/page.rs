//! Keyset pagination: a cursor identifies the last row seen, so that every page of a list costs the same.

use serde::{Deserialize, Serialize};

use crate::error::ApiError;

/// The default number of rows on a page.
pub const DEFAULT_LIMIT: u32 = 20;
/// The maximum number of rows on a page.
pub const MAX_LIMIT: u32 = 100;

/// An opaque position in a list. Only the storage layer knows its format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(pub String);

/// The sort direction of a list.
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
    /// Returns the opposite direction.
    #[must_use]
    pub fn reversed(self) -> Self {
        match self {
            Self::Asc => Self::Desc,
            Self::Desc => Self::Asc,
        }
    }

    /// Returns `asc` or `desc`, as used in URLs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Asc => "asc",
            Self::Desc => "desc",
        }
    }
}

/// Selects a page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageRequest {
    /// Start after this position (the next page).
    pub after: Option<Cursor>,
    /// End before this position (the previous page). At most one of `after` and `before` is set.
    pub before: Option<Cursor>,
    /// The maximum number of rows on the page, 1–[`MAX_LIMIT`].
    pub limit: u32,
}

impl PageRequest {
    /// The request of a caller who chooses the page. Without a `limit`, the page has up to [`DEFAULT_LIMIT`] rows.
    ///
    /// # Errors
    /// A field error at `limit` if it isn't 1 to [`MAX_LIMIT`], and at `before` if there is also an `after`.
    pub fn new(after: Option<Cursor>, before: Option<Cursor>, limit: Option<i32>) -> Result<Self, ApiError> {
        let limit = limit.map_or(Ok(DEFAULT_LIMIT), u32::try_from).ok();
        let page = Self { after, before, limit: limit.unwrap_or_default() };
        if page.limit != page.rows() {
            return Err(ApiError::field("limit", format!("Choose 1 to {MAX_LIMIT}.")));
        }
        if page.after.is_some() && page.before.is_some() {
            return Err(ApiError::field("before", "Choose either after or before."));
        }
        Ok(page)
    }

    /// The number of rows to read at most: the limit, or the nearest one that is allowed.
    pub fn rows(&self) -> u32 {
        self.limit.clamp(1, MAX_LIMIT)
    }
}

impl Default for PageRequest {
    fn default() -> Self {
        Self { after: None, before: None, limit: DEFAULT_LIMIT }
    }
}

/// How many rows a list has on all its pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Total {
    /// The number of rows, or a lower limit of it.
    pub count: u32,
    /// Whether the list has exactly that many rows. Counting stops where it would become slow.
    pub is_exact: bool,
}

impl Total {
    /// The most rows that are counted.
    pub const MAX: u32 = 1_000;

    /// Returns the total for a count that stopped after `limit` rows.
    pub fn up_to(limit: u32, counted: u32) -> Self {
        Self { count: counted.min(limit), is_exact: counted <= limit }
    }
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The rows, in the requested order.
    pub items: Vec<T>,
    /// The position after which the next page starts, if there is one.
    pub next: Option<Cursor>,
    /// The position before which the previous page ends, if there is one.
    pub previous: Option<Cursor>,
    /// The number of rows on all pages, for lists that count them.
    #[serde(default)]
    pub total: Option<Total>,
}

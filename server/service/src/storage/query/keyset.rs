//! Keyset pagination: the content of a cursor, and the clauses that all lists share. A page starts after a row value,
//! `(value, id)`.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::{ApiError, Cursor, Direction, Page, PageRequest};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::conditions::{Conditions, Value};
use crate::error::Result;

/// The value of one row that a list is sorted by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum SortValue {
    Number(i64),
    Text(String),
}

/// The position of a row in a list: its sort value and its id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Place(pub SortValue, pub Uuid);

impl Place {
    pub(crate) fn to_cursor(&self) -> Cursor {
        Cursor(BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default()))
    }

    fn from_cursor(cursor: &Cursor, by_text: bool) -> Result<Self> {
        let place = BASE64_URL_SAFE_NO_PAD
            .decode(&cursor.0)
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Self>(&bytes).ok())
            .filter(|place| match &place.0 {
                SortValue::Text(text) => by_text && !text.contains('\0'),
                SortValue::Number(_) => !by_text,
            });
        place.ok_or_else(|| {
            ApiError::field("cursor", "This page link is not valid for this list. Start from the first page.").into()
        })
    }
}

/// Which page of a list to read, and in which direction.
pub(crate) struct Keyset {
    place: Option<Place>,
    backwards: bool,
    limit: u32,
    direction: Direction,
}

impl Keyset {
    /// Parses a page request. `by_text` says whether the list is sorted by text. A cursor that doesn't fit the list
    /// is a field error at `cursor`.
    pub(crate) fn of(page: &PageRequest, direction: Direction, by_text: bool) -> Result<Self> {
        let backwards = page.before.is_some();
        let cursor = page.before.as_ref().or(page.after.as_ref());
        let place = cursor.map(|cursor| Place::from_cursor(cursor, by_text)).transpose()?;
        Ok(Self { place, backwards, limit: page.rows(), direction })
    }

    /// The first page in the same order, with another number of rows. It may be larger than that of a
    /// request.
    pub(crate) fn first(direction: Direction, limit: u32) -> Self {
        Self { place: None, backwards: false, limit, direction }
    }

    fn ascending(&self) -> bool {
        (self.direction == Direction::Asc) != self.backwards
    }

    /// Returns ` AND (value, id) > ($m, $n)` and binds its values. Empty on the first page.
    pub(crate) fn clause(&self, value: &str, id: &str, conditions: &mut Conditions) -> String {
        let Some(Place(at, last)) = &self.place else { return String::new() };
        let sign = self.sign();
        let at = conditions.bind(match at {
            SortValue::Number(number) => Value::Number(*number),
            SortValue::Text(text) => Value::Text(text.clone()),
        });
        let last = conditions.bind(Value::Id(*last));
        format!(" AND ({value}, {id}) {sign} ({at}, {last})")
    }

    /// Returns `ORDER BY … LIMIT …`, with one more row than the page, to see whether there is a next page.
    pub(crate) fn order(&self, value: &str, id: &str) -> String {
        self.order_up_to(value, id, self.wanted())
    }

    /// Returns `ORDER BY … LIMIT …` for at most `most` rows.
    pub(crate) fn order_up_to(&self, value: &str, id: &str, most: u32) -> String {
        let word = self.word();
        format!(" ORDER BY {value} {word}, {id} {word} LIMIT {most}")
    }

    /// The number of rows to read: a full page and one more, to see whether there is a next page.
    pub(crate) fn wanted(&self) -> u32 {
        self.limit + 1
    }

    /// Like [`Keyset::clause`], for lists in which ids have the same order as the sort values.
    pub(crate) fn clause_by_id(&self, id: &str, conditions: &mut Conditions) -> String {
        let Some(Place(_, last)) = &self.place else { return String::new() };
        format!(" AND {id} {} {}", self.sign(), conditions.bind(Value::Id(*last)))
    }

    /// Like [`Keyset::order`], for a unique column that has the same order as the sort values.
    pub(crate) fn order_by_unique(&self, id: &str) -> String {
        format!(" ORDER BY {id} {} LIMIT {}", self.word(), self.wanted())
    }

    fn sign(&self) -> char {
        if self.ascending() { '>' } else { '<' }
    }

    fn word(&self) -> &'static str {
        if self.ascending() { "ASC" } else { "DESC" }
    }

    /// Selects from all rows those that a statement with [`Keyset::clause`] and [`Keyset::order`] would return.
    pub(crate) fn pick<R>(&self, mut rows: Vec<R>, position_of: impl Fn(&R) -> Place) -> Vec<R> {
        if let Some(place) = &self.place {
            let ascending = self.ascending();
            rows.retain(|row| if ascending { position_of(row) > *place } else { position_of(row) < *place });
        }
        rows.sort_by_cached_key(&position_of);
        if !self.ascending() {
            rows.reverse();
        }
        rows.truncate(self.wanted() as usize);
        rows
    }

    /// Builds a page from the rows that were read.
    pub(crate) fn page<R, T>(
        &self,
        mut rows: Vec<R>,
        position_of: impl Fn(&R) -> Place,
        convert: impl Fn(R) -> T,
    ) -> Page<T> {
        let limit = self.limit as usize;
        let more = rows.len() > limit;
        rows.truncate(limit);
        if self.backwards {
            rows.reverse();
        }
        let first = rows.first().map(|row| position_of(row).to_cursor());
        let last = rows.last().map(|row| position_of(row).to_cursor());
        let has_previous = if self.backwards { more } else { self.place.is_some() };
        let has_next = if self.backwards { true } else { more };
        Page {
            items: rows.into_iter().map(convert).collect(),
            next: last.filter(|_| has_next),
            previous: first.filter(|_| has_previous),
            total: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_of_another_kind_of_list_is_a_clear_error() {
        let cursor = Place(SortValue::Number(5), Uuid::nil()).to_cursor();
        let page = PageRequest { after: Some(cursor), ..PageRequest::default() };
        assert!(Keyset::of(&page, Direction::Asc, false).is_ok());
        assert!(Keyset::of(&page, Direction::Asc, true).is_err());
        let garbage = PageRequest { after: Some(Cursor("%%%".to_owned())), ..PageRequest::default() };
        assert!(Keyset::of(&garbage, Direction::Asc, true).is_err());
    }
}

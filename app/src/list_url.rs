//! Lists in the URL: filter, search, order and page stand there, so that a link shows the same list.

use domain::{AccountFilter, AccountQuery, AccountSort, Cursor, Direction, KeyFilter, KeyQuery, KeySort, PageRequest};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The parameters of a list's URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListParams {
    /// `q`.
    pub search: Option<String>,
    /// `state`.
    pub state: Option<String>,
    /// `sort`.
    pub sort: Option<String>,
    /// `dir`.
    pub direction: Option<String>,
    /// `after`.
    pub after: Option<String>,
    /// `before`.
    pub before: Option<String>,
}

impl ListParams {
    fn page(&self) -> PageRequest {
        let cursor = |text: &Option<String>| text.clone().filter(|text| !text.is_empty()).map(Cursor);
        let before = cursor(&self.before);
        let after = cursor(&self.after).filter(|_| before.is_none());
        PageRequest { after, before, ..PageRequest::default() }
    }

    fn direction(&self, default: Direction) -> Direction {
        match self.direction.as_deref() {
            Some("asc") => Direction::Asc,
            Some("desc") => Direction::Desc,
            _ => default,
        }
    }

    /// As a list of keys. Unknown words mean the default.
    pub fn to_keys(&self) -> KeyQuery {
        KeyQuery {
            search: self.search.clone().unwrap_or_default(),
            filter: KeyFilter::from_query(self.state.as_deref()),
            sort: KeySort::from_query(self.sort.as_deref()),
            direction: self.direction(Direction::Desc),
            page: self.page(),
        }
    }

    /// As a list of service accounts. Unknown words mean the default.
    pub fn to_accounts(&self) -> AccountQuery {
        AccountQuery {
            search: self.search.clone().unwrap_or_default(),
            filter: AccountFilter::from_query(self.state.as_deref()),
            sort: AccountSort::from_query(self.sort.as_deref()),
            direction: self.direction(Direction::Asc),
            page: self.page(),
        }
    }
}

/// What is chosen on a list, as words: the common shape of both kinds of list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListChoice {
    /// The list's own path.
    pub path: String,
    /// What is searched for.
    pub search: String,
    /// The state's word.
    pub state: String,
    /// The column's word.
    pub sort: String,
    /// The direction.
    pub direction: Direction,
}

impl ListChoice {
    /// Of a list of keys.
    pub fn of_keys(path: impl Into<String>, query: &KeyQuery) -> Self {
        Self {
            path: path.into(),
            search: query.search.clone(),
            state: query.filter.as_str().to_owned(),
            sort: query.sort.as_str().to_owned(),
            direction: query.direction,
        }
    }

    /// Of a list of service accounts.
    pub fn of_accounts(path: impl Into<String>, query: &AccountQuery) -> Self {
        Self {
            path: path.into(),
            search: query.search.clone(),
            state: query.filter.as_str().to_owned(),
            sort: query.sort.as_str().to_owned(),
            direction: query.direction,
        }
    }

    /// The first page, in another state.
    pub fn with_state(&self, state: &str) -> String {
        Self { state: state.to_owned(), ..self.clone() }.url("", "")
    }

    /// The first page, sorted by a column; the other way round, if it is sorted by that already.
    pub fn with_sort(&self, sort: &str) -> String {
        let direction = if self.sort == sort { self.direction.reversed() } else { Direction::Asc };
        Self { sort: sort.to_owned(), direction, ..self.clone() }.url("", "")
    }

    /// Another page.
    pub fn with_page(&self, name: &str, cursor: &Cursor) -> String {
        self.url(name, &cursor.0)
    }

    /// What a screen reader says of a column.
    pub fn aria_sort(&self, sort: &str) -> Option<&'static str> {
        (self.sort == sort).then_some(match self.direction {
            Direction::Asc => "ascending",
            Direction::Desc => "descending",
        })
    }

    fn url(&self, page: &str, cursor: &str) -> String {
        let pairs = [
            ("q", self.search.as_str()),
            ("state", self.state.as_str()),
            ("sort", self.sort.as_str()),
            ("dir", self.direction.as_str()),
            (page, cursor),
        ];
        let filled = pairs.iter().filter(|(name, value)| !name.is_empty() && !value.is_empty());
        let query: Vec<_> = filled.map(|(name, value)| format!("{name}={}", encode(value))).collect();
        format!("{}?{}", self.path, query.join("&"))
    }
}

/// What stays as it is in a query's value: RFC 3986 §2.3 (unreserved), and `/`, which §3.4 allows there.
const QUERY_VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Percent-encodes a text for a query's value.
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, QUERY_VALUE).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_keeps_the_choice_and_changes_one_thing() {
        let choice =
            ListChoice::of_keys("/user/api-keys", &KeyQuery { search: "a&b ü".to_owned(), ..KeyQuery::default() });
        assert_eq!(choice.with_state("all"), "/user/api-keys?q=a%26b%20%C3%BC&state=all&sort=created&dir=desc");
        assert_eq!(choice.with_sort("created"), "/user/api-keys?q=a%26b%20%C3%BC&state=active&sort=created&dir=asc");
        assert_eq!(choice.with_sort("name"), "/user/api-keys?q=a%26b%20%C3%BC&state=active&sort=name&dir=asc");
        assert_eq!(choice.aria_sort("created"), Some("descending"));
        assert_eq!(choice.aria_sort("name"), None);
    }

    #[test]
    fn unknown_words_mean_the_default_and_only_one_cursor_counts() {
        let params = ListParams {
            state: Some("x".into()),
            after: Some("a".into()),
            before: Some("b".into()),
            ..ListParams::default()
        };
        let query = params.to_keys();
        assert_eq!(query.filter, KeyFilter::Active);
        assert_eq!((query.page.after, query.page.before), (None, Some(Cursor("b".to_owned()))));
    }
}

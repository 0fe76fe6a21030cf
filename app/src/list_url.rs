//! The state of a list in its URL: filter, search, order and page, so that a link shows the same list.

use chrono::{DateTime, Days, NaiveDate, Utc};
use domain::{
    AccountFilter, AccountQuery, AccountSort, ApiError, AuditQuery, Cursor, Direction, FieldError, KeyFilter, KeyQuery,
    KeySort, MemberQuery, PageRequest, Role, audit, time::parse_instant,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::words::audit as words;

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
    /// `size`: one of [`PAGE_SIZES`].
    pub size: Option<String>,
}

/// The numbers of rows on a page that lists offer. The first is the default.
pub const PAGE_SIZES: [u32; 3] = [20, 50, 100];

impl ListParams {
    fn page(&self) -> PageRequest {
        let cursor = |text: &Option<String>| text.clone().filter(|text| !text.is_empty()).map(Cursor);
        let before = cursor(&self.before);
        let after = cursor(&self.after).filter(|_| before.is_none());
        let size = self.size.as_ref().and_then(|text| text.parse().ok());
        let limit = size.filter(|size| PAGE_SIZES.contains(size)).unwrap_or(PAGE_SIZES[0]);
        PageRequest { after, before, limit }
    }

    fn direction(&self, default: Direction) -> Direction {
        match self.direction.as_deref() {
            Some("asc") => Direction::Asc,
            Some("desc") => Direction::Desc,
            _ => default,
        }
    }

    /// The query for a list of keys. Unknown values select the default.
    pub fn to_keys(&self) -> KeyQuery {
        KeyQuery {
            search: self.search.clone().unwrap_or_default(),
            filter: KeyFilter::from_query(self.state.as_deref()),
            sort: KeySort::from_query(self.sort.as_deref()),
            direction: self.direction(Direction::Desc),
            page: self.page(),
        }
    }

    /// The query for a list of service accounts. Unknown values select the default.
    pub fn to_accounts(&self) -> AccountQuery {
        AccountQuery {
            search: self.search.clone().unwrap_or_default(),
            filter: AccountFilter::from_query(self.state.as_deref()),
            sort: AccountSort::from_query(self.sort.as_deref()),
            direction: self.direction(Direction::Asc),
            page: self.page(),
        }
    }

    /// The query for a list of members. The state is a role's code; an unknown one selects all roles.
    pub fn to_members(&self) -> MemberQuery {
        MemberQuery {
            search: self.search.clone().unwrap_or_default(),
            role: self.state.as_deref().and_then(|word| word.parse().ok()),
            page: self.page(),
        }
    }
}

/// The parameters of the audit log's URL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct AuditParams {
    /// The actor's id or a part of their name.
    pub actor: String,
    /// The code of an operation.
    pub operation: String,
    /// `done` or `refused`.
    pub result: String,
    /// The id of a key, a service account or a person.
    pub about: String,
    /// The code of a [`Period`], which counts instead of `from` and `until`; `all` for no limit, and empty or `custom`
    /// for those two.
    pub period: String,
    /// The first day in UTC, or an RFC 3339 timestamp.
    pub from: String,
    /// The last day in UTC, inclusive; or an RFC 3339 timestamp, exclusive.
    pub until: String,
    /// The cursor after which the page starts; empty for none.
    pub after: String,
    /// The cursor before which the page ends; empty for none.
    pub before: String,
}

/// A period up to now, as a choice of the audit log's filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// The past 24 hours.
    Day,
    /// The past 7 days.
    Week,
    /// The past 30 days.
    Month,
}

impl Period {
    /// All periods, in the order of the filter.
    pub const ALL: [Self; 3] = [Self::Day, Self::Week, Self::Month];

    /// The code in the URL.
    pub fn code(self) -> &'static str {
        match self {
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
        }
    }

    /// The label of the choice.
    pub fn label(self) -> &'static str {
        match self {
            Self::Day => words::day_period(),
            Self::Week => words::week_period(),
            Self::Month => words::month_period(),
        }
    }

    /// The period with a code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|period| period.code() == code)
    }

    fn start(self, now: DateTime<Utc>) -> DateTime<Utc> {
        let days = match self {
            Self::Day => 1,
            Self::Week => 7,
            Self::Month => 30,
        };
        now.checked_sub_days(Days::new(days)).unwrap_or(DateTime::UNIX_EPOCH)
    }
}

impl AuditParams {
    /// The parameters in their shortest form: a period other than the days `from` and `until` removes those.
    #[must_use]
    pub fn normalized(self) -> Self {
        match self.period.as_str() {
            "" => self,
            "custom" => Self { period: String::new(), ..self },
            "all" => Self { period: String::new(), from: String::new(), until: String::new(), ..self },
            _ => Self { from: String::new(), until: String::new(), ..self },
        }
    }

    /// The query with these parameters at `now`.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` with those of the fields `result`, `about`, `period`, `from` and `until` that can't be parsed.
    /// They aren't ignored, because then the list would show entries that don't match the filter.
    pub fn to_query(&self, now: DateTime<Utc>) -> Result<AuditQuery, ApiError> {
        let this = self.clone().normalized();
        this.query(now)
    }

    fn query(&self, now: DateTime<Utc>) -> Result<AuditQuery, ApiError> {
        let cursor = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty()).map(Cursor);
        let before = cursor(&self.before);
        let page = PageRequest { after: cursor(&self.after).filter(|_| before.is_none()), before, limit: 50 };
        let (outcome, subject) = (audit::Outcome::from_code(&self.result), self.about.trim().parse().ok());
        let (from, until) = (instant(&self.from, 0), instant(&self.until, 1));
        let period = Period::from_code(&self.period);
        let read = [
            ("result", &self.result, outcome.is_some(), words::wrong_outcome()),
            ("about", &self.about, subject.is_some(), words::wrong_resource()),
            ("period", &self.period, period.is_some(), words::wrong_period()),
            ("from", &self.from, from.is_some(), words::wrong_first_day()),
            ("until", &self.until, until.is_some(), words::wrong_last_day()),
        ];
        let wrong = read.into_iter().filter(|(_, text, is_read, _)| !text.trim().is_empty() && !is_read);
        let wrong: Vec<_> = wrong
            .map(|(field, _, _, message)| FieldError { field: field.to_owned(), message: message.to_owned() })
            .collect();
        if !wrong.is_empty() {
            return Err(ApiError::fields(wrong));
        }
        let (actor, operation) = (self.actor.clone(), self.operation.clone());
        let from = period.map(|period| period.start(now)).or(from);
        Ok(AuditQuery { actor, operation, outcome, subject, from, until, page })
    }

    /// `path` with these parameters: the first page, or the one with the given cursor parameter.
    pub fn url(&self, path: &str, page: Option<(&str, &Cursor)>) -> String {
        let pairs = [
            ("actor", self.actor.as_str()),
            ("operation", &self.operation),
            ("result", &self.result),
            ("about", &self.about),
            ("period", &self.period),
            ("from", &self.from),
            ("until", &self.until),
            page.map_or(("", ""), |(name, cursor)| (name, cursor.0.as_str())),
        ];
        let query: Vec<_> = pairs
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name}={}", encode(value)))
            .collect();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
    }
}

/// Parses a day, which becomes the start of the day `later` days after it, or an RFC 3339 timestamp.
fn instant(text: &str, later: u64) -> Option<DateTime<Utc>> {
    if let Ok(day) = text.trim().parse::<NaiveDate>() {
        return Some(day.checked_add_days(Days::new(later))?.and_hms_opt(0, 0, 0)?.and_utc());
    }
    parse_instant(text)
}

/// The parameters of a list as strings, in a form that is common to all lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListChoice {
    /// The path of the list.
    pub path: String,
    /// The search text; empty for none.
    pub search: String,
    /// The code of the filter by state.
    pub state: String,
    /// The code of the column that the list is sorted by.
    pub sort: String,
    /// The direction of the order.
    pub direction: Direction,
    /// The number of rows on a page.
    pub size: u32,
    /// Name and value of further parameters.
    pub extra: Vec<(&'static str, String)>,
}

impl ListChoice {
    /// Adds further parameters.
    #[must_use]
    pub fn with_extra(self, extra: Vec<(&'static str, String)>) -> Self {
        Self { extra, ..self }
    }

    /// The URL of the first page with another value for one of the further parameters.
    pub fn with_other(&self, name: &str, value: &str) -> String {
        let other = |(own, chosen): &(&'static str, String)| {
            (*own, if *own == name { value.to_owned() } else { chosen.clone() })
        };
        Self { extra: self.extra.iter().map(other).collect(), ..self.clone() }.url("", "")
    }

    /// The parameters of a list of keys.
    pub fn of_keys(path: impl Into<String>, query: &KeyQuery) -> Self {
        Self {
            path: path.into(),
            search: query.search.clone(),
            state: query.filter.as_str().to_owned(),
            sort: query.sort.as_str().to_owned(),
            direction: query.direction,
            size: query.page.limit,
            extra: Vec::new(),
        }
    }

    /// The parameters of a list of service accounts.
    pub fn of_accounts(path: impl Into<String>, query: &AccountQuery) -> Self {
        Self {
            path: path.into(),
            search: query.search.clone(),
            state: query.filter.as_str().to_owned(),
            sort: query.sort.as_str().to_owned(),
            direction: query.direction,
            size: query.page.limit,
            extra: Vec::new(),
        }
    }

    /// The parameters of the list of members, whose order is fixed.
    pub fn of_members(path: impl Into<String>, query: &MemberQuery) -> Self {
        Self {
            path: path.into(),
            search: query.search.clone(),
            state: query.role.map_or("all", Role::as_str).to_owned(),
            sort: String::new(),
            direction: Direction::Asc,
            size: query.page.limit,
            extra: Vec::new(),
        }
    }

    /// The URL of the first page in another state.
    pub fn with_state(&self, state: &str) -> String {
        Self { state: state.to_owned(), ..self.clone() }.url("", "")
    }

    /// The URL of the first page without search and filters, in the same order.
    pub fn cleared(&self, default_state: &str) -> String {
        let extra = self.extra.iter().map(|(name, _)| (*name, String::new())).collect();
        Self { search: String::new(), state: default_state.to_owned(), extra, ..self.clone() }.url("", "")
    }

    /// The URL of the first page with another number of rows.
    pub fn with_size(&self, size: u32) -> String {
        Self { size, ..self.clone() }.url("", "")
    }

    /// The URL of the first page sorted by a column, in the reverse direction if it is already sorted by it. Past times
    /// are first sorted with the latest at the top, which is what people look for.
    pub fn with_sort(&self, sort: &str) -> String {
        let first = if ["created", "last_used"].contains(&sort) { Direction::Desc } else { Direction::Asc };
        let direction = if self.sort == sort { self.direction.reversed() } else { first };
        Self { sort: sort.to_owned(), direction, ..self.clone() }.url("", "")
    }

    /// The URL of the page with a cursor. `name`: `after` or `before`.
    pub fn with_page(&self, name: &str, cursor: &Cursor) -> String {
        self.url(name, &cursor.0)
    }

    /// The value of a column's `aria-sort` attribute.
    pub fn aria_sort(&self, sort: &str) -> Option<&'static str> {
        (self.sort == sort).then_some(match self.direction {
            Direction::Asc => "ascending",
            Direction::Desc => "descending",
        })
    }

    fn url(&self, page: &str, cursor: &str) -> String {
        let size = if self.size == PAGE_SIZES[0] { String::new() } else { self.size.to_string() };
        let mut pairs = vec![
            ("q", self.search.as_str()),
            ("state", self.state.as_str()),
            ("sort", self.sort.as_str()),
            ("dir", self.direction.as_str()),
            ("size", &size),
            (page, cursor),
        ];
        pairs.extend(self.extra.iter().map(|(name, value)| (*name, value.as_str())));
        let filled = pairs.iter().filter(|(name, value)| !name.is_empty() && !value.is_empty());
        let query: Vec<_> = filled.map(|(name, value)| format!("{name}={}", encode(value))).collect();
        format!("{}?{}", self.path, query.join("&"))
    }
}

/// Whether a text is a path of this site. Checked before a redirect, so that it can't lead to another site (CWE-601).
pub fn is_own_path(text: &str) -> bool {
    text.starts_with('/')
        && !text.starts_with("//")
        && !text.chars().any(|c| c == '\\' || c.is_control() || c.is_whitespace())
}

/// `came_from` if it is the list at `path` with its parameters, otherwise `path`.
pub fn back_to_list<'a>(path: &'a str, came_from: &'a str) -> &'a str {
    let is_list = is_own_path(came_from) && came_from.strip_prefix(path).is_some_and(|rest| rest.starts_with('?'));
    if is_list { came_from } else { path }
}

/// The characters that aren't encoded in a query's value: the unreserved ones of RFC 3986 §2.3, and `/`, which §3.4
/// allows.
const QUERY_VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Percent-encodes a text for use as a value in a query.
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
        assert_eq!(
            choice.with_sort("last_used"),
            "/user/api-keys?q=a%26b%20%C3%BC&state=active&sort=last_used&dir=desc"
        );
        assert_eq!(choice.with_size(50), "/user/api-keys?q=a%26b%20%C3%BC&state=active&sort=created&dir=desc&size=50");
        assert_eq!(choice.cleared("active"), "/user/api-keys?state=active&sort=created&dir=desc");
        assert_eq!(choice.with_sort("name"), "/user/api-keys?q=a%26b%20%C3%BC&state=active&sort=name&dir=asc");
        assert_eq!(choice.aria_sort("created"), Some("descending"));
        assert_eq!(choice.aria_sort("name"), None);
    }

    #[test]
    fn back_leads_only_to_the_list_itself() {
        let back = |came_from| back_to_list("/team/keys", came_from).to_owned();
        assert_eq!(back("/team/keys?q=a%26b&state=all"), "/team/keys?q=a%26b&state=all");
        for other in [
            "",
            "/team/keys",
            "/team/keys/bulk?act=revoke",
            "/team/keysmith?q=a",
            "/team/settings",
            "//evil.example/team/keys?q=a",
            "https://evil.example/team/keys?q=a",
            "/team/keys?q=a\r\nb",
        ] {
            assert_eq!(back(other), "/team/keys", "{other}");
        }
    }

    #[test]
    fn a_day_of_the_audit_log_ends_where_the_next_begins() {
        let params = AuditParams { from: "2027-01-31".into(), until: "2027-01-31".into(), ..AuditParams::default() };
        let query = params.to_query(DateTime::UNIX_EPOCH).unwrap();
        assert_eq!(query.from.unwrap().to_rfc3339(), "2027-01-31T00:00:00+00:00");
        assert_eq!(query.until.unwrap().to_rfc3339(), "2027-02-01T00:00:00+00:00");
        assert_eq!(params.url("/x", None), "/x?from=2027-01-31&until=2027-01-31");
        assert_eq!(instant("yesterday", 0), None);
    }

    #[test]
    fn a_filter_of_the_audit_log_that_cannot_be_read_is_named() {
        let wrong = AuditParams {
            result: "Done".into(),
            about: "typo".into(),
            from: "2027-13-01".into(),
            until: " ".into(),
            ..AuditParams::default()
        };
        let fields = wrong.to_query(DateTime::UNIX_EPOCH).unwrap_err().fields;
        assert_eq!(fields.iter().map(|error| error.field.as_str()).collect::<Vec<_>>(), ["result", "about", "from"]);
        assert!(AuditParams::default().to_query(DateTime::UNIX_EPOCH).is_ok());
    }

    #[test]
    fn a_period_of_the_audit_log_counts_from_now_and_replaces_the_days() {
        let now = DateTime::UNIX_EPOCH + chrono::TimeDelta::days(40);
        let of = |period: &str| AuditParams {
            period: period.into(),
            from: "1970-01-05".into(),
            until: "1970-01-06".into(),
            ..AuditParams::default()
        };
        let days = |period: &str| {
            let query = of(period).to_query(now).unwrap();
            [query.from, query.until].map(|at| at.map(|at| (at - DateTime::UNIX_EPOCH).num_days()))
        };
        assert_eq!(days("24h"), [Some(39), None]);
        assert_eq!(days("30d"), [Some(10), None]);
        assert_eq!(days("all"), [None, None]);
        assert_eq!(days("custom"), [Some(4), Some(6)]);
        assert_eq!(of("7d").normalized().url("/x", None), "/x?period=7d");
        assert_eq!(of("custom").normalized().url("/x", None), "/x?from=1970-01-05&until=1970-01-06");
        assert_eq!(of("year").to_query(now).unwrap_err().fields[0].field, "period");
    }

    #[test]
    fn other_choices_are_kept_and_changed_one_by_one() {
        let choice = ListChoice::of_keys("/team/keys", &KeyQuery::default())
            .with_extra(vec![("kind", "user".to_owned()), ("show", String::new())]);
        assert_eq!(choice.with_state("all"), "/team/keys?state=all&sort=created&dir=desc&kind=user");
        assert_eq!(
            choice.with_other("show", "unused"),
            "/team/keys?state=active&sort=created&dir=desc&kind=user&show=unused"
        );
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

//! Usage of keys: by which clients, from where and how often, by hour and by day.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{AgentId, KeyRefusal, Name, Scope, ScopeGrant, ScopeSet, scope::MAX_SCOPES};

/// How long hourly counts are kept, and clients after they were last seen.
pub const KEPT_FOR: TimeDelta = TimeDelta::days(90);

/// A client of a key, identified by its IP address, its `User-Agent` and, for an agent, the agent's id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyClient {
    /// The IP address, if known.
    pub address: Option<String>,
    /// The `User-Agent`, cut to 200 characters.
    pub user_agent: Option<String>,
    /// The agent id that the client claims.
    pub agent_id: Option<AgentId>,
    /// The agent's name, if `agent_id` is an agent that uses the key.
    pub agent_name: Option<Name>,
    /// When the client first sent the key.
    pub first_seen_at: DateTime<Utc>,
    /// When a request was last accepted.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When a request was last rejected.
    pub last_refused_at: Option<DateTime<Utc>>,
    /// The number of accepted requests.
    pub use_count: u64,
    /// The number of rejected requests.
    pub refusals: u64,
}

/// The usage of a key in one hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HourCount {
    /// The start of the hour.
    pub hour: DateTime<Utc>,
    /// The number of accepted requests.
    pub use_count: u64,
    /// The number of rejected requests.
    pub refusals: u64,
}

/// The usage of a key, or of several keys, on one day in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayCount {
    /// The start of the day.
    pub day: DateTime<Utc>,
    /// The number of accepted requests.
    pub use_count: u64,
    /// The number of rejected requests.
    pub refusals: u64,
}

/// The requests of one client that demanded one scope of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeUse {
    /// The demanded scope.
    pub scope: Scope,
    /// The client's IP address, if known.
    pub address: Option<String>,
    /// The client's `User-Agent`, cut to 200 characters.
    pub user_agent: Option<String>,
    /// When the key last had the scope.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When the key last lacked it.
    pub last_refused_at: Option<DateTime<Utc>>,
    /// How often the key had the scope.
    pub use_count: u64,
    /// How often the key lacked it.
    pub refusals: u64,
}

/// Returns the scopes that were used, as far as one key can hold them.
pub fn used_scopes(demands: &[ScopeUse]) -> ScopeSet {
    let accepted = demands.iter().filter(|one| one.last_used_at.is_some());
    let mut scopes: Vec<_> = accepted.map(|one| one.scope.clone()).collect();
    scopes.sort_unstable();
    scopes.dedup();
    scopes.truncate(MAX_SCOPES);
    ScopeSet::new(scopes).unwrap_or_default()
}

/// Returns the uses that a key with other scopes would have refused.
pub fn refused_with<'a>(demands: &'a [ScopeUse], scopes: &'a ScopeGrant) -> impl Iterator<Item = &'a ScopeUse> {
    demands.iter().filter(|one| one.last_used_at.is_some() && !scopes.holds(&one.scope))
}

/// The usage of a key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// The clients, most recently seen first; at most 100.
    pub clients: Vec<KeyClient>,
    /// The hours of the last [`KEPT_FOR`] in which the key was used or rejected, earliest first.
    pub hours: Vec<HourCount>,
    /// The requests of the last [`KEPT_FOR`] that demanded a scope, most recent first.
    pub scopes: Vec<ScopeUse>,
    /// The rejected requests of the last [`KEPT_FOR`], most recent first; at most
    /// [`MAX_REFUSALS`](crate::refusal::MAX_REFUSALS).
    pub refusals: Vec<KeyRefusal>,
}

impl Usage {
    /// Returns the counts of each of the last `hours` hours, earliest first. The last one is the current hour.
    pub fn by_hour(&self, hours: u32, now: DateTime<Utc>) -> Vec<HourCount> {
        let current = start_of(HOUR, now);
        let empty = |back: u32| HourCount { hour: current - HOUR * back.cast_signed(), use_count: 0, refusals: 0 };
        let mut counts: Vec<_> = (0..hours).rev().map(empty).collect();
        for hour in &self.hours {
            if let Ok(at) = counts.binary_search_by_key(&hour.hour, |count| count.hour) {
                counts[at] = *hour;
            }
        }
        counts
    }

    /// Returns what used the key at or after an instant.
    pub fn since(&self, at: DateTime<Utc>) -> UsageSince {
        let (from, mut since) = (start_of(HOUR, at), UsageSince::default());
        for hour in self.hours.iter().filter(|hour| hour.hour >= from) {
            since.use_count += hour.use_count;
            since.refusals += hour.refusals;
        }
        let is_since = |seen: Option<DateTime<Utc>>| seen.is_some_and(|seen| seen >= at);
        let clients = self.clients.iter().filter(|one| is_since(one.last_used_at) || is_since(one.last_refused_at));
        since.clients = clients.cloned().collect();
        let mut addresses: Vec<_> = since.clients.iter().filter_map(|one| one.address.as_deref()).collect();
        addresses.sort_unstable();
        addresses.dedup();
        since.addresses = addresses.len();
        since
    }

    /// Returns the counts of each of the last `days` days in UTC, earliest first. The last one is today.
    pub fn by_day(&self, days: u32, now: DateTime<Utc>) -> Vec<DayCount> {
        let of_day = |hour: &HourCount| DayCount {
            day: start_of(DAY, hour.hour),
            use_count: hour.use_count,
            refusals: hour.refusals,
        };
        each_day(self.hours.iter().map(of_day), days, now)
    }
}

/// The usage of a key since an instant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageSince {
    /// The clients that were seen since then, most recently seen first. Their own counts are older, too.
    pub clients: Vec<KeyClient>,
    /// The number of addresses of these clients.
    pub addresses: usize,
    /// The accepted requests, from the start of the instant's hour on.
    pub use_count: u64,
    /// The rejected requests, from the start of the instant's hour on.
    pub refusals: u64,
}

const HOUR: TimeDelta = TimeDelta::hours(1);
const DAY: TimeDelta = TimeDelta::days(1);

/// Returns the start of the hour or the day in UTC that contains `at`.
fn start_of(length: TimeDelta, at: DateTime<Utc>) -> DateTime<Utc> {
    let since_start = at.timestamp().rem_euclid(length.num_seconds());
    DateTime::from_timestamp(at.timestamp() - since_start, 0).unwrap_or(at)
}

/// Returns one count for each of the last `days` days in UTC, earliest first, the last one being today. Adds up the
/// given counts, each of which starts at midnight in UTC, and leaves out those of other days.
pub fn each_day(counts: impl IntoIterator<Item = DayCount>, days: u32, now: DateTime<Utc>) -> Vec<DayCount> {
    let today = start_of(DAY, now);
    let empty = |back: u32| DayCount { day: today - DAY * back.cast_signed(), use_count: 0, refusals: 0 };
    let mut sums: Vec<_> = (0..days).rev().map(empty).collect();
    for count in counts {
        if let Ok(at) = sums.binary_search_by_key(&count.day, |sum| sum.day) {
            sums[at].use_count += count.use_count;
            sums[at].refusals += count.refusals;
        }
    }
    sums
}

/// Returns a number with separators between the thousands, like "12,345".
pub fn number_text(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The usage in the past 24 hours: what would stop working if the keys were stopped now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recent {
    /// When a request was last accepted, even if that is longer ago.
    pub last_used_at: Option<DateTime<Utc>>,
    /// The number of keys used.
    pub keys: u32,
    /// The number of IP addresses that used them.
    pub addresses: u32,
    /// The number of agents that used them.
    pub agents: u32,
}

impl Recent {
    /// Returns a phrase like "by 3 agents from 2 IP addresses", or `None` if neither is known for the past 24 hours.
    pub fn text(&self) -> Option<String> {
        let count =
            |number: u32, word: &str| format!("{number} {word}{}", if number == 1 { "" } else { word_end(word) });
        let from = (self.addresses > 0).then(|| format!("from {}", count(self.addresses, "IP address")));
        let by = (self.agents > 0).then(|| format!("by {}", count(self.agents, "agent")));
        let words: Vec<_> = [by, from].into_iter().flatten().collect();
        (!words.is_empty()).then(|| words.join(" "))
    }
}

fn word_end(word: &str) -> &'static str {
    if word.ends_with('s') { "es" } else { "s" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_calendar_days_in_utc_and_every_day_is_there() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(100) + TimeDelta::minutes(90);
        let hour = |back| HourCount { hour: start_of(HOUR, now) - TimeDelta::hours(back), use_count: 2, refusals: 1 };
        let usage = Usage { hours: vec![hour(90 * 24), hour(26), hour(25), hour(2), hour(1)], ..Usage::default() };
        let days = usage.by_day(90, now);
        let counts = |back: usize| (days[89 - back].use_count, days[89 - back].refusals);
        assert_eq!((days.len(), counts(0), counts(1), counts(2), counts(89)), (90, (2, 1), (4, 2), (2, 1), (0, 0)));
        assert_eq!(days[89].day, DateTime::UNIX_EPOCH + TimeDelta::days(100));
        assert!(usage.by_day(0, now).is_empty());
    }

    #[test]
    fn usage_since_an_instant_has_its_clients_and_whole_hours() {
        let at = DateTime::UNIX_EPOCH + TimeDelta::minutes(90);
        let client = |address: &str, used: Option<i64>, refused: Option<i64>| KeyClient {
            address: Some(address.to_owned()),
            user_agent: None,
            agent_id: None,
            agent_name: None,
            first_seen_at: DateTime::UNIX_EPOCH,
            last_used_at: used.map(|minutes| DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)),
            last_refused_at: refused.map(|minutes| DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)),
            use_count: 1,
            refusals: 1,
        };
        let hour =
            |hour, use_count| HourCount { hour: DateTime::UNIX_EPOCH + TimeDelta::hours(hour), use_count, refusals: 1 };
        let usage = Usage {
            clients: vec![client("b", Some(90), None), client("a", Some(89), None), client("b", None, Some(100))],
            hours: vec![hour(0, 1), hour(1, 2), hour(2, 4)],
            ..Usage::default()
        };
        let since = usage.since(at);
        assert_eq!((since.clients.len(), since.addresses, since.use_count, since.refusals), (2, 1, 6, 2));
        assert_eq!(usage.since(at + TimeDelta::days(1)), UsageSince::default());
    }

    #[test]
    fn hours_without_requests_are_zero() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::minutes(24 * 60 + 30);
        let usage = Usage {
            hours: vec![HourCount { hour: DateTime::UNIX_EPOCH + TimeDelta::hours(23), use_count: 4, refusals: 0 }],
            ..Usage::default()
        };
        let hours = usage.by_hour(3, now);
        assert_eq!(hours.iter().map(|hour| hour.use_count).collect::<Vec<_>>(), [0, 4, 0]);
        assert_eq!(hours[2].hour, DateTime::UNIX_EPOCH + TimeDelta::hours(24));
    }

    #[test]
    fn thousands_are_separated() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345, "12,345"), (1_234_567, "1,234,567")] {
            assert_eq!(number_text(number), text);
        }
    }

    #[test]
    fn recent_usage_is_described_in_a_phrase() {
        let recent = |agents, addresses| Recent { addresses, agents, ..Recent::default() };
        assert_eq!(recent(3, 2).text().as_deref(), Some("by 3 agents from 2 IP addresses"));
        assert_eq!(recent(0, 1).text().as_deref(), Some("from 1 IP address"));
        assert_eq!(recent(0, 0).text(), None);
    }
}

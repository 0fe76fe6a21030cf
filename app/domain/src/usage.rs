//! Usage of a key: by which clients, from where and how often.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{AgentId, Name};

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
    pub uses: u64,
    /// The number of rejected requests.
    pub refusals: u64,
}

/// The usage of a key in one hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HourCount {
    /// The start of the hour.
    pub hour: DateTime<Utc>,
    /// The number of accepted requests.
    pub uses: u64,
    /// The number of rejected requests.
    pub refusals: u64,
}

/// The usage of a key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// The clients, most recently seen first; at most 100.
    pub clients: Vec<KeyClient>,
    /// The hours of the last [`KEPT_FOR`] in which the key was used or rejected, earliest first.
    pub hours: Vec<HourCount>,
}

impl Usage {
    /// Returns the accepted and rejected requests of each of the last `days` days, earliest first. A day is 24 hours,
    /// counted back from `now`.
    pub fn daily(&self, days: u32, now: DateTime<Utc>) -> Vec<(u64, u64)> {
        let mut counts = vec![(0, 0); days as usize];
        for hour in &self.hours {
            let back = usize::try_from((now - hour.hour).num_days()).unwrap_or(usize::MAX);
            if let Some(day) = counts.len().checked_sub(back + 1).and_then(|index| counts.get_mut(index)) {
                day.0 += hour.uses;
                day.1 += hour.refusals;
            }
        }
        counts
    }
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
    fn days_are_counted_back_from_now_without_older_hours() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(100);
        let hour = |back| HourCount { hour: now - TimeDelta::hours(back), uses: 2, refusals: 1 };
        let usage = Usage { hours: vec![hour(90 * 24), hour(26), hour(25), hour(1)], ..Usage::default() };
        let days = usage.daily(90, now);
        assert_eq!((days.len(), days[89], days[88], days[0]), (90, (2, 1), (4, 2), (0, 0)));
    }

    #[test]
    fn recent_usage_is_described_in_a_phrase() {
        let recent = |agents, addresses| Recent { addresses, agents, ..Recent::default() };
        assert_eq!(recent(3, 2).text().as_deref(), Some("by 3 agents from 2 IP addresses"));
        assert_eq!(recent(0, 1).text().as_deref(), Some("from 1 IP address"));
        assert_eq!(recent(0, 0).text(), None);
    }
}

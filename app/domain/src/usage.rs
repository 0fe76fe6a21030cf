//! Evidence of use: who used a key, from where, how often.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{AgentId, Name};

/// How long hourly counts and clients that aren't heard of are kept.
pub const KEPT_FOR: TimeDelta = TimeDelta::days(90);

/// One client of a key: an address, a `User-Agent` and, for an agent, its id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyClient {
    /// The network address, when it was known.
    pub address: Option<String>,
    /// The `User-Agent`, at most 200 characters.
    pub user_agent: Option<String>,
    /// The agent that it says it is.
    pub agent_id: Option<AgentId>,
    /// That agent's name, when it is an agent of the key.
    pub agent_name: Option<Name>,
    /// When it first came with the key.
    pub first_seen_at: DateTime<Utc>,
    /// When it was last accepted.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it was last refused.
    pub last_refused_at: Option<DateTime<Utc>>,
    /// How often it was accepted.
    pub uses: u64,
    /// How often it was refused.
    pub refusals: u64,
}

/// How often a key was used in an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HourCount {
    /// The hour's first instant.
    pub hour: DateTime<Utc>,
    /// How often it was accepted.
    pub uses: u64,
    /// How often it was refused.
    pub refusals: u64,
}

/// All evidence of a key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Its clients, the last heard of first; at most 100.
    pub clients: Vec<KeyClient>,
    /// The hours of the last [`KEPT_FOR`] in which it was used or refused, in their order.
    pub hours: Vec<HourCount>,
}

impl Usage {
    /// Uses and refusals of each of the last `days` days before `now`, the earliest first; days are counted back from `now`.
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

/// What would be cut off now: who was accepted in the last day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recent {
    /// When somebody was last accepted, ever.
    pub last_used_at: Option<DateTime<Utc>>,
    /// How many keys were used.
    pub keys: u32,
    /// How many addresses used them.
    pub addresses: u32,
    /// How many agents used them.
    pub agents: u32,
}

impl Recent {
    /// "by 3 agents from 2 addresses": nothing when nobody was accepted in the last day.
    pub fn words(&self) -> Option<String> {
        let count =
            |number: u32, word: &str| format!("{number} {word}{}", if number == 1 { "" } else { word_end(word) });
        let from = (self.addresses > 0).then(|| format!("from {}", count(self.addresses, "address")));
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
    fn days_are_counted_back_from_now_and_older_hours_are_left_out() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(100);
        let hour = |back| HourCount { hour: now - TimeDelta::hours(back), uses: 2, refusals: 1 };
        let usage = Usage { hours: vec![hour(90 * 24), hour(26), hour(25), hour(1)], ..Usage::default() };
        let days = usage.daily(90, now);
        assert_eq!((days.len(), days[89], days[88], days[0]), (90, (2, 1), (4, 2), (0, 0)));
    }

    #[test]
    fn what_will_be_cut_is_said_in_a_phrase() {
        let recent = |agents, addresses| Recent { addresses, agents, ..Recent::default() };
        assert_eq!(recent(3, 2).words().as_deref(), Some("by 3 agents from 2 addresses"));
        assert_eq!(recent(0, 1).words().as_deref(), Some("from 1 address"));
        assert_eq!(recent(0, 0).words(), None);
    }
}

//! The recent use of one or more keys, shown before they are stopped.

use chrono::{DateTime, Utc};
use domain::{LastUse, Recent};
use leptos::prelude::*;

use super::time::Distance;
use crate::words::{labels, usage as words};

/// When the keys were last used, from where, by which agents, and how much in the past 24 hours. A key that was never
/// used has the first row only, and the row of agents is left out where there are none.
#[component]
pub fn UseFacts(
    /// The last use, as far as it is known.
    last: Option<LastUse>,
    /// The use in the past 24 hours.
    recent: Recent,
    /// The names of the agents that run with the keys; `None` for none.
    #[prop(default = None)]
    agents: Option<String>,
    /// The current time.
    now: DateTime<Utc>,
) -> impl IntoView {
    let Some(at) = last_used_at(last.as_ref(), &recent) else {
        return view! {
            <dl class="use-facts">
                <dt>{labels::last_used()}</dt>
                <dd>{labels::never()}</dd>
            </dl>
        }
        .into_any();
    };
    let from = last.as_ref().and_then(client).map(|text| row(words::from(), text));
    let agents = agents.map(|names| row(labels::agents(), names));
    view! {
        <dl class="use-facts">
            <dt>{labels::last_used()}</dt>
            <dd>
                <Distance at now />
            </dd>
            {from}
            {agents}
            <dt>{words::past_24_hours()}</dt>
            <dd>{words::past_day(&recent, at, now)}</dd>
        </dl>
    }
    .into_any()
}

fn row(name: &'static str, text: String) -> AnyView {
    view! {
        <dt>{name}</dt>
        <dd translate="no">
            <bdi>{text}</bdi>
        </dd>
    }
    .into_any()
}

/// When the keys were last used. The key's record may have a use that `recent` doesn't have, because the two are read
/// one after the other.
pub fn last_used_at(last: Option<&LastUse>, recent: &Recent) -> Option<DateTime<Utc>> {
    recent.last_used_at.max(last.map(|last| last.at))
}

/// "203.0.113.7, curl/8.5.0"; `None` when neither the address nor the client is known.
fn client(last: &LastUse) -> Option<String> {
    let known: Vec<&str> = [last.address.as_deref(), last.user_agent.as_deref()].into_iter().flatten().collect();
    (!known.is_empty()).then(|| known.join(", "))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn the_later_of_two_records_counts_and_an_unknown_address_is_still_a_use() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(10);
        let last = LastUse { at: now - TimeDelta::hours(1), address: None, user_agent: None };
        let none = Recent::default();
        assert_eq!(last_used_at(Some(&last), &none), Some(last.at));
        assert_eq!(last_used_at(None, &none), None);
        assert_eq!(words::past_day(&none, last.at, now), "Used");
        assert_eq!(words::past_day(&none, now - TimeDelta::days(2), now), "Not used");
        let busy = Recent { agents: 3, addresses: 2, ..Recent::default() };
        assert_eq!(words::past_day(&busy, last.at, now), "Used by 3 agents from 2 IP addresses");
    }
}

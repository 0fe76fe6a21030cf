//! A rotation as a picture: the requests of the old and of the new key, one above the other.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{HourCount, Usage, usage::number_text};
use leptos::prelude::*;

use super::{
    folded_table::folded_table,
    time::{Dated, Distance},
};
use crate::words::{charts as words, labels};

/// How long before the rotation the lanes begin.
const BEFORE: TimeDelta = TimeDelta::hours(24);
/// The most hours that the lanes show, the latest ones.
const MAX_HOURS: i64 = 24 * 15;
/// An old key that wasn't used for this time is no longer needed.
const QUIET_FOR: TimeDelta = TimeDelta::hours(24);
/// The height of a lane, in pixels.
const HEIGHT: u64 = 36;

/// The usage of both keys of a rotation.
#[derive(Clone, Debug)]
pub struct Rotation<'a> {
    /// The usage of the old key.
    pub old: &'a Usage,
    /// The usage of the new key.
    pub new: &'a Usage,
    /// When the old key was last used.
    pub old_last_used_at: Option<DateTime<Utc>>,
    /// When the new key was created.
    pub began_at: DateTime<Utc>,
}

impl Rotation<'_> {
    /// Whether the old key wasn't used for 24 hours, so that ending it is unlikely to interrupt anything.
    pub fn is_quiet(&self, now: DateTime<Utc>) -> bool {
        self.old_last_used_at.is_none_or(|at| now - at >= QUIET_FOR)
    }

    /// The number of hours in the lanes, up to the current one.
    fn hours(&self, now: DateTime<Utc>) -> u32 {
        let hours = (now - self.began_at + BEFORE).num_hours().clamp(BEFORE.num_hours(), MAX_HOURS);
        u32::try_from(hours).unwrap_or_default() + 1
    }

    /// Renders both lanes on the same scale, the sentence about the old key's last use and, folded, the table.
    pub fn view(&self, now: DateTime<Utc>) -> AnyView {
        let hours = self.hours(now);
        let (old, new) = (self.old.by_hour(hours, now), self.new.by_hour(hours, now));
        let most = old.iter().chain(&new).map(|hour| hour.use_count).max().unwrap_or(0);
        let began = old.iter().position(|hour| self.began_at - hour.hour < TimeDelta::hours(1)).unwrap_or(0);
        let since = old.first().map(|hour| Dated::short_day(hour.hour));
        let (since, since_date) = since.map(|day| (day.text, day.attribute)).unzip();
        let (old_lane, new_lane) =
            (lane(words::requests_of_old_key, &old, most, began), lane(words::requests_of_new_key, &new, most, began));
        let last = match self.old_last_used_at {
            None => view! { <p>{words::old_key_was_never_used()}</p> }.into_any(),
            Some(at) => view! { <p>{words::old_key_was_last_used(view! { <Distance at now /> })}</p> }.into_any(),
        };
        view! {
            <figure class="lanes">
                {old_lane} {new_lane} <p class="lanes-axis">
                    <span data-date=since_date>{since}</span>
                    <span>{words::now()}</span>
                </p> <figcaption>{last}{table(&old, &new)}</figcaption>
            </figure>
        }
        .into_any()
    }
}

/// One lane. `label`: its label for a number of requests. `began`: the index of the hour in which the rotation began.
fn lane(label: fn(u64) -> String, hours: &[HourCount], most: u64, began: usize) -> AnyView {
    let sum: u64 = hours.iter().map(|hour| hour.use_count).sum();
    let label = label(sum);
    let bounds = format!("0 0 {} {HEIGHT}", hours.len());
    view! {
        <div class="lane">
            <span class="lane-name">{label.clone()}</span>
            <svg viewBox=bounds preserveAspectRatio="none" width="100%" height=HEIGHT role="img" aria-label=label>
                <path class="lane-uses" d=outline(hours, most) />
                <path class="lane-began" d=format!("M{began} 0v{HEIGHT}") />
            </svg>
        </div>
    }
    .into_any()
}

/// The bars of the hours with requests, as one path. An hour is one unit wide.
fn outline(hours: &[HourCount], most: u64) -> String {
    let bar = |(index, hour): (usize, &HourCount)| {
        let height = (hour.use_count * HEIGHT / most).max(2);
        format!("M{index} {HEIGHT}v-{height}h1v{height}z")
    };
    hours.iter().enumerate().filter(|(_, hour)| hour.use_count > 0).map(bar).collect()
}

fn table(old: &[HourCount], new: &[HourCount]) -> AnyView {
    let rows = old.iter().zip(new).rev().filter(|(old, new)| old.use_count + new.use_count > 0).map(|(old, new)| {
        let name = Dated::hour(old.hour);
        view! {
            <tr>
                <th scope="row" data-date=name.attribute>
                    {name.text}
                </th>
                <td>{number_text(old.use_count)}</td>
                <td>{number_text(new.use_count)}</td>
            </tr>
        }
    });
    folded_table(
        labels::show_as_table(),
        words::requests_of_both_keys().to_owned(),
        [labels::hour_utc(), words::old_key(), words::new_key()],
        rows.collect_view().into_any(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(100)
    }

    #[test]
    fn a_rotation_is_quiet_once_the_old_key_was_not_used_for_a_day() {
        let usage = Usage::default();
        let with = |old_last_used_at| Rotation { old: &usage, new: &usage, old_last_used_at, began_at: now() };
        assert!(with(None).is_quiet(now()));
        assert!(with(Some(now() - TimeDelta::hours(24))).is_quiet(now()));
        assert!(!with(Some(now() - TimeDelta::hours(23))).is_quiet(now()));
    }

    #[test]
    fn lanes_begin_a_day_before_the_rotation_and_are_at_most_15_days_long() {
        let usage = Usage::default();
        let with = |began_at| Rotation { old: &usage, new: &usage, old_last_used_at: None, began_at };
        assert_eq!(with(now()).hours(now()), 25);
        assert_eq!(with(now() - TimeDelta::hours(30)).hours(now()), 55);
        assert_eq!(with(now() - TimeDelta::days(80)).hours(now()), 24 * 15 + 1);
    }

    #[test]
    fn hours_without_requests_leave_a_gap() {
        let hour = |use_count| HourCount { hour: now(), use_count, refusals: 0 };
        assert_eq!(outline(&[hour(4), hour(0), hour(1)], 4), "M0 36v-36h1v36zM2 36v-9h1v9z");
        assert_eq!(outline(&[hour(0)], 0), "");
    }
}

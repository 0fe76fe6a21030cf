//! The chart on a key's page: its requests by hour or day, in a range that the URL selects.

use chrono::{DateTime, NaiveTime, TimeDelta, Timelike, Utc};
use domain::{DayCount, HourCount, Usage, usage::number_text};
use leptos::prelude::*;

use super::{
    bar_chart::{Bar, BarChart},
    folded_table::folded_table,
    time::Dated,
};
use crate::words::{charts as words, labels};

/// The range of the chart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChartRange {
    /// The last 24 hours.
    Day,
    /// The last 7 days.
    Week,
    /// The last 30 days.
    #[default]
    Month,
    /// The last 90 days.
    Quarter,
}

impl ChartRange {
    const ALL: [Self; 4] = [Self::Day, Self::Week, Self::Month, Self::Quarter];

    /// The range with the given code from a URL; the default for an unknown one.
    pub fn from_code(code: &str) -> Self {
        Self::ALL.into_iter().find(|range| range.code() == code).unwrap_or_default()
    }

    fn code(self) -> &'static str {
        match self {
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
            Self::Quarter => "90d",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Day => words::day_range(),
            Self::Week => words::week_range(),
            Self::Month => words::thirty_days(),
            Self::Quarter => words::quarter_range(),
        }
    }

    fn chart(self, usage: &Usage, now: DateTime<Utc>) -> BarChart {
        // Every so many days, the day is named below the axis.
        let (days, every) = match self {
            Self::Day => {
                let bars = usage.by_hour(24, now).iter().map(hour_bar).collect();
                let title = words::requests_per_hour().to_owned();
                return BarChart { title, unit: labels::hour_utc(), bars };
            }
            Self::Week => (7, 1),
            Self::Month => (30, 7),
            Self::Quarter => (90, 20),
        };
        day_chart(&usage.by_day(days, now), every)
    }
}

fn hour_bar(hour: &HourCount) -> Bar {
    let at = hour.hour;
    let tick = at.hour().is_multiple_of(6).then(|| Dated::clock(at));
    Bar { name: Dated::hour(at), tick, use_count: hour.use_count, refusals: hour.refusals }
}

/// Returns a chart of requests per day. Every `every` days, counted back from the last, the day is named below the
/// axis.
pub fn day_chart(days: &[DayCount], every: usize) -> BarChart {
    let bar = |(index, count): (usize, &DayCount)| {
        let is_named = (days.len() - 1 - index).is_multiple_of(every);
        let tick = is_named.then(|| Dated::short_day(count.day));
        Bar { name: Dated::day(count.day), tick, use_count: count.use_count, refusals: count.refusals }
    };
    let title = words::requests_per_day(&days.len());
    BarChart { title, unit: words::day_utc(), bars: days.iter().enumerate().map(bar).collect() }
}

/// The links to the ranges, and the chart of the chosen one. `path`: the path of the key's page.
#[component]
pub fn KeyChart(usage: Usage, range: ChartRange, path: String, now: DateTime<Utc>) -> impl IntoView {
    let links = ChartRange::ALL.map(|one| {
        let href = format!("{path}?range={}#usage-title", one.code());
        view! {
            <li>
                <a href=href aria-current=(one == range).then_some("true")>
                    {one.label()}
                </a>
            </li>
        }
    });
    let chart = range.chart(&usage, now);
    let title = chart.title.clone();
    let heat = (range == ChartRange::Week).then(|| heat_map(&usage, now));
    view! {
        <div class="chart-head">
            <p class="muted">{title}</p>
            <nav aria-label=words::range() class="states">
                <ul>{links.into_iter().collect_view()}</ul>
            </nav>
        </div>
        {chart.view()}
        {heat}
    }
}

/// The size of an hour in the heat map, in pixels, and the distance between two days.
const CELL: u64 = 18;
/// The width of the names of the days.
const NAMES: u64 = 56;

/// The hours of the last 7 days: a row for each day, darker for more requests.
fn heat_map(usage: &Usage, now: DateTime<Utc>) -> AnyView {
    let first = now - TimeDelta::days(6);
    let hours: Vec<&HourCount> =
        usage.hours.iter().filter(|hour| hour.hour.date_naive() >= first.date_naive() && hour.hour <= now).collect();
    let most = hours.iter().map(|hour| hour.use_count + hour.refusals).max().unwrap_or(0);
    if most == 0 {
        return ().into_any();
    }
    let row_of = |at: DateTime<Utc>| u64::try_from((at.date_naive() - first.date_naive()).num_days()).unwrap_or(0);
    let cells = hours.iter().map(|hour| {
        let all = hour.use_count + hour.refusals;
        let level = (all * 4).div_ceil(most);
        let (x, y) = (NAMES + u64::from(hour.hour.hour()) * CELL, row_of(hour.hour) * CELL);
        let dated = Dated::hour(hour.hour);
        let text = words::requests_in_hour(&dated.text, all);
        view! {
            <rect class=format!("heat heat-{level}") x=x y=y width=CELL - 2 height=CELL - 2>
                <title data-date=dated.attribute>{text}</title>
            </rect>
        }
    });
    let days = (0..7).map(|back| {
        let day = first + TimeDelta::days(back);
        let name = Dated::weekday(day);
        view! {
            <text class="tick-day" x="0" y=row_of(day) * CELL + 13 data-date=name.attribute>
                {name.text}
            </text>
        }
    });
    let marks = [0_u32, 6, 12, 18].map(|hour| {
        let mark =
            Dated::clock(first.date_naive().and_time(NaiveTime::MIN).and_utc() + TimeDelta::hours(i64::from(hour)));
        view! {
            <text class="tick-day" x=NAMES + u64::from(hour) * CELL y=7 * CELL + 14 data-date=mark.attribute>
                {mark.text}
            </text>
        }
    });
    let bounds = format!("0 0 {} {}", NAMES + 24 * CELL, 7 * CELL + 20);
    let ((name, dated), rows) = (busiest_words(&hours), hour_rows(&hours));
    view! {
        <figure class="heat-map">
            <svg viewBox=bounds width=NAMES + 24 * CELL role="img" aria-label=name.clone() data-date=dated.clone()>
                {days.collect_view()}
                {cells.collect_view()}
                {marks.into_iter().collect_view()}
            </svg>
            <figcaption>
                <p class="muted" data-date=dated>
                    {name}
                </p>
                {rows}
            </figcaption>
        </figure>
    }
    .into_any()
}

/// The sentence about the hour with the most requests, and its `data-date`.
fn busiest_words(hours: &[&HourCount]) -> (String, Option<String>) {
    let busiest = hours.iter().max_by_key(|hour| hour.use_count + hour.refusals);
    let Some(busiest) = busiest else { return (words::requests_by_hour().to_owned(), None) };
    let Dated { text, attribute } = Dated::hour(busiest.hour);
    (words::busiest_hour(&text), Some(attribute))
}

/// The folded table of the hours with requests, latest first.
fn hour_rows(hours: &[&HourCount]) -> AnyView {
    let rows = hours.iter().rev().map(|hour| {
        let name = Dated::hour(hour.hour);
        view! {
            <tr>
                <th scope="row" data-date=name.attribute>
                    {name.text}
                </th>
                <td>{number_text(hour.use_count)}</td>
                <td>{number_text(hour.refusals)}</td>
            </tr>
        }
    });
    folded_table(
        words::show_hours_with_requests(),
        words::hours_with_requests().to_owned(),
        [labels::hour_utc(), labels::accepted(), labels::rejected()],
        rows.collect_view().into_any(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(100) + TimeDelta::minutes(90)
    }

    #[test]
    fn every_range_has_a_bar_for_each_hour_or_day_even_without_requests() {
        for (code, bars, ticks) in [("24h", 24, 4), ("7d", 7, 7), ("30d", 30, 5), ("90d", 90, 5), ("x", 30, 5)] {
            let chart = ChartRange::from_code(code).chart(&Usage::default(), now());
            assert_eq!(chart.bars.len(), bars, "{code}");
            assert_eq!(chart.bars.iter().filter(|bar| bar.tick.is_some()).count(), ticks, "{code}");
        }
    }

    #[test]
    fn the_last_bar_is_today_or_the_current_hour() {
        let usage = Usage {
            hours: vec![HourCount { hour: now() - TimeDelta::minutes(30), use_count: 7, refusals: 1 }],
            ..Usage::default()
        };
        for range in ChartRange::ALL {
            let last = range.chart(&usage, now()).bars.pop().unwrap();
            assert_eq!((last.use_count, last.refusals), (7, 1), "{range:?}");
        }
        assert_eq!(ChartRange::Week.chart(&usage, now()).bars.pop().unwrap().tick.unwrap().text, "11 Apr");
    }
}

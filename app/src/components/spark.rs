//! The requests of a key in the last 30 days, as a picture in a row of a list.

use domain::DayCount;
use leptos::prelude::*;

use crate::words::charts as words;

/// The number of days that a spark shows.
pub const SPARK_DAYS: u32 = 30;

/// The size, in SVG units.
const WIDTH: u64 = 80;
const HEIGHT: u64 = 20;
/// The height of the mark of a day with rejections, at the top.
const MARK: u64 = 4;

/// The picture: a bar for each day with requests, and a red mark at the top of each day with rejected ones. `counts`:
/// the last [`SPARK_DAYS`] days, earliest first; empty if there were no requests.
pub fn spark(counts: &[DayCount]) -> AnyView {
    let (bars, marks) = (bars(counts), marks(counts));
    let bounds = format!("0 0 {WIDTH} {HEIGHT}");
    let marks = (!marks.is_empty()).then(|| view! { <path class="spark-refusals" d=marks /> });
    view! {
        <svg class="spark" viewBox=bounds width=WIDTH height=HEIGHT role="img" aria-label=label(counts)>
            <path class="spark-base" d=format!("M0 {HEIGHT}h{WIDTH}") />
            <path class="spark-uses" d=bars />
            {marks}
        </svg>
    }
    .into_any()
}

/// The counts of the picture in a sentence.
fn label(counts: &[DayCount]) -> String {
    let (use_count, refusals) = counts.iter().fold((0, 0), |sum, day| (sum.0 + day.use_count, sum.1 + day.refusals));
    words::requests_in_days(SPARK_DAYS, use_count + refusals, refusals)
}

/// The middle of a day's column, in tenths of a unit.
fn middle(index: usize) -> usize {
    let width = usize::try_from(WIDTH).unwrap_or_default() * 10 / SPARK_DAYS as usize;
    index * width + width / 2
}

fn bars(counts: &[DayCount]) -> String {
    let most = counts.iter().map(|day| day.use_count).max().unwrap_or(0);
    let bar = |(index, day): (usize, &DayCount)| {
        let x = middle(index);
        // At least one unit, so that a single request next to a day with thousands is visible.
        let height = (day.use_count * (HEIGHT - MARK) / most).max(1);
        format!("M{}.{} {HEIGHT}v-{height}", x / 10, x % 10)
    };
    counts.iter().enumerate().filter(|(_, day)| day.use_count > 0).map(bar).collect()
}

fn marks(counts: &[DayCount]) -> String {
    let mark = |(index, _): (usize, &DayCount)| {
        let x = middle(index);
        format!("M{}.{} 0v{}", x / 10, x % 10, MARK - 1)
    };
    counts.iter().enumerate().filter(|(_, day)| day.refusals > 0).map(mark).collect()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn days(counts: &[(u64, u64)]) -> Vec<DayCount> {
        let day = |(use_count, refusals): &(u64, u64)| DayCount {
            day: DateTime::UNIX_EPOCH,
            use_count: *use_count,
            refusals: *refusals,
        };
        counts.iter().map(day).collect()
    }

    #[test]
    fn the_label_is_a_whole_sentence_for_every_number() {
        for (counts, expected) in [
            (days(&[]), "No requests in 30 days"),
            (days(&[(0, 0); 30]), "No requests in 30 days"),
            (days(&[(1, 0)]), "1 request in 30 days"),
            (days(&[(0, 1)]), "1 request in 30 days, rejected"),
            (days(&[(409, 1), (0, 2)]), "412 requests in 30 days, 3 rejected"),
            (days(&[(12_000, 0)]), "12,000 requests in 30 days"),
        ] {
            assert_eq!(label(&counts), expected);
        }
    }

    #[test]
    fn the_busiest_day_fills_the_picture_and_a_single_request_is_visible() {
        let counts = days(&[(16_000, 0), (1, 0), (0, 5)]);
        assert_eq!(bars(&counts), "M1.3 20v-16M3.9 20v-1");
        assert_eq!(marks(&counts), "M6.5 0v3");
        assert_eq!(bars(&days(&[(0, 0); 30])), "");
    }
}

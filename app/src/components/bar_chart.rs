//! A chart of accepted and rejected requests: a bar for each hour or day, with an axis, a legend, and a table of the
//! same numbers.
//!
//! Horizontal positions are percentages, so that the chart has the width of its place and its text isn't scaled.

use domain::usage::number_text;
use leptos::prelude::*;

use super::{folded_table::folded_table, time::Dated};
use crate::words::{charts as words, labels};

/// The top of the bars, in pixels; above it is the sentence of the bar that the pointer is on.
const TOP: u64 = 28;
/// The height of a bar that reaches the maximum of the axis.
const HEIGHT: u64 = 112;
const BOTTOM: u64 = TOP + HEIGHT;
/// The baseline of the labels below the axis.
const LABELS: u64 = BOTTOM + 18;

/// The requests in one hour or on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bar {
    /// The hour or the day, like "29 Nov 2026".
    pub name: Dated,
    /// The label below the axis, if it has one.
    pub tick: Option<Dated>,
    /// The number of accepted requests.
    pub use_count: u64,
    /// The number of rejected requests.
    pub refusals: u64,
}

impl Bar {
    fn sentence(&self) -> String {
        words::accepted_and_rejected(&self.name.text, &number_text(self.use_count), &number_text(self.refusals))
    }
}

/// A chart and the texts around it.
#[derive(Clone, Debug)]
pub struct BarChart {
    /// What the chart shows, like "Requests per day in the last 30 days".
    pub title: String,
    /// The heading of the table's first column: "Day (UTC)" or "Hour (UTC)".
    pub unit: &'static str,
    /// The bars, earliest first.
    pub bars: Vec<Bar>,
}

impl BarChart {
    /// Renders the chart with its legend and, folded, its table.
    pub fn view(self) -> AnyView {
        let (use_count, refusals) =
            self.bars.iter().fold((0, 0), |sum, bar| (sum.0 + bar.use_count, sum.1 + bar.refusals));
        let (use_count, refusals) = (number_text(use_count), number_text(refusals));
        let name = words::accepted_and_rejected(&self.title, &use_count, &refusals);
        let maximum = axis_maximum(self.bars.iter().map(|bar| bar.use_count + bar.refusals).max().unwrap_or(0));
        let bars = columns(&self.bars, maximum);
        view! {
            <figure class="chart">
                <svg class="bars" width="100%" height=LABELS + 6 role="img" aria-label=name tabindex="0">
                    <line class="grid" x1="0" x2="100%" y1=TOP y2=TOP />
                    <line class="axis" x1="0" x2="100%" y1=BOTTOM y2=BOTTOM />
                    <text class="maximum" x="100%" y=TOP - 5>
                        {number_text(maximum)}
                    </text>
                    {bars}
                </svg>
                // The sentence of the bar that the arrow keys selected, for screen readers.
                <p class="visually-hidden" role="status" data-readout="" />
                <figcaption>
                    <ul class="legend">
                        <li class="legend-uses">{words::accepted(&use_count)}</li>
                        <li class="legend-refusals">{words::rejected(&refusals)}</li>
                    </ul>
                    {table(&self)}
                </figcaption>
            </figure>
        }
        .into_any()
    }
}

fn columns(bars: &[Bar], maximum: u64) -> AnyView {
    let count = bars.len().max(1);
    // At least two pixels, so that a single request next to a day with thousands is visible.
    let height = |number: u64| if number == 0 { 0 } else { (number * HEIGHT / maximum).max(2) };
    let columns = bars.iter().enumerate().map(|(index, bar)| {
        let (use_count, refusals) = (height(bar.use_count), height(bar.refusals));
        let (left, width) = (percent(index * 10, count * 10), percent(10, count * 10));
        let (inside, bar_width) = (percent(index * 10 + 1, count * 10), percent(8, count * 10));
        let uses_bar = (use_count > 0).then(|| {
            view! { <rect class="bar-uses" x=inside.clone() width=bar_width.clone() y=BOTTOM - use_count height=use_count /> }
        });
        let refusals_bar = (refusals > 0).then(|| {
            let y = BOTTOM.saturating_sub(use_count + refusals);
            view! { <rect class="bar-refusals" x=inside.clone() width=bar_width.clone() y=y height=refusals /> }
        });
        let tick = bar.tick.clone().map(|tick| {
            // The last one would extend beyond the chart.
            let is_last = index + 1 == count;
            let x = if is_last { percent(1, 1) } else { percent(index * 10 + 5, count * 10) };
            view! {
                <text class="tick" class:tick-end=is_last x=x y=LABELS data-date=tick.attribute>
                    {tick.text}
                </text>
            }
        });
        // The first rectangle is the whole column, so that the pointer finds low bars and gaps.
        view! {
            {tick}
            <g class="column">
                <rect class="column-area" x=left width=width y=TOP height=HEIGHT />
                {uses_bar}
                {refusals_bar}
                <text class="readout" x="0" y="12" data-date=bar.name.attribute.clone()>
                    {bar.sentence()}
                </text>
            </g>
        }
    });
    columns.collect_view().into_any()
}

fn table(chart: &BarChart) -> AnyView {
    let rows = chart.bars.iter().rev().map(|bar| {
        view! {
            <tr>
                <th scope="row" data-date=bar.name.attribute.clone()>
                    {bar.name.text.clone()}
                </th>
                <td>{number_text(bar.use_count)}</td>
                <td>{number_text(bar.refusals)}</td>
            </tr>
        }
    });
    folded_table(
        labels::show_as_table(),
        chart.title.clone(),
        [chart.unit, labels::accepted(), labels::rejected()],
        rows.collect_view().into_any(),
    )
}

/// Returns a position as a percentage with two decimals: `part` of `whole`.
pub(super) fn percent(part: usize, whole: usize) -> String {
    let hundredths = part * 10_000 / whole.max(1);
    format!("{}.{:02}%", hundredths / 100, hundredths % 100)
}

/// Returns the maximum of an axis: the lowest of 1, 2, 5, 10, 20, 50, … that is at least `most`.
fn axis_maximum(most: u64) -> u64 {
    let mut step = 1_u64;
    loop {
        for maximum in [step, step.saturating_mul(2), step.saturating_mul(5)] {
            if maximum >= most {
                return maximum;
            }
        }
        step = step.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_ends_at_a_round_number() {
        for (most, maximum) in [(0, 1), (1, 1), (2, 2), (3, 5), (6, 10), (24, 50), (101, 200), (4_999, 5_000)] {
            assert_eq!(axis_maximum(most), maximum, "{most}");
        }
        assert_eq!(axis_maximum(u64::MAX), u64::MAX);
    }

    #[test]
    fn positions_are_percentages() {
        assert_eq!(
            (percent(0, 30), percent(1, 3), percent(30, 30)),
            ("0.00%".into(), "33.33%".into(), "100.00%".into())
        );
        assert_eq!(percent(0, 0), "0.00%");
    }

    #[test]
    fn a_bar_is_described_in_a_sentence() {
        let name = Dated::day(chrono::DateTime::UNIX_EPOCH);
        let bar = Bar { name, tick: None, use_count: 1_412, refusals: 3 };
        assert_eq!(bar.sentence(), "1 Jan 1970: 1,412 accepted, 3 rejected");
    }
}

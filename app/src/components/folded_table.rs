//! The numbers behind a picture, as a folded table.

use leptos::prelude::*;

/// The table below its `summary`. `label`: its accessible name. `columns`: the labels of the columns.
pub(super) fn folded_table<const N: usize>(
    summary: &'static str,
    label: String,
    columns: [&'static str; N],
    rows: AnyView,
) -> AnyView {
    let columns = columns.map(|column| view! { <th scope="col">{column}</th> });
    view! {
        <details class="as-table">
            <summary>{summary}</summary>
            <table class="plain-table" aria-label=label>
                <thead>
                    <tr>{columns.into_iter().collect_view()}</tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </details>
    }
    .into_any()
}

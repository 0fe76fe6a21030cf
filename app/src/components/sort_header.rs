//! A column header that sorts the list: a link, with a mark for the current order.

use leptos::prelude::*;

use crate::list_url::ListChoice;

/// A `<th>` with a link to the list sorted by `column`, in the reverse order if it is already sorted by it.
#[component]
pub fn SortHeader(choice: ListChoice, column: &'static str, label: &'static str) -> impl IntoView {
    let sorted = choice.aria_sort(column);
    let mark = match sorted {
        Some("ascending") => "↑",
        Some(_) => "↓",
        None => "",
    };
    view! {
        <th scope="col" aria-sort=sorted>
            <a href=choice
                .with_sort(
                    column,
                )>
                {label}<span class="sort-mark" aria-hidden="true">
                    {mark}
                </span>
            </a>
        </th>
    }
}

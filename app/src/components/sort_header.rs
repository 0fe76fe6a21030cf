//! A column's head that sorts: a link, with its mark.

use leptos::prelude::*;

use crate::list_url::ListChoice;

/// `<th>` with a link to the list in that order.
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
            <a href=choice.with_sort(column)>{label}<span class="sort-mark" aria-hidden="true">{mark}</span></a>
        </th>
    }
}

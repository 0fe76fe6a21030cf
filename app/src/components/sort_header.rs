//! The order of a list: column headers that sort it and, where the table has no headers, a menu.

use leptos::prelude::*;

use super::icon::{Icon, Picture};
use crate::{list_url::ListChoice, words::lists as words};

/// The mark for a column's order. That of an unsorted column is visible only when its link is pointed at.
fn mark(sorted: Option<&str>) -> &'static str {
    match sorted {
        Some("ascending") => "↑",
        Some(_) => "↓",
        None => "⇅",
    }
}

/// A `<th>` with a link to the list sorted by `column`, in the reverse order if it is already sorted by it. Its class,
/// like `col-created`, is that of the column's cells, if they can be hidden.
#[component]
pub fn SortHeader(choice: ListChoice, column: &'static str, label: &'static str) -> impl IntoView {
    let sorted = choice.aria_sort(column);
    view! {
        <th scope="col" class=format!("col-{column}") aria-sort=sorted>
            <a href=choice
                .with_sort(
                    column,
                )>
                {label}<span class="sort-mark" aria-hidden="true">
                    {mark(sorted)}
                </span>
            </a>
        </th>
    }
}

/// A menu with the same links as the column headers, shown where rows are too narrow for columns. `columns`: the code
/// and the label of each.
#[component]
pub fn SortMenu(choice: ListChoice, columns: &'static [(&'static str, &'static str)]) -> impl IntoView {
    let items = columns.iter().map(|(column, label)| {
        let sorted = choice.aria_sort(column);
        view! {
            <li>
                <a href=choice.with_sort(column) aria-current=sorted.map(|_| "true")>
                    {*label}
                    {sorted
                        .map(|_| {
                            view! { <span aria-hidden="true">{mark(sorted)}</span> }
                        })}
                </a>
            </li>
        }
    });
    view! {
        <div class="menu sort-menu">
            <button type="button" class="button small" popovertarget="sort-menu">
                {words::sort()}
                <Picture icon=Icon::Choose />
            </button>
            <ul class="menu-list" id="sort-menu" popover="auto">
                {items.collect_view()}
            </ul>
        </div>
    }
}

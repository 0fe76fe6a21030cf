//! What is above and below a list: the search, the filter by state, and the links to other pages.

use domain::Cursor;
use leptos::prelude::*;

use crate::{
    components::icon::{Icon, Picture},
    list_url::ListChoice,
};

/// The search and the filter by state. `states`: the code and the label of each state. `label`: of the search field.
#[component]
pub fn Toolbar(choice: ListChoice, states: Vec<(&'static str, &'static str)>, label: &'static str) -> impl IntoView {
    let links = states.into_iter().map(|(word, label)| {
        let here = word == choice.state;
        view! {
            <li>
                <a href=choice.with_state(word) aria-current=here.then_some("true")>
                    {label}
                </a>
            </li>
        }
    });
    let extra = choice.extra.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| {
        view! { <input type="hidden" name=*name value=value.clone() /> }
    });
    let extra = extra.collect_view();
    view! {
        <div class="toolbar">
            <form role="search" method="get" action=choice.path.clone() class="search">
                <label for="search" class="visually-hidden">
                    {label}
                </label>
                <input
                    id="search"
                    name="q"
                    type="search"
                    value=choice.search.clone()
                    placeholder=label
                    autocomplete="off"
                />
                <input type="hidden" name="state" value=choice.state.clone() />
                <input type="hidden" name="sort" value=choice.sort.clone() />
                <input type="hidden" name="dir" value=choice.direction.as_str() />
                {extra}
                <button type="submit" class="icon-button" aria-label="Search">
                    <Picture icon=Icon::Search />
                </button>
            </form>
            <nav aria-label="Filter by state" class="states">
                <ul>{links.collect_view()}</ul>
            </nav>
        </div>
    }
}

/// The links to the previous and the next page of the list; nothing when there is only one page.
#[component]
pub fn Pager(choice: ListChoice, previous: Option<Cursor>, next: Option<Cursor>) -> impl IntoView {
    (previous.is_some() || next.is_some()).then(|| {
        let link = |name: &'static str, cursor: Option<Cursor>, label: &'static str| {
            cursor.map(|cursor| {
                view! {
                    <a class="button" href=choice.with_page(name, &cursor)>
                        {label}
                    </a>
                }
            })
        };
        view! {
            <nav class="pager" aria-label="Pages">
                {link("before", previous, "Previous")}
                {link("after", next, "Next")}
            </nav>
        }
    })
}

//! What is above and below a list: search, states, pages; and what is said of an empty one.

use domain::Cursor;
use leptos::prelude::*;

use crate::{
    components::icon::{Icon, Picture},
    list_url::ListChoice,
};

/// The word of all states together, the same in every list.
const EVERY_STATE: &str = "all";

/// The search and the states. `states`: word and label of each.
#[component]
pub fn Toolbar(choice: ListChoice, states: Vec<(&'static str, &'static str)>, label: &'static str) -> impl IntoView {
    let links = states.into_iter().map(|(word, label)| {
        let here = word == choice.state;
        view! { <li><a href=choice.with_state(word) aria-current=here.then_some("true")>{label}</a></li> }
    });
    let extra = choice.extra.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| {
        view! { <input type="hidden" name=*name value=value.clone() /> }
    });
    let extra = extra.collect_view();
    view! {
        <div class="toolbar">
            <form role="search" method="get" action=choice.path.clone() class="search">
                <label for="search" class="visually-hidden">{label}</label>
                <input id="search" name="q" type="search" value=choice.search.clone() placeholder=label autocomplete="off" />
                <input type="hidden" name="state" value=choice.state.clone() />
                <input type="hidden" name="sort" value=choice.sort.clone() />
                <input type="hidden" name="dir" value=choice.direction.as_str() />
                {extra}
                <button type="submit" class="icon-button" aria-label="Search"><Picture icon=Icon::Search /></button>
            </form>
            <nav aria-label="Filter by state" class="states"><ul>{links.collect_view()}</ul></nav>
        </div>
    }
}

/// What stands where no row does: an invitation, or which filter hides the rows. `things`: what the rows would be. `hint`: what
/// to do, or nothing. Where the list begins with one state, nothing is said of the others: they may have rows.
#[component]
pub fn Empty(
    choice: ListChoice,
    default_state: &'static str,
    state_label: &'static str,
    things: &'static str,
    hint: &'static str,
) -> impl IntoView {
    let searched = !choice.search.trim().is_empty();
    let is_narrowed = choice.extra.iter().any(|(_, value)| !value.is_empty());
    let is_whole = !searched && !is_narrowed;
    if is_whole && choice.state == EVERY_STATE {
        let words = format!("No {things} yet. {hint}");
        return view! { <div class="empty"><p>{words.trim_end().to_owned()}</p></div> }.into_any();
    }
    if is_whole && choice.state == default_state {
        let words = format!("No {things} in the state “{state_label}”. {hint}");
        return view! {
            <div class="empty">
                <p>{words.trim_end().to_owned()}</p>
                <p><a class="button" href=choice.with_state(EVERY_STATE)>"Show those in every state"</a></p>
            </div>
        }
        .into_any();
    }
    let beside = if is_narrowed { ", with the other filters" } else { "" };
    let search = if searched { format!(" that matches “{}”", choice.search.trim()) } else { String::new() };
    view! {
        <div class="empty">
            <p>{format!("Nothing in the state “{state_label}”{search}{beside}.")}</p>
            <p><a class="button" href=choice.path>"Clear search and filter"</a></p>
        </div>
    }
    .into_any()
}

/// The links to the pages beside this one.
#[component]
pub fn Pager(choice: ListChoice, previous: Option<Cursor>, next: Option<Cursor>) -> impl IntoView {
    (previous.is_some() || next.is_some()).then(|| {
        let link = |name: &'static str, cursor: Option<Cursor>, label: &'static str| {
            cursor.map(|cursor| view! { <a class="button" href=choice.with_page(name, &cursor)>{label}</a> })
        };
        view! {
            <nav class="pager" aria-label="Pages">{link("before", previous, "Previous")}{link("after", next, "Next")}</nav>
        }
    })
}

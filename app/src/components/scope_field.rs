//! What a key may do: everything, what only reads, or some scopes. The stylesheet shows the scopes while the last choice is
//! selected, so that the field works without JavaScript.

use domain::{
    ApiError,
    scope::{CatalogueScope, ScopeOption},
};
use leptos::prelude::*;

use super::field::FieldError;
use crate::words::scopes as words;

/// A scope that can be selected.
#[derive(Debug)]
pub struct ScopeTick {
    /// The scope.
    pub entry: CatalogueScope,
    /// Whether it is selected when the form opens.
    pub is_ticked: bool,
    /// How it was used.
    pub usage: Option<AnyView>,
}

impl ScopeTick {
    /// Returns the scopes of a list, of which those in `ticked` are selected.
    pub fn all<'a>(entries: impl IntoIterator<Item = &'a CatalogueScope>, ticked: &domain::ScopeSet) -> Vec<Self> {
        let tick = |entry: &CatalogueScope| Self {
            entry: entry.clone(),
            is_ticked: ticked.contains(&entry.scope),
            usage: None,
        };
        entries.into_iter().map(tick).collect()
    }
}

/// The field. `option`: the selected choice. `ticks`: the scopes that are offered.
#[component]
pub fn ScopeField(
    option: ScopeOption,
    ticks: Vec<ScopeTick>,
    #[prop(into)] error: Signal<Option<ApiError>>,
) -> impl IntoView {
    let choices = ScopeOption::ALL.map(|choice| tile(choice, choice == option));
    let (own, operators): (Vec<_>, Vec<_>) = ticks.into_iter().partition(|tick| tick.entry.scope.is_reserved());
    view! {
        <fieldset class="field scopes" aria-describedby="error-scopes">
            <legend>{words::what_it_may_do()}</legend>
            <div class="choices">{choices.into_iter().collect_view()}</div>
            <div class="scope-list">
                {group(words::scopes_of_your_api(), operators, Some(words::no_scopes_of_your_api()))}
                {group(words::scopes_of_latchkey(), own, None)}
            </div>
            <FieldError id="error-scopes".to_owned() name="scopes" error=error />
        </fieldset>
    }
}

fn tile(choice: ScopeOption, is_chosen: bool) -> AnyView {
    let (label, hint) = (format!("access-{}", choice.code()), format!("access-hint-{}", choice.code()));
    let words = match choice {
        ScopeOption::Full => words::full_hint(),
        ScopeOption::ReadOnly => words::read_only_hint(),
        ScopeOption::Chosen => words::chosen_hint(),
    };
    view! {
        <label class="choice">
            <input
                type="radio"
                name="access"
                value=choice.code()
                checked=is_chosen
                aria-labelledby=label.clone()
                aria-describedby=hint.clone()
            />
            <span>
                <span id=label>{choice.label()}</span>
                <span class="sub" id=hint>
                    {words}
                </span>
            </span>
        </label>
    }
    .into_any()
}

/// The scopes of one API. `none`: what to say if there are none.
fn group(title: &'static str, ticks: Vec<ScopeTick>, none: Option<&'static str>) -> AnyView {
    if ticks.is_empty() {
        return none.map(|none| view! { <p class="hint">{none}</p> }).into_any();
    }
    let ticks = ticks.into_iter().map(|ScopeTick { entry, is_ticked, usage }| {
        let deprecation = entry.deprecation().map(|text| view! { <span class="chip">{text}</span> });
        view! {
            <li class="scope">
                <label class="check">
                    <input type="checkbox" name="scopes" value=entry.scope.to_string() checked=is_ticked />
                    <span>
                        <code translate="no">{entry.scope.to_string()}</code>
                        " "
                        {deprecation}
                        <span class="sub">{entry.description}</span>
                    </span>
                </label>
                {usage}
            </li>
        }
    });
    view! {
        <p class="scope-group">{title}</p>
        <ul class="plain-list">{ticks.collect_view()}</ul>
    }
    .into_any()
}

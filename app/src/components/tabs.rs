//! Texts to copy, in tabs. The tabs are radio buttons, so they work without JavaScript.

use leptos::prelude::*;

use super::copied_text::copyable;

/// One tab.
pub struct Tab {
    /// The label, such as a language.
    pub label: &'static str,
    /// What the text is for; empty if that is plain.
    pub hint: &'static str,
    /// The text.
    pub text: String,
}

/// The tabs; the first is open. `id`: a prefix for ids that no other tabs of the page have. `label`: what the texts
/// have in common.
pub fn tabs(id: &'static str, label: &'static str, tabs: Vec<Tab>) -> AnyView {
    let heads = tabs.iter().enumerate().map(|(index, tab)| {
        let input = format!("{id}-{index}");
        view! {
            <input type="radio" name=id id=input.clone() checked=index == 0 />
            <label for=input>{tab.label}</label>
        }
    });
    let heads = heads.collect_view();
    let panels = tabs.into_iter().map(|tab| {
        view! { <div class="panel">{copyable(tab.label, tab.hint, tab.text)}</div> }
    });
    view! {
        <div class="tabs" role="group" aria-label=label>
            {heads}
            {panels.collect_view()}
        </div>
    }
    .into_any()
}

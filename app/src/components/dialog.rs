//! The frame of the dialogs: the platform's own `<dialog>`.

use leptos::{html, prelude::*};

use crate::browser;

/// A dialog that is open while `is_open` says so. Escape asks `on_cancel`; so does a click outside, if `light`.
/// A `firm` dialog takes neither, and opens again should the browser close it all the same.
///
/// Its contents stand only while it is open, so there is nothing to hydrate, and nothing left of it in the page.
#[component]
pub fn Modal<V, C>(
    /// The id of the heading.
    label: &'static str,
    #[prop(into)] is_open: Signal<bool>,
    on_cancel: Callback<()>,
    #[prop(optional)] light: bool,
    #[prop(optional)] firm: bool,
    /// What stands in it.
    contents: C,
) -> impl IntoView
where
    V: IntoView + 'static,
    C: Fn() -> Option<V> + 'static,
{
    let dialog = NodeRef::<html::Dialog>::new();
    // What is shown is the effect's own value: it lives until the effect runs again.
    Effect::new(move |_: Option<Option<browser::Shown>>| {
        if is_open.get() {
            untrack(&contents).and_then(|view| browser::present(dialog, view))
        } else {
            browser::close(dialog);
            None
        }
    });
    let cancel = move |ev: leptos::ev::Event| {
        ev.prevent_default();
        if !firm {
            on_cancel.run(());
        }
    };
    let reopen = move |_| {
        if is_open.get_untracked() {
            if firm { browser::open(dialog) } else { on_cancel.run(()) }
        }
    };
    let hold = move |ev: leptos::ev::KeyboardEvent| {
        if firm && ev.key() == "Escape" {
            ev.prevent_default();
        }
    };
    let outside = move |ev: leptos::ev::MouseEvent| {
        if light && browser::is_backdrop(&ev) {
            on_cancel.run(());
        }
    };
    view! {
        <dialog
            node_ref=dialog
            class="modal"
            aria-labelledby=label
            on:cancel=cancel
            on:close=reopen
            on:keydown=hold
            on:mousedown=outside
        ></dialog>
    }
}

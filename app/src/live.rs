//! The one island: what makes the pages quicker and livelier where there is script. See `browser`, which does it.

use leptos::{html, prelude::*};

/// The dialog that pages are shown in, and the start of everything that listens.
#[island]
pub fn Live() -> impl IntoView {
    let dialog = NodeRef::<html::Dialog>::new();
    #[cfg(feature = "hydrate")]
    Effect::new(move |_| {
        if let Some(dialog) = dialog.get() {
            crate::browser::come_alive(&dialog);
        }
    });
    view! { <dialog node_ref=dialog class="modal" aria-labelledby="card-title"></dialog> }
}

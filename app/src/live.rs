//! The only island. It starts the code in `browser`, which enhances the pages.

use leptos::{html, prelude::*};

/// The dialog in which other pages are shown. On hydration it installs the event listeners.
#[island]
pub fn Live() -> impl IntoView {
    let dialog = NodeRef::<html::Dialog>::new();
    #[cfg(feature = "hydrate")]
    Effect::new(move |_| {
        if let Some(dialog) = dialog.get() {
            crate::browser::install_listeners(&dialog);
        }
    });
    view! { <dialog node_ref=dialog class="modal" aria-labelledby="card-title" /> }
}

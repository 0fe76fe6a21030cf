//! The only island. It starts the code in `browser`, which enhances the pages.

use leptos::prelude::*;

/// The dialog in which other pages are shown. On hydration it installs the event listener.
#[island]
pub fn Live() -> impl IntoView {
    #[cfg(feature = "hydrate")]
    crate::browser::install_listener();
    view! { <dialog class="modal" aria-labelledby="card-title" /> }
}

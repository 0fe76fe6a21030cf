//! Imported keys: their mark, and the note on a key's page.

use leptos::prelude::*;

words! {
    imported = "Imported";
    rotate_it = " Rotate the key to replace it with a Latchkey token.";
}

/// Says what differs for an imported key. `may_rotate`: whether it can be rotated.
pub fn what_differs(when: impl IntoView + 'static, may_rotate: bool) -> AnyView {
    view! {
        "Imported on "
        {when}
        ". Its token has its own format: leak scans and secret scanners can't recognize it."
        {may_rotate.then(rotate_it)}
    }
    .into_any()
}

//! A short message about what was just done.

use leptos::prelude::*;

use super::icon::{Icon, Picture};
use crate::words::lists as words;

/// The message, which screen readers announce. The element is always in the page, because one that is added together
/// with its text isn't announced; the script puts later messages into it, and removes each after a while.
#[component]
pub fn Toast(text: Option<String>) -> impl IntoView {
    view! {
        <div class="toast-place" role="status" id="toast">
            {text
                .map(|text| {
                    view! {
                        <div class="toast" data-toast="">
                            <p>{text}</p>
                            <button
                                type="button"
                                class="icon-button script-only"
                                data-dismiss=""
                                aria-label=words::dismiss()
                            >
                                <Picture icon=Icon::Close />
                            </button>
                        </div>
                    }
                })}
        </div>
    }
}

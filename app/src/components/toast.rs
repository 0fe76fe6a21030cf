//! A short message about what was just done.

use domain::{Notice, outcome::NextStep};
use leptos::prelude::*;

use super::icon::{Icon, Picture};
use crate::{
    list_url::is_own_path,
    words::{frame as words, lists},
};

/// The message, which screen readers announce. The element is always in the page, because one that is added together
/// with its text isn't announced; the script puts later messages into it, and removes each after a while.
#[component]
pub fn Toast(notice: Option<Notice>, path: String) -> impl IntoView {
    let text = notice.as_ref().and_then(Notice::sentence);
    // The page comes from a cookie.
    let next = notice.and_then(|notice| notice.next_step());
    let action = next.and_then(|next| match next {
        NextStep::Undo(page) => Some((page, words::undo(), Some(""))),
        NextStep::View(page) => (page != path).then_some((page, words::view(), None)),
    });
    let action = action.filter(|(page, ..)| is_own_path(page)).map(|(page, label, dialog)| {
        view! {
            <a class="button small" href=page data-dialog=dialog>
                {label}
            </a>
        }
    });
    view! {
        <div class="toast-place" role="status" id="toast">
            {text
                .map(|text| {
                    view! {
                        <div class="toast" data-toast="">
                            <p>{text}</p>
                            {action}
                            <button
                                type="button"
                                class="icon-button script-only"
                                data-dismiss=""
                                aria-label=lists::dismiss()
                            >
                                <Picture icon=Icon::Close />
                            </button>
                        </div>
                    }
                })}
        </div>
    }
}

//! The list of keyboard shortcuts. With JavaScript, which they need, it is shown in a dialog.

use std::future::{Ready, ready};

use domain::ApiError;
use leptos::prelude::*;

use crate::{
    request::RequestContext,
    words::{frame as words, labels},
};

/// The keys of each shortcut, and what it does.
const SHORTCUTS: [(&[&str], &str); 9] = [
    (&["Ctrl", "K"], words::search_everything()),
    (&["/"], words::search_the_list()),
    (&["c"], words::press_the_button_of_a_list()),
    (&["?"], words::show_these_shortcuts()),
    (&["↑", "↓"], words::move_in_a_menu()),
    (&["←", "→"], words::move_in_a_chart()),
    (&[words::enter()], words::open_the_first_search_result()),
    (&[words::shift(), "click"], words::select_rows_between()),
    (&["Esc"], words::close_what_is_open()),
];

/// `/shortcuts`.
pub fn shortcuts(_: RequestContext) -> Ready<Result<AnyView, ApiError>> {
    let rows = SHORTCUTS.into_iter().map(|(keys, words)| {
        let keys = keys.iter().map(|key| {
            view! {
                <kbd>{*key}</kbd>
                " "
            }
        });
        view! {
            <dt>{keys.collect_view()}</dt>
            <dd>{words}</dd>
        }
    });
    let card = view! {
        <div class="card" data-light="">
            <h1 id="card-title">{words::keyboard_shortcuts()}</h1>
            <dl class="shortcuts">{rows.collect_view()}</dl>
            <div class="buttons">
                <a class="button" href="/user/api-keys" data-close="" autofocus>
                    {labels::close()}
                </a>
            </div>
        </div>
    };
    ready(Ok(card.into_any()))
}

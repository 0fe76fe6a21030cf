//! Parts of a page that are replaced by those of a page that is loaded in the background: the results of a search or a
//! filter while it is typed, and the state of something that changes by itself.

use std::{cell::Cell, time::Duration};

use leptos::prelude::{document, set_timeout, window};
use wasm_bindgen::JsValue;
use web_sys::{Element, HtmlElement, HtmlFormElement};

use super::{
    dates,
    dom::{all, attribute, by_id, closest, find, first, set, spawn_local, unset},
    fetch,
    fields::fields_of,
    page, selection, toasts,
};

/// The attribute of a form with the ids of the elements that its page replaces, separated by spaces.
pub const LIVE: &str = "data-live";
/// The attribute of an element with the path of the page that has its next state.
const POLL: &str = "data-poll";
/// The attributes of a form with the URL that was asked for last, and with the URL whose results are shown.
const ASKED: &str = "data-asked";
const SHOWN: &str = "data-shown";
/// The attribute of a form whose first result is opened as soon as it is there.
const CHOOSES: &str = "data-chooses";

/// How long the person must have stopped typing.
const PAUSE: Duration = Duration::from_millis(150);
/// The maximum number of requests for the state of one thing: one every 2 seconds for 5 minutes.
const MAX_POLLS: u32 = 150;

thread_local! {
    /// The number of the latest change in a form; results of earlier ones are dropped.
    static LATEST: Cell<u32> = const { Cell::new(0) };
    /// The number of the change whose results are being loaded, or are shown.
    static LOADING: Cell<u32> = const { Cell::new(0) };
    static POLLS: Cell<u32> = const { Cell::new(0) };
}

/// Loads the results of a form soon after a change in it. `data-now`: without waiting for the person to stop typing.
pub fn load_soon(form: HtmlFormElement) {
    // A field that is left reports a change that was already reported while it was typed.
    let is_reported = url_of(&form).is_some_and(|url| url == attribute(&form, ASKED));
    if is_reported && LOADING.get() == LATEST.get() {
        return;
    }
    let number = LATEST.get() + 1;
    LATEST.set(number);
    hold(&form, true);
    if form.has_attribute("data-now") {
        return load(form);
    }
    let load = move || {
        if LATEST.get() == number {
            load(form);
        }
    };
    set_timeout(load, PAUSE);
}

/// Loads the results of a form, unless they are those that it shows.
pub fn load(form: HtmlFormElement) {
    let Some(url) = url_of(&form) else { return };
    let number = LATEST.get();
    LOADING.set(number);
    set(&form, ASKED, &url);
    if attribute(&form, SHOWN) == url {
        return hold(&form, false);
    }
    mark(&form, true);
    spawn_local(async move {
        let came = fetch::page(&url).await;
        if LATEST.get() != number || !form.is_connected() {
            return;
        }
        let Some(came) = came else {
            // The next attempt isn't skipped. Until it succeeds, the results stay those of other values.
            set(&form, ASKED, "");
            mark(&form, false);
            return toasts::show_unreachable();
        };
        if !replace(&came, &attribute(&form, LIVE)) {
            return page::leave_for(&url);
        }
        set(&form, SHOWN, &url);
        if form.has_attribute(CHOOSES) {
            unset(&form, CHOOSES);
            return choose(&form);
        }
        if closest::<Element>(&form, "dialog").is_none()
            && let Ok(history) = window().history()
        {
            history.replace_state_with_url(&JsValue::NULL, "", Some(&url)).ok();
            page::remember_address();
        }
    });
}

/// Marks what a form shows as out of date, or as current.
fn mark(form: &HtmlFormElement, is_old: bool) {
    for shown in attribute(form, LIVE).split_whitespace().filter_map(by_id) {
        if is_old { set(&shown, "aria-busy", "true") } else { unset(&shown, "aria-busy") }
    }
}

/// Opens the first result of a form in a dialog, once its results are those of what was typed.
pub fn choose(form: &HtmlFormElement) {
    if url_of(form).is_some_and(|url| url != attribute(form, SHOWN)) {
        set(form, CHOOSES, "");
        return load(form.clone());
    }
    if let Some(result) = first::<HtmlElement>("dialog [data-results] a") {
        result.click();
    }
}

fn url_of(form: &HtmlFormElement) -> Option<String> {
    fields_of(form, None).map(|fields| format!("{}?{fields}", attribute(form, "action")))
}

/// Disables the buttons of what a form shows, or enables them: while it is out of date, they would do something else than
/// the form says.
fn hold(form: &HtmlFormElement, is_held: bool) {
    for shown in attribute(form, LIVE).split_whitespace().filter_map(by_id) {
        for button in all(&shown, "form[method=post] button") {
            if is_held {
                set(&button, "disabled", "");
            } else {
                unset(&button, "disabled");
            }
        }
    }
}

/// Replaces the elements with these ids, separated by spaces, by those of another page. Returns whether there was one.
fn replace(came: &Element, ids: &str) -> bool {
    let mut is_any = false;
    selection::keep_over(|| {
        for id in ids.split_whitespace().map(|id| format!("#{id}")) {
            if let (Some(old), Some(new)) = (first::<Element>(&id), find::<Element>(came, &id)) {
                dates::localise(&new);
                old.replace_with_with_node_1(&new).ok();
                is_any = true;
            }
        }
    });
    is_any
}

/// Loads the next state of the element that waits for it, if there is one. Called every 2 seconds.
pub fn poll() {
    let Some(waiting) = first::<Element>("[data-poll]") else { return POLLS.set(0) };
    if document().hidden() || POLLS.get() >= MAX_POLLS {
        return;
    }
    POLLS.set(POLLS.get() + 1);
    let (url, id) = (attribute(&waiting, POLL), waiting.id());
    spawn_local(async move {
        if let Some(came) = fetch::page(&url).await {
            replace(&came, &id);
        }
    });
}

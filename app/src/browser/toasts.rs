//! Short messages about what was just done, and whether the browser is online.

use std::time::Duration;

use leptos::prelude::{set_timeout, window};
use web_sys::Element;

use super::dom::{by_id, closest, create, first, set};
use crate::words::browser as words;

/// How long a message is shown.
const SHOWN_FOR: Duration = Duration::from_secs(8);
/// The id of the message that the browser is offline.
const OFFLINE: &str = "offline";

/// Shows a message, in place of an earlier one. `action`: a form with a button, such as "Undo".
pub fn show(text: &str, action: Option<&Element>) {
    if let Some(toast) = put(text, action) {
        expire(toast);
    }
}

fn put(text: &str, action: Option<&Element>) -> Option<Element> {
    let place = by_id("toast")?;
    let (toast, text) = (create("div", "toast", "")?, create("p", "", text)?);
    let dismiss = create("button", "icon-button", "×")?;
    for (name, value) in [("type", "button"), ("data-dismiss", ""), ("aria-label", words::dismiss())] {
        set(&dismiss, name, value);
    }
    for part in [Some(&text), action, Some(&dismiss)].into_iter().flatten() {
        toast.append_child(part).ok();
    }
    place.replace_children_with_node_1(&toast);
    Some(toast)
}

/// Removes a message after its time, but not while the person points at it or has the focus in it.
fn expire(toast: Element) {
    let remove = move || {
        if toast.matches(":hover, :focus-within").unwrap_or_default() {
            expire(toast);
        } else {
            toast.remove();
        }
    };
    set_timeout(remove, SHOWN_FOR);
}

/// Starts the time of the message that came with the page.
pub fn expire_first() {
    if let Some(toast) = first("#toast .toast") {
        expire(toast);
    }
}

/// Removes the message that contains `button`.
pub fn dismiss(button: &Element) {
    if let Some(toast) = closest::<Element>(button, ".toast") {
        toast.remove();
    }
}

/// Says that the browser is offline, until it is online again.
pub fn set_offline(is_offline: bool) {
    if !is_offline {
        if let Some(toast) = by_id(OFFLINE) {
            toast.remove();
        }
    } else if let Some(toast) = put(unreachable(), None) {
        toast.set_id(OFFLINE);
    }
}

/// Says that a page couldn't be loaded, unless it says already that the browser is offline.
pub fn show_unreachable() {
    if by_id(OFFLINE).is_none() {
        show(unreachable(), None);
    }
}

/// Why the server gave no answer, and what to do.
pub fn unreachable() -> &'static str {
    if window().navigator().on_line() { words::cant_reach_the_server() } else { words::youre_offline() }
}

//! Shortcuts, and the arrow keys in menus and in the results of the search.

use leptos::prelude::{document, window};
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlDialogElement, HtmlElement, HtmlInputElement, KeyboardEvent};

use super::{
    chart, dialog,
    dom::{all, attribute, closest, find, first, focus, set, target, unset},
};
use crate::{api::wire::SEARCH, words::browser as words};

/// The page with the list of shortcuts.
const SHORTCUTS: &str = "/shortcuts";

/// Writes the shortcuts as on this computer's keyboard.
pub fn label_shortcuts() {
    let platform =
        js_sys::Reflect::get(&window().navigator(), &"platform".into()).ok().and_then(|name| name.as_string());
    let Some(root) = document().document_element() else { return };
    if platform.is_some_and(|name| name.starts_with("Mac") || name.starts_with("iP")) {
        for key in all(&root, "kbd[data-mac]") {
            key.set_text_content(Some(&attribute(&key, "data-mac")));
        }
    }
}

/// Handles a key that was pressed.
pub fn pressed(over: &HtmlDialogElement, event: &KeyboardEvent) {
    let (key, at) = (event.key(), target::<Element>(event));
    let is_command = event.ctrl_key() || event.meta_key();
    let is_done = match key.as_str() {
        // Browsers close a dialog on the second Escape even if its cancel event was prevented.
        "Escape" => dialog::is_held(over) || at.is_some_and(|at| escape(&at)),
        "ArrowLeft" | "ArrowRight" => at.is_some_and(|at| chart::select(&at, &key)),
        "ArrowDown" | "ArrowUp" | "Home" | "End" => {
            at.is_some_and(|at| move_focus(&at, &key) || key.len() < 5 && chart::select(&at, &key))
        }
        "k" if is_command => {
            dialog::open(over, SEARCH, words::search(), None);
            true
        }
        _ if is_command || event.alt_key() || over.open() || at.as_ref().is_some_and(is_typing) => false,
        "?" => {
            dialog::open(over, SHORTCUTS, words::keyboard_shortcuts(), None);
            true
        }
        "/" => first("[data-shortcut='/'], #page input[type=search]").is_some_and(|field: HtmlElement| focus(&field)),
        _ => first(&format!("[data-shortcut='{key}']")).is_some_and(|element: HtmlElement| {
            element.click();
            // A click doesn't focus a field.
            !element.is_instance_of::<HtmlInputElement>() || focus(&element)
        }),
    };
    if is_done {
        event.prevent_default();
    }
}

fn is_typing(at: &Element) -> bool {
    let fields = "input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]";
    // A field keeps the focus for a moment after its dialog was closed.
    closest::<Element>(at, fields).is_some() && closest::<Element>(at, "dialog:not([open])").is_none()
}

/// Moves the focus in a menu or the results of the search. Returns whether the key did something.
fn move_focus(at: &Element, key: &str) -> bool {
    let Some(menu) = closest::<Element>(at, ".menu, [data-arrows]") else { return false };
    // In a field, Home and End move the cursor.
    if !key.starts_with("Arrow") && at.is_instance_of::<HtmlInputElement>() {
        return false;
    }
    if let Some(popover) = find::<HtmlElement>(&menu, "[popover]:not(:popover-open)") {
        popover.show_popover().ok();
    } else if menu.tag_name() == "DETAILS" {
        set(&menu, "open", "");
    }
    let items = all(&menu, "input[type=search], li :is(a, button)");
    let Some(last) = items.len().checked_sub(1) else { return false };
    let next = match (key, items.iter().position(|item| item == at)) {
        ("End", _) | ("ArrowUp", None | Some(0)) => last,
        ("ArrowUp", Some(here)) => here - 1,
        ("ArrowDown", Some(here)) if here < last => here + 1,
        _ => 0,
    };
    focus(&items[next])
}

/// Closes the open menus that don't contain `at`, where the focus or a click went. The browser itself closes popovers
/// at clicks and Escape, but not when the focus leaves them.
pub fn close_menus(at: &Element) {
    let Some(root) = document().document_element() else { return };
    // The drawer covers what is behind it.
    if let Some(drawer) = first::<HtmlElement>("#rail:popover-open").filter(|drawer| !drawer.contains(Some(at)))
        && !at.matches("body").unwrap_or_default()
        && closest::<Element>(at, "dialog").is_none()
    {
        drawer.hide_popover().ok();
    }
    for menu in all(&root, ".menu").into_iter().filter(|menu| !menu.contains(Some(at))) {
        close_menu(&menu);
    }
}

fn close_menu(menu: &Element) {
    unset(menu, "open");
    if let Some(popover) = find::<HtmlElement>(menu, ":popover-open") {
        popover.hide_popover().ok();
    }
}

/// Closes the menu that contains `at`, and focuses its button. Returns whether there was one that the browser doesn't
/// close itself.
fn escape(at: &Element) -> bool {
    let Some(menu) = closest::<Element>(at, "details.menu[open]") else { return false };
    close_menu(&menu);
    find::<Element>(&menu, "summary").is_some_and(|summary| focus(&summary))
}

//! Copies texts to the clipboard, and hides and shows secrets.

use std::time::Duration;

use leptos::prelude::{set_timeout, window};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Element, HtmlInputElement};

use super::dom::{all, attribute, closest, create, find, first, set, spawn_local};
use crate::words::browser as words;

/// How long a button shows that it copied.
const TICK_FOR: Duration = Duration::from_secs(2);
/// How long a button asks the person to copy the selected text.
const ADVICE_FOR: Duration = Duration::from_secs(8);

/// The attribute with the text of a button that shows another one for a while.
const LABEL: &str = "data-label";
/// The attribute of a card whose secret was copied, so that it can be left without a question.
const SAFE: &str = "data-safe";

/// Copies the value of the field whose selector is in the button's `data-copy` or, if that is empty, the text of the
/// element after the button.
pub fn copy_from(button: Element) {
    let field = named_field(&button, "data-copy");
    let after = button.next_element_sibling();
    let text = match &field {
        Some(field) => field.value(),
        None => after.as_ref().and_then(|text| text.text_content()).unwrap_or_default(),
    };
    spawn_local(async move {
        if copy(&text).await {
            mark_as_safe(&button);
            button.class_list().add_1("copied").ok();
            announce(&button, words::copied());
            return later(button, TICK_FOR, |button| drop(button.class_list().remove_1("copied")));
        }
        // Browsers have a clipboard only over TLS and on localhost. Otherwise the person copies the selected text.
        if let Some(field) = field {
            field.select();
        } else if let (Some(after), Ok(Some(selection))) = (after, window().get_selection()) {
            selection.select_all_children(&after).ok();
        }
        if !button.has_attribute(LABEL) {
            set(&button, LABEL, &button.text_content().unwrap_or_default());
        }
        button.set_text_content(Some(words::press_ctrl_c()));
        announce(&button, words::press_ctrl_c_to_copy());
        later(button, ADVICE_FOR, |button| button.set_text_content(button.get_attribute(LABEL).as_deref()));
    });
}

/// Changes a button back after a time, counted from the last time that it was pressed.
fn later(button: Element, time: Duration, back: fn(&Element)) {
    const PRESSES: &str = "data-presses";
    let presses = (attribute(&button, PRESSES).parse().unwrap_or(0_u32) + 1).to_string();
    set(&button, PRESSES, &presses);
    let change_back = move || {
        if attribute(&button, PRESSES) == presses {
            back(&button);
        }
    };
    set_timeout(change_back, time);
}

async fn copy(text: &str) -> bool {
    let navigator = window().navigator();
    let has_clipboard = js_sys::Reflect::get(&navigator, &"clipboard".into()).is_ok_and(|found| !found.is_undefined());
    has_clipboard && JsFuture::from(navigator.clipboard().write_text(text)).await.is_ok()
}

/// Lets screen readers read a text. The element is in the dialog or the page before its text is, because one that is
/// added together with its text isn't read.
fn announce(near: &Element, text: &'static str) {
    let Some(place) = closest::<Element>(near, "dialog, main") else { return };
    let status = find(&place, ".announcement").or_else(|| {
        let status = create("p", "announcement visually-hidden", "")?;
        set(&status, "role", "status");
        place.append_child(&status).ok().map(|_| status)
    });
    let Some(status) = status else { return };
    status.set_text_content(None);
    set_timeout(move || status.set_text_content(Some(text)), Duration::from_millis(100));
}

/// Notes that the secret of the card around an element was stored, and offers to leave the card.
pub fn mark_as_safe(within: &Element) {
    let Some(card) = closest::<Element>(within, "[data-firm]") else { return };
    set(&card, SAFE, "");
    for button in all(&card, "[data-after-copy]") {
        button.class_list().add_1("primary").ok();
        let label = attribute(&button, "data-after-copy");
        if !label.is_empty() {
            button.set_text_content(Some(&label));
        }
    }
}

/// Whether the page shows a secret that wasn't copied yet.
pub fn is_secret_unsaved() -> bool {
    first::<Element>("[data-firm]:not([data-safe])").is_some()
}

/// Hides the secret in a field, or shows it again.
pub fn hide_or_show(button: &Element) {
    let Some(field) = named_field(button, "data-hide") else { return };
    let hides = field.type_() == "text";
    field.set_type(if hides { "password" } else { "text" });
    button.set_text_content(Some(if hides { words::show() } else { words::hide() }));
}

fn named_field(button: &Element, name: &str) -> Option<HtmlInputElement> {
    first(&attribute(button, name))
}

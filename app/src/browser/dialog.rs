//! Shows the cards of other pages in a dialog over the current page, and sends their forms from there.

use leptos::{ev, prelude::*, task::spawn_local};
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlDialogElement, HtmlElement, HtmlFormElement};

use super::{
    dates,
    fetch::{self, Answer},
    form::{fields_of, show_error},
    page,
};

/// The attribute with the path of the page whose card is in the dialog.
const FROM: &str = "data-from";

/// Shows the card of another page. If the page can't be loaded, has no card or belongs to another tenant than the
/// current page, the browser navigates to it instead.
pub fn open(dialog: HtmlDialogElement, path: String) {
    spawn_local(async move {
        let came = fetch::page(&path).await.filter(page::is_of_this_tenant);
        match came.and_then(|came| came.query_selector("#main .card").ok().flatten()) {
            Some(card) => {
                dialog.set_attribute(FROM, &path).ok();
                put(&dialog, &card);
                dialog.show_modal().ok();
            }
            None => page::leave_for(&path),
        }
    });
}

/// Sends a plain form of the dialog, which contains secrets. Does nothing while an earlier submission is pending.
pub fn send(dialog: HtmlDialogElement, form: HtmlFormElement) {
    if dialog.has_attribute("aria-busy") {
        return;
    }
    let path = form.get_attribute("action").or_else(|| dialog.get_attribute(FROM)).unwrap_or_default();
    let Some(fields) = fields_of(&form) else { return };
    set_busy(&dialog, true);
    spawn_local(async move {
        let answer = fetch::send(&path, &fields).await;
        set_busy(&dialog, false);
        match answer {
            Some(Answer::Done(to)) if page::is_here(&to) => {
                page::renew_with_notice().await;
                dialog.close();
            }
            Some(Answer::Done(to)) => page::leave_for(&to),
            Some(Answer::Page(answer)) if !page::is_of_this_tenant(&answer) => {
                page::leave_for(&dialog.get_attribute(FROM).unwrap_or(path));
            }
            Some(Answer::Page(answer)) => {
                if let Some(card) = answer.query_selector("#main .card").ok().flatten() {
                    show_answer(&dialog, &card).await;
                } else {
                    let said =
                        answer.query_selector("[role=alert]").ok().flatten().and_then(|said| said.text_content());
                    show_error(
                        &form,
                        &said.unwrap_or_else(|| "Something went wrong. Reload the page and try again.".to_owned()),
                    );
                }
            }
            None => show_error(&form, "Can't reach the server. Check your connection and try again."),
        }
    });
}

/// Shows the card of a form's response: the form with its errors, or what was created.
async fn show_answer(dialog: &HtmlDialogElement, card: &Element) {
    put(dialog, card);
    page::ensure_open(dialog);
    let find = |selector| dialog.query_selector(selector).ok().flatten();
    let wrong = find("[aria-invalid]").or_else(|| find("[autofocus]"));
    if let Some(field) = wrong.and_then(|field| field.dyn_into::<HtmlElement>().ok()) {
        field.focus().ok();
    }
    if closes_by_button_only(dialog) {
        // Something was created, so the list under the dialog is reloaded.
        page::renew().await;
    }
}

fn put(dialog: &HtmlDialogElement, card: &Element) {
    dialog.replace_children_with_node_1(card);
    dates::label_time_zone();
    page::set_time_titles();
}

fn set_busy(dialog: &HtmlDialogElement, is_busy: bool) {
    if is_busy {
        dialog.set_attribute("aria-busy", "true").ok();
    } else {
        dialog.remove_attribute("aria-busy").ok();
    }
}

fn without_secrets(fields: &str) -> String {
    let is_secret = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default();
        name.ends_with("password") || name.ends_with("code")
    };
    fields.split('&').filter(|pair| !is_secret(pair)).collect::<Vec<_>>().join("&")
}

/// Loads the code examples again, with the current values of the form.
pub fn renew_code(dialog: &HtmlDialogElement, summary: &Element) {
    let form = summary.closest(".card").ok().flatten().and_then(|card| card.query_selector("form").ok().flatten());
    let fields = form.and_then(|form| form.dyn_into().ok()).and_then(|form| fields_of(&form));
    let from =
        if dialog.contains(Some(summary)) { dialog.get_attribute(FROM) } else { window().location().pathname().ok() };
    // Passwords and codes must not be in a URL.
    let fields = fields.map(|fields| without_secrets(&fields));
    let (Some(fields), Some(from), Some(fold)) = (fields, from, summary.parent_element()) else { return };
    spawn_local(async move {
        let Some(came) = fetch::page(&format!("{from}?{fields}")).await else { return };
        let (Ok(old), Ok(new)) = (fold.query_selector_all("pre"), came.query_selector_all(".as-code pre")) else {
            return;
        };
        // Only the texts are replaced, so that sections that were opened in the meantime stay open.
        for index in 0..old.length().min(new.length()) {
            if let (Some(old), Some(new)) = (old.item(index), new.item(index)) {
                old.set_text_content(new.text_content().as_deref());
            }
        }
    });
}

/// Whether a click outside may close the dialog: there is nothing to type in it.
pub fn closes_on_backdrop(dialog: &HtmlDialogElement) -> bool {
    let has = |selector| dialog.query_selector(selector).ok().flatten().is_some();
    has("[data-light]") && !has(".confirm")
}

/// Whether only a button in the dialog may close it, because it shows a secret.
fn closes_by_button_only(dialog: &HtmlDialogElement) -> bool {
    dialog.query_selector("[data-firm]").ok().flatten().is_some()
}

/// Prevents Escape from closing a dialog that shows a secret, and removes the contents of a closed dialog from the
/// page.
pub fn guard(dialog: &HtmlDialogElement) {
    let place = dialog.clone();
    window_event_listener(ev::keydown, move |event| {
        // Browsers close a dialog on the second Escape even if its cancel event was prevented.
        if event.key() == "Escape" && closes_by_button_only(&place) {
            event.prevent_default();
        }
    });
    let place = dialog.clone();
    let closed = wasm_bindgen::closure::Closure::<dyn Fn()>::new(move || {
        if closes_by_button_only(&place) && !place.has_attribute("data-closing") {
            place.show_modal().ok();
            return;
        }
        place.remove_attribute("data-closing").ok();
        place.replace_children_with_node_0();
        page::focus();
    });
    dialog.add_event_listener_with_callback("close", closed.as_ref().unchecked_ref()).ok();
    // The listener lives as long as the page.
    closed.forget();
}

/// Closes the dialog, even one that shows a secret.
pub fn close(dialog: &HtmlDialogElement) {
    dialog.set_attribute("data-closing", "").ok();
    dialog.close();
    // Immediately, not in the close event, so that a secret leaves the page with the click.
    dialog.replace_children_with_node_0();
}

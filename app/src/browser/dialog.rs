//! Other pages' cards in a dialog over this one: opened by links, their forms sent from there.

use leptos::{ev, prelude::*, task::spawn_local};
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlDialogElement, HtmlElement, HtmlFormElement};

use super::{
    dates,
    fetch::{self, Answer},
    form::{complain, fields_of},
    page,
};

/// Where the card in the dialog came from.
const FROM: &str = "data-from";

/// Shows the card of another page. Where it doesn't come, or is another tenant's than this page, the browser goes there, and
/// says why by itself.
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

/// Sends the dialog's plain form, one that holds secrets; a second press while the first is on its way does nothing.
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
                    complain(
                        &form,
                        &said.unwrap_or_else(|| "Something went wrong. Reload the page and try again.".to_owned()),
                    );
                }
            }
            None => complain(&form, "Can't reach the server. Check your connection and try again."),
        }
    });
}

/// What is wrong with the form, or what was created.
async fn show_answer(dialog: &HtmlDialogElement, card: &Element) {
    put(dialog, card);
    page::ensure_open(dialog);
    let find = |selector| dialog.query_selector(selector).ok().flatten();
    let wrong = find("[aria-invalid]").or_else(|| find("[autofocus]"));
    if let Some(field) = wrong.and_then(|field| field.dyn_into::<HtmlElement>().ok()) {
        field.focus().ok();
    }
    if is_firm(dialog) {
        // Something was made: the list under the dialog shows it.
        page::renew().await;
    }
}

fn put(dialog: &HtmlDialogElement, card: &Element) {
    dialog.replace_children_with_node_1(card);
    dates::name_zone();
    page::name_times();
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

/// Asks for the code examples again, with what is in the form by now.
pub fn renew_code(dialog: &HtmlDialogElement, summary: &Element) {
    let form = summary.closest(".card").ok().flatten().and_then(|card| card.query_selector("form").ok().flatten());
    let fields = form.and_then(|form| form.dyn_into().ok()).and_then(|form| fields_of(&form));
    let from =
        if dialog.contains(Some(summary)) { dialog.get_attribute(FROM) } else { window().location().pathname().ok() };
    // What confirms who asks has no place in an address.
    let fields = fields.map(|fields| without_secrets(&fields));
    let (Some(fields), Some(from), Some(fold)) = (fields, from, summary.parent_element()) else { return };
    spawn_local(async move {
        let Some(came) = fetch::page(&format!("{from}?{fields}")).await else { return };
        let (Ok(old), Ok(new)) = (fold.query_selector_all("pre"), came.query_selector_all(".as-code pre")) else {
            return;
        };
        // The texts alone: what was unfolded meanwhile stays so.
        for index in 0..old.length().min(new.length()) {
            if let (Some(old), Some(new)) = (old.item(index), new.item(index)) {
                old.set_text_content(new.text_content().as_deref());
            }
        }
    });
}

/// Whether a click outside may close it: nothing is typed there.
pub fn is_light(dialog: &HtmlDialogElement) -> bool {
    let has = |selector| dialog.query_selector(selector).ok().flatten().is_some();
    has("[data-light]") && !has(".confirm")
}

/// Whether only its own button may close it: a token is shown.
fn is_firm(dialog: &HtmlDialogElement) -> bool {
    dialog.query_selector("[data-firm]").ok().flatten().is_some()
}

/// Keeps a token from being lost by Escape, and leaves nothing of a closed dialog in the page.
pub fn guard(dialog: &HtmlDialogElement) {
    let place = dialog.clone();
    window_event_listener(ev::keydown, move |event| {
        // Browsers close a dialog at the second Escape whatever its cancel event says.
        if event.key() == "Escape" && is_firm(&place) {
            event.prevent_default();
        }
    });
    let place = dialog.clone();
    let closed = wasm_bindgen::closure::Closure::<dyn Fn()>::new(move || {
        if is_firm(&place) && !place.has_attribute("data-closing") {
            place.show_modal().ok();
            return;
        }
        place.remove_attribute("data-closing").ok();
        place.replace_children_with_node_0();
        page::focus();
    });
    dialog.add_event_listener_with_callback("close", closed.as_ref().unchecked_ref()).ok();
    // It listens for as long as the page lives.
    closed.forget();
}

/// Closes it, whatever it shows.
pub fn close(dialog: &HtmlDialogElement) {
    dialog.set_attribute("data-closing", "").ok();
    dialog.close();
    // Now, and not when its event comes: a token is gone from the page with the click.
    dialog.replace_children_with_node_0();
}

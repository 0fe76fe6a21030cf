//! Shows the cards of other pages in a dialog over the current page, and sends their forms from there.

use leptos::prelude::document;
use wasm_bindgen::JsCast;
use web_sys::{Element, Event, HtmlDialogElement, HtmlElement, HtmlFormElement, HtmlTemplateElement};

use super::{
    dates,
    dom::{all, attribute, by_id, closest, create, find, first, focus as focus_element, path, set, spawn_local, unset},
    fetch::{self, Answer},
    fields::{card_of, fields_of, set_busy, show_error},
    focus, page, toasts,
};
use crate::{
    api::wire::{SEARCH, SEARCH_CARD},
    words::{browser as words, session::session_ended},
};

/// The dialog of the page.
pub const DIALOG: &str = "dialog.modal";
/// The attribute with the path of the page whose card is in the dialog.
const FROM: &str = "data-from";
/// The attribute of a form that is sent again after the person has signed in again.
const RESEND: &str = "data-resend";
/// The attribute of a dialog that may close although it shows a secret.
const CLOSING: &str = "data-closing";

const CARD: &str = "#main .card";

/// Shows the card of another page. If the page has no card or belongs to another tenant than the current page, the
/// browser navigates to it instead. `title`: the heading until the card has been loaded. `opener`: what gets the focus
/// back; by default what has it now.
pub fn open(dialog: &HtmlDialogElement, path: &str, title: &str, opener: Option<Element>) {
    if is_held(dialog) {
        return;
    }
    if !dialog.open()
        && let Some(opener) = opener.or_else(|| document().active_element())
    {
        focus::remember(opener);
    }
    set(dialog, FROM, path);
    let template = by_id(SEARCH_CARD).filter(|_| path == SEARCH);
    if let Some(template) = template.and_then(|template| template.dyn_into::<HtmlTemplateElement>().ok()) {
        // The search waits for no response: what is typed meanwhile would be lost.
        if let Ok(card) = template.content().clone_node_with_deep(true) {
            dialog.replace_children_with_node_1(&card);
            show(dialog);
            return present(dialog, dialog);
        }
    }
    if let Some(card) = skeleton(title) {
        dialog.replace_children_with_node_1(&card);
    }
    show(dialog);
    let (dialog, path) = (dialog.clone(), path.to_owned());
    spawn_local(async move {
        let came = fetch::page(&path).await;
        // The person may have closed the dialog or opened another card.
        if !dialog.open() || attribute(&dialog, FROM) != path {
            return;
        }
        let Some(came) = came else {
            dialog.close();
            return toasts::show_unreachable();
        };
        let card = find::<Element>(&came, CARD).filter(|_| page::is_of_this_tenant(&came));
        match card {
            Some(card) if is_sign_in(&card) => put_sign_in(&dialog, &card),
            Some(card) => {
                dialog.replace_children_with_node_1(&card);
                present(&dialog, &dialog);
            }
            None => page::leave_for(&path),
        }
    });
}

fn show(dialog: &HtmlDialogElement) {
    if !dialog.open() {
        dialog.show_modal().ok();
    }
}

/// A card that is shown until the real one has been loaded.
fn skeleton(title: &str) -> Option<Element> {
    let (card, heading) = (create("div", "card skeleton", "")?, create("h1", "", title)?);
    set(&card, "aria-busy", "true");
    heading.set_id("card-title");
    card.append_child(&heading).ok()?;
    Some(card)
}

/// Prepares a card that was just put into `place`: its times, its beginning in sight, and the focus in it. The focus
/// goes to the heading of a secret, so that it is read.
pub fn present(dialog: &Element, place: &Element) {
    dates::localise(place);
    dates::label_time_zone();
    dialog.set_scroll_top(0);
    let title = find::<Element>(place, "[data-firm] h1");
    if let Some(title) = &title {
        set(title, "tabindex", "-1");
    }
    // Not the first of several radio buttons, which a key press would select.
    let first = [
        "[aria-invalid]",
        "[autofocus]",
        "input[type=radio]:checked",
        "input:not([type=hidden]), textarea, select",
        "a, button",
    ];
    // One that is hidden can't have the focus.
    let focuses = |selector: &&str| all(place, selector).iter().any(focus_element);
    if !title.is_some_and(|title| focus_element(&title)) {
        first.iter().any(focuses);
    }
}

/// Sends a plain form of the dialog, which contains secrets. Does nothing while an earlier submission is pending.
/// `button`: the one that was pressed.
pub fn send(dialog: HtmlDialogElement, form: HtmlFormElement, button: Option<HtmlElement>) {
    let Some(fields) = fields_of(&form, button.as_ref()) else { return };
    if !set_busy(&form, Some(&dialog), button.as_ref(), true) {
        return;
    }
    let path = form.get_attribute("action").unwrap_or_else(|| attribute(&dialog, FROM));
    spawn_local(async move {
        let answer = fetch::send(&path, &fields).await;
        set_busy(&form, Some(&dialog), button.as_ref(), false);
        let signs_in = path.starts_with("/sign-in");
        match answer {
            Some(Answer::Done(to)) if signs_in && to.starts_with("/sign-in/code") => {
                if let Some(card) = fetch::page(&to).await.and_then(|came| find::<Element>(&came, CARD)) {
                    replace_card(&dialog, &form, &card);
                }
            }
            Some(Answer::Done(_)) if signs_in => resume(&dialog, &form).await,
            Some(Answer::Done(to)) if to.starts_with("/sign-in") => ask_to_sign_in(&dialog, &form).await,
            Some(Answer::Done(to)) if page::is_here(&to) => {
                let notice = page::renew_with_notice().await;
                close(&dialog);
                if let Some(notice) = notice {
                    toasts::show(&notice, None);
                }
            }
            Some(Answer::Done(to)) => page::leave_for(&to),
            Some(Answer::Page(came)) => match find::<Element>(&came, CARD) {
                Some(_) if !page::is_of_this_tenant(&came) => page::leave_for(&attribute(&dialog, FROM)),
                Some(card) if !signs_in && is_sign_in(&card) => ask_to_sign_in(&dialog, &form).await,
                Some(card) => {
                    replace_card(&dialog, &form, &card);
                    if find::<Element>(&dialog, "[data-firm]").is_some() {
                        // Something was created, so the list under the dialog is reloaded.
                        page::renew().await;
                    }
                }
                None => {
                    let said = find::<Element>(&came, "[role=alert]").and_then(|said| said.text_content());
                    show_error(&form, &said.unwrap_or_else(|| words::something_went_wrong().to_owned()));
                }
            },
            None => show_error(&form, toasts::unreachable()),
        }
    });
}

/// Shows the card of a form's response in place of the form's card.
fn replace_card(dialog: &HtmlDialogElement, form: &HtmlFormElement, card: &Element) {
    let Some(old) = card_of(form) else { return };
    if attribute(form, "action").starts_with("/sign-in") {
        entitle(card);
    }
    old.replace_with_with_node_1(card).ok();
    present(dialog, card);
}

fn is_sign_in(card: &Element) -> bool {
    find::<Element>(card, "form[action='/sign-in']").is_some()
}

fn entitle(card: &Element) {
    if let Some(title) = find::<Element>(card, "h1") {
        title.set_id("card-title");
        title.set_text_content(Some(session_ended()));
    }
}

/// Shows the sign-in form in front of what is in the dialog.
fn put_sign_in(dialog: &HtmlDialogElement, card: &Element) {
    entitle(card);
    if let Some(skeleton) = find::<Element>(dialog, ".skeleton") {
        skeleton.remove();
    }
    dialog.prepend_with_node_1(card).ok();
    show(dialog);
    present(dialog, card);
}

/// Asks a person whose session has ended to sign in, and keeps the form to send it again. What was typed into it stays,
/// except for secrets.
pub async fn ask_to_sign_in(dialog: &HtmlDialogElement, form: &HtmlFormElement) {
    let came = fetch::page("/sign-in").await;
    let Some(card) = came.and_then(|came| find::<Element>(&came, CARD)) else { return toasts::show_unreachable() };
    if let Some(fields) = find::<Element>(form, "fieldset.confirm") {
        fields.remove();
    }
    set(form, RESEND, "");
    // A form of the page stays there. One of the dialog is hidden, and returns if the dialog was closed.
    if let Some(kept) = card_of(form).filter(|kept| closest::<Element>(kept, "#page").is_none()) {
        set(&kept, "hidden", "");
        dialog.replace_children_with_node_1(&kept);
    }
    put_sign_in(dialog, &card);
}

/// Continues after the person has signed in again: sends the kept form, or opens the requested card. If somebody
/// else has signed in, neither the form nor the page is theirs.
async fn resume(dialog: &HtmlDialogElement, sign_in: &HtmlFormElement) {
    if !page::newest().await.is_some_and(|newest| page::is_of_this_person(&newest)) {
        return page::reload();
    }
    if let Some(card) = card_of(sign_in) {
        card.remove();
    }
    let Some(form) = first::<HtmlFormElement>(&format!("form[{RESEND}]")) else {
        return open(dialog, &attribute(dialog, FROM), "", None);
    };
    unset(&form, RESEND);
    if let Some(card) = card_of(&form) {
        unset(&card, "hidden");
    }
    if !dialog.contains(Some(&form)) {
        close(dialog);
    }
    form.request_submit().ok();
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
    let form = closest::<Element>(summary, ".card").and_then(|card| find::<HtmlFormElement>(&card, "form"));
    let from = if dialog.contains(Some(summary)) { attribute(dialog, FROM) } else { path() };
    // Passwords and codes must not be in a URL.
    let fields = form.and_then(|form| fields_of(&form, None)).map(|fields| without_secrets(&fields));
    let (Some(fields), Some(fold)) = (fields, summary.parent_element()) else { return };
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
    let has = |selector| find::<Element>(dialog, selector).is_some();
    has("[data-light]") && !has(".confirm") && !is_held(dialog)
}

/// Whether the person can't close the dialog now, except by a button that is meant for it: it shows a secret, or a form
/// is being sent.
pub fn is_held(dialog: &HtmlDialogElement) -> bool {
    dialog.has_attribute("aria-busy") || find::<Element>(dialog, "[data-firm]").is_some()
}

/// Handles that the browser has closed the dialog, or is about to.
pub fn closing(dialog: &HtmlDialogElement, event: &Event) {
    let is_held = is_held(dialog) && !dialog.has_attribute(CLOSING);
    if event.type_() == "cancel" {
        if is_held {
            event.prevent_default();
        }
    } else if is_held {
        show(dialog);
    } else if !dialog.open() {
        unset(dialog, CLOSING);
        dialog.replace_children_with_node_0();
        focus::give_back();
    }
}

/// Closes the dialog, even one that shows a secret.
pub fn close(dialog: &HtmlDialogElement) {
    if dialog.open() {
        set(dialog, CLOSING, "");
        dialog.close();
        // Immediately, not in the close event, so that a secret leaves the page with the click.
        dialog.replace_children_with_node_0();
        focus::give_back();
    }
}

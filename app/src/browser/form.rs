//! The forms of server functions: checks their fields, calls the function, and shows the outcome.

use domain::{ApiError, ErrorCode, Outcome, outcome::Reveal, user::input::confirm};
use leptos::{prelude::*, task::spawn_local};
use wasm_bindgen::JsCast;
use web_sys::{
    Element, FormData, HtmlDialogElement, HtmlElement, HtmlFormElement, HtmlInputElement, HtmlTemplateElement,
    UrlSearchParams,
};

use super::{dates, fetch, page};
use crate::api::{
    AppError, acts, client,
    wire::{SECRET_PLACEHOLDER, field},
};

/// The attribute that marks the forms of server functions.
pub const ACT: &str = "data-act";

/// Sends a form to its server function. Does nothing while an earlier submission is pending. `over`: the dialog that
/// contains the form, if any.
pub fn send(over: Option<HtmlDialogElement>, form: HtmlFormElement) {
    if form.has_attribute("aria-busy") {
        return;
    }
    let Some(fields) = fields_of(&form) else { return };
    let action = form.get_attribute("action").unwrap_or_default();
    clear_errors(&form);
    form.set_attribute("aria-busy", "true").ok();
    let fields = UrlSearchParams::new_with_str(&fields).ok();
    // As on the server, the later of two fields with the same name counts.
    let get =
        |name: &str| fields.as_ref().and_then(|fields| fields.get_all(name).pop().as_string()).unwrap_or_default();
    let call = acts::prepare(&action, &get, dates::now());
    let confirmation = confirmation_of(&form);
    spawn_local(async move {
        let answer = match (call, confirmation) {
            (Some(Ok(call)), None) => Some(call.make().await),
            (Some(Ok(call)), Some(fields)) => match client::confirm(&fields).await {
                Ok(()) => {
                    // A code can be used only once, and the act itself may still be rejected; so it isn't sent again.
                    if let Some(fields) = find::<Element>(&form, "fieldset.confirm") {
                        fields.remove();
                    }
                    Some(call.make().await)
                }
                Err(error) => Some(Err(error)),
            },
            (Some(Err(error)), _) => Some(Err(error)),
            (None, _) => None,
        };
        form.remove_attribute("aria-busy").ok();
        match answer {
            Some(Ok(outcome)) => show(over, &form, outcome).await,
            Some(Err(AppError::Api(error))) => refuse(over.as_ref(), &form, error).await,
            Some(Err(AppError::Transport)) => show_error(&form, &ApiError::from(AppError::Transport).message),
            None => show_error(&form, "Something went wrong. Reload the page and try again."),
        }
    });
}

/// Shows the outcome of an act: what it reveals, the page of what it created, or a notice.
async fn show(over: Option<HtmlDialogElement>, form: &HtmlFormElement, outcome: Outcome) {
    let then = value_of(form, field::THEN);
    if let Some(reveal) = outcome.reveal {
        // The card is found from the form because the dialog is empty if it was closed in the meantime.
        let card = card_of(form);
        let place = over
            .as_ref()
            .map(|dialog| dialog.clone().unchecked_into())
            .or_else(|| card.as_ref().and_then(|card| card.parent_element()));
        if let (Some(card), Some(place)) = (card, place) {
            put_reveal(&card, &place, &reveal);
        }
        if let Some(dialog) = over {
            page::ensure_open(&dialog);
            // Something was created, so the list under the dialog is reloaded.
            page::renew().await;
        }
        return;
    }
    if let Some(id) = outcome.created {
        return page::leave_for(&format!("{then}/{id}"));
    }
    match over {
        Some(dialog) if outcome.selects.is_none() && (page::is_here(&then) || page::is_over_inventory()) => {
            page::renew().await;
            dialog.close();
            if let Some(sentence) = outcome.notice.sentence() {
                page::toast(&sentence);
            }
        }
        _ => page::leave_for(&then),
    }
}

/// Shows a new token or link: fills the secret into the template in `card`, and replaces the contents of `place` with
/// it.
fn put_reveal(card: &Element, place: &Element, reveal: &Reveal) {
    let Some(template) = find::<HtmlTemplateElement>(card, "template[data-reveal]") else { return };
    let secret = match reveal {
        Reveal::Key(created) => created.token.expose(),
        Reveal::Link(issued) => issued.link.expose(),
    };
    let Ok(filled) = document().create_element("div") else { return };
    filled.append_child(&template.content()).ok();
    for field in page::all(&filled, "input").into_iter().filter_map(|field| field.dyn_into::<HtmlInputElement>().ok()) {
        field.set_value(&field.value().replace(SECRET_PLACEHOLDER, secret));
    }
    if let Reveal::Link(issued) = reveal {
        let other = format!("[data-mailed={}]", !issued.is_mailed);
        for words in page::all(&filled, &other) {
            words.remove();
        }
    }
    for text in page::all(&filled, "pre") {
        let filled = text.text_content().unwrap_or_default().replace(SECRET_PLACEHOLDER, secret);
        text.set_text_content(Some(&filled));
    }
    if let Some(card) = filled.first_element_child() {
        place.replace_children_with_node_1(&card);
    }
    if let Some(title) = find::<HtmlElement>(place, "#card-title") {
        title.set_attribute("tabindex", "-1").ok();
        title.focus().ok();
    }
}

/// Shows why an act was rejected: at the fields concerned, and above the form if the error concerns none of them. If the
/// dialog of the form was closed in the meantime, a toast shows it.
async fn refuse(over: Option<&HtmlDialogElement>, form: &HtmlFormElement, error: ApiError) {
    if error.code == ErrorCode::Unauthenticated {
        return page::leave_for(&value_of(form, field::PAGE));
    }
    if !form.is_connected() {
        let at_field = error.fields.first().map(|wrong| wrong.message.as_str());
        return page::toast(at_field.unwrap_or(&error.message));
    }
    if error.code == ErrorCode::ConfirmationRequired {
        ask_to_confirm(form).await;
    }
    let mut elsewhere = error.fields.is_empty();
    for wrong in &error.fields {
        let shown = put_error(form, &wrong.field, &wrong.message);
        elsewhere |= !shown;
    }
    if elsewhere {
        let reference = error.reference.map(|reference| format!(" Reference: {reference}")).unwrap_or_default();
        show_error(form, &format!("{}{reference}", error.message));
    }
    let root: &Element = over.map_or(form.as_ref(), |dialog| dialog.as_ref());
    if let Some(field) = find::<HtmlElement>(root, "[aria-invalid]") {
        field.focus().ok();
    }
}

/// Puts a message at a field; `false` when the form has no such field.
fn put_error(form: &HtmlFormElement, name: &str, message: &str) -> bool {
    let Some(place) = find::<Element>(form, &format!("#error-{name}")) else { return false };
    let Ok(text) = document().create_element("p") else { return false };
    text.set_class_name("error");
    text.set_attribute("role", "alert").ok();
    text.set_text_content(Some(message));
    place.replace_children_with_node_1(&text);
    // The error of an expiry belongs to an input with another name, which it describes.
    let input = find::<Element>(form, &format!("[name={name}]"));
    if let Some(input) = input.or_else(|| find(form, &format!("input[aria-describedby~=error-{name}]"))) {
        input.set_attribute("aria-invalid", "true").ok();
        // A wrong password or code is cleared, since it has to be typed again.
        if let Some(input) = input.dyn_ref::<HtmlInputElement>().filter(|_| confirm::FIELDS.contains(&name)) {
            input.set_value("");
        }
    }
    true
}

fn clear_errors(form: &HtmlFormElement) {
    let root = card_of(form).unwrap_or_else(|| form.clone().unchecked_into());
    for message in page::all(&root, ".error, .error-box") {
        message.remove();
    }
    for input in page::all(&root, "[aria-invalid]") {
        input.remove_attribute("aria-invalid").ok();
    }
}

/// Adds the fields that confirm the person's identity to the form, from the server's current page. The typed values
/// stay.
async fn ask_to_confirm(form: &HtmlFormElement) {
    let Some(newest) = fetch::page(&value_of(form, field::PAGE)).await else { return };
    let fields = newest.query_selector("#main .card fieldset.confirm").ok().flatten();
    if let (Some(fields), Some(buttons)) = (fields, find::<Element>(form, ".buttons"))
        && find::<Element>(form, "fieldset.confirm").is_none()
    {
        buttons.insert_adjacent_element("beforebegin", &fields).ok();
    }
}

/// Shows an error above the form or, if its dialog was closed in the meantime, as a toast.
pub fn show_error(form: &HtmlFormElement, text: &str) {
    if !form.is_connected() {
        return page::toast(text);
    }
    let Ok(place) = document().create_element("p") else { return };
    place.set_class_name("error-box");
    place.set_attribute("role", "alert").ok();
    place.set_text_content(Some(text));
    form.prepend_with_node_1(&place).ok();
}

/// A form's urlencoded fields, with a date converted from the person's time zone to UTC.
pub fn fields_of(form: &HtmlFormElement) -> Option<String> {
    // The constructor accepts any sequence of pairs, and form data is one.
    let data = FormData::new_with_form(form).ok()?;
    let fields = UrlSearchParams::new_with_str_sequence_sequence(&data).ok()?;
    if let Some((name, value)) = dates::value_of(form) {
        fields.set(&name, &value);
    }
    Some(String::from(fields.to_string()))
}

/// The urlencoded fields that confirm the person's identity; `None` when the form has none or they are empty.
fn confirmation_of(form: &HtmlFormElement) -> Option<String> {
    let fields = UrlSearchParams::new().ok()?;
    for name in confirm::FIELDS {
        let value = value_of(form, name);
        if !value.is_empty() {
            fields.set(name, &value);
        }
    }
    Some(String::from(fields.to_string())).filter(|fields| !fields.is_empty())
}

fn value_of(form: &HtmlFormElement, name: &str) -> String {
    find::<HtmlInputElement>(form, &format!("input[name={name}]")).map(|input| input.value()).unwrap_or_default()
}

fn card_of(form: &HtmlFormElement) -> Option<Element> {
    form.closest(".card").ok().flatten()
}

fn find<T: JsCast>(root: &Element, selector: &str) -> Option<T> {
    root.query_selector(selector).ok().flatten()?.dyn_into().ok()
}

//! The forms of server functions: checks their fields, calls the function, and shows the outcome.

use domain::{
    AccountAct, ApiError, ErrorCode, KeyAct, Notice, Operation, Outcome,
    outcome::{NextStep, Reveal},
    user::input::confirm,
};
use wasm_bindgen::JsCast;
use web_sys::{
    Element, HtmlDialogElement, HtmlElement, HtmlFormElement, HtmlInputElement, HtmlTemplateElement, UrlSearchParams,
};

use super::{
    dates, dialog,
    dom::{all, attribute, by_id, closest, create, find, first, focus, path, set, spawn_local, unset},
    fetch,
    fields::{alert, card_of, fields_of, set_busy, show_error, value_of},
    page,
    rows::{self, Change},
    toasts,
};
use crate::{
    api::{
        AppError, acts, client, path_of,
        wire::{KEY_PLACEHOLDER, LISTS, SECRET_PLACEHOLDER, field},
    },
    words::browser as words,
};

/// The attribute that marks the forms of server functions.
pub const ACT: &str = "data-act";

/// Sends a form to its server function. Does nothing while an earlier submission is pending. `over`: the dialog that
/// contains the form, if any. `button`: the one that was pressed.
pub fn send(over: Option<HtmlDialogElement>, form: HtmlFormElement, button: Option<HtmlElement>) {
    let Some(fields) = fields_of(&form, button.as_ref()) else { return };
    if !set_busy(&form, over.as_ref(), button.as_ref(), true) {
        return;
    }
    let action = attribute(&form, "action");
    clear_errors(&form);
    let fields = UrlSearchParams::new_with_str(&fields).ok();
    // As on the server, the later of two fields with the same name counts, except in a list.
    let get = |name: &str| {
        let values = fields.as_ref()?.get_all(name);
        if LISTS.contains(&name) && values.length() > 0 {
            return Some(String::from(values.join(" ")));
        }
        values.pop().as_string()
    };
    let call = acts::prepare(&action, &get, dates::now());
    let confirmation = confirmation_of(&form);
    let mut ahead = None;
    if let (Some(dialog), Some(Ok(_)), None) = (&over, &call, &confirmation) {
        ahead = Change::ahead(&action, &form);
        if ahead.is_some() {
            set_busy(&form, Some(dialog), button.as_ref(), false);
            dialog::close(dialog);
        }
    }
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
        if ahead.is_none() {
            set_busy(&form, over.as_ref(), button.as_ref(), false);
        }
        if let (Some(change), None | Some(Err(_))) = (ahead, &answer) {
            change.take_back();
        }
        match answer {
            Some(Ok(outcome)) => show(over.as_ref(), &form, outcome).await,
            Some(Err(AppError::Api(error))) => refuse(&form, error).await,
            Some(Err(AppError::Transport)) => show_error(&form, &ApiError::from(AppError::Transport).message),
            None => show_error(&form, words::something_went_wrong()),
        }
    });
}

/// Shows the outcome of an act: what it reveals, the page of what it created, or a notice.
async fn show(over: Option<&HtmlDialogElement>, form: &HtmlFormElement, outcome: Outcome) {
    let then = value_of(form, field::THEN);
    if let Some(reveal) = outcome.reveal {
        if let Some(card) = card_of(form) {
            put_reveal(&card, &reveal);
        }
        if over.is_some() {
            // Something was created, so the list under the dialog is reloaded.
            page::renew().await;
        }
        return;
    }
    if let Some(id) = outcome.created {
        return page::leave_for(&format!("{then}/{id}"));
    }
    let is_over_page = over.is_some() || closest::<Element>(form, "#toast").is_some();
    if !is_over_page || outcome.selects.is_some() || !(page::is_here(&then) || page::is_over_inventory()) {
        return page::leave_for(&then);
    }
    let row = rows::id_of(form).filter(|id| by_id(id).is_some());
    if let Some(row) = &row {
        rows::show_over(outcome.notice.operation, row);
    }
    if let Some(dialog) = over.filter(|dialog| dialog.contains(Some(form))) {
        dialog::close(dialog);
    }
    show_notice(form, &outcome.notice);
    match row {
        Some(row) => rows::renew(&row).await,
        None => drop(page::renew().await),
    }
    // The row or the message in which the focus was may have been replaced.
    super::focus::give_back();
}

fn show_notice(form: &HtmlFormElement, notice: &Notice) {
    if let Some(sentence) = notice.sentence() {
        let action = undo(notice.operation, form).or_else(|| view(notice));
        toasts::show(&sentence, action.as_ref());
    }
}

/// The link to the page of what was changed, from another page.
fn view(notice: &Notice) -> Option<Element> {
    let Some(NextStep::View(page)) = notice.next_step() else { return None };
    if page == path() {
        return None;
    }
    let link = create("a", "button small", words::view())?;
    set(&link, "href", &page);
    Some(link)
}

/// The form that undoes what a form did, if it was a suspension.
fn undo(operation: Operation, form: &HtmlFormElement) -> Option<Element> {
    let (done, undoing, resume) = match operation {
        Operation::SuspendApiKey => (KeyAct::Suspend.code(), KeyAct::Resume.code(), Operation::ResumeApiKey),
        Operation::SuspendServiceAccount => {
            (AccountAct::Suspend.code(), AccountAct::Resume.code(), Operation::ResumeServiceAccount)
        }
        _ => return None,
    };
    let undo: Element = form.clone_node_with_deep(true).ok()?.unchecked_into();
    for other in all(&undo, ":scope > :not([type=hidden])") {
        other.remove();
    }
    set(&undo, "action", &path_of(resume));
    if let Some(page) = find::<HtmlInputElement>(&undo, &format!("[name={}]", field::PAGE)) {
        // The path of an act's page ends with its code.
        let value = page.value();
        let of_thing = value.split('?').next()?.strip_suffix(done)?;
        page.set_value(&format!("{of_thing}{undoing}"));
    }
    undo.append_child(create("button", "button small", words::undo()).as_ref()?).ok()?;
    Some(undo)
}

/// Shows a new token or link in place of the form's card: fills it into the template of the card.
fn put_reveal(card: &Element, reveal: &Reveal) {
    let Some(template) = find::<HtmlTemplateElement>(card, "template[data-reveal]") else { return };
    let secret = match reveal {
        Reveal::Key(created) => created.token.expose(),
        Reveal::Link(issued) => issued.link.expose(),
    };
    let Some(filled) = create("div", "", "") else { return };
    filled.append_child(&template.content()).ok();
    for field in all(&filled, "input").into_iter().filter_map(|field| field.dyn_into::<HtmlInputElement>().ok()) {
        field.set_value(&field.value().replace(SECRET_PLACEHOLDER, secret));
    }
    if let Reveal::Link(issued) = reveal {
        let other = format!("[data-mailed={}]", !issued.is_mailed);
        for words in all(&filled, &other) {
            words.remove();
        }
    }
    for text in all(&filled, "pre") {
        let filled = text.text_content().unwrap_or_default().replace(SECRET_PLACEHOLDER, secret);
        text.set_text_content(Some(&filled));
    }
    if let Reveal::Key(created) = reveal {
        let id = created.key.id.to_string();
        for live in all(&filled, "[data-poll]") {
            set(&live, "data-poll", &attribute(&live, "data-poll").replace(KEY_PLACEHOLDER, &id));
        }
    }
    if let (Some(shown), Some(place)) = (filled.first_element_child(), card.parent_element()) {
        card.replace_with_with_node_1(&shown).ok();
        dialog::present(&place, &shown);
    }
}

/// Shows why an act was rejected: at the fields concerned, and above the form if the error concerns none of them. If the
/// dialog of the form was closed in the meantime, a toast shows it.
async fn refuse(form: &HtmlFormElement, error: ApiError) {
    if error.code == ErrorCode::Unauthenticated {
        return match first(dialog::DIALOG) {
            Some(dialog) => dialog::ask_to_sign_in(&dialog, form).await,
            None => page::leave_for(&value_of(form, field::PAGE)),
        };
    }
    let is_in_card = form.is_connected() && card_of(form).is_some();
    if error.code == ErrorCode::ConfirmationRequired && !is_in_card {
        // "Undo" in a toast, or a form whose dialog was closed: its page asks for the password.
        let page = value_of(form, field::PAGE);
        return match first(dialog::DIALOG) {
            Some(dialog) => dialog::open(&dialog, &page, "", None),
            None => page::leave_for(&page),
        };
    }
    if !form.is_connected() {
        let at_field = error.fields.first().map(|wrong| wrong.message.as_str());
        return toasts::show(at_field.unwrap_or(&error.message), None);
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
        let message = match &error.reference {
            Some(reference) => words::with_reference(&error.message, reference),
            None => error.message,
        };
        show_error(form, &message);
    }
    if let Some(field) = find::<Element>(form, "[aria-invalid]") {
        focus(&field);
    }
}

/// Puts a message at a field; `false` when the form has no such field.
fn put_error(form: &HtmlFormElement, name: &str, message: &str) -> bool {
    let Some(place) = find::<Element>(form, &format!("#error-{name}")) else { return false };
    let Some(text) = alert("error", message) else { return false };
    place.replace_children_with_node_1(&text);
    // The error of an expiry belongs to an input with another name, which it describes.
    let input = find::<Element>(form, &format!("[name={name}]"));
    if let Some(input) = input.or_else(|| find(form, &format!("input[aria-describedby~=error-{name}]"))) {
        set(&input, "aria-invalid", "true");
        // A wrong password or code is cleared, since it has to be typed again.
        if let Some(input) = input.dyn_ref::<HtmlInputElement>().filter(|_| confirm::FIELDS.contains(&name)) {
            input.set_value("");
        }
    }
    true
}

fn clear_errors(form: &HtmlFormElement) {
    let root = card_of(form).unwrap_or_else(|| form.clone().unchecked_into());
    for message in all(&root, ".error, .error-box") {
        message.remove();
    }
    for input in all(&root, "[aria-invalid]") {
        unset(&input, "aria-invalid");
    }
}

/// Adds the fields that confirm the person's identity to the form, from the server's current page. The typed values
/// stay.
async fn ask_to_confirm(form: &HtmlFormElement) {
    let Some(newest) = fetch::page(&value_of(form, field::PAGE)).await else { return };
    let fields = find::<Element>(&newest, "#main .card fieldset.confirm");
    if let (Some(fields), Some(buttons)) = (fields, find::<Element>(form, ".buttons"))
        && find::<Element>(form, "fieldset.confirm").is_none()
    {
        buttons.before_with_node_1(&fields).ok();
    }
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

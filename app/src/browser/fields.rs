//! The fields of a form, its errors, and whether it is being sent.

use domain::Slug;
use js_sys::JsString;
use leptos::prelude::document;
use web_sys::{Element, FormData, HtmlDialogElement, HtmlElement, HtmlFormElement, HtmlInputElement, UrlSearchParams};

use super::{
    dates,
    dom::{all, attribute, closest, create, find, focus, set, unset},
    toasts,
};
use crate::words::browser as words;

/// A form's urlencoded fields with those of the pressed button, and with a date converted from the person's time zone
/// to UTC.
pub fn fields_of(form: &HtmlFormElement, button: Option<&HtmlElement>) -> Option<String> {
    // The constructor accepts any sequence of pairs, and form data is one.
    let data = FormData::new_with_form(form).ok()?;
    let fields = UrlSearchParams::new_with_str_sequence_sequence(&data).ok()?;
    if let Some((name, value)) = dates::value_of(form) {
        fields.set(&name, &value);
    }
    if let Some((button, name)) = button.and_then(|button| Some((button, button.get_attribute("name")?))) {
        fields.set(&name, &attribute(button, "value"));
    }
    Some(String::from(fields.to_string()))
}

/// The value of an input of a form; empty when it has none of that name.
pub fn value_of(form: &Element, name: &str) -> String {
    find::<HtmlInputElement>(form, &format!("input[name={name}]")).map(|input| input.value()).unwrap_or_default()
}

/// Fills in the slug that the name of a tenant gives, unless the person has typed another one.
pub fn suggest_slug(input: &HtmlInputElement) {
    const TYPED: &str = "data-typed";
    let slug = closest::<Element>(input, "form").and_then(|form| find::<HtmlInputElement>(&form, "[name=slug]"));
    let Some(slug) = slug else { return };
    if *input == slug {
        return if slug.value().is_empty() { unset(&slug, TYPED) } else { set(&slug, TYPED, "") };
    }
    if ["name", "tenant_name"].contains(&input.name().as_str()) && !slug.has_attribute(TYPED) {
        let name = String::from(JsString::from(input.value()).to_lower_case());
        slug.set_value(&Slug::suggested(&name));
    }
}

/// Removes the error of a field whose value has changed.
pub fn clear_error(input: &Element) {
    let Some(field) =
        closest::<Element>(input, ".field").filter(|_| closest::<Element>(input, "[data-live]").is_none())
    else {
        return;
    };
    for message in all(&field, ".error") {
        message.remove();
    }
    for input in all(&field, "[aria-invalid]") {
        unset(&input, "aria-invalid");
    }
}

/// Shows how long a new password is so far: in code points, as the server counts.
pub fn count(input: &HtmlInputElement) {
    let shown = closest::<Element>(input, "form")
        .and_then(|form| find::<Element>(&form, &format!("[data-counts=\"{}\"]", input.id())));
    let Some(shown) = shown else { return };
    let characters = input.value().chars().count();
    let text = words::characters_so_far(&characters, &input.min_length());
    shown.set_text_content(Some(if characters > 0 { &text } else { "" }));
}

/// The card that contains a form.
pub fn card_of(form: &HtmlFormElement) -> Option<Element> {
    closest(form, ".card")
}

/// Marks a form, its dialog and the pressed button as busy, or no longer. Returns `false` when the form already is.
pub fn set_busy(
    form: &HtmlFormElement,
    over: Option<&HtmlDialogElement>,
    button: Option<&HtmlElement>,
    is_busy: bool,
) -> bool {
    const BUSY: &str = "aria-busy";
    const LABEL: &str = "data-label";
    if is_busy && form.has_attribute(BUSY) {
        return false;
    }
    let button = button.cloned().or_else(|| find(form, "button[type=submit]"));
    for element in [Some(form.as_ref()), over.map(AsRef::<Element>::as_ref)].into_iter().flatten() {
        if is_busy { set(element, BUSY, "true") } else { unset(element, BUSY) }
    }
    let Some(button) = button.filter(|button| button.child_element_count() == 0) else { return true };
    if is_busy {
        set(&button, LABEL, &button.text_content().unwrap_or_default());
        set(&button, "disabled", "");
        button
            .set_text_content(Some(&button.get_attribute("data-busy").unwrap_or_else(|| words::working().to_owned())));
    } else {
        unset(&button, "disabled");
        button.set_text_content(Some(&attribute(&button, LABEL)));
        // A button that is disabled loses the focus.
        if document().active_element().is_some_and(|active| active.matches("body, dialog").unwrap_or_default()) {
            focus(&button);
        }
    }
    true
}

/// Shows an error above the form or, if its dialog was closed in the meantime, as a toast.
pub fn show_error(form: &HtmlFormElement, text: &str) {
    if !form.is_connected() {
        return toasts::show(text, None);
    }
    if let Some(place) = alert("error-box", text) {
        form.prepend_with_node_1(&place).ok();
    }
}

/// A message that screen readers announce.
pub fn alert(class: &str, message: &str) -> Option<Element> {
    let text = create("p", class, message)?;
    set(&text, "role", "alert");
    Some(text)
}

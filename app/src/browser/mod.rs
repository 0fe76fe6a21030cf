//! The event listener that enhances a page, and the changes that it makes to it. Compiled only for the browser.
//!
//! It is on the window, so that it also applies to contents that are added later.

mod chart;
mod copying;
mod dates;
mod dialog;
mod dom;
mod fetch;
mod fields;
mod focus;
mod form;
mod keyboard;
mod page;
mod rows;
mod selection;
mod toasts;
mod updates;

use std::{cell::Cell, time::Duration};

use leptos::prelude::{document, set_interval, window};
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{
    Element, Event, HtmlDialogElement, HtmlElement, HtmlFormElement, HtmlInputElement, MouseEvent, SubmitEvent,
};

use dom::{attribute, closest, find, first, spawn_local, target};

/// The events to listen to.
const EVENTS: [&str; 12] = [
    "beforeunload",
    "cancel",
    "change",
    "click",
    "close",
    "focusin",
    "input",
    "keydown",
    "offline",
    "online",
    "popstate",
    "submit",
];

/// How often something that changes by itself is loaded again.
const TICK: Duration = Duration::from_secs(2);
/// After how many ticks relative times are updated.
const TICKS_PER_REFRESH: u32 = 15;

thread_local! {
    static TICKS: Cell<u32> = const { Cell::new(0) };
}

/// Installs the listener. Does nothing on a page without a dialog.
pub fn install_listener() {
    let Some(dialog) = first::<HtmlDialogElement>(dialog::DIALOG) else { return };
    if let Some(root) = document().document_element() {
        dates::localise(&root);
    }
    dates::label_time_zone();
    keyboard::label_shortcuts();
    toasts::expire_first();
    page::remember_address();
    let listener = Closure::<dyn Fn(Event)>::new(move |event| handle(&dialog, &event));
    for name in EVENTS {
        // While the event is on its way down, because some of them don't come up again.
        let function = listener.as_ref().unchecked_ref();
        window().add_event_listener_with_callback_and_bool(name, function, true).ok();
    }
    // The listener lives as long as the page.
    listener.forget();
    set_interval(tick, TICK);
}

fn tick() {
    TICKS.set(TICKS.get() + 1);
    if TICKS.get().is_multiple_of(TICKS_PER_REFRESH) {
        dates::refresh();
    }
    updates::poll();
}

fn handle(dialog: &HtmlDialogElement, event: &Event) {
    match event.type_().as_str() {
        "click" => clicked(dialog, event.unchecked_ref()),
        "submit" => submitted(dialog, event.unchecked_ref()),
        "keydown" => keyboard::pressed(dialog, event.unchecked_ref()),
        "focusin" => drop(target(event).map(|at| keyboard::close_menus(&at))),
        "cancel" | "close" if target::<Element>(event).as_ref() == Some(dialog) => dialog::closing(dialog, event),
        "beforeunload" if copying::is_secret_unsaved() => event.prevent_default(),
        "popstate" => page::moved(),
        "offline" => toasts::set_offline(true),
        "online" => toasts::set_offline(false),
        kind @ ("input" | "change") => typed(event, kind == "input"),
        _ => {}
    }
}

fn typed(event: &Event, is_input: bool) {
    if let Some(input) = target::<HtmlInputElement>(event).filter(|_| is_input) {
        dates::describe(&input);
        fields::count(&input);
        fields::suggest_slug(&input);
    }
    if let Some(at) = target::<Element>(event) {
        fields::clear_error(&at);
    }
    if let Some(form) = target::<Element>(event).and_then(|at| closest(&at, "form[data-live]")) {
        updates::load_soon(form);
    }
}

fn clicked(dialog: &HtmlDialogElement, event: &MouseEvent) {
    let Some(at) = target::<Element>(event) else { return };
    keyboard::close_menus(&at);
    let within = |selector: &str| closest::<Element>(&at, selector);
    let is_plain =
        event.button() == 0 && !event.ctrl_key() && !event.meta_key() && !event.shift_key() && !event.alt_key();
    if let Some(button) = within("[data-copy]") {
        copying::copy_from(button);
    } else if let Some(button) = within("[data-hide]") {
        copying::hide_or_show(&button);
    } else if let Some(button) = within("[data-dismiss]") {
        toasts::dismiss(&button);
    } else if let Some(button) = within("[data-close]") {
        copying::mark_as_safe(&button);
        if dialog.contains(Some(&at)) {
            event.prevent_default();
            let was_used = within("[data-firm]").is_some_and(|card| find::<Element>(&card, ".is-verified").is_some());
            dialog::close(dialog);
            if was_used {
                // The list below shows the key as unused.
                spawn_local(async {
                    page::renew().await;
                });
            }
        }
    } else if at == ***dialog && dialog::closes_on_backdrop(dialog) {
        // A click on the dialog itself, not on something in it, is on its backdrop.
        dialog.close();
    } else if let Some(summary) = within(".as-code > summary") {
        dialog::renew_code(dialog, &summary);
    } else if let Some(input) = at.dyn_ref::<HtmlInputElement>().filter(|input| input.type_() == "checkbox") {
        selection::clicked(input.clone(), event.shift_key());
    } else if let Some(button) = within("[type=reset]") {
        selection::cleared(&button);
    } else if let Some(link) = within("a[href^='/']:not([data-dialog])").filter(|_| is_plain) {
        if page::is_same_page(&link) {
            event.prevent_default();
            page::follow(link);
        } else if !window().navigator().on_line() {
            // The browser's own error page would take the place of this one.
            event.prevent_default();
            toasts::show_unreachable();
        }
    } else if let Some(name) = rows::link_of(&at).filter(|_| is_plain) {
        name.click();
    } else if let Some(link) = within("a[data-dialog]").filter(|_| is_plain) {
        event.prevent_default();
        let label = link.get_attribute("aria-label").or_else(|| link.text_content()).unwrap_or_default();
        // The text after an ellipsis is a shortcut.
        let title = label.split('…').next().unwrap_or_default().trim();
        dialog::open(dialog, &attribute(&link, "href"), title, Some(link));
    }
}

fn submitted(dialog: &HtmlDialogElement, event: &SubmitEvent) {
    let Some(form) = target::<HtmlFormElement>(event) else { return };
    let over = dialog.contains(Some(&form)).then(|| dialog.clone());
    let button = event.submitter().and_then(|button| button.dyn_into::<HtmlElement>().ok());
    if form.has_attribute(updates::LIVE) && attribute(&form, "method") != "post" {
        event.prevent_default();
        if over.is_some() { updates::choose(&form) } else { updates::load(form) }
    } else if let (true, Some(fields)) = (form.has_attribute("data-card"), fields::fields_of(&form, button.as_ref())) {
        event.prevent_default();
        let title = button.as_ref().and_then(|button| button.text_content()).unwrap_or_default();
        let opener = button.map(Into::into);
        dialog::open(dialog, &format!("{}?{fields}", attribute(&form, "action")), title.trim_end_matches('…'), opener);
    } else if button.as_ref().is_some_and(|button| button.has_attribute("formmethod")) {
        // A button with its own method, such as Preview, doesn't submit the form's act.
    } else if let (page::THEMES, Some(button)) = (attribute(&form, "action").as_str(), &button) {
        event.prevent_default();
        page::set_theme(&form, button);
    } else if form.has_attribute(form::ACT) {
        event.prevent_default();
        form::send(over, form, button);
    } else if let Some(dialog) = over {
        event.prevent_default();
        dialog::send(dialog, form, button);
    } else {
        dates::put_into(&form);
    }
}

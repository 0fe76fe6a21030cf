//! The event listeners that enhance a page, and the changes that they make to it. Compiled only for the browser.
//!
//! The listeners are on the window, so that they also apply to contents that are added later.

mod dates;
mod dialog;
mod fetch;
mod form;
mod page;

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, Event, HtmlDialogElement, HtmlFormElement, HtmlInputElement, MouseEvent};

/// How often relative times are updated.
const TICK: std::time::Duration = std::time::Duration::from_secs(30);

/// Installs the listeners. `dialog`: the dialog in which other pages' cards are shown.
pub fn install_listeners(dialog: &HtmlDialogElement) {
    page::set_time_titles();
    set_interval(page::refresh_times, TICK);
    dates::label_time_zone();
    let place = dialog.clone();
    window_event_listener(leptos::ev::click, move |event| clicked(&place, &event));
    let place = dialog.clone();
    window_event_listener(leptos::ev::submit, move |event| submitted(&place, &event));
    window_event_listener(leptos::ev::input, |event| {
        if let Some(input) = target::<HtmlInputElement>(&event) {
            dates::describe(&input);
        }
    });
    dialog::guard(dialog);
}

/// The target of an event, if it is a `T`.
fn target<T: JsCast>(event: &Event) -> Option<T> {
    event.target().and_then(|target| target.dyn_into().ok())
}

fn clicked(dialog: &HtmlDialogElement, event: &MouseEvent) {
    let Some(at) = target::<Element>(event) else { return };
    page::close_menus(&at);
    let within = |selector: &str| at.closest(selector).ok().flatten();
    let is_plain =
        event.button() == 0 && !event.ctrl_key() && !event.meta_key() && !event.shift_key() && !event.alt_key();
    if let Some(button) = within("[data-copy]") {
        page::copy_from(button);
    } else if let Some(button) = within("[data-hide]") {
        page::hide_or_show(&button);
    } else if within("[data-close]").is_some() && dialog.contains(Some(&at)) {
        event.prevent_default();
        dialog::close(dialog);
    } else if at == ***dialog && dialog::closes_on_backdrop(dialog) {
        // A click on the dialog itself, not on something in it, is on its backdrop.
        dialog.close();
    } else if let Some(summary) = within(".as-code > summary") {
        dialog::renew_code(dialog, &summary);
    } else if let Some(link) = within("a[data-dialog]").filter(|_| is_plain) {
        event.prevent_default();
        dialog::open(dialog.clone(), link.get_attribute("href").unwrap_or_default());
    }
}

fn submitted(dialog: &HtmlDialogElement, event: &web_sys::SubmitEvent) {
    let Some(form) = target::<HtmlFormElement>(event) else { return };
    let over = dialog.contains(Some(&form)).then(|| dialog.clone());
    // A button with its own method, such as Preview, doesn't submit the form's act.
    if event.submitter().is_some_and(|button| button.has_attribute("formmethod")) {
        return;
    }
    if form.has_attribute(form::ACT) {
        event.prevent_default();
        form::send(over, form);
    } else if let Some(dialog) = over {
        event.prevent_default();
        dialog::send(dialog, form);
    } else {
        dates::put_into(&form);
    }
}

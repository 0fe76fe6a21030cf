//! All that touches the browser. On the server each function gives the answer of a browser that can do nothing.

use chrono::{DateTime, Utc};
use leptos::{html, prelude::*};

/// Now, by the person's own clock: for "3 minutes ago", never for a decision.
pub fn now() -> Option<DateTime<Utc>> {
    #[cfg(feature = "hydrate")]
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of any date fit")]
    return DateTime::from_timestamp_millis(js_sys::Date::now() as i64);
    #[cfg(not(feature = "hydrate"))]
    None
}

/// An instant in the person's own words and zone.
pub fn local_text(at: DateTime<Utc>) -> Option<String> {
    #[cfg(feature = "hydrate")]
    {
        let options = js_sys::Object::new();
        for (name, value) in [("dateStyle", "full"), ("timeStyle", "short")] {
            js_sys::Reflect::set(&options, &name.into(), &value.into()).ok()?;
        }
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of any date are exact")]
        let date = js_sys::Date::new(&(at.timestamp_millis() as f64).into());
        date.to_locale_string("default", &options).as_string()
    }
    #[cfg(not(feature = "hydrate"))]
    {
        let _ = at;
        None
    }
}

/// Writes every `<time datetime>` of the page anew: the distance from now, and the exact time in the person's zone.
pub fn keep_times() {
    #[cfg(feature = "hydrate")]
    {
        use wasm_bindgen::JsCast;
        let (Ok(found), Some(now)) = (document().query_selector_all("time[datetime]"), now()) else { return };
        for time in (0..found.length()).filter_map(|index| found.item(index)?.dyn_into::<web_sys::Element>().ok()) {
            let Some(at) = time.get_attribute("datetime").and_then(|text| local_instant(&text)) else { continue };
            time.set_attribute("title", &local_text(at).unwrap_or_default()).ok();
            time.set_text_content(Some(&domain::time::relative_text(at, now)));
        }
    }
}

/// The name of the person's time zone, like `Europe/Berlin`.
pub fn zone() -> Option<String> {
    #[cfg(feature = "hydrate")]
    {
        let format = js_sys::Intl::DateTimeFormat::new(&js_sys::Array::new(), &js_sys::Object::new());
        js_sys::Reflect::get(&format.resolved_options(), &"timeZone".into()).ok()?.as_string()
    }
    #[cfg(not(feature = "hydrate"))]
    None
}

/// The instant of a `datetime-local` field, by the offset that the person's zone has on that date; or of RFC 3339.
pub fn local_instant(text: &str) -> Option<DateTime<Utc>> {
    #[cfg(feature = "hydrate")]
    {
        let millis = js_sys::Date::parse(text);
        #[expect(clippy::cast_possible_truncation, reason = "milliseconds of any date fit")]
        (!millis.is_nan()).then_some(millis as i64).and_then(DateTime::from_timestamp_millis)
    }
    #[cfg(not(feature = "hydrate"))]
    {
        let _ = text;
        None
    }
}

/// A fresh UUID for a form.
pub fn new_form_id() -> String {
    #[cfg(feature = "hydrate")]
    {
        // Not `randomUUID`: browsers have that over TLS and on the own machine only.
        let mut bytes = [0; 16];
        let drawn = window().crypto().is_ok_and(|crypto| crypto.get_random_values_with_u8_array(&mut bytes).is_ok());
        if drawn { uuid::Builder::from_random_bytes(bytes).into_uuid().to_string() } else { String::new() }
    }
    #[cfg(not(feature = "hydrate"))]
    String::new()
}

/// Copies a text; true when it is on the clipboard.
#[cfg_attr(not(feature = "hydrate"), expect(clippy::unused_async, reason = "it waits in the browser"))]
pub async fn copy(text: &str) -> bool {
    #[cfg(feature = "hydrate")]
    {
        let navigator = window().navigator();
        // Browsers have it over TLS and on the own machine only.
        let has_clipboard =
            js_sys::Reflect::get(&navigator, &"clipboard".into()).is_ok_and(|found| !found.is_undefined());
        has_clipboard && wasm_bindgen_futures::JsFuture::from(navigator.clipboard().write_text(text)).await.is_ok()
    }
    #[cfg(not(feature = "hydrate"))]
    {
        let _ = text;
        false
    }
}

/// From now on a click on a button with `data-copy` copies the text that stands beside it.
pub fn hear_copying() {
    #[cfg(feature = "hydrate")]
    {
        use wasm_bindgen::JsCast;
        let handle = window_event_listener(leptos::ev::click, |event| {
            let target = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
            let Some(button) = target.and_then(|target| target.closest("[data-copy]").ok().flatten()) else { return };
            let text = button.next_element_sibling().and_then(|text| text.text_content()).unwrap_or_default();
            leptos::task::spawn_local(async move {
                let word = if copy(&text).await { "Copied" } else { "Select it" };
                button.set_text_content(Some(word));
            });
        });
        // For as long as the page lives.
        std::mem::forget(handle);
    }
}

/// Goes to another page.
pub fn go_to(path: &str) {
    #[cfg(feature = "hydrate")]
    window().location().set_href(path).ok();
    #[cfg(not(feature = "hydrate"))]
    let _ = path;
}

/// What stands in a dialog, until this is dropped.
pub type Shown = Box<dyn std::any::Any>;

/// Puts a view into a dialog and opens it over the page.
pub fn present(dialog: NodeRef<html::Dialog>, view: impl IntoView + 'static) -> Option<Shown> {
    #[cfg(feature = "hydrate")]
    {
        let parent = dialog.get_untracked()?;
        let shown: Shown = Box::new(leptos::mount::mount_to(parent.into(), move || view));
        keep_times();
        open(dialog);
        Some(shown)
    }
    #[cfg(not(feature = "hydrate"))]
    {
        let _ = (dialog, view);
        None
    }
}

/// Opens a dialog over the page.
pub fn open(dialog: NodeRef<html::Dialog>) {
    #[cfg(feature = "hydrate")]
    if let Some(dialog) = dialog.get_untracked()
        && !dialog.open()
    {
        dialog.show_modal().ok();
    }
    #[cfg(not(feature = "hydrate"))]
    let _ = dialog;
}

/// Closes a dialog.
pub fn close(dialog: NodeRef<html::Dialog>) {
    #[cfg(feature = "hydrate")]
    if let Some(dialog) = dialog.get_untracked() {
        dialog.close();
    }
    #[cfg(not(feature = "hydrate"))]
    let _ = dialog;
}

/// Whether a click hit the dialog itself, which is its backdrop, and nothing in it.
pub fn is_backdrop(event: &leptos::ev::MouseEvent) -> bool {
    #[cfg(feature = "hydrate")]
    {
        event.target() == event.current_target()
    }
    #[cfg(not(feature = "hydrate"))]
    {
        let _ = event;
        false
    }
}

/// The value of a named field of the form that an event happened in.
pub fn field(event: &leptos::ev::Event, name: &str) -> String {
    #[cfg(feature = "hydrate")]
    {
        use wasm_bindgen::JsCast;
        let target = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
        let form = target
            .and_then(|target| target.closest("form").ok().flatten()?.dyn_into::<web_sys::HtmlFormElement>().ok());
        let data = form.and_then(|form| web_sys::FormData::new_with_form(&form).ok());
        data.and_then(|data| data.get(name).as_string()).unwrap_or_default()
    }
    #[cfg(not(feature = "hydrate"))]
    {
        let _ = (event, name);
        String::new()
    }
}

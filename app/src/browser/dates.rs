//! Times and dates by the person's clock and in their time zone.

use chrono::{DateTime, Utc};
use domain::time::relative_text;
use js_sys::{Date, Object, Reflect};
use leptos::prelude::document;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlFormElement, HtmlInputElement};

const FIELD: &str = "input[type=datetime-local]";

/// The current time by the person's clock. Used for texts such as "3 minutes ago" and for checks that the server
/// repeats.
pub fn now() -> DateTime<Utc> {
    of_millis(Date::now()).unwrap_or_default()
}

/// Parses an RFC 3339 timestamp, or the value of a `datetime-local` input in the person's time zone.
pub fn instant(text: &str) -> Option<DateTime<Utc>> {
    of_millis(Date::parse(text))
}

#[expect(clippy::cast_possible_truncation, reason = "milliseconds of any date fit")]
fn of_millis(millis: f64) -> Option<DateTime<Utc>> {
    (!millis.is_nan()).then_some(millis as i64).and_then(DateTime::from_timestamp_millis)
}

/// A time in the person's language and time zone.
pub fn local_text(at: DateTime<Utc>) -> Option<String> {
    let options = Object::new();
    for (name, value) in [("dateStyle", "full"), ("timeStyle", "short")] {
        Reflect::set(&options, &name.into(), &value.into()).ok()?;
    }
    date(at).to_locale_string("default", &options).as_string()
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of any date are exact")]
fn date(at: DateTime<Utc>) -> Date {
    Date::new(&(at.timestamp_millis() as f64).into())
}

/// Labels the field of a custom date with the person's time zone, in which its value is read from then on.
pub fn label_time_zone() {
    let format = js_sys::Intl::DateTimeFormat::new(&js_sys::Array::new(), &Object::new());
    let zone = Reflect::get(&format.resolved_options(), &"timeZone".into()).ok().and_then(|zone| zone.as_string());
    let (Some(zone), Ok(Some(place))) = (zone, document().query_selector(".zone")) else { return };
    place.set_text_content(Some(&format!("({zone})")));
}

/// Shows below a date input the time that was typed, such as "Sunday 14 March 2027 at 02:30, in 3 months".
pub fn describe(input: &HtmlInputElement) {
    let Some(place) = input.parent_element().and_then(|parent| parent.query_selector(".instant").ok().flatten()) else {
        return;
    };
    let words = instant(&input.value()).map(|at| {
        let now = now();
        if at <= now {
            return "Choose a time in the future.".to_owned();
        }
        format!("{}, {}", local_text(at).unwrap_or_default(), relative_text(at, now))
    });
    place.set_text_content(Some(&words.unwrap_or_default()));
}

/// Name and value of a form's date input, with the time in UTC as the server expects it.
pub fn value_of(form: &HtmlFormElement) -> Option<(String, String)> {
    let input = field(form)?;
    let at = instant(&input.value())?;
    Some((input.name(), date(at).to_iso_string().into()))
}

/// Adds the date in UTC to a form that the browser itself is about to send.
pub fn put_into(form: &HtmlFormElement) {
    let (Some((name, value)), Some(input)) = (value_of(form), field(form)) else { return };
    let Ok(hidden) = document().create_element("input") else { return };
    for (attribute, value) in [("type", "hidden"), ("name", &name), ("value", &value)] {
        hidden.set_attribute(attribute, value).ok();
    }
    // The server uses the later of two fields with the same name.
    if input.insert_adjacent_element("afterend", &hidden).is_err() {
        input.set_name("");
    }
}

fn field(root: &Element) -> Option<HtmlInputElement> {
    root.query_selector(FIELD).ok().flatten()?.dyn_into().ok()
}

//! Times and dates by the person's clock and in their time zone. The words are English, in the order that is usual in
//! the person's region.

use chrono::{DateTime, Utc};
use domain::time::distance_text;
use js_sys::{Array, Date, Intl, Object, Reflect};
use leptos::prelude::{document, window};
use web_sys::{Element, HtmlFormElement, HtmlInputElement};

use super::dom::{all, attribute, create, find, first, set};
use crate::time_form::TimeForm;

const FIELD: &str = "input[type=datetime-local]";

/// The options of `Intl.DateTimeFormat` for a form. What the server counted by days and hours is shown in UTC.
struct Format {
    options: &'static [(&'static str, &'static str)],
    in_utc: bool,
    /// Whether the day of the week precedes the date.
    has_weekday: bool,
}

const EXACT: Format = Format {
    options: &[
        ("day", "numeric"),
        ("month", "short"),
        ("year", "numeric"),
        ("hour", "2-digit"),
        ("minute", "2-digit"),
        ("timeZoneName", "short"),
    ],
    in_utc: false,
    has_weekday: false,
};
const FULL: Format = Format { has_weekday: true, ..EXACT };
const SECOND: Format = Format {
    options: &[("hour", "2-digit"), ("minute", "2-digit"), ("second", "2-digit"), ("timeZoneName", "short")],
    in_utc: false,
    has_weekday: false,
};
const DATE: Format = Format { options: &[("dateStyle", "medium")], in_utc: false, has_weekday: false };

impl Format {
    /// Returns the format of a form; `None` for a distance, which isn't a date.
    fn of(form: TimeForm) -> Option<Self> {
        let in_utc = |options| Some(Self { options, in_utc: true, has_weekday: false });
        match form {
            TimeForm::Date => Some(DATE),
            TimeForm::Exact => Some(EXACT),
            TimeForm::Day => in_utc(DATE.options),
            TimeForm::Hour => in_utc(EXACT.options),
            TimeForm::Short => in_utc(&[
                ("day", "numeric"),
                ("month", "short"),
                ("hour", "2-digit"),
                ("minute", "2-digit"),
                ("second", "2-digit"),
            ]),
            TimeForm::ShortDay => in_utc(&[("day", "numeric"), ("month", "short")]),
            TimeForm::LongDay => in_utc(&[("dateStyle", "full")]),
            TimeForm::Weekday => in_utc(&[("weekday", "short"), ("day", "numeric")]),
            TimeForm::Clock => in_utc(&[("timeStyle", "short")]),
            TimeForm::Second => Some(SECOND),
            TimeForm::Distance => None,
        }
    }
}

/// Finds the form with this code.
fn form_of(code: &str) -> Option<TimeForm> {
    TimeForm::ALL.into_iter().find(|form| form.as_str() == code)
}

/// The current time by the person's clock. Used for texts such as "3 minutes ago" and for checks that the server
/// repeats.
pub fn now() -> DateTime<Utc> {
    of_millis(Date::now()).unwrap_or_default()
}

/// Parses an RFC 3339 timestamp, or the value of a `datetime-local` input in the person's time zone.
fn instant(text: &str) -> Option<DateTime<Utc>> {
    of_millis(Date::parse(text))
}

#[expect(clippy::cast_possible_truncation, reason = "milliseconds of any date fit")]
fn of_millis(millis: f64) -> Option<DateTime<Utc>> {
    (!millis.is_nan()).then_some(millis as i64).and_then(DateTime::from_timestamp_millis)
}

/// Shows the times below `root` in the person's time zone. The exact time is in the title of those that don't show it.
pub fn localise(root: &Element) {
    let locale = locale();
    localise_texts(root, &locale);
    for time in all(root, "time[data-as]") {
        let Some(at) = instant(&attribute(&time, "datetime")) else { continue };
        let Some(form) = form_of(&attribute(&time, "data-as")) else { continue };
        if let Some(format) = Format::of(form) {
            time.set_text_content(Some(&local_text(at, &locale, &format)));
        }
        if form != TimeForm::Exact {
            set(&time, "title", &local_text(at, &locale, &EXACT));
        }
    }
}

/// Replaces the dates inside the texts and labels below `root`.
fn localise_texts(root: &Element, locale: &str) {
    for element in all(root, "[data-date]") {
        let value = attribute(&element, "data-date");
        let mut words = value.splitn(3, ' ');
        let (Some(form), Some(time), Some(said)) = (words.next(), words.next(), words.next()) else { continue };
        let (Some(at), Some(format)) = (instant(time), form_of(form).and_then(Format::of)) else { continue };
        let local = local_text(at, locale, &format);
        for label in ["aria-label", "title"] {
            let text = attribute(&element, label);
            if !text.is_empty() {
                set(&element, label, &text.replacen(said, &local, 1));
            }
        }
        if element.child_element_count() == 0 {
            let text = element.text_content().unwrap_or_default();
            element.set_text_content(Some(&text.replacen(said, &local, 1)));
        }
        // The same text may be localised again.
        set(&element, "data-date", &format!("{form} {time} {local}"));
    }
}

/// Updates the distances from now, such as "3 minutes ago".
pub fn refresh() {
    let Some(root) = document().document_element() else { return };
    let now = now();
    for time in all(&root, &format!("time[data-as={}]", TimeForm::Distance.as_str())) {
        if let Some(at) = instant(&attribute(&time, "datetime")) {
            time.set_text_content(Some(&distance_text(at, now)));
        }
    }
}

/// English with the region of the browser's language, such as `en-DE` for `de-DE`.
fn locale() -> String {
    let language = window().navigator().language().unwrap_or_default();
    let region = language.rsplit('-').next().filter(|region| region.bytes().all(|letter| letter.is_ascii_uppercase()));
    format!("en-{}", region.unwrap_or("GB"))
}

fn local_text(at: DateTime<Utc>, locale: &str, format: &Format) -> String {
    let options = Object::new();
    let zone = format.in_utc.then_some(&("timeZone", "UTC"));
    let weekday = format.has_weekday.then_some(&("weekday", "short"));
    for (name, value) in format.options.iter().chain(zone).chain(weekday) {
        Reflect::set(&options, &(*name).into(), &(*value).into()).ok();
    }
    date(at).to_locale_string(locale, &options).into()
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of any date are exact")]
fn date(at: DateTime<Utc>) -> Date {
    Date::new(&(at.timestamp_millis() as f64).into())
}

/// Labels the field of a custom date with the person's time zone, in which its value is read from then on.
pub fn label_time_zone() {
    let Some(place) = first::<Element>(".zone") else { return };
    let format = Intl::DateTimeFormat::new(&Array::new(), &Object::new());
    let zone = Reflect::get(&format.resolved_options(), &"timeZone".into()).ok().and_then(|zone| zone.as_string());
    place.set_text_content(zone.map(|zone| format!("({zone})")).as_deref());
    if let Some(field) = first::<HtmlInputElement>(FIELD) {
        describe(&field);
    }
}

/// Shows below a date input the time that was typed, such as "Sun, 14 Mar 2027, 02:30 CET, in 104 days"; nothing for a
/// past one, which is an error at the field.
pub fn describe(input: &HtmlInputElement) {
    let Some(place) = input.parent_element().and_then(|parent| find::<Element>(&parent, ".instant")) else { return };
    let now = now();
    let words = instant(&input.value())
        .filter(|at| *at > now)
        .map(|at| format!("{}, {}", local_text(at, &locale(), &FULL), distance_text(at, now)));
    place.set_text_content(words.as_deref());
}

/// Name and value of a form's date input, with the time in UTC as the server expects it.
pub fn value_of(form: &HtmlFormElement) -> Option<(String, String)> {
    let input = find::<HtmlInputElement>(form, FIELD)?;
    let at = instant(&input.value())?;
    Some((input.name(), date(at).to_iso_string().into()))
}

/// Adds the date in UTC to a form that the browser itself is about to send.
pub fn put_into(form: &HtmlFormElement) {
    let (Some((name, value)), Some(input)) = (value_of(form), find::<HtmlInputElement>(form, FIELD)) else { return };
    let Some(hidden) = create("input", "", "") else { return };
    for (attribute, value) in [("type", "hidden"), ("name", &name), ("value", &value)] {
        set(&hidden, attribute, value);
    }
    // The server uses the later of two fields with the same name.
    if input.insert_adjacent_element("afterend", &hidden).is_err() {
        input.set_name("");
    }
}

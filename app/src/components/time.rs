//! Times in pages. The text is in UTC. With JavaScript it is in the person's time zone and written as in their region,
//! and distances are kept current. Days and hours that the server counted stay in UTC.

use chrono::{DateTime, Datelike, SecondsFormat, Timelike, Utc};
use domain::time::{date_text, distance_text, utc_text};
use leptos::prelude::*;

use crate::time_form::TimeForm;

/// A `<time>` element. The script writes it in the form that `data-as` names.
fn time(at: DateTime<Utc>, form: TimeForm, text: String) -> AnyView {
    let title = (form != TimeForm::Exact).then(|| utc_text(at));
    view! {
        <time datetime=at.to_rfc3339_opts(SecondsFormat::Secs, true) data-as=form.as_str() title=title>
            {text}
        </time>
    }
    .into_any()
}

/// A date or time inside the text, the label or the title of an element, where no `<time>` can be. The script writes it
/// as in the person's region. Its attribute is the element's `data-date`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dated {
    /// The date, as part of the element's text or label.
    pub text: String,
    /// The element's `data-date`: the form that the script follows, the time, and the text that it replaces.
    pub attribute: String,
}

impl Dated {
    fn new(form: TimeForm, at: DateTime<Utc>, text: String) -> Self {
        let attribute = format!("{} {} {text}", form.as_str(), at.to_rfc3339_opts(SecondsFormat::Secs, true));
        Self { text, attribute }
    }

    /// The date of an instant, like "27 Feb 2027".
    pub fn date(at: DateTime<Utc>) -> Self {
        Self::new(TimeForm::Date, at, date_text(at))
    }

    /// A day in UTC, like "27 Feb 2027".
    pub fn day(at: DateTime<Utc>) -> Self {
        Self::new(TimeForm::Day, at, date_text(at))
    }

    /// A day in UTC without the year, like "27 Feb".
    pub fn short_day(at: DateTime<Utc>) -> Self {
        let date = date_text(at);
        let short = date.rsplit_once(' ').map_or(date.as_str(), |(short, _)| short).to_owned();
        Self::new(TimeForm::ShortDay, at, short)
    }

    /// A day in UTC, in the order of weekday, day, month and year: "Saturday, 27 February 2027".
    pub fn long_day(at: DateTime<Utc>) -> Self {
        Self::new(TimeForm::LongDay, at, at.format("%A, %-d %B %Y").to_string())
    }

    /// A weekday and the day of the month in UTC, like "Sat 27".
    pub fn weekday(at: DateTime<Utc>) -> Self {
        Self::new(TimeForm::Weekday, at, format!("{} {}", at.weekday(), at.day()))
    }

    /// An hour in UTC, like "27 Feb 2027, 18:00 UTC".
    pub fn hour(at: DateTime<Utc>) -> Self {
        Self::new(TimeForm::Hour, at, utc_text(at))
    }

    /// A time of day in UTC, like "18:00".
    pub fn clock(at: DateTime<Utc>) -> Self {
        Self::new(TimeForm::Clock, at, format!("{:02}:{:02}", at.hour(), at.minute()))
    }
}

/// A time in a table whose headings name the year, like "29 Nov, 18:42:07", in UTC.
#[component]
pub fn ShortMoment(at: DateTime<Utc>) -> impl IntoView {
    let day = Dated::short_day(at).text;
    time(at, TimeForm::Short, format!("{day}, {:02}:{:02}:{:02}", at.hour(), at.minute(), at.second()))
}

/// A time in a table: the date, like "27 Feb 2027", and below it the distance from `now`, like "in 90 days".
#[component]
pub fn Moment(at: DateTime<Utc>, now: DateTime<Utc>) -> impl IntoView {
    view! {
        {time(at, TimeForm::Date, date_text(at))}
        <span class="sub">{time(at, TimeForm::Distance, distance_text(at, now))}</span>
    }
}

/// A time in a sentence, as its date: "27 Feb 2027".
#[component]
pub fn Date(at: DateTime<Utc>) -> impl IntoView {
    time(at, TimeForm::Date, date_text(at))
}

/// A time in a sentence, as its distance from `now`: "3 hours ago".
#[component]
pub fn Distance(at: DateTime<Utc>, now: DateTime<Utc>) -> impl IntoView {
    time(at, TimeForm::Distance, distance_text(at, now))
}

/// A time with date, minute and time zone: "27 Feb 2027, 18:40 UTC". For pages about one thing.
#[component]
pub fn Exact(at: DateTime<Utc>) -> impl IntoView {
    time(at, TimeForm::Exact, utc_text(at))
}

/// The time of day to the second: "12:04:31 UTC".
#[component]
pub fn Second(at: DateTime<Utc>) -> impl IntoView {
    time(at, TimeForm::Second, format!("{:02}:{:02}:{:02} UTC", at.hour(), at.minute(), at.second()))
}

/// The exact time, followed by its distance from `now`: "27 Feb 2027, 18:40 UTC (in 90 days)".
#[component]
pub fn ExactMoment(at: DateTime<Utc>, now: DateTime<Utc>) -> impl IntoView {
    view! {
        {time(at, TimeForm::Exact, utc_text(at))}
        <span class="muted">" ("{time(at, TimeForm::Distance, distance_text(at, now))}")"</span>
    }
}

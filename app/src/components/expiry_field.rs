//! When a key expires: a choice of durations, or a date and time.

use chrono::{DateTime, SecondsFormat, Utc};
use domain::{ApiError, api_key::expiry::ExpiryChoice, time::date_text};
use leptos::prelude::*;

use super::{field::FieldError, time::ExactMoment};
use crate::{
    time_form::TimeForm,
    words::{keys as words, labels},
};

/// Radio buttons for `choices`, each with its day, and the custom date. `now`: the time from which the durations count.
/// Without JavaScript the date is in UTC; the script reads it in the person's time zone and labels the field with that
/// zone.
#[component]
pub fn ExpiryField(
    choices: Vec<ExpiryChoice>,
    #[prop(optional, into)] choice: String,
    #[prop(optional, into)] date: String,
    now: DateTime<Utc>,
    #[prop(into)] error: Signal<Option<ApiError>>,
) -> impl IntoView {
    let chosen = ExpiryChoice::from_code(&choice);
    let is_wrong = move || error.get().is_some_and(|error| error.at("expires_at").is_some());
    let ends = choices.iter().filter_map(|choice| end(*choice, now)).collect_view();
    let choices = choices.into_iter().map(|choice| tile(choice, choice == chosen, now)).collect_view();
    view! {
        <fieldset class="field expiry" aria-describedby="error-expires_at">
            <legend>{labels::expires()}</legend>
            <div class="choices">{choices}</div>
            {ends}
            <div class="custom-date">
                <label for="field-date">
                    {words::expiry_date(view! { <span class="zone">{labels::utc()}</span> })}
                </label>
                <input
                    id="field-date"
                    name="date"
                    type="datetime-local"
                    value=date
                    aria-describedby="error-expires_at"
                    aria-invalid=move || is_wrong().then_some("true")
                />
                <p class="hint instant" aria-live="polite" />
            </div>
            <p class="hint never-hint">{words::never_hint()}</p>
            <FieldError id="error-expires_at".to_owned() name="expires_at" error=error />
        </fieldset>
    }
}

/// The radio button of a choice with its day, if the choice determines it.
fn tile(choice: ExpiryChoice, is_chosen: bool, now: DateTime<Utc>) -> AnyView {
    let (label_id, day_id) = (format!("expiry-{}", choice.code()), format!("expiry-day-{}", choice.code()));
    let day = choice.end(now).map(|at| {
        view! {
            <time id=day_id.clone() class="sub" datetime=rfc3339(at) data-as=TimeForm::Date.as_str()>
                {date_text(at)}
            </time>
        }
    });
    let described = day.is_some().then_some(day_id);
    view! {
        <label class="choice">
            <input
                type="radio"
                name="expiry"
                value=choice.code()
                checked=is_chosen
                aria-labelledby=label_id.clone()
                aria-describedby=described
            />
            <span>
                <span id=label_id>{choice.label()}</span>
                {day}
            </span>
        </label>
    }
    .into_any()
}

/// The line with the exact end of a choice. The stylesheet shows the line of the chosen one.
fn end(choice: ExpiryChoice, now: DateTime<Utc>) -> Option<AnyView> {
    let at = choice.end(now)?;
    Some(
        view! {
            <p class="hint expires-at" data-choice=choice.code()>
                {words::expires(view! { <ExactMoment at now /> })}
            </p>
        }
        .into_any(),
    )
}

fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

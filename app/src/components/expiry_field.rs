//! When a key ends: choices, or a date and time.

use chrono::{DateTime, Utc};
use domain::{ApiError, time::relative_text};
use leptos::prelude::*;

use super::field::FieldError;
use crate::{browser, expiry_choice::ExpiryChoice};

/// The group of choices. `zone`: the zone that the date is read in; UTC without script.
#[component]
pub fn ExpiryField(
    #[prop(optional, into)] choice: String,
    #[prop(optional, into)] date: String,
    zone: String,
    now: DateTime<Utc>,
    #[prop(into)] error: Signal<Option<ApiError>>,
) -> impl IntoView {
    let chosen = ExpiryChoice::from_word(&choice);
    let words = RwSignal::new(String::new());
    let describe = move |ev| words.set(instant_in_words(&event_target_value(&ev), now));
    view! {
        <fieldset class="field expiry" aria-describedby="error-expires_at">
            <legend>"API Key Expiration"</legend>
            <div class="choices">
                {ExpiryChoice::ALL
                    .map(|choice| {
                        let class = if choice == ExpiryChoice::Custom { "choice choice-custom" } else { "choice" };
                        view! {
                            <label class=class>
                                <input type="radio" name="expiry" value=choice.word() checked=choice == chosen />
                                <span>{choice.label()}</span>
                            </label>
                        }
                    })
                    .into_iter()
                    .collect_view()}
            </div>
            <div class="custom-date">
                <label for="field-date">"Expires at " <span class="zone">"("{zone}")"</span></label>
                <input id="field-date" name="date" type="datetime-local" value=date on:input=describe />
                <p class="hint" aria-live="polite">{words}</p>
            </div>
            <p class="hint never-hint">"A key without expiration works until somebody revokes it."</p>
            <FieldError id="error-expires_at".to_owned() name="expires_at" error=error />
        </fieldset>
    }
}

/// "Sunday 14 March 2027 at 02:30, in 3 months": what a typed date comes to.
fn instant_in_words(text: &str, now: DateTime<Utc>) -> String {
    let Some(at) = browser::local_instant(text) else { return String::new() };
    let now = browser::now().unwrap_or(now);
    if at <= now {
        return "This is in the past. Choose a later time.".to_owned();
    }
    format!("{}, {}", browser::local_text(at).unwrap_or_default(), relative_text(at, now))
}

//! When a key expires: a choice of durations, or a date and time.

use domain::{ApiError, api_key::expiry::ExpiryChoice};
use leptos::prelude::*;

use super::field::FieldError;

/// Radio buttons for `choices`, and the custom date. Without JavaScript the date is in UTC; the script reads it in the
/// person's time zone and labels the field with that zone.
#[component]
pub fn ExpiryField(
    choices: Vec<ExpiryChoice>,
    #[prop(optional, into)] choice: String,
    #[prop(optional, into)] date: String,
    #[prop(into)] error: Signal<Option<ApiError>>,
) -> impl IntoView {
    let chosen = ExpiryChoice::from_code(&choice);
    let is_wrong = move || error.get().is_some_and(|error| error.at("expires_at").is_some());
    view! {
        <fieldset class="field expiry" aria-describedby="error-expires_at">
            <legend>"Expires"</legend>
            <div class="choices">
                {choices
                    .into_iter()
                    .map(|choice| {
                        let class = if choice == ExpiryChoice::Custom { "choice choice-custom" } else { "choice" };
                        view! {
                            <label class=class>
                                <input type="radio" name="expiry" value=choice.code() checked=choice == chosen />
                                <span>{choice.label()}</span>
                            </label>
                        }
                    })
                    .collect_view()}
            </div>
            <div class="custom-date">
                <label for="field-date">"Expiry date " <span class="zone">"(UTC)"</span></label>
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
            <p class="hint never-hint">"This key works until someone revokes it."</p>
            <FieldError id="error-expires_at".to_owned() name="expires_at" error=error />
        </fieldset>
    }
}

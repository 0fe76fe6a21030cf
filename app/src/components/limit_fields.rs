//! The fields of a key's limits: the addresses from which it may be used, and how often.

use domain::{ApiError, KeyLimits, RateLimit};
use leptos::prelude::*;

use super::field::FieldError;
use crate::{request::RequestContext, words::limits as words};

/// The initial values: those of a rejected submission or, in a new form, the limits of the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypedLimits {
    /// The addresses and networks, one a line.
    pub addresses: String,
    /// The number of requests.
    pub requests: String,
    /// The code of the window, see [`RateLimit::window`].
    pub window: String,
    /// Whether the person allows a list without their own address.
    pub allow_lockout: bool,
    /// The address of the person's browser.
    pub own_address: Option<String>,
}

impl TypedLimits {
    /// Returns the values for a form. `limits`: those of the key.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` without a session.
    pub fn of(request: &RequestContext, limits: &KeyLimits) -> Result<Self, ApiError> {
        let own_address = request.actor()?.client().address.clone();
        let value = |name: &str| request.typed(name);
        let typed = Self {
            addresses: value("allowed_addresses"),
            requests: value("rate_limit"),
            window: value("rate_window"),
            allow_lockout: value("allow_lockout") == "true",
            own_address,
        };
        if request.form.error.is_some() {
            return Ok(typed);
        }
        let listed = || limits.addresses.iter().flat_map(domain::AllowedAddresses::iter).collect::<Vec<_>>().join("\n");
        let or = |typed: String, stored: String| if typed.is_empty() { stored } else { typed };
        let rate = limits.rate;
        Ok(Self {
            addresses: or(typed.addresses, listed()),
            requests: or(typed.requests, rate.map(|rate| rate.requests().to_string()).unwrap_or_default()),
            window: or(typed.window, rate.map_or_else(|| "minute".to_owned(), RateLimit::window)),
            ..typed
        })
    }

    /// Returns the limits, or none if they aren't valid.
    pub fn limits(&self) -> KeyLimits {
        KeyLimits::parse(Some(&self.addresses), Some(&self.requests), Some(&self.window)).unwrap_or_default()
    }

    /// Returns whether there is anything to show in a form that hides its limits at first.
    pub fn is_filled(&self) -> bool {
        !self.addresses.is_empty() || !self.requests.is_empty()
    }
}

/// The fields.
#[component]
pub fn LimitFields(typed: TypedLimits, #[prop(into)] error: Signal<Option<ApiError>>) -> impl IntoView {
    let is_wrong = move |name: &'static str| move || error.get().and_then(|error| error.at(name).map(|_| "true"));
    let lockout = match &typed.own_address {
        Some(address) => words::lock_myself_out_from(address),
        None => words::lock_myself_out().to_owned(),
    };
    view! {
        <div class="field">
            <label for="field-allowed_addresses">{words::allowed_addresses()}</label>
            <textarea
                id="field-allowed_addresses"
                name="allowed_addresses"
                rows="3"
                autocomplete="off"
                spellcheck="false"
                aria-describedby="hint-allowed_addresses error-allowed_addresses"
                aria-invalid=is_wrong("allowed_addresses")
            >
                {typed.addresses}
            </textarea>
            <p class="hint" id="hint-allowed_addresses">
                {words::allowed_addresses_hint()}
            </p>
            <FieldError id="error-allowed_addresses".to_owned() name="allowed_addresses" error />
            <label class="check">
                <input
                    type="checkbox"
                    name="allow_lockout"
                    value="true"
                    checked=typed.allow_lockout
                    aria-describedby="error-allow_lockout"
                />
                <span>{lockout}</span>
            </label>
            <FieldError id="error-allow_lockout".to_owned() name="allow_lockout" error />
        </div>
        <div class="field">
            <label for="field-rate_limit">{words::rate_limit()}</label>
            <div class="input-row">
                <input
                    id="field-rate_limit"
                    name="rate_limit"
                    inputmode="numeric"
                    autocomplete="off"
                    value=typed.requests
                    aria-describedby="hint-rate_limit error-rate_limit"
                    aria-invalid=is_wrong("rate_limit")
                />
                <select name="rate_window" aria-label=words::window()>
                    {options(&typed.window)}
                </select>
            </div>
            <p class="hint" id="hint-rate_limit">
                {words::rate_limit_hint()}
            </p>
            <FieldError id="error-rate_limit".to_owned() name="rate_limit" error />
        </div>
    }
}

/// The windows with a name, and the chosen one.
fn options(chosen: &str) -> AnyView {
    let labels = [words::per_second(), words::per_minute(), words::per_hour(), words::per_day()];
    let named = RateLimit::WINDOWS.into_iter().zip(labels).map(|((code, _), label)| (code, label.to_owned()));
    let is_named = RateLimit::WINDOWS.iter().any(|(code, _)| *code == chosen);
    let other = (!is_named && !chosen.is_empty()).then(|| (chosen, words::per_seconds(&chosen)));
    let options = named.chain(other).map(|(code, label)| {
        view! {
            <option value=code.to_owned() selected=code == chosen>
                {label}
            </option>
        }
    });
    options.collect_view().into_any()
}

//! A labelled input with its hint and its error.

use domain::ApiError;
use leptos::prelude::*;

/// An input of a form. Hint and error are below it, and screen readers read them with it.
#[component]
pub fn Field(
    /// The field's name in the form and in errors.
    name: &'static str,
    /// The label above the input.
    #[prop(into)]
    label: String,
    /// The initial value, such as the one from a rejected submission.
    #[prop(optional, into)]
    value: String,
    /// The text below the input; empty for none.
    #[prop(optional)]
    hint: &'static str,
    /// The `type` attribute.
    #[prop(default = "text")]
    kind: &'static str,
    /// The `autocomplete` attribute.
    #[prop(default = "off")]
    autocomplete: &'static str,
    /// Whether the browser requires a value.
    #[prop(default = true)]
    required: bool,
    /// Whether the input has the focus when the page opens.
    #[prop(optional)]
    autofocus: bool,
    /// The form's error; shown if it concerns this field.
    #[prop(into)]
    error: Signal<Option<ApiError>>,
) -> impl IntoView {
    let message = move || error.get().and_then(|error| error.at(name).map(str::to_owned));
    let (id, hint_id, error_id) = (format!("field-{name}"), format!("hint-{name}"), format!("error-{name}"));
    let described = if hint.is_empty() { error_id.clone() } else { format!("{hint_id} {error_id}") };
    let hint = (!hint.is_empty()).then(|| {
        view! {
            <p class="hint" id=hint_id>
                {hint}
            </p>
        }
    });
    view! {
        <div class="field">
            <label for=id.clone()>{label}</label>
            <input
                id=id
                name=name
                type=kind
                value=value
                autocomplete=autocomplete
                autofocus=autofocus
                required=required
                aria-describedby=described
                aria-invalid=move || message().map(|_| "true")
            />
            {hint}
            <FieldError id=error_id error=error name=name />
        </div>
    }
}

/// The error message of the field `name`. `id`: of the element, for `aria-describedby`.
#[component]
pub fn FieldError(id: String, name: &'static str, #[prop(into)] error: Signal<Option<ApiError>>) -> impl IntoView {
    let message = move || error.get().and_then(|error| error.at(name).map(str::to_owned));
    view! {
        <div id=id>
            {move || {
                message()
                    .map(|text| {
                        view! {
                            <p class="error" role="alert">
                                {text}
                            </p>
                        }
                    })
            }}
        </div>
    }
}

/// The error of the form as a whole: one that concerns none of `fields`.
#[component]
pub fn FormError(#[prop(into)] error: Signal<Option<ApiError>>, fields: &'static [&'static str]) -> impl IntoView {
    let message = move || {
        let error = error.get()?;
        let elsewhere = !fields.iter().any(|field| error.at(field).is_some());
        elsewhere.then_some((error.message, error.reference))
    };
    view! {
        <div>
            {move || {
                message()
                    .map(|(text, reference)| {
                        view! {
                            <div class="error-box" role="alert">
                                <p>{text}</p>
                                {reference.map(|reference| view! { <p>"Reference: " <code>{reference}</code></p> })}
                            </div>
                        }
                    })
            }}
        </div>
    }
}

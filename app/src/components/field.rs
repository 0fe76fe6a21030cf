//! A labelled input with its error.

use domain::ApiError;
use leptos::prelude::*;

/// An input of a form. The error stands under it and is read with it.
#[component]
pub fn Field(
    /// The name in the form, and in errors.
    name: &'static str,
    /// The word above.
    #[prop(into)]
    label: String,
    /// What was typed before.
    #[prop(optional, into)]
    value: String,
    /// A help below.
    #[prop(optional)]
    hint: &'static str,
    /// The input's type.
    #[prop(default = "text")]
    kind: &'static str,
    /// For the browser's own filling in.
    #[prop(default = "off")]
    autocomplete: &'static str,
    /// Whether the form isn't sent without it.
    #[prop(default = true)]
    required: bool,
    /// Whether to stand in it from the start.
    #[prop(optional)]
    autofocus: bool,
    /// What was wrong with the form.
    #[prop(into)]
    error: Signal<Option<ApiError>>,
) -> impl IntoView {
    let message = move || error.get().and_then(|error| error.at(name).map(str::to_owned));
    let (id, hint_id, error_id) = (format!("field-{name}"), format!("hint-{name}"), format!("error-{name}"));
    let described = if hint.is_empty() { error_id.clone() } else { format!("{hint_id} {error_id}") };
    let hint = (!hint.is_empty()).then(|| view! { <p class="hint" id=hint_id>{hint}</p> });
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

/// The message at a field.
#[component]
pub fn FieldError(id: String, name: &'static str, #[prop(into)] error: Signal<Option<ApiError>>) -> impl IntoView {
    let message = move || error.get().and_then(|error| error.at(name).map(str::to_owned));
    view! {
        <div id=id>{move || message().map(|text| view! { <p class="error" role="alert">{text}</p> })}</div>
    }
}

/// What is wrong with the form as a whole: an error that stands at none of its fields.
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
                message().map(|(text, reference)| {
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

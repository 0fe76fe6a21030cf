//! A labelled input with its hint and its error.

use domain::{ApiError, name::MAX_CHARS};
use leptos::prelude::*;

use crate::words::labels;

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
    #[prop(optional, into)]
    hint: String,
    /// The `type` attribute.
    #[prop(default = "text")]
    kind: &'static str,
    /// The `autocomplete` attribute.
    #[prop(default = "off")]
    autocomplete: &'static str,
    /// The `inputmode` attribute: which keyboard a phone shows.
    #[prop(optional)]
    inputmode: Option<&'static str>,
    /// The shortest value that the browser accepts, in UTF-16 units.
    #[prop(optional)]
    minlength: Option<usize>,
    /// A button beside the input.
    #[prop(optional)]
    button: Option<AnyView>,
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
    // Browsers count UTF-16 code units, so a name of rare characters may be cut earlier than the server would.
    let max_length = ["name", "tenant_name"].contains(&name).then_some(MAX_CHARS);
    let (id, hint_id, error_id) = (format!("field-{name}"), format!("hint-{name}"), format!("error-{name}"));
    let described = if hint.is_empty() { error_id.clone() } else { format!("{hint_id} {error_id}") };
    let hint = (!hint.is_empty()).then(|| {
        view! {
            <p class="hint" id=hint_id>
                {hint}
            </p>
        }
    });
    let input_id = id.clone();
    let input = view! {
        <input
            id=input_id
            name=name
            type=kind
            value=value
            inputmode=inputmode
            minlength=minlength
            autocomplete=autocomplete
            autofocus=autofocus
            required=required
            maxlength=max_length
            aria-describedby=described
            aria-invalid=move || message().map(|_| "true")
        />
    };
    let input = match button {
        None => input.into_any(),
        Some(button) => view! { <div class="input-row">{input}{button}</div> }.into_any(),
    };
    view! {
        <div class="field">
            <label for=id>{label}</label>
            {input}
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
                                {reference
                                    .map(|reference| {
                                        view! { <p>{labels::reference(view! { <code>{reference}</code> })}</p> }
                                    })}
                            </div>
                        }
                    })
            }}
        </div>
    }
}

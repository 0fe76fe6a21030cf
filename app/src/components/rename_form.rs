//! The form that renames a key or a service account.

use domain::{Name, input::Act};
use leptos::prelude::*;

use super::{
    act_form::act_form,
    field::{Field, FormError},
    form_buttons::FormButtons,
};
use crate::{
    as_code::{AsCode, CodeContext},
    request::RequestContext,
    words::labels,
};

/// The form of an act with the only argument `name`, and the same act as code. `current`: the name as it is. `id`: the
/// name and the value of the hidden argument. `back`: the page after Cancel or success.
pub fn rename_form<I: Act>(
    request: &RequestContext,
    current: &Name,
    id: &(&'static str, String),
    back: &str,
    code: &CodeContext,
) -> (AsCode, AnyView) {
    let typed = request.typed("name");
    let name = if typed.is_empty() { current.to_string() } else { typed };
    let example = AsCode::change(code, I::OPERATION.as_str(), &id.1, Some(("name", &name)));
    let error = Signal::stored(request.form.error.clone());
    let contents = view! {
        <FormError error fields=&["name"] />
        <Field name="name" label=labels::name() value=name hint=labels::rename_hint() autofocus=true error />
        <FormButtons cancel=back.to_owned() label=labels::rename() />
    };
    (example, act_form::<I>(request, back, std::slice::from_ref(id), contents.into_any()))
}

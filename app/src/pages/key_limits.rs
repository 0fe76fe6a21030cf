//! From which addresses and how often a key may be used: the page that changes it, and the lines about it on the key's
//! page.

use domain::{ApiError, ApiKey, KeyAct, KeyLimits, api_key::act::ChangeKeyLimits, user::input::confirm};
use leptos::prelude::*;

use crate::{
    as_code::{AsCode, CodeContext},
    components::{
        act_form::act_form,
        as_code::CodeFold,
        confirm_fields::confirm_fields_when,
        field::FormError,
        limit_fields::{LimitFields, TypedLimits},
        revoke_key::subject,
    },
    request::RequestContext,
    words::{labels, limits as words},
};

/// The page that changes the limits of a key. `back`: the page after Cancel or success.
pub async fn limits_page(
    request: &RequestContext,
    key: &ApiKey,
    back: &str,
    code: &CodeContext,
) -> Result<AnyView, ApiError> {
    const FIELDS: &[&str] = &["allowed_addresses", "rate_limit", "allow_lockout", confirm::PASSWORD, confirm::CODE];
    let typed = TypedLimits::of(request, &key.limits)?;
    let wanted = typed.limits();
    let confirm = confirm_fields_when(request, words::looser_limits_ask_for_a_password()).await?;
    let error = Signal::stored(request.form.error.clone());
    let id = key.id.to_string();
    let hidden = [("key", id.clone()), ("replace_all", "true".to_owned()), ("before", key.limits.text())];
    let contents = view! {
        <FormError error fields=FIELDS />
        <LimitFields typed error />
        {confirm}
        <div class="buttons">
            <a class="button" href=back.to_owned() data-close="">
                {labels::cancel()}
            </a>
            <button type="submit" class="button primary">
                {KeyAct::Limits.label()}
            </button>
        </div>
    };
    Ok(view! {
        <div class="card">
            <h1 id="card-title">{KeyAct::Limits.title(key.name.as_str())}</h1>
            {subject(key)}
            {act_form::<ChangeKeyLimits>(request, back, &hidden, contents.into_any())}
            <CodeFold code=AsCode::change_limits(code, &id, &wanted) public_url=code.public_url.clone() />
        </div>
    }
    .into_any())
}

/// The limits of a key on its page.
pub fn limits_fact(limits: &KeyLimits) -> AnyView {
    if limits.is_unlimited() {
        return words::none().into_any();
    }
    let addresses = limits.addresses.as_ref().map(|list| {
        let listed = list.iter().collect::<Vec<_>>().join(", ");
        view! { <p>{words::only_from(&listed)}</p> }
    });
    let rate = limits.rate.map(|rate| view! { <p>{words::rate(rate)}</p> });
    view! {
        {addresses}
        {rate}
    }
    .into_any()
}

//! The page that asks for the password before a link leads to something that requires a recent sign-in, such as an export
//! of the audit log.

use domain::{ApiError, user::input::confirm};
use leptos::prelude::*;

use crate::{
    api::wire::{CONFIRM_PATH, field},
    components::{confirm_fields::confirm_fields, field::FormError},
    list_url::is_own_path,
    request::RequestContext,
    words::{labels, profile as words},
};

/// `/user/confirm?then=…`. Its form is a plain HTML form because it contains a password.
pub async fn confirm_sign_in(request: RequestContext) -> Result<AnyView, ApiError> {
    let then = request.typed(field::THEN);
    let then = if is_own_path(&then) { then } else { "/".to_owned() };
    let error = Signal::stored(request.form.error.clone());
    let fields = confirm_fields(&request).await?;
    let hidden = [(field::PAGE, request.return_to.clone()), (field::THEN, then)];
    let hidden = hidden.map(|(name, value)| view! { <input type="hidden" name=name value=value /> });
    Ok(view! {
        <div class="card">
            <h1 id="card-title">{labels::proceed()}</h1>
            <p>{words::requires_a_recent_sign_in()}</p>
            <form method="post" action=CONFIRM_PATH>
                {hidden.into_iter().collect_view()}
                <FormError error fields=&confirm::FIELDS />
                {fields}
                <div class="buttons">
                    <a class="button" href="/">
                        {labels::back()}
                    </a>
                    <button type="submit" class="button primary">
                        {labels::proceed()}
                    </button>
                </div>
            </form>
        </div>
    }
    .into_any())
}

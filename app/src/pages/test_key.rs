//! The card that tests a key: what an API gets when it verifies the key. Its form is a plain HTML form because a token is
//! a secret; the token is never shown again.

use std::future::{Ready, ready};

use domain::ApiError;
use leptos::prelude::*;

use crate::{
    components::{
        copied_text::copyable,
        field::{Field, FormError},
        test_key::PATH,
    },
    request::RequestContext,
    words::{keys as words, labels},
};

/// `/user/api-keys/test`.
pub fn test_key(request: RequestContext) -> Ready<Result<AnyView, ApiError>> {
    let error = Signal::stored(request.form.error.clone());
    let answer = request.form.verification.clone().map(|answer| {
        view! { <div role="status">{copyable("JSON", words::response_of_verify(), answer)}</div> }
    });
    let contents = view! {
        <div class="card">
            <h1 id="card-title">{words::test_an_api_key()}</h1>
            <p>{words::test_explanation()}</p>
            <form method="post" action=PATH>
                <FormError error fields=&[] />
                <Field name="token" label=labels::api_key() kind="password" autofocus=true error />
                {answer}
                <div class="buttons">
                    <a class="button" href="/user/api-keys" data-close="">
                        {labels::close()}
                    </a>
                    <button type="submit" class="button primary">
                        {words::test_key()}
                    </button>
                </div>
            </form>
            <p class="hint">
                <a href="/docs/verify">{words::how_to_verify_keys()}</a>
            </p>
        </div>
    };
    ready(Ok(contents.into_any()))
}

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
};

/// `/user/api-keys/test`.
pub fn test_key(request: RequestContext) -> Ready<Result<AnyView, ApiError>> {
    let error = Signal::stored(request.form.error.clone());
    let answer = request.form.verification.clone().map(|answer| {
        view! { <div role="status">{copyable("JSON", "The response of POST /api/v1/verify:", answer)}</div> }
    });
    let contents = view! {
        <div class="card">
            <h1 id="card-title">"Test an API key"</h1>
            <p>
                "Paste a key to see what your API gets when it verifies the key. The test counts as a request with the key: if the key replaces another one until its first use, the old key expires."
            </p>
            <form method="post" action=PATH>
                <FormError error fields=&[] />
                <Field name="token" label="API key" kind="password" autofocus=true error />
                {answer}
                <div class="buttons">
                    <a class="button" href="/user/api-keys" data-close="">
                        "Close"
                    </a>
                    <button type="submit" class="button primary">
                        "Test key"
                    </button>
                </div>
            </form>
            <p class="hint">
                <a href="/docs/verify">"How to verify keys in your API"</a>
            </p>
        </div>
    };
    ready(Ok(contents.into_any()))
}

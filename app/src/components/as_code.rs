//! "Use the API instead": the action of a dialog as GraphQL, curl and CLI, in a collapsed section.

use leptos::prelude::*;

use super::tabs::{Tab, tabs};
use crate::{as_code::AsCode, words::lists as words};

/// The collapsed section. `public_url`: the base URL of the API. When it is opened, the script loads the texts again
/// with what is typed in the form.
#[component]
pub fn CodeFold(code: AsCode, public_url: String) -> impl IntoView {
    let texts = code.texts(&public_url).into_iter().map(|(label, text)| Tab { label, hint: "", text });
    view! {
        <details class="as-code">
            <summary>{words::use_the_api_instead()}</summary>
            {tabs("code", words::the_same_action_as_code(), texts.collect())}
        </details>
    }
}

//! The form of a server function. All of them are created here: the form's action is always an existing operation, and
//! it always sends the page that shows it, the page to show after success, and the tenant in which it was opened.

use domain::input::Act;
use leptos::prelude::*;

use crate::{
    api::{path_of, wire::field},
    request::RequestContext,
};

/// The form for the input `I`. `then`: the path to go to after success. `hidden`: names and values of hidden arguments.
/// `contents`: the visible fields and the buttons.
pub fn act_form<I: Act>(
    request: &RequestContext,
    then: &str,
    hidden: &[(&'static str, String)],
    contents: AnyView,
) -> AnyView {
    debug_assert!(hidden.iter().all(|(name, _)| I::FIELDS.contains(name)), "{hidden:?} aren't all in {:?}", I::FIELDS);
    let tenant = request.actor.as_ref().map(|actor| actor.tenant_id().to_string()).unwrap_or_default();
    let about = [(field::PAGE, request.return_to.clone()), (field::THEN, then.to_owned()), (field::TENANT, tenant)];
    let hidden = about.iter().chain(hidden).map(|(name, value)| {
        view! { <input type="hidden" name=*name value=value.clone() /> }
    });
    view! {
        <form method="post" action=path_of(I::OPERATION) data-act="">
            {hidden.collect_view()}
            {contents}
        </form>
    }
    .into_any()
}

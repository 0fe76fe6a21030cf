//! The form of an operation: the only way to write one that is a server function. It can't name an operation that doesn't
//! exist, and it always says which page shows it, where a success leads and which tenant it was opened in.

use domain::input::Act;
use leptos::prelude::*;

use crate::{
    api::{path_of, wire::field},
    request::RequestContext,
};

/// The form of `I`. `then`: where a success leads. `hidden`: arguments that the person doesn't see, by name. `contents`: the
/// visible fields and the buttons.
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
    view! { <form method="post" action=path_of(I::OPERATION) data-act="">{hidden.collect_view()}{contents}</form> }
        .into_any()
}

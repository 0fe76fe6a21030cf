//! In which tenant a form's page was opened.

use leptos::prelude::*;

use crate::request::RequestContext;

/// The field's name.
pub const FIELD: &str = "in_tenant";

/// A hidden field that names the tenant, for a form whose address doesn't say what it is about: sent from another tenant,
/// where another window has switched meanwhile, it is refused.
pub fn place_field(request: &RequestContext) -> AnyView {
    let tenant = request.actor.as_ref().map(|actor| actor.tenant_id().to_string());
    tenant.map(|id| view! { <input type="hidden" name=FIELD value=id /> }).into_any()
}

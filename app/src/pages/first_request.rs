//! Whether a key has been used yet. The card that shows a new key's token polls these pages.

use domain::ApiError;
use leptos::prelude::*;

use super::key_details::key_at;
use crate::{
    components::first_request::{first_request, first_request_path},
    request::RequestContext,
    words::keys as words,
};

/// `/user/api-keys/{key}/first-request`.
pub async fn own_key(request: RequestContext) -> Result<AnyView, ApiError> {
    state(&request, "/user/api-keys").await
}

/// `/team/service-accounts/{account}/keys/{key}/first-request`.
pub async fn account_key(request: RequestContext) -> Result<AnyView, ApiError> {
    state(&request, &format!("/team/service-accounts/{}/keys", request.param("account"))).await
}

/// `base`: the path that precedes the key's id in the paths of its pages.
async fn state(request: &RequestContext, base: &str) -> Result<AnyView, ApiError> {
    let key = key_at(request.id("key")?, base).await?;
    let path = first_request_path(base, &key.id.to_string());
    let title = words::first_request_of(&key.name);
    request.set_title_in(key.tenant_name.as_str(), &title);
    Ok(view! {
        <h1 class="visually-hidden">{title}</h1>
        {first_request(&path, key.last_used.as_ref())}
    }
    .into_any())
}

//! The documentation inside the product: the guides, with the server's own address and, for a signed-in person, their
//! tenant and the beginning of one of their keys.

use domain::{ApiError, Viewer, api_key::input::ListKeys};
use leptos::prelude::*;

use crate::{
    api::list_api_keys,
    guides::{GUIDES, Guide, Reader},
    list_url::encode,
    request::RequestContext,
    words::{frame as words, labels},
};

/// `/docs`.
pub async fn index(request: RequestContext) -> Result<AnyView, ApiError> {
    let guides = GUIDES.iter().map(|guide| {
        view! {
            <li>
                <a href=guide.path()>{guide.title()}</a>
                <p class="muted">{guide.summary}</p>
            </li>
        }
    });
    let contents = view! {
        <h1>{labels::documentation()}</h1>
        <ul class="guides">{guides.collect_view()}</ul>
    };
    Ok(page(&request, None, contents.into_any()))
}

/// `/docs/{guide}`.
pub async fn guide(request: RequestContext) -> Result<AnyView, ApiError> {
    let guide = Guide::find(request.param("guide")).ok_or_else(ApiError::not_found)?;
    request.set_title(guide.title());
    let key = if guide.has_token() { own_key(&request).await } else { None };
    let note = key.as_ref().map(|(name, hint)| {
        let name = name.clone();
        view! { <p class="hint">{words::examples_contain_your_key(name, view! { <code>{format!("{hint}…")}</code> })}</p> }
    });
    let tenant = request.viewer.as_ref().and_then(Viewer::current).map(|membership| &membership.tenant);
    let reader = Reader {
        public_url: request.public_url.clone(),
        hint: key.as_ref().map(|(_, hint)| hint.clone()),
        tenant: tenant.map(|tenant| tenant.slug.as_str().to_owned()),
    };
    let contents = view! {
        <h1>{guide.title()}</h1>
        {note}
        <article class="guide" inner_html=guide.html(&reader) />
    };
    Ok(page(&request, Some(guide), contents.into_any()))
}

/// The list of guides beside `contents`. `here`: the open guide.
fn page(request: &RequestContext, here: Option<Guide>, contents: AnyView) -> AnyView {
    let links = GUIDES.iter().map(|guide| {
        let current = (here == Some(*guide)).then_some("page");
        view! {
            <li>
                <a href=guide.path() aria-current=current>
                    {guide.title()}
                </a>
            </li>
        }
    });
    let sign_in = request.actor.is_none().then(|| {
        let href = format!("/sign-in?next={}", encode(request.path()));
        view! { <a href=href>{labels::sign_in()}</a> }
    });
    view! {
        <div class="docs">
            <nav class="docs-nav" aria-label=words::guides()>
                <a href="/docs" aria-current=here.is_none().then_some("page")>
                    {labels::documentation()}
                </a>
                <ul>{links.collect_view()}</ul>
                {sign_in}
            </nav>
            <div class="docs-text">{contents}</div>
        </div>
    }
    .into_any()
}

/// Name and hint of the first of the person's active keys, if there is one.
async fn own_key(request: &RequestContext) -> Option<(String, String)> {
    request.actor.as_ref()?;
    // A guide is readable without the key.
    let keys = list_api_keys(ListKeys::default()).await.ok()?;
    keys.items.into_iter().next().map(|key| (key.name.to_string(), key.hint))
}

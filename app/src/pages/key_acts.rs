//! The pages that do something with one key: revoke, suspend, resume, rename.

use domain::{AgentScope, ApiError, ApiKey, KeyId, KeyState, ServiceAccountId};
use leptos::prelude::*;

use super::{page, path_id, path_word};
use crate::{
    as_code::AsCode,
    components::{
        as_code::CodeFold,
        field::{Field, FormError},
        revoke_key::{RevokeWords, UseWords},
    },
    request::{RequestContext, context},
};

/// `/user/api-keys/{key}/{act}`.
#[component]
pub fn OwnKeyAct() -> impl IntoView {
    let (request, key, act) = (context(), path_id::<KeyId>("key"), path_word("act"));
    page("API key", async move { act_page(&request, key?, &act, "/user/api-keys").await })
}

/// `/team/service-accounts/{account}/keys/{key}/{act}`.
#[component]
pub fn AccountKeyAct() -> impl IntoView {
    let (request, act) = (context(), path_word("act"));
    let (account, key) = (path_id::<ServiceAccountId>("account"), path_id::<KeyId>("key"));
    page("API key", async move {
        let account = request.services.service_accounts().get(request.actor()?, account?).await?;
        act_page(&request, key?, &act, &format!("/team/service-accounts/{}", account.id)).await
    })
}

async fn act_page(request: &RequestContext, key: KeyId, act: &str, back: &str) -> Result<AnyView, ApiError> {
    let key = request.services.api_keys().get(request.actor()?, key).await?;
    let agents = request.services.agents().list(request.actor()?, AgentScope::Key(key.id)).await?;
    let (id, code, now) = (key.id.to_string(), request.code(None).await?, request.services.now());
    let is_over = key.revoked_at.is_some();
    let url = code.public_url.clone();
    Ok(match act {
        "revoke" => Card {
            title: format!("Revoke the API key {}?", key.name),
            button: (!is_over).then_some("Revoke"),
            destroys: true,
            code: AsCode::revoke_key(&code, &id),
            words: view! { <RevokeWords key agents now /> }.into_any(),
        }
        .view(request, back, url),
        "suspend" => Card {
            title: format!("Suspend the API key {}?", key.name),
            button: key.state(now).is_good().then_some("Suspend"),
            destroys: true,
            code: AsCode::change(&code, "suspend_api_key", &id, None),
            words:
                view! { <UseWords key=key.clone() agents now /><p>"It can be resumed later, with the same token."</p> }
                    .into_any(),
        }
        .view(request, back, url),
        "resume" => Card {
            title: format!("Resume the API key {}?", key.name),
            button: matches!(key.state(now), KeyState::Suspended { .. }).then_some("Resume"),
            destroys: false,
            code: AsCode::change(&code, "resume_api_key", &id, None),
            words: resume_words(&key),
        }
        .view(request, back, url),
        "rename" => rename_page(request, key, back, url).await?,
        _ => return Err(ApiError::not_found()),
    })
}

fn resume_words(key: &ApiKey) -> AnyView {
    let by = key.suspended_by.as_deref().map(|by| format!(" It was suspended by {by}.")).unwrap_or_default();
    view! { <p>{format!("Its token works again from the next request on.{by}")}</p> }.into_any()
}

async fn rename_page(request: &RequestContext, key: ApiKey, back: &str, url: String) -> Result<AnyView, ApiError> {
    let typed = request.form.value("name");
    let name = if typed.is_empty() { key.name.to_string() } else { typed };
    let example =
        AsCode::change(&request.code(None).await?, "rename_api_key", &key.id.to_string(), Some(("name", &name)));
    let error = Signal::stored(request.form.error.clone());
    Ok(view! {
        <div class="card">
            <h1 id="card-title">"Rename the API key"</h1>
            <form method="post">
                <FormError error fields=&["name"] />
                <Field name="name" label="API Key Name" value=name hint="The token stays the same." autofocus=true error />
                <div class="buttons"><a class="button" href=back.to_owned() data-close="">"Cancel"</a><button type="submit" class="button primary">"Rename"</button></div>
            </form>
            <CodeFold code=example public_url=url />
        </div>
    }
    .into_any())
}

/// A page that asks before something is done.
pub struct Card {
    /// The question.
    pub title: String,
    /// The word on the button; none when there is nothing to do any more.
    pub button: Option<&'static str>,
    /// Whether something stops.
    pub destroys: bool,
    /// The same by program.
    pub code: AsCode,
    /// What it will do.
    pub words: AnyView,
}

impl Card {
    /// The card. `back`: where Cancel leads.
    pub fn view(self, request: &RequestContext, back: &str, public_url: String) -> AnyView {
        let error = Signal::stored(request.form.error.clone());
        let class = if self.destroys { "button destroy" } else { "button primary" };
        let button = self.button.map(|word| view! { <button type="submit" class=class>{word}</button> });
        view! {
            <div class="card" data-light="">
                <h1 id="card-title">{self.title}</h1>
                {self.words}
                <FormError error fields=&[] />
                <form method="post" class="buttons"><a class="button" href=back.to_owned() data-close="" autofocus>"Cancel"</a>{button}</form>
                <CodeFold code=self.code public_url />
            </div>
        }
        .into_any()
    }
}

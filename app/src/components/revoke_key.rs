//! The question before a key is revoked.

use chrono::{DateTime, Utc};
use domain::{ApiError, ApiKey};
use leptos::{either::Either, prelude::*, task::spawn_local};

use super::{as_code::CodeFold, dialog::Modal, field::FormError, time::Moment};
use crate::{
    api::api_keys::revoke_api_key,
    as_code::{AsCode, CodeContext},
    browser,
};

/// What revoking will stop.
#[component]
pub fn RevokeWords(key: ApiKey, now: DateTime<Utc>) -> impl IntoView {
    let used = match key.last_used.clone() {
        None => Either::Left(view! { <p>"The key has never been used."</p> }),
        Some(last) => {
            let address = last.address.map(|address| format!(" from {address}")).unwrap_or_default();
            let agent = last.user_agent.map(|agent| format!(" by {agent}")).unwrap_or_default();
            Either::Right(
                view! { <p>"Last used " <strong><Moment at=last.at now /></strong>{address}{agent}". What uses it will stop working at once."</p> },
            )
        }
    };
    view! {
        <p class="subject"><code>{key.hint.clone()}"…"</code>" in "{key.tenant_name.to_string()}</p>
        {used}
        <p>"This can't be undone. To go on, a new key has to be made and put where this one is used."</p>
    }
}

/// The dialog. `on_done` gets the key as it is afterwards.
#[component]
pub fn RevokeDialog(
    asked: RwSignal<Option<ApiKey>>,
    context: CodeContext,
    now: DateTime<Utc>,
    on_done: Callback<ApiKey>,
) -> impl IntoView {
    let (error, pending) = (RwSignal::new(None::<ApiError>), RwSignal::new(false));
    let cancel = Callback::new(move |()| {
        if !pending.get_untracked() {
            error.set(None);
            asked.set(None);
        }
    });
    let revoke = move |key: &ApiKey| {
        if pending.get_untracked() {
            return;
        }
        let id = key.id;
        pending.set(true);
        error.set(None);
        spawn_local(async move {
            match revoke_api_key(id).await {
                Ok(key) => {
                    asked.set(None);
                    on_done.run(key);
                }
                Err(failure) => error.set(Some(failure.into_api())),
            }
            pending.set(false);
        });
    };
    let contents = move || {
        asked.get().map(|key| {
            let subject = key.clone();
            let (code, public_url) = (AsCode::revoke_key(&context, &key.id.to_string()), context.public_url.clone());
            view! {
                <h2 id="revoke-title">{format!("Revoke the API key {}?", key.name)}</h2>
                <RevokeWords key now=browser::now().unwrap_or(now) />
                <FormError error fields=&[] />
                <div class="buttons">
                    <button type="button" class="button" autofocus on:click=move |_| cancel.run(())>"Cancel"</button>
                    <button type="button" class="button destroy" disabled=pending on:click=move |_| revoke(&subject)>"Revoke"</button>
                </div>
                <CodeFold code=Signal::stored(code) public_url />
            }
        })
    };
    view! { <Modal label="revoke-title" is_open=Signal::derive(move || asked.get().is_some()) on_cancel=cancel light=true contents=contents /> }
}

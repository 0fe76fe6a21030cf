//! The form that makes a key, for the dialog and for the page alike.

use chrono::{DateTime, Utc};
use domain::{ApiError, IssuedKey, Owner, TenantId, time::ExpiryError};
use leptos::{prelude::*, task::spawn_local};
use serde::{Deserialize, Serialize};

use super::{
    as_code::CodeFold,
    dialog::Modal,
    expiry_field::ExpiryField,
    field::{Field, FieldError, FormError},
    reveal::RevealBody,
};
use crate::{
    api::api_keys::{NewApiKey, create_api_key},
    as_code::{AsCode, CodeContext},
    browser,
    expiry_choice::ExpiryChoice,
};

/// A tenant to choose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantChoice {
    /// Its id.
    pub id: TenantId,
    /// Its name.
    pub name: String,
    /// Whether it is chosen at first.
    pub chosen: bool,
}

/// What was typed before.
#[derive(Clone, Debug, Default)]
pub struct Typed {
    /// The name.
    pub name: String,
    /// The expiry's word.
    pub expiry: String,
    /// The date.
    pub date: String,
}

/// The fields. `tenants`: empty where there is no choice.
#[component]
pub fn KeyFields(
    #[prop(optional)] typed: Typed,
    tenants: Vec<TenantChoice>,
    zone: String,
    now: DateTime<Utc>,
    #[prop(into)] error: Signal<Option<ApiError>>,
) -> impl IntoView {
    let choose = (!tenants.is_empty()).then(|| {
        let options = tenants.into_iter().map(|tenant| view! { <option value=tenant.id.to_string() selected=tenant.chosen>{tenant.name}</option> });
        view! {
            <div class="field">
                <label for="field-tenant_id">"Tenant"</label>
                <select id="field-tenant_id" name="tenant_id" aria-describedby="error-tenant_id">{options.collect_view()}</select>
                <FieldError id="error-tenant_id".to_owned() name="tenant_id" error=error />
            </div>
        }
    });
    view! {
        <FormError error fields=&["name", "expires_at", "tenant_id"] />
        <Field name="name" label="API Key Name" value=typed.name hint="What will use it, and where." autofocus=true error />
        <ExpiryField choice=typed.expiry date=typed.date zone now error />
        {choose}
    }
}

/// The dialog: first the form, then, over the same page, the token.
#[component]
pub fn CreateKeyDialog(
    is_open: RwSignal<bool>,
    owner: Option<Owner>,
    tenants: Vec<TenantChoice>,
    context: CodeContext,
    now: DateTime<Utc>,
    on_made: Callback<domain::ApiKey>,
) -> impl IntoView {
    let (error, pending) = (RwSignal::new(None::<ApiError>), RwSignal::new(false));
    let issued = RwSignal::new(None::<IssuedKey>);
    let form_id = StoredValue::new(String::new());
    Effect::new(move |_| {
        if is_open.get() {
            form_id.set_value(browser::new_form_id());
        }
    });
    let cancel = Callback::new(move |()| {
        if !pending.get_untracked() {
            error.set(None);
            is_open.set(false);
        }
    });
    let create = move |ev: leptos::ev::SubmitEvent| {
        ev.prevent_default();
        if pending.get_untracked() {
            return;
        }
        let input = match read(&ev, owner, now, form_id.get_value()) {
            Ok(input) => input,
            Err(wrong) => return error.set(Some(wrong)),
        };
        pending.set(true);
        error.set(None);
        spawn_local(async move {
            match create_api_key(input).await {
                Ok(made) => {
                    is_open.set(false);
                    on_made.run(made.key.clone());
                    issued.set(Some(made));
                }
                Err(failure) => error.set(Some(failure.into_api())),
            }
            pending.set(false);
        });
    };
    let public_url = context.public_url.clone();
    let code = RwSignal::new(AsCode::create_key(&context, "", None));
    let write = {
        let context = context.clone();
        move |ev: leptos::ev::Event| {
            // An unfinished date is shown as none.
            let expires_at = expiry(&ev, now).ok().flatten();
            code.set(AsCode::create_key(&context, &browser::field(&ev, "name"), expires_at.as_deref()));
        }
    };
    let form = move || {
        is_open.get().then(|| {
            let (write, public_url) = (write.clone(), context.public_url.clone());
            let zone = browser::zone().unwrap_or_else(|| "UTC".to_owned());
            view! {
                <h2 id="create-title">"Create an API key"</h2>
                <form on:submit=create on:input=write novalidate>
                    <KeyFields tenants=tenants.clone() zone now error />
                    <div class="buttons">
                        <button type="button" class="button" on:click=move |_| cancel.run(())>"Cancel"</button>
                        <button type="submit" class="button primary" disabled=pending>"Create"</button>
                    </div>
                    <CodeFold code public_url />
                </form>
            }
        })
    };
    let reveal = move || {
        issued.get().map(|made| {
            view! {
                <h2 id="reveal-title">"Your API key has been created"</h2>
                <RevealBody token=made.token.expose().to_owned() public_url=public_url.clone() />
                <div class="buttons">
                    <button type="button" class="button primary" on:click=move |_| issued.set(None)>"I have stored it"</button>
                </div>
            }
        })
    };
    view! {
        <Modal label="create-title" is_open on_cancel=cancel contents=form />
        <Modal label="reveal-title" is_open=Signal::derive(move || issued.get().is_some()) on_cancel=Callback::new(|()| ()) firm=true contents=reveal />
    }
}

/// When the key is to end, by the form.
fn expiry(ev: &leptos::ev::Event, now: DateTime<Utc>) -> Result<Option<String>, ExpiryError> {
    let now = browser::now().unwrap_or(now);
    let choice = ExpiryChoice::from_word(&browser::field(ev, "expiry"));
    let date = browser::local_instant(&browser::field(ev, "date"));
    if choice == ExpiryChoice::Custom && date.is_some_and(|at| at <= now) {
        return Err(ExpiryError::TooSoon);
    }
    choice.expires_at(date, now)
}

/// What the form holds, with the date read in the person's own zone.
fn read(
    ev: &leptos::ev::Event,
    owner: Option<Owner>,
    now: DateTime<Utc>,
    idempotency_key: String,
) -> Result<NewApiKey, ApiError> {
    let expires_at = expiry(ev, now).map_err(|error| ApiError::field("expires_at", error.to_string()))?;
    Ok(NewApiKey {
        owner,
        tenant_id: browser::field(ev, "tenant_id").parse().ok(),
        name: browser::field(ev, "name"),
        expires_at,
        idempotency_key,
    })
}

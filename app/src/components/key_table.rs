//! The table of keys.

use chrono::{DateTime, Utc};
use domain::{ApiKey, KeyState};
use leptos::prelude::*;

use super::{
    icon::{Icon, Picture},
    sort_header::SortHeader,
    status::KeyStatus,
    time::Moment,
};
use crate::list_url::ListChoice;

/// Rows of keys. `base`: the path below which a key's own pages stand.
#[component]
pub fn KeyTable(
    #[prop(into)] keys: Signal<Vec<ApiKey>>,
    choice: ListChoice,
    base: String,
    show_tenant: bool,
    now: Signal<DateTime<Utc>>,
    on_revoke: Callback<ApiKey>,
) -> impl IntoView {
    view! {
        <table class="table" aria-label="API keys">
            <thead>
                <tr>
                    <SortHeader choice=choice.clone() column="name" label="Name" />
                    {show_tenant.then(|| view! { <th scope="col">"Tenant"</th> })}
                    <th scope="col">"Status"</th>
                    <SortHeader choice=choice.clone() column="created" label="Created" />
                    <SortHeader choice=choice.clone() column="expires" label="Expires" />
                    <SortHeader choice=choice column="last_used" label="Last used" />
                    <th scope="col"><span class="visually-hidden">"Actions"</span></th>
                </tr>
            </thead>
            <tbody>
                <For each=move || keys.get() key=|key| (key.id, key.revoked_at) let:key>
                    <KeyRow key base=base.clone() show_tenant now on_revoke />
                </For>
            </tbody>
        </table>
    }
}

#[component]
fn KeyRow(
    key: ApiKey,
    base: String,
    show_tenant: bool,
    now: Signal<DateTime<Utc>>,
    on_revoke: Callback<ApiKey>,
) -> impl IntoView {
    let state = key.state(now.get_untracked());
    let is_over = matches!(state, KeyState::Revoked { .. });
    let expires = key.expires_at.map_or_else(
        || view! { <span class="never">"Never"</span> }.into_any(),
        |at| view! { <Moment at now /> }.into_any(),
    );
    let used = key.last_used.clone().map_or_else(
        || view! { <span class="muted">"Never"</span> }.into_any(),
        |last| {
            view! { <Moment at=last.at now /> {last.address.map(|address| view! { <span class="sub">{address}</span> })} }.into_any()
        },
    );
    let creator = format!("by {}", key.created_by);
    view! {
        <tr class:row-over=is_over>
            <th scope="row" data-label="Name"><span class="name">{key.name.to_string()}</span><code class="sub">{key.hint.clone()}"…"</code></th>
            {show_tenant.then(|| view! { <td data-label="Tenant">{key.tenant_name.to_string()}</td> })}
            <td data-label="Status"><KeyStatus state /></td>
            <td data-label="Created"><Moment at=key.created_at now /><span class="sub">{creator}</span></td>
            <td data-label="Expires">{expires}</td>
            <td data-label="Last used">{used}</td>
            <td class="actions">{(!is_over).then(|| view! { <RevokeLink key base on_revoke /> })}</td>
        </tr>
    }
}

/// The trash bin: a link to the page that asks, which the script turns into the dialog that asks.
#[component]
fn RevokeLink(key: ApiKey, base: String, on_revoke: Callback<ApiKey>) -> impl IntoView {
    let href = format!("{base}/{}/revoke", key.id);
    let label = format!("Revoke API key {}", key.name);
    let ask = move |ev: leptos::ev::MouseEvent| {
        ev.prevent_default();
        on_revoke.run(key.clone());
    };
    view! { <a class="icon-button danger" href=href title=label.clone() aria-label=label on:click=ask><Picture icon=Icon::Trash /></a> }
}

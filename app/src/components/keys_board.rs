//! The island of a list of keys: table, dialogs, toast. What stands around it is HTML from the server.

use chrono::{DateTime, Utc};
use domain::{ApiKey, Owner};
use leptos::prelude::*;

use super::{
    create_key::{CreateKeyDialog, TenantChoice},
    icon::{Icon, Picture},
    key_table::KeyTable,
    revoke_key::RevokeDialog,
    toast::Toast,
};
use crate::{as_code::CodeContext, browser, list_url::ListChoice};

/// What a board of keys begins with.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct KeysBoardStart {
    /// The rows.
    pub keys: Vec<ApiKey>,
    /// The list's choice, for the links in the table's head.
    pub choice: ListChoice,
    /// The path below which `new` and the keys' own pages stand.
    pub base: String,
    /// For whom keys are made; oneself, when `None`.
    pub owner: Option<Owner>,
    /// The tenants to choose from; none on an account's page.
    pub tenants: Vec<TenantChoice>,
    /// Whether to offer making one.
    pub may_create: bool,
    /// For the texts that do the same by program.
    pub code: CodeContext,
    /// The server's instant.
    #[serde(with = "chrono::serde::ts_microseconds")]
    pub now: DateTime<Utc>,
    /// What was just done on another page.
    pub notice: Option<String>,
}

/// The board. Its children are the search, the filter and what is said of an empty list.
#[island]
pub fn KeysBoard(start: KeysBoardStart, children: Children) -> impl IntoView {
    let keys = RwSignal::new(start.keys);
    let (creating, revoking, toast) =
        (RwSignal::new(false), RwSignal::new(None::<ApiKey>), RwSignal::new(start.notice));
    let now = start.now;
    let made = Callback::new(move |key: ApiKey| {
        keys.update(|keys| {
            keys.retain(|row| row.id != key.id);
            keys.insert(0, key);
        });
    });
    let revoked = Callback::new(move |key: ApiKey| {
        toast.set(Some(format!("The API key {} has been revoked.", key.name)));
        keys.update(|keys| keys.iter_mut().filter(|row| row.id == key.id).for_each(|row| *row = key.clone()));
    });
    Effect::new(move |_| {
        keys.track();
        browser::keep_times();
    });
    let open = move |ev: leptos::ev::MouseEvent| {
        ev.prevent_default();
        creating.set(true);
    };
    let new = format!("{}/new", start.base);
    let show_tenant = !start.tenants.is_empty();
    let (choice, base) = (start.choice, start.base);
    view! {
        <div class="board" class:board-empty=move || keys.with(Vec::is_empty)>
            {start
                .may_create
                .then(|| view! { <a class="button primary board-action" href=new on:click=open><Picture icon=Icon::Plus />"Create an API key"</a> })}
            {children()}
            <div class="table-place">
                <KeyTable keys choice base show_tenant now on_revoke=Callback::new(move |key| revoking.set(Some(key))) />
            </div>
            <CreateKeyDialog
                is_open=creating owner=start.owner tenants=start.tenants context=start.code.clone() now=start.now on_made=made
            />
            <RevokeDialog asked=revoking context=start.code now on_done=revoked />
            <Toast text=toast />
        </div>
    }
}

//! User > API keys, and the list of keys that it shares with the page of a service account.

use domain::{
    ApiError, ApiKey, KeyFilter, KeyQuery, Operation, Owner, Page,
    api_key::{
        input::{ListKeyPolicies, ListKeys},
        policy::closing_to_people,
        query::KeySort,
    },
    tenant::overview::Steps,
};
use leptos::prelude::*;
use service::{AlertsAbout, offers};

use super::{
    empty_list::{EmptyList, first_run, no_keys},
    list_params,
    new_key::tenants,
    toolbar::{ListBoard, Noun, Pages},
};
use crate::{
    api::{list_api_keys, list_key_policies},
    components::{
        alerts::AlertBanners,
        first_steps::FirstSteps,
        icon::{Icon, Picture},
        key_table::KeyTable,
        spark::spark,
    },
    list_url::ListChoice,
    request::RequestContext,
    words::{keys as words, labels},
};

const PATH: &str = "/user/api-keys";
/// How many days the pictures of requests in a list show.
const SPARK_DAYS: u32 = 30;

/// `/user/api-keys`.
pub async fn own_keys(request: RequestContext) -> Result<AnyView, ApiError> {
    let (actor, query) = (request.actor()?, list_params(&request).to_keys());
    let keys = list_api_keys(ListKeys { owner: None, query: query.clone() }).await?;
    let (service, now) = (request.services.api_keys(), request.services.now());
    let (alerts, elsewhere) = (service.alerts(actor, AlertsAbout::Own).await?, service.count_elsewhere(actor).await?);
    let list = KeyList { path: PATH.to_owned(), owner: None, may_create: !tenants(&request)?.is_empty() };
    let lead = if offers(actor, Operation::ListServiceAccounts) {
        words::personal_keys(view! { <a href="/team/service-accounts">{words::a_service_account()}</a> })
    } else {
        words::personal_keys(words::a_service_account())
    };
    let review = expiring_soon(PATH);
    Ok(view! {
        <h1>{labels::api_keys()}</h1>
        <p class="lead">{lead}</p>
        <AlertBanners alerts review now />
        {key_list(&request, list, &query, keys).await?}
        {words::elsewhere_words(elsewhere).map(|words| view! { <p class="muted elsewhere">{words}</p> })}
    }
    .into_any())
}

/// The URL of a list of the keys that expire soon, the first one at the top.
pub fn expiring_soon(path: &str) -> String {
    let filter = KeyFilter::ExpiringSoon.as_str();
    format!("{path}?state={filter}&sort={}&dir=asc", KeySort::Expires.as_str())
}

/// The differences between a person's list of keys and a service account's.
pub struct KeyList {
    /// The path of the list.
    pub path: String,
    /// The owner of the keys; `None` for the signed-in person.
    pub owner: Option<Owner>,
    /// Whether to show the button that creates a key.
    pub may_create: bool,
}

impl KeyList {
    /// The path of the form that creates a key.
    fn new_path(&self) -> String {
        match self.owner {
            None => format!("{}/new", self.path),
            Some(_) => format!("{}/keys/new", self.path),
        }
    }
}

/// Whether a key policy of the selected tenant forbids new keys of people.
pub(super) async fn is_closed_to_people(request: &RequestContext) -> Result<bool, ApiError> {
    let (policies, now) = (list_key_policies(ListKeyPolicies {}).await?, request.services.now());
    Ok(closing_to_people(&policies, now).is_some())
}

/// A list of keys with its toolbar, its button and the links to other pages.
///
/// # Errors
/// Those of the use cases.
pub async fn key_list(
    request: &RequestContext,
    list: KeyList,
    query: &KeyQuery,
    keys: Page<ApiKey>,
) -> Result<AnyView, ApiError> {
    let (choice, pages, now) = (ListChoice::of_keys(&list.path, query), Pages::from(&keys), request.services.now());
    let states = KeyFilter::ALL.iter().map(|filter| (filter.as_str(), filter.label())).collect();
    let action = list.may_create.then(|| create_button(list.new_path()));
    let is_first_run = keys.items.is_empty() && has_none(&list, query).await?;
    let rows = if is_first_run {
        let (title, sentence) = match (list.may_create, list.owner) {
            (false, None) => (words::no_api_keys(), words::role_cant_create_keys()),
            (false, Some(_)) => (words::no_api_keys(), words::first_run_of_account_keys()),
            (true, None) => (words::create_your_first_api_key(), words::first_run_of_own_keys()),
            (true, Some(_)) => (words::create_your_first_api_key(), words::first_run_of_account_keys()),
        };
        let steps = (list.may_create && list.owner.is_none()).then(|| {
            let may_invite = request.actor.as_ref().is_some_and(|actor| offers(actor, Operation::InviteMember));
            view! { <FirstSteps steps=Steps::default() may_invite /> }
        });
        let action = list.may_create.then(|| create_button(list.new_path()));
        view! {
            {first_run(title, sentence, action)}
            {steps}
        }
        .into_any()
    } else if keys.items.is_empty() {
        let (default_state, reason) = (KeyFilter::Active.as_str(), no_keys(&choice, query.filter));
        view! { <EmptyList choice=choice.clone() default_state reason hint="" show_all=labels::show_all_keys() /> }
            .into_any()
    } else {
        let (actor, sparks) = (request.actor.clone(), sparks(request, &keys.items).await?);
        let namesakes = request.services.members().namesakes_of_keys(request.actor()?, &keys.items).await?;
        let (keys, choice) = (keys.items, choice.clone());
        let is_closed = is_closed_to_people(request).await?;
        view! { <KeyTable keys actor choice sparks is_inventory=false namesakes is_closed now /> }.into_any()
    };
    Ok(ListBoard { choice, noun: Noun::Keys, states, filters: Vec::new(), action, is_first_run, rows, pages }.view())
}

/// Whether the owner has no key in any state. `query`: the one of the list, which found none.
async fn has_none(list: &KeyList, query: &KeyQuery) -> Result<bool, ApiError> {
    if !query.search.trim().is_empty() {
        return Ok(false);
    }
    if query.filter == KeyFilter::All {
        return Ok(query.page.after.is_none() && query.page.before.is_none());
    }
    let any = KeyQuery { filter: KeyFilter::All, ..KeyQuery::default() };
    Ok(list_api_keys(ListKeys { owner: list.owner, query: any }).await?.items.is_empty())
}

fn create_button(href: String) -> AnyView {
    view! {
        <a class="button primary board-action" href=href data-dialog="" data-shortcut="c">
            <Picture icon=Icon::Plus />
            {labels::create_an_api_key()}
        </a>
    }
    .into_any()
}

/// The picture of each key's requests, in the order of the keys.
///
/// # Errors
/// Those of the use case.
pub async fn sparks(request: &RequestContext, keys: &[ApiKey]) -> Result<Vec<AnyView>, ApiError> {
    let mut days = request.services.api_keys().daily(request.actor()?, keys, SPARK_DAYS).await?;
    Ok(keys.iter().map(|key| spark(&days.remove(&key.id).unwrap_or_default())).collect())
}

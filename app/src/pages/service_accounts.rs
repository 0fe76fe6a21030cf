//! Team > Service accounts: the list. The page of one account is in `account_details`.

use domain::{AccountFilter, AccountQuery, ApiError, OwnerKind, service_account::input::ListAccounts};
use leptos::prelude::*;
use service::AlertsAbout;

use super::{
    api_keys::expiring_soon,
    empty_list::{EmptyList, first_run, no_accounts},
    list_params,
    toolbar::{ListBoard, Noun, Pages},
};
use crate::{
    api::list_accounts,
    components::{
        account_table::AccountTable,
        alerts::AlertBanners,
        expiry_timeline::ExpiryTimeline,
        icon::{Icon, Picture},
    },
    list_url::ListChoice,
    request::RequestContext,
    words::{accounts as words, labels},
};

const PATH: &str = "/team/service-accounts";

/// `/team/service-accounts`.
pub async fn accounts(request: RequestContext) -> Result<AnyView, ApiError> {
    let (query, actor, now) = (list_params(&request).to_accounts(), request.actor()?, request.services.now());
    let accounts = list_accounts(ListAccounts { query: query.clone() }).await?;
    let (choice, pages) = (ListChoice::of_accounts(PATH, &query), Pages::from(&accounts));
    let states = AccountFilter::ALL.iter().map(|filter| (filter.as_str(), filter.label())).collect();
    let alerts = request.services.api_keys().alerts(actor, AlertsAbout::ServiceAccounts).await?;
    let expiring = request.services.inventory().expiring(actor, Some(OwnerKind::ServiceAccount)).await?;
    let is_first_run = accounts.items.is_empty() && has_none(&query).await?;
    let rows = if is_first_run {
        let sentence = words::first_run();
        first_run(words::add_your_first_service_account(), sentence, Some(add_button()))
    } else if accounts.items.is_empty() {
        let (default_state, reason) = (AccountFilter::Active.as_str(), no_accounts(&choice, query.filter));
        let show_all = words::show_all_service_accounts();
        view! { <EmptyList choice=choice.clone() default_state reason hint="" show_all /> }.into_any()
    } else {
        view! { <AccountTable accounts=accounts.items choice=choice.clone() base=PATH now /> }.into_any()
    };
    let action = Some(add_button());
    let review = format!("{}&kind=service_account", expiring_soon("/team/keys"));
    let noun = Noun::ServiceAccounts;
    let board = ListBoard { choice, noun, states, filters: Vec::new(), action, is_first_run, rows, pages };
    Ok(view! {
        <h1>{labels::service_accounts()}</h1>
        <p class="lead">{words::lead()}</p>
        <AlertBanners alerts review now />
        <ExpiryTimeline expiring kind=Some(OwnerKind::ServiceAccount) now />
        {board.view()}
    }
    .into_any())
}

/// Whether the tenant never had a service account. `query`: the one of the list, which found none.
async fn has_none(query: &AccountQuery) -> Result<bool, ApiError> {
    if !query.search.trim().is_empty() {
        return Ok(false);
    }
    let any = AccountQuery { filter: AccountFilter::All, ..AccountQuery::default() };
    Ok(list_accounts(ListAccounts { query: any }).await?.items.is_empty())
}

fn add_button() -> AnyView {
    view! {
        <a class="button primary board-action" href=format!("{PATH}/new") data-dialog="" data-shortcut="c">
            <Picture icon=Icon::Plus />
            {words::add_service_account()}
        </a>
    }
    .into_any()
}

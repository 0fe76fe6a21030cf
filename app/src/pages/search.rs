//! The search over everything: pages, acts, keys and service accounts. With JavaScript it is shown in a dialog (Ctrl+K)
//! and lists the results while the person types.

use domain::{
    AccountFilter, AccountQuery, ApiError, ApiKey, InventoryQuery, KeyAct, KeyFilter, KeyQuery, MemberQuery, Operation,
    PageRequest,
    api_key::input::{ListKeys, ListTenantKeys},
    service_account::input::ListAccounts,
    user::input::ListMembers,
};
use leptos::prelude::*;
use service::{Actor, offers};

use crate::{
    api::{
        list_accounts, list_api_keys, list_members, list_tenant_keys,
        wire::{SEARCH, SEARCH_CARD},
    },
    list_url::encode,
    request::RequestContext,
    words::{frame as words, labels},
};

/// The id of the list of results, which the script replaces.
const RESULTS: &str = "search-results";
/// How many keys, and how many service accounts, are listed at most.
const MAX_OF_EACH: u32 = 5;

/// The pages: path, title, and the operation that a person must be allowed to do; `None` for everyone's.
const PAGES: [(&str, &str, Option<Operation>); 11] = [
    ("/user/api-keys", labels::api_keys(), None),
    ("/user/profile", labels::profile(), None),
    ("/user/sessions", labels::sessions(), None),
    ("/team/overview", labels::overview(), Some(Operation::ListTenantKeys)),
    ("/team/service-accounts", labels::service_accounts(), Some(Operation::ListServiceAccounts)),
    ("/team/keys", labels::all_keys(), Some(Operation::ListTenantKeys)),
    ("/team/members", labels::members(), None),
    ("/team/audit-log", labels::audit_log(), Some(Operation::ListAuditLog)),
    ("/team/settings", labels::settings(), Some(Operation::RenameTenant)),
    ("/docs", labels::documentation(), None),
    ("/graphiql", "GraphiQL", None),
];

/// The acts that have a form of their own: path, title and operation. They are shown in the dialog.
const ACTS: [(&str, &str, Operation); 8] = [
    ("/user/api-keys/new", labels::create_an_api_key(), Operation::CreateApiKey),
    ("/team/service-accounts/new", words::add_a_service_account(), Operation::CreateServiceAccount),
    ("/team/members/invite", labels::invite_a_member(), Operation::InviteMember),
    ("/team/settings/rename", labels::rename_the_tenant(), Operation::RenameTenant),
    ("/user/profile/name", labels::change_your_name(), Operation::UpdateProfile),
    ("/user/profile/password", labels::change_your_password(), Operation::ChangePassword),
    ("/user/sessions/end-others", labels::sign_out_everywhere_else(), Operation::EndOtherSessions),
    ("/tenants/new", labels::create_a_tenant(), Operation::CreateTenant),
];

/// A result.
struct Found {
    path: String,
    label: String,
    /// What it is, and what tells it apart from others of the same name.
    kind: String,
    /// Whether the script shows it in the dialog.
    is_card: bool,
}

/// `/search`.
pub async fn search(request: RequestContext) -> Result<AnyView, ApiError> {
    let (actor, text) = (request.actor()?, request.query("q").trim().to_owned());
    let mut found = if text.is_empty() { Vec::new() } else { things(&request, actor, &text).await? };
    found.extend(pages_and_acts(actor, &text));
    Ok(card(found, text))
}

/// The search before anything is typed, which the script shows at once: it waits for no response.
pub fn search_template(actor: &Actor) -> AnyView {
    let card = card(pages_and_acts(actor, ""), String::new());
    view! { <template id=SEARCH_CARD>{card}</template> }.into_any()
}

fn card(found: Vec<Found>, text: String) -> AnyView {
    let is_empty = found.is_empty();
    let rows = found.into_iter().map(|found| {
        let dialog = found.is_card.then_some("");
        view! {
            <li>
                <a href=found.path data-dialog=dialog>
                    <span dir="auto" translate="no">
                        {found.label}
                    </span>
                    <span class="sub">{found.kind}</span>
                </a>
            </li>
        }
    });
    let rows = rows.collect_view();
    let results = if is_empty {
        view! {
            <p class="muted" role="status">
                {words::nothing_matches(&text)}
            </p>
        }
        .into_any()
    } else {
        view! { <ul class="results">{rows}</ul> }.into_any()
    };
    view! {
        <div class="card" data-light="" data-arrows="">
            <h1 id="card-title">{labels::search()}</h1>
            <form role="search" method="get" action=SEARCH class="palette" data-live=RESULTS data-now="">
                <label for="palette" class="visually-hidden">
                    {words::search_pages()}
                </label>
                <input
                    id="palette"
                    name="q"
                    type="search"
                    value=text
                    placeholder=words::search_pages()
                    autocomplete="off"
                    spellcheck="false"
                    autofocus
                />
                <button type="submit" class="button without-script">
                    {labels::search()}
                </button>
            </form>
            <div id=RESULTS data-results="">
                {results}
            </div>
        </div>
    }
    .into_any()
}

/// The pages and acts whose title contains every word of the text, as far as the person may open them.
fn pages_and_acts(actor: &Actor, text: &str) -> Vec<Found> {
    let pages =
        PAGES.into_iter().filter(|(_, _, operation)| operation.is_none_or(|operation| offers(actor, operation)));
    let pages = pages.map(|(path, label, _)| (path, label, words::page(), false));
    let acts = ACTS.into_iter().filter(|(_, _, operation)| offers(actor, *operation));
    let acts = acts.map(|(path, label, _)| (path, label, words::action(), true));
    let shortcuts = [("/shortcuts", words::keyboard_shortcuts(), words::help(), true)];
    let all = pages.chain(acts).chain(shortcuts).filter(|(_, label, _, _)| contains_words(label, text));
    all.map(|(path, label, kind, is_card)| Found {
        path: path.to_owned(),
        label: label.to_owned(),
        kind: kind.to_owned(),
        is_card,
    })
    .collect()
}

/// Whether a label contains every word of a text, ignoring case.
fn contains_words(label: &str, text: &str) -> bool {
    let label = label.to_lowercase();
    text.split_whitespace().all(|word| label.contains(&word.to_lowercase()))
}

/// The service accounts and keys that match the text.
async fn things(request: &RequestContext, actor: &Actor, text: &str) -> Result<Vec<Found>, ApiError> {
    let (search, page) = (text.to_owned(), PageRequest { limit: MAX_OF_EACH, ..PageRequest::default() });
    let mut found = Vec::new();
    if offers(actor, Operation::ListServiceAccounts) {
        let filter = AccountFilter::All;
        let query = AccountQuery { search: search.clone(), filter, page: page.clone(), ..AccountQuery::default() };
        found.extend(list_accounts(ListAccounts { query }).await?.items.into_iter().map(|account| Found {
            path: format!("/team/service-accounts/{}", account.id),
            label: account.name.to_string(),
            kind: words::found_account(&account.role.label()),
            is_card: false,
        }));
    }
    let now = request.services.now();
    found.extend(find_keys(actor, &search).await?.into_iter().map(|key| Found {
        path: key.page_path(),
        label: key.name.to_string(),
        kind: words::api_key(&key.hint, &key.owner_name, &key.state(now).label()),
        is_card: false,
    }));
    if let Some((act, name)) = act_of(text) {
        let keys = find_keys(actor, name).await?.into_iter().filter(|key| act.is_offered(key, now));
        found.extend(keys.map(|key| Found {
            path: format!("{}/{}", key.page_path(), act.code()),
            label: act.title(key.name.as_str()),
            kind: words::api_key(&key.hint, &key.owner_name, &key.state(now).label()),
            is_card: true,
        }));
    }
    if offers(actor, Operation::ListMembers) {
        let query = MemberQuery { search, page, ..MemberQuery::default() };
        found.extend(list_members(ListMembers { query }).await?.items.into_iter().map(|member| Found {
            path: format!("/team/members?q={}", encode(member.name.as_str())),
            label: member.name.to_string(),
            kind: words::found_member(&member.role.label()),
            is_card: false,
        }));
    }
    Ok(found)
}

/// The keys that match a text, of those that the person can see.
async fn find_keys(actor: &Actor, text: &str) -> Result<Vec<ApiKey>, ApiError> {
    let page = PageRequest { limit: MAX_OF_EACH, ..PageRequest::default() };
    let query = KeyQuery { search: text.to_owned(), filter: KeyFilter::All, page, ..KeyQuery::default() };
    let keys = if offers(actor, Operation::ListTenantKeys) {
        list_tenant_keys(ListTenantKeys { query, inventory: InventoryQuery::default() }).await?
    } else {
        list_api_keys(ListKeys { owner: None, query }).await?
    };
    Ok(keys.items)
}

/// Splits a text like "revoke laptop" into the act on a key and the rest; `None` if it doesn't begin with an act.
fn act_of(text: &str) -> Option<(KeyAct, &str)> {
    let (verb, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let act = KeyAct::ALL.iter().find(|act| act.label().eq_ignore_ascii_case(verb))?;
    Some((*act, rest.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_begins_with_an_act_names_the_act_and_the_key() {
        assert_eq!(act_of("revoke old laptop"), Some((KeyAct::Revoke, "old laptop")));
        assert_eq!(act_of("Suspend"), Some((KeyAct::Suspend, "")));
        assert_eq!(act_of("revoked laptop"), None);
    }

    #[test]
    fn a_title_matches_by_all_words_in_any_order() {
        assert!(contains_words("Create an API key", "key create"));
        assert!(contains_words("Create an API key", ""));
        assert!(!contains_words("Create an API key", "create account"));
    }
}

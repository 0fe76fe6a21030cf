//! What a list shows instead of rows when it has none: the reason in a whole sentence, and what to do.

use domain::{AccountFilter, KeyFilter, Role};
use leptos::prelude::*;

use crate::list_url::ListChoice;

/// The filter code for rows in every state, the same in all lists.
const EVERY_STATE: &str = "all";

/// Shown in place of the rows. `reason`: from [`no_keys`], [`no_accounts`] or [`no_members`]. `hint`: what to do, or
/// empty; shown only without a search and other filters. `show_all`: the label of the link to rows in every state,
/// shown when the list is in its `default_state`.
#[component]
pub fn EmptyList(
    choice: ListChoice,
    default_state: &'static str,
    reason: String,
    hint: &'static str,
    show_all: &'static str,
) -> impl IntoView {
    let is_unfiltered = choice.search.trim().is_empty() && !is_narrowed(&choice);
    if is_unfiltered && (choice.state == EVERY_STATE || choice.state == default_state) {
        let words = format!("{reason} {hint}");
        let all = (choice.state != EVERY_STATE).then(|| {
            view! {
                <p>
                    <a class="button" href=choice.with_state(EVERY_STATE)>
                        {show_all}
                    </a>
                </p>
            }
        });
        return view! {
            <div class="empty">
                <p>{words.trim_end().to_owned()}</p>
                {all}
            </div>
        }
        .into_any();
    }
    view! {
        <div class="empty">
            <p>{reason}</p>
            <p>
                <a class="button" href=choice.cleared(default_state)>
                    "Clear filters"
                </a>
            </p>
        </div>
    }
    .into_any()
}

/// Whether the list has filters besides its state and its search.
fn is_narrowed(choice: &ListChoice) -> bool {
    choice.extra.iter().any(|(_, value)| !value.is_empty())
}

/// Shown instead of a list that never had a row: what a first one is for, and how to create it.
pub fn first_run(title: &'static str, sentence: &'static str, action: Option<AnyView>) -> AnyView {
    view! {
        <div class="empty first-run">
            <h2>{title}</h2>
            <p>{sentence}</p>
            {action}
            <p>
                <a href="/docs/get-started">"Get started"</a>
                " · "
                <a href="/docs/verify">"Verify keys from your API"</a>
            </p>
        </div>
    }
    .into_any()
}

/// Why a list of keys is empty.
pub fn no_keys(choice: &ListChoice, filter: KeyFilter) -> String {
    match (choice.search.trim(), is_narrowed(choice)) {
        ("", true) => "No keys match these filters.".to_owned(),
        (search, true) => format!("No keys match “{search}” and these filters."),
        ("", false) => match filter {
            KeyFilter::Active => "No active keys.",
            KeyFilter::ExpiringSoon => "No keys expire soon.",
            KeyFilter::Expired => "No expired keys.",
            KeyFilter::Suspended => "No suspended keys.",
            KeyFilter::Revoked => "No revoked keys.",
            KeyFilter::All => "No keys yet.",
        }
        .to_owned(),
        (search, false) => match filter {
            KeyFilter::Active => format!("No active keys match “{search}”."),
            KeyFilter::ExpiringSoon => format!("No keys that expire soon match “{search}”."),
            KeyFilter::Expired => format!("No expired keys match “{search}”."),
            KeyFilter::Suspended => format!("No suspended keys match “{search}”."),
            KeyFilter::Revoked => format!("No revoked keys match “{search}”."),
            KeyFilter::All => format!("No keys match “{search}”."),
        },
    }
}

/// Why the list of service accounts is empty.
pub fn no_accounts(choice: &ListChoice, filter: AccountFilter) -> String {
    match (choice.search.trim(), filter) {
        ("", AccountFilter::Active) => "No active service accounts.".to_owned(),
        ("", AccountFilter::Deleted) => "No deleted service accounts.".to_owned(),
        ("", AccountFilter::All) => "No service accounts yet.".to_owned(),
        (search, AccountFilter::Active) => format!("No active service accounts match “{search}”."),
        (search, AccountFilter::Deleted) => format!("No deleted service accounts match “{search}”."),
        (search, AccountFilter::All) => format!("No service accounts match “{search}”."),
    }
}

/// Why the list of members is empty. `role`: the role that the list is filtered by.
pub fn no_members(choice: &ListChoice, role: Option<Role>) -> String {
    match (choice.search.trim(), role) {
        ("", None) => "No members yet.".to_owned(),
        ("", Some(Role::TenantAdmin)) => "No members have the role Administrator.".to_owned(),
        ("", Some(Role::User)) => "No members have the role User.".to_owned(),
        ("", Some(Role::ReadOnlyUser)) => "No members have the role Read only.".to_owned(),
        (search, None) => format!("No members match “{search}”."),
        (search, Some(Role::TenantAdmin)) => format!("No members with the role Administrator match “{search}”."),
        (search, Some(Role::User)) => format!("No members with the role User match “{search}”."),
        (search, Some(Role::ReadOnlyUser)) => format!("No members with the role Read only match “{search}”."),
    }
}

#[cfg(test)]
mod tests {
    use domain::KeyQuery;

    use super::*;

    #[test]
    fn an_empty_list_names_the_state_the_search_and_other_filters() {
        let with = |search: &str, kind: &str| {
            let query = KeyQuery { search: search.to_owned(), ..KeyQuery::default() };
            ListChoice::of_keys("/team/keys", &query).with_extra(vec![("kind", kind.to_owned())])
        };
        assert_eq!(no_keys(&with("", ""), KeyFilter::Active), "No active keys.");
        assert_eq!(no_keys(&with(" zebra ", ""), KeyFilter::Active), "No active keys match “zebra”.");
        assert_eq!(no_keys(&with("", "user"), KeyFilter::Active), "No keys match these filters.");
        assert_eq!(no_keys(&with("zebra", "user"), KeyFilter::All), "No keys match “zebra” and these filters.");
    }
}

//! What a list shows instead of rows when it has none: the reason in a whole sentence, and what to do.

use domain::{AccountFilter, KeyFilter, Role};
use leptos::prelude::*;

use crate::{
    list_url::ListChoice,
    words::{labels, lists as words},
};

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
                    {labels::clear_filters()}
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
                <a href="/docs/get-started">{words::get_started()}</a>
                " · "
                <a href="/docs/verify">{words::verify_keys_from_your_api()}</a>
            </p>
        </div>
    }
    .into_any()
}

/// Why a list of keys is empty.
pub fn no_keys(choice: &ListChoice, filter: KeyFilter) -> String {
    words::no_keys(choice.search.trim(), is_narrowed(choice), filter)
}

/// Why the list of service accounts is empty.
pub fn no_accounts(choice: &ListChoice, filter: AccountFilter) -> String {
    words::no_accounts(choice.search.trim(), filter)
}

/// Why the list of members is empty. `role`: the role that the list is filtered by.
pub fn no_members(choice: &ListChoice, role: Option<Role>) -> String {
    words::no_members(choice.search.trim(), role)
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

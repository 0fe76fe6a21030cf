//! What all lists have in common: search, filters, pages, and what an empty list says.

use domain::{AccountFilter, KeyFilter, Role, page::Total, usage::number_text};

words! {
    get_started = "Get started";
    verify_keys_from_your_api = "Verify keys from your API";
    search_keys = "Search keys";
    search_service_accounts = "Search accounts";
    search_members = "Search members";
    filter_by_state = "Filter by state";
    previous = "Previous";
    next = "Next";
    rows = "Rows";
    sort = "Sort";
    dismiss = "Dismiss";
    use_the_api_instead = "Use the API instead";
    the_same_action_as_code = "The same action as code";
    violates_policy = "Violates policy";
    deleted = "Deleted";

    remove_filter(text) = "Remove filter {text}";
    rows_a_page(size) = "{size} rows a page";
    will_violate_a_policy(text) = "Will violate a policy from {text}";
}

/// Why a list of keys is empty. `search`: what was searched for, or empty. `is_narrowed`: whether further filters are set.
pub fn no_keys(search: &str, is_narrowed: bool, filter: KeyFilter) -> String {
    match (search, is_narrowed) {
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
pub fn no_accounts(search: &str, filter: AccountFilter) -> String {
    match (search, filter) {
        ("", AccountFilter::Active) => "No active service accounts.".to_owned(),
        ("", AccountFilter::Deleted) => "No deleted service accounts.".to_owned(),
        ("", AccountFilter::All) => "No service accounts yet.".to_owned(),
        (search, AccountFilter::Active) => format!("No active service accounts match “{search}”."),
        (search, AccountFilter::Deleted) => format!("No deleted service accounts match “{search}”."),
        (search, AccountFilter::All) => format!("No service accounts match “{search}”."),
    }
}

/// Why the list of members is empty. `role`: the role that the list is filtered by.
pub fn no_members(search: &str, role: Option<Role>) -> String {
    match (search, role) {
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

/// The number of keys in a list; with a plus sign if there are more than were counted.
pub fn count_of_keys(total: Total) -> String {
    let count = number_text(total.count.into());
    match (total.is_exact, total.count) {
        (true, 1) => "1 key".to_owned(),
        (true, _) => format!("{count} keys"),
        (false, _) => format!("{count}+ keys"),
    }
}

/// The number of service accounts in a list; with a plus sign if there are more than were counted.
pub fn count_of_accounts(total: Total) -> String {
    let count = number_text(total.count.into());
    match (total.is_exact, total.count) {
        (true, 1) => "1 service account".to_owned(),
        (true, _) => format!("{count} service accounts"),
        (false, _) => format!("{count}+ service accounts"),
    }
}

/// The number of members in a list; with a plus sign if there are more than were counted.
pub fn count_of_members(total: Total) -> String {
    let count = number_text(total.count.into());
    match (total.is_exact, total.count) {
        (true, 1) => "1 member".to_owned(),
        (true, _) => format!("{count} members"),
        (false, _) => format!("{count}+ members"),
    }
}

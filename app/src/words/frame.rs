//! The frame around the pages, the search, the overview, the documentation, and the error pages.

use leptos::prelude::*;

words! {
    skip_to_content = "Skip to content";
    menu = "Menu";
    view = "View";
    undo = "Undo";
    close_menu = "Close menu";
    search = "Search…";
    search_shortcut = "Ctrl+K or ⌘K";
    main = "Main";
    examples_colon = "Examples:";
    you = "Signed in as";
    team = "Team";
    api = "API";
    system = "System";
    light = "Light";
    dark = "Dark";
    theme = "Theme";
    add_a_service_account = "Add a service account";
    search_pages = "Search pages, keys, accounts";
    page = "Page";
    action = "Action";
    keyboard_shortcuts = "Keyboard shortcuts";
    help = "Help";
    search_everything = "Search everything (⌘K on a Mac)";
    search_the_list = "Search the list";
    press_the_button_of_a_list = "Create, add or invite, on a list";
    show_these_shortcuts = "Show these shortcuts";
    move_in_a_menu = "Move in a menu or in search results";
    move_in_a_chart = "Select a bar of a chart";
    enter = "Enter";
    open_the_first_search_result = "Open the first search result";
    shift = "Shift";
    select_rows_between = "Select all rows between two checkboxes";
    close_what_is_open = "Close what is open";
    guides = "Guides";
    check_the_address = "Check the address or go back to your keys.";
    check_the_address_or_sign_in = "Check the address or go to the sign-in page.";
    page_not_found = "Page not found";
    not_found = "Not found";
    you_dont_have_access = "You don't have access";
    youre_signed_out = "You're signed out";
    this_link_doesnt_work = "This link doesn't work";
    something_went_wrong = "Something went wrong";
    go_to_service_accounts = "Go to service accounts";
    go_to_all_keys = "Go to all keys";
    go_to_members = "Go to members";
    go_to_settings = "Go to settings";
    go_to_the_audit_log = "Go to the audit log";
    back_to_profile = "Back to profile";
    go_to_sessions = "Go to sessions";
    go_to_sign_in = "Go to sign-in";
    go_to_api_keys = "Go to API keys";
    no_administrator = "This tenant has no administrator. Ask the operator of the server.";
    the_tenants_administrators = "The tenant's administrators";
    who_am_i = "Who am I";
    all_visible_keys = "All visible keys";
    my_keys = "My keys, a page at a time";
    create_a_key = "Create a key";
    revoke_a_key = "Revoke a key";
    create_a_service_account = "Create a service account";
    service_accounts_and_agents = "Service accounts and agents";
    graphiql_lead = "Explore the API with your permissions. Mutations change live data.";
    examples = "Examples";
    graphiql_needs_javascript = "GraphiQL needs JavaScript. The same operations work with curl and an API key:";
    overview_first_steps = "Three steps to protect your API with keys.";
    requests = "Requests";
    most_used_keys = "Most used keys";
    rejected_by_reason = "Rejected requests by reason";
    most_rejected_keys = "Most rejected keys";
    state_now = "State now";
    recent_activity = "Recent activity";
    open_the_audit_log = "Open the audit log";
    invite_your_team = "Invite your team";
    invite_step = "Members create their own keys. Administrators also manage service accounts.";
    key_step = "A key identifies a person or a program to your API.";
    verify_it_from_your_api = "Verify it from your API";
    verify_step = "Your API asks Latchkey whether the key of a request is valid.";
    tenant = "Tenant: ";
    done = "Done: ";

    nothing_matches(text) = "Nothing matches “{text}”.";
    found_member(role) = "Member · {role}";
    found_account(role) = "Service account · {role}";
    api_key(hint, owner_name, now) = "API key · {hint}… · {owner_name} · {now}";
    none_in_the_last_days(days) = "None in the last {days} days.";
    in_the_last_days(days) = "In the last {days} days.";
}

/// The note above a guide whose examples contain the beginning of the reader's own key.
pub fn examples_contain_your_key(name: String, hint: impl IntoView + 'static) -> AnyView {
    view! {
        "The examples contain the beginning of your key “"
        {name}
        "”: replace "
        {hint}
        " with the whole key."
    }
    .into_any()
}

/// States that GraphiQL isn't there. `url`: the address of the API.
pub fn no_graphiql(url: impl IntoView + 'static) -> AnyView {
    view! {
        "This build doesn't include GraphiQL, because npm wasn't available. The API is at "
        {url}
        "."
    }
    .into_any()
}

/// When a key was last rejected. `address`: from [`super::usage::from_address`].
pub fn last_rejected(when: impl IntoView + 'static, address: String) -> AnyView {
    view! {
        "Last "
        {when}
        {address}
    }
    .into_any()
}

/// Active keys; `count` stands before this label, as before the following ones.
pub fn active_keys(count: u32) -> &'static str {
    if count == 1 { "active key" } else { "active keys" }
}

/// Keys that expire within `days`.
pub fn expiring_keys(count: u32, days: i64) -> String {
    if count == 1 { format!("key expires within {days} days") } else { format!("keys expire within {days} days") }
}

/// Keys that aren't used any more.
pub fn unused_keys(count: u32) -> &'static str {
    if count == 1 { "key unused for 90 days" } else { "keys unused for 90 days" }
}

/// Keys that violate a key policy.
pub fn violating_keys(count: u32) -> &'static str {
    if count == 1 { "key violates a policy, or will" } else { "keys violate a policy, or will" }
}

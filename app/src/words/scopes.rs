//! The scopes of keys, and the catalogue.

use domain::scope::scopes_text;
use leptos::prelude::*;

words! {
    what_it_may_do = "What it may do";
    full_hint = "All that its owner's role allows, here and in your API.";
    read_only_hint = "The scopes that end in :read, as they are now. Scopes added later aren't included.";
    chosen_hint = "Each request that needs another scope is rejected.";
    scopes_of_your_api = "Your API";
    scopes_of_latchkey = "Latchkey";
    no_scopes_of_your_api = "Your API has no scopes yet. An administrator adds them in Settings.";
    scopes = "Scopes";
    scope = "Scope";
    description = "Description";
    least_role = "Lowest role";
    deprecated_since = "Deprecated since (UTC)";
    deprecated_hint = "Leave empty for a scope in use. Keys can still hold a deprecated scope.";
    scope_hint = "A resource and an action, for example orders:read.";
    description_hint = "For people who choose the scopes of a key.";
    add_scope = "Add a scope";
    remove = "Remove";
    save = "Save";
    everything_its_owner_may_do = "Everything its owner may do";
    none = "None";
    narrow_to_what_is_used = "Narrow to what is used";
    not_used_in_90_days = "Not used in 90 days";
    catalogue_is_shared = "What keys can be limited to in your API. All tenants share the catalogue.";
    catalogue_is_the_operators = "What keys can be limited to in your API. All tenants share the catalogue, so the operator of this server changes it.";
    of_latchkey = "Latchkey's own";
    removing_takes_it_from_keys = "All keys of all tenants lose the scope immediately, and requests that need it are rejected. Adding the scope again doesn't give it back to them.";
    more_scopes_ask_for_a_password = "Only needed to add scopes: enter your password again.";
    lower_role_asks_for_a_password = "Only needed to choose a lower role: enter your password again.";
    unknown_client = "Unknown client";
    used_scopes_are_ticked = "The scopes that were used in the past 90 days are selected. No request of that time would have been rejected.";
    not_in_the_catalogue = "not in the catalogue";

    remove_question(scope) = "Remove the scope {scope}?";
    change_the_scope(scope) = "Change the scope {scope}";
    requires_the_role(role) = "requires the role {role}";
}

/// What a key holds and what of it was used: "Holds 6 scopes, used 2 in 90 days."
pub fn holds_and_used(held: usize, used: usize) -> String {
    format!("Holds {}, used {used} in 90 days.", scopes_text(held))
}

/// How much a key without a limit used: "Used 2 scopes in 90 days."
pub fn used_of_everything(used: usize) -> String {
    format!("Used {} in 90 days.", scopes_text(used))
}

/// How often a scope was used: "Used 12 times in 90 days, last 2 hours ago".
pub fn used(use_count: u64, last: impl IntoView + 'static) -> AnyView {
    let times = if use_count == 1 {
        "Used once in 90 days, last ".to_owned()
    } else {
        format!("Used {} times in 90 days, last ", domain::usage::number_text(use_count))
    };
    view! {
        {times}
        {last}
    }
    .into_any()
}

/// Stands before the clients that a key without a scope would have rejected.
pub fn would_have_rejected(clients: usize) -> String {
    if clients == 1 {
        "Without it, requests of this client would have been rejected:".to_owned()
    } else {
        format!("Without it, requests of these {clients} clients would have been rejected:")
    }
}

/// Stands after the clients that are named.
pub fn and_more_clients(count: usize) -> String {
    format!("and {count} more")
}

/// How to write the scopes of a policy. `known`: those of the catalogue.
pub fn scopes_of_policy_hint(known: &[String]) -> String {
    const NAMED: usize = 12;
    match known {
        [] => "Separated by spaces, for example orders:write refunds:create.".to_owned(),
        few if few.len() <= NAMED => format!("Separated by spaces. In the catalogue: {}.", few.join(", ")),
        many => format!("Separated by spaces. In the catalogue: {}, and others.", many[..NAMED].join(", ")),
    }
}

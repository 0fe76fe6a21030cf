//! The lists of keys, the form that creates a key, and what is shown with a new key.

use chrono::{DateTime, Utc};
use domain::{ApiKey, ExpiryWindow, KeyAct, Total, api_key::key::EXPIRING_SOON, time::distance_text};
use leptos::prelude::*;
use service::{INVITATION_OPEN_FOR, MAX_ALERTS};

words! {
    any_time = "Any time";
    form_was_sent_again =
        "This form was sent twice, so the key has a new token. If a token was shown before, it no longer works.";
    no_api_keys = "No API keys";
    role_cant_create_keys = "Your role can't create keys. Ask an administrator of the tenant.";
    select_all_keys = "Select all keys on this page";
    select = "Select";
    thirty_days = "30 days";
    person = "Person";
    name_hint = "For example “GitHub Actions, production”.";
    never_hint = "This key works until someone revokes it.";
    all_owners = "All owners";
    people = "People";
    issue = "Issue";
    first_run_of_inventory = "The keys that people and service accounts create in this tenant are listed here.";
    no_keys_yet = "No keys yet";
    all_keys_in_this_tenant = "All keys in this tenant.";
    this_page_is_empty_now = "This page is empty now.";
    back_to_first_page = "Back to first page";
    selected_keys = "Selected keys:";
    clear = "Clear";
    select_at_least_one_key = "Select at least one key.";
    selected_keys_werent_found = "The selected keys weren't found in this tenant.";
    selected_keys_are_inactive = "All selected keys are already inactive.";
    back_to_the_list = "Back to the list";
    first_run_of_own_keys = "An API key lets a program act with your permissions in this tenant.";
    first_run_of_account_keys = "An API key lets a program act as this service account.";
    create_your_first_api_key = "Create your first API key";
    response_of_verify = "The response of POST /api/v1/verify:";
    test_an_api_key = "Test an API key";
    test_explanation = "Paste a key to see what your API gets when it verifies the key. The test counts as a request with the key: if the key replaces another one until its first use, the old key expires.";
    test_key = "Test key";
    how_to_verify_keys = "How to verify keys in your API";
    key_has_been_rotated = "Your API key has been rotated";
    key_has_been_created = "Your API key has been created";
    copy_it_now = "Copy it now. You won't be able to see it again.";
    ive_saved_it = "I've saved it";
    how_to_use_this_key = "How to use this key";
    account_is_suspended = "This service account is suspended: its keys are rejected until it is resumed.";
    hide = "Hide";
    test_this_key = "Test this key";
    waiting_for_the_first_verification = "Waiting for the first verification…";
    keys_that_expire_soon = "Keys that expire soon";
    review = "Review";
    rotated_keys_still_used = "Rotated keys that are still used";
    show_key = "Show key";
    client_addresses = "Client addresses";
    clients_have_one_address = "All clients appear to have the same address.";
    untrusted_proxy = "They connect through a proxy that this server doesn't trust. Usage, sessions and the audit log show the proxy’s address, and allowed addresses are compared with it. Ask the operator of this server to set --trusted-proxy.";
    agent = "Agent";
    agent_hint = "Starts a Prefect agent with this key.";
    verify = "Verify";
    verify_hint = "Your API sends each key that it receives to this endpoint.";
    header = "Header";
    header_hint = "Clients send the key to your API in this header.";
    node_hint = "Node.js 18 or newer, as an ES module.";
    standard_library_hint = "Uses only the standard library.";
    rust_hint = "Needs reqwest with the features blocking and json, and serde_json.";
    env_hint = "For a client that reads its settings from the environment.";
    kubernetes_hint = "A secret for a client's deployment.";
    calendar_link_created = "Calendar link created";
    calendar_link_purpose = "Subscribe to this link in your calendar app. Anyone who has it can see the names of your keys and when they expire. You can turn it off in your profile.";
    invitation_created = "Invitation created";
    link = "Link";
    a_service_account = "service account";

    select_name(name) = "Select {name}";
    create_a_key_for(name) = "Create an API key for {name}";
    copy_as(name) = "Copy as {name}";
    first_request_of(name) = "First request of “{name}”";
}

/// A window in which keys expire, as a filter.
pub fn expiry_window(window: ExpiryWindow) -> String {
    match (window.after_days, window.within_days) {
        (0, 1) => "Within 1 day".to_owned(),
        (0, days) => format!("Within {days} days"),
        (after, within) => format!("In {after} to {within} days"),
    }
}

/// What to do with the link of an invitation. `is_mailed`: whether it was also sent by email.
pub fn invitation_link_purpose(is_mailed: bool) -> String {
    let hours = INVITATION_OPEN_FOR.num_hours();
    if is_mailed {
        format!(
            "This link was sent to them by email. It can be used once within {hours} hours and won't be shown again."
        )
    } else {
        format!("Send them this link. It can be used once within {hours} hours and won't be shown again.")
    }
}

/// The label of the field for a custom expiry. `zone`: the time zone in which it is entered.
pub fn expiry_date(zone: impl IntoView + 'static) -> AnyView {
    view! {
        "Expiry date "
        {zone}
    }
    .into_any()
}

/// When the new key expires.
pub fn expires(when: impl IntoView + 'static) -> AnyView {
    view! {
        "Expires "
        {when}
    }
    .into_any()
}

/// The hint of the key by which another one is being replaced, or was replaced.
pub fn replaced_by(hint: impl IntoView + 'static, is_in_progress: bool) -> AnyView {
    let begin = if is_in_progress { "Being replaced by " } else { "Replaced by " };
    view! {
        {begin}
        {hint}
    }
    .into_any()
}

/// When a key was revoked.
pub fn revoked(when: impl IntoView + 'static) -> AnyView {
    view! {
        "Revoked "
        {when}
    }
    .into_any()
}

/// What stops working, and whether it can be undone. `keys`: those that will be changed.
pub fn bulk_words(act: KeyAct, keys: &[ApiKey], now: DateTime<Utc>) -> String {
    let used = match (keys.len(), keys.iter().filter(|key| key.was_used_lately(now)).count()) {
        (1, 0) => "It wasn't used in the past 24 hours. Anything using it stops working immediately.".to_owned(),
        (1, _) => "It was used in the past 24 hours. Anything using it stops working immediately.".to_owned(),
        (_, 0) => {
            "None of them was used in the past 24 hours. Anything using them stops working immediately.".to_owned()
        }
        (_, 1) => "1 of them was used in the past 24 hours. Anything using them stops working immediately.".to_owned(),
        (_, many) => {
            format!("{many} of them were used in the past 24 hours. Anything using them stops working immediately.")
        }
    };
    let undone = match (act, keys.len()) {
        (KeyAct::Revoke, _) => "This can't be undone.",
        (_, 1) => "You can resume it at any time.",
        _ => "You can resume them at any time.",
    };
    format!("{used} {undone}")
}

/// How many of the selected keys won't change because they are already inactive; `None` for 0.
pub fn unchanged_words(count: usize) -> Option<String> {
    match count {
        0 => None,
        1 => Some("1 key is already inactive and won't change.".to_owned()),
        many => Some(format!("{many} keys are already inactive and won't change.")),
    }
}

/// How many keys the person has in other tenants; `None` for none.
pub fn elsewhere_words(total: Total) -> Option<String> {
    match (total.count, total.is_exact) {
        (0, _) => None,
        (1, _) => Some("You have 1 more key in another tenant. Switch tenants to see it.".to_owned()),
        (count, true) => Some(format!("You have {count} more keys in other tenants. Switch tenants to see them.")),
        (count, false) => {
            Some(format!("You have more than {count} keys in other tenants. Switch tenants to see them."))
        }
    }
}

/// Which keys expire soon, and what to do. `keys`: at most one more than [`MAX_ALERTS`].
pub fn expiring_words(keys: &[ApiKey], now: DateTime<Utc>) -> (String, &'static str) {
    let days = EXPIRING_SOON.num_days();
    match keys {
        [ApiKey { name, expires_at: Some(at), .. }] => {
            (format!("“{name}” expires {}.", distance_text(*at, now)), "Rotate it to avoid failed requests.")
        }
        keys if keys.len() > MAX_ALERTS as usize => {
            (format!("More than {MAX_ALERTS} keys expire within {days} days."), "Rotate them to avoid failed requests.")
        }
        keys => (format!("{} keys expire within {days} days.", keys.len()), "Rotate them to avoid failed requests."),
    }
}

/// Which rotated keys are still being used, and what that means.
pub fn tried_words(keys: &[ApiKey]) -> (String, &'static str) {
    match keys {
        [key] => (
            format!("The rotated key “{}” ({}…) is still being used.", key.name, key.hint),
            "Its requests are rejected until they use the new key.",
        ),
        keys => {
            let names: Vec<_> = keys.iter().take(MAX_ALERTS as usize).map(|key| format!("“{}”", key.name)).collect();
            let names = names.join(", ");
            (
                format!("Rotated keys are still being used: {names}."),
                "Their requests are rejected until they use the new keys.",
            )
        }
    }
}

/// The question before several keys are revoked or suspended.
pub fn bulk_title(act: KeyAct, count: usize) -> String {
    match (act, count) {
        (KeyAct::Revoke, 1) => "Revoke 1 API key?".to_owned(),
        (KeyAct::Revoke, count) => format!("Revoke {count} API keys?"),
        (_, 1) => "Suspend 1 API key?".to_owned(),
        (_, count) => format!("Suspend {count} API keys?"),
    }
}

/// What a person's keys are for. `service_account`: [`a_service_account`], or a link with it.
pub fn personal_keys(service_account: impl IntoView + 'static) -> AnyView {
    view! {
        "Personal keys act with your permissions in this tenant. For CI and other automation, use a "
        {service_account}
        "."
    }
    .into_any()
}

/// When and from where a new key was verified first.
pub fn verified(when: impl IntoView + 'static, address: Option<AnyView>) -> AnyView {
    let from = address.map(|address| {
        view! {
            " from "
            {address}
        }
    });
    view! {
        "✓ Verified "
        {when}
        {from}
    }
    .into_any()
}

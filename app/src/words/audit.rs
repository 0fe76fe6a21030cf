//! The audit log.

use leptos::prelude::*;

words! {
    day_period = "24 hours";
    week_period = "7 days";
    month_period = "30 days";
    wrong_outcome = "Set the outcome to success or denied.";
    wrong_resource = "Enter the ID of a key, a service account or a person.";
    wrong_period = "Set the period to 24h, 7d, 30d, all or custom.";
    wrong_first_day = "Enter a first day such as 2027-01-31, or an RFC 3339 timestamp.";
    wrong_last_day = "Enter a last day such as 2027-01-31, or an RFC 3339 timestamp.";
    lead = "Every change and every denied attempt, newest first.";
    not_verified_yet = "Not verified yet";
    csv_for_excel = "CSV for Excel";
    no_entries_yet = "No entries yet.";
    no_entries_match_this_filter = "No entries match this filter.";
    time_utc = "Time (UTC)";
    invitation = "Invitation";
    agent = "Agent";
    scope = "Scope";
    related_activity = "Related activity";
    operator_of_the_server = "Operator of the server";
    background_task = "Background task";
    actor_address = "Actor address";
    actor_type = "Actor type";
    actor_id = "Actor ID";
    via = "Via";
    key_id = "Key ID";
    resource = "Resource";
    resource_id = "Resource ID";
    entry = "Entry";
    hash = "Hash";
    full_history = "Full history";
    history = "History";
    filter_the_audit_log = "Filter the audit log";
    name_or_id = "Name or ID";
    action = "Action";
    all = "All";
    key_or_resource = "Key or resource";
    filter = "Filter";
    all_time = "All time";
    custom = "Custom";
    period = "Period";
    from_utc = "From (UTC)";
    to_utc = "To (UTC)";
    export = "Export";

    entry_title(number) = "Entry {number} · Audit log";
    past(period) = "Past {period}";
    on_day(day) = "On {day}";
    from_day(from_text) = "From {from_text}";
    to_day(until_text) = "To {until_text}";
    actor_is(actor) = "Actor: {actor}";
    action_is(action) = "Action: {action}";
    resource_is(about) = "Resource: {about}";
    outcome_is(result) = "Outcome: {result}";
    remove_filter(text) = "Remove filter {text}";
    with_a_key(channel) = "{channel}, with a key";
}

/// States that the log was changed. `problem`: what is wrong. `verified`: when that was found. `command`: the command
/// that verifies the log.
pub fn tampered(problem: &str, verified: impl IntoView + 'static, command: AnyView) -> AnyView {
    view! {
        {format!("This log was changed outside of Latchkey: {problem}. Verified ")}
        {verified}
        ". Ask the server's operator to run "
        {command}
        "."
    }
    .into_any()
}

/// When the log was last verified, without finding a change.
pub fn verified(when: impl IntoView + 'static) -> AnyView {
    view! {
        "Verified ✓ "
        {when}
    }
    .into_any()
}

/// When the log was last verified, and found to be changed.
pub fn changed_outside(when: impl IntoView + 'static) -> AnyView {
    view! {
        "Changed outside of Latchkey; verified "
        {when}
    }
    .into_any()
}

/// How the log is protected. `command`: the command that verifies it.
pub fn protection(command: AnyView) -> AnyView {
    view! {
        "Each entry contains a hash of itself and of the entry before it, so a changed or deleted entry breaks the chain. The server verifies the chain every hour; its operator can do so at any time with "
        {command}
        ". Repeated denials of the same kind within a minute are counted in one entry."
    }
    .into_any()
}

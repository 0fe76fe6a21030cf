//! Short labels that several pages share: column headings, names of fields, buttons.

use leptos::prelude::*;

words! {
    reason = "Reason";
    accepted = "Accepted";
    actions = "Actions";
    active = "Active";
    actor = "Actor";
    agents = "Agents";
    all_keys = "All keys";
    api_key = "API key";
    api_keys = "API keys";
    audit_log = "Audit log";
    back = "Back";
    cancel = "Cancel";
    change = "Change";
    change_your_name = "Change your name";
    change_your_password = "Change your password";
    clear_filters = "Clear filters";
    client = "Client";
    close = "Close";
    code = "Code";
    copy = "Copy";
    create = "Create";
    create_a_tenant = "Create a tenant";
    create_an_api_key = "Create an API key";
    created = "Created";
    creating = "Creating…";
    details = "Details";
    documentation = "Documentation";
    done = "Done";
    email = "Email";
    event = "Event";
    expires = "Expires";
    first_seen = "First seen";
    hour_utc = "Hour (UTC)";
    id = "ID";
    invite_a_member = "Invite a member";
    ip_address = "IP address";
    key = "Key";
    last_seen = "Last seen";
    last_used = "Last used";
    members = "Members";
    name = "Name";
    never = "Never";
    newer = "Newer";
    off = "Off";
    older = "Older";
    on = "On";
    outcome = "Outcome";
    overview = "Overview";
    owner = "Owner";
    pages = "Pages";
    password = "Password";
    policies = "Policies";
    policy = "Policy";
    proceed = "Continue";
    profile = "Profile";
    rejected = "Rejected";
    rename = "Rename";
    rename_hint = "Only the name changes. Tokens keep working.";
    rename_the_tenant = "Rename the tenant";
    role = "Role";
    save = "Save";
    saving = "Saving…";
    search = "Search";
    service_account = "Service account";
    service_accounts = "Service accounts";
    sessions = "Sessions";
    settings = "Settings";
    show_all_keys = "Show all keys";
    show_as_table = "Show as table";
    sign_in = "Sign in";
    sign_out = "Sign out";
    sign_out_everywhere_else = "Sign out everywhere else";
    slug = "Slug";
    source = "Source";
    state = "State";
    status = "Status";
    suspended = "Suspended";
    tenant = "Tenant";
    tenant_name = "Tenant name";
    tenants = "Tenants";
    time = "Time";
    today = "Today";
    turn_off = "Turn off";
    turn_on = "Turn on";
    two_factor_code = "Two-factor code";
    user = "User";
    utc = "(UTC)";
    your_name = "Your name";

    by(name) = "by {name}";
    more_for(name) = "More for {name}";
    revoke_api_key(name) = "Revoke API key {name}";
}

/// A name, with its address in parentheses where the name alone may be mistaken for another's.
pub fn with_address(name: &str, address: Option<&str>) -> String {
    match address {
        Some(address) => format!("{name} ({address})"),
        None => name.to_owned(),
    }
}

/// The reference of an error, which the server's log contains too.
pub fn reference(reference: impl IntoView + 'static) -> AnyView {
    view! {
        "Reference: "
        {reference}
    }
    .into_any()
}

//! The titles of the pages, by which `routes.rs` names them.

words! {
    add_a_scope = "Add a scope";
    remove_a_scope = "Remove a scope";
    scope = "Scope";
    sign_in = "Sign in";
    set_up = "Set up";
    invitation = "Invitation";
    documentation = "Documentation";
    api_keys = "API keys";
    create_an_api_key = "Create an API key";
    test_an_api_key = "Test an API key";
    api_key = "API key";
    first_request = "First request";
    profile = "Profile";
    confirm_its_you = "Confirm it's you";
    expiry_calendar = "Expiry calendar";
    two_factor_authentication = "Two-factor authentication";
    sessions = "Sessions";
    sign_out_everywhere_else = "Sign out everywhere else";
    end_a_session = "End a session";
    overview = "Overview";
    service_accounts = "Service accounts";
    add_a_service_account = "Add a service account";
    service_account = "Service account";
    all_keys = "All keys";
    selected_keys = "Selected keys";
    members = "Members";
    invite_a_member = "Invite a member";
    member = "Member";
    cancel_an_invitation = "Cancel an invitation";
    settings = "Settings";
    rename_the_tenant = "Rename the tenant";
    key_policy = "Key policy";
    turn_off_a_key_policy = "Turn off a key policy";
    audit_log = "Audit log";
    audit_entry = "Audit entry";
    search = "Search";
    keyboard_shortcuts = "Keyboard shortcuts";
    create_a_tenant = "Create a tenant";
    graphiql = "GraphiQL";
}

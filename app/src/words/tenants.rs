//! The pages of the tenant's settings, and the page of an invitation.

use domain::{Invitation, Role};

words! {
    general = "General";
    other_tenants = "Other tenants";
    tenants_are_isolated = "Tenants are isolated: each has its own members, accounts and keys.";
    rename_hint = "The slug doesn't change, so scripts keep working.";
    name_hint = "For example “Acme Robotics”.";
    slug_hint = "Used in scripts and the CLI, e.g. acme. Leave empty to make it from the name.";
    create_tenant = "Create tenant";
    youll_be_its_administrator = "You'll be its administrator.";
    you_already_have_an_account = "You already have an account.";
    sign_in_to_join = "Sign in to join";
    code_hint = "If you use two-factor authentication: the code from your app, or a recovery code.";
    join_button = "Join";

    join(tenant_name) = "Join {tenant_name}";
    invitation_is_for(email) = "This invitation is for {email}.";
    signed_in_as_another(email) = "You're signed in as {email}. Sign out and open the link again.";
    join_as(name) = "Join as {name}";
}

/// Who sent the invitation, and for which role.
pub fn invited_words(invitation: &Invitation) -> String {
    let Invitation { created_by, tenant_name, .. } = invitation;
    match invitation.role {
        Role::TenantAdmin => format!("{created_by} invited you to join {tenant_name} as an Administrator."),
        Role::User => format!("{created_by} invited you to join {tenant_name} as a User."),
        Role::ReadOnlyUser => format!("{created_by} invited you to join {tenant_name} as a read-only user."),
    }
}

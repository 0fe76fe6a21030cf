//! The pages of the members and the invitations.

use leptos::prelude::*;

words! {
    all = "All";
    show_all_members = "Show all members";
    lead = "People in this tenant and their roles.";
    two_factor = "Two-factor";
    active_keys = "Active keys";
    joined = "Joined";
    leave_tenant = "Leave tenant";
    invitation_is_inactive = "Inactive: the inviter isn't an administrator, or is suspended.";
    invited = "Invited";
    new_link = "New link";
    open_invitations = "Open invitations";
    the_earlier_link_stops_working = "The earlier link stops working.";
    email_hint = "Only this person can use the link.";
    invite = "Invite";
    cancel_invitation = "Cancel invitation";
    its_link_stops_working_immediately = "Its link stops working immediately.";
    you_have_no_active_keys = "You have no active keys here.";
    they_have_no_active_keys = "They have no active keys here.";
    your_keys_are_revoked = "Your keys here are revoked immediately:";
    these_keys_are_revoked = "These keys are revoked immediately:";
    and_more = "… and more";
    your_service_accounts_keep_working = "Service accounts you created keep working. To come back, you need a new invitation.";
    their_service_accounts_keep_working = "Service accounts they created keep working.";
    confirm_to_raise = "Only needed to give a higher role: enter your password again.";
    you = " (you)";

    codes_are_locked = "Codes locked";
    why_codes_are_locked = "A person entered the right password and then too many wrong codes, so codes from the app are refused.";
    unlocking_changes_no_secret = "Unlocking accepts codes from the same app again. If it wasn't the person themselves, they should change their password first.";

    unlock_codes_question(name) = "Unlock the two-factor codes of {name}?";
    remove_member(name) = "Remove member {name}";
    new_link_for(email) = "New link for {email}";
    cancel_the_invitation(email) = "Cancel the invitation for {email}";
    cancel_the_invitation_question(email) = "Cancel the invitation for {email}?";
    change_the_role(name) = "Change the role of {name}";
    leave_question(tenant) = "Leave {tenant}?";
    remove_from_the_tenant_question(name) = "Remove {name} from the tenant?";
    suspended_key(name) = "{name} (suspended)";
}

/// When the keys of a member were last used.
pub fn last_used(when: impl IntoView + 'static) -> AnyView {
    view! {
        "last used "
        {when}
    }
    .into_any()
}

//! The pages that ask before a key is changed.

use leptos::prelude::*;

words! {
    undo_this_rotation = "Undo this rotation?";
    finishing_stops_it = "It stops working immediately and permanently.";
    finishing_a_suspended_key = "The old key is suspended. Ending it is permanent.";
    new_key_was_already_revoked = "The new key was already revoked. The old one keeps its original expiry.";
    new_key_is_revoked = "The new key is revoked and the old one keeps its original expiry.";
    new_key = "New key";
    revoking_cancels_invitations = "Revoking these keys cancels their open invitations:";
    keep_the_old_key_working_for = "Keep the old key working for";
    but_no_longer_than = "But no longer than";
    its_account_is_suspended_too = "Its service account is suspended too: the key works again once both are resumed.";
    key_works_again = "The key works again immediately.";
    revoking_stops_its_users = "Anything using it stops working immediately. This can't be undone. You'll need to create and deploy a new key.";
    revoking_cant_be_undone = "This can't be undone.";
    already_inactive = "Already inactive. Revoking it can't be undone.";
    suspending_stops_its_users = "Anything using it stops working immediately. You can resume it at any time; the key stays the same.";
    you_can_resume_it_at_any_time = "You can resume it at any time; the key stays the same.";
    rotating_a_key_in_use = "You'll get a new key with the same name and permissions. Both work until the old one expires. Update everything that uses it before then.";
    rotating = "You'll get a new key with the same name and permissions. Both work until the old one expires.";
    new_role_applies = "The new role applies from the next request.";
    new_key_never_expires = "Like this one, the new key never expires.";

    key_of_another_tenant(tenant) = "This key belongs to your tenant {tenant}. Select that tenant to change the key.";
    it_was_suspended_by(by) = "It was suspended by {by}.";
}

/// When a rotated key expires, on the page that extends its grace period.
pub fn old_key_expires_on(end: impl IntoView + 'static) -> AnyView {
    view! {
        "The old key expires on "
        {end}
        ". A longer time is counted from now, but never past the old key's own expiry."
    }
    .into_any()
}

/// States that a revoked key's replacement isn't revoked with it.
pub fn replacement_stays_active(hint: impl IntoView + 'static) -> AnyView {
    view! {
        "Its replacement "
        {hint}
        " stays active."
    }
    .into_any()
}

/// Stands above the open invitations that are cancelled with a key.
pub fn invitations_are_cancelled(count: usize) -> &'static str {
    match count {
        1 => "The open invitation that it created is cancelled:",
        _ => "The open invitations that it created are cancelled:",
    }
}

/// The label of the checkbox that revokes the only key that a key has created.
pub fn also_revoke_the_key(key: impl IntoView + 'static) -> AnyView {
    view! {
        "Also revoke the key it created: "
        {key}
    }
    .into_any()
}

/// The label of the checkbox that revokes the two or more keys that a key has created.
pub fn also_revoke_the_keys(count: usize) -> String {
    format!("Also revoke the {count} keys it created, and any they created:")
}

/// When a rotation's new key expires. `is_as_long`: whether it lives as long as the old one, and isn't limited by a
/// policy. `days`: its lifetime.
pub fn new_key_expires_on(end: impl IntoView + 'static, is_as_long: bool, days: i64) -> AnyView {
    let why = match (is_as_long, days) {
        (true, ..=0) => " (in less than a day, like this one).".to_owned(),
        (true, 1) => " (1 day, like this one).".to_owned(),
        (true, days) => format!(" ({days} days, like this one)."),
        (false, ..=0) => " (in less than a day, limited by a tenant policy).".to_owned(),
        (false, 1) => " (1 day, limited by a tenant policy).".to_owned(),
        (false, days) => format!(" ({days} days, limited by a tenant policy)."),
    };
    view! {
        "The new key expires on "
        {end}
        {why}
    }
    .into_any()
}

/// A key by its hint.
pub fn key(hint: impl IntoView + 'static) -> AnyView {
    view! {
        "Key "
        {hint}
    }
    .into_any()
}

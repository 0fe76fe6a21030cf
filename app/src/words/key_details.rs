//! The page of one key.

use domain::usage::number_text;
use leptos::prelude::*;

words! {
    rotation_in_progress = "Rotation in progress";
    rotation = "Rotation";
    rotation_complete = "Rotation complete.";
    rotation_undone = "Rotation undone.";
    old = "Old";
    new = "New";
    never_used = "Never used.";
    keys_created_with_this_key = "Keys created with this key";
    created_via = "Created via";
    only_an_administrator_can_resume_it = "Only an administrator can resume it.";
    revoked = "Revoked";
    will_violate_policy = "Will violate policy";
    violates_policy = "Violates policy";

    title(name, hint) = "{name}{hint} · API key";
    key_of_another_tenant(tenant) = "This key belongs to your tenant {tenant}, which isn't selected. It can't be changed from here.";
    select_tenant(tenant) = "Select {tenant}";
    rotated_on(text) = "Rotated on {text}";
}

/// Through which interface, and with which key, a key was created.
pub fn created_with(channel: String, key: AnyView) -> AnyView {
    view! {
        {channel}
        ", with the key "
        {key}
    }
    .into_any()
}

/// States that a rotation's new key was revoked. `end`: when the old key expires, as all arguments of this name below.
pub fn replacement_was_revoked(end: impl IntoView + 'static) -> AnyView {
    view! {
        "The replacement key was revoked. Undo the rotation to keep the old key, which still expires "
        {end}
        "."
    }
    .into_any()
}

/// States that a rotation's old key is suspended.
pub fn old_key_is_suspended(end: impl IntoView + 'static) -> AnyView {
    view! {
        "The old key is suspended and expires "
        {end}
        "."
    }
    .into_any()
}

/// States that a rotation's new key is suspended.
pub fn new_key_is_suspended(end: impl IntoView + 'static) -> AnyView {
    view! {
        "The new key is suspended and rejected until it is resumed. The old one expires "
        {end}
        "."
    }
    .into_any()
}

/// States that a rotation's new key was replaced, too.
pub fn new_key_was_rotated(end: impl IntoView + 'static) -> AnyView {
    view! {
        "The new key has itself been rotated. The old one expires "
        {end}
        "."
    }
    .into_any()
}

/// States that both keys of a rotation work until the new one is used.
pub fn both_work_until_first_use(end: impl IntoView + 'static) -> AnyView {
    view! {
        "Both keys work. The old one expires when the new one is first used, but no later than "
        {end}
        "."
    }
    .into_any()
}

/// States that both keys of a rotation work until a time.
pub fn both_work_until(end: impl IntoView + 'static) -> AnyView {
    view! {
        "Both keys work. The old one expires on "
        {end}
        "."
    }
    .into_any()
}

/// The last use of a key. `client`: from [`super::usage::from_client`].
pub fn last_used(when: impl IntoView + 'static, client: String) -> AnyView {
    view! {
        "Last used "
        {when}
        {client}
    }
    .into_any()
}

/// The last rejected request with a rotated key. `address`: from [`super::usage::from_address`].
pub fn rejected(when: impl IntoView + 'static, address: String) -> AnyView {
    view! {
        "Rejected "
        {when}
        {address}
    }
    .into_any()
}

/// When something was done, and by whom.
pub fn by(when: impl IntoView + 'static, who: String) -> AnyView {
    view! {
        {when}
        " by "
        {who}
    }
    .into_any()
}

/// When a key was suspended together with its service account.
pub fn suspended_with_its_account(when: impl IntoView + 'static) -> AnyView {
    view! {
        {when}
        ", because its service account is"
    }
    .into_any()
}

/// Stated below a list that is cut. `most`: how many keys it has.
pub fn only_the_newest(most: u32) -> String {
    format!("Only the newest {} keys are shown.", number_text(most.into()))
}

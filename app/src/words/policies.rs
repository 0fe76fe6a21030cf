//! The pages of the key policies.

use chrono::TimeDelta;
use domain::{
    ExposureResponse, KeyPolicy, KeyPolicyKind,
    api_key::{
        input::SetKeyPolicy,
        policy::{DEFAULT_KEY_LIMIT, MAX_DAYS, MAX_KEY_LIMIT, days_text, keys_text},
    },
    time::utc_text,
    usage::number_text,
};
use service::MAX_AFFECTED_KEYS;

words! {
    configure = "Configure";
    days = "Days";
    keys = "Keys";
    preview = "Preview";
    effective_from = "Effective from (UTC)";
    from_hint = "Leave empty to apply now.";
    and_more = "… and more";
    affected_keys = "Affected keys";
    already_off = "This policy is already off.";
    back_to_settings = "Back to settings";
    never_expires = " · never expires";
    may_do_everything = " · may do everything";
    personal_key = " · personal key";
    created_with_a_key = " · created with a key";
    enter_a_date = "Enter a date, like 2027-01-31.";

    configure_the_policy(kind) = "Configure the policy {kind}";
    change_the_policy(kind) = "Change the policy {kind}";
    set_by(set_by) = "set by {set_by}";
    title(kind) = "{kind} · Key policy";
    current_until_then(sentence) = "Until then, the current policy applies: {sentence}";
    turn_off_the_policy(kind) = "Turn off the policy “{kind}”";
    turn_off_the_policy_question(kind) = "Turn off the policy “{kind}”?";
    from(day) = "From {day}";
}

/// The previewed values: "90 days, effective from 2027-01-31 (UTC)."
pub fn shown_words(input: &SetKeyPolicy) -> String {
    let days = input.days.parse().ok().map(days_text);
    let number = days.or(input.limit.parse().ok().map(keys_text));
    let response = ExposureResponse::from_code(&input.on_exposure).map(|response| response.label().to_owned());
    let number = number.or(response);
    match (number, input.from.as_str()) {
        (None, "") => "Effective immediately.".to_owned(),
        (None, from) => format!("Effective from {from} (UTC)."),
        (Some(number), "") => format!("{number}, effective immediately."),
        (Some(number), from) => format!("{number}, effective from {from} (UTC)."),
    }
}

/// How many existing keys the policy would affect, and how. The service counts at most
/// [`MAX_AFFECTED_KEYS`].
pub fn affected_words(kind: KeyPolicyKind, count: u32) -> String {
    match (kind, count) {
        (KeyPolicyKind::MaxKeys, _) => "Existing keys keep working, also those of owners that have more.".to_owned(),
        (KeyPolicyKind::ExposedKeys, _) => "Keys that are already exposed don't change.".to_owned(),
        (_, 0) => "No existing keys are affected.".to_owned(),
        (KeyPolicyKind::SuspendUnused, 1) => "1 existing key would be suspended if it stays unused:".to_owned(),
        (KeyPolicyKind::SuspendUnused, MAX_AFFECTED_KEYS..) => {
            format!("{} or more existing keys would be suspended if they stay unused:", number_text(count.into()))
        }
        (KeyPolicyKind::SuspendUnused, many) => {
            format!("{many} existing keys would be suspended if they stay unused:")
        }
        (_, 1) => "1 existing key would be flagged:".to_owned(),
        (_, MAX_AFFECTED_KEYS..) => format!("{} or more existing keys would be flagged:", number_text(count.into())),
        (_, many) => format!("{many} existing keys would be flagged:"),
    }
}

/// When the policy takes effect, and for which keys. `at_once`: no later day was chosen.
pub fn effect_words(policy: &KeyPolicy, at_once: bool) -> String {
    let from = utc_text(policy.effective_from);
    match (policy.kind, at_once) {
        (KeyPolicyKind::SuspendUnused, true) => "Applies immediately to all keys.".to_owned(),
        (KeyPolicyKind::SuspendUnused, false) => format!("Applies to all keys from {from}."),
        (KeyPolicyKind::MaxKeys, true) => "Applies immediately to new keys.".to_owned(),
        (KeyPolicyKind::MaxKeys, false) => format!("Applies to new keys from {from}."),
        (KeyPolicyKind::ExposedKeys, true) => "Applies immediately to every key that is exposed.".to_owned(),
        (KeyPolicyKind::ExposedKeys, false) => format!("Applies to every key that is exposed from {from} on."),
        (_, true) => "Applies immediately to new and rotated keys.".to_owned(),
        (_, false) => format!("Applies to new and rotated keys from {from}."),
    }
}

/// " · lives 150 days". An expiry has whole seconds, so the difference is less than the lifetime by up to one.
pub fn lifetime_words(life: TimeDelta) -> String {
    match (life + TimeDelta::hours(12)).num_days() {
        ..=0 => " · lives less than a day".to_owned(),
        1 => " · lives 1 day".to_owned(),
        many => format!(" · lives {many} days"),
    }
}

/// What turning the policy off does.
pub fn off_words(kind: KeyPolicyKind) -> String {
    match kind {
        KeyPolicyKind::SuspendUnused => {
            "Unused keys are no longer suspended. Keys already suspended stay suspended until someone resumes them."
                .to_owned()
        }
        KeyPolicyKind::MaxKeys => {
            format!("A person or a service account can then have at most {DEFAULT_KEY_LIMIT} keys.")
        }
        KeyPolicyKind::ExposedKeys => "Keys that are exposed from now on are suspended.".to_owned(),
        _ => "New keys are no longer restricted.".to_owned(),
    }
}

/// The range of a number of days.
pub fn days_hint() -> String {
    format!("1 to {}.", number_text(MAX_DAYS.into()))
}

/// The range of a limit of keys.
pub fn keys_hint() -> String {
    format!("1 to {}.", number_text(MAX_KEY_LIMIT.into()))
}

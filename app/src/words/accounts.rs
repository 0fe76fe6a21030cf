//! The pages of the service accounts.

use domain::ServiceAccount;

words! {
    name_hint = "For example “deployer” or “nightly reports”.";
    add_a_service_account = "Add a service account";
    resuming_resumes_its_keys = "Its keys work again, except those suspended individually.";
    first_run = "Add one for each job, deployment or agent. Its keys keep working when people leave.";
    add_your_first_service_account = "Add your first service account";
    show_all_service_accounts = "Show all service accounts";
    lead = "Identities for automation. They belong to the tenant, so their keys keep working when people leave.";
    add_service_account = "Add service account";
    keys = "Keys";
    keys_active_all = "Keys (active / all)";
    used_in_the_past_24_hours = "Used in the past 24 hours:";

    title(name) = "{name} · Service account";
    delete_service_account(name) = "Delete service account {name}";
    create_a_key_for(name) = "Create an API key · {name}";
    of_an_account(title) = "{title} · Service account";
    type_to_confirm(name) = "Type “{name}” to confirm";
    change_the_role(name) = "Change the role of “{name}”";
    created_by(name) = "created by {name}";
}

/// What deleting an account does.
pub fn delete_words(account: &ServiceAccount) -> String {
    let name = &account.name;
    match (account.active_keys, account.all_keys) {
        (0, 0) => "It has no API keys. Deleting it can't be undone.".to_owned(),
        (0, _) => "Its keys are already inactive. Deleting it can't be undone.".to_owned(),
        (1, _) => format!(
            "{name}'s key stops working immediately. Anything using it has to be given a new key. This can't be undone."
        ),
        (count, _) => format!(
            "{name}'s {count} keys stop working immediately. Anything using them has to be given a new key. \
             This can't be undone."
        ),
    }
}

/// What suspending an account does.
pub fn suspend_words(account: &ServiceAccount) -> String {
    match (account.active_keys, account.all_keys) {
        (0, 0) => "It has no API keys. You can resume it at any time.".to_owned(),
        (0, _) => "Its keys are already inactive. You can resume it at any time.".to_owned(),
        (1, _) => "Its active key stops working immediately. You can resume it at any time; the key stays the same."
            .to_owned(),
        (count, _) => format!(
            "Its {count} active keys stop working immediately. You can resume it at any time; its keys stay the same."
        ),
    }
}

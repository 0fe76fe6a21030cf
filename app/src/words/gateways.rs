//! The pages that people see between Latchkey and the software behind a gateway.

words! {
    continue_to(gateway) = "Continue to {gateway}";
    open_again(gateway) = "Open {gateway} again";
    go_to_latchkey = "Go to Latchkey";
    role_isnt_enough(gateway) = "Your role doesn't allow you to open this page of {gateway}. Ask an administrator for another role.";
    scopes_are_missing(gateway) = "This page of {gateway} needs a scope that your role doesn't have. Ask an administrator for another role.";
    address_was_used = "This address can be used once, within a minute, by the browser that asked for it.";
}

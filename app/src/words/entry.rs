//! The pages before the sign-in: sign-in, code, setup.

words! {
    youre_signed_out = "You're signed out.";
    sign_in_to_latchkey = "Sign in to Latchkey";
    forgot_your_password = "Forgot your password? Ask an administrator to reset it.";
    not_set_up_yet = "Not set up yet";
    latchkey_isnt_set_up_yet = "Latchkey isn't set up yet";
    open_the_setup_link = "Open the setup link that the server printed when it started. It creates the first tenant and its administrator.";
    restart_for_a_new_link = "If you can't find the link, restart the server: it prints a new one.";
    enter_a_recovery_code = "Enter a recovery code";
    use_a_code_from_your = "Use a code from your app";
    enter_your_code = "Enter your code";
    use_a_recovery_code = "Use a recovery code";
    recovery_code = "Recovery code";
    recovery_code_hint = "One of the codes that you saved when you set up two-factor authentication.";
    code_hint = "The 6-digit code from your app.";
    use_another_account = "Use another account";
    setup_link_is_outdated = "This setup link is no longer valid. Check the server's output for the latest one.";
    already_set_up = "This setup link is no longer valid, because Latchkey is already set up.";
    set_up_latchkey = "Set up Latchkey";
    create_the_first_tenant = "Create the first tenant and its administrator.";
    tenant_name_hint = "Your organization, for example “Acme Robotics”.";
    slug_hint = "Used in scripts and the CLI, e.g. acme. Leave empty to make it from the name.";
    create_tenant = "Create tenant";
}

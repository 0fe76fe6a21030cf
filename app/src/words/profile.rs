//! The pages of the person: profile, password, two-factor authentication, sessions.

use leptos::prelude::*;

words! {
    change_name = "Change name";
    change_password = "Change password";
    two_factor_authentication = "Two-factor authentication";
    expiry_calendar = "Expiry calendar";
    create_link = "Create link";
    create_new_link = "Create new link";
    set_up = "Set up";
    new_recovery_codes = "New recovery codes";
    calendar_purpose = "Subscribe to key expiries in your calendar app. Creating a new link disables the old one.";
    create_a_calendar_link = "Create a calendar link";
    turning_calendar_off = "Calendars using this link stop updating. Links created with your keys stop working too.";
    turn_off_the_expiry_calendar = "Turn off the expiry calendar?";
    also_turn_off_calendar = "Also turn off the expiry calendar: its links stop working";
    current_password = "Current password";
    new_password = "New password";
    signed_out_everywhere_else = "You'll be signed out everywhere else.";
    sessions_lead = "Browsers where you're signed in. Sessions expire after 1 hour of inactivity or 24 hours.";
    browser = "Browser";
    signed_in = "Signed in";
    last_active = "Last active";
    end_this_session = "End this session?";
    end = "End";
    sign_out_everywhere_else_question = "Sign out everywhere else?";
    your_recovery_codes = "Your recovery codes";
    back_to_profile = "Back to profile";
    setting_up_second_factor = "You'll sign in with your password and a code from an authenticator app on your phone. Any app for one-time codes works.";
    set_up_two_factor_authentication = "Set up two-factor authentication";
    new_codes_replace_old_ones = "You'll get ten new codes, and the old ones stop working.";
    generate_new_codes = "Generate new codes";
    turning_second_factor_off = "You'll sign in with your password only, and your recovery codes stop working.";
    turn_off_two_factor_authentication = "Turn off two-factor authentication?";
    second_factor_is_on = "Two-factor authentication is already on.";
    second_factor_is_off = "Two-factor authentication is off.";
    scan_the_qr_code = "Scan the QR code";
    enter_your_code = "Enter your code";
    setup_timed_out = "Setup timed out. Start again from your profile.";
    six_digits = "Six digits.";
    scan_then_enter_code = "Scan this QR code with your authenticator app, then enter the 6-digit code.";
    qr_code_of_the_secret = "QR code of the secret below";
    qr_code_is_no_longer_shown = "Enter the 6-digit code from your authenticator app. The QR code is no longer shown. If you haven't scanned it yet, start again from your profile.";
    recovery_codes_purpose = "Each code works once if you lose your phone. Save them somewhere safe; they won't be shown again.";
    copy_the_codes = "Copy the codes";
    download = "Download";
    ive_saved_them = "I've saved them";
    requires_a_recent_sign_in = "This requires a recent sign-in. If it is a download, it starts on this page.";
    shows_or_hides_the_password = "Shows or hides the password.";
    show = "Show";
    confirm_is_optional = "Optional: you signed in recently.";
    enter_your_password_again = "For security, enter your password again.";
    confirm_code_hint = "The 6-digit code from your app. To use a recovery code instead, sign in again.";
    confirm_its_you = "Confirm it's you";
    your_password = "Your password";
    off_except_links_of_keys = "Off, except for links created with your keys";
    this_device = "This device";

    end_the_session(browser) = "End the session in {browser}";
    end_the_session_in(browser, from) = "End the session in {browser}{from}";
    is_signed_out_immediately(browser, from) = "{browser}{from} is signed out immediately.";
    password_rule(characters, then) = "At least {characters} characters. Tip: use several unrelated words. {then}";
    recovery_codes_file(codes) = "Latchkey recovery codes\n\n{codes}\n";
}

/// States that something is on. `when`: when it was set up.
pub fn on_since(when: impl IntoView + 'static) -> AnyView {
    view! {
        "On (set up "
        {when}
        ")"
    }
    .into_any()
}

/// The key with which a calendar link was created.
pub fn created_with_the_key(key: impl IntoView + 'static) -> AnyView {
    view! {
        "Created with the key "
        {key}
    }
    .into_any()
}

/// How many recovery codes haven't been used.
pub fn codes_left(count: u32) -> String {
    match count {
        1 => "1 recovery code left".to_owned(),
        count => format!("{count} recovery codes left"),
    }
}

/// States that codes from the app aren't accepted.
pub fn codes_are_locked(since: impl IntoView + 'static) -> AnyView {
    view! {
        "Codes from your app have been locked since "
        {since}
        ", after too many wrong ones. Change your password to unlock them: another person may know it."
    }
    .into_any()
}

/// What signing out everywhere else does. `count`: the number of other browsers.
pub fn sign_out_others(count: usize) -> String {
    match count {
        0 => "You aren't signed in anywhere else.".to_owned(),
        1 => "You stay signed in here and are signed out of 1 other browser.".to_owned(),
        many => format!("You stay signed in here and are signed out of {many} other browsers."),
    }
}

/// The secret of two-factor authentication, to be typed into an app.
pub fn secret(secret: impl IntoView + 'static) -> AnyView {
    view! {
        "Secret: "
        {secret}
    }
    .into_any()
}

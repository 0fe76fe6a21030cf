//! The texts that the script shows.

words! {
    cant_reach_the_server = "Can't reach the server. Check your connection and try again.";
    youre_offline = "You're offline. Check your connection and try again.";
    something_went_wrong = "Something went wrong. Reload the page and try again.";
    undo = "Undo";
    view = "View";
    working = "Working…";
    keyboard_shortcuts = "Keyboard shortcuts";
    press_ctrl_c = "Press Ctrl+C";
    press_ctrl_c_to_copy = "Press Ctrl+C to copy";
    copied = "Copied";
    dismiss = "Dismiss";
    search = "Search";
    show = "Show";
    hide = "Hide";
    suspended = "Suspended";
    revoked = "Revoked";
    deleted = "Deleted";
    active = "Active";

    with_reference(message, reference) = "{message} Reference: {reference}";
    characters_so_far(count, least) = "{count} of at least {least} characters.";
    selected(count) = "{count} selected";
}

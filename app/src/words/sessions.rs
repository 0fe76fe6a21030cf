//! The pages that end browser sessions.

words! {
    calendar_link_is_turned_off = "The expiry calendar link that was created there stops working.";
}

/// Stands above the open invitations that are cancelled with a session.
pub fn invitations_are_cancelled(count: usize) -> &'static str {
    match count {
        1 => "The open invitation that was created there is cancelled:",
        _ => "The open invitations that were created there are cancelled:",
    }
}

//! What was created in a browser session and would outlive it: open invitations, and the link of the expiry calendar. It
//! ends with a session that the user ends from another one. Decision 0038.

use chrono::{DateTime, Utc};
use domain::{Operation, SessionId, UserId};

use crate::{
    error::Result,
    storage::{self, Tx, audit::Entry, invitations::Closed},
};

const ALONG: &str = "along with the session that created it";

/// Cancels the open invitations and turns off the calendar link that a user created in sessions that were just ended.
/// `ending`: the audit entry for that. Returns it with the entries for what was ended along with the sessions.
pub(crate) async fn end_all(
    tx: &mut Tx,
    user: UserId,
    sessions: &[SessionId],
    ending: Entry,
    now: DateTime<Utc>,
) -> Result<Vec<Entry>> {
    let mut entries = vec![ending.clone()];
    for session in sessions {
        let closed = storage::invitations::close_of_session(tx, *session, now).await?;
        entries.extend(closed.into_iter().map(|invitation| of_invitation(&ending, invitation)));
        if storage::reminders::delete_feed_of_session(tx, user, *session).await? {
            let operation = Operation::RevokeCalendarFeed.as_str();
            entries.push(Entry { operation, detail: ALONG.to_owned(), ..ending.clone() });
        }
    }
    Ok(entries)
}

/// The entry in the log of the invitation's tenant.
fn of_invitation(ending: &Entry, invitation: Closed) -> Entry {
    Entry {
        tenant_id: Some(invitation.tenant_id),
        operation: Operation::CancelInvitation.as_str(),
        subject_kind: "invitation",
        subject_id: Some(invitation.id),
        subject_name: invitation.email,
        detail: ALONG.to_owned(),
        ..ending.clone()
    }
}

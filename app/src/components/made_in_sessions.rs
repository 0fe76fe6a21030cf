//! What ends together with browser sessions.

use domain::BrowserSession;
use leptos::prelude::*;

use crate::words::sessions as words;

/// The open invitations and the calendar link that are ended with other sessions; `None` if there are none.
pub fn made_in_sessions<'a>(ended: impl Iterator<Item = &'a BrowserSession>) -> Option<AnyView> {
    let (mut emails, mut has_calendar_link) = (Vec::new(), false);
    for session in ended {
        emails.extend(session.invitations.iter().cloned());
        has_calendar_link |= session.has_calendar_link;
    }
    if emails.is_empty() && !has_calendar_link {
        return None;
    }
    let invitations = (!emails.is_empty()).then(|| {
        view! {
            <p>{words::invitations_are_cancelled(emails.len())}</p>
            <ul class="plain-list">
                {emails.into_iter().map(|email| view! { <li translate="no">{email}</li> }).collect_view()}
            </ul>
        }
    });
    let calendar = has_calendar_link.then(|| view! { <p>{words::calendar_link_is_turned_off()}</p> });
    Some((invitations, calendar).into_any())
}

//! The mails about exposed keys: one for each recipient and report, sent in the background.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt::Write,
};

use chrono::{DateTime, Utc};
use domain::{ApiKey, Email, ExposureResponse, KeyState, Owner, time::utc_text};

use super::exposing::Exposed;
use crate::{context::Context, error::Result, storage};

/// The most keys that one mail names.
const MAX_NAMED: usize = 20;

/// Tells the owner and the tenant's administrators of each key. Keys that had ended before need no attention.
///
/// # Errors
/// When the database fails.
pub(super) async fn notify(context: &Context, exposed: &[Exposed]) -> Result<()> {
    if !context.mail().is_on() {
        return Ok(());
    }
    let mut keys_of: BTreeMap<String, (Email, Vec<&Exposed>)> = BTreeMap::new();
    let mut administrators: BTreeMap<_, Vec<Email>> = BTreeMap::new();
    for one in exposed.iter().filter(|one| one.response.is_some()) {
        let tenant = one.key.tenant_id;
        let mut people = match administrators.entry(tenant.0) {
            Entry::Occupied(known) => known.get().clone(),
            Entry::Vacant(unknown) => {
                unknown.insert(storage::reminders::list_administrators(context.db(), tenant).await?).clone()
            }
        };
        if let Owner::User(user) = one.key.owner {
            people.extend(storage::users::find(context.db(), user).await?.map(|user| user.email));
        }
        for person in people {
            let (_, keys) = keys_of.entry(person.as_str().to_owned()).or_insert_with(|| (person, Vec::new()));
            if !keys.iter().any(|named| named.key.id == one.key.id) {
                keys.push(one);
            }
        }
    }
    let now = context.now();
    for (person, keys) in keys_of.into_values() {
        let subject = if keys.len() == 1 { "An API key was exposed" } else { "API keys were exposed" };
        context.mail().notify(&person, subject, text(context, &keys, now), now);
    }
    Ok(())
}

/// Returns the text of a mail. It leaves out the reported URL, which anybody with the token may have written.
fn text(context: &Context, keys: &[&Exposed], now: DateTime<Utc>) -> String {
    let first = if keys.len() == 1 {
        "The token of this API key was found where others can read it:"
    } else {
        "The tokens of these API keys were found where others can read them:"
    };
    let mut text = format!("{first}\n\n");
    for one in keys.iter().take(MAX_NAMED) {
        let Exposed { key, .. } = one;
        let link = context.mail().link(&key.page_path());
        // Writing to a string doesn't fail.
        let _ = writeln!(
            text,
            "    {} ({}…) of {} in {}\n    {}\n    {link}\n",
            key.name,
            key.hint,
            key.owner_name,
            key.tenant_name,
            what_happened(one, now)
        );
    }
    if let Some(more @ 1..) = keys.len().checked_sub(MAX_NAMED) {
        let _ = writeln!(text, "    and {more} more\n");
    }
    text + "Create a new key wherever the exposed one is used, then revoke the exposed one. The page of the key shows where \
         it was found and what has used it since.\n"
}

fn what_happened(exposed: &Exposed, now: DateTime<Utc>) -> String {
    let ApiKey { expires_at, .. } = &exposed.key;
    match (exposed.response, exposed.key.state(now)) {
        (_, KeyState::Revoked { .. }) => "It has been revoked.".to_owned(),
        (Some(ExposureResponse::Suspend), _) | (_, KeyState::Suspended { .. }) => "It is suspended.".to_owned(),
        _ => match expires_at {
            Some(at) => format!("It still works, until {}.", utc_text(*at)),
            None => "It still works.".to_owned(),
        },
    }
}

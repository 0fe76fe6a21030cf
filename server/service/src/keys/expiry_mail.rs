//! No surprise expiry: mails before a key ends, 30, 14, 7 and 1 days ahead, each once.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{ApiKey, Email, Owner, time::utc_text};

use crate::{context::Context, error::Result, mail::Mail, storage};

/// How many days ahead, the shortest first.
const DAYS: [i64; 4] = [1, 7, 14, 30];
/// How many keys are read at once.
const MOST: u32 = 100;

/// Sends what is due. A key that was made within the days isn't spoken of: who made it knows.
pub(crate) async fn send_due(context: &Context) -> Result<()> {
    if !context.mail().is_on() {
        return Ok(());
    }
    let now = context.now();
    for (place, days) in DAYS.into_iter().enumerate() {
        // A key that ends tomorrow gets the mail of tomorrow alone, also when the others couldn't be sent in time.
        let from = now + place.checked_sub(1).map_or(TimeDelta::zero(), |before| TimeDelta::days(DAYS[before]));
        let mut from = (from, domain::KeyId(uuid::Uuid::max()));
        // Past those that no server takes, so that they keep nobody else's waiting.
        loop {
            let due = storage::reminders::list_due(context.db(), from, now + TimeDelta::days(days), days, MOST).await?;
            for key in &due {
                remind(context, key, days, now).await?;
            }
            match due.last() {
                Some(last) if due.len() == MOST as usize => from = (last.expires_at.unwrap_or(now), last.id),
                _ => break,
            }
        }
    }
    Ok(())
}

/// Claims the mail, sends it, and gives the claim back when no server took it: then a later round tries again.
async fn remind(context: &Context, key: &ApiKey, days: i64, now: DateTime<Utc>) -> Result<()> {
    if !storage::reminders::claim(context.db(), key.id, days, now).await? {
        return Ok(());
    }
    let people = match key.owner {
        Owner::User(user) => {
            storage::users::find(context.db(), user).await?.map(|user| user.email).into_iter().collect()
        }
        Owner::ServiceAccount(_) => storage::reminders::list_administrators(context.db(), key.tenant_id).await?,
    };
    let mut is_sent = people.is_empty();
    for person in &people {
        match send(context.mail(), key, person, now).await {
            Ok(()) => is_sent = true,
            Err(error) => tracing::warn!(error, api_key.id = %key.id, "a reminder could not be sent"),
        }
    }
    if is_sent { Ok(()) } else { storage::reminders::give_back(context.db(), key.id, days).await }
}

async fn send(mail: &Mail, key: &ApiKey, to: &Email, now: DateTime<Utc>) -> std::result::Result<(), String> {
    let Some(at) = key.expires_at else { return Ok(()) };
    let when = domain::time::relative_text(at, now);
    let (whose, path) = match key.owner {
        Owner::User(_) => ("your API key".to_owned(), format!("/user/api-keys/{}", key.id)),
        Owner::ServiceAccount(id) => {
            let whose = format!("the API key of the service account {}", key.owner_name);
            (whose, format!("/team/service-accounts/{id}/keys/{}", key.id))
        }
    };
    let subject = format!("API key {} expires {when}", key.name);
    let text = format!(
        "In {}, {whose}\n\n    {} ({}…)\n\nexpires {when}, on {}. From then on it is refused.\n\nTo go on without a break, roll it: \
         while both tokens work, put the new one where the old one is used.\n\n{}\n",
        key.tenant_name,
        key.name,
        key.hint,
        utc_text(at),
        mail.link(&path),
    );
    mail.send(to, &subject, text).await
}

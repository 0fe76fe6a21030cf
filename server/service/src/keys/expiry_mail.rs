//! Expiry mails: sent 30, 14, 7 and 1 days before a key expires, each once.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{ApiKey, Email, Owner, time::utc_text};

use crate::{context::Context, error::Result, mail::Mail, storage};

/// How many days before a key's expiry a mail is sent, shortest first.
const DAYS: [i64; 4] = [1, 7, 14, FIRST];
/// How many days before the expiry the first mail is sent.
pub(crate) const FIRST: i64 = 30;
/// How many keys one query reads.
const MOST: u32 = 100;

/// Sends due mails. Sends none about a key that was created fewer than those days before its expiry: its creator knows.
pub(crate) async fn send_due(context: &Context) -> Result<()> {
    if !context.mail().is_on() {
        return Ok(());
    }
    let now = context.now();
    for (place, days) in DAYS.into_iter().enumerate() {
        // A key that expires within a day only gets the mail for that, even if the earlier ones couldn't be sent in
        // time.
        let from = now + place.checked_sub(1).map_or(TimeDelta::zero(), |before| TimeDelta::days(DAYS[before]));
        let mut from = (from, domain::KeyId(uuid::Uuid::max()));
        // Moves on past mails that no server accepts, so that they don't block the others.
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

/// Claims a mail and sends it. Gives the claim back if no server accepted the mail, so that a later round tries again.
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
            Err(error) => tracing::warn!(error, api_key.id = %key.id, "an expiry mail could not be sent"),
        }
    }
    if is_sent { Ok(()) } else { storage::reminders::release(context.db(), key.id, days).await }
}

async fn send(mail: &Mail, key: &ApiKey, to: &Email, now: DateTime<Utc>) -> std::result::Result<(), String> {
    let Some(at) = key.expires_at else { return Ok(()) };
    let when = domain::time::distance_text(at, now);
    let date = utc_text(at);
    let (tenant, owner) = (&key.tenant_name, &key.owner_name);
    let first_sentence = match key.owner {
        Owner::User(_) => format!("Your API key in {tenant} expires {when}, on {date}."),
        Owner::ServiceAccount(_) => {
            format!("An API key of the service account {owner} in {tenant} expires {when}, on {date}.")
        }
    };
    let subject = format!("API key {} expires {when}", key.name);
    let text = format!(
        "{first_sentence}\n\n    {} ({}…)\n\nIt stops working then. Rotate it now; both keys work during the grace \
         period.\n\n{}\n",
        key.name,
        key.hint,
        mail.link(&key.page_path()),
    );
    mail.send(to, &subject, text, now).await
}

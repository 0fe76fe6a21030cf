//! The lock of a user's app after too many wrong two-factor codes. Each of them needs the right password, so a stranger
//! can't cause it, and the user is told.

use chrono::{DateTime, Utc};
use domain::{ApiError, ErrorCode, Member, User, UserId, audit::Outcome};
use uuid::Uuid;

use super::second_factor::SecondFactors;
use crate::{
    access::{Actor, Client},
    error::Result,
    storage::{self, Tx, audit::Entry, db::retry},
};

/// How many wrong codes of an app in a row lock the app's codes. With three of a million codes being right at any time,
/// guessing until then succeeds with a probability of 0.006 %.
const LOCKED_AT: i64 = 20;

impl SecondFactors<'_> {
    /// Counts a wrong code of the app. If it is one too many, locks the app's codes, writes that to the audit log, sends
    /// the user a mail, and returns the time.
    pub(super) async fn record_wrong_code(&self, user: UserId, client: &Client) -> Result<Option<DateTime<Utc>>> {
        let now = self.context.now();
        let person = storage::users::find(self.context.db(), user).await?;
        let memberships = storage::users::list_membership_roles(self.context.db(), user).await?;
        let is_locked = retry!(self.context.db(), tx => {
            if !storage::second_factors::record_failure(tx, user, LOCKED_AT, now).await? {
                return Ok(false);
            }
            if let (Some(person), Some(first)) = (&person, memberships.first()) {
                storage::audit::insert(tx, &entry(person, first.tenant_id.0, client, now)).await?;
            }
            Ok(true)
        })?;
        if !is_locked {
            return Ok(None);
        }
        if let Some(person) = person {
            self.context.mail().notify(
                &person.email,
                "Your two-factor codes are locked",
                mail(&person, client, now),
                now,
            );
        }
        Ok(Some(now))
    }

    /// Returns the refusal of a code of the app.
    pub(super) fn locked(at: DateTime<Utc>) -> ApiError {
        let at = domain::time::utc_text(at);
        let message = format!(
            "Codes from your app have been locked since {at}, after {LOCKED_AT} wrong codes. Enter a recovery code instead, \
             or ask an administrator of your tenant to unlock them. Then change your password, because another person may know it."
        );
        ApiError::field("code", message)
    }
}

/// Accepts codes of the user's app again, and writes the audit entry.
///
/// # Errors
/// `CONFLICT` if they aren't locked.
pub(crate) async fn unlock(tx: &mut Tx, user: UserId, entry: &Entry) -> Result<()> {
    if !storage::second_factors::unlock(tx, user).await? {
        return Err(ApiError::new(ErrorCode::Conflict, "This person's two-factor codes aren't locked.").into());
    }
    storage::audit::insert(tx, entry).await
}

/// The mail to a member whose codes an administrator has unlocked.
pub(super) fn unlocked_mail(member: &Member, by: &Actor, at: DateTime<Utc>) -> String {
    format!(
        "Hello {},\n\n{} unlocked your two-factor codes at {}, so that codes from your app are accepted again. They had \
         been locked after {LOCKED_AT} wrong ones.\n\nIf you didn't enter those, somebody knows your password: change \
         it.\n",
        member.name,
        by.name(),
        domain::time::utc_text(at),
    )
}

fn mail(person: &User, client: &Client, at: DateTime<Utc>) -> String {
    let from = client.address.as_ref().map_or_else(String::new, |address| format!(" from the address {address}"));
    format!(
        "Hello {},\n\nSomebody entered your password and then {LOCKED_AT} wrong two-factor codes. The last one was entered \
         at {}{from}. Codes from your app are therefore locked.\n\nTo sign in, enter one of your recovery codes. If you \
         are still signed in somewhere, changing your password ends the lock too. An administrator of your tenant can \
         also end it.\n\nIf this wasn't you, somebody knows your password: change it.\n",
        person.name,
        domain::time::utc_text(at),
    )
}

fn entry(person: &User, tenant: Uuid, client: &Client, at: DateTime<Utc>) -> Entry {
    Entry {
        at,
        tenant_id: Some(tenant),
        operation: "lock_second_factor",
        outcome: Outcome::Done,
        actor_kind: "service",
        actor_id: None,
        actor_name: "Latchkey".to_owned(),
        key_id: None,
        client: client.clone(),
        subject_kind: "user",
        subject_id: Some(person.id.0),
        subject_name: person.name.as_str().to_owned(),
        detail: format!("after {LOCKED_AT} wrong codes"),
    }
}

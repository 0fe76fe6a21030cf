//! The policy's answer, with its memory: what it refuses stands in the audit log.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use domain::{ErrorCode, Operation, Owner, TenantId};
use uuid::Uuid;

use crate::{
    Actor, Error, Result, Services,
    policy::{Permit, Target, authorize},
    storage::{self, audit::Entry},
};

/// How many refusals of one actor and operation get a line each in a minute; the rest of that minute share one, which says
/// how many they are. A program that asks again and again for what it may not would otherwise fill the log, and hide in it
/// what others did.
const MOST_A_MINUTE: u32 = 30;
/// How many counts are kept; when there are more, what they hold is written before its minute is over.
const MOST_COUNTS: usize = 10_000;

/// What a refused request was about.
pub(crate) type Subject = (&'static str, Uuid);

/// Who was refused what.
type Refused = (TenantId, Owner, &'static str);

/// How often each actor was refused each operation in the present minute, and lines that are written beside the requests.
#[derive(Debug, Default)]
pub(crate) struct RefusalCounts {
    counts: Mutex<HashMap<Refused, Count>>,
    owed: Mutex<Vec<Entry>>,
}

#[derive(Debug)]
struct Count {
    minute: i64,
    written: u32,
    held: Option<Held>,
}

/// Refusals that wait for their common line.
#[derive(Debug)]
struct Held {
    last: Entry,
    count: u64,
}

impl Held {
    fn into_entry(self) -> Entry {
        if self.count == 1 {
            return self.last;
        }
        self.last.with(format!("the last of {} within a minute, in one line", self.count))
    }
}

impl RefusalCounts {
    /// Takes a refusal in, and gives the lines that are to be written now: its own, if it gets one, and those that are due.
    fn take(&self, actor: &Actor, entry: Entry) -> Vec<Entry> {
        let minute = minute_of(entry.at);
        let mut counts = self.lock();
        let mut due = if counts.len() >= MOST_COUNTS { Self::drain(&mut counts, |_| true) } else { Vec::new() };
        let of = (actor.tenant_id(), actor.owner(), entry.operation);
        let count = counts.entry(of).or_insert(Count { minute, written: 0, held: None });
        if count.minute != minute {
            due.extend(count.held.take().map(Held::into_entry));
            *count = Count { minute, written: 0, held: None };
        }
        if count.written < MOST_A_MINUTE {
            count.written += 1;
            due.push(entry);
        } else {
            let before = count.held.as_ref().map_or(0, |held| held.count);
            count.held = Some(Held { last: entry, count: before + 1 });
        }
        due
    }

    /// Gives the lines that are owed: those beside the requests, and those of the minutes that are over at `now`, or of all.
    fn owed(&self, now: Option<DateTime<Utc>>) -> Vec<Entry> {
        let mut owed = std::mem::take(&mut *self.owed.lock().unwrap_or_else(PoisonError::into_inner));
        owed.extend(Self::drain(&mut self.lock(), |count| now.is_none_or(|now| count.minute < minute_of(now))));
        owed
    }

    fn drain(counts: &mut HashMap<Refused, Count>, which: impl Fn(&Count) -> bool) -> Vec<Entry> {
        counts.extract_if(|_, count| which(count)).filter_map(|(_, count)| count.held.map(Held::into_entry)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Refused, Count>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn minute_of(at: DateTime<Utc>) -> i64 {
    at.timestamp() / 60
}

fn subject_of(owner: Owner) -> Subject {
    match owner {
        Owner::User(user) => ("user", user.0),
        Owner::ServiceAccount(account) => ("service_account", account.0),
    }
}

impl Services {
    /// [`authorize`], and a line in the audit log when it says no inside the actor's tenant.
    ///
    /// # Errors
    /// As [`authorize`].
    pub(crate) async fn permit(&self, actor: &Actor, operation: Operation, target: Target) -> Result<Permit> {
        let subject = match target {
            Target::Tenant(tenant) => ("tenant", tenant.0),
            Target::Owner(_, owner) => subject_of(owner),
        };
        self.permit_about(actor, operation, target, subject).await
    }

    /// The same, about a thing that isn't the target itself.
    ///
    /// # Errors
    /// As [`authorize`].
    pub(crate) async fn permit_about(
        &self,
        actor: &Actor,
        operation: Operation,
        target: Target,
        subject: Subject,
    ) -> Result<Permit> {
        match authorize(actor, operation, target) {
            Ok(permit) => Ok(permit),
            Err(refusal) => {
                if refusal.code == ErrorCode::Forbidden {
                    self.note_refusal(actor, operation, subject).await?;
                }
                Err(refusal.into())
            }
        }
    }

    /// When the refusal's own line can't be written, the caller hears of that instead. One that is held for its common line
    /// is written once its minute is over, see [`Services::write_owed`]: a failure to write it is told in the process's own log alone,
    /// and a process that is killed loses what it held.
    async fn note_refusal(&self, actor: &Actor, operation: Operation, subject: Subject) -> Result<()> {
        let entry = Entry::by(actor, operation, self.now(), (subject.0, subject.1, "")).refused();
        for due in self.0.refusal_counts.take(actor, entry) {
            self.note(due).await?;
        }
        Ok(())
    }

    /// Passes an outcome on; when it is a refusal that came up in the work itself, as by a tenant's policy or because of the last
    /// administrator, with a line in the audit log.
    pub(crate) async fn noted<T>(
        &self,
        outcome: Result<T>,
        actor: &Actor,
        operation: Operation,
        owner: Owner,
    ) -> Result<T> {
        let is_refusal = match &outcome {
            Err(Error::Rule(_)) => true,
            Err(Error::Api(refusal)) => refusal.code == ErrorCode::Forbidden,
            _ => false,
        };
        if is_refusal {
            self.note_refusal(actor, operation, subject_of(owner)).await?;
        }
        outcome
    }

    /// Writes a line that goes with no change.
    pub(crate) async fn note(&self, entry: Entry) -> Result<()> {
        self.db().write(move |tx| Box::pin(async move { storage::audit::insert(tx, &entry).await })).await
    }

    /// Has a line written beside the request, within a second; a process that is killed loses it.
    pub(crate) fn owe(&self, entry: Entry) {
        self.0.refusal_counts.owed.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }

    /// Writes what is owed: lines beside the requests, and the common lines of the minutes that are over at `now`, or of all. What can't be written stands in the
    /// process's own log.
    pub(crate) async fn write_owed(&self, now: Option<DateTime<Utc>>) {
        for entry in self.0.refusal_counts.owed(now) {
            let text = format!("{} by {}: {}", entry.operation, entry.actor_name, entry.detail);
            if let Err(error) = self.note(entry).await {
                tracing::error!(%error, refused = text, "a line could not be added to the audit log");
            }
        }
    }
}

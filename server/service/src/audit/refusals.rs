//! The answer about rights, with a memory: what is refused stands in the audit log. And entries that go with no change.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use domain::{ApiError, ErrorCode, Operation, Owner, TenantId};
use uuid::Uuid;

use crate::{
    access::{Actor, ReadPermit, Target, WritePermit, authorize, authorize_write},
    clock::Clock,
    error::{Error, Result},
    storage::{self, Db, audit::Entry, db::to_completion},
};

/// How many refusals of one actor and operation get an entry each in a minute; the rest of that minute share one, which says
/// how many they are. A program that asks again and again for what it may not would otherwise fill the log, and hide in it
/// what others did.
const MOST_A_MINUTE: u32 = 30;
/// How many counts are kept; when there are more, what they hold is written before its minute is over.
const MOST_COUNTS: usize = 10_000;

/// What a refused request was about.
pub(crate) type Subject = (&'static str, Uuid);

/// Who was refused what.
type Refused = (TenantId, Option<Uuid>, &'static str);

/// The audit log beside the changes: [`authorize`] with a memory of what it refused, and entries of their own.
#[derive(Debug)]
pub(crate) struct Audit {
    db: Db,
    clock: Clock,
    refusals: RefusalCounts,
    /// Entries that are written beside the requests.
    deferred: Mutex<Vec<Entry>>,
}

/// How often each actor was refused each operation in the present minute.
#[derive(Debug, Default)]
struct RefusalCounts(Mutex<HashMap<Refused, Count>>);

#[derive(Debug)]
struct Count {
    minute: i64,
    written: u32,
    held: Option<Held>,
}

/// Refusals that wait for their common entry.
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
    /// Takes a refusal in, and gives the entries that are to be written now: its own, if it gets one, and those that are due.
    fn take(&self, actor: &Actor, entry: Entry) -> Vec<Entry> {
        let minute = minute_of(entry.at);
        let mut counts = self.lock();
        let mut due = if counts.len() >= MOST_COUNTS { Self::drain(&mut counts, |_| true) } else { Vec::new() };
        let of = (actor.tenant_id(), actor.id(), entry.operation);
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

    /// Gives the entries of the minutes that are over at `now`, or of all.
    fn due(&self, now: Option<DateTime<Utc>>) -> Vec<Entry> {
        Self::drain(&mut self.lock(), |count| now.is_none_or(|now| count.minute < minute_of(now)))
    }

    fn drain(counts: &mut HashMap<Refused, Count>, which: impl Fn(&Count) -> bool) -> Vec<Entry> {
        counts.extract_if(|_, count| which(count)).filter_map(|(_, count)| count.held.map(Held::into_entry)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Refused, Count>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn minute_of(at: DateTime<Utc>) -> i64 {
    at.timestamp() / 60
}

fn subject_of(target: Target) -> Subject {
    match target {
        Target::Tenant(tenant) => ("tenant", tenant.0),
        Target::Owner(_, owner) => subject_of_owner(owner),
    }
}

fn subject_of_owner(owner: Owner) -> Subject {
    match owner {
        Owner::User(user) => ("user", user.0),
        Owner::ServiceAccount(account) => ("service_account", account.0),
    }
}

impl Audit {
    /// An audit log of a database, with the times of a clock.
    pub(crate) fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock, refusals: RefusalCounts::default(), deferred: Mutex::default() }
    }

    pub(super) fn db(&self) -> &Db {
        &self.db
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// [`authorize`], and an entry when it says no inside the actor's tenant.
    ///
    /// # Errors
    /// As [`authorize`].
    pub(crate) async fn permit(&self, actor: &Actor, operation: Operation, target: Target) -> Result<ReadPermit> {
        self.recorded(authorize(actor, operation, target), actor, operation, subject_of(target)).await
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
    ) -> Result<ReadPermit> {
        self.recorded(authorize(actor, operation, target), actor, operation, subject).await
    }

    /// [`authorize_write`], and an entry when it says no inside the actor's tenant.
    ///
    /// # Errors
    /// As [`authorize_write`].
    pub(crate) async fn permit_write(
        &self,
        actor: &Actor,
        operation: Operation,
        target: Target,
    ) -> Result<WritePermit> {
        self.recorded(authorize_write(actor, operation, target), actor, operation, subject_of(target)).await
    }

    /// The same, about a thing that isn't the target itself.
    ///
    /// # Errors
    /// As [`authorize_write`].
    pub(crate) async fn permit_write_about(
        &self,
        actor: &Actor,
        operation: Operation,
        target: Target,
        subject: Subject,
    ) -> Result<WritePermit> {
        self.recorded(authorize_write(actor, operation, target), actor, operation, subject).await
    }

    /// Passes an answer on, with an entry when it is no.
    async fn recorded<P>(
        &self,
        answer: std::result::Result<P, ApiError>,
        actor: &Actor,
        operation: Operation,
        subject: Subject,
    ) -> Result<P> {
        if answer.as_ref().is_err_and(|refusal| refusal.code == ErrorCode::Forbidden) {
            self.record_refusal(actor, operation, subject).await?;
        }
        Ok(answer?)
    }

    /// Records a refusal. When its own entry can't be written, the caller hears of that instead. One that is held for its
    /// common entry is written once its minute is over, see [`Audit::write_deferred`]: a failure to write it is told in the
    /// process's own log alone, and a process that is killed loses what it held.
    async fn record_refusal(&self, actor: &Actor, operation: Operation, subject: Subject) -> Result<()> {
        let entry = Entry::by(actor, operation, self.now(), (subject.0, subject.1, "")).refused();
        for due in self.refusals.take(actor, entry) {
            self.record(due).await?;
        }
        Ok(())
    }

    /// Passes an outcome on; when it is a refusal that came up in the work itself, as by a key policy or because of the last
    /// administrator, with an entry in the audit log.
    pub(crate) async fn record_if_refused<T>(
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
            self.record_refusal(actor, operation, subject_of_owner(owner)).await?;
        }
        outcome
    }

    /// Writes an entry that goes with no change; also when the caller goes away meanwhile, so that nobody keeps a refusal
    /// out of the log by closing the connection.
    pub(crate) async fn record(&self, entry: Entry) -> Result<()> {
        let db = self.db.clone();
        let recorded = to_completion(async move {
            let mut tx = db.begin().await?;
            storage::audit::insert(&mut tx, &entry).await?;
            tx.commit().await
        });
        recorded.await
    }

    /// Has an entry written beside the request, within a second; a process that is killed loses it.
    pub(crate) fn defer(&self, entry: Entry) {
        self.deferred.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }

    /// Writes what was deferred: entries beside the requests, and the common entries of the minutes that are over at `now`,
    /// or of all. What can't be written stands in the process's own log.
    pub(crate) async fn write_deferred(&self, now: Option<DateTime<Utc>>) {
        let mut entries = std::mem::take(&mut *self.deferred.lock().unwrap_or_else(PoisonError::into_inner));
        entries.extend(self.refusals.due(now));
        for entry in entries {
            let text = format!("{} by {}: {}", entry.operation, entry.actor_name, entry.detail);
            if let Err(error) = self.record(entry).await {
                tracing::error!(%error, refused = text, "an entry could not be added to the audit log");
            }
        }
    }
}

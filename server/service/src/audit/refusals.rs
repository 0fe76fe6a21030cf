//! Authorization that records refusals in the audit log, and audit entries that aren't part of a change's transaction.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use domain::{ApiError, ErrorCode, Operation, Owner, RefusalReason, TenantId};
use uuid::Uuid;

use super::{demands::Demands, key_refusals::KeyRefusals};
use crate::{
    access::{Actor, ReadPermit, Target, WritePermit, authorize, authorize_write, demanded},
    clock::Clock,
    error::{Error, Result},
    storage::{
        self, Db,
        audit::Entry,
        db::{retry, to_completion},
    },
};

/// How many refusals of one actor and operation get their own entry in a minute. The others of that minute share one
/// entry with their count. Otherwise a program that repeats a forbidden request would fill the log and hide other
/// entries.
const MAX_A_MINUTE: u32 = 30;
/// How many counts are kept. When there are more, pending entries are written before their minute has ended.
const MAX_COUNTS: usize = 10_000;

/// The kind and the id of what a refused request was about.
pub(crate) type Subject = (&'static str, Uuid);

/// The tenant, the actor and the operation of a refusal.
type Refused = (TenantId, Option<Uuid>, &'static str);

/// Authorization that records refusals, and audit entries that aren't part of a change's transaction.
#[derive(Debug)]
pub(crate) struct Audit {
    db: Db,
    clock: Clock,
    refusals: RefusalCounts,
    /// Entries to write in the background.
    deferred: Mutex<Vec<Entry>>,
    demands: Demands,
    key_refusals: KeyRefusals,
}

/// How often each actor was refused each operation in the current minute.
#[derive(Debug, Default)]
struct RefusalCounts(Mutex<HashMap<Refused, Count>>);

#[derive(Debug)]
struct Count {
    minute: i64,
    written: u32,
    held: Option<Held>,
}

/// Refusals that will share one entry.
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
        self.last.with(format!("the last of {} further denied attempts in this minute", self.count))
    }
}

impl RefusalCounts {
    /// Counts a refusal. Returns the entries to write now: its own, if it gets one, and those that are due.
    fn take(&self, actor: &Actor, entry: Entry) -> Vec<Entry> {
        let minute = minute_of(entry.at);
        let mut counts = self.lock();
        let mut due = if counts.len() >= MAX_COUNTS { Self::drain(&mut counts, |_| true) } else { Vec::new() };
        let of = (actor.tenant_id(), actor.id(), entry.operation);
        let count = counts.entry(of).or_insert(Count { minute, written: 0, held: None });
        if count.minute != minute {
            due.extend(count.held.take().map(Held::into_entry));
            *count = Count { minute, written: 0, held: None };
        }
        if count.written < MAX_A_MINUTE {
            count.written += 1;
            due.push(entry);
        } else {
            let before = count.held.as_ref().map_or(0, |held| held.count);
            count.held = Some(Held { last: entry, count: before + 1 });
        }
        due
    }

    /// Returns the shared entries of all minutes that have ended at `now`; all shared entries if `None`.
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
        Target::Tenant(tenant) | Target::Shared(tenant, _) => ("tenant", tenant.0),
        Target::Owner(_, owner) => subject_of_owner(owner),
    }
}

/// Returns an owner as the subject of an entry.
pub(crate) fn subject_of_owner(owner: Owner) -> Subject {
    match owner {
        Owner::User(user) => ("user", user.0),
        Owner::ServiceAccount(account) => ("service_account", account.0),
    }
}

impl Audit {
    /// Creates the audit log of a database. The clock provides the times of the entries.
    pub(crate) fn new(db: Db, clock: Clock) -> Self {
        Self {
            db,
            clock,
            refusals: RefusalCounts::default(),
            deferred: Mutex::default(),
            demands: Demands::default(),
            key_refusals: KeyRefusals::default(),
        }
    }

    /// Returns the requests that demanded a scope.
    pub(crate) fn demands(&self) -> &Demands {
        &self.demands
    }

    /// Returns the rejected requests with a key.
    pub(crate) fn key_refusals(&self) -> &KeyRefusals {
        &self.key_refusals
    }

    /// Writes the demanded scopes and the rejected requests that aren't in the database yet. What fails is kept for the
    /// next time.
    pub(crate) async fn flush_usage(&self) -> Result<()> {
        let demands = self.demands.flush(&self.db).await;
        self.key_refusals.flush(&self.db).await.and(demands)
    }

    pub(super) fn db(&self) -> &Db {
        &self.db
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Calls [`authorize`], and records a refusal inside the actor's tenant. For an operation that changes something,
    /// this is the permit of its form's page: opening a form isn't an attempt, so a refusal isn't recorded.
    ///
    /// # Errors
    /// As [`authorize`].
    pub(crate) async fn permit(&self, actor: &Actor, operation: Operation, target: Target) -> Result<ReadPermit> {
        if !operation.is_read() {
            return Ok(authorize(actor, operation, target)?);
        }
        self.recorded(authorize(actor, operation, target), actor, operation, subject_of(target)).await
    }

    /// Like [`Audit::permit`], for a subject that isn't the target itself, such as a key of the target.
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

    /// Calls [`authorize_write`], and records a refusal inside the actor's tenant.
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

    /// Like [`Audit::permit_write`], for a subject that isn't the target itself, such as a key of the target.
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

    /// Counts the reserved scope that an operation demands of the actor's key, if it has one.
    pub(crate) fn count_demand(&self, actor: &Actor, operation: Operation) {
        if let Some(key) = actor.key_id() {
            let scope = demanded(actor, operation).scope();
            let is_met = actor.scopes().holds(&scope);
            self.demands.record(key, &scope, is_met, self.now(), actor.client());
            if !is_met {
                let why = (RefusalReason::MissingScope, vec![scope]);
                self.key_refusals.record(key, why, self.now(), actor.client());
            }
        }
    }

    /// Returns `answer`, records it if it is `FORBIDDEN`, and counts the scope that the operation demanded of a key.
    async fn recorded<P>(
        &self,
        answer: std::result::Result<P, ApiError>,
        actor: &Actor,
        operation: Operation,
        subject: Subject,
    ) -> Result<P> {
        self.count_demand(actor, operation);
        if answer.as_ref().is_err_and(|refusal| refusal.code == ErrorCode::Forbidden) {
            self.record_refusal(actor, operation, subject).await?;
        }
        Ok(answer?)
    }

    /// Records a refusal. If its own entry can't be written, the caller gets that error instead of the refusal. A
    /// shared entry is written once its minute has ended, see [`Audit::write_deferred`]: if that fails, only the
    /// process's log says so, and a process that is killed loses the entry.
    async fn record_refusal(&self, actor: &Actor, operation: Operation, subject: Subject) -> Result<()> {
        let entry = Entry::by(actor, operation, self.now(), (subject.0, subject.1, "")).refused();
        for due in self.refusals.take(actor, entry) {
            let due = self.named(actor.tenant_id(), due).await?;
            self.record(due).await?;
        }
        Ok(())
    }

    /// Returns the entry with the name of its subject, if that is a key, a service account or a member of the tenant.
    /// Only entries that are written need it, so that repeated refusals don't cost more reads.
    async fn named(&self, tenant: TenantId, entry: Entry) -> Result<Entry> {
        let Some(id) = entry.subject_id.filter(|_| entry.subject_kind != "tenant") else { return Ok(entry) };
        let found = storage::audit::list_subjects(&self.db, tenant, &[id]).await?;
        let subject_name = found.into_iter().next().map_or_else(String::new, |subject| subject.name);
        Ok(Entry { subject_name, ..entry })
    }

    /// Returns `outcome`, and records it if it is a refusal that was only found during the change, such as a violation
    /// of a key policy or the removal of the last administrator.
    pub(crate) async fn record_if_refused<T>(
        &self,
        outcome: Result<T>,
        actor: &Actor,
        operation: Operation,
        subject: Subject,
    ) -> Result<T> {
        let is_refusal = match &outcome {
            Err(Error::Rule(_)) => true,
            Err(Error::Api(refusal)) => refusal.code == ErrorCode::Forbidden,
            _ => false,
        };
        if is_refusal {
            self.record_refusal(actor, operation, subject).await?;
        }
        outcome
    }

    /// Writes an entry in its own transaction. Continues if the caller goes away, so that nobody can keep a refusal out
    /// of the log by closing the connection.
    pub(crate) async fn record(&self, entry: Entry) -> Result<()> {
        let db = self.db.clone();
        let recorded = to_completion(async move { retry!(db, tx => storage::audit::insert(tx, &entry).await) });
        recorded.await
    }

    /// Queues an entry to be written in the background within a second. A process that is killed loses it.
    pub(crate) fn defer(&self, entry: Entry) {
        self.deferred.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }

    /// Writes the queued entries, and the shared entries of all minutes that have ended at `now`; all shared entries if
    /// `None`. Entries that can't be written are reported in the process's log.
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

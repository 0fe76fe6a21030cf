//! The policy's answer, with its memory: what it refuses stands in the audit log.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use chrono::{DateTime, Utc};
use domain::{ErrorCode, Operation, Owner, TenantId};
use uuid::Uuid;

use crate::{
    Actor, Error, Result, Services,
    policy::{Permit, Target, authorize},
    storage::{self, audit::Entry},
};

/// How many refusals of one actor are written a minute. A program that asks again and again for what it may not would
/// otherwise fill the log, and hide in it what others did.
const MOST_A_MINUTE: u32 = 30;
/// How many actors are counted; all are forgotten when there are more.
const MOST_ACTORS: usize = 10_000;

/// What a refused request was about.
pub(crate) type Subject = (&'static str, Uuid);

/// How many refusals each actor has had in the present minute.
#[derive(Debug, Default)]
pub(crate) struct RefusalCounts(Mutex<HashMap<(TenantId, Owner), (i64, u32)>>);

impl RefusalCounts {
    /// Whether one more may be written.
    fn take(&self, actor: &Actor, now: DateTime<Utc>) -> bool {
        let minute = now.timestamp() / 60;
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= MOST_ACTORS {
            counts.clear();
        }
        let count = counts.entry((actor.tenant_id(), actor.owner())).or_default();
        if count.0 != minute {
            *count = (minute, 0);
        }
        count.1 += 1;
        count.1 <= MOST_A_MINUTE
    }
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

    /// When the line can't be written, the caller hears of that instead: nothing is refused unseen.
    async fn note_refusal(&self, actor: &Actor, operation: Operation, subject: Subject) -> Result<()> {
        let now = self.now();
        if !self.0.refusal_counts.take(actor, now) {
            return Ok(());
        }
        let entry = Entry::by(actor, operation, now, (subject.0, subject.1, ""));
        self.note(entry.refused()).await
    }

    /// Passes an outcome on; when it is a refusal that came up in the work itself, as by a tenant's policy, with a line in the
    /// audit log.
    pub(crate) async fn noted<T>(
        &self,
        outcome: Result<T>,
        actor: &Actor,
        operation: Operation,
        owner: Owner,
    ) -> Result<T> {
        if let Err(Error::Api(refusal)) = &outcome
            && refusal.code == ErrorCode::Forbidden
        {
            self.note_refusal(actor, operation, subject_of(owner)).await?;
        }
        outcome
    }

    /// Writes a line that goes with no change.
    pub(crate) async fn note(&self, entry: Entry) -> Result<()> {
        self.db().write(move |tx| Box::pin(async move { storage::audit::insert(tx, &entry).await })).await
    }
}

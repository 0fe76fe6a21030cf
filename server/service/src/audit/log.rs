//! Use cases of the audit log: reading, counting and exporting entries.

use chrono::{Days, NaiveDate};
use domain::{
    ApiError, AuditEntry, AuditId, AuditQuery, Operation, Page,
    audit::{Activity, DayActivity, Outcome, Resources},
};

use super::refusals::Audit;
use crate::{
    access::{Actor, FreshSignIn, ReadPermit, Target},
    error::Result,
    input,
    storage::{self, audit::Entry, db::retry},
};

/// The most entries that [`AuditLog::activity`] counts.
const MAX_COUNTED: u32 = 20_000;

/// Use cases of the audit log.
pub struct AuditLog<'a> {
    pub(crate) audit: &'a Audit,
    pub(crate) fresh_sign_in: FreshSignIn,
}

/// An export in progress: the right to read all entries that match a query, page by page.
#[derive(Clone, Debug)]
pub struct Export {
    permit: ReadPermit,
    query: AuditQuery,
}

impl AuditLog<'_> {
    /// Returns one page of the tenant's entries, newest first.
    ///
    /// # Errors
    /// `FORBIDDEN` for anyone but an administrator; `BAD_USER_INPUT` for a cursor of another kind of list.
    pub async fn list(&self, actor: &Actor, query: &AuditQuery) -> Result<Page<AuditEntry>> {
        let permit = self.audit.permit(actor, Operation::ListAuditLog, Target::Tenant(actor.tenant_id())).await?;
        self.audit.write_deferred(Some(self.audit.now())).await;
        storage::audit::list(self.audit.db(), permit.tenant_id(), &readable(query)).await
    }

    /// Returns one entry.
    ///
    /// # Errors
    /// `NOT_FOUND`, `FORBIDDEN`.
    pub async fn get(&self, actor: &Actor, id: AuditId) -> Result<AuditEntry> {
        let permit = self.audit.permit(actor, Operation::ListAuditLog, Target::Tenant(actor.tenant_id())).await?;
        let entry = storage::audit::find(self.audit.db(), permit.tenant_id(), id).await?;
        Ok(entry.ok_or_else(ApiError::not_found)?)
    }

    /// Returns the resources that entries are about and that still exist in the tenant.
    ///
    /// # Errors
    /// `FORBIDDEN` for anyone but an administrator.
    pub async fn resources(&self, actor: &Actor, entries: &[AuditEntry]) -> Result<Resources> {
        let permit = self.audit.permit(actor, Operation::ListAuditLog, Target::Tenant(actor.tenant_id())).await?;
        let mut ids: Vec<_> = entries.iter().filter_map(|entry| entry.subject_id).collect();
        ids.sort_unstable();
        ids.dedup();
        let subjects = storage::audit::list_subjects(self.audit.db(), permit.tenant_id(), &ids).await?;
        Ok(subjects.into_iter().map(|subject| (subject.id, subject.resource)).collect())
    }

    /// Counts the entries of each of the last `days` days in UTC, including today. Of a busy tenant, only the newest
    /// 20,000 entries are counted.
    ///
    /// # Errors
    /// `FORBIDDEN` for anyone but an administrator.
    pub async fn activity(&self, actor: &Actor, days: u32) -> Result<Activity> {
        let permit = self.audit.permit(actor, Operation::ListAuditLog, Target::Tenant(actor.tenant_id())).await?;
        let today = self.audit.now().date_naive();
        let first = today.checked_sub_days(Days::new(u64::from(days.saturating_sub(1)))).unwrap_or(today);
        let from = first.and_time(chrono::NaiveTime::MIN).and_utc();
        let counts = storage::audit::count_by_day(self.audit.db(), permit.tenant_id(), from, MAX_COUNTED).await?;
        let count = |day: NaiveDate, outcome: Outcome| {
            let of = (i64::from(day.to_epoch_days()), outcome.as_str());
            let found = counts.iter().find(|row| (row.day, row.outcome.as_str()) == of);
            found.map_or(0, |row| u64::try_from(row.entries).unwrap_or(0))
        };
        let on = |day| DayActivity { day, done: count(day, Outcome::Done), denied: count(day, Outcome::Refused) };
        let days = first.iter_days().take_while(|day| *day <= today).map(on).collect();
        let counted: i64 = counts.iter().map(|row| row.entries).sum();
        Ok(Activity { days, is_capped: counted >= i64::from(MAX_COUNTED) })
    }

    /// Starts an export, and records that in the audit log. `form`: the format's name, for that entry.
    ///
    /// # Errors
    /// `FORBIDDEN` for anyone but an administrator; `CONFIRMATION_REQUIRED`.
    pub async fn export(&self, actor: &Actor, query: &AuditQuery, form: &str) -> Result<Export> {
        let permit = self.audit.permit(actor, Operation::ListAuditLog, Target::Tenant(actor.tenant_id())).await?;
        // Reading a page doesn't require it, see `domain::Operation::confirmation`.
        self.fresh_sign_in.require(actor, self.audit.now())?;
        let subject = ("tenant", permit.tenant_id().0, "");
        let entry =
            Entry::by(actor, Operation::ListAuditLog, self.audit.now(), subject).with(format!("exported as {form}"));
        retry!(self.audit.db(), tx => storage::audit::insert(tx, &entry).await)?;
        let mut query = readable(query);
        query.page = domain::PageRequest { limit: domain::page::MAX_LIMIT, ..domain::PageRequest::default() };
        Ok(Export { permit, query })
    }

    /// Returns the next page of an export, newest first, and the rest of the export; `None` after the last page.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn export_page(&self, export: Export) -> Result<(Vec<AuditEntry>, Option<Export>)> {
        let page = storage::audit::list(self.audit.db(), export.permit.tenant_id(), &export.query).await?;
        let rest = page.next.map(|next| {
            let mut rest = export;
            rest.query.page.after = Some(next);
            rest
        });
        Ok((page.items, rest))
    }
}

/// Cleans the search texts of a query, see [`input::search`].
fn readable(query: &AuditQuery) -> AuditQuery {
    AuditQuery { actor: input::search(&query.actor), operation: input::search(&query.operation), ..query.clone() }
}

//! The examination of a whole database, before and after it is copied.

use crate::{
    access::{CONFIRM_AFTER, FreshSignIn},
    audit::{Audit, AuditLog},
    clock::Clock,
    error::Result,
    storage::{self, Db},
};

/// What an examination found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Examination {
    /// Problems of the rows and of the chains of the audit log.
    pub(crate) problems: Vec<String>,
    /// The end of each chain, for the examination of a copy.
    pub(crate) pins: Vec<String>,
}

/// Checks the rows of a database and the chains of its audit log. `pins`: ends of chains, as in [`Examination::pins`], that
/// the log must contain.
///
/// # Errors
/// When the database fails.
pub(crate) async fn examine(db: &Db, pins: &[String], clock: &Clock) -> Result<Examination> {
    let mut found = Examination { problems: storage::maintenance::check(db).await?, pins: Vec::new() };
    let audit = Audit::new(db.clone(), clock.clone());
    let log = AuditLog { audit: &audit, fresh_sign_in: FreshSignIn::within(CONFIRM_AFTER) };
    for report in log.verify(pins).await? {
        let name = report.slug.unwrap_or_else(|| "-".to_owned());
        found.problems.extend(report.problems.into_iter().map(|problem| format!("audit log {name}: {problem}")));
        if report.entries > 0 {
            found.pins.push(format!("{name}:{}:{}", report.entries, report.head));
        }
    }
    Ok(found)
}

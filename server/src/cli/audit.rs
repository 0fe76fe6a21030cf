//! The commands `audit …`.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;
use service::{Services, TailEntry};

use super::{
    input::Format,
    list::{List, Row, or_dash, time},
    outcome::{Answer, Failure, Outcome},
    output,
};
use crate::rest::audit_entry::EntryRow;

/// How often `audit tail --follow` looks for new entries.
const FOLLOW_EVERY: Duration = Duration::from_millis(500);

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Print how many rejected tokens belonged to no key
    ///
    /// Columns: hour, reason, count.
    Refusals {
        #[command(flatten)]
        format: Format,
    },
    /// Print the latest entries, oldest first
    ///
    /// Columns: time, tenant, result, actor, action, resource, details.
    Tail(Tail),
    /// Verify the hash chains; exits with 1 if an entry was changed, moved, inserted or removed
    ///
    /// Prints a line for each tenant: slug, number of entries, and hash of the last entry. Store the lines elsewhere,
    /// and pass them to --expect later. They prove that no entry up to those was changed, even by someone who can
    /// rewrite the whole database.
    Verify {
        /// Line printed by an earlier run, which must still be true; may be given several times
        #[arg(long, value_name = "SLUG:NUMBER:HASH", allow_hyphen_values = true)]
        expect: Vec<String>,
    },
}

#[derive(Args, Debug)]
pub(super) struct Tail {
    /// Print only the entries of the tenant with this slug
    #[arg(long, value_name = "SLUG")]
    tenant: Option<String>,
    /// How many entries to print first
    #[arg(long, short = 'n', default_value_t = 20, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(0..=10_000))]
    lines: u32,
    /// Continue with new entries until interrupted
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    format: Format,
}

pub(super) async fn run(services: &Services, command: AuditCommand) -> Outcome {
    services.require_migrated().await?;
    Ok(match command {
        AuditCommand::Refusals { format } => refusals(services, format).await,
        AuditCommand::Tail(options) => tail(services, &options).await,
        AuditCommand::Verify { expect } => verify(services, &expect).await,
    }?)
}

#[derive(Serialize)]
struct RefusalRow {
    hour: String,
    reason: String,
    count: u64,
}

impl Row for RefusalRow {
    fn columns(&self) -> Vec<String> {
        vec![self.hour.clone(), self.reason.clone(), self.count.to_string()]
    }
}

async fn refusals(services: &Services, format: Format) -> Answer {
    let rows = services.admin().refusals().await?;
    let mut out = List::new(format);
    out.write(rows.into_iter().map(|(hour, reason, count)| RefusalRow { hour: time(hour), reason, count }))?;
    out.end("No token was rejected that belonged to no key.");
    Ok(())
}

/// An entry, with the names that the export of the audit log uses.
#[derive(Serialize)]
struct TailRow {
    tenant: Option<String>,
    #[serde(flatten)]
    entry: EntryRow,
    #[serde(skip)]
    columns: Vec<String>,
}

impl From<TailEntry> for TailRow {
    fn from(TailEntry { tenant, entry }: TailEntry) -> Self {
        let columns = vec![
            time(entry.at),
            or_dash(tenant.as_ref()),
            entry.outcome.as_str().to_owned(),
            entry.actor_name.clone(),
            entry.operation.clone(),
            format!("{} {}", entry.subject_kind, entry.subject_name).trim_end().to_owned(),
            entry.detail.clone(),
        ];
        Self { tenant, entry: entry.into(), columns }
    }
}

impl Row for TailRow {
    fn columns(&self) -> Vec<String> {
        self.columns.clone()
    }
}

async fn tail(services: &Services, options: &Tail) -> Answer {
    let mut out = List::new(options.format);
    let mut tail = services.admin().tail_audit_log(options.tenant.as_deref(), options.lines).await?;
    loop {
        let entries = services.admin().next_audit_entries(&mut tail).await?;
        out.write(entries.into_iter().map(TailRow::from))?;
        if !options.follow || out.is_closed() {
            break;
        }
        tokio::time::sleep(FOLLOW_EVERY).await;
    }
    out.end("There are no entries.");
    Ok(())
}

async fn verify(services: &Services, expected: &[String]) -> Answer {
    let reports = services.audit_log().verify(expected).await?;
    let mut problems = Vec::new();
    for report in reports {
        let name = report.slug.as_deref().unwrap_or("-");
        output::line(format!("{name}:{}:{}", report.entries, report.head))?;
        problems.extend(report.problems.into_iter().map(|problem| format!("{name}: {problem}")));
    }
    if problems.is_empty() {
        output::message("No entry was changed, moved, inserted or removed.");
        return Ok(());
    }
    Err(Failure::Other(problems.join("\n")))
}

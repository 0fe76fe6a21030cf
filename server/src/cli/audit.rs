//! The commands `audit …`.

use std::time::Duration;

use clap::{Args, Subcommand};
use domain::audit::Outcome as Result;
use serde::Serialize;
use service::{Services, TailEntry};

use super::{
    input::Format,
    list::{List, Row, or_dash, time},
    outcome::{Answer, Failure, Outcome},
    output,
};

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
struct EntryRow {
    id: String,
    number: u64,
    at: String,
    tenant: Option<String>,
    operation: String,
    outcome: Result,
    actor_kind: String,
    actor_id: Option<String>,
    actor_name: String,
    channel: String,
    key_id: Option<String>,
    address: Option<String>,
    user_agent: Option<String>,
    subject_kind: String,
    subject_id: Option<String>,
    subject_name: String,
    detail: String,
    hash: String,
}

impl From<TailEntry> for EntryRow {
    fn from(TailEntry { tenant, entry }: TailEntry) -> Self {
        Self {
            id: entry.id.to_string(),
            number: entry.number,
            at: time(entry.at),
            tenant,
            operation: entry.operation,
            outcome: entry.outcome,
            actor_kind: entry.actor_kind,
            actor_id: entry.actor_id.map(|id| id.to_string()),
            actor_name: entry.actor_name,
            channel: entry.channel,
            key_id: entry.key_id.map(|id| id.to_string()),
            address: entry.address,
            user_agent: entry.user_agent,
            subject_kind: entry.subject_kind,
            subject_id: entry.subject_id.map(|id| id.to_string()),
            subject_name: entry.subject_name,
            detail: entry.detail,
            hash: entry.hash,
        }
    }
}

impl Row for EntryRow {
    fn columns(&self) -> Vec<String> {
        vec![
            self.at.clone(),
            or_dash(self.tenant.as_ref()),
            self.outcome.as_str().to_owned(),
            self.actor_name.clone(),
            self.operation.clone(),
            format!("{} {}", self.subject_kind, self.subject_name).trim_end().to_owned(),
            self.detail.clone(),
        ]
    }
}

async fn tail(services: &Services, options: &Tail) -> Answer {
    let mut out = List::new(options.format);
    let mut tail = services.audit_log().tail(options.tenant.as_deref(), options.lines).await?;
    loop {
        let entries = services.audit_log().next_entries(&mut tail).await?;
        out.write(entries.into_iter().map(EntryRow::from))?;
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

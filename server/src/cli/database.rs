//! The commands that act on the whole database: `migrate`, `check`, `backup`, `audit`.

use std::path::Path;

use clap::Subcommand;
use domain::ApiError;
use service::Services;

use super::{list::time, outcome::Outcome};

#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// Print how many rejected tokens belonged to no key
    ///
    /// Columns, separated by tabs: hour, reason, count.
    Refusals,
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

pub(super) async fn migrate(services: &Services) -> Outcome {
    services.require_writable().await?;
    let applied = services.migrate().await?;
    if applied.is_empty() {
        eprintln!("The database is up to date.");
    } else {
        eprintln!("Applied migrations {applied:?}.");
    }
    Ok(())
}

pub(super) async fn check(services: &Services) -> Outcome {
    services.require_set_up().await?;
    let missing = services.missing_migrations().await?;
    let problems = if missing.is_empty() {
        services.admin().check().await.map_err(ApiError::from)?
    } else {
        // The other checks read tables that may not exist yet.
        missing.iter().map(|number| format!("Migration {number} is missing. Run latchkey migrate.")).collect()
    };
    if problems.is_empty() {
        eprintln!("No problems found.");
        return Ok(());
    }
    Err(problems.join("\n").into())
}

pub(super) async fn backup(services: &Services, file: &Path) -> Outcome {
    // Of any version, so that a new one can back up the database before it migrates it.
    services.require_set_up().await?;
    Ok(services.admin().backup(file).await.map_err(ApiError::from)?)
}

pub(super) async fn audit(services: &Services, command: Audit) -> Outcome {
    services.require_migrated().await?;
    match command {
        Audit::Refusals => {
            for (hour, reason, count) in services.admin().refusals().await.map_err(ApiError::from)? {
                println!("{}\t{reason}\t{count}", time(hour));
            }
            Ok(())
        }
        Audit::Verify { expect } => verify(services, &expect).await,
    }
}

async fn verify(services: &Services, expected: &[String]) -> Outcome {
    let reports = services.audit_log().verify(expected).await.map_err(ApiError::from)?;
    let mut problems = Vec::new();
    for report in reports {
        let name = report.slug.as_deref().unwrap_or("-");
        println!("{name}:{}:{}", report.entries, report.head);
        problems.extend(report.problems.into_iter().map(|problem| format!("{name}: {problem}")));
    }
    if problems.is_empty() {
        eprintln!("No entry was changed, moved, inserted or removed.");
        return Ok(());
    }
    Err(problems.join("\n").into())
}

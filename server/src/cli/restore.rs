//! The command `restore`, and the setting of the revocation ledger.

use std::path::{Path, PathBuf};

use clap::Args;
use domain::ApiError;
use service::{Clock, Restored, RestoredFile, Services, Settings};

use super::{
    list::time,
    outcome::{Failure, Outcome},
    output::{self, counted},
};

#[derive(Args, Clone, Debug)]
pub(super) struct LedgerArgs {
    #[arg(
        long,
        global = true,
        env = "LATCHKEY_REVOCATION_LEDGER",
        value_name = "FILE",
        help_heading = "Database",
        help = "File to which every revocation is appended, so that a restored backup doesn't bring revoked keys back \
          [default: beside an SQLite database, with .revocations at the end of its name]"
    )]
    pub(super) revocation_ledger: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(super) struct Restore {
    /// Backup to restore; without it, the database is one that was restored by other means
    file: Option<PathBuf>,
    /// Move an existing SQLite database away first; no process may use it
    #[arg(long, requires = "file")]
    replace: bool,
    /// Restore without a revocation ledger; keys that were revoked since the backup work again
    #[arg(long)]
    without_ledger: bool,
}

/// Restores a backup. Opens its databases itself.
pub(super) async fn run(settings: Settings, options: Restore) -> Outcome {
    let ledger = ledger(&settings, options.without_ledger)?;
    let Some(file) = &options.file else {
        let services = Services::open(&settings, Clock::system()).await?;
        let outcome = apply(&services, ledger.as_deref()).await;
        services.close().await;
        return mark(&outcome?, ledger.as_deref()).await;
    };
    let Some(database) = service::sqlite_file_of(&settings.database_url) else {
        return Err("Only an SQLite database can be restored from a file. Restore this one with pg_restore, then run \
                    latchkey restore without a file."
            .into());
    };
    let copy = RestoredFile::begin(file, &database, options.replace).await.map_err(ApiError::from)?;
    // Revocations that are made again are in the ledger already.
    let settings = Settings { database_url: copy.database_url(), create_missing: false, ..settings };
    let services = Services::open(&settings, Clock::system()).await?;
    let outcome = apply(&services, ledger.as_deref()).await;
    services.close().await;
    let restored = outcome?;
    if let Some(away) = copy.finish(Clock::system().now()).await.map_err(ApiError::from)? {
        output::message(format!("Moved the old database to {}.", away.display()));
    }
    output::message(format!("Restored {} to {}.", file.display(), database.display()));
    mark(&restored, ledger.as_deref()).await
}

/// Returns the ledger to use, which must exist unless the operator does without.
fn ledger(settings: &Settings, without: bool) -> Result<Option<PathBuf>, Failure> {
    if without {
        return Ok(None);
    }
    let known = settings.revocation_ledger.clone().or_else(|| service::ledger_of(&settings.database_url));
    match known {
        Some(path) if path.is_file() => Ok(Some(path)),
        known => {
            let missing = known.map_or_else(
                || "No revocation ledger is set.".to_owned(),
                |path| format!("There is no revocation ledger {}.", path.display()),
            );
            Err(Failure::Other(format!(
                "{missing} It says which keys were revoked since the backup. Name it with --revocation-ledger. With \
                 --without-ledger, these keys work again, and so do the passwords and memberships of the backup."
            )))
        }
    }
}

/// Records the restore in the ledger. Fails if something couldn't be done again.
async fn mark(restored: &Restored, ledger: Option<&Path>) -> Outcome {
    if let Some(ledger) = ledger {
        service::mark_restored(ledger, restored).await.map_err(ApiError::from)?;
    }
    if restored.problems.is_empty() { Ok(()) } else { Err(restored.problems.join("\n").into()) }
}

async fn apply(services: &Services, ledger: Option<&Path>) -> Result<Restored, Box<dyn std::error::Error>> {
    services.require_set_up().await?;
    services.require_writable().await?;
    services.migrate().await?;
    let restored = services.admin().apply_ledger(ledger).await.map_err(ApiError::from)?;
    report(&restored, ledger);
    Ok(restored)
}

fn report(restored: &Restored, ledger: Option<&Path>) {
    let latest = restored.latest.map_or_else(|| "-".to_owned(), time);
    output::message(format!("The latest change in the backup is of {latest}. Later ones are lost."));
    if ledger.is_some() {
        output::message(format!(
            "Done again from the revocation ledger: {} revoked, {} removed, {} deleted.",
            counted(restored.keys.into(), "key"),
            counted(restored.members.into(), "member"),
            counted(restored.accounts.into(), "service account")
        ));
        for email in &restored.passwords {
            output::message(format!(
                "{email} had changed the password, so the old one doesn't work. Set one with latchkey admin change-password."
            ));
        }
    } else {
        output::message(format!(
            "Without a ledger, it isn't known what was revoked after {latest}. These keys, members and passwords work again."
        ));
    }
    output::message("All sessions, open invitations and calendar feeds were ended.");
}

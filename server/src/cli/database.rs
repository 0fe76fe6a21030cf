//! The commands that act on the whole database: `migrate`, `check`, `backup`.

use std::path::Path;

use domain::ApiError;
use service::Services;

use super::{outcome::Outcome, output};

pub(super) async fn migrate(services: &Services) -> Outcome {
    services.require_writable().await?;
    let applied = services.migrate().await?;
    if applied.is_empty() {
        output::message("The database is up to date.");
    } else {
        output::message(format!("Applied migrations {applied:?}."));
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
        output::message("No problems found.");
        return Ok(());
    }
    Err(problems.join("\n").into())
}

pub(super) async fn backup(services: &Services, file: &Path) -> Outcome {
    // Of any version, so that a new one can back up the database before it migrates it.
    services.require_set_up().await?;
    let backup = services.admin().backup(file).await.map_err(ApiError::from)?;
    let counts = backup.counts;
    output::message(format!(
        "Wrote and checked {}: tenants: {}, people: {}, keys: {}, audit entries: {}.",
        file.display(),
        counts.tenants,
        counts.users,
        counts.keys,
        counts.entries
    ));
    if let Some(key_file) = services.secret_key_file() {
        output::message(format!(
            "The backup doesn't contain the secret keys. Back up {} separately.",
            key_file.display()
        ));
    }
    if backup.problems.is_empty() {
        return Ok(());
    }
    let problems = backup.problems.join("\n");
    Err(format!("The backup was written, but the database has problems, and so has the backup:\n{problems}").into())
}

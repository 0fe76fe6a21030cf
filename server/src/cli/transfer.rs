//! The command `move`.

use clap::{Args, builder::NonEmptyStringValueParser};
use domain::ApiError;
use service::{Clock, MoveError, Settings};

use super::{outcome::Outcome, output};

#[derive(Args, Debug)]
pub(super) struct Move {
    /// URL of an empty PostgreSQL database
    #[arg(long, env = "LATCHKEY_MOVE_TO", hide_env_values = true, value_name = "URL", value_parser = NonEmptyStringValueParser::new())]
    to: String,
}

/// Copies the database of the settings to another one. Opens both itself.
pub(super) async fn run(settings: &Settings, options: Move) -> Outcome {
    let tables = service::move_database(&settings.database_url, &options.to, settings.postgres, Clock::system())
        .await
        .map_err(|error| match error {
            MoveError::Refused(error) => ApiError::from(error).to_string(),
            other => other.to_string(),
        })?;
    for table in tables {
        output::line(format!("{}\t{}\t{}", table.name, table.rows, table.digest))?;
    }
    output::message(
        "All rows were copied, read again and compared, and the audit log was verified. Set LATCHKEY_DATABASE_URL to the \
         new database, and move the SQLite file away, so that no server uses it any more.",
    );
    let keys = service::secret_key_file_of(&settings.database_url).filter(|file| file.exists());
    if let Some(file) = keys {
        output::message(format!(
            "The secret keys stay where they are. Set LATCHKEY_SECRET_KEY_FILE={}.",
            file.display()
        ));
    }
    let ledger = service::ledger_of(&settings.database_url).filter(|file| file.exists());
    if let Some(file) = ledger {
        output::message(format!("So does the revocation ledger. Set LATCHKEY_REVOCATION_LEDGER={}.", file.display()));
    }
    Ok(())
}

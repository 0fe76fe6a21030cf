//! Where the secret keys are kept, and the commands for them.

use std::path::PathBuf;

use clap::{Args, Subcommand, builder::NonEmptyStringValueParser};
use domain::Secret;
use service::{SecretKeys, Services, create_secret_key_file};

use super::{
    outcome::{Answer, Failure, Outcome},
    output,
};

/// What to do when there is no file that a command could act on.
const NO_FILE: &str = "Name the file with --secret-key-file.";

#[derive(Args, Clone, Debug)]
pub(super) struct SecretKeyArgs {
    #[arg(
        long,
        global = true,
        env = "LATCHKEY_SECRET_KEY_FILE",
        value_name = "FILE",
        help_heading = "Database",
        help = "File with the keys that encrypt secrets in the database, such as those of two-factor authentication \
          [default: beside an SQLite database, with .key at the end of its name]"
    )]
    secret_key_file: Option<PathBuf>,
    #[arg(
        long,
        global = true,
        env = "LATCHKEY_SECRET_KEY",
        hide_env_values = true,
        value_parser = NonEmptyStringValueParser::new(),
        conflicts_with = "secret_key_file",
        value_name = "KEYS",
        help_heading = "Database",
        help = "The keys themselves instead of a file: 32 random bytes in Base64, separated by commas. Set the \
          environment variable, because other users may read flags"
    )]
    secret_key: Option<String>,
}

impl SecretKeyArgs {
    /// Returns where the keys are kept.
    pub(super) fn keys(&self) -> SecretKeys {
        match (&self.secret_key, &self.secret_key_file) {
            (Some(text), _) => SecretKeys::Text(Secret::new(text.clone())),
            (None, Some(path)) => SecretKeys::File(path.clone()),
            (None, None) => SecretKeys::Beside,
        }
    }

    /// Returns the file with the keys of a database.
    fn file(&self, database_url: &str) -> Option<PathBuf> {
        if self.secret_key.is_some() {
            return None;
        }
        self.secret_key_file.clone().or_else(|| service::secret_key_file_of(database_url))
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum SecretsCommand {
    /// Create the file with the first secret key; prints the key's id
    ///
    /// For SQLite, serve creates the file by itself. Several servers of a PostgreSQL database need the same file.
    Init,
    #[command(flatten)]
    Stored(StoredSecrets),
}

/// The commands that change the secrets in the database.
#[derive(Debug, Subcommand)]
pub(super) enum StoredSecrets {
    /// Encrypt the database's secrets with a new key and remove the old ones from the file; prints the new key's id
    ///
    /// Servers may go on running. If each has its own copy of the file, run the command with --prepare first, copy the
    /// file to all of them, run it without --prepare, and copy the file again. Backups of the database from before need
    /// a copy of the old file. Uses a key in the file that the database doesn't know yet, if there is one.
    Rotate {
        /// Only add a new key to the file
        #[arg(long)]
        prepare: bool,
    },
    /// Give up secrets whose key is lost: turns off two-factor authentication for their users
    DiscardLost,
}

/// Creates the file with the first key. Needs no database.
pub(super) fn init(args: &SecretKeyArgs, database_url: &str) -> Answer {
    let file = args.file(database_url).ok_or_else(|| Failure::Other(NO_FILE.to_owned()))?;
    let id = create_secret_key_file(&file)?;
    output::message(format!("Created {}. Keep a copy of it, but not with backups of the database.", file.display()));
    output::line(id)
}

pub(super) async fn run(services: &Services, command: StoredSecrets) -> Outcome {
    services.require_migrated().await?;
    services.require_writable().await?;
    Ok(answer(services, command).await?)
}

async fn answer(services: &Services, command: StoredSecrets) -> Answer {
    let admin = services.admin();
    match command {
        StoredSecrets::Rotate { prepare: true } => {
            let id = admin.prepare_secret_key()?;
            output::message("Added the key. It is used after the next latchkey secrets rotate.");
            output::line(id)
        }
        StoredSecrets::Rotate { prepare: false } => {
            let rotation = admin.rotate_secret_keys().await?;
            output::message(format!("Encrypted secrets again: {}.", rotation.values));
            if !rotation.retired.is_empty() {
                let retired = rotation.retired.join(", ");
                output::message(format!("No longer needed, except by backups from before: {retired}."));
            }
            output::line(rotation.key_id)
        }
        StoredSecrets::DiscardLost => {
            let count = admin.discard_lost_secrets().await?;
            output::message(format!("Users whose two-factor authentication was turned off: {count}."));
            Ok(())
        }
    }
}

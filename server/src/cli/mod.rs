//! The command line: `serve`, `migrate`, `admin …`, `backup`, `audit …`, `check`. Ids, tokens, lists and reports go to
//! standard output, messages to standard error.

mod accounts;
mod database;
mod help;
mod input;
mod key_row;
mod keys;
mod list;
mod outcome;
mod people;
mod serve;
mod tenants;

use std::{path::PathBuf, process::ExitCode};

use chrono::TimeDelta;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use domain::ApiError;
use service::{Clock, Services, Settings};

use self::outcome::Outcome;
use crate::{assets::Embedded, demo};

/// API keys for people and service accounts: dashboard, GraphQL API and verification.
#[derive(Debug, Parser)]
#[command(name = "latchkey", version, after_help = help::EXAMPLES)]
pub struct Cli {
    #[command(flatten)]
    database: Database,
    #[command(subcommand)]
    command: Command,
}

impl Cli {
    /// Reads the arguments and environment variables of the process. Exits with 2 if they are invalid, and with 0 after
    /// printing a help text.
    pub fn from_process() -> Self {
        let command = help::without_empty_variables(help::with_groups(Self::command()));
        Self::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
    }
}

#[derive(Args, Debug)]
struct Database {
    #[arg(
        long,
        global = true,
        env = "LATCHKEY_DATABASE_URL",
        default_value = "sqlite:latchkey.db",
        hide_env_values = true,
        value_name = "URL",
        help = "Database: sqlite:FILE, or postgres://user@host/database",
        help_heading = "Database"
    )]
    database_url: String,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the dashboard and the APIs
    Serve(serve::Serve),
    /// Create the database, or migrate it to this version
    Migrate,
    /// Manage tenants, people, service accounts and keys
    #[command(subcommand)]
    Admin(Admin),
    #[command(about = "Copy an SQLite database to a new file, even while it is in use")]
    Backup {
        /// The file to create; an existing file is never overwritten
        file: PathBuf,
    },
    /// Inspect the audit log
    #[command(subcommand)]
    Audit(database::Audit),
    /// Check the database for damage; exits with 1 if there is any
    Check,
    /// Fill an empty database with demo data
    #[command(hide = true)]
    FillDemo,
}

#[derive(Debug, Subcommand)]
enum Admin {
    #[command(flatten)]
    Tenants(tenants::TenantCommand),
    #[command(flatten)]
    People(people::PeopleCommand),
    #[command(flatten)]
    Accounts(accounts::AccountCommand),
    #[command(flatten)]
    Keys(keys::KeyCommand),
}

impl Command {
    /// Whether the command creates a missing database. For any other, a missing database is a mistyped URL.
    fn creates_database(&self) -> bool {
        match self {
            Self::Serve(options) => options.migrates(),
            Self::Migrate | Self::FillDemo => true,
            Self::Admin(_) | Self::Backup { .. } | Self::Audit(_) | Self::Check => false,
        }
    }
}

/// Runs a command. Returns 0 on success, 1 on failure or refusal. `embedded`: the browser files that `serve` serves
/// unless it is given a folder.
pub async fn run(cli: Cli, embedded: Embedded) -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_env("LATCHKEY_LOG").unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match dispatch(cli, embedded).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("latchkey: {}", text_of(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

/// Returns the message of an error. If several values are invalid, it names each of them.
fn text_of(error: &(dyn std::error::Error + 'static)) -> String {
    match error.downcast_ref::<ApiError>() {
        Some(error) if error.fields.len() > 1 => {
            let fields = error.fields.iter().map(|field| format!("{}: {}", field.field, field.message));
            fields.collect::<Vec<_>>().join("\n")
        }
        _ => error.to_string(),
    }
}

async fn dispatch(cli: Cli, embedded: Embedded) -> Outcome {
    let create_missing = cli.command.creates_database();
    let mut settings = Settings { create_missing, ..Settings::new(cli.database.database_url) };
    if let Command::Serve(options) = &cli.command {
        settings.mail = options.mail();
        settings.confirm_after = TimeDelta::seconds(options.confirm_after.into());
    }
    let clock = Clock::system();
    if matches!(cli.command, Command::FillDemo) {
        return demo::fill(&settings, clock.now()).await;
    }
    let services = Services::open(&settings, clock).await?;
    let outcome = match cli.command {
        Command::Serve(options) => serve::run(&services, options, embedded).await,
        Command::Migrate => database::migrate(&services).await,
        Command::Admin(command) => administer(&services, command).await,
        Command::Backup { file } => database::backup(&services, &file).await,
        Command::Audit(command) => database::audit(&services, command).await,
        Command::Check => database::check(&services).await,
        Command::FillDemo => Ok(()),
    };
    services.close().await;
    outcome
}

async fn administer(services: &Services, command: Admin) -> Outcome {
    services.require_migrated().await?;
    services.require_writable().await?;
    Ok(answer(services, command).await?)
}

async fn answer(services: &Services, command: Admin) -> Result<(), ApiError> {
    match command {
        Admin::Tenants(command) => tenants::run(services, command).await,
        Admin::People(command) => people::run(services, command).await,
        Admin::Accounts(command) => accounts::run(services, command).await,
        Admin::Keys(command) => keys::run(services, command).await,
    }
}

#[cfg(test)]
mod tests {
    use super::{help::with_groups, *};

    fn all_arguments(command: &clap::Command) -> Vec<(String, String)> {
        let own = command.get_arguments().map(|arg| {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            (format!("{} {}", command.get_name(), arg.get_id()), help)
        });
        own.chain(command.get_subcommands().flat_map(all_arguments)).collect()
    }

    #[test]
    fn every_argument_has_a_help_text_without_markup() {
        let command = with_groups(Cli::command());
        command.clone().debug_assert();
        let arguments = all_arguments(&command);
        assert!(arguments.len() > 50);
        for (name, help) in arguments {
            assert!(!help.is_empty(), "{name} has no help text");
            assert!(!help.contains('`') && !help.contains("&lt;"), "{name}: {help}");
        }
    }

    #[test]
    fn the_help_of_admin_lists_every_command() {
        let mut command = with_groups(Cli::command());
        let admin = command.find_subcommand_mut("admin").unwrap();
        let help = admin.render_long_help().to_string();
        // Clap adds `help` itself.
        for name in admin.get_subcommands().map(clap::Command::get_name).filter(|name| *name != "help") {
            assert!(help.contains(&format!("\n  {name} ")), "{name}: {help}");
        }
    }
}

//! The command line: `serve`, `migrate`, `admin …`, `apply`, `backup`, `restore`, `move`, `import`, `audit …`, `check`, `config check`. Ids, tokens, lists and
//! reports go to standard output, messages to standard error.

mod accounts;
mod announce;
mod apply;
mod audit;
mod config_check;
mod database;
mod examples;
mod gateways;
mod generate_token;
mod grpc;
mod health;
mod help;
mod import;
mod input;
mod key_row;
mod keys;
mod list;
mod listen;
mod log;
mod metrics;
mod outcome;
mod output;
mod people;
mod postgres;
mod restore;
mod scan;
mod scopes;
mod secrets;
mod serve;
mod settings;
mod shell;
mod sources;
mod stop;
mod tenants;
mod transfer;

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, builder::NonEmptyStringValueParser};
use service::{Clock, OpenError, Services, Settings};

pub use self::log::PANIC_TARGET;
use self::outcome::{Answer, Outcome};
use crate::{assets::Embedded, config::SiteError, demo, traces::Traces};

/// API keys for people and service accounts: dashboard, GraphQL API and verification.
#[derive(Debug, Parser)]
#[command(name = "latchkey", version)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
    /// Where the settings of the command come from.
    #[arg(skip)]
    report: settings::Report,
}

impl Cli {
    /// Reads the arguments, the environment variables and the configuration file. Exits with 2 if they are invalid, and
    /// with 0 after printing a help text.
    pub fn from_process() -> Self {
        let args: Vec<OsString> = std::env::args_os().collect();
        Self::parse_from_sources(&args, &sources::environment()).unwrap_or_else(|error| error.exit())
    }

    /// Starts the log and, for a server, the traces. Returns the latter.
    fn start_log(&self) -> Option<Traces> {
        if !matches!(self.command, Command::OnDatabase(OnDatabase::Serve(_))) {
            self.common.log.start();
            return None;
        }
        // A collector that can't be used is no reason not to serve.
        let (traces, problem) = match Traces::start() {
            Ok(traces) => (traces, None),
            Err(problem) => (None, Some(problem)),
        };
        self.common.log.start_in_background(traces.as_ref());
        if let Some(problem) = problem {
            tracing::warn!(problem, "traces are off");
        }
        traces
    }

    fn parse_from_sources(args: &[OsString], env: &sources::Environment) -> Result<Self, clap::Error> {
        let (matches, report) = settings::parse(help::complete(Self::command()), args, env)?;
        let mut cli = Self { report, ..Self::from_arg_matches(&matches)? };
        let gateways = std::mem::take(&mut cli.report.gateways);
        match &mut cli.command {
            Command::OnDatabase(OnDatabase::Serve(serve)) => serve.gateways.of_file = gateways,
            Command::Config(config_check::ConfigCommand::Check(check)) => check.serve.gateways.of_file = gateways,
            _ => (),
        }
        Ok(cli)
    }
}

/// The settings of all commands.
#[derive(Args, Debug)]
struct Common {
    #[arg(
        long,
        global = true,
        env = "LATCHKEY_DATABASE_URL",
        default_value = "sqlite:latchkey.db",
        hide_env_values = true,
        value_parser = NonEmptyStringValueParser::new(),
        value_name = "URL",
        help = "Database: sqlite:FILE, or postgres://user@host/database",
        help_heading = "Database"
    )]
    database_url: String,
    #[command(flatten)]
    postgres: postgres::Postgres,
    #[command(flatten)]
    secret_keys: secrets::SecretKeyArgs,
    #[command(flatten)]
    ledger: restore::LedgerArgs,
    #[arg(
        long,
        global = true,
        env = "LATCHKEY_CONFIG",
        value_name = "FILE",
        help = "Configuration file in TOML, with settings such as listen = \"127.0.0.1:3000\"; environment variables and \
          flags take precedence",
        help_heading = "Configuration"
    )]
    config: Option<PathBuf>,
    #[command(flatten)]
    log: log::Log,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    OnDatabase(OnDatabase),
    /// Restore a backup, and revoke again what was revoked since
    ///
    /// Revocations, removed members, deleted service accounts and changed passwords come from the revocation ledger, which
    /// the server keeps beside an SQLite database. Sessions, open invitations and calendar feeds of the backup end. What
    /// else was changed since the backup is lost: roles, suspensions, policies and rotations are those of the backup.
    Restore(restore::Restore),
    /// Copy an SQLite database to an empty PostgreSQL database, and verify the copy
    ///
    /// No server may use either. Prints a line for each table: its name, the number of its rows, and their SHA-256, which
    /// are the same on both sides.
    Move(transfer::Move),
    /// Find tokens of API keys in files
    ///
    /// Needs no database: a token has a checksum. With a database, prints what it knows about each token's key. Never
    /// prints a token. Columns: path, line and byte; first characters of the token; first digits of its SHA-256; how it is
    /// written; and with a database: state, id, tenant, owner, name. Exits with 1 if there are tokens, and with 2 if not
    /// everything could be searched.
    Scan(scan::Scan),
    /// Print a new token that belongs to no key yet
    ///
    /// For the token files of latchkey apply. Needs no database.
    GenerateToken(generate_token::GenerateToken),
    /// Manage the keys that encrypt secrets in the database
    #[command(subcommand)]
    Secrets(secrets::SecretsCommand),
    /// Show the settings
    #[command(subcommand)]
    Config(config_check::ConfigCommand),
    /// Ask a running server whether it is ready; exits with 1 if it isn't
    Health(health::Health),
    /// Print a script with completions for a shell
    Completions {
        /// Shell that reads the script
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Write manual pages
    Man {
        /// Folder for the pages, one for each command
        folder: PathBuf,
    },
    /// Fill an empty database with demo data
    #[command(hide = true)]
    FillDemo,
}

/// The commands that open the database and use it.
#[derive(Debug, Subcommand)]
enum OnDatabase {
    /// Serve the dashboard and the APIs
    Serve(Box<serve::Serve>),
    /// Create the database, or migrate it to this version
    Migrate,
    /// Manage tenants, people, service accounts and keys
    #[command(subcommand)]
    Admin(Admin),
    /// Bring scopes, tenants, service accounts, key policies and keys to the state that a file describes
    ///
    /// The file is TOML and described in server/docs/apply.md. Everything is checked before the first change, and applied
    /// again, the same file changes nothing. Prints a line for each step: + create, ~ change, - remove. Removes nothing
    /// without --prune, and never tenants, people, or people's keys.
    Apply(apply::Apply),
    #[command(about = "Copy an SQLite database to a new file, even while it is in use")]
    Backup {
        /// The file to create; an existing file is never overwritten
        file: PathBuf,
    },
    #[command(
        about = "Create keys for the tokens of another system, of which it has stored the SHA-256",
        long_about = "Create keys for the tokens of another system, of which it has stored the SHA-256.\n\n\
            Reads JSON lines with the members owner (the email address of a member, or the name or the id of a service \
            account), name and sha256, and optionally scopes, expires_at, hint, allowed_addresses, rate_limit and tenant. \
            Every line is checked before the first key is created. A key that the same owner already has is skipped, so \
            that an import can be repeated."
    )]
    Import(import::Import),
    /// Inspect the audit log
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Check the database for damage; exits with 1 if there is any
    Check,
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
    #[command(flatten)]
    Scopes(scopes::ScopeCommand),
}

impl Command {
    /// Whether the command creates a missing database. For any other, a missing database is a mistyped URL.
    fn creates_database(&self) -> bool {
        match self {
            Self::OnDatabase(OnDatabase::Serve(options)) => options.migrates(),
            Self::Config(config_check::ConfigCommand::Check(check)) => check.serve.migrates(),
            Self::OnDatabase(OnDatabase::Migrate) | Self::FillDemo => true,
            _ => false,
        }
    }
}

/// Runs a command. Returns 0 on success, 1 on failure or refusal, 2 for an invalid setting or an incomplete search.
/// `embedded`: the browser files that `serve` serves
/// unless it is given a folder.
pub async fn run(cli: Cli, embedded: Embedded) -> ExitCode {
    let traces = cli.start_log();
    // Boxed, because it is as large as that of the largest command.
    let outcome = Box::pin(dispatch(cli, embedded, traces.as_ref())).await;
    log::flush();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::message(format!("latchkey: {error}"));
            if exits_with_2(error.as_ref()) { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

/// Whether an error is about a setting whose value clap accepted, or a search that is incomplete.
fn exits_with_2(error: &(dyn std::error::Error + 'static)) -> bool {
    let is_of_database = matches!(error.downcast_ref(), Some(OpenError::Url | OpenError::Mail(_)));
    let is_incomplete = matches!(error.downcast_ref(), Some(scan::ScanError::Incomplete(_)));
    is_of_database || is_incomplete || error.is::<SiteError>() || error.is::<serve::InvalidSettings>()
}

async fn dispatch(cli: Cli, embedded: Embedded, traces: Option<&Traces>) -> Outcome {
    let create_missing = cli.command.creates_database();
    let mut settings = Settings {
        create_missing,
        postgres: cli.common.postgres.options(),
        secret_keys: cli.common.secret_keys.keys(),
        revocation_ledger: cli.common.ledger.revocation_ledger,
        ..Settings::new(cli.common.database_url)
    };
    match cli.command {
        Command::Config(command) => config_check::run(command, settings, cli.report),
        Command::Health(options) => health::run(options).await,
        Command::Completions { shell } => Ok(shell::print_completions(help::complete(Cli::command()), shell)?),
        Command::Man { folder } => Ok(shell::write_manual(help::complete(Cli::command()), &folder)?),
        Command::Restore(options) => restore::run(settings, options).await,
        Command::Move(options) => transfer::run(&settings, options).await,
        Command::Scan(options) => {
            scan::run(options, cli.report.is_set("LATCHKEY_DATABASE_URL").then_some(&settings)).await
        }
        Command::GenerateToken(options) => generate_token::run(&options),
        Command::FillDemo => demo::fill(&settings, Clock::system().now()).await,
        Command::Secrets(secrets::SecretsCommand::Init) => {
            Ok(secrets::init(&cli.common.secret_keys, &settings.database_url)?)
        }
        Command::Secrets(secrets::SecretsCommand::Stored(command)) => {
            with_database(&settings, traces, async |services| secrets::run(services, command).await).await
        }
        Command::OnDatabase(command) => {
            if let OnDatabase::Serve(options) = &command {
                options.configure(&mut settings);
                // The warnings follow once the address is known.
                options.validate(&settings).map_err(serve::InvalidSettings::into_cause)?;
                cli.report.warn();
            }
            with_database(&settings, traces, async |services| command.run(services, embedded).await).await
        }
    }
}

/// Opens the database for `work`, and closes it afterwards.
async fn with_database(
    settings: &Settings,
    traces: Option<&Traces>,
    work: impl AsyncFnOnce(&Services) -> Outcome,
) -> Outcome {
    let services = Services::open(settings, Clock::system()).await?;
    let outcome = work(&services).await;
    let finish_traces = async {
        if let Some(traces) = traces {
            traces.finish().await;
        }
    };
    tokio::join!(services.close(), finish_traces);
    outcome
}

impl OnDatabase {
    async fn run(self, services: &Services, embedded: Embedded) -> Outcome {
        match self {
            Self::Serve(options) => serve::run(services, *options, embedded).await,
            Self::Migrate => database::migrate(services).await,
            Self::Admin(command) => administer(services, command).await,
            Self::Apply(options) => apply_file(services, options).await,
            Self::Backup { file } => database::backup(services, &file).await,
            Self::Import(options) => import_keys(services, options).await,
            Self::Audit(command) => audit::run(services, command).await,
            Self::Check => database::check(services).await,
        }
    }
}

async fn apply_file(services: &Services, options: apply::Apply) -> Outcome {
    if options.dry_run {
        // It writes nothing, also no revocation ledger.
        services.require_migrated().await?;
    } else {
        require_changeable(services).await?;
    }
    Ok(apply::run(services, options).await?)
}

async fn administer(services: &Services, command: Admin) -> Outcome {
    if command.only_reads() {
        services.require_migrated().await?;
    } else {
        require_changeable(services).await?;
    }
    Ok(answer(services, command).await?)
}

async fn import_keys(services: &Services, options: import::Import) -> Outcome {
    require_changeable(services).await?;
    Ok(Box::pin(import::run(services, options)).await?)
}

/// Refuses to change a database that isn't ready for it.
async fn require_changeable(services: &Services) -> Outcome {
    services.require_migrated().await?;
    services.require_writable().await?;
    Ok(services.open_ledger().await?)
}

impl Admin {
    /// Whether the command changes nothing, so that it also works with a read-only copy of a database.
    fn only_reads(&self) -> bool {
        matches!(
            self,
            Self::Tenants(tenants::TenantCommand::ListTenants { .. })
                | Self::People(
                    people::PeopleCommand::ListUsers { .. }
                        | people::PeopleCommand::ListMembers { .. }
                        | people::PeopleCommand::ListInvitations { .. }
                )
                | Self::Accounts(accounts::AccountCommand::ListServiceAccounts { .. })
                | Self::Keys(keys::KeyCommand::ListKeys(_) | keys::KeyCommand::ListKeyRefusals { .. })
                | Self::Scopes(scopes::ScopeCommand::ListScopes { .. })
        )
    }
}

async fn answer(services: &Services, command: Admin) -> Answer {
    match command {
        Admin::Tenants(command) => tenants::run(services, command).await,
        Admin::People(command) => people::run(services, command).await,
        Admin::Accounts(command) => accounts::run(services, command).await,
        Admin::Keys(command) => keys::run(services, command).await,
        Admin::Scopes(command) => scopes::run(services, command).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command() -> clap::Command {
        help::complete(Cli::command())
    }

    fn all_arguments(command: &clap::Command) -> Vec<(String, String)> {
        let own = command.get_arguments().map(|arg| {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            (format!("{} {}", command.get_name(), arg.get_id()), help)
        });
        own.chain(command.get_subcommands().flat_map(all_arguments)).collect()
    }

    /// Returns every command that a help text lists, with its path, such as `admin create-key`.
    fn all_commands(command: &clap::Command, path: &str) -> Vec<(String, clap::Command)> {
        let shown = command.get_subcommands().filter(|inner| !inner.is_hide_set());
        let inner = shown.flat_map(|inner| all_commands(inner, format!("{path} {}", inner.get_name()).trim_start()));
        std::iter::once((path.to_owned(), command.clone())).chain(inner).collect()
    }

    #[test]
    fn every_argument_has_a_help_text_without_markup() {
        let command = command();
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
        let mut command = command();
        let admin = command.find_subcommand_mut("admin").unwrap();
        let help = admin.render_long_help().to_string();
        // Clap adds `help` itself.
        for name in admin.get_subcommands().map(clap::Command::get_name).filter(|name| *name != "help") {
            assert!(help.contains(&format!("\n  {name} ")), "{name}: {help}");
        }
    }

    #[test]
    fn the_operating_guide_lists_every_setting_with_its_default() {
        let guide = include_str!("../../docs/operations.md");
        let command = command();
        let serve = command.find_subcommand("serve").unwrap();
        let mut variables = Vec::new();
        for arg in command.get_arguments().chain(serve.get_arguments()) {
            let Some(variable) = arg.get_env().and_then(|name| name.to_str()) else { continue };
            let begin = format!("| `{variable}` | `--{}` | ", arg.get_long().unwrap());
            let row = guide.lines().find(|line| line.starts_with(&begin));
            let row = row.unwrap_or_else(|| panic!("operations.md has no row {begin}"));
            for default in arg.get_default_values() {
                assert!(row.contains(&format!("| `{}` |", default.to_string_lossy())), "{row}");
            }
            variables.push(variable.to_owned());
        }
        for row in guide.lines().filter(|line| line.starts_with("| `LATCHKEY_")) {
            let variable = row.split('`').nth(1).unwrap();
            assert!(variables.iter().any(|known| known == variable), "not a setting: {row}");
        }
    }

    #[test]
    fn every_help_text_has_examples_of_its_command_that_can_be_parsed() {
        let commands = all_commands(&command(), "");
        assert!(commands.len() > 45);
        for (path, mut command) in commands {
            let help = command.render_long_help().to_string();
            let examples = help.split("Examples:\n").nth(1).unwrap_or_else(|| panic!("{path} has no examples"));
            let examples: Vec<&str> = examples.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
            assert!(!examples.is_empty(), "{path}");
            for example in examples {
                assert!(example.starts_with(format!("latchkey {path}").trim_end()), "{path}: {example}");
                let command_line = example.split(['<', '>']).next().unwrap();
                let words = command_line.split_whitespace().map(|word| OsString::from(word.trim_matches('\'')));
                // A quoted name of two words is two words here, so the second one is left out.
                let words: Vec<OsString> = words
                    .filter(|word| !["Robotics", "Industries", "Hopper"].iter().any(|second| word == second))
                    .collect();
                let parsed = settings::parse(self::command(), &words, &sources::Environment::new());
                let error = parsed.err().filter(clap::Error::use_stderr).map(|error| error.to_string());
                // The example of a configuration file names one that needn't exist here.
                assert!(
                    error.as_ref().is_none_or(|error| error.contains("/etc/latchkey.toml")),
                    "{example}: {error:?}"
                );
            }
        }
    }
}

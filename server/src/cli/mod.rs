//! The command line: `serve`, `migrate`, `admin …`, `backup`, `audit …`, `check`. Ids, tokens and reports go to
//! standard output, messages to standard error.

mod accounts;
mod input;
mod keys;
mod people;
mod tenants;

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use chrono::TimeDelta;
use clap::{Args, Parser, Subcommand};
use domain::{ApiError, Secret};
use service::{Clock, MailSettings, Services, Settings};

use crate::{
    accept,
    assets::{Assets, Embedded, Source},
    config, demo, router,
};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// API keys for people and service accounts: dashboard, GraphQL API and verification.
#[derive(Debug, Parser)]
#[command(name = "latchkey", version)]
pub struct Cli {
    #[command(flatten)]
    database: Database,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args, Debug)]
struct Database {
    /// Database URL: sqlite:FILE, or <postgres://user@host/database>
    #[arg(
        long,
        global = true,
        env = "LATCHKEY_DATABASE_URL",
        default_value = "sqlite:latchkey.db",
        hide_env_values = true
    )]
    database_url: String,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the dashboard and the APIs
    Serve(Serve),
    /// Migrate the database to this version
    Migrate,
    /// Manage tenants, people, service accounts and keys
    #[command(subcommand)]
    Admin(Admin),
    /// Copy an `SQLite` database to a new file while it is in use
    Backup {
        /// The file to create
        file: PathBuf,
    },
    /// Inspect the audit log
    #[command(subcommand)]
    Audit(Audit),
    /// Check the database for damage; exits with 1 if there is any
    Check,
    /// Fill an empty database with demo data
    #[command(hide = true)]
    FillDemo,
}

#[derive(Args, Debug)]
struct Serve {
    /// Address to listen on
    #[arg(long, env = "LATCHKEY_LISTEN", default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
    /// URL at which browsers reach the site [default: http:// and the listening address]
    #[arg(long, env = "LATCHKEY_PUBLIC_URL")]
    public_url: Option<String>,
    /// Proxy whose X-Forwarded-For is trusted: an address or a network; separate several with commas
    #[arg(long, env = "LATCHKEY_TRUSTED_PROXY", value_delimiter = ',', value_parser = config::parse_proxy)]
    trusted_proxy: Vec<ipnet::IpNet>,
    /// Allow http in the public URL beyond loopback; tokens are then sent unencrypted
    #[arg(long, env = "LATCHKEY_INSECURE_HTTP")]
    insecure_http: bool,
    /// Refuse to start instead of migrating the database
    #[arg(long, env = "LATCHKEY_NO_MIGRATE")]
    no_migrate: bool,
    /// Mail server: <smtps://user:password@host> or <smtp://host:587?tls=required>; without it, no email is sent
    #[arg(long, env = "LATCHKEY_SMTP_URL", hide_env_values = true, requires = "mail_from", requires = "public_url")]
    smtp_url: Option<String>,
    /// Sender of emails, such as `Latchkey <keys@example.org>`
    #[arg(long, env = "LATCHKEY_MAIL_FROM")]
    mail_from: Option<String>,
    /// Seconds after sign-in until creating a key or other lasting access requires the password again
    #[arg(long, env = "LATCHKEY_CONFIRM_AFTER", default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=600))]
    confirm_after: u32,
    /// Maximum number of concurrent connections
    #[arg(long, env = "LATCHKEY_MAX_CONNECTIONS", default_value_t = 10_000)]
    max_connections: usize,
    /// Folder with built browser files, used instead of those in the binary
    #[arg(long, env = "LATCHKEY_SITE_ROOT")]
    site_root: Option<PathBuf>,
}

impl Serve {
    fn mail(&self) -> Option<MailSettings> {
        Some(MailSettings {
            smtp_url: Secret::new(self.smtp_url.clone()?),
            from: self.mail_from.clone()?,
            public_url: self.public_url.clone()?,
        })
    }
}

#[derive(Debug, Subcommand)]
enum Audit {
    /// Print how many rejected tokens belonged to no key: hour, reason and count, separated by tabs
    Refusals,
    /// Verify the hash chains; exits with 1 if an entry was changed, moved, inserted or removed
    ///
    /// Prints a line for each tenant: slug, number of entries, and hash of the last entry. Stored elsewhere and passed
    /// to `--expect` later, the line proves that no entry up to that one was changed, even by someone who could rewrite
    /// the whole database.
    Verify {
        /// Line printed by an earlier run, SLUG:NUMBER:HASH, that must still be true
        #[arg(long)]
        expect: Vec<String>,
    },
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

/// Runs a command. Returns 0 on success, 1 on failure or refusal. (The parser exits with 2 for invalid arguments.)
/// `embedded`: the browser files that `serve` serves unless it is given a folder.
pub async fn run(cli: Cli, embedded: Embedded) -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_env("LATCHKEY_LOG").unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match dispatch(cli, embedded).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("latchkey: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn dispatch(cli: Cli, embedded: Embedded) -> Outcome {
    let mut settings = Settings::new(cli.database.database_url);
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
        Command::Serve(options) => serve(&services, options, embedded).await,
        Command::Migrate => migrate(&services).await,
        Command::Admin(command) => administer(&services, command).await,
        Command::Backup { file } => Ok(services.admin().backup(&file).await.map_err(ApiError::from)?),
        Command::Audit(Audit::Refusals) => {
            for (hour, reason, count) in services.admin().refusals().await.map_err(ApiError::from)? {
                println!("{}\t{reason}\t{count}", hour.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
            }
            Ok(())
        }
        Command::Audit(Audit::Verify { expect }) => verify_audit_log(&services, &expect).await,
        Command::Check => check(&services).await,
        Command::FillDemo => Ok(()),
    };
    services.close().await;
    outcome
}

async fn migrate(services: &Services) -> Outcome {
    let applied = services.migrate().await?;
    eprintln!(
        "{}",
        if applied.is_empty() {
            "The database is up to date.".to_owned()
        } else {
            format!("Applied migrations {applied:?}.")
        }
    );
    Ok(())
}

async fn check(services: &Services) -> Outcome {
    let missing = services.missing_migrations().await?;
    let problems = if missing.is_empty() {
        services.admin().check().await.map_err(ApiError::from)?
    } else {
        // The other checks read tables that may not exist yet.
        missing.iter().map(|number| format!("migration {number} is missing; run `latchkey migrate`")).collect()
    };
    if problems.is_empty() {
        eprintln!("No problems found.");
        return Ok(());
    }
    Err(problems.join("\n").into())
}

async fn verify_audit_log(services: &Services, expected: &[String]) -> Outcome {
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

async fn serve(services: &Services, options: Serve, embedded: Embedded) -> Outcome {
    let missing = services.missing_migrations().await?;
    if options.no_migrate && !missing.is_empty() {
        return Err("the database is out of date; run `latchkey migrate`".into());
    }
    services.migrate().await?;
    let listener = tokio::net::TcpListener::bind(options.listen)
        .await
        .map_err(|error| format!("can't listen on {}: {error}", options.listen))?;
    let address = listener.local_addr()?;
    let public_url = options.public_url.unwrap_or_else(|| config::default_public_url(address));
    let files = options.site_root.map_or(Source::Embedded(embedded), Source::Folder);
    let site = config::Site::new(&public_url, options.insecure_http, Assets::new(files))?;
    if site.is_secure && options.trusted_proxy.is_empty() {
        tracing::warn!(
            "--trusted-proxy isn't set: all clients appear to come from the TLS proxy and share its rate limits"
        );
    }
    let site = site.behind(options.trusted_proxy);
    let public_url = site.public_url.clone();
    let router = router::build(services.clone(), site);
    if services.set_up().is_needed().await.map_err(ApiError::from)? {
        let link = services.set_up().issue_token();
        println!("Set up Latchkey (this link works once): {public_url}/set-up/{}", link.expose());
    }
    println!("listening on http://{address}");
    accept::serve(listener, router, options.max_connections, shutdown_requested()).await;
    Ok(())
}

/// Waits for Ctrl+C or SIGTERM.
async fn shutdown_requested() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        let terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
        match terminate {
            Ok(mut terminate) => tokio::select! { _ = interrupt => (), _ = terminate.recv() => () },
            Err(_) => drop(interrupt.await),
        }
    }
    #[cfg(not(unix))]
    interrupt.await.ok();
}

async fn administer(services: &Services, command: Admin) -> Outcome {
    if !services.missing_migrations().await?.is_empty() {
        services.migrate().await?;
    }
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

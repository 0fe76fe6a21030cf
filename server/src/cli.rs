//! The command line: `serve`, `migrate`, `admin …`, `backup`, `check`. Ids and tokens alone on standard output, words on
//! standard error.

use std::{io::Read, net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use domain::{ApiError, Secret};
use service::{Actor, AdminOwner, Clock, Services, Settings};

use crate::{accept, assets::Assets, config, demo, router};

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
    /// sqlite:FILE, or <postgres://user@host/database>
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
    /// Bring the database up to this version
    Migrate,
    /// Set up and mend without a browser
    #[command(subcommand)]
    Admin(Admin),
    /// Copy an `SQLite` database into a new file, while it is in use
    Backup {
        /// The file to make
        file: PathBuf,
    },
    /// Look for damage; ends with 1 when there is any
    Check,
    /// Fill an empty database with a believable tenant
    #[command(hide = true)]
    FillDemo,
}

#[derive(Args, Debug)]
struct Serve {
    /// Where to listen
    #[arg(long, env = "LATCHKEY_LISTEN", default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
    /// How browsers reach the site [default: http:// and the listening address]
    #[arg(long, env = "LATCHKEY_PUBLIC_URL")]
    public_url: Option<String>,
    /// Allow a public URL with http beyond loopback: tokens travel in clear
    #[arg(long, env = "LATCHKEY_INSECURE_HTTP")]
    insecure_http: bool,
    /// Refuse to start rather than migrate
    #[arg(long, env = "LATCHKEY_NO_MIGRATE")]
    no_migrate: bool,
    /// How many connections at once
    #[arg(long, env = "LATCHKEY_MAX_CONNECTIONS", default_value_t = 10_000)]
    max_connections: usize,
    /// A folder with built browser files, instead of those in the binary
    #[arg(long, env = "LATCHKEY_SITE_ROOT")]
    site_root: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Admin {
    /// Make a tenant; prints its id
    CreateTenant {
        #[arg(long)]
        name: String,
        /// Short name: lower-case letters, digits, hyphens
        #[arg(long)]
        slug: String,
    },
    /// Make a person a member of a tenant (a new person with a password); prints the id
    CreateUser {
        #[arg(long)]
        email: String,
        #[arg(long)]
        name: Option<String>,
        #[arg(long)]
        tenant: String,
        /// `TENANT_ADMIN`, USER or `READ_ONLY_USER`
        #[arg(long)]
        role: String,
        /// Read the password from standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// Make a service account; prints its id
    CreateServiceAccount {
        #[arg(long)]
        tenant: String,
        #[arg(long)]
        name: String,
        /// `TENANT_ADMIN` (unless said otherwise), USER or `READ_ONLY_USER`
        #[arg(long)]
        role: Option<String>,
    },
    /// Make a key; prints its token, this once
    CreateKey {
        #[arg(long)]
        tenant: String,
        /// A member's e-mail address
        #[arg(long, conflicts_with = "service_account", required_unless_present = "service_account")]
        user: Option<String>,
        /// A service account's id
        #[arg(long)]
        service_account: Option<String>,
        #[arg(long)]
        name: String,
        /// RFC 3339 with an offset; never, when left out
        #[arg(long)]
        expires_at: Option<String>,
    },
    /// End a key for good
    RevokeKey {
        /// Its id
        id: String,
        #[arg(long)]
        tenant: String,
    },
    /// Call a key by another name
    RenameKey {
        /// Its id
        id: String,
        #[arg(long)]
        tenant: String,
        #[arg(long)]
        name: String,
    },
    /// Stop a key for now
    SuspendKey {
        /// Its id
        id: String,
        #[arg(long)]
        tenant: String,
    },
    /// Let a suspended key work again
    ResumeKey {
        /// Its id
        id: String,
        #[arg(long)]
        tenant: String,
    },
    /// Call a service account by another name
    RenameServiceAccount {
        /// Its id
        id: String,
        #[arg(long)]
        tenant: String,
        #[arg(long)]
        name: String,
    },
    /// Give a service account, and all its keys, another role
    ChangeServiceAccountRole {
        /// Its id
        id: String,
        #[arg(long)]
        tenant: String,
        #[arg(long)]
        role: String,
    },
    /// Stop a service account and all its keys for now
    SuspendServiceAccount {
        /// Its id
        id: String,
        #[arg(long)]
        tenant: String,
    },
    /// Let a suspended service account's keys work again
    ResumeServiceAccount {
        /// Its id
        id: String,
        #[arg(long)]
        tenant: String,
    },
    /// End a service account and all its keys
    DeleteServiceAccount {
        /// Its id
        id: String,
        #[arg(long)]
        tenant: String,
    },
    /// Change a member's role
    SetRole {
        #[arg(long)]
        tenant: String,
        #[arg(long)]
        email: String,
        #[arg(long)]
        role: String,
    },
    /// End a membership, and with it the member's keys in the tenant
    RemoveMember {
        #[arg(long)]
        tenant: String,
        #[arg(long)]
        email: String,
    },
    /// Give a person another name
    RenameUser {
        #[arg(long)]
        email: String,
        #[arg(long)]
        name: String,
    },
    /// Set a password and end the person's sessions
    ChangePassword {
        #[arg(long)]
        email: String,
        /// Read the password from standard input
        #[arg(long)]
        password_stdin: bool,
    },
}

/// Runs a command. 0: done; 1: refused or failed (2, from the parser: the words were wrong).
pub async fn run(cli: Cli) -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_env("LATCHKEY_LOG").unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match dispatch(cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("latchkey: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn dispatch(cli: Cli) -> Outcome {
    let settings = Settings { database_url: cli.database.database_url };
    let clock = Clock::system();
    if matches!(cli.command, Command::FillDemo) {
        return demo::fill(&settings, clock.now()).await;
    }
    let services = Services::open(&settings, clock).await?;
    let outcome = match cli.command {
        Command::Serve(options) => serve(&services, options).await,
        Command::Migrate => migrate(&services).await,
        Command::Admin(command) => administer(&services, command).await,
        Command::Backup { file } => Ok(services.admin().backup(&file).await.map_err(ApiError::from)?),
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
    let mut problems = services.admin().check().await.map_err(ApiError::from)?;
    problems.extend(missing.iter().map(|number| format!("migration {number} is missing; run latchkey migrate")));
    if problems.is_empty() {
        eprintln!("No problem found.");
        return Ok(());
    }
    Err(problems.join("\n").into())
}

async fn serve(services: &Services, options: Serve) -> Outcome {
    let missing = services.missing_migrations().await?;
    if options.no_migrate && !missing.is_empty() {
        return Err("the database needs `latchkey migrate` first".into());
    }
    services.migrate().await?;
    let listener = tokio::net::TcpListener::bind(options.listen)
        .await
        .map_err(|error| format!("can't listen on {}: {error}", options.listen))?;
    let address = listener.local_addr()?;
    let public_url = options.public_url.unwrap_or_else(|| config::default_public_url(address));
    let site = config::Site::new(&public_url, options.insecure_http, Assets::new(options.site_root))?;
    let public_url = site.public_url.clone();
    let router = router::build(services.clone(), site);
    if services.set_up().is_needed().await.map_err(ApiError::from)? {
        let link = services.set_up().issue_token();
        println!("Set Latchkey up (this link works once): {public_url}/set-up/{}", link.expose());
    }
    println!("listening on http://{address}");
    accept::serve(listener, router, options.max_connections, end_asked_for()).await;
    Ok(())
}

/// Ready when the process is asked to end.
async fn end_asked_for() {
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
    let admin = services.admin();
    match command {
        Admin::CreateTenant { name, slug } => println!("{}", admin.create_tenant(&name, &slug).await?),
        Admin::CreateUser { email, name, tenant, role, password_stdin } => {
            let password = read_password(password_stdin)?;
            println!("{}", admin.create_user(&email, name.as_deref(), &tenant, &role, &password).await?);
        }
        Admin::CreateServiceAccount { tenant, name, role } => {
            println!("{}", admin.create_service_account(&tenant, &name, role.as_deref()).await?);
        }
        Admin::CreateKey { tenant, user, service_account, name, expires_at } => {
            let owner = match (user, service_account) {
                (Some(email), _) => AdminOwner::User(email),
                (None, id) => AdminOwner::ServiceAccount(id.unwrap_or_default()),
            };
            let issued = admin.create_key(&tenant, owner, &name, expires_at.as_deref()).await?;
            println!("{}", issued.token.expose());
        }
        Admin::RevokeKey { id, tenant } => {
            let (operator, id) = on(&admin, &tenant, &id).await?;
            services.api_keys().revoke(&operator, id).await?;
        }
        Admin::RenameKey { id, tenant, name } => {
            let (operator, id) = on(&admin, &tenant, &id).await?;
            services.api_keys().rename(&operator, id, &name).await?;
        }
        Admin::SuspendKey { id, tenant } => {
            let (operator, id) = on(&admin, &tenant, &id).await?;
            services.api_keys().suspend(&operator, id).await?;
        }
        Admin::ResumeKey { id, tenant } => {
            let (operator, id) = on(&admin, &tenant, &id).await?;
            services.api_keys().resume(&operator, id).await?;
        }
        Admin::RenameServiceAccount { id, tenant, name } => {
            let (operator, id) = on(&admin, &tenant, &id).await?;
            services.service_accounts().rename(&operator, id, &name).await?;
        }
        Admin::ChangeServiceAccountRole { id, tenant, role } => {
            let (operator, id) = on(&admin, &tenant, &id).await?;
            services.service_accounts().change_role(&operator, id, &role).await?;
        }
        Admin::SuspendServiceAccount { id, tenant } => {
            let (operator, id) = on(&admin, &tenant, &id).await?;
            services.service_accounts().suspend(&operator, id).await?;
        }
        Admin::ResumeServiceAccount { id, tenant } => {
            let (operator, id) = on(&admin, &tenant, &id).await?;
            services.service_accounts().resume(&operator, id).await?;
        }
        Admin::DeleteServiceAccount { id, tenant } => {
            let (operator, id) = on(&admin, &tenant, &id).await?;
            services.service_accounts().delete(&operator, id).await?;
        }
        Admin::SetRole { tenant, email, role } => admin.set_role(&tenant, &email, &role).await?,
        Admin::RemoveMember { tenant, email } => admin.remove_member(&tenant, &email).await?,
        Admin::RenameUser { email, name } => admin.rename_user(&email, &name).await?,
        Admin::ChangePassword { email, password_stdin } => {
            admin.change_password(&email, &read_password(password_stdin)?).await?;
        }
    }
    Ok(())
}

/// The operator in a tenant, and the id of what a command is about.
async fn on<T: std::str::FromStr>(admin: &service::Admin<'_>, tenant: &str, id: &str) -> Result<(Actor, T), ApiError> {
    let operator = admin.operator(tenant).await?;
    Ok((operator, id.parse().map_err(|_| ApiError::not_found())?))
}

fn read_password(from_stdin: bool) -> Result<Secret, ApiError> {
    if !from_stdin {
        return Ok(Secret::new(""));
    }
    let mut text = String::new();
    let read = std::io::stdin().take(4_096).read_to_string(&mut text);
    read.map_err(|_| ApiError::field("password", "The password on standard input is not UTF-8."))?;
    Ok(Secret::new(text.trim_end_matches(['\r', '\n'])))
}

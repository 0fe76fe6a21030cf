//! The command `serve`.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, builder::BoolishValueParser};
use domain::{ApiError, Secret};
use service::{MailSettings, Services};

use super::outcome::Outcome;
use crate::{
    accept,
    assets::{Assets, Embedded, Source},
    config, router,
};

#[derive(Args, Debug)]
pub(super) struct Serve {
    /// Address to listen on
    #[arg(long, env = "LATCHKEY_LISTEN", default_value = "127.0.0.1:3000", help_heading = "Network")]
    listen: SocketAddr,
    /// URL at which browsers reach the site [default: http:// and the listening address]
    #[arg(long, env = "LATCHKEY_PUBLIC_URL", value_name = "URL", help_heading = "Network")]
    public_url: Option<String>,
    /// Proxy whose X-Forwarded-For is trusted: an address or a network; separate several with commas
    #[arg(long, env = "LATCHKEY_TRUSTED_PROXY", value_delimiter = ',', value_parser = config::parse_proxy,
          value_name = "ADDRESS", help_heading = "Network")]
    trusted_proxy: Vec<ipnet::IpNet>,
    /// Allow http in the public URL beyond loopback; tokens are then sent unencrypted
    #[arg(long, env = "LATCHKEY_INSECURE_HTTP", value_parser = BoolishValueParser::new(), help_heading = "Network")]
    insecure_http: bool,
    /// Maximum number of concurrent connections
    #[arg(long, env = "LATCHKEY_MAX_CONNECTIONS", default_value_t = 10_000, value_name = "NUMBER",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000), help_heading = "Network")]
    max_connections: u32,
    /// Refuse to start instead of creating or migrating the database
    #[arg(long, env = "LATCHKEY_NO_MIGRATE", value_parser = BoolishValueParser::new(), help_heading = "Database")]
    no_migrate: bool,
    #[arg(
        long,
        env = "LATCHKEY_SMTP_URL",
        hide_env_values = true,
        requires = "mail_from",
        requires = "public_url",
        value_name = "URL",
        help_heading = "Email",
        help = "Mail server: smtps://user:password@host or \
          smtp://host:587?tls=required; without it, no email is sent"
    )]
    smtp_url: Option<String>,
    #[arg(
        long,
        env = "LATCHKEY_MAIL_FROM",
        requires = "smtp_url",
        value_name = "ADDRESS",
        help_heading = "Email",
        help = "Sender of emails, such as Latchkey <keys@example.org>"
    )]
    mail_from: Option<String>,
    /// Seconds after sign-in until creating a key or other lasting access requires the password again
    #[arg(long, env = "LATCHKEY_CONFIRM_AFTER", default_value_t = 600, value_name = "SECONDS",
          value_parser = clap::value_parser!(u32).range(1..=600), help_heading = "Sign-in")]
    pub(super) confirm_after: u32,
    /// Folder with built browser files, used instead of those in the binary
    #[arg(long, env = "LATCHKEY_SITE_ROOT", value_name = "FOLDER", value_parser = folder, help_heading = "Development")]
    site_root: Option<PathBuf>,
}

fn folder(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_dir() { Ok(path) } else { Err("there is no such folder".to_owned()) }
}

impl Serve {
    /// Whether the command may create and migrate the database.
    pub(super) fn migrates(&self) -> bool {
        !self.no_migrate
    }

    pub(super) fn mail(&self) -> Option<MailSettings> {
        Some(MailSettings {
            smtp_url: Secret::new(self.smtp_url.clone()?),
            from: self.mail_from.clone()?,
            public_url: self.public_url.clone()?,
        })
    }
}

/// Serves until Ctrl+C or SIGTERM.
pub(super) async fn run(services: &Services, options: Serve, embedded: Embedded) -> Outcome {
    if options.no_migrate {
        services.require_migrated().await?;
    }
    services.require_writable().await?;
    services.migrate().await?;
    let listener = tokio::net::TcpListener::bind(options.listen)
        .await
        .map_err(|error| format!("Can't listen on {}: {error}", options.listen))?;
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
    let max_connections = options.max_connections.try_into().unwrap_or(usize::MAX);
    accept::serve(listener, router, max_connections, shutdown_requested()).await;
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

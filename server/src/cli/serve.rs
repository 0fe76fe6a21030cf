//! The command `serve`.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use chrono::TimeDelta;
use clap::{Args, builder::BoolishValueParser};
use domain::{ApiError, Secret};
use service::{MailSettings, OpenError, Services};

use super::{
    announce,
    gateways::{self, GatewayOptions},
    grpc::GrpcOptions,
    listen::Listen,
    metrics::MetricsOptions,
    outcome::Outcome,
    stop,
};
use crate::{
    accept,
    assets::{Assets, Embedded, Source},
    authority::Authority,
    config::{self, Site, SiteError},
    metrics::Metrics,
    report_keys::ReportKeys,
    router,
};

#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command")]
pub(super) struct Serve {
    #[command(flatten)]
    listen: Listen,
    /// URL at which browsers reach the site [default: http:// and the listening address]
    #[arg(long, env = "LATCHKEY_PUBLIC_URL", value_name = "URL", value_parser = config::parse_public_url,
          help_heading = "Network")]
    public_url: Option<String>,
    /// Further host under which the site answers, such as latchkey.internal or latchkey:3000; separate several with
    /// commas
    #[arg(long, env = "LATCHKEY_ALLOWED_HOST", value_delimiter = ',', value_parser = config::parse_host,
          value_name = "HOST", help_heading = "Network")]
    allowed_host: Vec<Authority>,
    /// Proxy whose X-Forwarded-For is trusted: an address or a network; separate several with commas
    #[arg(long, env = "LATCHKEY_TRUSTED_PROXY", value_delimiter = ',', value_parser = config::parse_proxy,
          value_name = "ADDRESS", help_heading = "Network")]
    trusted_proxy: Vec<ipnet::IpNet>,
    /// Header besides Authorization in which other APIs' requests carry a key, for the verification endpoints
    #[arg(
        long,
        env = "LATCHKEY_KEY_HEADER",
        default_value = "X-API-Key",
        value_parser = config::parse_key_header,
        value_name = "NAME",
        help_heading = "Network"
    )]
    key_header: http::HeaderName,
    /// Allow http in the public URL beyond loopback; tokens are then sent unencrypted
    #[arg(long, env = "LATCHKEY_INSECURE_HTTP", value_parser = BoolishValueParser::new(), help_heading = "Network")]
    insecure_http: bool,
    /// Maximum number of concurrent connections
    #[arg(long, env = "LATCHKEY_MAX_CONNECTIONS", default_value_t = 10_000, value_name = "NUMBER",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000), help_heading = "Network")]
    max_connections: u32,
    /// Seconds that a connection may wait for its next request; longer than the proxy keeps its connections
    #[arg(long, env = "LATCHKEY_IDLE_TIMEOUT", default_value_t = 180, value_name = "SECONDS",
          value_parser = clap::value_parser!(u32).range(1..=86_400), help_heading = "Network")]
    idle_timeout: u32,
    /// Seconds after SIGTERM during which the server isn't ready but still serves, until load balancers have noticed
    #[arg(long, env = "LATCHKEY_DRAIN_DELAY", default_value_t = 5, value_name = "SECONDS",
          value_parser = clap::value_parser!(u32).range(0..=600), help_heading = "Network")]
    drain_delay: u32,
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
    confirm_after: u32,
    #[arg(
        long,
        env = "LATCHKEY_OPERATOR_TENANT",
        value_name = "SLUG",
        value_parser = slug,
        help_heading = "Scopes",
        help = "Tenant whose administrators may change the scope catalogue, which all tenants share; without it, those of \
          the only tenant"
    )]
    operator_tenant: Option<String>,
    #[arg(
        long,
        env = "LATCHKEY_FLOW_RUNS",
        value_parser = BoolishValueParser::new(),
        help_heading = "Flow runs",
        help = "Accept flows and their runs from clients of Prefect 0.14 to 1.4 and offer them to agents, for trials and \
          tests; not a scheduler"
    )]
    flow_runs: bool,
    #[arg(
        long,
        env = "LATCHKEY_LEAK_REPORT_KEYS",
        value_name = "FILE",
        value_parser = report_keys,
        help_heading = "Leak reports",
        help = "Public keys that sign leak reports, in GitHub's JSON; without it, signatures are ignored"
    )]
    leak_report_keys: Option<ReportKeys>,
    /// Refuse unsigned leak reports; without --leak-report-keys, all
    #[arg(long, env = "LATCHKEY_REQUIRE_SIGNED_LEAK_REPORTS", value_parser = BoolishValueParser::new(),
          help_heading = "Leak reports")]
    require_signed_leak_reports: bool,
    #[command(flatten)]
    metrics: MetricsOptions,
    #[command(flatten)]
    grpc: GrpcOptions,
    #[command(flatten)]
    pub(super) gateways: GatewayOptions,
    /// Folder with built browser files, used instead of those in the binary
    #[arg(long, env = "LATCHKEY_SITE_ROOT", value_name = "FOLDER", value_parser = folder, help_heading = "Development")]
    site_root: Option<PathBuf>,
}

/// Why `serve` refuses its settings, although each value is valid by itself.
#[derive(Debug, thiserror::Error)]
pub(super) enum InvalidSettings {
    /// The public URL.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// The database, the files beside it, or email.
    #[error(transparent)]
    Services(#[from] OpenError),
    /// Addresses, gateways, or the tenant of the operator.
    #[error("{0}")]
    Other(String),
}

impl InvalidSettings {
    /// Returns the error as the start itself reports it, with its exit status.
    pub(super) fn into_cause(self) -> Box<dyn std::error::Error> {
        match self {
            Self::Site(error) => error.into(),
            Self::Services(error) => error.into(),
            Self::Other(_) => self.into(),
        }
    }
}

fn slug(text: &str) -> Result<String, String> {
    domain::Slug::parse(text).map(|slug| slug.as_str().to_owned()).map_err(|error| error.to_string())
}

fn folder(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_dir() { Ok(path) } else { Err("there is no such folder".to_owned()) }
}

fn report_keys(text: &str) -> Result<ReportKeys, String> {
    ReportKeys::open(text).map_err(|error| error.to_string())
}

impl Serve {
    /// Adds the settings that the services need.
    pub(super) fn configure(&self, settings: &mut service::Settings) {
        settings.mail = self.mail();
        settings.operator_tenant.clone_from(&self.operator_tenant);
        settings.flow_runs = self.flow_runs;
        settings.confirm_after = TimeDelta::seconds(self.confirm_after.into());
    }

    /// Checks everything that can be known before the start, for `serve` itself and for `config check`. Returns what
    /// is allowed and hardly meant. `settings`: as [`Serve::configure`] completes them.
    ///
    /// # Errors
    /// When `serve` would refuse the settings.
    pub(super) fn validate(&self, settings: &service::Settings) -> Result<Vec<String>, InvalidSettings> {
        let site = self.site(self.listen.address, Assets::new(Source::Embedded(|_| None)))?;
        self.gateways.validate(&site).map_err(InvalidSettings::Other)?;
        self.check_listeners().map_err(InvalidSettings::Other)?;
        settings.validate()?;
        Ok(site.warnings())
    }

    /// Returns the site that is served at an address.
    ///
    /// # Errors
    /// When the public URL is refused.
    fn site(&self, address: SocketAddr, assets: Assets) -> Result<Site, SiteError> {
        let public_url = self.public_url.clone().unwrap_or_else(|| config::default_public_url(address));
        let site = Site::new(&public_url, self.insecure_http, assets)?;
        let site = site.behind(self.trusted_proxy.clone()).with_hosts(self.allowed_host.clone());
        let site = site.with_key_header(self.key_header.clone());
        Ok(site.with_leak_reports(config::LeakReportRules {
            keys: self.leak_report_keys.clone(),
            requires_signature: self.require_signed_leak_reports,
        }))
    }

    /// Checks that no two listeners have the same address. Whether another process has it only shows at the start.
    fn check_listeners(&self) -> Result<(), String> {
        let mut known = vec![("--listen".to_owned(), self.listen.address)];
        let metrics = self.metrics.metrics_listen.map(|address| ("--metrics-listen".to_owned(), address));
        let grpc = self.grpc.grpc_listen.map(|address| ("--grpc-listen".to_owned(), address));
        for (name, address) in metrics.into_iter().chain(grpc).chain(self.gateways.listeners()) {
            if let Some((other, taken)) = known.iter().find(|(_, taken)| overlap(*taken, address)) {
                return Err(format!("{other} ({taken}) and {name} ({address}) need different addresses."));
            }
            known.push((name, address));
        }
        Ok(())
    }

    /// Whether the command may create and migrate the database.
    pub(super) fn migrates(&self) -> bool {
        !self.no_migrate
    }

    fn mail(&self) -> Option<MailSettings> {
        Some(MailSettings {
            smtp_url: Secret::new(self.smtp_url.clone()?),
            from: self.mail_from.clone()?,
            public_url: self.public_url.clone()?,
        })
    }
}

/// Makes the database ready to be served. This can take long: a migration waits for that of another server.
async fn prepare(services: &Services, no_migrate: bool) -> Result<(), service::OpenError> {
    if no_migrate {
        services.require_migrated().await?;
    }
    services.require_writable().await?;
    services.migrate().await?;
    services.verify_ledger().await?;
    services.unlock_secrets().await
}

/// Checks that the tenant whose administrators may change the scope catalogue exists. Before the set-up, there is none.
async fn require_operator_tenant(services: &Services, slug: Option<&str>) -> Outcome {
    let Some(slug) = slug else { return Ok(()) };
    let tenants = services.admin().list_tenants().await.map_err(ApiError::from)?;
    if tenants.is_empty() {
        tracing::warn!("--operator-tenant: there is no tenant yet; {slug} must be the slug of one");
    } else if tenants.iter().all(|tenant| tenant.slug.as_str() != slug) {
        let message = format!("--operator-tenant: there is no tenant with the slug {slug}.");
        return Err(InvalidSettings::Other(message).into());
    }
    Ok(())
}

/// Whether one listener keeps another from its address. An unspecified address includes all others, that of IPv6 also
/// those of IPv4.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let includes = |wide: IpAddr, ip: IpAddr| wide.is_unspecified() && (wide.is_ipv6() || ip.is_ipv4());
    let (first, second) = (one.ip().to_canonical(), other.ip().to_canonical());
    let is_same = first == second || includes(first, second) || includes(second, first);
    one.port() != 0 && one.port() == other.port() && is_same
}

/// Serves until Ctrl+C or SIGTERM.
pub(super) async fn run(services: &Services, options: Serve, embedded: Embedded) -> Outcome {
    let mut signals = stop::listen()?;
    match stop::unless_told(&mut signals, prepare(services, options.no_migrate)).await {
        Some(prepared) => prepared?,
        None => return Ok(()),
    }
    require_operator_tenant(services, options.operator_tenant.as_deref()).await?;
    let _serving = services.begin_serving()?;
    let listener = accept::listen(options.listen.address)
        .map_err(|error| format!("Can't listen on {}: {error}", options.listen.address))?;
    let address = listener.local_addr()?;
    let files = options.site_root.clone().map_or(Source::Embedded(embedded), Source::Folder);
    let site = options.site(address, Assets::new(files))?;
    for warning in site.warnings() {
        tracing::warn!("{warning}");
    }
    // Again, with the port that a listener with port 0 got.
    options.gateways.validate(&site).map_err(InvalidSettings::Other)?;
    let site = Arc::new(site);
    let others = options.grpc.max_connections();
    // A request through a gateway has a connection to the upstream, too.
    let each = if options.gateways.is_empty() { 1 } else { 2 };
    let (drain, limits) = (site.drain.clone(), limits(options.max_connections, options.idle_timeout, (others, each)));
    let (entries, listeners) = options.gateways.open(services, &site).await?;
    let public_url = site.public_url.clone();
    let metrics = Metrics::default();
    options.metrics.start(&metrics, services)?;
    let calls = options.grpc.start(services, &site, &metrics)?;
    let gateways = gateways::create(entries, services, &site, &metrics)?;
    let router = router::build_measured(services.clone(), site, &metrics, gateways.clone());
    if services.set_up().is_needed().await.map_err(ApiError::from)? {
        let link = services.set_up().issue_token();
        announce::line(format!("Set up Latchkey (this link works once): {public_url}/set-up/{}", link.expose()));
    }
    stop::on_signals(signals, drain.clone(), Duration::from_secs(options.drain_delay.into()));
    announce::line(format!("listening on http://{address}"));
    announce::ready();
    let forwarding = gateways::serve(&gateways, listeners, &limits, &drain);
    accept::serve(listener, router, limits, drain).await;
    calls.await;
    forwarding.await;
    Ok(())
}

/// Lowers the number of connections to what the limit on open files allows beside `others`, with `each` files open for a
/// connection.
fn limits(max_connections: u32, idle_timeout: u32, (others, each): (usize, usize)) -> accept::Limits {
    let wanted = usize::try_from(max_connections).unwrap_or(usize::MAX);
    let max_connections = (accept::within_descriptors(wanted.saturating_mul(each), others) / each).max(1);
    if max_connections < wanted {
        tracing::warn!(
            "accepting at most {max_connections} connections instead of {wanted}: the limit on open files (ulimit -n) \
             allows no more"
        );
    }
    accept::Limits::new(max_connections, Duration::from_secs(idle_timeout.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_overlap_if_one_includes_the_other() {
        for (one, other, expected) in [
            ("127.0.0.1:1", "127.0.0.1:1", true),
            ("127.0.0.1:1", "127.0.0.1:2", false),
            ("127.0.0.1:0", "127.0.0.1:0", false),
            ("0.0.0.0:1", "127.0.0.1:1", true),
            ("[::]:1", "127.0.0.1:1", true),
            ("[::]:1", "0.0.0.0:1", true),
            ("0.0.0.0:1", "[::1]:1", false),
            ("[::1]:1", "127.0.0.1:1", false),
            ("[::ffff:127.0.0.1]:1", "127.0.0.1:1", true),
        ] {
            let (first, second) = (one.parse().unwrap(), other.parse().unwrap());
            assert_eq!(overlap(first, second), expected, "{one} {other}");
            assert_eq!(overlap(second, first), expected, "{other} {one}");
        }
    }
}

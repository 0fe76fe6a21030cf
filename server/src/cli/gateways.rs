//! The gateways of `serve`: `[[gateway]]` in the configuration file, and `--gateway` for simple ones.

use std::{collections::BTreeSet, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use clap::Args;
use domain::{Role, Scope, Slug};
use http::{HeaderValue, Method, Uri};
use serde::Deserialize;
use service::Services;
use tokio::net::TcpListener;

use super::{announce, sources::FileGateways};
use crate::{
    accept::{self, Drain, Limits},
    authority::Authority,
    config::{self, Site},
    gateway::{
        self, GatewayService, Gateways,
        entry::{Demand, Entry, FirstFrame, Mount, Rule},
    },
    metrics::Metrics,
};

/// How long connecting to an upstream may take, and how long its response, in seconds.
const CONNECT_TIMEOUT: u32 = 5;
const RESPONSE_TIMEOUT: u32 = 60;
/// How long nothing may be transferred, in seconds.
const IDLE_TIMEOUT: u32 = 3_600;
/// The maximum size of a file with a value for the upstream, in bytes.
const MAX_FILE: u64 = 64 * 1_024;
/// The longest name.
const MAX_NAME: usize = 32;

#[derive(Args, Debug)]
pub(super) struct GatewayOptions {
    /// Put Latchkey in front of a service: NAME=LISTEN=UPSTREAM, such as wiki=127.0.0.1:8001=http://127.0.0.1:8000;
    /// separate several with commas. The configuration file can say more, in [[gateway]]
    #[arg(long, env = "LATCHKEY_GATEWAY", value_delimiter = ',', value_parser = parse_simple, value_name = "GATEWAY",
          help_heading = "Gateways")]
    gateway: Vec<Entry>,
    /// The gateways of the configuration file.
    #[arg(skip)]
    pub(super) of_file: Vec<Entry>,
}

/// A gateway in the configuration file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileEntry {
    name: String,
    host: Option<String>,
    listen: Option<SocketAddr>,
    public_url: Option<String>,
    prefix: Option<String>,
    #[serde(default)]
    strip_prefix: bool,
    upstream: String,
    tenant: Option<String>,
    #[serde(default)]
    scopes: Vec<String>,
    role: Option<String>,
    #[serde(default)]
    rule: Vec<FileRule>,
    #[serde(default)]
    read_role_posts: Vec<String>,
    #[serde(default)]
    read_role_websockets: Vec<String>,
    upstream_authorization: Option<String>,
    upstream_authorization_file: Option<String>,
    host_header: Option<HostHeader>,
    connect_timeout: Option<u32>,
    response_timeout: Option<u32>,
    idle_timeout: Option<u32>,
    max_body: Option<u64>,
    websocket_first_frame_auth: Option<FileFirstFrame>,
    protocol: Option<FileProtocol>,
    upstream_tenant_id: Option<String>,
}

/// A rule in the configuration file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileRule {
    #[serde(default)]
    methods: Vec<String>,
    path: String,
    #[serde(default)]
    scopes: Vec<String>,
    role: Option<String>,
    #[serde(default)]
    public: bool,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum HostHeader {
    Keep,
    Upstream,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum FileFirstFrame {
    Prefect,
}

/// What an upstream speaks, if Latchkey must understand it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum FileProtocol {
    /// GraphQL as in Prefect 0.14 to 1.x.
    Prefect1,
}

/// Reads the gateways of the configuration file.
///
/// # Errors
/// A sentence.
pub(super) fn of_file(gateways: FileGateways) -> Result<Vec<Entry>, String> {
    let FileGateways { path, tables } = gateways;
    let read = |(index, table): (usize, toml::Value)| {
        let name = table.get("name").and_then(toml::Value::as_str).map(|name| format!("\"{name}\""));
        let named = name.unwrap_or_else(|| format!("number {}", index + 1));
        let at = |problem: String| format!("{}: gateway {named}: {problem}", path.display());
        let entry: FileEntry = table.try_into().map_err(|error: toml::de::Error| at(error.message().to_owned()))?;
        entry.validate(&path).map_err(at)
    };
    tables.into_iter().enumerate().map(read).collect()
}

impl FileEntry {
    fn validate(self, file: &Path) -> Result<Entry, String> {
        let mount = match (&self.host, self.listen) {
            (Some(host), None) => Mount::Host(config::parse_host(host).map_err(|error| format!("host: {error}"))?),
            (None, Some(listen)) => Mount::Listener(listen),
            _ => return Err("set either host or listen".to_owned()),
        };
        let public_url = self.public_url.as_deref().map(config::parse_public_url).transpose();
        let public_url =
            public_url.map_err(|_| "public_url must be of the form https://host or https://host:port".to_owned())?;
        let prefix = self.prefix.unwrap_or_else(|| "/".to_owned());
        check_path("prefix", &prefix)?;
        let rules = self.rule.into_iter().map(FileRule::validate).collect::<Result<Vec<_>, _>>()?;
        for pattern in self.read_role_posts.iter().chain(&self.read_role_websockets) {
            if !pattern.starts_with('/') && !pattern.starts_with('*') {
                return Err(format!("the pattern \"{pattern}\" must begin with / or *"));
            }
        }
        let authorization = match (self.upstream_authorization, self.upstream_authorization_file) {
            (Some(_), Some(_)) => {
                return Err("set either upstream_authorization or upstream_authorization_file, not both".to_owned());
            }
            (Some(value), None) => Some(value),
            (None, Some(name)) => {
                let path = file.parent().map_or_else(|| name.clone().into(), |folder| folder.join(&name));
                let text = service::read_regular_text(&path, MAX_FILE);
                Some(text.map_err(|cause| format!("{} can't be read: {cause}", path.display()))?.trim().to_owned())
            }
            (None, None) => None,
        };
        let upstream_tenant = match (self.protocol, self.upstream_tenant_id) {
            (Some(FileProtocol::Prefect1), id) => {
                let id = id.and_then(|id| id.parse().ok());
                Some(id.ok_or("upstream_tenant_id must be the id that `prefect server create-tenant` has printed")?)
            }
            (None, Some(_)) => return Err("upstream_tenant_id needs protocol = \"prefect1\"".to_owned()),
            (None, None) => None,
        };
        Ok(Entry {
            name: name(self.name)?,
            mount,
            public_url,
            prefix,
            strips_prefix: self.strip_prefix,
            upstream: upstream(&self.upstream)?,
            tenant: self.tenant.map(slug).transpose()?,
            rules,
            otherwise: demand(&self.scopes, self.role.as_deref(), false)?,
            read_role_posts: self.read_role_posts,
            read_role_websockets: self.read_role_websockets,
            upstream_authorization: authorization.map(|value| authorization_of(&value)).transpose()?,
            keeps_host: self.host_header == Some(HostHeader::Keep),
            connect_timeout: seconds("connect_timeout", self.connect_timeout, CONNECT_TIMEOUT)?,
            response_timeout: seconds("response_timeout", self.response_timeout, RESPONSE_TIMEOUT)?,
            idle_timeout: seconds("idle_timeout", self.idle_timeout, IDLE_TIMEOUT)?,
            max_body: self.max_body,
            first_frame: self.websocket_first_frame_auth.map(|FileFirstFrame::Prefect| FirstFrame::Prefect),
            upstream_tenant,
        })
    }
}

impl FileRule {
    fn validate(self) -> Result<Rule, String> {
        check_path("the path of a rule", &self.path)?;
        let method = |name: &String| {
            let is_name = name.bytes().all(|byte| byte.is_ascii_uppercase());
            let method = Method::from_bytes(name.as_bytes()).ok().filter(|_| is_name);
            method.ok_or_else(|| format!("\"{name}\" isn't a method; methods are written like GET"))
        };
        let methods = self.methods.iter().map(method).collect::<Result<_, _>>()?;
        if self.public && (!self.scopes.is_empty() || self.role.is_some()) {
            return Err(format!("the rule for {} is public, so it can't demand scopes or a role", self.path));
        }
        Ok(Rule { methods, path: self.path, demand: demand(&self.scopes, self.role.as_deref(), self.public)? })
    }
}

fn name(name: String) -> Result<String, String> {
    let is_name = !name.is_empty()
        && name.len() <= MAX_NAME
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if is_name { Ok(name) } else { Err(format!("the name must have 1 to {MAX_NAME} of the characters a-z, 0-9 and -")) }
}

fn slug(text: String) -> Result<String, String> {
    Slug::parse(&text).map(|_| text.clone()).map_err(|_| format!("tenant: \"{text}\" isn't the slug of a tenant"))
}

fn check_path(what: &str, path: &str) -> Result<(), String> {
    let is_plain = path.starts_with('/')
        && !path.contains("//")
        && path.bytes().all(|byte| byte.is_ascii_graphic() && !b"%\\?#*;".contains(&byte))
        && !path.split('/').any(|segment| matches!(segment, "." | ".."));
    if is_plain { Ok(()) } else { Err(format!("{what} must be a plain path, such as /api; \"{path}\" isn't")) }
}

fn demand(scopes: &[String], role: Option<&str>, is_public: bool) -> Result<Demand, String> {
    let scope = |text: &String| Scope::parse(text).map_err(|error| error.to_string());
    let role = role.map(|role| {
        role.parse::<Role>().map_err(|_| format!("\"{role}\" isn't one of TENANT_ADMIN, USER and READ_ONLY_USER"))
    });
    Ok(Demand { is_public, scopes: scopes.iter().map(scope).collect::<Result<_, _>>()?, role: role.transpose()? })
}

fn upstream(text: &str) -> Result<Uri, String> {
    let wrong = || "upstream must be of the form http://host:port, with or without a path".to_owned();
    let url = url::Url::parse(text).map_err(|_| wrong())?;
    let has_more =
        url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some();
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() || has_more {
        return Err(wrong());
    }
    url.as_str().parse().map_err(|_| wrong())
}

fn authorization_of(value: &str) -> Result<HeaderValue, String> {
    let wrong = "upstream_authorization must be the value of the header, such as Bearer SECRET".to_owned();
    let mut value = HeaderValue::from_str(value).ok().filter(|value| !value.is_empty()).ok_or(wrong)?;
    value.set_sensitive(true);
    Ok(value)
}

fn seconds(what: &str, value: Option<u32>, default: u32) -> Result<Duration, String> {
    match value.unwrap_or(default) {
        seconds @ 1..=86_400 => Ok(Duration::from_secs(seconds.into())),
        _ => Err(format!("{what} must be 1 to 86400 seconds")),
    }
}

/// Parses `NAME=LISTEN=UPSTREAM`.
fn parse_simple(text: &str) -> Result<Entry, String> {
    let parts: Vec<&str> = text.splitn(3, '=').map(str::trim).collect();
    let [named, listen, to] = parts[..] else {
        return Err("expected NAME=LISTEN=UPSTREAM, such as wiki=127.0.0.1:8001=http://127.0.0.1:8000".to_owned());
    };
    let listen = listen.parse().map_err(|_| format!("\"{listen}\" isn't an address with a port"))?;
    Ok(Entry {
        name: name(named.to_owned())?,
        mount: Mount::Listener(listen),
        public_url: None,
        prefix: "/".to_owned(),
        strips_prefix: false,
        upstream: upstream(to)?,
        tenant: None,
        rules: Vec::new(),
        otherwise: Demand::default(),
        read_role_posts: Vec::new(),
        read_role_websockets: Vec::new(),
        upstream_authorization: None,
        keeps_host: false,
        connect_timeout: Duration::from_secs(CONNECT_TIMEOUT.into()),
        response_timeout: Duration::from_secs(RESPONSE_TIMEOUT.into()),
        idle_timeout: Duration::from_secs(IDLE_TIMEOUT.into()),
        max_body: None,
        first_frame: None,
        upstream_tenant: None,
    })
}

/// The listeners of gateways that have addresses of their own.
pub(super) type Listeners = Vec<TcpListener>;

impl GatewayOptions {
    /// Whether there are any.
    pub(super) fn is_empty(&self) -> bool {
        self.gateway.is_empty() && self.of_file.is_empty()
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.of_file.iter().chain(&self.gateway)
    }

    /// Returns the addresses of the gateways that have their own, each with what it is for.
    pub(super) fn listeners(&self) -> impl Iterator<Item = (String, SocketAddr)> {
        self.entries().filter_map(|entry| match entry.mount {
            Mount::Listener(address) => Some((format!("gateway {}", entry.name), address)),
            Mount::Host(_) => None,
        })
    }

    /// Checks what is only wrong with several gateways, or with the site.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn validate(&self, site: &Site) -> Result<(), String> {
        let (mut names, mut mounts) = (BTreeSet::new(), BTreeSet::new());
        for entry in self.entries() {
            let name = &entry.name;
            if !names.insert(name) {
                return Err(format!("There are two gateways named {name}."));
            }
            match &entry.mount {
                Mount::Listener(_) => (),
                Mount::Host(host) if site.is_host(&host.to_string()) => {
                    return Err(format!(
                        "Gateway {name}: {host} is Latchkey's own host. A gateway needs one of its own."
                    ));
                }
                Mount::Host(host) => {
                    if !mounts.insert((host.to_string(), entry.prefix.trim_end_matches('/').to_owned())) {
                        return Err(format!("Gateway {name}: another one has the host {host} and the same prefix."));
                    }
                }
            }
        }
        self.require_upstreams_of_one_tenant()
    }

    /// Refuses a server of Prefect 1.x for two tenants: it doesn't see whose requests it gets.
    fn require_upstreams_of_one_tenant(&self) -> Result<(), String> {
        let server = |entry: &Entry| {
            let port = entry.upstream.port_u16().unwrap_or(if entry.upstream.scheme_str() == Some("https") {
                443
            } else {
                80
            });
            (entry.upstream.host().unwrap_or_default().to_ascii_lowercase(), port)
        };
        for entry in self.entries().filter(|entry| entry.upstream_tenant.is_some()) {
            let other = self.entries().find(|other| server(other) == server(entry) && other.tenant != entry.tenant);
            if let Some(other) = other {
                return Err(format!(
                    "Gateways {} and {}: a server of Prefect 1.x keeps no tenants apart, so one of its own is needed for \
                     each tenant.",
                    entry.name, other.name
                ));
            }
        }
        Ok(())
    }

    /// Listens on the addresses of the gateways, checks their tenants, and completes their URLs.
    ///
    /// # Errors
    /// When an address isn't available, a tenant doesn't exist, or none is named and there are several.
    pub(super) async fn open(mut self, services: &Services, site: &Site) -> Result<(Vec<Entry>, Listeners), String> {
        let mut entries = std::mem::take(&mut self.of_file);
        entries.append(&mut self.gateway);
        let mut listeners = Vec::new();
        for entry in &mut entries {
            if let Err(error) =
                services.verification().tenant_of(entry.tenant.as_deref()).await.map_err(domain::ApiError::from)
            {
                match (error.code, &entry.tenant) {
                    (domain::ErrorCode::Conflict, _) => {
                        return Err(format!(
                            "Gateway {}: there are several tenants, so it needs one: tenant = SLUG in the configuration file.",
                            entry.name
                        ));
                    }
                    (domain::ErrorCode::NotFound, Some(slug)) => {
                        tracing::warn!(gateway = entry.name, "the tenant {slug} of this gateway doesn't exist yet");
                    }
                    // The first tenant is created in the browser.
                    (domain::ErrorCode::NotFound, None) => (),
                    _ => return Err(error.message),
                }
            }
            let default = match &entry.mount {
                Mount::Host(host) => {
                    let scheme = if site.is_secure { "https" } else { "http" };
                    format!("{scheme}://{}", with_port_of(host, site))
                }
                Mount::Listener(address) => {
                    let listener =
                        accept::listen(*address).map_err(|cause| format!("Can't listen on {address}: {cause}"))?;
                    let bound = listener.local_addr().unwrap_or(*address);
                    listeners.push(listener);
                    format!("http://{bound}")
                }
            };
            let url = entry.public_url.get_or_insert(default);
            announce::line(format!("gateway {} on {url} to {}", entry.name, entry.upstream));
        }
        Ok((entries, listeners))
    }
}

/// Returns a host with the port of the site, unless it has one: both are on the same listener.
fn with_port_of(host: &Authority, site: &Site) -> Authority {
    match Authority::parse(site.public_host()).and_then(|site| site.port()) {
        Some(port) => host.clone().or_port(port),
        None => host.clone(),
    }
}

/// Creates the gateways.
///
/// # Errors
/// When TLS can't be set up.
pub(super) fn create(
    entries: Vec<Entry>,
    services: &Services,
    site: &Arc<Site>,
    metrics: &Metrics,
) -> Result<Gateways, String> {
    Gateways::new(entries, services, site, metrics.gateways())
}

/// Serves gateways on their own addresses. Returns what completes when their running requests have ended.
pub(super) fn serve(
    gateways: &Gateways,
    listeners: Listeners,
    limits: &Limits,
    drain: &Drain,
) -> impl Future<Output = ()> + use<> {
    let serve = |(listener, service): (TcpListener, GatewayService)| {
        tokio::spawn(accept::serve(listener, service, limits.clone(), drain.clone()))
    };
    let tasks: Vec<_> = listeners.into_iter().zip(gateway::listeners(gateways)).map(serve).collect();
    async {
        for task in tasks {
            task.await.ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn read(text: &str) -> Result<Vec<Entry>, String> {
        let table: toml::Table = text.parse().unwrap();
        let tables = table["gateway"].as_array().unwrap().clone();
        of_file(FileGateways { path: PathBuf::from("latchkey.toml"), tables })
    }

    #[test]
    fn a_gateway_in_the_file_is_validated() {
        let good = "[[gateway]]\nname = 'wiki'\nlisten = '127.0.0.1:8001'\nupstream = 'http://127.0.0.1:8000/base'\n";
        let entry = read(good).unwrap().remove(0);
        assert_eq!((entry.name.as_str(), entry.prefix.as_str()), ("wiki", "/"));
        for (line, message) in [
            ("x = 1", "unknown field `x`"),
            ("host = 'a.example'", "set either host or listen"),
            ("prefix = 'a'", "must be a plain path"),
            ("prefix = '/a/../b'", "must be a plain path"),
            ("tenant = 'A B'", "isn't the slug of a tenant"),
            ("role = 'ROOT'", "isn't one of TENANT_ADMIN"),
            ("scopes = ['x']", "x"),
            ("connect_timeout = 0", "connect_timeout must be 1 to 86400 seconds"),
            ("read_role_posts = ['x']", "must begin with / or *"),
            ("upstream_authorization = \"a\\nb\"", "must be the value of the header"),
            ("upstream_authorization_file = 'nowhere'", "nowhere can't be read"),
            ("websocket_first_frame_auth = 'other'", "unknown variant `other`"),
            ("host_header = 'x'", "unknown variant `x`"),
            ("protocol = 'prefect3'", "unknown variant `prefect3`"),
            ("protocol = 'prefect1'", "upstream_tenant_id must be"),
            ("protocol = 'prefect1'\nupstream_tenant_id = 'default'", "upstream_tenant_id must be"),
            ("upstream_tenant_id = '01980000-0000-7000-8000-000000000001'", "needs protocol"),
            ("public_url = 'https://a/b'", "public_url must be of the form"),
            ("[[gateway.rule]]\npath = '/a'\nmethods = ['get']", "isn't a method"),
            ("[[gateway.rule]]\npath = 'a'", "the path of a rule must be a plain path"),
            ("[[gateway.rule]]\npath = '/a'\npublic = true\nrole = 'USER'", "is public, so it can't demand"),
        ] {
            let error = read(&format!("{good}{line}\n")).unwrap_err();
            assert!(error.contains(message) && error.contains("gateway \"wiki\""), "{line}: {error}");
        }
        let error = read("[[gateway]]\nname = 'Wiki'\nlisten = '127.0.0.1:1'\nupstream = 'http://a'").unwrap_err();
        assert!(error.contains("a-z"), "{error}");
        for upstream in ["a", "ftp://a", "http://u:p@a", "http://a?x"] {
            let text = format!("[[gateway]]\nname = 'w'\nlisten = '127.0.0.1:1'\nupstream = '{upstream}'");
            assert!(read(&text).unwrap_err().contains("upstream must be"), "{upstream}");
        }
    }

    #[test]
    fn a_simple_gateway_is_one_argument() {
        let entry = parse_simple("wiki=127.0.0.1:8001=http://127.0.0.1:8000").unwrap();
        assert_eq!(entry.mount, Mount::Listener("127.0.0.1:8001".parse().unwrap()));
        for text in ["wiki", "wiki=127.0.0.1:8001", "wiki=8001=http://a", "=127.0.0.1:1=http://a", "w=127.0.0.1:1=a"] {
            assert!(parse_simple(text).is_err(), "{text}");
        }
    }
}

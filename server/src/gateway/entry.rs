//! What a gateway is configured to do: where it listens, where its upstream is, and who may send which requests.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use domain::{Role, Scope};
use http::{HeaderValue, Method, Uri, uri::PathAndQuery};
use uuid::Uuid;

use super::path::{PlainPath, is_below, is_below_in_any_case, matches};
use crate::authority::Authority;

/// Where clients reach a gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mount {
    /// A host of its own, on the server's listener.
    Host(Authority),
    /// A listener of its own.
    Listener(SocketAddr),
}

/// How websockets may be authenticated, besides by their handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstFrame {
    /// As Prefect 3 does: the first message is `{"type": "auth", "token": …}`.
    Prefect,
}

/// The settings of a gateway, which were validated.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Names the gateway in metrics and messages.
    pub name: String,
    /// Where clients reach it.
    pub mount: Mount,
    /// Scheme, host and port at which browsers reach it, without a path. `None` for a listener without one.
    pub public_url: Option<String>,
    /// The path that requests must be below. `/` for any.
    pub prefix: String,
    /// Whether the upstream gets the path without the prefix.
    pub strips_prefix: bool,
    /// Scheme, host, port and path of the upstream.
    pub upstream: Uri,
    /// The slug of the tenant whose keys and members may use it. `None` for the only tenant.
    pub tenant: Option<String>,
    /// The rules, of which the first that matches counts.
    pub rules: Vec<Rule>,
    /// What counts for requests that match no rule.
    pub otherwise: Demand,
    /// Patterns of paths to which a read-only user may send POST.
    pub read_role_posts: Vec<String>,
    /// Patterns of paths at which a read-only user may open a websocket.
    pub read_role_websockets: Vec<String>,
    /// What the upstream gets as `Authorization`.
    pub upstream_authorization: Option<HeaderValue>,
    /// Whether the upstream gets the client's `Host` instead of its own.
    pub keeps_host: bool,
    /// How long connecting to the upstream may take.
    pub connect_timeout: Duration,
    /// How long the upstream may take for the head of its response, after it has received the request.
    pub response_timeout: Duration,
    /// How long nothing may be transferred in the middle of a request, a response or a websocket.
    pub idle_timeout: Duration,
    /// The largest body of a request, in bytes.
    pub max_body: Option<u64>,
    /// How websockets may be authenticated, besides by their handshake.
    pub first_frame: Option<FirstFrame>,
    /// The id of the tenant at an upstream that is a server of Prefect 0.14 to 1.x. `None` for any other upstream.
    pub upstream_tenant: Option<Uuid>,
}

/// What a rule demands of requests that match it.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The methods; empty for all.
    pub methods: Vec<Method>,
    /// The path that requests are below, as the upstream sees it.
    pub path: String,
    /// What is demanded.
    pub demand: Demand,
}

/// What is demanded of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// Whether nothing is demanded, not even a key.
    pub is_public: bool,
    /// The scopes, all of them.
    pub scopes: Vec<Scope>,
    /// The least role. Without one, a read-only user may only send requests that read.
    pub role: Option<Role>,
}

/// What a request wants to do, and what that demands.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) demand: Demand,
    /// Whether it only reads, so that a read-only user may do it unless the demand names a role.
    pub(super) only_reads: bool,
}

impl Wanted {
    /// Whether somebody with a role may do it, apart from scopes.
    pub(crate) fn allows(&self, role: Role) -> bool {
        match self.demand.role {
            Some(least) => role >= least,
            None => role > Role::ReadOnlyUser || self.only_reads,
        }
    }

    /// Returns the sentence for somebody whose role isn't enough.
    pub(crate) fn refusal(&self) -> String {
        match self.demand.role {
            Some(least) => {
                format!("You need the role {} for this. Ask an administrator to change yours.", least.label())
            }
            None => "You can only read here with the role Read only. Ask an administrator to change it.".to_owned(),
        }
    }
}

impl Entry {
    /// Returns what a request demands. `None` if that depends on how the upstream reads the path.
    pub(crate) fn wanted(&self, method: &Method, path: &PlainPath, is_websocket: bool) -> Option<Wanted> {
        let rule = self.rule_of(method, path.bytes(), is_below);
        // An upstream may ignore the case of letters.
        let is_clear = |path: &Vec<u8>| {
            [is_below, is_below_in_any_case].iter().all(|is_below| self.rule_of(method, path, is_below) == rule)
        };
        if !self.rules.is_empty() && !path.readings().iter().all(is_clear) {
            return None;
        }
        let demand = rule.map_or(&self.otherwise, |rule| &self.rules[rule].demand);
        let is_any = |patterns: &[String]| patterns.iter().any(|pattern| matches(path.bytes(), pattern.as_bytes()));
        let only_reads = if is_websocket {
            is_any(&self.read_role_websockets)
        } else if self.upstream_tenant.is_some() && *method == Method::POST {
            // That depends on the operations in its body.
            true
        } else {
            method.is_safe() || (*method == Method::POST && is_any(&self.read_role_posts))
        };
        Some(Wanted { demand: demand.clone(), only_reads })
    }

    fn rule_of(&self, method: &Method, path: &[u8], is_below: impl Fn(&[u8], &[u8]) -> bool) -> Option<usize> {
        self.rules.iter().position(|rule| {
            let of_method = rule.methods.is_empty() || rule.methods.contains(method);
            of_method && is_below(path, rule.path.as_bytes())
        })
    }

    /// Returns the path that rules are about, and the target for the upstream, byte for byte those of the request apart from
    /// the prefix. `None` if the request isn't below the prefix.
    pub(crate) fn target<'a>(&self, uri: &'a Uri) -> Option<(&'a str, PathAndQuery)> {
        let rest = uri.path();
        let prefix = self.prefix.trim_end_matches('/');
        let path = if is_below(rest.as_bytes(), prefix.as_bytes()) {
            if self.strips_prefix { &rest[prefix.len()..] } else { rest }
        } else {
            return None;
        };
        let path = if path.is_empty() { "/" } else { path };
        let base = self.upstream.path().trim_end_matches('/');
        let target = match uri.path_and_query() {
            Some(whole) if base.is_empty() && path.len() == rest.len() => whole.clone(),
            _ => {
                let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
                PathAndQuery::try_from(format!("{base}{path}{query}")).ok()?
            }
        };
        Some((path, target))
    }
}

/// Entries are shared by the requests and websockets that use them.
pub(crate) type SharedEntry = Arc<Entry>;

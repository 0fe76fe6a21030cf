//! The gateways of a server: which one a request is for, and what each of them has.

use std::sync::{Arc, OnceLock};

use axum::extract::Request;
use domain::{ApiError, ErrorCode, TenantId};
use http::header;
use service::Services;

use super::{
    caller::{self, Identities},
    entry::{Entry, Mount, SharedEntry},
    open::Open,
    path::is_below,
    upstream::Upstream,
};
use crate::{
    authority::Authority,
    config::Site,
    graphql::schema::{self, ApiSchema},
    headers,
    metrics::GatewayMetrics,
};

/// The folder of a gateway's own pages. Nothing in it is forwarded.
pub(super) const OWN_FOLDER: &str = "/.latchkey";
/// Where a gateway has the stylesheet of its own pages.
pub(super) const OWN_FILES: &str = "/.latchkey/pkg/";

/// All gateways. Cheap to clone.
#[derive(Clone, Default)]
pub struct Gateways(pub(super) Arc<[Arc<Gateway>]>);

/// What all gateways share.
pub(super) struct Shared {
    pub(super) services: Services,
    pub(super) site: Arc<Site>,
    pub(super) metrics: GatewayMetrics,
    pub(super) open: Open,
    pub(super) identities: Identities,
    /// Answers operations about keys in front of servers of Prefect 1.x.
    pub(super) schema: Option<ApiSchema>,
}

/// A gateway.
pub struct Gateway {
    pub(super) entry: SharedEntry,
    pub(super) upstream: Upstream,
    pub(super) shared: Arc<Shared>,
    tenant: OnceLock<TenantId>,
}

impl Gateways {
    /// Creates the gateways, and begins to watch what is open in them.
    ///
    /// # Errors
    /// When TLS can't be set up.
    pub fn new(
        entries: Vec<Entry>,
        services: &Services,
        site: &Arc<Site>,
        metrics: &GatewayMetrics,
    ) -> Result<Self, String> {
        let open = Open::default();
        if !entries.is_empty() {
            open.watch(services.clone());
        }
        let has_prefect = entries.iter().any(|entry| entry.upstream_tenant.is_some());
        let schema = has_prefect.then(|| schema::build(services.clone(), site.public_url.clone()));
        let (services, site, metrics) = (services.clone(), Arc::clone(site), metrics.clone());
        let identities = caller::no_identities();
        let shared = Arc::new(Shared { services, site, metrics, open, identities, schema });
        let gateway = |entry: Entry| {
            let upstream = Upstream::new(&entry)?;
            let shared = Arc::clone(&shared);
            Ok::<_, String>(Arc::new(Gateway { entry: Arc::new(entry), upstream, shared, tenant: OnceLock::new() }))
        };
        Ok(Self(entries.into_iter().map(gateway).collect::<Result<_, _>>()?))
    }

    /// Returns the gateway with a name.
    pub(super) fn find(&self, name: &str) -> Option<&Arc<Gateway>> {
        self.0.iter().find(|gateway| gateway.entry.name == name)
    }

    /// Finds the gateway of a request on the server's own listener: with its host, and the longest prefix.
    pub(super) fn of_host(&self, request: &Request) -> Option<Result<&Arc<Gateway>, ()>> {
        let host = headers::text(request.headers(), header::HOST).and_then(Authority::parse)?;
        let has_host = |gateway: &&Arc<Gateway>| match &gateway.entry.mount {
            Mount::Host(own) => own.has_host_of(&host) && (own.port().is_none() || own.port() == host.port()),
            Mount::Listener(_) => false,
        };
        let mut found: Vec<&Arc<Gateway>> = self.0.iter().filter(has_host).collect();
        if found.is_empty() {
            return None;
        }
        found.sort_by_key(|gateway| std::cmp::Reverse(gateway.entry.prefix.len()));
        let path = request.uri().path();
        let own = format!("{OWN_FOLDER}/enter/");
        // The stylesheet is that of every gateway.
        if path.starts_with(OWN_FILES) {
            return found.first().copied().map(Ok);
        }
        let of_own = path.strip_prefix(&own).and_then(|name| found.iter().find(|gateway| gateway.entry.name == name));
        let below = || found.iter().find(|gateway| is_below(path.as_bytes(), gateway.entry.prefix.as_bytes()));
        Some(of_own.or_else(below).copied().ok_or(()))
    }
}

impl Gateway {
    /// The scheme and host at which browsers reach it.
    pub(super) fn public_url(&self) -> &str {
        self.entry.public_url.as_deref().unwrap_or_default()
    }

    /// Returns the tenant whose keys and members may use it. Remembered once it exists.
    pub(super) async fn tenant(&self) -> Result<TenantId, ApiError> {
        match self.tenant.get() {
            Some(tenant) => Ok(*tenant),
            None => Box::pin(self.find_tenant()).await,
        }
    }

    async fn find_tenant(&self) -> Result<TenantId, ApiError> {
        let found = self.shared.services.verification().tenant_of(self.entry.tenant.as_deref()).await;
        let tenant = found.map_err(ApiError::from).map_err(|error| match error.code {
            ErrorCode::NotFound | ErrorCode::Conflict => {
                ApiError::new(ErrorCode::Unavailable, "The tenant of this gateway doesn't exist, or isn't configured.")
            }
            _ => error,
        })?;
        Ok(*self.tenant.get_or_init(|| tenant))
    }
}

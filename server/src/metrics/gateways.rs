//! Requests through gateways.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

/// What became of a request to a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The upstream has answered.
    Forwarded,
    /// A websocket was opened.
    Websocket,
    /// A browser was sent to the sign-in page.
    SignIn,
    /// The gateway has answered itself: with one of its own pages, or an operation about keys.
    Own,
    /// It had no valid key.
    Unauthenticated,
    /// The key or the person may not do this.
    Forbidden,
    /// The key has reached its rate limit.
    RateLimited,
    /// It could be read in more than one way, or matched no path of the gateway.
    BadRequest,
    /// Its body was too large.
    TooLarge,
    /// The upstream couldn't be reached, or its response was broken.
    Upstream,
    /// The upstream took too long.
    Timeout,
    /// The key couldn't be verified.
    Failed,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Forwarded => "forwarded",
            Self::Websocket => "websocket",
            Self::SignIn => "sign_in",
            Self::Own => "own",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::RateLimited => "rate_limited",
            Self::BadRequest => "bad_request",
            Self::TooLarge => "too_large",
            Self::Upstream => "upstream_failed",
            Self::Timeout => "upstream_timeout",
            Self::Failed => "failed",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    gateway: String,
    outcome: &'static str,
}

/// The metrics of gateways. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct GatewayMetrics(Family<Labels, Counter>);

impl GatewayMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("latchkey_gateway_requests", "Requests to gateways, by what became of them", self.0.clone());
    }

    /// Counts a request. `gateway`: the name of the gateway.
    pub(crate) fn count(&self, gateway: &str, outcome: Outcome) {
        self.0.get_or_create(&Labels { gateway: gateway.to_owned(), outcome: outcome.as_str() }).inc();
    }
}

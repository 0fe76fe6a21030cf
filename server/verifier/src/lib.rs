//! Verifies API keys of Latchkey in the process of the API that they are for.
//!
//! A [`Verifier`] asks Latchkey about a key once, and keeps the answer in memory until something about the key changes.
//! Latchkey tells it about changes as they happen, through the feed `GET /api/v1/changes`. Usually a revoked key is refused
//! after a few milliseconds. It is never accepted later than a second after the revocation was acknowledged:
//!
//! - If Latchkey hasn't confirmed within the last second that every change is known here, the memory isn't used, and
//!   Latchkey is asked about each request.
//! - If Latchkey can't be asked, requests are refused with 503.
//!
//! The argument is in the documentation of the module `cache`.
//!
//! ```no_run
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! use axum::{Router, routing::get};
//! use verifier::{Caller, Verifier, require_scope};
//!
//! let key = std::env::var("LATCHKEY_KEY")?;
//! let verifier = Verifier::builder("https://keys.example.com", key).name("shop-1").start()?;
//! let app: Router = Router::new()
//!     .route("/invoices", get(async |caller: Caller| format!("Hello, {}\n", caller.owner_name())))
//!     .layer(require_scope("invoices:read"))
//!     .layer(verifier.layer());
//! # Ok(())
//! # }
//! ```
//!
//! What this crate doesn't do: it keeps nothing about keys that aren't valid, so each request with one is a question to
//! Latchkey, unless the token is malformed. If Latchkey has imported keys, any text of 8 to 512 visible ASCII characters may
//! be a token, and is such a question. It reports how often keys were used about once a second, so Latchkey shows it
//! with that delay, with one client for all requests of a key between two reports. If this process ends without
//! [`Verifier::close`], the last second's usage is lost; if the answer to a report is lost, its usage is counted twice.

mod api;
mod cache;
mod caller;
mod clock;
mod cursor;
mod feed;
mod known;
mod layer;
mod reporter;
mod shared;
mod token;
mod verifier;

pub use caller::{Caller, ClientAddress, NoVerifier};
pub use layer::{Outcome, RequireScope, RequireScopeLayer, Verify, VerifyLayer, require_scope};
pub use verifier::{Builder, Refusal, SettingError, Verifier};

/// Whether a text has the format of Latchkey's own tokens and the right checksum. Anything else can only be the token of an
/// imported key.
pub fn is_well_formed(token: &str) -> bool {
    token::digest_of(token).is_some()
}

//! Gateways: Latchkey in front of software that has no keys of its own. A request is admitted by a key or by a person's
//! session, and forwarded; what was admitted ends together with the key or the session.
//!
//! `entry.rs` has the settings, `forwarding.rs` forwards, `upstream.rs` by a connection of `line.rs`, `path.rs` and `forwarded_head.rs` decide what is forwarded, `caller.rs` who may send it,
//! `open.rs` when it ends. `prefect.rs` answers a part of what is for a server of Prefect 1.x.

mod asked;
mod caller;
pub mod entry;
mod forwarded_head;
mod forwarding;
mod frames;
mod gateways;
mod line;
mod open;
mod operations;
mod path;
mod prefect;
pub(crate) mod sign_in;
mod transfer;
mod upstream;
mod websocket;

pub use self::{
    forwarding::{GatewayService, WithGateways, listeners},
    gateways::{Gateway, Gateways},
};

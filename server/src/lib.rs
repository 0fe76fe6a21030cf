//! The adapters of Latchkey: browser, GraphQL, REST and the command line.
//!
//! An adapter parses its input, calls a use case of [`service`], and converts the result. It has no permission checks,
//! no SQL and no transactions.

// The futures of the handlers nest deeply: a layer, a use case and its span each add to the type.
#![recursion_limit = "256"]

pub mod accept;
pub mod act;
pub mod assets;
pub mod authority;
mod body;
pub mod cli;
mod compression;
pub mod config;
pub mod demo;
mod form;
pub mod gateway;
pub mod graphql;
mod headers;
mod invitation;
mod log_queue;
pub mod metrics;
mod middleware;
mod pages;
mod password;
mod preferences;
mod problem;
pub mod report_keys;
mod rest;
pub mod router;
mod second_factor;
mod set_up;
mod sign_in;
mod start;
mod test_key;
mod traces;
mod verification;

pub use config::Site;

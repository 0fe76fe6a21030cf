//! HTTP tests through the complete router, on both databases.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod browser;
mod clients;
mod forms;
mod graphql;
mod parity;
mod rest;
mod reveal;
mod rights;
mod support;
mod tenant;

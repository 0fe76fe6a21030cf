//! HTTP tests through the complete router, on both databases.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod browser;
mod busy;
mod changes;
mod clients;
mod endings;
mod endpoints;
mod flows;
mod forms;
mod fuzz;
mod graphql;
mod graphql_arguments;
mod graphql_protocol;
mod imported;
mod leaks;
mod limits;
mod origin;
mod parity;
mod remembered;
mod rest;
mod reveal;
mod rights;
mod settled;
mod support;
mod tenant;

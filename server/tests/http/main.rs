//! HTTP tests through the whole router, on both databases.

mod browser;
mod graphql;
mod parity;
mod rest;
mod support;

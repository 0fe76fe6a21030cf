//! Stories of the use cases, each played on both databases.
#![expect(clippy::unwrap_used, clippy::unwrap_in_result, reason = "a test fails by panicking")]

mod accounts;
mod database;
mod keys;
mod lists;
mod people;

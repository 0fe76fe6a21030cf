//! Stories of the use cases, each played on both databases.

mod accounts;
mod agents;
mod database;
mod keys;
mod lists;
mod people;

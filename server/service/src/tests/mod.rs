//! Stories of the use cases, each played on both databases.

mod accounts;
mod database;
mod keys;
mod lists;
mod people;

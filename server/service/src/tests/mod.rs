//! Stories of the use cases, each played on both databases.

mod accounts;
mod agents;
mod audit;
mod crowd;
mod database;
mod inventory;
mod keys;
mod lists;
mod people;
mod plans;
mod rolls;
mod security;
mod smtp;
pub(crate) mod stage;
mod tenants;
mod transactions;

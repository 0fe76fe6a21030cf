//! Tests of the use cases. Each runs on both databases.

mod accounts;
mod agents;
mod audit;
mod crowd;
mod database;
mod inventory;
mod keys;
mod lists;
mod model;
mod people;
mod pictures;
mod plans;
mod rolls;
mod rules;
mod security;
mod smtp;
pub(crate) mod stage;
mod tenants;
mod transactions;

//! The doors of Latchkey: browser, GraphQL, REST and the command line.
//!
//! A door parses, calls a use case of [`service`], and maps the result. No rights, SQL or transactions here.

pub mod accept;
pub mod assets;
pub mod cli;
pub mod config;
pub mod demo;
mod form;
mod forms;
pub mod graphql;
mod middleware;
mod pages;
mod problem;
mod rest;
pub mod router;

pub use config::Site;

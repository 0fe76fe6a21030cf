//! Bringing tenants, service accounts, scopes, key policies and keys to a state that a file describes.
//!
//! The file is read elsewhere. Here, its values are checked (`desired`), compared with the database (`current`, `plan`),
//! and each difference is removed by the use case that it belongs to (`run`).

mod current;
mod desired;
mod plan;
mod plan_keys;
mod removals;
mod run;
mod stated;
mod step;

pub use self::{
    stated::{
        Kind, Problem, Stated, StatedAccount, StatedConfiguration, StatedKey, StatedKeyPolicy, StatedOwner,
        StatedScope, StatedTenant, StatedToken, Subject,
    },
    step::{Action, Plan, Step},
};

//! The browser's API: server functions, one file a noun, one function an operation. The endpoint is the operation's name.
//!
//! A function reads its arguments, calls the use case and maps the answer: no rights, no SQL, no transaction. Pages call the
//! same functions on the server; the script calls them through `client`; a browser without script posts its forms to
//! them. What holds secrets (passwords, codes, the tokens of links) stays a plain form.

mod audit_log;
mod key_policies;
mod keys;
mod members;
mod profile;
mod service_accounts;
mod tenants;

#[cfg(feature = "hydrate")]
pub mod acts;
#[cfg(feature = "hydrate")]
pub mod client;
pub mod error;
#[cfg(feature = "hydrate")]
mod json;
pub mod protocol;
pub mod wire;

pub use audit_log::{get_agents, get_audit_log};
pub use error::AppError;
pub use key_policies::{clear_key_policy, list_key_policies, preview_key_policy, set_key_policy};
pub use keys::{
    cancel_roll, create_api_key, extend_roll, finish_roll, get_api_key, get_api_key_usage, list_api_keys,
    list_tenant_keys, rename_api_key, resume_api_key, revoke_api_key, revoke_api_keys, roll_api_key, suspend_api_key,
    suspend_api_keys,
};
pub use members::{
    cancel_invitation, change_member_role, invite_member, list_invitations, list_members, remove_member,
};
pub use profile::{
    create_calendar_feed, end_other_sessions, end_session, get_viewer, list_sessions, revoke_calendar_feed,
    switch_tenant, update_profile,
};
pub use service_accounts::{
    change_account_role, create_account, delete_account, get_account, list_accounts, rename_account, resume_account,
    suspend_account,
};
pub use tenants::{create_tenant, get_tenant, rename_tenant};

/// Where the functions are.
pub const PREFIX: &str = "/fn";

/// The path of an operation's function.
pub fn path_of(operation: domain::Operation) -> String {
    format!("{PREFIX}/{}", operation.as_str())
}

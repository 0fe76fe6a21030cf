//! The browser's API: one server function per operation, in one file per noun. The endpoint is the operation's code.
//!
//! A server function parses its arguments, calls the use case and maps the result. It checks no rights and contains no
//! SQL and no transaction. On the server, pages call the same functions. In the browser, the script calls them through
//! `client`; without JavaScript, forms are posted to them. Forms with secrets (passwords, codes, the tokens of links)
//! are plain HTML forms.

/// Passes a macro all operations that change something: the input type and the server function that takes it. The
/// script looks up the function of a form in this list. The acts on a key come from `domain::with_key_acts`.
#[macro_export]
macro_rules! with_acts {
    ($give:ident) => {
        domain::with_key_acts! { { $crate::api::with_key_acts_and_others }, $give }
    };
}

/// The second half of [`with_acts`].
#[doc(hidden)]
#[macro_export]
macro_rules! with_key_acts_and_others {
    ($give:ident; $($call:ident $code:literal $function:ident: $input:ident -> $output:ident;)+) => {
        $give! {
            $(domain::api_key::act::$input => $crate::api::keys::$call,)+
            domain::api_key::input::CreateKey => $crate::api::keys::CreateKeyCall,
            domain::api_key::input::SuspendKeys => $crate::api::keys::SuspendKeysCall,
            domain::api_key::input::RevokeKeys => $crate::api::keys::RevokeKeysCall,
            domain::api_key::input::SetKeyPolicy => $crate::api::key_policies::SetKeyPolicyCall,
            domain::api_key::input::ClearKeyPolicy => $crate::api::key_policies::ClearKeyPolicyCall,
            domain::scope::SetScope => $crate::api::scopes::SetScopeCall,
            domain::scope::RemoveScope => $crate::api::scopes::RemoveScopeCall,
            domain::service_account::input::CreateAccount => $crate::api::service_accounts::CreateAccountCall,
            domain::service_account::input::RenameAccount => $crate::api::service_accounts::RenameAccountCall,
            domain::service_account::input::ChangeAccountRole => $crate::api::service_accounts::ChangeAccountRoleCall,
            domain::service_account::input::SuspendAccount => $crate::api::service_accounts::SuspendAccountCall,
            domain::service_account::input::ResumeAccount => $crate::api::service_accounts::ResumeAccountCall,
            domain::service_account::input::DeleteAccount => $crate::api::service_accounts::DeleteAccountCall,
            domain::user::input::ChangeMemberRole => $crate::api::members::ChangeMemberRoleCall,
            domain::user::input::RemoveMember => $crate::api::members::RemoveMemberCall,
            domain::user::input::UnlockSecondFactor => $crate::api::members::UnlockSecondFactorCall,
            domain::tenant::input::InviteMember => $crate::api::members::InviteMemberCall,
            domain::tenant::input::CancelInvitation => $crate::api::members::CancelInvitationCall,
            domain::tenant::input::CreateTenant => $crate::api::tenants::CreateTenantCall,
            domain::tenant::input::RenameTenant => $crate::api::tenants::RenameTenantCall,
            domain::user::input::UpdateProfile => $crate::api::profile::UpdateProfileCall,
            domain::user::input::SwitchTenant => $crate::api::profile::SwitchTenantCall,
            domain::user::input::EndSession => $crate::api::profile::EndSessionCall,
            domain::user::input::EndOtherSessions => $crate::api::profile::EndOtherSessionsCall,
            domain::user::input::CreateCalendarFeed => $crate::api::profile::CreateCalendarFeedCall,
            domain::user::input::RevokeCalendarFeed => $crate::api::profile::RevokeCalendarFeedCall,
        }
    };
}

#[doc(hidden)]
pub use with_key_acts_and_others;

mod audit_log;
mod key_policies;
mod keys;
mod members;
mod profile;
mod scopes;
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

pub use audit_log::{get_agents, get_audit_log, get_flow_runs};
pub use error::AppError;
pub use key_policies::{clear_key_policy, list_key_policies, preview_key_policy, set_key_policy};
pub use keys::{
    create_api_key, get_api_key, get_api_key_usage, list_api_keys, list_tenant_keys, revoke_api_keys, suspend_api_keys,
};
macro_rules! acts_on_keys {
    ($($call:ident $code:literal $function:ident: $input:ident -> $output:ident;)+) => {
        pub use keys::{$($function),+};
    };
}
domain::with_key_acts! { { acts_on_keys } }
pub use members::{
    cancel_invitation, change_member_role, invite_member, list_invitations, list_members, remove_member,
    unlock_second_factor,
};
pub use profile::{
    create_calendar_feed, end_other_sessions, end_session, get_viewer, list_sessions, revoke_calendar_feed,
    switch_tenant, update_profile,
};
pub use scopes::{list_scopes, remove_scope, set_scope};
pub use service_accounts::{
    change_account_role, create_account, delete_account, get_account, list_accounts, rename_account, resume_account,
    suspend_account,
};
pub use tenants::{create_tenant, get_overview, get_tenant, rename_tenant};

/// The path of all server functions.
pub const PREFIX: &str = "/fn";

/// The path of an operation's server function.
pub fn path_of(operation: domain::Operation) -> String {
    format!("{PREFIX}/{}", operation.as_str())
}

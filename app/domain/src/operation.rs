//! The use cases. One variant each: also the audit action, and the unit of parity between the doors.

use serde::{Deserialize, Serialize};

macro_rules! operations {
    ($($(#[$doc:meta])* $variant:ident = $word:literal),* $(,)?) => {
        /// One use case.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Operation {
            $($(#[$doc])* #[serde(rename = $word)] $variant,)*
        }

        impl Operation {
            /// Every use case.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word in the audit log, and the name of its GraphQL field.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }
    };
}

operations! {
    /// Who am I, where, with which role and which other tenants.
    ViewSelf = "viewer",
    /// Stand in another tenant that one belongs to (a session's matter).
    SwitchTenant = "switch_current_tenant",
    /// Change one's own name (a session's matter).
    UpdateProfile = "update_profile",
    /// Change one's own password, and end one's other sessions (a session's matter).
    ChangePassword = "change_password",
    /// The keys of one owner.
    ListApiKeys = "api_keys",
    /// One key.
    GetApiKey = "api_key",
    /// Make a key for oneself or for a service account.
    CreateApiKey = "create_api_key",
    /// End a key for good.
    RevokeApiKey = "delete_api_key",
    /// Call a key by another name.
    RenameApiKey = "rename_api_key",
    /// Stop a key for now.
    SuspendApiKey = "suspend_api_key",
    /// Let a suspended key work again.
    ResumeApiKey = "resume_api_key",
    /// The tenant's service accounts.
    ListServiceAccounts = "service_accounts",
    /// One service account.
    GetServiceAccount = "service_account",
    /// Make a service account.
    CreateServiceAccount = "create_service_account",
    /// Call a service account by another name.
    RenameServiceAccount = "rename_service_account",
    /// Give a service account, and all its keys, another role.
    ChangeServiceAccountRole = "change_service_account_role",
    /// Stop a service account and all its keys for now.
    SuspendServiceAccount = "suspend_service_account",
    /// Let a suspended service account's keys work again.
    ResumeServiceAccount = "resume_service_account",
    /// End a service account and all its keys.
    DeleteServiceAccount = "delete_service_account",
    /// The tenant that one stands in.
    GetTenant = "tenant",
    /// A long-running client tells of itself when it starts.
    RegisterAgent = "register_agent",
    /// An agent asks for work.
    PollQueue = "get_runs_in_queue",
    /// Agents, and when they were last heard of.
    ListAgents = "agents",
    /// The tenant's members, by name and role.
    ListMembers = "members",
    /// Give a member another role.
    ChangeMemberRole = "change_member_role",
    /// End a membership, and with it the member's keys in the tenant.
    RemoveMember = "remove_member",
}

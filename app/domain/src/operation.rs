//! The operations: one per use case. Each is also an action in the audit log, and what every API has to offer.

use serde::{Deserialize, Serialize};

macro_rules! operations {
    ($($(#[$doc:meta])* $variant:ident = $word:literal),* $(,)?) => {
        /// A use case.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Operation {
            $($(#[$doc])* #[serde(rename = $word)] $variant,)*
        }

        impl Operation {
            /// All operations.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Returns the operation's code: its name in the audit log and of its GraphQL field.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            /// Returns the operation with the given code.
            pub fn from_code(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|operation| operation.as_str() == word)
            }
        }
    };
}

operations! {
    /// View the caller: who they are, their tenant and role, and the other tenants they belong to.
    ViewSelf = "viewer",
    /// Select another of the user's tenants. Requires a browser session.
    SwitchTenant = "switch_current_tenant",
    /// Change the user's own name. Users only, by session or API key.
    UpdateProfile = "update_profile",
    /// Change the user's own password and end their other sessions. Requires a browser session.
    ChangePassword = "change_password",
    /// Confirm the user's identity again, before creating or revealing something lasting. Requires a browser session.
    ConfirmSignIn = "confirm_sign_in",
    /// List the user's own sessions. Users only, by session or API key.
    ListSessions = "sessions",
    /// End one of the user's own sessions. Requires a browser session.
    EndSession = "end_session",
    /// End all of the user's sessions except the current one. Requires a browser session.
    EndOtherSessions = "end_other_sessions",
    /// Generate a secret for two-factor authentication. Requires a browser session.
    BeginSecondFactor = "begin_second_factor",
    /// Turn on two-factor authentication. Requires a browser session.
    EnableSecondFactor = "enable_second_factor",
    /// Turn off two-factor authentication. Requires a browser session.
    DisableSecondFactor = "disable_second_factor",
    /// Generate new recovery codes. Requires a browser session.
    RenewRecoveryCodes = "renew_recovery_codes",
    /// List the keys of one owner.
    ListApiKeys = "api_keys",
    /// View one key.
    GetApiKey = "api_key",
    /// Create a key for the caller or for a service account.
    CreateApiKey = "create_api_key",
    /// Revoke a key permanently.
    RevokeApiKey = "delete_api_key",
    /// Rename a key.
    RenameApiKey = "rename_api_key",
    /// Suspend a key until it is resumed.
    SuspendApiKey = "suspend_api_key",
    /// Resume a suspended key.
    ResumeApiKey = "resume_api_key",
    /// View which clients used a key, from where and how often.
    GetApiKeyUsage = "api_key_usage",
    /// Replace a key with a new one; both can work during a grace period.
    RollApiKey = "roll_api_key",
    /// End the grace period of a rotation: the old key stops working now.
    FinishRoll = "finish_roll",
    /// Extend the grace period of a rotation.
    ExtendRoll = "extend_roll",
    /// Undo a rotation: the new key stops working, and the old one keeps its expiry.
    CancelRoll = "cancel_roll",
    /// List the tenant's service accounts.
    ListServiceAccounts = "service_accounts",
    /// View one service account.
    GetServiceAccount = "service_account",
    /// Create a service account.
    CreateServiceAccount = "create_service_account",
    /// Rename a service account.
    RenameServiceAccount = "rename_service_account",
    /// Change the role of a service account, and so of all its keys.
    ChangeServiceAccountRole = "change_service_account_role",
    /// Suspend a service account and all its keys until it is resumed.
    SuspendServiceAccount = "suspend_service_account",
    /// Resume a suspended service account and its keys.
    ResumeServiceAccount = "resume_service_account",
    /// Delete a service account and revoke all its keys.
    DeleteServiceAccount = "delete_service_account",
    /// Create a tenant and become its administrator. Users only, by session or API key.
    CreateTenant = "create_tenant",
    /// Rename the tenant.
    RenameTenant = "rename_tenant",
    /// Invite a person with a link that can be used once.
    InviteMember = "invite_member",
    /// List the tenant's open invitations.
    ListInvitations = "invitations",
    /// Cancel an invitation.
    CancelInvitation = "cancel_invitation",
    /// Accept an invitation and become a member. Users only, by session or API key.
    AcceptInvitation = "accept_invitation",
    /// Create the secret link of the user's own expiry calendar. Users only, by session or API key.
    CreateCalendarFeed = "create_calendar_feed",
    /// Turn off the user's own expiry calendar. Users only, by session or API key.
    RevokeCalendarFeed = "revoke_calendar_feed",
    /// View the selected tenant.
    GetTenant = "tenant",
    /// Register an agent when it starts.
    RegisterAgent = "register_agent",
    /// Poll for work, as an agent.
    PollQueue = "get_runs_in_queue",
    /// List agents and when they were last seen.
    ListAgents = "agents",
    /// Read the tenant's audit log: who did what, and what was denied.
    ListAuditLog = "audit_log",
    /// List all keys of the tenant.
    ListTenantKeys = "tenant_api_keys",
    /// Suspend several keys until they are resumed.
    SuspendApiKeys = "suspend_api_keys",
    /// Revoke several keys permanently.
    RevokeApiKeys = "revoke_api_keys",
    /// List the tenant's key policies.
    ListPolicies = "tenant_policies",
    /// Preview which keys a key policy would affect.
    PreviewPolicy = "policy_preview",
    /// Turn on a key policy, or change it.
    SetPolicy = "set_tenant_policy",
    /// Turn off a key policy.
    ClearPolicy = "clear_tenant_policy",
    /// List the tenant's members with their names and roles.
    ListMembers = "members",
    /// Change a member's role.
    ChangeMemberRole = "change_member_role",
    /// Remove a member and revoke their keys in the tenant.
    RemoveMember = "remove_member",
}

/// Returns the label of an operation code from the audit log, like "Revoke API key".
pub fn label_of(word: &str) -> String {
    let text = match word {
        "viewer" => "view_own_account",
        "switch_current_tenant" => "switch_tenant",
        "sessions" => "list_sessions",
        "begin_second_factor" => "set_up_two-factor_authentication",
        "enable_second_factor" => "turn_on_two-factor_authentication",
        "disable_second_factor" => "turn_off_two-factor_authentication",
        "renew_recovery_codes" => "generate_recovery_codes",
        "api_keys" => "list_api_keys",
        "api_key" => "view_api_key",
        "delete_api_key" => "revoke_api_key",
        "api_key_usage" => "view_api_key_usage",
        "roll_api_key" => "rotate_api_key",
        "finish_roll" => "end_old_api_key",
        "extend_roll" => "extend_grace_period",
        "cancel_roll" => "undo_rotation",
        "service_accounts" => "list_service_accounts",
        "service_account" => "view_service_account",
        "invitations" => "list_invitations",
        "tenant" => "view_tenant",
        "agents" => "list_agents",
        "audit_log" => "read_audit_log",
        "tenant_api_keys" => "list_all_api_keys",
        "tenant_policies" => "list_key_policies",
        "policy_preview" => "preview_key_policy",
        "set_tenant_policy" => "turn_on_key_policy",
        "clear_tenant_policy" => "turn_off_key_policy",
        "members" => "list_members",
        other => other,
    };
    let text = text.replace("api_key", "API key").replace('_', " ");
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_label_says_what_was_done() {
        assert_eq!(super::label_of("delete_api_key"), "Revoke API key");
        assert_eq!(super::label_of("roll_api_key"), "Rotate API key");
        assert_eq!(super::label_of("enable_second_factor"), "Turn on two-factor authentication");
        assert_eq!(super::label_of("audit_log"), "Read audit log");
        assert_eq!(super::label_of("change_service_account_role"), "Change service account role");
    }
}

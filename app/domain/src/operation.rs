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

            /// The operation of a word.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|operation| operation.as_str() == word)
            }
        }
    };
}

operations! {
    /// Who am I, where, with which role and which other tenants.
    ViewSelf = "viewer",
    /// Stand in another tenant that one belongs to (a session's matter).
    SwitchTenant = "switch_current_tenant",
    /// Change one's own name (a person's matter, by session or key).
    UpdateProfile = "update_profile",
    /// Change one's own password, and end one's other sessions (a session's matter).
    ChangePassword = "change_password",
    /// Show again that it is oneself, before making or revealing what lasts (a session's matter).
    ConfirmSignIn = "confirm_sign_in",
    /// One's own sessions (a person's matter, by session or key).
    ListSessions = "sessions",
    /// End one of one's own sessions (a session's matter).
    EndSession = "end_session",
    /// End all of one's own sessions but the one that asks (a session's matter).
    EndOtherSessions = "end_other_sessions",
    /// Draw the secret of a second factor (a session's matter).
    BeginSecondFactor = "begin_second_factor",
    /// Let a second factor count (a session's matter).
    EnableSecondFactor = "enable_second_factor",
    /// End one's own second factor (a session's matter).
    DisableSecondFactor = "disable_second_factor",
    /// Draw new recovery codes (a session's matter).
    RenewRecoveryCodes = "renew_recovery_codes",
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
    /// Who used a key, from where and how often.
    GetApiKeyUsage = "api_key_usage",
    /// Give a key another token; for a while both may work.
    RollApiKey = "roll_api_key",
    /// End the overlap of a rolled key: the old token stops now.
    FinishRoll = "finish_roll",
    /// Let the old token of a rolled key work longer.
    ExtendRoll = "extend_roll",
    /// Take a roll back: the new token stops, the old one stays.
    CancelRoll = "cancel_roll",
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
    /// Make a tenant and administer it (a person's matter, by session or key).
    CreateTenant = "create_tenant",
    /// Call the tenant by another name.
    RenameTenant = "rename_tenant",
    /// Invite a person by a link that works once.
    InviteMember = "invite_member",
    /// The tenant's open invitations.
    ListInvitations = "invitations",
    /// Take an invitation back.
    CancelInvitation = "cancel_invitation",
    /// Become a member by an invitation's link (a person's matter, by session or key).
    AcceptInvitation = "accept_invitation",
    /// Draw the secret link of one's own calendar feed (a person's matter, by session or key).
    CreateCalendarFeed = "create_calendar_feed",
    /// End one's own calendar feed (a person's matter, by session or key).
    RevokeCalendarFeed = "revoke_calendar_feed",
    /// The tenant that one stands in.
    GetTenant = "tenant",
    /// A long-running client tells of itself when it starts.
    RegisterAgent = "register_agent",
    /// An agent asks for work.
    PollQueue = "get_runs_in_queue",
    /// Agents, and when they were last heard of.
    ListAgents = "agents",
    /// What was done in the tenant, by whom, and what was refused.
    ListAuditLog = "audit_log",
    /// Every key of the tenant.
    ListTenantKeys = "tenant_api_keys",
    /// Stop many keys for now.
    SuspendApiKeys = "suspend_api_keys",
    /// End many keys for good.
    RevokeApiKeys = "revoke_api_keys",
    /// The tenant's policies on keys.
    ListPolicies = "tenant_policies",
    /// Which keys a policy would touch.
    PreviewPolicy = "policy_preview",
    /// Turn a policy on, or set it anew.
    SetPolicy = "set_tenant_policy",
    /// Turn a policy off.
    ClearPolicy = "clear_tenant_policy",
    /// The tenant's members, by name and role.
    ListMembers = "members",
    /// Give a member another role.
    ChangeMemberRole = "change_member_role",
    /// End a membership, and with it the member's keys in the tenant.
    RemoveMember = "remove_member",
}

/// An operation's word, as the audit log keeps it, in words for a person: "Revoke API key".
pub fn label_of(word: &str) -> String {
    let text = match word {
        "delete_api_key" => "revoke_api_key",
        "audit_log" => "read_audit_log",
        other => other,
    };
    let text = text.replace("api_key", "API key").replace('_', " ");
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_word_of_the_log_becomes_words_for_a_person() {
        assert_eq!(super::label_of("delete_api_key"), "Revoke API key");
        assert_eq!(super::label_of("audit_log"), "Read audit log");
        assert_eq!(super::label_of("change_service_account_role"), "Change service account role");
    }
}

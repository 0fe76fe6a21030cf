//! The operations: one per use case. Each is also an action in the audit log, and what every API has to offer.

use serde::{Deserialize, Serialize};

use crate::audit::{ActionGroup, Outcome};

/// An action of the audit log: an [`Operation`], or one of the few things that aren't an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action {
    /// The code in the audit log, in the APIs and in URLs.
    pub code: &'static str,
    /// Whether it only reads. Then usually only denied attempts are in the audit log.
    pub is_read: bool,
    /// The group of the action in filters.
    pub group: ActionGroup,
    /// The label in filters, like "Revoke API key".
    pub label: &'static str,
    /// The sentence of an entry about a success, with the placeholders `{actor}` and `{subject}`.
    pub done: &'static str,
    /// The sentence of an entry about a denied attempt, with the same placeholders.
    pub denied: &'static str,
}

impl Action {
    /// Returns the action with the given code.
    pub fn from_code(code: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|action| action.code == code)
    }

    /// Returns the sentence of an entry with the given outcome.
    pub fn sentence(&self, outcome: Outcome) -> &'static str {
        match outcome {
            Outcome::Done => self.done,
            Outcome::Refused => self.denied,
        }
    }
}

/// A right that operations require. Within a tenant; everything in another one is not found. The key rights concern one
/// owner: a user, or a service account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// To manage the user's own account. For users, by session or key.
    OwnAccount,
    /// To manage the user's own account by session alone: a key that could take over its owner's account would outlive
    /// its own revocation, and a key stays in its tenant.
    OwnSession,
    /// To administer the tenant by session alone, because it concerns how a person signs in.
    AdministerInSession,
    /// To administer the tenant as a user, because a person is responsible for it.
    AdministerAsUser,
    /// To view keys and to stop them: their owner and administrators.
    ViewOrStopKey,
    /// To resume keys: administrators, and their owner unless its role is Read only.
    ResumeKey,
    /// To change keys in ways that make no token work longer, such as to end the old key of a rotation, to take scopes or
    /// to tighten limits: their owner and, for service accounts, administrators. The opposite also requires
    /// [`Right::IssueKey`].
    ChangeKey,
    /// To create a token or to make one work longer: like [`Right::ChangeKey`], unless the owner's role is Read only.
    IssueKey,
    /// To act as an agent, with the key it was started with.
    OwnAgent,
    /// To let agents run flows: whoever could create a key that does the same.
    RunFlows,
    /// To view what everybody in the tenant may.
    Belong,
    /// To administer the tenant.
    Administer,
}

/// Whether an operation requires a recent sign-in: nobody may get access in an unattended browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// Never: the operation only reads, only takes access away, or asks for the password itself. The same holds for an
    /// invitation, whose inviter has confirmed what the link grants.
    Never,
    /// Always: the operation creates, restores or reveals access, or changes what protects an account or the keys.
    Always,
    /// Only when the change gives somebody more rights, weakens a key policy, or takes a copy of the audit log.
    WhenWidening,
}

/// Whether an operation only reads, by the word in its row.
macro_rules! is_read {
    (reads) => {
        true
    };
    (writes) => {
        false
    };
}

/// Defines the operations and the other actions of the audit log. Each row is
/// `Variant = "code" reads|writes Group (Right, Confirmation) "Label", "Sentence after a success.", "Sentence after a
/// denied attempt.";`.
/// A sentence about a resource names it by `{subject}`. After a denied attempt, only a key, a service account or a
/// member has a name, because nothing was created.
macro_rules! operations {
    (
        Operation {
            $($(#[$doc:meta])* $variant:ident = $code:literal $access:ident $group:ident ($right:ident, $confirmation:ident)
                $label:literal, $done:literal, $denied:literal;)+
        }
        others {
            $($other:literal $other_group:ident $other_label:literal, $other_done:literal, $other_denied:literal;)+
        }
    ) => {
        /// A use case.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Operation {
            $($(#[$doc])* #[serde(rename = $code)] $variant,)+
        }

        impl Operation {
            /// All operations.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns the operation's code: its name in the audit log and of its GraphQL field.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)+
                }
            }

            /// Returns the operation with the given code.
            pub fn from_code(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|operation| operation.as_str() == word)
            }

            /// Returns the right that an actor needs.
            pub fn right(self) -> Right {
                match self {
                    $(Self::$variant => Right::$right,)+
                }
            }

            /// Returns whether a user in a browser must have signed in recently. Keys and the operator are never asked,
            /// because they have no sign-in.
            pub fn confirmation(self) -> Confirmation {
                match self {
                    $(Self::$variant => Confirmation::$confirmation,)+
                }
            }

            /// Returns the group of its action in filters.
            pub fn group(self) -> ActionGroup {
                match self {
                    $(Self::$variant => ActionGroup::$group,)+
                }
            }

            /// Returns whether the operation only reads.
            pub fn is_read(self) -> bool {
                match self {
                    $(Self::$variant => is_read!($access),)+
                }
            }
        }

        impl Action {
            /// All actions: the operations, and then those before authentication and of the command line alone.
            pub const ALL: &'static [Self] = &[
                $(Self {
                    code: $code,
                    is_read: is_read!($access),
                    group: ActionGroup::$group,
                    label: $label,
                    done: $done,
                    denied: $denied,
                },)+
                $(Self {
                    code: $other,
                    is_read: false,
                    group: ActionGroup::$other_group,
                    label: $other_label,
                    done: $other_done,
                    denied: $other_denied,
                },)+
            ];
        }
    };
}

operations! {
    Operation {
        /// View the caller: who they are, their tenant and role, and the other tenants they belong to.
        ViewSelf = "viewer" reads Members (OwnAccount, Never) "View own account",
            "{actor} viewed their account.",
            "{actor} tried to view a user account and was denied.";
        /// Select another of the user's tenants. Requires a browser session.
        SwitchTenant = "switch_current_tenant" writes Sessions (OwnSession, Never) "Switch tenant",
            "{actor} switched tenants.",
            "{actor} tried to switch tenants and was denied.";
        /// Change the user's own name. Users only, by session or API key.
        UpdateProfile = "update_profile" writes Members (OwnAccount, Never) "Change own name",
            "{actor} changed their name.",
            "{actor} tried to change a user's name and was denied.";
        /// Change the user's own password and end their other sessions. Requires a browser session.
        ChangePassword = "change_password" writes Credentials (OwnSession, Never) "Change password",
            "{actor} changed their password.",
            "{actor} tried to change their password and was denied.";
        /// Confirm the user's identity again, before creating or revealing something lasting. Requires a browser
        /// session.
        ConfirmSignIn = "confirm_sign_in" writes Sessions (OwnSession, Never) "Confirm sign-in",
            "{actor} confirmed their identity.",
            "{actor} tried to confirm their identity and was denied.";
        /// List the user's own sessions. Users only, by session or API key.
        ListSessions = "sessions" reads Sessions (OwnAccount, Never) "List sessions",
            "{actor} listed their sessions.",
            "{actor} tried to list sessions and was denied.";
        /// End one of the user's own sessions. Requires a browser session.
        EndSession = "end_session" writes Sessions (OwnSession, Never) "End session",
            "{actor} ended one of their sessions.",
            "{actor} tried to end a session and was denied.";
        /// End all of the user's sessions except the current one. Requires a browser session.
        EndOtherSessions = "end_other_sessions" writes Sessions (OwnSession, Never) "End other sessions",
            "{actor} signed out everywhere else.",
            "{actor} tried to end other sessions and was denied.";
        /// Generate a secret for two-factor authentication. Requires a browser session.
        BeginSecondFactor = "begin_second_factor" writes Credentials (OwnSession, Always) "Set up two-factor authentication",
            "{actor} started to set up two-factor authentication.",
            "{actor} tried to set up two-factor authentication and was denied.";
        /// Turn on two-factor authentication. Requires a browser session.
        EnableSecondFactor = "enable_second_factor" writes Credentials (OwnSession, Always) "Turn on two-factor authentication",
            "{actor} turned on two-factor authentication.",
            "{actor} tried to turn on two-factor authentication and was denied.";
        /// Turn off two-factor authentication. Requires a browser session.
        DisableSecondFactor = "disable_second_factor" writes Credentials (OwnSession, Always) "Turn off two-factor authentication",
            "{actor} turned off two-factor authentication.",
            "{actor} tried to turn off two-factor authentication and was denied.";
        /// Generate new recovery codes. Requires a browser session.
        RenewRecoveryCodes = "renew_recovery_codes" writes Credentials (OwnSession, Always) "Generate recovery codes",
            "{actor} generated new recovery codes.",
            "{actor} tried to generate new recovery codes and was denied.";
        /// List the keys of one owner.
        ListApiKeys = "api_keys" reads Keys (ViewOrStopKey, Never) "List API keys",
            "{actor} listed the keys of {subject}.",
            "{actor} tried to list the keys of {subject} and was denied.";
        /// View one key.
        GetApiKey = "api_key" reads Keys (ViewOrStopKey, Never) "View API key",
            "{actor} viewed the key “{subject}”.",
            "{actor} tried to view the key “{subject}” and was denied.";
        /// Create a key for the caller or for a service account.
        CreateApiKey = "create_api_key" writes Keys (IssueKey, Always) "Create API key",
            "{actor} created the key “{subject}”.",
            "{actor} tried to create a key for {subject} and was denied.";
        /// Revoke a key permanently.
        RevokeApiKey = "delete_api_key" writes Keys (ViewOrStopKey, Never) "Revoke API key",
            "{actor} revoked the key “{subject}”.",
            "{actor} tried to revoke the key “{subject}” and was denied.";
        /// Rename a key.
        RenameApiKey = "rename_api_key" writes Keys (ChangeKey, Never) "Rename API key",
            "{actor} renamed the key “{subject}”.",
            "{actor} tried to rename the key “{subject}” and was denied.";
        /// Suspend a key until it is resumed.
        SuspendApiKey = "suspend_api_key" writes Keys (ViewOrStopKey, Never) "Suspend API key",
            "{actor} suspended the key “{subject}”.",
            "{actor} tried to suspend the key “{subject}” and was denied.";
        /// Resume a suspended key.
        ResumeApiKey = "resume_api_key" writes Keys (ResumeKey, Always) "Resume API key",
            "{actor} resumed the key “{subject}”.",
            "{actor} tried to resume the key “{subject}” and was denied.";
        /// Change the scopes of a key.
        ChangeKeyScopes = "change_api_key_scopes" writes Keys (ChangeKey, WhenWidening) "Change API key scopes",
            "{actor} changed the scopes of the key “{subject}”.",
            "{actor} tried to change the scopes of the key “{subject}” and was denied.";
        /// Change from which addresses and how often a key may be used.
        ChangeKeyLimits = "change_api_key_limits" writes Keys (ChangeKey, WhenWidening) "Change API key limits",
            "{actor} changed the limits of the key “{subject}”.",
            "{actor} tried to change the limits of the key “{subject}” and was denied.";
        /// View which clients used a key, from where and how often.
        GetApiKeyUsage = "api_key_usage" reads Keys (ViewOrStopKey, Never) "View API key usage",
            "{actor} viewed the usage of “{subject}”.",
            "{actor} tried to view the usage of “{subject}” and was denied.";
        /// Replace a key with a new one; both can work during a grace period.
        RollApiKey = "roll_api_key" writes Rotation (IssueKey, Always) "Rotate API key",
            "{actor} rotated the key “{subject}”.",
            "{actor} tried to rotate the key “{subject}” and was denied.";
        /// End the grace period of a rotation: the old key stops working now.
        FinishRoll = "finish_roll" writes Rotation (ChangeKey, Never) "End old API key",
            "{actor} ended the old key “{subject}”.",
            "{actor} tried to end the old key “{subject}” and was denied.";
        /// Extend the grace period of a rotation.
        ExtendRoll = "extend_roll" writes Rotation (IssueKey, Always) "Extend grace period",
            "{actor} extended the grace period of the key “{subject}”.",
            "{actor} tried to extend the grace period of the key “{subject}” and was denied.";
        /// Undo a rotation: the new key stops working, and the old one keeps its expiry.
        CancelRoll = "cancel_roll" writes Rotation (IssueKey, Always) "Undo rotation",
            "{actor} undid the rotation of the key “{subject}”.",
            "{actor} tried to undo the rotation of the key “{subject}” and was denied.";
        /// List the tenant's service accounts.
        ListServiceAccounts = "service_accounts" reads ServiceAccounts (Administer, Never) "List service accounts",
            "{actor} listed the service accounts.",
            "{actor} tried to list the service accounts and was denied.";
        /// View one service account.
        GetServiceAccount = "service_account" reads ServiceAccounts (Administer, Never) "View service account",
            "{actor} viewed a service account.",
            "{actor} tried to view a service account and was denied.";
        /// Create a service account.
        CreateServiceAccount = "create_service_account" writes ServiceAccounts (Administer, Always) "Create service account",
            "{actor} created the service account “{subject}”.",
            "{actor} tried to create a service account and was denied.";
        /// Rename a service account.
        RenameServiceAccount = "rename_service_account" writes ServiceAccounts (Administer, Never) "Rename service account",
            "{actor} renamed the service account “{subject}”.",
            "{actor} tried to rename the service account “{subject}” and was denied.";
        /// Change the role of a service account, and so of all its keys.
        ChangeServiceAccountRole = "change_service_account_role" writes ServiceAccounts (Administer, WhenWidening) "Change service account role",
            "{actor} changed the role of the service account “{subject}”.",
            "{actor} tried to change the role of the service account “{subject}” and was denied.";
        /// Suspend a service account and all its keys until it is resumed.
        SuspendServiceAccount = "suspend_service_account" writes ServiceAccounts (Administer, Never) "Suspend service account",
            "{actor} suspended the service account “{subject}”.",
            "{actor} tried to suspend the service account “{subject}” and was denied.";
        /// Resume a suspended service account and its keys.
        ResumeServiceAccount = "resume_service_account" writes ServiceAccounts (Administer, Always) "Resume service account",
            "{actor} resumed the service account “{subject}”.",
            "{actor} tried to resume the service account “{subject}” and was denied.";
        /// Delete a service account and revoke all its keys.
        DeleteServiceAccount = "delete_service_account" writes ServiceAccounts (Administer, Never) "Delete service account",
            "{actor} deleted the service account “{subject}”.",
            "{actor} tried to delete the service account “{subject}” and was denied.";
        /// Create a tenant and become its administrator. Users only, by session or API key.
        CreateTenant = "create_tenant" writes Tenants (AdministerAsUser, Always) "Create tenant",
            "{actor} created the tenant “{subject}”.",
            "{actor} tried to create a tenant and was denied.";
        /// Rename the tenant.
        RenameTenant = "rename_tenant" writes Tenants (Administer, Never) "Rename tenant",
            "{actor} renamed the tenant “{subject}”.",
            "{actor} tried to rename the tenant and was denied.";
        /// Invite a person with a link that can be used once.
        InviteMember = "invite_member" writes Invitations (Administer, Always) "Invite member",
            "{actor} invited {subject}.",
            "{actor} tried to invite a member and was denied.";
        /// List the tenant's open invitations.
        ListInvitations = "invitations" reads Invitations (Administer, Never) "List invitations",
            "{actor} listed the invitations.",
            "{actor} tried to list the invitations and was denied.";
        /// Cancel an invitation.
        CancelInvitation = "cancel_invitation" writes Invitations (Administer, Never) "Cancel invitation",
            "{actor} cancelled the invitation for {subject}.",
            "{actor} tried to cancel an invitation and was denied.";
        /// Accept an invitation and become a member. Users only, by session or API key.
        AcceptInvitation = "accept_invitation" writes Invitations (OwnAccount, Never) "Accept invitation",
            "{actor} accepted the invitation for {subject}.",
            "{actor} tried to accept an invitation and was denied.";
        /// Create the secret link of the user's own expiry calendar. Users only, by session or API key.
        CreateCalendarFeed = "create_calendar_feed" writes Calendar (OwnAccount, Always) "Create calendar link",
            "{actor} created a link for their expiry calendar.",
            "{actor} tried to create a link for an expiry calendar and was denied.";
        /// Turn off the user's own expiry calendar. Users only, by session or API key.
        RevokeCalendarFeed = "revoke_calendar_feed" writes Calendar (OwnAccount, Never) "Turn off expiry calendar",
            "{actor} turned off their expiry calendar.",
            "{actor} tried to turn off an expiry calendar and was denied.";
        /// View the selected tenant.
        GetTenant = "tenant" reads Tenants (Belong, Never) "View tenant",
            "{actor} viewed the tenant.",
            "{actor} tried to view the tenant and was denied.";
        /// View the overview of the tenant: counts of keys, requests and the last audit entries.
        GetOverview = "tenant_overview" reads Tenants (Administer, Never) "View overview",
            "{actor} viewed the tenant's overview.",
            "{actor} tried to view the tenant's overview and was denied.";
        /// Register an agent when it starts.
        RegisterAgent = "register_agent" writes Agents (OwnAgent, Never) "Register agent",
            "{actor} registered the agent “{subject}”.",
            "{actor} tried to register an agent and was denied.";
        /// Poll for work, as an agent.
        PollQueue = "get_runs_in_queue" reads Agents (OwnAgent, Never) "Poll for work",
            "{actor} polled for work.",
            "{actor} tried to poll for work and was denied.";
        /// List agents and when they were last seen.
        ListAgents = "agents" reads Agents (ViewOrStopKey, Never) "List agents",
            "{actor} listed the agents.",
            "{actor} tried to list agents and was denied.";
        /// Create a project of flows, in the built-in backend for flow runs.
        CreateFlowProject = "create_project" writes Agents (RunFlows, Never) "Create flow project",
            "{actor} created the flow project “{subject}”.",
            "{actor} tried to create a flow project and was denied.";
        /// Register a flow, or a new version of it.
        RegisterFlow = "create_flow_from_compressed_string" writes Agents (RunFlows, Never) "Register flow",
            "{actor} registered the flow “{subject}”.",
            "{actor} tried to register a flow and was denied.";
        /// Create a run of a flow, which an agent takes.
        CreateFlowRun = "create_flow_run" writes Agents (RunFlows, Never) "Create flow run",
            "{actor} created the flow run “{subject}”.",
            "{actor} tried to create a flow run and was denied.";
        /// Cancel a run of a flow, or rename it.
        CancelFlowRun = "cancel_flow_run" writes Agents (RunFlows, Never) "Cancel flow run",
            "{actor} cancelled the flow run “{subject}”.",
            "{actor} tried to cancel a flow run and was denied.";
        /// Report states and logs of a run, as the agent that took it.
        ReportFlowRun = "set_flow_run_states" writes Agents (OwnAgent, Never) "Report flow run",
            "{actor} reported the state of a flow run.",
            "{actor} tried to report the state of a flow run and was denied.";
        /// Read projects, flows and runs, as the clients of the backend do.
        ReadFlows = "flow_run" reads Agents (Belong, Never) "Read flows",
            "{actor} read flows and their runs.",
            "{actor} tried to read flows and was denied.";
        /// List the runs of agents, with the keys that they used.
        ListFlowRuns = "flow_runs" reads Agents (ViewOrStopKey, Never) "List flow runs",
            "{actor} listed the flow runs.",
            "{actor} tried to list flow runs and was denied.";
        /// Read the tenant's audit log: who did what, and what was denied.
        ListAuditLog = "audit_log" reads AuditLog (Administer, WhenWidening) "Read audit log",
            "{actor} exported the audit log.",
            "{actor} tried to view the audit log and was denied.";
        /// List all keys of the tenant.
        ListTenantKeys = "tenant_api_keys" reads Keys (Administer, Never) "List all API keys",
            "{actor} listed all keys of the tenant.",
            "{actor} tried to list all keys of the tenant and was denied.";
        /// Suspend several keys until they are resumed.
        SuspendApiKeys = "suspend_api_keys" writes Keys (Administer, Never) "Suspend several API keys",
            "{actor} suspended several keys.",
            "{actor} tried to suspend several keys and was denied.";
        /// Revoke several keys permanently.
        RevokeApiKeys = "revoke_api_keys" writes Keys (Administer, Never) "Revoke several API keys",
            "{actor} revoked several keys.",
            "{actor} tried to revoke several keys and was denied.";
        /// List the tenant's key policies.
        ListKeyPolicies = "tenant_policies" reads KeyPolicies (Belong, Never) "List key policies",
            "{actor} listed the key policies.",
            "{actor} tried to list the key policies and was denied.";
        /// Preview which keys a key policy would affect.
        PreviewKeyPolicy = "policy_preview" reads KeyPolicies (Administer, Never) "Preview key policy",
            "{actor} previewed a key policy.",
            "{actor} tried to preview a key policy and was denied.";
        /// Turn on a key policy, or change it.
        SetKeyPolicy = "set_tenant_policy" writes KeyPolicies (Administer, WhenWidening) "Turn on key policy",
            "{actor} turned on the key policy “{subject}”.",
            "{actor} tried to turn on a key policy and was denied.";
        /// Turn off a key policy.
        ClearKeyPolicy = "clear_tenant_policy" writes KeyPolicies (Administer, Always) "Turn off key policy",
            "{actor} turned off the key policy “{subject}”.",
            "{actor} tried to turn off a key policy and was denied.";
        /// List the scopes that keys can hold.
        ListScopes = "scopes" reads Scopes (Belong, Never) "List scopes",
            "{actor} listed the scopes.",
            "{actor} tried to list the scopes and was denied.";
        /// Add a scope to the catalogue, or change it.
        SetScope = "set_scope" writes Scopes (Administer, WhenWidening) "Set scope",
            "{actor} set the scope {subject} in the catalogue.",
            "{actor} tried to change the scope catalogue and was denied.";
        /// Remove a scope from the catalogue and from all keys.
        RemoveScope = "remove_scope" writes Scopes (Administer, Never) "Remove scope",
            "{actor} removed the scope {subject} from the catalogue.",
            "{actor} tried to remove a scope from the catalogue and was denied.";
        /// List the tenant's members with their names and roles.
        ListMembers = "members" reads Members (Belong, Never) "List members",
            "{actor} listed the members.",
            "{actor} tried to list the members and was denied.";
        /// Change a member's role.
        ChangeMemberRole = "change_member_role" writes Members (Administer, WhenWidening) "Change member role",
            "{actor} changed the role of {subject}.",
            "{actor} tried to change the role of {subject} and was denied.";
        /// Remove a member and revoke their keys in the tenant.
        RemoveMember = "remove_member" writes Members (Administer, Never) "Remove member",
            "{actor} removed {subject} from the tenant.",
            "{actor} tried to remove {subject} from the tenant and was denied.";
        /// Accept a member's two-factor codes again, after too many wrong ones. Requires a browser session.
        UnlockSecondFactor = "unlock_second_factor" writes Members (AdministerInSession, Always) "Unlock two-factor codes",
            "{actor} unlocked the two-factor codes of {subject}.",
            "{actor} tried to unlock the two-factor codes of {subject} and was denied.";
    }
    others {
        "sign_in" Sessions "Sign in",
            "{actor} signed in.",
            "A sign-in as {actor} was denied.";
        "set_up" Tenants "Set up",
            "{actor} set up the tenant “{subject}”.",
            "{actor} tried to set up the tenant “{subject}” and was denied.";
        "lock_second_factor" Sessions "Lock two-factor codes",
            "{actor} locked the two-factor codes of {subject}.",
            "{actor} tried to lock the two-factor codes of {subject} and was denied.";
        "rotate_secret_key" Sessions "Rotate secret key",
            "{actor} encrypted the database’s secrets with the new secret key {subject}.",
            "{actor} tried to rotate the secret key and was denied.";
        "restore_backup" Tenants "Restore backup",
            "{actor} restored a backup.",
            "{actor} tried to restore a backup and was denied.";
        "expose_api_key" Keys "Report exposed API key",
            "{actor} marked the API key {subject} as exposed.",
            "{actor} tried to mark an API key as exposed and was denied.";
        "create_user" Members "Create user",
            "{actor} added {subject} to the tenant.",
            "{actor} tried to add {subject} to the tenant and was denied.";
    }
}

/// Returns the label of an action's code, like "Revoke API key"; the code itself if it is unknown.
pub fn label_of(code: &str) -> &str {
    Action::from_code(code).map_or(code, |action| action.label)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_action_has_a_label_and_sentences_of_its_own() {
        let count = Action::ALL.len();
        assert!(count > Operation::ALL.len());
        let of = |field: fn(&Action) -> &'static str| Action::ALL.iter().map(field).collect::<HashSet<_>>().len();
        assert_eq!(of(|action| action.code), count);
        assert_eq!(of(|action| action.label), count);
        assert_eq!(of(|action| action.done), count);
        assert_eq!(of(|action| action.denied), count);
    }

    #[test]
    fn every_sentence_is_whole_and_names_the_actor() {
        for action in Action::ALL {
            for sentence in [action.done, action.denied] {
                assert!(sentence.ends_with('.') && !sentence.contains("  "), "{sentence}");
                assert_eq!(sentence.matches("{actor}").count(), 1, "{sentence}");
                assert!(sentence.matches("{subject}").count() <= 1, "{sentence}");
                let rest = sentence.replace("{actor}", "").replace("{subject}", "");
                assert!(!rest.contains(['{', '}']), "{sentence}");
            }
            assert!(action.denied.ends_with("was denied."), "{}", action.denied);
            assert!(action.label.starts_with(char::is_uppercase), "{}", action.label);
        }
    }

    #[test]
    fn every_operation_is_an_action() {
        for operation in Operation::ALL {
            let action = Action::from_code(operation.as_str()).expect("a row of the table");
            assert_eq!(action.is_read, operation.is_read(), "{operation:?}");
        }
        assert_eq!(label_of("delete_api_key"), "Revoke API key");
        assert_eq!(label_of("from_elsewhere"), "from_elsewhere");
    }
}

//! The acts on a single service account.

use super::account::{AccountState, ServiceAccount};
use crate::{ApiError, ErrorCode, act::acts};

acts! {
    /// An act on a single service account.
    AccountAct {
        /// Rename the account.
        Rename = "rename" does RenameServiceAccount, "Rename", "Rename “{name}”",
            "Renamed to “{name}”.";
        /// Change the role of the account, and so of all its keys.
        ChangeRole = "role" does ChangeServiceAccountRole, "Change role", "Change the role of “{name}”",
            "Role of “{name}” changed.";
        /// Suspend the account and all its keys until it is resumed.
        Suspend = "suspend" does SuspendServiceAccount, "Suspend", "Suspend “{name}”",
            "“{name}” suspended.";
        /// Resume the suspended account and its keys.
        Resume = "resume" does ResumeServiceAccount, "Resume", "Resume “{name}”",
            "“{name}” resumed.";
        /// Delete the account and revoke all its keys.
        Delete = "delete" does DeleteServiceAccount, "Delete", "Delete “{name}”",
            "“{name}” deleted.";
    }
}

impl AccountAct {
    /// Checks whether the account's state allows the act.
    ///
    /// # Errors
    /// The reason why the state doesn't allow it.
    pub fn fits(self, account: &ServiceAccount) -> Result<(), AccountUnfit> {
        match (self, account.state()) {
            (_, AccountState::Deleted { .. }) => Err(AccountUnfit::Deleted),
            (Self::Suspend, AccountState::Suspended { .. }) => Err(AccountUnfit::AlreadySuspended),
            (Self::Resume, AccountState::Active) => Err(AccountUnfit::NotSuspended),
            _ => Ok(()),
        }
    }
}

/// Why the current state of a service account doesn't allow an act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountUnfit {
    /// The account was deleted.
    #[error("This service account was deleted.")]
    Deleted,
    /// The account is already suspended.
    #[error("This service account is already suspended.")]
    AlreadySuspended,
    /// The account isn't suspended.
    #[error("This service account isn't suspended.")]
    NotSuspended,
}

impl From<AccountUnfit> for ApiError {
    fn from(unfit: AccountUnfit) -> Self {
        Self::new(ErrorCode::Conflict, unfit.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_operations_lead_back_to_their_acts() {
        for &act in AccountAct::ALL {
            assert_eq!(AccountAct::from_code(act.code()), Some(act));
            assert_eq!(AccountAct::of(act.operation()), Some(act));
        }
    }
}

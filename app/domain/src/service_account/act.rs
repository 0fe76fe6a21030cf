//! The acts on a single service account.

use super::account::{AccountState, ServiceAccount};
use crate::{ApiError, ErrorCode, Operation};

/// An act on a single service account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AccountAct {
    /// Rename the account.
    Rename,
    /// Change the role of the account, and so of all its keys.
    ChangeRole,
    /// Suspend the account and all its keys until it is resumed.
    Suspend,
    /// Resume the suspended account and its keys.
    Resume,
    /// Delete the account and revoke all its keys.
    Delete,
}

impl AccountAct {
    /// All acts, in the order menus offer them.
    pub const ALL: [Self; 5] = [Self::Rename, Self::ChangeRole, Self::Suspend, Self::Resume, Self::Delete];

    /// Returns the code: the last segment of the act's URL path.
    pub fn code(self) -> &'static str {
        match self {
            Self::Rename => "rename",
            Self::ChangeRole => "role",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Delete => "delete",
        }
    }

    /// Returns the act with the given code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.code() == code)
    }

    /// Returns the operation that performs the act.
    pub fn operation(self) -> Operation {
        match self {
            Self::Rename => Operation::RenameServiceAccount,
            Self::ChangeRole => Operation::ChangeServiceAccountRole,
            Self::Suspend => Operation::SuspendServiceAccount,
            Self::Resume => Operation::ResumeServiceAccount,
            Self::Delete => Operation::DeleteServiceAccount,
        }
    }

    /// Returns the act that an operation performs.
    pub fn of(operation: Operation) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.operation() == operation)
    }

    /// Returns the label of the menu item and button.
    pub fn label(self) -> &'static str {
        match self {
            Self::Rename => "Rename",
            Self::ChangeRole => "Change role",
            Self::Suspend => "Suspend",
            Self::Resume => "Resume",
            Self::Delete => "Delete",
        }
    }

    /// Returns the notice to show after a success. `name` is the name of the account.
    pub fn notice(self, name: &str) -> String {
        match self {
            Self::Rename => format!("Renamed to “{name}”."),
            Self::ChangeRole => format!("Role of “{name}” changed."),
            Self::Suspend => format!("“{name}” and its keys suspended."),
            Self::Resume => format!("“{name}” and its keys resumed."),
            Self::Delete => format!("“{name}” deleted and its keys revoked."),
        }
    }

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
        for act in AccountAct::ALL {
            assert_eq!(AccountAct::from_code(act.code()), Some(act));
            assert_eq!(AccountAct::of(act.operation()), Some(act));
        }
    }
}

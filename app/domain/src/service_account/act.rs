//! What can be done with one service account: the only list of these acts.

use super::account::{AccountState, ServiceAccount};
use crate::{ApiError, ErrorCode, Operation};

/// Something that is done with one service account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AccountAct {
    /// Give it another name.
    Rename,
    /// Give it, and all its keys, another role.
    ChangeRole,
    /// Stop it and all its keys until it is resumed.
    Suspend,
    /// Let its keys work again.
    Resume,
    /// Delete it, and revoke all its keys.
    Delete,
}

impl AccountAct {
    /// Every act, in the order menus offer them.
    pub const ALL: [Self; 5] = [Self::Rename, Self::ChangeRole, Self::Suspend, Self::Resume, Self::Delete];

    /// The last part of the page's path.
    pub fn code(self) -> &'static str {
        match self {
            Self::Rename => "rename",
            Self::ChangeRole => "role",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Delete => "delete",
        }
    }

    /// The act with a code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.code() == code)
    }

    /// The use case.
    pub fn operation(self) -> Operation {
        match self {
            Self::Rename => Operation::RenameServiceAccount,
            Self::ChangeRole => Operation::ChangeServiceAccountRole,
            Self::Suspend => Operation::SuspendServiceAccount,
            Self::Resume => Operation::ResumeServiceAccount,
            Self::Delete => Operation::DeleteServiceAccount,
        }
    }

    /// The act of a use case.
    pub fn of(operation: Operation) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.operation() == operation)
    }

    /// The label of its menu entry and button.
    pub fn label(self) -> &'static str {
        match self {
            Self::Rename => "Rename",
            Self::ChangeRole => "Change role",
            Self::Suspend => "Suspend",
            Self::Resume => "Resume",
            Self::Delete => "Delete",
        }
    }

    /// What is said after it was done to the account called `name`.
    pub fn notice(self, name: &str) -> String {
        match self {
            Self::Rename => format!("Renamed to “{name}”."),
            Self::ChangeRole => format!("Role of “{name}” changed."),
            Self::Suspend => format!("“{name}” and its keys suspended."),
            Self::Resume => format!("“{name}” and its keys resumed."),
            Self::Delete => format!("“{name}” deleted and its keys revoked."),
        }
    }

    /// Whether it can be done to the account in its present state.
    ///
    /// # Errors
    /// Why it can't be done.
    pub fn fits(self, account: &ServiceAccount) -> Result<(), AccountUnfit> {
        match (self, account.state()) {
            (_, AccountState::Deleted { .. }) => Err(AccountUnfit::Deleted),
            (Self::Suspend, AccountState::Suspended { .. }) => Err(AccountUnfit::AlreadySuspended),
            (Self::Resume, AccountState::Active) => Err(AccountUnfit::NotSuspended),
            _ => Ok(()),
        }
    }
}

/// Why an act can't be done to a service account in its present state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountUnfit {
    /// It was deleted.
    #[error("This service account was deleted.")]
    Deleted,
    /// It is suspended.
    #[error("This service account is already suspended.")]
    AlreadySuspended,
    /// It isn't suspended.
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

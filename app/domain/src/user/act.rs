//! The acts on a single member of a tenant.

use crate::Operation;

/// An act on a single member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MemberAct {
    /// Change the role of the member.
    ChangeRole,
    /// Remove the member and revoke their keys in the tenant.
    Remove,
}

impl MemberAct {
    /// All acts, in the order menus offer them.
    pub const ALL: [Self; 2] = [Self::ChangeRole, Self::Remove];

    /// Returns the code: the last segment of the act's URL path.
    pub fn code(self) -> &'static str {
        match self {
            Self::ChangeRole => "role",
            Self::Remove => "remove",
        }
    }

    /// Returns the act with the given code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.code() == code)
    }

    /// Returns the operation that performs the act.
    pub fn operation(self) -> Operation {
        match self {
            Self::ChangeRole => Operation::ChangeMemberRole,
            Self::Remove => Operation::RemoveMember,
        }
    }

    /// Returns the act that an operation performs.
    pub fn of(operation: Operation) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.operation() == operation)
    }

    /// Returns the label of the menu item and button.
    pub fn label(self) -> &'static str {
        match self {
            Self::ChangeRole => "Change role",
            Self::Remove => "Remove",
        }
    }

    /// Returns the notice to show after a success. `name` is the name of the member.
    pub fn notice(self, name: &str) -> String {
        match self {
            Self::ChangeRole => format!("Role of {name} changed."),
            Self::Remove => format!("{name} removed, and their keys in this tenant revoked."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_operations_lead_back_to_their_acts() {
        for act in MemberAct::ALL {
            assert_eq!(MemberAct::from_code(act.code()), Some(act));
            assert_eq!(MemberAct::of(act.operation()), Some(act));
        }
    }
}

//! What can be done with one member of a tenant: the only list of these acts.

use crate::Operation;

/// Something that is done with one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MemberAct {
    /// Give them another role.
    ChangeRole,
    /// End the membership and revoke the member's keys in the tenant.
    Remove,
}

impl MemberAct {
    /// Every act, in the order menus offer them.
    pub const ALL: [Self; 2] = [Self::ChangeRole, Self::Remove];

    /// The last part of the page's path.
    pub fn code(self) -> &'static str {
        match self {
            Self::ChangeRole => "role",
            Self::Remove => "remove",
        }
    }

    /// The act with a code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.code() == code)
    }

    /// The use case.
    pub fn operation(self) -> Operation {
        match self {
            Self::ChangeRole => Operation::ChangeMemberRole,
            Self::Remove => Operation::RemoveMember,
        }
    }

    /// The act of a use case.
    pub fn of(operation: Operation) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.operation() == operation)
    }

    /// The label of its menu entry and button.
    pub fn label(self) -> &'static str {
        match self {
            Self::ChangeRole => "Change role",
            Self::Remove => "Remove",
        }
    }

    /// What is said after it was done to the member called `name`.
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

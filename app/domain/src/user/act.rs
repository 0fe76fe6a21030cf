//! The acts on a single member of a tenant.

use crate::act::acts;

acts! {
    /// An act on a single member.
    MemberAct {
        /// Change the role of the member.
        ChangeRole = "role" does ChangeMemberRole, "Change role",
            "Change the role of {name}", "Role of {name} changed.";
        /// Accept the member's two-factor codes again, after too many wrong ones.
        UnlockSecondFactor = "unlock-codes" does UnlockSecondFactor, "Unlock two-factor codes",
            "Unlock the two-factor codes of {name}", "Two-factor codes of {name} unlocked.";
        /// Remove the member and revoke their keys in the tenant.
        Remove = "remove" does RemoveMember, "Remove",
            "Remove {name} from the tenant", "{name} removed, and their keys in this tenant revoked.";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_operations_lead_back_to_their_acts() {
        for &act in MemberAct::ALL {
            assert_eq!(MemberAct::from_code(act.code()), Some(act));
            assert_eq!(MemberAct::of(act.operation()), Some(act));
        }
    }
}

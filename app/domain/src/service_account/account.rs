//! The service account record and its states.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{LastUse, Name, Role, ServiceAccountId, TenantId};

/// A service account: an identity for automation that belongs to exactly one tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceAccount {
    /// The account's id.
    pub id: ServiceAccountId,
    /// The tenant that it belongs to.
    pub tenant_id: TenantId,
    /// The account's name. Unique among the tenant's accounts that aren't deleted, compared exactly.
    pub name: Name,
    /// The role, which all its keys have.
    pub role: Role,
    /// When the account was created.
    pub created_at: DateTime<Utc>,
    /// The name of the creator.
    pub created_by: String,
    /// When the account was suspended, if it is. All its keys are then suspended too.
    pub suspended_at: Option<DateTime<Utc>>,
    /// The name of the actor that suspended it.
    pub suspended_by: Option<String>,
    /// When the account was deleted, which is permanent.
    pub deleted_at: Option<DateTime<Utc>>,
    /// The number of keys that work now.
    pub active_keys: u32,
    /// The number of keys ever created.
    pub all_keys: u32,
    /// The last use of any of its keys.
    pub last_used: Option<LastUse>,
}

/// The state of a service account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountState {
    /// The account is active.
    Active,
    /// The account and all its keys are suspended.
    Suspended {
        /// When it was suspended.
        at: DateTime<Utc>,
    },
    /// The account is deleted and all its keys are revoked.
    Deleted {
        /// When it was deleted.
        at: DateTime<Utc>,
    },
}

impl ServiceAccount {
    /// Returns the state.
    pub fn state(&self) -> AccountState {
        match (self.deleted_at, self.suspended_at) {
            (Some(at), _) => AccountState::Deleted { at },
            (None, Some(at)) => AccountState::Suspended { at },
            (None, None) => AccountState::Active,
        }
    }

    /// Returns whether one of its keys was used in the 24 hours before `now`. The form to delete it then asks for its
    /// name.
    pub fn was_used_lately(&self, now: DateTime<Utc>) -> bool {
        self.last_used.as_ref().is_some_and(|last| last.is_within_a_day(now))
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn an_account_was_used_lately_if_used_in_the_past_24_hours() {
        let at = DateTime::UNIX_EPOCH;
        let account = ServiceAccount {
            id: ServiceAccountId(uuid::Uuid::nil()),
            tenant_id: TenantId(uuid::Uuid::nil()),
            name: Name::parse("bot").unwrap(),
            role: Role::User,
            created_at: at,
            created_by: "Ada".to_owned(),
            suspended_at: None,
            suspended_by: None,
            deleted_at: None,
            active_keys: 1,
            all_keys: 1,
            last_used: Some(LastUse { at, address: None, user_agent: None }),
        };
        assert!(account.was_used_lately(at + TimeDelta::hours(23)));
        assert!(!account.was_used_lately(at + TimeDelta::hours(24)));
        assert!(!ServiceAccount { last_used: None, ..account }.was_used_lately(at));
    }
}

//! Service accounts: non-persons that belong to exactly one tenant.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{LastUse, Name, Role, ServiceAccountId, TenantId};

/// A service account, with what a list shows of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceAccount {
    /// Its id.
    pub id: ServiceAccountId,
    /// The tenant it belongs to.
    pub tenant_id: TenantId,
    /// Its name, unique among the tenant's living accounts (compared as typed).
    pub name: Name,
    /// What its keys may do.
    pub role: Role,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// The name of who made it.
    pub created_by: String,
    /// Since when it is suspended, and all its keys with it.
    pub suspended_at: Option<DateTime<Utc>>,
    /// The name of who suspended it.
    pub suspended_by: Option<String>,
    /// When it was deleted. A deleted account never comes back.
    pub deleted_at: Option<DateTime<Utc>>,
    /// Keys that verify now.
    pub active_keys: u32,
    /// Keys ever made.
    pub all_keys: u32,
    /// The last use of any of its keys.
    pub last_used: Option<LastUse>,
}

/// Where an account is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountState {
    /// Its keys may verify.
    Active,
    /// Stopped, with all its keys, for now.
    Suspended {
        /// Since when.
        at: DateTime<Utc>,
    },
    /// Gone; all its keys are revoked.
    Deleted {
        /// Since when.
        at: DateTime<Utc>,
    },
}

impl ServiceAccount {
    /// The state that the facts amount to.
    pub fn state(&self) -> AccountState {
        match (self.deleted_at, self.suspended_at) {
            (Some(at), _) => AccountState::Deleted { at },
            (None, Some(at)) => AccountState::Suspended { at },
            (None, None) => AccountState::Active,
        }
    }

    /// Whether a key of it was used in the day before `now`: then deleting it asks for its name.
    pub fn was_used_lately(&self, now: DateTime<Utc>) -> bool {
        self.last_used.as_ref().is_some_and(|last| last.is_within_a_day(now))
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn an_account_was_used_lately_for_a_day() {
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

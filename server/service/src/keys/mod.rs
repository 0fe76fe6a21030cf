//! API keys: creation, rotation, verification, revocation, key policies, usage and agents.

pub(crate) mod agents;
pub(crate) mod api_keys;
pub(crate) mod change_feed;
pub(crate) mod daily_usage;
pub(crate) mod expiring;
pub(crate) mod expiry_calendar;
pub(crate) mod expiry_mail;
pub(crate) mod inventory;
pub(crate) mod issue;
pub(crate) mod key_limits;
pub(crate) mod key_policies;
pub(crate) mod key_scopes;
pub(crate) mod known_token;
pub(crate) mod limit_checks;
pub(crate) mod open_uses;
pub(crate) mod pending_changes;
pub(crate) mod perform;
pub(crate) mod rate_limits;
pub(crate) mod roll;
pub(crate) mod scopes;
pub(crate) mod token;
pub(crate) mod token_search;
pub(crate) mod usage;
pub(crate) mod verification;
pub(crate) mod verification_counts;
pub(crate) mod verifiers;

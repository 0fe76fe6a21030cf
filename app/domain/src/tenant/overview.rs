//! The overview of a tenant: how many keys need attention, the requests of the last days, and what happened last.

use serde::{Deserialize, Serialize};

use crate::{ApiKey, AuditEntry, DayCount, RefusalReason, page::Total};

/// The number of days in [`Overview::days`].
pub const DAYS: u32 = 30;
/// The number of days that [`Overview::most_used`] and [`Overview::most_rejected`] cover, including today.
pub const WEEK: u32 = 7;
/// Keys that expire within this number of days are counted in [`Overview::expiring`].
pub const EXPIRING_WITHIN: u16 = 30;

/// A key with its requests in a period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRequests {
    /// The key.
    pub key: ApiKey,
    /// The number of accepted requests.
    pub use_count: u64,
    /// The number of rejected requests.
    pub refusals: u64,
}

/// How often requests were rejected for a reason in a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasonCount {
    /// The reason.
    pub reason: RefusalReason,
    /// The number of rejected requests.
    pub refusals: u64,
}

/// What has been done so far to set up a tenant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Steps {
    /// Whether a key exists, in any state.
    pub has_key: bool,
    /// Whether a key was used.
    pub has_used_key: bool,
    /// Whether there is more than one member, or an open invitation.
    pub has_team: bool,
}

/// The overview of a tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overview {
    /// The number of active keys. This and the other numbers are `None` where counting would be slow.
    pub active: Option<Total>,
    /// The number of active keys that expire within [`EXPIRING_WITHIN`] days.
    pub expiring: Option<Total>,
    /// The number of active keys that were created and last used more than 90 days ago.
    pub unused: Option<Total>,
    /// The number of active keys that violate a key policy, in effect or scheduled.
    pub violating: Option<Total>,
    /// The requests on each of the last [`DAYS`] days in UTC, earliest first. Fewer days for a tenant with very many
    /// used keys.
    pub days: Vec<DayCount>,
    /// The keys with the most accepted requests in the last [`WEEK`] days, at most 5.
    pub most_used: Vec<KeyRequests>,
    /// The keys with the most rejected requests in the last [`WEEK`] days, at most 5.
    pub most_rejected: Vec<KeyRequests>,
    /// Why requests with the tenant's keys were rejected in the last [`WEEK`] days, most frequent reason first.
    pub reasons: Vec<ReasonCount>,
    /// The last 10 entries of the audit log, newest first.
    pub recent: Vec<AuditEntry>,
    /// What has been done to set up the tenant.
    pub steps: Steps,
}

crate::input::inputs! {
    /// Returns the overview of the selected tenant.
    GetOverview for GetOverview -> Overview {}
}

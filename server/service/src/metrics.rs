//! What the metrics tell about keys. Only the listener for metrics may call this: it covers all tenants.

use chrono::TimeDelta;
use domain::audit::Channel;

use crate::{
    context::Context,
    error::Result,
    keys::{expiry_mail, usage::UsageBuffer, verification_counts::VerificationOutcome},
    storage::{self, metrics::ExpiringKey},
};

/// The maximum number of keys in [`KeyFigures::expiring`].
const MAX_EXPIRING: u32 = 1_000;

/// The figures for the metrics.
pub struct Metrics<'a> {
    pub(crate) context: &'a Context,
    pub(crate) usage: &'a UsageBuffer,
}

/// Figures about the keys of all tenants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyFigures {
    /// The number of keys by state: `active`, `suspended`, `revoked`, `expired`.
    pub counts: Vec<(&'static str, u64)>,
    /// The keys that expire within the period of the reminders, soonest expiry first, at most 1,000.
    pub expiring: Vec<ExpiringKey>,
}

impl Metrics<'_> {
    /// Returns how many tokens this process verified, by API and outcome.
    pub fn verifications(&self) -> Vec<(Channel, VerificationOutcome, u64)> {
        self.usage.counts.all()
    }

    /// Returns how many keys this process knows in memory.
    pub fn keys_in_memory(&self) -> usize {
        self.context.db().key_cache().len()
    }

    /// Counts the keys. Reads an index of all keys, so it shouldn't be called more often than about once a minute.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keys(&self) -> Result<KeyFigures> {
        let (db, now) = (self.context.db(), self.context.now());
        let until = now + TimeDelta::days(expiry_mail::FIRST);
        Ok(KeyFigures {
            counts: storage::metrics::count_by_state(db).await?,
            expiring: storage::metrics::list_expiring(db, now, until, MAX_EXPIRING).await?,
        })
    }
}

//! Counts verifications by API and outcome since the process started, for the metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use domain::{RefusalReason, audit::Channel};

/// The outcome of a verification. The caller learns only whether the key is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerificationOutcome {
    /// The key is valid.
    Accepted,
    /// The key was revoked.
    Revoked,
    /// The key has expired.
    Expired,
    /// The key or its service account is suspended.
    Suspended,
    /// The key's owner is no longer a member of its tenant, or was deleted.
    WithoutOwner,
    /// The key may not be used from the client's address.
    AddressNotAllowed,
    /// The key was used more often than its limit allows.
    RateLimited,
    /// The token has the right format, and was never issued.
    Unknown,
    /// The token has a wrong format or checksum.
    Malformed,
    /// The token couldn't be checked.
    Failed,
}

impl VerificationOutcome {
    /// All outcomes.
    pub const ALL: [Self; 10] = [
        Self::Accepted,
        Self::Revoked,
        Self::Expired,
        Self::Suspended,
        Self::WithoutOwner,
        Self::AddressNotAllowed,
        Self::RateLimited,
        Self::Unknown,
        Self::Malformed,
        Self::Failed,
    ];

    /// Returns why a request with a key was rejected; `None` if it wasn't, or the token belongs to no key.
    pub(crate) fn refusal_reason(self) -> Option<RefusalReason> {
        match self {
            Self::Revoked => Some(RefusalReason::Revoked),
            Self::Expired => Some(RefusalReason::Expired),
            Self::Suspended => Some(RefusalReason::Suspended),
            Self::WithoutOwner => Some(RefusalReason::OwnerLeft),
            Self::AddressNotAllowed => Some(RefusalReason::AddressNotAllowed),
            Self::RateLimited => Some(RefusalReason::RateLimited),
            Self::Accepted | Self::Unknown | Self::Malformed | Self::Failed => None,
        }
    }

    /// Returns the code in the metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::Suspended => "suspended",
            Self::WithoutOwner => "without_owner",
            Self::AddressNotAllowed => "address_not_allowed",
            Self::RateLimited => "rate_limited",
            Self::Unknown => "unknown",
            Self::Malformed => "malformed",
            Self::Failed => "failed",
        }
    }
}

/// The APIs that verify tokens.
const CHANNELS: [Channel; 3] = [Channel::Browser, Channel::Graphql, Channel::Rest];

/// The counts of the process.
#[derive(Debug, Default)]
pub(crate) struct VerificationCounts([[AtomicU64; VerificationOutcome::ALL.len()]; CHANNELS.len()]);

impl VerificationCounts {
    /// Counts a verification.
    pub(crate) fn add(&self, channel: Channel, outcome: VerificationOutcome) {
        let channel = CHANNELS.iter().position(|known| *known == channel);
        let outcome = VerificationOutcome::ALL.iter().position(|known| *known == outcome);
        if let (Some(channel), Some(outcome)) = (channel, outcome) {
            self.0[channel][outcome].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns all counts, including those that are zero.
    pub(crate) fn all(&self) -> Vec<(Channel, VerificationOutcome, u64)> {
        let of_channel = |(channel, counts): (Channel, &[AtomicU64; VerificationOutcome::ALL.len()])| {
            let counts = counts.iter().map(|count| count.load(Ordering::Relaxed));
            VerificationOutcome::ALL
                .into_iter()
                .zip(counts)
                .map(move |(outcome, count)| (channel, outcome, count))
                .collect::<Vec<_>>()
        };
        CHANNELS.into_iter().zip(&self.0).flat_map(of_channel).collect()
    }
}

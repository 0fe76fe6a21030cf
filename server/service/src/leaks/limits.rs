//! How many reports are accepted. Counted in memory, for each server: a report changes nothing unless it contains a
//! token, so the limit only keeps a flood from the database.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use domain::{ApiError, ErrorCode};

use crate::people::network::Network;

/// The most reports in a minute from one network.
const MAX_OF_NETWORK: u32 = 10;
/// The most reports in a minute from all networks together.
const MAX_IN_ALL: u32 = 60;

/// Who sends a report. Each kind has its own limits, so that unsigned reports can't keep signed ones out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reporter {
    /// Anybody: the report isn't signed.
    Anybody,
    /// Somebody whose report has a signature, which isn't checked yet. Once it is, the report no longer counts.
    ClaimsSignature,
}

/// The counts of the current minute.
#[derive(Debug, Default)]
pub(crate) struct ReportLimits {
    unsigned: Mutex<Minute>,
    signed: Mutex<Minute>,
}

#[derive(Debug, Default)]
struct Minute {
    /// Counted from the Unix epoch.
    number: i64,
    all: u32,
    /// Never more than [`MAX_IN_ALL`] networks.
    by_network: HashMap<String, u32>,
}

impl ReportLimits {
    /// Counts a report.
    ///
    /// # Errors
    /// `RATE_LIMITED` if there were too many in this minute.
    pub(crate) fn take(&self, reporter: Reporter, network: &Network, now: DateTime<Utc>) -> Result<(), ApiError> {
        let mut minute = self.minute_of(reporter);
        let number = now.timestamp().div_euclid(60);
        if minute.number != number {
            *minute = Minute { number, ..Minute::default() };
        }
        let name = network.to_string();
        let of_network = minute.by_network.get(&name).copied().unwrap_or(0);
        // Clients whose network isn't known share the limit of all.
        if minute.all >= MAX_IN_ALL || (network.is_known() && of_network >= MAX_OF_NETWORK) {
            let wait = 60 - now.timestamp().rem_euclid(60);
            let refusal = ApiError::new(ErrorCode::RateLimited, "Too many reports. Try again in a minute.");
            return Err(ApiError { retry_after: u32::try_from(wait).ok(), ..refusal });
        }
        minute.all += 1;
        minute.by_network.insert(name, of_network + 1);
        Ok(())
    }

    /// Gives back what a report with a valid signature was counted as.
    pub(crate) fn give_back(&self, network: &Network) {
        let mut minute = self.minute_of(Reporter::ClaimsSignature);
        minute.all = minute.all.saturating_sub(1);
        if let Some(count) = minute.by_network.get_mut(&network.to_string()) {
            *count = count.saturating_sub(1);
        }
    }

    fn minute_of(&self, reporter: Reporter) -> MutexGuard<'_, Minute> {
        let minute = match reporter {
            Reporter::Anybody => &self.unsigned,
            Reporter::ClaimsSignature => &self.signed,
        };
        minute.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn each_network_and_all_together_have_a_limit_in_a_minute() {
        let (limits, now) = (ReportLimits::default(), DateTime::UNIX_EPOCH + TimeDelta::seconds(70));
        let take = |address: &str, now| limits.take(Reporter::Anybody, &Network::of(Some(address)), now);
        for _ in 0..MAX_OF_NETWORK {
            take("2001:db8::1", now).unwrap();
        }
        let refusal = take("2001:db8::2", now).unwrap_err();
        assert_eq!((refusal.code, refusal.retry_after), (ErrorCode::RateLimited, Some(50)));
        for n in MAX_OF_NETWORK..MAX_IN_ALL {
            take(&format!("192.0.2.{n}"), now).unwrap();
        }
        assert!(take("198.51.100.1", now).is_err());
        assert!(limits.unsigned.lock().unwrap().by_network.len() <= MAX_IN_ALL as usize);
        take("2001:db8::1", now + TimeDelta::seconds(50)).unwrap();
    }

    #[test]
    fn clients_of_unknown_networks_share_the_limit_of_all() {
        let (limits, now) = (ReportLimits::default(), DateTime::UNIX_EPOCH);
        for _ in 0..MAX_IN_ALL {
            limits.take(Reporter::Anybody, &Network::of(None), now).unwrap();
        }
        assert!(limits.take(Reporter::Anybody, &Network::of(None), now).is_err());
    }

    #[test]
    fn reports_with_a_signature_have_limits_of_their_own_and_valid_ones_do_not_count() {
        let (limits, now) = (ReportLimits::default(), DateTime::UNIX_EPOCH);
        let network = Network::of(Some("192.0.2.1"));
        let take = |reporter| limits.take(reporter, &network, now);
        while take(Reporter::Anybody).is_ok() {}
        for _ in 0..MAX_IN_ALL {
            take(Reporter::ClaimsSignature).unwrap();
            limits.give_back(&network);
        }
        for _ in 0..MAX_OF_NETWORK {
            take(Reporter::ClaimsSignature).unwrap();
        }
        assert!(take(Reporter::ClaimsSignature).is_err());
    }
}

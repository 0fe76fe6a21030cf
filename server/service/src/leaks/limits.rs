//! How many reports are accepted. Counted in memory, for each server: a report changes nothing unless it contains a
//! token, so the limits only keep a flood from the memory and the database.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use domain::{ApiError, ErrorCode};
use tokio::sync::oneshot;

use crate::people::network::Network;

/// The most unsigned reports in a minute from one network.
const MAX_OF_NETWORK: u32 = 10;
/// The most unsigned reports in a minute from all networks together.
const MAX_IN_ALL: u32 = 60;
/// The most reports in a minute from one network whose signatures are wrong, or aren't checked yet.
const MAX_UNVERIFIED_OF_NETWORK: u32 = 20;
/// The most reports whose signatures aren't checked yet, from all networks together.
const MAX_UNVERIFIED: usize = 64;
/// The most networks whose wrong signatures are counted.
const MAX_NETWORKS: usize = 10_000;

/// The counts of the current minute.
#[derive(Debug, Default)]
pub(crate) struct ReportLimits {
    unsigned: Mutex<Minute>,
    unverified: Arc<Unverified>,
}

#[derive(Debug, Default)]
struct Minute {
    /// Counted from the Unix epoch.
    number: i64,
    all: u32,
    by_network: HashMap<String, u32>,
}

impl Minute {
    /// Forgets the counts of an earlier minute.
    fn advance(&mut self, now: DateTime<Utc>) {
        let number = now.timestamp().div_euclid(60);
        if self.number != number {
            *self = Self { number, ..Self::default() };
        }
    }

    fn of_network(&self, network: &str) -> u32 {
        self.by_network.get(network).copied().unwrap_or(0)
    }
}

/// Reports that claim to be signed, until their signatures are checked. They don't have a limit in common: strangers would
/// use it up, and so keep out the reports with valid signatures.
#[derive(Debug, Default)]
struct Unverified {
    minute: Mutex<Minute>,
    /// One for each report, the oldest first. Dropping it displaces the report.
    admitted: Mutex<VecDeque<oneshot::Sender<()>>>,
}

/// A report that claims to be signed. It counts against its network unless its signature is valid.
#[derive(Debug)]
pub struct UnverifiedReport {
    unverified: Arc<Unverified>,
    network: String,
    displaced: oneshot::Receiver<()>,
}

impl UnverifiedReport {
    /// Returns when newer reports need the memory of this one, which has the longest time to arrive.
    pub async fn displaced(&mut self) {
        (&mut self.displaced).await.ok();
    }

    /// Stops counting the report, because its signature is valid or can't be checked.
    pub fn stop_counting(self) {
        let mut minute = lock(&self.unverified.minute);
        if let Some(count) = minute.by_network.get_mut(&self.network) {
            *count = count.saturating_sub(1);
        }
    }
}

impl ReportLimits {
    /// Counts an unsigned report.
    ///
    /// # Errors
    /// `RATE_LIMITED` if there were too many in this minute.
    pub(crate) fn take_unsigned(&self, network: &Network, now: DateTime<Utc>) -> Result<(), ApiError> {
        let mut minute = lock(&self.unsigned);
        minute.advance(now);
        let name = network.to_string();
        let of_network = minute.of_network(&name);
        // Clients whose network isn't known share the limit of all.
        if minute.all >= MAX_IN_ALL || (network.is_known() && of_network >= MAX_OF_NETWORK) {
            return Err(refusal(now));
        }
        minute.all += 1;
        minute.by_network.insert(name, of_network + 1);
        Ok(())
    }

    /// Admits a report that claims to be signed. If many are being received, the oldest one has to give way: a report
    /// arrives in a moment, unless its sender only wants to keep others out.
    ///
    /// # Errors
    /// `RATE_LIMITED` if too many from the network had a wrong signature in this minute.
    pub(crate) fn admit_signed(&self, network: &Network, now: DateTime<Utc>) -> Result<UnverifiedReport, ApiError> {
        let name = network.to_string();
        let mut minute = lock(&self.unverified.minute);
        minute.advance(now);
        let of_network = minute.of_network(&name);
        // Clients whose network isn't known have no limit: one of them may be GitHub.
        if network.is_known() && of_network >= MAX_UNVERIFIED_OF_NETWORK {
            return Err(refusal(now));
        }
        if of_network > 0 || minute.by_network.len() < MAX_NETWORKS {
            minute.by_network.insert(name.clone(), of_network + 1);
        }
        drop(minute);
        let (admitted, displaced) = oneshot::channel();
        let mut all = lock(&self.unverified.admitted);
        all.retain(|other| !other.is_closed());
        if all.len() >= MAX_UNVERIFIED {
            all.pop_front();
        }
        all.push_back(admitted);
        Ok(UnverifiedReport { unverified: Arc::clone(&self.unverified), network: name, displaced })
    }
}

fn refusal(now: DateTime<Utc>) -> ApiError {
    let wait = 60 - now.timestamp().rem_euclid(60);
    let refusal = ApiError::new(ErrorCode::RateLimited, "Too many reports. Try again in a minute.");
    ApiError { retry_after: u32::try_from(wait).ok(), ..refusal }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use tokio::sync::oneshot::error::TryRecvError;

    use super::*;

    #[test]
    fn each_network_and_all_together_have_a_limit_in_a_minute() {
        let (limits, now) = (ReportLimits::default(), DateTime::UNIX_EPOCH + TimeDelta::seconds(70));
        let take = |address: &str, now| limits.take_unsigned(&Network::of(Some(address)), now);
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
            limits.take_unsigned(&Network::of(None), now).unwrap();
        }
        assert!(limits.take_unsigned(&Network::of(None), now).is_err());
    }

    #[test]
    fn reports_with_a_valid_signature_have_no_limit_and_wrong_ones_count_against_their_network() {
        let (limits, now) = (ReportLimits::default(), DateTime::UNIX_EPOCH);
        let network = |n: u32| Network::of(Some(&format!("192.0.2.{n}")));
        let github = network(0);
        while limits.take_unsigned(&github, now).is_ok() {}
        for n in 1..=200 {
            for _ in 0..MAX_UNVERIFIED_OF_NETWORK {
                drop(limits.admit_signed(&network(n), now).unwrap());
            }
            assert!(limits.admit_signed(&network(n), now).is_err());
            limits.admit_signed(&github, now).unwrap().stop_counting();
        }
        limits.admit_signed(&network(1), now + TimeDelta::minutes(1)).unwrap();
        let unknown = Network::of(None);
        for _ in 0..1_000 {
            drop(limits.admit_signed(&unknown, now).unwrap());
        }
    }

    #[tokio::test]
    async fn the_oldest_of_many_unverified_reports_gives_way() {
        let (limits, now) = (ReportLimits::default(), DateTime::UNIX_EPOCH);
        let admit = |n: usize| limits.admit_signed(&Network::of(Some(&format!("2001:db8:{n:x}::1"))), now).unwrap();
        let mut all: Vec<_> = (0..MAX_UNVERIFIED).map(admit).collect();
        drop(all.remove(1));
        let mut last = admit(MAX_UNVERIFIED);
        assert!(all.iter_mut().all(|report| report.displaced.try_recv() == Err(TryRecvError::Empty)));
        let _another = admit(MAX_UNVERIFIED + 1);
        all[0].displaced().await;
        assert!(all[1..].iter_mut().all(|report| report.displaced.try_recv() == Err(TryRecvError::Empty)));
        assert_eq!(last.displaced.try_recv(), Err(TryRecvError::Empty));
    }
}

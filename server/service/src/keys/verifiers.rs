//! The services that keep answers about keys in their own process, as far as they report to this server. In memory.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use domain::TenantId;

use crate::storage::feed::Cursor;

/// How many verifiers of one tenant are known.
const MAX_OF_TENANT: usize = 64;
/// How many verifiers of all tenants are known.
const MAX: usize = 4_096;
/// How many of a verifier's steps are kept.
const MAX_STEPS: usize = 64;
/// After how long without a report a verifier no longer counts as reporting, in microseconds. It may use no answer that is
/// older than a second, so it asks the server for each request then, or refuses.
const SILENT_AFTER: i64 = 2_000_000;
/// After how long without a report a verifier is forgotten, in microseconds.
const FORGOTTEN_AFTER: i64 = 300_000_000;

/// How far a change has spread. Counts only the verifiers that report to this server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// How many verifiers are known.
    pub verifiers: usize,
    /// How many of them have the change.
    pub reached: usize,
    /// How many of the others have stopped to report: they don't use what they know.
    pub silent: usize,
    /// How long ago the last one of those that have the change reported it, in microseconds. Too short if it was long ago.
    pub since: Option<i64>,
}

#[derive(Debug)]
struct Verifier {
    /// The latest cursors, and when they were reported first.
    steps: VecDeque<(Cursor, i64)>,
    reported_at: i64,
}

/// The verifiers. All times are of the monotonic clock, in microseconds.
#[derive(Debug, Default)]
pub(crate) struct Verifiers(Mutex<HashMap<TenantId, HashMap<String, Verifier>>>);

impl Verifiers {
    fn known(&self) -> MutexGuard<'_, HashMap<TenantId, HashMap<String, Verifier>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how far a verifier has read. Returns false if there are too many verifiers.
    pub(crate) fn note(&self, tenant: TenantId, name: &str, cursor: Option<Cursor>, now: i64) -> bool {
        let mut known = self.known();
        if !known.get(&tenant).is_some_and(|of| of.contains_key(name)) {
            known.retain(|_, of| {
                of.retain(|_, one| now - one.reported_at < FORGOTTEN_AFTER);
                !of.is_empty()
            });
            if known.values().map(HashMap::len).sum::<usize>() >= MAX {
                return false;
            }
            let of = known.entry(tenant).or_default();
            if of.len() >= MAX_OF_TENANT {
                // A silent one uses nothing of what it knew, so it makes room.
                let silent = of.iter().filter(|(_, one)| now - one.reported_at >= SILENT_AFTER);
                let oldest = silent.min_by_key(|(_, one)| one.reported_at).map(|(name, _)| name.clone());
                let Some(oldest) = oldest else { return false };
                of.remove(&oldest);
            }
        }
        let new = || Verifier { steps: VecDeque::new(), reported_at: now };
        let verifier = known.entry(tenant).or_default().entry(name.to_owned()).or_insert_with(new);
        verifier.reported_at = now;
        match cursor {
            // It knows nothing, and so uses nothing.
            None => verifier.steps.clear(),
            Some(cursor) if verifier.steps.back().is_none_or(|(last, _)| *last != cursor) => {
                verifier.steps.push_back((cursor, now));
                if verifier.steps.len() > MAX_STEPS {
                    verifier.steps.pop_front();
                }
            }
            Some(_) => (),
        }
        true
    }

    /// Returns how far a change of a tenant has spread. It has reached nobody if it is `None`. Returns `None` if no verifier
    /// is known.
    pub(crate) fn reach(&self, tenant: TenantId, change: Option<&Cursor>, now: i64) -> Option<Reach> {
        let known = self.known();
        let mut reach = Reach::default();
        for verifier in known.get(&tenant)?.values().filter(|one| now - one.reported_at < FORGOTTEN_AFTER) {
            reach.verifiers += 1;
            let includes = |cursor: &Cursor| change.is_some_and(|change| cursor.includes(change));
            let has_it = verifier.steps.back().is_some_and(|(cursor, _)| includes(cursor));
            let first = verifier.steps.iter().find(|(cursor, _)| includes(cursor));
            match first.filter(|_| has_it) {
                Some((_, at)) => {
                    reach.reached += 1;
                    let since = now - at;
                    reach.since = Some(reach.since.map_or(since, |other| other.min(since)));
                }
                None if now - verifier.reported_at >= SILENT_AFTER || verifier.steps.is_empty() => reach.silent += 1,
                None => (),
            }
        }
        (reach.verifiers > 0).then_some(reach)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const TENANT: TenantId = TenantId(Uuid::from_u128(1));

    fn at(number: i64) -> Cursor {
        format!("00000001-1-{number}-0").parse().unwrap()
    }

    #[test]
    fn a_change_has_reached_those_who_report_it() {
        let verifiers = Verifiers::default();
        assert_eq!(verifiers.reach(TENANT, Some(&at(1)), 0), None);
        for (name, cursor, now) in
            [("a", at(4), 0), ("b", at(4), 0), ("c", at(4), 0), ("a", at(5), 100), ("b", at(7), 300)]
        {
            assert!(verifiers.note(TENANT, name, Some(cursor), now));
        }
        let reach = |now| verifiers.reach(TENANT, Some(&at(5)), now).unwrap();
        assert_eq!(reach(400), Reach { verifiers: 3, reached: 2, silent: 0, since: Some(100) });
        assert_eq!(reach(SILENT_AFTER).silent, 1);
        assert!(verifiers.note(TENANT, "a", Some(at(6)), 500) && verifiers.note(TENANT, "c", Some(at(6)), 600));
        assert_eq!(reach(700), Reach { verifiers: 3, reached: 3, silent: 0, since: Some(100) });
        assert!(verifiers.note(TENANT, "c", None, 800));
        assert_eq!(reach(900), Reach { verifiers: 3, reached: 2, silent: 1, since: Some(600) });
        assert_eq!(verifiers.reach(TENANT, None, 900).unwrap().reached, 0, "the change hasn't been read");
        let restarted = "00000001-2-5-0".parse().unwrap();
        assert_eq!(verifiers.reach(TENANT, Some(&restarted), 900).unwrap().reached, 0, "they may not have it");
        assert_eq!(verifiers.reach(TENANT, Some(&at(5)), FORGOTTEN_AFTER + 900), None);
    }

    #[test]
    fn one_tenant_does_not_use_up_the_room_of_others() {
        let verifiers = Verifiers::default();
        for n in 0..MAX_OF_TENANT {
            assert!(verifiers.note(TENANT, &n.to_string(), Some(at(1)), 0));
        }
        assert!(!verifiers.note(TENANT, "one more", Some(at(1)), 0));
        assert!(verifiers.note(TENANT, "0", Some(at(2)), 0), "those that are known may report");
        assert!(verifiers.note(TenantId(Uuid::from_u128(2)), "one", Some(at(1)), 0));
        assert!(verifiers.note(TENANT, "one more", Some(at(1)), SILENT_AFTER), "a silent one makes room");
        assert!(verifiers.note(TENANT, "another", Some(at(1)), FORGOTTEN_AFTER), "the others are forgotten");
    }
}

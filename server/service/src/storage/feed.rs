//! The latest changes, in memory, for those who keep answers about keys in processes of their own.
//!
//! The follower of the changes publishes what it has read ([`Feed::publish`]) after it has removed it from the keys that
//! this server knows. So an answer that is read after [`Feed::cursor`] is at least as new as that cursor.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain::{KeyId, Owner, TenantId};
use tokio::sync::watch;
use uuid::Uuid;

use crate::random;

/// How many changes of all tenants are kept.
const KEPT: usize = 10_000;
/// The tenant of the changes that are about all tenants.
const CATALOGUE: TenantId = TenantId(Uuid::nil());

/// What has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A key: revoked, suspended, resumed, rolled, renamed, or given other scopes or another expiry.
    Key(KeyId),
    /// All keys of an owner: another role or name, suspended, removed from the tenant.
    Owner(Owner),
    /// All keys of the tenant.
    Tenant,
    /// The catalogue of scopes, and so what every key may do.
    Catalogue,
    /// The first key was imported: from now on, tokens may have other formats than Latchkey's own.
    Imported,
}

/// One unbroken reading of the changes by one server. Numbers of changes may be used again after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    /// The server, as a random number.
    server: u32,
    /// How often it had to start over.
    number: u32,
}

/// How far the changes of one tenant are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    run: Run,
    tenant: i64,
    catalogue: i64,
}

impl Cursor {
    /// Whether the cursor includes the tenant's changes up to another cursor. Not known, and so false, if the two are of
    /// different runs.
    pub(crate) fn includes(&self, other: &Self) -> bool {
        self.run == other.run && self.tenant >= other.tenant
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{}-{}-{}", self.run.server, self.run.number, self.tenant, self.catalogue)
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('-');
        let mut part = || parts.next().filter(|part| part.bytes().all(|byte| byte.is_ascii_alphanumeric())).ok_or(());
        let server = u32::from_str_radix(part()?, 16).map_err(|_| ())?;
        let number = part()?.parse().map_err(|_| ())?;
        let tenant = part()?.parse().map_err(|_| ())?;
        let catalogue = part()?.parse().map_err(|_| ())?;
        if parts.next().is_some() {
            return Err(());
        }
        Ok(Self { run: Run { server, number }, tenant, catalogue })
    }
}

/// What a reader of the feed hasn't read yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Changes may have been missed, so everything that is known has to be forgotten. The feed goes on after the cursor.
    Reset(Cursor),
    /// The changes, with the cursor after each of them.
    Changes(Vec<(Cursor, Change)>),
}

/// How far one reader has read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    tenant: TenantId,
    cursor: Cursor,
    /// The index of the next entry, counted from the first one ever. `None` if the reader has to start over.
    next: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    tenant: TenantId,
    number: i64,
    change: Change,
}

#[derive(Debug)]
struct State {
    /// `None` until the first reading.
    run: Option<Run>,
    server: u32,
    heads: HashMap<TenantId, i64>,
    /// The last change of each tenant that isn't kept.
    dropped: HashMap<TenantId, i64>,
    entries: VecDeque<Entry>,
    /// The index of the first entry.
    first: u64,
}

/// The latest changes. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Feed(Arc<(Mutex<State>, watch::Sender<u64>)>);

impl Default for Feed {
    fn default() -> Self {
        let server = u32::from_le_bytes(random::draw_array());
        let (heads, dropped) = (HashMap::new(), HashMap::new());
        let state = State { run: None, server, heads, dropped, entries: VecDeque::new(), first: 0 };
        Self(Arc::new((Mutex::new(state), watch::Sender::new(0))))
    }
}

impl State {
    fn head(&self, tenant: TenantId) -> i64 {
        self.heads.get(&tenant).copied().unwrap_or(0)
    }

    fn cursor(&self, tenant: TenantId) -> Option<Cursor> {
        let run = self.run?;
        Some(Cursor { run, tenant: self.head(tenant), catalogue: self.head(CATALOGUE) })
    }

    /// Whether every change of a tenant after a number is kept.
    fn has_all_after(&self, tenant: TenantId, number: i64) -> bool {
        let kept = self.entries.iter().filter(|entry| entry.tenant == tenant && entry.number > number).count();
        i64::try_from(kept).is_ok_and(|kept| kept == self.head(tenant) - number)
    }

    fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }
}

impl Feed {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a new run: changes may have been missed.
    pub(super) fn restart(&self, heads: &HashMap<Uuid, i64>) {
        let mut state = self.state();
        let number = state.run.map_or(1, |run| run.number.wrapping_add(1));
        state.run = Some(Run { server: state.server, number });
        let heads: HashMap<TenantId, i64> = heads.iter().map(|(tenant, head)| (TenantId(*tenant), *head)).collect();
        (state.heads, state.dropped) = (heads.clone(), heads);
        state.first = state.end();
        state.entries.clear();
        drop(state);
        self.0.1.send_modify(|version| *version += 1);
    }

    /// Adds changes of a tenant that have been read, in the order of their numbers. `head`: the last of them.
    pub(super) fn publish(&self, tenant: TenantId, changes: impl IntoIterator<Item = (i64, Change)>, head: i64) {
        let mut state = self.state();
        for (number, change) in changes {
            // Changes were missed, and of the catalogue's everything is made wrong.
            let is_missed = tenant == CATALOGUE && change == Change::Tenant;
            let change = if is_missed { Change::Catalogue } else { change };
            state.entries.push_back(Entry { tenant, number, change });
        }
        state.heads.insert(tenant, head);
        while state.entries.len() > KEPT {
            if let Some(entry) = state.entries.pop_front() {
                state.dropped.insert(entry.tenant, entry.number);
            }
            state.first += 1;
        }
        drop(state);
        self.0.1.send_modify(|version| *version += 1);
    }

    /// Returns how far the changes of a tenant are read. `None` before the first reading.
    pub(crate) fn cursor(&self, tenant: TenantId) -> Option<Cursor> {
        self.state().cursor(tenant)
    }

    /// Whether a cursor is of an earlier run of this server, after which numbers may have been used again.
    pub(crate) fn is_outdated(&self, cursor: &Cursor) -> bool {
        let state = self.state();
        cursor.run.server == state.server && Some(cursor.run) != state.run
    }

    /// Returns the place of a reader that has read up to a cursor. If later changes aren't kept, or the cursor is of
    /// another server, the reader has to start over.
    pub(crate) fn place(&self, tenant: TenantId, after: Option<Cursor>) -> Option<Place> {
        let state = self.state();
        let now = state.cursor(tenant)?;
        let known = after.filter(|after| {
            after.run == now.run
                && state.has_all_after(tenant, after.tenant)
                && state.has_all_after(CATALOGUE, after.catalogue)
        });
        Some(Place { tenant, cursor: known.unwrap_or(now), next: known.map(|_| state.first) })
    }

    /// Returns what a reader hasn't read yet, and moves its place.
    pub(crate) fn read(&self, place: &mut Place) -> News {
        let state = self.state();
        let Some(now) = state.cursor(place.tenant) else { return News::Changes(Vec::new()) };
        let end = state.end();
        let next = place.next.replace(end).filter(|next| *next >= state.first && place.cursor.run == now.run);
        let Some(next) = next else {
            place.cursor = now;
            return News::Reset(now);
        };
        let skipped = usize::try_from(next - state.first).unwrap_or(usize::MAX);
        let mut news = Vec::new();
        for entry in state.entries.iter().skip(skipped) {
            let read = if entry.tenant == CATALOGUE {
                &mut place.cursor.catalogue
            } else if entry.tenant == place.tenant {
                &mut place.cursor.tenant
            } else {
                continue;
            };
            if entry.number > *read {
                *read = entry.number;
                news.push((place.cursor, entry.change));
            }
        }
        place.cursor = now;
        News::Changes(news)
    }

    /// Returns a cursor that includes every change of a key or its owner that has been read, and whether the latest of them
    /// is kept. If it isn't, the cursor includes every change that isn't. `None` before the first reading.
    pub(crate) fn latest(&self, tenant: TenantId, key: KeyId, owner: Owner) -> Option<(Cursor, bool)> {
        let is_about = |change: &Change| match change {
            Change::Key(id) => *id == key,
            Change::Owner(of) => *of == owner,
            Change::Tenant => true,
            Change::Catalogue | Change::Imported => false,
        };
        let state = self.state();
        let found = state.entries.iter().rev().find(|entry| entry.tenant == tenant && is_about(&entry.change));
        let number = found.map_or_else(|| state.dropped.get(&tenant).copied().unwrap_or(0), |entry| entry.number);
        Some((Cursor { run: state.run?, tenant: number, catalogue: 0 }, found.is_some()))
    }

    /// Returns a receiver that is told about every publication.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.1.subscribe()
    }
}

impl Place {
    /// Returns the reader's tenant.
    pub(crate) fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Returns how far the reader has read.
    pub(crate) fn cursor(&self) -> Cursor {
        self.cursor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: TenantId = TenantId(Uuid::from_u128(1));
    const OTHER: TenantId = TenantId(Uuid::from_u128(2));

    fn key(number: i64) -> Change {
        Change::Key(KeyId(Uuid::from_u128(u128::try_from(number).unwrap())))
    }

    fn begun() -> Feed {
        let feed = Feed::default();
        assert_eq!(feed.cursor(TENANT), None, "nothing has been read");
        feed.restart(&HashMap::from([(TENANT.0, 7)]));
        feed
    }

    fn numbers(news: News) -> Vec<i64> {
        match news {
            News::Changes(changes) => changes.iter().map(|(cursor, _)| cursor.tenant).collect(),
            News::Reset(_) => panic!("nothing was missed"),
        }
    }

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let cursor = begun().cursor(TENANT).unwrap();
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for wrong in
            ["", "1-1-1", "1-1-1-1-1", "x-1-1-1", "1-1-+1-1", "1-1- 1-1", "1--1-1-1", "1-1-1-99999999999999999999"]
        {
            assert_eq!(wrong.parse::<Cursor>(), Err(()), "{wrong}");
        }
    }

    #[test]
    fn a_reader_gets_its_tenants_changes_once_and_goes_on_where_it_stopped() {
        let feed = begun();
        let mut place = feed.place(TENANT, None).unwrap();
        assert!(matches!(feed.read(&mut place), News::Reset(_)), "a reader without a cursor starts over");
        let start = place.cursor();
        feed.publish(TENANT, [(8, key(8)), (9, key(9))], 9);
        feed.publish(OTHER, [(1, key(1))], 1);
        feed.publish(CATALOGUE, [(1, Change::Tenant)], 1);
        let News::Changes(changes) = feed.read(&mut place) else { panic!("nothing was missed") };
        assert_eq!(changes.iter().map(|(_, change)| *change).collect::<Vec<_>>(), [key(8), key(9), Change::Catalogue]);
        assert_eq!(changes.last().unwrap().0, feed.cursor(TENANT).unwrap());
        assert_eq!(feed.read(&mut place), News::Changes(Vec::new()));
        let mut again = feed.place(TENANT, Some(changes[0].0)).unwrap();
        let News::Changes(rest) = feed.read(&mut again) else { panic!("nothing was missed") };
        assert_eq!(rest, changes[1..]);
        let mut all = feed.place(TENANT, Some(start)).unwrap();
        assert_eq!(numbers(feed.read(&mut all)), [8, 9, 9]);
    }

    #[test]
    fn a_reader_that_may_have_missed_something_begins_anew() {
        let feed = begun();
        let start = feed.cursor(TENANT).unwrap();
        let mut slow = feed.place(TENANT, Some(start)).unwrap();
        assert_eq!(numbers(feed.read(&mut slow)), [0; 0]);
        let many = i64::try_from(KEPT).unwrap() + 8;
        feed.publish(TENANT, (8..=many).map(|number| (number, key(number))), many);
        assert!(matches!(feed.read(&mut slow), News::Reset(_)));
        for after in [
            start,
            Cursor { tenant: many + 1, ..start },
            Cursor { run: Run { server: start.run.server ^ 1, ..start.run }, ..feed.cursor(TENANT).unwrap() },
        ] {
            let mut place = feed.place(TENANT, Some(after)).unwrap();
            assert!(matches!(feed.read(&mut place), News::Reset(_)), "{after}");
        }
        let mut place = feed.place(TENANT, feed.cursor(TENANT)).unwrap();
        assert_eq!(numbers(feed.read(&mut place)), [0; 0]);
        let (owner, unknown) = (Owner::User(domain::UserId(Uuid::nil())), KeyId(Uuid::nil()));
        let number = |id| feed.latest(TENANT, id, owner).map(|(cursor, is_kept)| (cursor.tenant, is_kept));
        let last = KeyId(Uuid::from_u128(u128::try_from(many).unwrap()));
        assert_eq!(
            (number(last), number(unknown)),
            (Some((many, true)), Some((8, false))),
            "not later than what was dropped"
        );
        feed.restart(&HashMap::from([(TENANT.0, many)]));
        assert_eq!(number(last), Some((many, false)), "it may be any change up to the restart");
        assert!(matches!(feed.read(&mut place), News::Reset(_)), "a new run may use numbers again");
        assert!(feed.is_outdated(&start) && !feed.is_outdated(&place.cursor()));
    }
}

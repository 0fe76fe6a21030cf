//! The rules of a key's lifecycle as a pure model: one tenant, its users, its service accounts and their keys. The
//! model is independent of the use cases and the storage; `model.rs` compares them with it.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{AccountAct, KeyAct, KeyFilter, Role};

/// An owner of keys, who also performs acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Party {
    /// An administrator whose role never changes.
    Admin,
    /// A member whose role changes, and who may be removed.
    Member,
    /// A service account, by its position.
    Account(usize),
}

/// Who requests an act.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    pub(crate) party: Party,
    pub(crate) role: Role,
    /// The position of the key that the caller presented; `None` for a session.
    key: Option<usize>,
}

/// An act on one key, with its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Rename,
    /// The code of the grace period.
    Roll(&'static str),
    /// The code of the grace period.
    Extend(&'static str),
    Cancel,
    Finish,
    Suspend,
    Resume,
    Revoke {
        and_created: bool,
    },
}

impl Act {
    pub(crate) fn kind(self) -> KeyAct {
        match self {
            Self::Rename => KeyAct::Rename,
            Self::Roll(_) => KeyAct::Roll,
            Self::Extend(_) => KeyAct::ExtendRoll,
            Self::Cancel => KeyAct::CancelRoll,
            Self::Finish => KeyAct::FinishRoll,
            Self::Suspend => KeyAct::Suspend,
            Self::Resume => KeyAct::Resume,
            Self::Revoke { .. } => KeyAct::Revoke,
        }
    }
}

#[derive(Clone, Debug)]
struct Account {
    role: Role,
    is_suspended: bool,
    is_deleted: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) owner: Party,
    created_at: DateTime<Utc>,
    pub(crate) expires_at: Option<DateTime<Utc>>,
    /// The key's own expiry while another key replaces it.
    expires_before_roll: Option<DateTime<Utc>>,
    /// Whether the clock has ever passed the expiry.
    has_expired: bool,
    is_revoked: bool,
    suspended_by: Option<Party>,
    created_with: Option<usize>,
    replaces: Option<usize>,
    replaced_by: Option<usize>,
    /// The key that the first use of this one ends.
    pub(crate) ends: Option<usize>,
}

/// The expected state of a tenant.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) now: DateTime<Utc>,
    /// The member's role; `None` while they are removed.
    member: Option<Role>,
    accounts: Vec<Account>,
    pub(crate) keys: Vec<Key>,
}

impl Model {
    /// Creates a tenant with an administrator, a member with the role User, and a service account for each role.
    pub(crate) fn new(now: DateTime<Utc>, account_roles: &[Role]) -> Self {
        let account = |role: &Role| Account { role: *role, is_suspended: false, is_deleted: false };
        Self { now, member: Some(Role::User), accounts: account_roles.iter().map(account).collect(), keys: Vec::new() }
    }

    /// Returns the role of a party, or `None` if they have left the tenant.
    pub(crate) fn role(&self, party: Party) -> Option<Role> {
        match party {
            Party::Admin => Some(Role::TenantAdmin),
            Party::Member => self.member,
            Party::Account(position) => Some(&self.accounts[position]).filter(|it| !it.is_deleted).map(|it| it.role),
        }
    }

    /// Returns the caller of a browser session, or `None` if they have left the tenant.
    pub(crate) fn session(&self, person: Party) -> Option<Caller> {
        Some(Caller { party: person, role: self.role(person)?, key: None })
    }

    /// Sets the clock. A key whose expiry it passes expires, and stays expired if the clock is set back.
    pub(crate) fn set_clock(&mut self, now: DateTime<Utc>) {
        self.now = now;
        for key in &mut self.keys {
            key.has_expired |= key.expires_at.is_some_and(|at| now >= at);
        }
    }

    /// Uses a key and returns the caller, or `None` if the key doesn't verify. The first use may end other keys.
    pub(crate) fn present(&mut self, key: usize) -> Option<Caller> {
        if !self.is_valid(key) {
            return None;
        }
        let mut next = self.keys[key].ends.take();
        while let Some(old) = next {
            self.keys[old].is_revoked |= self.successors(old).contains(&key);
            next = self.keys[old].ends;
        }
        let party = self.keys[key].owner;
        Some(Caller { party, role: self.role(party)?, key: Some(key) })
    }

    /// Whether a key verifies.
    pub(crate) fn is_valid(&self, key: usize) -> bool {
        !self.has_ended(key) && self.keys[key].suspended_by.is_none() && !self.is_suspended_with_account(key)
    }

    /// Returns the filter of the list that contains a key.
    pub(crate) fn filter(&self, key: usize) -> KeyFilter {
        match &self.keys[key] {
            Key { is_revoked: true, .. } => KeyFilter::Revoked,
            Key { has_expired: true, .. } => KeyFilter::Expired,
            _ if self.is_valid(key) => KeyFilter::Active,
            _ => KeyFilter::Suspended,
        }
    }

    fn has_ended(&self, key: usize) -> bool {
        self.keys[key].is_revoked || self.keys[key].has_expired
    }

    fn is_suspended_with_account(&self, key: usize) -> bool {
        matches!(self.keys[key].owner, Party::Account(position) if self.accounts[position].is_suspended)
    }

    fn is_rotating(&self, key: usize) -> bool {
        !self.has_ended(key) && self.keys[key].replaced_by.is_some()
    }

    /// Returns the keys that replaced a key, in order.
    fn successors(&self, key: usize) -> Vec<usize> {
        std::iter::successors(self.keys[key].replaced_by, |next| self.keys[*next].replaced_by).collect()
    }

    /// Returns the keys that haven't ended and were created with a key, with one of those, and so on, and the keys that
    /// replaced them; but not the key's own successor.
    fn created_keys(&self, key: usize) -> Vec<usize> {
        let is_child = |of: usize, child: &usize| self.keys[*child].created_with == Some(of);
        let all = 0..self.keys.len();
        let mut found: Vec<usize> =
            all.clone().filter(|child| is_child(key, child) && self.keys[*child].replaces != Some(key)).collect();
        let mut seen = 0;
        while let Some(&from) = found.get(seen) {
            let next = all.clone().filter(|it| is_child(from, it) || self.keys[from].replaced_by == Some(*it));
            let new: Vec<usize> = next.filter(|it| *it != key && !found.contains(it)).collect();
            found.extend(new);
            seen += 1;
        }
        found.into_iter().filter(|it| !self.has_ended(*it)).collect()
    }

    /// Whether the state of a key allows an act: what [`KeyAct::fits`] should return.
    pub(crate) fn fits(&self, act: KeyAct, key: usize) -> bool {
        let record = &self.keys[key];
        match act {
            KeyAct::Rename | KeyAct::Scopes | KeyAct::Limits | KeyAct::Revoke => !record.is_revoked,
            KeyAct::Suspend => self.is_valid(key),
            KeyAct::Resume => !self.has_ended(key) && record.suspended_by.is_some(),
            KeyAct::Roll => self.is_valid(key) && record.replaced_by.is_none(),
            KeyAct::FinishRoll | KeyAct::CancelRoll => self.is_rotating(key),
            KeyAct::ExtendRoll => self.is_rotating(key) && record.expires_at < Some(self.now + grace("7d")),
        }
    }

    /// Whether a caller is authorized to perform an act on a key.
    fn may(&self, caller: Caller, act: KeyAct, key: usize) -> bool {
        let owner = self.keys[key].owner;
        let administers = caller.role == Role::TenantAdmin;
        let own = caller.party == owner;
        let makes_own = own && caller.role != Role::ReadOnlyUser;
        let of_account = matches!(owner, Party::Account(_));
        match act {
            KeyAct::Suspend | KeyAct::Revoke => own || administers,
            KeyAct::Resume => {
                let suspended_it = self.keys[key].suspended_by == Some(caller.party);
                administers || (makes_own && suspended_it)
            }
            KeyAct::Rename | KeyAct::Scopes | KeyAct::Limits | KeyAct::FinishRoll => own || (administers && of_account),
            KeyAct::Roll | KeyAct::ExtendRoll | KeyAct::CancelRoll => makes_own || (administers && of_account),
        }
    }

    /// Creates a key. Returns whether that is accepted.
    pub(crate) fn create(&mut self, caller: Caller, owner: Party, lifetime: Option<TimeDelta>) -> bool {
        let makes_own = caller.party == owner && caller.role != Role::ReadOnlyUser;
        let for_account = matches!(owner, Party::Account(_)) && caller.role == Role::TenantAdmin;
        let accepted = self.role(owner).is_some() && (makes_own || for_account);
        if accepted {
            self.insert(caller, owner, lifetime);
        }
        accepted
    }

    fn insert(&mut self, caller: Caller, owner: Party, lifetime: Option<TimeDelta>) -> &mut Key {
        self.keys.push(Key {
            owner,
            created_at: self.now,
            expires_at: lifetime.map(|lifetime| self.now + lifetime),
            expires_before_roll: None,
            has_expired: false,
            is_revoked: false,
            suspended_by: None,
            created_with: caller.key,
            replaces: None,
            replaced_by: None,
            ends: None,
        });
        self.keys.last_mut().unwrap()
    }

    /// Performs an act on a key. Returns whether that is accepted.
    pub(crate) fn act(&mut self, caller: Caller, act: Act, key: usize) -> bool {
        if !self.may(caller, act.kind(), key) || !self.fits(act.kind(), key) {
            return false;
        }
        match act {
            Act::Rename => {}
            Act::Roll(code) => self.roll(caller, code, key),
            Act::Extend(code) => return self.extend(self.now + grace(code), key),
            Act::Cancel => return self.cancel(key),
            Act::Finish => self.keys[key].is_revoked = true,
            Act::Suspend => self.keys[key].suspended_by = Some(caller.party),
            Act::Resume => self.keys[key].suspended_by = None,
            Act::Revoke { and_created } => {
                let along = if and_created { self.created_keys(key) } else { Vec::new() };
                let along: Vec<_> = along.into_iter().filter(|it| self.may(caller, KeyAct::Revoke, *it)).collect();
                for revoked in along.into_iter().chain([key]) {
                    self.keys[revoked].is_revoked = true;
                }
            }
        }
        true
    }

    fn roll(&mut self, caller: Caller, code: &str, old: usize) {
        let new = self.keys.len();
        let Key { owner, created_at, expires_at, ends, .. } = self.keys[old];
        let lifetime = expires_at.map(|at| (at - created_at).max(TimeDelta::minutes(2)));
        let successor = self.insert(caller, owner, lifetime);
        successor.replaces = Some(old);
        successor.ends = if code == "first_use" { Some(old) } else { ends };
        let until = self.now + grace(code);
        let record = &mut self.keys[old];
        record.replaced_by = Some(new);
        record.expires_before_roll = expires_at;
        record.expires_at = Some(expires_at.map_or(until, |at| at.min(until)));
        record.is_revoked = code == "now";
    }

    /// Extends a grace period. It can't become shorter, and never ends after the key's own expiry.
    fn extend(&mut self, until: DateTime<Utc>, key: usize) -> bool {
        let record = &mut self.keys[key];
        let longest = record.expires_before_roll.map_or(until, |own| own.min(until));
        let is_longer = Some(longest) > record.expires_at;
        if is_longer {
            record.expires_at = Some(longest);
        }
        is_longer
    }

    /// Undoes a roll. Refused until the keys that replaced the new key have ended.
    fn cancel(&mut self, key: usize) -> bool {
        let successors = self.successors(key);
        if successors[1..].iter().any(|later| !self.has_ended(*later)) {
            return false;
        }
        self.keys[successors[0]].is_revoked = true;
        let record = &mut self.keys[key];
        record.replaced_by = None;
        record.expires_at = record.expires_before_roll.take();
        true
    }

    /// Changes a service account. Returns whether that is accepted. Only for the acts that affect its keys.
    pub(crate) fn act_on_account(&mut self, caller: Caller, act: AccountAct, position: usize) -> bool {
        let account = &mut self.accounts[position];
        if caller.role != Role::TenantAdmin || account.is_deleted {
            return false;
        }
        match act {
            AccountAct::Suspend if !account.is_suspended => account.is_suspended = true,
            AccountAct::Resume if account.is_suspended => account.is_suspended = false,
            AccountAct::Delete => {
                account.is_deleted = true;
                self.revoke_all(Party::Account(position));
            }
            _ => return false,
        }
        true
    }

    /// Changes the member's role, or removes them with `None`. Returns whether that is accepted.
    pub(crate) fn change_member(&mut self, caller: Caller, role: Option<Role>) -> bool {
        if caller.role != Role::TenantAdmin || self.member.is_none() {
            return false;
        }
        self.member = role;
        if role.is_none() {
            self.revoke_all(Party::Member);
        }
        true
    }

    /// Readmits a removed member. Returns `false` if they weren't removed.
    pub(crate) fn readmit_member(&mut self) -> bool {
        let was_removed = self.member.is_none();
        self.member = self.member.or(Some(Role::User));
        was_removed
    }

    fn revoke_all(&mut self, owner: Party) {
        for key in self.keys.iter_mut().filter(|key| key.owner == owner) {
            key.is_revoked = true;
        }
    }
}

/// Returns the length of a grace period. It is a week if the first use ends it and no deadline is set.
fn grace(code: &str) -> TimeDelta {
    match code {
        // The old key is revoked; its recorded expiry is just ahead.
        "now" => TimeDelta::seconds(1),
        "1h" => TimeDelta::hours(1),
        "24h" => TimeDelta::days(1),
        "7d" | "first_use" => TimeDelta::days(7),
        other => panic!("no grace period: {other}"),
    }
}

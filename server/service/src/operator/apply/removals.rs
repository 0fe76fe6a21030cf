//! The steps that remove what isn't stated, except key policies, which are removed when the others are set.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use domain::{Name, Owner, Slug, api_key::policy::keys_text};

use super::{
    desired::DesiredOwner,
    plan::Planner,
    stated::{Kind, Subject},
    step::Act,
};

impl Planner<'_> {
    /// Revokes keys of service accounts that the file names, in tenants for which it states keys.
    pub(super) fn remove_keys(&mut self) {
        let slugs: BTreeSet<&Slug> = self.desired.keys.iter().map(|key| &key.entry.tenant).collect();
        for slug in slugs {
            let Some(tenant) = self.current.tenants.get(slug) else { continue };
            for (name, account) in &tenant.accounts {
                // Keys were read for those owners only that the file names.
                for key in tenant.keys_of(Owner::ServiceAccount(account.id)) {
                    if !self.held.contains(&key.id) {
                        let subject = Subject::of_key(slug.as_str(), name.as_str(), key.name.as_str());
                        self.remove(subject, format!("{}…", key.hint), Act::RevokeKey(slug.clone(), key.id));
                    }
                }
            }
        }
    }

    /// Deletes service accounts, in tenants for which the file states some.
    pub(super) fn remove_accounts(&mut self) {
        let mut stated: BTreeMap<&Slug, HashSet<&Name>> = BTreeMap::new();
        for account in &self.desired.accounts {
            stated.entry(&account.entry.tenant).or_default().insert(&account.entry.name);
        }
        for key in &self.desired.keys {
            if let (DesiredOwner::ServiceAccount(name), Some(names)) =
                (&key.entry.owner, stated.get_mut(&key.entry.tenant))
            {
                names.insert(name);
            }
        }
        for (slug, names) in stated {
            let Some(tenant) = self.current.tenants.get(slug) else { continue };
            for (name, account) in tenant.accounts.iter().filter(|(name, _)| !names.contains(name)) {
                let subject = Subject::of_tenant(Kind::ServiceAccount, slug.as_str(), name.as_str());
                let change = match account.active_keys {
                    0 => String::new(),
                    keys => format!("revokes {}", keys_text(keys)),
                };
                self.remove(subject, change, Act::DeleteAccount(slug.clone(), account.id));
            }
        }
    }

    pub(super) fn remove_scopes(&mut self) {
        for scope in self.removed.clone() {
            let subject = Subject::shared(Kind::Scope, scope.as_str());
            self.remove(subject, "taken from all keys of all tenants".to_owned(), Act::RemoveScope(scope));
        }
    }
}

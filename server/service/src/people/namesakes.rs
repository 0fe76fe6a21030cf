//! People and service accounts whose names are easily mistaken for each other. Lists show their addresses.

use std::collections::{HashMap, HashSet};

use domain::{ApiKey, AuditEntry, KeyId, Operation, Owner};
use uuid::Uuid;

use super::members::Members;
use crate::{
    access::{Actor, Target},
    error::Result,
    storage::{self, namesakes::Named},
    text::look,
};

/// What tells a service account from a person of the same name.
const ACCOUNT: &str = "service account";

/// What to show beside the names on a page.
#[derive(Clone, Debug, Default)]
pub struct Namesakes {
    /// By id, the current name's look and the address; [`ACCOUNT`] for a service account.
    known: HashMap<Uuid, (String, String)>,
    /// The ids of everybody whose name looks like that.
    by_look: HashMap<String, HashSet<Uuid>>,
    creators: HashMap<KeyId, Uuid>,
}

impl Namesakes {
    fn of(all: Vec<Named>, creators: Vec<(Uuid, Uuid)>) -> Self {
        let mut this = Self::default();
        for named in all {
            let look = look(&named.name);
            this.by_look.entry(look.clone()).or_default().insert(named.id);
            this.known.insert(named.id, (look, named.email.unwrap_or_else(|| ACCOUNT.to_owned())));
        }
        this.creators.extend(creators.into_iter().map(|(key, creator)| (KeyId(key), creator)));
        this
    }

    /// Returns what to show beside a name: the person's email address if somebody else's name looks the same, or if this
    /// isn't their name now. Otherwise `None`.
    pub fn beside(&self, id: Option<Uuid>, name: &str) -> Option<&str> {
        let (id, look) = (id?, look(name));
        let (current, address) = self.known.get(&id)?;
        let is_shared = self.by_look.get(&look).is_some_and(|ids| ids.iter().any(|other| *other != id));
        (is_shared || *current != look).then_some(address.as_str())
    }

    /// Returns what to show beside the name of a key's owner.
    pub fn beside_owner(&self, key: &ApiKey) -> Option<&str> {
        self.beside(Some(id_of(key.owner)), &key.owner_name)
    }

    /// Returns what to show beside the name of a key's creator.
    pub fn beside_creator(&self, key: &ApiKey) -> Option<&str> {
        self.beside(self.creators.get(&key.id).copied(), &key.created_by)
    }
}

impl Members<'_> {
    /// Returns what to show beside the names of the owners and the creators of keys of the actor's tenant.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn namesakes_of_keys(&self, actor: &Actor, keys: &[ApiKey]) -> Result<Namesakes> {
        let permit = self.context.permit(actor, Operation::ListMembers, Target::Tenant(actor.tenant_id())).await?;
        let keys = keys.iter().filter(|key| key.tenant_id == permit.tenant_id());
        let (mut ids, mut names, mut shown) = (Vec::new(), Vec::new(), Vec::new());
        for key in keys {
            ids.push(id_of(key.owner));
            names.extend([key.owner_name.as_str(), key.created_by.as_str()]);
            shown.push(key.id);
        }
        let creators = storage::namesakes::list_creators(self.context.db(), permit.tenant_id(), &shown).await?;
        ids.extend(creators.iter().map(|(_, creator)| *creator).filter(|creator| !creator.is_nil()));
        let all =
            storage::namesakes::list(self.context.db(), permit.tenant_id(), &distinct(names), &distinct(ids)).await?;
        Ok(Namesakes::of(all, creators))
    }

    /// Returns what to show beside the names of the actors of audit entries of the actor's tenant.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn namesakes_of_entries(&self, actor: &Actor, entries: &[AuditEntry]) -> Result<Namesakes> {
        let permit = self.context.permit(actor, Operation::ListMembers, Target::Tenant(actor.tenant_id())).await?;
        let ids = entries.iter().filter_map(|entry| entry.actor_id).collect();
        let names = entries.iter().map(|entry| entry.actor_name.as_str()).collect();
        let all =
            storage::namesakes::list(self.context.db(), permit.tenant_id(), &distinct(names), &distinct(ids)).await?;
        let mut namesakes = Namesakes::of(all, Vec::new());
        // Somebody may have had another's name at the time of an entry.
        for entry in entries {
            let ids = namesakes.by_look.entry(look(&entry.actor_name)).or_default();
            ids.extend(entry.actor_id);
        }
        Ok(namesakes)
    }
}

fn id_of(owner: Owner) -> Uuid {
    match owner {
        Owner::User(id) => id.0,
        Owner::ServiceAccount(id) => id.0,
    }
}

fn distinct<T: Ord>(mut all: Vec<T>) -> Vec<T> {
    all.sort_unstable();
    all.dedup();
    all
}

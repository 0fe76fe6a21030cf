//! What the database has of the things that a file names.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::{
    AccountQuery, ApiKey, InventoryQuery, KeyFilter, KeyPolicy, KeyQuery, Name, Owner, PageRequest, Role,
    ServiceAccountId, Slug, UserId, page::MAX_LIMIT, scope::Catalogue,
};

use super::desired::{Desired, DesiredOwner};
use crate::{
    access::Actor,
    error::Result,
    keys::{api_keys::ApiKeys, inventory::Inventory},
    operator::Admin,
    storage::{self, db::TokenDigest},
    tenants::service_accounts::ServiceAccounts,
};

/// The current state.
#[derive(Clone, Debug, Default)]
pub(super) struct Current {
    pub(super) catalogue: Catalogue,
    /// The tenants that the file names and that exist.
    pub(super) tenants: BTreeMap<Slug, CurrentTenant>,
    /// The keys of the stated tokens, in any tenant and whatever their state, with the slug of the tenant.
    pub(super) holders: HashMap<TokenDigest, (Slug, ApiKey)>,
}

#[derive(Clone, Debug)]
pub(super) struct CurrentTenant {
    pub(super) name: Name,
    /// The accounts that aren't deleted.
    pub(super) accounts: BTreeMap<Name, CurrentAccount>,
    /// The members that the file names.
    pub(super) members: HashMap<DesiredOwner, (UserId, Role)>,
    /// The policies that are in effect or will be.
    pub(super) policies: Vec<KeyPolicy>,
    /// The keys that haven't ended, of the owners that the file names.
    pub(super) keys: HashMap<Owner, Vec<ApiKey>>,
}

#[derive(Clone, Debug)]
pub(super) struct CurrentAccount {
    pub(super) id: ServiceAccountId,
    pub(super) role: Role,
    pub(super) active_keys: u32,
}

impl CurrentTenant {
    /// Returns an owner that exists, and its role.
    pub(super) fn owner(&self, owner: &DesiredOwner) -> Option<(Owner, Role)> {
        match owner {
            DesiredOwner::User(_) => self.members.get(owner).map(|(id, role)| (Owner::User(*id), *role)),
            DesiredOwner::ServiceAccount(name) => {
                self.accounts.get(name).map(|account| (Owner::ServiceAccount(account.id), account.role))
            }
        }
    }

    /// Returns the keys of an owner that haven't ended.
    pub(super) fn keys_of(&self, owner: Owner) -> &[ApiKey] {
        self.keys.get(&owner).map_or(&[], Vec::as_slice)
    }
}

/// Reads what the database has of the things that a file names.
pub(super) async fn read(admin: &Admin<'_>, desired: &Desired) -> Result<Current> {
    let mut current = Current { catalogue: admin.list_scopes().await?, ..Current::default() };
    for slug in named_tenants(desired) {
        if let Some(tenant) = storage::tenants::find_by_slug(admin.context.db(), slug.as_str()).await? {
            let operator = Actor::operator(tenant.id);
            current.tenants.insert(slug.clone(), read_tenant(admin, &operator, tenant.name, slug, desired).await?);
        }
    }
    let keys = ApiKeys { context: admin.context, usage: admin.usage };
    for key in desired.keys.iter().map(|stated| &stated.entry) {
        let digest = *key.token.digest();
        if let Some(found) = storage::keys::find_by_digest(admin.context.db(), &digest).await? {
            let key = keys.get(&Actor::operator(found.tenant_id), found.key_id).await?;
            current.holders.insert(digest, (found.tenant_slug, key));
        }
    }
    Ok(current)
}

/// Returns the tenants that a file names, also those of its other entries.
fn named_tenants(desired: &Desired) -> BTreeSet<&Slug> {
    let tenants = desired.tenants.iter().map(|stated| &stated.entry.slug);
    let accounts = desired.accounts.iter().map(|stated| &stated.entry.tenant);
    let policies = desired.policies.iter().map(|stated| &stated.entry.tenant);
    let keys = desired.keys.iter().map(|stated| &stated.entry.tenant);
    tenants.chain(accounts).chain(policies).chain(keys).collect()
}

async fn read_tenant(
    admin: &Admin<'_>,
    operator: &Actor,
    name: Name,
    slug: &Slug,
    desired: &Desired,
) -> Result<CurrentTenant> {
    let mut tenant = CurrentTenant {
        name,
        accounts: read_accounts(admin, operator).await?,
        members: HashMap::new(),
        policies: storage::key_policies::list(admin.context.db(), operator.tenant_id(), admin.context.now()).await?,
        keys: HashMap::new(),
    };
    let of_keys = desired.keys.iter().filter(|key| key.entry.tenant == *slug).map(|key| key.entry.owner.clone());
    let accounts = desired.accounts.iter().filter(|account| account.entry.tenant == *slug);
    let owners = accounts.map(|account| DesiredOwner::ServiceAccount(account.entry.name.clone())).chain(of_keys);
    for owner in owners {
        if let (DesiredOwner::User(email), false) = (&owner, tenant.members.contains_key(&owner))
            && let Some(user) = storage::users::find_by_email(admin.context.db(), email).await?
        {
            let id = user.user.id;
            let roles = storage::users::list_membership_roles(admin.context.db(), id).await?;
            if let Some(here) = roles.into_iter().find(|role| role.tenant_id == operator.tenant_id()) {
                tenant.members.insert(owner.clone(), (id, here.role));
            }
        }
        if let Some((owner, _)) = tenant.owner(&owner)
            && !tenant.keys.contains_key(&owner)
        {
            tenant.keys.insert(owner, read_keys(admin, operator, owner).await?);
        }
    }
    Ok(tenant)
}

async fn read_accounts(admin: &Admin<'_>, operator: &Actor) -> Result<BTreeMap<Name, CurrentAccount>> {
    let service_accounts = ServiceAccounts { context: admin.context };
    let (mut accounts, mut page) = (BTreeMap::new(), Some(first_page()));
    while let Some(request) = page {
        let query = AccountQuery { page: request, ..AccountQuery::default() };
        let found = service_accounts.list(operator, &query).await?;
        accounts.extend(found.items.into_iter().map(|account| {
            let (id, role, active_keys) = (account.id, account.role, account.active_keys);
            (account.name, CurrentAccount { id, role, active_keys })
        }));
        page = found.next.map(|after| PageRequest { after: Some(after), ..first_page() });
    }
    Ok(accounts)
}

async fn read_keys(admin: &Admin<'_>, operator: &Actor, owner: Owner) -> Result<Vec<ApiKey>> {
    let inventory = Inventory { context: admin.context, usage: admin.usage };
    let (Owner::User(UserId(id)) | Owner::ServiceAccount(ServiceAccountId(id))) = owner;
    let of_owner = InventoryQuery { owner: Some(id), ..InventoryQuery::default() };
    let mut keys = Vec::new();
    for filter in [KeyFilter::Active, KeyFilter::Suspended] {
        let mut page = Some(first_page());
        while let Some(request) = page {
            let query = KeyQuery { filter, page: request, ..KeyQuery::default() };
            let found = inventory.list(operator, &query, of_owner).await?;
            keys.extend(found.items);
            page = found.next.map(|after| PageRequest { after: Some(after), ..first_page() });
        }
    }
    Ok(keys)
}

fn first_page() -> PageRequest {
    PageRequest { limit: MAX_LIMIT, ..PageRequest::default() }
}

//! Use cases of scopes: the catalogue, the scopes of a key, and what a request demands of a key.

use domain::{
    ApiError, ErrorCode, KeyId, Operation, RefusalReason, Role, Scope, ScopeGrant, ScopeSet, TenantId,
    api_key::policy::keys_text,
    scope::{
        Catalogue, CatalogueScope, MAX_CATALOGUE, Missing, RemoveScope, SetScope, check_unchanged, demand, listed,
    },
};

use crate::{
    access::{Actor, Client, Target, authorize},
    context::Context,
    error::{Error, Result},
    storage::{self, audit::Entry, db::retry},
};

/// How many keys lose a removed scope in one transaction.
const AT_ONCE: u32 = 500;

/// Use cases of the scope catalogue, which all tenants share.
pub struct Scopes<'a> {
    pub(crate) context: &'a Context,
    /// The slug of the tenant whose administrators may change the catalogue. Without one, these are the administrators of
    /// the only tenant.
    pub(crate) editor: Option<&'a str>,
}

impl Scopes<'_> {
    /// Returns the catalogue. Every member may view it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(&self, actor: &Actor) -> Result<Catalogue> {
        self.context.permit(actor, Operation::ListScopes, Target::Tenant(actor.tenant_id())).await?;
        storage::scopes::catalogue(self.context.db()).await
    }

    /// Checks that the actor may change the catalogue.
    ///
    /// # Errors
    /// `FORBIDDEN`.
    pub async fn check_may_change(&self, actor: &Actor) -> Result<()> {
        let target = self.target(actor).await?;
        self.context.permit(actor, Operation::SetScope, target).await.map(drop)
    }

    /// Whether to offer the actor to change the catalogue. Only for display: grants nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn may_change(&self, actor: &Actor) -> Result<bool> {
        Ok(authorize(actor, Operation::SetScope, self.target(actor).await?).is_ok())
    }

    /// Adds a scope to the catalogue, or changes it.
    ///
    /// # Errors
    /// Field errors at `scope`, `description`, `least_role`, `deprecated_since`; `CONFIRMATION_REQUIRED` if a lower role may
    /// then hold it; `CONFLICT` if the scope isn't what a form showed; `FORBIDDEN`.
    #[tracing::instrument(skip_all)]
    pub async fn set(&self, actor: &Actor, input: &SetScope) -> Result<CatalogueScope> {
        let target = self.target(actor).await?;
        self.context.permit_write(actor, Operation::SetScope, target).await?;
        let entry = input.entry()?;
        let audit = self.audit_entry(actor, Operation::SetScope, &entry.scope).with(described(&entry));
        let check = |before: Option<&CatalogueScope>| {
            check_unchanged(input.before.as_deref(), before, &entry)?;
            let widens = before.is_some_and(|before| entry.least_role < before.least_role);
            self.context.require_fresh_to_widen(actor, Operation::SetScope, widens)
        };
        set(self.context, &entry, &audit, check).await?;
        Ok(entry)
    }

    /// Removes a scope from the catalogue, and from all keys. No key has it from the next request on.
    ///
    /// # Errors
    /// `NOT_FOUND` if the catalogue has no such scope; `FORBIDDEN`.
    #[tracing::instrument(skip_all)]
    pub async fn remove(&self, actor: &Actor, input: &RemoveScope) -> Result<Scope> {
        let target = self.target(actor).await?;
        self.context.permit_write(actor, Operation::RemoveScope, target).await?;
        let scope = parse(&input.scope)?;
        remove(self.context, &scope, &self.audit_entry(actor, Operation::RemoveScope, &scope)).await?;
        Ok(scope)
    }

    fn audit_entry(&self, actor: &Actor, operation: Operation, scope: &Scope) -> Entry {
        Entry::by(actor, operation, self.context.now(), ("scope", actor.tenant_id().0, scope.as_str()))
    }

    /// Returns the catalogue as a target, with the tenant whose administrators may change it.
    async fn target(&self, actor: &Actor) -> Result<Target> {
        let editor = match self.editor {
            Some(slug) => storage::tenants::find_by_slug(self.context.db(), slug).await?.map(|tenant| tenant.id),
            None => storage::tenants::find_only(self.context.db()).await?,
        };
        Ok(Target::Shared(actor.tenant_id(), editor))
    }
}

fn parse(text: &str) -> Result<Scope> {
    Ok(Scope::parse(text).map_err(|error| ApiError::field("scope", error.to_string()))?)
}

/// Returns the facts of a scope, for the audit log.
pub(crate) fn described(entry: &CatalogueScope) -> String {
    let deprecation = entry.deprecation().map(|text| format!(", {text}")).unwrap_or_default();
    format!("{}, least role {}{deprecation}", entry.description, entry.least_role.label())
}

/// Adds a scope to the catalogue, or changes it. `check`: is called with the present entry.
pub(crate) async fn set(
    context: &Context,
    entry: &CatalogueScope,
    audit: &Entry,
    check: impl Fn(Option<&CatalogueScope>) -> Result<()>,
) -> Result<()> {
    let is_known = storage::scopes::catalogue(context.db()).await?.find(&entry.scope).is_some();
    if !is_known {
        // Keys that held a removed scope of this name must not have it again.
        take_from_all(context, &entry.scope).await?;
    }
    retry!(context.db(), tx => {
        let catalogue = storage::scopes::catalogue_in(tx).await?;
        let before = catalogue.find(&entry.scope);
        check(before)?;
        if before.is_none() && is_known {
            // Its former holders may still have it in their rows.
            let message = format!("The scope {} was removed at the same time. Try again.", entry.scope);
            return Err(ApiError::new(ErrorCode::Conflict, message).into());
        }
        if before.is_none() && catalogue.operators().count() >= MAX_CATALOGUE {
            let message = format!("The catalogue can have at most {MAX_CATALOGUE} scopes. Remove one first.");
            return Err(ApiError::new(ErrorCode::Conflict, message).into());
        }
        storage::scopes::set(tx, entry, context.now()).await?;
        storage::audit::insert(tx, audit).await
    })
}

/// Removes a scope from the catalogue, and then from all keys.
pub(crate) async fn remove(context: &Context, scope: &Scope, audit: &Entry) -> Result<()> {
    retry!(context.db(), tx => {
        if !storage::scopes::mark_removed(tx, scope, context.now()).await? {
            return Err(ApiError::new(ErrorCode::NotFound, format!("The catalogue has no scope {scope}.")).into());
        }
        storage::audit::insert(tx, audit).await
    })?;
    // No key has the scope any more. What fails now is done again in the background.
    if let Err(error) = finish_removal(context, scope).await {
        tracing::warn!(%error, "a removed scope could not be taken from all keys; trying again");
    }
    Ok(())
}

/// Takes the scopes that were removed from the catalogue from all keys, also those of servers that crashed.
pub(crate) async fn finish_removals(context: &Context) -> Result<()> {
    for scope in storage::scopes::list_removed(context.db()).await? {
        finish_removal(context, &scope).await?;
    }
    Ok(())
}

async fn finish_removal(context: &Context, scope: &Scope) -> Result<()> {
    take_from_all(context, scope).await?;
    retry!(context.db(), tx => storage::scopes::delete_removed(tx, scope).await)
}

/// Takes a scope that isn't in the catalogue from all keys, in steps, with an audit entry for each tenant.
async fn take_from_all(context: &Context, scope: &Scope) -> Result<()> {
    let mut after = None;
    loop {
        let holders = storage::scopes::list_holders(context.db(), scope, after, AT_ONCE).await?;
        after = holders.last().map(|(key, _)| *key);
        let is_last = holders.len() < AT_ONCE as usize;
        let mut holders = holders;
        holders.sort_by_key(|(key, tenant)| (*tenant, *key));
        for of_tenant in holders.chunk_by(|(_, one), (_, next)| one == next) {
            let Some((_, tenant)) = of_tenant.first() else { continue };
            take_from_some(context, scope, *tenant, of_tenant).await?;
        }
        if is_last {
            return Ok(());
        }
    }
}

async fn take_from_some(context: &Context, scope: &Scope, tenant: TenantId, keys: &[(KeyId, TenantId)]) -> Result<()> {
    retry!(context.db(), tx => {
        storage::tenants::lock_tenant(tx, tenant).await?;
        let mut taken = 0;
        for (key, _) in keys {
            taken += u32::from(storage::scopes::take_from(tx, *key, scope).await?);
        }
        if taken > 0 {
            let subject = ("scope", tenant.0, scope.as_str());
            let entry = Entry::by_service(tenant, Operation::RemoveScope, context.now(), subject);
            let detail = format!("taken from {}", keys_text(taken));
            storage::audit::insert(tx, &entry.with(detail)).await?;
        }
        Ok(())
    })
}

/// Refuses scopes that the actor's own key doesn't hold: a key can't give another key more than it has itself.
pub(crate) fn check_within(actor: &Actor, scopes: &ScopeGrant) -> Result<()> {
    if actor.scopes().includes(scopes) {
        return Ok(());
    }
    let own = actor.scopes().set().map_or_else(String::new, listed);
    let message = format!("A key can't give more than it holds itself: {own}. Choose scopes among them.");
    Err(Error::Rule(ApiError::field("scopes", message)))
}

/// Refuses scopes that aren't in the catalogue, and those that the role of the key's owner may not hold.
pub(crate) fn check_catalogue(catalogue: &Catalogue, scopes: &ScopeGrant, role: Role) -> Result<()> {
    let none = ScopeSet::default();
    let checked = catalogue.check_grant(scopes.set().unwrap_or(&none), role);
    Ok(checked.map_err(|lack| ApiError::field("scopes", lack.to_string()))?)
}

/// Returns the scopes of a new key, for the detail of an audit entry; nothing for an unscoped one.
pub(crate) fn audit_text(scopes: &ScopeGrant) -> String {
    scopes.set().map(|set| format!(", with {}", listed(set))).unwrap_or_default()
}

/// Checks that a key has all wanted scopes, and counts each request for a scope as usage of the key.
///
/// # Errors
/// The scopes that would have sufficed and that the key lacks.
pub(crate) fn demand_counted(
    context: &Context,
    (key, scopes, role): (KeyId, &ScopeGrant, Role),
    catalogue: &Catalogue,
    wanted: &[Scope],
    client: &Client,
) -> std::result::Result<(), Missing> {
    let answer = demand(scopes, role, catalogue, wanted);
    let lacks = answer.as_ref().err().map(|missing| missing.lacks.as_slice()).unwrap_or_default();
    // Anybody can demand invented scopes, which must not fill the table.
    for scope in wanted.iter().filter(|scope| catalogue.find(scope).is_some()) {
        let is_met = lacks.iter().all(|lack| lack.scope != *scope);
        context.audit().demands().record(key, scope, is_met, context.now(), client);
    }
    if !lacks.is_empty() {
        let lacking = lacks.iter().map(|lack| lack.scope.clone()).collect();
        context.audit().key_refusals().record(key, (RefusalReason::MissingScope, lacking), context.now(), client);
    }
    answer
}

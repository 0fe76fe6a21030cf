//! Changing the scopes of a key.

use domain::{
    ApiError, ApiKey, KeyAct, Operation, Role, ScopeGrant,
    api_key::{act::ChangeKeyScopes, policy},
    scope::Catalogue,
};

use super::{
    api_keys::{ApiKeys, refusal},
    issue::lock_role,
    scopes::{check_catalogue, check_within},
};
use crate::{
    access::{Actor, Target, WritePermit, authorize, check_exposed},
    error::{Error, Result},
    storage::{self, audit::Entry, db::retry},
};

impl ApiKeys<'_> {
    /// Changes what a key may do. Taking scopes requires the right to rename the key; adding some, the right to create it.
    ///
    /// # Errors
    /// Field errors at `scopes`; `CONFIRMATION_REQUIRED` if scopes are added; `CONFLICT` for a revoked key; `NOT_FOUND`,
    /// `FORBIDDEN`.
    #[tracing::instrument(skip_all, fields(api_key.id = %input.key))]
    pub async fn change_scopes(&self, actor: &Actor, input: &ChangeKeyScopes) -> Result<ApiKey> {
        let request = input.request()?;
        let (actor, permit) = self.permit_write(actor, Operation::ChangeKeyScopes, input.key).await?;
        let now = self.context.now();
        let changed = retry!(self.context.db(), for permit.tenant_id(), tx => {
            storage::tenants::lock_tenant(tx, permit.tenant_id()).await?;
            let role = lock_role(tx, &permit).await?;
            let key = storage::keys::find_in(tx, &permit, input.key).await?.ok_or_else(ApiError::not_found)?;
            input.check_before(&key.scopes)?;
            let catalogue = storage::scopes::catalogue_in(tx).await?;
            let after = request.resolve(&catalogue, role)?;
            if !key.scopes.includes(&after) {
                self.check_widening(&actor, &permit, (&key, &after), (&catalogue, role))?;
                let policies = storage::key_policies::list_in(tx, permit.tenant_id(), now).await?;
                policy::check_added_scopes(&policies, &key, &after, now).map_err(Error::Rule)?;
            }
            if !storage::keys::change_scopes(tx, &permit, key.id, &key.scopes, &after).await? {
                return Err(refusal(KeyAct::Scopes, &key, now).into());
            }
            let subject = ("api_key", key.id.0, key.name.as_str());
            let entry = Entry::by(&actor, Operation::ChangeKeyScopes, now, subject);
            storage::audit::insert(tx, &entry.with(key.scopes.difference(&after))).await?;
            Ok(ApiKey { scopes: after, ..key })
        });
        let subject = ("api_key", input.key.0);
        let operation = Operation::ChangeKeyScopes;
        let key = self.context.audit().record_if_refused(changed, &actor, operation, subject).await?;
        Ok(self.completed(key).await)
    }

    /// Checks a change that adds scopes to a key, as if the key were created with them. A key never adds scopes to one that
    /// was exposed: whoever has found the one may have found the other.
    fn check_widening(
        &self,
        actor: &Actor,
        permit: &WritePermit,
        (key, after): (&ApiKey, &ScopeGrant),
        (catalogue, role): (&Catalogue, Role),
    ) -> Result<()> {
        authorize(actor, Operation::CreateApiKey, Target::Owner(permit.tenant_id(), key.owner))?;
        check_exposed(actor, key, "add scopes to it")?;
        self.context.require_fresh_to_widen(actor, Operation::ChangeKeyScopes, true)?;
        let added = match (&key.scopes, after) {
            (ScopeGrant::Set(before), ScopeGrant::Set(after)) => ScopeGrant::Set(after.without(before)),
            _ => after.clone(),
        };
        check_within(actor, &added)?;
        check_catalogue(catalogue, &added, role)
    }
}

//! The limits of a key: changing them.

use domain::{ApiError, ApiKey, KeyAct, KeyLimits, Operation, api_key::act::ChangeKeyLimits};

use super::{
    api_keys::{ApiKeys, refusal},
    limit_checks::check_lockout,
    scopes::check_within,
};
use crate::{
    access::{Actor, Target, WritePermit, authorize, check_exposed},
    error::Result,
    storage::{self, audit::Entry, db::retry},
};

impl ApiKeys<'_> {
    /// Changes from which addresses and how often a key may be used. Tightening requires the right to rename the key;
    /// loosening, the right to create it.
    ///
    /// # Errors
    /// Field errors at `allowed_addresses`, `rate_limit`; `CONFIRMATION_REQUIRED` if a limit is loosened; `CONFLICT` for a
    /// revoked key, for limits that were changed since the form was opened, and for addresses that lock out the caller; `NOT_FOUND`, `FORBIDDEN`.
    #[tracing::instrument(skip_all, fields(api_key.id = %input.key))]
    pub async fn change_limits(&self, actor: &Actor, input: &ChangeKeyLimits) -> Result<ApiKey> {
        input.limits(&KeyLimits::default())?;
        let (actor, permit) = self.permit_write(actor, Operation::ChangeKeyLimits, input.key).await?;
        let now = self.context.now();
        let changed = retry!(self.context.db(), for permit.tenant_id(), tx => {
            storage::tenants::lock_tenant(tx, permit.tenant_id()).await?;
            let key = storage::keys::find_in(tx, &permit, input.key).await?.ok_or_else(ApiError::not_found)?;
            input.check_before(&key.limits)?;
            let after = input.limits(&key.limits)?;
            if !key.limits.includes(&after) {
                self.check_loosening(&actor, &permit, &key)?;
            }
            if !input.allow_lockout && after.addresses != key.limits.addresses {
                check_lockout(&actor, Some(key.id), after.addresses.as_ref())?;
            }
            if !storage::key_limits::change(tx, &permit, key.id, &key.limits, &after).await? {
                return Err(refusal(KeyAct::Limits, &key, now).into());
            }
            let subject = ("api_key", key.id.0, key.name.as_str());
            let entry = Entry::by(&actor, Operation::ChangeKeyLimits, now, subject);
            storage::audit::insert(tx, &entry.with(key.limits.difference(&after))).await?;
            Ok(ApiKey { limits: after, ..key })
        });
        let (subject, operation) = (("api_key", input.key.0), Operation::ChangeKeyLimits);
        let key = self.context.audit().record_if_refused(changed, &actor, operation, subject).await?;
        Ok(self.completed(key).await)
    }

    /// Checks a change that loosens a limit, as if the key were created with it. A key never loosens its own limits, nor
    /// those of a key that holds more than it does or was exposed: whoever has found the one may have found the other.
    fn check_loosening(&self, actor: &Actor, permit: &WritePermit, key: &ApiKey) -> Result<()> {
        authorize(actor, Operation::CreateApiKey, Target::Owner(permit.tenant_id(), key.owner))?;
        if actor.key_id() == Some(key.id) {
            let message = "A key can't loosen its own limits. Use another key, or the dashboard.";
            return Err(ApiError::forbidden(message).into());
        }
        check_within(actor, &key.scopes)?;
        check_exposed(actor, key, "loosen its limits")?;
        self.context.require_fresh_to_widen(actor, Operation::ChangeKeyLimits, true)
    }
}

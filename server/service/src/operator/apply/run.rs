//! Plans and executes a stated configuration, by the use cases that its steps belong to.

use domain::{
    ApiError, KeyLimits, RateLimit, ScopeGrant,
    api_key::act::{ChangeKeyLimits, ChangeKeyScopes},
    api_key::input::CreateKey,
    scope::{ScopeOption, SetScope},
};

use super::{
    current::read,
    desired::{DesiredKey, DesiredOwner, check},
    plan::plan,
    stated::{Problem, StatedConfiguration},
    step::{Act, KeyChange, Plan, Step},
};
use crate::{
    error::Result,
    keys::{api_keys::ApiKeys, key_policies::KeyPolicies},
    operator::{Admin, OwnerRef},
    storage,
    tenants::{service_accounts::ServiceAccounts, tenant::Tenants},
};

/// How often the current state is read again, at most, while what is wrong with a file changes.
const MAX_READS: u32 = 5;

impl Admin<'_> {
    /// Returns the steps from the current state to a stated one. `prunes`: whether what isn't stated is removed. Changes
    /// nothing.
    ///
    /// The inner error contains everything that is wrong with the statement, of which then nothing can be applied. It is
    /// empty if nothing is wrong but some of the file couldn't be read.
    ///
    /// # Errors
    /// When the database fails.
    #[tracing::instrument(skip_all)]
    pub async fn plan_apply(
        &self,
        stated: &StatedConfiguration,
        prunes: bool,
    ) -> Result<std::result::Result<Plan, Vec<Problem>>> {
        let now = self.context.now();
        let (desired, mut problems) = check(stated, now);
        let mut planned = plan(&desired, &read(self, &desired).await?, prunes, now);
        // What was read isn't of one moment: while another process applies the same file, a token can belong to a key
        // that wasn't there yet when the owner's keys were read. What is wrong is wrong twice.
        for _ in 0..MAX_READS {
            let Err(before) = &planned else { break };
            let again = plan(&desired, &read(self, &desired).await?, prunes, now);
            let is_same = again.as_ref().is_err_and(|now| now == before);
            planned = again;
            if is_same {
                break;
            }
        }
        match planned {
            Ok(plan) if desired.incomplete.is_empty() => return Ok(Ok(plan)),
            Ok(_) => (),
            Err(more) => problems.extend(more),
        }
        problems.sort_by_key(|problem| problem.line);
        Ok(Err(problems))
    }

    /// Returns another plan, if a step that failed isn't needed any more: another process has applied the same file, or
    /// somebody has made the same change. Otherwise, the step has failed for a reason of its own.
    ///
    /// # Errors
    /// When the database fails.
    #[tracing::instrument(skip_all)]
    pub async fn plan_without(
        &self,
        failed: &Step,
        stated: &StatedConfiguration,
        prunes: bool,
    ) -> Result<Option<Plan>> {
        let plan = self.plan_apply(stated, prunes).await?.ok();
        let failed = failed.to_string();
        Ok(plan.filter(|plan| plan.steps().iter().all(|step| step.to_string() != failed)))
    }

    /// Executes a step of a plan. The steps before it must have been executed.
    ///
    /// # Errors
    /// As the use case that the step belongs to, for example if something was changed since the plan was made.
    #[tracing::instrument(skip_all)]
    pub async fn apply_step(&self, step: &Step) -> Result<()> {
        let accounts = ServiceAccounts { context: self.context };
        let policies = KeyPolicies { context: self.context, usage: self.usage };
        match &step.act {
            Act::SetScope(entry) => {
                let deprecated_since = entry.deprecated_at.map(|at| at.to_rfc3339()).unwrap_or_default();
                let (scope, description) = (entry.scope.to_string(), entry.description.clone());
                let least_role = Some(entry.least_role);
                let input = SetScope { scope, description, least_role, deprecated_since, before: None };
                self.set_scope(&input).await
            }
            Act::RemoveScope(scope) => self.remove_scope(scope.as_str()).await,
            Act::CreateTenant(slug, name) => self.create_tenant(name.as_str(), slug.as_str()).await.map(drop),
            Act::RenameTenant(slug, name) => {
                let tenants = Tenants { context: self.context };
                tenants.rename(&self.operator(slug.as_str()).await?, name.as_str()).await.map(drop)
            }
            Act::CreateAccount(slug, name, role) => {
                let role = role.map(domain::Role::as_str);
                self.create_service_account(slug.as_str(), name.as_str(), role).await.map(drop)
            }
            Act::ChangeRole(slug, id, role) => {
                accounts.change_role(&self.operator(slug.as_str()).await?, *id, *role).await.map(drop)
            }
            Act::DeleteAccount(slug, id) => accounts.delete(&self.operator(slug.as_str()).await?, *id).await.map(drop),
            Act::SetKeyPolicy(slug, input) => policies.set(&self.operator(slug.as_str()).await?, input).await.map(drop),
            Act::ClearKeyPolicy(slug, kind) => {
                policies.clear(&self.operator(slug.as_str()).await?, kind.as_str()).await
            }
            Act::CreateKey(key) => self.create_stated_key(key).await,
            Act::ChangeKey(slug, change) => self.change_stated_key(slug.as_str(), change).await,
            Act::RevokeKey(slug, id) => self.keys().revoke(&self.operator(slug.as_str()).await?, *id).await.map(drop),
        }
    }

    fn keys(&self) -> ApiKeys<'_> {
        ApiKeys { context: self.context, usage: self.usage }
    }

    async fn create_stated_key(&self, key: &DesiredKey) -> Result<()> {
        let owner = match &key.owner {
            DesiredOwner::User(email) => OwnerRef::User(email.as_str().to_owned()),
            DesiredOwner::ServiceAccount(name) => {
                // By its id: its name may be another account's id.
                let tenant = self.operator(key.tenant.as_str()).await?.tenant_id();
                let found = storage::service_accounts::find_by_name(self.context.db(), tenant, name).await?;
                OwnerRef::ServiceAccount(found.ok_or_else(ApiError::not_found)?.to_string())
            }
        };
        let (allowed_addresses, rate_limit, rate_window) = texts_of(&key.limits);
        let input = CreateKey {
            name: key.name.as_str().to_owned(),
            expires_at: key.expires_at.map(|at| at.to_rfc3339()),
            scopes: key.scopes.set().map(ToString::to_string),
            allowed_addresses,
            rate_limit,
            rate_window,
            ..CreateKey::default()
        };
        self.create_key_with_digest(key.tenant.as_str(), owner, input, key.token.clone()).await.map(drop)
    }

    async fn change_stated_key(&self, slug: &str, change: &KeyChange) -> Result<()> {
        // Only its owner may rename a key.
        let (actor, key) = self.key_context(slug, change.id).await?;
        if let Some(scopes) = &change.scopes {
            let access = if *scopes == ScopeGrant::Unscoped { ScopeOption::Full } else { ScopeOption::Chosen };
            let scopes = scopes.set().map(ToString::to_string);
            self.keys()
                .change_scopes(&actor, &ChangeKeyScopes { key, access: Some(access), scopes, before: None })
                .await?;
        }
        if let Some(limits) = &change.limits {
            let (addresses, requests, rate_window) = texts_of(limits);
            let input = ChangeKeyLimits {
                key,
                // An empty text removes a limit.
                allowed_addresses: Some(addresses.unwrap_or_default()),
                rate_limit: Some(requests.unwrap_or_default()),
                rate_window,
                allow_lockout: true,
                replace_all: true,
                before: None,
            };
            self.keys().change_limits(&actor, &input).await?;
        }
        if let Some(name) = &change.name {
            self.keys().rename(&actor, key, name.as_str()).await?;
        }
        Ok(())
    }
}

/// Returns limits as the fields of a form: the addresses, the number of requests and the window.
fn texts_of(limits: &KeyLimits) -> (Option<String>, Option<String>, Option<String>) {
    let rate = limits.rate.map(|rate: RateLimit| (rate.requests().to_string(), rate.window()));
    let (requests, window) = rate.unzip();
    (limits.addresses.as_ref().map(ToString::to_string), requests, window)
}

//! Use cases of service accounts.

use chrono::{DateTime, Utc};
use domain::{
    AccountAct, AccountQuery, ApiError, ErrorCode, IssuedKey, KeyLimits, Name, Operation, Owner, OwnerKind, Page, Role,
    ScopeGrant, ServiceAccount, ServiceAccountId,
    scope::ScopeRequest,
    service_account::input::{CreateAccount, DeleteAccount},
    tenant::check_role_unchanged,
};
use uuid::Uuid;

use crate::{
    access::{Actor, Target, WritePermit, check_grant},
    context::Context,
    error::Result,
    input,
    keys::{
        api_keys::keys_revoked,
        issue::{self, Checked},
        pending_changes,
    },
    random,
    storage::{self, Tx, audit::Entry, db::retry},
};

/// Use cases of service accounts.
pub struct ServiceAccounts<'a> {
    pub(crate) context: &'a Context,
}

impl ServiceAccounts<'_> {
    /// Returns one page of the tenant's accounts.
    ///
    /// # Errors
    /// `FORBIDDEN` for anyone but an administrator.
    pub async fn list(&self, actor: &Actor, query: &AccountQuery) -> Result<Page<ServiceAccount>> {
        let permit =
            self.context.permit(actor, Operation::ListServiceAccounts, Target::Tenant(actor.tenant_id())).await?;
        let query = AccountQuery { search: input::search(&query.search), ..query.clone() };
        storage::service_accounts::list(self.context.db(), &permit, &query, self.context.now()).await
    }

    /// Returns one account, even a deleted one.
    ///
    /// # Errors
    /// `NOT_FOUND`, `FORBIDDEN`.
    pub async fn get(&self, actor: &Actor, id: ServiceAccountId) -> Result<ServiceAccount> {
        let (target, subject) = (Target::Tenant(actor.tenant_id()), ("service_account", id.0));
        let audit = self.context.audit();
        let permit = audit.permit_about(actor, Operation::GetServiceAccount, target, subject).await?;
        let account = storage::service_accounts::find(self.context.db(), &permit, id, self.context.now()).await?;
        Ok(account.ok_or_else(ApiError::not_found)?)
    }

    /// Creates an account.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` with the fields `name`, `role`; `CONFIRMATION_REQUIRED`; `FORBIDDEN`.
    #[tracing::instrument(skip_all)]
    pub async fn create(&self, actor: &Actor, input: &CreateAccount) -> Result<ServiceAccount> {
        let permit = self
            .context
            .permit_write(actor, Operation::CreateServiceAccount, Target::Tenant(actor.tenant_id()))
            .await?;
        let (account, key) = draft(actor, input, self.context.now())?;
        retry!(self.context.db(), for permit.tenant_id(), tx => insert(tx, actor, &permit, &account, key).await)
    }

    /// Creates an account and a key for it, in one transaction. The key has the same name and no expiry.
    ///
    /// # Errors
    /// As [`ServiceAccounts::create`].
    #[tracing::instrument(skip_all)]
    pub async fn create_with_key(&self, actor: &Actor, input: &CreateAccount) -> Result<IssuedKey> {
        let permit = self
            .context
            .permit_write(actor, Operation::CreateServiceAccount, Target::Tenant(actor.tenant_id()))
            .await?;
        let (account, repeat) = draft(actor, input, self.context.now())?;
        let owner = Target::Owner(actor.tenant_id(), Owner::ServiceAccount(account.id));
        let key_permit = self.context.permit_write(actor, Operation::CreateApiKey, owner).await?;
        let scopes = ScopeRequest::Grant(ScopeGrant::Unscoped);
        let limits = KeyLimits::default();
        let checked = Checked { name: account.name.clone(), expires_at: None, idempotency_key: None, scopes, limits };
        let (key, token) = issue::draft(actor, OwnerKind::ServiceAccount, checked, account.created_at)?;
        let made = retry!(self.context.db(), for permit.tenant_id(), tx => {
            insert_or_repeat(tx, &permit, &account, repeat).await?;
            let made = issue::insert_or_repeat(tx, actor, &key_permit, &key).await?;
            storage::audit::insert(tx, &entry_of(actor, &permit, &account)).await?;
            storage::audit::insert(tx, &issue::entry_of(actor, &key, &made.scopes)).await?;
            Ok(made)
        })?;
        Ok(IssuedKey { key: made, token, is_repeat: false })
    }

    /// Renames an account.
    ///
    /// # Errors
    /// A field error at `name`; `CONFLICT` for a deleted account; `NOT_FOUND`, `FORBIDDEN`.
    #[tracing::instrument(skip_all, fields(service_account.id = %id))]
    pub async fn rename(&self, actor: &Actor, id: ServiceAccountId, name: &str) -> Result<ServiceAccount> {
        let name = input::name(name).map_err(|error| ApiError::field("name", error.to_string()))?;
        self.change(actor, id, Change::Rename(name)).await
    }

    /// Changes the role of an account. It applies to all its keys from the next request.
    ///
    /// # Errors
    /// A field error at `role` if it is above the actor's own; `CONFIRMATION_REQUIRED` for a higher role than before;
    /// `CONFLICT` for a deleted account; `NOT_FOUND`, `FORBIDDEN`.
    pub async fn change_role(&self, actor: &Actor, id: ServiceAccountId, role: Role) -> Result<ServiceAccount> {
        self.change_role_from(actor, id, None, role).await
    }

    /// Like [`ServiceAccounts::change_role`], unless the role isn't the one that a form showed.
    ///
    /// # Errors
    /// As [`ServiceAccounts::change_role`], and `CONFLICT` if somebody else has changed the role meanwhile.
    #[tracing::instrument(skip_all, fields(service_account.id = %id))]
    pub async fn change_role_from(
        &self,
        actor: &Actor,
        id: ServiceAccountId,
        shown: Option<Role>,
        role: Role,
    ) -> Result<ServiceAccount> {
        self.change(actor, id, Change::Role { shown, role }).await
    }

    /// Suspends an account. All its keys are refused from the next request.
    ///
    /// # Errors
    /// `CONFLICT` if it is already suspended or deleted; `NOT_FOUND`, `FORBIDDEN`.
    #[tracing::instrument(skip_all, fields(service_account.id = %id))]
    pub async fn suspend(&self, actor: &Actor, id: ServiceAccountId) -> Result<ServiceAccount> {
        self.change(actor, id, Change::Suspend).await
    }

    /// Resumes a suspended account. Its keys work again, except those suspended individually.
    ///
    /// # Errors
    /// `CONFLICT` if it isn't suspended, or is deleted; `CONFIRMATION_REQUIRED`; `NOT_FOUND`, `FORBIDDEN`.
    #[tracing::instrument(skip_all, fields(service_account.id = %id))]
    pub async fn resume(&self, actor: &Actor, id: ServiceAccountId) -> Result<ServiceAccount> {
        self.change(actor, id, Change::Resume).await
    }

    async fn change(&self, actor: &Actor, id: ServiceAccountId, change: Change) -> Result<ServiceAccount> {
        let target = Target::Owner(actor.tenant_id(), Owner::ServiceAccount(id));
        let permit = self.context.permit_write(actor, change.operation(), target).await?;
        if let Change::Role { role, .. } = &change {
            check_grant(actor, *role)?;
        }
        let now = self.context.now();
        let after = retry!(self.context.db(), for permit.tenant_id(), tx => {
            if matches!(change, Change::Suspend | Change::Resume) {
                storage::tenants::lock_tenant_for_long(tx, permit.tenant_id()).await?;
            } else if matches!(change, Change::Role { .. }) {
                storage::tenants::lock_tenant(tx, permit.tenant_id()).await?;
            }
            let before = storage::service_accounts::find_in(tx, &permit, id, now).await?;
            let before = before.ok_or_else(ApiError::not_found)?;
            if let Change::Role { shown, role } = &change {
                check_role_unchanged(*shown, before.role, *role)?;
                self.context.require_fresh_to_widen(actor, change.operation(), *role > before.role)?;
            }
            if !change.make(tx, &permit, id, (now, actor.name())).await? {
                return Err(refusal(change.act(), &before).into());
            }
            let subject = ("service_account", id.0, before.name.as_str());
            let entry = Entry::by(actor, change.operation(), now, subject).with(change.detail());
            storage::audit::insert(tx, &entry).await?;
            let after = storage::service_accounts::find_in(tx, &permit, id, now).await?;
            Ok(after.ok_or_else(ApiError::not_found)?)
        })?;
        self.finish(&permit, after).await
    }

    /// Like [`ServiceAccounts::delete`], but requires the account's name as confirmation if it was used in the past 24
    /// hours.
    ///
    /// # Errors
    /// As [`ServiceAccounts::delete`]; a field error at `confirmation` if the name doesn't match.
    pub async fn delete_confirmed(&self, actor: &Actor, input: &DeleteAccount) -> Result<ServiceAccount> {
        let account = self.get(actor, input.account).await?;
        let typed = input.confirmation.as_deref().unwrap_or_default();
        if account.was_used_lately(self.context.now()) && !input::is_name(typed, &account.name) {
            return Err(ApiError::field("confirmation", "The name doesn't match.").into());
        }
        self.delete(actor, input.account).await
    }

    /// Deletes an account and revokes all its keys, in one transaction.
    ///
    /// # Errors
    /// `CONFLICT` if it is already deleted; `NOT_FOUND`, `FORBIDDEN`.
    #[tracing::instrument(skip_all, fields(service_account.id = %id))]
    pub async fn delete(&self, actor: &Actor, id: ServiceAccountId) -> Result<ServiceAccount> {
        let target = Target::Owner(actor.tenant_id(), Owner::ServiceAccount(id));
        let permit = self.context.permit_write(actor, Operation::DeleteServiceAccount, target).await?;
        let now = self.context.now();
        let deleted = retry!(self.context.db(), for permit.tenant_id(), tx => {
            delete(tx, actor, &permit, id, now).await
        })?;
        self.finish(&permit, deleted).await
    }

    /// Finishes the changes to the keys of an account, and returns the account as it is then.
    async fn finish(&self, permit: &WritePermit, account: ServiceAccount) -> Result<ServiceAccount> {
        if !pending_changes::finish(self.context).await {
            return Ok(account);
        }
        let found = storage::service_accounts::find(self.context.db(), permit, account.id, self.context.now()).await?;
        Ok(found.unwrap_or(account))
    }
}

/// A reversible change to an account.
enum Change {
    Rename(Name),
    /// `shown`: the role that a form showed.
    Role {
        shown: Option<Role>,
        role: Role,
    },
    Suspend,
    Resume,
}

impl Change {
    fn act(&self) -> AccountAct {
        match self {
            Self::Rename(_) => AccountAct::Rename,
            Self::Role { .. } => AccountAct::ChangeRole,
            Self::Suspend => AccountAct::Suspend,
            Self::Resume => AccountAct::Resume,
        }
    }

    fn operation(&self) -> Operation {
        self.act().operation()
    }

    fn detail(&self) -> String {
        match self {
            Self::Rename(name) => format!("renamed to {name}"),
            Self::Role { role, .. } => format!("role {}", role.label()),
            Self::Suspend | Self::Resume => String::new(),
        }
    }

    /// Returns false if the account's state doesn't allow the change. `stamp`: the time, and the actor's name.
    async fn make(
        &self,
        tx: &mut Tx,
        permit: &WritePermit,
        id: ServiceAccountId,
        stamp: (DateTime<Utc>, &str),
    ) -> Result<bool> {
        use storage::service_accounts as rows;
        match self {
            Self::Rename(name) => rows::rename(tx, permit, id, name).await,
            Self::Role { role, .. } => rows::update_role(tx, permit, id, *role).await,
            Self::Suspend => {
                let done = rows::suspend(tx, permit, id, stamp.0, stamp.1).await?;
                pending_changes::follow_account(tx, permit, id, stamp.0, true).await?;
                Ok(done)
            }
            Self::Resume => {
                let done = rows::resume(tx, permit, id).await?;
                pending_changes::follow_account(tx, permit, id, stamp.0, false).await?;
                Ok(done)
            }
        }
    }
}

/// Returns the error for an act that the account's state didn't allow.
fn refusal(act: AccountAct, account: &ServiceAccount) -> ApiError {
    match act.fits(account) {
        Err(unfit) => unfit.into(),
        // A concurrent change came first.
        Ok(()) => ApiError::new(ErrorCode::Conflict, "This service account was changed in the meantime. Try again."),
    }
}

/// Returns an account to insert, and the form's idempotency key.
fn draft(actor: &Actor, input: &CreateAccount, now: DateTime<Utc>) -> Result<(ServiceAccount, Option<Uuid>)> {
    let (name, role, key) = check(input)?;
    check_grant(actor, role)?;
    let account = ServiceAccount {
        id: ServiceAccountId(random::new_id(now)),
        tenant_id: actor.tenant_id(),
        name,
        role,
        created_at: now,
        created_by: actor.name().to_owned(),
        suspended_at: None,
        suspended_by: None,
        deleted_at: None,
        active_keys: 0,
        all_keys: 0,
        last_used: None,
    };
    Ok((account, key))
}

fn check(input: &CreateAccount) -> Result<(Name, Role, Option<Uuid>)> {
    let mut wrong = input::Fields::default();
    let name = wrong.take("name", input::name(&input.name));
    let key = input::idempotency_key(input.idempotency_key.as_deref())?;
    match name {
        Some(name) => Ok((name, input.role.unwrap_or(Role::TenantAdmin), key)),
        None => Err(wrong.into_error().into()),
    }
}

async fn insert(
    tx: &mut Tx,
    actor: &Actor,
    permit: &WritePermit,
    account: &ServiceAccount,
    key: Option<Uuid>,
) -> Result<ServiceAccount> {
    let made = insert_or_repeat(tx, permit, account, key).await?;
    if made.id == account.id {
        storage::audit::insert(tx, &entry_of(actor, permit, account)).await?;
    }
    Ok(made)
}

/// Inserts an account, or returns the one that the same form already created. The caller writes the audit entry.
async fn insert_or_repeat(
    tx: &mut Tx,
    permit: &WritePermit,
    account: &ServiceAccount,
    key: Option<Uuid>,
) -> Result<ServiceAccount> {
    if let Some(key) = key {
        // Locked, so that of two concurrent submissions of a form, the second finds what the first created.
        storage::tenants::lock_tenant(tx, permit.tenant_id()).await?;
        let earlier = storage::service_accounts::find_repeated(tx, permit, key, account.created_at).await?;
        if let Some(earlier) = earlier {
            return Ok(earlier);
        }
    }
    storage::service_accounts::insert(tx, permit, account, key).await?;
    Ok(account.clone())
}

fn entry_of(actor: &Actor, permit: &WritePermit, account: &ServiceAccount) -> Entry {
    let subject = ("service_account", account.id.0, account.name.as_str());
    Entry::by(actor, permit.operation(), account.created_at, subject).with(format!("role {}", account.role.label()))
}

async fn delete(
    tx: &mut Tx,
    actor: &Actor,
    permit: &WritePermit,
    id: ServiceAccountId,
    now: DateTime<Utc>,
) -> Result<ServiceAccount> {
    storage::tenants::lock_tenant_for_long(tx, permit.tenant_id()).await?;
    let deleted = storage::service_accounts::delete(tx, permit, id, now, actor.name()).await?;
    let account = storage::service_accounts::find_in(tx, permit, id, now).await?.ok_or_else(ApiError::not_found)?;
    if !deleted {
        return Err(refusal(AccountAct::Delete, &account).into());
    }
    let (owner, reason) = (Owner::ServiceAccount(id), "service account deleted");
    let keys = pending_changes::revoke_all(tx, permit, owner, now, actor.name(), reason).await?;
    storage::invitations::close_of_inviter(tx, permit.tenant_id(), id.0, now).await?;
    let subject = ("service_account", id.0, account.name.as_str());
    storage::audit::insert(tx, &Entry::by(actor, permit.operation(), now, subject).with(keys_revoked(keys))).await?;
    Ok(storage::service_accounts::find_in(tx, permit, id, now).await?.ok_or_else(ApiError::not_found)?)
}

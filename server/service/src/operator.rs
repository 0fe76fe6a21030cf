//! Use cases of the operator at the server's command line, who is trusted like the owner of the database and audited as
//! "cli".

pub mod apply;
pub(crate) mod audit_tail;
mod found_tokens;
pub(crate) mod import;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::{
    ApiError, ApiKey, Email, ErrorCode, IssuedKey, KeyId, Name, Operation, Owner, Role, Scope, Secret,
    ServiceAccountId, Slug, Tenant, TenantId, User, UserId,
    api_key::input::CreateKey,
    name::NameError,
    page::MAX_LIMIT,
    scope::{Catalogue, SetScope},
    service_account::input::CreateAccount,
};
use uuid::Uuid;

use crate::{
    access::{Actor, OPERATOR, Target, WritePermit},
    context::Context,
    error::{Error, Result},
    input,
    keys::{api_keys::ApiKeys, known_token::KnownToken, pending_changes, scopes, usage::UsageBuffer},
    people::{made_in_sessions, members, passwords::Hasher, second_factor, second_factor_lock, users::new_user},
    secrets::Rotation,
    storage::{self, audit::Entry, db::retry},
    tenants::{service_accounts::ServiceAccounts, tenant::new_tenant},
};

/// The owner of a new key, as given on the command line.
#[derive(Clone, Debug)]
pub enum OwnerRef {
    /// A member, by email address.
    User(String),
    /// A service account, by name or id.
    ServiceAccount(String),
}

/// Use cases of the operator.
pub struct Admin<'a> {
    pub(crate) context: &'a Context,
    pub(crate) usage: &'a Arc<UsageBuffer>,
    pub(crate) hasher: &'a Hasher,
}

impl Admin<'_> {
    /// Returns all tenants, sorted by slug.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_tenants(&self) -> Result<Vec<Tenant>> {
        storage::tenants::list_all(self.context.db()).await
    }

    /// Creates a tenant without members.
    ///
    /// # Errors
    /// Field errors at `name`, `slug`.
    #[tracing::instrument(skip_all)]
    pub async fn create_tenant(&self, name: &str, slug: &str) -> Result<TenantId> {
        let mut wrong = input::Fields::default();
        let parsed = (wrong.take("name", input::name(name)), wrong.take("slug", Slug::parse(slug)));
        let (Some(name), Some(slug)) = parsed else { return Err(wrong.into_error().into()) };
        let tenant = new_tenant(self.context.now(), name, slug);
        let id = tenant.id;
        let entry = self.entry(tenant.id, "create_tenant", ("tenant", id.0, tenant.name.as_str()));
        retry!(self.context.db(), tx => {
            storage::tenants::insert(tx, &tenant).await?;
            storage::audit::insert(tx, &entry).await
        })?;
        Ok(id)
    }

    /// Adds a user to a tenant. For a new email address, creates the user with the name and the password; otherwise
    /// both are ignored.
    ///
    /// # Errors
    /// Field errors at `email`, `name`, `role`, `password`; `NOT_FOUND` for the tenant.
    #[tracing::instrument(skip_all)]
    pub async fn create_user(
        &self,
        email: &str,
        name: Option<&str>,
        tenant_slug: &str,
        role: &str,
        password: &Secret,
    ) -> Result<UserId> {
        let tenant = self.tenant(tenant_slug).await?;
        let mut wrong = input::Fields::default();
        let email = wrong.take("email", input::email(email));
        let role = wrong.take("role", role.parse::<Role>());
        let (Some(email), Some(role)) = (email, role) else { return Err(wrong.into_error().into()) };
        let known = storage::users::find_by_email(self.context.db(), &email).await?.map(|found| found.user);
        let fresh = known.is_none();
        let user = if let Some(user) = known {
            user
        } else {
            let name = name.map_or_else(|| name_for(&email), input::name);
            let name = name.map_err(|error| ApiError::field("name", error.to_string()))?;
            self.hasher.check_new(password, &[email.as_str(), name.as_str(), tenant_slug]).await??;
            new_user(self.context.now(), email, name)
        };
        let hash = if fresh { self.hasher.hash(password.clone()).await? } else { String::new() };
        let entry = self
            .entry(tenant.id, "create_user", ("user", user.id.0, user.name.as_str()))
            .with(format!("role {}", role.label()));
        let (id, at) = (user.id, storage::micros(self.context.now()));
        retry!(self.context.db(), tx => {
            storage::tenants::lock_tenant_for_long(tx, tenant.id).await?;
            if fresh {
                storage::users::insert(tx, &user, &hash).await?;
            }
            storage::tenants::insert_member(tx, tenant.id, user.id, role, at).await?;
            storage::audit::insert(tx, &entry).await
        })?;
        Ok(id)
    }

    /// Creates a service account.
    ///
    /// # Errors
    /// Field errors at `name`, `role`; `NOT_FOUND` for the tenant.
    #[tracing::instrument(skip_all)]
    pub async fn create_service_account(
        &self,
        tenant_slug: &str,
        name: &str,
        role: Option<&str>,
    ) -> Result<ServiceAccountId> {
        let refuse = |error: domain::tenant::RoleError| ApiError::field("role", error.to_string());
        let role = role.map(|role| role.trim().parse().map_err(refuse)).transpose()?;
        let operator = self.operator(tenant_slug).await?;
        let input = CreateAccount { name: name.to_owned(), role, idempotency_key: None };
        Ok(ServiceAccounts { context: self.context }.create(&operator, &input).await?.id)
    }

    /// Creates a key.
    ///
    /// # Errors
    /// Field errors at `name`, `expires_at`, `email`, `service_account`; `NOT_FOUND` for the tenant or the owner;
    /// `FORBIDDEN` for a member with the role Read only.
    pub async fn create_key(
        &self,
        tenant_slug: &str,
        owner: OwnerRef,
        name: &str,
        expires_at: Option<&str>,
    ) -> Result<IssuedKey> {
        self.create_scoped_key(tenant_slug, owner, name, expires_at, None).await
    }

    /// Like [`Admin::create_key`], with the scopes that the key holds; everything that its owner may do, if `None`.
    ///
    /// # Errors
    /// As [`Admin::create_key`], and a field error at `scopes`.
    #[tracing::instrument(skip_all)]
    pub async fn create_scoped_key(
        &self,
        tenant_slug: &str,
        owner: OwnerRef,
        name: &str,
        expires_at: Option<&str>,
        scopes: Option<&str>,
    ) -> Result<IssuedKey> {
        let input = CreateKey {
            name: name.to_owned(),
            expires_at: expires_at.map(str::to_owned),
            scopes: scopes.map(str::to_owned),
            ..CreateKey::default()
        };
        self.create_key_from(tenant_slug, owner, input).await
    }

    /// Creates a key of an owner as `input` describes it otherwise.
    ///
    /// # Errors
    /// As [`Admin::create_scoped_key`], and field errors at `allowed_addresses` and `rate_limit`.
    #[tracing::instrument(skip_all)]
    pub async fn create_key_from(&self, tenant_slug: &str, owner: OwnerRef, input: CreateKey) -> Result<IssuedKey> {
        let (actor, input) = self.owner_context(tenant_slug, owner, input).await?;
        ApiKeys { context: self.context, usage: self.usage }.create(&actor, &input).await
    }

    /// Creates a key of an owner with a token that already exists. The token isn't shown again.
    ///
    /// # Errors
    /// As [`Admin::create_key_from`], and `CONFLICT` if the token belongs to a key, also if that is revoked.
    #[tracing::instrument(skip_all)]
    pub async fn create_key_with_digest(
        &self,
        tenant_slug: &str,
        owner: OwnerRef,
        input: CreateKey,
        token: KnownToken,
    ) -> Result<ApiKey> {
        let (actor, input) = self.owner_context(tenant_slug, owner, input).await?;
        ApiKeys { context: self.context, usage: self.usage }.create_known(&actor, &input, token).await
    }

    /// Returns the operator with the right to create a key of an owner, and the key's input with the owner.
    async fn owner_context(&self, tenant_slug: &str, owner: OwnerRef, input: CreateKey) -> Result<(Actor, CreateKey)> {
        let tenant = self.tenant(tenant_slug).await?;
        let (actor, owner) = match owner {
            OwnerRef::ServiceAccount(name) => {
                let operator = self.operator(tenant_slug).await?;
                let id = self.service_account(&operator, &name).await?;
                (operator, Owner::ServiceAccount(id))
            }
            OwnerRef::User(email) => {
                let user = self.user(&email).await?;
                let actor = self.acting_for(user, tenant.id).await?;
                (actor, Owner::User(user))
            }
        };
        Ok((actor, CreateKey { owner: Some(owner), tenant_id: Some(tenant.id), ..input }))
    }

    /// Returns the scope catalogue.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_scopes(&self) -> Result<Catalogue> {
        storage::scopes::catalogue(self.context.db()).await
    }

    /// Adds a scope to the catalogue, or changes it.
    ///
    /// # Errors
    /// Field errors at `scope`, `description`, `least_role`, `deprecated_since`.
    #[tracing::instrument(skip_all)]
    pub async fn set_scope(&self, input: &SetScope) -> Result<()> {
        let entry = input.entry()?;
        let subject = ("scope", None, entry.scope.as_str());
        let audit = Entry::by_operator(None, Operation::SetScope.as_str(), self.context.now(), subject);
        scopes::set(self.context, &entry, &audit.with(scopes::described(&entry)), |_| Ok(())).await
    }

    /// Removes a scope from the catalogue and from all keys.
    ///
    /// # Errors
    /// A field error at `scope`; `NOT_FOUND` if the catalogue has no such scope.
    #[tracing::instrument(skip_all)]
    pub async fn remove_scope(&self, scope: &str) -> Result<()> {
        let scope = Scope::parse(scope).map_err(|error| ApiError::field("scope", error.to_string()))?;
        let subject = ("scope", None, scope.as_str());
        let audit = Entry::by_operator(None, Operation::RemoveScope.as_str(), self.context.now(), subject);
        scopes::remove(self.context, &scope, &audit).await
    }

    /// Changes a member's role.
    ///
    /// # Errors
    /// `CONFLICT` for the last administrator; `NOT_FOUND`.
    #[tracing::instrument(skip_all)]
    pub async fn set_role(&self, tenant_slug: &str, email: &str, role: &str) -> Result<()> {
        let (permit, user, entry) = self.member_context(tenant_slug, email, Operation::ChangeMemberRole).await?;
        let role: Role =
            role.parse().map_err(|error: domain::tenant::RoleError| ApiError::field("role", error.to_string()))?;
        retry!(self.context.db(), tx => {
            members::change_role(tx, &permit, (user, role), |_| Ok(()), |_| entry.clone()).await.map(drop)
        })
    }

    /// Removes a member and revokes their keys in the tenant.
    ///
    /// # Errors
    /// `CONFLICT` for the last administrator; `NOT_FOUND`.
    #[tracing::instrument(skip_all)]
    pub async fn remove_member(&self, tenant_slug: &str, email: &str) -> Result<()> {
        let (permit, user, entry) = self.member_context(tenant_slug, email, Operation::RemoveMember).await?;
        let now = self.context.now();
        retry!(self.context.db(), tx => members::remove(tx, &permit, user, now, OPERATOR, |_| entry.clone()).await)?;
        pending_changes::finish(self.context).await;
        Ok(())
    }

    /// Renames a user.
    ///
    /// # Errors
    /// Field errors at `email`, `name`.
    #[tracing::instrument(skip_all)]
    pub async fn rename_user(&self, email: &str, name: &str) -> Result<()> {
        let user = self.user(email).await?;
        let name = input::name(name).map_err(|error| ApiError::field("name", error.to_string()))?;
        let operation = Operation::UpdateProfile.as_str();
        let entry = self.entry_about_user(operation, user, email).with(format!("renamed to {name}"));
        retry!(self.context.db(), tx => {
            storage::users::rename(tx, user, &name).await?;
            storage::audit::insert(tx, &entry).await
        })
    }

    /// Sets a user's password, and ends all their sessions with the invitations and the calendar link that they created.
    ///
    /// # Errors
    /// Field errors at `email`, `password`.
    #[tracing::instrument(skip_all)]
    pub async fn change_password(&self, email: &str, password: &Secret) -> Result<()> {
        let user = self.user(email).await?;
        self.hasher.check_new(password, &[email]).await??;
        let hash = self.hasher.hash(password.clone()).await?;
        let entry = self.entry_about_user(Operation::ChangePassword.as_str(), user, email);
        retry!(self.context.db(), tx => {
            storage::users::update_password(tx, user, &hash, entry.at).await?;
            storage::second_factors::unlock(tx, user).await?;
            let ended = storage::sessions::delete_of_user(tx, user).await?;
            let entries = made_in_sessions::end_all(tx, user, &ended, entry.clone(), entry.at).await?;
            storage::audit::insert_all(tx, entries).await
        })
    }

    /// Turns off two-factor authentication for a user who lost the app and the recovery codes.
    ///
    /// # Errors
    /// A field error at `email`; `CONFLICT` if it is already off.
    #[tracing::instrument(skip_all)]
    pub async fn disable_second_factor(&self, email: &str) -> Result<()> {
        let user = self.user(email).await?;
        let operation = Operation::DisableSecondFactor.as_str();
        let entry = self.entry_about_user(operation, user, email);
        retry!(self.context.db(), tx => {
            second_factor::disable(tx, user, &entry).await
        })
    }

    /// Accepts codes of a user's app again, after too many wrong ones.
    ///
    /// # Errors
    /// A field error at `email`; `CONFLICT` if they aren't locked.
    #[tracing::instrument(skip_all)]
    pub async fn unlock_second_factor(&self, email: &str) -> Result<()> {
        let user = self.user(email).await?;
        let entry = self.entry_about_user(Operation::UnlockSecondFactor.as_str(), user, email);
        retry!(self.context.db(), tx => second_factor_lock::unlock(tx, user, &entry).await)
    }

    /// Adds a new key to the secret key file, for a later rotation. Returns the key's id.
    ///
    /// # Errors
    /// `CONFLICT` if there is no such file, or it can't be changed.
    pub fn prepare_secret_key(&self) -> Result<String> {
        self.context.secrets().prepare()
    }

    /// Encrypts everything in the database with another secret key, and removes the earlier ones from the key file.
    /// Continues a rotation that was broken off. Servers may go on running.
    ///
    /// # Errors
    /// `CONFLICT` if a key is missing, or the file can't be changed.
    #[tracing::instrument(skip_all)]
    pub async fn rotate_secret_keys(&self) -> Result<Rotation> {
        let rotation = self.context.secrets().rotate(self.context.db(), self.context.now()).await?;
        let subject = ("secret_key", None, rotation.key_id.as_str());
        let entry = Entry::by_operator(None, "rotate_secret_key", self.context.now(), subject);
        retry!(self.context.db(), tx => {
            storage::audit::insert(tx, &entry).await
        })?;
        Ok(rotation)
    }

    /// Gives up what is encrypted with secret keys that are lost: turns off two-factor authentication for its users.
    /// Returns how many had it turned on.
    ///
    /// # Errors
    /// When the keys can't be read, or the database fails.
    #[tracing::instrument(skip_all)]
    pub async fn discard_lost_secrets(&self) -> Result<u32> {
        let (db, mut count) = (self.context.db(), 0);
        for key_id in self.context.secrets().list_lost(db).await? {
            for user in storage::second_factors::list_sealed_with(db, &key_id).await? {
                count += self.discard_second_factor(user).await?;
            }
            storage::sealed::delete_key_id(db, &key_id).await?;
        }
        Ok(count)
    }

    async fn discard_second_factor(&self, user: UserId) -> Result<u32> {
        let email = storage::users::find(self.context.db(), user).await?.map(|user| user.email);
        let name = email.as_ref().map_or("", Email::as_str);
        let operation = Operation::DisableSecondFactor.as_str();
        let entry = self.entry_about_user(operation, user, name).with("secret key lost");
        retry!(self.context.db(), tx => {
            storage::second_factors::delete_pending(tx, user).await?;
            match second_factor::disable(tx, user, &entry).await {
                Ok(()) => Ok(1),
                // It was only pending.
                Err(Error::Api(_)) => Ok(0),
                Err(error) => Err(error),
            }
        })
    }

    /// Checks the database. Returns the problems found; empty if there are none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn check(&self) -> Result<Vec<String>> {
        let mut problems = storage::maintenance::check(self.context.db()).await?;
        problems.extend(self.context.secrets().check(self.context.db()).await?);
        Ok(problems)
    }

    /// Returns how often tokens that belong to no key were refused, by hour and reason (`malformed`, `unknown`), latest
    /// first. Refusals of keys are part of their usage.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn refusals(&self) -> Result<Vec<(DateTime<Utc>, String, u64)>> {
        self.usage.flush_before_read(self.context).await;
        storage::usage::list_refusals(self.context.db(), self.context.now() - domain::usage::KEPT_FOR).await
    }

    async fn tenant(&self, slug: &str) -> Result<Tenant> {
        let slug = slug.trim();
        if slug.is_empty() {
            return Err(ApiError::field("tenant", "The slug of the tenant is empty.").into());
        }
        let tenant = storage::tenants::find_by_slug(self.context.db(), slug).await?;
        Ok(tenant
            .ok_or_else(|| ApiError::new(ErrorCode::NotFound, format!("There is no tenant with the slug {slug}.")))?)
    }

    /// Returns the id of a user.
    ///
    /// # Errors
    /// A field error at `email`; `NOT_FOUND`.
    pub async fn user(&self, email: &str) -> Result<UserId> {
        let email = input::email(email).map_err(|error| ApiError::field("email", error.to_string()))?;
        let found = storage::users::find_by_email(self.context.db(), &email).await?;
        let missing = || ApiError::new(ErrorCode::NotFound, format!("There is no user {}.", email.as_str()));
        Ok(found.ok_or_else(missing)?.user.id)
    }

    /// Returns a page of the users of all tenants, sorted by email address, with addresses after `after`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_users(&self, after: Option<&Email>) -> Result<Vec<User>> {
        storage::users::list_all(self.context.db(), after, MAX_LIMIT).await
    }

    /// Returns the id of a service account that isn't deleted, by its exact name in the operator's tenant. An id is
    /// returned as it is: whether it exists is checked by the use case that it is for.
    ///
    /// # Errors
    /// `NOT_FOUND` for the name.
    pub async fn service_account(&self, operator: &Actor, name_or_id: &str) -> Result<ServiceAccountId> {
        if name_or_id.trim().is_empty() {
            return Err(ApiError::field("service_account", "The name or id of the service account is empty.").into());
        }
        if let Ok(id) = name_or_id.trim().parse() {
            return Ok(id);
        }
        let missing = || {
            let message = format!("There is no service account “{name_or_id}”. List them with list-service-accounts.");
            ApiError::new(ErrorCode::NotFound, message)
        };
        let name = input::name(name_or_id).map_err(|_| missing())?;
        let found = storage::service_accounts::find_by_name(self.context.db(), operator.tenant_id(), &name).await?;
        Ok(found.ok_or_else(missing)?)
    }

    /// Returns the operator, with an administrator's rights in a tenant.
    ///
    /// # Errors
    /// `NOT_FOUND` for the tenant.
    pub async fn operator(&self, slug: &str) -> Result<Actor> {
        let tenant = self.tenant(slug).await?;
        Ok(Actor::operator(tenant.id))
    }

    /// Returns the operator with the right to rotate a key, and the key's id. For a user's key, the operator acts for
    /// the user, because nobody else may rotate it.
    ///
    /// # Errors
    /// `NOT_FOUND` for the tenant or the key.
    pub async fn key_context(&self, slug: &str, id: KeyId) -> Result<(Actor, KeyId)> {
        let tenant = self.tenant(slug).await?;
        let place =
            storage::keys::find_tenant_and_owner(self.context.db(), id).await?.filter(|(place, _)| *place == tenant.id);
        let (_, owner) = place.ok_or_else(ApiError::not_found)?;
        let actor = match owner {
            Owner::ServiceAccount(_) => Actor::operator(tenant.id),
            Owner::User(user) => self.acting_for(user, tenant.id).await?,
        };
        Ok((actor, id))
    }

    /// Returns the operator acting for a member of a tenant. Audit entries name the operator as actor and the member in
    /// the details.
    ///
    /// # Errors
    /// `NOT_FOUND` for a user who isn't a member of the tenant.
    async fn acting_for(&self, user: UserId, tenant: TenantId) -> Result<Actor> {
        let memberships = storage::users::list_membership_roles(self.context.db(), user).await?;
        let membership = memberships.into_iter().find(|membership| membership.tenant_id == tenant);
        let membership = membership.ok_or_else(ApiError::not_found)?;
        Ok(Actor::operator_for((user, membership.user_name), tenant, membership.role))
    }

    async fn member_context(
        &self,
        slug: &str,
        email: &str,
        operation: Operation,
    ) -> Result<(WritePermit, UserId, Entry)> {
        let operator = self.operator(slug).await?;
        let permit = self.context.permit_write(&operator, operation, Target::Tenant(operator.tenant_id())).await?;
        let user = self.user(email).await?;
        Ok((permit, user, self.entry(operator.tenant_id(), operation.as_str(), ("user", user.0, email))))
    }

    fn entry(&self, tenant: TenantId, operation: &'static str, subject: (&'static str, Uuid, &str)) -> Entry {
        let (kind, id, name) = subject;
        Entry::by_operator(Some(tenant), operation, self.context.now(), (kind, Some(id), name))
    }

    /// An entry about a user, in no tenant.
    pub(crate) fn entry_about_user(&self, operation: &'static str, user: UserId, name: &str) -> Entry {
        Entry::by_operator(None, operation, self.context.now(), ("user", Some(user.0), name))
    }
}

/// Returns the name of a new user for whom none was given: the address up to the `@` or, if the product uses that itself,
/// the whole address.
fn name_for(email: &Email) -> std::result::Result<Name, NameError> {
    let local = email.as_str().split('@').next().unwrap_or_default();
    input::name(local).or_else(|_| input::name(email.as_str()))
}

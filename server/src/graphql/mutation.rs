//! What can be changed.

use async_graphql::{Context, Object, Result};
use domain::{ApiError, ErrorCode, Secret};
use service::{CreateApiKey, CreateServiceAccount};

use super::{
    error::refuse,
    query::{actor, id, owner, services},
    types::{
        ApiKey, CreateApiKeyInput, CreateApiKeyPayload, CreateServiceAccountInput, DeleteApiKeyInput, Member, Role,
        ServiceAccount, SuccessPayload, Viewer,
    },
};
use crate::middleware::sessions;

/// The mutations of the product.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProductMutation;

#[Object(rename_fields = "snake_case", rename_args = "snake_case")]
impl ProductMutation {
    /// Makes a key for oneself or a service account. The answer holds the token, this once.
    async fn create_api_key(&self, context: &Context<'_>, input: CreateApiKeyInput) -> Result<CreateApiKeyPayload> {
        let actor = actor(context)?;
        let input = CreateApiKey {
            owner: owner(actor, &input.user_id)?,
            tenant_id: input.default_tenant_id.as_deref().map(id).transpose()?,
            name: input.name,
            expires_at: input.expires_at,
            idempotency_key: None,
        };
        let issued = services(context)?.api_keys().create(actor, &input).await.map_err(refuse)?;
        Ok(issued.into())
    }

    /// Revokes a key. `success` is false for a key that isn't there, isn't this tenant's, or was revoked already.
    async fn delete_api_key(&self, context: &Context<'_>, input: DeleteApiKeyInput) -> Result<SuccessPayload> {
        revoke(context, &input.key_id).await
    }

    /// Calls a key by another name.
    async fn rename_api_key(&self, context: &Context<'_>, id: String, name: String) -> Result<ApiKey> {
        let services = services(context)?;
        let key = services.api_keys().rename(actor(context)?, self::id(&id)?, &name).await.map_err(refuse)?;
        Ok(ApiKey::at(key, services.now()))
    }

    /// Stops a key for now: it is refused from the next request on.
    async fn suspend_api_key(&self, context: &Context<'_>, id: String) -> Result<ApiKey> {
        let services = services(context)?;
        let key = services.api_keys().suspend(actor(context)?, self::id(&id)?).await.map_err(refuse)?;
        Ok(ApiKey::at(key, services.now()))
    }

    /// Lets a suspended key work again.
    async fn resume_api_key(&self, context: &Context<'_>, id: String) -> Result<ApiKey> {
        let services = services(context)?;
        let key = services.api_keys().resume(actor(context)?, self::id(&id)?).await.map_err(refuse)?;
        Ok(ApiKey::at(key, services.now()))
    }

    /// Calls a service account by another name.
    async fn rename_service_account(&self, context: &Context<'_>, id: String, name: String) -> Result<ServiceAccount> {
        let accounts = services(context)?.service_accounts();
        Ok(accounts.rename(actor(context)?, self::id(&id)?, &name).await.map_err(refuse)?.into())
    }

    /// Gives a service account, and all its keys, another role.
    async fn change_service_account_role(
        &self,
        context: &Context<'_>,
        id: String,
        role: Role,
    ) -> Result<ServiceAccount> {
        let (accounts, role) = (services(context)?.service_accounts(), domain::Role::from(role));
        Ok(accounts.change_role(actor(context)?, self::id(&id)?, role.as_str()).await.map_err(refuse)?.into())
    }

    /// Stops a service account and all its keys for now.
    async fn suspend_service_account(&self, context: &Context<'_>, id: String) -> Result<ServiceAccount> {
        let accounts = services(context)?.service_accounts();
        Ok(accounts.suspend(actor(context)?, self::id(&id)?).await.map_err(refuse)?.into())
    }

    /// Lets a suspended service account's keys work again.
    async fn resume_service_account(&self, context: &Context<'_>, id: String) -> Result<ServiceAccount> {
        let accounts = services(context)?.service_accounts();
        Ok(accounts.resume(actor(context)?, self::id(&id)?).await.map_err(refuse)?.into())
    }

    /// Makes a service account.
    async fn create_service_account(
        &self,
        context: &Context<'_>,
        input: CreateServiceAccountInput,
    ) -> Result<ServiceAccount> {
        let role = input.role.map(|role| domain::Role::from(role).as_str().to_owned());
        let input = CreateServiceAccount { name: input.name, role, idempotency_key: None };
        let account = services(context)?.service_accounts().create(actor(context)?, &input).await.map_err(refuse)?;
        Ok(account.into())
    }

    /// Deletes a service account and revokes all its keys.
    async fn delete_service_account(&self, context: &Context<'_>, id: String) -> Result<ServiceAccount> {
        let account =
            services(context)?.service_accounts().delete(actor(context)?, self::id(&id)?).await.map_err(refuse)?;
        Ok(account.into())
    }

    /// Gives a member another role.
    async fn change_member_role(&self, context: &Context<'_>, user_id: String, role: Role) -> Result<Member> {
        let member = services(context)?
            .members()
            .change_role(actor(context)?, id(&user_id)?, role.into())
            .await
            .map_err(refuse)?;
        Ok(member.into())
    }

    /// Ends a membership and revokes the member's keys in the tenant.
    async fn remove_member(&self, context: &Context<'_>, user_id: String) -> Result<SuccessPayload> {
        services(context)?.members().remove(actor(context)?, id(&user_id)?).await.map_err(refuse)?;
        Ok(SuccessPayload { success: true })
    }

    /// Changes one's own name. By the dashboard's session only.
    async fn update_profile(&self, context: &Context<'_>, name: String) -> Result<Viewer> {
        let (services, actor) = (services(context)?, actor(context)?);
        services.users().rename(actor, &name).await.map_err(refuse)?;
        Ok(services.users().viewer(actor).await.map_err(refuse)?.into())
    }

    /// Changes one's own password and ends one's other sessions. By the dashboard's session only.
    async fn change_password(
        &self,
        context: &Context<'_>,
        current_password: String,
        new_password: String,
    ) -> Result<SuccessPayload> {
        let actor = actor(context)?;
        let session = sessions::digest_of(context.data::<tower_sessions::Session>()?);
        // A key is told that it may not, before it is told that it has no session.
        let session = if actor.is_session() { session.map_err(refuse)? } else { [0; 32] };
        let (current, new) = (Secret::new(current_password), Secret::new(new_password));
        services(context)?.users().change_password(actor, &current, &new, session).await.map_err(refuse)?;
        Ok(SuccessPayload { success: true })
    }

    /// Moves the dashboard's session to another of one's tenants.
    async fn switch_current_tenant(&self, context: &Context<'_>, tenant_id: String) -> Result<Viewer> {
        let (services, actor) = (services(context)?, actor(context)?);
        let tenant = services.users().switch_tenant(actor, id(&tenant_id)?).await.map_err(refuse)?;
        let session = context.data::<tower_sessions::Session>()?;
        sessions::stand_in(session, tenant).await.map_err(refuse)?;
        let viewer = services.users().viewer(actor).await.map_err(refuse)?;
        Ok(domain::Viewer { tenant_id: tenant, ..viewer }.into())
    }
}

/// Revokes a key. A text that is no id is a key that isn't there.
pub(super) async fn revoke(context: &Context<'_>, id: &str) -> Result<SuccessPayload> {
    let Ok(key) = id.parse() else { return Ok(SuccessPayload { success: false }) };
    match services(context)?.api_keys().revoke(actor(context)?, key).await.map_err(ApiError::from) {
        Ok(_) => Ok(SuccessPayload { success: true }),
        Err(error) if matches!(error.code, ErrorCode::NotFound | ErrorCode::Conflict) => {
            Ok(SuccessPayload { success: false })
        }
        Err(error) => Err(refuse(error)),
    }
}

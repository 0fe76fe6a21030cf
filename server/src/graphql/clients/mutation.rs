//! The mutations of existing Prefect clients.

use async_graphql::{Context, ID, Object, Result};
use chrono::TimeDelta;
use domain::{
    ApiError, Role, TenantId, api_key::input::CreateKey, service_account::input::CreateAccount, time::parse_instant,
};
use service::RegisterAgent;

use super::types::{
    CreateApiTokenInput, CreateApiTokenPayload, DeleteApiTokenInput, IdPayload, QueueInput, QueuePayload,
    RefreshTokenInput, RegisterAgentInput, SwitchTenantInput, TokenPayload,
};
use crate::graphql::{
    context::{actor, client_version, services},
    error::refuse,
    mutation::revoke,
    types::SuccessPayload,
};

/// How long a client waits before it requests a token again.
const ASK_AGAIN_AFTER: TimeDelta = TimeDelta::hours(1);

/// The mutations of existing Prefect clients.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientMutation;

#[expect(clippy::unused_async, reason = "a field is an async function, whether it waits or not")]
#[Object(rename_fields = "snake_case", rename_args = "snake_case")]
impl ClientMutation {
    /// Registers an agent that starts. An agent with the same type, name, labels, address and key keeps its id.
    async fn register_agent(&self, context: &Context<'_>, input: RegisterAgentInput) -> Result<Option<IdPayload>> {
        let input = RegisterAgent {
            kind: input.r#type,
            name: input.name,
            labels: input.labels.unwrap_or_default(),
            tenant_id: input.tenant_id.as_deref().map(named_tenant).transpose()?,
            version: client_version(context)?.map(str::to_owned),
        };
        let id = services(context)?.agents().register(actor(context)?, &input).await.map_err(refuse)?;
        Ok(Some(IdPayload { id: id.into() }))
    }

    /// Polls for flow runs. Returns those that wait for an agent with these labels, at most 100; none unless the built-in
    /// backend is on.
    async fn get_runs_in_queue(&self, context: &Context<'_>, input: QueueInput) -> Result<Option<QueuePayload>> {
        let tenant = input.tenant_id.as_deref().map(named_tenant).transpose()?;
        let (services, actor) = (services(context)?, actor(context)?);
        services.agents().poll(actor, tenant).map_err(refuse)?;
        let flows = services.flows();
        if !flows.is_on() {
            return Ok(Some(QueuePayload { flow_run_ids: Vec::new() }));
        }
        let before = input.before.as_deref().and_then(parse_instant).unwrap_or_else(|| services.now());
        let waiting = flows.queue(actor, &input.labels.unwrap_or_default(), before).await.map_err(refuse)?;
        Ok(Some(QueuePayload { flow_run_ids: waiting.into_iter().map(ID::from).collect() }))
    }

    /// Creates a key for the caller, or a service account with a key.
    #[graphql(deprecation = "Use create_api_key. For a runner, use create_service_account first.")]
    async fn create_api_token(
        &self,
        context: &Context<'_>,
        input: CreateApiTokenInput,
    ) -> Result<Option<CreateApiTokenPayload>> {
        let (services, actor) = (services(context)?, actor(context)?);
        let account =
            |role: Role| CreateAccount { name: input.name.clone(), role: Some(role), ..CreateAccount::default() };
        let issued = match input.scope.trim().to_uppercase().as_str() {
            "USER" => {
                let key = CreateKey { name: input.name.clone(), ..CreateKey::default() };
                services.api_keys().create(actor, &key).await
            }
            "RUNNER" => services.service_accounts().create_with_key(actor, &account(Role::User)).await,
            "TENANT" => services.service_accounts().create_with_key(actor, &account(Role::TenantAdmin)).await,
            _ => return Err(refuse(ApiError::field("scope", "Choose one of USER, RUNNER, TENANT."))),
        };
        let issued = issued.map_err(refuse)?;
        Ok(Some(CreateApiTokenPayload { id: issued.key.id.into(), token: issued.token.expose().to_owned() }))
    }

    /// Revokes a key.
    #[graphql(deprecation = "Use delete_api_key.")]
    async fn delete_api_token(
        &self,
        context: &Context<'_>,
        input: DeleteApiTokenInput,
    ) -> Result<Option<SuccessPayload>> {
        revoke(context, &input.token_id, false).await.map(Some)
    }

    /// Confirms the key's tenant. Returns no token; the client continues to use its key.
    #[graphql(deprecation = "A key works only in its own tenant, so there is nothing to switch.")]
    async fn switch_tenant(&self, context: &Context<'_>, input: SwitchTenantInput) -> Result<Option<TokenPayload>> {
        let actor = actor(context)?;
        if named_tenant(&input.tenant_id)? != actor.tenant_id() {
            return Err(refuse(ApiError::unauthenticated()));
        }
        Ok(Some(no_token(services(context)?)))
    }

    /// Returns no token; the client continues to use its key.
    #[graphql(deprecation = "A key needs no renewal until it expires.")]
    async fn refresh_token(&self, context: &Context<'_>, input: RefreshTokenInput) -> Result<Option<TokenPayload>> {
        drop(input.access_token);
        actor(context)?;
        Ok(Some(no_token(services(context)?)))
    }
}

fn no_token(services: &service::Services) -> TokenPayload {
    TokenPayload { access_token: None, expires_at: (services.now() + ASK_AGAIN_AFTER).into(), refresh_token: None }
}

/// Parses the id of the tenant that a client expects. A malformed id gets the same error as another tenant's.
pub(super) fn named_tenant(text: &str) -> Result<TenantId> {
    text.parse().map_err(|_| refuse(ApiError::unauthenticated()))
}

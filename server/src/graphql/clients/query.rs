//! The queries of existing Prefect clients.

use async_graphql::{Context, ID, Object, Result};
use domain::{AgentScope, ApiError, OwnerKind};
use service::Services;

use super::{
    filters::{TenantFilter, TenantOrder, UuidComparison},
    types::{Agent, AgentConfig, ApiToken, AuthInfo, Membership, Tenant, User},
};
use crate::graphql::{
    context::{actor, id, owner, services},
    error::refuse,
    key_list::{KeyList, Source},
};

/// The queries of existing Prefect clients.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientQuery;

/// A filter for agent configurations.
#[derive(Clone, Debug, Default, async_graphql::InputObject)]
#[graphql(name = "agent_config_bool_exp")]
pub(crate) struct AgentConfigFilter {
    /// A condition on the id.
    id: Option<UuidComparison>,
}

#[expect(clippy::unused_async, reason = "a field is an async function, whether it waits or not")]
#[Object(rename_fields = "snake_case", rename_args = "snake_case")]
impl ClientQuery {
    /// Returns a greeting, if the key or session is valid.
    async fn hello(&self, context: &Context<'_>) -> Result<Option<String>> {
        Ok(Some(format!("Hello, {}.", actor(context)?.name())))
    }

    /// The identity of the key or session.
    async fn auth_info(&self, context: &Context<'_>) -> Result<Option<AuthInfo>> {
        let actor = actor(context)?;
        let owner = actor.require_owner().map_err(refuse)?;
        let scope = match owner.kind() {
            OwnerKind::ServiceAccount => "RUNNER",
            OwnerKind::User => "USER",
        };
        Ok(Some(AuthInfo {
            tenant_id: actor.tenant_id().into(),
            user_id: owner.into(),
            api_token_scope: scope.to_owned(),
        }))
    }

    /// The tenants that the caller can act in: with a key, the key's tenant; with a browser session, all of the user's.
    async fn tenant(
        &self,
        context: &Context<'_>,
        r#where: Option<TenantFilter>,
        order_by: Option<Vec<TenantOrder>>,
        limit: Option<i32>,
    ) -> Result<Option<Vec<Tenant>>> {
        let mut tenants = services(context)?.users().tenants(actor(context)?).await.map_err(refuse)?;
        tenants.retain(|tenant| r#where.as_ref().is_none_or(|filter| filter.holds(tenant)));
        TenantOrder::sort(&order_by.unwrap_or_default(), &mut tenants);
        if let Some(limit) = limit {
            let malformed = |_| refuse(ApiError::field("limit", "Choose 0 or more."));
            tenants.truncate(usize::try_from(limit).map_err(malformed)?);
        }
        Ok(Some(tenants.into_iter().map(Tenant::from).collect()))
    }

    /// The agents of a key, of an owner or, with neither, of the whole tenant; most recently seen first, at most 100.
    async fn agents(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A service account's id, or the caller's own")] owner_id: Option<ID>,
        api_key_id: Option<ID>,
    ) -> Result<Option<Vec<Agent>>> {
        let scope = match (api_key_id, owner_id) {
            (Some(key), _) => AgentScope::Key(id(&key)?),
            (None, Some(text)) => AgentScope::Owner(owner(actor(context)?, &text)?),
            (None, None) => AgentScope::Tenant,
        };
        list_agents(services(context)?, actor(context)?, scope).await.map(Some)
    }

    /// The agents of the whole tenant if the caller can see them, else those of the caller's own keys.
    async fn agent(&self, context: &Context<'_>) -> Result<Option<Vec<Agent>>> {
        let (services, actor) = (services(context)?, actor(context)?);
        list_agents(services, actor, services.agents().widest_scope(actor)).await.map(Some)
    }

    /// Always empty: agents are configured where they run.
    async fn agent_config(
        &self,
        context: &Context<'_>,
        r#where: Option<AgentConfigFilter>,
    ) -> Result<Option<Vec<AgentConfig>>> {
        actor(context)?;
        drop(r#where.and_then(|filter| filter.id));
        Ok(Some(Vec::new()))
    }

    /// The caller, as a list of one.
    #[graphql(deprecation = "Use auth_info.")]
    async fn user(&self, context: &Context<'_>) -> Result<Option<Vec<User>>> {
        let actor = actor(context)?;
        let owner = actor.require_owner().map_err(refuse)?;
        let tenants = services(context)?.users().tenants(actor).await.map_err(refuse)?;
        let here = tenants.into_iter().filter(|tenant| tenant.id == actor.tenant_id());
        Ok(Some(
            here.map(|tenant| User {
                id: owner.into(),
                default_membership: Membership { tenant_id: tenant.id.into(), tenant: tenant.into() },
            })
            .collect(),
        ))
    }

    /// The same keys as in `auth_api_key`.
    #[graphql(deprecation = "Use auth_api_key.")]
    async fn api_token(&self, context: &Context<'_>) -> Result<Option<KeyList<ApiToken>>> {
        KeyList::read(context, Source::Visible).await.map(Some)
    }
}

async fn list_agents(services: &Services, actor: &service::Actor, scope: AgentScope) -> Result<Vec<Agent>> {
    let agents = services.agents().list(actor, scope).await.map_err(refuse)?;
    let now = services.now();
    Ok(agents.into_iter().map(|agent| Agent::at(agent, now)).collect())
}

//! Use cases of agents: long-running clients that register when they start, and poll for runs.

use std::sync::Arc;

use chrono::TimeDelta;
use domain::{Agent, AgentId, AgentScope, ApiError, Label, Operation, TenantId, secret::without_tokens};
use sha2::{Digest, Sha256};

use super::{api_keys::ApiKeys, usage::UsageBuffer};
use crate::{
    access::{Actor, ReadPermit, Target, authorize, authorize_write},
    context::Context,
    error::Result,
    input, random,
    storage::{self, agents::NewAgent, audit::Entry, db::retry},
};

/// The most agents that a list returns.
pub const MAX_LISTED: u32 = 100;
/// How many agents of one key are kept: those seen last.
const MAX_OF_A_KEY: u32 = 1_000;
/// How long an agent is kept after it was last seen.
pub(crate) const KEPT_FOR: TimeDelta = TimeDelta::days(90);

/// The registration of an agent.
#[derive(Clone, Debug)]
pub struct RegisterAgent {
    /// The kind of agent, a [`domain::Name`].
    pub kind: String,
    /// The agent's name; `agent` if `None` or empty.
    pub name: Option<String>,
    /// The labels of the runs that it accepts, see [`Label`].
    pub labels: Vec<String>,
    /// The tenant to register in; `None` means the key's tenant.
    pub tenant_id: Option<TenantId>,
    /// The client's version, truncated to 50 characters.
    pub version: Option<String>,
}

/// Use cases of agents.
pub struct Agents<'a> {
    pub(crate) context: &'a Context,
    pub(crate) usage: &'a Arc<UsageBuffer>,
}

impl Agents<'_> {
    /// Records that an agent started with the actor's key. An agent that starts again with the same kind, name and
    /// labels, at the same address, is the same agent.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` with the fields `type`, `name`, `labels`; `UNAUTHENTICATED` for another tenant than the key's,
    /// as the clients expect; `FORBIDDEN` without a key.
    #[tracing::instrument(skip_all)]
    pub async fn register(&self, actor: &Actor, input: &RegisterAgent) -> Result<AgentId> {
        let permit = authorize_write(actor, Operation::RegisterAgent, Self::own(actor, input.tenant_id)?)?;
        let agent = self.check(actor, input)?;
        let entry = Entry::by(actor, Operation::RegisterAgent, agent.at, ("agent", agent.id.0, agent.name.as_str()));
        let id = retry!(self.context.db(), tx => {
            let id = storage::agents::upsert(tx, &permit, &agent).await?;
            if id == agent.id {
                storage::agents::delete_beyond(tx, agent.key, MAX_OF_A_KEY).await?;
                storage::audit::insert(tx, &entry).await?;
            }
            Ok(id)
        })?;
        Ok(id)
    }

    /// Answers an agent that polls for runs. There are none: Latchkey schedules nothing. The poll was recorded with the
    /// key.
    ///
    /// # Errors
    /// As [`Agents::register`].
    pub fn poll(&self, actor: &Actor, tenant_id: Option<TenantId>) -> Result<()> {
        let permit = authorize(actor, Operation::PollQueue, Self::own(actor, tenant_id)?);
        self.context.audit().count_demand(actor, Operation::PollQueue);
        Ok(permit.map(drop)?)
    }

    /// Lists agents, last seen first; at most [`MAX_LISTED`].
    ///
    /// # Errors
    /// `FORBIDDEN` for agents of others without the right; `NOT_FOUND` for a key that doesn't exist.
    pub async fn list(&self, actor: &Actor, scope: AgentScope) -> Result<Vec<Agent>> {
        let permit = permit_scope(self.context, self.usage, actor, Operation::ListAgents, scope).await?;
        let mut agents = storage::agents::list(self.context.db(), &permit, scope, MAX_LISTED).await?;
        self.usage.overlay_agents(&mut agents);
        agents.sort_by_key(|agent| std::cmp::Reverse(agent.last_seen_at));
        Ok(agents)
    }

    /// Returns the scope of all agents that an actor may see: the tenant's, or those of its own keys.
    pub fn widest_scope(&self, actor: &Actor) -> AgentScope {
        let all = authorize(actor, Operation::ListAgents, Target::Tenant(actor.tenant_id()));
        match actor.owner() {
            Some(owner) if all.is_err() => AgentScope::Owner(owner),
            _ => AgentScope::Tenant,
        }
    }

    /// Returns the actor as a target. `tenant_id`: the tenant that the agent expects.
    fn own(actor: &Actor, tenant_id: Option<TenantId>) -> Result<Target> {
        if tenant_id.is_some_and(|id| id != actor.tenant_id()) {
            return Err(ApiError::unauthenticated().into());
        }
        Ok(Target::Owner(actor.tenant_id(), actor.require_owner()?))
    }

    fn check(&self, actor: &Actor, input: &RegisterAgent) -> Result<NewAgent> {
        let mut wrong = input::Fields::default();
        let kind = wrong.take("type", input::name(&input.kind));
        let name = input.name.as_deref().map(str::trim).filter(|name| !name.is_empty()).unwrap_or("agent");
        let name = wrong.take("name", input::name(name));
        let labels = wrong.take("labels", Label::parse_all(&input.labels));
        let (Some(kind), Some(name), Some(labels)) = (kind, name, labels) else {
            return Err(wrong.into_error().into());
        };
        let key = actor.key_id().ok_or_else(ApiError::unauthenticated)?;
        let (at, address) = (self.context.now(), actor.client().address.clone());
        let version = input
            .version
            .as_deref()
            .map(|version| without_tokens(version).chars().filter(|c| !c.is_control()).take(50).collect());
        let id = AgentId(random::new_id(at));
        let mut identity = Sha256::new();
        let parts = [kind.as_str(), name.as_str(), address.as_deref().unwrap_or_default()];
        for part in parts.into_iter().chain(labels.iter().map(Label::as_str)) {
            // No part contains a control character, so a NUL separates them.
            identity.update(part);
            identity.update([0]);
        }
        Ok(NewAgent { id, key, identity: identity.finalize().into(), name, kind, labels, version, address, at })
    }
}

/// Permits a list of everything in a scope: of the tenant, of an owner or of a key.
///
/// # Errors
/// `FORBIDDEN` for keys of others without the right; `NOT_FOUND` for a key that doesn't exist.
pub(crate) async fn permit_scope(
    context: &Context,
    usage: &Arc<UsageBuffer>,
    actor: &Actor,
    operation: Operation,
    scope: AgentScope,
) -> Result<ReadPermit> {
    let target = match scope {
        AgentScope::Tenant => Target::Tenant(actor.tenant_id()),
        AgentScope::Owner(owner) => Target::Owner(actor.tenant_id(), owner),
        AgentScope::Key(id) => {
            let key = ApiKeys { context, usage }.get(actor, id).await?;
            Target::Owner(key.tenant_id, key.owner)
        }
    };
    // A user's own key may be in another of their tenants than the selected one.
    let actor = match target {
        Target::Owner(tenant, owner) if Some(owner) == actor.owner() => context.in_tenant(actor, tenant).await?,
        _ => actor.clone(),
    };
    context.permit(&actor, operation, target).await
}

//! Agents: their identity, when they were last seen, and that they are cut off with their key.

use chrono::TimeDelta;
use domain::{AgentId, AgentScope, AgentState, ErrorCode, IssuedKey, Owner, Role};

use crate::{Actor, Client, RegisterAgent, storage, tests::stage::*};

fn agent(name: &str, labels: &[&str]) -> RegisterAgent {
    RegisterAgent {
        kind: "LocalAgent".to_owned(),
        name: Some(name.to_owned()),
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        tenant_id: None,
        version: Some("1.4.1".to_owned()),
    }
}

async fn bearer(stage: &Stage, key: &IssuedKey, agent_id: Option<AgentId>) -> Actor {
    let client = Client { agent_id, ..browser() };
    stage.services.actors().from_bearer(key.token.expose(), client).await.unwrap()
}

#[test]
fn a_restarted_agent_keeps_its_id_and_another_agent_gets_its_own() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let bot = Owner::ServiceAccount(stage.add_account(&ada, "bot").await);
        let key = stage.add_key(&ada, bot, "main").await;
        let actor = bearer(&stage, &key, None).await;
        let agents = stage.services.agents();
        let first = agents.register(&actor, &agent("one", &["b", "a"])).await.unwrap();
        assert_eq!(agents.register(&actor, &agent("one", &["a", "b", "a"])).await.unwrap(), first);
        let second = agents.register(&actor, &agent("one", &["c"])).await.unwrap();
        assert_ne!(second, first);

        for scope in [AgentScope::Tenant, AgentScope::Owner(bot), AgentScope::Key(key.key.id)] {
            let seen = agents.list(&ada, scope).await.unwrap();
            assert_eq!(seen.len(), 2, "{scope:?}");
            let found = seen.iter().find(|agent| agent.id == first).unwrap();
            assert_eq!((found.name.as_str(), found.kind.as_str(), found.key.id), ("one", "LocalAgent", key.key.id));
            assert_eq!(found.labels.iter().map(domain::Label::as_str).collect::<Vec<_>>(), ["a", "b"]);
            assert_eq!((found.version.as_deref(), found.address.as_deref()), (Some("1.4.1"), Some("192.0.2.7")));
        }
        let lines = storage::audit::count(stage.services.db(), "register_agent", first.0).await.unwrap();
        assert_eq!(lines, 1, "the agent is registered once");
    });
}

#[test]
fn a_poll_counts_only_for_the_agent_of_that_key() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let bot = Owner::ServiceAccount(stage.add_account(&ada, "bot").await);
        let (key, other) = (stage.add_key(&ada, bot, "main").await, stage.add_key(&ada, bot, "other").await);
        let agents = stage.services.agents();
        let id = agents.register(&bearer(&stage, &key, None).await, &agent("one", &[])).await.unwrap();
        let seen = async || agents.list(&ada, AgentScope::Owner(bot)).await.unwrap().remove(0);

        let polled_at = stage.advance(TimeDelta::minutes(5));
        assert!(matches!(seen().await.state(polled_at), AgentState::Silent { .. }));
        agents.poll(&bearer(&stage, &other, Some(id)).await, None).unwrap();
        assert!(matches!(seen().await.state(polled_at), AgentState::Silent { .. }), "another key, another agent");
        agents.poll(&bearer(&stage, &key, Some(id)).await, None).unwrap();
        assert_eq!(seen().await.last_seen_at, polled_at, "shown before it is written");
        stage.services.0.usage.flush(stage.services.db(), stage.services.now()).await.unwrap();
        assert_eq!((seen().await.last_seen_at, seen().await.state(polled_at)), (polled_at, AgentState::Polling));
    });
}

#[test]
fn an_agent_is_cut_off_with_its_key_and_with_its_account() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let account = stage.add_account(&ada, "bot").await;
        let bot = Owner::ServiceAccount(account);
        let (key, other) = (stage.add_key(&ada, bot, "main").await, stage.add_key(&ada, bot, "other").await);
        let agents = stage.services.agents();
        for key in [&key, &other] {
            agents.register(&bearer(&stage, key, None).await, &agent(key.key.name.as_str(), &[])).await.unwrap();
        }
        let states = async || {
            let list = agents.list(&ada, AgentScope::Owner(bot)).await.unwrap();
            let mut states: Vec<_> =
                list.iter().map(|agent| (agent.name.to_string(), agent.state(stage.services.now()).as_str())).collect();
            states.sort();
            states
        };
        stage.services.api_keys().revoke(&ada, key.key.id).await.unwrap();
        assert_eq!(states().await, [("main".to_owned(), "cut_off"), ("other".to_owned(), "polling")]);
        // Repeated refusals change nothing.
        for _ in 0..3 {
            assert!(!stage.is_valid(&key).await);
        }
        stage.services.service_accounts().delete(&ada, account).await.unwrap();
        assert_eq!(states().await, [("main".to_owned(), "cut_off"), ("other".to_owned(), "cut_off")]);
        assert!(!stage.is_valid(&other).await);
    });
}

#[test]
fn agents_are_shown_to_administrators_and_to_the_keys_owner() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let ben = stage.session(stage.add_user("ben@example.org", "acme", Role::User).await).await;
        let bot = Owner::ServiceAccount(stage.add_account(&ada, "bot").await);
        let bots = stage.add_key(&ada, bot, "main").await;
        let bens = stage.add_key(&ben, own(&ben), "laptop").await;
        let agents = stage.services.agents();
        for key in [&bots, &bens] {
            agents.register(&bearer(&stage, key, None).await, &agent("a", &[])).await.unwrap();
        }
        assert_eq!(agents.list(&ada, AgentScope::Tenant).await.unwrap().len(), 2);
        assert_eq!(agents.list(&ben, AgentScope::Owner(own(&ben))).await.unwrap().len(), 1);
        assert_eq!(agents.list(&ben, AgentScope::Key(bens.key.id)).await.unwrap().len(), 1);
        for scope in [AgentScope::Tenant, AgentScope::Owner(bot), AgentScope::Key(bots.key.id)] {
            assert_eq!(code(agents.list(&ben, scope).await), ErrorCode::Forbidden, "{scope:?}");
        }
    });
}

#[test]
fn registration_reports_invalid_fields_and_refuses_other_tenants_and_sessions() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let key = stage.add_key(&ada, own(&ada), "laptop").await;
        let actor = bearer(&stage, &key, None).await;
        let agents = stage.services.agents();
        let bad = RegisterAgent { kind: " ".to_owned(), ..agent("a\nb", &[""]) };
        let Err(crate::Error::Api(refusal)) = agents.register(&actor, &bad).await else { panic!("not refused") };
        let fields: Vec<_> = refusal.fields.iter().map(|field| field.field.as_str()).collect();
        assert_eq!(fields, ["type", "name", "labels"]);
        let elsewhere = domain::TenantId(uuid::Uuid::from_u128(7));
        let foreign = RegisterAgent { tenant_id: Some(elsewhere), ..agent("a", &[]) };
        assert_eq!(code(agents.register(&actor, &foreign).await), ErrorCode::Unauthenticated);
        assert_eq!(code(agents.poll(&actor, Some(elsewhere))), ErrorCode::Unauthenticated);
        assert_eq!(code(agents.register(&ada, &agent("a", &[])).await), ErrorCode::Forbidden);
        assert!(agents.list(&ada, AgentScope::Tenant).await.unwrap().is_empty());
    });
}

#[test]
fn agents_not_seen_for_a_long_time_are_deleted() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let key = stage.add_key(&ada, own(&ada), "laptop").await;
        let agents = stage.services.agents();
        agents.register(&bearer(&stage, &key, None).await, &agent("old", &[])).await.unwrap();
        let later = stage.advance(TimeDelta::days(91));
        agents.register(&bearer(&stage, &key, None).await, &agent("new", &[])).await.unwrap();
        storage::agents::delete_before(stage.services.db(), later - crate::keys::agents::KEPT_FOR).await.unwrap();
        let left = agents.list(&ada, AgentScope::Tenant).await.unwrap();
        assert_eq!(left.iter().map(|agent| agent.name.as_str()).collect::<Vec<_>>(), ["new"]);
    });
}

//! A believable tenant for a first look: people, service accounts, and keys in every state that can be reached.
//!
//! Nothing is put into the database by hand: the use cases run with a clock that begins in the past, so that what
//! expired has really expired.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{ApiError, IssuedKey, Owner, Secret, ServiceAccountId, TenantId, UserId, audit::Channel};
use service::{
    Actor, Client, Clock, CreateApiKey, CreateServiceAccount, RegisterAgent, RollApiKey, Services, Settings,
};

/// The address that the demo signs in with.
pub const EMAIL: &str = "ada@example.org";
/// Its password: no secret, because the demo's database is thrown away.
pub const PASSWORD: &str = "seven lamps under the pier";
/// How long ago the demo's story begins.
const DAYS: i64 = 120;

/// Fills an empty database.
///
/// # Errors
/// When the database can't be opened, or isn't empty.
pub async fn fill(settings: &Settings, now: DateTime<Utc>) -> Result<(), Box<dyn std::error::Error>> {
    let clock = Clock::fixed(now - TimeDelta::days(DAYS));
    let services = Services::open(settings, clock.clone()).await?;
    services.migrate().await?;
    let story = Story { services, clock, now };
    let told = story.tell().await.map_err(ApiError::from);
    story.services.close().await;
    Ok(told?)
}

struct Story {
    services: Services,
    clock: Clock,
    now: DateTime<Utc>,
}

impl Story {
    async fn tell(&self) -> service::Result<()> {
        let acme = self.services.admin().create_tenant("Acme Robotics", "acme").await?;
        self.services.admin().create_tenant("Northwind Labs", "northwind").await?;
        let ada = self.person(EMAIL, "Ada Lovelace", "acme", "TENANT_ADMIN").await?;
        self.person(EMAIL, "Ada Lovelace", "northwind", "USER").await?;
        self.person("grace@example.org", "Grace Hopper", "acme", "TENANT_ADMIN").await?;
        self.person("alan@example.org", "Alan Turing", "acme", "USER").await?;
        self.person("mary@example.org", "Mary Jackson", "acme", "READ_ONLY_USER").await?;
        self.own_keys(ada, acme).await?;
        self.accounts(ada, acme).await
    }

    async fn person(&self, email: &str, name: &str, slug: &str, role: &str) -> service::Result<UserId> {
        self.services.admin().create_user(email, Some(name), slug, role, &Secret::new(PASSWORD)).await
    }

    async fn ada(&self, ada: UserId, acme: TenantId) -> service::Result<Actor> {
        self.services
            .actors()
            .from_session(ada, acme, self.now, client("203.0.113.7", "Mozilla/5.0 (X11; Linux x86_64)"))
            .await
    }

    fn days_ago(&self, days: i64) {
        self.clock.set(self.now - TimeDelta::days(days));
    }

    async fn own_keys(&self, ada: UserId, acme: TenantId) -> service::Result<()> {
        let actor = self.ada(ada, acme).await?;
        self.days_ago(100);
        let owner = actor.owner();
        self.key(&actor, owner, "Old laptop", Some(-20)).await?;
        let leaked = self.key(&actor, owner, "Pasted in a ticket", None).await?;
        self.days_ago(60);
        let laptop = self.key(&actor, owner, "Laptop", Some(90)).await?;
        self.key(&actor, owner, "Notebook experiments", Some(9)).await?;
        self.key(&actor, owner, "Terraform, read only", Some(300)).await?;
        self.key(&actor, owner, "Домашний сервер", None).await?;
        self.days_ago(41);
        self.used(&leaked, "198.51.100.23", "python-requests/2.31.0").await?;
        self.services.api_keys().revoke(&actor, leaked.key.id).await?;
        self.clock.set(self.now - TimeDelta::minutes(3));
        self.used(&laptop, "203.0.113.7", "curl/8.5.0").await
    }

    async fn accounts(&self, ada: UserId, acme: TenantId) -> service::Result<()> {
        let actor = self.ada(ada, acme).await?;
        self.days_ago(80);
        let deployer = self.account(&actor, "Deployer", "TENANT_ADMIN").await?;
        let nightly = self.account(&actor, "Nightly reports", "USER").await?;
        let retired = self.account(&actor, "Old CI", "TENANT_ADMIN").await?;
        self.account(&actor, "Grafana", "READ_ONLY_USER").await?;
        let agent = self.key(&actor, Owner::ServiceAccount(deployer), "Agent, Frankfurt", None).await?;
        let second = self.key(&actor, Owner::ServiceAccount(deployer), "Agent, Oregon", Some(200)).await?;
        let trial = self.key(&actor, Owner::ServiceAccount(deployer), "Agent, trial", Some(-5)).await?;
        self.agent(&trial, "trial", "LocalAgent", &["laptop"], "203.0.113.7").await?;
        let reports = self.key(&actor, Owner::ServiceAccount(nightly), "cron", Some(12)).await?;
        self.key(&actor, Owner::ServiceAccount(retired), "jenkins", None).await?;
        self.days_ago(30);
        self.services.service_accounts().delete(&actor, retired).await?;
        self.history(&agent, "192.0.2.10", "python-requests/2.31.0", 70, 24).await?;
        self.history(&second, "198.51.100.9", "python-requests/2.31.0", 45, 9).await?;
        self.history(&reports, "192.0.2.44", "reports/3.2", 60, 1).await?;
        self.clock.set(self.now - TimeDelta::hours(30));
        let roll = RollApiKey { key: second.key.id, overlap: "7d".to_owned(), ..RollApiKey::default() };
        let rolled = self.services.rolls().roll(&actor, &roll).await?;
        self.clock.set(self.now - TimeDelta::hours(2));
        self.used(&rolled, "198.51.100.9", "python-requests/2.32.3").await?;
        self.clock.set(self.now - TimeDelta::hours(9));
        self.used(&reports, "192.0.2.44", "reports/3.2").await?;
        self.clock.set(self.now - TimeDelta::seconds(40));
        self.used(&second, "198.51.100.9", "python-requests/2.31.0").await?;
        self.used(&agent, "192.0.2.10", "python-requests/2.31.0").await?;
        self.agent(&second, "oregon", "KubernetesAgent", &["prod", "us-west"], "198.51.100.9").await?;
        self.clock.set(self.now);
        self.agent(&agent, "frankfurt", "DockerAgent", &["prod", "eu-central"], "192.0.2.10").await
    }

    async fn agent(
        &self,
        key: &IssuedKey,
        name: &str,
        kind: &str,
        labels: &[&str],
        address: &str,
    ) -> service::Result<()> {
        let client = client(address, "python-requests/2.31.0");
        let actor = self.services.actors().from_bearer(key.token.expose(), client).await?;
        let input = RegisterAgent {
            kind: kind.to_owned(),
            name: Some(name.to_owned()),
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            tenant_id: None,
            version: Some("1.4.1".to_owned()),
        };
        self.services.agents().register(&actor, &input).await.map(drop)
    }

    async fn account(&self, actor: &Actor, name: &str, role: &str) -> service::Result<ServiceAccountId> {
        let input = CreateServiceAccount { name: name.to_owned(), role: Some(role.to_owned()), idempotency_key: None };
        Ok(self.services.service_accounts().create(actor, &input).await?.id)
    }

    /// `ends`: days from the demo's present; negative for what is over by now.
    async fn key(&self, actor: &Actor, owner: Owner, name: &str, ends: Option<i64>) -> service::Result<IssuedKey> {
        let expires_at = ends.map(|days| (self.now + TimeDelta::days(days)).to_rfc3339());
        let input = CreateApiKey { owner, tenant_id: None, name: name.to_owned(), expires_at, idempotency_key: None };
        self.services.api_keys().create(actor, &input).await
    }

    /// Uses over the last days: more of them on some days than on others, and the latest half a day ago.
    async fn history(&self, key: &IssuedKey, address: &str, agent: &str, days: i64, most: i64) -> service::Result<()> {
        for day in (1..days).rev() {
            for turn in 0..=(day * 7 % 11 + 3) * most / 14 {
                self.clock.set(self.now - TimeDelta::days(day) + TimeDelta::minutes(720 + turn * 17));
                self.used(key, address, agent).await?;
            }
        }
        Ok(())
    }

    async fn used(&self, key: &IssuedKey, address: &str, agent: &str) -> service::Result<()> {
        self.services.verification().verify(key.token.expose(), &client(address, agent)).await.map(drop)
    }
}

fn client(address: &str, agent: &str) -> Client {
    Client {
        channel: Channel::Rest,
        address: Some(address.to_owned()),
        user_agent: Some(agent.to_owned()),
        agent_id: None,
    }
}

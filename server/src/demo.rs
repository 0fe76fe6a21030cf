//! Demo data for a first look: people, service accounts, and keys in every state that can be reached.
//!
//! The use cases create the data with a clock that starts in the past, so that expired keys have really expired.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    ApiError, Endpoint, IssuedKey, Owner, Role, Secret, TenantId, UserId,
    api_key::act::RollKey,
    api_key::input::{CreateKey, SetKeyPolicy},
    audit::Channel,
    service_account::input::CreateAccount,
};
use service::{Actor, Client, Clock, RegisterAgent, Services, Settings};

/// The email address to sign in with.
pub const EMAIL: &str = "ada@example.org";
/// The password to sign in with. It isn't secret, because the demo's database is thrown away.
pub const PASSWORD: &str = "seven lamps under the pier";
/// How many days ago the demo's history starts.
const DAYS: i64 = 120;

/// Fills an empty database with the demo data.
///
/// # Errors
/// When the database can't be opened, or isn't empty.
pub async fn fill(settings: &Settings, now: DateTime<Utc>) -> Result<(), Box<dyn std::error::Error>> {
    let clock = Clock::fixed(now - TimeDelta::days(DAYS));
    let services = Services::open(settings, clock.clone()).await?;
    services.migrate().await?;
    if !services.set_up().is_needed().await.map_err(ApiError::from)? {
        services.close().await;
        return Err("The database isn't empty. The demo data needs a new database.".into());
    }
    let story = Story { services, clock, now };
    let told = story.tell().await.map_err(ApiError::from);
    story.services.close().await;
    Ok(told?)
}

/// The keys that later steps use.
struct Keys {
    laptop: IssuedKey,
    frankfurt: IssuedKey,
    oregon: IssuedKey,
    cron: IssuedKey,
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
        self.person("joan@example.org", "Joan Clarke", "northwind", "TENANT_ADMIN").await?;
        self.person(EMAIL, "Ada Lovelace", "northwind", "USER").await?;
        self.person("grace@example.org", "Grace Hopper", "acme", "TENANT_ADMIN").await?;
        let alan = self.person("alan@example.org", "Alan Turing", "acme", "USER").await?;
        self.person("mary@example.org", "Mary Jackson", "acme", "READ_ONLY_USER").await?;
        let keys = self.long_ago((ada, alan), acme).await?;
        self.use_count(&keys).await?;
        self.lately((ada, acme), &keys).await
    }

    async fn person(&self, email: &str, name: &str, slug: &str, role: &str) -> service::Result<UserId> {
        self.services.admin().create_user(email, Some(name), slug, role, &Secret::new(PASSWORD)).await
    }

    /// Signs a person in at the clock's time, because access can only be created soon after that.
    async fn session(&self, user: UserId, tenant: TenantId) -> service::Result<Actor> {
        let client = Client {
            channel: Channel::Browser,
            ..client("203.0.113.7", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
        };
        self.services.actors().from_session(user, tenant, self.clock.now(), client).await
    }

    fn before(&self, time: TimeDelta) {
        self.clock.set(self.now - time);
    }

    /// Creates everything that is older than a month.
    async fn long_ago(&self, (ada_id, alan_id): (UserId, UserId), acme: TenantId) -> service::Result<Keys> {
        self.before(TimeDelta::days(100));
        let (ada, alan) = (&self.session(ada_id, acme).await?, &self.session(alan_id, acme).await?);
        self.key(ada, ada.require_owner()?, "Old laptop", Some(-20)).await?;
        let leaked = self.key(ada, ada.require_owner()?, "Pasted in a ticket", None).await?;
        self.key(alan, alan.require_owner()?, "Bletchley notebook", None).await?;
        self.before(TimeDelta::days(80));
        let ada = &self.session(ada_id, acme).await?;
        let deployer = self.account(ada, "Deployer", Role::TenantAdmin).await?;
        let nightly = self.account(ada, "Nightly reports", Role::User).await?;
        let retired = self.account(ada, "Old CI", Role::TenantAdmin).await?;
        self.account(ada, "Grafana", Role::ReadOnlyUser).await?;
        let frankfurt = self.key(ada, deployer, "Agent, Frankfurt", None).await?;
        let oregon = self.key(ada, deployer, "Agent, Oregon", Some(200)).await?;
        let trial = self.key(ada, deployer, "Agent, trial", Some(-5)).await?;
        self.agent(&trial, "trial", "LocalAgent", &["laptop"], "203.0.113.7").await?;
        let cron = self.key(ada, nightly, "cron", Some(12)).await?;
        self.key(ada, retired, "jenkins", None).await?;
        self.before(TimeDelta::days(60));
        let ada = &self.session(ada_id, acme).await?;
        let laptop = self.key(ada, ada.require_owner()?, "Laptop", Some(90)).await?;
        self.key(ada, ada.require_owner()?, "Notebook experiments", Some(9)).await?;
        self.key(ada, ada.require_owner()?, "Terraform, read only", Some(300)).await?;
        self.key(ada, ada.require_owner()?, "Домашний сервер", None).await?;
        self.before(TimeDelta::days(41));
        let ada = &self.session(ada_id, acme).await?;
        self.used(&leaked, "198.51.100.23", "python-requests/2.31.0").await?;
        self.services.api_keys().revoke(ada, leaked.key.id).await?;
        self.before(TimeDelta::days(30));
        let ada = &self.session(ada_id, acme).await?;
        if let Owner::ServiceAccount(account) = retired {
            self.services.service_accounts().delete(ada, account).await?;
        }
        Ok(Keys { laptop, frankfurt, oregon, cron })
    }

    /// Records two months of requests.
    async fn use_count(&self, keys: &Keys) -> service::Result<()> {
        self.history(&keys.frankfurt, "192.0.2.10", "python-requests/2.31.0", 70, 24).await?;
        self.history(&keys.oregon, "198.51.100.9", "python-requests/2.31.0", 45, 9).await?;
        self.history(&keys.cron, "192.0.2.44", "reports/3.2", 60, 1).await
    }

    /// Records the last two days.
    async fn lately(&self, (ada_id, acme): (UserId, TenantId), keys: &Keys) -> service::Result<()> {
        self.before(TimeDelta::hours(30));
        let ada = &self.session(ada_id, acme).await?;
        let roll = RollKey { key: keys.oregon.key.id, overlap: "7d".to_owned(), ..RollKey::default() };
        let rolled = self.services.rolls().roll(ada, &roll).await?;
        self.before(TimeDelta::hours(26));
        let ada = &self.session(ada_id, acme).await?;
        let from = (self.now + TimeDelta::days(20)).to_rfc3339();
        let policy = SetKeyPolicy { policy: "expiry_required".to_owned(), from, ..SetKeyPolicy::default() };
        self.services.tenant_policies().set(ada, &policy).await?;
        self.services.invitations().invite(ada, "katherine@example.org", Role::User).await?;
        self.before(TimeDelta::hours(9));
        self.used(&keys.cron, "192.0.2.44", "reports/3.2").await?;
        self.before(TimeDelta::hours(2));
        self.used(&rolled, "198.51.100.9", "python-requests/2.32.3").await?;
        self.before(TimeDelta::minutes(3));
        self.used(&keys.laptop, "203.0.113.7", "curl/8.5.0").await?;
        self.before(TimeDelta::seconds(40));
        self.used(&keys.oregon, "198.51.100.9", "python-requests/2.31.0").await?;
        self.used(&keys.frankfurt, "192.0.2.10", "python-requests/2.31.0").await?;
        self.agent(&keys.oregon, "oregon", "KubernetesAgent", &["prod", "us-west"], "198.51.100.9").await?;
        self.clock.set(self.now);
        self.agent(&keys.frankfurt, "frankfurt", "DockerAgent", &["prod", "eu-central"], "192.0.2.10").await
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

    async fn account(&self, actor: &Actor, name: &str, role: Role) -> service::Result<Owner> {
        let input = CreateAccount { name: name.to_owned(), role: Some(role), ..CreateAccount::default() };
        Ok(Owner::ServiceAccount(self.services.service_accounts().create(actor, &input).await?.id))
    }

    /// Creates a key. `ends`: its expiry in days from the present; negative for a key that has expired by now.
    async fn key(&self, actor: &Actor, owner: Owner, name: &str, ends: Option<i64>) -> service::Result<IssuedKey> {
        let expires_at = ends.map(|days| (self.now + TimeDelta::days(days)).to_rfc3339());
        let input = CreateKey { owner: Some(owner), name: name.to_owned(), expires_at, ..CreateKey::default() };
        self.services.api_keys().create(actor, &input).await
    }

    /// Records requests on each of the last `days` days, more on some than on others, the latest half a day ago.
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
        endpoint: Some(Endpoint::Verify),
        address: Some(address.to_owned()),
        is_address_shared: false,
        user_agent: Some(agent.to_owned()),
        agent_id: None,
        browser: None,
    }
}

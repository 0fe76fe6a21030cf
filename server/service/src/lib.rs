//! What Latchkey does, without any adapter: use cases, rights, storage. No HTTP and no pages.
//!
//! [`Services`] is the only way in. Every use case begins with the question whether the actor may, and storage is private.

mod access;
mod audit;
mod authentication;
mod background;
mod clock;
mod context;
mod digest;
mod error;
mod input;
mod keys;
mod mail;
mod operator;
mod people;
mod random;
mod storage;
mod tenants;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

pub use access::{Actor, CONFIRM_AFTER, Client, Principal, offers, offers_in};
pub use audit::{AuditLog, ChainReport, Export};
pub use authentication::Actors;
pub use clock::Clock;
pub use domain;
pub use error::{Error, OpenError, Result};
pub use keys::{
    agents::{Agents, MOST_LISTED as MOST_AGENTS, RegisterAgent},
    api_keys::{ApiKeys, KeyAlerts, MOST_ALERTS},
    expiry_calendar::{Calendar, CalendarFeed},
    inventory::{Inventory, MOST_AT_ONCE},
    key_policies::KeyPolicies,
    roll::Rolls,
    verification::{Verification, VerifiedKey},
};
pub use mail::MailSettings;
pub use operator::{Admin, OwnerRef};
pub use people::{
    invitations::{AcceptSignedOut, Invitations, IssuedInvitation},
    members::Members,
    second_factor::{Enrolment, SecondFactorState, SecondFactors},
    sign_in::{Sessions, SignedIn},
    users::Users,
};
pub use random::{new_form_id, new_request_id, new_session_id};
pub use storage::sessions::{PasswordMark, SessionFacts, StoredSession};
pub use tenants::{
    service_accounts::ServiceAccounts,
    set_up::{SetUp, SetUpInput},
    tenant::Tenants,
};

/// What the services need to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `sqlite:FILE` or `postgres://…`.
    pub database_url: String,
    /// How mail is sent; not at all, when `None`.
    pub mail: Option<MailSettings>,
    /// How old a sign-in may be when something is made or revealed that lasts; at most [`CONFIRM_AFTER`].
    pub confirm_after: TimeDelta,
}

impl Settings {
    /// A database, no mail, and [`CONFIRM_AFTER`].
    pub fn new(database_url: impl Into<String>) -> Self {
        Self { database_url: database_url.into(), mail: None, confirm_after: CONFIRM_AFTER }
    }
}

/// All use cases. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Services(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    context: context::Context,
    usage: Arc<keys::usage::UsageBuffer>,
    refused_tokens: keys::verification::RefusedTokens,
    endings: Arc<keys::roll::PredecessorEndings>,
    hasher: people::passwords::Hasher,
    throttle: people::throttle::Throttle,
    link: tenants::set_up::Link,
    /// The loops beside the requests, which end with this.
    _background: Arc<background::Background>,
}

impl Services {
    /// Connects. Doesn't migrate.
    ///
    /// # Errors
    /// When the database can't be reached or is of a version that isn't safe, or mail is configured wrongly.
    pub async fn open(settings: &Settings, clock: Clock) -> std::result::Result<Self, OpenError> {
        let db = storage::Db::open(&settings.database_url).await?;
        let hasher = people::passwords::Hasher::new().map_err(|cause| OpenError::Hasher(cause.to_string()))?;
        let mail = mail::Mail::open(settings.mail.as_ref())?;
        let fresh_sign_in = access::FreshSignIn::within(settings.confirm_after);
        let context = context::Context::new(db, clock, mail, fresh_sign_in);
        let usage = Arc::<keys::usage::UsageBuffer>::default();
        Ok(Self(Arc::new(Inner {
            _background: background::Background::start(context.clone(), Arc::clone(&usage)),
            context,
            usage,
            refused_tokens: keys::verification::RefusedTokens::default(),
            endings: Arc::default(),
            hasher,
            throttle: people::throttle::Throttle::default(),
            link: tenants::set_up::Link::default(),
        })))
    }

    /// Applies the migrations that are missing, and gives their numbers.
    ///
    /// # Errors
    /// When the database is newer than this binary, or a migration fails.
    pub async fn migrate(&self) -> std::result::Result<Vec<i64>, OpenError> {
        storage::maintenance::apply_missing(self.0.context.db()).await
    }

    /// The migrations that this binary knows and the database hasn't.
    ///
    /// # Errors
    /// When the database is newer than this binary, or can't answer.
    pub async fn missing_migrations(&self) -> std::result::Result<Vec<i64>, OpenError> {
        storage::maintenance::missing(self.0.context.db()).await
    }

    /// Now, by the services' clock.
    pub fn now(&self) -> DateTime<Utc> {
        self.0.context.now()
    }

    /// Whether the database answers.
    pub async fn is_healthy(&self) -> bool {
        storage::maintenance::is_healthy(self.0.context.db()).await
    }

    /// Whether the person signed in, or confirmed it, no longer ago than [`Settings::confirm_after`]. A key is always good
    /// for what it may do: that was decided when it was created.
    pub fn is_fresh(&self, actor: &Actor) -> bool {
        self.0.context.is_fresh(actor)
    }

    /// Writes what is still recorded in memory and closes the connections.
    pub async fn close(&self) {
        let context = &self.0.context;
        if let Err(error) = self.0.usage.flush(context.db(), context.now()).await {
            tracing::error!(%error, "the last usage could not be written");
        }
        context.audit().write_deferred(None).await;
        context.db().close().await;
    }

    /// Who is asking.
    pub fn actors(&self) -> Actors<'_> {
        Actors { verification: self.verification() }
    }

    /// API keys.
    pub fn api_keys(&self) -> ApiKeys<'_> {
        ApiKeys { context: &self.0.context, usage: &self.0.usage }
    }

    /// Rolling API keys.
    pub fn rolls(&self) -> Rolls<'_> {
        Rolls { context: &self.0.context, usage: &self.0.usage }
    }

    /// Service accounts.
    pub fn service_accounts(&self) -> ServiceAccounts<'_> {
        ServiceAccounts { context: &self.0.context, usage: &self.0.usage }
    }

    /// The audit log.
    pub fn audit_log(&self) -> AuditLog<'_> {
        AuditLog { audit: self.0.context.audit() }
    }

    /// Agents.
    pub fn agents(&self) -> Agents<'_> {
        Agents { context: &self.0.context, usage: &self.0.usage }
    }

    /// Tenants as a whole.
    pub fn tenants(&self) -> Tenants<'_> {
        Tenants { context: &self.0.context }
    }

    /// A tenant's policies on keys.
    pub fn tenant_policies(&self) -> KeyPolicies<'_> {
        KeyPolicies { context: &self.0.context, usage: &self.0.usage }
    }

    /// Every key of a tenant.
    pub fn inventory(&self) -> Inventory<'_> {
        Inventory { context: &self.0.context, usage: &self.0.usage }
    }

    /// Invitations.
    pub fn invitations(&self) -> Invitations<'_> {
        Invitations { context: &self.0.context, hasher: &self.0.hasher, throttle: &self.0.throttle }
    }

    /// The calendar feed.
    pub fn calendar(&self) -> Calendar<'_> {
        Calendar { context: &self.0.context }
    }

    /// Members of a tenant.
    pub fn members(&self) -> Members<'_> {
        Members { context: &self.0.context }
    }

    /// A person about themselves.
    pub fn users(&self) -> Users<'_> {
        Users { context: &self.0.context, hasher: &self.0.hasher, throttle: &self.0.throttle }
    }

    /// A person's second factor.
    pub fn second_factors(&self) -> SecondFactors<'_> {
        SecondFactors { context: &self.0.context, throttle: &self.0.throttle }
    }

    /// Signing in.
    pub fn sessions(&self) -> Sessions<'_> {
        Sessions { context: &self.0.context, hasher: &self.0.hasher, throttle: &self.0.throttle }
    }

    /// The first tenant.
    pub fn set_up(&self) -> SetUp<'_> {
        SetUp { context: &self.0.context, hasher: &self.0.hasher, link: &self.0.link }
    }

    /// Is this key good?
    pub fn verification(&self) -> Verification<'_> {
        let inner = &self.0;
        Verification {
            context: &inner.context,
            usage: &inner.usage,
            refused_tokens: &inner.refused_tokens,
            endings: &inner.endings,
        }
    }

    /// The operator's command line. Nothing else may call it.
    pub fn admin(&self) -> Admin<'_> {
        Admin { context: &self.0.context, usage: &self.0.usage, hasher: &self.0.hasher }
    }

    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn db(&self) -> &storage::Db {
        self.0.context.db()
    }
}

//! What Latchkey does, without any door: use cases, rights, storage. No HTTP and no pages.
//!
//! [`Services`] is the only way in. Every use case begins with `access::authorization::authorize`, and storage is private.

mod access;
mod audit;
mod clock;
mod error;
mod input;
mod keys;
mod mail;
mod operator;
mod people;
mod storage;
mod tenants;
pub mod testing;
#[cfg(test)]
mod tests;
mod unfit;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};

pub use access::{
    actor::{Actor, Actors, Client, Principal},
    authorization::{offers, offers_in},
};
pub use audit::log::{AuditLog, ChainReport, Export};
pub use clock::Clock;
pub use domain;
pub use error::{Error, OpenError, Result};
pub use keys::agents::{Agents, MOST_LISTED as MOST_AGENTS, RegisterAgent};
pub use keys::api_keys::{ApiKeys, Concerns, CreateApiKey, MOST_CONCERNS};
pub use keys::expiry_calendar::{Calendar, CalendarFeed};
pub use keys::inventory::{BulkAct, Inventory, MOST_AT_ONCE};
pub use keys::key_policies::{PolicyPreview, SetPolicy, TenantPolicies};
pub use keys::roll::{RollApiKey, Rolls};
pub use keys::verification::{Verification, VerifiedKey};
pub use mail::MailSettings;
pub use operator::{Admin, AdminOwner};
pub use people::invitations::{ComeIn, Invitations, IssuedInvitation};
pub use people::members::Members;
pub use people::second_factor::{Enrolment, SecondFactorState, SecondFactors};
pub use people::sign_in::{PasswordMark, SessionFacts, Sessions, SignedIn, StoredSession};
pub use people::users::Users;
pub use tenants::tenant::Tenants;
pub use tenants::tenant::service_accounts::{CreateServiceAccount, ServiceAccounts};
pub use tenants::tenant::set_up::{SetUp, SetUpInput};
pub use unfit::{unfit_account, unfit_key};

// The names that the modules had before they stood in folders.
use access::{actor, authorization as policy};
use audit::refusals as permission;
use keys::{
    agents, expiry_mail as reminders, issue as issuing, key_policies as tenant_policies, roll as rolls, token,
    usage as uses, verification,
};
use operator as admin;
use people::{members, passwords as password, second_factor, sign_in as sessions, throttle as attempts};
use tenants::{service_accounts, set_up};
#[cfg(test)]
use tests::stage;

/// How often noted uses are written.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// How long a reader of evidence waits for what isn't written yet.
const WRITE_WITHIN: Duration = Duration::from_secs(1);
/// How often it is looked whether a mail is due.
const REMIND_EVERY: Duration = Duration::from_mins(1);
/// How often it is looked whether keys were unused for too long.
const SUSPEND_EVERY: Duration = Duration::from_mins(10);
/// How many flushes pass between two removals of sessions that are over.
const SWEEP_EVERY: u32 = 600;

/// After this time a person confirms that it is them, before anything is made, rolled or revealed that lasts.
pub const CONFIRM_AFTER: TimeDelta = TimeDelta::minutes(10);

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
    db: storage::Db,
    clock: Clock,
    uses: uses::Uses,
    refusals: verification::Refusals,
    refusal_counts: permission::RefusalCounts,
    endings: rolls::Endings,
    hasher: password::Hasher,
    waits: attempts::Waits,
    link: set_up::Link,
    mail: mail::Mail,
    confirm_after: TimeDelta,
}

impl Services {
    /// Connects. Doesn't migrate.
    ///
    /// # Errors
    /// When the database can't be reached or is of a version that isn't safe, or mail is configured wrongly.
    pub async fn open(settings: &Settings, clock: Clock) -> std::result::Result<Self, OpenError> {
        let db = storage::Db::open(&settings.database_url).await?;
        let hasher = password::Hasher::new().map_err(|cause| OpenError::Hasher(cause.to_string()))?;
        let inner = Inner {
            db,
            clock,
            uses: uses::Uses::default(),
            refusals: verification::Refusals::default(),
            refusal_counts: permission::RefusalCounts::default(),
            endings: rolls::Endings::default(),
            hasher,
            waits: attempts::Waits::default(),
            link: set_up::Link::default(),
            mail: mail::Mail::open(settings.mail.as_ref())?,
            confirm_after: settings.confirm_after.min(CONFIRM_AFTER),
        };
        let services = Self(Arc::new(inner));
        tokio::spawn(keep_house(Arc::downgrade(&services.0)));
        tokio::spawn(remind(Arc::downgrade(&services.0)));
        tokio::spawn(suspend_unused(Arc::downgrade(&services.0)));
        Ok(services)
    }

    /// Applies the migrations that are missing, and gives their numbers.
    ///
    /// # Errors
    /// When the database is newer than this binary, or a migration fails.
    pub async fn migrate(&self) -> std::result::Result<Vec<i64>, OpenError> {
        let before = storage::maintenance::applied(self.db()).await?;
        storage::maintenance::migrate(self.db()).await?;
        storage::maintenance::chain_audit_log(self.db()).await?;
        storage::maintenance::index_names(self.db()).await?;
        storage::maintenance::name_audit_lines(self.db()).await?;
        let after = storage::maintenance::applied(self.db()).await?;
        Ok(after.into_iter().filter(|number| !before.contains(number)).collect())
    }

    /// The migrations that this binary knows and the database hasn't.
    ///
    /// # Errors
    /// When the database is newer than this binary, or can't answer.
    pub async fn missing_migrations(&self) -> std::result::Result<Vec<i64>, OpenError> {
        let known = storage::maintenance::known(self.db());
        let applied = storage::maintenance::applied(self.db()).await?;
        match applied.iter().find(|number| !known.contains(number)) {
            Some(newer) => Err(OpenError::NewerDatabase(*newer)),
            None => Ok(known.into_iter().filter(|number| !applied.contains(number)).collect()),
        }
    }

    /// Now, by the services' clock.
    pub fn now(&self) -> DateTime<Utc> {
        self.0.clock.now()
    }

    /// Whether the database answers.
    pub async fn is_healthy(&self) -> bool {
        storage::maintenance::is_healthy(self.db()).await
    }

    /// Writes what is still noted and closes the connections.
    pub async fn close(&self) {
        if let Err(error) = self.uses().flush(self.db(), self.now()).await {
            tracing::error!(%error, "last uses could not be written");
        }
        self.write_owed(None).await;
        self.db().close().await;
    }

    /// Who is asking.
    pub fn actors(&self) -> Actors<'_> {
        Actors(self)
    }

    /// API keys.
    pub fn api_keys(&self) -> ApiKeys<'_> {
        ApiKeys(self)
    }

    /// Rolling API keys.
    pub fn rolls(&self) -> Rolls<'_> {
        Rolls(self)
    }

    /// Service accounts.
    pub fn service_accounts(&self) -> ServiceAccounts<'_> {
        ServiceAccounts(self)
    }

    /// The audit log.
    pub fn audit_log(&self) -> AuditLog<'_> {
        AuditLog(self)
    }

    /// Agents.
    pub fn agents(&self) -> Agents<'_> {
        Agents(self)
    }

    /// Tenants as a whole.
    pub fn tenants(&self) -> Tenants<'_> {
        Tenants(self)
    }

    /// A tenant's policies on keys.
    pub fn tenant_policies(&self) -> TenantPolicies<'_> {
        TenantPolicies(self)
    }

    /// Every key of a tenant.
    pub fn inventory(&self) -> Inventory<'_> {
        Inventory(self)
    }

    /// Invitations.
    pub fn invitations(&self) -> Invitations<'_> {
        Invitations(self)
    }

    /// The calendar feed.
    pub fn calendar(&self) -> Calendar<'_> {
        Calendar(self)
    }

    /// Members of a tenant.
    pub fn members(&self) -> Members<'_> {
        Members(self)
    }

    /// A person about themselves.
    pub fn users(&self) -> Users<'_> {
        Users(self)
    }

    /// A person's second factor.
    pub fn second_factors(&self) -> SecondFactors<'_> {
        SecondFactors(self)
    }

    /// Signing in.
    pub fn sessions(&self) -> Sessions<'_> {
        Sessions(self)
    }

    /// The first tenant.
    pub fn set_up(&self) -> SetUp<'_> {
        SetUp(self)
    }

    /// Is this key good?
    pub fn verification(&self) -> Verification<'_> {
        Verification(self)
    }

    /// The operator's command line. No door but that may call it.
    pub fn admin(&self) -> Admin<'_> {
        Admin(self)
    }

    pub(crate) fn db(&self) -> &storage::Db {
        &self.0.db
    }

    pub(crate) fn uses(&self) -> &uses::Uses {
        &self.0.uses
    }

    /// Writes the uses that are noted, before evidence is read; for at most [`WRITE_WITHIN`]. Where somebody else's change
    /// takes longer they come after it, and what is shown is older, as the evidence of another server is.
    pub(crate) async fn write_uses(&self) {
        let services = self.clone();
        let task = tokio::spawn(async move {
            if let Err(error) = services.uses().flush(services.db(), services.now()).await {
                tracing::warn!(%error, "last uses could not be written before they were read; trying again");
            }
        });
        tokio::time::timeout(WRITE_WITHIN, task).await.ok();
    }

    pub(crate) fn endings(&self) -> &rolls::Endings {
        &self.0.endings
    }

    pub(crate) fn refusals(&self) -> &verification::Refusals {
        &self.0.refusals
    }

    pub(crate) fn mail(&self) -> &mail::Mail {
        &self.0.mail
    }

    pub(crate) fn hasher(&self) -> &password::Hasher {
        &self.0.hasher
    }

    pub(crate) fn link(&self) -> &set_up::Link {
        &self.0.link
    }
}

/// A fresh UUID for a form, so that the same form sent twice makes one thing.
pub fn new_form_id() -> String {
    uuid::Builder::from_random_bytes(token::draw_bytes()).into_uuid().to_string()
}

/// An id for a session that begins now.
pub fn new_session_id(now: DateTime<Utc>) -> domain::SessionId {
    domain::SessionId(token::new_id(now))
}

/// A fresh id for a request, by which its lines in the log are found: 32 hexadecimal digits.
pub fn new_request_id() -> String {
    uuid::Uuid::from_bytes(token::draw_bytes()).simple().to_string()
}

/// Beside the requests: writes noted uses, removes sessions that are over. Ends with the services.
async fn keep_house(services: std::sync::Weak<Inner>) {
    let mut turn: u32 = 0;
    loop {
        tokio::time::sleep(FLUSH_EVERY).await;
        let Some(inner) = services.upgrade() else { return };
        if let Err(error) = inner.uses.flush(&inner.db, inner.clock.now()).await {
            tracing::warn!(%error, "last uses could not be written; trying again");
        }
        Services(Arc::clone(&inner)).write_owed(Some(inner.clock.now())).await;
        if let Err(error) = storage::keys::settle_expired(&inner.db, inner.clock.now()).await {
            tracing::warn!(%error, "keys that are over could not be noted; trying again");
        }
        turn = turn.wrapping_add(1);
        if turn.is_multiple_of(SWEEP_EVERY) {
            sweep(&inner).await;
        }
    }
}

/// Beside the requests: sends the mails that are due. Not with the housekeeping, because a mail server may be slow.
async fn remind(services: std::sync::Weak<Inner>) {
    loop {
        tokio::time::sleep(REMIND_EVERY).await;
        let Some(inner) = services.upgrade() else { return };
        if let Err(error) = reminders::send_due(&inner).await {
            tracing::warn!(%error, "reminders could not be sent; trying again");
        }
    }
}

/// Beside the requests: suspends what policies want suspended. Not with the housekeeping, because 100,000 keys take minutes.
async fn suspend_unused(services: std::sync::Weak<Inner>) {
    loop {
        tokio::time::sleep(SUSPEND_EVERY).await;
        let Some(inner) = services.upgrade() else { return };
        if let Err(error) = tenant_policies::suspend_unused(&inner).await {
            tracing::warn!(%error, "unused keys could not be suspended; trying again");
        }
    }
}

/// Removes what nobody needs any more.
async fn sweep(inner: &Inner) {
    let now = inner.clock.now();
    if let Err(error) = storage::sessions::delete_expired(&inner.db, storage::micros(now)).await {
        tracing::warn!(%error, "sessions that are over could not be removed");
    }
    if let Err(error) = storage::throttle::delete_before(&inner.db, now - attempts::WINDOW).await {
        tracing::warn!(%error, "old attempts could not be removed");
    }
    if let Err(error) = storage::usage::sweep(&inner.db, now - domain::evidence::KEPT_FOR).await {
        tracing::warn!(%error, "old evidence of use could not be removed");
    }
    if let Err(error) = storage::agents::delete_before(&inner.db, now - agents::KEPT_FOR).await {
        tracing::warn!(%error, "agents that are gone could not be removed");
    }
}

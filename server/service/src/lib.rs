//! Latchkey's use cases, authorization and storage. No adapters: no HTTP and no pages.
//!
//! [`Services`] is the only entry point. Every use case authorizes the actor first, and storage is private.

mod access;
mod audit;
mod authentication;
mod background;
mod clock;
mod context;
mod digest;
mod error;
mod examination;
mod flows;
mod input;
mod keys;
mod leaks;
mod mail;
mod metrics;
mod operator;
mod people;
mod random;
mod readiness;
mod restore;
mod secrets;
mod serving;
mod sqlite_codes;
mod storage;
mod tenants;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod text;
mod transfer;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

pub use access::{Actor, CONFIRM_AFTER, Client, Principal, offers, offers_in};
pub use audit::{AuditLog, ChainReport, Export};
pub use authentication::Actors;
pub use clock::Clock;
pub use digest::of_hex as digest_of_hex;
pub use domain;
pub use error::{Error, OpenError, Result};
pub use flows::{
    backend::Flows,
    registration::{CreateFlowProject, MAX_FLOW_BYTES, RegisterFlow},
    runs::{CreateFlowRun, MAX_OFFERED as MAX_OFFERED_RUNS, TaskOfRun},
};
pub use keys::{
    agents::{Agents, MAX_LISTED as MAX_AGENTS, RegisterAgent},
    api_keys::{ApiKeys, KeyAlerts, KeyStep, MAX_ALERTS, RevokedKey, STEP as KEYS_AT_ONCE},
    change_feed::{Changes, FeedEvent, FeedState, KeyReport, Subscription, VerifierReport},
    expiring::{EXPIRY_PERIOD, ExpiringKeys},
    expiry_calendar::{Calendar, CalendarFeed, OpenFeed},
    inventory::{Inventory, MAX_AT_ONCE},
    key_policies::{KeyPolicies, MAX_COUNTED as MAX_AFFECTED_KEYS},
    known_token::{KnownToken, MAX_HINT, read_sha256},
    perform::Perform,
    roll::Rolls,
    scopes::Scopes,
    token::{TOKEN_PREFIXES, TOKEN_REGEX, draw as draw_token},
    token_search::{FoundToken, Spelling, find_tokens},
    verification::{Authorized, Verification, VerifiedKey},
    verification_counts::VerificationOutcome,
    verifiers::Reach,
};
pub use leaks::{
    limits::UnverifiedReport,
    reports::{LeakReports, LeakedToken, MAX_REPORTED},
};
pub use mail::MailSettings;
pub use metrics::{KeyFigures, Metrics};
pub use operator::{
    Admin, OwnerRef, apply,
    audit_tail::{AuditTail, TailEntry},
    import::{Import, ImportLine, Imported, MAX_DESCRIBED, MAX_LINES as MAX_IMPORTED, Rejected, RejectedLine},
};
pub use people::{
    gateway_passes::GatewayPasses,
    invitations::{AcceptSignedOut, Invitations, IssuedInvitation, OPEN_FOR as INVITATION_OPEN_FOR},
    members::Members,
    namesakes::Namesakes,
    passwords::MIN_CHARS as MIN_PASSWORD_CHARS,
    remembered_browsers::KEPT_FOR as BROWSER_KEPT_FOR,
    second_factor::{Enrolment, SecondFactorState, SecondFactors},
    sign_in::{Sessions, SignedIn},
    users::Users,
};
pub use random::{new_form_id, new_request_id, new_session_id};
pub use readiness::{NotReady, Ready};
pub use restore::{Backup, Restored, RestoredFile, ledger_of, mark_restored};
pub use secrets::{Rotation, SecretKeys, create_file as create_secret_key_file, file_of as secret_key_file_of};
pub use serving::Serving;
pub use storage::gateway_passes::Visitor;
pub use storage::sessions::{PasswordMark, SessionFacts, StoredSession};
pub use storage::tenants::MemberFacts;
pub use storage::{backup::Counts, metrics::ExpiringKey, transfer::CopiedTable};
pub use storage::{
    db::{PostgresOptions, SettlingMark},
    feed::{Change, Cursor},
    file::{of_database as sqlite_file_of, open_regular, read_regular, read_regular_text},
    flow_filter::{FlowColumn, FlowFilter, FlowTest, FlowValue},
    flow_runs::{LogLine, RunRecord, RunState, StateRecord, TaskRunRecord},
    flows::{FlowProject, FlowRecord, FlowTaskRecord},
    key_list::AlertsAbout,
    keys::KeyPosition,
};
pub use tenants::{
    overview::Overviews,
    service_accounts::ServiceAccounts,
    set_up::{SetUp, SetUpInput},
    tenant::Tenants,
};
pub use transfer::{MoveError, move_database};

/// The configuration of [`Services`].
#[derive(Clone, Debug)]
pub struct Settings {
    /// `sqlite:FILE` or `postgres://…`.
    pub database_url: String,
    /// Whether a missing `SQLite` file is created. Otherwise, opening it fails.
    pub create_missing: bool,
    /// How a `PostgreSQL` server is used.
    pub postgres: PostgresOptions,
    /// How mail is sent; `None` sends no mail.
    pub mail: Option<MailSettings>,
    /// Where the secret keys are kept that encrypt values in the database.
    pub secret_keys: SecretKeys,
    /// The revocation ledger; `None` for one beside an `SQLite` database, and none for any other.
    pub revocation_ledger: Option<std::path::PathBuf>,
    /// The slug of the tenant whose administrators may change the scope catalogue, which all tenants share. Without one,
    /// these are the administrators of the only tenant; if there are several tenants, only the operator may change it.
    pub operator_tenant: Option<String>,
    /// How old a sign-in may be when the user creates or reveals something lasting, such as a key; at most
    /// [`CONFIRM_AFTER`].
    pub confirm_after: TimeDelta,
    /// Whether the built-in backend for flow runs is on.
    pub flow_runs: bool,
}

impl Settings {
    /// Returns settings for a database that is created if it is missing, without mail and with [`CONFIRM_AFTER`].
    pub fn new(database_url: impl Into<String>) -> Self {
        Self {
            database_url: database_url.into(),
            create_missing: true,
            postgres: PostgresOptions::default(),
            mail: None,
            secret_keys: SecretKeys::default(),
            revocation_ledger: None,
            operator_tenant: None,
            confirm_after: CONFIRM_AFTER,
            flow_runs: false,
        }
    }

    /// Checks the settings as far as that is possible without opening the database or connecting to a server. Changes
    /// nothing.
    ///
    /// # Errors
    /// When a server with these settings would fail to start.
    pub fn validate(&self) -> std::result::Result<(), OpenError> {
        storage::Db::check(&self.database_url, self.create_missing, self.postgres)?;
        let file = storage::file::of_database(&self.database_url);
        secrets::Secrets::new(self.secret_keys.clone(), file.as_deref()).check_source()?;
        self.ledger().map_or(Ok(()), |ledger| restore::check_ledger(&ledger))?;
        self.mail.as_ref().map_or(Ok(()), MailSettings::validate)
    }

    /// Returns the revocation ledger, whether or not it exists.
    fn ledger(&self) -> Option<std::path::PathBuf> {
        self.revocation_ledger.clone().or_else(|| restore::ledger_of(&self.database_url))
    }
}

/// All use cases. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Services(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    context: context::Context,
    ledger: Option<std::path::PathBuf>,
    operator_tenant: Option<String>,
    flow_runs: bool,
    usage: Arc<keys::usage::UsageBuffer>,
    revoked_tokens: keys::verification::RevokedTokens,
    rate_limits: keys::rate_limits::RateLimits,
    endings: Arc<keys::roll::PredecessorEndings>,
    followers: keys::change_feed::Followers,
    hasher: people::passwords::Hasher,
    throttle: people::throttle::Throttle,
    report_limits: leaks::limits::ReportLimits,
    link: tenants::set_up::Link,
    readiness: readiness::Readiness,
    /// The `SQLite` file.
    file: Option<std::path::PathBuf>,
    /// The background tasks, which stop when this is dropped.
    background: Arc<background::Background>,
}

impl Services {
    /// Connects to the database and starts the background tasks. Doesn't run migrations.
    ///
    /// # Errors
    /// When the database can't be opened or its version isn't safe, or the mail settings are wrong.
    pub async fn open(settings: &Settings, clock: Clock) -> std::result::Result<Self, OpenError> {
        let db = storage::Db::open(&settings.database_url, settings.create_missing, settings.postgres).await?;
        let hasher = people::passwords::Hasher::new().map_err(|cause| OpenError::Hasher(cause.to_string()))?;
        let mail = mail::Mail::open(settings.mail.as_ref())?;
        let fresh_sign_in = access::FreshSignIn::within(settings.confirm_after);
        let file = storage::file::of_database(&settings.database_url);
        let secrets = secrets::Secrets::new(settings.secret_keys.clone(), file.as_deref());
        let context = context::Context::new(db, clock, mail, fresh_sign_in, secrets);
        let usage = Arc::<keys::usage::UsageBuffer>::default();
        Ok(Self(Arc::new(Inner {
            background: background::Background::start(context.clone(), Arc::clone(&usage)),
            context,
            file,
            ledger: settings.ledger(),
            operator_tenant: settings.operator_tenant.clone(),
            flow_runs: settings.flow_runs,
            usage,
            revoked_tokens: keys::verification::RevokedTokens::default(),
            rate_limits: keys::rate_limits::RateLimits::default(),
            endings: Arc::default(),
            followers: keys::change_feed::Followers::default(),
            hasher,
            throttle: people::throttle::Throttle::default(),
            report_limits: leaks::limits::ReportLimits::default(),
            link: tenants::set_up::Link::default(),
            readiness: readiness::Readiness::default(),
        })))
    }

    /// Begins to serve the database: keys that are used are kept in memory from now on, and commands of other processes
    /// tell this one what they change. Ends when the returned value is dropped.
    ///
    /// # Errors
    /// If another process serves the `SQLite` file.
    pub fn begin_serving(&self) -> std::result::Result<Serving, OpenError> {
        let keys = self.0.context.db().key_cache().clone();
        let serving = match &self.0.file {
            Some(file) => Serving::alone(file, keys)?,
            None => Serving::together(),
        };
        self.0.background.follow();
        Ok(serving)
    }

    /// Applies the missing migrations and returns their numbers.
    ///
    /// # Errors
    /// When the database is newer than this binary, or a migration fails.
    pub async fn migrate(&self) -> std::result::Result<Vec<i64>, OpenError> {
        storage::migrations::apply_missing(self.0.context.db()).await
    }

    /// Returns the numbers of the migrations that this binary has and the database lacks.
    ///
    /// # Errors
    /// When the database is newer than this binary, isn't Latchkey's, or fails.
    pub async fn missing_migrations(&self) -> std::result::Result<Vec<i64>, OpenError> {
        storage::migrations::missing(self.0.context.db()).await
    }

    /// Checks that the database has been set up and has every migration of this binary, as most use cases require.
    ///
    /// # Errors
    /// When it isn't set up, or is older or newer than this binary, isn't Latchkey's, or fails.
    pub async fn require_migrated(&self) -> std::result::Result<(), OpenError> {
        self.require_set_up().await?;
        if self.missing_migrations().await?.is_empty() { Ok(()) } else { Err(OpenError::OutOfDate) }
    }

    /// Checks that the database can be written to.
    ///
    /// # Errors
    /// When it is read-only, or fails.
    pub async fn require_writable(&self) -> std::result::Result<(), OpenError> {
        storage::maintenance::require_writable(self.0.context.db()).await
    }

    /// Checks that the database has been set up by this or any other version.
    ///
    /// # Errors
    /// When it has no tables, isn't Latchkey's, or fails.
    pub async fn require_set_up(&self) -> std::result::Result<(), OpenError> {
        storage::migrations::require_set_up(self.0.context.db()).await
    }

    /// Reads the secret keys, and checks that every key that the database needs is among them. For an `SQLite` database
    /// that needs none yet, creates the first one beside it, unless the settings contain another place.
    ///
    /// # Errors
    /// When a key is missing or can't be read, or the database isn't migrated or fails.
    pub async fn unlock_secrets(&self) -> std::result::Result<(), OpenError> {
        let context = &self.0.context;
        context.secrets().unlock(context.db(), context.now()).await
    }

    /// Appends every revocation to the revocation ledger from now on, if the settings have one.
    ///
    /// # Errors
    /// When the file can't be used.
    pub async fn open_ledger(&self) -> std::result::Result<(), OpenError> {
        let Some(path) = &self.0.ledger else { return Ok(()) };
        restore::open_ledger(&self.0.context, path, false).await
    }

    /// Like [`Services::open_ledger`], for a server. Requires that the database has the ledger's last revocations, and
    /// adds those that the ledger lacks.
    ///
    /// # Errors
    /// When the file can't be used, or the database is older than the ledger, as after a restore.
    pub async fn verify_ledger(&self) -> std::result::Result<(), OpenError> {
        let Some(path) = &self.0.ledger else { return Ok(()) };
        restore::open_ledger(&self.0.context, path, true).await
    }

    /// Returns the path of the revocation ledger, whether or not it exists.
    pub fn ledger_file(&self) -> Option<&std::path::Path> {
        self.0.ledger.as_deref()
    }

    /// Returns the file with the secret keys, if there is one.
    pub fn secret_key_file(&self) -> Option<&std::path::Path> {
        self.0.context.secrets().file().filter(|path| path.exists())
    }

    /// Treats the network addresses of clients as unknown from now on, or as known again. For a server behind a proxy
    /// that it doesn't trust, where all clients have the proxy's address: one of them must not use up the others'
    /// attempts to sign in.
    pub fn set_addresses_are_shared(&self, are_shared: bool) {
        self.0.throttle.set_addresses_are_shared(are_shared);
    }

    /// Returns the current time of the services' clock.
    pub fn now(&self) -> DateTime<Utc> {
        self.0.context.now()
    }

    /// Returns whether this server can do its work: the database answers and accepts changes. Answers within two
    /// seconds.
    ///
    /// # Errors
    /// If it can't, with the reason.
    pub async fn check_readiness(&self) -> std::result::Result<Ready, NotReady> {
        self.0.readiness.check(&self.0.context).await
    }

    /// Returns a mark for [`Services::settle`], to be taken before a request is handled.
    pub fn settling_mark(&self) -> SettlingMark {
        self.0.context.db().settling_mark()
    }

    /// Waits until the changes that a refusal may be based on are committed. To be called before the response is sent;
    /// usually returns at once.
    ///
    /// # Errors
    /// `UNAVAILABLE` if they couldn't be committed since the mark was taken, so that the refusal may be wrong.
    pub async fn settle(&self, mark: SettlingMark) -> Result<()> {
        if self.0.context.db().settle(mark).await {
            return Ok(());
        }
        let message = "The database couldn't save some changes, so this answer may be wrong. Try again in a moment.";
        Err(Error::Unavailable(message))
    }

    /// Returns whether the user signed in, or entered their password again, within [`Settings::confirm_after`]. Always
    /// true for a key, whose rights were decided when it was created.
    pub fn is_fresh(&self, actor: &Actor) -> bool {
        self.0.context.is_fresh(actor)
    }

    /// Writes the usage and the audit entries that are still in memory, then closes the connections.
    pub async fn close(&self) {
        let context = &self.0.context;
        if let Err(error) = self.0.usage.flush(context.db(), context.now()).await {
            tracing::error!(%error, "usage could not be written before closing");
        }
        if let Err(error) = context.audit().flush_usage().await {
            tracing::error!(%error, "demanded scopes and rejected requests could not be written before closing");
        }
        context.audit().write_deferred(None).await;
        if let Err(error) = context.db().ledger().retry().await {
            tracing::error!(%error, "the revocation ledger lacks revocations; the next start of the server adds them");
        }
        self.0.background.end().await;
        context.db().close().await;
    }

    /// Authentication: turns a session or a key into an [`Actor`].
    pub fn actors(&self) -> Actors<'_> {
        Actors { verification: self.verification() }
    }

    /// API keys.
    pub fn api_keys(&self) -> ApiKeys<'_> {
        ApiKeys { context: &self.0.context, usage: &self.0.usage }
    }

    /// The scope catalogue.
    pub fn scopes(&self) -> Scopes<'_> {
        Scopes { context: &self.0.context, editor: self.0.operator_tenant.as_deref() }
    }

    /// Rotation of API keys.
    pub fn rolls(&self) -> Rolls<'_> {
        Rolls { context: &self.0.context, usage: &self.0.usage }
    }

    /// Service accounts.
    pub fn service_accounts(&self) -> ServiceAccounts<'_> {
        ServiceAccounts { context: &self.0.context }
    }

    /// The audit log.
    pub fn audit_log(&self) -> AuditLog<'_> {
        AuditLog { audit: self.0.context.audit(), fresh_sign_in: self.0.context.fresh_sign_in() }
    }

    /// Agents.
    pub fn agents(&self) -> Agents<'_> {
        Agents { context: &self.0.context, usage: &self.0.usage }
    }

    /// The built-in backend for flow runs.
    pub fn flows(&self) -> Flows<'_> {
        Flows { context: &self.0.context, usage: &self.0.usage, is_on: self.0.flow_runs }
    }

    /// Tenants.
    pub fn tenants(&self) -> Tenants<'_> {
        Tenants { context: &self.0.context }
    }

    /// The overview of a tenant.
    pub fn overviews(&self) -> Overviews<'_> {
        Overviews { context: &self.0.context, usage: &self.0.usage }
    }

    /// A tenant's key policies.
    pub fn tenant_policies(&self) -> KeyPolicies<'_> {
        KeyPolicies { context: &self.0.context, usage: &self.0.usage }
    }

    /// The inventory: all keys of a tenant.
    pub fn inventory(&self) -> Inventory<'_> {
        Inventory { context: &self.0.context, usage: &self.0.usage }
    }

    /// Invitations.
    pub fn invitations(&self) -> Invitations<'_> {
        Invitations { context: &self.0.context, hasher: &self.0.hasher, throttle: &self.0.throttle }
    }

    /// The feed of key expiries for calendar apps.
    pub fn calendar(&self) -> Calendar<'_> {
        Calendar { context: &self.0.context }
    }

    /// Members of a tenant.
    pub fn members(&self) -> Members<'_> {
        Members { context: &self.0.context }
    }

    /// A user's own account: profile, password and sessions.
    pub fn users(&self) -> Users<'_> {
        Users { context: &self.0.context, hasher: &self.0.hasher, throttle: &self.0.throttle }
    }

    /// What browsers show to gateways.
    pub fn gateway_passes(&self) -> GatewayPasses<'_> {
        GatewayPasses { context: &self.0.context }
    }

    /// A user's two-factor authentication.
    pub fn second_factors(&self) -> SecondFactors<'_> {
        SecondFactors { context: &self.0.context, throttle: &self.0.throttle }
    }

    /// Signing in, and the stored browser sessions.
    pub fn sessions(&self) -> Sessions<'_> {
        Sessions { context: &self.0.context, hasher: &self.0.hasher, throttle: &self.0.throttle }
    }

    /// Initial setup: the first tenant and its administrator.
    pub fn set_up(&self) -> SetUp<'_> {
        SetUp { context: &self.0.context, hasher: &self.0.hasher, link: &self.0.link }
    }

    /// Verification of keys.
    pub fn verification(&self) -> Verification<'_> {
        let inner = &self.0;
        Verification {
            context: &inner.context,
            usage: &inner.usage,
            revoked_tokens: &inner.revoked_tokens,
            rate_limits: &inner.rate_limits,
            endings: &inner.endings,
        }
    }

    /// The feed of changes, for services that keep answers about keys.
    pub fn changes(&self) -> Changes<'_> {
        let inner = &self.0;
        Changes {
            context: &inner.context,
            verification: self.verification(),
            usage: &inner.usage,
            followers: &inner.followers,
        }
    }

    /// Reports of leaked keys.
    pub fn leak_reports(&self) -> LeakReports<'_> {
        let inner = &self.0;
        LeakReports {
            context: &inner.context,
            usage: &inner.usage,
            throttle: &inner.throttle,
            limits: &inner.report_limits,
        }
    }

    /// Figures of all tenants. Only the listener for metrics may call this.
    pub fn metrics(&self) -> Metrics<'_> {
        Metrics { context: &self.0.context, usage: &self.0.usage }
    }

    /// Use cases of the operator. Only the command line may call this.
    pub fn admin(&self) -> Admin<'_> {
        Admin { context: &self.0.context, usage: &self.0.usage, hasher: &self.0.hasher }
    }

    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn db(&self) -> &storage::Db {
        self.0.context.db()
    }
}

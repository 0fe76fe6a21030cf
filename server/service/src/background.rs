//! Background tasks: writing usage and deferred audit entries, verifying the audit log, sending expiry mails, suspending unused keys, cleanup.

use std::{
    ops::Deref,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::{OwnedRwLockReadGuard, RwLock};

use crate::{
    audit::AuditLog,
    context::Context,
    flows::backend,
    keys::{agents, expiry_mail, key_policies, pending_changes, scopes, usage::UsageBuffer},
    people::{remembered_browsers, throttle},
    storage::{self, db::KeyCache},
};

/// How often recorded usage is written.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// How often the changes of keys are read, apart from those that this server makes.
const FOLLOW_EVERY: Duration = Duration::from_millis(250);
/// How long reading them may take.
const FOLLOW_WITHIN: Duration = Duration::from_secs(1);
/// How long the end of the server waits for a task.
const END_WITHIN: Duration = Duration::from_secs(2);
/// How often due expiry mails are sent.
const REMIND_EVERY: Duration = Duration::from_mins(1);
/// How often keys that were unused for too long are suspended.
const SUSPEND_EVERY: Duration = Duration::from_mins(10);
/// How often the server looks for chains of the audit log that are due for verification.
const CHECK_EVERY: Duration = Duration::from_mins(5);
/// How soon after the start it does so for the first time.
const CHECK_FIRST: Duration = Duration::from_secs(30);
/// How many flushes there are until the time is remembered again: about a minute.
const REMEMBER_EVERY: u32 = 60;
/// How many flushes there are between two cleanups: about ten minutes.
const SWEEP_EVERY: u32 = 600;

/// The background tasks. They stop when this is dropped.
#[derive(Debug)]
pub(crate) struct Background {
    context: Context,
    usage: Arc<UsageBuffer>,
    /// Whether the clock was compared with what the last server remembered.
    is_resumed: AtomicBool,
    /// Whether no other turn may begin.
    is_ending: AtomicBool,
    /// Held by the turns that run.
    turns: Arc<RwLock<()>>,
}

/// A turn of a task. The database isn't closed meanwhile.
pub(crate) struct Turn {
    background: Arc<Background>,
    _running: OwnedRwLockReadGuard<()>,
}

impl Deref for Turn {
    type Target = Background;

    fn deref(&self) -> &Background {
        &self.background
    }
}

impl Background {
    /// Starts the tasks.
    pub(crate) fn start(context: Context, usage: Arc<UsageBuffer>) -> Arc<Self> {
        let background = Arc::new(Self {
            context,
            usage,
            is_resumed: AtomicBool::default(),
            is_ending: AtomicBool::default(),
            turns: Arc::default(),
        });
        tokio::spawn(run_housekeeping(Arc::downgrade(&background)));
        tokio::spawn(remind(Arc::downgrade(&background)));
        tokio::spawn(suspend_unused(Arc::downgrade(&background)));
        tokio::spawn(check_audit_logs(Arc::downgrade(&background)));
        background
    }

    /// Starts to follow the changes of keys, so that keys can be kept in memory.
    pub(crate) fn follow(self: &Arc<Self>) {
        tokio::spawn(follow_changes(self.context.db().key_cache().clone(), Arc::downgrade(self)));
    }

    /// Begins a turn of a task. Returns `None` if the task is to end.
    pub(crate) async fn begin_turn(background: &Weak<Self>) -> Option<Turn> {
        let background = background.upgrade()?;
        let running = Arc::clone(&background.turns).read_owned().await;
        (!background.is_ending()).then_some(Turn { background, _running: running })
    }

    /// Whether the tasks end.
    pub(crate) fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Acquire)
    }

    /// Ends the tasks, before the database is closed: a task that found it closed would report a failure that is none.
    /// Waits for running turns, but not for a long one.
    pub(crate) async fn end(&self) {
        self.is_ending.store(true, Ordering::Release);
        tokio::time::timeout(END_WITHIN, self.turns.write()).await.ok();
    }

    /// Compares the clock with what the last server remembered, once the database can be read.
    pub(crate) async fn resume_clock(&self) {
        if self.is_resumed.load(Ordering::Acquire) {
            return;
        }
        match storage::clock::find(self.context.db()).await {
            Ok(remembered) => {
                if let Some(remembered) = remembered {
                    self.context.clock().resume(&remembered);
                }
                self.is_resumed.store(true, Ordering::Release);
            }
            Err(error) => tracing::debug!(%error, "the latest time could not be read; trying again"),
        }
    }

    /// Remembers the time and a jump that was believed, for the next server.
    pub(crate) async fn remember_clock(&self) {
        let clock = self.context.clock();
        let (boot, jump) = (clock.boot(), clock.believed_jump());
        if let Err(error) = storage::clock::store(self.context.db(), clock.now(), boot.as_deref(), jump.as_ref()).await
        {
            tracing::warn!(%error, "the latest time could not be stored; trying again");
        }
    }

    /// Whether something may be stored because of the time. It may turn out to be wrong, after a jump or at the start.
    fn trusts_clock(&self) -> bool {
        self.is_resumed.load(Ordering::Acquire) && self.context.clock().is_confirmed()
    }

    /// Marks expired keys. Returns false if the time is in doubt.
    pub(crate) async fn mark_expired(&self) -> bool {
        if !self.trusts_clock() {
            return false;
        }
        if let Err(error) = storage::keys::mark_expired(self.context.db(), self.context.now()).await {
            tracing::warn!(%error, "expired keys could not be marked; trying again");
        }
        true
    }

    /// Makes the keys valid again that were marked as expired while the clock was ahead.
    /// Returns false if that has to be tried again.
    async fn recover_from_jump(&self) -> bool {
        match storage::keys::unmark_expired(self.context.db(), self.context.now()).await {
            Ok(0) => (),
            Ok(keys) => tracing::warn!(keys, "keys that had been marked as expired by a wrong clock are valid again"),
            Err(error) => {
                tracing::error!(%error, "keys marked as expired by a wrong clock could not be corrected; trying again");
                return false;
            }
        }
        true
    }

    /// Deletes expired sessions, and failed attempts, usage and agents that are no longer needed.
    async fn sweep(&self) {
        let (db, now) = (self.context.db(), self.context.now());
        if let Err(error) = storage::sessions::delete_expired(db, storage::micros(now)).await {
            tracing::warn!(%error, "expired sessions could not be deleted");
        }
        if let Err(error) = storage::gateway_passes::delete_expired(db, now).await {
            tracing::warn!(%error, "expired passes of gateways could not be deleted");
        }
        if let Err(error) = storage::throttle::delete_before(db, now - throttle::WINDOW).await {
            tracing::warn!(%error, "old failed attempts could not be deleted");
        }
        if let Err(error) = storage::remembered_browsers::delete_before(db, now - remembered_browsers::KEPT_FOR).await {
            tracing::warn!(%error, "browsers that were used long ago could not be forgotten");
        }
        if let Err(error) = storage::usage::sweep(db, now - domain::usage::KEPT_FOR).await {
            tracing::warn!(%error, "old usage could not be deleted");
        }
        if let Err(error) = storage::scopes::sweep(db, now - domain::usage::KEPT_FOR).await {
            tracing::warn!(%error, "old usage of scopes could not be deleted");
        }
        if let Err(error) = storage::key_refusals::sweep(db, now - domain::usage::KEPT_FOR).await {
            tracing::warn!(%error, "old rejected requests could not be deleted");
        }
        if let Err(error) = storage::changes::sweep(db).await {
            tracing::warn!(%error, "old changes of keys could not be deleted");
        }
        db.key_cache().tidy();
        if let Err(error) = storage::agents::delete_before(db, now - agents::KEPT_FOR).await {
            tracing::warn!(%error, "inactive agents could not be deleted");
        }
        if let Err(error) = storage::flow_runs::sweep(db, now - backend::KEPT_FOR).await {
            tracing::warn!(%error, "old flow runs could not be deleted");
        }
        if let Err(error) = storage::flows::sweep(db, now - backend::KEPT_FOR).await {
            tracing::warn!(%error, "old versions of flows could not be deleted");
        }
    }
}

/// Reads the changes of keys, so that the keys that are known in memory stay right: often, and when a commit asks for it.
async fn follow_changes(keys: KeyCache, background: Weak<Background>) {
    let mut position = storage::changes::Position::default();
    let mut has_failed = false;
    loop {
        let Some(background) = Background::begin_turn(&background).await else { return keys.end_following() };
        let reading = keys.begin_reading();
        let followed = storage::changes::follow(background.context.db(), &keys, &mut position);
        let outcome = match tokio::time::timeout(FOLLOW_WITHIN, followed).await {
            Ok(outcome) => outcome.map_err(|error| error.to_string()),
            Err(_) => Err("the database doesn't answer".to_owned()),
        };
        keys.end_reading(reading, outcome.is_ok());
        match &outcome {
            Err(error) if !has_failed => {
                tracing::warn!(%error, "changes could not be read; every key is verified in the database until they are");
            }
            Ok(()) if has_failed => tracing::info!("changes are read again"),
            _ => (),
        }
        has_failed = outcome.is_err();
        if has_failed {
            position = storage::changes::Position::default();
        }
        drop(background);
        keys.asked(FOLLOW_EVERY).await;
    }
}

/// Writes recorded usage and deferred audit entries, marks expired keys, and cleans up every [`SWEEP_EVERY`] flushes.
async fn run_housekeeping(background: Weak<Background>) {
    let (mut turn, mut recovers, mut jump) = (0_u32, false, None);
    loop {
        tokio::time::sleep(FLUSH_EVERY).await;
        let Some(background) = Background::begin_turn(&background).await else { return };
        let context = &background.context;
        background.resume_clock().await;
        if let Err(error) = background.usage.flush(context.db(), context.now()).await {
            tracing::warn!(%error, "usage could not be written; trying again");
        }
        if let Err(error) = context.audit().flush_usage().await {
            tracing::warn!(%error, "demanded scopes and rejected requests could not be written; trying again");
        }
        context.audit().write_deferred(Some(context.now())).await;
        pending_changes::finish(context).await;
        if let Err(error) = context.db().ledger().retry().await {
            tracing::debug!(%error, "the revocation ledger still lacks revocations; trying again");
        }
        recovers |= context.clock().take_recovery();
        recovers = recovers && !background.recover_from_jump().await;
        // What is stored must not depend on a time that may turn out to be wrong.
        if !background.mark_expired().await {
            continue;
        }
        turn = turn.wrapping_add(1);
        let believed = context.clock().believed_jump();
        if turn.is_multiple_of(REMEMBER_EVERY) || believed != jump {
            background.remember_clock().await;
            jump = believed;
        }
        if turn.is_multiple_of(SWEEP_EVERY) {
            background.sweep().await;
            if let Err(error) = scopes::finish_removals(context).await {
                tracing::warn!(%error, "a removed scope could not be taken from all keys; trying again");
            }
        }
    }
}

/// Sends due expiry mails. Separate from the housekeeping, because a mail server may be slow.
async fn remind(background: Weak<Background>) {
    loop {
        tokio::time::sleep(REMIND_EVERY).await;
        let Some(background) = Background::begin_turn(&background).await else { return };
        if !background.trusts_clock() {
            continue;
        }
        if let Err(error) = expiry_mail::send_due(&background.context).await {
            tracing::warn!(%error, "expiry mails could not be sent; trying again");
        }
    }
}

/// Verifies the chains of the audit log. Separate from the housekeeping, because a chain may be long.
async fn check_audit_logs(background: Weak<Background>) {
    let mut pause = CHECK_FIRST;
    loop {
        tokio::time::sleep(pause).await;
        let Some(background) = Background::begin_turn(&background).await else { return };
        let context = &background.context;
        let log = AuditLog { audit: context.audit(), fresh_sign_in: context.fresh_sign_in() };
        if let Err(error) = log.check_due(context.now()).await {
            tracing::warn!(%error, "the audit log could not be verified; trying again");
        }
        pause = CHECK_EVERY;
    }
}

/// Suspends unused keys where a key policy requires it. Separate from the housekeeping, because 100,000 keys take
/// minutes.
async fn suspend_unused(background: Weak<Background>) {
    loop {
        tokio::time::sleep(SUSPEND_EVERY).await;
        let Some(background) = Background::begin_turn(&background).await else { return };
        if !background.trusts_clock() {
            continue;
        }
        if let Err(error) = key_policies::suspend_unused(&background.context, &background.usage).await {
            tracing::warn!(%error, "unused keys could not be suspended; trying again");
        }
    }
}

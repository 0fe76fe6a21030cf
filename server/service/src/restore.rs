//! Backups, and what a restored backup must not bring back: keys that were revoked since, removed members, deleted
//! accounts and old passwords. The revocation ledger knows them. Decision 0032.

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use domain::{ApiError, ErrorCode, KeyId, Operation, Owner, ServiceAccountId, TenantId, UserId};
use uuid::Uuid;

use crate::{
    access::{Actor, OPERATOR, Target, authorize, authorize_write},
    context::Context,
    digest::hex,
    error::{Error, OpenError, Result},
    examination::examine,
    keys::pending_changes,
    operator::Admin,
    people::members,
    random,
    storage::{
        self, Db,
        audit::Entry,
        backup::{Counts, Unfinished},
        db::{Ledger, Line, Revoked, read_ledger, retry},
        instant,
        ledger::{RESTORE, RevokedRow, State},
        micros,
    },
    tenants::service_accounts::ServiceAccounts,
};

/// How many of the ledger's last lines must agree with the database before a server starts.
const COMPARED: usize = 100;
/// How many revoked keys are read at once.
const AT_ONCE: u32 = 5_000;
/// How many keys are revoked in one transaction.
const REVOKED_AT_ONCE: usize = 200;
/// Why a key was revoked, as its owner sees it.
const REASON: &str = "revoked before the backup was restored";

/// The result of a backup.
#[derive(Clone, Debug)]
pub struct Backup {
    /// What the file contains.
    pub counts: Counts,
    /// Problems that the database itself has, and so the backup too.
    pub problems: Vec<String>,
}

/// What [`Admin::apply_ledger`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// When, for [`mark_restored`].
    pub at: DateTime<Utc>,
    /// The time of the latest audit entry of the backup.
    pub latest: Option<DateTime<Utc>>,
    /// Keys that were revoked again.
    pub keys: u32,
    /// Service accounts that were deleted again.
    pub accounts: u32,
    /// Members who were removed again.
    pub members: u32,
    /// Email addresses of users whose old password doesn't work, because they had changed it.
    pub passwords: Vec<String>,
    /// Lines of the ledger about what was created after the backup.
    pub unknown: u32,
    /// What couldn't be done again.
    pub problems: Vec<String>,
}

/// A backup that is being restored. Dropping it deletes the copy.
#[derive(Debug)]
pub struct RestoredFile(Unfinished, PathBuf);

impl RestoredFile {
    /// Copies a backup beside the file of a database. `replace`: whether the database may exist.
    ///
    /// # Errors
    /// Field errors at `file`, such as for a file that is in use or can't be read; `CONFLICT` if a process has the
    /// database open.
    pub async fn begin(backup: &Path, database: &Path, replace: bool) -> Result<Self> {
        if database.symlink_metadata().is_ok() {
            if !replace {
                let message = format!(
                    "{} already exists. Stop the server, and add --replace to move it away.",
                    database.display()
                );
                return Err(ApiError::field("file", message).into());
            }
            storage::sole_use::require(database).await?;
        }
        let copy = storage::backup::copy_file(backup, database).await?;
        let opened = Db::open_copy(copy.path()).await?;
        let problems = storage::maintenance::check(&opened).await;
        opened.close().await;
        match problems {
            Ok(problems) if problems.is_empty() => Ok(Self(copy, database.to_owned())),
            Ok(problems) => {
                Err(ApiError::field("file", format!("The backup is damaged: {}.", problems.join(", "))).into())
            }
            Err(_) => Err(ApiError::field("file", "The file isn't a backup of Latchkey.").into()),
        }
    }

    /// The URL of the copy.
    pub fn database_url(&self) -> String {
        format!("sqlite:{}", self.0.path().display())
    }

    /// Moves the database away, if it exists, and gives the copy its name. Returns the new name of the old database. No
    /// process may have either open. `now`: part of that name.
    ///
    /// # Errors
    /// If a process has the database open, or the disk fails.
    pub async fn finish(self, now: DateTime<Utc>) -> Result<Option<PathBuf>> {
        // Leaves no write-ahead log, which would be lost with the old name.
        storage::sole_use::require(self.0.path()).await?;
        let away = if self.1.exists() { Some(move_away(&self.1, now).await?) } else { None };
        self.0.finish()?;
        Ok(away)
    }
}

/// Renames an `SQLite` database that no process has open. Returns its new name.
async fn move_away(database: &Path, now: DateTime<Utc>) -> Result<PathBuf> {
    storage::sole_use::require(database).await?;
    let away = storage::file::with_suffix(database, &now.format(".replaced-%Y%m%dT%H%M%SZ").to_string());
    let failed = |cause| ApiError::field("file", format!("{} can't be moved away: {cause}", database.display()));
    if away.symlink_metadata().is_ok() {
        return Err(ApiError::field("file", format!("{} already exists.", away.display())).into());
    }
    std::fs::rename(database, &away).map_err(failed)?;
    Ok(away)
}

/// Returns the ledger of an `SQLite` database, unless the settings name another one; `None` for any other database.
pub fn ledger_of(database_url: &str) -> Option<PathBuf> {
    storage::file::of_database(database_url).map(|file| storage::file::with_suffix(&file, ".revocations"))
}

/// Checks, without changing anything, that a file is a ledger or can become one.
///
/// # Errors
/// If neither.
pub(crate) fn check_ledger(path: &Path) -> std::result::Result<(), OpenError> {
    storage::db::check_ledger(path).map_err(|cause| unusable(path, &cause))
}

fn unusable(path: &Path, cause: &std::io::Error) -> OpenError {
    OpenError::Ledger(format!("The revocation ledger {} can't be used: {cause}", path.display()))
}

/// Records in a ledger that all of it was applied to a restored backup, at the time in the result. To be called when the
/// database has its final name.
///
/// # Errors
/// `CONFLICT` if the file can't be written.
pub async fn mark_restored(ledger: &Path, restored: &Restored) -> Result<()> {
    let file = Ledger::default();
    let written = match file.open(ledger) {
        Ok(_) => file.write(vec![Line { what: Revoked::Restored, at: restored.at }]).await,
        Err(cause) => Err(cause),
    };
    written.map_err(|cause| {
        let message =
            format!("The revocation ledger {} can't be written: {cause}. Run the command again.", ledger.display());
        ApiError::new(ErrorCode::Conflict, message).into()
    })
}

/// Opens the ledger, so that revocations are appended to it. If it is new, it begins with all revocations that the
/// database has. `verified`: requires that the database has what the ledger says, as a server does, and adds what the
/// ledger lacks.
///
/// # Errors
/// If the file can't be used, or the database is older than its ledger.
pub(crate) async fn open_ledger(context: &Context, path: &Path, verified: bool) -> std::result::Result<(), OpenError> {
    let failed = |cause| unusable(path, &cause);
    let is_new = context.db().ledger().open(path).map_err(failed)?;
    if !verified && !is_new {
        return Ok(());
    }
    let lines = read_ledger(path).map_err(failed)?;
    let of_database = |error: Error| match error {
        Error::Database(cause) => OpenError::Database(cause),
        other => OpenError::Ledger(other.to_string()),
    };
    let mut is_restored = false;
    for line in lines.iter().rev().take(COMPARED) {
        let state = storage::ledger::find_state(context.db(), line).await.map_err(of_database)?;
        // A restored backup never learns of what was created after it.
        let agrees = state == State::Revoked || (is_restored && state == State::Unknown);
        is_restored |= line.what == Revoked::Restored;
        if !agrees
            && is_restored
            && let Revoked::Member { tenant, user } = line.what
        {
            let kept = kept_member(context.db(), TenantId(tenant), UserId(user)).await.map_err(of_database)?;
            return Err(OpenError::Ledger(kept));
        }
        if !agrees {
            return Err(OpenError::Ledger(format!(
                "The database lacks what its revocation ledger {} records: {}. If the database was restored from a \
                 backup, keys that were revoked since would work again: run latchkey restore. If it is a new one, move \
                 the ledger away.",
                path.display(),
                line.to_string().trim_end()
            )));
        }
    }
    // Lines that couldn't be written before the server ended, and those of other servers.
    let known: HashSet<Revoked> = lines.iter().map(|line| line.what).collect();
    let mut missing = list_missing_others(context.db(), &lines).await.map_err(of_database)?;
    let keys = list_missing(context.db(), &known).await.map_err(of_database)?;
    missing.extend(keys.iter().map(RevokedRow::line));
    context.db().ledger().append(missing).await;
    Ok(())
}

/// Returns the lines that a ledger lacks about what isn't a key. Members can be removed and passwords changed again, so
/// their latest time counts.
async fn list_missing_others(db: &Db, lines: &[Line]) -> Result<Vec<Line>> {
    let mut latest = HashMap::new();
    for line in lines {
        let at = latest.entry(line.what).or_insert(line.at);
        *at = line.at.max(*at);
    }
    let is_missing = |line: &Line| match line.what {
        Revoked::Account(_) => !latest.contains_key(&line.what),
        _ => latest.get(&line.what).is_none_or(|at| *at < line.at),
    };
    Ok(storage::ledger::list_others(db).await?.into_iter().filter(is_missing).collect())
}

/// Returns what the operator has to do about a member who was removed after the backup, and can't be removed again as long
/// as they are the tenant's last administrator.
async fn kept_member(db: &Db, tenant: TenantId, user: UserId) -> Result<String> {
    let permit = authorize(&Actor::operator(tenant), Operation::GetTenant, Target::Tenant(tenant))?;
    let slug =
        storage::tenants::find(db, &permit).await?.map_or_else(String::new, |tenant| tenant.slug.as_str().to_owned());
    let email = storage::users::find(db, user).await?.map_or_else(String::new, |user| user.email.into());
    Ok(format!(
        "{email} was removed from the tenant {slug} after the backup was made, but is its last administrator again. Add \
         another one with latchkey admin create-user --tenant {slug} --role TENANT_ADMIN --password-stdin --email EMAIL. \
         Then remove this one with latchkey admin remove-member --tenant {slug} --email {email}."
    ))
}

/// Returns the revoked keys that are in a ledger neither themselves nor by their owner.
async fn list_missing(db: &Db, known: &HashSet<Revoked>) -> Result<Vec<RevokedRow>> {
    let (mut missing, mut after) = (Vec::new(), Uuid::nil());
    loop {
        let rows = storage::ledger::list_revoked(db, after, AT_ONCE).await?;
        let Some(last) = rows.last() else { return Ok(missing) };
        after = last.id;
        missing.extend(
            rows.into_iter().filter(|row| !known.contains(&Revoked::Key(row.id)) && !known.contains(&row.owner())),
        );
    }
}

fn read(path: &Path) -> Result<Vec<Line>> {
    read_ledger(path).map_err(|cause| {
        let message = format!("The revocation ledger {} can't be read: {cause}", path.display());
        ApiError::new(ErrorCode::Conflict, message).into()
    })
}

impl Admin<'_> {
    /// Copies an `SQLite` database into a new file, even while it is in use, and checks the copy: the file, the rows,
    /// and the chains of the audit log, which must contain everything that was in the log before.
    ///
    /// # Errors
    /// A field error at `file` if the file already exists; on `PostgreSQL`, which has its own backup tools; if the copy
    /// is damaged, which is then deleted.
    #[tracing::instrument(skip_all)]
    pub async fn backup(&self, path: &Path) -> Result<Backup> {
        let db = self.context.db();
        let is_current = storage::migrations::missing(db).await.is_ok_and(|missing| missing.is_empty());
        // Of an older version, only the file can be checked.
        let before = if is_current { self.pins().await? } else { Vec::new() };
        let copy = storage::backup::copy(db, path).await?;
        let opened = Db::open_copy(copy.path()).await?;
        let checked = self.find_problems(&opened, &before, is_current).await;
        let counts = storage::backup::count(&opened).await;
        opened.close().await;
        let (problems, counts) = (checked?, counts?);
        if !problems.is_empty() && self.find_problems(db, &[], is_current).await?.is_empty() {
            let message = format!("The backup was damaged, so it was deleted: {}.", problems.join(", "));
            return Err(ApiError::field("file", message).into());
        }
        copy.finish()?;
        Ok(Backup { counts, problems })
    }

    /// Returns the ends of all chains, for a later verification.
    async fn pins(&self) -> Result<Vec<String>> {
        let heads = storage::audit::list_heads(self.context.db()).await?;
        let pin = |head: storage::audit::Head| {
            let hash = hex(&head.hash);
            format!("{}:{}:{hash}", head.slug.as_deref().unwrap_or("-"), head.seq)
        };
        Ok(heads.into_iter().filter(|head| head.seq > 0).map(pin).collect())
    }

    async fn find_problems(&self, db: &Db, pins: &[String], is_current: bool) -> Result<Vec<String>> {
        if !is_current {
            return storage::maintenance::check_file_of(db).await;
        }
        Ok(examine(db, pins, self.context.clock()).await?.problems)
    }

    /// Revokes again what a ledger says was revoked after the backup from which this database was restored, and ends
    /// all sessions, invitations and calendar feeds. Without a ledger, only does the latter. Can be repeated.
    ///
    /// # Errors
    /// `CONFLICT` if the ledger can't be read, or is older than the backup.
    #[tracing::instrument(skip_all)]
    pub async fn apply_ledger(&self, ledger: Option<&Path>) -> Result<Restored> {
        let db = self.context.db();
        let lines = ledger.map(read).transpose()?;
        if let Some(lines) = &lines {
            self.require_newer(lines).await?;
        }
        let latest = storage::ledger::find_latest_entry(db).await?.map(instant);
        let mut restored = Restored { latest, ..Restored::default() };
        let described = lines.as_ref().map_or_else(
            || "without a revocation ledger".to_owned(),
            |lines| {
                let count = lines.len();
                format!("with a revocation ledger of {count} revocation{}", if count == 1 { "" } else { "s" })
            },
        );
        let entry = Entry::by_operator(None, RESTORE, self.context.now(), ("backup", None, "")).with(described);
        restored.at = entry.at;
        retry!(db, tx => {
            storage::ledger::end_temporary_access(tx, micros(self.context.now())).await?;
            storage::audit::insert(tx, &entry).await
        })?;
        // Unfinished changes of the backup first.
        pending_changes::finish(self.context).await;
        let mut keys = Vec::new();
        for line in lines.iter().flatten().filter(|line| line.what != Revoked::Restored) {
            match storage::ledger::find_state(db, line).await? {
                State::Revoked => (),
                State::Unknown => restored.unknown += 1,
                State::Accepted => self.apply(line, &mut keys, &mut restored).await?,
            }
        }
        restored.keys = self.revoke_again(keys).await?;
        Ok(restored)
    }

    /// Every key that was revoked before the backup must be in the ledger. Otherwise, it is older or another database's.
    async fn require_newer(&self, lines: &[Line]) -> Result<()> {
        let known = lines.iter().map(|line| line.what).collect();
        let missing = list_missing(self.context.db(), &known).await?;
        let Some(first) = missing.first() else { return Ok(()) };
        let message = format!(
            "The revocation ledger is older than the backup, or that of another database: it lacks the revocation of the \
             key {}. Use the ledger from beside the database, not an old copy.",
            first.id
        );
        Err(ApiError::new(ErrorCode::Conflict, message).into())
    }

    async fn apply(&self, line: &Line, keys: &mut Vec<KeyId>, restored: &mut Restored) -> Result<()> {
        match line.what {
            Revoked::Key(key) => keys.push(KeyId(key)),
            Revoked::Account(account) => {
                let account = ServiceAccountId(account);
                let Some(tenant) = storage::ledger::find_tenant_of_account(self.context.db(), account).await? else {
                    return Ok(());
                };
                ServiceAccounts { context: self.context }.delete(&Actor::operator(tenant), account).await?;
                restored.accounts += 1;
            }
            Revoked::Member { tenant, user } => match self.remove_again(TenantId(tenant), UserId(user)).await {
                Ok(()) => restored.members += 1,
                // The last administrator.
                Err(Error::Rule(_)) => {
                    restored.problems.push(kept_member(self.context.db(), TenantId(tenant), UserId(user)).await?);
                }
                Err(error) => return Err(error),
            },
            Revoked::Restored => (),
            Revoked::Password(user) => restored.passwords.push(self.forget_password(UserId(user)).await?),
        }
        Ok(())
    }

    async fn remove_again(&self, tenant: TenantId, user: UserId) -> Result<()> {
        let operator = Actor::operator(tenant);
        let permit = self.context.permit_write(&operator, Operation::RemoveMember, Target::Tenant(tenant)).await?;
        let now = self.context.now();
        let entry = |member: &domain::Member| {
            let subject = ("user", user.0, member.name.as_str());
            Entry::by(&operator, Operation::RemoveMember, now, subject).with("removed before the backup was restored")
        };
        retry!(self.context.db(), tx => {
            members::remove(tx, &permit, user, now, OPERATOR, entry).await
        })?;
        pending_changes::finish(self.context).await;
        Ok(())
    }

    /// Replaces a password that was changed after the backup with one that nobody knows. Returns the email address.
    async fn forget_password(&self, user: UserId) -> Result<String> {
        let found = storage::users::find(self.context.db(), user).await?;
        let email = found.map_or_else(String::new, |user| user.email.into());
        let hash = self.hasher.hash(random::draw_link_secret()).await?;
        let entry = self.entry_about_user(Operation::ChangePassword.as_str(), user, &email);
        let entry = entry.with("changed before the backup was restored, so the old one was removed");
        retry!(self.context.db(), tx => {
            storage::users::update_password(tx, user, &hash, entry.at).await?;
            storage::audit::insert(tx, &entry).await
        })?;
        Ok(email)
    }

    /// Revokes keys, with an audit entry for each. Returns how many weren't revoked before.
    async fn revoke_again(&self, mut keys: Vec<KeyId>) -> Result<u32> {
        keys.sort_unstable_by_key(|key| key.0);
        keys.dedup();
        let mut places = Vec::new();
        for key in keys {
            if let Some((tenant, owner)) = storage::keys::find_tenant_and_owner(self.context.db(), key).await? {
                places.push((tenant, key, owner));
            }
        }
        places.sort_by_key(|(tenant, key, _)| (tenant.0, key.0));
        let mut revoked = 0;
        for of_tenant in places.chunk_by(|one, other| one.0 == other.0) {
            for some in of_tenant.chunks(REVOKED_AT_ONCE) {
                revoked += self.revoke_some(some).await?;
            }
        }
        Ok(revoked)
    }

    async fn revoke_some(&self, keys: &[(TenantId, KeyId, Owner)]) -> Result<u32> {
        let Some((tenant, ..)) = keys.first() else { return Ok(0) };
        let (operator, now) = (Actor::operator(*tenant), self.context.now());
        let count = retry!(self.context.db(), for *tenant, tx => {
            storage::tenants::lock_tenant(tx, *tenant).await?;
            let mut entries = Vec::new();
            for (tenant, id, owner) in keys {
                let permit = authorize_write(&operator, Operation::RevokeApiKey, Target::Owner(*tenant, *owner))?;
                if storage::keys::revoke(tx, &permit, *id, now, OPERATOR, REASON).await? {
                    let name = storage::keys::find_in(tx, &permit, *id).await?.map(|key| key.name);
                    let name = name.as_ref().map_or("", |name| name.as_str());
                    let entry = Entry::by(&operator, Operation::RevokeApiKey, now, ("api_key", id.0, name));
                    entries.push(entry.with(REASON));
                }
            }
            for entry in &entries {
                storage::audit::insert(tx, entry).await?;
            }
            Ok(entries.len())
        })?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }
}

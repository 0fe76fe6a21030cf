//! The revocation ledger: a file outside of the database, to which every revocation is appended after its commit. A
//! restored backup learns from it what was revoked since. Decision 0032.

use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, SecondsFormat, Utc};
use uuid::Uuid;

use super::super::file;

/// The first line of the file.
const HEADER: &str = "# Revocations of a Latchkey database, version 1. latchkey restore reads them.\n";

/// What was revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Revoked {
    /// A key.
    Key(Uuid),
    /// A service account, with its keys.
    Account(Uuid),
    /// The membership of a user in a tenant, with the user's keys there.
    Member { tenant: Uuid, user: Uuid },
    /// A user's password, by a new one.
    Password(Uuid),
    /// Nothing: everything above was revoked again in a restored backup, which may not know all of it.
    Restored,
}

/// A line of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) what: Revoked,
    pub(crate) at: DateTime<Utc>,
}

impl fmt::Display for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at.to_rfc3339_opts(SecondsFormat::Micros, true);
        match self.what {
            Revoked::Key(key) => writeln!(formatter, "key {key} {at}"),
            Revoked::Account(account) => writeln!(formatter, "account {account} {at}"),
            Revoked::Member { tenant, user } => writeln!(formatter, "member {user} of {tenant} {at}"),
            Revoked::Password(user) => writeln!(formatter, "password {user} {at}"),
            Revoked::Restored => writeln!(formatter, "restored {at}"),
        }
    }
}

impl FromStr for Line {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let id = |text: &str| Uuid::try_parse(text).map_err(drop);
        let words: Vec<&str> = text.split(' ').collect();
        let (what, at) = match words[..] {
            ["key", key, at] => (Revoked::Key(id(key)?), at),
            ["account", account, at] => (Revoked::Account(id(account)?), at),
            ["member", user, "of", tenant, at] => (Revoked::Member { tenant: id(tenant)?, user: id(user)? }, at),
            ["password", user, at] => (Revoked::Password(id(user)?), at),
            ["restored", at] => (Revoked::Restored, at),
            _ => return Err(()),
        };
        Ok(Self { what, at: DateTime::parse_from_rfc3339(at).map_err(drop)?.to_utc() })
    }
}

/// The ledger of a database; closed until [`Ledger::open`]. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    file: Mutex<Option<File>>,
    /// Lines that aren't in the file yet.
    waiting: Mutex<Vec<Line>>,
}

impl Ledger {
    /// Opens the file for appending. Creates it if it is missing, for its owner alone, and then returns true. Removes
    /// the rest of a line that was being written when a process ended.
    ///
    /// # Errors
    /// If the file can't be read or written, or isn't a ledger.
    pub(crate) fn open(&self, path: &Path) -> io::Result<bool> {
        let (mut file, is_new) = match file::create_private(path) {
            Ok(file) => (file, true),
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {
                file::require_regular(&path.metadata()?)?;
                file::warn_if_shared(path);
                (OpenOptions::new().read(true).write(true).open(path)?, false)
            }
            Err(cause) => return Err(cause),
        };
        file.lock()?;
        let prepared = prepare(&mut file);
        file.unlock()?;
        prepared?;
        if is_new && let Some(folder) = path.parent() {
            file::sync_folder(folder)?;
        }
        *lock(&self.0.file) = Some(file);
        Ok(is_new)
    }

    /// Whether the file is open.
    pub(crate) fn is_open(&self) -> bool {
        lock(&self.0.file).is_some()
    }

    /// Appends lines, and returns when they are on the disk. Lines that can't be written are logged, and written later
    /// by [`Ledger::retry`]. Does nothing while the ledger is closed.
    ///
    /// NOTE: the revocations are committed already. They don't fail because of the ledger.
    pub(crate) async fn append(&self, lines: Vec<Line>) {
        if let Err(cause) = self.write(lines).await {
            tracing::error!(%cause, "a revocation couldn't be written to the revocation ledger; trying again");
        }
    }

    /// Appends the lines that couldn't be written before. Usually there are none.
    ///
    /// # Errors
    /// If they still can't be written. They are kept.
    pub(crate) async fn retry(&self) -> io::Result<()> {
        if lock(&self.0.waiting).is_empty() {
            return Ok(());
        }
        self.write_waiting().await?;
        tracing::info!("the revocation ledger has every revocation again");
        Ok(())
    }

    /// Like [`Ledger::append`], but returns the error.
    pub(crate) async fn write(&self, lines: Vec<Line>) -> io::Result<()> {
        if lines.is_empty() || !self.is_open() {
            return Ok(());
        }
        lock(&self.0.waiting).extend(lines);
        self.write_waiting().await
    }

    async fn write_waiting(&self) -> io::Result<()> {
        let inner = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || inner.write()).await.map_err(io::Error::other)?
    }
}

impl Inner {
    /// Writes what is waiting. Whoever waits for the file meanwhile finds their lines written.
    fn write(&self) -> io::Result<()> {
        let mut file = lock(&self.file);
        let Some(file) = file.as_mut() else { return Ok(()) };
        let lines = std::mem::take(&mut *lock(&self.waiting));
        if lines.is_empty() {
            return Ok(());
        }
        let text: String = lines.iter().map(ToString::to_string).collect();
        let written = append(file, text.as_bytes());
        if written.is_err() {
            drop(lock(&self.waiting).splice(..0, lines));
        }
        written
    }
}

/// Appends bytes as a whole, or not at all. Other processes may append to the same file.
fn append(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    file.lock()?;
    let before = file.seek(SeekFrom::End(0));
    let written = before.and_then(|before| {
        let written = file.write_all(bytes).and_then(|()| file.sync_data());
        if written.is_err() {
            file.set_len(before)?;
        }
        written
    });
    file.unlock()?;
    written
}

/// Writes the header of a new file, or removes an incomplete last line.
fn prepare(file: &mut File) -> io::Result<()> {
    let mut text = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut text)?;
    if text.is_empty() {
        file.write_all(HEADER.as_bytes())?;
        return file.sync_all();
    }
    require_header(&text)?;
    let complete = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    if complete < text.len() {
        file.set_len(complete as u64)?;
    }
    Ok(())
}

/// Checks, without changing anything, that [`Ledger::open`] will find a ledger or a folder for a new one.
///
/// # Errors
/// If there is neither.
pub(crate) fn check(path: &Path) -> io::Result<()> {
    match file::open_regular(path) {
        Ok(file) => {
            let mut begin = Vec::new();
            file.take(HEADER.len() as u64).read_to_end(&mut begin)?;
            require_header(&begin)
        }
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => file::require_folder_of(path),
        Err(cause) => Err(cause),
    }
}

/// Accepts an empty file too.
fn require_header(text: &[u8]) -> io::Result<()> {
    if text.is_empty() || text.starts_with(HEADER.as_bytes()) {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "it isn't a revocation ledger of this version"))
}

/// Reads a ledger. Leaves out a last line that was being written when a process ended.
///
/// # Errors
/// If the file can't be read, or a line isn't one of a ledger.
pub(crate) fn read_ledger(path: &Path) -> io::Result<Vec<Line>> {
    let invalid = |problem: String| io::Error::new(io::ErrorKind::InvalidData, problem);
    let mut text = String::new();
    file::open_regular(path)?.read_to_string(&mut text)?;
    let Some(rest) = text.strip_prefix(HEADER) else {
        return Err(invalid("it isn't a revocation ledger of this version".to_owned()));
    };
    let complete = &rest[..rest.rfind('\n').map_or(0, |last| last + 1)];
    let lines = complete.lines().enumerate();
    lines
        .map(|(number, line)| line.parse().map_err(|()| invalid(format!("line {} isn't a revocation", number + 2))))
        .collect()
}

/// The revocations of a transaction, for the ledger.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    ledger: Ledger,
    lines: Vec<Line>,
}

impl Notes {
    pub(super) fn of(ledger: &Ledger) -> Self {
        Self { ledger: ledger.clone(), lines: Vec::new() }
    }

    pub(super) fn add(&mut self, line: Line) {
        self.lines.push(line);
    }

    /// Appends the lines to the ledger. To be called after the commit.
    pub(super) async fn write(self) {
        self.ledger.append(self.lines).await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: u128) -> Line {
        Line { what: Revoked::Key(Uuid::from_u128(number)), at: DateTime::UNIX_EPOCH }
    }

    #[test]
    fn every_line_can_be_read_again() {
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let at = DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap();
        let member = Revoked::Member { tenant: one, user: two };
        for what in [Revoked::Key(one), Revoked::Account(one), member, Revoked::Password(two), Revoked::Restored] {
            let line = Line { what, at };
            assert_eq!(line.to_string().trim_end().parse(), Ok(line));
        }
        for text in ["", "key", "key x 2026-01-01T00:00:00Z", "key 00000000-0000-0000-0000-000000000001 today"] {
            assert!(text.parse::<Line>().is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn lines_that_could_not_be_written_are_written_later() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let ledger = Ledger::default();
        ledger.open(&path).unwrap();
        // Fails like a full disk.
        let file = lock(&ledger.0.file).replace(File::open(&path).unwrap());
        ledger.append(vec![line(1)]).await;
        assert!(ledger.retry().await.is_err());
        assert_eq!(read_ledger(&path).unwrap(), []);
        *lock(&ledger.0.file) = file;
        ledger.retry().await.unwrap();
        ledger.retry().await.unwrap();
        assert_eq!(read_ledger(&path).unwrap(), [line(1)]);
    }

    #[tokio::test]
    async fn a_line_that_was_being_written_is_removed_and_a_damaged_one_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let ledger = Ledger::default();
        ledger.append(vec![line(1)]).await;
        assert!(ledger.open(&path).unwrap(), "creates the file");
        ledger.append(vec![line(2), line(3)]).await;
        assert_eq!(read_ledger(&path).unwrap(), [line(2), line(3)]);
        let whole = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{whole}key 0000")).unwrap();
        assert_eq!(read_ledger(&path).unwrap(), [line(2), line(3)]);
        assert!(!Ledger::default().open(&path).unwrap(), "it exists");
        ledger.append(vec![line(4)]).await;
        assert_eq!(read_ledger(&path).unwrap(), [line(2), line(3), line(4)]);
        std::fs::write(&path, whole.replace("\nkey", "\nkee")).unwrap();
        assert!(read_ledger(&path).unwrap_err().to_string().contains("line 2"));
        std::fs::write(&path, "notes\n").unwrap();
        assert!(read_ledger(&path).is_err() && Ledger::default().open(&path).is_err());
    }
}

//! The secret keys of a running server: reading them, and encrypting and decrypting with them.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, Utc};
use domain::{ApiError, ErrorCode, Secret};
use uuid::Uuid;

use super::{key::SecretKey, key_file};
use crate::{
    error::{Error, OpenError, Result},
    storage::{
        self, Db,
        sealed::{Purpose, Sealed},
    },
};

/// Where the secret keys are kept.
#[derive(Clone, Debug, Default)]
pub enum SecretKeys {
    /// In a file beside an `SQLite` database, named like it with `.key` at the end, which is created when it is first
    /// needed. With any other database, there are no keys.
    #[default]
    Beside,
    /// In a file that must exist.
    File(PathBuf),
    /// In the settings themselves: keys in Base64, separated by spaces or commas.
    Text(Secret),
}

/// The secret keys, read when they are first needed.
#[derive(Debug)]
pub(crate) struct Secrets {
    pub(super) source: Source,
    pub(super) keys: Mutex<Arc<Vec<SecretKey>>>,
}

#[derive(Debug)]
pub(super) enum Source {
    /// A file. `creates`: whether it is created if it is missing and the database needs no key yet.
    File {
        path: PathBuf,
        creates: bool,
    },
    Text(Secret),
    None,
}

/// Returns the file with the secret keys of an `SQLite` database, unless the settings name another one; `None` for any
/// other database.
pub fn file_of(database_url: &str) -> Option<PathBuf> {
    storage::file::of_database(database_url).map(|database| beside(&database))
}

fn beside(database: &Path) -> PathBuf {
    storage::file::with_suffix(database, ".key")
}

impl Secrets {
    /// Returns the file with the keys, whether or not it exists.
    pub(crate) fn file(&self) -> Option<&Path> {
        match &self.source {
            Source::File { path, .. } => Some(path),
            Source::Text(_) | Source::None => None,
        }
    }

    /// Reads no file yet. `database`: the database's file, if it has one.
    pub(crate) fn new(keys: SecretKeys, database: Option<&Path>) -> Self {
        let source = match (keys, database) {
            (SecretKeys::Text(text), _) => Source::Text(text),
            (SecretKeys::File(path), _) => Source::File { path, creates: false },
            (SecretKeys::Beside, Some(database)) => Source::File { path: beside(database), creates: true },
            (SecretKeys::Beside, None) => Source::None,
        };
        Self { source, keys: Mutex::default() }
    }

    /// Reads the keys, and checks that every key that the database needs is among them. If the database needs none yet,
    /// registers the first one; creates it if it is kept beside the database.
    ///
    /// # Errors
    /// When a key is missing or can't be read, or the database fails.
    pub(crate) async fn unlock(&self, db: &Db, now: DateTime<Utc>) -> std::result::Result<(), OpenError> {
        let failed = |error: Error| match error {
            Error::Database(cause) => OpenError::Database(cause),
            other => OpenError::SecretKeys(other.to_string()),
        };
        self.read().map_err(OpenError::SecretKeys)?;
        if storage::sealed::list_key_ids(db).await.map_err(failed)?.is_empty() {
            if self.all().is_empty() {
                self.create_missing().map_err(OpenError::SecretKeys)?;
            }
            let Some(first) = self.all().first().map(|key| key.id().to_owned()) else { return Ok(()) };
            storage::sealed::insert_key_id(db, &first, now).await.map_err(failed)?;
        }
        let missing = self.missing(db).await.map_err(failed)?;
        if missing.is_empty() { Ok(()) } else { Err(OpenError::SecretKeys(self.describe_missing(&missing))) }
    }

    /// Reads the keys, without asking the database which ones it needs.
    ///
    /// # Errors
    /// When they can't be read, or the settings name a file that doesn't exist.
    pub(crate) fn check_source(&self) -> std::result::Result<(), OpenError> {
        self.load().map(drop).map_err(OpenError::SecretKeys)
    }

    /// Returns the problems with the keys; none if the database needs no key, or all of its keys are there.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn check(&self, db: &Db) -> Result<Vec<String>> {
        if let Err(problem) = self.read() {
            return Ok(vec![problem]);
        }
        let missing = self.missing(db).await?;
        Ok(if missing.is_empty() { Vec::new() } else { vec![self.describe_missing(&missing)] })
    }

    /// Returns the ids of the keys that the database needs and that are lost.
    ///
    /// # Errors
    /// `CONFLICT` if the keys that are there can't be read.
    pub(crate) async fn list_lost(&self, db: &Db) -> Result<Vec<String>> {
        self.read().map_err(|problem| ApiError::new(ErrorCode::Conflict, problem))?;
        self.missing(db).await
    }

    /// Encrypts a value of a row with the database's current key.
    ///
    /// # Errors
    /// `CONFLICT` if the operator hasn't set a key.
    pub(crate) async fn seal(
        &self,
        db: &Db,
        now: DateTime<Utc>,
        purpose: Purpose,
        row: Uuid,
        value: &[u8],
    ) -> Result<Sealed> {
        let mut ids = storage::sealed::list_key_ids(db).await?;
        if ids.is_empty() {
            self.unlock(db, now).await.map_err(|cause| Error::Fault(cause.to_string()))?;
            ids = storage::sealed::list_key_ids(db).await?;
        }
        let Some(current) = ids.first() else {
            let message =
                "This needs a secret key, and this server has none. Ask the operator of Latchkey to create one.";
            return Err(ApiError::new(ErrorCode::Conflict, message).into());
        };
        let sealed = self.key(current)?.seal(purpose, row, value);
        sealed.ok_or_else(|| Error::Fault("a value is too long to encrypt".to_owned()))
    }

    /// Decrypts a value of a row.
    ///
    /// # Errors
    /// When its key is missing, or the value was changed or moved.
    pub(crate) fn open(&self, purpose: Purpose, row: Uuid, sealed: &Sealed) -> Result<Vec<u8>> {
        let opened = self.key(&sealed.key_id)?.open(purpose, row, sealed);
        opened.ok_or_else(|| {
            Error::Fault(format!("the {} of {row} can't be decrypted: it was changed", purpose.as_str()))
        })
    }

    /// Returns a key. Reads the file again if the key isn't known, because another process may have added it.
    pub(super) fn key(&self, id: &str) -> Result<SecretKey> {
        let find = || self.all().iter().find(|key| key.id() == id).cloned();
        let found = find().or_else(|| match self.read() {
            Ok(()) => find(),
            Err(error) => {
                tracing::error!(error, "the secret keys can't be read");
                None
            }
        });
        found.ok_or_else(|| Error::Fault(self.describe_missing(&[id.to_owned()])))
    }

    pub(super) fn all(&self) -> Arc<Vec<SecretKey>> {
        Arc::clone(&self.keys.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the keys from where they are kept.
    ///
    /// # Errors
    /// A sentence that says what is wrong with them.
    pub(super) fn read(&self) -> std::result::Result<(), String> {
        let keys = self.load()?;
        if let Some(path) = self.file() {
            storage::file::warn_if_shared(path);
        }
        *self.keys.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
        Ok(())
    }

    fn load(&self) -> std::result::Result<Vec<SecretKey>, String> {
        Ok(match &self.source {
            Source::None => Vec::new(),
            Source::Text(text) => key_file::parse(text.expose())
                .map_err(|cause| format!("The setting LATCHKEY_SECRET_KEY is invalid: {cause}."))?,
            Source::File { path, creates } => match key_file::read(path)? {
                Some(keys) => keys,
                None if *creates => Vec::new(),
                None => {
                    let path = path.display();
                    return Err(format!("There is no secret key file {path}. Create it with latchkey secrets init."));
                }
            },
        })
    }

    /// Creates the file beside the database, unless another process has just done so.
    pub(super) fn create_missing(&self) -> std::result::Result<(), String> {
        if let Source::File { path, creates: true } = &self.source {
            if key_file::create(path)?.is_some() {
                tracing::info!(path = %path.display(), "created the secret key file; keep a copy of it in a safe place");
            }
            self.read()?;
        }
        Ok(())
    }

    /// Returns the ids of the keys that the database needs and that aren't there.
    pub(super) async fn missing(&self, db: &Db) -> Result<Vec<String>> {
        let (needed, all) = (storage::sealed::list_key_ids(db).await?, self.all());
        Ok(needed.into_iter().filter(|id| all.iter().all(|key| key.id() != id)).collect())
    }

    pub(super) fn describe_missing(&self, ids: &[String]) -> String {
        let (ids, plural) = (ids.join(", "), if ids.len() == 1 { "" } else { "s" });
        let place = match &self.source {
            Source::File { path, .. } if path.exists() => format!("which {} doesn't contain", path.display()),
            Source::File { path, .. } => format!("and there is no secret key file {}", path.display()),
            Source::Text(_) => "which LATCHKEY_SECRET_KEY doesn't contain".to_owned(),
            Source::None => "and neither --secret-key-file nor LATCHKEY_SECRET_KEY is set".to_owned(),
        };
        format!(
            "Secrets in this database are encrypted with the secret key{plural} {ids}, {place}. Restore the file or the \
             setting from your copy. If the key is lost, run latchkey secrets discard-lost."
        )
    }
}

//! Rotation of the secret keys: a new key encrypts everything again, then the old ones are removed.

use std::path::Path;

use chrono::{DateTime, Utc};
use domain::{ApiError, ErrorCode};

use super::{
    key::SecretKey,
    key_file,
    store::{Secrets, Source},
};
use crate::{
    error::{Error, Result},
    storage::{self, Db, db::retry, sealed::Purpose},
};

/// How often keys that are still needed are tried again.
const MAX_PASSES: u32 = 5;

/// The outcome of a rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// The id of the key that everything is encrypted with now.
    pub key_id: String,
    /// How many values were encrypted again.
    pub values: u64,
    /// The ids of the keys that the database no longer needs. They were removed from the key file.
    pub retired: Vec<String>,
}

/// Creates a key file with one new key. Returns the key's id.
///
/// # Errors
/// `CONFLICT` if the file exists or can't be created.
pub fn create_file(path: &Path) -> Result<String> {
    match key_file::create(path) {
        Ok(Some(key)) => Ok(key.id().to_owned()),
        Ok(None) => Err(refusal(format!("The file {} already exists. It wasn't changed.", path.display()))),
        Err(cause) => Err(refusal(cause)),
    }
}

impl Secrets {
    /// Adds a new key to the key file, for a later rotation. Returns the key's id.
    ///
    /// # Errors
    /// `CONFLICT` if there is no key file, or it can't be changed.
    pub(crate) fn prepare(&self) -> Result<String> {
        self.read().map_err(refusal)?;
        self.add_key().map(|key| key.id().to_owned())
    }

    /// Encrypts everything with another key: with one that the database doesn't know yet, or with a new one, which is
    /// added to the key file. Then removes the old keys. Continues a rotation that was broken off. Servers may go on
    /// running: they read the file again when they need the new key.
    ///
    /// # Errors
    /// `CONFLICT` if a key is missing, or the file can't be changed.
    pub(crate) async fn rotate(&self, db: &Db, now: DateTime<Utc>) -> Result<Rotation> {
        self.unlock(db, now).await.map_err(|cause| refusal(cause.to_string()))?;
        let needed = storage::sealed::list_key_ids(db).await?;
        let current = if needed.len() > 1 {
            self.key(&needed[0])?
        } else {
            let key = self.choose_key(&needed)?;
            storage::sealed::insert_key_id(db, key.id(), now).await?;
            key
        };
        let mut rotation = Rotation { key_id: current.id().to_owned(), values: 0, retired: Vec::new() };
        for _ in 0..MAX_PASSES {
            rotation.values += self.encrypt_again(db, &current).await?;
            let mut left = false;
            for id in storage::sealed::list_key_ids(db).await?.into_iter().filter(|id| id != current.id()) {
                if storage::sealed::delete_key_id(db, &id).await? {
                    rotation.retired.push(id);
                } else {
                    // A value was encrypted with it a moment ago.
                    left = true;
                }
            }
            if !left {
                self.remove_keys(&rotation.retired)?;
                return Ok(rotation);
            }
        }
        Err(refusal("The old secret key is still in use. Run the command again.".to_owned()))
    }

    async fn encrypt_again(&self, db: &Db, current: &SecretKey) -> Result<u64> {
        let mut count = 0;
        for purpose in Purpose::ALL {
            loop {
                let rows = storage::sealed::list_outdated(db, purpose, current.id()).await?;
                if rows.is_empty() {
                    break;
                }
                retry!(db, tx => {
                    for (row, old) in &rows {
                        let value = self.open(purpose, *row, old)?;
                        let new = current.seal(purpose, *row, &value);
                        let new = new.ok_or_else(|| Error::Fault("a value is too long to encrypt".to_owned()))?;
                        storage::sealed::replace(tx, purpose, *row, old, &new).await?;
                    }
                    Ok(())
                })?;
                count += rows.len() as u64;
            }
        }
        Ok(count)
    }

    /// Returns the one key that the database doesn't know yet, or a new one.
    fn choose_key(&self, needed: &[String]) -> Result<SecretKey> {
        let all = self.all();
        let mut unused = all.iter().filter(|key| !needed.iter().any(|id| id == key.id()));
        match (unused.next(), unused.next()) {
            (None, _) => self.add_key(),
            (Some(key), None) => Ok(key.clone()),
            (Some(_), Some(_)) => {
                Err(refusal("There is more than one unused secret key. Remove all but one of them.".to_owned()))
            }
        }
    }

    fn add_key(&self) -> Result<SecretKey> {
        let path = match &self.source {
            Source::File { path, .. } => path,
            Source::Text(_) => {
                let message = "The keys are in LATCHKEY_SECRET_KEY. Add a new key there, from openssl rand -base64 32, \
                               restart every server with it, and run latchkey secrets rotate again.";
                return Err(refusal(message.to_owned()));
            }
            Source::None => {
                return Err(refusal("No secret key is set. Set --secret-key-file.".to_owned()));
            }
        };
        let key = SecretKey::draw();
        let keys: Vec<SecretKey> = self.all().iter().cloned().chain([key.clone()]).collect();
        key_file::replace(path, &keys).and_then(|()| self.read()).map_err(refusal)?;
        Ok(key)
    }

    fn remove_keys(&self, ids: &[String]) -> Result<()> {
        let Source::File { path, .. } = &self.source else { return Ok(()) };
        let keys: Vec<SecretKey> =
            self.all().iter().filter(|key| !ids.iter().any(|id| id == key.id())).cloned().collect();
        key_file::replace(path, &keys).and_then(|()| self.read()).map_err(refusal)
    }
}

fn refusal(message: String) -> Error {
    ApiError::new(ErrorCode::Conflict, message).into()
}

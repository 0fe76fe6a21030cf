//! The last use of keys: noted in memory by the request, written in batches beside it.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use domain::{ApiKey, KeyId, LastUse};

use crate::{Result, storage, storage::Db};

/// Uses that are not in the database yet: at most one for each key.
#[derive(Debug, Default)]
pub(crate) struct Uses(Mutex<HashMap<KeyId, LastUse>>);

impl Uses {
    /// Notes a use. Never waits for anything but the map.
    pub(crate) fn note(&self, key: KeyId, last: LastUse) {
        self.lock().insert(key, last);
    }

    /// Whether the key was used and that is not written yet.
    pub(crate) fn is_pending(&self, key: KeyId) -> bool {
        self.lock().contains_key(&key)
    }

    /// Shows uses that are not written yet.
    pub(crate) fn overlay<'k>(&self, keys: impl IntoIterator<Item = &'k mut ApiKey>) {
        let pending = self.lock();
        for key in keys {
            if let Some(last) = pending.get(&key.id) {
                key.last_used = Some(last.clone());
            }
        }
    }

    /// Writes what is there, in one transaction. What can't be written is tried again with the next batch.
    pub(crate) async fn flush(&self, db: &Db) -> Result<()> {
        let batch: Vec<(KeyId, LastUse)> = self.lock().iter().map(|(key, last)| (*key, last.clone())).collect();
        if batch.is_empty() {
            return Ok(());
        }
        let written = batch.clone();
        db.write(move |tx| {
            Box::pin(async move {
                for (key, last) in &written {
                    storage::keys::update_last_use(tx, *key, last).await?;
                }
                Ok(())
            })
        })
        .await?;
        let mut pending = self.lock();
        for (key, last) in batch {
            if pending.get(&key) == Some(&last) {
                pending.remove(&key);
            }
        }
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<KeyId, LastUse>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Values that are encrypted with a secret key of the service, and which keys the database needs. The keys themselves
//! are never in the database.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    Db, Tx,
    db::{change, read, run},
    micros,
};
use crate::error::{Error, Result};

/// An encrypted value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sealed {
    /// The id of the secret key.
    pub(crate) key_id: String,
    /// The nonce and the encrypted value with its authentication code.
    pub(crate) bytes: Vec<u8>,
}

/// A column with encrypted values. Its name is part of what each value is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// `second_factors.secret`, by user.
    SecondFactor,
}

impl Purpose {
    /// Every column with encrypted values, for a rotation of the secret keys.
    pub(crate) const ALL: [Self; 1] = [Self::SecondFactor];

    /// Returns the name.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::SecondFactor => "second_factor",
        }
    }

    fn select_outdated(self) -> &'static str {
        match self {
            Self::SecondFactor => {
                "SELECT user_id, secret_key_id, secret FROM second_factors WHERE secret_key_id <> $1 LIMIT 100"
            }
        }
    }

    fn replace(self) -> &'static str {
        match self {
            Self::SecondFactor => {
                "UPDATE second_factors SET secret_key_id = $2, secret = $3 WHERE user_id = $1 AND secret = $4"
            }
        }
    }
}

/// Returns the ids of the secret keys that the database needs. The first encrypts new values.
pub(crate) async fn list_key_ids(db: &Db) -> Result<Vec<String>> {
    Ok(read!(db, c =>
        sqlx::query_scalar("SELECT id FROM secret_keys ORDER BY created_at DESC, id").fetch_all(c))?)
}

/// Adds a secret key, which encrypts new values from then on. Does nothing if it is there already.
pub(crate) async fn insert_key_id(db: &Db, id: &str, at: DateTime<Utc>) -> Result<()> {
    let mut tx = db.begin().await?;
    let latest: Option<i64> =
        run!(&mut tx, c => sqlx::query_scalar("SELECT MAX(created_at) FROM secret_keys").fetch_one(c))?;
    // Later than every other one, even if the clock was set back.
    let at = latest.map_or(micros(at), |latest| micros(at).max(latest + 1));
    change!(
        &mut tx,
        sqlx::query("INSERT INTO secret_keys (id, created_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING")
            .bind(id)
            .bind(at)
    )?;
    tx.commit().await
}

/// Removes a secret key. Returns false if a value is still encrypted with it.
pub(crate) async fn delete_key_id(db: &Db, id: &str) -> Result<bool> {
    let mut tx = db.begin().await?;
    let deleted = change!(&mut tx, sqlx::query("DELETE FROM secret_keys WHERE id = $1").bind(id));
    match deleted.map_err(Error::from) {
        Ok(_) => tx.commit().await.map(|()| true),
        Err(error) if error.is_foreign_key_violation() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Returns up to a hundred values of a column that are encrypted with another key than `current`, by row.
pub(crate) async fn list_outdated(db: &Db, purpose: Purpose, current: &str) -> Result<Vec<(Uuid, Sealed)>> {
    let rows: Vec<(Uuid, String, Vec<u8>)> =
        read!(db, c => sqlx::query_as(purpose.select_outdated()).bind(current).fetch_all(c))?;
    Ok(rows.into_iter().map(|(row, key_id, bytes)| (row, Sealed { key_id, bytes })).collect())
}

/// Replaces a value, unless it was changed meanwhile.
pub(crate) async fn replace(tx: &mut Tx, purpose: Purpose, row: Uuid, old: &Sealed, new: &Sealed) -> Result<()> {
    change!(
        tx,
        sqlx::query(purpose.replace())
            .bind(row)
            .bind(new.key_id.as_str())
            .bind(new.bytes.as_slice())
            .bind(old.bytes.as_slice())
    )?;
    Ok(())
}

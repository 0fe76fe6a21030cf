//! Counts the rows of a list, up to a limit.

use domain::Total;

use super::{
    Db,
    db::read_list,
    query::{Conditions, statement},
};
use crate::error::Result;

/// Counts the rows of the statement `rows`, up to [`Total::MAX`].
pub(crate) async fn count(db: &Db, rows: &str, conditions: &Conditions) -> Result<Total> {
    let sql = format!("SELECT COUNT(*) FROM ({rows} LIMIT {}) counted", Total::MAX + 1);
    let counted: i64 = read_list!(db, c => {
        statement!(db, query_scalar, sql, conditions).fetch_one(c)
    })?;
    Ok(Total::up_to(Total::MAX, u32::try_from(counted).unwrap_or(u32::MAX)))
}

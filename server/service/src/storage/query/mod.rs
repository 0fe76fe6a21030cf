//! Statements that are put together at run time: their text, their conditions and the clauses of a page.

mod conditions;
mod keyset;

pub(crate) use conditions::{Conditions, Value, containing};
pub(crate) use keyset::{Keyset, Place, SortValue};

/// The text of a statement that was put together at run time. It consists of this crate's own pieces: values are bound.
///
/// NOTE: the only place of the crate that asserts to sqlx that a text is safe.
pub(crate) fn assembled(text: impl Into<String>) -> sqlx::AssertSqlSafe<String> {
    sqlx::AssertSqlSafe(text.into())
}

/// A statement with the values of its [`Conditions`]: `statement!(db, query_as, text, conditions).fetch_all(c)`.
macro_rules! statement {
    ($db:expr, $function:ident, $text:expr, $conditions:expr) => {{
        let mut statement = sqlx::$function($crate::storage::query::assembled($text))
            // On PostgreSQL not kept prepared: it then plans with the values, and it depends on them what is few.
            .persistent(matches!($db, $crate::storage::Db::Sqlite { .. }));
        for value in $conditions.values() {
            statement = match value {
                $crate::storage::query::Value::Text(text) => statement.bind(text.as_str()),
                $crate::storage::query::Value::Number(number) => statement.bind(*number),
                $crate::storage::query::Value::Id(id) => statement.bind(*id),
            };
        }
        statement
    }};
}
pub(crate) use statement;

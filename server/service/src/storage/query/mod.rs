//! Statements that are assembled at run time: their text, their conditions and the clauses of a page.

mod conditions;
mod keyset;

pub(crate) use conditions::{Conditions, Value, containing, in_tenant};
pub(crate) use keyset::{Keyset, Place, SortValue};

/// Marks the text of an assembled statement as safe for sqlx. It consists of this crate's own strings; values are
/// bound.
///
/// NOTE: outside of tests, nothing else in the crate asserts to sqlx that SQL is safe.
pub(crate) fn assembled(text: impl Into<String>) -> sqlx::AssertSqlSafe<String> {
    let text = text.into();
    #[cfg(test)]
    let _ = ASSEMBLED.try_with(|texts| texts.borrow_mut().push(text.clone()));
    sqlx::AssertSqlSafe(text)
}

/// Builds a statement with bound [`Conditions`]: `statement!(db, query_as, text, conditions).fetch_all(c)`.
macro_rules! statement {
    ($db:expr, $function:ident, $text:expr, $conditions:expr) => {{
        let mut statement = sqlx::$function($crate::storage::query::assembled($text))
            // Not kept prepared on PostgreSQL, so that it plans with the actual values: which condition leaves few rows
            // depends on them.
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

#[cfg(test)]
tokio::task_local! {
    /// The texts that were passed to [`assembled`] during a test.
    static ASSEMBLED: std::cell::RefCell<Vec<String>>;
}

/// Runs a future and returns the text of every statement that it assembled.
#[cfg(test)]
pub(crate) fn assembled_for<T>(act: impl Future<Output = T>) -> std::pin::Pin<Box<impl Future<Output = Vec<String>>>> {
    let texts = async {
        drop(act.await);
        ASSEMBLED.with(std::cell::RefCell::take)
    };
    Box::pin(ASSEMBLED.scope(std::cell::RefCell::default(), texts))
}

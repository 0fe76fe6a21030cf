//! Statements that are put together at run time: their text, their conditions and the clauses of a page.

mod conditions;
mod keyset;

pub(crate) use conditions::{Conditions, Value, containing, in_tenant};
pub(crate) use keyset::{Keyset, Place, SortValue};

/// The text of a statement that was put together at run time. It consists of this crate's own pieces: values are bound.
///
/// NOTE: the only place of the crate that asserts to sqlx that a text is safe.
pub(crate) fn assembled(text: impl Into<String>) -> sqlx::AssertSqlSafe<String> {
    let text = text.into();
    #[cfg(test)]
    let _ = ASSEMBLED.try_with(|texts| texts.borrow_mut().push(text.clone()));
    sqlx::AssertSqlSafe(text)
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

#[cfg(test)]
tokio::task_local! {
    /// The texts that [`assembled`] gave to a test.
    static ASSEMBLED: std::cell::RefCell<Vec<String>>;
}

/// Does a thing, and gives the texts that were assembled for it.
#[cfg(test)]
pub(crate) fn assembled_for<T>(act: impl Future<Output = T>) -> std::pin::Pin<Box<impl Future<Output = Vec<String>>>> {
    let texts = async {
        drop(act.await);
        ASSEMBLED.with(std::cell::RefCell::take)
    };
    Box::pin(ASSEMBLED.scope(std::cell::RefCell::default(), texts))
}

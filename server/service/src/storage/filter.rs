//! Conditions that are put together at run time: the text from our own pieces, the values bound.

use uuid::Uuid;

/// A value to bind.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(String),
    Number(i64),
    Id(Uuid),
}

/// A WHERE clause in the making. Its parameters are numbered in the order in which they are added.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conditions {
    sql: String,
    values: Vec<Value>,
}

impl Conditions {
    /// Adds a value; gives the parameter that stands for it: `$3`.
    pub(crate) fn bind(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }

    /// Adds a condition that must hold too.
    pub(crate) fn and(&mut self, condition: &str) {
        self.sql.push_str(if self.sql.is_empty() { "" } else { " AND " });
        self.sql.push_str(condition);
    }

    /// The clause, without the word WHERE.
    pub(crate) fn sql(&self) -> &str {
        &self.sql
    }

    /// The values, in the order of their parameters.
    pub(crate) fn values(&self) -> &[Value] {
        &self.values
    }

    /// The number of the next parameter.
    pub(crate) fn next(&self) -> usize {
        self.values.len() + 1
    }
}

/// Binds the values of [`Conditions`] to a statement, and the place of a keyset page behind them.
macro_rules! bind_all {
    ($db:expr, $statement:expr, $conditions:expr, $place:expr) => {{
        // On PostgreSQL not kept prepared: it then plans with the values, and it depends on them what is few.
        let mut statement = $statement.persistent(matches!($db, $crate::storage::Db::Sqlite { .. }));
        for value in $conditions.values() {
            statement = match value {
                $crate::storage::filter::Value::Text(text) => statement.bind(text.as_str()),
                $crate::storage::filter::Value::Number(number) => statement.bind(*number),
                $crate::storage::filter::Value::Id(id) => statement.bind(*id),
            };
        }
        match $place {
            None => statement,
            Some($crate::storage::listing::Place($crate::storage::listing::SortValue::Number(number), id)) => {
                statement.bind(*number).bind(*id)
            }
            Some($crate::storage::listing::Place($crate::storage::listing::SortValue::Text(text), id)) => {
                statement.bind(text.as_str()).bind(*id)
            }
        }
    }};
}
pub(crate) use bind_all;

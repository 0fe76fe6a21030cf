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
}

/// The condition that `k` is in a tenant, where another index than the tenant's is the right one: `SQLite` doesn't take it as
/// an equality to enter an index by; for `PostgreSQL` it is one.
pub(crate) fn in_tenant(parameter: &str) -> String {
    format!("NOT (k.tenant_id <> {parameter})")
}

/// The pattern of a search for a part of a text, for `LIKE … ESCAPE '\'`.
pub(crate) fn containing(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_in_a_search_are_plain_characters() {
        assert_eq!(containing(r"50%_\"), r"%50\%\_\\%");
    }
}

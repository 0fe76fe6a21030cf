//! Conditions that are assembled at run time. Their text consists of this crate's own strings; values are always bound.

use uuid::Uuid;

/// A value to bind.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(String),
    Number(i64),
    Id(Uuid),
}

/// Builds a WHERE clause. Its parameters are numbered in the order in which they are bound.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conditions {
    sql: String,
    values: Vec<Value>,
}

impl Conditions {
    /// Binds a value and returns its parameter, such as `$3`.
    pub(crate) fn bind(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }

    /// Adds a condition, joined with `AND`.
    pub(crate) fn and(&mut self, condition: &str) {
        self.sql.push_str(if self.sql.is_empty() { "" } else { " AND " });
        self.sql.push_str(condition);
    }

    /// Returns the clause without the keyword `WHERE`.
    pub(crate) fn sql(&self) -> &str {
        &self.sql
    }

    /// Returns the values in the order of their parameters.
    pub(crate) fn values(&self) -> &[Value] {
        &self.values
    }
}

/// Returns the condition that `k` is in a tenant, for statements that should use an index other than the tenant's.
/// `SQLite` doesn't search an index by a double negation; `PostgreSQL` treats it as an equality.
pub(crate) fn in_tenant(parameter: &str) -> String {
    format!("NOT (k.tenant_id <> {parameter})")
}

/// Returns the pattern that matches any text containing `text`, for `LIKE … ESCAPE '\'`.
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

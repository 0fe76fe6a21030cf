//! Numbers that SQL stores and compares: a key's lifecycle state, and the values that replace a missing expiry or last
//! use. They are macros, so that constant SQL can contain them. The migrations repeat them in CHECK constraints and
//! indexes.

/// The number of a lifecycle state, as a literal.
macro_rules! lifecycle {
    (active) => {
        0
    };
    // Individually, or with its service account.
    (suspended) => {
        1
    };
    (revoked) => {
        2
    };
    (expired) => {
        3
    };
}
pub(crate) use lifecycle;

pub(crate) const ACTIVE: i64 = lifecycle!(active);
pub(crate) const SUSPENDED: i64 = lifecycle!(suspended);
pub(crate) const REVOKED: i64 = lifecycle!(revoked);
/// Marked as expired. The mark stays even if the clock is set back.
pub(crate) const EXPIRED: i64 = lifecycle!(expired);
/// All lifecycle states, in numerical order.
pub(crate) const ALL: [i64; 4] = [ACTIVE, SUSPENDED, REVOKED, EXPIRED];

/// The condition that a column holds no final state: neither revoked nor marked as expired. Has the text of the partial
/// index.
macro_rules! not_ended {
    ($column:literal) => {
        concat!($column, " < ", $crate::storage::lifecycle::lifecycle!(revoked))
    };
}
pub(crate) use not_ended;

/// The expiry of a key that never expires, as a literal.
macro_rules! never {
    () => {
        9223372036854775807
    };
}
pub(crate) use never;

/// [`never!`] as a value.
pub(crate) const NEVER: i64 = never!();

/// The expression that lists sort expiries by: [`never!`] for a key that never expires.
macro_rules! expiry {
    ($column:literal) => {
        concat!("COALESCE(", $column, ", ", $crate::storage::lifecycle::never!(), ")")
    };
}
pub(crate) use expiry;

/// The expression that lists sort last uses by: 0 for a key that was never used.
macro_rules! last_use {
    ($column:literal) => {
        concat!("COALESCE(", $column, ", 0)")
    };
}
pub(crate) use last_use;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_expressions_are_those_of_the_migrations() {
        let schema = include_str!("../../../../migrations/sqlite/0001_schema.sql");
        assert_eq!(NEVER, i64::MAX);
        for text in [
            format!("lifecycle IN ({})", ALL.map(|number| number.to_string()).join(", ")),
            format!("(lifecycle = {REVOKED}) = (revoked_at IS NOT NULL)"),
            not_ended!("lifecycle").to_owned(),
            expiry!("expires_at").to_owned(),
            last_use!("last_used_at").to_owned(),
            format!(
                "{ACTIVE} active, {SUSPENDED} suspended (itself or with its account), {REVOKED} revoked, {EXPIRED} expired"
            ),
        ] {
            assert!(schema.contains(&text), "{text}");
        }
    }
}

//! The scalars of the schema that async-graphql doesn't define.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chrono::{DateTime, SecondsFormat, Utc};
use domain::{api_key::expiry::ExpiryError, time::parse_instant};

/// A time as RFC 3339. Responses are in UTC and whole seconds, like `2027-01-31T09:00:00Z`. async-graphql's own type also
/// accepts other formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(pub(super) DateTime<Utc>);

impl From<DateTime<Utc>> for Time {
    fn from(at: DateTime<Utc>) -> Self {
        Self(at)
    }
}

/// A time with a UTC offset (RFC 3339), like `2027-01-31T09:00:00Z`. Responses are in UTC and whole seconds.
#[Scalar(name = "DateTime", specified_by_url = "https://www.rfc-editor.org/rfc/rfc3339")]
impl ScalarType for Time {
    fn parse(value: Value) -> InputValueResult<Self> {
        let at = if let Value::String(text) = &value { parse_instant(text) } else { None };
        at.map(Self).ok_or_else(|| InputValueError::custom(ExpiryError::Malformed))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_rfc3339_opts(SecondsFormat::Secs, true))
    }
}

/// A count, which may exceed the 32 bits of `Int`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count(pub(super) u64);

impl From<u64> for Count {
    fn from(count: u64) -> Self {
        Self(count)
    }
}

/// A whole number that may exceed the 32 bits of `Int`, as a JSON number.
#[Scalar(name = "Int64")]
impl ScalarType for Count {
    fn parse(value: Value) -> InputValueResult<Self> {
        let count = if let Value::Number(number) = &value { number.as_u64() } else { None };
        count.map(Self).ok_or_else(|| InputValueError::custom("Enter a whole number."))
    }

    fn to_value(&self) -> Value {
        Value::from(self.0)
    }
}

/// A time as clients of flow runs write it, in UTC and microseconds, like `2027-01-31T09:00:00.000000+00:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp(pub(super) DateTime<Utc>);

impl From<DateTime<Utc>> for Timestamp {
    fn from(at: DateTime<Utc>) -> Self {
        Self(at)
    }
}

/// A time with a UTC offset (RFC 3339), to the microsecond.
#[Scalar(name = "timestamptz", specified_by_url = "https://www.rfc-editor.org/rfc/rfc3339")]
impl ScalarType for Timestamp {
    fn parse(value: Value) -> InputValueResult<Self> {
        let at = if let Value::String(text) = &value { parse_instant(text) } else { None };
        at.map(Self).ok_or_else(|| InputValueError::custom(ExpiryError::Malformed))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_rfc3339_opts(SecondsFormat::Micros, false))
    }
}

//! The arguments of the operations. Every adapter fills them: forms, server functions, GraphQL and the command line.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{ApiError, ApiKey, ErrorCode, FieldError, KeyId, Operation, outcome::Outcome};

/// The arguments of one operation.
pub trait Input: Clone + Default + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The operation.
    const OPERATION: Operation;
    /// The result of a success.
    type Output: Serialize + DeserializeOwned + Send + Sync + 'static;
}

/// Arguments that a form posts as URL-encoded fields.
pub trait Fields: Input {
    /// The names of the fields.
    const FIELDS: &'static [&'static str];

    /// Reads the fields. `get` returns the text of a field, or `None` if it wasn't posted. Returns `None` if a text can't
    /// be parsed as its field's type, which our own pages never send.
    fn from_fields(get: &dyn Fn(&str) -> Option<String>) -> Option<Self>;

    /// Returns the non-empty fields.
    fn to_fields(&self) -> Vec<(&'static str, String)>;
}

/// The arguments of an operation that changes something.
pub trait Act: Fields {
    /// Checks the arguments as far as possible without the database. The use case checks them again.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` with a message for each invalid field.
    fn check(&self, now: DateTime<Utc>) -> Result<(), ApiError> {
        let _ = now;
        Ok(())
    }

    /// Turns the result of a success into what an adapter presents.
    fn outcome(output: &Self::Output) -> Outcome;
}

/// Returns the error of a field, if its value is invalid.
pub(crate) fn wrong<T, E: std::fmt::Display>(field: &str, parsed: Result<T, E>) -> Option<FieldError> {
    parsed.err().map(|error| FieldError { field: field.to_owned(), message: error.to_string() })
}

/// Returns all field errors in one [`ApiError`], or `Ok` if there are none.
pub(crate) fn refuse<const N: usize>(wrong: [Option<FieldError>; N]) -> Result<(), ApiError> {
    let wrong: Vec<_> = wrong.into_iter().flatten().collect();
    if wrong.is_empty() { Ok(()) } else { Err(ApiError::fields(wrong)) }
}

/// Refuses what a form sends if somebody else has changed the value that it showed, so that nobody overwrites what they
/// haven't seen. `before`: that value; `None` if the arguments don't come from a form. `now`: the present value. `after`:
/// the one that is to be set; a form that is sent twice isn't refused. `message`: what the value is now, as a sentence.
///
/// # Errors
/// `CONFLICT`.
pub fn check_unchanged<T: PartialEq>(
    before: Option<&T>,
    now: &T,
    after: &T,
    message: impl FnOnce() -> String,
) -> Result<(), ApiError> {
    if before.is_none_or(|before| before == now) || now == after {
        return Ok(());
    }
    let message = format!(
        "Somebody else changed this meanwhile. {} Your change wasn't saved: open the form again to make it.",
        message()
    );
    Err(ApiError::new(ErrorCode::Conflict, message))
}

/// A value that is sent in a form field. Doesn't use serde: a serde text format would add more to the WASM bundle than
/// all operations together.
pub trait FieldValue: Sized {
    /// Parses a field's text. An empty text means that the field wasn't filled in.
    fn from_text(text: &str) -> Option<Self>;
    /// Returns the field's text; empty for no value.
    fn to_text(&self) -> String;
    /// Whether an optional field that was posted empty has a value: the empty text, which its operation rejects. A script
    /// that posts an unset variable must not get the default of an absent field, such as a key that never expires.
    const KEEPS_EMPTY: bool = false;
    /// Reads a field; `None` if it wasn't posted.
    fn from_field(text: Option<&str>) -> Option<Self> {
        Self::from_text(text.unwrap_or_default())
    }
}

impl FieldValue for String {
    const KEEPS_EMPTY: bool = true;

    fn from_text(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }

    fn to_text(&self) -> String {
        self.clone()
    }
}

impl FieldValue for bool {
    fn from_text(text: &str) -> Option<Self> {
        match text {
            "" | "false" => Some(false),
            "true" => Some(true),
            _ => None,
        }
    }

    fn to_text(&self) -> String {
        if *self { "true".to_owned() } else { String::new() }
    }
}

impl<T: FieldValue> FieldValue for Option<T> {
    fn from_text(text: &str) -> Option<Self> {
        if text.is_empty() { Some(None) } else { T::from_text(text).map(Some) }
    }

    fn from_field(text: Option<&str>) -> Option<Self> {
        match text {
            Some("") if T::KEEPS_EMPTY => T::from_text("").map(Some),
            text => Self::from_text(text.unwrap_or_default()),
        }
    }

    fn to_text(&self) -> String {
        self.as_ref().map(T::to_text).unwrap_or_default()
    }
}

impl FieldValue for u16 {
    fn from_text(text: &str) -> Option<Self> {
        text.trim().parse().ok()
    }

    fn to_text(&self) -> String {
        self.to_string()
    }
}

macro_rules! id_fields {
    ($($id:ident),*) => {$(
        impl FieldValue for crate::$id {
            /// A missing id becomes the nil id, which no resource has.
            fn from_text(text: &str) -> Option<Self> {
                if text.is_empty() { Some(Self::default()) } else { text.parse().ok() }
            }

            fn to_text(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

id_fields!(KeyId, ServiceAccountId, UserId, TenantId, SessionId, InvitationId);

impl FieldValue for crate::Role {
    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn to_text(&self) -> String {
        self.as_str().to_owned()
    }
}

impl FieldValue for crate::Owner {
    fn from_text(text: &str) -> Option<Self> {
        text.to_owned().try_into().ok()
    }

    fn to_text(&self) -> String {
        (*self).into()
    }
}

impl FieldValue for crate::api_key::expiry::ExpiryChoice {
    fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.code() == text)
    }

    fn to_text(&self) -> String {
        self.code().to_owned()
    }
}

impl FieldValue for crate::scope::ScopeOption {
    fn from_text(text: &str) -> Option<Self> {
        Self::from_code(text)
    }

    fn to_text(&self) -> String {
        self.code().to_owned()
    }
}

/// Defines argument structs and the operation that each belongs to.
macro_rules! inputs {
    ($(
        $(#[$doc:meta])*
        $name:ident for $operation:ident -> $output:ty { $( $(#[$field_doc:meta])* $field:ident : $type:ty ),* $(,)? }
    )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(default)]
        pub struct $name { $( $(#[$field_doc])* pub $field: $type, )* }

        impl $crate::input::Input for $name {
            const OPERATION: $crate::Operation = $crate::Operation::$operation;
            type Output = $output;
        }
    )*};
}
pub(crate) use inputs;

/// Like [`inputs`], for arguments that a form posts.
macro_rules! forms {
    ($(
        $(#[$doc:meta])*
        $name:ident for $operation:ident -> $output:ty { $( $(#[$field_doc:meta])* $field:ident : $type:ty ),* $(,)? }
    )*) => {
        $crate::input::inputs! {$(
            $(#[$doc])* $name for $operation -> $output { $( $(#[$field_doc])* $field: $type, )* }
        )*}
        $(
            impl $crate::input::Fields for $name {
                const FIELDS: &'static [&'static str] = &[$(stringify!($field)),*];

                fn from_fields(get: &dyn Fn(&str) -> Option<String>) -> Option<Self> {
                    let _ = get;
                    Some(Self { $( $field: $crate::input::FieldValue::from_field(get(stringify!($field)).as_deref())?, )* })
                }

                fn to_fields(&self) -> Vec<(&'static str, String)> {
                    let all: Vec<(&'static str, String)> =
                        vec![$( (stringify!($field), $crate::input::FieldValue::to_text(&self.$field)) ),*];
                    all.into_iter().filter(|(_, text)| !text.is_empty()).collect()
                }
            }
        )*
    };
}
pub(crate) use forms;

/// Identifies the changed resource in the notice of an act.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// The resource's id, as text.
    pub id: String,
    /// The resource's name.
    pub name: String,
    /// The path of the resource's page; empty if it has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub page: String,
}

impl Changed {
    /// Creates the description of a changed resource.
    pub fn new(id: impl std::fmt::Display, name: impl std::fmt::Display) -> Self {
        Self { id: id.to_string(), name: name.to_string(), page: String::new() }
    }

    /// Names the resource's page.
    #[must_use]
    pub fn on(self, page: String) -> Self {
        Self { page, ..self }
    }
}

impl From<ApiKey> for Changed {
    fn from(key: ApiKey) -> Self {
        let page = key.page_path();
        Self::new(key.id, key.name).on(page)
    }
}

/// Several keys; in a form field, their ids separated by commas.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyIds(pub Vec<KeyId>);

impl FieldValue for KeyIds {
    fn from_text(text: &str) -> Option<Self> {
        let ids = text.split(',').filter(|id| !id.trim().is_empty()).map(|id| id.parse().ok());
        ids.collect::<Option<_>>().map(Self)
    }

    fn to_text(&self) -> String {
        let ids: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        ids.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::Fields;
    use crate::api_key::{act::RollKey, input::CreateKey};

    #[test]
    fn a_field_posted_empty_is_not_an_absent_one() {
        let posted = |fields: &'static [(&str, &str)]| {
            CreateKey::from_fields(&|name| {
                fields.iter().find(|(field, _)| *field == name).map(|(_, text)| (*text).to_owned())
            })
        };
        let now = chrono::DateTime::UNIX_EPOCH;
        let absent = posted(&[("name", "ci")]).expect("a form");
        assert_eq!((absent.expires_at.as_deref(), absent.expiry(now)), (None, Ok(None)));
        let empty = posted(&[("name", "ci"), ("expires_at", "")]).expect("a form");
        assert!(empty.expiry(now).is_err_and(|error| error.at("expires_at").is_some()));
        assert_eq!(posted(&[("owner", "")]).expect("a form").owner, None);
        let roll = RollKey::from_fields(&|name| (name == "deadline").then(String::new)).expect("a form");
        assert!(roll.grace_period(now).is_err_and(|error| error.at("deadline").is_some()));
    }
}

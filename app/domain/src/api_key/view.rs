//! What an adapter answers about a key after an act: little, and never more than the reader of a list sees.

use serde::{Deserialize, Serialize};

use super::key::{ApiKey, IssuedKey};
use crate::{KeyId, Name, Secret};

/// A key as an act leaves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyView {
    /// The key's id.
    pub id: KeyId,
    /// The name that its owner gave it.
    pub name: Name,
    /// Prefix and first four characters of the token.
    pub hint: String,
}

impl From<&ApiKey> for KeyView {
    fn from(key: &ApiKey) -> Self {
        Self { id: key.id, name: key.name.clone(), hint: key.hint.clone() }
    }
}

/// An [`IssuedKey`] on its way to whoever asked for it: the only answer that holds a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatedKey {
    /// The key.
    pub key: KeyView,
    /// Whether it replaces another key.
    pub is_rotation: bool,
    /// Whether it is refused for now, because its service account is suspended.
    pub is_suspended: bool,
    /// The token, this once.
    #[serde(with = "crate::secret::exposed")]
    pub token: Secret,
}

impl From<IssuedKey> for CreatedKey {
    fn from(issued: IssuedKey) -> Self {
        let is_suspended = issued.key.owner_suspended_at.is_some();
        let is_rotation = issued.key.replaces.is_some();
        Self { key: KeyView::from(&issued.key), is_rotation, is_suspended, token: issued.token }
    }
}

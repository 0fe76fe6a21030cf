//! What adapters return about a key after an act: only a few facts, all of which a list of keys shows too.

use serde::{Deserialize, Serialize};

use super::key::{ApiKey, IssuedKey};
use crate::{KeyId, Name, Secret};

/// A key after an act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyView {
    /// The key's id.
    pub id: KeyId,
    /// The key's name.
    pub name: Name,
    /// The prefix and the first 4 characters of the token.
    pub hint: String,
}

impl From<&ApiKey> for KeyView {
    fn from(key: &ApiKey) -> Self {
        Self { id: key.id, name: key.name.clone(), hint: key.hint.clone() }
    }
}

/// An [`IssuedKey`] as returned to the caller: the only response that contains a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatedKey {
    /// The key.
    pub key: KeyView,
    /// Whether the key replaces another one.
    pub is_rotation: bool,
    /// Whether the key doesn't work yet, because its service account is suspended.
    pub is_suspended: bool,
    /// Whether the form was sent again. The token of the first response no longer works.
    #[serde(default)]
    pub is_repeat: bool,
    /// The token. It can't be retrieved later.
    #[serde(with = "crate::secret::exposed")]
    pub token: Secret,
}

impl From<IssuedKey> for CreatedKey {
    fn from(issued: IssuedKey) -> Self {
        let is_suspended = issued.key.owner_suspended_at.is_some();
        let is_rotation = issued.key.replaces.is_some();
        let is_repeat = issued.is_repeat;
        Self { key: KeyView::from(&issued.key), is_rotation, is_suspended, is_repeat, token: issued.token }
    }
}

//! Encryption of what must be read back from the database, such as the secrets of two-factor authentication, with keys
//! that are kept outside of it. Decision 0024.

mod key;
mod key_file;
mod rotation;
mod store;

pub(crate) use self::store::Secrets;
pub use self::{
    rotation::{Rotation, create_file},
    store::{SecretKeys, file_of},
};

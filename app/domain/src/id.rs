//! Identifiers: UUIDs (version 7, made by the service), one type per noun.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::try_parse(text.trim()).map(Self)
            }
        }
    )*};
}

ids! {
    /// A person.
    UserId,
    /// An organisation.
    TenantId,
    /// A non-person of one tenant.
    ServiceAccountId,
    /// An API key's record.
    KeyId,
    /// A long-running client of a key.
    AgentId,
    /// A browser session's row (not the secret in the cookie).
    SessionId,
    /// An invitation to a tenant (not the secret in its link).
    InvitationId,
    /// One line of the audit log.
    AuditId,
}

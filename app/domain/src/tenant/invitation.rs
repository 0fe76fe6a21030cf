//! Invitations to a tenant.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{Email, InvitationId, KeyId, Name, Role, TenantId};

/// An open invitation. It doesn't contain the secret of its link, which can't be derived from it either.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// The invitation's id.
    pub id: InvitationId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The tenant's name.
    pub tenant_name: Name,
    /// The invited person's email address.
    pub email: Email,
    /// The role that they get.
    pub role: Role,
    /// When the invitation was created.
    pub created_at: DateTime<Utc>,
    /// The name of the inviter.
    pub created_by: String,
    /// The key that created it. Revoking that key cancels the invitation.
    pub created_by_key: Option<KeyId>,
    /// When the link expires.
    pub expires_at: DateTime<Utc>,
    /// Whether the link doesn't work now, because the inviter is no longer an administrator, or the service account or
    /// the key that created the invitation is suspended.
    pub is_paused: bool,
}

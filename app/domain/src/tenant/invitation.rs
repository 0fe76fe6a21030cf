//! Invitations to a tenant.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{Email, InvitationId, Name, Role, TenantId};

/// An open invitation. The secret of its link isn't in it, and can't be had from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// That tenant's name.
    pub tenant_name: Name,
    /// Who is invited.
    pub email: Email,
    /// The role that they will have.
    pub role: Role,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// The name of who made it.
    pub created_by: String,
    /// When its link stops working.
    pub expires_at: DateTime<Utc>,
    /// Whether its link doesn't work now, because who made it isn't an administrator any more.
    pub is_paused: bool,
}

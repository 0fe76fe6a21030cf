//! The arguments of the operations on the tenant itself and on its invitations.

use chrono::{DateTime, Utc};

use super::{Slug, Tenant, chosen_role, invitation::Invitation};
use crate::{
    ApiError, Email, InvitationId, Name, Operation, Role,
    input::{Act, Changed, forms, inputs, refuse, wrong},
    outcome::{IssuedLink, Notice, Outcome, Reveal},
};

forms! {
    /// Create a tenant, with oneself as its administrator.
    CreateTenant for CreateTenant -> Changed {
        /// What to call it: see [`Name`].
        name: String,
        /// Its slug: see [`Slug`].
        slug: String,
    }
    /// Give the tenant another name.
    RenameTenant for RenameTenant -> Changed {
        /// The new name: see [`Name`].
        name: String,
    }
    /// Invite a person by a link that works once.
    InviteMember for InviteMember -> IssuedLink {
        /// Whom.
        email: String,
        /// The role that they will have.
        role: Option<Role>,
    }
    /// Cancel an invitation.
    CancelInvitation for CancelInvitation -> crate::user::input::Done {
        /// Which.
        invitation: InvitationId,
    }
}

inputs! {
    /// The selected tenant.
    GetTenant for GetTenant -> Tenant {}
    /// The tenant's open invitations.
    ListInvitations for ListInvitations -> Vec<Invitation> {}
}

impl Act for CreateTenant {
    fn check(&self, _: DateTime<Utc>) -> Result<(), ApiError> {
        refuse([wrong("name", Name::parse(&self.name)), wrong("slug", Slug::parse(&self.slug))])
    }

    fn outcome(tenant: &Changed) -> Outcome {
        let notice = Notice::named(Operation::CreateTenant, tenant.name.clone());
        Outcome { selects: tenant.id.parse().ok(), ..notice.into() }
    }
}

impl Act for RenameTenant {
    fn check(&self, _: DateTime<Utc>) -> Result<(), ApiError> {
        refuse([wrong("name", Name::parse(&self.name))])
    }

    fn outcome(tenant: &Changed) -> Outcome {
        Notice::named(Operation::RenameTenant, tenant.name.clone()).into()
    }
}

impl Act for InviteMember {
    fn check(&self, _: DateTime<Utc>) -> Result<(), ApiError> {
        refuse([wrong("email", Email::parse(&self.email)), wrong("role", chosen_role(self.role))])
    }

    fn outcome(issued: &IssuedLink) -> Outcome {
        Outcome { reveal: Some(Reveal::Link(issued.clone())), ..Notice::of(Operation::InviteMember).into() }
    }
}

impl Act for CancelInvitation {
    fn outcome(_: &crate::user::input::Done) -> Outcome {
        Notice::of(Operation::CancelInvitation).into()
    }
}

//! The arguments of the operations on tenants and their invitations.

use chrono::{DateTime, Utc};

use super::{Slug, Tenant, chosen_role, invitation::Invitation};
use crate::{
    ApiError, Email, InvitationId, Name, Operation, Role,
    input::{Act, Changed, forms, inputs, refuse, wrong},
    outcome::{IssuedLink, Notice, Outcome, Reveal},
};

forms! {
    /// Creates a tenant with the user as its administrator.
    CreateTenant for CreateTenant -> Changed {
        /// The tenant's name: see [`Name`].
        name: String,
        /// The tenant's slug: see [`Slug`]. If it is empty, one is made from the name.
        slug: String,
    }
    /// Renames the tenant.
    RenameTenant for RenameTenant -> Changed {
        /// The new name: see [`Name`].
        name: String,
    }
    /// Invites a person with a link that can be used once.
    InviteMember for InviteMember -> IssuedLink {
        /// The invited person's email address.
        email: String,
        /// The role that they get.
        role: Option<Role>,
    }
    /// Cancels an invitation.
    CancelInvitation for CancelInvitation -> crate::user::input::Done {
        /// The invitation.
        invitation: InvitationId,
    }
}

inputs! {
    /// Returns the selected tenant.
    GetTenant for GetTenant -> Tenant {}
    /// Lists the tenant's open invitations.
    ListInvitations for ListInvitations -> Vec<Invitation> {}
}

impl Act for CreateTenant {
    fn check(&self, _: DateTime<Utc>) -> Result<(), ApiError> {
        // Only the server makes a slug from the name, to keep that out of the browser's bundle.
        let slug = if self.slug.trim().is_empty() { None } else { wrong("slug", Slug::parse(&self.slug)) };
        refuse([wrong("name", Name::parse(&self.name)), slug])
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

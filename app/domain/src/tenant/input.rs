//! The arguments of the operations on the tenant itself and on its invitations.

use chrono::{DateTime, Utc};

use super::{Slug, Tenant, chosen_role, invitation::Invitation};
use crate::{
    ApiError, Email, FieldError, InvitationId, Name, Operation, Role,
    input::{Act, Changed, forms, inputs},
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

fn field(name: &str, error: Option<String>) -> Option<FieldError> {
    error.map(|message| FieldError { field: name.to_owned(), message })
}

fn all(wrong: [Option<FieldError>; 2]) -> Result<(), ApiError> {
    let wrong: Vec<_> = wrong.into_iter().flatten().collect();
    if wrong.is_empty() { Ok(()) } else { Err(ApiError::fields(wrong)) }
}

impl Act for CreateTenant {
    fn check(&self, _: DateTime<Utc>) -> Result<(), ApiError> {
        let name = Name::parse(&self.name).err().map(|error| error.to_string());
        let slug = Slug::parse(&self.slug).err().map(|error| error.to_string());
        all([field("name", name), field("slug", slug)])
    }

    fn outcome(tenant: &Changed) -> Outcome {
        let notice = Notice::named(Operation::CreateTenant, tenant.name.clone());
        Outcome { selects: tenant.id.parse().ok(), ..notice.into() }
    }
}

impl Act for RenameTenant {
    fn check(&self, _: DateTime<Utc>) -> Result<(), ApiError> {
        all([field("name", Name::parse(&self.name).err().map(|error| error.to_string())), None])
    }

    fn outcome(tenant: &Changed) -> Outcome {
        Notice::named(Operation::RenameTenant, tenant.name.clone()).into()
    }
}

impl Act for InviteMember {
    fn check(&self, _: DateTime<Utc>) -> Result<(), ApiError> {
        let email = Email::parse(&self.email).err().map(|error| error.to_string());
        all([field("email", email), field("role", chosen_role(self.role).err().map(|error| error.message))])
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

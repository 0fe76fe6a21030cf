//! The arguments of the operations on members, and of a person about themselves.

use chrono::{DateTime, Utc};

use super::{Member, MemberQuery, Viewer, act::MemberAct, session::BrowserSession};
use crate::{
    ApiError, Name, Operation, Page, Role, SessionId, TenantId, UserId,
    input::{Act, Changed, forms, inputs, refuse, wrong},
    outcome::{IssuedLink, Notice, Outcome, Reveal},
};

/// The names of the fields that confirm who is signed in. They come beside the arguments of what asks for it, and its errors
/// stand at them.
pub mod confirm {
    /// The password.
    pub const PASSWORD: &str = "confirm_password";
    /// The code of the second factor, or a recovery code.
    pub const CODE: &str = "confirm_code";
    /// All of them.
    pub const FIELDS: [&str; 2] = [PASSWORD, CODE];
}

forms! {
    /// Give a member another role.
    ChangeMemberRole for ChangeMemberRole -> Changed {
        /// The member.
        user: UserId,
        /// The new role.
        role: Option<Role>,
    }
    /// End a membership, and with it the member's keys in the tenant.
    RemoveMember for RemoveMember -> Changed {
        /// The member.
        user: UserId,
    }
    /// Change one's own name.
    UpdateProfile for UpdateProfile -> Changed {
        /// The new name: see [`Name`].
        name: String,
    }
    /// End all of one's own sessions but this one.
    EndOtherSessions for EndOtherSessions -> Done {}
    /// Create the secret link of one's own expiry calendar; an earlier one stops working.
    CreateCalendarFeed for CreateCalendarFeed -> IssuedLink {}
    /// Turn one's own expiry calendar off.
    RevokeCalendarFeed for RevokeCalendarFeed -> Done {}
    /// Select another of one's tenants for this session.
    SwitchTenant for SwitchTenant -> Changed {
        /// The tenant.
        tenant_id: TenantId,
    }
    /// End one of one's own sessions.
    EndSession for EndSession -> Done {
        /// The session.
        session: SessionId,
    }
}

inputs! {
    /// One page of the tenant's members.
    ListMembers for ListMembers -> Page<Member> {
        /// Which.
        query: MemberQuery,
    }
    /// Who is asking, with the tenants to choose from.
    GetViewer for ViewSelf -> Viewer {}
    /// One's own sessions.
    ListSessions for ListSessions -> Vec<BrowserSession> {}
}

/// A success with nothing to tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Done {}

fn noticed(act: MemberAct, member: &Changed) -> Outcome {
    Notice::named(act.operation(), member.name.clone()).into()
}

impl Act for ChangeMemberRole {
    fn check(&self, _: DateTime<Utc>) -> Result<(), ApiError> {
        crate::tenant::chosen_role(self.role).map(drop)
    }

    fn outcome(member: &Changed) -> Outcome {
        noticed(MemberAct::ChangeRole, member)
    }
}

impl Act for RemoveMember {
    fn outcome(member: &Changed) -> Outcome {
        noticed(MemberAct::Remove, member)
    }
}

impl Act for UpdateProfile {
    fn check(&self, _: DateTime<Utc>) -> Result<(), ApiError> {
        refuse([wrong("name", Name::parse(&self.name))])
    }

    fn outcome(profile: &Changed) -> Outcome {
        Notice::named(Operation::UpdateProfile, profile.name.clone()).into()
    }
}

impl Act for SwitchTenant {
    fn outcome(tenant: &Changed) -> Outcome {
        let notice = Notice::named(Operation::SwitchTenant, tenant.name.clone());
        Outcome { selects: tenant.id.parse().ok(), ..notice.into() }
    }
}

impl Act for EndSession {
    fn outcome(_: &Done) -> Outcome {
        Notice::of(Operation::EndSession).into()
    }
}

impl Act for EndOtherSessions {
    fn outcome(_: &Done) -> Outcome {
        Notice::of(Operation::EndOtherSessions).into()
    }
}

impl Act for CreateCalendarFeed {
    fn outcome(issued: &IssuedLink) -> Outcome {
        Outcome { reveal: Some(Reveal::Link(issued.clone())), ..Notice::of(Operation::CreateCalendarFeed).into() }
    }
}

impl Act for RevokeCalendarFeed {
    fn outcome(_: &Done) -> Outcome {
        Notice::of(Operation::RevokeCalendarFeed).into()
    }
}

//! The arguments of the operations on members, and of those on the user themselves.

use chrono::{DateTime, Utc};

use super::{Member, MemberQuery, Viewer, act::MemberAct, session::BrowserSession};
use crate::{
    ApiError, Name, Operation, Page, Role, SessionId, TenantId, UserId,
    input::{Act, Changed, forms, inputs, refuse, wrong},
    outcome::{IssuedLink, Notice, Outcome, Reveal},
};

/// The names of the form fields that confirm the user's identity. A form posts them along with the arguments of an
/// operation that needs the confirmation, and field errors refer to them.
pub mod confirm {
    /// The password.
    pub const PASSWORD: &str = "confirm_password";
    /// The two-factor authentication code, or a recovery code.
    pub const CODE: &str = "confirm_code";
    /// All field names.
    pub const FIELDS: [&str; 2] = [PASSWORD, CODE];
}

forms! {
    /// Changes the role of a member.
    ChangeMemberRole for ChangeMemberRole -> Changed {
        /// The member.
        user: UserId,
        /// The new role.
        role: Option<Role>,
        /// The role that a form showed. If it is another one by now, nothing changes.
        before: Option<Role>,
    }
    /// Removes a member and revokes their keys in the tenant.
    RemoveMember for RemoveMember -> Changed {
        /// The member.
        user: UserId,
    }
    /// Accepts a member's two-factor codes again, after too many wrong ones.
    UnlockSecondFactor for UnlockSecondFactor -> Changed {
        /// The member.
        user: UserId,
    }
    /// Changes the user's own name.
    UpdateProfile for UpdateProfile -> Changed {
        /// The new name: see [`Name`].
        name: String,
    }
    /// Ends all of the user's sessions except the current one.
    EndOtherSessions for EndOtherSessions -> Done {}
    /// Creates the secret link of the user's own expiry calendar. An earlier link stops working.
    CreateCalendarFeed for CreateCalendarFeed -> IssuedLink {}
    /// Turns off the user's own expiry calendar.
    RevokeCalendarFeed for RevokeCalendarFeed -> Done {}
    /// Selects another of the user's tenants for this session.
    SwitchTenant for SwitchTenant -> Changed {
        /// The tenant.
        tenant_id: TenantId,
    }
    /// Ends one of the user's own sessions.
    EndSession for EndSession -> Done {
        /// The session.
        session: SessionId,
    }
}

inputs! {
    /// Lists one page of the tenant's members.
    ListMembers for ListMembers -> Page<Member> {
        /// Which members to return.
        query: MemberQuery,
    }
    /// Returns the signed-in user with the tenants they belong to.
    GetViewer for ViewSelf -> Viewer {}
    /// Lists the user's own sessions.
    ListSessions for ListSessions -> Vec<BrowserSession> {}
}

/// The result of a success that returns no data.
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

impl Act for UnlockSecondFactor {
    fn outcome(member: &Changed) -> Outcome {
        noticed(MemberAct::UnlockSecondFactor, member)
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

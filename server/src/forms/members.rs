//! The forms about members.

use axum::{
    Extension,
    extract::{Path, Request, State},
    routing::{MethodRouter, post},
};
use domain::{ApiError, UserId, tenant::RoleError};

use crate::form::{Fields, again, done, read_in_place};
use crate::{middleware::authenticate::Caller, router::Doors};

/// What a form does with one member.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MemberAct {
    Role,
    Remove,
}

impl MemberAct {
    async fn act(self, doors: &Doors, caller: &Caller, user: &str, fields: &Fields) -> Result<&'static str, ApiError> {
        let (members, actor) = (doors.services.members(), caller.require()?);
        let user: UserId = user.parse().map_err(|_| ApiError::not_found())?;
        match self {
            Self::Role => {
                let role = fields.get("role").parse();
                let role = role.map_err(|error: RoleError| ApiError::field("role", error.to_string()))?;
                members.change_role(actor, user, role).await?;
                Ok("member-changed")
            }
            Self::Remove => {
                members.remove(actor, user).await?;
                Ok("member-removed")
            }
        }
    }
}

/// `POST /team/members/{user}/…`.
pub(crate) fn change(act: MemberAct) -> MethodRouter<Doors> {
    post(
        async move |State(doors): State<Doors>,
                    Extension(caller): Extension<Caller>,
                    Path(user): Path<String>,
                    request: Request| {
            let (parts, fields) = match read_in_place(&doors, request).await {
                Ok(read) => read,
                Err(refusal) => return refusal,
            };
            match act.act(&doors, &caller, &user, &fields).await {
                Ok(notice) => done("/team/members", notice),
                Err(error) => again(&doors, parts, &fields, error).await,
            }
        },
    )
}

//! The forms about members.

use axum::{
    Extension,
    extract::{FromRef, Path, State},
    routing::{MethodRouter, post},
};
use domain::{ApiError, UserId, tenant::RoleError};

use crate::{
    form::{Form, redirect_with_notice},
    middleware::authenticate::Caller,
    pages::PageRenderer,
};
use service::Services;

/// What a form does with one member.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MemberAct {
    Role,
    Remove,
}

impl MemberAct {
    async fn act(
        self,
        services: &Services,
        caller: &Caller,
        user: &str,
        form: &Form,
    ) -> Result<&'static str, ApiError> {
        let (members, actor) = (services.members(), caller.require()?);
        let user: UserId = user.parse().map_err(|_| ApiError::not_found())?;
        match self {
            Self::Role => {
                let role = form.get("role").parse();
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
pub(crate) fn change<S>(act: MemberAct) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Services: FromRef<S>,
    PageRenderer: FromRef<S>,
{
    post(
        async move |State(services): State<Services>,
                    Extension(caller): Extension<Caller>,
                    Path(user): Path<String>,
                    form: Form| {
            match act.act(&services, &caller, &user, &form).await {
                Ok(notice) => redirect_with_notice("/team/members", notice),
                Err(error) => form.show_again(error).await,
            }
        },
    )
}

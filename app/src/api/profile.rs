//! Server functions for a person's own profile, sessions and expiry calendar.

use domain::{
    BrowserSession, Viewer,
    input::Changed,
    outcome::IssuedLink,
    user::input::{
        CreateCalendarFeed, Done, EndOtherSessions, EndSession, GetViewer, ListSessions, RevokeCalendarFeed,
        SwitchTenant, UpdateProfile,
    },
};
use leptos::prelude::*;

use super::{
    error::AppError,
    protocol::{Acts, Reads},
};
#[cfg(feature = "ssr")]
use crate::request::context;

/// Returns the caller, with the tenants that they can select.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = GetViewerCall, prefix = "/fn", endpoint = "viewer", protocol = Reads<GetViewer>)]
pub async fn get_viewer(input: GetViewer) -> Result<Viewer, AppError> {
    let GetViewer {} = input;
    let request = context();
    Ok(request.services.users().viewer(request.actor()?).await?)
}

/// Changes the caller's own name.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = UpdateProfileCall, prefix = "/fn", endpoint = "update_profile", protocol = Acts<UpdateProfile>)]
pub async fn update_profile(input: UpdateProfile) -> Result<Changed, AppError> {
    let request = context();
    let actor = request.actor()?;
    request.services.users().rename(actor, &input.name).await?;
    Ok(Changed::new(actor.require_owner()?, &input.name))
}

/// Selects another of the caller's tenants for this session.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = SwitchTenantCall, prefix = "/fn", endpoint = "switch_current_tenant", protocol = Acts<SwitchTenant>)]
pub async fn switch_tenant(input: SwitchTenant) -> Result<Changed, AppError> {
    let request = context();
    let actor = request.actor()?;
    let id = request.services.users().switch_tenant(actor, input.tenant_id).await?;
    let viewer = request.services.users().viewer(actor).await?;
    let name = viewer.memberships.iter().find(|membership| membership.tenant.id == id);
    Ok(Changed::new(id, name.map(|membership| membership.tenant.name.to_string()).unwrap_or_default()))
}

/// Returns the caller's own sessions.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = ListSessionsCall, prefix = "/fn", endpoint = "sessions", protocol = Reads<ListSessions>)]
pub async fn list_sessions(input: ListSessions) -> Result<Vec<BrowserSession>, AppError> {
    let ListSessions {} = input;
    let request = context();
    Ok(request.services.users().sessions(request.actor()?, request.session.unwrap_or_default()).await?)
}

/// Ends one of the caller's own sessions.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = EndSessionCall, prefix = "/fn", endpoint = "end_session", protocol = Acts<EndSession>)]
pub async fn end_session(input: EndSession) -> Result<Done, AppError> {
    let request = context();
    request.services.users().end_session(request.actor()?, input.session).await?;
    Ok(Done {})
}

/// Ends all of the caller's own sessions except this one.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = EndOtherSessionsCall, prefix = "/fn", endpoint = "end_other_sessions", protocol = Acts<EndOtherSessions>)]
pub async fn end_other_sessions(input: EndOtherSessions) -> Result<Done, AppError> {
    let EndOtherSessions {} = input;
    let request = context();
    request.services.users().end_other_sessions(request.actor()?, request.session.unwrap_or_default()).await?;
    Ok(Done {})
}

/// Creates the secret link of the caller's expiry calendar. This response is the only one that contains it.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = CreateCalendarFeedCall, prefix = "/fn", endpoint = "create_calendar_feed", protocol = Acts<CreateCalendarFeed>)]
pub async fn create_calendar_feed(input: CreateCalendarFeed) -> Result<IssuedLink, AppError> {
    let CreateCalendarFeed {} = input;
    let request = context();
    let secret = request.services.calendar().create(request.actor()?).await?;
    let link = domain::Secret::new(format!("{}/calendar/{}.ics", request.public_url, secret.expose()));
    Ok(IssuedLink { link, is_mailed: false })
}

/// Turns the caller's expiry calendar off.
///
/// # Errors
/// Returns the errors of the use case.
#[server(name = RevokeCalendarFeedCall, prefix = "/fn", endpoint = "revoke_calendar_feed", protocol = Acts<RevokeCalendarFeed>)]
pub async fn revoke_calendar_feed(input: RevokeCalendarFeed) -> Result<Done, AppError> {
    let RevokeCalendarFeed {} = input;
    let request = context();
    request.services.calendar().revoke(request.actor()?).await?;
    Ok(Done {})
}

//! User > Sessions: the browsers in which the person is signed in.

use chrono::{DateTime, Utc};
use domain::{
    ApiError, BrowserSession, SessionId,
    user::input::{EndOtherSessions, EndSession, ListSessions},
};
use leptos::prelude::*;

use crate::{
    api::list_sessions,
    as_code::AsCode,
    components::{address::from_address, card::Card, time::Moment, trash_link::TrashLink},
    request::RequestContext,
};

const PATH: &str = "/user/sessions";

/// `/user/sessions`.
pub async fn sessions(request: RequestContext) -> Result<AnyView, ApiError> {
    let (sessions, now) = (list_sessions(ListSessions {}).await?, request.services.now());
    let others = (sessions.len() > 1).then(|| {
        view! {
            <p>
                <a class="button" href=format!("{PATH}/end-others") data-dialog="">
                    "Sign out everywhere else"
                </a>
            </p>
        }
    });
    let rows = sessions.into_iter().map(|session| row(session, now)).collect_view();
    Ok(view! {
        <h1>"Sessions"</h1>
        <p class="lead">"Browsers where you're signed in. Sessions expire after 1 hour of inactivity or 24 hours."</p>
        <table class="table" aria-label="Sessions">
            <thead>
                <tr>
                    <th scope="col">"Browser"</th>
                    <th scope="col">"IP address"</th>
                    <th scope="col">"Signed in"</th>
                    <th scope="col">"Last active"</th>
                    <th scope="col">
                        <span class="visually-hidden">"Actions"</span>
                    </th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
        <div class="below-table">{others}</div>
    }
    .into_any())
}

fn row(session: BrowserSession, now: DateTime<Utc>) -> AnyView {
    let browser = session.browser();
    let mark = session.is_this.then(|| {
        view! {
            " "
            <span class="chip chip-active">"This device"</span>
        }
    });
    let trash = (!session.is_this).then(|| {
        let href = format!("{PATH}/{}/end", session.id);
        view! { <TrashLink href label=format!("End the session in {browser}") /> }
    });
    view! {
        <tr>
            <th scope="row" data-label="Browser">
                <span class="name">{browser.clone()}</span>
                {mark}
            </th>
            <td data-label="IP address">{session.address.unwrap_or_else(|| "–".to_owned())}</td>
            <td data-label="Signed in">
                <Moment at=session.signed_in_at now />
            </td>
            <td data-label="Last active">
                <Moment at=session.seen_at now />
            </td>
            <td class="actions">{trash}</td>
        </tr>
    }
    .into_any()
}

/// `/user/sessions/{session}/end`.
pub async fn end(request: RequestContext) -> Result<AnyView, ApiError> {
    let id = request.id::<SessionId>("session")?;
    let found = list_sessions(ListSessions {}).await?.into_iter().find(|session| session.id == id);
    let session = found.ok_or_else(ApiError::not_found)?;
    let (browser, from) = (session.browser(), from_address(session.address.as_deref()));
    request.set_title(&format!("End the session in {browser}{from}"));
    let card = Card {
        title: "End this session?".to_owned(),
        button: Some("End"),
        destroys: true,
        code: AsCode::session_only("end_session", &[("id", &id.to_string())], "success"),
        words: view! { <p>{format!("{browser}{from} is signed out immediately.")}</p> }.into_any(),
        fields: ().into_any(),
    };
    Ok(card.view::<EndSession>(&request, &[("session", id.to_string())], PATH))
}

/// `/user/sessions/end-others`.
pub async fn end_others(request: RequestContext) -> Result<AnyView, ApiError> {
    let others = list_sessions(ListSessions {}).await?.into_iter().filter(|session| !session.is_this).count();
    let words = match others {
        0 => "You aren't signed in anywhere else.".to_owned(),
        1 => "You stay signed in here and are signed out of 1 other browser.".to_owned(),
        many => format!("You stay signed in here and are signed out of {many} other browsers."),
    };
    let card = Card {
        title: "Sign out everywhere else?".to_owned(),
        button: (others > 0).then_some("Sign out everywhere else"),
        destroys: true,
        code: AsCode::session_only("end_other_sessions", &[], "success"),
        words: view! { <p>{words}</p> }.into_any(),
        fields: ().into_any(),
    };
    Ok(card.view::<EndOtherSessions>(&request, &[], PATH))
}

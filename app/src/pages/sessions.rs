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
    components::{card::Card, made_in_sessions::made_in_sessions, time::Moment, trash_link::TrashLink},
    request::RequestContext,
    words::{labels, profile as words, usage::from_address},
};

const PATH: &str = "/user/sessions";

/// `/user/sessions`.
pub async fn sessions(request: RequestContext) -> Result<AnyView, ApiError> {
    let (sessions, now) = (list_sessions(ListSessions {}).await?, request.services.now());
    let others = (sessions.len() > 1).then(|| {
        view! {
            <p>
                <a class="button" href=format!("{PATH}/end-others") data-dialog="">
                    {labels::sign_out_everywhere_else()}
                </a>
            </p>
        }
    });
    let rows = sessions.into_iter().map(|session| row(session, now)).collect_view();
    Ok(view! {
        <h1>{labels::sessions()}</h1>
        <p class="lead">{words::sessions_lead()}</p>
        <table class="table" aria-label=labels::sessions()>
            <thead>
                <tr>
                    <th scope="col">{words::browser()}</th>
                    <th scope="col">{labels::ip_address()}</th>
                    <th scope="col">{words::signed_in()}</th>
                    <th scope="col">{words::last_active()}</th>
                    <th scope="col">
                        <span class="visually-hidden">{labels::actions()}</span>
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
            <span class="chip chip-active">{words::this_device()}</span>
        }
    });
    let trash = (!session.is_this).then(|| {
        let href = format!("{PATH}/{}/end", session.id);
        view! { <TrashLink href label=words::end_the_session(&browser) /> }
    });
    view! {
        <tr>
            <th scope="row" data-label=words::browser()>
                <span class="name">{browser.clone()}</span>
                {mark}
            </th>
            <td data-label=labels::ip_address()>{session.address.unwrap_or_else(|| "–".to_owned())}</td>
            <td data-label=words::signed_in()>
                <Moment at=session.signed_in_at now />
            </td>
            <td data-label=words::last_active()>
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
    request.set_title(&words::end_the_session_in(&browser, &from));
    let card = Card {
        title: words::end_this_session().to_owned(),
        button: Some(words::end()),
        destroys: true,
        code: AsCode::session_only("end_session", &[("id", &id.to_string())], "success"),
        words: view! {
            <p>{words::is_signed_out_immediately(&browser, &from)}</p>
            {made_in_sessions(std::iter::once(&session))}
        }
        .into_any(),
        fields: ().into_any(),
    };
    Ok(card.view::<EndSession>(&request, &[("session", id.to_string())], PATH))
}

/// `/user/sessions/end-others`.
pub async fn end_others(request: RequestContext) -> Result<AnyView, ApiError> {
    let mut others = list_sessions(ListSessions {}).await?;
    others.retain(|session| !session.is_this);
    let card = Card {
        title: words::sign_out_everywhere_else_question().to_owned(),
        button: (!others.is_empty()).then_some(labels::sign_out_everywhere_else()),
        destroys: true,
        code: AsCode::session_only("end_other_sessions", &[], "success"),
        words: view! {
            <p>{words::sign_out_others(others.len())}</p>
            {made_in_sessions(others.iter())}
        }
        .into_any(),
        fields: ().into_any(),
    };
    Ok(card.view::<EndOtherSessions>(&request, &[], PATH))
}

//! User > Sessions: where a person is signed in.

use chrono::{DateTime, Utc};
use domain::{ApiError, BrowserSession, SessionId};
use leptos::prelude::*;

use super::{key_acts::Card, page, path_id};
use crate::{
    as_code::AsCode,
    components::{address::from_address, time::Moment, trash_link::TrashLink},
    request::{RequestContext, context},
};

const PATH: &str = "/user/sessions";

async fn load(request: &RequestContext) -> Result<Vec<BrowserSession>, ApiError> {
    let this = request.session.unwrap_or_default();
    Ok(request.services.users().sessions(request.actor()?, this).await?)
}

/// `/user/sessions`.
#[component]
pub fn Sessions() -> impl IntoView {
    let request = context();
    page("Sessions", async move {
        let sessions = load(&request).await?;
        let now = request.services.now();
        let others = (sessions.len() > 1).then(|| {
            view! { <p><a class="button" href=format!("{PATH}/end-others") data-dialog="">"End all others"</a></p> }
        });
        let rows = sessions.into_iter().map(|session| row(session, now)).collect_view();
        Ok(view! {
            <h1>"Sessions"</h1>
            <p class="lead">"Browsers in which you are signed in. A session ends by itself after an hour without use, and after a day in any case."</p>
            <table class="table" aria-label="Sessions">
                <thead>
                    <tr>
                        <th scope="col">"Browser"</th><th scope="col">"Address"</th><th scope="col">"Signed in"</th><th scope="col">"Last used"</th>
                        <th scope="col"><span class="visually-hidden">"Actions"</span></th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
            <div class="below-table">{others}</div>
        }
        .into_any())
    })
}

fn row(session: BrowserSession, now: DateTime<Utc>) -> AnyView {
    let browser = session.browser();
    let mark = session.is_this.then(|| view! { " "<span class="chip chip-active">"This one"</span> });
    let trash = (!session.is_this).then(|| {
        let href = format!("{PATH}/{}/end", session.id);
        view! { <TrashLink href label=format!("End the session of {browser}") /> }
    });
    view! {
        <tr>
            <th scope="row" data-label="Browser"><span class="name">{browser.clone()}</span>{mark}</th>
            <td data-label="Address">{session.address.unwrap_or_else(|| "–".to_owned())}</td>
            <td data-label="Signed in"><Moment at=session.signed_in_at now /></td>
            <td data-label="Last used"><Moment at=session.seen_at now /></td>
            <td class="actions">{trash}</td>
        </tr>
    }
    .into_any()
}

/// `/user/sessions/{session}/end`.
#[component]
pub fn EndSession() -> impl IntoView {
    let (request, id) = (context(), path_id::<SessionId>("session"));
    page("End a session", async move {
        let id = id?;
        let found = load(&request).await?.into_iter().find(|session| session.id == id);
        let session = found.ok_or_else(ApiError::not_found)?;
        let from = from_address(session.address.as_deref());
        Ok(Card {
            title: "End this session?".to_owned(),
            button: Some("End"),
            destroys: true,
            code: AsCode::by_session("end_session", &[("id", &id.to_string())], "success"),
            words: view! { <p>{session.browser()}{from}" is signed out from its next request on."</p> }.into_any(),
            fields: ().into_any(),
        }
        .view(&request, PATH, request.public_url.clone()))
    })
}

/// `/user/sessions/end-others`.
#[component]
pub fn EndOthers() -> impl IntoView {
    let request = context();
    page("End all other sessions", async move {
        let others = load(&request).await?.into_iter().filter(|session| !session.is_this).count();
        Ok(Card {
            title: "End all other sessions?".to_owned(),
            button: (others > 0).then_some("End all others"),
            destroys: true,
            code: AsCode::by_session("end_other_sessions", &[], "success"),
            words: view! { <p>{format!("You stay signed in here, and are signed out of {others} other browser{}.", if others == 1 { "" } else { "s" })}</p> }
                .into_any(),
            fields: ().into_any(),
        }
        .view(&request, PATH, request.public_url.clone()))
    })
}

//! The table of the runs that agents took with a key, on the page of a service account. Only while the built-in backend
//! for flow runs is on.

use chrono::{DateTime, Utc};
use domain::{AgentScope, ApiError, Cursor, FlowRun, ListFlowRuns, Page, PageRequest};
use leptos::prelude::*;

use crate::{
    api::get_flow_runs,
    components::{status::FlowRunStatus, time::Moment},
    list_url::encode,
    request::RequestContext,
    words::{flow_runs as words, labels},
};

/// The parameters of the URL with the page of runs. The keys have a list of their own on the same page.
const AFTER: &str = "runs_after";
const BEFORE: &str = "runs_before";
/// The id of the section, to which the links to other pages lead.
const SECTION: &str = "flow-runs";
/// The guide that shows how to run a flow.
const GUIDE: &str = "/docs/service-accounts-and-agents";

/// The section of a service account's page. `path`: of that page; `key_base`: the path that precedes a key's id.
pub async fn flow_runs(
    request: &RequestContext,
    scope: AgentScope,
    path: &str,
    key_base: &str,
) -> Result<Option<AnyView>, ApiError> {
    if !request.services.flows().is_on() {
        return Ok(None);
    }
    let cursor =
        |name: &str| Some(request.query(name)).filter(|text| !text.is_empty()).map(|text| Cursor(text.to_owned()));
    let before = cursor(BEFORE);
    let after = cursor(AFTER).filter(|_| before.is_none());
    let page = PageRequest { after, before, ..PageRequest::default() };
    let is_first = page == PageRequest::default();
    let runs = get_flow_runs(ListFlowRuns { scope, page }).await?;
    let now = request.services.now();
    let pager = pager(path, &runs);
    let contents = if runs.items.is_empty() { empty(is_first) } else { table(runs, key_base, now) };
    Ok(Some(
        view! {
            <section class="agents" id=SECTION aria-labelledby="flow-runs-title">
                <h2 id="flow-runs-title">{words::title()}</h2>
                <p class="hint">{words::lead()}</p>
                {contents}
                {pager}
            </section>
        }
        .into_any(),
    ))
}

/// `is_first`: whether this is the first page. Later ones become empty when old runs are deleted.
fn empty(is_first: bool) -> AnyView {
    if !is_first {
        return view! { <p class="muted">{words::no_more()}</p> }.into_any();
    }
    view! {
        <div class="empty">
            <p>{words::none_yet()}</p>
            <p>
                <a class="button" href=GUIDE>
                    {words::how()}
                </a>
            </p>
        </div>
    }
    .into_any()
}

fn table(runs: Page<FlowRun>, key_base: &str, now: DateTime<Utc>) -> AnyView {
    let rows = runs.items.into_iter().map(|run| row(run, key_base, now)).collect_view();
    view! {
        <table class="table" aria-label=words::title()>
            <thead>
                <tr>
                    <th scope="col">{words::run()}</th>
                    <th scope="col">{labels::status()}</th>
                    <th scope="col">{words::agent()}</th>
                    <th scope="col">{labels::api_key()}</th>
                    <th scope="col">{words::started()}</th>
                    <th scope="col">{words::ended()}</th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
    }
    .into_any()
}

fn row(run: FlowRun, key_base: &str, now: DateTime<Utc>) -> AnyView {
    let missing = || "–".into_any();
    let key = run.key.map_or_else(missing, |key| {
        let href = format!("{key_base}/{}", key.id);
        view! {
            <a href=href translate="no">
                {key.name.to_string()}
            </a>
        }
        .into_any()
    });
    let moment = |at: Option<DateTime<Utc>>| at.map_or_else(missing, |at| view! { <Moment at now /> }.into_any());
    let flow = words::of_flow(&run.flow, &run.project);
    view! {
        <tr>
            <th scope="row" data-label=words::run()>
                <span class="name" translate="no" dir="auto">
                    {run.name}
                </span>
                <span class="sub" dir="auto">
                    {flow}
                </span>
            </th>
            <td data-label=labels::status()>
                <FlowRunStatus state=run.state />
            </td>
            <td data-label=words::agent() translate="no">
                {run.agent.unwrap_or_else(|| "–".to_owned())}
            </td>
            <td data-label=labels::api_key()>{key}</td>
            <td data-label=words::started()>{moment(run.started_at)}</td>
            <td data-label=words::ended()>{moment(run.ended_at)}</td>
        </tr>
    }
    .into_any()
}

fn pager(path: &str, runs: &Page<FlowRun>) -> Option<AnyView> {
    let link = |name: &str, cursor: &Option<Cursor>, label: &'static str| {
        let href = format!("{path}?{name}={}#{SECTION}", encode(&cursor.as_ref()?.0));
        Some(view! {
            <a class="button" href=href>
                {label}
            </a>
        })
    };
    let (newer, older) = (link(BEFORE, &runs.previous, labels::newer()), link(AFTER, &runs.next, labels::older()));
    (newer.is_some() || older.is_some()).then(|| {
        view! {
            <nav class="pager" aria-label=words::pages()>
                {newer}
                {older}
            </nav>
        }
        .into_any()
    })
}

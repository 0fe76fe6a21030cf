//! Team > Audit log: what was done in the tenant, by whom, and what was refused.

use chrono::{DateTime, Utc};
use domain::{
    ApiError, AuditId, AuditLine, AuditQuery, Cursor, Outcome, Page,
    audit::{self, Channel},
    operation::label_of,
};
use leptos::prelude::*;

use super::{page, path_id};
use crate::{
    components::{address::from_address, facts::Facts, status::OutcomeStatus, time::Moment},
    list_url::{self, AuditParams},
    request::context,
};

const PATH: &str = "/team/audit-log";
/// Where the same lines are taken out whole.
const EXPORT: &str = "/api/v1/audit-log";

fn params() -> AuditParams {
    let query = leptos_router::hooks::use_query_map();
    let get = |name: &str| query.with_untracked(|query| query.get(name)).unwrap_or_default();
    AuditParams {
        actor: get("actor"),
        operation: get("operation"),
        result: get("result"),
        about: get("about"),
        from: get("from"),
        until: get("until"),
        after: get("after"),
        before: get("before"),
    }
}

/// `/team/audit-log`.
#[component]
pub fn Log() -> impl IntoView {
    let (request, params) = (context(), params());
    page("Audit log", async move {
        let (query, wrong) = match params.to_query() {
            Ok(query) => (query, None),
            Err(error) => (AuditQuery::default(), Some(error)),
        };
        let mut lines = request.services.audit_log().list(request.actor()?, &query).await?;
        if wrong.is_some() {
            // Not everything, when what was asked for can't be told.
            lines = Page { items: Vec::new(), next: None, previous: None };
        }
        let now = request.services.now();
        let is_filtered = params
            != AuditParams { after: params.after.clone(), before: params.before.clone(), ..AuditParams::default() };
        let export = |form: &str| params.url(&format!("{EXPORT}.{form}"), None);
        let pager = pager(&params, &lines);
        let rows = if lines.items.is_empty() {
            let words = if is_filtered { "No line matches this filter." } else { "Nothing has been done here yet." };
            let clear = is_filtered.then(|| view! { <p><a class="button" href=PATH>"Clear the filter"</a></p> });
            view! { <div class="empty"><p>{words}</p>{clear}</div> }.into_any()
        } else {
            line_table(lines.items, now)
        };
        Ok(view! {
            <h1>"Audit log"</h1>
            <p class="lead">"Every change in this tenant and every attempt that was refused, the newest first; many refusals of one kind within a minute share a line that counts them. Each line carries a hash over itself and the one before it."</p>
            {filter_form(&params)}
            <p class="exports">"Take these lines out: "<a href=export("jsonl") download="">"JSONL"</a>" · "<a href=export("csv") download="">"CSV"</a></p>
            {wrong.map(wrong_filter)}
            <div class="table-place">{rows}</div>
            {pager}
        }
        .into_any())
    })
}

/// Which parts of the filter can't be read.
fn wrong_filter(error: ApiError) -> AnyView {
    let words = error.fields.into_iter().map(|field| view! { <p>{field.message}</p> });
    view! { <div class="error-box" role="alert">{words.collect_view()}</div> }.into_any()
}

fn pager(params: &AuditParams, lines: &Page<AuditLine>) -> AnyView {
    let link = |name: &'static str, cursor: &Option<domain::Cursor>, label: &'static str| {
        let cursor = cursor.as_ref()?;
        Some(view! { <a class="button" href=params.url(PATH, Some((name, cursor)))>{label}</a> })
    };
    let (newer, older) = (link("before", &lines.previous, "Newer"), link("after", &lines.next, "Older"));
    view! { <nav class="pager" aria-label="Pages">{newer}{older}</nav> }.into_any()
}

fn filter_form(params: &AuditParams) -> AnyView {
    // A link may ask for a word that isn't offered, and then goes on asking for it.
    let other =
        Some(params.operation.clone()).filter(|asked| !asked.is_empty() && audit::words().all(|word| word != asked));
    let operations = audit::words().map(str::to_owned).chain(other).map(|word| {
        let (label, chosen) = (label_of(&word), params.operation == word);
        view! { <option value=word selected=chosen>{label}</option> }
    });
    let outcomes = Outcome::ALL.map(|outcome| {
        view! { <option value=outcome.as_str() selected=params.result == outcome.as_str()>{outcome.label()}</option> }
    });
    view! {
        <form method="get" action=PATH class="filters" role="search" aria-label="Filter the audit log">
            <div class="field"><label for="actor">"By whom"</label><input id="actor" name="actor" value=params.actor.clone() placeholder="Name or id" autocomplete="off" /></div>
            <div class="field"><label for="operation">"What"</label>
                <select id="operation" name="operation"><option value="">"Everything"</option>{operations.collect_view()}</select></div>
            <div class="field"><label for="result">"Outcome"</label>
                <select id="result" name="result"><option value="">"Any"</option>{outcomes.into_iter().collect_view()}</select></div>
            <div class="field"><label for="about">"About or by key"</label><input id="about" name="about" value=params.about.clone() placeholder="Id of a key, account or person" autocomplete="off" /></div>
            <div class="field"><label for="from">"From (UTC)"</label><input id="from" name="from" type="date" value=params.from.clone() /></div>
            <div class="field"><label for="until">"Until (UTC)"</label><input id="until" name="until" type="date" value=params.until.clone() /></div>
            <button type="submit" class="button">"Filter"</button>
        </form>
    }
    .into_any()
}

/// A table of lines.
pub fn line_table(lines: Vec<AuditLine>, now: DateTime<Utc>) -> AnyView {
    let rows = lines.into_iter().map(|line| {
        let href = format!("{PATH}/{}", line.id);
        let by_key = line.key_id.is_some().then_some(" by key");
        let via = format!("{}{}", Channel::label_of(&line.channel), by_key.unwrap_or_default());
        view! {
            <tr>
                <th scope="row" data-label="When"><a class="name" href=href data-dialog=""><Moment at=line.at now /></a></th>
                <td data-label="Who">{line.actor_name}<span class="sub">{via}</span></td>
                <td data-label="What">{label_of(&line.operation)}<span class="sub">{line.detail}</span></td>
                <td data-label="About">{subject(&line.subject_kind, &line.subject_name)}</td>
                <td data-label="Outcome"><OutcomeStatus outcome=line.outcome /></td>
            </tr>
        }
    });
    view! {
        <table class="table" aria-label="Audit log">
            <thead>
                <tr>
                    <th scope="col">"When"</th><th scope="col">"Who"</th><th scope="col">"What"</th><th scope="col">"About"</th><th scope="col">"Outcome"</th>
                </tr>
            </thead>
            <tbody>{rows.collect_view()}</tbody>
        </table>
    }
    .into_any()
}

/// "API key ci".
fn subject(kind: &str, name: &str) -> String {
    let kind = kind.replace("api_key", "API key").replace('_', " ");
    if name.is_empty() { kind } else { format!("{kind} {name}") }
}

/// `/team/audit-log/{line}`: all facts of one line.
#[component]
pub fn Line() -> impl IntoView {
    let (request, id) = (context(), path_id::<AuditId>("line"));
    page("Audit log", async move {
        let line = request.services.audit_log().get(request.actor()?, id?).await?;
        let now = request.services.now();
        let text = |text: String| view! { {text} }.into_any();
        let code = |text: String| view! { <code>{text}</code> }.into_any();
        let about =
            line.subject_id.map(|id| AuditParams { about: id.to_string(), ..AuditParams::default() }.url(PATH, None));
        let rows = [
            Some(("When", view! { <Moment at=line.at now />" · "{domain::time::utc_text(line.at)} }.into_any())),
            Some(("Outcome", view! { <OutcomeStatus outcome=line.outcome /> }.into_any())),
            Some(("Who", text(format!("{} ({})", line.actor_name, line.actor_kind.replace('_', " "))))),
            line.actor_id.map(|id| ("Their id", code(id.to_string()))),
            Some(("Through", text(Channel::label_of(&line.channel).to_owned()))),
            line.key_id.map(|id| ("With the key", code(id.to_string()))),
            line.address.map(|address| ("From", text(address))),
            line.user_agent.map(|agent| ("Client", text(agent))),
            Some(("About", text(subject(&line.subject_kind, &line.subject_name)))),
            line.subject_id.map(|id| ("Its id", code(id.to_string()))),
            (!line.detail.is_empty()).then(|| ("More", text(line.detail))),
            Some(("Line", text(format!("{} of this tenant's chain", line.number)))),
            Some(("Hash", code(line.hash))),
        ];
        Ok(view! {
            <div class="card" data-light="">
                <h1 id="card-title">{label_of(&line.operation)}</h1>
                <Facts rows=rows.into_iter().flatten().collect() />
                <div class="buttons">
                    {about.map(|href| view! { <a class="button" href=href>"All about it"</a> })}
                    <a class="button primary" href=PATH data-close="" autofocus>"Close"</a>
                </div>
            </div>
        }
        .into_any())
    })
}

/// Some lines about a key, for its page, at `path`. `all`: where an administrator finds them in the log.
pub fn history(lines: Page<AuditLine>, path: &str, all: Option<String>, now: DateTime<Utc>) -> AnyView {
    let is_some = lines.next.is_some() || lines.previous.is_some();
    let all = all.filter(|_| is_some).map(|href| view! { <a href=href>"The whole history"</a> });
    let link = |name: &str, cursor: Option<Cursor>, label: &'static str| {
        cursor.map(|cursor| {
            let href = format!("{path}?{name}={}#history-title", list_url::encode(&cursor.0));
            view! { <a class="button small" href=href>{label}</a> }
        })
    };
    let (newer, older) = (link("before", lines.previous, "Newer"), link("after", lines.next, "Older"));
    let more = is_some.then(|| view! { <p class="inline-buttons">{newer}{older}{all}</p> });
    let rows = lines.items.into_iter().map(|line| {
        let from = from_address(line.address.as_deref());
        let via = format!("{}{from}", Channel::label_of(&line.channel));
        view! {
            <tr>
                <th scope="row" data-label="When"><Moment at=line.at now /></th>
                <td data-label="What">{label_of(&line.operation)}<span class="sub">{line.detail}</span></td>
                <td data-label="Who">{line.actor_name}<span class="sub">{via}</span></td>
                <td data-label="Outcome"><OutcomeStatus outcome=line.outcome /></td>
            </tr>
        }
    });
    view! {
        <section class="history" aria-labelledby="history-title">
            <h2 id="history-title">"History"</h2>
            <table class="table" aria-label="History">
                <thead><tr><th scope="col">"When"</th><th scope="col">"What"</th><th scope="col">"Who"</th><th scope="col">"Outcome"</th></tr></thead>
                <tbody>{rows.collect_view()}</tbody>
            </table>
            {more}
        </section>
    }
    .into_any()
}

/// The query for a key's page: the newest lines, or those that its address asks for.
pub fn of_key_page() -> AuditQuery {
    let cursor = |name: &str| {
        let text = leptos_router::hooks::use_query_map().with_untracked(|query| query.get(name));
        text.filter(|text| !text.is_empty()).map(Cursor)
    };
    let page = domain::PageRequest { after: cursor("after"), before: cursor("before"), limit: 10 };
    AuditQuery { page, ..AuditQuery::default() }
}

/// Where all lines about a thing are.
pub fn all_about(id: &str) -> String {
    AuditParams { about: id.to_owned(), ..AuditParams::default() }.url(PATH, None)
}

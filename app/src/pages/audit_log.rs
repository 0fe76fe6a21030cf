//! Team > Audit log: the changes and denied attempts in the tenant, and the history of a single key.

use chrono::{DateTime, Utc};
use domain::{
    ApiError, AuditEntry, AuditId, AuditQuery, Cursor, Page, PageRequest,
    audit::{self, Channel, GetAuditLog, Outcome},
    operation::label_of,
    time::utc_text,
};
use leptos::prelude::*;

use crate::{
    api::get_audit_log,
    components::{address::from_address, facts::Facts, status::OutcomeStatus, time::Moment},
    list_url::{AuditParams, encode},
    request::RequestContext,
};

const PATH: &str = "/team/audit-log";
/// The path of the export, without the extension of its format.
const EXPORT: &str = "/api/v1/audit-log";

fn params(request: &RequestContext) -> AuditParams {
    let get = |name: &str| request.query(name).to_owned();
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
pub async fn log(request: RequestContext) -> Result<AnyView, ApiError> {
    let params = params(&request);
    let (query, wrong) = match params.to_query() {
        Ok(query) => (query, None),
        Err(error) => (AuditQuery::default(), Some(error)),
    };
    let mut entries = get_audit_log(GetAuditLog { query }).await?;
    if wrong.is_some() {
        // Entries that don't match the filter would mislead.
        entries = Page { items: Vec::new(), next: None, previous: None };
    }
    let export = |format: &str| params.url(&format!("{EXPORT}.{format}"), None);
    let pager = pager(&params, &entries);
    let rows =
        if entries.items.is_empty() { empty(&params) } else { entry_table(entries.items, request.services.now()) };
    Ok(view! {
        <h1>"Audit log"</h1>
        <p class="lead">"Every change and every denied attempt, newest first."</p>
        <details>
            <summary>"How this log is protected"</summary>
            <p>
                "Each entry carries a hash over itself and the entry before it. Repeated denials of the same kind within a minute are counted in one entry."
            </p>
        </details>
        {filter_form(&params)}
        <p class="exports">
            "Export "<a href=export("jsonl") download="">
                "JSONL"
            </a>" · "<a href=export("csv") download="">
                "CSV"
            </a>
        </p>
        {wrong.map(wrong_filter)}
        <div class="table-place">{rows}</div>
        {pager}
    }
    .into_any())
}

/// Shown instead of a table without rows.
fn empty(params: &AuditParams) -> AnyView {
    let (after, before) = (params.after.clone(), params.before.clone());
    let is_filtered = *params != AuditParams { after, before, ..AuditParams::default() };
    if !is_filtered {
        return view! {
            <div class="empty">
                <p>"No entries yet."</p>
            </div>
        }
        .into_any();
    }
    view! {
        <div class="empty">
            <p>"No entries match this filter."</p>
            <p>
                <a class="button" href=PATH>
                    "Clear filters"
                </a>
            </p>
        </div>
    }
    .into_any()
}

/// The messages about filter fields that can't be parsed.
fn wrong_filter(error: ApiError) -> AnyView {
    let words = error.fields.into_iter().map(|field| view! { <p>{field.message}</p> });
    view! {
        <div class="error-box" role="alert">
            {words.collect_view()}
        </div>
    }
    .into_any()
}

fn pager(params: &AuditParams, entries: &Page<AuditEntry>) -> AnyView {
    let link = |name: &'static str, cursor: &Option<Cursor>, label: &'static str| {
        let cursor = cursor.as_ref()?;
        Some(view! {
            <a class="button" href=params.url(PATH, Some((name, cursor)))>
                {label}
            </a>
        })
    };
    let (newer, older) = (link("before", &entries.previous, "Newer"), link("after", &entries.next, "Older"));
    view! {
        <nav class="pager" aria-label="Pages">
            {newer}
            {older}
        </nav>
    }
    .into_any()
}

fn filter_form(params: &AuditParams) -> AnyView {
    // A link may filter by an operation that isn't in the list; the form keeps it.
    let other = Some(params.operation.clone())
        .filter(|asked| !asked.is_empty() && audit::operation_codes().all(|word| word != asked));
    let operations = audit::operation_codes().map(str::to_owned).chain(other).map(|word| {
        let (label, chosen) = (label_of(&word), params.operation == word);
        view! {
            <option value=word selected=chosen>
                {label}
            </option>
        }
    });
    let outcomes = Outcome::ALL.map(|outcome| {
        view! {
            <option value=outcome.as_str() selected=params.result == outcome.as_str()>
                {outcome.label()}
            </option>
        }
    });
    view! {
        <form method="get" action=PATH class="filters" role="search" aria-label="Filter the audit log">
            <div class="field">
                <label for="actor">"Actor"</label>
                <input id="actor" name="actor" value=params.actor.clone() placeholder="Name or ID" autocomplete="off" />
            </div>
            <div class="field">
                <label for="operation">"Action"</label>
                <select id="operation" name="operation">
                    <option value="">"All"</option>
                    {operations.collect_view()}
                </select>
            </div>
            <div class="field">
                <label for="result">"Outcome"</label>
                <select id="result" name="result">
                    <option value="">"All"</option>
                    {outcomes.into_iter().collect_view()}
                </select>
            </div>
            <div class="field">
                <label for="about">"Key or resource"</label>
                <input
                    id="about"
                    name="about"
                    value=params.about.clone()
                    placeholder="ID of a key, account or person"
                    autocomplete="off"
                />
            </div>
            <div class="field">
                <label for="from">"From (UTC)"</label>
                <input id="from" name="from" type="date" value=params.from.clone() />
            </div>
            <div class="field">
                <label for="until">"To (UTC)"</label>
                <input id="until" name="until" type="date" value=params.until.clone() />
            </div>
            <button type="submit" class="button">
                "Filter"
            </button>
        </form>
    }
    .into_any()
}

fn entry_table(entries: Vec<AuditEntry>, now: DateTime<Utc>) -> AnyView {
    let rows = entries.into_iter().map(|entry| {
        let href = format!("{PATH}/{}", entry.id);
        let channel = Channel::label_of(&entry.channel);
        let via = if entry.key_id.is_some() { format!("{channel}, with a key") } else { channel.to_owned() };
        view! {
            <tr>
                <th scope="row" data-label="When">
                    <a class="name" href=href data-dialog="">
                        <Moment at=entry.at now />
                    </a>
                </th>
                <td data-label="Actor">{entry.actor_name}<span class="sub">{via}</span></td>
                <td data-label="Action">{label_of(&entry.operation)}<span class="sub">{entry.detail}</span></td>
                <td data-label="Resource">{resource(&entry.subject_kind, &entry.subject_name)}</td>
                <td data-label="Outcome">
                    <OutcomeStatus outcome=entry.outcome />
                </td>
            </tr>
        }
    });
    view! {
        <table class="table" aria-label="Audit log">
            <thead>
                <tr>
                    <th scope="col">"When"</th>
                    <th scope="col">"Actor"</th>
                    <th scope="col">"Action"</th>
                    <th scope="col">"Resource"</th>
                    <th scope="col">"Outcome"</th>
                </tr>
            </thead>
            <tbody>{rows.collect_view()}</tbody>
        </table>
    }
    .into_any()
}

/// A resource's kind and name, such as "API key ci".
fn resource(kind: &str, name: &str) -> String {
    let kind = kind.replace("api_key", "API key").replace('_', " ");
    if name.is_empty() { kind } else { format!("{kind} {name}") }
}

/// `/team/audit-log/{line}`: the details of one entry.
pub async fn entry(request: RequestContext) -> Result<AnyView, ApiError> {
    let id = request.id::<AuditId>("line")?;
    let entry = request.services.audit_log().get(request.actor()?, id).await?;
    let now = request.services.now();
    let text = |text: String| view! { {text} }.into_any();
    let code = |text: String| view! { <code>{text}</code> }.into_any();
    let related = entry.subject_id.map(|id| all_about(&id.to_string()));
    let rows = [
        Some((
            "When",
            view! {
                <Moment at=entry.at now />
                " · "
                {utc_text(entry.at)}
            }
            .into_any(),
        )),
        Some(("Outcome", view! { <OutcomeStatus outcome=entry.outcome /> }.into_any())),
        Some(("Actor", text(format!("{} ({})", entry.actor_name, entry.actor_kind.replace('_', " "))))),
        entry.actor_id.map(|id| ("Actor ID", code(id.to_string()))),
        Some(("Via", text(Channel::label_of(&entry.channel).to_owned()))),
        entry.key_id.map(|id| ("Key ID", code(id.to_string()))),
        entry.address.map(|address| ("IP address", text(address))),
        entry.user_agent.map(|agent| ("Client", text(agent))),
        Some(("Resource", text(resource(&entry.subject_kind, &entry.subject_name)))),
        entry.subject_id.map(|id| ("Resource ID", code(id.to_string()))),
        (!entry.detail.is_empty()).then(|| ("Details", text(entry.detail))),
        Some(("Entry", text(entry.number.to_string()))),
        Some(("Hash", code(entry.hash))),
    ];
    Ok(view! {
        <div class="card" data-light="">
            <h1 id="card-title">{label_of(&entry.operation)}</h1>
            <Facts rows=rows.into_iter().flatten().collect() />
            <div class="buttons">
                {related
                    .map(|href| {
                        view! {
                            <a class="button" href=href>
                                "Related activity"
                            </a>
                        }
                    })} <a class="button primary" href=PATH data-close="" autofocus>
                    "Close"
                </a>
            </div>
        </div>
    }
    .into_any())
}

/// The history section of a key's page at `path`. `all`: the URL of the full history in the audit log, for an
/// administrator.
pub fn history(entries: Page<AuditEntry>, path: &str, all: Option<String>, now: DateTime<Utc>) -> AnyView {
    let has_more = entries.next.is_some() || entries.previous.is_some();
    let all = all.filter(|_| has_more).map(|href| view! { <a href=href>"Full history"</a> });
    let link = |name: &str, cursor: Option<Cursor>, label: &'static str| {
        cursor.map(|cursor| {
            let href = format!("{path}?{name}={}#history-title", encode(&cursor.0));
            view! {
                <a class="button small" href=href>
                    {label}
                </a>
            }
        })
    };
    let (newer, older) = (link("before", entries.previous, "Newer"), link("after", entries.next, "Older"));
    let more = has_more.then(|| view! { <p class="inline-buttons">{newer}{older}{all}</p> });
    let rows = entries.items.into_iter().map(|entry| {
        let from = from_address(entry.address.as_deref());
        let via = format!("{}{from}", Channel::label_of(&entry.channel));
        view! {
            <tr>
                <th scope="row" data-label="When">
                    <Moment at=entry.at now />
                </th>
                <td data-label="Action">{label_of(&entry.operation)}<span class="sub">{entry.detail}</span></td>
                <td data-label="Actor">{entry.actor_name}<span class="sub">{via}</span></td>
                <td data-label="Outcome">
                    <OutcomeStatus outcome=entry.outcome />
                </td>
            </tr>
        }
    });
    view! {
        <section class="history" aria-labelledby="history-title">
            <h2 id="history-title">"History"</h2>
            <table class="table" aria-label="History">
                <thead>
                    <tr>
                        <th scope="col">"When"</th>
                        <th scope="col">"Action"</th>
                        <th scope="col">"Actor"</th>
                        <th scope="col">"Outcome"</th>
                    </tr>
                </thead>
                <tbody>{rows.collect_view()}</tbody>
            </table>
            {more}
        </section>
    }
    .into_any()
}

/// The query for the history on a key's page: the newest 10 entries, or the page that the URL's cursor selects.
pub fn of_key_page(request: &RequestContext) -> AuditQuery {
    let cursor =
        |name: &str| Some(request.query(name)).filter(|text| !text.is_empty()).map(|text| Cursor(text.to_owned()));
    let page = PageRequest { after: cursor("after"), before: cursor("before"), limit: 10 };
    AuditQuery { page, ..AuditQuery::default() }
}

/// The URL of the audit log filtered by the resource with this id.
pub fn all_about(id: &str) -> String {
    AuditParams { about: id.to_owned(), ..AuditParams::default() }.url(PATH, None)
}

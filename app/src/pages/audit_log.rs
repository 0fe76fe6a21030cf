//! Team > Audit log: the changes and denied attempts in the tenant, and the history of a single key.

use chrono::{DateTime, SecondsFormat, Utc};
use domain::{
    ApiError, AuditEntry, AuditId, AuditQuery, Cursor, Page, PageRequest,
    audit::{ChainCheck, Channel, GetAuditLog, Resource, Resources},
};
use leptos::prelude::*;
use service::Namesakes;

use crate::{
    api::get_audit_log,
    components::{
        activity_strip::ActivityStrip,
        audit_filter::{AuditFilter, filter_chips},
        audit_sentence::{audit_sentence, audit_source, resource_path},
        facts::Facts,
        status::OutcomeStatus,
        time::{Dated, Exact, ExactMoment, ShortMoment},
    },
    list_url::{AuditParams, encode},
    request::RequestContext,
    words::{audit as words, labels},
};

const PATH: &str = "/team/audit-log";
/// The path of the export, without the extension of its format.
const EXPORT: &str = "/api/v1/audit-log";
/// How many days the activity strip shows.
const STRIP_DAYS: u32 = 30;

fn params(request: &RequestContext) -> AuditParams {
    let get = |name: &str| request.query(name).to_owned();
    let params = AuditParams {
        actor: get("actor"),
        operation: get("operation"),
        result: get("result"),
        about: get("about"),
        period: get("period"),
        from: get("from"),
        until: get("until"),
        after: get("after"),
        before: get("before"),
    };
    params.normalized()
}

/// `/team/audit-log`.
pub async fn log(request: RequestContext) -> Result<AnyView, ApiError> {
    let (params, now) = (params(&request), request.services.now());
    let (query, wrong) = match params.to_query(now) {
        Ok(query) => (query, None),
        Err(error) => (AuditQuery::default(), Some(error)),
    };
    let mut entries = get_audit_log(GetAuditLog { query }).await?;
    if wrong.is_some() {
        // Entries that don't match the filter would mislead.
        entries = Page { items: Vec::new(), next: None, previous: None, total: None };
    }
    let (log, actor) = (request.services.audit_log(), request.actor()?);
    let activity = log.activity(actor, STRIP_DAYS).await?;
    let resources = log.resources(actor, &entries.items).await?;
    let namesakes = request.services.members().namesakes_of_entries(actor, &entries.items).await?;
    let check = log.last_check(actor).await?;
    Ok(view! {
        <h1>{labels::audit_log()}</h1>
        <p class="lead">{words::lead()}</p>
        {tampered(check.as_ref())}
        <ActivityStrip activity params=params.clone() path=PATH />
        <AuditFilter params=params.clone() path=PATH live="audit-activity audit-entries" />
        <div id="audit-entries">
            {filter_chips(&params, &entries.items, PATH)} {exports(&params)} {wrong.map(wrong_filter)}
            <div class="table-place">{rows(&params, &entries.items, &resources, &namesakes)}</div>
            {pager(&params, &entries)}
        </div>
        {protection(check.as_ref())}
    }
    .into_any())
}

/// Shown above the log if the last verification found that it was changed.
fn tampered(check: Option<&ChainCheck>) -> Option<AnyView> {
    let ChainCheck { at, problem, .. } = check?;
    let (problem, verified) = (problem.clone()?, view! { <Exact at=*at /> });
    Some(
        view! {
            <div class="alert danger" role="alert">
                <p>{words::tampered(&problem, verified, verify_command())}</p>
            </div>
        }
        .into_any(),
    )
}

fn verify_command() -> AnyView {
    view! { <code>"latchkey audit verify"</code> }.into_any()
}

/// How tampering is detected, and the time of the last verification.
fn protection(check: Option<&ChainCheck>) -> AnyView {
    let result = match check {
        None => words::not_verified_yet().into_any(),
        Some(ChainCheck { at, problem: None, .. }) => words::verified(view! { <Exact at=*at /> }),
        Some(ChainCheck { at, .. }) => words::changed_outside(view! { <Exact at=*at /> }),
    };
    view! {
        <details class="protection">
            <summary>{result}</summary>
            <p>{words::protection(verify_command())}</p>
        </details>
    }
    .into_any()
}

fn exports(params: &AuditParams) -> AnyView {
    let export = |format: &str| params.url(&format!("{EXPORT}.{format}"), None);
    let csv = export("csv");
    // Excel reads other CSV in the encoding of its country.
    let for_excel = format!("{csv}{}bom=1", if csv.contains('?') { '&' } else { '?' });
    view! {
        <p class="exports">
            {words::export()} " "<a href=export("jsonl")>"JSONL"</a>" · "<a href=csv>"CSV"</a>" · "
            <a href=for_excel>{words::csv_for_excel()}</a>
        </p>
    }
    .into_any()
}

fn rows(params: &AuditParams, entries: &[AuditEntry], resources: &Resources, namesakes: &Namesakes) -> AnyView {
    if entries.is_empty() { empty(params) } else { entry_table(entries, resources, namesakes) }
}

/// Shown instead of a table without rows.
fn empty(params: &AuditParams) -> AnyView {
    let (after, before) = (params.after.clone(), params.before.clone());
    let is_filtered = *params != AuditParams { after, before, ..AuditParams::default() };
    if !is_filtered {
        return view! {
            <div class="empty">
                <p>{words::no_entries_yet()}</p>
            </div>
        }
        .into_any();
    }
    view! {
        <div class="empty">
            <p>{words::no_entries_match_this_filter()}</p>
            <p>
                <a class="button" href=PATH>
                    {labels::clear_filters()}
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
    let (newer, older) =
        (link("before", &entries.previous, labels::newer()), link("after", &entries.next, labels::older()));
    view! {
        <nav class="pager" aria-label=labels::pages()>
            {newer}
            {older}
        </nav>
    }
    .into_any()
}

/// The entries, grouped by day.
fn entry_table(entries: &[AuditEntry], resources: &Resources, namesakes: &Namesakes) -> AnyView {
    let days = entries.chunk_by(|one, next| one.at.date_naive() == next.at.date_naive());
    let days = days.map(|of_day| {
        let day = of_day.first().map(|entry| Dated::long_day(entry.at));
        let (day, date) = day.map(|day| (day.text, day.attribute)).unzip();
        let rows = of_day.iter().map(|entry| entry_row(entry, resources, namesakes)).collect_view();
        view! {
            <tbody>
                <tr class="day">
                    <th scope="rowgroup" colspan="3" data-date=date>
                        {day}
                    </th>
                </tr>
                {rows}
            </tbody>
        }
    });
    view! {
        <table class="table audit-table" aria-label=labels::audit_log()>
            <thead>
                <tr>
                    <th scope="col">{words::time_utc()}</th>
                    <th scope="col">{labels::event()}</th>
                    <th scope="col">{labels::source()}</th>
                </tr>
            </thead>
            {days.collect_view()}
        </table>
    }
    .into_any()
}

fn entry_row(entry: &AuditEntry, resources: &Resources, namesakes: &Namesakes) -> AnyView {
    view! {
        <tr id=format!("row-{}", entry.id)>
            <th scope="row" data-label=labels::time()>
                <a class="name" href=format!("{PATH}/{}", entry.id) data-dialog="">
                    <ShortMoment at=entry.at />
                </a>
            </th>
            <td data-label=labels::event()>{audit_sentence(entry, resources.of(entry), namesakes)}</td>
            <td data-label=labels::source() class="source">
                {audit_source(entry)}
            </td>
        </tr>
    }
    .into_any()
}

/// A resource's kind and name, such as "API key ci".
fn resource_text(kind: &str, name: &str) -> String {
    let kind = match kind {
        "api_key" => labels::api_key(),
        "service_account" => labels::service_account(),
        "user" => labels::user(),
        "tenant" => labels::tenant(),
        "invitation" => words::invitation(),
        "agent" => words::agent(),
        "scope" => words::scope(),
        other => other,
    };
    if name.is_empty() { kind.to_owned() } else { format!("{kind} {name}") }
}

/// `/team/audit-log/{line}`: the details of one entry.
pub async fn entry(request: RequestContext) -> Result<AnyView, ApiError> {
    let id = request.id::<AuditId>("line")?;
    let (log, actor, now) = (request.services.audit_log(), request.actor()?, request.services.now());
    let entry = log.get(actor, id).await?;
    let resources = log.resources(actor, std::slice::from_ref(&entry)).await?;
    let namesakes = request.services.members().namesakes_of_entries(actor, std::slice::from_ref(&entry)).await?;
    request.set_title(&words::entry_title(&entry.number));
    let related = entry.subject_id.map(|id| all_about(&id.to_string()));
    let related = related.map(|href| {
        view! {
            <a class="button" href=href>
                {words::related_activity()}
            </a>
        }
    });
    Ok(view! {
        <div class="card wide-card audit-entry" data-light="">
            <h1 id="card-title">{entry.sentence()}</h1>
            <Facts rows=facts(&entry, resources.of(&entry), &namesakes, now) />
            <div class="buttons">
                {related} <a class="button primary" href=PATH data-close="" autofocus>
                    {labels::close()}
                </a>
            </div>
        </div>
    }
    .into_any())
}

fn facts(
    entry: &AuditEntry,
    resource: Option<&Resource>,
    namesakes: &Namesakes,
    now: DateTime<Utc>,
) -> Vec<(&'static str, AnyView)> {
    let text = |text: &str| text.to_owned().into_any();
    let code = |text: String| view! { <code>{text}</code> }.into_any();
    let name = resource_text(&entry.subject_kind, &entry.subject_name);
    let about = match resource.map(|resource| resource_path(resource, &entry.subject_name)) {
        Some(path) => view! { <a href=path>{name}</a> }.into_any(),
        None => name.into_any(),
    };
    let actor_kind = match entry.actor_kind.as_str() {
        "user" => labels::user(),
        "service_account" => labels::service_account(),
        "operator" => words::operator_of_the_server(),
        "service" => words::background_task(),
        other => other,
    };
    let rows = [
        Some((labels::time(), view! { <ExactMoment at=entry.at now /> }.into_any())),
        Some((words::time_utc(), text(&entry.at.to_rfc3339_opts(SecondsFormat::Micros, true)))),
        Some((labels::outcome(), view! { <OutcomeStatus outcome=entry.outcome /> }.into_any())),
        Some((labels::actor(), text(&entry.actor_name))),
        namesakes.beside(entry.actor_id, &entry.actor_name).map(|address| (words::actor_address(), text(address))),
        Some((words::actor_type(), text(actor_kind))),
        entry.actor_id.map(|id| (words::actor_id(), code(id.to_string()))),
        Some((words::via(), text(Channel::label_of(&entry.channel)))),
        entry.key_id.map(|id| (words::key_id(), code(id.to_string()))),
        entry.address.as_deref().map(|address| (labels::ip_address(), text(address))),
        entry.user_agent.as_deref().map(|agent| (labels::client(), text(agent))),
        Some((words::resource(), about)),
        entry.subject_id.map(|id| (words::resource_id(), code(id.to_string()))),
        Some((labels::details(), text(&entry.detail))).filter(|_| !entry.detail.is_empty()),
        Some((words::entry(), text(&entry.number.to_string()))),
        Some((words::hash(), code(entry.hash.clone()))),
    ];
    rows.into_iter().flatten().collect()
}

/// The history section of a key's page at `path`. `all`: the URL of the full history in the audit log, for an
/// administrator. `namesakes`: what to show beside names that are easily mistaken for others.
pub fn history(entries: Page<AuditEntry>, path: &str, all: Option<String>, namesakes: &Namesakes) -> AnyView {
    let has_more = entries.next.is_some() || entries.previous.is_some();
    let all = all.filter(|_| has_more).map(|href| view! { <a href=href>{words::full_history()}</a> });
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
    let (newer, older) =
        (link("before", entries.previous, labels::newer()), link("after", entries.next, labels::older()));
    let more = has_more.then(|| view! { <p class="inline-buttons">{newer}{older}{all}</p> });
    let rows = entries.items.iter().map(|entry| {
        view! {
            <tr>
                <th scope="row" data-label=labels::time()>
                    <Exact at=entry.at />
                </th>
                <td data-label=labels::event()>{audit_sentence(entry, None, namesakes)}</td>
                <td data-label=labels::source() class="source">
                    {audit_source(entry)}
                </td>
            </tr>
        }
    });
    view! {
        <section class="history" aria-labelledby="history-title">
            <h2 id="history-title">{words::history()}</h2>
            <table class="table audit-table" aria-label=words::history()>
                <thead>
                    <tr>
                        <th scope="col">{labels::time()}</th>
                        <th scope="col">{labels::event()}</th>
                        <th scope="col">{labels::source()}</th>
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

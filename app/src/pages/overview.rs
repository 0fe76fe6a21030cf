//! Team > Overview: the first page for administrators.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    ApiError, AuditEntry, ExpiryWindow, Operation, Overview,
    audit::{Channel, Outcome},
    page::Total,
    tenant::overview::{EXPIRING_WITHIN, GetOverview, KeyRequests, ReasonCount, WEEK},
    usage::number_text,
};
use leptos::prelude::*;
use service::{Namesakes, offers};

use crate::{
    api::get_overview,
    components::{
        alerts::hidden_clients,
        audit_sentence::audit_text,
        first_steps::FirstSteps,
        key_chart::day_chart,
        status::OutcomeStatus,
        time::{Distance, Exact},
    },
    request::RequestContext,
    words::{frame as words, labels, usage::from_address},
};

/// How long the first steps stay in sight for an administrator who has nobody else in the tenant.
const NEW_FOR: TimeDelta = TimeDelta::days(14);
/// Every seventh day is named below the chart.
const TICKS: usize = 7;

/// `/team/overview`.
pub async fn overview(request: RequestContext) -> Result<AnyView, ApiError> {
    let (overview, now) = (get_overview(GetOverview {}).await?, request.services.now());
    let contents = if overview.steps.has_key && overview.steps.has_used_key {
        let (members, actor) = (request.services.members(), request.actor()?);
        let keys: Vec<_> =
            overview.most_used.iter().chain(&overview.most_rejected).map(|one| one.key.clone()).collect();
        let of_keys = members.namesakes_of_keys(actor, &keys).await?;
        let of_entries = members.namesakes_of_entries(actor, &overview.recent).await?;
        let age = now - request.services.tenants().get(actor).await?.created_at;
        let steps = (!overview.steps.has_team && age < NEW_FOR).then(|| {
            let may_invite = offers(actor, Operation::InviteMember);
            view! { <FirstSteps steps=overview.steps may_invite /> }
        });
        let contents = contents(overview, (&of_keys, &of_entries), now);
        view! {
            {steps}
            {contents}
        }
        .into_any()
    } else {
        let may_invite = offers(request.actor()?, Operation::InviteMember);
        view! {
            <p class="lead">{words::overview_first_steps()}</p>
            <FirstSteps steps=overview.steps may_invite />
        }
        .into_any()
    };
    Ok(view! {
        <h1>{labels::overview()}</h1>
        {hidden_clients(request.hides_clients)}
        {contents}
    }
    .into_any())
}

/// `namesakes`: what to show beside the names of the keys' owners, and of the entries' actors.
fn contents(overview: Overview, namesakes: (&Namesakes, &Namesakes), now: DateTime<Utc>) -> AnyView {
    let numbers = numbers(&overview);
    let chart = day_chart(&overview.days, TICKS);
    let title = chart.title.clone();
    let reasons = reasons(&overview.reasons);
    let (used, rejected) =
        (most_used(&overview.most_used, namesakes.0), most_rejected(&overview.most_rejected, namesakes.0, now));
    view! {
        {numbers}
        <section class="overview-requests" aria-labelledby="requests-title">
            <h2 id="requests-title">{words::requests()}</h2>
            <p class="muted">{title}</p>
            {chart.view()}
        </section>
        <div class="overview-tops">{used}{rejected}{reasons}</div>
        {recent(overview.recent, namesakes.1)}
    }
    .into_any()
}

/// The four numbers, each a link to the list that it counts.
fn numbers(overview: &Overview) -> AnyView {
    let counted = |total: Option<Total>| total.map_or(0, |total| total.count);
    let number = |total: Option<Total>, href: String, label: String, is_warning: bool| {
        let warns = is_warning && counted(total) > 0;
        view! {
            <li>
                <a href=href class:warns=warns>
                    <strong>{total_text(total)}</strong>
                    " "
                    {label}
                </a>
            </li>
        }
    };
    let window = ExpiryWindow::new(0, EXPIRING_WITHIN).map(ExpiryWindow::code).unwrap_or_default();
    let expiring_list = format!("/team/keys?sort=expires&dir=asc&expires={window}");
    let active = words::active_keys(counted(overview.active)).to_owned();
    let expiring = words::expiring_keys(counted(overview.expiring), EXPIRING_WITHIN.into());
    let unused = words::unused_keys(counted(overview.unused)).to_owned();
    let violating = words::violating_keys(counted(overview.violating)).to_owned();
    view! {
        <ul class="numbers">
            {number(overview.active, "/team/keys".to_owned(), active, false)}
            {number(overview.expiring, expiring_list, expiring, true)}
            {number(overview.unused, "/team/keys?show=unused".to_owned(), unused, true)}
            {number(overview.violating, "/team/keys?show=against_policy".to_owned(), violating, true)}
        </ul>
    }
    .into_any()
}

/// A number like "1,000+"; a dash if it isn't known.
fn total_text(total: Option<Total>) -> String {
    match total {
        None => "–".to_owned(),
        Some(Total { count, is_exact: true }) => number_text(u64::from(count)),
        Some(Total { count, is_exact: false }) => format!("{}+", number_text(u64::from(count))),
    }
}

fn key_cell(one: &KeyRequests, namesakes: &Namesakes) -> AnyView {
    let owner = labels::with_address(&one.key.owner_name, namesakes.beside_owner(&one.key));
    view! {
        <th scope="row">
            <a class="name" href=one.key.page_path() translate="no" dir="auto">
                {one.key.name.to_string()}
            </a>
            <span class="sub">
                <code>{one.key.hint.clone()}"…"</code>
                " · "
                {owner}
            </span>
        </th>
    }
    .into_any()
}

fn most_used(keys: &[KeyRequests], namesakes: &Namesakes) -> AnyView {
    let rows = keys.iter().map(|one| {
        view! { <tr>{key_cell(one, namesakes)} <td class="number">{number_text(one.use_count)}</td></tr> }
    });
    view! {
        <section aria-labelledby="used-title">
            <h2 id="used-title">{words::most_used_keys()}</h2>
            {busiest(
                words::most_used_keys(),
                [labels::key(), labels::accepted()],
                rows.collect_view().into_any(),
                keys.is_empty(),
            )}
        </section>
    }
    .into_any()
}

fn most_rejected(keys: &[KeyRequests], namesakes: &Namesakes, now: DateTime<Utc>) -> AnyView {
    let rows = keys.iter().map(|one| {
        // The reason: a key that is valid now was rejected before it was resumed or rotated back.
        let state = one.key.state(now).label();
        let last = one.key.last_refused.as_ref().map(|last| {
            let when = view! { <Distance at=last.at now /> };
            view! { <span class="sub">{words::last_rejected(when, from_address(last.address.as_deref()))}</span> }
        });
        view! { <tr>{key_cell(one, namesakes)} <td>{state}{last}</td> <td class="number">{number_text(one.refusals)}</td></tr> }
    });
    view! {
        <section aria-labelledby="rejected-title">
            <h2 id="rejected-title">{words::most_rejected_keys()}</h2>
            {busiest(
                words::most_rejected_keys(),
                [labels::key(), words::state_now(), labels::rejected()],
                rows.collect_view().into_any(),
                keys.is_empty(),
            )}
        </section>
    }
    .into_any()
}

/// How often requests were rejected for each reason; nothing if none was.
fn reasons(reasons: &[ReasonCount]) -> AnyView {
    if reasons.is_empty() {
        return ().into_any();
    }
    let rows = reasons.iter().map(|one| {
        view! {
            <tr>
                <th scope="row">{one.reason.label()}</th>
                <td class="number">{number_text(one.refusals)}</td>
            </tr>
        }
    });
    view! {
        <section aria-labelledby="reasons-title">
            <h2 id="reasons-title">{words::rejected_by_reason()}</h2>
            {busiest(
                words::rejected_by_reason(),
                [labels::reason(), labels::rejected()],
                rows.collect_view().into_any(),
                false,
            )}
        </section>
    }
    .into_any()
}

/// A table of the busiest keys of the week, or the sentence that there are none.
fn busiest<const N: usize>(name: &'static str, heads: [&'static str; N], rows: AnyView, is_empty: bool) -> AnyView {
    if is_empty {
        return view! { <p class="muted">{words::none_in_the_last_days(&WEEK)}</p> }.into_any();
    }
    let heads = heads.map(|head| view! { <th scope="col">{head}</th> });
    view! {
        <p class="muted">{words::in_the_last_days(&WEEK)}</p>
        <table class="overview-table" aria-label=name>
            <thead>
                <tr>{heads.into_iter().collect_view()}</tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
    }
    .into_any()
}

/// The last entries of the audit log.
fn recent(entries: Vec<AuditEntry>, namesakes: &Namesakes) -> AnyView {
    let rows = entries.into_iter().map(|entry| {
        let denied = (entry.outcome == Outcome::Refused).then(|| view! { <OutcomeStatus outcome=entry.outcome /> });
        let via = format!("{}{}", Channel::label_of(&entry.channel), from_address(entry.address.as_deref()));
        view! {
            <li>
                <a href=format!("/team/audit-log/{}", entry.id) data-dialog="">
                    {audit_text(&entry, namesakes)}
                </a>
                " "
                {denied}
                <span class="sub">
                    <Exact at=entry.at />
                    " · "
                    {via}
                </span>
            </li>
        }
    });
    view! {
        <section class="overview-recent" aria-labelledby="recent-title">
            <h2 id="recent-title">{words::recent_activity()}</h2>
            <ul>{rows.collect_view()}</ul>
            <p>
                <a href="/team/audit-log">{words::open_the_audit_log()}</a>
            </p>
        </section>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_say_where_counting_stopped() {
        let total = |count, is_exact| Some(Total { count, is_exact });
        assert_eq!(total_text(total(1_000, true)), "1,000");
        assert_eq!(total_text(total(1_000, false)), "1,000+");
        assert_eq!(total_text(None), "–");
    }
}

//! The filter of the audit log: the form, and what is set as chips that remove it.

use chrono::{NaiveDate, NaiveTime};
use domain::{
    AuditEntry,
    audit::{ActionGroup, Outcome},
    operation::label_of,
};
use leptos::prelude::*;

use super::time::Dated;
use crate::{
    list_url::{AuditParams, Period},
    words::{audit as words, labels},
};

/// The form. With JavaScript, a change replaces the elements with the ids `live` without reloading the page.
#[component]
pub fn AuditFilter(params: AuditParams, path: &'static str, live: &'static str) -> impl IntoView {
    let outcomes = Outcome::ALL.map(|outcome| {
        view! {
            <option value=outcome.as_str() selected=params.result == outcome.as_str()>
                {outcome.label()}
            </option>
        }
    });
    let groups = (0..ActionGroup::ALL.len()).map(group_id).collect::<Vec<_>>().join(" ");
    let live = format!("{live} {groups}");
    view! {
        <form
            method="get"
            action=path
            class="filters audit-filter"
            role="search"
            aria-label=words::filter_the_audit_log()
            data-live=live
        >
            {periods(&params)}
            <div class="field">
                <label for="actor">{labels::actor()}</label>
                <input
                    id="actor"
                    name="actor"
                    value=params.actor.clone()
                    placeholder=words::name_or_id()
                    autocomplete="off"
                    maxlength="100"
                    data-shortcut="/"
                />
            </div>
            <div class="field">
                <label for="operation">{words::action()}</label>
                <select id="operation" name="operation">
                    <option value="">{words::all()}</option>
                    {actions(&params)}
                </select>
            </div>
            <div class="field">
                <label for="about">{words::key_or_resource()}</label>
                <input
                    id="about"
                    name="about"
                    value=params.about.clone()
                    placeholder=labels::id()
                    autocomplete="off"
                    maxlength="100"
                />
            </div>
            <div class="field">
                <label for="result">{labels::outcome()}</label>
                <select id="result" name="result">
                    <option value="">{words::all()}</option>
                    {outcomes.into_iter().collect_view()}
                </select>
            </div>
            <button type="submit" class="button without-script">
                {words::filter()}
            </button>
        </form>
    }
}

/// The id of a group of actions by its position. What it offers depends on the outcome.
fn group_id(index: usize) -> String {
    format!("actions-{index}")
}

/// The actions by group, as options.
fn actions(params: &AuditParams) -> AnyView {
    let outcome = Outcome::from_code(&params.result);
    let mut is_offered = params.operation.is_empty();
    let groups: Vec<_> = ActionGroup::ALL
        .into_iter()
        .enumerate()
        .map(|(index, group)| {
            let options: Vec<_> = group
                .offered(outcome)
                .map(|action| {
                    let selected = params.operation == action.code;
                    is_offered |= selected;
                    view! {
                        <option value=action.code selected=selected>
                            {action.label}
                        </option>
                    }
                })
                .collect();
            view! {
                <optgroup id=group_id(index) label=group.label()>
                    {options}
                </optgroup>
            }
        })
        .collect();
    // A link may filter by an action that isn't offered; the form keeps it.
    let other = (!is_offered).then(|| {
        let code = params.operation.clone();
        let label = label_of(&code).to_owned();
        view! {
            <option value=code selected>
                {label}
            </option>
        }
    });
    view! {
        {other}
        {groups}
    }
    .into_any()
}

/// The choice of a period, and the days of a custom one.
fn periods(params: &AuditParams) -> AnyView {
    let has_days = !params.from.is_empty() || !params.until.is_empty();
    let chosen = match (params.period.as_str(), has_days) {
        ("", true) => "custom",
        ("", false) => "all",
        (period, _) => period,
    };
    let presets = Period::ALL.map(|period| (period.code(), period.label()));
    let choices = [("all", words::all_time())].into_iter().chain(presets).chain([("custom", words::custom())]);
    let choices = choices.map(|(code, label)| {
        view! {
            <label class="segment">
                <input type="radio" name="period" value=code checked=code == chosen />
                <span>{label}</span>
            </label>
        }
    });
    view! {
        <fieldset class="segments">
            <legend class="visually-hidden">{words::period()}</legend>
            {choices.collect_view()}
        </fieldset>
        <div class="custom-period">
            <div class="field">
                <label for="from">{words::from_utc()}</label>
                <input id="from" name="from" type="date" value=day_of(&params.from) />
            </div>
            <div class="field">
                <label for="until">{words::to_utc()}</label>
                <input id="until" name="until" type="date" value=day_of(&params.until) />
            </div>
        </div>
    }
    .into_any()
}

/// The day of a timestamp, for a date input; a day stays as it is.
fn day_of(text: &str) -> String {
    text.trim().split('T').next().unwrap_or_default().to_owned()
}

/// A day as in the table, like "29 Nov 2026"; `None` for a timestamp.
fn day_text(text: &str) -> Option<Dated> {
    text.trim().parse::<NaiveDate>().ok().map(|day| Dated::day(day.and_time(NaiveTime::MIN).and_utc()))
}

/// What is set, as links that remove it. `entries`: those that match, from which the name of a resource is taken.
pub fn filter_chips(params: &AuditParams, entries: &[AuditEntry], path: &str) -> AnyView {
    let first = || AuditParams { after: String::new(), before: String::new(), ..params.clone() };
    let none = String::new;
    let about = entries.iter().find(|entry| entry.subject_id.is_some_and(|id| id.to_string() == params.about));
    let about = about.map_or(&params.about, |entry| &entry.subject_name);
    let result = match Outcome::from_code(&params.result) {
        Some(outcome) => outcome.label(),
        None => &params.result,
    };
    let period = match Period::from_code(&params.period) {
        Some(period) => period.label(),
        None => &params.period,
    };
    let action = label_of(&params.operation);
    let [from, until] = [&params.from, &params.until].map(|text| day_text(text));
    let said = |day: &Option<Dated>, text: &str| day.as_ref().map_or_else(|| text.to_owned(), |day| day.text.clone());
    let (from_text, until_text) = (said(&from, &params.from), said(&until, &params.until));
    let is_one_day = from.is_some() && params.from == params.until;
    let (days, until_value) = if is_one_day {
        ((words::on_day(&from_text), AuditParams { from: none(), until: none(), ..first() }), &none())
    } else {
        ((words::from_day(&from_text), AuditParams { from: none(), ..first() }), &params.until)
    };
    let chips = [
        (&params.period, words::past(&period), AuditParams { period: none(), ..first() }),
        (&params.from, days.0, days.1),
        (until_value, words::to_day(&until_text), AuditParams { until: none(), ..first() }),
        (&params.actor, words::actor_is(&params.actor), AuditParams { actor: none(), ..first() }),
        (&params.operation, words::action_is(&action), AuditParams { operation: none(), ..first() }),
        (&params.about, words::resource_is(&about), AuditParams { about: none(), ..first() }),
        (&params.result, words::outcome_is(&result), AuditParams { result: none(), ..first() }),
    ];
    let dates = [None, from, until, None, None, None, None].map(|day| day.map(|day| day.attribute));
    let chips: Vec<_> = chips
        .into_iter()
        .zip(dates)
        .filter(|((value, _, _), _)| !value.is_empty())
        .map(|((_, text, without), date)| {
            let label = words::remove_filter(&text);
            view! {
                <a class="chip-filter" href=without.url(path, None) aria-label=label data-date=date.clone()>
                    <span data-date=date.clone()>{text}</span>
                    <span aria-hidden="true">" ×"</span>
                </a>
            }
        })
        .collect();
    (!chips.is_empty()).then(|| view! { <p class="chip-filters">{chips}</p> }).into_any()
}

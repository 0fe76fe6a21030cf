//! The three steps that set up a tenant, each with a tick once it is done.

use domain::tenant::overview::Steps;
use leptos::prelude::*;

use super::icon::{Icon, Picture};
use crate::words::frame as words;

/// The steps. With `may_invite`, the last one leads to the invitation form.
#[component]
pub fn FirstSteps(steps: Steps, may_invite: bool) -> impl IntoView {
    let invite = may_invite
        .then(|| step(steps.has_team, (words::invite_your_team(), "/team/members/invite", true), words::invite_step()));
    view! {
        <ol class="first-steps">
            {step(steps.has_key, (words::create_a_key(), "/user/api-keys/new", true), words::key_step())}
            {step(steps.has_used_key, (words::verify_it_from_your_api(), "/docs/verify", false), words::verify_step())}
            {invite}
        </ol>
    }
}

/// One step. Its link opens in a dialog with `is_card`.
fn step(is_done: bool, (title, href, is_card): (&'static str, &'static str, bool), words: &'static str) -> AnyView {
    let mark = is_done.then(|| {
        view! {
            <span class="step-done">
                <Picture icon=Icon::Check />
                <span class="visually-hidden">{words::done()}</span>
            </span>
        }
    });
    view! {
        <li class:is-done=is_done>
            <h2>
                {mark} <a href=href data-dialog=is_card.then_some("")>
                    {title}
                </a>
            </h2>
            <p class="muted">{words}</p>
        </li>
    }
    .into_any()
}

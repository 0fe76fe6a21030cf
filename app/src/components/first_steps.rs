//! The three steps that set up a tenant, each with a tick once it is done.

use domain::tenant::overview::Steps;
use leptos::prelude::*;

use super::icon::{Icon, Picture};

/// The steps. With `may_invite`, the last one leads to the invitation form.
#[component]
pub fn FirstSteps(steps: Steps, may_invite: bool) -> impl IntoView {
    let invite = may_invite.then(|| {
        step(
            steps.has_team,
            ("Invite your team", "/team/members/invite", true),
            "Members create their own keys. Administrators also manage service accounts.",
        )
    });
    view! {
        <ol class="first-steps">
            {step(
                steps.has_key,
                ("Create a key", "/user/api-keys/new", true),
                "A key identifies a person or a program to your API.",
            )}
            {step(
                steps.has_used_key,
                ("Verify it from your API", "/docs/verify", false),
                "Your API asks Latchkey whether the key of a request is valid.",
            )} {invite}
        </ol>
    }
}

/// One step. Its link opens in a dialog with `is_card`.
fn step(is_done: bool, (title, href, is_card): (&'static str, &'static str, bool), words: &'static str) -> AnyView {
    let mark = is_done.then(|| {
        view! {
            <span class="step-done">
                <Picture icon=Icon::Check />
                <span class="visually-hidden">"Done: "</span>
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

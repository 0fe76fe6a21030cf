//! User > Profile > Second factor: a code from an app beside the password.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use domain::{ApiError, ErrorCode, Secret};
use leptos::prelude::*;
use service::Enrolment;

use super::{key_acts::unfit_card, page, path_word};
use crate::{
    components::{
        confirm_fields::{CONFIRM_FIELDS, confirm_fields},
        field::{Field, FormError},
    },
    request::{RequestContext, context},
};

const PROFILE: &str = "/user/profile";

/// `/user/second-factor/{act}`: begin, enable, codes, disable.
#[component]
pub fn SecondFactor() -> impl IntoView {
    let (request, act) = (context(), path_word("act"));
    page("Second factor", async move {
        if !request.form.revealed.is_empty() {
            return Ok(codes(&request.form.revealed));
        }
        let state = request.services.second_factors().state(request.actor()?).await?;
        if let Some(reason) = unfit(&act, state.enabled_at.is_some()) {
            let title = "Second factor".to_owned();
            return Ok(unfit_card(&request, title, reason.to_owned(), (PROFILE, "To your profile")));
        }
        match act.as_str() {
            "begin" => begin(&request).await,
            "enable" => enable(&request).await,
            "codes" => {
                let words = "Ten new codes take the place of those that you have; the earlier ones count no more.";
                ask(&request, "New recovery codes", words, "Draw new codes", false).await
            }
            "disable" => {
                let words = "Signing in then asks for your password alone, and your recovery codes are gone.";
                ask(&request, "Turn the second factor off?", words, "Turn off", true).await
            }
            _ => Err(ApiError::not_found()),
        }
    })
}

/// Why a page doesn't fit, by whether the second factor is on.
fn unfit(act: &str, is_on: bool) -> Option<&'static str> {
    match (act, is_on) {
        ("begin" | "enable", true) => Some("Your second factor is on already."),
        ("codes" | "disable", false) => Some("There is no second factor."),
        _ => None,
    }
}

async fn begin(request: &RequestContext) -> Result<AnyView, ApiError> {
    let words = "With a second factor, signing in asks for a code from an app on your phone beside your password. Any app for one-time codes will do.";
    ask(request, "Set up a second factor", words, "Begin", false).await
}

/// A question with the fields that confirm who asks.
async fn ask(
    request: &RequestContext,
    title: &'static str,
    words: &'static str,
    button: &'static str,
    destroys: bool,
) -> Result<AnyView, ApiError> {
    let error = Signal::stored(request.form.error.clone());
    let confirm = confirm_fields(request).await?;
    let class = if destroys { "button destroy" } else { "button primary" };
    Ok(view! {
        <div class="card">
            <h1 id="card-title">{title}</h1>
            <p>{words}</p>
            <form method="post">
                <FormError error fields=&CONFIRM_FIELDS />
                {confirm}
                <div class="buttons"><a class="button" href=PROFILE data-close="">"Cancel"</a><button type="submit" class=class>{button}</button></div>
            </form>
        </div>
    }
    .into_any())
}

async fn enable(request: &RequestContext) -> Result<AnyView, ApiError> {
    let actor = request.actor()?;
    let factors = request.services.second_factors();
    let begun = if request.services.is_fresh(actor) {
        factors.pending(actor).await?.map(secret_view)
    } else {
        factors.is_pending(actor).await?.then(hidden_secret)
    };
    let Some(secret) = begun else {
        return Err(ApiError::new(
            ErrorCode::Conflict,
            "Nothing was begun, or too long ago. Begin anew from your profile.",
        ));
    };
    let error = Signal::stored(request.form.error.clone());
    let confirm = confirm_fields(request).await?;
    Ok(view! {
        <div class="card">
            <h1 id="card-title">"Add it to your app"</h1>
            {secret}
            <form method="post">
                <FormError error fields=&["code", "confirm_password", "confirm_code"] />
                <Field name="code" label="Code" hint="Six digits." autocomplete="one-time-code" autofocus=true error />
                {confirm}
                <div class="buttons"><a class="button" href=PROFILE data-close="">"Cancel"</a><button type="submit" class="button primary">"Turn on"</button></div>
            </form>
        </div>
    }
    .into_any())
}

/// What an app is fed with.
fn secret_view(enrolment: Enrolment) -> AnyView {
    let secret =
        enrolment.secret.expose().as_bytes().chunks(4).map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ");
    view! {
        <p>"Scan the picture with your app, or type the secret into it. Then enter the code that it shows."</p>
        <img class="qr" src=qr_code(&enrolment.url) alt="QR code of the secret below" width="200" height="200" />
        <p>"Secret: "<code>{secret}</code></p>
    }
    .into_any()
}

/// In the secret's place, once the sign-in is old: the app that has it already shows a code all the same.
fn hidden_secret() -> AnyView {
    view! { <p>"Enter the code that your app shows. The secret isn't shown any more: if the app doesn't have it yet, begin anew from your profile."</p> }
        .into_any()
}

/// The recovery codes that the form has drawn, this once.
fn codes(codes: &[Secret]) -> AnyView {
    let text = codes.iter().map(Secret::expose).collect::<Vec<_>>().join("\n");
    view! {
        <div class="card" data-firm="">
            <h1 id="card-title">"Your recovery codes"</h1>
            <p>"Each lets you sign in once without the app. Store them where the phone isn't: they can't be shown again."</p>
            <div class="copied-text snippets">
                <button type="button" class="button small script-only" data-copy="" aria-label="Copy the codes">"Copy"</button>
                <pre tabindex="0" class="recovery-codes">{text}</pre>
            </div>
            <div class="buttons"><a class="button primary" href=PROFILE data-close="">"I have stored them"</a></div>
        </div>
    }
    .into_any()
}

/// A QR code as an image in the page itself: no other request carries the secret.
fn qr_code(url: &Secret) -> String {
    let Ok(code) = qrcode::QrCode::new(url.expose()) else { return String::new() };
    let svg = code.render::<qrcode::render::svg::Color<'_>>().min_dimensions(200, 200).build();
    format!("data:image/svg+xml;base64,{}", BASE64_STANDARD.encode(svg))
}

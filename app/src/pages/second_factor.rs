//! User > Profile > Two-factor authentication: a code from an app in addition to the password. The forms contain
//! secrets and are therefore plain HTML forms, not those of server functions.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use domain::{
    ApiError, ErrorCode, Secret,
    user::input::{ListSessions, confirm},
};
use leptos::prelude::*;
use service::Enrolment;

use crate::{
    api::list_sessions,
    components::{
        card::unfit_card,
        confirm_fields::confirm_fields,
        field::{Field, FormError},
        form_buttons::FormButtons,
        made_in_sessions::made_in_sessions,
    },
    list_url::encode,
    request::RequestContext,
    words::{labels, profile as words},
};

const PATH: &str = "/user/second-factor";
const PROFILE: &str = "/user/profile";

/// `/user/second-factor/{act}`, where the act is `begin`, `enable`, `codes` or `disable`; or the recovery codes, if the
/// form has just generated them.
pub async fn act(request: RequestContext) -> Result<AnyView, ApiError> {
    if !request.form.recovery_codes.is_empty() {
        request.set_title(words::your_recovery_codes());
        return Ok(codes(&request.form.recovery_codes));
    }
    let act = request.param("act");
    let state = request.services.second_factors().state(request.actor()?).await?;
    if let Some(reason) = unfit(act, state.enabled_at.is_some()) {
        let title = words::two_factor_authentication().to_owned();
        return Ok(unfit_card(&request, title, reason.to_owned(), (PROFILE, words::back_to_profile())));
    }
    match act {
        "begin" => {
            let words = words::setting_up_second_factor();
            ask(&request, words::set_up_two_factor_authentication(), words, labels::proceed(), false).await
        }
        "enable" => enable(&request).await,
        "codes" => {
            let words = words::new_codes_replace_old_ones();
            ask(&request, words::new_recovery_codes(), words, words::generate_new_codes(), false).await
        }
        "disable" => {
            let words = words::turning_second_factor_off();
            ask(&request, words::turn_off_two_factor_authentication(), words, labels::turn_off(), true).await
        }
        _ => Err(ApiError::not_found()),
    }
}

/// Why the act can't be done; `None` when it can. `is_on`: whether two-factor authentication is on.
fn unfit(act: &str, is_on: bool) -> Option<&'static str> {
    match (act, is_on) {
        ("begin" | "enable", true) => Some(words::second_factor_is_on()),
        ("codes" | "disable", false) => Some(words::second_factor_is_off()),
        _ => None,
    }
}

/// A question with the fields that confirm the person's identity. The form is posted to the page's own path.
async fn ask(
    request: &RequestContext,
    title: &'static str,
    words: &'static str,
    button: &'static str,
    destroys: bool,
) -> Result<AnyView, ApiError> {
    request.set_title(title.trim_end_matches('?'));
    let action = format!("{PATH}/{}", request.param("act"));
    let error = Signal::stored(request.form.error.clone());
    let confirm = confirm_fields(request).await?;
    let class = if destroys { "button destroy" } else { "button primary" };
    Ok(view! {
        <div class="card">
            <h1 id="card-title">{title}</h1>
            <p>{words}</p>
            <form method="post" action=action>
                <FormError error fields=&confirm::FIELDS />
                {confirm}
                <div class="buttons">
                    <a class="button" href=PROFILE data-close="">
                        {labels::cancel()}
                    </a>
                    <button type="submit" class=class>
                        {button}
                    </button>
                </div>
            </form>
        </div>
    }
    .into_any())
}

/// The form for the first code, with the secret while the sign-in is recent.
async fn enable(request: &RequestContext) -> Result<AnyView, ApiError> {
    let actor = request.actor()?;
    let factors = request.services.second_factors();
    let pending = if request.services.is_fresh(actor) {
        factors.pending(actor).await?.map(|enrolment| (words::scan_the_qr_code(), secret_view(enrolment)))
    } else {
        factors.is_pending(actor).await?.then(|| (words::enter_your_code(), hidden_secret()))
    };
    let Some((title, secret)) = pending else {
        return Err(ApiError::new(ErrorCode::Conflict, words::setup_timed_out()));
    };
    request.set_title(title);
    let error = Signal::stored(request.form.error.clone());
    let confirm = confirm_fields(request).await?;
    let ends_others = request.typed("end_others") == "true";
    let sessions = list_sessions(ListSessions {}).await?;
    let made_there = made_in_sessions(sessions.iter().filter(|session| !session.is_this));
    Ok(view! {
        <div class="card">
            <h1 id="card-title">{title}</h1>
            {secret}
            <form method="post" action=format!("{PATH}/enable")>
                <FormError error fields=&["code", confirm::PASSWORD, confirm::CODE] />
                <Field
                    name="code"
                    label=labels::code()
                    hint=words::six_digits()
                    inputmode="numeric"
                    autocomplete="one-time-code"
                    autofocus=true
                    error
                />
                <label class="check">
                    <input type="checkbox" name="end_others" value="true" checked=ends_others />
                    <span>{labels::sign_out_everywhere_else()}</span>
                </label>
                {made_there}
                {confirm}
                <FormButtons cancel=PROFILE label=labels::turn_on() />
            </form>
        </div>
    }
    .into_any())
}

/// The secret for the authenticator app, as a QR code and as text in groups of four characters.
fn secret_view(enrolment: Enrolment) -> AnyView {
    let secret =
        enrolment.secret.expose().as_bytes().chunks(4).map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ");
    view! {
        <p>{words::scan_then_enter_code()}</p>
        <img class="qr" src=qr_code(&enrolment.url) alt=words::qr_code_of_the_secret() width="200" height="200" />
        <p>{words::secret(view! { <code>{secret}</code> })}</p>
    }
    .into_any()
}

/// Shown instead of the secret when the sign-in is no longer recent. An app that already has the secret can still show
/// a code.
fn hidden_secret() -> AnyView {
    view! { <p>{words::qr_code_is_no_longer_shown()}</p> }.into_any()
}

/// The recovery codes that were just generated. They are shown only once. The file to download is a data URL, so that no
/// further request contains them.
fn codes(codes: &[Secret]) -> AnyView {
    let text = codes.iter().map(Secret::expose).collect::<Vec<_>>().join("\n");
    let file = format!("data:text/plain;charset=utf-8,{}", encode(&words::recovery_codes_file(&text)));
    view! {
        <div class="card" data-firm="">
            <h1 id="card-title">{words::your_recovery_codes()}</h1>
            <p>{words::recovery_codes_purpose()}</p>
            <div class="copied-text snippets">
                <button type="button" class="button small script-only" data-copy="" aria-label=words::copy_the_codes()>
                    {labels::copy()}
                </button>
                <pre tabindex="0" class="recovery-codes" translate="no">
                    {text}
                </pre>
            </div>
            <div class="buttons">
                <a class="button" href=file download="latchkey-recovery-codes.txt">
                    {words::download()}
                </a>
                <a class="button primary" href=PROFILE data-close="">
                    {words::ive_saved_them()}
                </a>
            </div>
        </div>
    }
    .into_any()
}

/// A QR code as a data URL, so that no further request contains the secret.
fn qr_code(url: &Secret) -> String {
    let Ok(code) = qrcode::QrCode::new(url.expose()) else { return String::new() };
    let svg = code.render::<qrcode::render::svg::Color<'_>>().min_dimensions(200, 200).build();
    format!("data:image/svg+xml;base64,{}", BASE64_STANDARD.encode(svg))
}

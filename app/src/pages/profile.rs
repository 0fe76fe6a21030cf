//! User > Profile: a person's own facts, name and password.

use leptos::prelude::*;

use super::{page, path_word};
use crate::{
    as_code::AsCode,
    components::{
        as_code::CodeFold,
        field::{Field, FormError},
    },
    request::context,
};

const PATH: &str = "/user/profile";

/// `/user/profile`.
#[component]
pub fn Profile() -> impl IntoView {
    let request = context();
    page("Profile", async move {
        let viewer = request.services.users().viewer(request.actor()?).await?;
        let tenants = viewer.memberships.iter().map(|membership| {
            view! { <li>{membership.tenant.name.to_string()}" — "{membership.role.label()}</li> }
        });
        Ok(view! {
            <h1>"Profile"</h1>
            <dl class="facts profile">
                <dt>"Name"</dt>
                <dd>{viewer.user.name.to_string()}" " <a class="button small" href=format!("{PATH}/name") data-dialog="">"Change name"</a></dd>
                <dt>"E-mail"</dt>
                <dd>{viewer.user.email.as_str().to_owned()}</dd>
                <dt>"Password"</dt>
                <dd><a class="button small" href=format!("{PATH}/password") data-dialog="">"Change password"</a></dd>
                <dt>"Tenants"</dt>
                <dd><ul>{tenants.collect_view()}</ul></dd>
                <dt>"Id"</dt>
                <dd><code>{viewer.user.id.to_string()}</code></dd>
            </dl>
        }
        .into_any())
    })
}

/// `/user/profile/{act}`: name, password.
#[component]
pub fn ProfileAct() -> impl IntoView {
    let (request, act) = (context(), path_word("act"));
    page("Profile", async move {
        let viewer = request.services.users().viewer(request.actor()?).await?;
        let error = Signal::stored(request.form.error.clone());
        let typed = request.form.value("name");
        let name = if typed.is_empty() { viewer.user.name.to_string() } else { typed };
        let code = request.code(None).await?;
        let (title, fields, fold) = match act.as_str() {
            "name" => {
                let example = AsCode::update_profile(&code, &name);
                let fold = view! { <CodeFold code=example public_url=code.public_url /> }.into_any();
                let field = view! { <Field name="name" label="Your name" value=name autocomplete="name" autofocus=true error /> };
                ("Change your name", field.into_any(), fold)
            }
            "password" => {
                let fields = view! {
                    <Field name="current_password" label="Current password" kind="password" autocomplete="current-password" autofocus=true error />
                    <Field name="password" label="New password" kind="password" hint="At least 15 characters. Several words in a row are easy to remember. Your other sessions end." autocomplete="new-password" error />
                };
                ("Change your password", fields.into_any(), ().into_any())
            }
            _ => return Err(domain::ApiError::not_found()),
        };
        Ok(view! {
            <div class="card">
                <h1 id="card-title">{title}</h1>
                <form method="post">
                    <FormError error fields=&["name", "current_password", "password"] />
                    {fields}
                    <div class="buttons"><a class="button" href=PATH data-close="">"Cancel"</a><button type="submit" class="button primary">"Save"</button></div>
                </form>
                {fold}
            </div>
        }
        .into_any())
    })
}

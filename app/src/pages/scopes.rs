//! Team > Settings > Scopes: the catalogue, which all tenants share.

use domain::{
    ApiError, Role,
    scope::{Catalogue, CatalogueScope, ListScopes, RemoveScope, Scope, SetScope},
    user::input::confirm,
};
use leptos::prelude::*;

use crate::{
    api::list_scopes,
    as_code::AsCode,
    components::{
        act_form::act_form,
        as_code::CodeFold,
        card::Card,
        confirm_fields::confirm_fields_when,
        field::{Field, FieldError, FormError},
        form_buttons::FormButtons,
        time::Dated,
    },
    request::RequestContext,
    words::{labels, scopes as words},
};

const SETTINGS: &str = "/team/settings";

/// The section of the settings page.
///
/// # Errors
/// When the database fails.
pub async fn scope_list(request: &RequestContext) -> Result<AnyView, ApiError> {
    let catalogue = list_scopes(ListScopes {}).await?;
    let may_change = request.services.scopes().may_change(request.actor()?).await?;
    let lead = if may_change { words::catalogue_is_shared() } else { words::catalogue_is_the_operators() };
    let add = may_change.then(|| {
        view! {
            <a class="button small" href=format!("{SETTINGS}/scopes/new") data-dialog="">
                {words::add_scope()}
            </a>
        }
    });
    let own = catalogue.iter().filter(|entry| entry.scope.is_reserved());
    let rows = catalogue.operators().chain(own).map(|entry| row(entry, may_change)).collect_view();
    Ok(view! {
        <section class="below-table" aria-labelledby="scopes-title">
            <h2 id="scopes-title">{words::scopes()}</h2>
            <p>{lead} " " {add}</p>
            <table class="table" aria-label=words::scopes()>
                <thead>
                    <tr>
                        <th scope="col">{words::scope()}</th>
                        <th scope="col">{words::least_role()}</th>
                        <th scope="col">
                            <span class="visually-hidden">{labels::actions()}</span>
                        </th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </section>
    }
    .into_any())
}

fn row(entry: &CatalogueScope, may_change: bool) -> AnyView {
    let scope = entry.scope.to_string();
    let path = format!("{SETTINGS}/scopes/{scope}");
    let deprecation = entry.deprecated_at.map(|at| {
        let date = Dated::date(at);
        view! {
            <span class="chip" data-date=date.attribute>
                {entry.deprecation()}
            </span>
        }
    });
    let own = entry.scope.is_reserved().then(|| view! { <span class="chip">{words::of_latchkey()}</span> });
    let buttons = (may_change && !entry.scope.is_reserved()).then(|| {
        view! {
            <a class="button small" href=path.clone() data-dialog="" aria-label=words::change_the_scope(&scope)>
                {labels::change()}
            </a>
            " "
            <a
                class="button small"
                href=format!("{path}/remove")
                data-dialog=""
                aria-label=words::remove_question(&scope).trim_end_matches('?').to_owned()
            >
                {words::remove()}
            </a>
        }
    });
    view! {
        <tr>
            <th scope="row" data-label=words::scope()>
                <code translate="no">{scope.clone()}</code>
                " "
                {deprecation}
                {own}
                <span class="sub">{entry.description.clone()}</span>
            </th>
            <td data-label=words::least_role()>{entry.least_role.label()}</td>
            <td class="actions wide-actions">{buttons}</td>
        </tr>
    }
    .into_any()
}

/// `/team/settings/scopes/new`.
pub async fn new_scope(request: RequestContext) -> Result<AnyView, ApiError> {
    request.services.scopes().check_may_change(request.actor()?).await?;
    let input = SetScope {
        scope: request.typed("scope"),
        description: request.typed("description"),
        least_role: Some(request.typed("least_role").parse().unwrap_or(Role::ReadOnlyUser)),
        deprecated_since: request.typed("deprecated_since"),
        before: None,
    };
    let error = Signal::stored(request.form.error.clone());
    let scope = view! {
        <Field
            name="scope"
            label=words::scope()
            value=input.scope.clone()
            hint=words::scope_hint()
            autofocus=true
            error
        />
    };
    let hidden = [("before", CatalogueScope::revision(None))];
    scope_form(&request, words::add_scope().to_owned(), &input, &hidden, scope.into_any()).await
}

/// `/team/settings/scopes/{scope}`.
pub async fn edit_scope(request: RequestContext) -> Result<AnyView, ApiError> {
    request.services.scopes().check_may_change(request.actor()?).await?;
    let entry = operators_scope(&request).await?;
    request.set_title(&words::change_the_scope(&entry.scope));
    let is_typed = request.form.error.is_some();
    let or = |name: &str, stored: String| if is_typed { request.typed(name) } else { stored };
    let day = entry.deprecated_at.map(|at| at.format("%Y-%m-%d").to_string()).unwrap_or_default();
    let input = SetScope {
        scope: entry.scope.to_string(),
        description: or("description", entry.description.clone()),
        least_role: Some(request.typed("least_role").parse().unwrap_or(entry.least_role)),
        deprecated_since: or("deprecated_since", day),
        before: None,
    };
    let hidden = [("scope", input.scope.clone()), ("before", CatalogueScope::revision(Some(&entry)))];
    scope_form(&request, words::change_the_scope(&input.scope), &input, &hidden, ().into_any()).await
}

/// `/team/settings/scopes/{scope}/remove`.
pub async fn remove_scope(request: RequestContext) -> Result<AnyView, ApiError> {
    request.services.scopes().check_may_change(request.actor()?).await?;
    let scope = operators_scope(&request).await?.scope.to_string();
    Ok(Card {
        title: words::remove_question(&scope),
        button: Some(words::remove()),
        destroys: true,
        code: AsCode::remove_scope(&scope),
        words: view! { <p>{words::removing_takes_it_from_keys()}</p> }.into_any(),
        fields: ().into_any(),
    }
    .view::<RemoveScope>(&request, &[("scope", scope)], SETTINGS))
}

/// The scope in the page's path; not found if it is a reserved one.
async fn operators_scope(request: &RequestContext) -> Result<CatalogueScope, ApiError> {
    let catalogue: Catalogue = list_scopes(ListScopes {}).await?;
    let scope = Scope::parse(request.param("scope")).map_err(|_| ApiError::not_found())?;
    let entry = catalogue.find(&scope).filter(|entry| !entry.scope.is_reserved());
    entry.cloned().ok_or_else(ApiError::not_found)
}

/// The form that sets a scope. `scope`: the field for its name, if that can be chosen.
async fn scope_form(
    request: &RequestContext,
    title: String,
    input: &SetScope,
    hidden: &[(&'static str, String)],
    scope: AnyView,
) -> Result<AnyView, ApiError> {
    let error = Signal::stored(request.form.error.clone());
    let confirm = confirm_fields_when(request, words::lower_role_asks_for_a_password()).await?;
    let least = input.least_role.unwrap_or(Role::ReadOnlyUser);
    let roles = Role::ALL.map(|role| {
        view! {
            <option value=role.as_str() selected=role == least>
                {role.label()}
            </option>
        }
    });
    let contents = view! {
        <FormError
            error
            fields=&["scope", "description", "least_role", "deprecated_since", confirm::PASSWORD, confirm::CODE]
        />
        {scope}
        <Field
            name="description"
            label=words::description()
            value=input.description.clone()
            hint=words::description_hint()
            error
        />
        <div class="field">
            <label for="field-least_role">{words::least_role()}</label>
            <select id="field-least_role" name="least_role" aria-describedby="error-least_role">
                {roles.into_iter().collect_view()}
            </select>
            <FieldError id="error-least_role".to_owned() name="least_role" error />
        </div>
        <Field
            name="deprecated_since"
            label=words::deprecated_since()
            kind="date"
            value=input.deprecated_since.clone()
            hint=words::deprecated_hint()
            required=false
            error
        />
        {confirm}
        <FormButtons cancel=SETTINGS label=words::save() busy=labels::saving() />
    };
    Ok(view! {
        <div class="card">
            <h1 id="card-title">{title}</h1>
            {act_form::<SetScope>(request, SETTINGS, hidden, contents.into_any())}
            <CodeFold code=AsCode::set_scope(input) public_url=request.public_url.clone() />
        </div>
    }
    .into_any())
}

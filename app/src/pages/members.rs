//! Team > Members: who belongs to the tenant, with which role.

use domain::{ApiError, KeyQuery, Member, Operation, Owner, Role, UserId};
use leptos::prelude::*;

use super::{key_acts::Card, page, path_id, path_word};
use crate::{
    as_code::{AsCode, CodeContext},
    components::{
        as_code::CodeFold, field::FormError, role_field::RoleField, row_menu::RowMenu, trash_link::TrashLink,
    },
    request::{RequestContext, context},
};

const PATH: &str = "/team/members";

/// `/team/members`.
#[component]
pub fn Members() -> impl IntoView {
    let request = context();
    page("Members", async move {
        let actor = request.actor()?;
        let members = request.services.members().list(actor).await?;
        let may_change = actor.role() == Role::TenantAdmin;
        let own = actor.user_id();
        let rows = members.into_iter().map(|member| row(member, may_change, own)).collect_view();
        Ok(view! {
            <h1>"Members"</h1>
            <p class="lead">"People who belong to this tenant. What they may do follows from their role, at every moment."</p>
            <table class="table" aria-label="Members">
                <thead>
                    <tr>
                        <th scope="col">"Name"</th>
                        <th scope="col">"Role"</th>
                        {may_change.then(|| view! { <th scope="col"><span class="visually-hidden">"Actions"</span></th> })}
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        }
        .into_any())
    })
}

fn row(member: Member, may_change: bool, own: Option<UserId>) -> AnyView {
    let actions = may_change.then(|| {
        let at = |word: &str| format!("{PATH}/{}/{word}", member.user_id);
        let items = vec![(at("role"), "Change role")];
        view! {
            <td class="actions">
                <RowMenu label=format!("More for {}", member.name) items />
                <TrashLink href=at("remove") label=format!("Remove member {}", member.name) />
            </td>
        }
    });
    let you = (own == Some(member.user_id)).then_some(" (you)");
    view! {
        <tr>
            <th scope="row" data-label="Name"><span class="name">{member.name.to_string()}</span>{you}<span class="sub">{member.email.as_str().to_owned()}</span></th>
            <td data-label="Role">{member.role.label()}</td>
            {actions}
        </tr>
    }
    .into_any()
}

/// `/team/members/{user}/{act}`: role, remove.
#[component]
pub fn MemberAct() -> impl IntoView {
    let (request, user, act) = (context(), path_id::<UserId>("user"), path_word("act"));
    page("Member", async move {
        let (actor, user) = (request.actor()?, user?);
        let member = request.services.members().get_to_change(actor, user).await?;
        let code = request.code(None).await?;
        match act.as_str() {
            "role" => Ok(role_page(&request, &member, &code)),
            "remove" => {
                let keys = request.services.api_keys().list(actor, Owner::User(user), &KeyQuery::default()).await?;
                let names = keys.items.iter().map(|key| key.name.to_string()).collect::<Vec<_>>();
                Ok(remove_card(&member, names, keys.next.is_some(), &code).view(
                    &request,
                    PATH,
                    code.public_url.clone(),
                ))
            }
            _ => Err(ApiError::not_found()),
        }
    })
}

fn role_page(request: &RequestContext, member: &Member, code: &CodeContext) -> AnyView {
    let typed = request.form.value("role");
    let role = if typed.is_empty() { member.role.as_str().to_owned() } else { typed };
    let id = member.user_id.to_string();
    let example = AsCode {
        graphql: format!(
            "mutation {{\n  {}(user_id: \"{id}\", role: {role}) {{\n    role\n  }}\n}}",
            Operation::ChangeMemberRole.as_str()
        ),
        cli: code.command("set-role", &["--email", member.email.as_str(), "--role", &role]),
    };
    let error = Signal::stored(request.form.error.clone());
    view! {
        <div class="card">
            <h1 id="card-title">{format!("Change the role of {}", member.name)}</h1>
            <form method="post">
                <FormError error fields=&[] />
                <RoleField value=role />
                <div class="buttons"><a class="button" href=PATH data-close="">"Cancel"</a><button type="submit" class="button primary">"Save"</button></div>
            </form>
            <CodeFold code=example public_url=code.public_url.clone() />
        </div>
    }
    .into_any()
}

/// `keys`: the names of the member's living keys here; `more`: whether there are others.
fn remove_card(member: &Member, keys: Vec<String>, more: bool, code: &CodeContext) -> Card {
    let id = member.user_id.to_string();
    let stops = if keys.is_empty() {
        view! { <p>"They have no active API key here."</p> }.into_any()
    } else {
        let items = keys.into_iter().map(|name| view! { <li>{name}</li> }).collect_view();
        view! { <p>"These API keys stop working with the membership, at once and for good:"</p><ul class="plain-list">{items}{more.then(|| view! { <li>"… and more"</li> })}</ul> }
            .into_any()
    };
    Card {
        title: format!("Remove {} from the tenant?", member.name),
        button: Some("Remove"),
        destroys: true,
        code: AsCode {
            graphql: format!(
                "mutation {{\n  {}(user_id: \"{id}\") {{\n    success\n  }}\n}}",
                Operation::RemoveMember.as_str()
            ),
            cli: code.command("remove-member", &["--email", member.email.as_str()]),
        },
        words: view! { {stops}<p>"Service accounts that they made, and those accounts' keys, go on."</p> }.into_any(),
    }
}

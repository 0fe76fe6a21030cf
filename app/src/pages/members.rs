//! Team > Members: who belongs to the tenant, with which role.

use chrono::{DateTime, Utc};
use domain::{
    ApiError, InventoryQuery, Invitation, InvitationId, KeyFilter, KeyQuery, Member, Operation, Owner, Recent, Role,
    UserId,
};
use leptos::prelude::*;
use service::offers;

use super::{
    key_acts::Card,
    list_params, page, path_id, path_word,
    toolbar::{Empty, Pager, Toolbar},
};
use crate::{
    as_code::{AsCode, CodeContext},
    components::{
        as_code::CodeFold,
        confirm_fields::confirm_fields,
        field::{Field, FormError},
        icon::{Icon, Picture},
        place::place_field,
        revealed_link::RevealedLink,
        revoke_key::{RecentWords, RoleWords},
        role_field::RoleField,
        row_menu::RowMenu,
        time::Moment,
        trash_link::TrashLink,
    },
    list_url::ListChoice,
    request::{RequestContext, context},
};

const PATH: &str = "/team/members";

/// `/team/members`.
#[component]
pub fn Members() -> impl IntoView {
    let (request, query) = (context(), list_params().to_members());
    page("Members", async move {
        let actor = request.actor()?;
        let members = request.services.members().list(actor, &query).await?;
        let choice = ListChoice::of_members(PATH, &query);
        let states: Vec<_> = Role::ALL.iter().map(|role| (role.as_str(), role.label())).collect();
        let states = [("all", "All")].into_iter().chain(states).collect();
        let role = query.role.map_or("All", Role::label);
        let may_change = offers(actor, Operation::ChangeMemberRole);
        let own = actor.user_id();
        let sees_open = offers(actor, Operation::ListInvitations);
        let open = if sees_open { request.services.invitations().list(actor).await? } else { Vec::new() };
        let open = open_invitations(open, request.services.now());
        let invite = offers(actor, Operation::InviteMember).then(|| {
            view! { <a class="button primary board-action" href=format!("{PATH}/invite") data-dialog=""><Picture icon=Icon::Plus />"Invite a member"</a> }
        });
        let (bar, empty) = (choice.clone(), choice.clone());
        let table = if members.items.is_empty() {
            view! { <Empty choice=empty default_state="all" state_label=role things="members" hint="" /> }.into_any()
        } else {
            table(members.items, may_change, own)
        };
        Ok(view! {
            <h1>"Members"</h1>
            <p class="lead">"People who belong to this tenant. What they may do follows from their role, at every moment."</p>
            <div class="board">
                {invite}
                <Toolbar choice=bar states label="Search members" />
                <div class="table-place">{table}</div>
            </div>
            <Pager choice previous=members.previous next=members.next />
            {open}
        }
        .into_any())
    })
}

fn table(members: Vec<Member>, may_change: bool, own: Option<UserId>) -> AnyView {
    let rows = members.into_iter().map(|member| row(member, may_change, own)).collect_view();
    view! {
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
    .into_any()
}

fn open_invitations(open: Vec<Invitation>, now: DateTime<Utc>) -> Option<AnyView> {
    if open.is_empty() {
        return None;
    }
    let rows = open.into_iter().map(|invitation| {
        let href = format!("{PATH}/invitations/{}/cancel", invitation.id);
        let email = invitation.email.as_str().to_owned();
        let paused = invitation.is_paused.then(|| {
            view! { <span class="sub">"Doesn't work now: who made it isn't an administrator any more."</span> }
        });
        view! {
            <tr>
                <th scope="row" data-label="E-mail"><span class="name">{email.clone()}</span></th>
                <td data-label="Role">{invitation.role.label()}</td>
                <td data-label="Invited"><Moment at=invitation.created_at now /><span class="sub">"by "{invitation.created_by}</span></td>
                <td data-label="Link ends"><Moment at=invitation.expires_at now />{paused}</td>
                <td class="actions"><TrashLink href label=format!("Take the invitation of {email} back") /></td>
            </tr>
        }
    });
    Some(
        view! {
            <section class="agents" aria-labelledby="invitations-title">
                <h2 id="invitations-title">"Open invitations"</h2>
                <table class="table" aria-label="Open invitations">
                    <thead>
                        <tr>
                            <th scope="col">"E-mail"</th><th scope="col">"Role"</th><th scope="col">"Invited"</th><th scope="col">"Link ends"</th>
                            <th scope="col"><span class="visually-hidden">"Actions"</span></th>
                        </tr>
                    </thead>
                    <tbody>{rows.collect_view()}</tbody>
                </table>
            </section>
        }
        .into_any(),
    )
}

/// `/team/members/invite`.
#[component]
pub fn Invite() -> impl IntoView {
    let request = context();
    page("Invite a member", async move {
        // The list's own refusal, for those who may not.
        request.services.invitations().list(request.actor()?).await?;
        if let Some(link) = request.form.revealed.first().cloned() {
            let mailed = if request.form.value("mailed").is_empty() {
                "Send them this link."
            } else {
                "The link is on its way by e-mail."
            };
            let words = format!("{mailed} It works once, for 72 hours, and can't be shown again.");
            return Ok(
                view! { <RevealedLink title="The invitation is made" words label="Link" link back=PATH /> }.into_any()
            );
        }
        let error = Signal::stored(request.form.error.clone());
        let (email, role) = (request.form.value("email"), request.form.value("role"));
        let role = if role.is_empty() { Role::User.as_str().to_owned() } else { role };
        let code = request.code(None).await?;
        let example = AsCode::invite(&code, &email, &role);
        let confirm = confirm_fields(&request).await?;
        Ok(view! {
            <div class="card">
                <h1 id="card-title">"Invite a member"</h1>
                <form method="post">
                    {place_field(&request)}
                    <FormError error fields=&["email", "confirm_password", "confirm_code"] />
                    <Field name="email" label="E-mail" kind="email" value=email hint="Of the one who is invited. Only they can use the link." autofocus=true error />
                    <RoleField value=role />
                    {confirm}
                    <div class="buttons"><a class="button" href=PATH data-close="">"Cancel"</a><button type="submit" class="button primary">"Invite"</button></div>
                </form>
                <CodeFold code=example public_url=code.public_url />
            </div>
        }
        .into_any())
    })
}

/// `/team/members/invitations/{invitation}/cancel`.
#[component]
pub fn CancelInvitation() -> impl IntoView {
    let (request, id) = (context(), path_id::<InvitationId>("invitation"));
    page("Take an invitation back", async move {
        let id = id?;
        let open = request.services.invitations().list(request.actor()?).await?;
        let invitation = open.into_iter().find(|one| one.id == id).ok_or_else(ApiError::not_found)?;
        let code = request.code(None).await?;
        Ok(Card {
            title: format!("Take the invitation of {} back?", invitation.email.as_str()),
            button: Some("Take back"),
            destroys: true,
            code: AsCode::cancel_invitation(&code, &id.to_string()),
            words: view! { <p>"Its link stops working at once."</p> }.into_any(),
            fields: ().into_any(),
        }
        .view(&request, PATH, code.public_url))
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
        let recent = request.services.api_keys().recent_of_owner(actor, Owner::User(user)).await?;
        match act.as_str() {
            "role" => Ok(role_page(&request, &member, recent, &code)),
            "remove" => {
                let (names, more) = living_keys(&request, user).await?;
                let recent = view! { <RecentWords recent now=request.services.now() /> }.into_any();
                let place = place_field(&request);
                Ok(remove_card(&member, (names, more), &code, recent, place).view(
                    &request,
                    PATH,
                    code.public_url.clone(),
                ))
            }
            _ => Err(ApiError::not_found()),
        }
    })
}

/// The names of a member's keys in this tenant that aren't over, suspended ones too; and whether there are others.
async fn living_keys(request: &RequestContext, user: UserId) -> Result<(Vec<String>, bool), ApiError> {
    let inventory = InventoryQuery { owner: Some(user.0), ..InventoryQuery::default() };
    let (mut names, mut more) = (Vec::new(), false);
    for (filter, mark) in [(KeyFilter::Active, ""), (KeyFilter::Suspended, " (suspended)")] {
        let query = KeyQuery { filter, ..KeyQuery::default() };
        let keys = request.services.inventory().list(request.actor()?, &query, inventory).await?;
        names.extend(keys.items.iter().map(|key| format!("{}{mark}", key.name)));
        more |= keys.next.is_some();
    }
    Ok((names, more))
}

/// `recent`: who used the member's keys here in the last day.
fn role_page(request: &RequestContext, member: &Member, recent: Recent, code: &CodeContext) -> AnyView {
    let now = request.services.now();
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
                {place_field(request)}
                <FormError error fields=&[] />
                <RoleWords keys="Their keys" recent now />
                <RoleField value=role />
                <div class="buttons"><a class="button" href=PATH data-close="">"Cancel"</a><button type="submit" class="button primary">"Save"</button></div>
            </form>
            <CodeFold code=example public_url=code.public_url.clone() />
        </div>
    }
    .into_any()
}

/// `keys`: the names of the member's living keys here; `more`: whether there are others. `place`: the hidden field.
fn remove_card(
    member: &Member,
    (keys, more): (Vec<String>, bool),
    code: &CodeContext,
    recent: AnyView,
    place: AnyView,
) -> Card {
    let id = member.user_id.to_string();
    let stops = if keys.is_empty() {
        view! { <p>"They have no living API key here."</p> }.into_any()
    } else {
        let items = keys.into_iter().map(|name| view! { <li>{name}</li> }).collect_view();
        view! { <p>"These API keys stop working with the membership, at once and for good:"</p><ul class="plain-list">{items}{more.then(|| view! { <li>"… and more"</li> })}</ul>{recent} }
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
        fields: place,
    }
}

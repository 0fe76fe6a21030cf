//! Team > Members: the tenant's members with their roles, and its open invitations.

use chrono::{DateTime, Utc};
use domain::{
    ApiError, InventoryQuery, Invitation, InvitationId, KeyFilter, KeyQuery, Member, MemberAct, Operation, Owner,
    Recent, Role, UserId,
    api_key::input::ListTenantKeys,
    tenant::input::{CancelInvitation, InviteMember, ListInvitations},
    user::input::{ChangeMemberRole, ListMembers, RemoveMember, confirm},
};
use leptos::prelude::*;
use service::offers;

use super::{
    empty_list::{EmptyList, no_members},
    list_params,
    toolbar::{Pager, Toolbar},
};
use crate::{
    api::{list_invitations, list_members, list_tenant_keys},
    as_code::{AsCode, CodeContext},
    components::{
        act_form::act_form,
        as_code::CodeFold,
        card::Card,
        confirm_fields::confirm_fields,
        field::{Field, FormError},
        form_buttons::FormButtons,
        icon::{Icon, Picture},
        revealed_link::{link_card, link_template},
        revoke_key::{RecentWords, RoleWords, THEY_STOP},
        role_field::RoleField,
        row_menu::RowMenu,
        time::Moment,
        trash_link::TrashLink,
    },
    list_url::ListChoice,
    request::RequestContext,
};

const PATH: &str = "/team/members";

/// `/team/members`.
pub async fn members(request: RequestContext) -> Result<AnyView, ApiError> {
    let (actor, query) = (request.actor()?, list_params(&request).to_members());
    let members = list_members(ListMembers { query: query.clone() }).await?;
    let choice = ListChoice::of_members(PATH, &query);
    let roles = Role::ALL.iter().map(|role| (role.as_str(), role.label()));
    let states = [("all", "All")].into_iter().chain(roles).collect();
    let may_change = offers(actor, MemberAct::ChangeRole.operation());
    let sees_open = offers(actor, Operation::ListInvitations);
    let open = if sees_open { list_invitations(ListInvitations {}).await? } else { Vec::new() };
    let open = open_invitations(open, request.services.now());
    let invite = offers(actor, Operation::InviteMember).then(|| {
        view! {
            <a class="button primary board-action" href=format!("{PATH}/invite") data-dialog="">
                <Picture icon=Icon::Plus />
                "Invite a member"
            </a>
        }
    });
    let (bar, empty) = (choice.clone(), choice.clone());
    let table = if members.items.is_empty() {
        let reason = no_members(&empty, query.role);
        view! { <EmptyList choice=empty default_state="all" reason hint="" show_all="Show all members" /> }.into_any()
    } else {
        table(members.items, may_change, actor.user_id())
    };
    Ok(view! {
        <h1>"Members"</h1>
        <p class="lead">"People in this tenant and their roles."</p>
        <div class="board">
            {invite} <Toolbar choice=bar states label="Search members" /> <div class="table-place">{table}</div>
        </div>
        <Pager choice previous=members.previous next=members.next />
        {open}
    }
    .into_any())
}

fn table(members: Vec<Member>, may_change: bool, own: Option<UserId>) -> AnyView {
    let rows = members.into_iter().map(|member| row(member, may_change, own)).collect_view();
    view! {
        <table class="table" aria-label="Members">
            <thead>
                <tr>
                    <th scope="col">"Name"</th>
                    <th scope="col">"Role"</th>
                    {may_change
                        .then(|| {
                            view! {
                                <th scope="col">
                                    <span class="visually-hidden">"Actions"</span>
                                </th>
                            }
                        })}
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
    }
    .into_any()
}

fn row(member: Member, may_change: bool, own: Option<UserId>) -> AnyView {
    let actions = may_change.then(|| {
        let path = |act: MemberAct| format!("{PATH}/{}/{}", member.user_id, act.code());
        // Remove has a button of its own.
        let in_menu = MemberAct::ALL.iter().copied().filter(|act| *act != MemberAct::Remove);
        let items = in_menu.map(|act| (path(act), act.label())).collect();
        view! {
            <td class="actions">
                <RowMenu label=format!("More for {}", member.name) items />
                <TrashLink href=path(MemberAct::Remove) label=format!("Remove member {}", member.name) />
            </td>
        }
    });
    let you = (own == Some(member.user_id)).then_some(" (you)");
    view! {
        <tr>
            <th scope="row" data-label="Name">
                <span class="name">{member.name.to_string()}</span>
                {you}
                <span class="sub">{member.email.as_str().to_owned()}</span>
            </th>
            <td data-label="Role">{member.role.label()}</td>
            {actions}
        </tr>
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
            view! { <span class="sub">"Inactive: the inviter is no longer an administrator."</span> }
        });
        view! {
            <tr>
                <th scope="row" data-label="Email">
                    <span class="name">{email.clone()}</span>
                </th>
                <td data-label="Role">{invitation.role.label()}</td>
                <td data-label="Invited">
                    <Moment at=invitation.created_at now />
                    <span class="sub">{format!("by {}", invitation.created_by)}</span>
                </td>
                <td data-label="Expires">
                    <Moment at=invitation.expires_at now />
                    {paused}
                </td>
                <td class="actions">
                    <TrashLink href label=format!("Cancel the invitation for {email}") />
                </td>
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
                            <th scope="col">"Email"</th>
                            <th scope="col">"Role"</th>
                            <th scope="col">"Invited"</th>
                            <th scope="col">"Expires"</th>
                            <th scope="col">
                                <span class="visually-hidden">"Actions"</span>
                            </th>
                        </tr>
                    </thead>
                    <tbody>{rows.collect_view()}</tbody>
                </table>
            </section>
        }
        .into_any(),
    )
}

/// `/team/members/invite`: the form or, if it has just created an invitation, the link.
pub async fn invite(request: RequestContext) -> Result<AnyView, ApiError> {
    // Returns the list's own error to people who may not invite anyone.
    list_invitations(ListInvitations {}).await?;
    if let Some(issued) = request.form.created_link() {
        return Ok(link_card(Operation::InviteMember, issued, PATH));
    }
    let error = Signal::stored(request.form.error.clone());
    let (email, role) = (request.typed("email"), request.typed("role"));
    let code = request.code(None)?;
    let example = AsCode::invite(&code, &email, if role.is_empty() { Role::User.as_str() } else { &role });
    let contents = view! {
        <FormError error fields=&["email", "role", confirm::PASSWORD, confirm::CODE] />
        <Field
            name="email"
            label="Email"
            kind="email"
            value=email
            hint="Only this person can use the link."
            autofocus=true
            error
        />
        <RoleField value=role error />
        {confirm_fields(&request).await?}
        <FormButtons cancel=PATH label="Invite" />
    };
    Ok(view! {
        <div class="card">
            <h1 id="card-title">"Invite a member"</h1>
            {act_form::<InviteMember>(&request, PATH, &[], contents.into_any())}
            {link_template(Operation::InviteMember, PATH)}
            <CodeFold code=example public_url=code.public_url />
        </div>
    }
    .into_any())
}

/// `/team/members/invitations/{invitation}/cancel`.
pub async fn cancel_invitation(request: RequestContext) -> Result<AnyView, ApiError> {
    let id: InvitationId = request.id("invitation")?;
    let open = list_invitations(ListInvitations {}).await?;
    let invitation = open.into_iter().find(|one| one.id == id).ok_or_else(ApiError::not_found)?;
    let card = Card {
        title: format!("Cancel the invitation for {}?", invitation.email.as_str()),
        button: Some("Cancel invitation"),
        destroys: true,
        code: AsCode::cancel_invitation(&request.code(None)?, &id.to_string()),
        words: view! { <p>"Its link stops working immediately."</p> }.into_any(),
        fields: ().into_any(),
    };
    Ok(card.view::<CancelInvitation>(&request, &[("invitation", id.to_string())], PATH))
}

/// `/team/members/{user}/{act}`: asks before a [`MemberAct`].
pub async fn act(request: RequestContext) -> Result<AnyView, ApiError> {
    let (actor, user) = (request.actor()?, request.id::<UserId>("user")?);
    let act = MemberAct::from_code(request.param("act")).ok_or_else(ApiError::not_found)?;
    let member = request.services.members().get_to_change(actor, user).await?;
    let code = request.code(None)?;
    let recent = request.services.api_keys().recent_of_owner(actor, Owner::User(user)).await?;
    match act {
        MemberAct::ChangeRole => Ok(role_page(&request, &member, recent, &code)),
        MemberAct::Remove => {
            let keys = active_keys(user).await?;
            let card = remove_card(&member, keys, recent, &code, request.services.now());
            Ok(card.view::<RemoveMember>(&request, &[("user", user.to_string())], PATH))
        }
    }
}

/// The names of a member's active and suspended keys in this tenant, one page of each, and whether there are more.
async fn active_keys(user: UserId) -> Result<(Vec<String>, bool), ApiError> {
    let inventory = InventoryQuery { owner: Some(user.0), ..InventoryQuery::default() };
    let (mut names, mut has_more) = (Vec::new(), false);
    for (filter, mark) in [(KeyFilter::Active, ""), (KeyFilter::Suspended, " (suspended)")] {
        let query = KeyQuery { filter, ..KeyQuery::default() };
        let keys = list_tenant_keys(ListTenantKeys { query, inventory }).await?;
        names.extend(keys.items.iter().map(|key| format!("{}{mark}", key.name)));
        has_more |= keys.next.is_some();
    }
    Ok((names, has_more))
}

/// `recent`: the use of the member's keys in this tenant in the past 24 hours.
fn role_page(request: &RequestContext, member: &Member, recent: Recent, code: &CodeContext) -> AnyView {
    let (act, now, typed) = (MemberAct::ChangeRole, request.services.now(), request.typed("role"));
    let role = if typed.is_empty() { member.role.as_str().to_owned() } else { typed };
    let id = member.user_id.to_string();
    let example = AsCode {
        graphql: format!(
            "mutation {{\n  {}(user_id: \"{id}\", role: {role}) {{\n    role\n  }}\n}}",
            act.operation().as_str()
        ),
        cli: code.command("set-role", &["--email", member.email.as_str(), "--role", &role]),
    };
    let error = Signal::stored(request.form.error.clone());
    let contents = view! {
        <FormError error fields=&["role"] />
        <RoleWords recent now />
        <RoleField value=role error />
        <div class="buttons">
            <a class="button" href=PATH data-close="">
                "Cancel"
            </a>
            <button type="submit" class="button primary">
                {act.label()}
            </button>
        </div>
    };
    view! {
        <div class="card">
            <h1 id="card-title">{format!("Change the role of {}", member.name)}</h1>
            {act_form::<ChangeMemberRole>(request, PATH, &[("user", id)], contents.into_any())}
            <CodeFold code=example public_url=code.public_url.clone() />
        </div>
    }
    .into_any()
}

/// `keys`: the names of the member's keys that will be revoked. `has_more`: whether there are others. `recent`: the use
/// of those keys in the past 24 hours.
fn remove_card(
    member: &Member,
    (keys, has_more): (Vec<String>, bool),
    recent: Recent,
    code: &CodeContext,
    now: DateTime<Utc>,
) -> Card {
    let (act, id) = (MemberAct::Remove, member.user_id);
    let stops = if keys.is_empty() {
        view! { <p>"They have no active keys here."</p> }.into_any()
    } else {
        let items = keys.into_iter().map(|name| view! { <li>{name}</li> }).collect_view();
        let more = has_more.then(|| view! { <li>"… and more"</li> });
        view! {
            <p>"These keys are revoked immediately:"</p>
            <ul class="plain-list">{items}{more}</ul>
            <RecentWords recent now then=THEY_STOP />
        }
        .into_any()
    };
    Card {
        title: format!("Remove {} from the tenant?", member.name),
        button: Some(act.label()),
        destroys: true,
        code: AsCode {
            graphql: format!(
                "mutation {{\n  {}(user_id: \"{id}\") {{\n    success\n  }}\n}}",
                act.operation().as_str()
            ),
            cli: code.command("remove-member", &["--email", member.email.as_str()]),
        },
        words: view! {
            {stops}
            <p>"Service accounts they created keep working."</p>
        }
        .into_any(),
        fields: ().into_any(),
    }
}

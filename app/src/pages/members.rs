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
use service::{MemberFacts, offers};

use super::{
    empty_list::{EmptyList, no_members},
    list_params,
    toolbar::{ListBoard, Noun, Pages},
};
use crate::{
    api::{list_invitations, list_members, list_tenant_keys},
    as_code::{AsCode, CodeContext},
    components::{
        act_form::act_form,
        as_code::CodeFold,
        card::Card,
        confirm_fields::{confirm_fields, confirm_fields_when},
        field::{Field, FormError},
        form_buttons::FormButtons,
        icon::{Icon, Picture},
        revealed_link::{link_card, link_template},
        revoke_key::RoleWords,
        role_field::{RoleField, TO_RAISE},
        row_menu::RowMenu,
        time::{Distance, Moment},
        trash_link::TrashLink,
        use_facts::UseFacts,
    },
    list_url::{ListChoice, encode},
    request::RequestContext,
};

const PATH: &str = "/team/members";
/// The page after the person has left the tenant.
const OWN_KEYS: &str = "/user/api-keys";

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
    let action = offers(actor, Operation::InviteMember).then(|| {
        let button = view! {
            <a class="button primary board-action" href=format!("{PATH}/invite") data-dialog="" data-shortcut="c">
                <Picture icon=Icon::Plus />
                "Invite a member"
            </a>
        };
        button.into_any()
    });
    let pages = Pages::from(&members);
    let rows = if members.items.is_empty() {
        let reason = no_members(&choice, query.role);
        let show_all = "Show all members";
        view! { <EmptyList choice=choice.clone() default_state="all" reason hint="" show_all /> }.into_any()
    } else {
        let ids: Vec<UserId> = members.items.iter().map(|member| member.user_id).collect();
        let facts = if may_change { request.services.members().facts(actor, &ids).await? } else { Vec::new() };
        let view = MembersView { may_change, own: actor.user_id(), now: request.services.now() };
        table(members.items, &facts, view)
    };
    let noun = Noun::Members;
    let board = ListBoard { choice, noun, states, filters: Vec::new(), action, is_first_run: false, rows, pages };
    Ok(view! {
        <h1>"Members"</h1>
        <p class="lead">"People in this tenant and their roles."</p>
        {board.view()}
        {open}
    }
    .into_any())
}

/// Who views the list, and when.
#[derive(Clone, Copy)]
struct MembersView {
    /// Whether the viewer may change members, and sees more of them.
    may_change: bool,
    own: Option<UserId>,
    now: DateTime<Utc>,
}

fn table(members: Vec<Member>, facts: &[MemberFacts], view: MembersView) -> AnyView {
    let rows = members.into_iter().map(|member| {
        let facts = facts.iter().find(|facts| facts.user_id == member.user_id);
        row(member, facts, view)
    });
    let more = view.may_change.then(|| {
        view! {
            <th scope="col">"Two-factor"</th>
            <th scope="col">"Active keys"</th>
            <th scope="col" class="col-created">
                "Joined"
            </th>
            <th scope="col">
                <span class="visually-hidden">"Actions"</span>
            </th>
        }
    });
    view! {
        <table class="table" aria-label="Members">
            <thead>
                <tr>
                    <th scope="col">"Name"</th>
                    <th scope="col">"Role"</th>
                    {more}
                </tr>
            </thead>
            <tbody>{rows.collect_view()}</tbody>
        </table>
    }
    .into_any()
}

fn row(member: Member, facts: Option<&MemberFacts>, view: MembersView) -> AnyView {
    let is_own = view.own == Some(member.user_id);
    let you = is_own.then_some(" (you)");
    let actions = view.may_change.then(|| actions(&member, is_own));
    view! {
        <tr id=format!("row-{}", member.user_id)>
            <th scope="row" data-label="Name">
                <span class="name" translate="no" dir="auto">
                    {member.name.to_string()}
                </span>
                {you}
                <span class="sub" translate="no">
                    {member.email.as_str().to_owned()}
                </span>
            </th>
            <td data-label="Role">{member.role.label()}</td>
            {facts.map(|facts| fact_cells(facts, view.now))}
            {actions}
        </tr>
    }
    .into_any()
}

/// The cells that only administrators see.
fn fact_cells(facts: &MemberFacts, now: DateTime<Utc>) -> AnyView {
    let second_factor = if facts.has_second_factor { "On" } else { "Off" };
    let last = facts.keys_last_used_at.map(|at| {
        view! { <span class="sub">"last used " <Distance at now /></span> }
    });
    view! {
        <td data-label="Two-factor">{second_factor}</td>
        <td data-label="Active keys">{facts.active_keys} {last}</td>
        <td data-label="Joined" class="col-created">
            <Moment at=facts.joined_at now />
        </td>
    }
    .into_any()
}

/// The menu of a member, and the button that removes them; on one's own row, the button that leaves the tenant.
fn actions(member: &Member, is_own: bool) -> AnyView {
    let path = |act: MemberAct| format!("{PATH}/{}/{}", member.user_id, act.code());
    let mut items: Vec<_> = [MemberAct::ChangeRole].map(|act| (path(act), act.label())).into();
    let remove = path(MemberAct::Remove);
    let trash = if is_own {
        items.push((remove, "Leave tenant"));
        None
    } else {
        Some(view! { <TrashLink href=remove label=format!("Remove member {}", member.name) /> })
    };
    view! {
        <td class="actions">
            <RowMenu label=format!("More for {}", member.name) items />
            {trash}
        </td>
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
        // A link is shown once. Inviting again replaces it.
        let again = format!("{PATH}/invite?email={}&role={}", encode(&email), invitation.role.as_str());
        let paused = invitation.is_paused.then(|| {
            view! { <span class="sub">"Inactive: the inviter isn't an administrator, or is suspended."</span> }
        });
        view! {
            <tr>
                <th scope="row" data-label="Email">
                    <span class="name" translate="no">
                        {email.clone()}
                    </span>
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
                <td class="actions wide-actions">
                    <a class="button small" href=again data-dialog="" aria-label=format!("New link for {email}")>
                        "New link"
                    </a>
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
    let is_again = !request.query("email").is_empty();
    let title =
        if is_again { format!("New link for {}", request.query("email")) } else { "Invite a member".to_owned() };
    request.set_title(&title);
    let replaces = is_again.then(|| view! { <p>"The earlier link stops working."</p> });
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
            <h1 id="card-title">{title}</h1>
            {replaces}
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
        MemberAct::ChangeRole => role_page(&request, &member, recent, &code).await,
        MemberAct::Remove => {
            let keys = active_keys(user).await?;
            let card = remove_card(&request, &member, keys, recent, &code)?;
            let is_own = actor.user_id() == Some(user);
            let back = if is_own { OWN_KEYS } else { PATH };
            Ok(card.view::<RemoveMember>(&request, &[("user", user.to_string())], back))
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
async fn role_page(
    request: &RequestContext,
    member: &Member,
    recent: Recent,
    code: &CodeContext,
) -> Result<AnyView, ApiError> {
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
    let may_rise = member.role < Role::TenantAdmin;
    let confirm = if may_rise { confirm_fields_when(request, TO_RAISE).await? } else { ().into_any() };
    let contents = view! {
        <FormError error fields=&["role", confirm::PASSWORD, confirm::CODE] />
        <RoleWords recent now />
        <RoleField value=role error />
        {confirm}
        <div class="buttons">
            <a class="button" href=PATH data-close="">
                "Cancel"
            </a>
            <button type="submit" class="button primary">
                {act.label()}
            </button>
        </div>
    };
    request.set_title(&format!("Change the role of {}", member.name));
    Ok(view! {
        <div class="card">
            <h1 id="card-title">{format!("Change the role of {}", member.name)}</h1>
            <p class="muted" translate="no">
                {member.email.as_str().to_owned()}
            </p>
            {act_form::<ChangeMemberRole>(request, PATH, &[("user", id)], contents.into_any())}
            <CodeFold code=example public_url=code.public_url.clone() />
        </div>
    }
    .into_any())
}

/// `keys`: the names of the member's keys that will be revoked. `has_more`: whether there are others. `recent`: the use
/// of those keys in the past 24 hours.
fn remove_card(
    request: &RequestContext,
    member: &Member,
    (keys, has_more): (Vec<String>, bool),
    recent: Recent,
    code: &CodeContext,
) -> Result<Card, ApiError> {
    let (act, id, now) = (MemberAct::Remove, member.user_id, request.services.now());
    let is_own = request.actor()?.user_id() == Some(id);
    let stops = if keys.is_empty() {
        let words = if is_own { "You have no active keys here." } else { "They have no active keys here." };
        view! { <p>{words}</p> }.into_any()
    } else {
        let words =
            if is_own { "Your keys here are revoked immediately:" } else { "These keys are revoked immediately:" };
        let items = keys.into_iter().map(|name| view! { <li translate="no">{name}</li> }).collect_view();
        let more = has_more.then(|| view! { <li>"… and more"</li> });
        view! {
            <UseFacts last=None recent now />
            <p>{words}</p>
            <ul class="plain-list">{items}{more}</ul>
        }
        .into_any()
    };
    let tenant = request.viewer()?.current().map(|here| here.tenant.name.to_string()).unwrap_or_default();
    let (title, button, keep) = if is_own {
        let keep = "Service accounts you created keep working. To come back, you need a new invitation.";
        (format!("Leave {tenant}?"), "Leave tenant", keep)
    } else {
        (format!("Remove {} from the tenant?", member.name), act.label(), "Service accounts they created keep working.")
    };
    Ok(Card {
        title,
        button: Some(button),
        destroys: true,
        code: AsCode {
            graphql: format!(
                "mutation {{\n  {}(user_id: \"{id}\") {{\n    success\n  }}\n}}",
                act.operation().as_str()
            ),
            cli: code.command("remove-member", &["--email", member.email.as_str()]),
        },
        words: view! {
            <p class="muted" translate="no">
                {member.email.as_str().to_owned()}
            </p>
            {stops}
            <p>{keep}</p>
        }
        .into_any(),
        fields: ().into_any(),
    })
}

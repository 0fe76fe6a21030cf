//! Team > Members: the tenant's members with their roles, and its open invitations.

use chrono::{DateTime, Utc};
use domain::{
    ApiError, ApiKey, InventoryQuery, Invitation, InvitationId, KeyFilter, KeyQuery, Member, MemberAct, Operation,
    Owner, Recent, Role, UserId,
    api_key::input::ListTenantKeys,
    tenant::input::{CancelInvitation, InviteMember, ListInvitations},
    user::input::{ChangeMemberRole, ListMembers, RemoveMember, UnlockSecondFactor, confirm},
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
    words::{labels, members as words},
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
    let states = [("all", words::all())].into_iter().chain(roles).collect();
    let may_change = offers(actor, MemberAct::ChangeRole.operation());
    let sees_open = offers(actor, Operation::ListInvitations);
    let open = if sees_open { list_invitations(ListInvitations {}).await? } else { Vec::new() };
    let open = open_invitations(open, request.services.now());
    let action = offers(actor, Operation::InviteMember).then(|| {
        let button = view! {
            <a class="button primary board-action" href=format!("{PATH}/invite") data-dialog="" data-shortcut="c">
                <Picture icon=Icon::Plus />
                {labels::invite_a_member()}
            </a>
        };
        button.into_any()
    });
    let pages = Pages::from(&members);
    let rows = if members.items.is_empty() {
        let reason = no_members(&choice, query.role);
        let show_all = words::show_all_members();
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
        <h1>{labels::members()}</h1>
        <p class="lead">{words::lead()}</p>
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
            <th scope="col">{words::two_factor()}</th>
            <th scope="col">{words::active_keys()}</th>
            <th scope="col" class="col-created">
                {words::joined()}
            </th>
            <th scope="col">
                <span class="visually-hidden">{labels::actions()}</span>
            </th>
        }
    });
    view! {
        <table class="table" aria-label=labels::members()>
            <thead>
                <tr>
                    <th scope="col">{labels::name()}</th>
                    <th scope="col">{labels::role()}</th>
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
    let you = is_own.then(words::you);
    let is_locked = facts.is_some_and(|facts| facts.codes_locked_at.is_some());
    let actions = view.may_change.then(|| actions(&member, is_own, is_locked));
    view! {
        <tr id=format!("row-{}", member.user_id)>
            <th scope="row" data-label=labels::name()>
                <span class="name" translate="no" dir="auto">
                    {member.name.to_string()}
                </span>
                {you}
                <span class="sub" translate="no">
                    {member.email.as_str().to_owned()}
                </span>
            </th>
            <td data-label=labels::role()>{member.role.label()}</td>
            {facts.map(|facts| fact_cells(facts, view.now))}
            {actions}
        </tr>
    }
    .into_any()
}

/// The cells that only administrators see.
fn fact_cells(facts: &MemberFacts, now: DateTime<Utc>) -> AnyView {
    let second_factor = match (facts.has_second_factor, facts.codes_locked_at) {
        (true, Some(_)) => words::codes_are_locked(),
        (true, None) => labels::on(),
        (false, _) => labels::off(),
    };
    let locked = facts.codes_locked_at.map(|at| {
        view! {
            <span class="sub">
                <Distance at now />
            </span>
        }
    });
    let last = facts.keys_last_used_at.map(|at| {
        view! { <span class="sub">{words::last_used(view! { <Distance at now /> })}</span> }
    });
    view! {
        <td data-label=words::two_factor()>{second_factor} {locked}</td>
        <td data-label=words::active_keys()>{facts.active_keys} {last}</td>
        <td data-label=words::joined() class="col-created">
            <Moment at=facts.joined_at now />
        </td>
    }
    .into_any()
}

/// The menu of a member, and the button that removes them; on one's own row, the button that leaves the tenant.
/// `is_locked`: whether their two-factor codes are locked.
fn actions(member: &Member, is_own: bool, is_locked: bool) -> AnyView {
    let path = |act: MemberAct| format!("{PATH}/{}/{}", member.user_id, act.code());
    let acts = [(MemberAct::ChangeRole, true), (MemberAct::UnlockSecondFactor, is_locked)];
    let mut items: Vec<_> =
        acts.into_iter().filter(|(_, fits)| *fits).map(|(act, _)| (path(act), act.label())).collect();
    let remove = path(MemberAct::Remove);
    let trash = if is_own {
        items.push((remove, words::leave_tenant()));
        None
    } else {
        Some(view! { <TrashLink href=remove label=words::remove_member(&member.name) /> })
    };
    view! {
        <td class="actions">
            <RowMenu label=labels::more_for(&member.name) items />
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
            view! { <span class="sub">{words::invitation_is_inactive()}</span> }
        });
        view! {
            <tr>
                <th scope="row" data-label=labels::email()>
                    <span class="name" translate="no">
                        {email.clone()}
                    </span>
                </th>
                <td data-label=labels::role()>{invitation.role.label()}</td>
                <td data-label=words::invited()>
                    <Moment at=invitation.created_at now />
                    <span class="sub">{labels::by(&invitation.created_by)}</span>
                </td>
                <td data-label=labels::expires()>
                    <Moment at=invitation.expires_at now />
                    {paused}
                </td>
                <td class="actions wide-actions">
                    <a class="button small" href=again data-dialog="" aria-label=words::new_link_for(&email)>
                        {words::new_link()}
                    </a>
                    <TrashLink href label=words::cancel_the_invitation(&email) />
                </td>
            </tr>
        }
    });
    Some(
        view! {
            <section class="agents" aria-labelledby="invitations-title">
                <h2 id="invitations-title">{words::open_invitations()}</h2>
                <table class="table" aria-label=words::open_invitations()>
                    <thead>
                        <tr>
                            <th scope="col">{labels::email()}</th>
                            <th scope="col">{labels::role()}</th>
                            <th scope="col">{words::invited()}</th>
                            <th scope="col">{labels::expires()}</th>
                            <th scope="col">
                                <span class="visually-hidden">{labels::actions()}</span>
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
        if is_again { words::new_link_for(&request.query("email")) } else { labels::invite_a_member().to_owned() };
    request.set_title(&title);
    let replaces = is_again.then(|| view! { <p>{words::the_earlier_link_stops_working()}</p> });
    let code = request.code(None)?;
    let example = AsCode::invite(&code, &email, if role.is_empty() { Role::User.as_str() } else { &role });
    let contents = view! {
        <FormError error fields=&["email", "role", confirm::PASSWORD, confirm::CODE] />
        <Field
            name="email"
            label=labels::email()
            kind="email"
            value=email
            hint=words::email_hint()
            autofocus=true
            error
        />
        <RoleField value=role error />
        {confirm_fields(&request).await?}
        <FormButtons cancel=PATH label=words::invite() />
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
        title: words::cancel_the_invitation_question(&invitation.email.as_str()),
        button: Some(words::cancel_invitation()),
        destroys: true,
        code: AsCode::cancel_invitation(&request.code(None)?, &id.to_string()),
        words: view! { <p>{words::its_link_stops_working_immediately()}</p> }.into_any(),
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
        MemberAct::UnlockSecondFactor => unlock_page(&request, &member).await,
        MemberAct::Remove => {
            let keys = active_keys(user).await?;
            let card = remove_card(&request, &member, keys, recent, &code)?;
            let is_own = actor.user_id() == Some(user);
            let back = if is_own { OWN_KEYS } else { PATH };
            Ok(card.view::<RemoveMember>(&request, &[("user", user.to_string())], back))
        }
    }
}

/// The page before a member's two-factor codes are unlocked.
async fn unlock_page(request: &RequestContext, member: &Member) -> Result<AnyView, ApiError> {
    let (act, id) = (MemberAct::UnlockSecondFactor, member.user_id.to_string());
    let card = Card {
        title: words::unlock_codes_question(&member.name),
        button: Some(act.label()),
        destroys: false,
        code: AsCode::session_only(act.operation().as_str(), &[("user_id", &id)], "user_id"),
        words: view! {
            <p class="muted" translate="no">
                {member.email.as_str().to_owned()}
            </p>
            <p>{words::why_codes_are_locked()}</p>
            <p>{words::unlocking_changes_no_secret()}</p>
        }
        .into_any(),
        fields: confirm_fields(request).await?,
    };
    Ok(card.view::<UnlockSecondFactor>(request, &[("user", id)], PATH))
}

/// The names of a member's active and suspended keys in this tenant, one page of each, and whether there are more.
async fn active_keys(user: UserId) -> Result<(Vec<String>, bool), ApiError> {
    let inventory = InventoryQuery { owner: Some(user.0), ..InventoryQuery::default() };
    let (mut names, mut has_more) = (Vec::new(), false);
    for filter in [KeyFilter::Active, KeyFilter::Suspended] {
        let query = KeyQuery { filter, ..KeyQuery::default() };
        let keys = list_tenant_keys(ListTenantKeys { query, inventory }).await?;
        let name = |key: &ApiKey| match filter {
            KeyFilter::Suspended => words::suspended_key(&key.name),
            _ => key.name.to_string(),
        };
        names.extend(keys.items.iter().map(name));
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
        <FormButtons cancel=PATH label=act.label() />
    };
    let hidden = [("user", id), ("before", member.role.as_str().to_owned())];
    request.set_title(&words::change_the_role(&member.name));
    Ok(view! {
        <div class="card">
            <h1 id="card-title">{words::change_the_role(&member.name)}</h1>
            <p class="muted" translate="no">
                {member.email.as_str().to_owned()}
            </p>
            {act_form::<ChangeMemberRole>(request, PATH, &hidden, contents.into_any())}
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
        let none = if is_own { words::you_have_no_active_keys() } else { words::they_have_no_active_keys() };
        view! { <p>{none}</p> }.into_any()
    } else {
        let revoked = if is_own { words::your_keys_are_revoked() } else { words::these_keys_are_revoked() };
        let items = keys.into_iter().map(|name| view! { <li translate="no">{name}</li> }).collect_view();
        let more = has_more.then(|| view! { <li>{words::and_more()}</li> });
        view! {
            <UseFacts last=None recent now />
            <p>{revoked}</p>
            <ul class="plain-list">{items}{more}</ul>
        }
        .into_any()
    };
    let tenant = request.viewer()?.current().map(|here| here.tenant.name.to_string()).unwrap_or_default();
    let (title, button, keep) = if is_own {
        let keep = words::your_service_accounts_keep_working();
        (words::leave_question(&tenant), words::leave_tenant(), keep)
    } else {
        (
            words::remove_from_the_tenant_question(&member.name),
            act.label(),
            words::their_service_accounts_keep_working(),
        )
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

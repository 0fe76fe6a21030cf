//! Use cases of a tenant's members.

use chrono::{DateTime, Utc};
use domain::{
    ApiError, ErrorCode, Member, MemberQuery, Operation, Owner, Page, PageRequest, Role, UserId, page::MAX_LIMIT,
    tenant::check_role_unchanged,
};

use super::second_factor_lock;
use crate::{
    access::{Actor, Target, WritePermit},
    context::Context,
    error::{Error, Result},
    input,
    keys::{api_keys::keys_revoked, pending_changes},
    storage::{self, Tx, audit::Entry, db::retry, tenants::MemberFacts},
};

/// Use cases of a tenant's members.
pub struct Members<'a> {
    pub(crate) context: &'a Context,
}

impl Members<'_> {
    /// Returns one page of the members, by name.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` for a cursor of another kind of list.
    pub async fn list(&self, actor: &Actor, query: &MemberQuery) -> Result<Page<Member>> {
        let permit = self.context.permit(actor, Operation::ListMembers, Target::Tenant(actor.tenant_id())).await?;
        let query = MemberQuery { search: input::search(&query.search), ..query.clone() };
        storage::tenants::list_members(self.context.db(), &permit, &query).await
    }

    /// Returns one member, for an actor who may change their role.
    ///
    /// # Errors
    /// `NOT_FOUND`, `FORBIDDEN`.
    pub async fn get_to_change(&self, actor: &Actor, user: UserId) -> Result<Member> {
        let permit = self.permit(actor, Operation::ChangeMemberRole, user).await?;
        Ok(storage::tenants::find_member(self.context.db(), &permit, user).await?.ok_or_else(ApiError::not_found)?)
    }

    /// Returns what administrators see of members besides name and role, for those of `users` that are members.
    ///
    /// # Errors
    /// `FORBIDDEN`.
    pub async fn facts(&self, actor: &Actor, users: &[UserId]) -> Result<Vec<MemberFacts>> {
        let permit = self.context.permit(actor, Operation::ListTenantKeys, Target::Tenant(actor.tenant_id())).await?;
        let now = storage::micros(self.context.now());
        storage::tenants::list_member_facts(self.context.db(), &permit, users, now).await
    }

    /// Lists the tenant's administrators by name; at most 100.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn administrators(&self, actor: &Actor) -> Result<Vec<Member>> {
        let page = PageRequest { limit: MAX_LIMIT, ..PageRequest::default() };
        let query = MemberQuery { role: Some(Role::TenantAdmin), page, ..MemberQuery::default() };
        Ok(self.list(actor, &query).await?.items)
    }

    /// Changes a member's role. It applies from their next request.
    ///
    /// # Errors
    /// `CONFLICT` for the last administrator; `CONFIRMATION_REQUIRED` for a higher role than before; `NOT_FOUND`,
    /// `FORBIDDEN`.
    pub async fn change_role(&self, actor: &Actor, user: UserId, role: Role) -> Result<Member> {
        self.change_role_from(actor, user, None, role).await
    }

    /// Like [`Members::change_role`], unless the role isn't the one that a form showed.
    ///
    /// # Errors
    /// As [`Members::change_role`], and `CONFLICT` if somebody else has changed the role meanwhile.
    #[tracing::instrument(skip_all, fields(user.id = %user))]
    pub async fn change_role_from(
        &self,
        actor: &Actor,
        user: UserId,
        shown: Option<Role>,
        role: Role,
    ) -> Result<Member> {
        let permit = self.permit(actor, Operation::ChangeMemberRole, user).await?;
        let now = self.context.now();
        let changed = retry!(self.context.db(), for permit.tenant_id(), tx => {
            let check = |before: &Member| {
                check_role_unchanged(shown, before.role, role)?;
                self.context.require_fresh_to_widen(actor, Operation::ChangeMemberRole, role > before.role)
            };
            let entry = |member: &Member| entry(actor, &permit, now, member);
            change_role(tx, &permit, (user, role), check, entry).await
        });
        self.context.audit().record_if_refused(changed, actor, Operation::ChangeMemberRole, ("user", user.0)).await
    }

    /// Removes a member and revokes their keys in the tenant.
    ///
    /// # Errors
    /// `CONFLICT` for the last administrator, `NOT_FOUND`, `FORBIDDEN`.
    #[tracing::instrument(skip_all, fields(user.id = %user))]
    pub async fn remove(&self, actor: &Actor, user: UserId) -> Result<Member> {
        let permit = self.permit(actor, Operation::RemoveMember, user).await?;
        let now = self.context.now();
        let removed = retry!(self.context.db(), for permit.tenant_id(), tx => {
            let entry = |member: &Member| entry(actor, &permit, now, member);
            remove(tx, &permit, user, now, actor.name(), entry).await
        });
        pending_changes::finish(self.context).await;
        self.context.audit().record_if_refused(removed, actor, Operation::RemoveMember, ("user", user.0)).await
    }

    /// Accepts codes of a member's app again, after too many wrong ones. The member is told by email. Changes neither
    /// the app's secret nor the recovery codes. Decision 0038.
    ///
    /// # Errors
    /// `CONFLICT` if they aren't locked; `CONFIRMATION_REQUIRED`; `NOT_FOUND`; `FORBIDDEN`, also for a key.
    #[tracing::instrument(skip_all, fields(user.id = %user))]
    pub async fn unlock_second_factor(&self, actor: &Actor, user: UserId) -> Result<Member> {
        let permit = self.permit(actor, Operation::UnlockSecondFactor, user).await?;
        let now = self.context.now();
        let member = retry!(self.context.db(), for permit.tenant_id(), tx => {
            let member = storage::tenants::find_member_in(tx, &permit, user).await?.ok_or_else(ApiError::not_found)?;
            second_factor_lock::unlock(tx, user, &entry(actor, &permit, now, &member)).await?;
            Ok(member)
        })?;
        self.context.mail().notify(
            &member.email,
            "Your two-factor codes are unlocked",
            second_factor_lock::unlocked_mail(&member, actor, now),
            now,
        );
        Ok(member)
    }

    async fn permit(&self, actor: &Actor, operation: Operation, user: UserId) -> Result<WritePermit> {
        let tenant = Target::Tenant(actor.tenant_id());
        self.context.permit_write_about(actor, operation, tenant, ("user", user.0)).await
    }
}

fn entry(actor: &Actor, permit: &WritePermit, now: DateTime<Utc>, member: &Member) -> Entry {
    Entry::by(actor, permit.operation(), now, ("user", member.user_id.0, member.name.as_str()))
}

/// Changes a role, unless that would leave the tenant without administrators. `check` refuses the change of a member;
/// `entry` returns the audit entry.
pub(crate) async fn change_role(
    tx: &mut Tx,
    permit: &WritePermit,
    (user, role): (UserId, Role),
    check: impl Fn(&Member) -> Result<()>,
    entry: impl Fn(&Member) -> Entry,
) -> Result<Member> {
    storage::tenants::lock_tenant(tx, permit.tenant_id()).await?;
    let before = storage::tenants::find_member_in(tx, permit, user).await?.ok_or_else(ApiError::not_found)?;
    check(&before)?;
    if !storage::tenants::update_role(tx, permit, user, role).await? {
        return Err(ApiError::not_found().into());
    }
    keep_an_administrator(tx, permit, &before).await?;
    let member = storage::tenants::find_member_in(tx, permit, user).await?.ok_or_else(ApiError::not_found)?;
    storage::audit::insert(tx, &entry(&member).with(format!("role {}", role.label()))).await?;
    Ok(member)
}

/// Removes a member and revokes their keys in the tenant, unless that would leave it without administrators.
pub(crate) async fn remove(
    tx: &mut Tx,
    permit: &WritePermit,
    user: UserId,
    now: DateTime<Utc>,
    by: &str,
    entry: impl Fn(&Member) -> Entry,
) -> Result<Member> {
    storage::tenants::lock_tenant_for_long(tx, permit.tenant_id()).await?;
    let member = storage::tenants::find_member_in(tx, permit, user).await?.ok_or_else(ApiError::not_found)?;
    if !storage::tenants::delete_member(tx, permit, user).await? {
        return Err(ApiError::not_found().into());
    }
    keep_an_administrator(tx, permit, &member).await?;
    storage::invitations::close_all_for(tx, permit.tenant_id(), &member.email, now).await?;
    let keys = pending_changes::revoke_all(tx, permit, Owner::User(user), now, by, "member removed").await?;
    storage::invitations::close_of_inviter(tx, permit.tenant_id(), user.0, now).await?;
    // Otherwise, the sessions of a user who is in no other tenant would work again after a new invitation.
    storage::sessions::delete_without_tenant(tx, user).await?;
    storage::reminders::delete_without_tenant(tx, user).await?;
    storage::audit::insert(tx, &entry(&member).with(keys_revoked(keys))).await?;
    Ok(member)
}

/// Refuses a change that removes the last administrator. `before`: the member before the change. In a tenant without
/// administrators, which only the command line can create, members can still be changed and removed.
async fn keep_an_administrator(tx: &mut Tx, permit: &WritePermit, before: &Member) -> Result<()> {
    if before.role < Role::TenantAdmin || storage::tenants::count_administrators(tx, permit).await? > 0 {
        return Ok(());
    }
    let message = "This is the tenant's last administrator. Make another member an administrator first.";
    Err(Error::Rule(ApiError::new(ErrorCode::Conflict, message)))
}

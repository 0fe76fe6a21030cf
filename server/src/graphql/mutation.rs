//! What can be changed.

use async_graphql::{Context, Object, Result};
use domain::{
    ApiError, ErrorCode, KeyId, Secret,
    api_key::input::{CreateKey, RollKey},
    service_account::input::CreateAccount,
};

use super::{
    context::{actor, id, owner, public_url, services, session, session_digest},
    error::refuse,
    types::{
        ApiKey, CountPayload, CreateApiKeyInput, CreateApiKeyPayload, CreateServiceAccountInput, DeleteApiKeyInput,
        Enrolment, InviteMemberPayload, LinkPayload, Member, RecoveryCodes, Role, RollApiKeyInput, ServiceAccount,
        SuccessPayload, TenantPolicy, TenantPolicyInput,
    },
    viewer::{Viewer, ViewerTenant},
};
use crate::middleware::sessions;

/// The mutations of the product.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProductMutation;

#[Object(rename_fields = "snake_case", rename_args = "snake_case")]
impl ProductMutation {
    /// Makes a key for oneself or a service account. The answer holds the token, this once.
    async fn create_api_key(&self, context: &Context<'_>, input: CreateApiKeyInput) -> Result<CreateApiKeyPayload> {
        let actor = actor(context)?;
        let input = CreateKey {
            owner: Some(owner(actor, &input.user_id)?),
            tenant_id: input.default_tenant_id.as_deref().map(id).transpose()?,
            name: input.name,
            expires_at: input.expires_at,
            ..CreateKey::default()
        };
        let issued = services(context)?.api_keys().create(actor, &input).await.map_err(refuse)?;
        Ok(issued.into())
    }

    /// Revokes a key. `success` is false for a key that isn't there, isn't this tenant's, or was revoked already.
    async fn delete_api_key(&self, context: &Context<'_>, input: DeleteApiKeyInput) -> Result<SuccessPayload> {
        revoke(context, &input.key_id, input.and_created).await
    }

    /// Makes a key that takes another's place. The answer holds its token, this once; `id` is the new key's.
    async fn roll_api_key(&self, context: &Context<'_>, input: RollApiKeyInput) -> Result<CreateApiKeyPayload> {
        let input =
            RollKey { key: id(&input.key_id)?, overlap: input.overlap, deadline: input.deadline, ..RollKey::default() };
        Ok(services(context)?.rolls().roll(actor(context)?, &input).await.map_err(refuse)?.into())
    }

    /// Ends the overlap of a rolled key: the old token stops now.
    async fn finish_roll(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Of the old key")] id: String,
    ) -> Result<ApiKey> {
        let services = services(context)?;
        let key = services.rolls().finish(actor(context)?, self::id(&id)?).await.map_err(refuse)?;
        Ok(ApiKey::at(key, services.now()))
    }

    /// Lets the old token of a rolled key work longer.
    async fn extend_roll(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Of the old key")] id: String,
        #[graphql(desc = "From now: 1h, 24h or 7d")] overlap: String,
    ) -> Result<ApiKey> {
        let services = services(context)?;
        let key = services.rolls().extend(actor(context)?, self::id(&id)?, &overlap).await.map_err(refuse)?;
        Ok(ApiKey::at(key, services.now()))
    }

    /// Takes a roll back: the new token stops, the old one is as it was.
    async fn cancel_roll(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Of the old key")] id: String,
    ) -> Result<ApiKey> {
        let services = services(context)?;
        let key = services.rolls().cancel(actor(context)?, self::id(&id)?).await.map_err(refuse)?;
        Ok(ApiKey::at(key, services.now()))
    }

    /// Calls a key by another name.
    async fn rename_api_key(&self, context: &Context<'_>, id: String, name: String) -> Result<ApiKey> {
        let services = services(context)?;
        let key = services.api_keys().rename(actor(context)?, self::id(&id)?, &name).await.map_err(refuse)?;
        Ok(ApiKey::at(key, services.now()))
    }

    /// Stops a key for now: it is refused from the next request on.
    async fn suspend_api_key(&self, context: &Context<'_>, id: String) -> Result<ApiKey> {
        let services = services(context)?;
        let key = services.api_keys().suspend(actor(context)?, self::id(&id)?).await.map_err(refuse)?;
        Ok(ApiKey::at(key, services.now()))
    }

    /// Lets a suspended key work again.
    async fn resume_api_key(&self, context: &Context<'_>, id: String) -> Result<ApiKey> {
        let services = services(context)?;
        let key = services.api_keys().resume(actor(context)?, self::id(&id)?).await.map_err(refuse)?;
        Ok(ApiKey::at(key, services.now()))
    }

    /// Calls a service account by another name.
    async fn rename_service_account(&self, context: &Context<'_>, id: String, name: String) -> Result<ServiceAccount> {
        let accounts = services(context)?.service_accounts();
        Ok(accounts.rename(actor(context)?, self::id(&id)?, &name).await.map_err(refuse)?.into())
    }

    /// Gives a service account, and all its keys, another role.
    async fn change_service_account_role(
        &self,
        context: &Context<'_>,
        id: String,
        role: Role,
    ) -> Result<ServiceAccount> {
        let (accounts, role) = (services(context)?.service_accounts(), domain::Role::from(role));
        Ok(accounts.change_role(actor(context)?, self::id(&id)?, role).await.map_err(refuse)?.into())
    }

    /// Stops a service account and all its keys for now.
    async fn suspend_service_account(&self, context: &Context<'_>, id: String) -> Result<ServiceAccount> {
        let accounts = services(context)?.service_accounts();
        Ok(accounts.suspend(actor(context)?, self::id(&id)?).await.map_err(refuse)?.into())
    }

    /// Lets a suspended service account's keys work again.
    async fn resume_service_account(&self, context: &Context<'_>, id: String) -> Result<ServiceAccount> {
        let accounts = services(context)?.service_accounts();
        Ok(accounts.resume(actor(context)?, self::id(&id)?).await.map_err(refuse)?.into())
    }

    /// Makes a service account.
    async fn create_service_account(
        &self,
        context: &Context<'_>,
        input: CreateServiceAccountInput,
    ) -> Result<ServiceAccount> {
        let role = input.role.map(domain::Role::from);
        let input = CreateAccount { name: input.name, role, idempotency_key: None };
        let account = services(context)?.service_accounts().create(actor(context)?, &input).await.map_err(refuse)?;
        Ok(account.into())
    }

    /// Deletes a service account and revokes all its keys.
    async fn delete_service_account(&self, context: &Context<'_>, id: String) -> Result<ServiceAccount> {
        let account =
            services(context)?.service_accounts().delete(actor(context)?, self::id(&id)?).await.map_err(refuse)?;
        Ok(account.into())
    }

    /// Makes a tenant, with oneself as its administrator. Not by a service account.
    async fn create_tenant(&self, context: &Context<'_>, name: String, slug: String) -> Result<ViewerTenant> {
        let tenant = services(context)?.tenants().create(actor(context)?, &name, &slug).await.map_err(refuse)?;
        Ok(ViewerTenant::of(tenant, domain::Role::TenantAdmin))
    }

    /// Calls the tenant by another name.
    async fn rename_tenant(&self, context: &Context<'_>, name: String) -> Result<ViewerTenant> {
        let actor = actor(context)?;
        let tenant = services(context)?.tenants().rename(actor, &name).await.map_err(refuse)?;
        Ok(ViewerTenant::of(tenant, actor.role()))
    }

    /// Invites a person by a link that works once. The answer holds the link, this once.
    async fn invite_member(&self, context: &Context<'_>, email: String, role: Role) -> Result<InviteMemberPayload> {
        let role = domain::Role::from(role);
        let issued = services(context)?.invitations().invite(actor(context)?, &email, role).await.map_err(refuse)?;
        let link = format!("{}/invitations/{}", public_url(context)?, issued.secret.expose());
        Ok(InviteMemberPayload { id: issued.invitation.id.to_string(), link, mailed: issued.is_mailed })
    }

    /// Takes an invitation back.
    async fn cancel_invitation(&self, context: &Context<'_>, id: String) -> Result<SuccessPayload> {
        services(context)?.invitations().cancel(actor(context)?, self::id(&id)?).await.map_err(refuse)?;
        Ok(SuccessPayload::done())
    }

    /// Becomes a member, by the last part of an invitation's link. Not by a service account.
    async fn accept_invitation(&self, context: &Context<'_>, secret: String) -> Result<SuccessPayload> {
        services(context)?.invitations().accept(actor(context)?, &secret).await.map_err(refuse)?;
        Ok(SuccessPayload::done())
    }

    /// Draws the secret link of one's own calendar feed; an earlier one stops working. A key's feed tells of its tenant
    /// alone, and works as long as the key does. Not by a service account.
    async fn create_calendar_feed(&self, context: &Context<'_>) -> Result<LinkPayload> {
        let secret = services(context)?.calendar().create(actor(context)?).await.map_err(refuse)?;
        Ok(LinkPayload { link: format!("{}/calendar/{}.ics", public_url(context)?, secret.expose()) })
    }

    /// Ends one's own calendar feeds: a session all of them, a key its own. Not by a service account.
    async fn revoke_calendar_feed(&self, context: &Context<'_>) -> Result<SuccessPayload> {
        services(context)?.calendar().revoke(actor(context)?).await.map_err(refuse)?;
        Ok(SuccessPayload::done())
    }

    /// Stops many keys for now, in one go: all or none. Those that are stopped or over are left as they are.
    async fn suspend_api_keys(&self, context: &Context<'_>, key_ids: Vec<String>) -> Result<CountPayload> {
        let keys = ids(&key_ids)?;
        let done = services(context)?.inventory().suspend(actor(context)?, &keys).await.map_err(refuse)?;
        Ok(CountPayload { count: done.changed })
    }

    /// Ends many keys for good, in one go: all or none. Those that are over are left as they are.
    async fn revoke_api_keys(&self, context: &Context<'_>, key_ids: Vec<String>) -> Result<CountPayload> {
        let keys = ids(&key_ids)?;
        let done = services(context)?.inventory().revoke(actor(context)?, &keys).await.map_err(refuse)?;
        Ok(CountPayload { count: done.changed })
    }

    /// Turns a policy on keys on, or sets it anew.
    async fn set_tenant_policy(&self, context: &Context<'_>, input: TenantPolicyInput) -> Result<TenantPolicy> {
        let policies = services(context)?.tenant_policies();
        Ok(policies.set(actor(context)?, &input.into()).await.map_err(refuse)?.into())
    }

    /// Turns a policy on keys off.
    async fn clear_tenant_policy(&self, context: &Context<'_>, policy: String) -> Result<SuccessPayload> {
        services(context)?.tenant_policies().clear(actor(context)?, &policy).await.map_err(refuse)?;
        Ok(SuccessPayload::done())
    }

    /// Gives a member another role.
    async fn change_member_role(&self, context: &Context<'_>, user_id: String, role: Role) -> Result<Member> {
        let member = services(context)?
            .members()
            .change_role(actor(context)?, id(&user_id)?, role.into())
            .await
            .map_err(refuse)?;
        Ok(member.into())
    }

    /// Ends a membership and revokes the member's keys in the tenant.
    async fn remove_member(&self, context: &Context<'_>, user_id: String) -> Result<SuccessPayload> {
        services(context)?.members().remove(actor(context)?, id(&user_id)?).await.map_err(refuse)?;
        Ok(SuccessPayload::done())
    }

    /// Changes one's own name. Not by a service account.
    async fn update_profile(&self, context: &Context<'_>, name: String) -> Result<Viewer> {
        let (services, actor) = (services(context)?, actor(context)?);
        services.users().rename(actor, &name).await.map_err(refuse)?;
        Ok(services.users().viewer(actor).await.map_err(refuse)?.into())
    }

    /// Changes one's own password and ends one's other sessions. By the dashboard's session only.
    async fn change_password(
        &self,
        context: &Context<'_>,
        current_password: String,
        new_password: String,
    ) -> Result<SuccessPayload> {
        let actor = actor(context)?;
        let session = session_digest(context)?;
        // A key is told that it may not, before it is told that it has no session.
        let session = if actor.is_session() { session.map_err(refuse)? } else { [0; 32] };
        let (current, new) = (Secret::new(current_password), Secret::new(new_password));
        services(context)?.users().change_password(actor, &current, &new, session).await.map_err(refuse)?;
        Ok(SuccessPayload::done())
    }

    /// Shows again that it is oneself, before something is made or revealed that lasts. By the dashboard's session only.
    async fn confirm_sign_in(
        &self,
        context: &Context<'_>,
        password: String,
        #[graphql(desc = "Of the second factor, where there is one")] code: Option<String>,
    ) -> Result<SuccessPayload> {
        let (services, actor) = (services(context)?, actor(context)?);
        let code = code.unwrap_or_default();
        services.users().confirm(actor, &Secret::new(password), &code).await.map_err(refuse)?;
        sessions::record_confirmation(session(context)?, services.now()).await.map_err(refuse)?;
        Ok(SuccessPayload::done())
    }

    /// Ends one of one's own sessions. By the dashboard's session only.
    async fn end_session(&self, context: &Context<'_>, id: String) -> Result<SuccessPayload> {
        services(context)?.users().end_session(actor(context)?, self::id(&id)?).await.map_err(refuse)?;
        Ok(SuccessPayload::done())
    }

    /// Ends all of one's own sessions but the one that asks. By the dashboard's session only.
    async fn end_other_sessions(&self, context: &Context<'_>) -> Result<SuccessPayload> {
        let this = session_digest(context)?.unwrap_or_default();
        services(context)?.users().end_other_sessions(actor(context)?, this).await.map_err(refuse)?;
        Ok(SuccessPayload::done())
    }

    /// Draws the secret of a second factor, for an app. By the dashboard's session only.
    async fn begin_second_factor(&self, context: &Context<'_>) -> Result<Enrolment> {
        let enrolment = services(context)?.second_factors().begin(actor(context)?).await.map_err(refuse)?;
        Ok(Enrolment { secret: enrolment.secret.expose().to_owned(), url: enrolment.url.expose().to_owned() })
    }

    /// Lets the second factor count, by its first code. The answer holds the recovery codes, this once.
    async fn enable_second_factor(&self, context: &Context<'_>, code: String) -> Result<RecoveryCodes> {
        let codes = services(context)?.second_factors().enable(actor(context)?, &code).await.map_err(refuse)?;
        Ok(codes.into())
    }

    /// Ends one's own second factor. By the dashboard's session only.
    async fn disable_second_factor(&self, context: &Context<'_>) -> Result<SuccessPayload> {
        services(context)?.second_factors().disable(actor(context)?).await.map_err(refuse)?;
        Ok(SuccessPayload::done())
    }

    /// Draws new recovery codes; the earlier ones count no more. The answer holds them, this once.
    async fn renew_recovery_codes(&self, context: &Context<'_>) -> Result<RecoveryCodes> {
        let codes = services(context)?.second_factors().renew_codes(actor(context)?).await.map_err(refuse)?;
        Ok(codes.into())
    }

    /// Moves the dashboard's session to another of one's tenants.
    async fn switch_current_tenant(&self, context: &Context<'_>, tenant_id: String) -> Result<Viewer> {
        let (services, actor) = (services(context)?, actor(context)?);
        let tenant = services.users().switch_tenant(actor, id(&tenant_id)?).await.map_err(refuse)?;
        sessions::select_tenant(session(context)?, tenant).await.map_err(refuse)?;
        let viewer = services.users().viewer(actor).await.map_err(refuse)?;
        Ok(domain::Viewer { tenant_id: tenant, ..viewer }.into())
    }
}

fn ids(texts: &[String]) -> Result<Vec<KeyId>> {
    texts.iter().map(|text| id(text)).collect()
}

/// Revokes a key. A text that is no id is a key that isn't there.
pub(super) async fn revoke(context: &Context<'_>, id: &str, and_created: bool) -> Result<SuccessPayload> {
    let Ok(key) = id.parse() else { return Ok(SuccessPayload::refused(ApiError::not_found())) };
    match services(context)?.api_keys().revoke_with(actor(context)?, key, and_created).await.map_err(ApiError::from) {
        Ok(_) => Ok(SuccessPayload::done()),
        Err(error) if matches!(error.code, ErrorCode::NotFound | ErrorCode::Conflict) => {
            Ok(SuccessPayload::refused(error))
        }
        Err(error) => Err(refuse(error)),
    }
}

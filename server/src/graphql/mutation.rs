//! The mutations of Latchkey's own API.

use async_graphql::{Context, ID, MaybeUndefined, Object, Result};
use chrono::SecondsFormat;
use domain::{
    AllowedAddresses, ApiError, ErrorCode, KeyId, Secret,
    api_key::act::{ChangeKeyLimits, ChangeKeyScopes, RollKey},
    api_key::input::CreateKey,
    scope::{RemoveScope, ScopeOption, SetScope},
    service_account::input::CreateAccount,
};

use super::{
    context::{actor, id, owner, public_url, record_refusal, services, session, session_digest},
    enums::{KeyPolicyKind, Role},
    error::refuse,
    types::{
        ApiKey, CountPayload, CreateApiKeyInput, CreateApiKeyPayload, CreateServiceAccountInput, DeleteApiKeyInput,
        Enrolment, InviteMemberPayload, KeyPolicy, KeyPolicyInput, LinkPayload, Member, RateLimitInput, RecoveryCodes,
        RollApiKeyInput, Scope, ServiceAccount, SetScopeInput, SuccessPayload,
    },
    viewer::{Viewer, ViewerTenant},
};
use crate::middleware::sessions;

/// The mutations of Latchkey's own API.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProductMutation;

#[Object(rename_fields = "snake_case", rename_args = "snake_case")]
impl ProductMutation {
    /// Creates a key for the caller or for a service account. The token is returned once.
    async fn create_api_key(
        &self,
        context: &Context<'_>,
        input: CreateApiKeyInput,
    ) -> Result<Option<CreateApiKeyPayload>> {
        let actor = actor(context)?;
        let addresses = input.allowed_addresses.as_deref().map(AllowedAddresses::text_of).transpose();
        let (rate_limit, rate_window) = input.rate_limit.map(RateLimitInput::texts).unzip();
        let input = CreateKey {
            owner: Some(owner(actor, &input.user_id)?),
            tenant_id: input.default_tenant_id.as_deref().map(id).transpose()?,
            name: input.name,
            expires_at: input.expires_at,
            scopes: input.scopes.map(|scopes| scopes.join(" ")),
            allowed_addresses: addresses.map_err(refuse)?,
            rate_limit,
            rate_window,
            allow_lockout: input.allow_lockout,
            ..CreateKey::default()
        };
        let issued = services(context)?.api_keys().create(actor, &input).await.map_err(refuse)?;
        Ok(Some(issued.into()))
    }

    /// Revokes a key. `success` is false if the key doesn't exist, is in another tenant, or was already revoked.
    async fn delete_api_key(&self, context: &Context<'_>, input: DeleteApiKeyInput) -> Result<Option<SuccessPayload>> {
        revoke(context, &input.key_id, input.and_created).await.map(Some)
    }

    /// Rotates a key: creates a new key that replaces it. The new key's token is returned once; `id` is the new key's.
    async fn roll_api_key(&self, context: &Context<'_>, input: RollApiKeyInput) -> Result<Option<CreateApiKeyPayload>> {
        let deadline = input.deadline.map(|at| at.0.to_rfc3339_opts(SecondsFormat::Secs, true));
        let input = RollKey { key: id(&input.key_id)?, overlap: input.overlap, deadline, ..RollKey::default() };
        Ok(Some(services(context)?.rolls().roll(actor(context)?, &input).await.map_err(refuse)?.into()))
    }

    /// Ends the grace period of a rotated key. The old key stops working immediately.
    async fn finish_roll(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The old key's id")] id: ID,
    ) -> Result<Option<ApiKey>> {
        let services = services(context)?;
        let key = services.rolls().finish(actor(context)?, self::id(&id)?).await.map_err(refuse)?;
        Ok(Some(ApiKey::at(key, services.now())))
    }

    /// Extends the grace period of a rotated key.
    async fn extend_roll(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The old key's id")] id: ID,
        #[graphql(desc = "The new grace period, from now: 1h, 24h or 7d")] overlap: String,
    ) -> Result<Option<ApiKey>> {
        let services = services(context)?;
        let key = services.rolls().extend(actor(context)?, self::id(&id)?, &overlap).await.map_err(refuse)?;
        Ok(Some(ApiKey::at(key, services.now())))
    }

    /// Undoes a rotation: revokes the new key and restores the old key's original expiry.
    async fn cancel_roll(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The old key's id")] id: ID,
    ) -> Result<Option<ApiKey>> {
        let services = services(context)?;
        let key = services.rolls().cancel(actor(context)?, self::id(&id)?).await.map_err(refuse)?;
        Ok(Some(ApiKey::at(key, services.now())))
    }

    /// Renames a key.
    async fn rename_api_key(&self, context: &Context<'_>, id: ID, name: String) -> Result<Option<ApiKey>> {
        let services = services(context)?;
        let key = services.api_keys().rename(actor(context)?, self::id(&id)?, &name).await.map_err(refuse)?;
        Ok(Some(ApiKey::at(key, services.now())))
    }

    /// Changes what a key may do: `scopes` are those that it holds from now on; with `unscoped`, everything that its
    /// owner's role allows. One of both is required.
    async fn change_api_key_scopes(
        &self,
        context: &Context<'_>,
        id: ID,
        scopes: Option<Vec<String>>,
        #[graphql(default)] unscoped: bool,
    ) -> Result<Option<ApiKey>> {
        let (services, actor) = (services(context)?, actor(context)?);
        let access = unscoped.then_some(ScopeOption::Full);
        if access.is_some() && scopes.is_some() {
            return Err(refuse(ApiError::field("scopes", "Choose either scopes or unscoped.")));
        }
        let scopes = scopes.map(|scopes| scopes.join(" "));
        let input = ChangeKeyScopes { key: self::id(&id)?, access, scopes, before: None };
        let key = services.api_keys().change_scopes(actor, &input).await.map_err(refuse)?;
        Ok(Some(ApiKey::at(key, services.now())))
    }

    /// Changes from which addresses (at most 32 addresses and networks) and how often a key may be used. Leave out an
    /// argument to keep the limit, and set it to null to remove the limit.
    async fn change_api_key_limits(
        &self,
        context: &Context<'_>,
        id: ID,
        allowed_addresses: MaybeUndefined<Vec<String>>,
        rate_limit: MaybeUndefined<RateLimitInput>,
        #[graphql(
            default,
            desc = "Whether the addresses may leave out that of this request, if it is made with the key itself or in a \
                    browser session"
        )]
        allow_lockout: bool,
    ) -> Result<Option<ApiKey>> {
        let (services, actor) = (services(context)?, actor(context)?);
        let allowed_addresses = match allowed_addresses {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(String::new()),
            MaybeUndefined::Value(list) => Some(AllowedAddresses::text_of(&list).map_err(refuse)?),
        };
        let (rate_limit, rate_window) = match rate_limit {
            MaybeUndefined::Undefined => (None, None),
            MaybeUndefined::Null => (Some(String::new()), None),
            MaybeUndefined::Value(limit) => Some(limit.texts()).unzip(),
        };
        let key = self::id(&id)?;
        let input = ChangeKeyLimits {
            key,
            allowed_addresses,
            rate_limit,
            rate_window,
            allow_lockout,
            ..ChangeKeyLimits::default()
        };
        let key = services.api_keys().change_limits(actor, &input).await.map_err(refuse)?;
        Ok(Some(ApiKey::at(key, services.now())))
    }

    /// Suspends a key. It is rejected from the next request on, until it is resumed.
    async fn suspend_api_key(&self, context: &Context<'_>, id: ID) -> Result<Option<ApiKey>> {
        let services = services(context)?;
        let key = services.api_keys().suspend(actor(context)?, self::id(&id)?).await.map_err(refuse)?;
        Ok(Some(ApiKey::at(key, services.now())))
    }

    /// Resumes a suspended key.
    async fn resume_api_key(&self, context: &Context<'_>, id: ID) -> Result<Option<ApiKey>> {
        let services = services(context)?;
        let key = services.api_keys().resume(actor(context)?, self::id(&id)?).await.map_err(refuse)?;
        Ok(Some(ApiKey::at(key, services.now())))
    }

    /// Renames a service account.
    async fn rename_service_account(
        &self,
        context: &Context<'_>,
        id: ID,
        name: String,
    ) -> Result<Option<ServiceAccount>> {
        let accounts = services(context)?.service_accounts();
        Ok(Some(accounts.rename(actor(context)?, self::id(&id)?, &name).await.map_err(refuse)?.into()))
    }

    /// Changes the role of a service account, which applies to all its keys.
    async fn change_service_account_role(
        &self,
        context: &Context<'_>,
        id: ID,
        role: Role,
    ) -> Result<Option<ServiceAccount>> {
        let (accounts, role) = (services(context)?.service_accounts(), domain::Role::from(role));
        Ok(Some(accounts.change_role(actor(context)?, self::id(&id)?, role).await.map_err(refuse)?.into()))
    }

    /// Suspends a service account and all its keys.
    async fn suspend_service_account(&self, context: &Context<'_>, id: ID) -> Result<Option<ServiceAccount>> {
        let accounts = services(context)?.service_accounts();
        Ok(Some(accounts.suspend(actor(context)?, self::id(&id)?).await.map_err(refuse)?.into()))
    }

    /// Resumes a suspended service account. Its keys work again, except those suspended individually.
    async fn resume_service_account(&self, context: &Context<'_>, id: ID) -> Result<Option<ServiceAccount>> {
        let accounts = services(context)?.service_accounts();
        Ok(Some(accounts.resume(actor(context)?, self::id(&id)?).await.map_err(refuse)?.into()))
    }

    /// Creates a service account.
    async fn create_service_account(
        &self,
        context: &Context<'_>,
        input: CreateServiceAccountInput,
    ) -> Result<Option<ServiceAccount>> {
        let role = input.role.map(domain::Role::from);
        let input = CreateAccount { name: input.name, role, idempotency_key: None };
        let account = services(context)?.service_accounts().create(actor(context)?, &input).await.map_err(refuse)?;
        Ok(Some(account.into()))
    }

    /// Deletes a service account and revokes all its keys.
    async fn delete_service_account(&self, context: &Context<'_>, id: ID) -> Result<Option<ServiceAccount>> {
        let account =
            services(context)?.service_accounts().delete(actor(context)?, self::id(&id)?).await.map_err(refuse)?;
        Ok(Some(account.into()))
    }

    /// Creates a tenant with the caller as its administrator. Not available to service accounts.
    async fn create_tenant(&self, context: &Context<'_>, name: String, slug: String) -> Result<Option<ViewerTenant>> {
        let tenant = services(context)?.tenants().create(actor(context)?, &name, &slug).await.map_err(refuse)?;
        Ok(Some(ViewerTenant::of(tenant, domain::Role::TenantAdmin)))
    }

    /// Renames the tenant.
    async fn rename_tenant(&self, context: &Context<'_>, name: String) -> Result<Option<ViewerTenant>> {
        let actor = actor(context)?;
        let tenant = services(context)?.tenants().rename(actor, &name).await.map_err(refuse)?;
        Ok(Some(ViewerTenant::of(tenant, actor.role())))
    }

    /// Invites a person by a link that can be used once. The link is returned once.
    async fn invite_member(
        &self,
        context: &Context<'_>,
        email: String,
        role: Role,
    ) -> Result<Option<InviteMemberPayload>> {
        let role = domain::Role::from(role);
        let issued = services(context)?.invitations().invite(actor(context)?, &email, role).await.map_err(refuse)?;
        let link = format!("{}/invitations/{}", public_url(context)?, issued.secret.expose());
        Ok(Some(InviteMemberPayload { id: issued.invitation.id.into(), link, mailed: issued.is_mailed }))
    }

    /// Cancels an invitation. Its link stops working.
    async fn cancel_invitation(&self, context: &Context<'_>, id: ID) -> Result<Option<SuccessPayload>> {
        services(context)?.invitations().cancel(actor(context)?, self::id(&id)?).await.map_err(refuse)?;
        Ok(Some(SuccessPayload::done()))
    }

    /// Accepts an invitation: the caller becomes a member. `secret` is the last part of the invitation's link. Not
    /// available to service accounts.
    async fn accept_invitation(&self, context: &Context<'_>, secret: String) -> Result<Option<SuccessPayload>> {
        services(context)?.invitations().accept(actor(context)?, &secret).await.map_err(refuse)?;
        Ok(Some(SuccessPayload::done()))
    }

    /// Creates the secret link of the caller's calendar feed; a previous link stops working. With a key, the feed
    /// covers only the key's tenant and works as long as the key does. Not available to service accounts.
    async fn create_calendar_feed(&self, context: &Context<'_>) -> Result<Option<LinkPayload>> {
        let secret = services(context)?.calendar().create(actor(context)?).await.map_err(refuse)?;
        Ok(Some(LinkPayload { link: format!("{}/calendar/{}.ics", public_url(context)?, secret.expose()) }))
    }

    /// Turns off the caller's calendar feeds: all of them with a browser session, only its own with a key. Not
    /// available to service accounts.
    async fn revoke_calendar_feed(&self, context: &Context<'_>) -> Result<Option<SuccessPayload>> {
        services(context)?.calendar().revoke(actor(context)?).await.map_err(refuse)?;
        Ok(Some(SuccessPayload::done()))
    }

    /// Suspends up to 200 keys in one transaction. Keys that are already inactive don't change.
    async fn suspend_api_keys(&self, context: &Context<'_>, key_ids: Vec<ID>) -> Result<Option<CountPayload>> {
        let keys = ids(&key_ids)?;
        let done = services(context)?.inventory().suspend(actor(context)?, &keys).await.map_err(refuse)?;
        Ok(Some(CountPayload { count: done.changed }))
    }

    /// Permanently revokes up to 200 keys in one transaction. Keys that are already revoked don't change.
    async fn revoke_api_keys(&self, context: &Context<'_>, key_ids: Vec<ID>) -> Result<Option<CountPayload>> {
        let keys = ids(&key_ids)?;
        let done = services(context)?.inventory().revoke(actor(context)?, &keys).await.map_err(refuse)?;
        Ok(Some(CountPayload { count: done.changed }))
    }

    /// Turns on a key policy, or changes it.
    async fn set_tenant_policy(&self, context: &Context<'_>, input: KeyPolicyInput) -> Result<Option<KeyPolicy>> {
        let policies = services(context)?.tenant_policies();
        Ok(Some(policies.set(actor(context)?, &input.into()).await.map_err(refuse)?.into()))
    }

    /// Turns off a key policy.
    async fn clear_tenant_policy(
        &self,
        context: &Context<'_>,
        policy: KeyPolicyKind,
    ) -> Result<Option<SuccessPayload>> {
        services(context)?
            .tenant_policies()
            .clear(actor(context)?, domain::KeyPolicyKind::from(policy).as_str())
            .await
            .map_err(refuse)?;
        Ok(Some(SuccessPayload::done()))
    }

    /// Adds a scope to the catalogue, or changes it. All tenants share the catalogue: only administrators of the tenant
    /// that the operator has chosen may change it or, if there is only one tenant, its administrators.
    async fn set_scope(&self, context: &Context<'_>, input: SetScopeInput) -> Result<Option<Scope>> {
        let input = SetScope {
            scope: input.scope,
            description: input.description,
            least_role: Some(input.least_role.into()),
            deprecated_since: input.deprecated_since.unwrap_or_default(),
            before: None,
        };
        Ok(Some(services(context)?.scopes().set(actor(context)?, &input).await.map_err(refuse)?.into()))
    }

    /// Removes a scope from the catalogue and from all keys. With the rights of `set_scope`.
    async fn remove_scope(&self, context: &Context<'_>, scope: String) -> Result<Option<SuccessPayload>> {
        let input = RemoveScope { scope };
        services(context)?.scopes().remove(actor(context)?, &input).await.map_err(refuse)?;
        Ok(Some(SuccessPayload::done()))
    }

    /// Changes a member's role.
    async fn change_member_role(&self, context: &Context<'_>, user_id: ID, role: Role) -> Result<Option<Member>> {
        let member = services(context)?
            .members()
            .change_role(actor(context)?, id(&user_id)?, role.into())
            .await
            .map_err(refuse)?;
        Ok(Some(member.into()))
    }

    /// Removes a member from the tenant and revokes their keys there.
    async fn remove_member(&self, context: &Context<'_>, user_id: ID) -> Result<Option<SuccessPayload>> {
        services(context)?.members().remove(actor(context)?, id(&user_id)?).await.map_err(refuse)?;
        Ok(Some(SuccessPayload::done()))
    }

    /// Accepts a member's two-factor codes again, after too many wrong ones. Requires a browser session.
    async fn unlock_second_factor(&self, context: &Context<'_>, user_id: ID) -> Result<Option<Member>> {
        let members = services(context)?.members();
        Ok(Some(members.unlock_second_factor(actor(context)?, id(&user_id)?).await.map_err(refuse)?.into()))
    }

    /// Changes the caller's name. Not available to service accounts.
    async fn update_profile(&self, context: &Context<'_>, name: String) -> Result<Option<Viewer>> {
        let (services, actor) = (services(context)?, actor(context)?);
        services.users().rename(actor, &name).await.map_err(refuse)?;
        Ok(Some(services.users().viewer(actor).await.map_err(refuse)?.into()))
    }

    /// Changes the caller's password and ends their other sessions. Requires a browser session.
    async fn change_password(
        &self,
        context: &Context<'_>,
        current_password: String,
        new_password: String,
        #[graphql(default, desc = "Whether the caller's calendar feeds are turned off too")] end_calendars: bool,
    ) -> Result<Option<SuccessPayload>> {
        let actor = actor(context)?;
        let session = session_digest(context)?;
        // With a key, the error is that it lacks the permission, not that it has no session.
        let session = if actor.is_session() { session.map_err(refuse)? } else { [0; 32] };
        let (current, new) = (Secret::new(current_password), Secret::new(new_password));
        let users = services(context)?.users();
        let mark = users.change_password(actor, &current, &new, session, end_calendars).await.map_err(refuse)?;
        sessions::set_password(self::session(context)?, mark).await.map_err(refuse)?;
        Ok(Some(SuccessPayload::done()))
    }

    /// Confirms the caller's identity with their password. Mutations that create lasting access require this when the
    /// sign-in is too old (`CONFIRMATION_REQUIRED`). Requires a browser session.
    async fn confirm_sign_in(
        &self,
        context: &Context<'_>,
        password: String,
        #[graphql(desc = "The two-factor code, if two-factor authentication is on")] code: Option<String>,
    ) -> Result<Option<SuccessPayload>> {
        let (services, actor) = (services(context)?, actor(context)?);
        let code = code.unwrap_or_default();
        services.users().confirm(actor, &Secret::new(password), &code).await.map_err(refuse)?;
        sessions::record_confirmation(session(context)?, services.now()).await.map_err(refuse)?;
        Ok(Some(SuccessPayload::done()))
    }

    /// Ends one of the caller's sessions. Requires a browser session.
    async fn end_session(&self, context: &Context<'_>, id: ID) -> Result<Option<SuccessPayload>> {
        services(context)?.users().end_session(actor(context)?, self::id(&id)?).await.map_err(refuse)?;
        Ok(Some(SuccessPayload::done()))
    }

    /// Ends all of the caller's sessions except the current one. Requires a browser session.
    async fn end_other_sessions(&self, context: &Context<'_>) -> Result<Option<SuccessPayload>> {
        let this = session_digest(context)?.unwrap_or_default();
        services(context)?.users().end_other_sessions(actor(context)?, this).await.map_err(refuse)?;
        Ok(Some(SuccessPayload::done()))
    }

    /// Starts two-factor set-up and returns the secret for an authenticator app. Requires a browser session.
    async fn begin_second_factor(&self, context: &Context<'_>) -> Result<Option<Enrolment>> {
        let enrolment = services(context)?.second_factors().begin(actor(context)?).await.map_err(refuse)?;
        Ok(Some(Enrolment { secret: enrolment.secret.expose().to_owned(), url: enrolment.url.expose().to_owned() }))
    }

    /// Turns on two-factor authentication with the first code from the app. The recovery codes are returned once.
    /// Requires a browser session.
    async fn enable_second_factor(
        &self,
        context: &Context<'_>,
        code: String,
        #[graphql(default, desc = "Whether the caller's other sessions end")] end_other_sessions: bool,
    ) -> Result<Option<RecoveryCodes>> {
        let this = session_digest(context)?.unwrap_or_default();
        let factors = services(context)?.second_factors();
        let only_session = end_other_sessions.then_some(this);
        let codes = factors.enable(actor(context)?, &code, only_session).await.map_err(refuse)?;
        sessions::renew(session(context)?).await.map_err(refuse)?;
        Ok(Some(codes.into()))
    }

    /// Turns off the caller's two-factor authentication. Requires a browser session.
    async fn disable_second_factor(&self, context: &Context<'_>) -> Result<Option<SuccessPayload>> {
        services(context)?.second_factors().disable(actor(context)?).await.map_err(refuse)?;
        sessions::renew(session(context)?).await.map_err(refuse)?;
        Ok(Some(SuccessPayload::done()))
    }

    /// Replaces the recovery codes and returns the new ones once. The old ones stop working. Requires a browser
    /// session.
    async fn renew_recovery_codes(&self, context: &Context<'_>) -> Result<Option<RecoveryCodes>> {
        let codes = services(context)?.second_factors().renew_codes(actor(context)?).await.map_err(refuse)?;
        sessions::renew(session(context)?).await.map_err(refuse)?;
        Ok(Some(codes.into()))
    }

    /// Switches the browser session to another of the caller's tenants.
    async fn switch_current_tenant(&self, context: &Context<'_>, tenant_id: ID) -> Result<Option<Viewer>> {
        let (services, actor) = (services(context)?, actor(context)?);
        let tenant = services.users().switch_tenant(actor, id(&tenant_id)?).await.map_err(refuse)?;
        sessions::select_tenant(session(context)?, tenant).await.map_err(refuse)?;
        let viewer = services.users().viewer(actor).await.map_err(refuse)?;
        Ok(Some(domain::Viewer { tenant_id: tenant, ..viewer }.into()))
    }
}

fn ids(texts: &[ID]) -> Result<Vec<KeyId>> {
    texts.iter().map(|text| id(text)).collect()
}

/// Revokes a key. A malformed id is treated as that of a key that doesn't exist.
pub(super) async fn revoke(context: &Context<'_>, id: &str, and_created: bool) -> Result<SuccessPayload> {
    let Ok(key) = id.parse() else { return Ok(SuccessPayload::refused(ApiError::not_found())) };
    match services(context)?.api_keys().revoke_with(actor(context)?, key, and_created).await.map_err(ApiError::from) {
        Ok(_) => Ok(SuccessPayload::done()),
        Err(error) if matches!(error.code, ErrorCode::NotFound | ErrorCode::Conflict) => {
            record_refusal(context)?;
            Ok(SuccessPayload::refused(error))
        }
        Err(error) => Err(refuse(error)),
    }
}

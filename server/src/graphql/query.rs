//! The queries of Latchkey's own API.

use async_graphql::{Context, ID, Object, Result};
use domain::{
    AccountQuery, ApiError, AuditQuery, Cursor, ExpiryWindow, InventoryQuery, KeyId, KeyQuery, MemberQuery, Operation,
    PageRequest, UserId,
};
use service::{Actor, offers};

use super::{
    audit_operation::AuditOperation,
    context::{actor, id, owner, services, session_digest},
    enums::{AccountFilter, AccountSort, AuditResult, Direction, InventoryFilter, KeyFilter, KeySort, OwnerKind, Role},
    error::refuse,
    key_list::{KeyList, Source},
    scalars::Time,
    types::{
        ApiKey, AuditEntry, BrowserSession, Invitation, KeyPolicy, KeyPolicyInput, KeyPolicyPreview, Member, Overview,
        PageOf, Scope, ServiceAccount, Usage,
    },
    viewer::Viewer,
};

/// The fields of a member that need a second query.
const MEMBER_FACTS: [&str; 5] =
    ["joined_at", "has_second_factor", "codes_locked_at", "active_keys", "keys_last_used_at"];

/// Returns the request for a page; the errors are those of [`PageRequest::new`].
pub(super) fn page(after: Option<String>, before: Option<String>, limit: Option<i32>) -> Result<PageRequest> {
    PageRequest::new(after.map(Cursor), before.map(Cursor), limit).map_err(refuse)
}

/// Reads the arguments of a filter by expiry.
fn expiry_window(after_days: Option<i32>, within_days: Option<i32>) -> Result<Option<ExpiryWindow>> {
    let Some(within_days) = within_days else {
        return match after_days {
            None => Ok(None),
            Some(_) => Err(refuse(ApiError::field("expires_within_days", "Set expires_within_days too."))),
        };
    };
    let days = |number: i32| u16::try_from(number).ok();
    let window = days(after_days.unwrap_or(0)).zip(days(within_days));
    let window = window.and_then(|(after, within)| ExpiryWindow::new(after, within));
    let message = "Use a number of days from 1 to 65,535 that is greater than expires_after_days.";
    window.map(Some).ok_or_else(|| refuse(ApiError::field("expires_within_days", message)))
}

/// [`actor`], for fields that have an argument of that name.
fn actor_of<'a>(context: &'a Context<'_>) -> Result<&'a Actor> {
    actor(context)
}

/// The queries of Latchkey's own API.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProductQuery;

#[Object(rename_fields = "snake_case", rename_args = "snake_case")]
impl ProductQuery {
    /// The caller's active and suspended keys and, for administrators, those of all service accounts; newest first. All
    /// of them: a list of more than 1,000 is sent while it is read, as the first field of the response.
    async fn auth_api_key(&self, context: &Context<'_>) -> Result<Option<KeyList<ApiKey>>> {
        KeyList::read(context, Source::Visible).await.map(Some)
    }

    /// The user of the session or key. Not available to service accounts.
    async fn viewer(&self, context: &Context<'_>) -> Result<Option<Viewer>> {
        let viewer = services(context)?.users().viewer(actor(context)?).await.map_err(refuse)?;
        Ok(Some(viewer.into()))
    }

    /// The caller's browser sessions, most recently used first. Not available to service accounts.
    async fn sessions(&self, context: &Context<'_>) -> Result<Option<Vec<BrowserSession>>> {
        let actor = actor(context)?;
        let this = session_digest(context)?.unwrap_or_default();
        let sessions = services(context)?.users().sessions(actor, this).await.map_err(refuse)?;
        Ok(Some(sessions.into_iter().map(BrowserSession::from).collect()))
    }

    /// A page of one owner's keys: the caller's or, with `owner_id`, a service account's.
    #[expect(clippy::too_many_arguments, reason = "each is an argument of the field")]
    async fn api_keys(
        &self,
        context: &Context<'_>,
        owner_id: Option<ID>,
        search: Option<String>,
        #[graphql(desc = "active if null")] state: Option<KeyFilter>,
        #[graphql(desc = "created if null")] sort: Option<KeySort>,
        #[graphql(desc = "desc if null")] direction: Option<Direction>,
        after: Option<String>,
        before: Option<String>,
        #[graphql(desc = "1 to 100; 20 if null")] limit: Option<i32>,
    ) -> Result<Option<PageOf<ApiKey>>> {
        let (services, actor) = (services(context)?, actor(context)?);
        let owner = owner_id.map_or_else(|| actor.require_owner().map_err(refuse), |text| owner(actor, &text))?;
        let query = KeyQuery {
            search: search.unwrap_or_default(),
            filter: state.unwrap_or(KeyFilter::Active).into(),
            sort: sort.unwrap_or(KeySort::Created).into(),
            direction: direction.unwrap_or(Direction::Desc).into(),
            page: page(after, before, limit)?,
        };
        let page = services.api_keys().list(actor, owner, &query).await.map_err(refuse)?;
        let now = services.now();
        Ok(Some(PageOf::of(page, |key| ApiKey::at(key, now))))
    }

    /// The key with this id.
    async fn api_key(&self, context: &Context<'_>, id: ID) -> Result<Option<ApiKey>> {
        let services = services(context)?;
        let key = services.api_keys().get(actor(context)?, self::id(&id)?).await.map_err(refuse)?;
        Ok(Some(ApiKey::at(key, services.now())))
    }

    /// The clients that used a key, and how often it was used.
    async fn api_key_usage(&self, context: &Context<'_>, id: ID) -> Result<Option<Usage>> {
        Ok(Some(services(context)?.api_keys().usage(actor(context)?, self::id(&id)?).await.map_err(refuse)?.into()))
    }

    /// The scopes that keys can hold, in the order of their names.
    async fn scopes(&self, context: &Context<'_>) -> Result<Option<Vec<Scope>>> {
        let catalogue = services(context)?.scopes().list(actor(context)?).await.map_err(refuse)?;
        Ok(Some(catalogue.iter().cloned().map(Scope::from).collect()))
    }

    /// The keys that were created with a key, newest first.
    async fn created_api_keys(&self, context: &Context<'_>, id: ID) -> Result<Option<KeyList<ApiKey>>> {
        KeyList::read(context, Source::CreatedWith(self::id(&id)?)).await.map(Some)
    }

    /// The open invitations that revoking a key cancels: those that were created with it.
    async fn api_key_invitations(
        &self,
        context: &Context<'_>,
        id: ID,
        #[graphql(default, desc = "Whether to include those created with the keys that this key created")]
        and_created: bool,
    ) -> Result<Option<Vec<Invitation>>> {
        let keys = services(context)?.api_keys();
        let open = keys.open_invitations(actor(context)?, self::id(&id)?, and_created).await.map_err(refuse)?;
        Ok(Some(open.into_iter().map(Invitation::from).collect()))
    }

    /// A page of the tenant's service accounts.
    #[expect(clippy::too_many_arguments, reason = "each is an argument of the field")]
    async fn service_accounts(
        &self,
        context: &Context<'_>,
        search: Option<String>,
        #[graphql(desc = "active if null")] state: Option<AccountFilter>,
        #[graphql(desc = "name if null")] sort: Option<AccountSort>,
        #[graphql(desc = "asc if null")] direction: Option<Direction>,
        after: Option<String>,
        before: Option<String>,
        #[graphql(desc = "1 to 100; 20 if null")] limit: Option<i32>,
    ) -> Result<Option<PageOf<ServiceAccount>>> {
        let query = AccountQuery {
            search: search.unwrap_or_default(),
            filter: state.unwrap_or(AccountFilter::Active).into(),
            sort: sort.unwrap_or(AccountSort::Name).into(),
            direction: direction.unwrap_or(Direction::Asc).into(),
            page: page(after, before, limit)?,
        };
        let page = services(context)?.service_accounts().list(actor(context)?, &query).await.map_err(refuse)?;
        Ok(Some(PageOf::of(page, ServiceAccount::from)))
    }

    /// The service account with this id.
    async fn service_account(&self, context: &Context<'_>, id: ID) -> Result<Option<ServiceAccount>> {
        let account =
            services(context)?.service_accounts().get(actor(context)?, self::id(&id)?).await.map_err(refuse)?;
        Ok(Some(account.into()))
    }

    /// A page of the tenant's audit log: changes and denied attempts, newest first.
    #[expect(clippy::too_many_arguments, reason = "each is an argument of the field")]
    async fn audit_log(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The actor's id, or part of their name")] actor: Option<String>,
        operation: Option<AuditOperation>,
        result: Option<AuditResult>,
        #[graphql(desc = "The id of a key, account or user: entries about it or made with it")] about: Option<ID>,
        #[graphql(desc = "Only entries at or after this time")] from: Option<Time>,
        #[graphql(desc = "Only entries before this time")] until: Option<Time>,
        after: Option<String>,
        before: Option<String>,
        #[graphql(desc = "1 to 100; 20 if null")] limit: Option<i32>,
    ) -> Result<Option<PageOf<AuditEntry>>> {
        let query = AuditQuery {
            actor: actor.unwrap_or_default(),
            operation: operation.map(|operation| operation.code().to_owned()).unwrap_or_default(),
            outcome: result.map(Into::into),
            subject: about.map(|about| id::<KeyId>(&about)).transpose()?.map(|id| id.0),
            from: from.map(|from| from.0),
            until: until.map(|until| until.0),
            page: page(after, before, limit)?,
        };
        let page = services(context)?.audit_log().list(actor_of(context)?, &query).await.map_err(refuse)?;
        Ok(Some(PageOf::of(page, AuditEntry::from)))
    }

    /// A page of the audit entries about a key or made with it, newest first. Available to anyone who can see the key.
    async fn api_key_history(
        &self,
        context: &Context<'_>,
        id: ID,
        after: Option<String>,
        before: Option<String>,
        #[graphql(desc = "1 to 100; 20 if null")] limit: Option<i32>,
    ) -> Result<Option<PageOf<AuditEntry>>> {
        let (actor, id) = (actor(context)?, self::id(&id)?);
        let query = AuditQuery { page: page(after, before, limit)?, ..AuditQuery::default() };
        let page = services(context)?.api_keys().history(actor, id, &query).await.map_err(refuse)?;
        Ok(Some(PageOf::of(page, AuditEntry::from)))
    }

    /// The tenant's open invitations, newest first.
    async fn invitations(&self, context: &Context<'_>) -> Result<Option<Vec<Invitation>>> {
        let open = services(context)?.invitations().list(actor(context)?).await.map_err(refuse)?;
        Ok(Some(open.into_iter().map(Invitation::from).collect()))
    }

    /// The overview of the tenant: numbers of keys, the requests of the last 30 days, and the last audit entries.
    async fn tenant_overview(&self, context: &Context<'_>) -> Result<Option<Overview>> {
        let services = services(context)?;
        let overview = services.overviews().get(actor(context)?).await.map_err(refuse)?;
        Ok(Some(Overview::at(overview, services.now())))
    }

    /// A page of all keys in the tenant.
    #[expect(clippy::too_many_arguments, reason = "each is an argument of the field")]
    async fn tenant_api_keys(
        &self,
        context: &Context<'_>,
        search: Option<String>,
        #[graphql(desc = "active if null")] state: Option<KeyFilter>,
        #[graphql(desc = "all if null")] show: Option<InventoryFilter>,
        #[graphql(desc = "Both if null")] kind: Option<OwnerKind>,
        #[graphql(desc = "The id of a user or service account; only their keys")] owner_id: Option<ID>,
        #[graphql(desc = "Only keys that expire after this number of days; needs expires_within_days")]
        expires_after_days: Option<i32>,
        #[graphql(desc = "Only keys that expire within this number of days, at most 65,535")]
        expires_within_days: Option<i32>,
        #[graphql(desc = "created if null")] sort: Option<KeySort>,
        #[graphql(desc = "desc if null")] direction: Option<Direction>,
        after: Option<String>,
        before: Option<String>,
        #[graphql(desc = "1 to 100; 20 if null")] limit: Option<i32>,
    ) -> Result<Option<PageOf<ApiKey>>> {
        let (services, actor) = (services(context)?, actor(context)?);
        let query = KeyQuery {
            search: search.unwrap_or_default(),
            filter: state.unwrap_or(KeyFilter::Active).into(),
            sort: sort.unwrap_or(KeySort::Created).into(),
            direction: direction.unwrap_or(Direction::Desc).into(),
            page: page(after, before, limit)?,
        };
        let expires = expiry_window(expires_after_days, expires_within_days)?;
        // A malformed id belongs to nobody.
        let owner = owner_id.map(|id| id.parse::<UserId>().unwrap_or_default().0);
        let filter = show.unwrap_or(InventoryFilter::All).into();
        let inventory = InventoryQuery { filter, kind: kind.map(Into::into), owner, expires };
        let page = services.inventory().list(actor, &query, inventory).await.map_err(refuse)?;
        let now = services.now();
        Ok(Some(PageOf::of(page, |key| ApiKey::at(key, now))))
    }

    /// The key policies that are on. A policy with a scheduled change is listed twice: as it is and as it will be.
    async fn tenant_policies(&self, context: &Context<'_>) -> Result<Option<Vec<KeyPolicy>>> {
        let on = services(context)?.tenant_policies().list(actor(context)?).await.map_err(refuse)?;
        Ok(Some(on.into_iter().map(KeyPolicy::from).collect()))
    }

    /// The active keys that a key policy would affect.
    async fn policy_preview(&self, context: &Context<'_>, input: KeyPolicyInput) -> Result<Option<KeyPolicyPreview>> {
        let services = services(context)?;
        let preview = services.tenant_policies().preview(actor(context)?, &input.into()).await.map_err(refuse)?;
        let now = services.now();
        Ok(Some(KeyPolicyPreview {
            count: preview.count,
            keys: preview.keys.into_iter().map(|key| ApiKey::at(key, now)).collect(),
        }))
    }

    /// A page of the tenant's members, sorted by name.
    async fn members(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Part of the name or email address")] search: Option<String>,
        #[graphql(desc = "All if null")] role: Option<Role>,
        after: Option<String>,
        before: Option<String>,
        #[graphql(desc = "1 to 100; 20 if null")] limit: Option<i32>,
    ) -> Result<Option<PageOf<Member>>> {
        let role = role.map(Into::into);
        let query = MemberQuery { search: search.unwrap_or_default(), role, page: page(after, before, limit)? };
        let (members, actor) = (services(context)?.members(), actor(context)?);
        let page = members.list(actor, &query).await.map_err(refuse)?;
        let ids: Vec<UserId> = page.items.iter().map(|member| member.user_id).collect();
        let mut page = PageOf::of(page, Member::from);
        let items = context.look_ahead().field("items");
        if MEMBER_FACTS.iter().any(|name| items.field(name).exists()) && offers(actor, Operation::ListTenantKeys) {
            let facts = members.facts(actor, &ids).await.map_err(refuse)?;
            for (member, id) in page.items.iter_mut().zip(ids) {
                if let Some(facts) = facts.iter().find(|facts| facts.user_id == id) {
                    member.add(facts);
                }
            }
        }
        Ok(Some(page))
    }
}

//! The queries of Latchkey's own API.

use async_graphql::{Context, Object, Result};
use chrono::{DateTime, Utc};
use domain::{
    AccountFilter, AccountQuery, AccountSort, ApiError, AuditQuery, Cursor, Direction, InventoryFilter, InventoryQuery,
    KeyFilter, KeyId, KeyQuery, KeySort, MemberQuery, OwnerKind, PageRequest, Role, UserId, audit, page::DEFAULT_LIMIT,
};
use service::Actor;

use super::{
    context::{actor, id, owner, services, session_digest},
    error::refuse,
    types::{
        ApiKey, AuditEntry, BrowserSession, Invitation, Member, Overview, PageOf, PolicyPreview, ServiceAccount,
        TenantPolicy, TenantPolicyInput, Usage,
    },
    viewer::Viewer,
};

fn page(after: Option<String>, before: Option<String>, limit: Option<u32>) -> PageRequest {
    PageRequest { after: after.map(Cursor), before: before.map(Cursor), limit: limit.unwrap_or(DEFAULT_LIMIT) }
}

fn direction(text: Option<&str>, default: Direction) -> Result<Direction> {
    match text {
        None => Ok(default),
        Some("asc") => Ok(Direction::Asc),
        Some("desc") => Ok(Direction::Desc),
        Some(_) => Err(refuse(ApiError::field("direction", "Choose asc or desc."))),
    }
}

/// Parses a code from a fixed list, or returns `default` if there is none. An unknown code is an error.
fn word<T: Copy>(field: &str, text: Option<&str>, all: &[T], name: fn(T) -> &'static str, default: T) -> Result<T> {
    let Some(text) = text else { return Ok(default) };
    let found = all.iter().copied().find(|value| name(*value) == text);
    found.ok_or_else(|| {
        let words: Vec<_> = all.iter().map(|value| name(*value)).collect();
        refuse(ApiError::field(field, format!("Choose one of {}.", words.join(", "))))
    })
}

/// Parses a time in RFC 3339.
pub(super) fn instant(field: &str, text: Option<&str>) -> Result<Option<DateTime<Utc>>> {
    let malformed = |_| refuse(ApiError::field(field, domain::api_key::expiry::ExpiryError::Malformed.to_string()));
    text.map(|text| DateTime::parse_from_rfc3339(text.trim()).map_err(malformed))
        .transpose()
        .map(|at| at.map(Into::into))
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
    /// The caller's active and suspended keys and, for administrators, those of all service accounts; newest first, at
    /// most 1,000.
    async fn auth_api_key(&self, context: &Context<'_>) -> Result<Vec<ApiKey>> {
        let services = services(context)?;
        let keys = services.api_keys().visible(actor(context)?).await.map_err(refuse)?;
        let now = services.now();
        Ok(keys.into_iter().map(|key| ApiKey::at(key, now)).collect())
    }

    /// The user of the session or key. Not available to service accounts.
    async fn viewer(&self, context: &Context<'_>) -> Result<Viewer> {
        let viewer = services(context)?.users().viewer(actor(context)?).await.map_err(refuse)?;
        Ok(viewer.into())
    }

    /// The caller's browser sessions, most recently used first. Not available to service accounts.
    async fn sessions(&self, context: &Context<'_>) -> Result<Vec<BrowserSession>> {
        let actor = actor(context)?;
        let this = session_digest(context)?.unwrap_or_default();
        let sessions = services(context)?.users().sessions(actor, this).await.map_err(refuse)?;
        Ok(sessions.into_iter().map(BrowserSession::from).collect())
    }

    /// A page of one owner's keys: the caller's or, with `owner_id`, a service account's.
    #[expect(clippy::too_many_arguments, reason = "each is an argument of the field")]
    async fn api_keys(
        &self,
        context: &Context<'_>,
        owner_id: Option<String>,
        search: Option<String>,
        #[graphql(desc = "active, expiring_soon, expired, suspended, revoked or all")] state: Option<String>,
        #[graphql(desc = "name, created, expires or last_used")] sort: Option<String>,
        #[graphql(desc = "asc or desc")] direction: Option<String>,
        after: Option<String>,
        before: Option<String>,
        #[graphql(desc = "1 to 100; 20 if null")] limit: Option<u32>,
    ) -> Result<PageOf<ApiKey>> {
        let (services, actor) = (services(context)?, actor(context)?);
        let owner = owner_id.map_or_else(|| actor.require_owner().map_err(refuse), |text| owner(actor, &text))?;
        let query = KeyQuery {
            search: search.unwrap_or_default(),
            filter: word("state", state.as_deref(), &KeyFilter::ALL, KeyFilter::as_str, KeyFilter::Active)?,
            sort: word("sort", sort.as_deref(), &KeySort::ALL, KeySort::as_str, KeySort::Created)?,
            direction: self::direction(direction.as_deref(), Direction::Desc)?,
            page: page(after, before, limit),
        };
        let page = services.api_keys().list(actor, owner, &query).await.map_err(refuse)?;
        let now = services.now();
        Ok(PageOf::of(page, |key| ApiKey::at(key, now)))
    }

    /// The key with this id.
    async fn api_key(&self, context: &Context<'_>, id: String) -> Result<ApiKey> {
        let services = services(context)?;
        let key = services.api_keys().get(actor(context)?, self::id(&id)?).await.map_err(refuse)?;
        Ok(ApiKey::at(key, services.now()))
    }

    /// The clients that used a key, and how often it was used.
    async fn api_key_usage(&self, context: &Context<'_>, id: String) -> Result<Usage> {
        Ok(services(context)?.api_keys().usage(actor(context)?, self::id(&id)?).await.map_err(refuse)?.into())
    }

    /// The keys that were created with a key, newest first; at most 1,000.
    async fn created_api_keys(&self, context: &Context<'_>, id: String) -> Result<Vec<ApiKey>> {
        let services = services(context)?;
        let keys = services.api_keys().created_by(actor(context)?, self::id(&id)?).await.map_err(refuse)?;
        let now = services.now();
        Ok(keys.into_iter().map(|key| ApiKey::at(key, now)).collect())
    }

    /// A page of the tenant's service accounts.
    #[expect(clippy::too_many_arguments, reason = "each is an argument of the field")]
    async fn service_accounts(
        &self,
        context: &Context<'_>,
        search: Option<String>,
        #[graphql(desc = "active, deleted or all")] state: Option<String>,
        #[graphql(desc = "name or created")] sort: Option<String>,
        #[graphql(desc = "asc or desc")] direction: Option<String>,
        after: Option<String>,
        before: Option<String>,
        #[graphql(desc = "1 to 100; 20 if null")] limit: Option<u32>,
    ) -> Result<PageOf<ServiceAccount>> {
        let query = AccountQuery {
            search: search.unwrap_or_default(),
            filter: word("state", state.as_deref(), &AccountFilter::ALL, AccountFilter::as_str, AccountFilter::Active)?,
            sort: word("sort", sort.as_deref(), &AccountSort::ALL, AccountSort::as_str, AccountSort::Name)?,
            direction: self::direction(direction.as_deref(), Direction::Asc)?,
            page: page(after, before, limit),
        };
        let page = services(context)?.service_accounts().list(actor(context)?, &query).await.map_err(refuse)?;
        Ok(PageOf::of(page, ServiceAccount::from))
    }

    /// The service account with this id.
    async fn service_account(&self, context: &Context<'_>, id: String) -> Result<ServiceAccount> {
        let account =
            services(context)?.service_accounts().get(actor(context)?, self::id(&id)?).await.map_err(refuse)?;
        Ok(account.into())
    }

    /// A page of the tenant's audit log: changes and denied attempts, newest first.
    #[expect(clippy::too_many_arguments, reason = "each is an argument of the field")]
    async fn audit_log(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The actor's id, or part of their name")] actor: Option<String>,
        #[graphql(desc = "A field's name in this schema; or sign_in, set_up or create_user")] operation: Option<String>,
        #[graphql(desc = "done or refused")] result: Option<String>,
        #[graphql(desc = "The id of a key, account or user: entries about it or made with it")] about: Option<String>,
        #[graphql(desc = "RFC 3339; only entries at or after this time")] from: Option<String>,
        #[graphql(desc = "RFC 3339; only entries before this time")] until: Option<String>,
        after: Option<String>,
        before: Option<String>,
        #[graphql(desc = "1 to 100; 20 if null")] limit: Option<u32>,
    ) -> Result<PageOf<AuditEntry>> {
        let outcome = match result.as_deref() {
            None => None,
            Some(_) => Some(word(
                "result",
                result.as_deref(),
                &audit::Outcome::ALL,
                audit::Outcome::as_str,
                audit::Outcome::Done,
            )?),
        };
        let query = AuditQuery {
            actor: actor.unwrap_or_default(),
            operation: operation.unwrap_or_default(),
            outcome,
            subject: about.as_deref().map(id::<KeyId>).transpose()?.map(|id| id.0),
            from: instant("from", from.as_deref())?,
            until: instant("until", until.as_deref())?,
            page: page(after, before, limit),
        };
        let page = services(context)?.audit_log().list(actor_of(context)?, &query).await.map_err(refuse)?;
        Ok(PageOf::of(page, AuditEntry::from))
    }

    /// A page of the audit entries about a key or made with it, newest first. Available to anyone who can see the key.
    async fn api_key_history(
        &self,
        context: &Context<'_>,
        id: String,
        after: Option<String>,
        before: Option<String>,
        #[graphql(desc = "1 to 100; 20 if null")] limit: Option<u32>,
    ) -> Result<PageOf<AuditEntry>> {
        let (actor, id) = (actor(context)?, self::id(&id)?);
        let query = AuditQuery { page: page(after, before, limit), ..AuditQuery::default() };
        let page = services(context)?.api_keys().history(actor, id, &query).await.map_err(refuse)?;
        Ok(PageOf::of(page, AuditEntry::from))
    }

    /// The tenant's open invitations, newest first.
    async fn invitations(&self, context: &Context<'_>) -> Result<Vec<Invitation>> {
        let open = services(context)?.invitations().list(actor(context)?).await.map_err(refuse)?;
        Ok(open.into_iter().map(Invitation::from).collect())
    }

    /// The overview of the tenant: numbers of keys, the requests of the last 30 days, and the last audit entries.
    async fn tenant_overview(&self, context: &Context<'_>) -> Result<Overview> {
        let services = services(context)?;
        let overview = services.overviews().get(actor(context)?).await.map_err(refuse)?;
        Ok(Overview::at(overview, services.now()))
    }

    /// A page of all keys in the tenant.
    #[expect(clippy::too_many_arguments, reason = "each is an argument of the field")]
    async fn tenant_api_keys(
        &self,
        context: &Context<'_>,
        search: Option<String>,
        #[graphql(desc = "active, expiring_soon, expired, suspended, revoked or all")] state: Option<String>,
        #[graphql(desc = "all, never_expires, unused, owner_gone or against_policy")] show: Option<String>,
        #[graphql(desc = "user or service_account; both if null")] kind: Option<String>,
        #[graphql(desc = "The id of a user or service account; only their keys")] owner_id: Option<String>,
        #[graphql(desc = "name, created, expires or last_used")] sort: Option<String>,
        #[graphql(desc = "asc or desc")] direction: Option<String>,
        after: Option<String>,
        before: Option<String>,
        #[graphql(desc = "1 to 100; 20 if null")] limit: Option<u32>,
    ) -> Result<PageOf<ApiKey>> {
        let (services, actor) = (services(context)?, actor(context)?);
        let kind = match kind.as_deref() {
            None => None,
            Some("user") => Some(OwnerKind::User),
            Some("service_account") => Some(OwnerKind::ServiceAccount),
            Some(_) => return Err(refuse(ApiError::field("kind", "Choose user or service_account."))),
        };
        let filter =
            word("show", show.as_deref(), &InventoryFilter::ALL, InventoryFilter::as_str, InventoryFilter::All)?;
        let query = KeyQuery {
            search: search.unwrap_or_default(),
            filter: word("state", state.as_deref(), &KeyFilter::ALL, KeyFilter::as_str, KeyFilter::Active)?,
            sort: word("sort", sort.as_deref(), &KeySort::ALL, KeySort::as_str, KeySort::Created)?,
            direction: self::direction(direction.as_deref(), Direction::Desc)?,
            page: page(after, before, limit),
        };
        // A malformed id belongs to nobody.
        let owner = owner_id.map(|text| text.parse::<UserId>().unwrap_or_default().0);
        let inventory = InventoryQuery { filter, kind, owner };
        let page = services.inventory().list(actor, &query, inventory).await.map_err(refuse)?;
        let now = services.now();
        Ok(PageOf::of(page, |key| ApiKey::at(key, now)))
    }

    /// The key policies that are on. A policy with a scheduled change is listed twice: as it is and as it will be.
    async fn tenant_policies(&self, context: &Context<'_>) -> Result<Vec<TenantPolicy>> {
        let on = services(context)?.tenant_policies().list(actor(context)?).await.map_err(refuse)?;
        Ok(on.into_iter().map(TenantPolicy::from).collect())
    }

    /// The active keys that a key policy would affect.
    async fn policy_preview(&self, context: &Context<'_>, input: TenantPolicyInput) -> Result<PolicyPreview> {
        let services = services(context)?;
        let preview = services.tenant_policies().preview(actor(context)?, &input.into()).await.map_err(refuse)?;
        let now = services.now();
        Ok(PolicyPreview {
            count: preview.count,
            keys: preview.keys.into_iter().map(|key| ApiKey::at(key, now)).collect(),
        })
    }

    /// A page of the tenant's members, sorted by name.
    async fn members(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Part of the name or email address")] search: Option<String>,
        #[graphql(desc = "TENANT_ADMIN, USER or READ_ONLY_USER; all if null")] role: Option<String>,
        after: Option<String>,
        before: Option<String>,
        #[graphql(desc = "1 to 100; 20 if null")] limit: Option<u32>,
    ) -> Result<PageOf<Member>> {
        let role = role.map(|text| text.parse::<Role>()).transpose();
        let role = role.map_err(|error| refuse(ApiError::field("role", error.to_string())))?;
        let query = MemberQuery { search: search.unwrap_or_default(), role, page: page(after, before, limit) };
        let page = services(context)?.members().list(actor(context)?, &query).await.map_err(refuse)?;
        Ok(PageOf::of(page, Member::from))
    }
}

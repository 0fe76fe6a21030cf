//! What can be asked.

use async_graphql::{Context, Object, Result};
use domain::{
    AccountFilter, AccountQuery, AccountSort, ApiError, Cursor, Direction, KeyFilter, KeyQuery, KeySort, Owner,
    PageRequest, page::DEFAULT_LIMIT,
};
use service::{Actor, Services};

use super::{
    error::refuse,
    types::{ApiKey, ApiKeyPage, Member, ServiceAccount, ServiceAccountPage, Viewer},
};

/// The services of a request.
pub(super) fn services<'a>(context: &'a Context<'_>) -> Result<&'a Services> {
    context.data::<Services>()
}

/// Who is asking. The transport has refused everybody else already.
pub(super) fn actor<'a>(context: &'a Context<'_>) -> Result<&'a Actor> {
    context.data::<Actor>().map_err(|_| refuse(ApiError::unauthenticated()))
}

/// An id; a text that is none answers like an id that isn't there.
pub(super) fn id<T: std::str::FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| refuse(ApiError::not_found()))
}

/// The owner that an id means: the caller itself, or a service account.
pub(super) fn owner(actor: &Actor, text: &str) -> Result<Owner> {
    if text.trim().eq_ignore_ascii_case(&actor.owner().to_string()) {
        return Ok(actor.owner());
    }
    id(text).map(Owner::ServiceAccount)
}

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

/// A word of a fixed list; a wrong one is told, not ignored.
fn word<T: Copy>(field: &str, text: Option<&str>, all: &[T], name: fn(T) -> &'static str, default: T) -> Result<T> {
    let Some(text) = text else { return Ok(default) };
    let found = all.iter().copied().find(|value| name(*value) == text);
    found.ok_or_else(|| {
        let words: Vec<_> = all.iter().map(|value| name(*value)).collect();
        refuse(ApiError::field(field, format!("Choose one of {}.", words.join(", "))))
    })
}

/// The queries of the product.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProductQuery;

#[Object(rename_fields = "snake_case", rename_args = "snake_case")]
impl ProductQuery {
    /// Own keys that aren't over and, for Administrators, those of all service accounts; the newest first.
    async fn auth_api_key(&self, context: &Context<'_>) -> Result<Vec<ApiKey>> {
        let services = services(context)?;
        let keys = services.api_keys().visible(actor(context)?).await.map_err(refuse)?;
        let now = services.now();
        Ok(keys.into_iter().map(|key| ApiKey::at(key, now)).collect())
    }

    /// The person who is asking.
    async fn viewer(&self, context: &Context<'_>) -> Result<Viewer> {
        let viewer = services(context)?.users().viewer(actor(context)?).await.map_err(refuse)?;
        Ok(viewer.into())
    }

    /// One owner's keys, a page at a time: one's own or, with `owner_id`, a service account's.
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
        #[graphql(desc = "1 to 100; 20, when null")] limit: Option<u32>,
    ) -> Result<ApiKeyPage> {
        let (services, actor) = (services(context)?, actor(context)?);
        let owner = owner_id.map_or(Ok(actor.owner()), |text| owner(actor, &text))?;
        let query = KeyQuery {
            search: search.unwrap_or_default(),
            filter: word("state", state.as_deref(), &KeyFilter::ALL, KeyFilter::as_str, KeyFilter::Active)?,
            sort: word("sort", sort.as_deref(), &KeySort::ALL, KeySort::as_str, KeySort::Created)?,
            direction: self::direction(direction.as_deref(), Direction::Desc)?,
            page: page(after, before, limit),
        };
        let page = services.api_keys().list(actor, owner, &query).await.map_err(refuse)?;
        let now = services.now();
        Ok(ApiKeyPage {
            items: page.items.into_iter().map(|key| ApiKey::at(key, now)).collect(),
            next: page.next.map(|cursor| cursor.0),
            previous: page.previous.map(|cursor| cursor.0),
        })
    }

    /// One key.
    async fn api_key(&self, context: &Context<'_>, id: String) -> Result<ApiKey> {
        let services = services(context)?;
        let key = services.api_keys().get(actor(context)?, self::id(&id)?).await.map_err(refuse)?;
        Ok(ApiKey::at(key, services.now()))
    }

    /// The tenant's service accounts, a page at a time.
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
        #[graphql(desc = "1 to 100; 20, when null")] limit: Option<u32>,
    ) -> Result<ServiceAccountPage> {
        let query = AccountQuery {
            search: search.unwrap_or_default(),
            filter: word("state", state.as_deref(), &AccountFilter::ALL, AccountFilter::as_str, AccountFilter::Active)?,
            sort: word("sort", sort.as_deref(), &AccountSort::ALL, AccountSort::as_str, AccountSort::Name)?,
            direction: self::direction(direction.as_deref(), Direction::Asc)?,
            page: page(after, before, limit),
        };
        let page = services(context)?.service_accounts().list(actor(context)?, &query).await.map_err(refuse)?;
        Ok(ServiceAccountPage {
            items: page.items.into_iter().map(ServiceAccount::from).collect(),
            next: page.next.map(|cursor| cursor.0),
            previous: page.previous.map(|cursor| cursor.0),
        })
    }

    /// One service account.
    async fn service_account(&self, context: &Context<'_>, id: String) -> Result<ServiceAccount> {
        let account =
            services(context)?.service_accounts().get(actor(context)?, self::id(&id)?).await.map_err(refuse)?;
        Ok(account.into())
    }

    /// The tenant's members, by name.
    async fn members(&self, context: &Context<'_>) -> Result<Vec<Member>> {
        let members = services(context)?.members().list(actor(context)?).await.map_err(refuse)?;
        Ok(members.into_iter().map(Member::from).collect())
    }
}

//! The signed-in person, as the schema shows them.

use async_graphql::{ComplexObject, Context, Result, SimpleObject};

use super::{
    context::{actor, services},
    error::refuse,
    types::{Role, time},
};

/// A tenant that one belongs to.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "viewer_tenant", rename_fields = "snake_case")]
pub struct ViewerTenant {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its short name.
    pub slug: String,
    /// One's role there.
    pub role: Role,
}

impl ViewerTenant {
    /// A tenant in which one has a role.
    pub(super) fn of(tenant: domain::Tenant, role: domain::Role) -> Self {
        Self {
            id: tenant.id.to_string(),
            name: tenant.name.to_string(),
            slug: tenant.slug.as_str().to_owned(),
            role: role.into(),
        }
    }
}

/// A person's second factor.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "second_factor", rename_fields = "snake_case")]
pub struct SecondFactor {
    /// Since when it counts.
    pub enabled_at: String,
    /// How many recovery codes are left.
    pub recovery_codes_left: u32,
}

/// A calendar feed, without its link.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "calendar_feed", rename_fields = "snake_case")]
pub struct CalendarFeed {
    /// Since when its link works.
    pub created_at: String,
    /// The key that made it, and with which it ends; null for one made in the dashboard.
    pub key_id: Option<String>,
}

/// The person who is asking.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(complex, name = "viewer", rename_fields = "snake_case")]
pub struct Viewer {
    /// The person's id.
    pub id: String,
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
    /// The tenant that the request stands in.
    pub tenant_id: String,
    /// All tenants that the caller may act in.
    pub tenants: Vec<ViewerTenant>,
}

impl From<domain::Viewer> for Viewer {
    fn from(viewer: domain::Viewer) -> Self {
        let tenant = |membership: domain::Membership| ViewerTenant::of(membership.tenant, membership.role);
        Self {
            id: viewer.user.id.to_string(),
            name: viewer.user.name.to_string(),
            email: viewer.user.email.as_str().to_owned(),
            tenant_id: viewer.tenant_id.to_string(),
            tenants: viewer.memberships.into_iter().map(tenant).collect(),
        }
    }
}

#[ComplexObject(rename_fields = "snake_case")]
impl Viewer {
    /// One's second factor; null, when there is none.
    async fn second_factor(&self, context: &Context<'_>) -> Result<Option<SecondFactor>> {
        let state = services(context)?.second_factors().state(actor(context)?).await.map_err(refuse)?;
        let factor = |enabled_at| SecondFactor { enabled_at: time(enabled_at), recovery_codes_left: state.codes_left };
        Ok(state.enabled_at.map(factor))
    }

    /// One's calendar feeds: a session's all, a key's its own.
    async fn calendar_feeds(&self, context: &Context<'_>) -> Result<Vec<CalendarFeed>> {
        let feeds = services(context)?.calendar().list(actor(context)?).await.map_err(refuse)?;
        let feed = |feed: service::CalendarFeed| CalendarFeed {
            created_at: time(feed.created_at),
            key_id: feed.key.map(|(id, _)| id.to_string()),
        };
        Ok(feeds.into_iter().map(feed).collect())
    }
}

//! The user of a request, as the schema's `viewer`.

use async_graphql::{ComplexObject, Context, ID, Result, SimpleObject};

use super::{
    context::{actor, services},
    enums::Role,
    error::refuse,
    scalars::Time,
};

/// A tenant that the user belongs to.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "viewer_tenant", rename_fields = "snake_case")]
pub struct ViewerTenant {
    /// The tenant's id.
    pub id: ID,
    /// The tenant's name.
    pub name: String,
    /// The tenant's slug.
    pub slug: String,
    /// The user's role in the tenant.
    pub role: Role,
}

impl ViewerTenant {
    /// Converts a tenant, with the user's role in it.
    pub(super) fn of(tenant: domain::Tenant, role: domain::Role) -> Self {
        Self {
            id: tenant.id.into(),
            name: tenant.name.to_string(),
            slug: tenant.slug.as_str().to_owned(),
            role: role.into(),
        }
    }
}

/// A user's two-factor authentication.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "second_factor", rename_fields = "snake_case")]
pub struct SecondFactor {
    /// When it was turned on.
    pub enabled_at: Time,
    /// The number of unused recovery codes.
    pub recovery_codes_left: u32,
}

/// A calendar feed of key expiries, without its link.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "calendar_feed", rename_fields = "snake_case")]
pub struct CalendarFeed {
    /// When the link was created.
    pub created_at: Time,
    /// The id of the key that created the feed and limits its lifetime; null if it was created in the dashboard.
    pub key_id: Option<ID>,
}

/// The user of the session or key.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(complex, name = "viewer", rename_fields = "snake_case")]
pub struct Viewer {
    /// The user's id.
    pub id: ID,
    /// The user's name.
    pub name: String,
    /// The user's email address.
    pub email: String,
    /// The id of the current tenant: the key's, or the one selected in the session.
    pub tenant_id: ID,
    /// The tenants that the caller can act in.
    pub tenants: Vec<ViewerTenant>,
}

impl From<domain::Viewer> for Viewer {
    fn from(viewer: domain::Viewer) -> Self {
        let tenant = |membership: domain::Membership| ViewerTenant::of(membership.tenant, membership.role);
        Self {
            id: viewer.user.id.into(),
            name: viewer.user.name.to_string(),
            email: viewer.user.email.as_str().to_owned(),
            tenant_id: viewer.tenant_id.into(),
            tenants: viewer.memberships.into_iter().map(tenant).collect(),
        }
    }
}

#[ComplexObject(rename_fields = "snake_case")]
impl Viewer {
    /// The user's two-factor authentication; null if it is off.
    async fn second_factor(&self, context: &Context<'_>) -> Result<Option<SecondFactor>> {
        let state = services(context)?.second_factors().state(actor(context)?).await.map_err(refuse)?;
        let factor =
            |enabled_at| SecondFactor { enabled_at: Time::from(enabled_at), recovery_codes_left: state.codes_left };
        Ok(state.enabled_at.map(factor))
    }

    /// The user's calendar feeds: all of them with a browser session, only its own with a key.
    async fn calendar_feeds(&self, context: &Context<'_>) -> Result<Option<Vec<CalendarFeed>>> {
        let feeds = services(context)?.calendar().list(actor(context)?).await.map_err(refuse)?;
        let feed = |feed: service::CalendarFeed| CalendarFeed {
            created_at: feed.created_at.into(),
            key_id: feed.key.map(|(id, _)| id.into()),
        };
        Ok(Some(feeds.into_iter().map(feed).collect()))
    }
}

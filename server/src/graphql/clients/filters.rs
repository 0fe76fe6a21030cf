//! The filters and sort orders in clients' queries, in the syntax of Hasura version 1.

use async_graphql::{Enum, InputObject, scalar};
use domain::Tenant;
use serde::{Deserialize, Serialize};

/// An id as text. A malformed UUID equals no id.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct UuidText(pub(super) String);

scalar!(UuidText, "uuid", "A UUID as text.");

/// A condition on an id. Null conditions are ignored.
#[derive(Clone, Debug, Default, InputObject)]
#[graphql(name = "uuid_comparison_exp")]
pub(crate) struct UuidComparison {
    /// Equal to this value; ignored if null.
    #[graphql(name = "_eq")]
    pub(super) eq: Option<UuidText>,
    /// Not equal to this value; ignored if null.
    #[graphql(name = "_neq")]
    pub(super) neq: Option<UuidText>,
    /// Equal to one of these values.
    #[graphql(name = "_in")]
    pub(super) within: Option<Vec<UuidText>>,
    /// Equal to none of these values.
    #[graphql(name = "_nin")]
    pub(super) outside: Option<Vec<UuidText>>,
    /// Whether the value is null.
    #[graphql(name = "_is_null")]
    pub(super) is_null: Option<bool>,
}

/// A condition on a string. Null conditions are ignored.
#[derive(Clone, Debug, Default, InputObject)]
#[graphql(name = "String_comparison_exp")]
pub(crate) struct TextComparison {
    /// Equal to this value; ignored if null.
    #[graphql(name = "_eq")]
    pub(super) eq: Option<String>,
    /// Not equal to this value; ignored if null.
    #[graphql(name = "_neq")]
    pub(super) neq: Option<String>,
    /// Equal to one of these values.
    #[graphql(name = "_in")]
    pub(super) within: Option<Vec<String>>,
    /// Equal to none of these values.
    #[graphql(name = "_nin")]
    pub(super) outside: Option<Vec<String>>,
    /// Whether the value is null.
    #[graphql(name = "_is_null")]
    pub(super) is_null: Option<bool>,
}

impl TextComparison {
    /// Returns whether a value, which is never null, meets all conditions.
    fn holds(&self, value: &str) -> bool {
        self.eq.as_ref().is_none_or(|eq| eq == value)
            && self.neq.as_ref().is_none_or(|neq| neq != value)
            && self.within.as_ref().is_none_or(|list| list.iter().any(|item| item == value))
            && self.outside.as_ref().is_none_or(|list| list.iter().all(|item| item != value))
            && self.is_null != Some(true)
    }
}

impl From<UuidComparison> for TextComparison {
    fn from(ids: UuidComparison) -> Self {
        let text = |id: UuidText| id.0.trim().to_lowercase();
        let texts = |list: Vec<UuidText>| list.into_iter().map(text).collect();
        Self {
            eq: ids.eq.map(text),
            neq: ids.neq.map(text),
            within: ids.within.map(texts),
            outside: ids.outside.map(texts),
            is_null: ids.is_null,
        }
    }
}

/// A filter for tenants.
#[derive(Clone, Debug, Default, InputObject)]
#[graphql(name = "tenant_bool_exp")]
pub(crate) struct TenantFilter {
    /// A condition on the id.
    id: Option<UuidComparison>,
    /// A condition on the slug.
    slug: Option<TextComparison>,
    /// A condition on the name.
    name: Option<TextComparison>,
    /// Filters that must all match.
    #[graphql(name = "_and")]
    and: Option<Vec<TenantFilter>>,
    /// Filters of which at least one must match.
    #[graphql(name = "_or")]
    or: Option<Vec<TenantFilter>>,
}

impl TenantFilter {
    pub(crate) fn holds(&self, tenant: &Tenant) -> bool {
        let id = self.id.clone().map(TextComparison::from);
        id.is_none_or(|id| id.holds(&tenant.id.to_string()))
            && self.slug.as_ref().is_none_or(|slug| slug.holds(tenant.slug.as_str()))
            && self.name.as_ref().is_none_or(|name| name.holds(tenant.name.as_str()))
            && self.and.as_ref().is_none_or(|all| all.iter().all(|filter| filter.holds(tenant)))
            && self.or.as_ref().is_none_or(|any| any.iter().any(|filter| filter.holds(tenant)))
    }
}

/// A sort direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(name = "order_by", rename_items = "lowercase")]
pub(crate) enum OrderBy {
    /// Ascending.
    Asc,
    /// Descending.
    Desc,
}

/// A sort order for tenants.
#[derive(Clone, Debug, Default, InputObject)]
#[graphql(name = "tenant_order_by")]
pub(crate) struct TenantOrder {
    /// Sorts by id.
    id: Option<OrderBy>,
    /// Sorts by slug.
    slug: Option<OrderBy>,
    /// Sorts by name.
    name: Option<OrderBy>,
}

impl TenantOrder {
    /// Sorts by all orders. Applies the first one last, so that it takes precedence.
    pub(crate) fn sort(orders: &[Self], tenants: &mut [Tenant]) {
        for order in orders.iter().rev() {
            let by = |direction: Option<OrderBy>, tenants: &mut [Tenant], key: fn(&Tenant) -> String| match direction {
                None => {}
                Some(OrderBy::Asc) => tenants.sort_by_key(key),
                Some(OrderBy::Desc) => tenants.sort_by_key(|tenant| std::cmp::Reverse(key(tenant))),
            };
            by(order.id, tenants, |tenant| tenant.id.to_string());
            by(order.slug, tenants, |tenant| tenant.slug.as_str().to_owned());
            by(order.name, tenants, |tenant| tenant.name.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::{Name, Slug, TenantId};

    use super::*;

    fn tenant(slug: &str) -> Tenant {
        Tenant {
            id: "0192a3b4-c5d6-7e8f-9a0b-1c2d3e4f5a6b".parse::<TenantId>().unwrap(),
            name: Name::parse(slug).unwrap(),
            slug: Slug::parse(slug).unwrap(),
            created_at: chrono::DateTime::UNIX_EPOCH,
        }
    }

    fn by_slug(condition: TextComparison) -> TenantFilter {
        TenantFilter { slug: Some(condition), ..TenantFilter::default() }
    }

    #[test]
    fn a_null_condition_is_ignored() {
        assert!(by_slug(TextComparison::default()).holds(&tenant("acme")));
    }

    #[test]
    fn conditions_hold_together_and_one_of_or_is_enough() {
        let eq = |slug: &str| by_slug(TextComparison { eq: Some(slug.to_owned()), ..TextComparison::default() });
        assert!(eq("acme").holds(&tenant("acme")) && !eq("other").holds(&tenant("acme")));
        let either = TenantFilter { or: Some(vec![eq("other"), eq("acme")]), ..TenantFilter::default() };
        assert!(either.holds(&tenant("acme")));
        let both = TenantFilter { and: Some(vec![eq("other"), eq("acme")]), ..TenantFilter::default() };
        assert!(!both.holds(&tenant("acme")));
        let nobody = by_slug(TextComparison { within: Some(Vec::new()), ..TextComparison::default() });
        assert!(!nobody.holds(&tenant("acme")));
        let null = by_slug(TextComparison { is_null: Some(true), ..TextComparison::default() });
        assert!(!null.holds(&tenant("acme")));
    }

    #[test]
    fn an_id_is_compared_in_any_case_and_a_malformed_id_equals_none() {
        let acme = tenant("acme");
        let eq = |id: &str| {
            let id = UuidComparison { eq: Some(UuidText(id.to_owned())), ..UuidComparison::default() };
            TenantFilter { id: Some(id), ..TenantFilter::default() }
        };
        assert!(eq(&acme.id.to_string().to_uppercase()).holds(&acme));
        assert!(!eq("x").holds(&acme));
    }

    #[test]
    fn the_first_order_counts_most() {
        let mut tenants = [tenant("b"), tenant("a")];
        TenantOrder::sort(&[TenantOrder { slug: Some(OrderBy::Asc), ..TenantOrder::default() }], &mut tenants);
        assert_eq!(tenants[0].slug.as_str(), "a");
        TenantOrder::sort(&[TenantOrder { slug: Some(OrderBy::Desc), ..TenantOrder::default() }], &mut tenants);
        assert_eq!(tenants[0].slug.as_str(), "b");
    }
}

//! The type of an entry in the route table. The table itself is in `routes.rs`, because it depends on the pages.

use domain::ApiError;
use leptos::prelude::AnyView;

use crate::request::RequestContext;

/// The future of a page's contents, or of the error to show instead.
pub type Contents = std::pin::Pin<Box<dyn Future<Output = Result<AnyView, ApiError>> + Send>>;

/// Who may open a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone; the page is shown without the navigation.
    Anyone,
    /// Anyone; signed-in people see the page with the navigation.
    Public,
    /// Signed-in people; others are redirected to the sign-in page, and back after signing in.
    Person,
}

/// A page in the route table.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The path, with parameters in axum's syntax.
    pub path: &'static str,
    /// The title, unless the page sets another one.
    pub title: &'static str,
    /// Who may open it.
    pub access: Access,
    /// Loads and renders the contents.
    pub load: fn(RequestContext) -> Contents,
}

/// The pages that exist in every tenant. When another tenant is selected on any other page, the person's keys are
/// shown.
const SAME_IN_EVERY_TENANT: [&str; 9] = [
    "/team/service-accounts",
    "/team/members",
    "/team/settings",
    "/team/keys",
    "/team/audit-log",
    "/user/profile",
    "/user/sessions",
    "/graphiql",
    "/docs",
];

/// The page to show after another tenant is selected on the page at `path`: the same page or, if `path` is about a
/// resource of the previous tenant, its list.
pub fn in_another_tenant(path: &str) -> &'static str {
    // Not everyone may see it: the first page depends on the role in the other tenant.
    if path.starts_with("/team/overview") {
        return "/";
    }
    SAME_IN_EVERY_TENANT.into_iter().find(|page| path.starts_with(page)).unwrap_or("/user/api-keys")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_about_a_resource_becomes_its_list_in_another_tenant() {
        assert_eq!(in_another_tenant("/team/service-accounts/1/keys/2"), "/team/service-accounts");
        assert_eq!(in_another_tenant("/user/api-keys/1"), "/user/api-keys");
        assert_eq!(in_another_tenant("/"), "/user/api-keys");
        assert_eq!(in_another_tenant("/team/overview"), "/");
    }
}

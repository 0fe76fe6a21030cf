//! What a page of the route table is. The table itself is in `routes.rs`, above the pages.

use domain::ApiError;
use leptos::prelude::AnyView;

use crate::request::RequestContext;

/// What a page comes to.
pub type Contents = std::pin::Pin<Box<dyn Future<Output = Result<AnyView, ApiError>> + Send>>;

/// Who may open a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody; the page stands alone, without the navigation.
    Anyone,
    /// Somebody who is signed in; everybody else is sent to the sign-in and back.
    Person,
}

/// One page.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// Its path, with axum's parameters.
    pub path: &'static str,
    /// Its title, unless the page says another.
    pub title: &'static str,
    /// Who may open it.
    pub access: Access,
    /// Its contents.
    pub load: fn(RequestContext) -> Contents,
}

/// Pages that stay open when another tenant is selected; everything else leads to one's own keys.
const SAME_IN_EVERY_TENANT: [&str; 8] = [
    "/team/service-accounts",
    "/team/members",
    "/team/settings",
    "/team/keys",
    "/team/audit-log",
    "/user/profile",
    "/user/sessions",
    "/graphiql",
];

/// The page to show in another tenant: the same one, where it isn't about a thing of this tenant.
pub fn in_another_tenant(path: &str) -> &'static str {
    SAME_IN_EVERY_TENANT.into_iter().find(|page| path.starts_with(page)).unwrap_or("/user/api-keys")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_about_one_thing_gives_way_to_its_list_in_another_tenant() {
        assert_eq!(in_another_tenant("/team/service-accounts/1/keys/2"), "/team/service-accounts");
        assert_eq!(in_another_tenant("/user/api-keys/1"), "/user/api-keys");
        assert_eq!(in_another_tenant("/"), "/user/api-keys");
    }
}

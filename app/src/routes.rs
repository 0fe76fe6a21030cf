//! The route table: path, title and contents of each page. The server's router is built from it.

use crate::{
    pages::{
        account_details, api_keys, audit_log, confirm, docs, entry, first_request, graphiql, inventory, key_acts,
        key_details, members, new_key, overview, policies, profile, search, second_factor, service_accounts, sessions,
        shortcuts, tenants, test_key,
    },
    route::{Access, Route},
};

macro_rules! routes {
    ($($access:ident { $($path:literal $title:literal $page:path;)* })*) => {
        /// All pages.
        pub const ROUTES: &[Route] = &[$($(
            Route {
                path: $path,
                title: $title,
                access: Access::$access,
                load: |request| Box::pin($page(request)),
            },
        )*)*];
    };
}

routes! {
    Anyone {
        "/sign-in" "Sign in" entry::sign_in;
        "/sign-in/code" "Sign in" entry::code;
        "/set-up/{token}" "Set up" entry::set_up;
        "/invitations/{token}" "Invitation" tenants::accept_invitation;
    }
    Public {
        "/docs" "Documentation" docs::index;
        "/docs/{guide}" "Documentation" docs::guide;
    }
    Person {
        "/user/api-keys" "API keys" api_keys::own_keys;
        "/user/api-keys/new" "Create an API key" new_key::new_own_key;
        "/user/api-keys/test" "Test an API key" test_key::test_key;
        "/user/api-keys/{key}" "API key" key_details::own_key;
        "/user/api-keys/{key}/first-request" "First request" first_request::own_key;
        "/user/api-keys/{key}/{act}" "API key" key_acts::own_key_act;
        "/user/profile" "Profile" profile::profile;
        "/user/profile/{act}" "Profile" profile::act;
        "/user/confirm" "Confirm it's you" confirm::confirm_sign_in;
        "/user/calendar/{act}" "Expiry calendar" profile::calendar_act;
        "/user/second-factor/{act}" "Two-factor authentication" second_factor::act;
        "/user/sessions" "Sessions" sessions::sessions;
        "/user/sessions/end-others" "Sign out everywhere else" sessions::end_others;
        "/user/sessions/{session}/end" "End a session" sessions::end;
        "/team/overview" "Overview" overview::overview;
        "/team/service-accounts" "Service accounts" service_accounts::accounts;
        "/team/service-accounts/new" "Add a service account" account_details::new_account;
        "/team/service-accounts/{account}" "Service account" account_details::one_account;
        "/team/service-accounts/{account}/{act}" "Service account" account_details::act;
        "/team/service-accounts/{account}/keys/new" "Create an API key" account_details::new_key;
        "/team/service-accounts/{account}/keys/{key}" "API key" key_details::account_key;
        "/team/service-accounts/{account}/keys/{key}/first-request" "First request" first_request::account_key;
        "/team/service-accounts/{account}/keys/{key}/{act}" "API key" key_acts::account_key_act;
        "/team/keys" "All keys" inventory::all_keys;
        "/team/keys/bulk" "Selected keys" inventory::bulk;
        "/team/members" "Members" members::members;
        "/team/members/invite" "Invite a member" members::invite;
        "/team/members/{user}/{act}" "Member" members::act;
        "/team/members/invitations/{invitation}/cancel" "Cancel an invitation" members::cancel_invitation;
        "/team/settings" "Settings" tenants::settings;
        "/team/settings/rename" "Rename the tenant" tenants::rename;
        "/team/settings/policies/{policy}" "Key policy" policies::policy;
        "/team/settings/policies/{policy}/off" "Turn off a key policy" policies::off;
        "/team/audit-log" "Audit log" audit_log::log;
        "/team/audit-log/{line}" "Audit entry" audit_log::entry;
        "/search" "Search" search::search;
        "/shortcuts" "Keyboard shortcuts" shortcuts::shortcuts;
        "/tenants/new" "Create a tenant" tenants::new_tenant;
        "/graphiql" "GraphiQL" graphiql::graphiql;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guides::{GUIDES, Reader};

    #[test]
    fn every_path_is_in_the_table_once() {
        for route in ROUTES {
            assert_eq!(ROUTES.iter().filter(|other| other.path == route.path).count(), 1, "{}", route.path);
            assert!(!route.title.is_empty() && !route.path.ends_with('/'), "{}", route.path);
        }
    }

    #[test]
    fn every_link_of_a_guide_to_this_server_leads_to_a_page() {
        for guide in GUIDES {
            let html = guide.html(&Reader::default());
            let links = html.split("href=\"").skip(1).filter_map(|rest| rest.split(['"', '#']).next());
            for link in links.filter(|link| link.starts_with('/') && !link.starts_with("/docs/")) {
                assert!(ROUTES.iter().any(|route| route.path == link), "{}: {link}", guide.slug);
            }
        }
    }
}

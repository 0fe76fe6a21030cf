//! The route table: path, title (a function in `words/titles.rs`) and contents of each page. The server's router is built from it.

use crate::{
    pages::{
        account_details, api_keys, audit_log, confirm, docs, entry, first_request, graphiql, inventory, key_acts,
        key_details, members, new_key, overview, policies, profile, scopes, search, second_factor, service_accounts,
        sessions, shortcuts, tenants, test_key,
    },
    route::{Access, Route},
    words::titles,
};

macro_rules! routes {
    ($($access:ident { $($path:literal $title:ident $page:path;)* })*) => {
        /// All pages.
        pub const ROUTES: &[Route] = &[$($(
            Route {
                path: $path,
                title: titles::$title(),
                access: Access::$access,
                load: |request| Box::pin($page(request)),
            },
        )*)*];
    };
}

routes! {
    Anyone {
        "/sign-in" sign_in entry::sign_in;
        "/sign-in/code" sign_in entry::code;
        "/set-up/{token}" set_up entry::set_up;
        "/invitations/{token}" invitation tenants::accept_invitation;
    }
    Public {
        "/docs" documentation docs::index;
        "/docs/{guide}" documentation docs::guide;
    }
    Person {
        "/user/api-keys" api_keys api_keys::own_keys;
        "/user/api-keys/new" create_an_api_key new_key::new_own_key;
        "/user/api-keys/test" test_an_api_key test_key::test_key;
        "/user/api-keys/{key}" api_key key_details::own_key;
        "/user/api-keys/{key}/first-request" first_request first_request::own_key;
        "/user/api-keys/{key}/{act}" api_key key_acts::own_key_act;
        "/user/profile" profile profile::profile;
        "/user/profile/{act}" profile profile::act;
        "/user/confirm" confirm_its_you confirm::confirm_sign_in;
        "/user/calendar/{act}" expiry_calendar profile::calendar_act;
        "/user/second-factor/{act}" two_factor_authentication second_factor::act;
        "/user/sessions" sessions sessions::sessions;
        "/user/sessions/end-others" sign_out_everywhere_else sessions::end_others;
        "/user/sessions/{session}/end" end_a_session sessions::end;
        "/team/overview" overview overview::overview;
        "/team/service-accounts" service_accounts service_accounts::accounts;
        "/team/service-accounts/new" add_a_service_account account_details::new_account;
        "/team/service-accounts/{account}" service_account account_details::one_account;
        "/team/service-accounts/{account}/{act}" service_account account_details::act;
        "/team/service-accounts/{account}/keys/new" create_an_api_key account_details::new_key;
        "/team/service-accounts/{account}/keys/{key}" api_key key_details::account_key;
        "/team/service-accounts/{account}/keys/{key}/first-request" first_request first_request::account_key;
        "/team/service-accounts/{account}/keys/{key}/{act}" api_key key_acts::account_key_act;
        "/team/keys" all_keys inventory::all_keys;
        "/team/keys/bulk" selected_keys inventory::bulk;
        "/team/members" members members::members;
        "/team/members/invite" invite_a_member members::invite;
        "/team/members/{user}/{act}" member members::act;
        "/team/members/invitations/{invitation}/cancel" cancel_an_invitation members::cancel_invitation;
        "/team/settings" settings tenants::settings;
        "/team/settings/rename" rename_the_tenant tenants::rename;
        "/team/settings/scopes/new" add_a_scope scopes::new_scope;
        "/team/settings/scopes/{scope}" scope scopes::edit_scope;
        "/team/settings/scopes/{scope}/remove" remove_a_scope scopes::remove_scope;
        "/team/settings/policies/{policy}" key_policy policies::policy;
        "/team/settings/policies/{policy}/off" turn_off_a_key_policy policies::off;
        "/team/audit-log" audit_log audit_log::log;
        "/team/audit-log/{line}" audit_entry audit_log::entry;
        "/search" search search::search;
        "/shortcuts" keyboard_shortcuts shortcuts::shortcuts;
        "/tenants/new" create_a_tenant tenants::new_tenant;
        "/graphiql" graphiql graphiql::graphiql;
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

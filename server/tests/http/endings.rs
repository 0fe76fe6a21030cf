//! What ends with a session, whose codes an administrator unlocks, and keys of a tenant that isn't selected.

use axum::http::StatusCode;
use domain::{Role, Secret, UserId};
use serde_json::Value;
use service::Client;

use crate::support::{PASSWORD, Stage, on_both};

/// Returns the ids of the user's sessions that the page can end.
async fn ids_of_others(stage: &Stage, cookie: &str) -> Vec<String> {
    let page = stage.get("/user/sessions", cookie).await.text;
    let links = page.split("href=\"/user/sessions/").skip(1).filter_map(|rest| rest.split_once("/end\""));
    links.map(|(id, _)| id.to_owned()).collect()
}

#[test]
fn the_pages_that_end_a_session_name_what_was_created_in_it() {
    on_both(async |stage: Stage| {
        let (here, there) = (stage.sign_in().await, stage.sign_in().await);
        stage.submit("/team/members/invite", &there, "email=eve%40example.org&role=USER").await;
        stage.submit("/user/calendar/create", &there, "").await;
        stage.submit("/team/members/invite", &here, "email=mine%40example.org&role=USER").await;
        let other = ids_of_others(&stage, &here).await;
        let [other] = &other[..] else { panic!("one other session: {other:?}") };
        let end = format!("/user/sessions/{other}/end");
        for page in [end.as_str(), "/user/sessions/end-others", "/user/profile/password"] {
            let text = stage.get(page, &here).await.text;
            assert!(text.contains("The open invitation that was created there is cancelled:"), "{page}: {text}");
            assert!(text.contains("eve@example.org") && !text.contains("mine@example.org"), "{page}: {text}");
            assert!(text.contains("The expiry calendar link that was created there stops working."), "{page}: {text}");
        }
        assert_eq!(stage.submit(&end, &here, "").await.status, StatusCode::SEE_OTHER);
        let members = stage.get("/team/members", &here).await.text;
        assert!(members.contains("mine@example.org") && !members.contains("eve@example.org"), "{members}");
        let text = stage.get("/user/profile/password", &here).await.text;
        assert!(!text.contains("created there"), "{text}");
    });
}

#[test]
fn the_pages_that_revoke_keys_name_the_invitations_that_are_cancelled() {
    on_both(async |stage: Stage| {
        let (cookie, key) = (stage.sign_in().await, stage.key_of_ada().await);
        let invite = "mutation { invite_member(email: \"eve@example.org\", role: USER) { link } }";
        let invited = stage.graphql(&key, invite, Value::Null).await;
        assert!(invited.json()["errors"].is_null(), "{}", invited.text);
        let list = stage.get("/user/api-keys", &cookie).await.text;
        let id = list.split("/user/api-keys/").find_map(|rest| rest.split_once("/revoke\"")).unwrap().0.to_owned();
        for page in [format!("/user/api-keys/{id}/revoke"), format!("/team/keys/bulk?act=revoke&key={id}")] {
            let text = stage.get(&page, &cookie).await.text;
            assert!(text.contains("eve@example.org") && text.contains("open invitation"), "{page}: {text}");
        }
        let suspended = stage.get(&format!("/team/keys/bulk?act=suspend&key={id}"), &cookie).await.text;
        assert!(!suspended.contains("eve@example.org"), "{suspended}");
    });
}

#[test]
fn a_key_of_another_tenant_is_changed_only_after_that_tenant_is_selected() {
    on_both(async |stage: Stage| {
        let (admin, cookie) = (stage.services.admin(), stage.sign_in().await);
        let there = admin.create_tenant("Other", "other").await.unwrap();
        admin.create_user("ada@example.org", None, "other", Role::User.as_str(), &Secret::new(PASSWORD)).await.unwrap();
        let owner = service::OwnerRef::User("ada@example.org".to_owned());
        let issued = admin.create_key("other", owner, "laptop", None).await.unwrap();
        let page = format!("/user/api-keys/{}", issued.key.id);
        let text = stage.get(&page, &cookie).await.text;
        assert!(text.contains("be changed from here."), "{text}");
        assert!(text.contains("Select Other") && !text.contains(&format!("{page}/revoke")), "{text}");
        let asked = stage.get(&format!("{page}/revoke"), &cookie).await.text;
        assert!(asked.contains("Select that tenant") && !asked.contains("/fn/delete_api_key"), "{asked}");
        let here = stage.selected_tenant(&cookie).await;
        let called = stage.call_in(&here, "/fn/delete_api_key", &cookie, &format!("key={}", issued.key.id)).await;
        assert_eq!(called.status, StatusCode::CONFLICT, "{}", called.text);
        assert!(stage.is_valid(issued.token.expose()).await);

        let body = format!("tenant_id={there}&page={page}&then={page}&in_tenant={here}");
        let selected = stage.post_form("/fn/switch_current_tenant", &cookie, &body).await;
        assert_eq!(selected.status, StatusCode::SEE_OTHER, "{}", selected.text);
        assert_eq!(stage.submit(&format!("{page}/revoke"), &cookie, "").await.status, StatusCode::SEE_OTHER);
        assert!(!stage.is_valid(issued.token.expose()).await);
    });
}

/// Turns two-factor authentication of a member on, and locks the codes. `cookie`: the session of another member.
pub(crate) async fn lock_codes(stage: &Stage, user: UserId, cookie: &str) {
    let tenant = stage.selected_tenant(cookie).await.parse().unwrap();
    let (now, client) = (stage.services.now(), Client::command_line());
    let actor = stage.services.actors().from_session(user, tenant, now, client).await.unwrap();
    stage.services.second_factors().begin(&actor).await.unwrap();
    let lock = "UPDATE second_factors SET enabled_at = begun_at, locked_at = begun_at, failures = 20";
    service::testing::execute(&stage.services, lock).await;
}

#[test]
fn an_administrator_unlocks_a_members_codes_on_the_members_page() {
    on_both(async |stage: Stage| {
        let (admin, cookie) = (stage.services.admin(), stage.sign_in().await);
        let password = Secret::new(PASSWORD);
        let bob = admin.create_user("bob@example.org", None, "acme", Role::User.as_str(), &password).await.unwrap();
        let list = async || stage.get("/team/members", &cookie).await.text;
        let page = format!("/team/members/{bob}/unlock-codes");
        assert!(!list().await.contains(&page));
        lock_codes(&stage, bob, &cookie).await;
        let shown = list().await;
        assert!(shown.contains("Codes locked") && shown.contains(&page), "{shown}");
        let asked = stage.get(&page, &cookie).await.text;
        assert!(asked.contains("Unlock the two-factor codes of bob?"), "{asked}");
        let unlocked = stage.submit(&page, &cookie, "").await;
        assert_eq!(unlocked.status, StatusCode::SEE_OTHER, "{}", unlocked.text);
        assert!(!list().await.contains(&page));
        let again = stage.submit(&page, &cookie, "").await;
        assert_eq!(again.status, StatusCode::CONFLICT, "{}", again.text);
    });
}

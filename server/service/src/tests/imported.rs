//! Keys with tokens of another system: only their SHA-256 is known, and they are verified like any other key.

use chrono::TimeDelta;
use domain::{
    ApiKey, ErrorCode, IssuedKey, OwnerKind, Role, ScopeGrant, Secret, api_key::act::RollKey, api_key::input::CreateKey,
};

use crate::{
    Change, FeedEvent, KnownToken, LeakedToken, OwnerRef, VerificationOutcome,
    digest::sha256,
    keys::token,
    storage::{self, db::read},
    testing,
    tests::stage::*,
};

const FOREIGN: &str = "sk_live_4eC39HqLyjWDarjtT1zdp7dc";

fn token_of(text: &str) -> KnownToken {
    KnownToken::of_sha256(sha256(text.as_bytes()), None).unwrap()
}

/// Creates a key of a member of Acme for a token of another system.
async fn import(stage: &Stage, email: &str, text: &str) -> crate::Result<ApiKey> {
    let (owner, input) = (OwnerRef::User(email.to_owned()), CreateKey { name: "old".to_owned(), ..<_>::default() });
    stage.services.admin().create_key_with_digest("acme", owner, input, token_of(text)).await
}

async fn import_adas(stage: &Stage, text: &str) -> ApiKey {
    import(stage, "ada@example.org", text).await.unwrap()
}

async fn accepts(stage: &Stage, text: &str) -> bool {
    stage.services.verification().verify(text, &browser()).await.unwrap().is_some()
}

fn counted(stage: &Stage, outcome: VerificationOutcome) -> u64 {
    let all = stage.services.metrics().verifications();
    all.iter().filter(|(_, known, _)| *known == outcome).map(|(_, _, count)| *count).sum()
}

async fn wait_until_followed(stage: &Stage) {
    for _ in 0..200 {
        if stage.services.db().key_cache().is_followed() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the changes are read");
}

#[test]
fn a_foreign_token_is_accepted_from_its_import_on_and_nothing_is_remembered_before() {
    on_both(async |stage| {
        wait_until_followed(&stage).await;
        for _ in 0..3 {
            assert!(!accepts(&stage, FOREIGN).await);
        }
        assert_eq!(counted(&stage, VerificationOutcome::Malformed), 3, "no token has this format yet");
        let key = import_adas(&stage, FOREIGN).await;
        assert!(accepts(&stage, FOREIGN).await, "the first import is seen at once");
        assert_eq!(key.imported_at, Some(key.created_at));
        assert_eq!(key.hint, format!("sha256:{}", &crate::digest::hex(&sha256(FOREIGN.as_bytes()))[..8]));

        let second = "another-token-of-the-same-system";
        for _ in 0..3 {
            assert!(!accepts(&stage, second).await);
        }
        assert_eq!(counted(&stage, VerificationOutcome::Unknown), 3, "it may be a token, and belongs to no key");
        import_adas(&stage, second).await;
        assert!(accepts(&stage, second).await);
        for near in ["short", &FOREIGN[1..], &format!("{FOREIGN} "), &format!("{FOREIGN}é"), &"x".repeat(600)] {
            assert!(!accepts(&stage, near).await, "{near}");
        }
    });
}

#[test]
fn garbage_costs_no_statement_while_nothing_is_imported() {
    on_both(async |stage| {
        wait_until_followed(&stage).await;
        assert!(!accepts(&stage, FOREIGN).await);
        // As if the row had come without a change that the follower could read: what is in memory decides.
        let hidden = format!(
            "BEGIN; INSERT INTO api_keys (id, digest, hint, tenant_id, user_id, name, name_folded, lifecycle, created_at, created_by, \
             created_by_id, created_channel, imported_at) SELECT id, {}, 'x', (SELECT id FROM tenants), id, 'x', 'x', 0, 1, \
             'x', id, 'cli', 1 FROM users; DELETE FROM changes WHERE kind = 6; \
             DELETE FROM change_heads WHERE NOT EXISTS (SELECT 1 FROM changes c WHERE c.tenant_id = change_heads.tenant_id); COMMIT",
            literal(&stage, FOREIGN)
        );
        let knows = || stage.services.db().key_cache().knows_imported();
        assert_eq!(knows(), Some(false));
        testing::execute(&stage.services, &hidden).await;
        assert_eq!(knows(), Some(false));
        assert!(!accepts(&stage, FOREIGN).await, "no statement was executed");
        stage.services.db().key_cache().clear();
        assert!(accepts(&stage, FOREIGN).await);
        assert_eq!(knows(), Some(true));
    });
}

/// Returns the SHA-256 of a text as a literal of the database's SQL.
fn literal(stage: &Stage, text: &str) -> String {
    let hex = crate::digest::hex(&sha256(text.as_bytes()));
    if stage.database_url.starts_with("sqlite:") { format!("x'{hex}'") } else { format!("'\\x{hex}'::bytea") }
}

#[test]
fn only_the_first_import_is_a_change() {
    on_both(async |stage| {
        let count = async || -> i64 {
            let db = stage.services.db();
            read!(db, c => sqlx::query_scalar("SELECT COUNT(*) FROM changes WHERE kind = 6").fetch_one(c)).unwrap()
        };
        let admin = stage.session(stage.admin).await;
        stage.add_key(&admin, own(&admin), "made here").await;
        assert_eq!(count().await, 0);
        for n in 0..3 {
            import_adas(&stage, &format!("{FOREIGN}{n}")).await;
            assert_eq!(count().await, 1);
        }
        let all = at_once(8, |n| {
            let services = stage.services.clone();
            async move {
                let owner = OwnerRef::User("ada@example.org".to_owned());
                let input = CreateKey { name: "same".to_owned(), ..CreateKey::default() };
                let token = token_of(if n % 2 == 0 { "the-same-token" } else { "the-other-token" });
                services.admin().create_key_with_digest("acme", owner, input, token).await
            }
        })
        .await;
        let (made, refused): (Vec<_>, Vec<_>) = all.into_iter().partition(Result::is_ok);
        assert_eq!((made.len(), refused.len()), (2, 6));
        for one in refused {
            assert_eq!(code(one), ErrorCode::Conflict);
        }
    });
}

#[test]
fn a_token_belongs_to_one_key_and_a_revoked_one_never_works_again() {
    on_both(async |stage| {
        let admin = stage.session(stage.admin).await;
        stage.add_user("eve@example.org", "acme", Role::User).await;
        stage.services.admin().create_tenant("Other", "other").await.unwrap();
        stage.add_user("olga@example.org", "other", Role::TenantAdmin).await;
        let key = import_adas(&stage, FOREIGN).await;
        let text = async |slug: &str, email: &str| {
            let (owner, input) =
                (OwnerRef::User(email.to_owned()), CreateKey { name: "x".to_owned(), ..<_>::default() });
            let refused = stage.services.admin().create_key_with_digest(slug, owner, input, token_of(FOREIGN)).await;
            refused.unwrap_err().to_string()
        };
        assert!(text("acme", "ada@example.org").await.contains("already has the key “old”"));
        assert!(text("acme", "eve@example.org").await.contains("of another owner"));
        assert!(text("other", "olga@example.org").await.contains("of another owner"));
        assert!(accepts(&stage, FOREIGN).await);
        stage.services.api_keys().revoke(&admin, key.id).await.unwrap();
        assert!(!accepts(&stage, FOREIGN).await, "refused from the next request on");
        assert!(text("acme", "ada@example.org").await.contains("was revoked on"));
        assert!(!accepts(&stage, FOREIGN).await);
        let usage = stage.services.api_keys().usage(&admin, key.id).await.unwrap();
        assert_eq!(usage.clients[0].refusals, 2, "attempts with a revoked token are recorded, whatever its format");
    });
}

#[test]
fn the_rules_for_new_keys_hold_for_imported_ones() {
    on_both(async |stage| {
        let admin = stage.session(stage.admin).await;
        stage.add_user("rita@example.org", "acme", Role::ReadOnlyUser).await;
        assert_eq!(code(import(&stage, "rita@example.org", FOREIGN).await), ErrorCode::Forbidden);
        stage.set_key_limit(&admin, 1).await;
        import_adas(&stage, FOREIGN).await;
        assert_eq!(code(import(&stage, "ada@example.org", "one-more-token").await), ErrorCode::Conflict);
        assert!(!accepts(&stage, "one-more-token").await);
        let entries = storage::audit::count(stage.services.db(), "create_api_key", stage.admin.0).await.unwrap();
        assert_eq!(entries, 1, "the refusal is recorded");
    });
}

#[test]
fn an_imported_key_acts_with_its_owners_current_role_and_its_scopes() {
    on_both(async |stage| {
        wait_until_followed(&stage).await;
        let admin = stage.session(stage.admin).await;
        let eve = stage.add_user("eve@example.org", "acme", Role::User).await;
        let key = import(&stage, "eve@example.org", FOREIGN).await.unwrap();
        let actor = stage.services.actors().from_bearer(FOREIGN, browser()).await.unwrap();
        assert_eq!((actor.key_id(), actor.role(), actor.scopes()), (Some(key.id), Role::User, &ScopeGrant::Unscoped));
        stage.services.members().change_role(&admin, eve, Role::ReadOnlyUser).await.unwrap();
        let actor = stage.services.actors().from_bearer(FOREIGN, browser()).await.unwrap();
        assert_eq!(actor.role(), Role::ReadOnlyUser);
        stage.services.members().remove(&admin, eve).await.unwrap();
        assert!(!accepts(&stage, FOREIGN).await);
    });
}

fn roll(key: &ApiKey, overlap: &str) -> RollKey {
    RollKey { key: key.id, overlap: overlap.to_owned(), ..RollKey::default() }
}

#[test]
fn an_imported_key_is_rotated_to_a_token_of_latchkey() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let old = import_adas(&stage, FOREIGN).await;
        let new = stage.services.rolls().roll(&ada, &roll(&old, "24h")).await.unwrap();
        assert!(token::digest_of(new.token.expose()).is_some() && new.key.imported_at.is_none());
        assert!(accepts(&stage, FOREIGN).await && stage.is_valid(&new).await);
        stage.advance(TimeDelta::days(1));
        assert!(!accepts(&stage, FOREIGN).await && stage.is_valid(&new).await, "the grace period has ended");
        let ada = stage.session(stage.admin).await;
        let seen = stage.services.api_keys().get(&ada, old.id).await.unwrap();
        assert!(seen.imported_at.is_some() && seen.rejected_after_rotation().is_some(), "it is still tried");

        let other = "another-token-of-the-same-system";
        let old = import_adas(&stage, other).await;
        let new: IssuedKey = stage.services.rolls().roll(&ada, &roll(&old, "first_use")).await.unwrap();
        assert!(accepts(&stage, other).await, "the new key hasn't been used yet");
        assert!(stage.is_valid(&new).await);
        assert!(!accepts(&stage, other).await, "the first use of the new key ends the old one");
    });
}

#[test]
fn a_given_token_of_latchkey_is_not_marked_as_imported() {
    on_both(async |stage| {
        let given = token::draw(OwnerKind::User);
        let known = KnownToken::of_token(&given, OwnerKind::User).unwrap();
        let (owner, input) =
            (OwnerRef::User("ada@example.org".to_owned()), CreateKey { name: "given".to_owned(), ..<_>::default() });
        let key = stage.services.admin().create_key_with_digest("acme", owner, input, known).await.unwrap();
        assert_eq!((key.imported_at, key.hint.as_str()), (None, &given.expose()[..8]));
        assert!(accepts(&stage, given.expose()).await);
        assert!(!storage::keys::has_imported(stage.services.db()).await.unwrap());
    });
}

#[test]
fn a_reported_foreign_token_is_exposed_but_not_found_in_texts() {
    on_both(async |stage| {
        let report = async |text: &str| {
            let leaked = LeakedToken { token: Secret::new(text), source: "commit".to_owned(), url: String::new() };
            stage.services.leak_reports().report(&[leaked], None, &browser()).await.unwrap()
        };
        assert_eq!(report(FOREIGN).await, [false]);
        let key = import_adas(&stage, FOREIGN).await;
        assert_eq!(report(FOREIGN).await, [true]);
        assert_eq!(report(&format!("token={FOREIGN}")).await, [false]);
        let admin = stage.session(stage.admin).await;
        assert!(stage.services.api_keys().get(&admin, key.id).await.unwrap().exposure.is_some());
        assert!(!accepts(&stage, FOREIGN).await, "suspended, as the key policy says by default");
    });
}

#[test]
fn verifiers_are_told_that_there_are_imported_keys() {
    on_both(async |stage| {
        wait_until_followed(&stage).await;
        let admin = stage.session(stage.admin).await;
        let verifier = stage.add_key(&admin, own(&admin), "verifier").await;
        let changes = stage.services.changes();
        let mut feed = changes.subscribe(verifier.token.expose(), None, &browser()).await.unwrap();
        let first = changes.next(&mut feed).await.unwrap();
        assert!(matches!(first[..], [FeedEvent::Reset { has_imported: false, .. }]), "{first:?}");
        let own_import = import_adas(&stage, FOREIGN).await;
        let (mut is_told, mut is_repeated) = (false, false);
        while !is_repeated {
            for event in changes.next(&mut feed).await.unwrap() {
                match event {
                    FeedEvent::Change(_, change) => is_told |= change == Change::Imported,
                    FeedEvent::Heartbeat { has_imported, .. } => is_repeated = is_told && has_imported,
                    FeedEvent::Reset { .. } => panic!("nothing was missed"),
                }
            }
        }
        // A verifier's own key may be an imported one.
        let mut feed = changes.subscribe(FOREIGN, None, &browser()).await.unwrap();
        let first = changes.next(&mut feed).await.unwrap();
        assert!(matches!(first[..], [FeedEvent::Reset { has_imported: true, .. }]), "{first:?}");
        stage.services.api_keys().revoke(&admin, own_import.id).await.unwrap();
        let mut is_open = true;
        while is_open {
            is_open = changes.next(&mut feed).await.is_some();
        }
    });
}

//! The revocation ledger of a server whose disk was full for a while.

use chrono::TimeDelta;
use domain::{Role, Secret};

use crate::{
    Services, Settings,
    storage::db::{Line, Revoked, read_ledger},
    tests::stage::*,
};

/// Starts and ends a server with the ledger. Returns the ledger's lines.
async fn start(stage: &Stage) -> Vec<Line> {
    let path = stage.folder().join("ledger");
    let settings = Settings { revocation_ledger: Some(path.clone()), ..Settings::new(&stage.database_url) };
    let services = Services::open(&settings, stage.clock.clone()).await.unwrap();
    services.verify_ledger().await.unwrap();
    services.close().await;
    read_ledger(&path).unwrap()
}

#[test]
fn a_start_adds_every_revocation_that_the_ledger_lacks() {
    on_both(async |stage| {
        let (ada, admin) = (stage.session(stage.admin).await, stage.services.admin());
        let ben = stage.add_user("ben@example.org", "acme", Role::User).await;
        let carl = stage.add_user("carl@example.org", "acme", Role::User).await;
        assert!(start(&stage).await.is_empty());
        // The ledger of these services isn't open, so nothing is written to it.
        let key = stage.add_key(&ada, own(&ada), "revoked").await.key.id;
        stage.services.api_keys().revoke(&ada, key).await.unwrap();
        let account = stage.add_account(&ada, "builder").await;
        stage.services.service_accounts().delete(&ada, account).await.unwrap();
        let (users, new) = (stage.services.users(), Secret::new("nine green ferries at noon"));
        let own_session = stage.session(carl).await;
        users.change_password(&own_session, &Secret::new(PASSWORD), &new, [0; 32], false).await.unwrap();
        for _ in 0..2 {
            let (ada, at) = (stage.session(stage.admin).await, stage.services.now());
            stage.services.members().remove(&ada, ben).await.unwrap();
            admin.change_password("ada@example.org", &Secret::new("four quiet harbours in fog")).await.unwrap();
            let lines = start(&stage).await;
            for what in [Revoked::Key(key.0), Revoked::Account(account.0), Revoked::Password(carl.0)] {
                assert!(lines.iter().any(|line| line.what == what), "{what:?}: {lines:?}");
            }
            for what in [Revoked::Member { tenant: stage.tenant.0, user: ben.0 }, Revoked::Password(stage.admin.0)] {
                assert!(lines.contains(&Line { what, at }), "{what:?}: {lines:?}");
            }
            assert_eq!(start(&stage).await, lines, "nothing is added twice");
            // Ben comes back, and is removed again.
            stage.advance(TimeDelta::hours(1));
            admin.create_user("ben@example.org", None, "acme", "USER", &Secret::new(PASSWORD)).await.unwrap();
        }
    });
}

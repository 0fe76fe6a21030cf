//! The figures for the metrics.

use chrono::TimeDelta;
use domain::{api_key::input::CreateKey, audit::Channel};

use crate::{VerificationOutcome, tests::stage::*};

#[test]
fn keys_are_counted_by_state_and_those_that_expire_soon_are_named() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let expiring = async |name: &str, days: i64| {
            let expires_at = Some((stage.services.now() + TimeDelta::days(days)).to_rfc3339());
            let input = CreateKey { expires_at, ..new_key(own(&ada), name) };
            stage.services.api_keys().create(&ada, &input).await.unwrap()
        };
        let day = expiring("for a day", 1).await;
        let month = expiring("for a month", 20).await;
        expiring("for a year", 365).await;
        // Its replacement is the one to watch.
        let rolled = expiring("rolled", 25).await;
        let input = domain::api_key::act::RollKey { key: rolled.key.id, ..Default::default() };
        let replacement = stage.services.rolls().roll(&ada, &input).await.unwrap();
        let revoked = stage.add_key(&ada, own(&ada), "revoked").await;
        stage.services.api_keys().revoke(&ada, revoked.key.id).await.unwrap();
        let suspended = stage.add_key(&ada, own(&ada), "suspended").await;
        stage.services.api_keys().suspend(&ada, suspended.key.id).await.unwrap();

        let figures = stage.services.metrics().keys().await.unwrap();
        assert_eq!(figures.counts, [("active", 5), ("suspended", 1), ("revoked", 1), ("expired", 0)]);
        let expiring: Vec<_> = figures.expiring.iter().map(|key| (key.key_id, key.tenant.as_str())).collect();
        let expected = [day.key.id, month.key.id, replacement.key.id];
        assert_eq!(expiring, expected.map(|id| (id, "acme")));
        assert_eq!(Some(figures.expiring[0].expires_at), day.key.expires_at);

        stage.advance(TimeDelta::days(2));
        crate::storage::keys::mark_expired(stage.services.db(), stage.services.now()).await.unwrap();
        let figures = stage.services.metrics().keys().await.unwrap();
        // The old key of the rotation has expired too.
        assert!(figures.counts.contains(&("expired", 2)), "{:?}", figures.counts);
        assert!(figures.expiring.iter().all(|key| key.key_id != day.key.id));
    });
}

#[test]
fn verifications_are_counted_by_the_reason_of_a_refusal() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let counted = |outcome: VerificationOutcome| {
            let all = stage.services.metrics().verifications();
            let found = all.iter().find(|(channel, known, _)| *channel == Channel::Browser && *known == outcome);
            found.map_or(0, |(_, _, count)| *count)
        };
        let [good, suspended, revoked] =
            ["good", "suspended", "revoked"].map(|name| stage.add_key(&ada, own(&ada), name));
        let (good, suspended, revoked) = (good.await, suspended.await, revoked.await);
        stage.services.api_keys().suspend(&ada, suspended.key.id).await.unwrap();
        stage.services.api_keys().revoke(&ada, revoked.key.id).await.unwrap();
        let expires_at = Some((stage.services.now() + TimeDelta::days(1)).to_rfc3339());
        let input = CreateKey { expires_at, ..new_key(own(&ada), "short") };
        let short = stage.services.api_keys().create(&ada, &input).await.unwrap();
        stage.advance(TimeDelta::days(2));
        for key in [&good, &good, &suspended, &revoked, &revoked, &revoked, &short] {
            stage.is_valid(key).await;
        }
        let verification = stage.services.verification();
        assert!(verification.verify("nonsense", &browser()).await.unwrap().is_none());
        let well_formed = crate::keys::token::draw(domain::OwnerKind::User);
        assert!(verification.verify(well_formed.expose(), &browser()).await.unwrap().is_none());
        for (outcome, count) in [
            (VerificationOutcome::Accepted, 2),
            (VerificationOutcome::Suspended, 1),
            (VerificationOutcome::Revoked, 3),
            (VerificationOutcome::Expired, 1),
            (VerificationOutcome::Malformed, 1),
            (VerificationOutcome::Unknown, 1),
            (VerificationOutcome::WithoutOwner, 0),
            (VerificationOutcome::Failed, 0),
        ] {
            assert_eq!(counted(outcome), count, "{outcome:?}");
        }
    });
}

//! Encryption of what must be read back: a copy of the database alone is of no use, keys can be rotated, and a missing
//! or wrong key is noticed.

use std::path::PathBuf;

use chrono::TimeDelta;
use domain::{ErrorCode, Secret};

use crate::{
    OpenError, SecretKeys, Services, Settings, create_secret_key_file, people::one_time_codes::code_at, tests::stage::*,
};

/// Turns on two-factor authentication for Ada, and returns its secret.
async fn enrol(stage: &Stage) -> Secret {
    let ada = stage.session(stage.admin).await;
    let factors = stage.services.second_factors();
    let enrolment = factors.begin(&ada).await.unwrap();
    factors.enable(&ada, &code_at(&enrolment.secret, stage.services.now()), None).await.unwrap();
    enrolment.secret
}

/// Opens the stage's database like another server, with other keys.
async fn open(stage: &Stage, secret_keys: SecretKeys) -> Services {
    let settings = Settings { secret_keys, ..Settings::new(&stage.database_url) };
    Services::open(&settings, stage.clock.clone()).await.unwrap()
}

/// Whether a code signs Ada in.
async fn accepts(services: &Services, secret: &Secret) -> crate::Result<bool> {
    let sessions = services.sessions();
    let half = sessions.sign_in("ada@example.org", &Secret::new(PASSWORD), &browser()).await?;
    sessions.check_code(half, &code_at(secret, services.now()), &browser()).await.map(|signed_in| !signed_in.needs_code)
}

fn lines(path: &PathBuf) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn the_bytes_of_the_database_do_not_contain_the_secret() {
    on_both(async |stage| {
        if !stage.database_url.starts_with("sqlite:") {
            return;
        }
        let secret = enrol(&stage).await;
        let raw = totp_rs::Secret::try_from_base32(secret.expose()).unwrap();
        let raw: &[u8] = raw.as_ref();
        let file = stage.database_url.trim_start_matches("sqlite:");
        let files = [file.to_owned(), format!("{file}-wal")];
        let bytes: Vec<u8> = files.iter().filter_map(|file| std::fs::read(file).ok()).flatten().collect();
        let contains = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
        assert!(contains(b"ada@example.org"), "the bytes are those of the database");
        assert!(!contains(raw) && !contains(secret.expose().as_bytes()));
    });
}

#[test]
fn a_copy_of_the_database_without_the_key_signs_nobody_in_and_does_not_start() {
    on_both(async |stage| {
        let secret = enrol(&stage).await;
        stage.advance(TimeDelta::seconds(30));
        let other = stage.folder().join("other.key");
        create_secret_key_file(&other).unwrap();
        let none = stage.folder().join("none.key");
        for (keys, words) in [
            (SecretKeys::File(other.clone()), "doesn't contain"),
            (SecretKeys::File(none), "latchkey secrets init"),
            (SecretKeys::Text(Secret::new(lines(&other)[0].clone())), "LATCHKEY_SECRET_KEY doesn't contain"),
            (SecretKeys::Text(Secret::new("hunter2")), "LATCHKEY_SECRET_KEY is invalid"),
        ] {
            let copy = open(&stage, keys).await;
            let refused = copy.unlock_secrets().await.unwrap_err();
            assert!(matches!(refused, OpenError::SecretKeys(_)), "{refused:?}");
            let text = refused.to_string();
            assert!(text.contains(words) && !text.contains("hunter2"), "{text}");
            assert_eq!(copy.admin().check().await.unwrap().len(), 1, "the check tells");
            assert!(accepts(&copy, &secret).await.is_err());
            copy.close().await;
        }
        assert!(accepts(&stage.services, &secret).await.unwrap());
        stage.services.unlock_secrets().await.unwrap();
        assert!(stage.services.admin().check().await.unwrap().is_empty());
    });
}

#[test]
fn a_secret_that_was_moved_to_another_user_is_of_no_use() {
    on_both(async |stage| {
        let secret = enrol(&stage).await;
        let ben = stage.add_user("ben@example.org", "acme", domain::Role::User).await;
        crate::testing::execute(
            &stage.services,
            "INSERT INTO second_factors (user_id, secret, secret_key_id, begun_at, enabled_at, last_step) \
             SELECT u.id, f.secret, f.secret_key_id, f.begun_at, f.enabled_at, 0 FROM users u, second_factors f \
             WHERE u.email = 'ben@example.org'",
        )
        .await;
        let sessions = stage.services.sessions();
        let half = sessions.sign_in("ben@example.org", &Secret::new(PASSWORD), &browser()).await.unwrap();
        assert!(half.needs_code && half.user_id == ben);
        let code = code_at(&secret, stage.services.now());
        assert!(matches!(sessions.check_code(half, &code, &browser()).await, Err(crate::Error::Fault(_))));
    });
}

#[test]
fn a_rotation_encrypts_everything_again_while_another_server_runs() {
    on_both(async |stage| {
        let secret = enrol(&stage).await;
        let old = lines(&stage.key_file());
        let other = open(&stage, SecretKeys::File(stage.key_file())).await;
        other.unlock_secrets().await.unwrap();
        let rotation = stage.services.admin().rotate_secret_keys().await.unwrap();
        assert_eq!((rotation.values, rotation.retired.len()), (1, 1));
        let new = lines(&stage.key_file());
        assert!(new.len() == 1 && new != old);
        stage.advance(TimeDelta::seconds(30));
        assert!(accepts(&other, &secret).await.unwrap(), "it reads the new key");
        let with_old = open(&stage, SecretKeys::Text(Secret::new(old[0].clone()))).await;
        with_old.unlock_secrets().await.unwrap_err();
        // Several servers: the new key is distributed before it is used.
        let prepared = stage.services.admin().prepare_secret_key().unwrap();
        assert_eq!(lines(&stage.key_file()).len(), 2);
        let rotation = stage.services.admin().rotate_secret_keys().await.unwrap();
        assert_eq!((rotation.key_id, rotation.values), (prepared, 1));
        stage.advance(TimeDelta::seconds(30));
        assert!(accepts(&stage.services, &secret).await.unwrap());
        for services in [other, with_old] {
            services.close().await;
        }
    });
}

#[test]
fn a_rotation_that_was_broken_off_continues() {
    on_both(async |stage| {
        let secret = enrol(&stage).await;
        let prepared = stage.services.admin().prepare_secret_key().unwrap();
        // As if the process had been killed after the new key became the current one.
        let insert =
            format!("INSERT INTO secret_keys (id, created_at) SELECT '{prepared}', created_at + 1 FROM secret_keys");
        crate::testing::execute(&stage.services, &insert).await;
        let rotation = stage.services.admin().rotate_secret_keys().await.unwrap();
        assert_eq!((rotation.key_id, rotation.values, rotation.retired.len()), (prepared, 1, 1));
        assert_eq!(lines(&stage.key_file()).len(), 1);
        stage.advance(TimeDelta::seconds(30));
        assert!(accepts(&stage.services, &secret).await.unwrap());
    });
}

#[test]
fn after_the_key_is_lost_the_operator_can_go_on_without_second_factors() {
    on_both(async |stage| {
        enrol(&stage).await;
        let key = stage.folder().join("new.key");
        create_secret_key_file(&key).unwrap();
        let services = open(&stage, SecretKeys::File(key)).await;
        services.unlock_secrets().await.unwrap_err();
        assert_eq!(services.admin().discard_lost_secrets().await.unwrap(), 1);
        services.unlock_secrets().await.unwrap();
        let sessions = services.sessions();
        let signed_in = sessions.sign_in("ada@example.org", &Secret::new(PASSWORD), &browser()).await.unwrap();
        assert!(!signed_in.needs_code);
        assert_eq!(services.admin().discard_lost_secrets().await.unwrap(), 0);
        services.close().await;
    });
}

#[test]
fn without_a_key_two_factor_authentication_cannot_be_set_up() {
    on_both(async |stage| {
        if stage.database_url.starts_with("sqlite:") {
            return;
        }
        let services = open(&stage, SecretKeys::Beside).await;
        services.unlock_secrets().await.expect("no key is needed yet");
        let ada = stage.session(stage.admin).await;
        assert_eq!(code(services.second_factors().begin(&ada).await), ErrorCode::Conflict);
        services.close().await;
    });
}

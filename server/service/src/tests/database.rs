//! Migrations, session rows, backups and the integrity check.

use chrono::TimeDelta;

use crate::{Clock, OpenError, Services, Settings, StoredSession, storage::Db, tests::stage::*};

#[test]
fn migrating_twice_changes_nothing_and_a_newer_database_is_refused() {
    on_both(async |stage| {
        assert!(stage.services.migrate().await.unwrap().is_empty());
        let sql = "UPDATE _sqlx_migrations SET version = 999 WHERE version = 1";
        match stage.services.db() {
            Db::Sqlite { writer, .. } => {
                sqlx::query(sql).execute(&mut writer.connect().await.unwrap()).await.unwrap();
            }
            Db::Postgres(pg) => {
                sqlx::query(sql).execute(&mut *pg.connect().await.unwrap()).await.unwrap();
            }
        }
        assert!(matches!(stage.services.migrate().await, Err(OpenError::NewerDatabase(999))));
        assert!(matches!(stage.services.missing_migrations().await, Err(OpenError::NewerDatabase(999))));
    });
}

fn session_of_admin(stage: &Stage) -> StoredSession {
    StoredSession {
        data: "{}".to_owned(),
        user_id: Some(stage.admin),
        expires_at: stage.services.now() + TimeDelta::hours(1),
        facts: None,
        password_mark: None,
        is_without_code: false,
        replaces: None,
    }
}

#[test]
fn a_session_that_was_ended_gets_no_new_id() {
    on_both(async |stage| {
        let sessions = stage.services.sessions();
        let row = |replaces| StoredSession { replaces, ..session_of_admin(&stage) };
        sessions.create(&[1; 32], &row(None)).await.unwrap();
        sessions.create(&[2; 32], &row(Some([1; 32]))).await.unwrap();
        assert!(sessions.load(&[1; 32]).await.unwrap().is_none() && sessions.load(&[2; 32]).await.unwrap().is_some());
        sessions.delete(&[2; 32]).await.unwrap();
        sessions.create(&[3; 32], &row(Some([2; 32]))).await.unwrap();
        assert!(sessions.load(&[3; 32]).await.unwrap().is_none());
    });
}

#[test]
fn a_session_row_is_saved_replaced_and_deleted_and_expires() {
    on_both(async |stage| {
        let sessions = stage.services.sessions();
        let row = session_of_admin(&stage);
        sessions.create(&[1; 32], &row).await.unwrap();
        assert_eq!(sessions.load(&[1; 32]).await.unwrap(), Some(row.clone()));
        let later = StoredSession { data: "{\"a\":1}".to_owned(), ..row };
        sessions.save(&[1; 32], &later).await.unwrap();
        assert_eq!(sessions.load(&[1; 32]).await.unwrap(), Some(later.clone()));
        sessions.create(&[2; 32], &later).await.unwrap();
        sessions.delete(&[2; 32]).await.unwrap();
        // A request of that session that was still in progress doesn't restore it.
        sessions.save(&[2; 32], &later).await.unwrap();
        assert_eq!(sessions.load(&[2; 32]).await.unwrap(), None);
        stage.advance(TimeDelta::hours(1));
        assert_eq!(sessions.load(&[1; 32]).await.unwrap(), None);
    });
}

#[test]
fn a_backup_is_a_complete_database_and_never_overwrites_a_file() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let key = stage.add_key(&ada, own(&ada), "kept").await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("backup.db");
        if matches!(stage.services.db(), Db::Postgres(_)) {
            assert!(stage.services.admin().backup(&file).await.is_err());
            return;
        }
        stage.services.admin().backup(&file).await.unwrap();
        assert!(stage.services.admin().backup(&file).await.is_err());
        let settings = Settings::new(format!("sqlite:{}", file.display()));
        let copy = Services::open(&settings, Clock::fixed(stage.services.now())).await.unwrap();
        assert!(copy.missing_migrations().await.unwrap().is_empty());
        assert!(copy.verification().verify(key.token.expose(), &browser()).await.unwrap().is_some());
        assert!(copy.admin().check().await.unwrap().is_empty());
    });
}

#[tokio::test]
async fn an_unknown_kind_of_database_is_refused() {
    let settings = Settings::new("mysql://localhost/x");
    assert!(matches!(Services::open(&settings, Clock::system()).await, Err(OpenError::Url)));
}

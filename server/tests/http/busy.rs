//! Pages while the database can't be changed, because another transaction holds the write lock.

use std::time::{Duration, Instant};

use chrono::TimeDelta;

use crate::support::{Stage, on_embedded};

#[test]
fn a_page_that_only_extends_the_session_does_not_wait_for_the_writer() {
    on_embedded("http://127.0.0.1:3000", &|stage: Stage| async move {
        let cookie = stage.sign_in().await;
        stage.clock.set(stage.services.now() + TimeDelta::minutes(30));
        let lock = service::testing::hold_write_lock(&stage.services).await;
        for _ in 0..3 {
            let begun = Instant::now();
            let page = stage.get("/user/profile", &cookie).await;
            assert_eq!(page.status, 200);
            assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
            assert!(page.cookies().iter().any(|cookie| cookie.contains("Max-Age=")), "the cookie is extended");
        }
        drop(lock);
        let begun = Instant::now();
        while stage.get("/user/profile", &cookie).await.cookies().iter().any(|cookie| cookie.contains("Max-Age=")) {
            assert!(
                begun.elapsed() < Duration::from_secs(5),
                "the session is never extended: {:?}",
                stage.get("/user/profile", &cookie).await.cookies()
            );
        }
        // Longer after the sign-in than a session without requests lasts.
        stage.clock.set(stage.services.now() + TimeDelta::minutes(50));
        assert_eq!(stage.get("/user/profile", &cookie).await.status, 200);
    });
}

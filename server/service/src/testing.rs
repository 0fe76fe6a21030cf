//! For the tests of the crates above, which know of no database.

use chrono::DateTime;

/// Makes a database of its own on a throw-away server, and gives its URL.
///
/// # Panics
/// When the server can't be reached: the test can't go on.
pub async fn new_postgres(server: &str) -> String {
    let name = format!("t{}", crate::token::new_id(DateTime::UNIX_EPOCH).simple());
    let pool = sqlx::PgPool::connect(server).await.expect("the test server answers");
    let made = sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&pool).await;
    made.expect("the test server lets databases be made");
    pool.close().await;
    let (base, _) = server.rsplit_once('/').expect("the URL names a database");
    format!("{base}/{name}")
}

//! Connects to a `PostgreSQL` server.

use std::{str::FromStr, time::Duration};

use sqlx::{
    ConnectOptions,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use super::Db;
use crate::error::OpenError;

const CONNECTIONS: u32 = 20;

pub(super) async fn open(url: &str) -> std::result::Result<Db, OpenError> {
    let options = PgConnectOptions::from_str(url)?.application_name("latchkey").options([
        ("statement_timeout", "5s"),
        ("lock_timeout", "2s"),
        ("idle_in_transaction_session_timeout", "10s"),
    ]);
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(Duration::from_secs(3))
        .connect_with(options.clone())
        .await;
    let cause = match pool {
        Ok(pool) => return Ok(Db::Postgres(pool)),
        // The pool retries until its timeout, and doesn't report why it failed.
        Err(sqlx::Error::PoolTimedOut) => options.connect().await.err().unwrap_or(sqlx::Error::PoolTimedOut),
        Err(cause) => cause,
    };
    Err(OpenError::Unreachable { name: format!("at {}:{}", options.get_host(), options.get_port()), cause })
}

//! The settings of a `PostgreSQL` database.

use clap::{Args, builder::BoolishValueParser};
use service::PostgresOptions;

#[derive(Args, Clone, Copy, Debug)]
pub(super) struct Postgres {
    #[arg(
        long,
        global = true,
        env = "LATCHKEY_PGBOUNCER",
        value_parser = BoolishValueParser::new(),
        help_heading = "Database",
        help = "The PostgreSQL URL is that of PgBouncer, or another pooler, in transaction mode"
    )]
    pgbouncer: bool,
    #[arg(
        long,
        global = true,
        env = "LATCHKEY_DATABASE_CONNECTIONS",
        default_value_t = 20,
        value_name = "NUMBER",
        value_parser = clap::value_parser!(u32).range(5..=1_000),
        help_heading = "Database",
        help = "Maximum number of connections to PostgreSQL; two fifths each are for verification and for changes"
    )]
    database_connections: u32,
}

impl Postgres {
    /// Returns the options for the service.
    pub(super) fn options(self) -> PostgresOptions {
        PostgresOptions { pgbouncer: self.pgbouncer, connections: self.database_connections }
    }
}

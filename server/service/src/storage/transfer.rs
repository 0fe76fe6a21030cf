//! Copies all rows of an `SQLite` file to an empty `PostgreSQL` database, in one transaction, and compares them.

use futures::TryStreamExt;
use sha2::{Digest, Sha256};
use sqlx::{Row, SqliteConnection, postgres::PgRow, sqlite::SqliteRow};
use uuid::Uuid;

use super::{db::Lease, query::assembled};
use crate::{
    digest::hex,
    error::{Error, Result},
};

/// All tables, each after those that it references. A test compares the list with the schema.
pub(crate) const TABLES: [&str; 42] = [
    "tenants",
    "users",
    "scopes",
    "secret_keys",
    "second_factors",
    "recovery_codes",
    "sessions",
    "gateway_passes",
    "throttle",
    "remembered_browsers",
    "memberships",
    "invitations",
    "service_accounts",
    "api_keys",
    "name_search",
    "key_policies",
    "agents",
    "flow_projects",
    "flows",
    "flow_tasks",
    "flow_runs",
    "task_runs",
    "flow_run_states",
    "flow_run_logs",
    "key_usage_clients",
    "key_usage_scopes",
    "key_refusals",
    "key_usage_hours",
    "key_usage_days",
    "tenant_refusal_days",
    "refusal_hours",
    "pending_changes",
    "readiness",
    "clock",
    "expiry_reminders",
    "calendar_feeds",
    "audit_log",
    "audit_heads",
    "audit_checks",
    "audit_actor_names",
    "change_heads",
    "changes",
];
/// The tables to which triggers add rows when rows are inserted into the tables before them.
const WRITTEN_BY_TRIGGERS: [&str; 2] = ["change_heads", "changes"];
/// How many values one statement inserts at most; `PostgreSQL` accepts 65,535.
const VALUES_AT_ONCE: usize = 8_000;

/// A table that was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopiedTable {
    /// The table.
    pub name: &'static str,
    /// How many rows it has, on both sides.
    pub rows: u64,
    /// The SHA-256 of all rows in the order of the primary key, the same on both sides, in hexadecimal.
    pub digest: String,
}

/// The type of a column, as `PostgreSQL` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Id,
    Number,
    Text,
    Bytes,
}

#[derive(Clone, Debug)]
struct Table {
    name: &'static str,
    columns: Vec<(String, Kind)>,
    /// The columns of the primary key.
    key: Vec<String>,
}

/// A value, the same on both sides.
#[derive(Clone, Debug)]
enum Value {
    Null,
    Number(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// The number of rows that were read, and their digest.
#[derive(Default)]
struct Sum {
    rows: u64,
    hash: Sha256,
}

impl Sum {
    /// Each value is preceded by its kind and its length, so that no two rows hash the same bytes.
    fn add(&mut self, row: &[Value]) {
        self.rows += 1;
        for value in row {
            let number;
            let (kind, bytes) = match value {
                Value::Null => (0, [].as_slice()),
                Value::Number(value) => {
                    number = value.to_be_bytes();
                    (1, number.as_slice())
                }
                Value::Text(text) => (2, text.as_bytes()),
                Value::Bytes(bytes) => (3, bytes.as_slice()),
            };
            self.hash.update([kind]);
            self.hash.update((bytes.len() as u64).to_be_bytes());
            self.hash.update(bytes);
        }
    }

    fn end(self, name: &'static str) -> CopiedTable {
        CopiedTable { name, rows: self.rows, digest: hex(&self.hash.finalize()) }
    }
}

/// Copies all tables within the transaction of the target, and reads them again from there.
///
/// # Errors
/// If the databases differ in their columns, or a table differs after it was copied.
pub(crate) async fn copy_all(source: &mut SqliteConnection, target: &mut Lease) -> Result<Vec<CopiedTable>> {
    let mut copied = Vec::new();
    for name in TABLES {
        let table = describe(source, target, name).await?;
        if WRITTEN_BY_TRIGGERS.contains(&name) {
            // By the copied rows of other tables.
            sqlx::query(assembled(format!("DELETE FROM {name}"))).execute(&mut **target).await?;
        }
        let written = copy_table(source, target, &table).await?;
        let read = read_back(target, &table).await?;
        if written != read {
            return Err(Error::Fault(format!(
                "the table {name} differs after copying: {} rows became {}",
                written.rows, read.rows
            )));
        }
        copied.push(written);
    }
    Ok(copied)
}

/// Returns the first table that has rows; `None` if the database is empty. Keeps everybody else from using it until the
/// transaction ends.
pub(crate) async fn find_filled(target: &mut Lease) -> Result<Option<&'static str>> {
    for name in TABLES {
        let lock = format!("LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE");
        sqlx::query(assembled(lock)).execute(&mut **target).await?;
        let sql = format!("SELECT EXISTS (SELECT 1 FROM {name})");
        let is_filled: bool = sqlx::query_scalar(assembled(sql)).fetch_one(&mut **target).await?;
        if is_filled && !["readiness", "clock"].contains(&name) {
            return Ok(Some(name));
        }
    }
    // The row of a server that was only started to create the tables.
    sqlx::query("DELETE FROM readiness").execute(&mut **target).await?;
    sqlx::query("DELETE FROM clock").execute(&mut **target).await?;
    Ok(None)
}

async fn describe(source: &mut SqliteConnection, target: &mut Lease, name: &'static str) -> Result<Table> {
    let found: Vec<(String, String)> = sqlx::query_as(
        "SELECT column_name::text, data_type::text FROM information_schema.columns \
         WHERE table_schema = current_schema() AND table_name = $1 ORDER BY column_name COLLATE \"C\"",
    )
    .bind(name)
    .fetch_all(&mut **target)
    .await?;
    let columns: Vec<(String, Kind)> = found
        .into_iter()
        .map(|(column, kind)| {
            let kind = match kind.as_str() {
                "uuid" => Kind::Id,
                "bigint" => Kind::Number,
                "text" => Kind::Text,
                "bytea" => Kind::Bytes,
                other => return Err(Error::Fault(format!("{name}.{column} has the unknown type {other}"))),
            };
            Ok((column, kind))
        })
        .collect::<Result<_>>()?;
    let own: Vec<(String, i64)> = sqlx::query_as("SELECT name, pk FROM pragma_table_info($1) ORDER BY name")
        .bind(name)
        .fetch_all(&mut *source)
        .await?;
    if own.iter().map(|(column, _)| column).ne(columns.iter().map(|(column, _)| column)) {
        return Err(Error::Fault(format!("the table {name} has different columns on both sides")));
    }
    let mut key: Vec<(i64, String)> =
        own.into_iter().filter(|(_, place)| *place > 0).map(|(column, place)| (place, column)).collect();
    key.sort_unstable();
    Ok(Table { name, columns, key: key.into_iter().map(|(_, column)| column).collect() })
}

impl Table {
    fn names(&self) -> String {
        let names = self.columns.iter().map(|(name, _)| format!("\"{name}\""));
        names.collect::<Vec<_>>().join(", ")
    }

    /// `collation`: follows each text column. Both databases then sort text by its bytes.
    fn select(&self, collation: &str) -> String {
        let kind = |name: &String| self.columns.iter().find(|(column, _)| column == name).map(|(_, kind)| *kind);
        let order = self.key.iter().map(|name| {
            let collation = if kind(name) == Some(Kind::Text) { collation } else { "" };
            format!("\"{name}\"{collation}")
        });
        format!("SELECT {} FROM {} ORDER BY {}", self.names(), self.name, order.collect::<Vec<_>>().join(", "))
    }

    fn insert(&self, rows: usize) -> String {
        let width = self.columns.len();
        let row = |row: usize| {
            let marks: Vec<String> = (1..=width).map(|column| format!("${}", row * width + column)).collect();
            format!("({})", marks.join(", "))
        };
        let rows: Vec<String> = (0..rows).map(row).collect();
        format!("INSERT INTO {} ({}) VALUES {}", self.name, self.names(), rows.join(", "))
    }

    fn of_sqlite(&self, row: &SqliteRow) -> Result<Vec<Value>> {
        let value = |(index, (_, kind)): (usize, &(String, Kind))| -> std::result::Result<Value, sqlx::Error> {
            Ok(match kind {
                Kind::Number => row.try_get::<Option<i64>, _>(index)?.map_or(Value::Null, Value::Number),
                Kind::Text => row.try_get::<Option<String>, _>(index)?.map_or(Value::Null, Value::Text),
                Kind::Id | Kind::Bytes => row.try_get::<Option<Vec<u8>>, _>(index)?.map_or(Value::Null, Value::Bytes),
            })
        };
        let values = self.columns.iter().enumerate().map(value);
        Ok(values.collect::<std::result::Result<_, _>>()?)
    }

    fn of_postgres(&self, row: &PgRow) -> Result<Vec<Value>> {
        let value = |(index, (_, kind)): (usize, &(String, Kind))| -> std::result::Result<Value, sqlx::Error> {
            Ok(match kind {
                Kind::Number => row.try_get::<Option<i64>, _>(index)?.map_or(Value::Null, Value::Number),
                Kind::Text => row.try_get::<Option<String>, _>(index)?.map_or(Value::Null, Value::Text),
                Kind::Bytes => row.try_get::<Option<Vec<u8>>, _>(index)?.map_or(Value::Null, Value::Bytes),
                Kind::Id => {
                    let id = row.try_get::<Option<Uuid>, _>(index)?;
                    id.map_or(Value::Null, |id| Value::Bytes(id.as_bytes().to_vec()))
                }
            })
        };
        let values = self.columns.iter().enumerate().map(value);
        Ok(values.collect::<std::result::Result<_, _>>()?)
    }
}

async fn copy_table(source: &mut SqliteConnection, target: &mut Lease, table: &Table) -> Result<CopiedTable> {
    let mut sum = Sum::default();
    let at_once = (VALUES_AT_ONCE / table.columns.len().max(1)).max(1);
    let mut waiting = Vec::new();
    let mut rows = sqlx::query(assembled(table.select(""))).fetch(source);
    while let Some(row) = rows.try_next().await? {
        let row = table.of_sqlite(&row)?;
        sum.add(&row);
        waiting.push(row);
        if waiting.len() == at_once {
            insert(target, table, &std::mem::take(&mut waiting)).await?;
        }
    }
    insert(target, table, &waiting).await?;
    Ok(sum.end(table.name))
}

async fn insert(target: &mut Lease, table: &Table, rows: &[Vec<Value>]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut statement = sqlx::query(assembled(table.insert(rows.len()))).persistent(false);
    for (value, (name, kind)) in rows.iter().flat_map(|row| row.iter().zip(&table.columns)) {
        statement = match (value, kind) {
            (Value::Number(number), _) => statement.bind(*number),
            (Value::Text(text), _) => statement.bind(text.as_str()),
            (Value::Bytes(bytes), Kind::Id) => {
                let id = Uuid::from_slice(bytes);
                statement
                    .bind(id.map_err(|_| Error::Fault(format!("{}.{name} has a value that isn't an id", table.name)))?)
            }
            (Value::Bytes(bytes), _) => statement.bind(bytes.as_slice()),
            (Value::Null, Kind::Id) => statement.bind(None::<Uuid>),
            (Value::Null, Kind::Number) => statement.bind(None::<i64>),
            (Value::Null, Kind::Text) => statement.bind(None::<&str>),
            (Value::Null, Kind::Bytes) => statement.bind(None::<&[u8]>),
        };
    }
    statement.execute(&mut **target).await?;
    Ok(())
}

async fn read_back(target: &mut Lease, table: &Table) -> Result<CopiedTable> {
    let mut sum = Sum::default();
    let mut rows = sqlx::query(assembled(table.select(" COLLATE \"C\""))).persistent(false).fetch(&mut **target);
    while let Some(row) = rows.try_next().await? {
        sum.add(&table.of_postgres(&row)?);
    }
    Ok(sum.end(table.name))
}

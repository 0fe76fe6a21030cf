//! The frame of the lists that clients filter and sort freely: of projects, flows, tasks and runs.

use sqlx::{FromRow, postgres::PgRow, sqlite::SqliteRow};

use super::{
    Db,
    db::read_list,
    flow_filter::{FlowColumn, FlowFilter, FlowOrder, order_by},
    query::{Conditions, Value, statement},
};
use crate::{access::ReadPermit, error::Result};

/// What a list reads. The aliases of the tables are those of the filters.
pub(super) struct FlowList<'a> {
    /// The columns of a row.
    pub(super) columns: &'a str,
    /// The tables, joined.
    pub(super) tables: &'a str,
    /// The column with the tenant.
    pub(super) tenant: &'a str,
    /// The id of a row, which comes last in every order.
    pub(super) id: FlowColumn,
}

impl FlowList<'_> {
    /// Returns the rows of the permit's tenant that meet a filter, in an order, at most `limit`.
    pub(super) async fn rows<Row>(
        &self,
        db: &Db,
        permit: &ReadPermit,
        (filter, order): (&FlowFilter, &FlowOrder),
        limit: Option<u32>,
    ) -> Result<Vec<Row>>
    where
        Row: Send + Unpin + for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow>,
    {
        let mut conditions = Conditions::default();
        let tenant = conditions.bind(Value::Id(permit.tenant_id().0));
        let filter = filter.sql(&mut conditions);
        let order = order_by(order, self.id);
        let limit = limit.map(|limit| format!(" LIMIT {limit}")).unwrap_or_default();
        let Self { columns, tables, tenant: column, .. } = self;
        let sql = format!("SELECT {columns} FROM {tables} WHERE {column} = {tenant} AND {filter}{order}{limit}");
        Ok(read_list!(db, c => statement!(db, query_as, sql, conditions).fetch_all(c))?)
    }
}

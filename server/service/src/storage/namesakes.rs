//! People and service accounts whose names are easily mistaken for each other.

use domain::{KeyId, TenantId};
use uuid::Uuid;

use super::{
    Db,
    db::read_list,
    fold,
    query::{Conditions, Value, statement},
};
use crate::{error::Result, text::look};

/// How somebody is named. `email`: `None` for a service account.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Named {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) email: Option<String>,
}

/// Returns the members of a tenant whose names look like one of these, its service accounts with one of these names,
/// and the users with one of these ids, even if they have left the tenant.
pub(crate) async fn list(db: &Db, tenant: TenantId, names: &[&str], ids: &[Uuid]) -> Result<Vec<Named>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let mut conditions = Conditions::default();
    let tenant = conditions.bind(Value::Id(tenant.0));
    let mut texts = |form: fn(&str) -> String| {
        let bound: Vec<_> = names.iter().map(|name| conditions.bind(Value::Text(form(name)))).collect();
        bound.join(", ")
    };
    let (looks, folded) = (texts(look), texts(fold));
    let ids: Vec<_> = ids.iter().map(|id| conditions.bind(Value::Id(*id))).collect();
    let known = if ids.is_empty() {
        String::new()
    } else {
        format!("UNION SELECT u.id, u.name, u.email FROM users u WHERE u.id IN ({}) ", ids.join(", "))
    };
    let sql = format!(
        "SELECT u.id, u.name, u.email FROM users u JOIN memberships m ON m.user_id = u.id AND m.tenant_id = {tenant} \
         WHERE u.name_look IN ({looks}) {known}\
         UNION SELECT s.id, s.name, NULL FROM service_accounts s \
         WHERE s.tenant_id = {tenant} AND s.name_folded IN ({folded})"
    );
    Ok(read_list!(db, c => statement!(db, query_as, sql, conditions).fetch_all(c))?)
}

/// Returns who created these keys of a tenant. The nil id is the operator's.
pub(crate) async fn list_creators(db: &Db, tenant: TenantId, keys: &[KeyId]) -> Result<Vec<(Uuid, Uuid)>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let mut conditions = Conditions::default();
    let tenant = conditions.bind(Value::Id(tenant.0));
    let ids: Vec<_> = keys.iter().map(|key| conditions.bind(Value::Id(key.0))).collect();
    let sql = format!(
        "SELECT k.id, k.created_by_id FROM api_keys k WHERE k.id IN ({}) AND {}",
        ids.join(", "),
        super::query::in_tenant(&tenant)
    );
    Ok(read_list!(db, c => statement!(db, query_as, sql, conditions).fetch_all(c))?)
}

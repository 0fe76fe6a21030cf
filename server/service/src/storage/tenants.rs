//! Tenants and memberships.

use chrono::{DateTime, Utc};
use domain::{
    ApiError, Direction, Email, ErrorCode, Member, MemberQuery, Owner, Page, Role, Slug, Tenant, TenantId, Total,
    UserId,
};
use uuid::Uuid;

use super::{
    Db, Tx,
    db::{change, read, read_list, run},
    fold, instant,
    lifecycle::{ACTIVE, expiry},
    micros, pending_changes,
    query::{Conditions, Keyset, Place, SortValue, Value, in_tenant, statement},
    role_of, stored_name,
};
use crate::{
    access::{ReadPermit, WritePermit},
    error::{Error, Result},
};

#[derive(sqlx::FromRow)]
pub(crate) struct TenantRow {
    id: Uuid,
    name: String,
    slug: String,
    created_at: i64,
}

impl TenantRow {
    pub(crate) fn into_tenant(self) -> Result<Tenant> {
        let slug = Slug::parse(&self.slug).map_err(|_| Error::Fault(format!("tenant {}: invalid slug", self.id)))?;
        Ok(Tenant { id: TenantId(self.id), name: stored_name(&self.name), slug, created_at: instant(self.created_at) })
    }
}

#[derive(sqlx::FromRow)]
struct MemberRow {
    user_id: Uuid,
    name: String,
    email: String,
    role: String,
}

impl MemberRow {
    fn into_member(self) -> Result<Member> {
        let email =
            Email::parse(&self.email).map_err(|_| Error::Fault(format!("user {}: invalid email", self.user_id)))?;
        Ok(Member { user_id: UserId(self.user_id), name: stored_name(&self.name), email, role: role_of(&self.role)? })
    }
}

/// Inserts a tenant. A taken slug is a field error.
pub(crate) async fn insert(tx: &mut Tx, tenant: &Tenant) -> Result<()> {
    let done = change!(
        tx,
        sqlx::query("INSERT INTO tenants (id, name, slug, created_at) VALUES ($1, $2, $3, $4)")
            .bind(tenant.id.0)
            .bind(tenant.name.as_str())
            .bind(tenant.slug.as_str())
            .bind(micros(tenant.created_at))
    );
    match done.map_err(Error::from) {
        Err(error) if error.is_unique_violation() => {
            Err(ApiError::field("slug", "This slug is already taken. Choose another one.").into())
        }
        other => other.map(drop),
    }
}

/// Finds the permit's tenant.
pub(crate) async fn find(db: &Db, permit: &ReadPermit) -> Result<Option<Tenant>> {
    let row: Option<TenantRow> = read!(db, c => sqlx::query_as("SELECT id, name, slug, created_at FROM tenants WHERE id = $1")
        .bind(permit.tenant_id().0)
        .fetch_optional(c))?;
    row.map(TenantRow::into_tenant).transpose()
}

/// Returns all tenants, sorted by slug. Only for the operator, whom no permit restricts.
pub(crate) async fn list_all(db: &Db) -> Result<Vec<Tenant>> {
    let rows: Vec<TenantRow> = read_list!(db, c =>
        sqlx::query_as("SELECT id, name, slug, created_at FROM tenants ORDER BY slug").fetch_all(c))?;
    rows.into_iter().map(TenantRow::into_tenant).collect()
}

/// Whether any tenant exists.
pub(crate) async fn is_any(db: &Db) -> Result<bool> {
    Ok(
        read!(db, c => sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM (SELECT id FROM tenants LIMIT 1) AS one").fetch_one(c))?
            > 0,
    )
}

/// Like [`is_any`], inside a transaction.
pub(crate) async fn is_any_in(tx: &mut Tx) -> Result<bool> {
    Ok(
        run!(tx, c => sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM (SELECT id FROM tenants LIMIT 1) AS one").fetch_one(c))?
            > 0,
    )
}

/// Returns the only tenant; `None` if there are several, or none.
pub(crate) async fn find_only(db: &Db) -> Result<Option<TenantId>> {
    let rows: Vec<Uuid> = read!(db, c => sqlx::query_scalar("SELECT id FROM tenants LIMIT 2").fetch_all(c))?;
    let [only] = rows.as_slice() else { return Ok(None) };
    Ok(Some(TenantId(*only)))
}

/// Finds a tenant by its slug.
pub(crate) async fn find_by_slug(db: &Db, slug: &str) -> Result<Option<Tenant>> {
    let row: Option<TenantRow> = read!(db, c =>
        sqlx::query_as("SELECT id, name, slug, created_at FROM tenants WHERE slug = $1").bind(slug).fetch_optional(c))?;
    row.map(TenantRow::into_tenant).transpose()
}

/// Inserts a membership at `at`, in microseconds. An existing membership is a field error.
pub(crate) async fn insert_member(tx: &mut Tx, tenant: TenantId, user: UserId, role: Role, at: i64) -> Result<()> {
    let done = change!(
        tx,
        sqlx::query("INSERT INTO memberships (tenant_id, user_id, role, created_at) VALUES ($1, $2, $3, $4)")
            .bind(tenant.0)
            .bind(user.0)
            .bind(role.as_str())
            .bind(at)
    );
    match done.map_err(Error::from) {
        Err(error) if error.is_unique_violation() => {
            Err(ApiError::field("email", "This person is already a member of this tenant.").into())
        }
        Err(error) => Err(error),
        Ok(_) => adopt_keys(tx, tenant, user, at).await,
    }
}

/// Clears the mark of the keys that a user created who is a member again.
async fn adopt_keys(tx: &mut Tx, tenant: TenantId, user: UserId, at: i64) -> Result<()> {
    if pending_changes::is_leaving(tx, tenant, user).await? {
        let message = "This person is still being removed from the tenant. Try again in a moment.";
        return Err(ApiError { retry_after: Some(2), ..ApiError::new(ErrorCode::Unavailable, message) }.into());
    }
    if !pending_changes::needs_steps(tx, tenant).await? {
        return super::keys::mark_orphans(tx, tenant, user, None).await;
    }
    let change = pending_changes::PendingChange {
        kind: pending_changes::Kind::Adopt,
        tenant,
        owner: Owner::User(user),
        at: instant(at),
        by: String::new(),
        reason: "",
    };
    pending_changes::insert(tx, &change).await
}

/// Returns one page of the members of the permit's tenant, sorted by name without regard to case, in any script.
///
/// NOTE: reads all members, and searches and sorts them here, so that both databases give the same result. A tenant has
/// a few thousand members at most.
pub(crate) async fn list_members(db: &Db, permit: &ReadPermit, query: &MemberQuery) -> Result<Page<Member>> {
    let keyset = Keyset::of(&query.page, Direction::Asc, true)?;
    let rows: Vec<MemberRow> = read_list!(db, c =>
        sqlx::query_as(
            "SELECT m.user_id, u.name, u.email, m.role FROM memberships m JOIN users u ON u.id = m.user_id \
             WHERE m.tenant_id = $1 AND ($2 = '' OR m.role = $2)",
        )
        .bind(permit.tenant_id().0)
        .bind(query.role.map_or("", Role::as_str))
        .fetch_all(c))?;
    let wanted = fold(query.search.trim());
    let members: Result<Vec<Member>> = rows.into_iter().map(MemberRow::into_member).collect();
    let mut members = members?;
    members
        .retain(|member| fold(member.name.as_str()).contains(&wanted) || fold(member.email.as_str()).contains(&wanted));
    let position_of = |member: &Member| Place(SortValue::Text(fold(member.name.as_str())), member.user_id.0);
    let total = u32::try_from(members.len()).ok().map(|count| Total { count, is_exact: true });
    Ok(Page { total, ..keyset.page(keyset.pick(members, position_of), position_of, |member| member) })
}

/// What administrators see of a member, besides the name and the role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberFacts {
    /// The member.
    pub user_id: UserId,
    /// When they joined the tenant.
    pub joined_at: DateTime<Utc>,
    /// Whether two-factor authentication is on.
    pub has_second_factor: bool,
    /// Since when codes of their app are refused, because there were too many wrong ones.
    pub codes_locked_at: Option<DateTime<Utc>>,
    /// How many of their keys in this tenant are active.
    pub active_keys: u32,
    /// When one of these keys was last used.
    pub keys_last_used_at: Option<DateTime<Utc>>,
}

#[derive(sqlx::FromRow)]
struct MemberFactsRow {
    user_id: Uuid,
    joined_at: i64,
    second_factor_at: Option<i64>,
    codes_locked_at: Option<i64>,
    active_keys: i64,
    last_used_at: Option<i64>,
}

impl From<MemberFactsRow> for MemberFacts {
    fn from(row: MemberFactsRow) -> Self {
        Self {
            user_id: UserId(row.user_id),
            joined_at: instant(row.joined_at),
            has_second_factor: row.second_factor_at.is_some(),
            codes_locked_at: row.codes_locked_at.map(instant),
            active_keys: u32::try_from(row.active_keys).unwrap_or(u32::MAX),
            keys_last_used_at: row.last_used_at.map(instant),
        }
    }
}

/// Returns the facts of those of the users that are members of the permit's tenant. Says nothing about what they do in
/// other tenants. `now`: in microseconds.
pub(crate) async fn list_member_facts(
    db: &Db,
    permit: &ReadPermit,
    users: &[UserId],
    now: i64,
) -> Result<Vec<MemberFacts>> {
    if users.is_empty() {
        return Ok(Vec::new());
    }
    let mut conditions = Conditions::default();
    let tenant = conditions.bind(Value::Id(permit.tenant_id().0));
    let now = conditions.bind(Value::Number(now));
    let users: Vec<_> = users.iter().map(|user| conditions.bind(Value::Id(user.0))).collect();
    let active = format!(
        "FROM api_keys k WHERE k.user_id = m.user_id AND k.lifecycle = {ACTIVE} AND {} > {now} AND {}",
        expiry!("k.expires_at"),
        in_tenant(&tenant),
    );
    let sql = format!(
        "SELECT m.user_id, m.created_at AS joined_at, \
         (SELECT f.enabled_at FROM second_factors f WHERE f.user_id = m.user_id) AS second_factor_at, \
         (SELECT f.locked_at FROM second_factors f WHERE f.user_id = m.user_id AND f.enabled_at IS NOT NULL) AS codes_locked_at, \
         (SELECT COUNT(*) {active}) AS active_keys, (SELECT MAX(k.last_used_at) {active}) AS last_used_at \
         FROM memberships m WHERE m.tenant_id = {tenant} AND m.user_id IN ({})",
        users.join(", ")
    );
    let rows: Vec<MemberFactsRow> = read!(db, c => statement!(db, query_as, sql, conditions).fetch_all(c))?;
    Ok(rows.into_iter().map(MemberFacts::from).collect())
}

/// Finds a member of the permit's tenant.
pub(crate) async fn find_member(db: &Db, permit: &ReadPermit, user: UserId) -> Result<Option<Member>> {
    let row: Option<MemberRow> =
        read!(db, c => sqlx::query_as(MEMBER).bind(permit.tenant_id().0).bind(user.0).fetch_optional(c))?;
    row.map(MemberRow::into_member).transpose()
}

/// Whether a user with this email address is a member of the permit's tenant.
pub(crate) async fn has_member(db: &Db, permit: &ReadPermit, email: &Email) -> Result<bool> {
    let members: i64 = read!(db, c =>
        sqlx::query_scalar(
            "SELECT COUNT(*) FROM memberships m JOIN users u ON u.id = m.user_id WHERE m.tenant_id = $1 AND u.email = $2",
        )
        .bind(permit.tenant_id().0)
        .bind(email.as_str())
        .fetch_one(c))?;
    Ok(members > 0)
}

const MEMBER: &str = "SELECT m.user_id, u.name, u.email, m.role FROM memberships m JOIN users u ON u.id = m.user_id \
    WHERE m.tenant_id = $1 AND m.user_id = $2";

/// Like [`find_member`], inside a transaction.
pub(crate) async fn find_member_in(tx: &mut Tx, permit: &ReadPermit, user: UserId) -> Result<Option<Member>> {
    let row: Option<MemberRow> = run!(tx, c =>
        sqlx::query_as(MEMBER)
        .bind(permit.tenant_id().0)
        .bind(user.0)
        .fetch_optional(c))?;
    row.map(MemberRow::into_member).transpose()
}

/// Locks the tenant until the transaction ends. Waits for a transaction that holds the lock.
///
/// NOTE: a transaction that writes to several keys, accounts or members of a tenant locks the tenant first, so that two
/// of them can't deadlock. So does one that counts rows and relies on the count. `SQLite` needs no lock, because it has
/// one writer.
pub(crate) async fn lock_tenant(tx: &mut Tx, tenant: TenantId) -> Result<()> {
    if let Tx::Postgres(tx) = tx {
        sqlx::query("UPDATE tenants SET name = name WHERE id = $1").bind(tenant.0).execute(&mut **tx).await?;
    }
    Ok(())
}

/// Like [`lock_tenant`], for a transaction that may change all keys of an owner, perhaps 100,000: its statements may
/// run for two minutes.
pub(crate) async fn lock_tenant_for_long(tx: &mut Tx, tenant: TenantId) -> Result<()> {
    if let Tx::Postgres(tx) = tx {
        tx.allow_long_statements().await?;
    }
    lock_tenant(tx, tenant).await
}

/// Counts the tenant's administrators.
pub(crate) async fn count_administrators(tx: &mut Tx, permit: &ReadPermit) -> Result<i64> {
    Ok(run!(tx, c =>
        sqlx::query_scalar("SELECT COUNT(*) FROM memberships WHERE tenant_id = $1 AND role = 'TENANT_ADMIN'")
            .bind(permit.tenant_id().0)
            .fetch_one(c))?)
}

/// Changes a member's role. Returns false if the user isn't a member.
pub(crate) async fn update_role(tx: &mut Tx, permit: &WritePermit, user: UserId, role: Role) -> Result<bool> {
    let rows = change!(
        tx,
        sqlx::query("UPDATE memberships SET role = $3, revision = revision + 1 WHERE tenant_id = $1 AND user_id = $2")
            .bind(permit.tenant_id().0)
            .bind(user.0)
            .bind(role.as_str())
    )?;
    Ok(rows == 1)
}

/// Deletes a membership. Returns false if there was none.
pub(crate) async fn delete_member(tx: &mut Tx, permit: &WritePermit, user: UserId) -> Result<bool> {
    let rows = change!(
        tx,
        sqlx::query("DELETE FROM memberships WHERE tenant_id = $1 AND user_id = $2")
            .bind(permit.tenant_id().0)
            .bind(user.0)
    )?;
    Ok(rows == 1)
}

/// Locks a membership until the transaction ends, so that it can't be deleted meanwhile. Returns its role; `None` if
/// there is none.
pub(crate) async fn lock_membership(tx: &mut Tx, tenant: TenantId, user: UserId) -> Result<Option<Role>> {
    let row: Option<String> = run!(tx, c =>
        sqlx::query_scalar("UPDATE memberships SET revision = revision + 1 WHERE tenant_id = $1 AND user_id = $2 RETURNING role")
            .bind(tenant.0)
            .bind(user.0)
            .fetch_optional(c))?;
    row.as_deref().map(role_of).transpose()
}

/// Renames the permit's tenant.
pub(crate) async fn rename(tx: &mut Tx, permit: &WritePermit, name: &domain::Name) -> Result<()> {
    change!(
        tx,
        sqlx::query("UPDATE tenants SET name = $2 WHERE id = $1").bind(permit.tenant_id().0).bind(name.as_str())
    )?;
    Ok(())
}

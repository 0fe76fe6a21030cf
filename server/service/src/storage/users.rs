//! Users and their memberships.

use chrono::{DateTime, Utc};
use domain::{ApiError, Email, Membership, Role, TenantId, User, UserId};
use uuid::Uuid;

use super::{
    Db, Tx,
    db::{Revoked, change, read, run},
    instant, micros, role_of, stored_name,
};
use crate::{
    error::{Error, Result},
    text::look,
};

#[derive(sqlx::FromRow)]
struct UserRow {
    id: Uuid,
    email: String,
    name: String,
    password_hash: String,
    created_at: i64,
}

/// A user with the hash of their password, for sign-in.
pub(crate) struct Credentials {
    pub(crate) user: User,
    pub(crate) password_hash: String,
}

impl UserRow {
    fn into_credentials(self) -> Result<Credentials> {
        let email = Email::parse(&self.email).map_err(|_| Error::Fault(format!("user {}: invalid email", self.id)))?;
        let user =
            User { id: UserId(self.id), email, name: stored_name(&self.name), created_at: instant(self.created_at) };
        Ok(Credentials { user, password_hash: self.password_hash })
    }
}

/// A user's membership of a tenant, with what an actor needs.
#[derive(Clone, Debug)]
pub(crate) struct MembershipRole {
    pub(crate) tenant_id: TenantId,
    pub(crate) role: Role,
    pub(crate) user_name: String,
}

/// Inserts a user. A taken email address is a field error.
pub(crate) async fn insert(tx: &mut Tx, user: &User, password_hash: &str) -> Result<()> {
    let done = change!(
        tx,
        sqlx::query(
            "INSERT INTO users (id, email, name, password_hash, created_at, name_look) VALUES ($1, $2, $3, $4, $5, $6)"
        )
        .bind(user.id.0)
        .bind(user.email.as_str())
        .bind(user.name.as_str())
        .bind(password_hash)
        .bind(micros(user.created_at))
        .bind(look(user.name.as_str()))
    );
    match done.map_err(Error::from) {
        Err(error) if error.is_unique_violation() => {
            Err(ApiError::field("email", "There is already an account with this email address.").into())
        }
        other => other.map(drop),
    }
}

/// Finds a user by email address.
pub(crate) async fn find_by_email(db: &Db, email: &Email) -> Result<Option<Credentials>> {
    let row: Option<UserRow> = read!(db, c =>
        sqlx::query_as("SELECT id, email, name, password_hash, created_at FROM users WHERE email = $1")
            .bind(email.as_str())
            .fetch_optional(c))?;
    row.map(UserRow::into_credentials).transpose()
}

/// Returns up to `limit` users, sorted by email address, with addresses after `after`.
pub(crate) async fn list_all(db: &Db, after: Option<&Email>, limit: u32) -> Result<Vec<User>> {
    let rows: Vec<UserRow> = read!(db, c =>
        sqlx::query_as(
            "SELECT id, email, name, password_hash, created_at FROM users WHERE email > $1 ORDER BY email LIMIT $2",
        )
        .bind(after.map_or("", |email| email.as_str()))
        .bind(i64::from(limit))
        .fetch_all(c))?;
    rows.into_iter().map(|row| row.into_credentials().map(|credentials| credentials.user)).collect()
}

/// Finds a user by id.
pub(crate) async fn find(db: &Db, id: UserId) -> Result<Option<User>> {
    let row: Option<UserRow> = read!(db, c =>
        sqlx::query_as("SELECT id, email, name, password_hash, created_at FROM users WHERE id = $1")
            .bind(id.0)
            .fetch_optional(c))?;
    row.map(|row| row.into_credentials().map(|credentials| credentials.user)).transpose()
}

/// Sets the hash of a new password. Returns false if the user doesn't exist. `at`: the time of the audit entry, which the
/// revocation ledger compares.
pub(crate) async fn update_password(tx: &mut Tx, id: UserId, hash: &str, at: DateTime<Utc>) -> Result<bool> {
    tx.note(Revoked::Password(id.0), at);
    let rows = change!(tx, sqlx::query("UPDATE users SET password_hash = $2 WHERE id = $1").bind(id.0).bind(hash))?;
    Ok(rows == 1)
}

#[derive(sqlx::FromRow)]
struct MembershipRoleRow {
    tenant_id: Uuid,
    role: String,
    user_name: String,
}

/// Returns all memberships of a user with their roles, sorted by tenant name.
pub(crate) async fn list_membership_roles(db: &Db, user: UserId) -> Result<Vec<MembershipRole>> {
    let rows: Vec<MembershipRoleRow> = read!(db, c =>
        sqlx::query_as(
            "SELECT m.tenant_id, m.role, u.name AS user_name FROM memberships m JOIN users u ON u.id = m.user_id \
             JOIN tenants t ON t.id = m.tenant_id WHERE m.user_id = $1 ORDER BY t.name, t.id",
        )
        .bind(user.0)
        .fetch_all(c))?;
    rows.into_iter()
        .map(|row| {
            Ok(MembershipRole {
                tenant_id: TenantId(row.tenant_id),
                role: role_of(&row.role)?,
                user_name: row.user_name,
            })
        })
        .collect()
}

#[derive(sqlx::FromRow)]
struct MembershipRow {
    #[sqlx(flatten)]
    tenant: super::tenants::TenantRow,
    role: String,
}

/// Returns all memberships of a user with their tenants, sorted by tenant name.
pub(crate) async fn list_memberships(db: &Db, user: UserId) -> Result<Vec<Membership>> {
    let rows: Vec<MembershipRow> = read!(db, c =>
        sqlx::query_as(
            "SELECT t.id, t.name, t.slug, t.created_at, m.role FROM memberships m JOIN tenants t ON t.id = m.tenant_id \
             WHERE m.user_id = $1 ORDER BY t.name, t.id",
        )
        .bind(user.0)
        .fetch_all(c))?;
    rows.into_iter()
        .map(|row| Ok(Membership { role: role_of(&row.role)?, tenant: row.tenant.into_tenant()? }))
        .collect()
}

/// Renames a user. Returns false if the user doesn't exist.
pub(crate) async fn rename(tx: &mut Tx, id: UserId, name: &domain::Name) -> Result<bool> {
    let rows = change!(
        tx,
        sqlx::query("UPDATE users SET name = $2, name_look = $3 WHERE id = $1")
            .bind(id.0)
            .bind(name.as_str())
            .bind(look(name.as_str()))
    )?;
    Ok(rows == 1)
}

/// Finds the hash of a user's password.
pub(crate) async fn find_password_hash(db: &Db, id: UserId) -> Result<Option<String>> {
    Ok(
        read!(db, c => sqlx::query_scalar("SELECT password_hash FROM users WHERE id = $1").bind(id.0).fetch_optional(c))?,
    )
}

/// Like [`find_password_hash`], and makes a password change wait until this transaction ends, so that no sign-in with
/// the old password can slip past it.
pub(crate) async fn lock_password(tx: &mut Tx, id: UserId) -> Result<Option<String>> {
    Ok(run!(tx, c =>
        sqlx::query_scalar("UPDATE users SET password_hash = password_hash WHERE id = $1 RETURNING password_hash")
            .bind(id.0)
            .fetch_optional(c))?)
}

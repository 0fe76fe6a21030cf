//! The audit log. An entry is written in the transaction of the change that it records, and contains the hash of the
//! entry before it.

use chrono::{DateTime, Utc};
use domain::{
    AuditEntry, AuditId, AuditQuery, Direction, KeyId, Operation, Page, ServiceAccountId, TenantId, UserId,
    audit::{Outcome, Resource},
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    Db, Tx,
    db::{change, read, read_list, run},
    fold, instant, micros,
    query::{Conditions, Keyset, Place, SortValue, Value, assembled, containing, statement},
};
use crate::{
    access::{Actor, Client, OPERATOR, Principal},
    digest::hex,
    error::Result,
    random,
};

/// A SHA-256 hash.
type Hash = [u8; 32];

/// The previous hash of the first entry of a chain.
const BEGINNING: Hash = [0; 32];

const COLUMNS: &str = "a.id, a.seq, a.previous_hash, a.hash, a.at, a.tenant_id, a.operation, a.outcome, a.actor_kind, a.actor_id, a.actor_name, \
    a.channel, a.key_id, a.address, a.user_agent, a.subject_kind, a.subject_id, a.subject_name, a.detail";

/// An entry to write.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) at: DateTime<Utc>,
    pub(crate) tenant_id: Option<Uuid>,
    pub(crate) operation: &'static str,
    pub(crate) outcome: Outcome,
    pub(crate) actor_kind: &'static str,
    pub(crate) actor_id: Option<Uuid>,
    pub(crate) actor_name: String,
    pub(crate) key_id: Option<Uuid>,
    pub(crate) client: Client,
    pub(crate) subject_kind: &'static str,
    pub(crate) subject_id: Option<Uuid>,
    pub(crate) subject_name: String,
    pub(crate) detail: String,
}

impl Entry {
    /// Creates an entry for an operation that `actor` performed on a subject: its kind, id and name.
    pub(crate) fn by(
        actor: &Actor,
        operation: Operation,
        at: DateTime<Utc>,
        subject: (&'static str, Uuid, &str),
    ) -> Self {
        let actor_kind = match actor.principal() {
            Principal::User { .. } => "user",
            Principal::ServiceAccount { .. } => "service_account",
            Principal::Operator { .. } => "operator",
        };
        Self {
            at,
            tenant_id: Some(actor.tenant_id().0),
            operation: operation.as_str(),
            outcome: Outcome::Done,
            actor_kind,
            actor_id: actor.id(),
            actor_name: actor.name().to_owned(),
            key_id: actor.key_id().map(|id| id.0),
            client: actor.client().clone(),
            subject_kind: subject.0,
            subject_id: Some(subject.1),
            subject_name: subject.2.to_owned(),
            detail: actor.acting_for().map_or_else(String::new, |name| format!("for {name}")),
        }
    }

    /// Creates an entry for what the operator did at the command line. `tenant`: `None` for what belongs to no tenant.
    pub(crate) fn by_operator(
        tenant: Option<TenantId>,
        operation: &'static str,
        at: DateTime<Utc>,
        subject: (&'static str, Option<Uuid>, &str),
    ) -> Self {
        Self {
            at,
            tenant_id: tenant.map(|tenant| tenant.0),
            operation,
            outcome: Outcome::Done,
            actor_kind: "operator",
            actor_id: None,
            actor_name: OPERATOR.to_owned(),
            key_id: None,
            client: Client::command_line(),
            subject_kind: subject.0,
            subject_id: subject.1,
            subject_name: subject.2.to_owned(),
            detail: String::new(),
        }
    }

    /// Creates an entry for an operation that the service performed on its own.
    pub(crate) fn by_service(
        tenant: TenantId,
        operation: Operation,
        at: DateTime<Utc>,
        subject: (&'static str, Uuid, &str),
    ) -> Self {
        Self {
            at,
            tenant_id: Some(tenant.0),
            operation: operation.as_str(),
            outcome: Outcome::Done,
            actor_kind: "service",
            actor_id: None,
            actor_name: "Latchkey".to_owned(),
            key_id: None,
            client: Client { channel: domain::audit::Channel::Service, ..Client::command_line() },
            subject_kind: subject.0,
            subject_id: Some(subject.1),
            subject_name: subject.2.to_owned(),
            detail: String::new(),
        }
    }

    /// Marks the operation as refused.
    pub(crate) fn refused(self) -> Self {
        Self { outcome: Outcome::Refused, ..self }
    }

    /// Appends to the detail, after a comma.
    pub(crate) fn with(self, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let separator = if self.detail.is_empty() || detail.is_empty() { "" } else { ", " };
        Self { detail: format!("{}{separator}{detail}", self.detail), ..self }
    }
}

/// An entry as stored.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct EntryRow {
    pub(crate) id: Uuid,
    pub(crate) seq: i64,
    pub(crate) previous_hash: Vec<u8>,
    pub(crate) hash: Vec<u8>,
    at: i64,
    tenant_id: Option<Uuid>,
    operation: String,
    outcome: String,
    actor_kind: String,
    actor_id: Option<Uuid>,
    actor_name: String,
    channel: String,
    key_id: Option<Uuid>,
    address: Option<String>,
    user_agent: Option<String>,
    subject_kind: String,
    subject_id: Option<Uuid>,
    subject_name: String,
    detail: String,
}

impl EntryRow {
    /// Returns the SHA-256 over the previous hash, the number and all other columns. Each part is preceded by its
    /// length, and an absent part has a different length than an empty one, so that no two entries hash the same bytes.
    pub(crate) fn digest(&self) -> Hash {
        fn add(hash: &mut Sha256, part: Option<&[u8]>) {
            let length = part.map_or(u64::MAX, |part| part.len() as u64);
            hash.update(length.to_be_bytes());
            hash.update(part.unwrap_or_default());
        }
        let mut hash = Sha256::new();
        add(&mut hash, Some(&self.previous_hash));
        for number in [self.seq, self.at] {
            add(&mut hash, Some(&number.to_be_bytes()));
        }
        add(&mut hash, Some(self.id.as_bytes()));
        for id in [&self.tenant_id, &self.actor_id, &self.key_id, &self.subject_id] {
            add(&mut hash, id.as_ref().map(|id| id.as_bytes().as_slice()));
        }
        let texts = [
            &self.operation,
            &self.outcome,
            &self.actor_kind,
            &self.actor_name,
            &self.channel,
            &self.subject_kind,
            &self.subject_name,
            &self.detail,
        ];
        for text in texts {
            add(&mut hash, Some(text.as_bytes()));
        }
        for text in [&self.address, &self.user_agent] {
            add(&mut hash, text.as_ref().map(String::as_bytes));
        }
        hash.finalize().into()
    }

    /// Creates the row that follows the last one of its chain. Its own hash is still empty.
    fn of(entry: &Entry, seq: i64, previous_hash: Vec<u8>) -> Self {
        Self {
            id: random::new_id(entry.at),
            seq,
            previous_hash,
            hash: Vec::new(),
            at: micros(entry.at),
            tenant_id: entry.tenant_id,
            operation: entry.operation.to_owned(),
            outcome: entry.outcome.as_str().to_owned(),
            actor_kind: entry.actor_kind.to_owned(),
            actor_id: entry.actor_id,
            actor_name: entry.actor_name.clone(),
            channel: entry.client.channel.as_str().to_owned(),
            key_id: entry.key_id,
            address: entry.client.address.clone(),
            user_agent: entry.client.user_agent.clone(),
            subject_kind: entry.subject_kind.to_owned(),
            subject_id: entry.subject_id,
            subject_name: entry.subject_name.clone(),
            detail: entry.detail.clone(),
        }
    }
}

impl From<EntryRow> for AuditEntry {
    fn from(row: EntryRow) -> Self {
        Self {
            id: AuditId(row.id),
            number: u64::try_from(row.seq).unwrap_or(0),
            at: instant(row.at),
            operation: row.operation,
            outcome: Outcome::from_code(&row.outcome).unwrap_or(Outcome::Done),
            actor_kind: row.actor_kind,
            actor_id: row.actor_id,
            actor_name: row.actor_name,
            channel: row.channel,
            key_id: row.key_id.map(KeyId),
            address: row.address,
            user_agent: row.user_agent,
            subject_kind: row.subject_kind,
            subject_id: row.subject_id,
            subject_name: row.subject_name,
            detail: row.detail,
            hash: hex(&row.hash),
        }
    }
}

/// Appends an entry to its chain. If this fails, the change that it records fails too.
///
/// NOTE: the chain's head stays locked until the transaction ends, so a tenant's changes run one after the other. A use
/// case therefore takes every other lock first and writes its entries last. Runs three statements.
pub(crate) async fn insert(tx: &mut Tx, entry: &Entry) -> Result<()> {
    let chain = chain_of(entry.tenant_id);
    let (seq, previous_hash, is_name_known) = lock_head(tx, chain, &entry.actor_name).await?;
    let row = EntryRow::of(entry, seq, previous_hash);
    let hash = row.digest();
    change!(
        tx,
        sqlx::query(
            "INSERT INTO audit_log (id, at, tenant_id, operation, outcome, actor_kind, actor_id, actor_name, channel, key_id, \
             address, user_agent, subject_kind, subject_id, subject_name, detail, seq, previous_hash, hash) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)"
        )
        .bind(row.id)
        .bind(row.at)
        .bind(row.tenant_id)
        .bind(row.operation.as_str())
        .bind(row.outcome.as_str())
        .bind(row.actor_kind.as_str())
        .bind(row.actor_id)
        .bind(row.actor_name.as_str())
        .bind(row.channel.as_str())
        .bind(row.key_id)
        .bind(row.address.as_deref())
        .bind(row.user_agent.as_deref())
        .bind(row.subject_kind.as_str())
        .bind(row.subject_id)
        .bind(row.subject_name.as_str())
        .bind(row.detail.as_str())
        .bind(row.seq)
        .bind(row.previous_hash.as_slice())
        .bind(hash.as_slice())
    )?;
    let new_name = (!is_name_known).then_some(row.actor_name.as_str());
    set_head(tx, chain, &hash, new_name).await
}

/// Appends entries to their chains, in the order of the chains, so that transactions that write to several can't deadlock.
pub(crate) async fn insert_all(tx: &mut Tx, mut entries: Vec<Entry>) -> Result<()> {
    entries.sort_by_key(|entry| chain_of(entry.tenant_id));
    for entry in &entries {
        insert(tx, entry).await?;
    }
    Ok(())
}

fn chain_of(tenant: Option<Uuid>) -> Uuid {
    tenant.unwrap_or_default()
}

/// Locks the head of a chain. Returns the number of the next entry, the hash of the last one, and whether the name
/// already occurs in the chain. May miss a name that another transaction has just added.
async fn lock_head(tx: &mut Tx, chain: Uuid, name: &str) -> Result<(i64, Vec<u8>, bool)> {
    Ok(run!(tx, c =>
        sqlx::query_as(
            "INSERT INTO audit_heads (tenant_id, seq, hash) VALUES ($1, 1, $2) \
             ON CONFLICT (tenant_id) DO UPDATE SET seq = audit_heads.seq + 1 \
             RETURNING seq, hash, EXISTS (SELECT 1 FROM audit_actor_names n WHERE n.tenant_id = $1 AND n.name = $3)",
        )
        .bind(chain)
        .bind(BEGINNING.as_slice())
        .bind(name)
        .fetch_one(c))?)
}

/// Locks the head of a chain on `PostgreSQL`, for tests and benchmarks.
#[cfg(any(test, feature = "testing"))]
pub(crate) const LOCK_HEAD: &str = "UPDATE audit_heads SET seq = seq WHERE tenant_id = $1";

/// Sets the hash of a chain's last entry. A trigger adds the name of its actor to the chain's names if it is new.
async fn set_head(tx: &mut Tx, chain: Uuid, hash: &Hash, new_name: Option<&str>) -> Result<()> {
    change!(
        tx,
        sqlx::query(
            "UPDATE audit_heads SET hash = $2, new_actor_name = $3, new_actor_name_folded = $4 WHERE tenant_id = $1"
        )
        .bind(chain)
        .bind(hash.as_slice())
        .bind(new_name)
        .bind(new_name.map(fold))
    )?;
    Ok(())
}

/// The head of a chain: the number and hash of its last entry.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Head {
    pub(crate) tenant_id: Uuid,
    pub(crate) slug: Option<String>,
    pub(crate) seq: i64,
    pub(crate) hash: Vec<u8>,
}

/// Returns the heads of all chains.
pub(crate) async fn list_heads(db: &Db) -> Result<Vec<Head>> {
    Ok(read!(db, c =>
        sqlx::query_as(
            "SELECT h.tenant_id, t.slug, h.seq, h.hash FROM audit_heads h LEFT JOIN tenants t ON t.id = h.tenant_id ORDER BY h.tenant_id",
        )
        .fetch_all(c))?)
}

/// Returns up to `limit` entries of a chain with numbers above `after`, in order.
pub(crate) async fn list_chain(db: &Db, chain: Uuid, after: i64, limit: u32) -> Result<Vec<EntryRow>> {
    let owner = if chain.is_nil() { "a.tenant_id IS NULL AND $1 = $1" } else { "a.tenant_id = $1" };
    let sql =
        format!("SELECT {COLUMNS} FROM audit_log a WHERE {owner} AND a.seq > $2 ORDER BY a.seq, a.id LIMIT {limit}");
    Ok(read!(db, c => sqlx::query_as(assembled(sql)).bind(chain).bind(after).fetch_all(c))?)
}

/// Counts the entries that are in no chain: their number is below 1, or their chain has no head.
pub(crate) async fn count_strays(db: &Db) -> Result<i64> {
    Ok(read!(db, c =>
        sqlx::query_scalar(
            "SELECT COUNT(*) FROM audit_log a WHERE a.seq < 1 \
             OR NOT EXISTS (SELECT 1 FROM audit_heads h WHERE h.tenant_id = COALESCE(a.tenant_id, $1))",
        )
        .bind(Uuid::nil())
        .fetch_one(c))?)
}

/// Finds the number of a chain's last entry, according to its head.
pub(crate) async fn find_head(db: &Db, chain: Uuid) -> Result<Option<i64>> {
    Ok(read!(db, c =>
        sqlx::query_scalar("SELECT seq FROM audit_heads WHERE tenant_id = $1").bind(chain).fetch_optional(c))?)
}

/// Returns the slugs of tenants whose chain has no head. Every tenant should have one, because its creation is its
/// first entry.
pub(crate) async fn list_headless(db: &Db) -> Result<Vec<String>> {
    Ok(read!(db, c =>
        sqlx::query_scalar(
            "SELECT t.slug FROM tenants t WHERE NOT EXISTS (SELECT 1 FROM audit_heads h WHERE h.tenant_id = t.id) ORDER BY t.slug",
        )
        .fetch_all(c))?)
}

/// Returns one page of a tenant's entries, newest first.
pub(crate) async fn list(db: &Db, tenant: TenantId, query: &AuditQuery) -> Result<Page<AuditEntry>> {
    let keyset = Keyset::of(&query.page, Direction::Desc, false)?;
    let mut conditions = conditions_of(tenant, query);
    let place = keyset.clause("a.seq", "a.id", &mut conditions);
    // A number is unique in its chain. With the id in the order too, only the chain's own index would have that order.
    let order = keyset.order_by_unique("a.seq");
    let sql = format!("SELECT {COLUMNS} FROM audit_log a WHERE {}{place}{order}", conditions.sql());
    let rows: Vec<EntryRow> = read_list!(db, c => {
        statement!(db, query_as, sql, conditions).fetch_all(c)
    })?;
    Ok(keyset.page(rows, |row| Place(SortValue::Number(row.seq), row.id), AuditEntry::from))
}

fn conditions_of(tenant: TenantId, query: &AuditQuery) -> Conditions {
    let mut conditions = Conditions::default();
    let tenant = conditions.bind(Value::Id(tenant.0));
    conditions.and(&format!("a.tenant_id = {tenant}"));
    let actor = query.actor.trim();
    if let Ok(id) = Uuid::try_parse(actor) {
        let id = conditions.bind(Value::Id(id));
        conditions.and(&format!("a.actor_id = {id}"));
    } else if !actor.is_empty() {
        let pattern = conditions.bind(Value::Text(containing(&fold(actor))));
        conditions.and(&format!(
            "a.actor_name IN (SELECT n.name FROM audit_actor_names n WHERE n.tenant_id = {tenant} AND n.name_folded LIKE {pattern} ESCAPE '\\')"
        ));
    }
    if !query.operation.is_empty() {
        let word = conditions.bind(Value::Text(query.operation.clone()));
        conditions.and(&format!("a.operation = {word}"));
    }
    if let Some(outcome) = query.outcome {
        let outcome = conditions.bind(Value::Text(outcome.as_str().to_owned()));
        conditions.and(&format!("a.outcome = {outcome}"));
    }
    if let Some(subject) = query.subject {
        let id = conditions.bind(Value::Id(subject));
        // As a list of numbers, so that SQLite searches both indexes instead of reading the whole chain.
        conditions.and(&format!(
            "a.seq IN (SELECT s.seq FROM audit_log s WHERE s.tenant_id = {tenant} AND s.subject_id = {id} \
             UNION SELECT s.seq FROM audit_log s WHERE s.tenant_id = {tenant} AND s.key_id = {id})"
        ));
    }
    for (instant, sign) in [(query.from, ">="), (query.until, "<")] {
        if let Some(instant) = instant {
            let at = conditions.bind(Value::Number(micros(instant)));
            conditions.and(&format!("a.at {sign} {at}"));
        }
    }
    conditions
}

/// Finds an entry of a tenant.
pub(crate) async fn find(db: &Db, tenant: TenantId, id: AuditId) -> Result<Option<AuditEntry>> {
    let sql = format!("SELECT {COLUMNS} FROM audit_log a WHERE a.tenant_id = $1 AND a.id = $2");
    let row: Option<EntryRow> =
        read!(db, c => sqlx::query_as(assembled(sql)).bind(tenant.0).bind(id.0).fetch_optional(c))?;
    Ok(row.map(AuditEntry::from))
}

/// The number of a tenant's entries on one day with one outcome. The day is counted from the Unix epoch.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct DayCounts {
    pub(crate) day: i64,
    pub(crate) outcome: String,
    pub(crate) entries: i64,
}

/// Counts a tenant's entries since `from` by day in UTC and outcome, of the newest `limit` entries. Reads nothing but
/// the index by time, which contains the outcome for this.
pub(crate) async fn count_by_day(db: &Db, tenant: TenantId, from: DateTime<Utc>, limit: u32) -> Result<Vec<DayCounts>> {
    let sql = format!(
        "SELECT newest.at / 86400000000 AS day, newest.outcome, COUNT(*) AS entries FROM (\
           SELECT a.at, a.outcome FROM audit_log a WHERE a.tenant_id = $1 AND a.at >= $2 ORDER BY a.at DESC LIMIT {limit}\
         ) newest GROUP BY newest.at / 86400000000, newest.outcome"
    );
    Ok(read_list!(db, c => sqlx::query_as(assembled(sql)).bind(tenant.0).bind(micros(from)).fetch_all(c))?)
}

/// What an entry is about, as it is now.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) resource: Resource,
}

#[derive(sqlx::FromRow)]
struct SubjectRow {
    kind: String,
    id: Uuid,
    name: String,
    account_id: Option<Uuid>,
}

impl From<SubjectRow> for Subject {
    fn from(row: SubjectRow) -> Self {
        let resource = match (row.kind.as_str(), row.account_id) {
            ("api_key", Some(account)) => Resource::AccountKey(ServiceAccountId(account), KeyId(row.id)),
            ("api_key", None) => Resource::UserKey(KeyId(row.id)),
            ("service_account", _) => Resource::Account(ServiceAccountId(row.id)),
            _ => Resource::Member(UserId(row.id)),
        };
        Self { id: row.id, name: row.name, resource }
    }
}

/// Returns those of the ids that are keys, service accounts or members of the tenant.
pub(crate) async fn list_subjects(db: &Db, tenant: TenantId, ids: &[Uuid]) -> Result<Vec<Subject>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut conditions = Conditions::default();
    let tenant = conditions.bind(Value::Id(tenant.0));
    let ids: Vec<_> = ids.iter().map(|id| conditions.bind(Value::Id(*id))).collect();
    let ids = ids.join(", ");
    let sql = format!(
        "SELECT 'api_key' AS kind, k.id, k.name, k.service_account_id AS account_id FROM api_keys k \
         WHERE k.id IN ({ids}) AND k.tenant_id = {tenant} \
         UNION ALL SELECT 'service_account', s.id, s.name, NULL FROM service_accounts s \
         WHERE s.id IN ({ids}) AND s.tenant_id = {tenant} \
         UNION ALL SELECT 'user', u.id, u.name, NULL FROM memberships m JOIN users u ON u.id = m.user_id \
         WHERE m.user_id IN ({ids}) AND m.tenant_id = {tenant}"
    );
    let rows: Vec<SubjectRow> = read!(db, c => statement!(db, query_as, sql, conditions).fetch_all(c))?;
    Ok(rows.into_iter().map(Subject::from).collect())
}

/// Counts the entries of an operation on a subject.
#[cfg(test)]
pub(crate) async fn count(db: &Db, operation: &str, subject: Uuid) -> Result<i64> {
    Ok(read!(db, c => sqlx::query_scalar("SELECT COUNT(*) FROM audit_log WHERE operation = $1 AND subject_id = $2")
        .bind(operation)
        .bind(subject)
        .fetch_one(c))?)
}

//! Lists of API keys. Filtering, search, sorting and pagination all happen in the database.
//!
//! A list is read in one of two ways, so that it takes as long with 100,000 keys as with 100. If a filter or a search
//! leaves few keys, they are read through the index of the filter or search, and sorted. Otherwise each lifecycle state
//! of the list is walked in the list's order, on an index that begins with the state, until the page is full, and the
//! walks are merged. Many keys match then, so a walk is short.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    ApiKey, InventoryFilter, InventoryQuery, KeyFilter, KeyPolicy, KeyPolicyKind, KeyQuery, KeySort, Owner, OwnerKind,
    Page, ScopeSet, TenantId, Total, UserId,
    api_key::{key::EXPIRING_SOON, policy::lifetime},
};

use super::{
    DAY, Db,
    db::read_list,
    fold,
    keys::{COLUMNS, FROM, KeyPosition, KeyRow, NOT_REPLACED},
    lifecycle::{self, ACTIVE, EXPIRED, NEVER, REVOKED, SUSPENDED, expiry, last_use},
    micros, name_search,
    query::{Conditions, Keyset, Place, SortValue, Value, containing, in_tenant, statement},
    total,
};
use crate::{access::ReadPermit, error::Result};

/// Expressions on `api_keys k` that have indexes.
const EXPIRY: &str = expiry!("k.expires_at");
const LAST_USE: &str = last_use!("k.last_used_at");
/// The inventory shows a key as unused after this time without use.
const UNUSED_AFTER: TimeDelta = TimeDelta::days(90);

/// Whose keys are listed, and in which tenants.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scope {
    /// An owner's keys in one tenant.
    Here(Owner, TenantId),
    /// All keys of a tenant.
    Tenant(TenantId),
}

impl Scope {
    /// Returns the condition on `k`.
    fn sql(self, conditions: &mut Conditions) -> String {
        let column = |owner: Owner| match owner {
            Owner::User(id) => ("k.user_id", id.0),
            Owner::ServiceAccount(id) => ("k.service_account_id", id.0),
        };
        match self {
            Self::Here(owner, tenant) => {
                let (column, id) = column(owner);
                let (id, tenant) = (conditions.bind(Value::Id(id)), conditions.bind(Value::Id(tenant.0)));
                format!("{column} = {id} AND {}", in_tenant(&tenant))
            }
            Self::Tenant(tenant) => format!("k.tenant_id = {}", conditions.bind(Value::Id(tenant.0))),
        }
    }

    fn tenant(self) -> TenantId {
        match self {
            Self::Here(_, tenant) | Self::Tenant(tenant) => tenant,
        }
    }
}

/// A request for a page of keys.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) scope: Scope,
    pub(crate) query: &'a KeyQuery,
    pub(crate) inventory: InventoryQuery,
    /// The tenant's policies, for [`InventoryFilter::ViolatesKeyPolicy`].
    pub(crate) policies: &'a [KeyPolicy],
    pub(crate) now: DateTime<Utc>,
}

/// Returns one page of a list.
pub(crate) async fn list(db: &Db, asked: Asked<'_>) -> Result<Page<ApiKey>> {
    let query = asked.query;
    let keyset = Keyset::of(&query.page, query.direction, query.sort == KeySort::Name)?;
    let plan = Plan::of(db, &asked).await?;
    let total = count(db, &asked, &plan).await?;
    let page = |rows| Page { total, ..page_of(&keyset, query.sort, rows) };
    if let Plan::Hits(hits) = &plan
        && query.sort == KeySort::Name
    {
        let mut conditions = Conditions::default();
        if let Some(ids) = hits.first_ids(&mut conditions, &keyset) {
            let rows = read_page(db, &asked, &keyset, &ids, true, conditions).await?;
            if rows.len() >= keyset.wanted() as usize {
                return Ok(page(rows));
            }
        }
    }
    let mut conditions = Conditions::default();
    let ids = plan.ids(&asked, &keyset, &mut conditions);
    Ok(page(read_page(db, &asked, &keyset, &ids, plan.is_found(), conditions).await?))
}

/// How the candidates of a list are read.
enum Plan {
    /// A search leaves few keys.
    Hits(Hits),
    /// Each branch, and whether a filter leaves few keys of it.
    Branches(Vec<(Branch, bool)>),
}

impl Plan {
    async fn of(db: &Db, asked: &Asked<'_>) -> Result<Self> {
        if let Some(hits) = few_hits(db, asked).await? {
            return Ok(Self::Hits(hits));
        }
        let mut ways = Vec::new();
        for branch in branches(asked) {
            ways.push((branch, is_branch_few(db, asked, branch).await?));
        }
        Ok(Self::Branches(ways))
    }

    /// Whether the candidates are search hits.
    fn is_found(&self) -> bool {
        matches!(self, Self::Hits(_))
    }

    /// Returns a statement that selects the ids of the candidates. Those of a walk end with the page.
    fn ids(&self, asked: &Asked<'_>, keyset: &Keyset, conditions: &mut Conditions) -> String {
        let ways = match self {
            Self::Hits(hits) => return hits.ids(conditions),
            Self::Branches(ways) => ways,
        };
        let parts = ways.iter().enumerate().map(|(index, (branch, is_few))| {
            if *is_few { few_of(asked, *branch, conditions) } else { walk(asked, index, *branch, keyset, conditions) }
        });
        name_search::once(&parts.collect::<Vec<_>>().join(" UNION ALL "))
    }
}

/// Counts the keys of a list, as far as that is about as cheap as reading a page: the candidates if they are few, or
/// [`Total::MAX`] keys of a walk on which every key belongs to the list. Otherwise the result is what the plan already
/// knows: that a filter leaves more than a few, or `None`.
async fn count(db: &Db, asked: &Asked<'_>, plan: &Plan) -> Result<Option<Total>> {
    if let Plan::Branches(ways) = plan
        && let Some((branch, _)) = ways.iter().find(|(_, is_few)| !is_few)
    {
        let InventoryQuery { filter, kind, owner, expires } = asked.inventory;
        if kind.is_some() || owner.is_some() || !asked.query.search.trim().is_empty() {
            return Ok(None);
        }
        let is_tenant = matches!(asked.scope, Scope::Tenant(_));
        if is_tenant && (filter != InventoryFilter::All || expires.is_some() || matches!(branch.ends, Ends::Soon)) {
            return Ok(Some(Total { count: u32::try_from(name_search::FEW).unwrap_or(u32::MAX), is_exact: false }));
        }
    }
    let first = Keyset::first(asked.query.direction, Total::MAX);
    let mut conditions = Conditions::default();
    let ids = plan.ids(asked, &first, &mut conditions);
    let wall = all_conditions(asked, plan.is_found(), &mut conditions);
    let rows = format!("SELECT k.id FROM ({ids}) hits CROSS JOIN api_keys k WHERE k.id = hits.id AND {wall}");
    total::count(db, &rows, &conditions).await.map(Some)
}

/// Counts a user's unrevoked, unexpired keys in the user's tenants other than `tenant`, up to [`Total::MAX`].
pub(crate) async fn count_elsewhere(db: &Db, user: UserId, tenant: TenantId, now: DateTime<Utc>) -> Result<Total> {
    let mut conditions = Conditions::default();
    let (id, here) = (conditions.bind(Value::Id(user.0)), conditions.bind(Value::Id(tenant.0)));
    let now = conditions.bind(Value::Number(micros(now)));
    let branch = |state: i64| {
        format!(
            "SELECT k.id FROM api_keys k WHERE k.user_id = {id} AND k.lifecycle = {state} AND {EXPIRY} > {now} \
             AND k.tenant_id <> {here} AND k.tenant_id IN (SELECT m.tenant_id FROM memberships m WHERE m.user_id = {id})"
        )
    };
    let rows = format!("SELECT e.id FROM ({} UNION ALL {}) e", branch(ACTIVE), branch(SUSPENDED));
    total::count(db, &rows, &conditions).await
}

fn page_of(keyset: &Keyset, sort: KeySort, rows: Vec<KeyRow>) -> Page<ApiKey> {
    keyset.page(rows, |row| position_of(row, sort), ApiKey::from)
}

/// Reads the rows of a page. The statement `ids` selects the candidate keys; `is_found` says whether they are search
/// hits.
async fn read_page(
    db: &Db,
    asked: &Asked<'_>,
    keyset: &Keyset,
    ids: &str,
    is_found: bool,
    mut conditions: Conditions,
) -> Result<Vec<KeyRow>> {
    let query = asked.query;
    let wall = all_conditions(asked, is_found, &mut conditions);
    let value = sort_value(query.sort);
    let order = keyset.order(value, "k.id");
    // Ids sort by creation, and so do the hits of a search in their index: reading can stop when the page is full.
    let is_by_id = is_found && query.sort == KeySort::Created;
    let (place, hits_order) = if is_by_id {
        (keyset.clause_by_id("hits.id", &mut conditions), keyset.order_by_unique("hits.id"))
    } else {
        (keyset.clause(value, "k.id", &mut conditions), order.clone())
    };
    // The page is found first; owners, tenants and replacements are joined for its rows only. CROSS JOIN keeps SQLite
    // from starting with all keys; for PostgreSQL it is a join like any other.
    let sql = format!(
        "SELECT {COLUMNS} FROM (SELECT k.id FROM ({ids}) hits CROSS JOIN api_keys k \
         WHERE k.id = hits.id AND {wall}{place}{hits_order}) page CROSS JOIN {FROM} WHERE k.id = page.id{order}"
    );
    let rows: Vec<KeyRow> = read_list!(db, c => {
        statement!(db, query_as, sql, conditions).fetch_all(c)
    })?;
    Ok(rows)
}

/// Returns all conditions of a list. `is_found` says whether the candidate keys are search hits.
fn all_conditions(asked: &Asked<'_>, is_found: bool, conditions: &mut Conditions) -> String {
    let scope = asked.scope.sql(conditions);
    let state = state(asked, conditions);
    let search = asked.query.search.trim();
    let named = if is_found && name_search::is_exact(search) { String::new() } else { named(search, conditions) };
    format!("{scope} AND {state}{named} AND {}", rest(asked, Columns::PLAIN, conditions))
}

/// Returns the condition on the state: `domain::ApiKey::state` in SQL.
fn state(asked: &Asked<'_>, conditions: &mut Conditions) -> String {
    if asked.query.filter == KeyFilter::All {
        return "1 = 1".to_owned();
    }
    let parts: Vec<String> =
        branches(asked).into_iter().map(|branch| branch.sql(asked.now, Columns::HIDDEN, conditions)).collect();
    format!("({})", parts.join(" OR "))
}

/// Keys in one lifecycle state, limited by when they expire.
#[derive(Clone, Copy)]
struct Branch {
    lifecycle: i64,
    ends: Ends,
}

#[derive(Clone, Copy)]
enum Ends {
    Any,
    Over,
    Later,
    Soon,
}

/// How conditions refer to indexed columns. In a walk, a unary plus keeps both databases from using the index of a
/// condition instead of the index of the order: they would read and sort all keys that meet the condition.
#[derive(Clone, Copy)]
struct Columns {
    lifecycle: &'static str,
    end: &'static str,
    used: &'static str,
    created: &'static str,
}

impl Columns {
    const PLAIN: Self = Self { lifecycle: "k.lifecycle", end: EXPIRY, used: LAST_USE, created: "k.created_at" };
    /// For conditions that must not choose the index.
    const HIDDEN: Self = Self {
        lifecycle: "+k.lifecycle",
        end: expiry!("+k.expires_at"),
        used: last_use!("+k.last_used_at"),
        created: "+k.created_at",
    };
    /// For few keys, read through the index of a filter, which is never the index of the creation time.
    fn of_few(is_by_expiry: bool, filter: InventoryFilter) -> Self {
        let plain = Self { created: Self::HIDDEN.created, ..Self::PLAIN };
        match filter {
            _ if is_by_expiry => Self { used: Self::HIDDEN.used, ..plain },
            InventoryFilter::Unused | InventoryFilter::OwnerGone | InventoryFilter::Exposed => {
                Self { end: Self::HIDDEN.end, ..plain }
            }
            _ => plain,
        }
    }

    /// For a walk in the order of `sort`, through the index of that column.
    fn of_walk(sort: KeySort) -> Self {
        match sort {
            KeySort::Name => Self { lifecycle: Self::PLAIN.lifecycle, ..Self::HIDDEN },
            KeySort::Created => Self { end: Self::HIDDEN.end, used: Self::HIDDEN.used, ..Self::PLAIN },
            KeySort::Expires => Self { created: Self::HIDDEN.created, used: Self::HIDDEN.used, ..Self::PLAIN },
            KeySort::LastUsed => Self { created: Self::HIDDEN.created, end: Self::HIDDEN.end, ..Self::PLAIN },
        }
    }
}

impl Branch {
    fn sql(self, now: DateTime<Utc>, columns: Columns, conditions: &mut Conditions) -> String {
        let (state, end) = (format!("{} = {}", columns.lifecycle, self.lifecycle), columns.end);
        let mut at = |instant: DateTime<Utc>| conditions.bind(Value::Number(micros(instant)));
        match self.ends {
            Ends::Any => format!("({state})"),
            Ends::Over => format!("({state} AND {end} <= {})", at(now)),
            Ends::Later => format!("({state} AND {end} > {})", at(now)),
            Ends::Soon => {
                let (now, soon) = (at(now), at(now + EXPIRING_SOON));
                format!(
                    "({state} AND {end} > {now} AND {end} <= {soon} AND {})",
                    last_fifth(end, columns.created, &now)
                )
            }
        }
    }
}

/// Returns the condition that a key is in the last fifth of its lifetime at `now`, or was rotated:
/// `domain::ApiKey::expires_soon_within` in SQL. Not multiplied by 5, which would overflow for a key that never
/// expires.
fn last_fifth(end: &str, created: &str, now: &str) -> String {
    format!("({end} - ({end} - {created}) / 5 <= {now} OR k.replaced_by IS NOT NULL)")
}

fn branches(asked: &Asked<'_>) -> Vec<Branch> {
    let branch = |lifecycle, ends| Branch { lifecycle, ends };
    match asked.query.filter {
        KeyFilter::Active => vec![branch(ACTIVE, Ends::Later)],
        KeyFilter::ExpiringSoon => vec![branch(ACTIVE, Ends::Soon)],
        // Only few expired keys aren't marked yet.
        KeyFilter::Expired => {
            vec![branch(EXPIRED, Ends::Any), branch(ACTIVE, Ends::Over), branch(SUSPENDED, Ends::Over)]
        }
        KeyFilter::Suspended => vec![branch(SUSPENDED, Ends::Later)],
        KeyFilter::Revoked => vec![branch(REVOKED, Ends::Any)],
        KeyFilter::All => lifecycle::ALL.into_iter().map(|state| branch(state, Ends::Any)).collect(),
    }
}

/// Returns ` AND …`: the name contains the search text or the hint begins with it. Empty without a search.
fn named(search: &str, conditions: &mut Conditions) -> String {
    if search.is_empty() {
        return String::new();
    }
    let pattern = conditions.bind(Value::Text(containing(&fold(search))));
    let hint = is_hint(search).then(|| {
        let text = conditions.bind(Value::Text(search.to_owned()));
        format!(" OR substr(k.hint, 1, length({text})) = {text}")
    });
    format!(" AND (k.name_folded LIKE {pattern} ESCAPE '\\'{})", hint.unwrap_or_default())
}

/// Returns the conditions other than the state and the search.
fn rest(asked: &Asked<'_>, columns: Columns, conditions: &mut Conditions) -> String {
    let mut parts = Vec::new();
    match asked.inventory.kind {
        None => {}
        Some(OwnerKind::User) => parts.push("k.user_id IS NOT NULL".to_owned()),
        Some(OwnerKind::ServiceAccount) => parts.push("k.service_account_id IS NOT NULL".to_owned()),
    }
    if let Some(owner) = asked.inventory.owner {
        let id = conditions.bind(Value::Id(owner));
        parts.push(format!("(k.user_id = {id} OR k.service_account_id = {id})"));
    }
    parts.push(inventory(asked, columns, conditions));
    parts.extend(in_window(asked, columns.end, conditions));
    parts.join(" AND ")
}

/// Returns the condition that a key expires in the wanted window; `None` without one.
fn in_window(asked: &Asked<'_>, end: &str, conditions: &mut Conditions) -> Option<String> {
    let (after, within) = asked.inventory.expires?.bounds(asked.now);
    let mut at = |instant: DateTime<Utc>| conditions.bind(Value::Number(micros(instant)));
    Some(format!("({end} > {} AND {end} <= {})", at(after), at(within)))
}

/// Returns the condition of the inventory's filter.
fn inventory(asked: &Asked<'_>, columns: Columns, conditions: &mut Conditions) -> String {
    match asked.inventory.filter {
        InventoryFilter::All => "1 = 1".to_owned(),
        // Not an equality: SQLite would then sort by a value that is the same in all rows.
        InventoryFilter::NeverExpires => format!("{} >= {NEVER}", columns.end),
        InventoryFilter::Unused => {
            let cut = conditions.bind(Value::Number(micros(asked.now - UNUSED_AFTER)));
            format!("{} < {cut} AND {} < {cut}", columns.used, columns.created)
        }
        InventoryFilter::OwnerGone => "k.orphaned_at IS NOT NULL".to_owned(),
        InventoryFilter::Exposed => "k.exposed_at IS NOT NULL".to_owned(),
        InventoryFilter::ViolatesKeyPolicy => {
            let parts: Vec<String> =
                asked.policies.iter().map(|policy| policy_condition(policy, asked.now, columns, conditions)).collect();
            if parts.is_empty() { "1 = 0".to_owned() } else { format!("({})", parts.join(" OR ")) }
        }
    }
}

/// Returns the condition that a policy affects a key.
fn policy_condition(policy: &KeyPolicy, now: DateTime<Utc>, columns: Columns, conditions: &mut Conditions) -> String {
    let Columns { end, used, created, .. } = columns;
    let micros_of = |days: Option<u32>| i64::from(days.unwrap_or(0)) * DAY;
    match policy.kind {
        KeyPolicyKind::MaxLifetime => {
            let length = lifetime(policy.days).num_microseconds().unwrap_or(i64::MAX);
            let length = conditions.bind(Value::Number(length));
            format!("({end} - k.created_at) > {length}")
        }
        KeyPolicyKind::ExpiryRequired => format!("{end} >= {NEVER}"),
        KeyPolicyKind::ServiceAccountsOnly => "k.user_id IS NOT NULL".to_owned(),
        KeyPolicyKind::NoKeysByKeys => "k.created_by_key IS NOT NULL".to_owned(),
        // About how many keys there are, or what happens to them later.
        KeyPolicyKind::MaxKeys | KeyPolicyKind::ExposedKeys => "k.id IS NULL".to_owned(),
        KeyPolicyKind::ScopesRequired => "k.scopes IS NULL".to_owned(),
        KeyPolicyKind::ScopesNotForUsers => {
            format!("(k.user_id IS NOT NULL AND {})", holding(&policy.scopes, conditions))
        }
        KeyPolicyKind::ScopeMaxLifetime => {
            let length = lifetime(policy.days).num_microseconds().unwrap_or(i64::MAX);
            let length = conditions.bind(Value::Number(length));
            format!("(({end} - k.created_at) > {length} AND {})", holding(&policy.scopes, conditions))
        }
        KeyPolicyKind::SuspendUnused => {
            let cut = micros(now.max(policy.effective_from)) - micros_of(policy.days);
            let cut = conditions.bind(Value::Number(cut));
            format!("({used} < {cut} AND {created} < {cut} AND COALESCE(k.resumed_at, 0) < {cut})")
        }
    }
}

/// Returns the condition that a key holds one of some scopes. An unscoped key holds all.
fn holding(scopes: &ScopeSet, conditions: &mut Conditions) -> String {
    let mut parts = vec!["k.scopes IS NULL".to_owned()];
    for scope in scopes {
        let pattern = conditions.bind(Value::Text(containing(&format!(" {scope} "))));
        parts.push(format!("' ' || k.scopes || ' ' LIKE {pattern} ESCAPE '\\'"));
    }
    format!("({})", parts.join(" OR "))
}

fn is_hint(search: &str) -> bool {
    search.starts_with("lku_") || search.starts_with("lks_")
}

/// The keys that may match a search: all that match and perhaps some more, few enough to be read and sorted.
struct Hits {
    tenant: TenantId,
    /// The beginning of the hint, if the search is for one.
    hint: Option<String>,
    named: name_search::Span,
}

impl Hits {
    /// Returns a statement that selects the ids of the first keys by name, if that avoids reading all of them.
    fn first_ids(&self, conditions: &mut Conditions, keyset: &Keyset) -> Option<String> {
        if self.hint.is_some() {
            return None;
        }
        self.named.first_ids(conditions, self.tenant, name_search::Kind::Key, keyset)
    }

    /// Returns a statement that selects each id once.
    fn ids(&self, conditions: &mut Conditions) -> String {
        let named = self.named.ids(conditions, self.tenant, name_search::Kind::Key);
        let Some(hint) = &self.hint else { return named };
        let id = conditions.bind(Value::Id(self.tenant.0));
        let from = conditions.bind(Value::Text(hint.clone()));
        let until = conditions.bind(Value::Text(name_search::after(hint)));
        name_search::once(&format!(
            "SELECT k.id FROM api_keys k WHERE k.tenant_id = {id} AND k.hint >= {from} AND k.hint < {until} \
             AND substr(k.hint, 1, length({from})) = {from} UNION ALL SELECT id FROM ({named}) named"
        ))
    }
}

/// Returns the hits of a search if they are few. `None` without a search.
async fn few_hits(db: &Db, asked: &Asked<'_>) -> Result<Option<Hits>> {
    let (tenant, search) = (asked.scope.tenant(), asked.query.search.trim());
    let Some(span) = name_search::Span::of(search) else { return Ok(None) };
    let Some(span) = span.narrow(db, tenant, name_search::Kind::Key).await? else { return Ok(None) };
    let hits = Hits { tenant, hint: is_hint(search).then(|| search.to_owned()), named: span };
    if hits.hint.is_none() {
        return Ok(Some(hits));
    }
    let mut conditions = Conditions::default();
    let ids = hits.ids(&mut conditions);
    Ok(name_search::are_few(db, &ids, &conditions, name_search::FEW_FOUND).await?.then_some(hits))
}

/// Whether a filter that has an index of its own leaves few keys of a branch.
async fn is_branch_few(db: &Db, asked: &Asked<'_>, branch: Branch) -> Result<bool> {
    let has_index = match branch.ends {
        Ends::Over => return Ok(true),
        Ends::Soon => true,
        Ends::Any | Ends::Later => asked.inventory.filter != InventoryFilter::All || asked.inventory.expires.is_some(),
    };
    if !has_index || !matches!(asked.scope, Scope::Tenant(_)) {
        return Ok(false);
    }
    let mut conditions = Conditions::default();
    let ids = few_of(asked, branch, &mut conditions);
    name_search::are_few(db, &ids, &conditions, name_search::FEW).await
}

/// Returns a statement that selects the keys of a branch if they are few. It reads in the order of the filter's own
/// index, so that both databases choose that index, and stops once there are more than few.
fn few_of(asked: &Asked<'_>, branch: Branch, conditions: &mut Conditions) -> String {
    let is_by_expiry = matches!(branch.ends, Ends::Over | Ends::Soon) || asked.inventory.expires.is_some();
    let columns = Columns::of_few(is_by_expiry, asked.inventory.filter);
    // If the branch is read through the index of the expiry, the filter's condition must not choose another.
    let beside = if is_by_expiry { Columns::HIDDEN } else { columns };
    let end = columns.end;
    let orders: Vec<(Option<&KeyPolicy>, String)> = match asked.inventory.filter {
        _ if is_by_expiry => vec![(None, end.to_owned())],
        InventoryFilter::Unused => vec![(None, columns.used.to_owned())],
        InventoryFilter::OwnerGone => vec![(None, "k.orphaned_at".to_owned())],
        InventoryFilter::Exposed => vec![(None, "k.exposed_at".to_owned())],
        InventoryFilter::ViolatesKeyPolicy => {
            let order = |policy: &KeyPolicy| match policy.kind {
                KeyPolicyKind::MaxLifetime | KeyPolicyKind::ScopeMaxLifetime => format!("({end} - k.created_at) DESC"),
                KeyPolicyKind::SuspendUnused => columns.used.to_owned(),
                KeyPolicyKind::ExpiryRequired
                | KeyPolicyKind::ServiceAccountsOnly
                | KeyPolicyKind::NoKeysByKeys
                | KeyPolicyKind::MaxKeys
                | KeyPolicyKind::ExposedKeys
                | KeyPolicyKind::ScopesRequired
                | KeyPolicyKind::ScopesNotForUsers => String::new(),
            };
            asked.policies.iter().map(|policy| (Some(policy), order(policy))).collect()
        }
        // Keys that never expire have the same sort value, but SQLite would sort by it nevertheless.
        InventoryFilter::NeverExpires | InventoryFilter::All => vec![(None, String::new())],
    };
    if orders.is_empty() {
        return "SELECT k.id FROM api_keys k WHERE 1 = 0".to_owned();
    }
    let most = name_search::FEW + 1;
    let parts: Vec<String> = orders
        .into_iter()
        .enumerate()
        .map(|(index, (policy, order))| {
            let scope = asked.scope.sql(conditions);
            let state = branch.sql(asked.now, columns, conditions);
            let filter = match policy {
                Some(policy) => policy_condition(policy, asked.now, beside, conditions),
                None => inventory(asked, beside, conditions),
            };
            let window = in_window(asked, end, conditions).map_or_else(String::new, |window| format!(" AND {window}"));
            let order = if order.is_empty() { String::new() } else { format!(" ORDER BY {order}") };
            let name = format!("f{}_{index}", branch.lifecycle);
            format!(
                "SELECT {name}.id FROM (SELECT k.id FROM api_keys k WHERE {scope} AND {state} AND {filter}{window}{order} LIMIT {most}) {name}"
            )
        })
        .collect();
    parts.join(" UNION ALL ")
}

/// Returns a statement that walks through a branch in the list's order until the page is full.
fn walk(asked: &Asked<'_>, index: usize, branch: Branch, keyset: &Keyset, conditions: &mut Conditions) -> String {
    let value = sort_value(asked.query.sort);
    let columns = Columns::of_walk(asked.query.sort);
    let scope = asked.scope.sql(conditions);
    let state = branch.sql(asked.now, columns, conditions);
    let named = named(asked.query.search.trim(), conditions);
    let rest = rest(asked, columns, conditions);
    let place = keyset.clause(value, "k.id", conditions);
    let order = keyset.order(value, "k.id");
    format!(
        "SELECT w{index}.id FROM (SELECT k.id FROM api_keys k WHERE {scope} AND {state}{named} AND {rest}{place}{order}) w{index}"
    )
}

/// Returns the expression to sort by. Each one has an index.
fn sort_value(sort: KeySort) -> &'static str {
    match sort {
        KeySort::Name => "k.name_folded",
        KeySort::Created => "k.created_at",
        KeySort::Expires => EXPIRY,
        KeySort::LastUsed => LAST_USE,
    }
}

fn position_of(row: &KeyRow, sort: KeySort) -> Place {
    let value = match sort {
        KeySort::Name => SortValue::Text(row.name_folded.clone()),
        KeySort::Created => SortValue::Number(row.created_at),
        KeySort::Expires => SortValue::Number(row.expires_at.unwrap_or(NEVER)),
        KeySort::LastUsed => SortValue::Number(row.last_used_at.unwrap_or(0)),
    };
    Place(value, row.id)
}

/// Returns the active keys of a tenant that a policy would affect, oldest first, at most `limit`, and the number of all
/// of them, counted up to `most_counted`.
pub(crate) async fn list_against(
    db: &Db,
    permit: &ReadPermit,
    policy: &KeyPolicy,
    now: DateTime<Utc>,
    limit: u32,
    most_counted: u32,
) -> Result<(Vec<ApiKey>, u32)> {
    let mut conditions = Conditions::default();
    let tenant = conditions.bind(Value::Id(permit.tenant_id().0));
    let end = conditions.bind(Value::Number(micros(now)));
    let columns = Columns::of_walk(KeySort::Created);
    let part = policy_condition(policy, now, columns, &mut conditions);
    let condition = format!("k.tenant_id = {tenant} AND k.lifecycle = {ACTIVE} AND {} > {end} AND {part}", columns.end);
    let sql = format!("SELECT {COLUMNS} FROM {FROM} WHERE {condition} ORDER BY k.created_at, k.id LIMIT {limit}");
    let rows: Vec<KeyRow> = read_list!(db, c => {
        statement!(db, query_as, sql, conditions).fetch_all(c)
    })?;
    let sql = format!("SELECT COUNT(*) FROM (SELECT k.id FROM api_keys k WHERE {condition} LIMIT {most_counted}) few");
    let count: i64 = read_list!(db, c => {
        statement!(db, query_scalar, sql, conditions).fetch_one(c)
    })?;
    Ok((rows.into_iter().map(ApiKey::from).collect(), u32::try_from(count).unwrap_or(u32::MAX)))
}

/// A reason for an alert about a key.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Alert {
    /// Active keys that expire soon and were used since this instant, soonest first.
    ExpiringAndUsedSince(DateTime<Utc>),
    /// Exposed keys that haven't ended, latest report first.
    Exposed,
    /// Rotated keys that somebody tried to use since this instant and that were refused, latest attempt first.
    TriedSince(DateTime<Utc>),
}

/// Whose keys alerts are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertsAbout {
    /// The actor's own keys.
    Own,
    /// The keys of all service accounts of the tenant.
    ServiceAccounts,
    /// All keys of the tenant.
    Tenant,
}

/// Returns the keys in the permit's tenant with an alert, at most `limit`.
pub(crate) async fn list_alerts(
    db: &Db,
    permit: &ReadPermit,
    about: AlertsAbout,
    alert: Alert,
    now: DateTime<Utc>,
    limit: u32,
) -> Result<Vec<ApiKey>> {
    let mut conditions = Conditions::default();
    let tenant = conditions.bind(Value::Id(permit.tenant_id().0));
    let scope = match about {
        AlertsAbout::Own => whose(permit, false, &mut conditions),
        AlertsAbout::ServiceAccounts => "k.service_account_id IS NOT NULL".to_owned(),
        AlertsAbout::Tenant => "1 = 1".to_owned(),
    };
    let (wanted, order) = match alert {
        Alert::ExpiringAndUsedSince(used) => {
            let soon = conditions.bind(Value::Number(micros(now + EXPIRING_SOON)));
            let (now, used) =
                (conditions.bind(Value::Number(micros(now))), conditions.bind(Value::Number(micros(used))));
            let last_fifth = last_fifth(EXPIRY, Columns::HIDDEN.created, &now);
            let condition = format!(
                "k.lifecycle = {ACTIVE} AND {NOT_REPLACED} AND {EXPIRY} > {now} AND {EXPIRY} <= {soon} AND {last_fifth} \
                 AND {} >= {used}",
                Columns::HIDDEN.used
            );
            (vec![condition], format!("{EXPIRY}, k.id"))
        }
        Alert::Exposed => {
            let now = conditions.bind(Value::Number(micros(now)));
            // One state at a time, so that an index has the rows in their order.
            let of_state = |state| {
                let end = Columns::HIDDEN.end;
                format!("k.lifecycle = {state} AND k.exposed_at IS NOT NULL AND {end} > {now}")
            };
            ([ACTIVE, SUSPENDED].map(of_state).to_vec(), "k.exposed_at DESC, k.id".to_owned())
        }
        Alert::TriedSince(at) => {
            let at = conditions.bind(Value::Number(micros(at)));
            let condition =
                format!("k.replaced_by IS NOT NULL AND k.last_refused_at >= k.rolled_at AND k.last_refused_at >= {at}");
            (vec![condition], "k.last_refused_at DESC, k.id".to_owned())
        }
    };
    let hits = wanted.iter().enumerate().map(|(index, condition)| {
        format!(
            "SELECT part_{index}.id FROM (SELECT k.id FROM api_keys k LEFT JOIN api_keys n ON n.id = k.replaced_by \
             WHERE k.tenant_id = {tenant} AND {scope} AND {condition} ORDER BY {order} LIMIT {limit}) part_{index}"
        )
    });
    let hits = hits.collect::<Vec<_>>().join(" UNION ALL ");
    let sql = format!(
        "SELECT {COLUMNS} FROM ({hits}) hits CROSS JOIN {FROM} WHERE k.id = hits.id ORDER BY {order} LIMIT {limit}"
    );
    let rows: Vec<KeyRow> = read_list!(db, c => {
        statement!(db, query_as, sql, conditions).fetch_all(c)
    })?;
    Ok(rows.into_iter().map(ApiKey::from).collect())
}

/// Returns the condition that the key belongs to the permit's owner or, with `and_accounts`, to any service account.
fn whose(permit: &ReadPermit, and_accounts: bool, conditions: &mut Conditions) -> String {
    let own = match permit.owner() {
        Some(Owner::User(id)) => format!("k.user_id = {}", conditions.bind(Value::Id(id.0))),
        Some(Owner::ServiceAccount(id)) => format!("k.service_account_id = {}", conditions.bind(Value::Id(id.0))),
        None => "1 = 0".to_owned(),
    };
    if and_accounts { format!("({own} OR k.service_account_id IS NOT NULL)") } else { own }
}

/// Returns the keys that `auth_api_key` shows: those of the permit's owner in the tenant and, with `and_accounts`,
/// those of all service accounts. Active and suspended keys only, newest first, at most `limit`, starting after a
/// position.
pub(crate) async fn list_visible(
    db: &Db,
    permit: &ReadPermit,
    and_accounts: bool,
    now: DateTime<Utc>,
    after: Option<KeyPosition>,
    limit: u32,
) -> Result<Vec<ApiKey>> {
    let mut conditions = Conditions::default();
    let tenant = conditions.bind(Value::Id(permit.tenant_id().0));
    let whose = whose(permit, and_accounts, &mut conditions);
    let rest = after.map_or_else(String::new, |KeyPosition { at, id }| {
        let (at, id) = (conditions.bind(Value::Number(micros(at))), conditions.bind(Value::Id(id.0)));
        format!(" AND (k.created_at, k.id) < ({at}, {id})")
    });
    let tenant = if and_accounts { format!("k.tenant_id = {tenant}") } else { in_tenant(&tenant) };
    let now = conditions.bind(Value::Number(micros(now)));
    let end = Columns::HIDDEN.end;
    let walk = |state: i64| {
        format!(
            "SELECT w{state}.id FROM (SELECT k.id FROM api_keys k WHERE {tenant} AND {whose} AND k.lifecycle = {state} \
             AND {end} > {now}{rest} ORDER BY k.created_at DESC, k.id DESC LIMIT {limit}) w{state}"
        )
    };
    let sql = format!(
        "SELECT {COLUMNS} FROM ({} UNION ALL {}) hits CROSS JOIN {FROM} WHERE k.id = hits.id ORDER BY k.created_at DESC, k.id DESC LIMIT {limit}",
        walk(ACTIVE),
        walk(SUSPENDED)
    );
    let rows: Vec<KeyRow> = read_list!(db, c => {
        statement!(db, query_as, sql, conditions).fetch_all(c)
    })?;
    Ok(rows.into_iter().map(ApiKey::from).collect())
}

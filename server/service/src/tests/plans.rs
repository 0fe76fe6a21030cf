//! The query plans of the lists. `SQLite` plans without statistics: there, each list must search an index by its tenant
//! or owner, and sort no more rows than a page or a bounded search has. `PostgreSQL` plans by statistics and may sort
//! the few rows of a test: there, no list may read a whole table. Each expectation is also checked without its indexes,
//! and must fail then.
//!
//! The benchmark `lists` measures how fast a list is.

use std::{collections::BTreeSet, str::FromStr};

use chrono::TimeDelta;
use domain::{
    AccountFilter, AccountQuery, AccountSort, AgentScope, ApiKey, AuditQuery, Direction, ExpiryWindow, InventoryFilter,
    InventoryQuery, KeyFilter, KeyId, KeyPolicyKind, KeyQuery, KeySort, ListFlowRuns, Operation, Owner, OwnerKind,
    PageRequest, api_key::input::SetKeyPolicy, audit::Outcome,
};
use sqlx::{ConnectOptions, Connection, PgConnection, Row, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::{
    Actor, AlertsAbout, FlowFilter, Services, Settings,
    access::{Target, authorize},
    storage,
    storage::query::{assembled, assembled_for},
    testing::{Crowd, fill},
    tests::stage::*,
};

/// So many keys that each filter matches more of them than are read by its own index.
const CROWD: Crowd = Crowd { accounts: 20, keys: 2_300 };
/// The tables that grow without bound, and their aliases in the statements.
const LARGE: [&str; 22] = [
    "r",
    "flow_runs",
    "m",
    "memberships",
    "i",
    "invitations",
    "k",
    "n",
    "l",
    "s",
    "a",
    "c",
    "h",
    "api_keys",
    "service_accounts",
    "audit_log",
    "agents",
    "name_search",
    "key_usage_clients",
    "key_usage_hours",
    "d",
    "key_usage_days",
];

/// A list and its SQL statements.
struct List {
    name: String,
    /// The column that each index must be searched by.
    by: &'static str,
    /// The index that the list must read; empty if it may read any.
    index: &'static str,
    /// Whether the list may sort all rows that it reads, because no user waits for it.
    sorts: bool,
    /// Whether `PostgreSQL` may read a whole table for a join, since the tables of a test are small.
    joins: bool,
    /// Whether the plan is bad without that index. If not, another index does as well for few rows.
    needs_it: bool,
    statements: Vec<String>,
}

/// One step of a plan.
#[derive(Debug)]
struct Step {
    depth: usize,
    kind: Kind,
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    /// Reads a large table. `by`: the conditions of the index search; empty if the whole index is read.
    Read {
        index: String,
        by: String,
    },
    Sort,
    /// Reads no more than a page.
    Limit,
    Other,
}

/// A separate connection, on which an index can be dropped temporarily.
enum Planner {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Planner {
    async fn of(stage: &Stage) -> Self {
        if stage.database_url.starts_with("sqlite:") {
            let options = SqliteConnectOptions::from_str(&stage.database_url).unwrap();
            return Self::Sqlite(options.connect().await.unwrap());
        }
        let mut connection = PgConnection::connect(&stage.database_url).await.unwrap();
        // The tables are small, so that reading all of one costs little. Whether that happened depended on when the
        // server last analyzed them.
        let settings = "SET enable_seqscan = off; SET enable_mergejoin = off; SET enable_hashjoin = off; \
                        SET plan_cache_mode = force_generic_plan";
        sqlx::raw_sql(settings).execute(&mut connection).await.unwrap();
        Self::Postgres(connection)
    }

    fn is_sqlite(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }

    /// Whether a list is also checked without its index.
    fn tries(&self, list: &List) -> bool {
        self.is_sqlite() || !list.joins
    }

    /// Drops an index until [`Planner::restore`]. On `PostgreSQL`, where another index would do, drops all of them.
    async fn drop_index(&mut self, index: &str) {
        const ALL: &str = "SELECT string_agg(i.relname, ', ') FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid \
             JOIN pg_class t ON t.oid = x.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace AND n.nspname = 'public' \
             WHERE NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.oid)";
        let indexes = match self {
            Self::Sqlite(_) => index.to_owned(),
            Self::Postgres(connection) => sqlx::query_scalar(ALL).fetch_one(connection).await.unwrap(),
        };
        self.execute(format!("BEGIN; DROP INDEX {indexes}")).await;
    }

    async fn restore(&mut self) {
        self.execute("ROLLBACK".to_owned()).await;
    }

    async fn execute(&mut self, sql: String) {
        match self {
            Self::Sqlite(connection) => sqlx::raw_sql(assembled(sql)).execute(connection).await.map(drop),
            Self::Postgres(connection) => sqlx::raw_sql(assembled(sql)).execute(connection).await.map(drop),
        }
        .unwrap();
    }

    async fn plan(&mut self, statement: &str) -> Vec<Step> {
        match self {
            Self::Sqlite(connection) => {
                let sql = format!("EXPLAIN QUERY PLAN {statement}");
                let rows = sqlx::raw_sql(assembled(sql)).fetch_all(connection).await.unwrap();
                let rows = rows.iter().map(|row| (row.get("id"), row.get("parent"), row.get("detail")));
                sqlite_steps(&rows.collect::<Vec<(i64, i64, String)>>())
            }
            Self::Postgres(connection) => {
                let lines = explain(connection, statement).await;
                postgres_steps(&lines.unwrap_or_else(|error| panic!("{error}: {statement}")))
            }
        }
    }

    /// Returns the tables of which a statement reads every row; `None` if the text isn't a whole statement.
    async fn whole_tables(&mut self, statement: &str) -> Option<Vec<String>> {
        let second = |line: &str, word: &str| line.split_once(word)?.1.split(' ').next().map(str::to_owned);
        match self {
            Self::Sqlite(connection) => {
                let sql = format!("EXPLAIN QUERY PLAN {statement}");
                let rows = sqlx::raw_sql(assembled(sql)).fetch_all(connection).await.ok()?;
                let details = rows.iter().map(|row| row.get::<String, _>("detail"));
                // No table; and the rows of a common table expression, which were found by a search.
                Some(
                    details
                        .filter_map(|text| second(&text, "SCAN "))
                        .filter(|table| !["CONSTANT", "successors", "chain"].contains(&table.as_str()))
                        .collect(),
                )
            }
            Self::Postgres(connection) => {
                let lines = explain(connection, statement).await.ok()?;
                Some(lines.iter().filter_map(|text| second(text, "Seq Scan on ")).collect())
            }
        }
    }

    /// Returns the problems of the plans of a list, and the indexes that they read.
    async fn judge(&mut self, list: &List) -> (Vec<String>, BTreeSet<String>) {
        let (mut problems, mut indexes) = (Vec::new(), BTreeSet::new());
        for statement in &list.statements {
            let steps = self.plan(statement).await;
            let found = match self {
                Self::Sqlite(_) => problems_of(&steps, list),
                Self::Postgres(_) => whole_reads(&steps, list),
            };
            problems.extend(found.into_iter().map(|problem| format!("{problem}: {statement}")));
            for step in steps {
                if let Kind::Read { index, .. } = step.kind {
                    indexes.insert(index);
                }
            }
        }
        (problems, indexes)
    }
}

/// Returns `PostgreSQL`'s generic plan of a statement, line by line.
async fn explain(connection: &mut PgConnection, statement: &str) -> sqlx::Result<Vec<String>> {
    let most = (1..200).rev().find(|number| statement.contains(&format!("${number}"))).unwrap_or(0);
    let values = if most == 0 { String::new() } else { format!("({})", vec!["NULL"; most].join(", ")) };
    sqlx::raw_sql(assembled(format!("PREPARE list AS {statement}"))).execute(&mut *connection).await?;
    let sql = format!("EXPLAIN EXECUTE list{values}");
    let rows = sqlx::raw_sql(assembled(sql)).fetch_all(&mut *connection).await?;
    sqlx::raw_sql("DEALLOCATE list").execute(connection).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Parses rows of `id`, `parent` and `detail`. `SQLite` lists a sort after the steps that it sorts, as their sibling.
/// Here it comes before them, as their parent.
fn sqlite_steps(rows: &[(i64, i64, String)]) -> Vec<Step> {
    let depth_of = |mut id: i64| {
        let mut depth = 0;
        while let Some((_, parent, _)) = rows.iter().find(|row| row.0 == id) {
            (id, depth) = (*parent, depth + 2);
        }
        depth
    };
    let mut steps: Vec<Step> = Vec::new();
    for (id, parent, detail) in rows {
        let depth = depth_of(*id);
        let words: Vec<&str> = detail.split_whitespace().collect();
        let kind = match words.as_slice() {
            ["SCAN" | "SEARCH", table, rest @ ..] if LARGE.contains(table) => {
                let by = detail.split_once('(').map_or("", |(_, by)| by).to_owned();
                let index = rest.iter().position(|word| matches!(*word, "INDEX" | "KEY"));
                let index = index.and_then(|at| rest.get(at + 1)).map_or("", |word| *word).to_owned();
                Kind::Read { index, by }
            }
            ["USE", "TEMP", "B-TREE", "FOR", "ORDER", "BY"] => {
                let first = rows.iter().position(|row| row.1 == *parent).unwrap_or(0);
                for step in &mut steps[first..] {
                    step.depth += 1;
                }
                steps.insert(first, Step { depth, kind: Kind::Sort });
                continue;
            }
            // A subquery is read up to its own LIMIT, or contains only what a search found.
            ["CO-ROUTINE" | "MATERIALIZE" | "COMPOUND" | "CORRELATED" | "SCALAR" | "LIST", ..] => Kind::Limit,
            _ => Kind::Other,
        };
        steps.push(Step { depth, kind });
    }
    steps
}

fn postgres_steps(lines: &[String]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in lines {
        let text = line.trim_start();
        let depth = line.len() - text.len();
        let text = text.trim_start_matches("->").trim_start();
        if let Some(conditions) = text.strip_prefix("Index Cond:") {
            if let Some(Step { kind: Kind::Read { by, .. }, .. }) = steps.last_mut() {
                conditions.clone_into(by);
            }
            continue;
        }
        let Some((node, _)) = text.split_once("  (cost=") else {
            if text.starts_with("SubPlan") || text.starts_with("InitPlan") {
                steps.push(Step { depth, kind: Kind::Limit });
            }
            continue;
        };
        let words: Vec<&str> = node.split_whitespace().collect();
        let table = words.iter().position(|word| *word == "on").and_then(|at| words.get(at + 1));
        let is_large = table.is_some_and(|table| LARGE.contains(table));
        let kind = match words.as_slice() {
            ["Index", .., "using", index, "on", _] | ["Index", .., "using", index, "on", _, _] if is_large => {
                Kind::Read { index: (*index).to_owned(), by: String::new() }
            }
            ["Bitmap", "Index", "Scan", "on", index] => Kind::Read { index: (*index).to_owned(), by: String::new() },
            ["Seq", "Scan", ..] if is_large => Kind::Read { index: String::new(), by: String::new() },
            ["Sort"] => Kind::Sort,
            ["Limit"] => Kind::Limit,
            _ => Kind::Other,
        };
        steps.push(Step { depth, kind });
    }
    steps
}

/// Whether an index is searched by an id, or by something that matches few rows: one key, a hint, a name.
fn is_bounded(index: &str, by: &str) -> bool {
    let by_id = ["(id = ", "(id=?", "id=?", "(key_id = ", "key_id=?", "(created_by_key = ", "created_by_key=?"];
    by_id
        .iter()
        .any(|text| by.starts_with(text) || by.trim_start_matches([' ', '(']).starts_with(text.trim_start_matches('(')))
        || index.starts_with("name_search")
        || by.starts_with("tenant_id=? AND kind=?")
        || index == "api_keys_by_hint"
        // The caller chooses the length of the period; its entries are sorted by number.
        || (index == "audit_log_by_time" && (by.contains("AND at") || by.contains("(at ")))
}

fn problems_of(steps: &[Step], list: &List) -> Vec<String> {
    let mut problems = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        match &step.kind {
            Kind::Read { index, by: entered } if !is_bounded(index, entered) && !entered.contains(list.by) => {
                problems.push(format!("{index:?} is read by {entered:?}"));
            }
            Kind::Sort if !list.sorts => {
                let mut below = steps[at + 1..].iter().take_while(|other| other.depth > step.depth).peekable();
                while let Some(other) = below.next() {
                    if other.kind == Kind::Limit {
                        while below.peek().is_some_and(|inner| inner.depth > other.depth) {
                            below.next();
                        }
                    } else if let Kind::Read { index, by } = &other.kind
                        && !is_bounded(index, by)
                    {
                        problems.push(format!("the rows of {index:?} are sorted"));
                    }
                }
            }
            Kind::Read { .. } | Kind::Sort | Kind::Limit | Kind::Other => {}
        }
    }
    problems
}

/// Returns the steps of a plan that read a whole table, with or without an index.
fn whole_reads(steps: &[Step], list: &List) -> Vec<String> {
    let is_whole = |step: &&Step| match &step.kind {
        Kind::Read { index, by } => index.is_empty() || (by.is_empty() && !list.joins),
        _ => false,
    };
    steps.iter().filter(is_whole).map(|step| format!("a whole table is read by {:?}", step.kind)).collect()
}

struct Lists<'a> {
    stage: &'a Stage,
    ada: Actor,
    all: Vec<List>,
}

impl Lists<'_> {
    fn add(&mut self, name: impl Into<String>, by: &'static str, index: &'static str, statements: Vec<String>) {
        let name = name.into();
        assert!(!statements.is_empty(), "{name}");
        let sorts = ["calendar", "unused keys", "runs that meet a filter"].contains(&name.as_str());
        let joins = ["NoKeysByKeys", "visible", "alerts", "offspring", "usage", "reminders", "calendar", "runs"];
        let joins = joins.iter().any(|part| name.contains(part));
        let needs_it = !index.starts_with("service_accounts_active")
            && !index.starts_with("service_accounts_deleted")
            && index != "api_keys_by_hint";
        self.all.push(List { name, by, index, sorts, joins, needs_it, statements });
    }

    async fn inventory(&mut self, index: &'static str, query: KeyQuery, inventory: InventoryQuery) {
        let services = &self.stage.services;
        let page = services.inventory().list(&self.ada, &query, inventory).await.unwrap();
        let next = KeyQuery { page: PageRequest { after: page.next, ..query.page.clone() }, ..query.clone() };
        for query in [&query, &next] {
            let statements = assembled_for(services.inventory().list(&self.ada, query, inventory)).await;
            self.add(format!("inventory, {query:?}, {inventory:?}"), "tenant_id", index, statements);
        }
    }

    /// The inventory with a filter by expiry, and with a search.
    async fn narrowed(&mut self, filter: KeyFilter, sort: KeySort) {
        for expires in [ExpiryWindow::new(0, 30), ExpiryWindow::new(27, 30)] {
            let query = KeyQuery { filter, sort, ..KeyQuery::default() };
            self.inventory("", query, InventoryQuery { expires, ..InventoryQuery::default() }).await;
        }
        for search in ["zebra", "frankfurt", "lku_abcd", "-"] {
            let query = KeyQuery { filter, sort, search: search.to_owned(), ..KeyQuery::default() };
            let index = if search == "lku_abcd" { "api_keys_by_hint" } else { "" };
            self.inventory(index, query, InventoryQuery::default()).await;
        }
    }

    async fn keys_of(&mut self, owner: Owner) {
        let (by, indexes) = match owner {
            Owner::User(_) => (
                "user_id",
                ["api_keys_user_name", "api_keys_user_created", "api_keys_user_expires", "api_keys_user_used"],
            ),
            Owner::ServiceAccount(_) => (
                "service_account_id",
                [
                    "api_keys_account_name",
                    "api_keys_account_created",
                    "api_keys_account_expires",
                    "api_keys_account_used",
                ],
            ),
        };
        for filter in KeyFilter::ALL {
            for sort in KeySort::ALL {
                for search in ["", "lapt"] {
                    let query = KeyQuery { filter, sort, search: search.to_owned(), ..KeyQuery::default() };
                    let index = match sort {
                        // Few keys match a search or aren't marked as expired yet: these are read by other indexes.
                        _ if !search.is_empty() || filter == KeyFilter::Expired => "",
                        KeySort::Name => indexes[0],
                        KeySort::Created => indexes[1],
                        KeySort::Expires => indexes[2],
                        KeySort::LastUsed => indexes[3],
                    };
                    let statements = assembled_for(self.stage.services.api_keys().list(&self.ada, owner, &query)).await;
                    self.add(format!("keys of {owner:?}, {query:?}"), by, index, statements);
                }
            }
        }
    }

    async fn accounts(&mut self) {
        for filter in [AccountFilter::Active, AccountFilter::Deleted, AccountFilter::All] {
            for sort in AccountSort::ALL {
                for search in ["", "zebra"] {
                    let index = match (filter, sort) {
                        _ if !search.is_empty() => "",
                        (AccountFilter::Active, AccountSort::Name) => "service_accounts_active_by_name",
                        (AccountFilter::Active, AccountSort::Created) => "service_accounts_active_by_created",
                        (AccountFilter::Deleted, AccountSort::Name) => "service_accounts_deleted_by_name",
                        (AccountFilter::Deleted, AccountSort::Created) => "service_accounts_deleted_by_created",
                        (AccountFilter::All, AccountSort::Name) => "service_accounts_by_name",
                        (AccountFilter::All, AccountSort::Created) => "service_accounts_by_created",
                    };
                    let query = AccountQuery { filter, sort, search: search.to_owned(), ..AccountQuery::default() };
                    let statements =
                        assembled_for(self.stage.services.service_accounts().list(&self.ada, &query)).await;
                    self.add(format!("service accounts, {query:?}"), "", index, statements);
                }
            }
        }
    }

    async fn audit(&mut self) {
        let (id, now) = (self.stage.admin.0, self.stage.services.now());
        let with = |set: fn(&mut AuditQuery)| {
            let mut query = AuditQuery::default();
            set(&mut query);
            query
        };
        for (by, index, query) in [
            ("tenant_id", "audit_log_chain", AuditQuery::default()),
            ("tenant_id", "audit_log_chain", with(|query| query.outcome = Some(Outcome::Refused))),
            ("operation", "audit_log_by_operation", with(|query| query.operation = "create_api_key".to_owned())),
            ("actor_id", "audit_log_by_actor", AuditQuery { actor: id.to_string(), ..AuditQuery::default() }),
            ("tenant_id", "", with(|query| query.actor = "ada".to_owned())),
            // By the numbers of the entries that two further indexes find.
            ("tenant_id=? AND", "audit_log_by_subject", AuditQuery { subject: Some(id), ..AuditQuery::default() }),
            ("tenant_id=? AND", "audit_log_by_key", AuditQuery { subject: Some(id), ..AuditQuery::default() }),
            (
                "tenant_id",
                "",
                AuditQuery { from: Some(now - TimeDelta::days(1)), until: Some(now), ..AuditQuery::default() },
            ),
        ] {
            let statements = assembled_for(self.stage.services.audit_log().list(&self.ada, &query)).await;
            self.add(format!("audit log, {query:?}"), by, index, statements);
        }
        let log = self.stage.services.audit_log();
        let activity = assembled_for(log.activity(&self.ada, 30)).await;
        self.add("audit log, activity", "at", "audit_log_by_time", activity);
        let entries = log.list(&self.ada, &AuditQuery::default()).await.unwrap().items;
        let resources = assembled_for(log.resources(&self.ada, &entries)).await;
        self.add("audit log, resources", "id", "", resources);
    }

    /// Runs of flows, of which a tenant has at most 10,000.
    async fn runs(&mut self) {
        let settings = Settings { flow_runs: true, ..self.stage.settings() };
        let services = Services::open(&settings, self.stage.clock.clone()).await.unwrap();
        let (flows, ada) = (services.flows(), &self.ada.clone());
        let key = KeyId(uuid::Uuid::nil());
        for (scope, name) in [
            (AgentScope::Tenant, "runs of the tenant"),
            (AgentScope::Owner(own(ada)), "runs of an owner"),
            (AgentScope::Key(key), "runs of a key"),
        ] {
            let input = ListFlowRuns { scope, ..ListFlowRuns::default() };
            let statements = assembled_for(storage::flow_runs::list_page(
                services.db(),
                &authorize(ada, Operation::ReadFlows, Target::Tenant(ada.tenant_id())).unwrap(),
                input.scope,
                &input.page,
            ))
            .await;
            let index = if matches!(scope, AgentScope::Tenant) { "flow_runs_by_tenant" } else { "" };
            self.add(name, "tenant_id", index, statements);
        }
        let filtered = assembled_for(flows.runs(ada, &FlowFilter::default(), &[], None)).await;
        self.add("runs that meet a filter", "tenant_id", "", filtered);
    }

    /// Lists about names: of invited people, in the history of a key, and of those that look alike. And those of runs.
    async fn names(&mut self, key: KeyId, listed: &[ApiKey]) {
        let (services, ada) = (&self.stage.services, &self.ada.clone());
        let keys = services.api_keys();
        self.add("keys elsewhere", "user_id", "", assembled_for(keys.count_elsewhere(ada)).await);
        self.add("invitations", "tenant_id", "", assembled_for(services.invitations().list(ada)).await);
        let history = assembled_for(keys.history(ada, key, &AuditQuery::default())).await;
        self.add("history of a key", "tenant_id=? AND", "audit_log_by_subject", history);
        let namesakes = assembled_for(services.members().namesakes_of_keys(ada, listed)).await;
        self.add("namesakes of keys", "", "", namesakes);
        let entries = services.audit_log().list(ada, &AuditQuery::default()).await.unwrap().items;
        let namesakes = assembled_for(services.members().namesakes_of_entries(ada, &entries)).await;
        self.add("namesakes of entries", "", "", namesakes);
        let chosen: Vec<_> = listed.iter().map(|key| key.id).collect();
        self.add("selected keys", "id", "", assembled_for(services.inventory().suspend(ada, &chosen)).await);
        self.runs().await;
    }
}

async fn require_expiry(stage: &Stage, by: &Actor) {
    let policy = SetKeyPolicy { policy: "expiry_required".to_owned(), ..SetKeyPolicy::default() };
    stage.services.tenant_policies().set(by, &policy).await.unwrap();
}

async fn lists(stage: &Stage) -> Vec<List> {
    let ada = stage.session(stage.admin).await;
    fill(&stage.services, "acme", CROWD).await.unwrap();
    let account = stage.add_account(&ada, "bot").await;
    stage.add_key(&ada, Owner::ServiceAccount(account), "bot").await;
    let key = stage.add_key(&ada, own(&ada), "laptop").await.key.id;
    require_expiry(stage, &ada).await;
    let mut lists = Lists { stage, ada: ada.clone(), all: Vec::new() };
    for (sort, index) in [
        (KeySort::Name, "api_keys_tenant_name"),
        (KeySort::Created, "api_keys_tenant_created"),
        (KeySort::Expires, "api_keys_tenant_expires"),
        (KeySort::LastUsed, "api_keys_tenant_used"),
    ] {
        for filter in KeyFilter::ALL {
            let accounts = InventoryQuery { kind: Some(OwnerKind::ServiceAccount), ..InventoryQuery::default() };
            for (direction, inventory) in [(Direction::Asc, accounts), (Direction::Desc, InventoryQuery::default())] {
                lists.inventory(index, KeyQuery { filter, sort, direction, ..KeyQuery::default() }, inventory).await;
            }
            for shown in [
                InventoryFilter::NeverExpires,
                InventoryFilter::Unused,
                InventoryFilter::OwnerGone,
                InventoryFilter::ViolatesKeyPolicy,
                InventoryFilter::Exposed,
            ] {
                let query = KeyQuery { filter, sort, ..KeyQuery::default() };
                let index = match shown {
                    _ if filter == KeyFilter::ExpiringSoon => "",
                    InventoryFilter::OwnerGone => "api_keys_orphaned",
                    InventoryFilter::Exposed => "api_keys_exposed",
                    _ => "",
                };
                lists.inventory(index, query, InventoryQuery { filter: shown, ..InventoryQuery::default() }).await;
            }
            lists.narrowed(filter, sort).await;
        }
    }
    stage.services.tenant_policies().clear(&ada, "expiry_required").await.unwrap();
    let policy = SetKeyPolicy { policy: "max_lifetime".to_owned(), days: "30".to_owned(), ..SetKeyPolicy::default() };
    stage.services.tenant_policies().set(&ada, &policy).await.unwrap();
    let against = InventoryQuery { filter: InventoryFilter::ViolatesKeyPolicy, ..InventoryQuery::default() };
    lists.inventory("api_keys_tenant_lifetime", KeyQuery::default(), against).await;
    lists.keys_of(own(&ada)).await;
    lists.keys_of(Owner::ServiceAccount(account)).await;
    lists.accounts().await;
    lists.audit().await;
    let (services, keys) = (&stage.services, stage.services.api_keys());
    // Some affect no existing key, so that there is nothing to list.
    for kind in KeyPolicyKind::ALL.into_iter().filter(|kind| !kind.affects_no_existing_keys()) {
        let days = if kind.has_days() { "30".to_owned() } else { String::new() };
        let scopes = if kind.has_scopes() { "latchkey:manage".to_owned() } else { String::new() };
        let policy = SetKeyPolicy { policy: kind.as_str().to_owned(), days, scopes, ..SetKeyPolicy::default() };
        let preview = assembled_for(services.tenant_policies().preview(&ada, &policy)).await;
        lists.add(format!("affected by {kind:?}"), "tenant_id", "", preview);
    }
    lists.add("visible keys", "tenant_id", "", assembled_for(keys.visible(&ada, None)).await);
    let alerts = assembled_for(keys.alerts(&ada, AlertsAbout::Tenant)).await;
    lists.add("alerts", "tenant_id", "api_keys_rolled", alerts);
    lists.add("own alerts", "", "", assembled_for(keys.alerts(&ada, AlertsAbout::Own)).await);
    let alerts = assembled_for(keys.alerts(&ada, AlertsAbout::ServiceAccounts)).await;
    lists.add("alerts about service accounts", "tenant_id", "", alerts);
    lists.add(
        "created by a key",
        "tenant_id",
        "api_keys_by_creating_key",
        assembled_for(keys.created_by(&ada, key, None)).await,
    );
    lists.add("offspring", "tenant_id", "api_keys_by_creating_key", assembled_for(keys.created_keys(&ada, key)).await);
    lists.add("usage", "key_id", "", assembled_for(keys.usage(&ada, key)).await);
    lists.add("usage of an owner", "user_id", "", assembled_for(keys.recent_of_owner(&ada, own(&ada))).await);
    let listed = keys.list(&ada, own(&ada), &KeyQuery::default()).await.unwrap().items;
    lists.add("daily usage", "key_id", "", assembled_for(keys.daily(&ada, &listed, 30)).await);
    let expiring = assembled_for(services.inventory().expiring(&ada, None)).await;
    lists.add("expiring", "tenant_id", "api_keys_tenant_expires", expiring);
    lists.add(
        "usage in the overview",
        "tenant_id",
        "key_usage_days_by_tenant",
        assembled_for(services.overviews().get(&ada)).await,
    );
    lists.add(
        "agents",
        "tenant_id",
        "agents_by_tenant",
        assembled_for(services.agents().list(&ada, AgentScope::Tenant)).await,
    );
    lists.add("agents of a key", "", "", assembled_for(services.agents().list(&ada, AgentScope::Key(key))).await);
    lists.names(key, &listed).await;
    let (db, now) = (services.db(), services.now());
    let calendar = assembled_for(storage::reminders::list_for_calendar(db, stage.admin, None, now, None, 100)).await;
    lists.add("calendar", "", "", calendar);
    let due = storage::reminders::list_due(db, (now, key), now + TimeDelta::days(7), 7, 100);
    lists.add("due reminders", "expires_at", "api_keys_by_expiry", assembled_for(due).await);
    lists.add("unused keys", "tenant_id", "", assembled_for(storage::key_policies::list_unused(db, now, 100)).await);
    lists.all
}

#[test]
fn every_list_reads_an_index_and_sorts_no_more_than_a_page() {
    on_both(async |stage| {
        let lists = lists(&stage).await;
        let mut planner = Planner::of(&stage).await;
        let mut failures = Vec::new();
        for list in &lists {
            let (problems, indexes) = planner.judge(list).await;
            failures.extend(problems.into_iter().map(|problem| format!("{}: {problem}", list.name)));
            if planner.is_sqlite() && !list.index.is_empty() && !indexes.contains(list.index) {
                failures.push(format!("{}: reads {indexes:?}", list.name));
            }
        }
        let needed = lists.iter().filter(|list| list.needs_it && !list.index.is_empty() && planner.tries(list));
        let needed: BTreeSet<&str> = needed.map(|list| list.index).collect();
        for index in &needed {
            planner.drop_index(index).await;
            for list in lists.iter().filter(|list| list.index == *index) {
                if !planner.tries(list) {
                    continue;
                }
                if planner.judge(list).await.0.is_empty() {
                    failures.push(format!("{}: no problem without {index}", list.name));
                }
            }
            planner.restore().await;
        }
        assert!(needed.len() > 20, "{needed:?}");
        assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    });
}

/// Statements that read a whole table on purpose, by their beginning: checks of the whole database and lists of all
/// tenants that the operator asks for, and the search for old records in the background.
const WHOLE_TABLES: [&str; 41] = [
    "SELECT COUNT(*) FILTER (WHERE relname",
    "SELECT id FROM agents WHERE last_seen_at",
    "SELECT key_id, address, user_agent, agent_id FROM key_usage_clients WHERE COALESCE",
    "SELECT id, name, slug, created_at FROM tenants ORDER BY slug",
    "SELECT COUNT(*), 0 FROM sqlite_master",
    "SELECT name FROM sqlite_master",
    "SELECT key_id FROM key_usage_clients GROUP BY",
    "SELECT h.tenant_id, t.slug, h.seq, h.hash FROM audit_heads",
    "SELECT COUNT(*) FROM audit_log",
    "SELECT t.slug FROM tenants t WHERE NOT EXISTS",
    "SELECT COUNT(*) FROM api_keys k WHERE k.revoked_at IS NULL AND NOT EXISTS",
    "SELECT (SELECT COUNT(*) FROM tenants) AS tenants",
    // When a server starts.
    "SELECT id, deleted_at FROM service_accounts WHERE deleted_at IS NOT NULL",
    "SELECT a.tenant_id, a.subject_id, MAX(a.at) AS at FROM tenants t JOIN audit_log a",
    // After a restore.
    "SELECT CASE WHEN EXISTS (SELECT 1 FROM audit_log a WHERE a.subject_id = u.id",
    "UPDATE invitations SET closed_at = $1 WHERE closed_at IS NULL",
    "DELETE FROM sessions",
    "DELETE FROM remembered_browsers",
    "DELETE FROM calendar_feeds",
    // While secrets are encrypted again.
    "SELECT user_id, secret_key_id, secret FROM second_factors WHERE secret_key_id",
    // The metrics, at most once a minute.
    "SELECT lifecycle, COUNT(*) FROM api_keys GROUP BY lifecycle",
    // One row a tenant, and a sum of them: how far the changes of keys were read.
    "SELECT tenant_id, number FROM change_heads",
    "SELECT COUNT(*), CAST(COALESCE(SUM(number)",
    // While old usage is deleted, and while a removed scope is taken from keys.
    "SELECT key_id, scope, address, user_agent FROM key_usage_scopes WHERE COALESCE",
    "SELECT DISTINCT key_id FROM key_refusals WHERE last_at",
    "SELECT k.id, k.tenant_id FROM api_keys k WHERE k.id > $1 AND k.scopes IS NOT NULL",
    // While old versions of flows are deleted.
    "SELECT f.id FROM flows f WHERE f.archived_at <",
    // The catalogue, and whether there is one tenant.
    "SELECT scope, description, least_role, deprecated_at FROM scopes",
    "SELECT scope FROM scopes WHERE removed_at",
    "SELECT id FROM tenants LIMIT 2",
    // Tables of a few rows.
    "SELECT MAX(created_at) FROM secret_keys",
    "DELETE FROM readiness",
    "DELETE FROM clock",
    "SELECT EXISTS (SELECT 1 FROM pg_locks",
    "SELECT name, pk FROM pragma_table_info",
    "SELECT id FROM secret_keys ORDER BY",
    "SELECT id, kind, tenant_id, user_id, service_account_id, at, actor_name, reason FROM pending_changes",
    "SELECT COUNT(*) FROM pending_changes",
    // No more than a few rows of them.
    "SELECT COUNT(*) FROM (SELECT id FROM api_keys WHERE tenant_id = $1 LIMIT",
    "SELECT COUNT(*) FROM (SELECT id FROM tenants LIMIT 1)",
    "SELECT k.id FROM api_keys k WHERE 1 = 0",
];

/// Returns the literals in the source of `storage` that are whole statements.
fn constant_statements() -> Vec<String> {
    fn collect(folder: &std::path::Path, statements: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, statements);
                continue;
            }
            let source = std::fs::read_to_string(path).unwrap();
            for begin in ["\"SELECT ", "\"UPDATE ", "\"DELETE FROM "] {
                for (at, _) in source.match_indices(begin) {
                    let text = source[at + 1..].split('"').next().unwrap();
                    // A backslash at the end of a line joins it to the next.
                    let text = text.split("\\\n").map(str::trim_start).collect::<String>();
                    if !text.contains(['{', '\\']) {
                        statements.push(text);
                    }
                }
            }
        }
    }
    let mut statements = Vec::new();
    collect(std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/storage")), &mut statements);
    statements
}

#[test]
fn no_constant_statement_reads_a_whole_table() {
    on_both(async |stage| {
        let mut planner = Planner::of(&stage).await;
        let (mut checked, mut whole) = (0, Vec::new());
        for statement in constant_statements() {
            if WHOLE_TABLES.iter().any(|begin| statement.starts_with(begin)) || statement.contains("_sqlx_migrations") {
                continue;
            }
            // A part of a statement that `concat!` completes can't be planned. The tests run those.
            let Some(tables) = planner.whole_tables(&statement).await else { continue };
            checked += 1;
            whole.extend(tables.into_iter().map(|table| format!("{table}: {statement}")));
        }
        assert!(checked >= 60, "only {checked} statements were found");
        assert!(whole.is_empty(), "whole tables are read:\n{}", whole.join("\n"));
    });
}

//! Search by part of a name, with an index that works on both databases: it holds every suffix of every word, so that
//! any part of a word is the prefix of a suffix. Names have at most 100 characters, so a name has at most 100 suffixes.

use std::collections::BTreeSet;

use domain::TenantId;
use uuid::Uuid;

use super::{
    Db, Tx,
    db::{read_list, run},
    fold,
    query::{Conditions, Keyset, Value, assembled, statement},
};
use crate::error::Result;

/// The maximum length of a suffix, in characters. A longer one is truncated, and found by its beginning.
const MAX_CHARS: usize = 24;
/// Up to this many hits are few: they are read and sorted. With more, the list is walked in its own order, where hits
/// are close together.
pub(crate) const FEW: i64 = 200;
/// The same limit for a search. It is higher, because hits are counted on the index alone, while a walk compares the
/// name of every row.
pub(crate) const FEW_FOUND: i64 = 2_000;
/// How many times the rows of a page are read as first hits, because the list's other conditions exclude some of them.
const ROOM: u32 = 5;

/// The kind of record that a suffix belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Key,
    Account,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Account => "account",
        }
    }

    fn table(self) -> &'static str {
        match self {
            Self::Key => "api_keys",
            Self::Account => "service_accounts",
        }
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

fn suffixes(name: &str) -> BTreeSet<String> {
    let folded = fold(name);
    let mut suffixes = BTreeSet::new();
    for word in words(&folded) {
        let chars: Vec<char> = word.chars().collect();
        for start in 0..chars.len() {
            suffixes.insert(chars[start..].iter().take(MAX_CHARS).collect());
        }
    }
    suffixes
}

/// Deletes the suffixes of a record's current name, before it is renamed. Until the transaction ends, no other one can
/// rename it.
pub(crate) async fn delete(tx: &mut Tx, tenant: TenantId, kind: Kind, id: Uuid) -> Result<()> {
    // The write locks the row. A name that was only read could have changed since.
    let sql = format!("UPDATE {} SET name = name WHERE id = $1 AND tenant_id = $2 RETURNING name", kind.table());
    let name: Option<String> = run!(tx, c =>
        sqlx::query_scalar(assembled(sql)).bind(id).bind(tenant.0).fetch_optional(c))?;
    let suffixes = suffixes(&name.unwrap_or_default());
    if suffixes.is_empty() {
        return Ok(());
    }
    let places: Vec<String> = (0..suffixes.len()).map(|index| format!("${}", index + 4)).collect();
    let sql = format!(
        "DELETE FROM name_search WHERE tenant_id = $1 AND kind = $2 AND subject_id = $3 AND suffix IN ({})",
        places.join(", ")
    );
    write_suffixes(tx, sql, tenant, kind, id, &suffixes, None).await
}

/// Inserts a name's suffixes in one statement.
pub(crate) async fn insert(tx: &mut Tx, tenant: TenantId, kind: Kind, id: Uuid, name: &str) -> Result<()> {
    let suffixes = suffixes(name);
    if suffixes.is_empty() {
        return Ok(());
    }
    let last = suffixes.len() + 4;
    let rows: Vec<String> = (4..last).map(|suffix| format!("($1, $2, ${suffix}, $3, ${last})")).collect();
    let sql = format!(
        "INSERT INTO name_search (tenant_id, kind, suffix, subject_id, name_folded) VALUES {}",
        rows.join(", ")
    );
    write_suffixes(tx, sql, tenant, kind, id, &suffixes, Some(&fold(name))).await
}

/// Runs a statement on the suffixes of one record. Binds tenant, kind and id, then the suffixes, then the name if there
/// is one.
async fn write_suffixes(
    tx: &mut Tx,
    sql: String,
    tenant: TenantId,
    kind: Kind,
    id: Uuid,
    suffixes: &BTreeSet<String>,
    name: Option<&str>,
) -> Result<()> {
    macro_rules! write {
        ($tx:expr) => {{
            let mut statement = sqlx::query(assembled(sql)).bind(tenant.0).bind(kind.as_str()).bind(id);
            for suffix in suffixes {
                statement = statement.bind(suffix.as_str());
            }
            if let Some(name) = name {
                statement = statement.bind(name);
            }
            statement.execute(&mut **$tx).await.map(drop)?;
        }};
    }
    match tx {
        Tx::Sqlite(tx) => write!(tx),
        Tx::Postgres(tx) => write!(tx),
    }
    Ok(())
}

/// The suffixes that may match a search: those that begin with its longest word. The list's conditions check the other
/// words.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    from: String,
    /// Whether `from` is the only such suffix.
    only: bool,
    /// The number of index rows, once [`Span::narrow`] has counted them.
    count: i64,
}

impl Span {
    /// Returns the span of a search, or `None` if it has no letter or digit.
    pub(crate) fn of(search: &str) -> Option<Self> {
        let folded = fold(search);
        let longest = words(&folded).max_by_key(|word| word.len())?;
        Some(Self { from: longest.chars().take(MAX_CHARS).collect(), only: false, count: 0 })
    }

    /// Returns a statement that selects the ids with such a suffix, each once.
    pub(crate) fn ids(&self, conditions: &mut Conditions, tenant: TenantId, kind: Kind) -> String {
        let ids = format!("SELECT subject_id AS id FROM name_search WHERE {}", self.sql(conditions, tenant, kind));
        if self.only { ids } else { once(&ids) }
    }

    /// Returns a statement that selects the first of these ids by name, from the position of the page on: more than
    /// fill a page. `None` if that would be all of them.
    pub(crate) fn first_ids(
        &self,
        conditions: &mut Conditions,
        tenant: TenantId,
        kind: Kind,
        keyset: &Keyset,
    ) -> Option<String> {
        let most = keyset.wanted() * ROOM;
        if self.count <= i64::from(most) {
            return None;
        }
        let which = self.sql(conditions, tenant, kind);
        let place = keyset.clause("name_folded", "subject_id", conditions);
        let order = keyset.order_up_to("name_folded", "subject_id", most);
        let once = if self.only { "" } else { "DISTINCT " };
        Some(format!(
            "SELECT first.subject_id AS id FROM (SELECT {once}subject_id, name_folded FROM name_search \
             WHERE {which}{place}{order}) first"
        ))
    }

    fn sql(&self, conditions: &mut Conditions, tenant: TenantId, kind: Kind) -> String {
        let (tenant, kind) = (conditions.bind(Value::Id(tenant.0)), kind.as_str());
        let from = conditions.bind(Value::Text(self.from.clone()));
        let which = if self.only {
            format!("suffix = {from}")
        } else {
            format!("suffix >= {from} AND suffix < {}", conditions.bind(Value::Text(after(&self.from))))
        };
        format!("tenant_id = {tenant} AND kind = '{kind}' AND {which}")
    }

    /// Counts the span's index rows, and narrows it to a single suffix if it has only one. `None` for more than
    /// [`FEW_FOUND`] rows.
    pub(crate) async fn narrow(self, db: &Db, tenant: TenantId, kind: Kind) -> Result<Option<Self>> {
        let mut conditions = Conditions::default();
        let which = self.sql(&mut conditions, tenant, kind);
        let sql = format!(
            "SELECT COUNT(*), MIN(suffix), MAX(suffix) FROM (SELECT suffix FROM name_search WHERE {which} LIMIT {}) few",
            FEW_FOUND + 1
        );
        let (count, first, last): (i64, Option<String>, Option<String>) = read_list!(db, c => {
            statement!(db, query_as, sql, conditions).fetch_one(c)
        })?;
        Ok((count <= FEW_FOUND).then(|| match first {
            Some(suffix) if Some(&suffix) == last.as_ref() => Self { from: suffix, only: true, count },
            _ => Self { count, ..self },
        }))
    }
}

/// Returns a statement that selects each id of another statement once.
pub(crate) fn once(ids: &str) -> String {
    format!("SELECT DISTINCT id FROM ({ids}) found")
}

/// Whether the index alone decides what a search matches, so that names don't have to be compared.
pub(crate) fn is_exact(search: &str) -> bool {
    let folded = fold(search);
    folded.chars().all(char::is_alphanumeric) && folded.chars().count() <= MAX_CHARS
}

/// Returns a text that sorts after all texts that begin with `text`.
pub(crate) fn after(text: &str) -> String {
    format!("{text}{}", char::MAX)
}

/// Whether a statement selects at most `few` ids. Reads at most one more.
pub(crate) async fn are_few(db: &Db, ids: &str, conditions: &Conditions, few: i64) -> Result<bool> {
    let sql = format!("SELECT COUNT(*) FROM (SELECT id FROM ({ids}) counted LIMIT {}) few", few + 1);
    let count: i64 = read_list!(db, c => {
        statement!(db, query_scalar, sql, conditions).fetch_one(c)
    })?;
    Ok(count <= few)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suffix_of_every_word_is_indexed_once() {
        let found = suffixes("CI, ci-Bot");
        assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), ["bot", "ci", "i", "ot", "t"]);
        assert!(suffixes("—").is_empty());
        assert_eq!(suffixes(&"x".repeat(100)).len(), MAX_CHARS);
        assert!(is_exact("Bot") && !is_exact("ci-bot") && !is_exact(&"x".repeat(MAX_CHARS + 1)));
    }
}

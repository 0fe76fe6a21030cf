//! Use cases of the audit log: reading it, and proving that nobody has changed it.

use chrono::{DateTime, Utc};
use domain::{ApiError, AuditId, AuditLine, AuditQuery, KeyId, Operation, Page};

use crate::{
    Actor, Result, Services, input,
    policy::{Permit, Target},
    storage::{
        self,
        audit::{Entry, Head, LineRow, hex},
    },
};

/// How many lines are read at once where all are read.
const AT_ONCE: u32 = 500;

/// Use cases of the audit log.
pub struct AuditLog<'a>(pub(crate) &'a Services);

/// The right to read all lines that a query means, page by page.
#[derive(Clone, Debug)]
pub struct Export {
    permit: Permit,
    query: AuditQuery,
}

/// What was found in the chain of one tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainReport {
    /// The tenant's short name; none for the lines of no tenant.
    pub slug: Option<String>,
    /// How many lines the chain has.
    pub lines: i64,
    /// The hash of the last, in hexadecimal digits: kept elsewhere, it shows later that nothing up to here was changed.
    pub head: String,
    /// What is wrong with it; nothing, when all is well.
    pub problems: Vec<String>,
}

impl AuditLog<'_> {
    /// One page of the tenant's lines, the newest first.
    ///
    /// # Errors
    /// `FORBIDDEN` for anyone but an Administrator; `BAD_USER_INPUT` for a foreign cursor.
    pub async fn list(&self, actor: &Actor, query: &AuditQuery) -> Result<Page<AuditLine>> {
        let permit = self.0.permit(actor, Operation::ListAuditLog, Target::Tenant(actor.tenant_id())).await?;
        self.0.write_owed(Some(self.0.now())).await;
        storage::audit::list(self.0.db(), permit.tenant_id(), &readable(query)).await
    }

    /// One line.
    ///
    /// # Errors
    /// `NOT_FOUND`, `FORBIDDEN`.
    pub async fn get(&self, actor: &Actor, id: AuditId) -> Result<AuditLine> {
        let permit = self.0.permit(actor, Operation::ListAuditLog, Target::Tenant(actor.tenant_id())).await?;
        let line = storage::audit::find(self.0.db(), permit.tenant_id(), id).await?;
        Ok(line.ok_or_else(ApiError::not_found)?)
    }

    /// What was done to a key, and with it, the newest first: for all who may see the key.
    ///
    /// # Errors
    /// As [`crate::ApiKeys::get`].
    pub async fn of_key(&self, actor: &Actor, id: KeyId, query: &AuditQuery) -> Result<Page<AuditLine>> {
        let key = self.0.api_keys().get(actor, id).await?;
        let query = AuditQuery { subject: Some(id.0), ..query.clone() };
        storage::audit::list(self.0.db(), key.tenant_id, &query).await
    }

    /// Begins to take lines out, which is itself a line. `form`: the format's name, for that line.
    ///
    /// # Errors
    /// `FORBIDDEN` for anyone but an Administrator.
    pub async fn export(&self, actor: &Actor, query: &AuditQuery, form: &str) -> Result<Export> {
        let permit = self.0.permit(actor, Operation::ListAuditLog, Target::Tenant(actor.tenant_id())).await?;
        let subject = ("tenant", permit.tenant_id().0, "");
        let entry =
            Entry::by(actor, Operation::ListAuditLog, self.0.now(), subject).with(format!("exported as {form}"));
        self.0.db().write(move |tx| Box::pin(async move { storage::audit::insert(tx, &entry).await })).await?;
        let mut query = readable(query);
        query.page = domain::PageRequest { limit: domain::page::MAX_LIMIT, ..domain::PageRequest::default() };
        Ok(Export { permit, query })
    }

    /// The next page of an export, the newest first, and what is left of it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn export_page(&self, export: Export) -> Result<(Vec<AuditLine>, Option<Export>)> {
        let page = storage::audit::list(self.0.db(), export.permit.tenant_id(), &export.query).await?;
        let rest = page.next.map(|next| {
            let mut rest = export;
            rest.query.page.after = Some(next);
            rest
        });
        Ok((page.items, rest))
    }

    /// How often tokens were refused that no key stands behind, by hour and reason (`malformed`, `unknown`), the latest
    /// first. Those of keys are in the keys' usage. For the operator.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn refusals(&self) -> Result<Vec<(DateTime<Utc>, String, u64)>> {
        self.0.write_uses().await;
        storage::usage::list_refusals(self.0.db(), self.0.now() - domain::evidence::KEPT_FOR).await
    }

    /// Walks all chains: finds every line that was changed, taken out, put in or moved, and an end that was cut off.
    /// `expected`: what an earlier walk said of a chain, `SLUG:NUMBER:HASH`; that line must be the same still.
    ///
    /// # Errors
    /// A field error at `expect`; when the database fails.
    pub async fn verify(&self, expected: &[String]) -> Result<Vec<ChainReport>> {
        let mut reports = Vec::new();
        let mut pins = expected.iter().map(|text| Pin::parse(text)).collect::<std::result::Result<Vec<_>, _>>()?;
        for head in storage::audit::list_heads(self.0.db()).await? {
            let slug = head.slug.clone().unwrap_or_else(|| "-".to_owned());
            let (own, others) = pins.into_iter().partition(|pin| pin.slug == slug);
            pins = others;
            reports.push(self.verify_chain(head, own).await?);
        }
        for pin in pins {
            let problems = vec!["the whole chain is gone".to_owned()];
            reports.push(ChainReport { slug: Some(pin.slug), lines: 0, head: String::new(), problems });
        }
        let headless = storage::audit::list_headless(self.0.db()).await?;
        for slug in headless.into_iter().filter(|slug| expected.iter().all(|pin| !pin.starts_with(&format!("{slug}:"))))
        {
            let problems = vec!["the whole chain is gone, its head too".to_owned()];
            reports.push(ChainReport { slug: Some(slug), lines: 0, head: String::new(), problems });
        }
        let strays = storage::audit::count_strays(self.0.db()).await?;
        if strays > 0 {
            let problems = vec![format!("{strays} lines stand in no chain: they were put in by another hand")];
            reports.push(ChainReport { slug: None, lines: strays, head: String::new(), problems });
        }
        Ok(reports)
    }

    async fn verify_chain(&self, head: Head, pins: Vec<Pin>) -> Result<ChainReport> {
        let mut walk = Walk { pins, ..Walk::default() };
        let is_longer = loop {
            let rows = storage::audit::list_chain(self.0.db(), head.tenant_id, walk.number, AT_ONCE).await?;
            // What was written since the head was read is the next walk's.
            for row in rows.iter().filter(|row| row.seq.is_some_and(|number| number <= head.seq)) {
                walk.step(row);
            }
            let is_longer = rows.iter().any(|row| row.seq > Some(head.seq));
            if is_longer || rows.len() < AT_ONCE as usize {
                break is_longer;
            }
        };
        walk.end(&head);
        // A head moves with its line, in one transaction: lines behind one that stands still are another hand's.
        if is_longer && storage::audit::find_head(self.0.db(), head.tenant_id).await? == Some(head.seq) {
            walk.problems
                .push(format!("there are lines behind line {}, where the chain's head says it ends", head.seq));
        }
        Ok(ChainReport { slug: head.slug, lines: head.seq, head: hex(&head.hash), problems: walk.problems })
    }
}

/// A filter without what no line can hold.
fn readable(query: &AuditQuery) -> AuditQuery {
    AuditQuery { actor: input::search(&query.actor), operation: input::search(&query.operation), ..query.clone() }
}

/// What is known of a line from elsewhere.
struct Pin {
    slug: String,
    number: i64,
    hash: String,
}

impl Pin {
    fn parse(text: &str) -> std::result::Result<Self, ApiError> {
        let mut parts = text.trim().split(':');
        let pin = (parts.next(), parts.next().and_then(|number| number.parse().ok()), parts.next(), parts.next());
        match pin {
            (Some(slug), Some(number), Some(hash), None) => {
                Ok(Self { slug: slug.to_owned(), number, hash: hash.to_lowercase() })
            }
            _ => Err(ApiError::field(
                "expect",
                "Give SLUG:NUMBER:HASH, as an earlier `latchkey audit verify` printed it.",
            )),
        }
    }
}

/// What a walk along a chain has seen.
#[derive(Default)]
struct Walk {
    number: i64,
    hash: Option<Vec<u8>>,
    problems: Vec<String>,
    pins: Vec<Pin>,
}

impl Walk {
    fn step(&mut self, row: &LineRow) {
        let number = row.seq.unwrap_or(0);
        let (previous, hash) = (row.previous.clone().unwrap_or_default(), row.hash.clone().unwrap_or_default());
        let expected = self.hash.clone().unwrap_or_else(|| vec![0; 32]);
        match number - self.number {
            1 if previous != expected => {
                self.problems.push(format!("line {number} doesn't follow the one before it"));
            }
            1 => {}
            2 => self.problems.push(format!("line {} is missing", number - 1)),
            _ => self.problems.push(format!("lines {} to {} are missing", self.number + 1, number - 1)),
        }
        if row.digest(&previous, number).as_slice() != hash.as_slice() {
            self.problems.push(format!("line {number} was changed"));
        }
        let text = hex(&hash);
        if self.pins.iter().any(|pin| pin.number == number && pin.hash != text) {
            self.problems.push(format!("line {number} isn't the one that was expected"));
        }
        self.pins.retain(|pin| pin.number != number);
        self.number = number;
        self.hash = Some(hash);
    }

    fn end(&mut self, head: &Head) {
        for pin in std::mem::take(&mut self.pins).into_iter().filter(|pin| pin.number > 0) {
            self.problems.push(format!("line {}, which was expected, is missing", pin.number));
        }
        if self.number != head.seq {
            self.problems.push(format!("the chain ends with line {}; its head says {}", self.number, head.seq));
        } else if head.seq > 0 && self.hash.as_deref() != Some(head.hash.as_slice()) {
            self.problems.push(format!("line {} isn't the one that the chain's head names", head.seq));
        }
    }
}

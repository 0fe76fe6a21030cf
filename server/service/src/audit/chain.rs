//! Verification of the audit log's hash chains, which reveal whether entries were changed.

use domain::ApiError;

use super::log::AuditLog;
use crate::{
    digest::hex,
    error::Result,
    storage::{
        self,
        audit::{EntryRow, Head},
    },
};

/// How many entries one query reads.
const AT_ONCE: u32 = 500;

/// The result of verifying one tenant's chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainReport {
    /// The tenant's slug; `None` for entries that belong to no tenant.
    pub slug: Option<String>,
    /// The number of entries in the chain.
    pub entries: i64,
    /// The hash of the last entry, in hexadecimal. Stored elsewhere, it proves later that no entry up to this one was
    /// changed.
    pub head: String,
    /// The problems found; empty if the chain is intact.
    pub problems: Vec<String>,
}

impl AuditLog<'_> {
    /// Verifies all chains. Finds entries that were changed, removed, inserted or moved, and a truncated end.
    /// `expected`: results of earlier verifications, each as `SLUG:NUMBER:HASH`; those entries must not have changed.
    ///
    /// # Errors
    /// A field error at `expect`; when the database fails.
    pub async fn verify(&self, expected: &[String]) -> Result<Vec<ChainReport>> {
        let mut reports = Vec::new();
        let mut pins = expected.iter().map(|text| Pin::parse(text)).collect::<std::result::Result<Vec<_>, _>>()?;
        for head in storage::audit::list_heads(self.audit.db()).await? {
            let slug = head.slug.clone().unwrap_or_else(|| "-".to_owned());
            let (own, others) = pins.into_iter().partition(|pin| pin.slug == slug);
            pins = others;
            reports.push(self.verify_chain(head, own).await?);
        }
        for pin in pins {
            let problems = vec!["the whole chain is missing".to_owned()];
            reports.push(ChainReport { slug: Some(pin.slug), entries: 0, head: String::new(), problems });
        }
        let headless = storage::audit::list_headless(self.audit.db()).await?;
        for slug in
            headless.into_iter().filter(|slug| expected.iter().all(|pin| !pin.trim().starts_with(&format!("{slug}:"))))
        {
            let problems = vec!["the whole chain is missing, including its head".to_owned()];
            reports.push(ChainReport { slug: Some(slug), entries: 0, head: String::new(), problems });
        }
        let strays = storage::audit::count_strays(self.audit.db()).await?;
        if strays > 0 {
            let problems = vec![format!("{strays} entries outside any chain: they were not written by Latchkey")];
            reports.push(ChainReport { slug: None, entries: strays, head: String::new(), problems });
        }
        Ok(reports)
    }

    pub(super) async fn verify_chain(&self, head: Head, pins: Vec<Pin>) -> Result<ChainReport> {
        let mut walk = Walk { pins, ..Walk::default() };
        let is_longer = loop {
            let rows = storage::audit::list_chain(self.audit.db(), head.tenant_id, walk.number, AT_ONCE).await?;
            // Entries written since the head was read are left to the next verification.
            for row in rows.iter().filter(|row| row.seq <= head.seq) {
                walk.step(row);
            }
            let is_longer = rows.iter().any(|row| row.seq > head.seq);
            if is_longer || rows.len() < AT_ONCE as usize {
                break is_longer;
            }
        };
        walk.end(&head);
        // A head changes in the same transaction as its entry, so entries after an unchanged head aren't Latchkey's.
        if is_longer && storage::audit::find_head(self.audit.db(), head.tenant_id).await? == Some(head.seq) {
            walk.problems
                .push(format!("there are entries after entry {}, where the chain's head says it ends", head.seq));
        }
        Ok(ChainReport { slug: head.slug, entries: head.seq, head: hex(&head.hash), problems: walk.problems })
    }
}

/// An entry's hash from an earlier verification.
pub(super) struct Pin {
    slug: String,
    number: i64,
    hash: String,
}

impl Pin {
    /// Accepts exactly what [`AuditLog::verify`] reports. A pin that could never fail would prove nothing.
    fn parse(text: &str) -> std::result::Result<Self, ApiError> {
        let parts: Vec<&str> = text.trim().split(':').collect();
        let pin = match parts[..] {
            [slug, number, hash] if is_slug(slug) && is_hash(hash) => Self::of(slug, number, hash),
            _ => None,
        };
        pin.ok_or_else(|| {
            let message = format!("“{text}” isn't a line of latchkey audit verify, which are SLUG:NUMBER:HASH.");
            ApiError::field("expect", message)
        })
    }

    fn of(slug: &str, number: &str, hash: &str) -> Option<Self> {
        let parsed: i64 = number.parse().ok()?;
        let is_canonical = parsed > 0 && parsed.to_string() == number;
        is_canonical.then(|| Self { slug: slug.to_owned(), number: parsed, hash: hash.to_lowercase() })
    }
}

/// Whether a pin's first part is a tenant's slug, or the hyphen of the chain without a tenant.
fn is_slug(text: &str) -> bool {
    text == "-" || domain::Slug::parse(text).is_ok_and(|slug| slug.as_str() == text)
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The state of verifying one chain.
#[derive(Default)]
struct Walk {
    number: i64,
    hash: Option<Vec<u8>>,
    problems: Vec<String>,
    pins: Vec<Pin>,
}

impl Walk {
    fn step(&mut self, row: &EntryRow) {
        let (number, hash) = (row.seq, row.hash.clone());
        let expected = self.hash.clone().unwrap_or_else(|| vec![0; 32]);
        match number - self.number {
            1 if row.previous_hash != expected => {
                self.problems.push(format!("entry {number} doesn't follow the one before it"));
            }
            1 => {}
            2 => self.problems.push(format!("entry {} is missing", number - 1)),
            _ => self.problems.push(format!("entries {} to {} are missing", self.number + 1, number - 1)),
        }
        if row.digest().as_slice() != hash.as_slice() {
            self.problems.push(format!("entry {number} was changed"));
        }
        let text = hex(&hash);
        if self.pins.iter().any(|pin| pin.number == number && pin.hash != text) {
            self.problems.push(format!("entry {number} isn't the expected one"));
        }
        self.pins.retain(|pin| pin.number != number);
        self.number = number;
        self.hash = Some(hash);
    }

    fn end(&mut self, head: &Head) {
        for pin in std::mem::take(&mut self.pins) {
            self.problems.push(format!("entry {}, which was expected, is missing", pin.number));
        }
        if self.number != head.seq {
            self.problems.push(format!("the chain ends with entry {}; its head says {}", self.number, head.seq));
        } else if head.seq > 0 && self.hash.as_deref() != Some(head.hash.as_slice()) {
            self.problems.push(format!("entry {} isn't the one named by the chain's head", head.seq));
        }
    }
}

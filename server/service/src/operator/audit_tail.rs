//! The latest entries of all chains, for the operator.

use std::collections::HashMap;

use domain::AuditEntry;
use uuid::Uuid;

use super::Admin;
use crate::{error::Result, storage};

/// How many entries of a chain are read at once.
const AT_ONCE: u32 = 1_000;

/// An entry, and the slug of its tenant, if it belongs to one.
#[derive(Clone, Debug)]
pub struct TailEntry {
    /// The slug of the tenant; `None` for a change that belongs to no tenant.
    pub tenant: Option<String>,
    /// The entry.
    pub entry: AuditEntry,
}

/// How far the chains have been read.
#[derive(Clone, Debug)]
pub struct AuditTail {
    /// The only tenant whose entries are read.
    tenant: Option<String>,
    /// How many of the entries that exist at the beginning are returned; `None` after the first read.
    last: Option<u32>,
    /// The number of the last entry that was read, by chain.
    read: HashMap<Uuid, i64>,
}

impl Admin<'_> {
    /// Starts to read entries of the audit log: the `last` ones of all tenants, or of the one with this slug.
    ///
    /// # Errors
    /// `NOT_FOUND` for the tenant.
    pub async fn tail_audit_log(&self, tenant: Option<&str>, last: u32) -> Result<AuditTail> {
        let tenant = match tenant {
            Some(slug) => Some(self.tenant(slug).await?.slug.as_str().to_owned()),
            None => None,
        };
        Ok(AuditTail { tenant, last: Some(last), read: HashMap::new() })
    }

    /// Returns the entries that were added since the last call, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn next_audit_entries(&self, tail: &mut AuditTail) -> Result<Vec<TailEntry>> {
        let last = tail.last.take();
        let mut entries = Vec::new();
        for head in storage::audit::list_heads(self.context.db()).await? {
            if tail.tenant.is_some() && head.slug != tail.tenant {
                continue;
            }
            // A chain that is new since the first call is read from its beginning.
            let begin = last.map_or(0, |last| (head.seq - i64::from(last)).max(0));
            let after = tail.read.entry(head.tenant_id).or_insert(begin);
            while *after < head.seq {
                let rows = storage::audit::list_chain(self.context.db(), head.tenant_id, *after, AT_ONCE).await?;
                let Some(newest) = rows.last() else { break };
                *after = newest.seq;
                let entry = |row| TailEntry { tenant: head.slug.clone(), entry: AuditEntry::from(row) };
                entries.extend(rows.into_iter().map(entry));
            }
        }
        entries.sort_by_key(|entry| entry.entry.at);
        let surplus = last.map_or(0, |last| entries.len().saturating_sub(usize::try_from(last).unwrap_or(usize::MAX)));
        Ok(entries.split_off(surplus))
    }
}

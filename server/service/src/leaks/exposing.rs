//! Marks a key as exposed, and stops it if the tenant's key policy says so.

use chrono::{DateTime, Utc};
use domain::{
    ApiError, ApiKey, Exposure, ExposureResponse, KeyState, Operation, TenantId, api_key::policy::exposure_response,
    audit::Outcome,
};

use crate::{
    access::{Client, WritePermit},
    context::Context,
    error::Result,
    storage::{self, Tx, audit::Entry, db::retry, exposures::Found},
};

/// The code of the audit entry about an exposure. It isn't an operation, because no actor is authorized for it: whoever
/// has the token can report it.
const EXPOSED: &str = "expose_api_key";
/// Why an exposed key was revoked.
const REASON: &str = "exposed";

/// A key that was just marked as exposed.
#[derive(Clone, Debug)]
pub(crate) struct Exposed {
    /// The key after the change.
    pub(crate) key: ApiKey,
    /// What was done to it; `None` if it didn't work anyway.
    pub(crate) response: Option<ExposureResponse>,
}

/// Who reports that a token was found, and where.
#[derive(Clone, Debug)]
pub(crate) struct Report<'a> {
    pub(crate) exposure: Exposure,
    /// How the reporter is known, for the audit log.
    pub(crate) reporter: &'a str,
    pub(crate) client: &'a Client,
}

/// Marks a key as exposed and responds to that, in one transaction. Returns `None` if it already was: a repeated report
/// changes nothing, so that a key that was resumed isn't suspended again by whoever has the token.
pub(crate) async fn expose(context: &Context, found: &Found, report: &Report<'_>) -> Result<Option<Exposed>> {
    let permit = WritePermit::of_key(found.tenant_id, found.owner(), Operation::SuspendApiKey);
    retry!(context.db(), for found.tenant_id, tx => {
        // As every change of several rows, so that none of them deadlock.
        storage::tenants::lock_tenant(tx, found.tenant_id).await?;
        if !storage::exposures::record(tx, &permit, found.key_id, &report.exposure).await? {
            return Ok(None);
        }
        let key = storage::keys::find_in(tx, &permit, found.key_id).await?.ok_or_else(ApiError::not_found)?;
        let mut entries = vec![exposed_entry(&key, report)];
        let response = respond(tx, &permit, &key, report, &mut entries).await?;
        for entry in &entries {
            storage::audit::insert(tx, entry).await?;
        }
        let key = storage::keys::find_in(tx, &permit, found.key_id).await?.ok_or_else(ApiError::not_found)?;
        Ok(Some(Exposed { key, response }))
    })
}

/// Does what the tenant's key policy says. Returns what was done; `None` for a key that had already ended.
async fn respond(
    tx: &mut Tx,
    permit: &WritePermit,
    key: &ApiKey,
    report: &Report<'_>,
    entries: &mut Vec<Entry>,
) -> Result<Option<ExposureResponse>> {
    let now = report.exposure.at;
    if has_ended(key, now) {
        return Ok(None);
    }
    let policies = storage::key_policies::list_in(tx, key.tenant_id, now).await?;
    let response = exposure_response(&policies, now);
    match response {
        ExposureResponse::Suspend => {
            if storage::exposures::suspend(tx, permit, key.id, now).await? {
                entries.push(entry(key, Operation::SuspendApiKey.as_str(), report).with(REASON));
            }
        }
        ExposureResponse::Revoke => {
            if storage::keys::revoke(tx, permit, key.id, now, "Latchkey", REASON).await? {
                entries.push(entry(key, Operation::RevokeApiKey.as_str(), report).with(REASON));
                let closed = storage::invitations::close_of_key(tx, key.tenant_id, key.id, now).await?;
                entries.extend(closed.into_iter().map(|one| {
                    Entry {
                        subject_kind: "invitation",
                        subject_id: Some(one.id),
                        subject_name: one.email.as_str().to_owned(),
                        ..entry(key, Operation::CancelInvitation.as_str(), report)
                            .with(format!("along with the key {}…, which created it", key.hint))
                    }
                }));
            }
        }
        ExposureResponse::Notify => {}
    }
    Ok(Some(response))
}

/// Whether nothing can make the key work again.
fn has_ended(key: &ApiKey, now: DateTime<Utc>) -> bool {
    matches!(key.state(now), KeyState::Revoked { .. } | KeyState::Expired { .. })
}

fn exposed_entry(key: &ApiKey, report: &Report<'_>) -> Entry {
    let source = report.exposure.source_text().unwrap_or_else(|| "unknown source".to_owned());
    let url = report.exposure.url.as_deref().unwrap_or_default();
    entry(key, EXPOSED, report).with(report.reporter).with(source).with(url)
}

/// Creates an entry about the key. The service acts, on a request of the reporter's client.
fn entry(key: &ApiKey, operation: &'static str, report: &Report<'_>) -> Entry {
    let TenantId(tenant) = key.tenant_id;
    Entry {
        at: report.exposure.at,
        tenant_id: Some(tenant),
        operation,
        outcome: Outcome::Done,
        actor_kind: "service",
        actor_id: None,
        actor_name: "Latchkey".to_owned(),
        key_id: None,
        client: report.client.clone(),
        subject_kind: "api_key",
        subject_id: Some(key.id.0),
        subject_name: key.name.as_str().to_owned(),
        detail: String::new(),
    }
}

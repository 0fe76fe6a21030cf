//! What a browser shows to a gateway, whose host gets none of Latchkey's cookies: a pass, which is worth as much as the
//! session in which it was issued. It is handed over by a code in an address, which can be used once, within a minute, and
//! only by the browser that asked for it.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{ApiError, Secret, TenantId};

use crate::{
    access::Actor,
    context::Context,
    digest::sha256,
    error::Result,
    random,
    storage::{self, db::retry, gateway_passes::Visitor},
};

/// How long a code can be used.
const CODE_WITHIN: TimeDelta = TimeDelta::seconds(60);
/// How long a pass is kept. A session is never older.
const KEPT_FOR: TimeDelta = TimeDelta::hours(24);
/// A session ends after this time without a request, and this long after sign-in, as in the dashboard.
const IDLE: TimeDelta = TimeDelta::minutes(60);
/// How often a session is extended by requests to a gateway.
const EXTEND_EVERY: TimeDelta = TimeDelta::minutes(1);
/// How many characters a code, a pass or a browser's state has.
const SECRET_CHARS: usize = 43;

/// Use cases of passes.
pub struct GatewayPasses<'a> {
    pub(crate) context: &'a Context,
}

impl GatewayPasses<'_> {
    /// Draws a state: the secret by which a gateway recognizes the browser that asked for a code.
    pub fn draw_state() -> Secret {
        random::draw_link_secret()
    }

    /// Issues a code to a person who has signed in, for the browser with a state, of which `state` is the SHA-256.
    ///
    /// # Errors
    /// `FORBIDDEN` for somebody who isn't a member of the gateway's tenant; `UNAUTHENTICATED` without a session.
    pub async fn issue(&self, actor: &Actor, tenant: TenantId, gateway: &str, state: [u8; 32]) -> Result<Secret> {
        let (Some(user), Some(session)) = (actor.user_id(), actor.session_id()) else {
            return Err(ApiError::unauthenticated().into());
        };
        let memberships = storage::users::list_membership_roles(self.context.db(), user).await?;
        if !memberships.iter().any(|membership| membership.tenant_id == tenant) {
            let message =
                "You aren't a member of the tenant that this software belongs to. Ask an administrator of it.";
            return Err(ApiError::forbidden(message).into());
        }
        let code = random::draw_link_secret();
        let expires_at = self.context.now() + CODE_WITHIN;
        let pass = storage::gateway_passes::Pass { digest: digest(&code), user, session, expires_at };
        retry!(self.context.db(), tx => {
            storage::gateway_passes::insert(tx, gateway, &pass, Some(state)).await
        })?;
        Ok(code)
    }

    /// Exchanges a code for a pass. `None` if it was used, is too old, or belongs to another gateway or browser.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn exchange(&self, code: &str, gateway: &str, state: &str) -> Result<Option<Secret>> {
        if !is_secret(code) || !is_secret(state) {
            return Ok(None);
        }
        let (code, state) = (sha256(code.as_bytes()), sha256(state.as_bytes()));
        let secret = random::draw_link_secret();
        let now = self.context.now();
        let is_issued = retry!(self.context.db(), tx => {
            match storage::gateway_passes::take_code(tx, gateway, &code, &state, now).await? {
                Some((user, session)) => {
                    let expires_at = now + KEPT_FOR;
                    let pass = storage::gateway_passes::Pass { digest: digest(&secret), user, session, expires_at };
                    storage::gateway_passes::insert(tx, gateway, &pass, None).await?;
                    Ok(true)
                }
                None => Ok(false),
            }
        })?;
        Ok(is_issued.then_some(secret))
    }

    /// Returns the person who has a pass for a gateway, if their session hasn't ended and they are still a member of its
    /// tenant. `extends`: whether this is a request of theirs, which extends the session.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find(&self, pass: &str, gateway: &str, tenant: TenantId, extends: bool) -> Result<Option<Visitor>> {
        if !is_secret(pass) {
            return Ok(None);
        }
        let now = self.context.now();
        let digest = sha256(pass.as_bytes());
        let Some(found) = storage::gateway_passes::find(self.context.db(), &digest, gateway, tenant, now).await? else {
            return Ok(None);
        };
        let age = now - found.signed_in_at;
        if age >= KEPT_FOR || age < -EXTEND_EVERY * 5 {
            return Ok(None);
        }
        if extends && now - found.seen_at >= EXTEND_EVERY {
            self.extend(&found, now);
        }
        Ok(Some(found.visitor))
    }

    /// Extends a session in the background, so that no request waits for the database's writer.
    fn extend(&self, found: &storage::gateway_passes::Found, now: DateTime<Utc>) {
        let (context, session, user) = (self.context.clone(), found.visitor.session, found.visitor.user_id);
        tokio::spawn(async move {
            let extended = storage::gateway_passes::extend(context.db(), user, session, now, now + IDLE).await;
            if let Err(error) = extended {
                tracing::debug!(%error, "a session could not be extended; a later request tries again");
            }
        });
    }
}

fn digest(secret: &Secret) -> [u8; 32] {
    sha256(secret.expose().as_bytes())
}

fn is_secret(text: &str) -> bool {
    text.len() == SECRET_CHARS && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

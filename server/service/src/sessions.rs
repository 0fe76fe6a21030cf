//! Signing in, and the rows behind the browser's sessions.

use chrono::{DateTime, Utc};
use domain::{ApiError, Email, ErrorCode, Secret, TenantId, UserId};

use crate::{Result, Services, actor::Client, storage};

/// Who has signed in, and where they stand first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// The person.
    pub user_id: UserId,
    /// Their first tenant.
    pub tenant_id: TenantId,
}

/// A session's row. What is in `data` is the session layer's business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSession {
    /// JSON.
    pub data: String,
    /// Whose it is, once signed in.
    pub user_id: Option<UserId>,
    /// When it ends by itself.
    pub expires_at: DateTime<Utc>,
}

/// Use cases of signing in.
pub struct Sessions<'a>(pub(crate) &'a Services);

impl Sessions<'_> {
    /// Checks an address and a password. Unknown addresses take as long and answer alike.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`, always in the same words; `RATE_LIMITED` after ten failures in five minutes for the account
    /// or the network address, or when too many are signing in at once.
    pub async fn sign_in(&self, email: &str, password: &Secret, client: &Client) -> Result<SignedIn> {
        let now = self.0.now();
        let mut names = vec![format!("account {}", email.trim().to_lowercase())];
        names.extend(client.address.as_ref().map(|address| format!("address {address}")));
        self.0.attempts().take(&names, now)?;
        let found = match Email::parse(email) {
            Ok(email) => storage::users::find_by_email(self.0.db(), &email).await?,
            Err(_) => None,
        };
        let (user, hash) = found.map(|found| (found.user, found.password_hash)).unzip();
        let equal = self.0.hasher().verify(password.clone(), hash).await;
        let good = match equal {
            Ok(equal) => equal,
            Err(error) => {
                self.0.attempts().give_back(&names, now);
                return Err(error);
            }
        };
        let (Some(user), true) = (user, good) else { return Err(refusal().into()) };
        self.0.attempts().give_back(&names, now);
        let standings = storage::users::list_standings(self.0.db(), user.id).await?;
        let Some(first) = standings.first() else {
            let message = "You belong to no tenant any more. Ask an administrator to invite you.";
            return Err(ApiError::new(ErrorCode::Forbidden, message).into());
        };
        Ok(SignedIn { user_id: user.id, tenant_id: first.tenant_id })
    }

    /// The row of a session that isn't over. `digest`: SHA-256 of the cookie's secret.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn load(&self, digest: &[u8; 32]) -> Result<Option<StoredSession>> {
        storage::sessions::find(self.0.db(), digest, storage::micros(self.0.now())).await
    }

    /// Adds or replaces a row.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn save(&self, digest: &[u8; 32], session: &StoredSession) -> Result<()> {
        storage::sessions::save(self.0.db(), *digest, session.clone()).await
    }

    /// Removes a row.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete(&self, digest: &[u8; 32]) -> Result<()> {
        storage::sessions::delete(self.0.db(), *digest).await
    }
}

fn refusal() -> ApiError {
    ApiError::new(ErrorCode::Unauthenticated, "The e-mail address or the password is not right.")
}

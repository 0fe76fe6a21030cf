//! Signing in, and the rows behind the browser's sessions.

use chrono::{DateTime, Utc};
use domain::{ApiError, Email, ErrorCode, Outcome, Secret, SessionId, TenantId, User, UserId};
use uuid::Uuid;

use crate::{
    Error, Result, Services,
    actor::Client,
    storage::{self, audit::Entry},
    token,
};

/// By which password somebody signed in: the first half of the SHA-256 of its stored hash.
pub type PasswordMark = [u8; 16];

/// The mark of a password, by its stored hash.
pub(crate) fn mark_of(password_hash: &str) -> PasswordMark {
    let digest = token::sha256(password_hash.as_bytes());
    std::array::from_fn(|at| digest[at])
}

/// Who has signed in, and where they stand first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// The person.
    pub user_id: UserId,
    /// Their first tenant.
    pub tenant_id: TenantId,
    /// Whether a code of the second factor is still to be given, see [`Sessions::check_code`].
    pub needs_code: bool,
    /// The password, see [`StoredSession::begun_by`].
    pub password: PasswordMark,
}

/// What a person may see of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionFacts {
    /// Its id.
    pub id: SessionId,
    /// When the person signed in.
    pub signed_in_at: DateTime<Utc>,
    /// When it was last used.
    pub seen_at: DateTime<Utc>,
    /// From where.
    pub address: Option<String>,
    /// With which browser.
    pub user_agent: Option<String>,
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
    /// What its owner may see of it, once signed in.
    pub facts: Option<SessionFacts>,
    /// For a new one: the password that it begins by. When it was changed meanwhile, no session begins.
    pub begun_by: Option<PasswordMark>,
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
        let (user, mark) = self.recognise(email, password, client).await?;
        let standings = storage::users::list_standings(self.0.db(), user.id).await?;
        let Some(first) = standings.first() else {
            let message = "You belong to no tenant any more. Ask an administrator to invite you.";
            return Err(ApiError::new(ErrorCode::Forbidden, message).into());
        };
        let needs_code = self.0.second_factors().is_enabled(user.id).await?;
        if !needs_code {
            self.note(&user, client, Outcome::Done).await?;
        }
        Ok(SignedIn { user_id: user.id, tenant_id: first.tenant_id, needs_code, password: mark })
    }

    /// The person behind an address and a password, and that password's mark.
    ///
    /// # Errors
    /// As [`Sessions::sign_in`].
    pub(crate) async fn recognise(
        &self,
        email: &str,
        password: &Secret,
        client: &Client,
    ) -> Result<(User, PasswordMark)> {
        let mut names = vec![format!("account {}", email.trim().to_lowercase())];
        names.extend(client.address.as_ref().map(|address| format!("address {address}")));
        let attempt = self.0.take_attempt(&names).await?;
        let found = match Email::parse(email) {
            Ok(email) => storage::users::find_by_email(self.0.db(), &email).await?,
            Err(_) => None,
        };
        let (user, hash) = found.map(|found| (found.user, found.password_hash)).unzip();
        let mark = hash.as_deref().map(mark_of).unwrap_or_default();
        let equal = self.0.hasher().verify(password.clone(), hash).await;
        let good = match equal {
            Ok(equal) => equal,
            Err(error) => {
                self.0.give_back(attempt).await?;
                return Err(error);
            }
        };
        let (Some(user), true) = (user.clone(), good) else {
            // The same reads for an address that nobody has, and the line beside the request: who asks shall not tell by the
            // time whether there is such a person.
            let of = user.as_ref().map_or(UserId(Uuid::nil()), |user| user.id);
            let first = self.first_tenant(of).await?;
            if let (Some(user), Some(tenant)) = (user, first) {
                self.0.owe(self.entry(&user, tenant, client, Outcome::Refused));
            }
            return Err(refusal().into());
        };
        self.0.give_back(attempt).await?;
        Ok((user, mark))
    }

    /// The second step of signing in: a code of the app, or a recovery code.
    ///
    /// # Errors
    /// A field error at `code`; `RATE_LIMITED` after ten wrong ones in five minutes.
    pub async fn check_code(&self, signed_in: SignedIn, code: &str, client: &Client) -> Result<SignedIn> {
        let user = storage::users::find(self.0.db(), signed_in.user_id).await?.ok_or_else(ApiError::unauthenticated)?;
        let checked = self.0.second_factors().check(user.id, code).await;
        let outcome = if checked.is_ok() { Outcome::Done } else { Outcome::Refused };
        // What is refused unseen has its line already: that of the tenth wrong code.
        if !checked.as_ref().is_err_and(Error::is_rate_limit) {
            self.note(&user, client, outcome).await?;
        }
        checked.map(|()| SignedIn { needs_code: false, ..signed_in })
    }

    /// A line in the audit log of the person's first tenant: who belongs to none has no log to stand in.
    async fn note(&self, user: &User, client: &Client, outcome: Outcome) -> Result<()> {
        let Some(tenant) = self.first_tenant(user.id).await? else { return Ok(()) };
        self.0.note(self.entry(user, tenant, client, outcome)).await
    }

    async fn first_tenant(&self, user: UserId) -> Result<Option<TenantId>> {
        let standings = storage::users::list_standings(self.0.db(), user).await?;
        Ok(standings.first().map(|first| first.tenant_id))
    }

    fn entry(&self, user: &User, tenant: TenantId, client: &Client, outcome: Outcome) -> Entry {
        Entry {
            at: self.0.now(),
            tenant_id: Some(tenant.0),
            operation: "sign_in",
            outcome,
            actor_kind: "user",
            actor_id: Some(user.id.0),
            actor_name: user.name.as_str().to_owned(),
            key_id: None,
            client: client.clone(),
            subject_kind: "user",
            subject_id: Some(user.id.0),
            subject_name: user.name.as_str().to_owned(),
            detail: String::new(),
        }
    }

    /// The row of a session that isn't over. `digest`: SHA-256 of the cookie's secret.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn load(&self, digest: &[u8; 32]) -> Result<Option<StoredSession>> {
        storage::sessions::find(self.0.db(), digest, storage::micros(self.0.now())).await
    }

    /// Adds a row, unless the password that it begins by isn't the person's any more: a changed password ends what it began,
    /// even what was only about to begin.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn create(&self, digest: &[u8; 32], session: &StoredSession) -> Result<()> {
        storage::sessions::insert(self.0.db(), *digest, session.clone()).await
    }

    /// Changes a row; one that was removed meanwhile stays so.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn save(&self, digest: &[u8; 32], session: &StoredSession) -> Result<()> {
        storage::sessions::update(self.0.db(), *digest, session.clone()).await
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

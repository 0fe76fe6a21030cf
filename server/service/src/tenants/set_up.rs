//! Initial setup: the first tenant and its administrator, through a link that works once.

use std::sync::{Mutex, PoisonError};

use domain::{ApiError, Role, Secret, Slug, Tenant, User};
use subtle::ConstantTimeEq;

use super::tenant::new_tenant;
use crate::{
    access::Client,
    context::Context,
    digest::sha256,
    error::Result,
    input,
    people::{passwords::Hasher, sign_in::SignedIn, users::new_user},
    random,
    storage::{self, Tx, audit::Entry, db::retry, sessions::mark_of},
    text,
};

/// The input of the setup page.
#[derive(Clone, Debug)]
pub struct SetUpInput {
    /// The tenant's name.
    pub tenant_name: String,
    /// The tenant's slug; if empty, one is made from the name.
    pub slug: String,
    /// The administrator's name.
    pub name: String,
    /// The administrator's email address.
    pub email: String,
    /// The administrator's password.
    pub password: Secret,
}

/// The digest of the secret in the setup link; `None` while setup isn't possible.
#[derive(Debug, Default)]
pub(crate) struct Link(Mutex<Option<[u8; 32]>>);

impl Link {
    fn set(&self, digest: Option<[u8; 32]>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = digest;
    }

    fn opens(&self, secret: &str) -> bool {
        let digest = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        digest.is_some_and(|digest| bool::from(digest.ct_eq(&sha256(secret.as_bytes()))))
    }
}

/// Use cases of the initial setup.
pub struct SetUp<'a> {
    pub(crate) context: &'a Context,
    pub(crate) hasher: &'a Hasher,
    pub(crate) link: &'a Link,
}

impl SetUp<'_> {
    /// Whether there is no tenant yet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_needed(&self) -> Result<bool> {
        Ok(!storage::tenants::is_any(self.context.db()).await?)
    }

    /// Generates the secret of the setup link, which the server prints when it starts. The previous link stops working.
    pub fn issue_token(&self) -> Secret {
        let secret = random::draw_link_secret();
        self.link.set(Some(sha256(secret.expose().as_bytes())));
        secret
    }

    /// Whether `secret` is that of the current setup link.
    pub fn is_token(&self, secret: &str) -> bool {
        self.link.opens(secret)
    }

    /// Creates the first tenant and its administrator. The link stops working.
    ///
    /// # Errors
    /// `NOT_FOUND` for an invalid or used link; `BAD_USER_INPUT` with the fields of [`SetUpInput`].
    #[tracing::instrument(skip_all)]
    pub async fn complete(&self, secret: &str, input: &SetUpInput) -> Result<SignedIn> {
        if !self.is_token(secret) {
            return Err(ApiError::not_found().into());
        }
        let (tenant, user) = self.check(input).await?;
        let hash = self.hasher.hash(input.password.clone()).await?;
        let password = mark_of(&hash);
        let done = SignedIn { user_id: user.id, tenant_id: tenant.id, needs_code: false, has_code: false, password };
        retry!(self.context.db(), tx => {
            insert(tx, &tenant, &user, &hash).await
        })?;
        self.link.set(None);
        Ok(done)
    }

    async fn check(&self, input: &SetUpInput) -> Result<(Tenant, User)> {
        let mut wrong = input::Fields::default();
        let tenant_name = wrong.take("tenant_name", input::name(&input.tenant_name));
        let slug = wrong.take("slug", Slug::chosen(&input.slug, &text::compose(&input.tenant_name)));
        let name = wrong.take("name", input::name(&input.name));
        let email = wrong.take("email", input::email(&input.email));
        let related = [input.email.as_str(), input.name.as_str(), input.tenant_name.as_str(), input.slug.as_str()];
        let good = wrong.take("password", self.hasher.check_new(&input.password, &related).await?);
        let (Some(tenant_name), Some(slug), Some(name), Some(email), Some(())) = (tenant_name, slug, name, email, good)
        else {
            return Err(wrong.into_error().into());
        };
        let now = self.context.now();
        Ok((new_tenant(now, tenant_name, slug), new_user(now, email, name)))
    }
}

async fn insert(tx: &mut Tx, tenant: &Tenant, user: &User, hash: &str) -> Result<()> {
    if storage::tenants::is_any_in(tx).await? {
        return Err(ApiError::not_found().into());
    }
    storage::tenants::insert(tx, tenant).await?;
    storage::users::insert(tx, user, hash).await?;
    storage::tenants::insert_member(tx, tenant.id, user.id, Role::TenantAdmin, storage::micros(user.created_at))
        .await?;
    let entry = Entry {
        at: tenant.created_at,
        tenant_id: Some(tenant.id.0),
        operation: "set_up",
        outcome: domain::audit::Outcome::Done,
        actor_kind: "user",
        actor_id: Some(user.id.0),
        actor_name: user.name.as_str().to_owned(),
        key_id: None,
        client: Client { channel: domain::audit::Channel::Browser, ..Client::command_line() },
        subject_kind: "tenant",
        subject_id: Some(tenant.id.0),
        subject_name: tenant.name.as_str().to_owned(),
        detail: String::new(),
    };
    storage::audit::insert(tx, &entry).await
}

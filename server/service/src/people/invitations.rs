//! Use cases of invitations: a user joins a tenant through a link that works once.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{ApiError, ErrorCode, Invitation, InvitationId, Operation, Role, Secret, User, audit::Outcome};

use super::{
    passwords::Hasher,
    second_factor::SecondFactors,
    sign_in::{Sessions, SignedIn},
    throttle::Throttle,
    users::new_user,
};
use crate::{
    access::{Actor, Client, ReadPermit, Target, inviter_may_still_invite},
    context::Context,
    digest::sha256,
    error::{Error, Result},
    input, random,
    storage::{self, Tx, audit::Entry, db::retry, invitations::NewInvitation, sessions::mark_of},
};

/// How long an invitation's link works.
pub const OPEN_FOR: TimeDelta = TimeDelta::hours(72);

/// A new invitation with the secret of its link, which is only available now.
#[derive(Clone, Debug)]
pub struct IssuedInvitation {
    /// The invitation.
    pub invitation: Invitation,
    /// The last part of the link's path.
    pub secret: Secret,
    /// Whether the link is also being sent by email.
    pub is_mailed: bool,
}

/// The input of someone who accepts an invitation without being signed in, with a new or an existing account.
#[derive(Clone, Debug)]
pub struct AcceptSignedOut<'a> {
    /// The name of a new account; ignored for an existing one.
    pub name: &'a str,
    /// The password of the existing account, or a new one.
    pub password: Secret,
    /// The two-factor code, if the existing account has two-factor authentication.
    pub code: &'a str,
}

/// Use cases of invitations.
pub struct Invitations<'a> {
    pub(crate) context: &'a Context,
    pub(crate) hasher: &'a Hasher,
    pub(crate) throttle: &'a Throttle,
}

impl Invitations<'_> {
    /// Invites an email address. Cancels an earlier invitation for the same address. Sends the link if mail is
    /// configured.
    ///
    /// # Errors
    /// Field errors at `email`, `role`; `CONFIRMATION_REQUIRED`; `FORBIDDEN`.
    #[tracing::instrument(skip_all)]
    pub async fn invite(&self, actor: &Actor, email: &str, role: Role) -> Result<IssuedInvitation> {
        let permit =
            self.context.permit_write(actor, Operation::InviteMember, Target::Tenant(actor.tenant_id())).await?;
        let email = input::email(email).map_err(|error| ApiError::field("email", error.to_string()))?;
        if storage::tenants::has_member(self.context.db(), &permit, &email).await? {
            return Err(ApiError::field("email", "This person is already a member of this tenant.").into());
        }
        let tenant = storage::tenants::find(self.context.db(), &permit).await?.ok_or_else(ApiError::not_found)?;
        let (secret, now) = (random::draw_link_secret(), self.context.now());
        let new = NewInvitation {
            id: InvitationId(random::new_id(now)),
            email: email.clone(),
            role,
            digest: sha256(secret.expose().as_bytes()),
            created_at: now,
            created_by: actor.name().to_owned(),
            created_by_id: actor.id(),
            created_by_key: actor.key_id(),
            created_by_session: actor.session_id(),
            expires_at: now + OPEN_FOR,
        };
        let invitation = Invitation {
            id: new.id,
            tenant_id: tenant.id,
            tenant_name: tenant.name,
            email,
            role,
            created_at: now,
            created_by: new.created_by.clone(),
            created_by_key: new.created_by_key,
            expires_at: new.expires_at,
            is_paused: false,
        };
        let entry = Entry::by(actor, Operation::InviteMember, now, ("invitation", new.id.0, invitation.email.as_str()))
            .with(format!("role {}", role.label()));
        retry!(self.context.db(), tx => {
            storage::tenants::lock_tenant(tx, permit.tenant_id()).await?;
            // A key that is being revoked, or a session that is being ended, creates no invitation that would outlive it.
            if let Some(key) = new.created_by_key
                && !storage::keys::lock(tx, key).await?
            {
                return Err(ApiError::unauthenticated().into());
            }
            if let (Some(user), Some(session)) = (actor.user_id(), new.created_by_session)
                && !storage::sessions::lock(tx, user, session).await?
            {
                return Err(ApiError::unauthenticated().into());
            }
            storage::invitations::insert(tx, &permit, &new).await?;
            storage::audit::insert(tx, &entry).await
        })?;
        let is_mailed = self.context.mail().invite(&invitation, &secret, now).await;
        Ok(IssuedInvitation { invitation, secret, is_mailed })
    }

    /// Lists the tenant's open invitations, newest first.
    ///
    /// # Errors
    /// `FORBIDDEN`.
    pub async fn list(&self, actor: &Actor) -> Result<Vec<Invitation>> {
        let permit = self.context.permit(actor, Operation::ListInvitations, Target::Tenant(actor.tenant_id())).await?;
        self.open(&permit).await
    }

    async fn open(&self, permit: &ReadPermit) -> Result<Vec<Invitation>> {
        let open = storage::invitations::list(self.context.db(), permit, self.context.now()).await?;
        let seen = |(invitation, inviter)| Invitation { is_paused: !inviter_may_still_invite(inviter), ..invitation };
        Ok(open.into_iter().map(seen).collect())
    }

    /// Cancels an invitation. Its link stops working.
    ///
    /// # Errors
    /// `NOT_FOUND` if it isn't open, or belongs to another tenant; `FORBIDDEN`.
    #[tracing::instrument(skip_all, fields(invitation.id = %id))]
    pub async fn cancel(&self, actor: &Actor, id: InvitationId) -> Result<()> {
        let permit =
            self.context.permit_write(actor, Operation::CancelInvitation, Target::Tenant(actor.tenant_id())).await?;
        let open = self.open(&permit).await?;
        let invitation = open.into_iter().find(|one| one.id == id).ok_or_else(ApiError::not_found)?;
        let (now, tenant) = (self.context.now(), permit.tenant_id());
        let subject = ("invitation", id.0, invitation.email.as_str());
        let entry = Entry::by(actor, Operation::CancelInvitation, now, subject);
        retry!(self.context.db(), tx => {
            if !storage::invitations::close(tx, tenant, id, now).await? {
                return Err(ApiError::not_found().into());
            }
            storage::audit::insert(tx, &entry).await
        })
    }

    /// Returns the open invitation of a link, and whether its address already has an account. For anyone with the link.
    ///
    /// # Errors
    /// `NOT_FOUND` for an invalid, used, cancelled or expired link, and while the inviter isn't an administrator.
    pub async fn find(&self, secret: &str) -> Result<(Invitation, bool)> {
        let digest = sha256(secret.as_bytes());
        let invitation = storage::invitations::find_by_digest(self.context.db(), &digest, self.context.now()).await?;
        let invitation =
            invitation.filter(|(_, inviter)| inviter_may_still_invite(*inviter)).map(|(invitation, _)| invitation);
        let invitation = invitation.ok_or_else(gone)?;
        let has_account = storage::users::find_by_email(self.context.db(), &invitation.email).await?.is_some();
        Ok((invitation, has_account))
    }

    /// Accepts an invitation as the actor, with a session or a key. Returns the accepted invitation.
    ///
    /// # Errors
    /// `NOT_FOUND` for a link that no longer works; `FORBIDDEN` for a service account, and for a user with another
    /// address than the invited one; a field error at `email` for a user who is already a member.
    #[tracing::instrument(skip_all)]
    pub async fn accept(&self, actor: &Actor, secret: &str) -> Result<Invitation> {
        self.context.permit_write(actor, Operation::AcceptInvitation, Target::Tenant(actor.tenant_id())).await?;
        let (invitation, _) = self.find(secret).await?;
        let user = actor.user_id().ok_or_else(ApiError::unauthenticated)?;
        let user = storage::users::find(self.context.db(), user).await?.ok_or_else(ApiError::unauthenticated)?;
        if user.email != invitation.email {
            let message = format!("This invitation is for {}. Sign in with that address.", invitation.email.as_str());
            return Err(ApiError::forbidden(message).into());
        }
        let now = self.context.now();
        let entry = Entry { key_id: actor.key_id().map(|id| id.0), ..entry(&invitation, &user, actor.client(), now) };
        retry!(self.context.db(), tx => {
            join(tx, &invitation, &user, now, &entry).await
        })?;
        Ok(invitation)
    }

    /// Accepts an invitation without a session: with an existing account that has no tenant and so can't sign in, or
    /// with a new account. Returns the accepted invitation too.
    ///
    /// # Errors
    /// `NOT_FOUND` for a link that no longer works; `CONFLICT` for an address with an account that has a tenant; field
    /// errors at `name`, `password`, `code`; `RATE_LIMITED`.
    #[tracing::instrument(skip_all)]
    pub async fn accept_signed_out(
        &self,
        secret: &str,
        typed: &AcceptSignedOut<'_>,
        client: &Client,
    ) -> Result<(SignedIn, Invitation)> {
        let (invitation, has_account) = self.find(secret).await?;
        let signed_in = if self.has_no_tenant(&invitation).await? {
            self.accept_by_password(&invitation, typed, client).await?
        } else if has_account {
            let message = "This address already has an account. Sign in, then open the link again.";
            return Err(ApiError::new(ErrorCode::Conflict, message).into());
        } else {
            self.accept_as_new(&invitation, typed, client).await?
        };
        Ok((signed_in, invitation))
    }

    fn second_factors(&self) -> SecondFactors<'_> {
        SecondFactors { context: self.context, throttle: self.throttle }
    }

    fn sessions(&self) -> Sessions<'_> {
        Sessions { context: self.context, hasher: self.hasher, throttle: self.throttle }
    }

    async fn accept_as_new(
        &self,
        invitation: &Invitation,
        typed: &AcceptSignedOut<'_>,
        client: &Client,
    ) -> Result<SignedIn> {
        let AcceptSignedOut { name, password, .. } = typed;
        let mut wrong = input::Fields::default();
        let parsed = wrong.take("name", input::name(name));
        let related = [invitation.email.as_str(), name, invitation.tenant_name.as_str()];
        let good = wrong.take("password", self.hasher.check_new(password, &related).await?);
        let (Some(name), Some(())) = (parsed, good) else { return Err(wrong.into_error().into()) };
        let hash = self.hasher.hash(password.clone()).await?;
        let now = self.context.now();
        let user = new_user(now, invitation.email.clone(), name);
        let (tenant_id, password) = (invitation.tenant_id, mark_of(&hash));
        let done = SignedIn { user_id: user.id, tenant_id, needs_code: false, has_code: false, password };
        let entry = entry(invitation, &user, client, now);
        retry!(self.context.db(), tx => {
            storage::users::insert(tx, &user, &hash).await?;
            join(tx, invitation, &user, now, &entry).await
        })?;
        Ok(done)
    }

    /// Returns whether the invited address has an account that isn't a member of any tenant, and so can't sign in
    /// before it has joined one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_no_tenant(&self, invitation: &Invitation) -> Result<bool> {
        let Some(found) = storage::users::find_by_email(self.context.db(), &invitation.email).await? else {
            return Ok(false);
        };
        Ok(storage::users::list_membership_roles(self.context.db(), found.user.id).await?.is_empty())
    }

    /// Checks the password and, if the account has two-factor authentication, a code.
    async fn accept_by_password(
        &self,
        invitation: &Invitation,
        typed: &AcceptSignedOut<'_>,
        client: &Client,
    ) -> Result<SignedIn> {
        let found = self.sessions().recognise(invitation.email.as_str(), &typed.password, client).await;
        let (user, mark) = found.map_err(|error| match error {
            Error::Api(refusal) if refusal.code == ErrorCode::Unauthenticated => {
                ApiError::field("password", "Incorrect password.").into()
            }
            other => other,
        })?;
        let has_code = self.second_factors().is_enabled(user.id).await?;
        if has_code {
            self.second_factors().check(user.id, typed.code, client).await?;
        }
        let (tenant, now) = (invitation.tenant_id, self.context.now());
        let done = SignedIn { user_id: user.id, tenant_id: tenant, needs_code: false, has_code, password: mark };
        let entry = entry(invitation, &user, client, now);
        retry!(self.context.db(), tx => {
            join(tx, invitation, &user, now, &entry).await
        })?;
        Ok(done)
    }
}

fn gone() -> ApiError {
    let message = format!(
        "This invitation is no longer valid. It was used or cancelled, it expired after {} hours, or the inviter can no \
         longer invite. Ask for a new one.",
        OPEN_FOR.num_hours()
    );
    ApiError::new(ErrorCode::NotFound, message)
}

/// Adds the user to the tenant and closes the invitation, so that a link works only once.
async fn join(tx: &mut Tx, invitation: &Invitation, user: &User, now: DateTime<Utc>, entry: &Entry) -> Result<()> {
    // Waits for transactions that remove or demote the inviter.
    storage::tenants::lock_tenant_for_long(tx, invitation.tenant_id).await?;
    let (tenant, id) = (invitation.tenant_id, invitation.id);
    let counts = storage::invitations::find_inviter(tx, tenant, id).await?.is_some_and(inviter_may_still_invite);
    if !counts || !storage::invitations::close(tx, tenant, id, now).await? {
        return Err(gone().into());
    }
    let at = storage::micros(now);
    storage::tenants::insert_member(tx, invitation.tenant_id, user.id, invitation.role, at).await?;
    storage::audit::insert(tx, entry).await
}

fn entry(invitation: &Invitation, user: &User, client: &Client, at: DateTime<Utc>) -> Entry {
    Entry {
        at,
        tenant_id: Some(invitation.tenant_id.0),
        operation: Operation::AcceptInvitation.as_str(),
        outcome: Outcome::Done,
        actor_kind: "user",
        actor_id: Some(user.id.0),
        actor_name: user.name.as_str().to_owned(),
        key_id: None,
        client: client.clone(),
        subject_kind: "invitation",
        subject_id: Some(invitation.id.0),
        subject_name: invitation.email.as_str().to_owned(),
        detail: format!("role {}", invitation.role.label()),
    }
}

//! E-mail, where an SMTP server is configured. What is sent follows a commit, or is claimed by one before.

use std::sync::Arc;

use domain::{Email, Invitation, Secret};
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
};

use crate::error::OpenError;

/// How mail is sent.
#[derive(Clone, Debug)]
pub struct MailSettings {
    /// `smtps://user:password@host`, `smtp://…?tls=required`, or plain `smtp://host:port` on one machine.
    pub smtp_url: Secret,
    /// The sender: `Latchkey <keys@example.org>`.
    pub from: String,
    /// Scheme and host of the site, for links.
    pub public_url: String,
}

/// The way out; none, where nothing is configured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mail(Option<Arc<Mailer>>);

#[derive(Debug)]
struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    public_url: String,
}

impl Mail {
    pub(crate) fn open(settings: Option<&MailSettings>) -> Result<Self, OpenError> {
        let Some(settings) = settings else { return Ok(Self::default()) };
        let from = settings.from.parse().map_err(|_| OpenError::Mail("the sender is no e-mail address".to_owned()))?;
        // The cause could hold the URL, and with it a password.
        let bad_url = |_| OpenError::Mail("the SMTP URL is not of the form smtps://user:password@host".to_owned());
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(settings.smtp_url.expose()).map_err(bad_url)?;
        let public_url = settings.public_url.trim_end_matches('/').to_owned();
        Ok(Self(Some(Arc::new(Mailer { transport: transport.build(), from, public_url }))))
    }

    /// Whether mail is sent at all.
    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// The address of a page of the site.
    pub(crate) fn link(&self, path: &str) -> String {
        self.0.as_ref().map_or_else(String::new, |mailer| format!("{}{path}", mailer.public_url))
    }

    /// Sends an invitation's link, beside the request. False where nothing is configured: the inviter hands it on.
    pub(crate) fn invite(&self, invitation: &Invitation, secret: &Secret) -> bool {
        if !self.is_on() {
            return false;
        }
        let (mail, to) = (self.clone(), invitation.email.clone());
        let subject = format!("{} invites you to {}", invitation.created_by, invitation.tenant_name);
        let text = format!(
            "{} invites you to become a member of {} ({}).\n\nTo accept, open this link. It works once, until {}:\n\n{}\n\n\
             If you don't expect this, you need do nothing.\n",
            invitation.created_by,
            invitation.tenant_name,
            invitation.role.label(),
            domain::time::utc_text(invitation.expires_at),
            self.link(&format!("/invitations/{}", secret.expose())),
        );
        tokio::spawn(async move {
            if let Err(error) = mail.send(&to, &subject, text).await {
                tracing::warn!(error, "an invitation could not be sent");
            }
        });
        true
    }

    /// Sends one mail; the server has taken it when this returns.
    pub(crate) async fn send(&self, to: &Email, subject: &str, text: String) -> Result<(), String> {
        let Some(mailer) = &self.0 else { return Err("no mail is configured".to_owned()) };
        let to: Mailbox = to.as_str().parse().map_err(|_| "not a mail address".to_owned())?;
        let message = Message::builder()
            .from(mailer.from.clone())
            .to(to)
            .subject(subject)
            .header(ContentType::TEXT_PLAIN)
            .body(text)
            .map_err(|error| error.to_string())?;
        mailer.transport.send(message).await.map(drop).map_err(|error| error.to_string())
    }
}

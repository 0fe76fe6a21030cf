//! Email, if an SMTP server is configured. A mail is sent after the transaction that causes or claims it has committed.

use std::sync::Arc;

use domain::{Email, Invitation, Secret};
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
};

use crate::error::OpenError;

/// The SMTP server and the values that every mail needs.
#[derive(Clone, Debug)]
pub struct MailSettings {
    /// `smtps://user:password@host`, `smtp://…?tls=required`, or unencrypted `smtp://host:port` on the same machine.
    pub smtp_url: Secret,
    /// The sender, such as `Latchkey <keys@example.org>`.
    pub from: String,
    /// Scheme and host of the site, for links in mails.
    pub public_url: String,
}

/// The SMTP client; `None` if mail isn't configured.
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
        let from =
            settings.from.parse().map_err(|_| OpenError::Mail("the sender isn't an email address".to_owned()))?;
        // The cause may contain the URL, and with it the password.
        let bad_url = |_| OpenError::Mail("the SMTP URL must have the form smtps://user:password@host".to_owned());
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(settings.smtp_url.expose()).map_err(bad_url)?;
        let public_url = settings.public_url.trim_end_matches('/').to_owned();
        Ok(Self(Some(Arc::new(Mailer { transport: transport.build(), from, public_url }))))
    }

    /// Whether mail is configured.
    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Returns the URL of a page of the site; empty if mail isn't configured.
    pub(crate) fn link(&self, path: &str) -> String {
        self.0.as_ref().map_or_else(String::new, |mailer| format!("{}{path}", mailer.public_url))
    }

    /// Sends an invitation's link in the background. Returns false if mail isn't configured: the inviter then has to
    /// pass the link on.
    pub(crate) fn invite(&self, invitation: &Invitation, secret: &Secret) -> bool {
        if !self.is_on() {
            return false;
        }
        let (mail, to) = (self.clone(), invitation.email.clone());
        let subject = format!("{} invited you to join {}", invitation.created_by, invitation.tenant_name);
        let text = format!(
            "{} invited you to join {}. Your role: {}.\n\nTo accept, open this link. It can be used once and \
             expires on {}:\n\n{}\n\nIf you weren't expecting this invitation, you can ignore this email.\n",
            invitation.created_by,
            invitation.tenant_name,
            invitation.role.label(),
            domain::time::utc_text(invitation.expires_at),
            self.link(&format!("/invitations/{}", secret.expose())),
        );
        tokio::spawn(async move {
            if let Err(error) = mail.send(&to, &subject, text).await {
                tracing::warn!(error, "an invitation mail could not be sent");
            }
        });
        true
    }

    /// Sends one mail, and returns once the SMTP server has accepted it.
    pub(crate) async fn send(&self, to: &Email, subject: &str, text: String) -> Result<(), String> {
        let Some(mailer) = &self.0 else { return Err("mail isn't configured".to_owned()) };
        let to: Mailbox = to.as_str().parse().map_err(|_| "not an email address".to_owned())?;
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

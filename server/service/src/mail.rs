//! Email, if an SMTP server is configured. A mail is sent after the transaction that causes or claims it has committed.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use chrono::{DateTime, Utc};
use domain::{Email, Invitation, Secret};
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
};

use crate::{error::OpenError, random};

/// How long an invitation waits for the SMTP server. Later, the mail may still be sent, but the inviter isn't told so.
const MAX_WAIT: Duration = Duration::from_secs(5);

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

impl MailSettings {
    /// Checks the settings, without connecting to the server.
    ///
    /// # Errors
    /// When the sender or the URL is malformed.
    pub(crate) fn validate(&self) -> Result<(), OpenError> {
        Mail::open(Some(self)).map(drop)
    }
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

    /// Sends an invitation's link. Returns whether the SMTP server has accepted the mail: if not, the inviter has to pass
    /// the link on.
    pub(crate) async fn invite(&self, invitation: &Invitation, secret: &Secret, now: DateTime<Utc>) -> bool {
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
        // Goes on if the inviter doesn't wait for it.
        let sending = tokio::spawn(async move {
            let sent = mail.send(&to, &subject, text, now).await;
            if let Err(error) = &sent {
                tracing::warn!(error, "an invitation mail could not be sent");
            }
            sent.is_ok()
        });
        tokio::time::timeout(MAX_WAIT, sending).await.is_ok_and(|sent| sent.unwrap_or(false))
    }

    /// Sends one mail in the background, if mail is configured.
    pub(crate) fn notify(&self, to: &Email, subject: &'static str, text: String, now: DateTime<Utc>) {
        if !self.is_on() {
            return;
        }
        let (mail, to) = (self.clone(), to.clone());
        tokio::spawn(async move {
            if let Err(error) = mail.send(&to, subject, text, now).await {
                tracing::warn!(error, subject, "a mail could not be sent");
            }
        });
    }

    /// Sends one mail, and returns once the SMTP server has accepted it.
    pub(crate) async fn send(&self, to: &Email, subject: &str, text: String, now: DateTime<Utc>) -> Result<(), String> {
        let Some(mailer) = &self.0 else { return Err("mail isn't configured".to_owned()) };
        let message = Message::builder()
            .from(mailer.from.clone())
            .to(mailbox_of(to).ok_or("mail can't be sent to this address")?)
            .subject(subject)
            // Of the sender's domain (RFC 5322 §3.6.4). By default, it would contain the name of this machine.
            .message_id(Some(format!("<{}@{}>", random::new_id(now), mailer.from.email.domain())))
            .date(SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(now.timestamp()).unwrap_or(0)))
            .header(ContentType::TEXT_PLAIN)
            .body(text)
            .map_err(|error| error.to_string())?;
        mailer.transport.send(message).await.map(drop).map_err(|error| error.to_string())
    }
}

/// Returns an address as a recipient; `None` if mail can't be sent to it.
pub(crate) fn mailbox_of(email: &Email) -> Option<Mailbox> {
    email.as_str().parse().ok()
}

//! What the caller gets after a successful act: a notice, and secrets that are shown only once.

use serde::{Deserialize, Serialize};

use crate::{
    KeyAct, Operation, Secret, TenantId, api_key::view::CreatedKey, service_account::act::AccountAct,
    user::act::MemberAct,
};

/// A message shown once after an act. A cookie carries it across a redirect, as URL-encoded fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The operation that succeeded.
    pub operation: Operation,
    /// The name of the changed resource; empty if it has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// How many resources were changed, for bulk operations.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub changed: u32,
    /// How many of the selected resources were left unchanged.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unchanged: u32,
    /// The path of the changed resource's page; empty if it has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub page: String,
}

/// What a notice offers to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextStep {
    /// To see the changed resource: the path of its page.
    View(String),
    /// To undo the act: the path of the page that does.
    Undo(String),
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Notice {
    /// Creates a notice about a named resource.
    pub fn named(operation: Operation, name: impl Into<String>) -> Self {
        Self { operation, name: name.into(), changed: 0, unchanged: 0, page: String::new() }
    }

    /// Names the page of the changed resource.
    #[must_use]
    pub fn on(self, page: String) -> Self {
        Self { page, ..self }
    }

    /// Returns what the notice offers to do next; `None` if the changed resource has no page.
    pub fn next_step(&self) -> Option<NextStep> {
        if self.page.is_empty() {
            return None;
        }
        let undone_by = match self.operation {
            Operation::SuspendApiKey => Some(KeyAct::Resume.code()),
            Operation::SuspendServiceAccount => Some(AccountAct::Resume.code()),
            _ => None,
        };
        Some(match undone_by {
            Some(act) => NextStep::Undo(format!("{}/{act}", self.page)),
            None => NextStep::View(self.page.clone()),
        })
    }

    /// Creates a notice without a name.
    pub fn of(operation: Operation) -> Self {
        Self::named(operation, "")
    }

    /// Creates the notice that a form was rejected because another tenant has been selected since it was opened.
    pub fn tenant_switched_elsewhere() -> Self {
        Self { unchanged: 1, ..Self::of(Operation::SwitchTenant) }
    }

    /// Creates the notice that a tenant can't be selected because the user is no longer a member.
    pub fn not_a_member() -> Self {
        Self::of(Operation::SwitchTenant)
    }

    /// Returns the sentence to show, or `None` if the operation has no notice.
    pub fn sentence(&self) -> Option<String> {
        let name = &self.name;
        if let Some(act) = KeyAct::of(self.operation) {
            return Some(act.notice(name));
        }
        if let Some(act) = AccountAct::of(self.operation) {
            return Some(act.notice(name));
        }
        if let Some(act) = MemberAct::of(self.operation) {
            return Some(act.notice(name));
        }
        Some(match self.operation {
            Operation::SuspendApiKeys => self.counted("suspended"),
            Operation::RevokeApiKeys => self.counted("revoked"),
            Operation::CreateServiceAccount => format!("“{name}” created."),
            Operation::CancelInvitation => "Invitation cancelled.".to_owned(),
            Operation::AcceptInvitation if name.is_empty() => "Welcome.".to_owned(),
            Operation::AcceptInvitation => format!("Welcome to {name}."),
            Operation::RenameTenant => format!("Tenant renamed to “{name}”."),
            Operation::CreateTenant => format!("Tenant “{name}” created."),
            Operation::SwitchTenant if self.unchanged > 0 => {
                "You switched tenants in another tab, so nothing was changed.".to_owned()
            }
            Operation::SwitchTenant if name.is_empty() => "You're no longer a member of that tenant.".to_owned(),
            Operation::SwitchTenant => format!("Switched to {name}."),
            Operation::RevokeCalendarFeed => "Expiry calendar turned off.".to_owned(),
            Operation::SetKeyPolicy => format!("Policy “{name}” turned on."),
            Operation::ClearKeyPolicy => format!("Policy “{name}” turned off."),
            Operation::SetScope => format!("Scope {name} saved."),
            Operation::RemoveScope => format!("Scope {name} removed from the catalogue and from all keys."),
            Operation::UpdateProfile => "Your name was changed.".to_owned(),
            Operation::ChangePassword => "Password changed. You were signed out everywhere else.".to_owned(),
            Operation::EndSession => "Session ended.".to_owned(),
            Operation::EndOtherSessions => "Signed out everywhere else.".to_owned(),
            Operation::DisableSecondFactor => "Two-factor authentication turned off.".to_owned(),
            _ => return None,
        })
    }

    /// Returns a sentence like "3 keys suspended, 2 were already inactive."
    fn counted(&self, done: &str) -> String {
        let keys = if self.changed == 1 { "key" } else { "keys" };
        match self.unchanged {
            0 => format!("{} {keys} {done}.", self.changed),
            1 => format!("{} {keys} {done}, 1 was already inactive.", self.changed),
            some => format!("{} {keys} {done}, {some} were already inactive.", self.changed),
        }
    }
}

/// The result of a successful act, as an adapter presents it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The notice to show.
    pub notice: Notice,
    /// A secret to show once, instead of redirecting.
    pub reveal: Option<Reveal>,
    /// The id of the created resource, if its own page is shown next.
    pub created: Option<String>,
    /// The tenant to select in the session.
    pub selects: Option<TenantId>,
}

/// A secret that is shown only once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reveal {
    /// A new key with its token.
    Key(Box<CreatedKey>),
    /// A link that contains a secret.
    Link(IssuedLink),
}

impl From<Notice> for Outcome {
    fn from(notice: Notice) -> Self {
        Self { notice, reveal: None, created: None, selects: None }
    }
}

/// A newly created link, which is shown only once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuedLink {
    /// The full URL.
    #[serde(with = "crate::secret::exposed")]
    pub link: Secret,
    /// Whether the link was also sent by email.
    pub is_mailed: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suspension_can_be_undone_and_other_changed_keys_can_be_viewed() {
        let next = |operation| Notice::named(operation, "Laptop").on("/user/api-keys/1".to_owned()).next_step();
        let (resume, page) = ("/user/api-keys/1/resume".to_owned(), "/user/api-keys/1".to_owned());
        assert_eq!(next(Operation::SuspendApiKey), Some(NextStep::Undo(resume)));
        assert_eq!(next(Operation::RenameApiKey), Some(NextStep::View(page)));
        assert_eq!(Notice::of(Operation::RenameTenant).next_step(), None);
    }

    #[test]
    fn bulk_notices_count_changed_and_unchanged_keys() {
        let notice = |changed, unchanged| Notice { changed, unchanged, ..Notice::of(Operation::SuspendApiKeys) };
        let sentence = |changed, unchanged| notice(changed, unchanged).sentence().unwrap();
        assert_eq!(sentence(3, 2), "3 keys suspended, 2 were already inactive.");
        assert_eq!(sentence(1, 1), "1 key suspended, 1 was already inactive.");
        assert_eq!(sentence(2, 0), "2 keys suspended.");
    }

    #[test]
    fn a_notice_names_the_resource() {
        assert_eq!(Notice::named(Operation::RevokeApiKey, "Laptop").sentence().unwrap(), "“Laptop” revoked.");
        assert_eq!(Notice::of(Operation::ListApiKeys).sentence(), None);
    }
}

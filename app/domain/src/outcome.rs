//! What an act came to, for whoever asked: a notice, and what is shown once.

use serde::{Deserialize, Serialize};

use crate::{
    KeyAct, Operation, Secret, TenantId, api_key::view::CreatedKey, service_account::act::AccountAct,
    user::act::MemberAct,
};

/// What is said once after an act. Survives a redirect in a cookie, as urlencoded fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What was done.
    pub operation: Operation,
    /// The name of the thing it was done to; empty where it has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// How many things were changed, where there can be several.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub changed: u32,
    /// How many of the chosen things were left as they were.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unchanged: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Notice {
    /// A notice about a thing with a name.
    pub fn named(operation: Operation, name: impl Into<String>) -> Self {
        Self { operation, name: name.into(), changed: 0, unchanged: 0 }
    }

    /// A notice about what needs no name.
    pub fn of(operation: Operation) -> Self {
        Self::named(operation, "")
    }

    /// That a form wasn't accepted, because another tenant was selected meanwhile.
    pub fn tenant_switched_elsewhere() -> Self {
        Self { unchanged: 1, ..Self::of(Operation::SwitchTenant) }
    }

    /// That a tenant can't be selected, because the person isn't a member any more.
    pub fn not_a_member() -> Self {
        Self::of(Operation::SwitchTenant)
    }

    /// The sentence; none for an operation that says nothing.
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
            Operation::CancelInvitation => "Invitation canceled.".to_owned(),
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
            Operation::SetPolicy => format!("Policy “{name}” turned on."),
            Operation::ClearPolicy => format!("Policy “{name}” turned off."),
            Operation::UpdateProfile => "Your name was changed.".to_owned(),
            Operation::ChangePassword => "Password changed. You were signed out everywhere else.".to_owned(),
            Operation::EndSession => "Session ended.".to_owned(),
            Operation::EndOtherSessions => "Signed out everywhere else.".to_owned(),
            Operation::DisableSecondFactor => "Two-factor authentication turned off.".to_owned(),
            _ => return None,
        })
    }

    /// "3 keys suspended, 2 were already inactive."
    fn counted(&self, done: &str) -> String {
        let keys = if self.changed == 1 { "key" } else { "keys" };
        match self.unchanged {
            0 => format!("{} {keys} {done}.", self.changed),
            1 => format!("{} {keys} {done}, 1 was already inactive.", self.changed),
            some => format!("{} {keys} {done}, {some} were already inactive.", self.changed),
        }
    }
}

/// What a success means for whoever asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What is said.
    pub notice: Notice,
    /// What is shown once, instead of leading on.
    pub reveal: Option<Reveal>,
    /// The id of what was created, where its own page comes next.
    pub created: Option<String>,
    /// The tenant that the session selects from now on.
    pub selects: Option<TenantId>,
}

/// What is shown once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reveal {
    /// A new key's token.
    Key(Box<CreatedKey>),
    /// A link that works by being known.
    Link(IssuedLink),
}

impl From<Notice> for Outcome {
    fn from(notice: Notice) -> Self {
        Self { notice, reveal: None, created: None, selects: None }
    }
}

/// A link that was just created, and is shown once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuedLink {
    /// The whole address.
    #[serde(with = "crate::secret::exposed")]
    pub link: Secret,
    /// Whether it was also sent by mail.
    pub is_mailed: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bulk_notices_count_what_was_changed_and_what_was_not() {
        let notice = |changed, unchanged| Notice { changed, unchanged, ..Notice::of(Operation::SuspendApiKeys) };
        let sentence = |changed, unchanged| notice(changed, unchanged).sentence().unwrap();
        assert_eq!(sentence(3, 2), "3 keys suspended, 2 were already inactive.");
        assert_eq!(sentence(1, 1), "1 key suspended, 1 was already inactive.");
        assert_eq!(sentence(2, 0), "2 keys suspended.");
    }

    #[test]
    fn a_notice_names_its_thing() {
        assert_eq!(Notice::named(Operation::RevokeApiKey, "Laptop").sentence().unwrap(), "“Laptop” revoked.");
        assert_eq!(Notice::of(Operation::ListApiKeys).sentence(), None);
    }
}

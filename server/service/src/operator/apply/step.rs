//! The steps of a plan.

use std::fmt;

use domain::{
    KeyId, KeyLimits, KeyPolicyKind, Name, Role, Scope, ScopeGrant, ServiceAccountId, Slug,
    api_key::input::SetKeyPolicy, scope::CatalogueScope,
};

use super::{desired::DesiredKey, stated::Subject};

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Creates something.
    Create,
    /// Changes something.
    Change,
    /// Removes something, permanently.
    Remove,
}

impl Action {
    /// All actions.
    pub const ALL: [Self; 3] = [Self::Create, Self::Change, Self::Remove];

    /// Returns the name of the action.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Change => "change",
            Self::Remove => "remove",
        }
    }

    /// Returns the sign of the action in a list of steps.
    pub fn sign(self) -> char {
        match self {
            Self::Create => '+',
            Self::Change => '~',
            Self::Remove => '-',
        }
    }
}

/// One change.
#[derive(Clone, Debug)]
pub struct Step {
    /// What it does.
    pub action: Action,
    /// What is created, changed or removed.
    pub subject: Subject,
    /// The values, or what changes; can be empty.
    pub change: String,
    pub(super) act: Act,
}

/// Like `+ create service account “Deployer” in acme (User)`.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.action.sign(), self.action.as_str(), self.subject)?;
        if self.change.is_empty() { Ok(()) } else { write!(f, " ({})", self.change) }
    }
}

/// What a step calls.
#[derive(Clone, Debug)]
pub(super) enum Act {
    SetScope(CatalogueScope),
    RemoveScope(Scope),
    CreateTenant(Slug, Name),
    RenameTenant(Slug, Name),
    CreateAccount(Slug, Name, Option<Role>),
    ChangeRole(Slug, ServiceAccountId, Role),
    DeleteAccount(Slug, ServiceAccountId),
    SetKeyPolicy(Slug, SetKeyPolicy),
    ClearKeyPolicy(Slug, KeyPolicyKind),
    CreateKey(Box<DesiredKey>),
    ChangeKey(Slug, Box<KeyChange>),
    RevokeKey(Slug, KeyId),
}

/// What changes in a key. Each value is `None` if it stays.
#[derive(Clone, Debug)]
pub(super) struct KeyChange {
    pub(super) id: KeyId,
    pub(super) name: Option<Name>,
    pub(super) scopes: Option<ScopeGrant>,
    pub(super) limits: Option<KeyLimits>,
}

/// The steps to a stated configuration, in their order.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub(super) steps: Vec<Step>,
    pub(super) unchanged: usize,
}

impl Plan {
    /// Returns the steps.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Returns how many steps have an action.
    pub fn count(&self, action: Action) -> usize {
        self.steps.iter().filter(|step| step.action == action).count()
    }

    /// Returns how many entries of the file are as they are stated.
    pub fn unchanged(&self) -> usize {
        self.unchanged
    }
}

//! Scopes: what a key may do in the operator's own API, and in Latchkey itself. The catalogue lists the scopes of an
//! installation, and a key holds some of them or is unscoped.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    ApiError, Notice, Outcome, Role,
    api_key::expiry::first_instant,
    input::{Act, Changed, forms, inputs, wrong},
    secret::without_tokens,
    time::{date_text, parse_instant},
};

/// The most scopes that a key can hold.
pub const MAX_SCOPES: usize = 64;
/// The most scopes that a catalogue can have, without the reserved ones.
pub const MAX_CATALOGUE: usize = 1_000;
/// The longest description of a scope, in characters.
pub const MAX_DESCRIPTION: usize = 200;
/// The resource of the reserved scopes, which a catalogue can't contain.
pub const RESERVED: &str = "latchkey";
/// The longest resource and the longest action, in characters.
const MAX_PART: usize = 40;

/// A scope like `orders:read`: a resource and an action, each of which matches `[a-z][a-z0-9._-]{0,39}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scope(String);

/// Why a text isn't a scope, or isn't a list of scopes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// The text isn't a resource and an action.
    #[error(
        "“{}” isn't a scope. Use resource:action, each with up to 40 lowercase letters, digits, dots, hyphens and \
         underscores, starting with a letter.", shortened(.0)
    )]
    Malformed(String),
    /// There are more than [`MAX_SCOPES`].
    #[error("A key can hold at most {MAX_SCOPES} scopes.")]
    TooMany,
}

/// The start of a text that somebody typed, for a message about it. Without tokens: a client may have put one in the wrong
/// place.
pub(crate) fn shortened(text: &str) -> String {
    without_tokens(text).chars().filter(|c| !crate::name::is_forbidden(*c)).take(MAX_PART).collect()
}

impl Scope {
    /// Trims and validates a scope.
    ///
    /// # Errors
    /// [`ScopeError::Malformed`].
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        let text = text.trim();
        match text.split_once(':') {
            Some((resource, action)) if is_part(resource) && is_part(action) => Ok(Self(text.to_owned())),
            _ => Err(ScopeError::Malformed(text.to_owned())),
        }
    }

    /// Returns the scope as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the part before the colon.
    pub fn resource(&self) -> &str {
        self.0.split_once(':').map_or("", |(resource, _)| resource)
    }

    /// Returns the part after the colon.
    pub fn action(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, action)| action)
    }

    /// Returns whether the action is `read`, so that the choice “Read only” of a form includes the scope.
    pub fn only_reads(&self) -> bool {
        self.action() == "read"
    }

    /// Returns whether the scope is one of Latchkey's own, or has a name that is kept for them.
    pub fn is_reserved(&self) -> bool {
        self.resource() == RESERVED
    }
}

/// Whether a text matches `[a-z][a-z0-9._-]{0,39}`.
fn is_part(text: &str) -> bool {
    let inside = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
    text.len() <= MAX_PART && text.starts_with(|c: char| c.is_ascii_lowercase()) && text.bytes().all(inside)
}

impl TryFrom<String> for Scope {
    type Error = ScopeError;

    fn try_from(text: String) -> Result<Self, ScopeError> {
        Self::parse(&text)
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.0
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A scope of Latchkey itself. A key that holds scopes needs them for what it does here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OwnScope {
    /// `latchkey:read`: operations that only read.
    Read,
    /// `latchkey:manage`: operations that change something.
    Manage,
    /// `latchkey:agent`: what an agent does, see [`crate::agent`].
    Agent,
    /// `latchkey:verify`: asking about other keys of the tenant.
    Verify,
}

impl OwnScope {
    /// All reserved scopes, in the order of their names.
    pub const ALL: [Self; 4] = [Self::Agent, Self::Manage, Self::Read, Self::Verify];

    /// Returns the scope as text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "latchkey:read",
            Self::Manage => "latchkey:manage",
            Self::Agent => "latchkey:agent",
            Self::Verify => "latchkey:verify",
        }
    }

    /// Returns the scope.
    pub fn scope(self) -> Scope {
        Scope(self.as_str().to_owned())
    }

    fn entry(self) -> CatalogueScope {
        let (description, least_role) = match self {
            Self::Read => ("View what its owner may view in Latchkey", Role::ReadOnlyUser),
            Self::Manage => ("Change what its owner may change in Latchkey", Role::ReadOnlyUser),
            Self::Agent => ("Register as an agent and poll for work", Role::ReadOnlyUser),
            Self::Verify => ("Verify other keys of the tenant", Role::TenantAdmin),
        };
        CatalogueScope { scope: self.scope(), description: description.to_owned(), least_role, deprecated_at: None }
    }
}

/// A set of scopes: sorted, without duplicates, at most [`MAX_SCOPES`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<Scope>", into = "Vec<Scope>")]
pub struct ScopeSet(Vec<Scope>);

impl ScopeSet {
    /// Creates a set.
    ///
    /// # Errors
    /// [`ScopeError::TooMany`].
    pub fn new(scopes: impl IntoIterator<Item = Scope>) -> Result<Self, ScopeError> {
        let mut scopes: Vec<Scope> = scopes.into_iter().collect();
        scopes.sort_unstable();
        scopes.dedup();
        if scopes.len() > MAX_SCOPES { Err(ScopeError::TooMany) } else { Ok(Self(scopes)) }
    }

    /// Parses scopes separated by spaces or commas. An empty text is the empty set.
    ///
    /// # Errors
    /// [`ScopeError`], for the first text that isn't a scope.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        let parts = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|part| !part.is_empty());
        Self::new(parts.map(Scope::parse).collect::<Result<Vec<_>, _>>()?)
    }

    /// Returns the scopes in their order.
    pub fn iter(&self) -> std::slice::Iter<'_, Scope> {
        self.0.iter()
    }

    /// Returns how many scopes there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether the set contains a scope.
    pub fn contains(&self, scope: &Scope) -> bool {
        self.0.binary_search(scope).is_ok()
    }

    /// Returns whether the set contains all scopes of another set.
    pub fn includes(&self, other: &Self) -> bool {
        other.iter().all(|scope| self.contains(scope))
    }

    /// Returns the scopes that are in this set and not in another.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        Self(self.iter().filter(|scope| !other.contains(scope)).cloned().collect())
    }
}

impl<'a> IntoIterator for &'a ScopeSet {
    type Item = &'a Scope;
    type IntoIter = std::slice::Iter<'a, Scope>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl TryFrom<Vec<Scope>> for ScopeSet {
    type Error = ScopeError;

    fn try_from(scopes: Vec<Scope>) -> Result<Self, ScopeError> {
        Self::new(scopes)
    }
}

impl From<ScopeSet> for Vec<Scope> {
    fn from(set: ScopeSet) -> Self {
        set.0
    }
}

/// The scopes, separated by spaces (RFC 6749 §3.3).
impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.iter().enumerate() {
            write!(f, "{}{scope}", if index == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

/// What a key may do at most.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScopeGrant {
    /// Everything that its owner's role allows.
    #[default]
    Unscoped,
    /// The scopes of the set, as far as the owner's role allows them. A key with the empty set is valid but may do
    /// nothing that requires a scope.
    Set(ScopeSet),
}

impl ScopeGrant {
    /// Returns the set; `None` for an unscoped key.
    pub fn set(&self) -> Option<&ScopeSet> {
        match self {
            Self::Unscoped => None,
            Self::Set(set) => Some(set),
        }
    }

    /// Returns the scopes as a form repeats what it showed; `*` for an unscoped key. Never empty.
    pub fn text(&self) -> String {
        self.set().map_or_else(|| "*".to_owned(), listed)
    }

    /// Returns whether the grant contains a scope, whatever the owner's role.
    pub fn holds(&self, scope: &Scope) -> bool {
        self.set().is_none_or(|set| set.contains(scope))
    }

    /// Returns whether another grant contains nothing that this one doesn't.
    pub fn includes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Unscoped, _) => true,
            (Self::Set(_), Self::Unscoped) => false,
            (Self::Set(own), Self::Set(other)) => own.includes(other),
        }
    }

    /// Returns what changes with another grant, for the audit log: "added orders:write; removed orders:read".
    pub fn difference(&self, after: &Self) -> String {
        match (self, after) {
            (Self::Unscoped, Self::Unscoped) => "unchanged: no limit".to_owned(),
            (Self::Unscoped, Self::Set(set)) => format!("limited to {}", listed(set)),
            (Self::Set(set), Self::Unscoped) => format!("no longer limited to {}", listed(set)),
            (Self::Set(before), Self::Set(after)) => {
                let of = |word: &str, set: ScopeSet| (!set.is_empty()).then(|| format!("{word} {set}"));
                let parts = [of("added", after.without(before)), of("removed", before.without(after))];
                let parts: Vec<_> = parts.into_iter().flatten().collect();
                if parts.is_empty() { "unchanged".to_owned() } else { parts.join("; ") }
            }
        }
    }
}

/// Returns the scopes of a set, or "no scopes".
pub fn listed(set: &ScopeSet) -> String {
    if set.is_empty() { "no scopes".to_owned() } else { set.to_string() }
}

/// Returns "1 scope" or "6 scopes".
pub fn scopes_text(count: usize) -> String {
    if count == 1 { "1 scope".to_owned() } else { format!("{count} scopes") }
}

/// What somebody chose in a form for what a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScopeOption {
    /// Everything that the owner's role allows.
    Full,
    /// The scopes with the action `read`, as the catalogue has them now.
    ReadOnly,
    /// Some scopes, or none.
    Chosen,
}

impl ScopeOption {
    /// All options, in the order of the form.
    pub const ALL: [Self; 3] = [Self::Full, Self::ReadOnly, Self::Chosen];

    /// Returns the code in forms and URLs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::ReadOnly => "read_only",
            Self::Chosen => "chosen",
        }
    }

    /// Returns the option with the given code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|option| option.code() == code)
    }

    /// Returns the label shown to users.
    pub fn label(self) -> &'static str {
        match self {
            Self::Full => "Everything its owner may do",
            Self::ReadOnly => "Read only",
            Self::Chosen => "Only these scopes",
        }
    }
}

/// What a key is to be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScopeRequest {
    /// Exactly this.
    Grant(ScopeGrant),
    /// See [`Catalogue::read_only`].
    ReadOnly,
}

impl ScopeRequest {
    /// Reads the fields of a form. Without an option, `scopes` decides: everything if it is `None`, else its scopes.
    ///
    /// # Errors
    /// A field error at `scopes`.
    pub fn parse(option: Option<ScopeOption>, scopes: Option<&str>) -> Result<Self, ApiError> {
        let set = |text| ScopeSet::parse(text).map_err(|error| ApiError::field("scopes", error.to_string()));
        Ok(match (option, scopes) {
            (Some(ScopeOption::Full), _) | (None, None) => Self::Grant(ScopeGrant::Unscoped),
            (Some(ScopeOption::ReadOnly), _) => Self::ReadOnly,
            (Some(ScopeOption::Chosen), scopes) => Self::Grant(ScopeGrant::Set(set(scopes.unwrap_or_default())?)),
            (None, Some(scopes)) => Self::Grant(ScopeGrant::Set(set(scopes)?)),
        })
    }

    /// Returns what the key is given if its owner has a role.
    ///
    /// # Errors
    /// A field error at `scopes` if the key can't hold so many.
    pub fn resolve(&self, catalogue: &Catalogue, role: Role) -> Result<ScopeGrant, ApiError> {
        match self {
            Self::Grant(grant) => Ok(grant.clone()),
            Self::ReadOnly => {
                let scopes = catalogue.read_only(role);
                scopes.map(ScopeGrant::Set).map_err(|error| ApiError::field("scopes", error.to_string()))
            }
        }
    }
}

inputs! {
    /// Returns the catalogue.
    ListScopes for ListScopes -> Catalogue {}
}

forms! {
    /// Adds a scope to the catalogue, or changes it.
    SetScope for SetScope -> Changed {
        /// The scope.
        scope: String,
        /// What it allows, at most [`MAX_DESCRIPTION`] characters.
        description: String,
        /// The lowest role that may hold it.
        least_role: Option<Role>,
        /// The UTC day since when it is deprecated, like `2027-01-31`. Empty if it isn't.
        deprecated_since: String,
        /// What a form showed: see [`CatalogueScope::revision`]. If the scope is another one by now, nothing changes.
        before: Option<String>,
    }
    /// Removes a scope from the catalogue and from all keys.
    RemoveScope for RemoveScope -> Changed {
        /// The scope.
        scope: String,
    }
}

impl SetScope {
    /// Returns the entry for the catalogue.
    ///
    /// # Errors
    /// Field errors at `scope`, `description`, `least_role`, `deprecated_since`.
    pub fn entry(&self) -> Result<CatalogueScope, ApiError> {
        let scope = operators_scope(&self.scope);
        let description = checked_description(&self.description);
        let role = self.least_role.ok_or("Choose a role.");
        let deprecated = checked_day(&self.deprecated_since);
        match (scope, description, role, deprecated) {
            (Ok(scope), Ok(description), Ok(least_role), Ok(deprecated_at)) => {
                Ok(CatalogueScope { scope, description, least_role, deprecated_at })
            }
            (scope, description, role, deprecated) => {
                let wrong = [
                    wrong("scope", scope),
                    wrong("description", description),
                    wrong("least_role", role),
                    wrong("deprecated_since", deprecated),
                ];
                Err(ApiError::fields(wrong.into_iter().flatten().collect()))
            }
        }
    }
}

/// Checks that a scope is still what a form showed: see [`crate::input::check_unchanged`].
///
/// # Errors
/// `CONFLICT` if it isn't.
pub fn check_unchanged(
    before: Option<&str>,
    now: Option<&CatalogueScope>,
    after: &CatalogueScope,
) -> Result<(), ApiError> {
    let (before, present) = (before.map(str::to_owned), CatalogueScope::revision(now));
    let after = CatalogueScope::revision(Some(after));
    crate::input::check_unchanged(before.as_ref(), &present, &after, || match now {
        None => "The scope was removed.".to_owned(),
        Some(now) => {
            let deprecation = now.deprecation().map(|text| format!(", {text}")).unwrap_or_default();
            format!("{} is now “{}”, least role {}{deprecation}.", now.scope, now.description, now.least_role.label())
        }
    })
}

/// Parses the name of a scope that the operator may define.
fn operators_scope(text: &str) -> Result<Scope, String> {
    let scope = Scope::parse(text).map_err(|error| error.to_string())?;
    if scope.is_reserved() {
        return Err(format!("Scopes of the resource {RESERVED} are Latchkey's own. Choose another resource."));
    }
    Ok(scope)
}

fn checked_description(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("Describe what the scope allows.".to_owned());
    }
    if text.chars().count() > MAX_DESCRIPTION {
        return Err(format!("Use at most {MAX_DESCRIPTION} characters."));
    }
    if text.chars().any(crate::name::is_forbidden) {
        return Err("Remove line breaks and invisible characters.".to_owned());
    }
    Ok(text.to_owned())
}

/// Parses a UTC day; `None` for an empty text.
fn checked_day(text: &str) -> Result<Option<DateTime<Utc>>, &'static str> {
    let wrong = || "Enter a date, like 2027-01-31.";
    let Some(instant) = first_instant(text) else { return Ok(None) };
    parse_instant(&instant).map(Some).ok_or_else(wrong)
}

impl Act for SetScope {
    fn check(&self, _: DateTime<Utc>) -> Result<(), ApiError> {
        self.entry().map(drop)
    }

    fn outcome(scope: &Changed) -> Outcome {
        Notice::named(crate::Operation::SetScope, scope.name.clone()).into()
    }
}

impl Act for RemoveScope {
    fn outcome(scope: &Changed) -> Outcome {
        Notice::named(crate::Operation::RemoveScope, scope.name.clone()).into()
    }
}

/// A scope of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogueScope {
    /// The scope.
    pub scope: Scope,
    /// What it allows, for people who choose the scopes of a key.
    pub description: String,
    /// The lowest role that may hold it.
    pub least_role: Role,
    /// Since when it should no longer be used. Keys can still hold it.
    pub deprecated_at: Option<DateTime<Utc>>,
}

impl CatalogueScope {
    /// Returns what a form shows of a scope, to recognise whether somebody changed it since. `new` if there is none.
    pub fn revision(entry: Option<&Self>) -> String {
        let Some(entry) = entry else { return "new".to_owned() };
        let deprecated = entry.deprecated_at.map(|at| at.timestamp_micros()).unwrap_or_default();
        format!("{} {deprecated} {}", entry.least_role.as_str(), entry.description)
    }

    /// Returns "deprecated since 3 May 2027", for a deprecated scope.
    pub fn deprecation(&self) -> Option<String> {
        self.deprecated_at.map(|at| format!("deprecated since {}", date_text(at)))
    }
}

/// The scopes that keys can hold: those of the operator's own API, and the reserved ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Catalogue(Vec<CatalogueScope>);

/// Only the reserved scopes.
impl Default for Catalogue {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl Catalogue {
    /// Creates the catalogue of the operator's scopes, and adds the reserved ones.
    pub fn new(operators: impl IntoIterator<Item = CatalogueScope>) -> Self {
        let mut scopes: Vec<_> = operators.into_iter().filter(|one| !one.scope.is_reserved()).collect();
        scopes.extend(OwnScope::ALL.map(OwnScope::entry));
        scopes.sort_unstable_by(|one, other| one.scope.cmp(&other.scope));
        scopes.dedup_by(|one, other| one.scope == other.scope);
        Self(scopes)
    }

    /// Returns the scopes in the order of their names.
    pub fn iter(&self) -> std::slice::Iter<'_, CatalogueScope> {
        self.0.iter()
    }

    /// Returns the scopes of the operator's own API.
    pub fn operators(&self) -> impl Iterator<Item = &CatalogueScope> {
        self.iter().filter(|one| !one.scope.is_reserved())
    }

    /// Returns a scope's entry.
    pub fn find(&self, scope: &Scope) -> Option<&CatalogueScope> {
        let at = self.0.binary_search_by(|one| one.scope.cmp(scope)).ok()?;
        self.0.get(at)
    }

    /// Returns the scopes that a role may hold.
    pub fn of_role(&self, role: Role) -> impl Iterator<Item = &CatalogueScope> {
        self.iter().filter(move |one| one.least_role <= role)
    }

    /// Returns the scopes with the action `read` that a role may hold now, without deprecated ones, as the choice “Read
    /// only” of a form grants them.
    ///
    /// # Errors
    /// [`ScopeError::TooMany`] if one key can't hold them all.
    pub fn read_only(&self, role: Role) -> Result<ScopeSet, ScopeError> {
        let readable = self.of_role(role).filter(|one| one.scope.only_reads() && one.deprecated_at.is_none());
        ScopeSet::new(readable.map(|one| one.scope.clone()))
    }

    /// Checks that an owner with a role may be given a key with the scopes.
    ///
    /// # Errors
    /// The first scope that isn't in the catalogue or requires a higher role.
    pub fn check_grant(&self, set: &ScopeSet, role: Role) -> Result<(), Lack> {
        set.iter().try_for_each(|scope| self.lack_of(&ScopeGrant::Unscoped, role, scope).map_or(Ok(()), Err))
    }

    /// Returns why a key lacks a scope; `None` if it has it.
    fn lack_of(&self, grant: &ScopeGrant, role: Role, scope: &Scope) -> Option<Lack> {
        let lack = |reason| Some(Lack { scope: scope.clone(), reason });
        match self.find(scope) {
            None => lack(LackReason::Unknown),
            Some(_) if !grant.holds(scope) => lack(LackReason::NotHeld),
            Some(entry) if entry.least_role > role => lack(LackReason::Role(entry.least_role)),
            Some(_) => None,
        }
    }
}

impl<'a> IntoIterator for &'a Catalogue {
    type Item = &'a CatalogueScope;
    type IntoIter = std::slice::Iter<'a, CatalogueScope>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// A scope that a key would need, and why the key doesn't have it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}", reason = .reason.text(scope))]
pub struct Lack {
    /// The scope.
    pub scope: Scope,
    /// Why the key doesn't have it.
    pub reason: LackReason,
}

/// Why a key doesn't have a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LackReason {
    /// The catalogue has no such scope.
    Unknown,
    /// The key doesn't hold it.
    NotHeld,
    /// The owner's role is below the one that it requires.
    Role(Role),
}

impl LackReason {
    fn text(self, scope: &Scope) -> String {
        match self {
            Self::Unknown => format!("The scope {scope} isn't in the catalogue."),
            Self::NotHeld => format!("This key lacks the scope {scope}."),
            Self::Role(role) => format!("The scope {scope} requires the role {}.", role.label()),
        }
    }
}

/// The scopes that a key would have needed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", lacks.first().map(ToString::to_string).unwrap_or_default())]
pub struct Missing {
    /// The missing scopes, in the order in which they were demanded; at least one.
    pub lacks: Vec<Lack>,
}

impl Missing {
    /// Returns the missing scopes, separated by spaces, as in the parameter `scope` of RFC 6750 §3.
    pub fn text(&self) -> String {
        self.lacks.iter().map(|lack| lack.scope.as_str()).collect::<Vec<_>>().join(" ")
    }
}

/// Returns what a key may do now: the scopes of the catalogue that its grant contains and its owner's current role may
/// hold. For an unscoped key, these are all that the role may hold.
pub fn effective<'a>(
    grant: &'a ScopeGrant,
    role: Role,
    catalogue: &'a Catalogue,
) -> impl Iterator<Item = &'a CatalogueScope> {
    catalogue.of_role(role).filter(move |one| grant.holds(&one.scope))
}

/// Checks that a key has all `wanted` scopes.
///
/// # Errors
/// The scopes that would have sufficed and that the key lacks.
pub fn demand<'a>(
    grant: &ScopeGrant,
    role: Role,
    catalogue: &Catalogue,
    wanted: impl IntoIterator<Item = &'a Scope>,
) -> Result<(), Missing> {
    let lacks: Vec<_> = wanted.into_iter().filter_map(|scope| catalogue.lack_of(grant, role, scope)).collect();
    if lacks.is_empty() { Ok(()) } else { Err(Missing { lacks }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> Scope {
        Scope::parse(text).unwrap()
    }

    fn set(text: &str) -> ScopeSet {
        ScopeSet::parse(text).unwrap()
    }

    fn catalogue() -> Catalogue {
        let entry = |text: &str, least_role| CatalogueScope {
            scope: scope(text),
            description: "Orders".to_owned(),
            least_role,
            deprecated_at: None,
        };
        Catalogue::new([
            entry("orders:read", Role::ReadOnlyUser),
            entry("orders:write", Role::User),
            entry("refunds:create", Role::TenantAdmin),
        ])
    }

    #[test]
    fn a_scope_is_a_resource_and_an_action() {
        let longest = format!("{0}:{0}", "a".repeat(40));
        for valid in ["orders:read", "a:b", "a1.b-c_d:x0._-", " orders:read ", &longest] {
            assert!(Scope::parse(valid).is_ok(), "{valid}");
        }
        let token = format!("lku_{}", "a".repeat(38));
        let said = Scope::parse(&token).unwrap_err().to_string();
        assert!(!said.contains(&token[4..10]), "{said}");
        let too_long = format!("{}:a", "a".repeat(41));
        for bad in [
            "",
            ":",
            "orders",
            "orders:",
            ":read",
            "Orders:read",
            "orders:Read",
            "1orders:read",
            "orders:1",
            "a:b:c",
            "orders:*",
            "*",
            "*:read",
            "orders read:x",
            "é:read",
            "-a:b",
            "a:.b",
            &too_long,
        ] {
            assert!(Scope::parse(bad).is_err(), "{bad}");
        }
        assert_eq!((scope("orders:read").resource(), scope("orders:read").action()), ("orders", "read"));
    }

    #[test]
    fn a_set_is_sorted_and_holds_at_most_64_scopes() {
        assert_eq!(set("b:x, a:y\n b:x").to_string(), "a:y b:x");
        assert_eq!(set(" , ").len(), 0);
        let many = |count| (0..count).map(|n| format!("a:s{n}")).collect::<Vec<_>>().join(" ");
        assert_eq!(set(&many(64)).len(), MAX_SCOPES);
        assert_eq!(ScopeSet::parse(&many(65)), Err(ScopeError::TooMany));
        assert!(ScopeSet::parse("a:b orders:*").is_err_and(|error| error.to_string().contains("“orders:*”")));
    }

    #[test]
    fn a_demand_is_met_only_by_a_held_scope_that_the_role_allows_now() {
        let held = ScopeGrant::Set(set("orders:read orders:write refunds:create gone:x"));
        let catalogue = catalogue();
        let lacks = |grant: &ScopeGrant, role, wanted: &str| {
            let wanted = set(wanted);
            demand(grant, role, &catalogue, &wanted).err().map(|missing| missing.text()).unwrap_or_default()
        };
        assert_eq!(lacks(&held, Role::User, "orders:read orders:write"), "");
        assert_eq!(lacks(&held, Role::ReadOnlyUser, "orders:read orders:write"), "orders:write");
        assert_eq!(lacks(&held, Role::TenantAdmin, "gone:x"), "gone:x", "not in the catalogue");
        assert_eq!(lacks(&ScopeGrant::Unscoped, Role::TenantAdmin, "gone:x refunds:create"), "gone:x");
        assert_eq!(lacks(&ScopeGrant::Unscoped, Role::User, "refunds:create"), "refunds:create");
        assert_eq!(lacks(&ScopeGrant::Set(ScopeSet::default()), Role::TenantAdmin, "orders:read"), "orders:read");
        let text =
            |role| effective(&held, role, &catalogue).map(|one| one.scope.as_str()).collect::<Vec<_>>().join(" ");
        assert_eq!(text(Role::User), "orders:read orders:write");
        assert_eq!(text(Role::TenantAdmin), "orders:read orders:write refunds:create");
        let missing = demand(&held, Role::User, &catalogue, [&scope("refunds:create"), &scope("a:b")]).unwrap_err();
        assert_eq!(missing.to_string(), "The scope refunds:create requires the role Administrator.");
    }

    #[test]
    fn the_reserved_scopes_are_always_in_the_catalogue_and_cant_be_defined() {
        let catalogue = catalogue();
        for own in OwnScope::ALL {
            assert!(catalogue.find(&own.scope()).is_some(), "{own:?}");
        }
        let other = CatalogueScope { least_role: Role::ReadOnlyUser, ..OwnScope::Verify.entry() };
        let kept = Catalogue::new([other]);
        assert_eq!(kept.find(&OwnScope::Verify.scope()).map(|one| one.least_role), Some(Role::TenantAdmin));
        assert_eq!(catalogue.read_only(Role::User), Ok(set("latchkey:read orders:read")));
    }

    #[test]
    fn a_grant_includes_what_it_holds_and_says_what_changes() {
        let (small, large) = (ScopeGrant::Set(set("a:x")), ScopeGrant::Set(set("a:x b:y")));
        assert!(large.includes(&small) && !small.includes(&large) && ScopeGrant::Unscoped.includes(&large));
        assert!(!large.includes(&ScopeGrant::Unscoped));
        assert_eq!(large.difference(&ScopeGrant::Set(set("a:x c:z"))), "added c:z; removed b:y");
        assert_eq!(ScopeGrant::Unscoped.difference(&small), "limited to a:x");
        assert_eq!(small.difference(&ScopeGrant::Unscoped), "no longer limited to a:x");
        assert_eq!(small.difference(&ScopeGrant::Set(ScopeSet::default())), "removed a:x");
    }

    #[test]
    fn a_missing_list_is_everything_and_an_empty_one_is_nothing() {
        let parse = |option, scopes| ScopeRequest::parse(option, scopes);
        let none = ScopeRequest::Grant(ScopeGrant::Set(ScopeSet::default()));
        let all = ScopeRequest::Grant(ScopeGrant::Unscoped);
        assert_eq!(parse(None, None), Ok(all.clone()));
        assert_eq!(parse(None, Some("")), Ok(none.clone()));
        // A form without a tick posts no field.
        assert_eq!(parse(Some(ScopeOption::Chosen), None), Ok(none));
        assert_eq!(parse(Some(ScopeOption::Full), Some("a:b")), Ok(all));
        assert_eq!(parse(Some(ScopeOption::ReadOnly), Some("a:b")), Ok(ScopeRequest::ReadOnly));
        assert!(parse(None, Some("*")).is_err_and(|error| error.at("scopes").is_some()));
    }
}

//! The steps from the current state to the stated one. Nothing here reads the database or the clock.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use domain::{
    KeyId, KeyPolicy, KeyPolicyKind, Name, Role, Scope, ScopeSet, Slug,
    scope::{Catalogue, CatalogueScope, MAX_CATALOGUE},
};

use super::{
    current::{Current, CurrentTenant},
    desired::{Desired, DesiredKeyPolicy, DesiredOwner},
    stated::{Kind, Problem, Stated, Subject},
    step::{Act, Action, Plan, Step},
};
use crate::{
    keys::{key_policies, scopes::described},
    storage::micros,
};

/// Returns the steps to the stated configuration. `prunes`: whether what isn't stated is removed; `now`: the time at which
/// the configuration was checked.
///
/// # Errors
/// Everything that would fail. If the file isn't complete, the plan isn't either, and may lack a problem.
pub(super) fn plan(
    desired: &Desired,
    current: &Current,
    prunes: bool,
    now: DateTime<Utc>,
) -> Result<Plan, Vec<Problem>> {
    let mut planner = Planner::new(desired, current, prunes, now);
    // An entry that refers to one that isn't valid would have a second problem that isn't one.
    let is_complete = |kinds: &[Kind]| kinds.iter().all(|kind| !desired.incomplete.contains(kind));
    planner.scopes();
    planner.tenants();
    if is_complete(&[Kind::Tenant]) {
        planner.accounts();
    }
    if is_complete(&[Kind::Tenant, Kind::Scope]) {
        planner.policies();
    }
    if is_complete(&[Kind::Tenant, Kind::Scope, Kind::ServiceAccount, Kind::KeyPolicy]) {
        planner.keys();
    }
    if prunes && is_complete(&Kind::ALL) {
        planner.remove_keys();
        planner.remove_accounts();
        planner.remove_scopes();
    }
    let Planner { plan, mut problems, .. } = planner;
    problems.sort_by_key(|problem| problem.line);
    if problems.is_empty() { Ok(plan) } else { Err(problems) }
}

/// Why an entry can't be applied, or the step that it needs; `None` if it needs none.
pub(super) type Outcome = Result<Option<Step>, Vec<String>>;

/// A plan under construction.
pub(super) struct Planner<'a> {
    pub(super) desired: &'a Desired,
    pub(super) current: &'a Current,
    pub(super) prunes: bool,
    pub(super) now: DateTime<Utc>,
    /// The catalogue after all steps.
    catalogue: Catalogue,
    /// The stated accounts, with their roles.
    pub(super) roles: HashMap<(&'a Slug, &'a Name), Option<Role>>,
    /// The keys that have stated tokens.
    pub(super) held: HashSet<KeyId>,
    /// The scopes that are removed.
    pub(super) removed: BTreeSet<Scope>,
    /// The key policies of each tenant when keys are created.
    pub(super) policies: BTreeMap<Slug, Vec<KeyPolicy>>,
    /// How many keys each owner gets.
    pub(super) created: HashMap<(Slug, DesiredOwner), usize>,
    plan: Plan,
    problems: Vec<Problem>,
}

impl<'a> Planner<'a> {
    fn new(desired: &'a Desired, current: &'a Current, prunes: bool, now: DateTime<Utc>) -> Self {
        let stated: BTreeSet<&Scope> = desired.scopes.iter().map(|stated| &stated.entry.scope).collect();
        let others = current.catalogue.operators().filter(|entry| !stated.contains(&entry.scope));
        let (removed, kept): (Vec<_>, Vec<_>) = others.cloned().partition(|_| prunes && !stated.is_empty());
        let stated = desired.scopes.iter().map(|stated| stated.entry.clone());
        let policies = current.tenants.iter().map(|(slug, tenant)| (slug.clone(), tenant.policies.clone()));
        let accounts = desired.accounts.iter().map(|stated| &stated.entry);
        Self {
            desired,
            current,
            prunes,
            now,
            roles: accounts.map(|account| ((&account.tenant, &account.name), account.role)).collect(),
            held: current.holders.values().map(|(_, held)| held.id).collect(),
            catalogue: Catalogue::new(kept.into_iter().chain(stated)),
            removed: removed.into_iter().map(|entry| entry.scope).collect(),
            policies: policies.collect(),
            created: HashMap::new(),
            plan: Plan::default(),
            problems: Vec::new(),
        }
    }

    /// Adds the step of an entry, or its problems.
    pub(super) fn add(&mut self, line: usize, subject: &Subject, outcome: Outcome) {
        match outcome {
            Ok(Some(step)) => self.plan.steps.push(step),
            Ok(None) => self.plan.unchanged += 1,
            Err(messages) => {
                let problem = |message| Problem { line, subject: subject.to_string(), message };
                self.problems.extend(messages.into_iter().map(problem));
            }
        }
    }

    fn scopes(&mut self) {
        let mut count = self.current.catalogue.operators().count();
        for Stated { line, entry } in &self.desired.scopes {
            let subject = Subject::shared(Kind::Scope, entry.scope.as_str());
            let step = |action, change| {
                let act = Act::SetScope(entry.clone());
                Ok(Some(Step { action, subject: subject.clone(), change, act }))
            };
            let outcome = match self.current.catalogue.find(&entry.scope) {
                Some(before) if before == entry => Ok(None),
                Some(before) => step(Action::Change, scope_change(before, entry)),
                None => {
                    count += 1;
                    if count > MAX_CATALOGUE {
                        Err(vec![format!("The catalogue can have at most {MAX_CATALOGUE} scopes. Remove one first.")])
                    } else {
                        step(Action::Create, described(entry))
                    }
                }
            };
            self.add(*line, &subject, outcome);
        }
    }

    fn tenants(&mut self) {
        for Stated { line, entry } in &self.desired.tenants {
            let subject = Subject::shared(Kind::Tenant, entry.slug.as_str());
            let step = |action, change, act| Ok(Some(Step { action, subject: subject.clone(), change, act }));
            let (slug, name) = (entry.slug.clone(), entry.name.clone());
            let outcome = match self.current.tenants.get(&entry.slug) {
                Some(tenant) if tenant.name == entry.name => Ok(None),
                Some(tenant) => {
                    let change = format!("renamed from “{}” to “{name}”", tenant.name);
                    step(Action::Change, change, Act::RenameTenant(slug, name))
                }
                None => step(Action::Create, format!("“{name}”"), Act::CreateTenant(slug, name)),
            };
            self.add(*line, &subject, outcome);
        }
    }

    /// Refuses an entry of a tenant that neither exists nor is stated.
    pub(super) fn check_tenant(&self, tenant: &Slug) -> Result<Option<&'a CurrentTenant>, Vec<String>> {
        let is_stated = || self.desired.tenants.iter().any(|stated| stated.entry.slug == *tenant);
        match self.current.tenants.get(tenant) {
            None if !is_stated() => {
                let slug = tenant.as_str();
                Err(vec![format!("There is no tenant with the slug {slug}. Create it with a [[tenant]] entry.")])
            }
            found => Ok(found),
        }
    }

    fn accounts(&mut self) {
        for Stated { line, entry } in &self.desired.accounts {
            let (tenant, name) = (entry.tenant.clone(), entry.name.clone());
            let subject = Subject::of_tenant(Kind::ServiceAccount, tenant.as_str(), name.as_str());
            let step = |action, change, act| Some(Step { action, subject: subject.clone(), change, act });
            let outcome = self.check_tenant(&entry.tenant).map(|here| {
                match (here.and_then(|here| here.accounts.get(&entry.name)), entry.role) {
                    (Some(account), Some(role)) if account.role != role => {
                        let change = format!("role {} instead of {}", role.label(), account.role.label());
                        step(Action::Change, change, Act::ChangeRole(tenant, account.id, role))
                    }
                    (Some(_), _) => None,
                    (None, role) => {
                        let change = role.unwrap_or(Role::TenantAdmin).label().to_owned();
                        step(Action::Create, change, Act::CreateAccount(tenant, name, role))
                    }
                }
            });
            self.add(*line, &subject, outcome);
        }
    }

    /// Sets the stated policies, and removes the others before keys are created, which they might refuse.
    fn policies(&mut self) {
        for Stated { line, entry } in &self.desired.policies {
            let subject = policy_subject(&entry.tenant, entry.policy.kind);
            let outcome = self.policy(entry, &subject);
            self.add(*line, &subject, outcome);
            let policies = self.policies.entry(entry.tenant.clone()).or_default();
            let is_scheduled = !entry.policy.is_in_effect(self.now);
            policies.retain(|one| one.kind != entry.policy.kind || (is_scheduled && one.is_in_effect(self.now)));
            policies.push(entry.policy.clone());
        }
        if !self.prunes {
            return;
        }
        let mut stated: BTreeMap<&Slug, HashSet<KeyPolicyKind>> = BTreeMap::new();
        for policy in &self.desired.policies {
            stated.entry(&policy.entry.tenant).or_default().insert(policy.entry.policy.kind);
        }
        for (slug, kinds) in stated {
            let Some(tenant) = self.current.tenants.get(slug) else { continue };
            for kind in KeyPolicyKind::ALL.into_iter().filter(|kind| !kinds.contains(kind)) {
                if tenant.policies.iter().any(|policy| policy.kind == kind) {
                    self.policies.entry(slug.clone()).or_default().retain(|policy| policy.kind != kind);
                    self.remove(policy_subject(slug, kind), String::new(), Act::ClearKeyPolicy(slug.clone(), kind));
                }
            }
        }
    }

    fn policy(&self, entry: &DesiredKeyPolicy, subject: &Subject) -> Outcome {
        let here = self.check_tenant(&entry.tenant)?;
        self.check_scopes(&entry.policy.scopes, Role::TenantAdmin)?;
        let before = here.map_or(&[][..], |tenant| &tenant.policies);
        if is_as_stated(before, &entry.policy, self.now) {
            return Ok(None);
        }
        let is_new = before.iter().all(|policy| policy.kind != entry.policy.kind);
        Ok(Some(Step {
            action: if is_new { Action::Create } else { Action::Change },
            subject: subject.clone(),
            change: key_policies::described(&entry.policy),
            act: Act::SetKeyPolicy(entry.tenant.clone(), entry.input.clone()),
        }))
    }

    /// Refuses scopes that aren't in the catalogue afterwards, and those that a role may not hold.
    pub(super) fn check_scopes(&self, scopes: &ScopeSet, role: Role) -> Result<(), Vec<String>> {
        self.check_kept(Some(scopes))?;
        self.catalogue.check_grant(scopes, role).map_err(|lack| vec![format!("scopes: {lack}")])
    }

    /// Refuses scopes that are about to be removed.
    pub(super) fn check_kept(&self, scopes: Option<&ScopeSet>) -> Result<(), Vec<String>> {
        let removed = scopes.and_then(|scopes| scopes.iter().find(|scope| self.removed.contains(*scope)));
        removed.map_or(Ok(()), |scope| {
            Err(vec![format!("scopes: The scope {scope} isn't stated, and --prune removes it. Add a [[scope]] entry.")])
        })
    }

    pub(super) fn remove(&mut self, subject: Subject, change: String, act: Act) {
        self.plan.steps.push(Step { action: Action::Remove, subject, change, act });
    }
}

fn policy_subject(tenant: &Slug, kind: KeyPolicyKind) -> Subject {
    Subject::of_tenant(Kind::KeyPolicy, tenant.as_str(), kind.as_str())
}

fn scope_change(before: &CatalogueScope, after: &CatalogueScope) -> String {
    let description = (before.description != after.description).then(|| format!("description: {}", after.description));
    let role = (before.least_role != after.least_role)
        .then(|| format!("least role {} instead of {}", after.least_role.label(), before.least_role.label()));
    let deprecation = (before.deprecated_at != after.deprecated_at)
        .then(|| after.deprecation().unwrap_or_else(|| "no longer deprecated".to_owned()));
    [description, role, deprecation].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// Whether setting a policy would change nothing. A policy without a date, or whose date has passed, applies now.
fn is_as_stated(before: &[KeyPolicy], stated: &KeyPolicy, now: DateTime<Utc>) -> bool {
    let has_values = |policy: &&KeyPolicy| policy.has_values_of(stated);
    let of_kind = before.iter().filter(|policy| policy.kind == stated.kind);
    let (in_effect, scheduled): (Vec<_>, Vec<_>) = of_kind.partition(|policy| policy.is_in_effect(now));
    let is_in_effect = scheduled.is_empty() && in_effect.iter().any(has_values);
    let at = |policy: &KeyPolicy| micros(policy.effective_from);
    let is_scheduled = || scheduled.iter().any(|policy| has_values(policy) && at(policy) == at(stated));
    is_in_effect || (!stated.is_in_effect(now) && is_scheduled())
}

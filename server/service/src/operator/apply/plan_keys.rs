//! The steps for stated keys.

use domain::{
    ApiKey, Expiry, OwnerKind, Role, ScopeGrant, Slug,
    api_key::policy::{self, Proposed, keys_text},
    name::shown,
    scope::listed,
    time::utc_text,
};

use super::{
    current::CurrentTenant,
    desired::{DesiredKey, DesiredOwner, messages},
    plan::{Outcome, Planner},
    stated::Stated,
    step::{Act, Action, KeyChange, Step},
};

impl Planner<'_> {
    /// Plans the stated keys.
    pub(super) fn keys(&mut self) {
        for Stated { line, entry } in &self.desired.keys {
            let outcome = self.check_tenant(&entry.tenant).and_then(|here| {
                match self.current.holders.get(entry.token.digest()) {
                    Some((slug, held)) => self.existing_key(entry, here, (slug, held)),
                    None => self.new_key(entry, here),
                }
            });
            if matches!(&outcome, Ok(Some(step)) if step.action == Action::Create) {
                *self.created.entry((entry.tenant.clone(), entry.owner.clone())).or_default() += 1;
            }
            self.add(*line, &entry.subject(), outcome);
        }
    }

    /// Returns the change of a key that has the stated token.
    fn existing_key(&self, key: &DesiredKey, here: Option<&CurrentTenant>, (slug, held): (&Slug, &ApiKey)) -> Outcome {
        if let Some(revocation) = &held.revocation {
            let at = utc_text(revocation.at);
            let message = format!(
                "Its token was revoked on {at}, and a revoked token never works again. State another token, or remove \
                 this entry."
            );
            return Err(vec![message]);
        }
        let owner = here.and_then(|here| here.owner(&key.owner));
        let Some((_, role)) = owner.filter(|(owner, _)| *owner == held.owner && *slug == key.tenant) else {
            let (name, owner, tenant) = (held.name.as_str(), &held.owner_name, slug.as_str());
            return Err(vec![format!("Its token belongs to another key: “{name}” of {} in {tenant}.", shown(owner))]);
        };
        if held.expires_at != key.expires_at {
            return Err(vec![expiry_differs(held)]);
        }
        self.check_kept(key.scopes.set())?;
        let role = self.role_of(key, Some(role)).unwrap_or(role);
        let change = KeyChange {
            id: held.id,
            name: (held.name != key.name).then(|| key.name.clone()),
            scopes: (held.scopes != key.scopes).then(|| key.scopes.clone()),
            limits: (held.limits != key.limits).then(|| key.limits.clone()),
        };
        if change.name.is_none() && change.scopes.is_none() && change.limits.is_none() {
            return Ok(None);
        }
        self.check_widening(key, held, role)?;
        let name = change.name.as_ref().map(|_| format!("renamed from “{}”", held.name));
        let scopes = change.scopes.as_ref().map(|after| format!("scopes: {}", held.scopes.difference(after)));
        let limits = change.limits.as_ref().map(|after| held.limits.difference(after));
        Ok(Some(Step {
            action: Action::Change,
            subject: key.subject(),
            change: [name, scopes, limits].into_iter().flatten().collect::<Vec<_>>().join("; "),
            act: Act::ChangeKey(key.tenant.clone(), Box::new(change)),
        }))
    }

    fn check_widening(&self, key: &DesiredKey, held: &ApiKey, role: Role) -> Result<(), Vec<String>> {
        if held.scopes.includes(&key.scopes) && held.limits.includes(&key.limits) {
            return Ok(());
        }
        check_may_have(key, role)?;
        if held.scopes.includes(&key.scopes) {
            return Ok(());
        }
        if let (ScopeGrant::Set(before), ScopeGrant::Set(after)) = (&held.scopes, &key.scopes) {
            self.check_scopes(&after.without(before), role)?;
        }
        let policies = self.policies.get(&key.tenant).map_or(&[][..], Vec::as_slice);
        policy::check_added_scopes(policies, held, &key.scopes, self.now).map_err(|error| messages(&error))
    }

    /// Returns the step that creates a key.
    fn new_key(&self, key: &DesiredKey, here: Option<&CurrentTenant>) -> Outcome {
        let owner = here.and_then(|here| here.owner(&key.owner));
        let role = self.role_of(key, owner.map(|(_, role)| role)).ok_or_else(|| vec![no_owner(key)])?;
        check_may_have(key, role)?;
        if let Some(at) = key.expires_at {
            Expiry::at(at, self.now).map_err(|error| vec![format!("expires_at: {error}")])?;
        }
        if let Some(scopes) = key.scopes.set() {
            self.check_scopes(scopes, role)?;
        }
        let policies = self.policies.get(&key.tenant).map_or(&[][..], Vec::as_slice);
        let proposed =
            Proposed { owner: key.owner.kind(), expires_at: key.expires_at, by_key: false, scopes: &key.scopes };
        policy::check(policies, proposed, self.now).map_err(|error| messages(&error))?;
        let before = owner.zip(here).map_or(&[][..], |((owner, _), here)| here.keys_of(owner));
        let others = self.created.get(&(key.tenant.clone(), key.owner.clone())).copied().unwrap_or_default();
        let limit = policy::key_limit(policies, self.now);
        if before.len() + others >= limit as usize {
            let limit = keys_text(limit);
            return Err(vec![format!(
                "{} can have at most {limit} in this tenant. Revoke some, or raise the limit with the key policy \
                 max_keys.",
                key.owner.as_str()
            )]);
        }
        Ok(Some(Step {
            action: Action::Create,
            subject: key.subject(),
            change: self.new_key_text(key, before),
            act: Act::CreateKey(Box::new(key.clone())),
        }))
    }

    /// Returns the values of a new key, and what happens to others of the same name.
    fn new_key_text(&self, key: &DesiredKey, before: &[ApiKey]) -> String {
        let scopes = key.scopes.set().map(|set| format!("with {}", listed(set)));
        let expiry = key.expires_at.map(|at| format!("expires on {}", utc_text(at)));
        let limits = Some(key.limits.audit_text()).filter(|text| !text.is_empty());
        let is_replaced = self.prunes && key.owner.kind() == OwnerKind::ServiceAccount;
        let namesakes = before.iter().filter(|other| other.name == key.name && !self.held.contains(&other.id));
        let namesakes = namesakes.map(|other| {
            let hint = &other.hint;
            if is_replaced {
                format!("replaces the key {hint}…")
            } else {
                format!("the key {hint}… of the same name keeps working")
            }
        });
        let hint = format!("{}…", key.token.hint);
        [Some(hint), scopes, expiry, limits].into_iter().flatten().chain(namesakes).collect::<Vec<_>>().join("; ")
    }

    /// Returns the role that a key's owner has when keys are created; `None` if there won't be such an owner. `before`: the
    /// role that it has now.
    fn role_of(&self, key: &DesiredKey, before: Option<Role>) -> Option<Role> {
        let DesiredOwner::ServiceAccount(name) = &key.owner else { return before };
        match self.roles.get(&(&key.tenant, name)) {
            Some(stated) => stated.or(before).or(Some(Role::TenantAdmin)),
            None => before,
        }
    }
}

fn no_owner(key: &DesiredKey) -> String {
    let (owner, tenant) = (key.owner.as_str(), key.tenant.as_str());
    match key.owner {
        DesiredOwner::User(_) => {
            format!("user: {owner} isn't a member of {tenant}. Add them with latchkey admin create-user.")
        }
        DesiredOwner::ServiceAccount(_) => format!(
            "service_account: There is no service account “{owner}” in {tenant}. Create it with a [[service_account]] \
             entry."
        ),
    }
}

/// Refuses to create or widen a key of a person whose role doesn't allow it. The operator may give any key to a service
/// account.
fn check_may_have(key: &DesiredKey, role: Role) -> Result<(), Vec<String>> {
    match &key.owner {
        DesiredOwner::User(email) if role < Role::User => {
            let email = email.as_str();
            Err(vec![format!("user: {email} has the role {}, which can't create keys.", role.label())])
        }
        _ => Ok(()),
    }
}

fn expiry_differs(held: &ApiKey) -> String {
    let Some(at) = held.expires_at else {
        return "expires_at: This key never expires, and the expiry of a key can't be changed. Remove expires_at, or state \
                another token, which creates another key."
            .to_owned();
    };
    let expires = utc_text(at);
    if held.replaced_by.as_ref().is_some_and(|successor| !successor.is_revoked) {
        return format!("This key was rotated and ends on {expires}. State the token of the key that replaces it.");
    }
    let exact = at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
    format!(
        "expires_at: This key expires on {expires}, and the expiry of a key can't be changed. State expires_at = \
         \"{exact}\", or another token, which creates another key."
    )
}

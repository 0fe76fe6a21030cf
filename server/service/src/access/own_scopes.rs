//! Which of the reserved scopes a key needs for an operation here. Unscoped keys, sessions and the operator need none.

use domain::{ApiError, Operation, scope::OwnScope};

use super::actor::Actor;

/// Returns the scopes of which a key needs one.
fn needed(operation: Operation) -> &'static [OwnScope] {
    match operation {
        Operation::RegisterAgent
        | Operation::PollQueue
        | Operation::CreateFlowProject
        | Operation::RegisterFlow
        | Operation::CreateFlowRun
        | Operation::CancelFlowRun
        | Operation::ReportFlowRun => &[OwnScope::Agent],
        Operation::ReadFlows => &[OwnScope::Agent, OwnScope::Read],
        // Who it is and in which tenant: an agent asks before it registers, and changes of both are answered with them.
        Operation::ViewSelf | Operation::GetTenant => &[OwnScope::Read, OwnScope::Manage, OwnScope::Agent],
        _ if operation.is_read() => &[OwnScope::Read],
        _ => &[OwnScope::Manage],
    }
}

/// Returns the scope with which the actor performs an operation: the one that its key holds or, if it holds none that
/// suffices, the one that it lacks.
pub(crate) fn demanded(actor: &Actor, operation: Operation) -> OwnScope {
    let needed = needed(operation);
    let held = needed.iter().find(|one| actor.scopes().holds(&one.scope()));
    held.or(needed.first()).copied().unwrap_or(OwnScope::Manage)
}

/// Checks that the actor's key, if it has one, holds a scope that suffices for an operation.
///
/// # Errors
/// `FORBIDDEN`, which names the scope.
pub(super) fn check(actor: &Actor, operation: Operation) -> Result<(), ApiError> {
    if actor.scopes().set().is_none() {
        return Ok(());
    }
    let demanded = demanded(actor, operation).scope();
    if actor.scopes().holds(&demanded) {
        return Ok(());
    }
    Err(ApiError::forbidden(format!("This key lacks the scope {demanded}. Use a key that holds it.")))
}

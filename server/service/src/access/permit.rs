//! The proof that an operation was allowed: [`ReadPermit`] for looking, [`WritePermit`] for changing.

use std::ops::Deref;

use domain::{Operation, Owner, TenantId};

/// That an operation was allowed, with the tenant and the owner that storage puts in every WHERE clause. It opens only what
/// reads. Made by [`super::authorization`] alone.
#[derive(Clone, Copy, Debug)]
pub struct ReadPermit {
    tenant_id: TenantId,
    owner: Option<Owner>,
    operation: Operation,
}

/// The same for an operation that changes something: it opens what writes too. Made by [`super::authorization`] alone, and by
/// [`WritePermit::of_key`] for what the service does by itself. Nothing turns a permit to read into one to write.
#[derive(Clone, Copy, Debug)]
pub struct WritePermit(ReadPermit);

impl ReadPermit {
    pub(super) fn new(tenant_id: TenantId, owner: Option<Owner>, operation: Operation) -> Self {
        Self { tenant_id, owner, operation }
    }

    pub(crate) fn tenant_id(&self) -> TenantId {
        self.tenant_id
    }

    pub(crate) fn owner(&self) -> Option<Owner> {
        self.owner
    }

    pub(crate) fn operation(&self) -> Operation {
        self.operation
    }
}

impl WritePermit {
    /// None for an operation that only reads.
    pub(super) fn new(permit: ReadPermit) -> Option<Self> {
        (!is_read(permit.operation)).then_some(Self(permit))
    }

    /// For what the service itself does with a key after the key has been verified: a use is the right to it.
    pub(crate) fn of_key(tenant_id: TenantId, owner: Owner, operation: Operation) -> Self {
        Self(ReadPermit { tenant_id, owner: Some(owner), operation })
    }
}

impl Deref for WritePermit {
    type Target = ReadPermit;

    fn deref(&self) -> &ReadPermit {
        &self.0
    }
}

/// Whether an operation only reads.
fn is_read(operation: Operation) -> bool {
    match operation {
        Operation::ViewSelf
        | Operation::ListSessions
        | Operation::ListApiKeys
        | Operation::GetApiKey
        | Operation::GetApiKeyUsage
        | Operation::ListServiceAccounts
        | Operation::GetServiceAccount
        | Operation::ListInvitations
        | Operation::GetTenant
        | Operation::PollQueue
        | Operation::ListAgents
        | Operation::ListAuditLog
        | Operation::ListTenantKeys
        | Operation::ListPolicies
        | Operation::PreviewPolicy
        | Operation::ListMembers => true,
        Operation::SwitchTenant
        | Operation::UpdateProfile
        | Operation::ChangePassword
        | Operation::ConfirmSignIn
        | Operation::EndSession
        | Operation::EndOtherSessions
        | Operation::BeginSecondFactor
        | Operation::EnableSecondFactor
        | Operation::DisableSecondFactor
        | Operation::RenewRecoveryCodes
        | Operation::CreateApiKey
        | Operation::RevokeApiKey
        | Operation::RenameApiKey
        | Operation::SuspendApiKey
        | Operation::ResumeApiKey
        | Operation::RollApiKey
        | Operation::FinishRoll
        | Operation::ExtendRoll
        | Operation::CancelRoll
        | Operation::CreateServiceAccount
        | Operation::RenameServiceAccount
        | Operation::ChangeServiceAccountRole
        | Operation::SuspendServiceAccount
        | Operation::ResumeServiceAccount
        | Operation::DeleteServiceAccount
        | Operation::CreateTenant
        | Operation::RenameTenant
        | Operation::InviteMember
        | Operation::CancelInvitation
        | Operation::AcceptInvitation
        | Operation::CreateCalendarFeed
        | Operation::RevokeCalendarFeed
        | Operation::RegisterAgent
        | Operation::SuspendApiKeys
        | Operation::RevokeApiKeys
        | Operation::SetPolicy
        | Operation::ClearPolicy
        | Operation::ChangeMemberRole
        | Operation::RemoveMember => false,
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_operation_that_reads_gives_no_permit_to_write() {
        for operation in Operation::ALL {
            let permit = ReadPermit::new(TenantId(Uuid::nil()), None, *operation);
            assert_eq!(WritePermit::new(permit).is_some(), !is_read(*operation), "{operation:?}");
        }
        assert!(is_read(Operation::GetApiKey) && !is_read(Operation::RevokeApiKey));
    }

    /// Compiles only while a permit to read is neither convertible to one to write nor dereferences to it: with such a
    /// conversion the compiler could not tell which of the two implementations is meant.
    #[test]
    fn a_permit_to_read_never_becomes_one_to_write() {
        trait AmbiguousIfConvertible<Way> {
            fn check() {}
        }
        struct ByInto;
        struct ByDeref;
        impl<T> AmbiguousIfConvertible<()> for T {}
        impl<T: Into<WritePermit>> AmbiguousIfConvertible<ByInto> for T {}
        impl<T: Deref<Target = WritePermit>> AmbiguousIfConvertible<ByDeref> for T {}
        <ReadPermit as AmbiguousIfConvertible<_>>::check();
    }
}

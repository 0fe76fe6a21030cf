//! The proof that an operation was allowed.

use domain::{Operation, Owner, TenantId};

/// That an operation was allowed, with the tenant and the owner that storage puts in every WHERE clause.
/// Made by [`super::authorization`] alone, and by [`Permit::of_key`] for what the service does by itself.
#[derive(Clone, Copy, Debug)]
pub struct Permit {
    tenant_id: TenantId,
    owner: Option<Owner>,
    operation: Operation,
}

impl Permit {
    pub(super) fn new(tenant_id: TenantId, owner: Option<Owner>, operation: Operation) -> Self {
        Self { tenant_id, owner, operation }
    }

    /// For what the service itself does with a key after the key has been verified: a use is the right to it.
    pub(crate) fn of_key(tenant_id: TenantId, owner: Owner, operation: Operation) -> Self {
        Self { tenant_id, owner: Some(owner), operation }
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

//! The proof that an operation was authorized: [`ReadPermit`] to read, [`WritePermit`] to change.

use std::ops::Deref;

use domain::{Operation, Owner, TenantId};

/// Proof that an operation was authorized, with the tenant and the owner that storage puts in every WHERE clause. Gives
/// access only to storage functions that read. Only [`super::authorization`] creates one.
#[derive(Clone, Copy, Debug)]
pub struct ReadPermit {
    tenant_id: TenantId,
    owner: Option<Owner>,
    operation: Operation,
}

/// Like [`ReadPermit`], for an operation that changes something. Also gives access to storage functions that write.
/// Created only by [`super::authorization`] and, for changes that the service makes by itself, by
/// [`WritePermit::of_key`]. A read permit can't be converted into a write permit.
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
    /// Returns `None` for an operation that only reads.
    pub(super) fn new(permit: ReadPermit) -> Option<Self> {
        (!permit.operation.is_read()).then_some(Self(permit))
    }

    /// Creates the permit for a change that the service itself makes when a key is used. The verified key authorizes
    /// it.
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

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_operation_that_only_reads_gives_no_write_permit() {
        for operation in Operation::ALL {
            let permit = ReadPermit::new(TenantId(Uuid::nil()), None, *operation);
            assert_eq!(WritePermit::new(permit).is_some(), !operation.is_read(), "{operation:?}");
        }
        assert!(Operation::GetApiKey.is_read() && !Operation::RevokeApiKey.is_read());
    }

    /// Compiles only while a read permit neither converts nor dereferences to a write permit: with such a conversion,
    /// two implementations would apply and the call would be ambiguous.
    #[test]
    fn a_read_permit_never_becomes_a_write_permit() {
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

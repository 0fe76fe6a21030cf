//! Tenants, the first one too, and the service accounts that belong to them.

pub(crate) mod service_accounts;
pub(crate) mod set_up;
pub(crate) mod tenant;

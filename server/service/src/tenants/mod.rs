//! Tenants, the initial setup, and the service accounts that belong to tenants.

pub(crate) mod overview;
pub(crate) mod service_accounts;
pub(crate) mod set_up;
pub(crate) mod tenant;

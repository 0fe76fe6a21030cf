//! Server functions: the hydrated page's way to the use cases. Each is one operation.

pub mod api_keys;
pub mod service_accounts;
pub mod wire;

use domain::Operation;

/// Every server function's endpoint and its operation, for the parity test.
pub const SERVER_FUNCTIONS: &[(&str, Operation)] = &[
    ("create_api_key", Operation::CreateApiKey),
    ("revoke_api_key", Operation::RevokeApiKey),
    ("create_service_account", Operation::CreateServiceAccount),
    ("delete_service_account", Operation::DeleteServiceAccount),
];

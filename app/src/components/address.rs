//! The origin of a request as text.

use domain::LastUse;

/// " from 192.0.2.1", the end of a clause; empty when the address isn't known.
pub fn from_address(address: Option<&str>) -> String {
    address.map(|address| format!(" from {address}")).unwrap_or_default()
}

/// " from 192.0.2.1 by curl/8.5.0", the end of a clause; without the parts that aren't known.
pub fn from_client(last: &LastUse) -> String {
    let agent = last.user_agent.as_ref().map(|agent| format!(" by {agent}")).unwrap_or_default();
    format!("{}{agent}", from_address(last.address.as_deref()))
}

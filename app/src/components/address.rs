//! From where something came, in words.

/// " from 192.0.2.1", to end a clause with; nothing, when the address isn't known.
pub fn from_address(address: Option<&str>) -> String {
    address.map(|address| format!(" from {address}")).unwrap_or_default()
}

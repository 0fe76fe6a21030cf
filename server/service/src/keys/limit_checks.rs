//! Checks of a key's limits: whether a client's address is allowed, and whether new limits lock out their author.

use std::net::IpAddr;

use domain::{AllowedAddresses, ApiError, ErrorCode, FieldError, KeyId, KeyLimits};

use crate::{
    access::{Actor, Client},
    error::Result,
};

/// Whether a key may be used from a client's address. An unknown address is in no list.
pub(crate) fn is_allowed_from(limits: Option<&KeyLimits>, client: &Client) -> bool {
    let addresses = limits.and_then(|limits| limits.addresses.as_ref());
    addresses.is_none_or(|addresses| address_of(client).is_some_and(|address| addresses.contains(address)))
}

fn address_of(client: &Client) -> Option<IpAddr> {
    client.address.as_deref().and_then(|address| address.parse().ok())
}

/// Refuses addresses that lock out the author of a key's limits: the key that changes its own limits, or the browser of
/// the person who sets them. `key`: the key that is changed.
///
/// # Errors
/// `CONFLICT`, with a field error at `allow_lockout`.
pub(crate) fn check_lockout(actor: &Actor, key: Option<KeyId>, addresses: Option<&AllowedAddresses>) -> Result<()> {
    let Some(addresses) = addresses else { return Ok(()) };
    let (address, is_own) = (address_of(actor.client()), key.is_some() && actor.key_id() == key);
    let is_listed = address.is_some_and(|address| addresses.contains(address));
    let address = address.map(|address| address.to_canonical().to_string());
    let message = match (is_own, address) {
        _ if is_listed => return Ok(()),
        (true, address) => {
            let from = address.map(|address| format!(" from {address}, which isn't in the list")).unwrap_or_default();
            format!(
                "This request uses this key{from}, so the key would stop working here. Add the address, or allow the \
                 lockout."
            )
        }
        (false, Some(address)) if actor.is_session() => format!(
            "Your own address, {address}, isn't in the list, so the key wouldn't work from here. Add the address, or \
             confirm that this is intended."
        ),
        (false, _) => return Ok(()),
    };
    let field = FieldError { field: "allow_lockout".to_owned(), message: message.clone() };
    Err(ApiError { fields: vec![field], ..ApiError::new(ErrorCode::Conflict, message) }.into())
}

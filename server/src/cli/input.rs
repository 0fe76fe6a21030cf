//! Input that several commands share.

use std::{io::Read, str::FromStr};

use domain::{ApiError, Secret};
use service::{Actor, Admin};

/// Returns the operator as an actor in a tenant, and a parsed id.
pub(super) async fn operator_and_id<T: FromStr>(
    admin: &Admin<'_>,
    tenant: &str,
    id: &str,
) -> Result<(Actor, T), ApiError> {
    let operator = admin.operator(tenant).await?;
    Ok((operator, id.parse().map_err(|_| ApiError::not_found())?))
}

/// Reads a password from standard input if the command asks for it; otherwise it is empty.
pub(super) fn read_password(from_stdin: bool) -> Result<Secret, ApiError> {
    if !from_stdin {
        return Ok(Secret::new(""));
    }
    let mut text = String::new();
    let read = std::io::stdin().take(4_096).read_to_string(&mut text);
    read.map_err(|_| ApiError::field("password", "The password on standard input isn't valid UTF-8."))?;
    Ok(Secret::new(text.trim_end_matches(['\r', '\n'])))
}

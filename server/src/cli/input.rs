//! Arguments and input that several commands share.

use std::{
    io::{IsTerminal, Read},
    path::Path,
    str::FromStr,
};

use clap::{
    Args,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};
use domain::{ApiError, Role, Secret, name::is_forbidden, secret::without_tokens};

use super::output;

/// The tenant in which a command acts.
#[derive(Args, Debug)]
pub(super) struct InTenant {
    /// Slug of the tenant, such as acme
    #[arg(long, value_name = "SLUG")]
    pub(super) tenant: String,
}

/// The format of a list.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct Format {
    /// Print JSON, one object per line, instead of columns separated by tabs
    #[arg(long)]
    pub(super) json: bool,
}

/// The format of a single result.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct OneFormat {
    /// Print a JSON object with the id and the secret
    #[arg(long)]
    pub(super) json: bool,
}

/// Parses an id.
pub(super) fn id<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| "not an id; an id looks like 0198c5a2-7b1e-7f3a-9c40-5d2e8f6a1b3c".to_owned())
}

/// Returns a path as a message may contain it: without control characters, and without tokens, which somebody may have
/// given in place of a path.
pub(super) fn path_text(path: &Path) -> String {
    without_tokens(&path.to_string_lossy()).chars().filter(|c| !is_forbidden(*c)).collect()
}

/// Parses the code of a role.
pub(super) fn role() -> impl TypedValueParser<Value = Role> {
    let codes = Role::ALL.map(|role| PossibleValue::new(role.as_str()).help(role.meaning()));
    PossibleValuesParser::new(codes).try_map(|code| code.parse::<Role>())
}

/// Reads a password from standard input if the command asks for it; otherwise it is empty.
pub(super) fn read_password(from_stdin: bool) -> Result<Secret, ApiError> {
    if !from_stdin {
        return Ok(Secret::new(""));
    }
    if std::io::stdin().is_terminal() {
        output::message("Type the password, then press Enter and Ctrl+D. It is visible while you type.");
    }
    let mut text = String::new();
    let read = std::io::stdin().take(4_096).read_to_string(&mut text);
    read.map_err(|_| ApiError::field("password", "The password on standard input isn't valid UTF-8."))?;
    Ok(Secret::new(text.trim_end_matches(['\r', '\n'])))
}

#[cfg(test)]
mod tests {
    use domain::KeyId;

    use super::*;

    #[test]
    fn only_a_uuid_is_an_id() {
        assert!(id::<KeyId>("0198c5a2-7b1e-7f3a-9c40-5d2e8f6a1b3c").is_ok());
        assert!(id::<KeyId>("Laptop").is_err_and(|message| message.starts_with("not an id")));
    }
}

//! The command `generate-token`.

use clap::{Args, ValueEnum};
use domain::OwnerKind;
use service::draw_token;

use super::{outcome::Outcome, output};

#[derive(Args, Debug)]
pub(super) struct GenerateToken {
    /// Whose key the token is for
    #[arg(long, value_enum)]
    kind: Kind,
}

/// A kind of owner.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// A person
    User,
    /// A service account
    ServiceAccount,
}

/// Prints a token that belongs to no key.
pub(super) fn run(options: &GenerateToken) -> Outcome {
    let kind = match options.kind {
        Kind::User => OwnerKind::User,
        Kind::ServiceAccount => OwnerKind::ServiceAccount,
    };
    Ok(output::line(draw_token(kind).expose())?)
}

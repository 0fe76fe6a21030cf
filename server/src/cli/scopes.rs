//! Commands for the scope catalogue.

use clap::Subcommand;
use domain::{
    Role,
    scope::{CatalogueScope, SetScope},
};
use serde::Serialize;
use service::Services;

use super::{
    input::{Format, role},
    list::{List, Row, or_dash, time},
    outcome::Answer,
};

#[derive(Debug, Subcommand)]
pub(super) enum ScopeCommand {
    /// List the scopes that keys can hold
    ///
    /// Columns: scope, lowest role that may hold it, since when it is deprecated, description. The scopes of the resource
    /// latchkey are Latchkey's own.
    #[command(after_help = "\
latchkey admin list-scopes
latchkey admin list-scopes --json")]
    ListScopes {
        #[command(flatten)]
        format: Format,
    },
    /// Add a scope to the catalogue, or change it
    #[command(after_help = "\
latchkey admin set-scope orders:read --description orders --least-role READ_ONLY_USER
latchkey admin set-scope orders:read --description orders --deprecated-since 2027-01-31")]
    SetScope {
        /// Scope, such as orders:read
        scope: String,
        /// What the scope allows, at most 200 characters
        #[arg(long)]
        description: String,
        /// Lowest role whose keys may hold the scope
        #[arg(long, value_parser = role(), default_value = "READ_ONLY_USER")]
        least_role: Role,
        /// Day since when the scope is deprecated, in UTC, such as 2027-01-31
        #[arg(long, value_name = "DATE")]
        deprecated_since: Option<String>,
    },
    /// Remove a scope from the catalogue and from all keys
    #[command(after_help = "latchkey admin remove-scope orders:read")]
    RemoveScope {
        /// Scope, such as orders:read
        scope: String,
    },
}

#[derive(Serialize)]
struct ScopeRow {
    scope: String,
    least_role: &'static str,
    deprecated_at: Option<String>,
    description: String,
}

impl From<&CatalogueScope> for ScopeRow {
    fn from(entry: &CatalogueScope) -> Self {
        Self {
            scope: entry.scope.to_string(),
            least_role: entry.least_role.as_str(),
            deprecated_at: entry.deprecated_at.map(time),
            description: entry.description.clone(),
        }
    }
}

impl Row for ScopeRow {
    fn columns(&self) -> Vec<String> {
        let deprecated = or_dash(self.deprecated_at.as_ref());
        vec![self.scope.clone(), self.least_role.to_owned(), deprecated, self.description.clone()]
    }
}

pub(super) async fn run(services: &Services, command: ScopeCommand) -> Answer {
    let admin = services.admin();
    match command {
        ScopeCommand::ListScopes { format } => {
            let catalogue = admin.list_scopes().await?;
            List::new(format).write(catalogue.iter().map(ScopeRow::from))?;
        }
        ScopeCommand::SetScope { scope, description, least_role, deprecated_since } => {
            let deprecated_since = deprecated_since.unwrap_or_default();
            let least_role = Some(least_role);
            admin.set_scope(&SetScope { scope, description, least_role, deprecated_since, before: None }).await?;
        }
        ScopeCommand::RemoveScope { scope } => admin.remove_scope(&scope).await?,
    }
    Ok(())
}

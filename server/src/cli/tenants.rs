//! Commands for tenants.

use clap::{
    Subcommand,
    builder::{PossibleValue, PossibleValuesParser},
};
use domain::{
    ExposureResponse, KeyPolicyKind, Tenant,
    api_key::{
        input::SetKeyPolicy,
        policy::{MAX_DAYS, MAX_KEY_LIMIT},
    },
};
use serde::Serialize;
use service::Services;

use super::{
    input::{Format, InTenant},
    list::{List, Row, time},
    outcome::Answer,
    output,
};

#[derive(Debug, Subcommand)]
pub(super) enum TenantCommand {
    /// List all tenants
    ///
    /// Columns: slug, id, name, creation time.
    #[command(after_help = "\
latchkey admin list-tenants
latchkey admin list-tenants --json")]
    ListTenants {
        #[command(flatten)]
        format: Format,
    },
    /// Create a tenant; prints its id
    #[command(after_help = "latchkey admin create-tenant --name 'Acme Robotics' --slug acme")]
    CreateTenant {
        /// Name of the new tenant
        #[arg(long)]
        name: String,
        /// Slug: 1 to 63 lowercase letters, digits and hyphens, such as acme; it can't be changed later
        #[arg(long)]
        slug: String,
    },
    /// Rename a tenant
    #[command(after_help = "latchkey admin rename-tenant --tenant acme --name 'Acme Industries'")]
    RenameTenant {
        #[command(flatten)]
        place: InTenant,
        /// New name
        #[arg(long)]
        name: String,
    },
    /// Turn on a key policy, or change it
    #[command(after_help = "\
latchkey admin set-policy --tenant acme --policy max_lifetime --days 90
latchkey admin set-policy --tenant acme --policy expiry_required --from 2027-01-31T09:00:00+01:00")]
    SetPolicy {
        #[command(flatten)]
        place: InTenant,
        /// Key policy to turn on
        #[arg(long, value_parser = policies())]
        policy: String,
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_DAYS)),
              help = "Number of days, 1 to 3650; required for max_lifetime and suspend_unused")]
        days: Option<u32>,
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_KEY_LIMIT)),
              help = "Number of keys, 1 to 100000; required for max_keys")]
        limit: Option<u32>,
        #[arg(long, value_parser = PossibleValuesParser::new(ExposureResponse::ALL.map(ExposureResponse::as_str)),
              help = "What happens to an exposed key; required for exposed_keys")]
        on_exposure: Option<String>,
        #[arg(
            long = "scope",
            value_name = "SCOPE",
            help = "Scope that the policy is about; may be given several times; \
              required for scopes_not_for_users and scope_max_lifetime"
        )]
        scopes: Vec<String>,
        /// When the policy takes effect, such as 2027-01-31T09:00:00+01:00 [default: now]
        #[arg(long, value_name = "TIME")]
        from: Option<String>,
    },
    /// Turn off a key policy
    #[command(after_help = "latchkey admin clear-policy --tenant acme --policy max_lifetime")]
    ClearPolicy {
        #[command(flatten)]
        place: InTenant,
        /// Key policy to turn off
        #[arg(long, value_parser = policies())]
        policy: String,
    },
}

fn policies() -> PossibleValuesParser {
    PossibleValuesParser::new(KeyPolicyKind::ALL.map(|kind| PossibleValue::new(kind.as_str()).help(kind.meaning())))
}

#[derive(Serialize)]
struct TenantRow {
    slug: String,
    id: String,
    name: String,
    created_at: String,
}

impl From<Tenant> for TenantRow {
    fn from(tenant: Tenant) -> Self {
        Self {
            slug: tenant.slug.as_str().to_owned(),
            id: tenant.id.to_string(),
            name: tenant.name.to_string(),
            created_at: time(tenant.created_at),
        }
    }
}

impl Row for TenantRow {
    fn columns(&self) -> Vec<String> {
        vec![self.slug.clone(), self.id.clone(), self.name.clone(), self.created_at.clone()]
    }
}

pub(super) async fn run(services: &Services, command: TenantCommand) -> Answer {
    let admin = services.admin();
    match command {
        TenantCommand::ListTenants { format } => {
            let mut out = List::new(format);
            out.write(admin.list_tenants().await?.into_iter().map(TenantRow::from))?;
            out.end("There are no tenants.");
        }
        TenantCommand::CreateTenant { name, slug } => output::line(admin.create_tenant(&name, &slug).await?)?,
        TenantCommand::RenameTenant { place, name } => {
            services.tenants().rename(&admin.operator(&place.tenant).await?, &name).await?;
        }
        TenantCommand::SetPolicy { place, policy, days, limit, on_exposure, scopes, from } => {
            let operator = admin.operator(&place.tenant).await?;
            let days = days.map(|days| days.to_string()).unwrap_or_default();
            let limit = limit.map(|limit| limit.to_string()).unwrap_or_default();
            let (on_exposure, from) = (on_exposure.unwrap_or_default(), from.unwrap_or_default());
            let scopes = scopes.join(" ");
            let input = SetKeyPolicy { policy, days, limit, on_exposure, scopes, from, before: None };
            services.tenant_policies().set(&operator, &input).await?;
        }
        TenantCommand::ClearPolicy { place, policy } => {
            services.tenant_policies().clear(&admin.operator(&place.tenant).await?, &policy).await?;
        }
    }
    Ok(())
}

//! What the operator does with tenants.

use clap::Subcommand;
use domain::{ApiError, api_key::input::SetKeyPolicy};
use service::Services;

#[derive(Debug, Subcommand)]
pub(super) enum TenantCommand {
    /// Make a tenant; prints its id
    CreateTenant {
        #[arg(long)]
        name: String,
        /// Short name: lower-case letters, digits, hyphens
        #[arg(long)]
        slug: String,
    },
    /// Call a tenant by another name
    RenameTenant {
        #[arg(long)]
        tenant: String,
        #[arg(long)]
        name: String,
    },
    /// Turn a policy on keys on, or set it anew
    SetPolicy {
        #[arg(long)]
        tenant: String,
        /// `max_lifetime`, `expiry_required`, `service_accounts_only`, `no_keys_by_keys` or `suspend_unused`
        #[arg(long)]
        policy: String,
        /// For `max_lifetime` and `suspend_unused`
        #[arg(long)]
        days: Option<u32>,
        /// RFC 3339: from when on it holds; from now on, when left out
        #[arg(long)]
        from: Option<String>,
    },
    /// Turn a policy on keys off
    ClearPolicy {
        #[arg(long)]
        tenant: String,
        #[arg(long)]
        policy: String,
    },
}

pub(super) async fn run(services: &Services, command: TenantCommand) -> Result<(), ApiError> {
    let admin = services.admin();
    match command {
        TenantCommand::CreateTenant { name, slug } => println!("{}", admin.create_tenant(&name, &slug).await?),
        TenantCommand::RenameTenant { tenant, name } => {
            services.tenants().rename(&admin.operator(&tenant).await?, &name).await?;
        }
        TenantCommand::SetPolicy { tenant, policy, days, from } => {
            let operator = admin.operator(&tenant).await?;
            let days = days.map(|days| days.to_string()).unwrap_or_default();
            let input = SetKeyPolicy { policy, days, from: from.unwrap_or_default(), ..SetKeyPolicy::default() };
            services.tenant_policies().set(&operator, &input).await?;
        }
        TenantCommand::ClearPolicy { tenant, policy } => {
            services.tenant_policies().clear(&admin.operator(&tenant).await?, &policy).await?;
        }
    }
    Ok(())
}

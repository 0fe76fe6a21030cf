//! Commands for tenants.

use clap::Subcommand;
use domain::{ApiError, api_key::input::SetKeyPolicy};
use service::Services;

#[derive(Debug, Subcommand)]
pub(super) enum TenantCommand {
    /// Create a tenant; prints its id
    CreateTenant {
        #[arg(long)]
        name: String,
        /// Lower-case letters, digits and hyphens, such as acme
        #[arg(long)]
        slug: String,
    },
    /// Rename a tenant
    RenameTenant {
        #[arg(long)]
        tenant: String,
        #[arg(long)]
        name: String,
    },
    /// Turn on a key policy, or change it
    SetPolicy {
        #[arg(long)]
        tenant: String,
        /// `max_lifetime`, `expiry_required`, `service_accounts_only`, `no_keys_by_keys` or `suspend_unused`
        #[arg(long)]
        policy: String,
        /// 1 to 3650, for `max_lifetime` and `suspend_unused`
        #[arg(long)]
        days: Option<u32>,
        /// When the policy takes effect, in RFC 3339; immediately if omitted
        #[arg(long)]
        from: Option<String>,
    },
    /// Turn off a key policy
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

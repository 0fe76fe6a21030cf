//! Commands for keys.

use clap::Subcommand;
use domain::{ApiError, KeyId, api_key::input::RollKey};
use service::{Actor, OwnerRef, Services};

use super::input::operator_and_id;

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Create a key; prints its token, which is shown only once
    CreateKey {
        #[arg(long)]
        tenant: String,
        /// A member's email address
        #[arg(long, conflicts_with = "service_account", required_unless_present = "service_account")]
        user: Option<String>,
        /// A service account's id
        #[arg(long)]
        service_account: Option<String>,
        #[arg(long)]
        name: String,
        /// When the key expires, in RFC 3339 with an offset; never if omitted
        #[arg(long)]
        expires_at: Option<String>,
    },
    /// Rotate a key; prints the new key's token, which is shown only once
    RollKey {
        /// The old key's id
        id: String,
        #[arg(long)]
        tenant: String,
        /// How long the old key keeps working: now, 1h, 24h, 7d or `first_use`
        #[arg(long, default_value = "24h")]
        overlap: String,
        /// For `first_use`: latest time at which the old key stops working, in RFC 3339; a week from now if omitted
        #[arg(long)]
        deadline: Option<String>,
    },
    /// End the grace period of a rotated key: the old key stops working immediately
    FinishRoll {
        /// The old key's id
        id: String,
        #[arg(long)]
        tenant: String,
    },
    /// Extend the grace period of a rotated key
    ExtendRoll {
        /// The old key's id
        id: String,
        #[arg(long)]
        tenant: String,
        /// New grace period, from now: 1h, 24h or 7d
        #[arg(long)]
        overlap: String,
    },
    /// Undo a rotation: revokes the new key and restores the old key's original expiry
    CancelRoll {
        /// The old key's id
        id: String,
        #[arg(long)]
        tenant: String,
    },
    /// Rename a key
    RenameKey {
        /// The key's id
        id: String,
        #[arg(long)]
        tenant: String,
        #[arg(long)]
        name: String,
    },
    /// Suspend a key
    SuspendKey {
        /// The key's id
        id: String,
        #[arg(long)]
        tenant: String,
    },
    /// Resume a suspended key
    ResumeKey {
        /// The key's id
        id: String,
        #[arg(long)]
        tenant: String,
    },
    /// Permanently revoke a key
    RevokeKey {
        /// The key's id
        id: String,
        #[arg(long)]
        tenant: String,
        /// Also revoke the keys that were created with it, and any that those created
        #[arg(long)]
        and_created: bool,
    },
    /// Suspend several keys; prints how many were changed
    SuspendKeys {
        /// The keys' ids
        ids: Vec<String>,
        #[arg(long)]
        tenant: String,
    },
    /// Permanently revoke several keys; prints how many were changed
    RevokeKeys {
        /// The keys' ids
        ids: Vec<String>,
        #[arg(long)]
        tenant: String,
    },
}

pub(super) async fn run(services: &Services, command: KeyCommand) -> Result<(), ApiError> {
    let admin = services.admin();
    match command {
        KeyCommand::CreateKey { tenant, user, service_account, name, expires_at } => {
            let owner = match (user, service_account) {
                (Some(email), _) => OwnerRef::User(email),
                (None, id) => OwnerRef::ServiceAccount(id.unwrap_or_default()),
            };
            let issued = admin.create_key(&tenant, owner, &name, expires_at.as_deref()).await?;
            println!("{}", issued.token.expose());
        }
        KeyCommand::RollKey { id, tenant, overlap, deadline } => {
            let (actor, key) = admin.key_context(&tenant, &id).await?;
            let input = RollKey { key, overlap, deadline, ..RollKey::default() };
            println!("{}", services.rolls().roll(&actor, &input).await?.token.expose());
        }
        KeyCommand::FinishRoll { id, tenant } => {
            let (actor, id) = admin.key_context(&tenant, &id).await?;
            services.rolls().finish(&actor, id).await?;
        }
        KeyCommand::ExtendRoll { id, tenant, overlap } => {
            let (actor, id) = admin.key_context(&tenant, &id).await?;
            services.rolls().extend(&actor, id, &overlap).await?;
        }
        KeyCommand::CancelRoll { id, tenant } => {
            let (actor, id) = admin.key_context(&tenant, &id).await?;
            services.rolls().cancel(&actor, id).await?;
        }
        KeyCommand::RenameKey { id, tenant, name } => {
            let (operator, id) = operator_and_id(&admin, &tenant, &id).await?;
            services.api_keys().rename(&operator, id, &name).await?;
        }
        KeyCommand::SuspendKey { id, tenant } => {
            let (operator, id) = operator_and_id(&admin, &tenant, &id).await?;
            services.api_keys().suspend(&operator, id).await?;
        }
        KeyCommand::ResumeKey { id, tenant } => {
            let (operator, id) = operator_and_id(&admin, &tenant, &id).await?;
            services.api_keys().resume(&operator, id).await?;
        }
        KeyCommand::RevokeKey { id, tenant, and_created } => {
            let (operator, id) = operator_and_id(&admin, &tenant, &id).await?;
            services.api_keys().revoke_with(&operator, id, and_created).await?;
        }
        KeyCommand::SuspendKeys { ids, tenant } => {
            let (operator, keys) = chosen(services, &tenant, &ids).await?;
            println!("{}", services.inventory().suspend(&operator, &keys).await?.changed);
        }
        KeyCommand::RevokeKeys { ids, tenant } => {
            let (operator, keys) = chosen(services, &tenant, &ids).await?;
            println!("{}", services.inventory().revoke(&operator, &keys).await?.changed);
        }
    }
    Ok(())
}

async fn chosen(services: &Services, tenant: &str, ids: &[String]) -> Result<(Actor, Vec<KeyId>), ApiError> {
    let operator = services.admin().operator(tenant).await?;
    let keys = ids.iter().map(|id| id.parse().map_err(|_| ApiError::not_found())).collect::<Result<Vec<_>, _>>()?;
    Ok((operator, keys))
}

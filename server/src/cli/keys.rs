//! What the operator does with keys.

use clap::Subcommand;
use domain::{ApiError, KeyId, api_key::input::RollKey};
use service::{Actor, OwnerRef, Services};

use super::input::operator_and_id;

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Make a key; prints its token, this once
    CreateKey {
        #[arg(long)]
        tenant: String,
        /// A member's e-mail address
        #[arg(long, conflicts_with = "service_account", required_unless_present = "service_account")]
        user: Option<String>,
        /// A service account's id
        #[arg(long)]
        service_account: Option<String>,
        #[arg(long)]
        name: String,
        /// RFC 3339 with an offset; never, when left out
        #[arg(long)]
        expires_at: Option<String>,
    },
    /// Give a key another token; prints the new key's token, this once
    RollKey {
        /// The old key's id
        id: String,
        #[arg(long)]
        tenant: String,
        /// How long the old token still works: now, 1h, 24h, 7d or `first_use`
        #[arg(long, default_value = "24h")]
        overlap: String,
        /// RFC 3339, for `first_use`: at the latest until then; a week from now, when left out
        #[arg(long)]
        deadline: Option<String>,
    },
    /// End the overlap of a rolled key: the old token stops now
    FinishRoll {
        /// The old key's id
        id: String,
        #[arg(long)]
        tenant: String,
    },
    /// Let the old token of a rolled key work longer
    ExtendRoll {
        /// The old key's id
        id: String,
        #[arg(long)]
        tenant: String,
        /// From now: 1h, 24h or 7d
        #[arg(long)]
        overlap: String,
    },
    /// Take a roll back: the new token stops, the old one is as it was
    CancelRoll {
        /// The old key's id
        id: String,
        #[arg(long)]
        tenant: String,
    },
    /// Call a key by another name
    RenameKey {
        /// Its id
        id: String,
        #[arg(long)]
        tenant: String,
        #[arg(long)]
        name: String,
    },
    /// Stop a key for now
    SuspendKey {
        /// Its id
        id: String,
        #[arg(long)]
        tenant: String,
    },
    /// Let a suspended key work again
    ResumeKey {
        /// Its id
        id: String,
        #[arg(long)]
        tenant: String,
    },
    /// End a key for good
    RevokeKey {
        /// Its id
        id: String,
        #[arg(long)]
        tenant: String,
        /// Revoke the keys along that were made with it
        #[arg(long)]
        and_created: bool,
    },
    /// Stop many keys for now; prints how many
    SuspendKeys {
        /// Their ids
        ids: Vec<String>,
        #[arg(long)]
        tenant: String,
    },
    /// End many keys for good; prints how many
    RevokeKeys {
        /// Their ids
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
            let (actor, key) = admin.on_key(&tenant, &id).await?;
            let input = RollKey { key, overlap, deadline, ..RollKey::default() };
            println!("{}", services.rolls().roll(&actor, &input).await?.token.expose());
        }
        KeyCommand::FinishRoll { id, tenant } => {
            let (actor, id) = admin.on_key(&tenant, &id).await?;
            services.rolls().finish(&actor, id).await?;
        }
        KeyCommand::ExtendRoll { id, tenant, overlap } => {
            let (actor, id) = admin.on_key(&tenant, &id).await?;
            services.rolls().extend(&actor, id, &overlap).await?;
        }
        KeyCommand::CancelRoll { id, tenant } => {
            let (actor, id) = admin.on_key(&tenant, &id).await?;
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

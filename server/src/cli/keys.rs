//! Commands for keys.

use clap::{
    Args, Subcommand,
    builder::{NonEmptyStringValueParser, PossibleValue, PossibleValuesParser},
};
use domain::{
    AllowedAddresses, ApiError, InventoryQuery, IssuedKey, KeyFilter, KeyId, KeyQuery,
    api_key::{
        act::{ChangeKeyLimits, ChangeKeyScopes, RollKey},
        input::CreateKey as NewKey,
        rotation::GracePeriod,
    },
    scope::ScopeOption,
};
use serde_json::json;
use service::{OwnerRef, Services};

use super::{
    input::{Format, InTenant, OneFormat, id},
    key_row::{KeyRow, RefusalRow},
    list::{self, List},
    outcome::{Answer, Failure},
    output,
};

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// List the keys of a tenant, newest first
    ///
    /// Columns: id, state, first characters of the token, name, owner, creation time, expiry, last use.
    #[command(after_help = "\
latchkey admin list-keys --tenant acme --state active --json
latchkey admin list-keys --tenant acme --service-account Deployer
latchkey admin list-keys --tenant acme --user ada@example.org")]
    ListKeys(ListKeys),
    /// List the rejected requests with a key, most recent first
    ///
    /// At most 50 of the last 90 days, equal ones counted as one. Columns: time of the last one, reason, how many, address,
    /// client, API, missing scopes.
    #[command(after_help = "latchkey admin list-key-refusals {key} --tenant acme --json")]
    ListKeyRefusals {
        #[command(flatten)]
        key: Key,
        #[command(flatten)]
        format: Format,
    },
    /// Create a key; prints its token, which is shown only once
    ///
    /// Without --json, the token is the only text on standard output, and the new key's id goes to standard error.
    #[command(after_help = "\
latchkey admin create-key --tenant acme --user ada@example.org --name laptop --expires-at 2027-12-31T00:00:00Z
latchkey admin create-key --tenant acme --service-account Deployer --name agent --json
latchkey admin create-key --tenant acme --service-account Deployer --name agent --scope orders:read --scope orders:write")]
    CreateKey(CreateKey),
    /// Rotate a key; prints the new key's token, which is shown only once
    ///
    /// Without --json, the token is the only text on standard output, and the new key's id goes to standard error.
    #[command(after_help = "\
latchkey admin roll-key {key} --tenant acme
latchkey admin roll-key {key} --tenant acme --overlap first_use --json")]
    RollKey {
        #[command(flatten)]
        key: OldKey,
        /// How long the old key keeps working
        #[arg(long, value_parser = overlaps(|_| true), default_value = GracePeriod::DEFAULT)]
        overlap: String,
        #[arg(
            long,
            value_name = "TIME",
            help = "Latest end of the old key if --overlap is first_use, such as \
              2027-01-31T09:00:00+01:00 [default: in 7 days]"
        )]
        deadline: Option<String>,
        #[command(flatten)]
        format: OneFormat,
    },
    /// End the grace period of a rotated key: the old key stops working immediately
    #[command(after_help = "latchkey admin finish-roll {key} --tenant acme")]
    FinishRoll(OldKey),
    /// Extend the grace period of a rotated key
    #[command(after_help = "latchkey admin extend-roll {key} --tenant acme --overlap 7d")]
    ExtendRoll {
        #[command(flatten)]
        key: OldKey,
        /// New grace period, from now
        #[arg(long, value_parser = overlaps(|code| !["now", "first_use"].contains(&code)))]
        overlap: String,
    },
    /// Undo a rotation: revokes the new key and restores the old key's original expiry
    #[command(after_help = "latchkey admin cancel-roll {key} --tenant acme")]
    CancelRoll(OldKey),
    /// Rename a key
    #[command(after_help = "latchkey admin rename-key {key} --tenant acme --name laptop")]
    RenameKey {
        #[command(flatten)]
        key: Key,
        /// New name
        #[arg(long)]
        name: String,
    },
    /// Change the scopes of a key
    #[command(after_help = "\
latchkey admin set-key-scopes {key} --tenant acme --scope orders:read
latchkey admin set-key-scopes {key} --tenant acme --unscoped")]
    SetKeyScopes {
        #[command(flatten)]
        key: Key,
        #[command(flatten)]
        scopes: KeyScopes,
    },
    /// Change from which addresses and how often a key may be used
    #[command(after_help = "\
latchkey admin set-key-limits {key} --tenant acme --allow-address 203.0.113.0/24 --rate-limit 600/minute
latchkey admin set-key-limits {key} --tenant acme --allow-all-addresses")]
    SetKeyLimits {
        #[command(flatten)]
        key: Key,
        #[command(flatten)]
        limits: KeyLimits,
    },
    /// Suspend a key
    #[command(after_help = "latchkey admin suspend-key {key} --tenant acme")]
    SuspendKey(Key),
    /// Resume a suspended key
    #[command(after_help = "latchkey admin resume-key {key} --tenant acme")]
    ResumeKey(Key),
    /// Permanently revoke a key
    #[command(after_help = "latchkey admin revoke-key {key} --tenant acme --and-created")]
    RevokeKey {
        #[command(flatten)]
        key: Key,
        /// Also revoke the keys that were created with it, and any that those created
        #[arg(long)]
        and_created: bool,
    },
    /// Suspend several keys; prints how many were changed
    #[command(after_help = "latchkey admin suspend-keys {key} --tenant acme")]
    SuspendKeys(Keys),
    /// Permanently revoke several keys; prints how many were changed
    #[command(after_help = "latchkey admin revoke-keys {key} --tenant acme")]
    RevokeKeys(Keys),
}

#[derive(Args, Debug)]
pub(super) struct ListKeys {
    #[command(flatten)]
    place: InTenant,
    /// List only the keys of this person
    #[arg(long, value_name = "EMAIL", conflicts_with = "service_account")]
    user: Option<String>,
    /// List only the keys of the service account with this name or id
    #[arg(long, value_name = "NAME_OR_ID")]
    service_account: Option<String>,
    /// List only the keys in this state
    #[arg(long, value_parser = PossibleValuesParser::new(KeyFilter::ALL.map(KeyFilter::as_str)), default_value = "all")]
    state: String,
    #[command(flatten)]
    format: Format,
}

#[derive(Args, Debug)]
pub(super) struct CreateKey {
    #[command(flatten)]
    place: InTenant,
    /// Create a personal key of the member with this email address
    #[arg(long, value_name = "EMAIL", conflicts_with = "service_account", required_unless_present = "service_account")]
    user: Option<String>,
    /// Create a key of the service account with this name or id
    #[arg(long, value_name = "NAME_OR_ID")]
    service_account: Option<String>,
    /// Name of the new key
    #[arg(long)]
    name: String,
    /// When the key expires, such as 2027-01-31T09:00:00+01:00 [default: never]
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
    /// Scope that the key holds; may be given several times [default: everything that its owner may do]
    #[arg(long = "scope", value_name = "SCOPE", value_parser = NonEmptyStringValueParser::new(), conflicts_with = "no_scopes")]
    scopes: Vec<String>,
    /// The key holds no scope
    #[arg(long)]
    no_scopes: bool,
    /// Address or network from which the key may be used; may be given several times [default: all]
    #[arg(long = "allow-address", value_name = "CIDR")]
    addresses: Vec<String>,
    /// How many requests are accepted per window, such as 600/minute; each server counts for itself [default: any number]
    #[arg(long, value_name = "REQUESTS/WINDOW")]
    rate_limit: Option<String>,
    #[command(flatten)]
    format: OneFormat,
}

#[derive(Args, Debug)]
pub(super) struct Key {
    /// Id of the key
    #[arg(value_parser = id::<KeyId>)]
    id: KeyId,
    #[command(flatten)]
    place: InTenant,
}

/// The scopes that a key holds from now on.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(super) struct KeyScopes {
    /// Scope that the key holds from now on; may be given several times
    #[arg(long = "scope", value_name = "SCOPE", value_parser = NonEmptyStringValueParser::new())]
    scopes: Vec<String>,
    /// The key holds no scope from now on
    #[arg(long)]
    no_scopes: bool,
    /// The key may do everything that its owner may do
    #[arg(long)]
    unscoped: bool,
}

/// The limits of a key from now on.
#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
pub(super) struct KeyLimits {
    /// Address or network from which the key may be used; may be given several times
    #[arg(long = "allow-address", value_name = "CIDR", conflicts_with = "allow_all_addresses")]
    addresses: Vec<String>,
    /// The key may be used from everywhere
    #[arg(long)]
    allow_all_addresses: bool,
    /// How many requests are accepted per window (second, minute, hour, day, or seconds), such as 600/minute; each server
    /// counts for itself
    #[arg(long, value_name = "REQUESTS/WINDOW", conflicts_with = "no_rate_limit")]
    rate_limit: Option<String>,
    /// The key may be used any number of times
    #[arg(long)]
    no_rate_limit: bool,
}

#[derive(Args, Debug)]
pub(super) struct OldKey {
    /// Id of the old key
    #[arg(value_parser = id::<KeyId>)]
    id: KeyId,
    #[command(flatten)]
    place: InTenant,
}

#[derive(Args, Debug)]
pub(super) struct Keys {
    /// Ids of the keys, at most 200
    #[arg(value_name = "ID", value_parser = id::<KeyId>, required = true)]
    ids: Vec<KeyId>,
    #[command(flatten)]
    place: InTenant,
}

fn overlaps(accepts: fn(&str) -> bool) -> PossibleValuesParser {
    let choices = GracePeriod::CHOICES.into_iter().filter(|(code, _)| accepts(code));
    PossibleValuesParser::new(choices.map(|(code, label)| PossibleValue::new(code).help(label)))
}

pub(super) async fn run(services: &Services, command: KeyCommand) -> Answer {
    let (admin, keys) = (services.admin(), services.api_keys());
    match command {
        KeyCommand::ListKeys(list) => list_keys(services, list).await?,
        KeyCommand::ListKeyRefusals { key: Key { id, place }, format } => {
            let usage = keys.usage(&admin.operator(&place.tenant).await?, id).await?;
            let mut out = List::new(format);
            out.write(usage.refusals.into_iter().map(RefusalRow::from))?;
            out.end("No requests were rejected.");
        }
        KeyCommand::CreateKey(create) => create_key(services, create).await?,
        KeyCommand::RollKey { key, overlap, deadline, format } => {
            let issued = roll_key(services, &key, overlap, deadline).await?;
            print_token(&issued, &format!("Created key {}, which replaces key {}.", issued.key.id, key.id), format)?;
        }
        KeyCommand::FinishRoll(OldKey { id, place }) => {
            let (actor, id) = admin.key_context(&place.tenant, id).await?;
            services.rolls().finish(&actor, id).await?;
        }
        KeyCommand::ExtendRoll { key: OldKey { id, place }, overlap } => {
            let (actor, id) = admin.key_context(&place.tenant, id).await?;
            services.rolls().extend(&actor, id, &overlap).await?;
        }
        KeyCommand::CancelRoll(OldKey { id, place }) => {
            let (actor, id) = admin.key_context(&place.tenant, id).await?;
            services.rolls().cancel(&actor, id).await?;
        }
        KeyCommand::RenameKey { key: Key { id, place }, name } => {
            let (actor, id) = admin.key_context(&place.tenant, id).await?;
            keys.rename(&actor, id, &name).await?;
        }
        KeyCommand::SetKeyScopes { key: Key { id, place }, scopes: KeyScopes { scopes, unscoped, .. } } => {
            let (actor, key) = admin.key_context(&place.tenant, id).await?;
            let access = if unscoped { ScopeOption::Full } else { ScopeOption::Chosen };
            let input = ChangeKeyScopes { key, access: Some(access), scopes: Some(scopes.join(" ")), before: None };
            keys.change_scopes(&actor, &input).await?;
        }
        KeyCommand::SetKeyLimits { key: Key { id, place }, limits } => {
            let (actor, key) = admin.key_context(&place.tenant, id).await?;
            let (rate_limit, rate_window) = rate(limits.rate_limit.as_deref()).unzip();
            let input = ChangeKeyLimits {
                key,
                allowed_addresses: addresses(&limits.addresses)?.or(limits.allow_all_addresses.then(String::new)),
                rate_limit: rate_limit.or(limits.no_rate_limit.then(String::new)),
                rate_window,
                ..ChangeKeyLimits::default()
            };
            keys.change_limits(&actor, &input).await?;
        }
        KeyCommand::SuspendKey(Key { id, place }) => {
            keys.suspend(&admin.operator(&place.tenant).await?, id).await?;
        }
        KeyCommand::ResumeKey(Key { id, place }) => {
            keys.resume(&admin.operator(&place.tenant).await?, id).await?;
        }
        KeyCommand::RevokeKey { key: Key { id, place }, and_created } => {
            let operator = admin.operator(&place.tenant).await?;
            for email in keys.revoke_with(&operator, id, and_created).await?.cancelled {
                output::message(format!("Cancelled the invitation for {email}."));
            }
        }
        KeyCommand::SuspendKeys(Keys { ids, place }) => {
            let operator = admin.operator(&place.tenant).await?;
            output::line(services.inventory().suspend(&operator, &ids).await?.changed)?;
        }
        KeyCommand::RevokeKeys(Keys { ids, place }) => {
            let operator = admin.operator(&place.tenant).await?;
            output::line(services.inventory().revoke(&operator, &ids).await?.changed)?;
        }
    }
    Ok(())
}

async fn list_keys(services: &Services, list: ListKeys) -> Answer {
    let admin = services.admin();
    let operator = admin.operator(&list.place.tenant).await?;
    let owner = match (&list.user, &list.service_account) {
        (Some(email), _) => Some(admin.user(email).await?.0),
        (None, Some(account)) => {
            let id = admin.service_account(&operator, account).await?;
            Some(services.service_accounts().get(&operator, id).await?.id.0)
        }
        (None, None) => None,
    };
    let inventory = InventoryQuery { owner, ..InventoryQuery::default() };
    let filter = KeyFilter::from_query(Some(&list.state));
    let now = services.now();
    let (mut out, mut page) = (List::new(list.format), Some(list::first_page()));
    while let Some(request) = page {
        let query = KeyQuery { filter, page: request, ..KeyQuery::default() };
        let keys = services.inventory().list(&operator, &query, inventory).await?;
        let namesakes = services.members().namesakes_of_keys(&operator, &keys.items).await?;
        page = out.write_page(keys, |key| {
            let beside = namesakes.beside_owner(&key).map(str::to_owned);
            KeyRow::new(key, beside, now)
        })?;
    }
    out.end("There are no such keys.");
    Ok(())
}

async fn create_key(services: &Services, create: CreateKey) -> Answer {
    let owner = match (create.user, create.service_account) {
        (Some(email), _) => OwnerRef::User(email),
        (None, account) => OwnerRef::ServiceAccount(account.unwrap_or_default()),
    };
    let (rate_limit, rate_window) = rate(create.rate_limit.as_deref()).unzip();
    let input = NewKey {
        name: create.name,
        expires_at: create.expires_at,
        scopes: (create.no_scopes || !create.scopes.is_empty()).then(|| create.scopes.join(" ")),
        allowed_addresses: addresses(&create.addresses)?,
        rate_limit,
        rate_window,
        ..NewKey::default()
    };
    let issued = services.admin().create_key_from(&create.place.tenant, owner, input).await?;
    print_token(&issued, &format!("Created key {}.", issued.key.id), create.format)
}

/// Joins the given addresses; `None` if there are none.
fn addresses(given: &[String]) -> Result<Option<String>, ApiError> {
    (!given.is_empty()).then(|| AllowedAddresses::text_of(given)).transpose()
}

/// Splits a rate limit into the number of requests and the window. An empty text must not be taken for no limit.
pub(super) fn rate(text: Option<&str>) -> Option<(String, String)> {
    let (requests, window) = text.map(|text| text.split_once('/').unwrap_or((text, "")))?;
    let requests = if requests.trim().is_empty() { "0" } else { requests };
    Some((requests.to_owned(), window.to_owned()))
}

async fn roll_key(services: &Services, old: &OldKey, overlap: String, deadline: Option<String>) -> Answer<IssuedKey> {
    if deadline.is_some() && overlap != "first_use" {
        return Err(ApiError::field("deadline", "--deadline requires --overlap first_use.").into());
    }
    let (actor, key) = services.admin().key_context(&old.place.tenant, old.id).await?;
    let input = RollKey { key, overlap, deadline, ..RollKey::default() };
    Ok(services.rolls().roll(&actor, &input).await?)
}

/// Prints the token of a new key. `message`: what was created, for standard error.
fn print_token(issued: &IssuedKey, message: &str, format: OneFormat) -> Answer {
    // The message first: its id is needed to revoke the key if the token can't be written.
    output::message(message);
    let (id, token) = (issued.key.id, issued.token.expose());
    let written =
        if format.json { output::line(json!({ "id": id.to_string(), "token": token })) } else { output::line(token) };
    written.map_err(|error| {
        Failure::Other(format!("{error}. The token of key {id} is lost: revoke the key, and create another."))
    })
}

//! Importing keys whose tokens another system has made. Every line is checked before the first key is created.

use std::{collections::HashMap, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use domain::{
    ApiError, ErrorCode, KeyId, KeyPolicy, Operation, Owner, Role, ScopeGrant, Tenant, TenantId,
    api_key::{input::CreateKey, policy::key_limit},
    scope::Catalogue,
};

use super::Admin;
use crate::{
    access::{Actor, Target, WritePermit, authorize, authorize_write, check_still_creates},
    digest::sha256,
    error::{Error, Result},
    input,
    keys::{
        api_keys::ApiKeys,
        issue::{already_held, check_rules, draft_known, entry_of, is_of, lock_role, too_many},
        known_token::KnownToken,
    },
    random,
    storage::{
        self, Tx,
        audit::Entry,
        db::{TokenDigest, retry},
        keys::{Holder, NewKey},
    },
};

/// The most lines of one import, because all of them are kept until they are checked. One takes about 700 bytes.
pub const MAX_LINES: usize = 250_000;
/// How many rejected lines are described. The others are only counted.
pub const MAX_DESCRIBED: usize = 50;
/// How many keys one transaction creates. Others who change something wait for it.
const AT_ONCE: usize = 200;
/// How long others can change something before the next transaction.
const PAUSE: Duration = Duration::from_millis(10);
/// How often a transaction is repeated that others have kept waiting.
const MAX_WAITS: u32 = 20;

/// A line of an import.
#[derive(Clone, Debug)]
pub struct ImportLine {
    /// The number of the line in its file, from 1 on.
    pub number: usize,
    /// The slug of the tenant.
    pub tenant: String,
    /// The email address of a member, or the name or the id of a service account.
    pub owner: String,
    /// The key's token.
    pub token: KnownToken,
    /// What else is known about the key. Its owner and tenant are ignored.
    pub key: CreateKey,
}

/// A line that can't be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedLine {
    /// The number of the line in its file.
    pub number: usize,
    /// Why not. The fields are the members of the line.
    pub error: ApiError,
}

/// The lines that can't be imported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rejected {
    /// The first [`MAX_DESCRIBED`] of them.
    pub first: Vec<RejectedLine>,
    /// How many there are.
    pub count: usize,
}

impl Rejected {
    fn add(&mut self, number: usize, error: ApiError) {
        self.count += 1;
        if self.first.len() < MAX_DESCRIBED {
            self.first.push(RejectedLine { number, error });
        }
    }
}

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// How many keys were created.
    pub imported: usize,
    /// How many lines name a key that the same owner already has.
    pub skipped: usize,
    /// The lines that can't be imported.
    pub rejected: Rejected,
    /// Whether it ended early, because something had changed since the lines were checked. Repeating it continues.
    pub is_incomplete: bool,
}

/// The rules of a tenant when the import began.
struct Rules {
    tenant: Tenant,
    policies: Vec<KeyPolicy>,
}

/// An owner of imported keys.
struct Holding {
    actor: Actor,
    permit: WritePermit,
    role: Role,
    /// How many more keys it can have.
    room: u32,
}

/// A line that can be imported.
struct Ready {
    number: usize,
    /// The index of its owner.
    owner: usize,
    key: NewKey,
}

/// An import that has begun. Its lines are added one after the other; nothing changes before [`Import::run`].
pub struct Import<'a> {
    admin: Admin<'a>,
    catalogue: Catalogue,
    now: DateTime<Utc>,
    tenants: HashMap<String, std::result::Result<Arc<Rules>, ApiError>>,
    owners: HashMap<(TenantId, String), std::result::Result<usize, ApiError>>,
    holdings: Vec<Holding>,
    positions: HashMap<(TenantId, Owner), usize>,
    /// The line of each token.
    tokens: HashMap<TokenDigest, usize>,
    ready: Vec<Ready>,
    skipped: usize,
    rejected: Rejected,
}

/// The result of one transaction.
#[derive(Default)]
struct Batch {
    imported: usize,
    skipped: usize,
    rejected: Vec<(usize, ApiError)>,
}

impl<'a> Admin<'a> {
    /// Begins an import.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin_import(self) -> Result<Import<'a>> {
        let catalogue = storage::scopes::catalogue(self.context.db()).await?;
        let now = self.context.now();
        Ok(Import {
            admin: self,
            catalogue,
            now,
            tenants: HashMap::new(),
            owners: HashMap::new(),
            holdings: Vec::new(),
            positions: HashMap::new(),
            tokens: HashMap::new(),
            ready: Vec::new(),
            skipped: 0,
            rejected: Rejected::default(),
        })
    }
}

/// Separates a refusal, which concerns one line, from a failure of the database.
fn refusal<T>(result: Result<T>) -> Result<std::result::Result<T, ApiError>> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(Error::Api(refused) | Error::Rule(refused)) => Ok(Err(refused)),
        Err(failure) => Err(failure),
    }
}

impl Import<'_> {
    /// Checks a line by the rules for keys that are created here, and keeps it if it can be imported.
    ///
    /// # Errors
    /// When the database fails, and `CONFLICT` for more than [`MAX_LINES`]. A line that can't be imported is no error.
    pub async fn add(&mut self, line: ImportLine) -> Result<()> {
        if self.ready.len() >= MAX_LINES {
            let message = format!("At most {MAX_LINES} keys can be imported at once. Split the file.");
            return Err(ApiError::new(ErrorCode::Conflict, message).into());
        }
        let number = line.number;
        match refusal(self.check(line).await)? {
            Ok(Some(ready)) => self.ready.push(ready),
            Ok(None) => self.skipped += 1,
            Err(error) => self.rejected.add(number, error),
        }
        Ok(())
    }

    /// Counts a line that can't be read.
    pub fn reject(&mut self, number: usize, error: ApiError) {
        self.rejected.add(number, error);
    }

    /// Returns what would be done: as many keys are imported as lines can be.
    pub fn preview(&self) -> Imported {
        Imported {
            imported: self.ready.len(),
            skipped: self.skipped,
            rejected: self.rejected.clone(),
            is_incomplete: false,
        }
    }

    /// Returns `None` if the owner already has the key.
    async fn check(&mut self, line: ImportLine) -> Result<Option<Ready>> {
        let digest = line.token.digest;
        if let Some(earlier) = self.tokens.insert(digest, line.number) {
            let message = format!("Line {earlier} has the same token.");
            return Err(ApiError::field("sha256", message).into());
        }
        let rules = self.rules(&line.tenant).await?;
        let owner = self.owner(&rules, &line.owner).await?;
        let holding = &mut self.holdings[owner];
        if let Some(holder) = storage::keys::find_holder(self.admin.context.db(), &digest).await? {
            return if is_repeated(&holder, &holding.permit) {
                Ok(None)
            } else {
                Err(already_held(&holder, &holding.permit).into())
            };
        }
        if sha256(line.key.name.as_bytes()) == digest {
            return Err(ApiError::field("name", "This is the token. Everybody would see it.").into());
        }
        let api_keys = ApiKeys { context: self.admin.context, usage: self.admin.usage };
        let key = draft_known(&holding.actor, api_keys.check(&line.key)?, line.token, self.now);
        let scopes = key.scopes.resolve(&self.catalogue, holding.role)?;
        check_rules((&self.catalogue, &rules.policies), &holding.permit, holding.role, &key, &scopes)?;
        holding.room = holding
            .room
            .checked_sub(1)
            .ok_or_else(|| too_many(&holding.permit, key_limit(&rules.policies, self.now)))?;
        Ok(Some(Ready { number: line.number, owner, key }))
    }

    async fn rules(&mut self, slug: &str) -> Result<Arc<Rules>> {
        if let Some(known) = self.tenants.get(slug) {
            return Ok(known.clone()?);
        }
        let found = refusal(self.read_rules(slug).await)?;
        let found = found.map_err(|refused| ApiError::field("tenant", refused.message));
        self.tenants.insert(slug.to_owned(), found.clone());
        Ok(found?)
    }

    async fn read_rules(&self, slug: &str) -> Result<Arc<Rules>> {
        let tenant = self.admin.tenant(slug).await?;
        let policies = storage::key_policies::list(self.admin.context.db(), tenant.id, self.now).await?;
        Ok(Arc::new(Rules { tenant, policies }))
    }

    /// Returns the index of an owner.
    async fn owner(&mut self, rules: &Rules, named: &str) -> Result<usize> {
        let place = (rules.tenant.id, named.to_owned());
        if let Some(known) = self.owners.get(&place) {
            return Ok(known.clone()?);
        }
        let found = match refusal(self.find_owner(rules, named).await)? {
            Ok((owner, holding)) => {
                // The same owner may be named in several ways.
                let index = *self.positions.entry((rules.tenant.id, owner)).or_insert(self.holdings.len());
                if index == self.holdings.len() {
                    self.holdings.push(holding);
                }
                Ok(index)
            }
            Err(refused) => Err(ApiError::field("owner", refused.message)),
        };
        self.owners.insert(place, found.clone());
        Ok(found?)
    }

    async fn find_owner(&self, Rules { tenant, policies }: &Rules, named: &str) -> Result<(Owner, Holding)> {
        let (db, admin, slug) = (self.admin.context.db(), &self.admin, tenant.slug.as_str());
        let operator = Actor::operator(tenant.id);
        let (actor, owner, role) = if input::email(named).is_ok() {
            let user = admin.user(named).await?;
            let missing = || ApiError::new(ErrorCode::NotFound, format!("{named} isn't a member of {slug}."));
            let actor = refusal(admin.acting_for(user, tenant.id).await)?.map_err(|_| missing())?;
            let role = actor.role();
            (actor, Owner::User(user), role)
        } else {
            let id = admin.service_account(&operator, named).await?;
            let permit = authorize(&operator, Operation::ListServiceAccounts, Target::Tenant(tenant.id))?;
            let found = storage::service_accounts::find(db, &permit, id, self.now).await?;
            let found = found.filter(|account| account.deleted_at.is_none());
            let missing =
                || ApiError::new(ErrorCode::NotFound, format!("There is no service account {named} in {slug}."));
            let role = found.ok_or_else(missing)?.role;
            (operator, Owner::ServiceAccount(id), role)
        };
        let permit = authorize_write(&actor, Operation::CreateApiKey, Target::Owner(tenant.id, owner))?;
        let most = key_limit(policies, self.now);
        let room = most - storage::keys::count_live_now(db, &permit, self.now, most).await?;
        Ok((owner, Holding { actor, permit, role, room }))
    }

    /// Creates the keys, in transactions of a few hundred. `skip_invalid`: whether lines that can't be imported are left
    /// out. Otherwise such a line ends the import.
    ///
    /// # Errors
    /// When the database fails. What was imported until then stays; repeating the import continues it.
    #[tracing::instrument(skip_all, fields(lines = self.ready.len()))]
    pub async fn run(mut self, skip_invalid: bool) -> Result<Imported> {
        let mut done =
            Imported { skipped: self.skipped, rejected: std::mem::take(&mut self.rejected), ..<_>::default() };
        if done.rejected.count > 0 && !skip_invalid {
            return Ok(done);
        }
        // Transactions that lock several owners lock them in the same order.
        let mut ready = std::mem::take(&mut self.ready);
        ready.sort_by_key(|line| {
            let permit = &self.holdings[line.owner].permit;
            (permit.tenant_id().0, permit.owner().map(String::from), line.number)
        });
        let of_one_tenant = |one: &Ready, other: &Ready| self.tenant_of(one) == self.tenant_of(other);
        for lines in ready.chunk_by(of_one_tenant).flat_map(|lines| lines.chunks(AT_ONCE)) {
            if done.imported > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            let batch = self.create(lines, skip_invalid).await?;
            done.imported += batch.imported;
            done.skipped += batch.skipped;
            let is_over = !batch.rejected.is_empty() && !skip_invalid;
            batch.rejected.into_iter().for_each(|(number, error)| done.rejected.add(number, error));
            if is_over {
                return Ok(Imported { is_incomplete: true, ..done });
            }
        }
        Ok(done)
    }

    fn tenant_of(&self, line: &Ready) -> TenantId {
        self.holdings[line.owner].permit.tenant_id()
    }

    /// Creates the keys of some lines of one tenant.
    async fn create(&self, lines: &[Ready], skip_invalid: bool) -> Result<Batch> {
        let Some(tenant) = lines.first().map(|line| self.tenant_of(line)) else { return Ok(Batch::default()) };
        let now = random::to_id_precision(self.admin.context.now());
        let renewed = |line: &Ready| NewKey { id: KeyId(random::new_id(now)), created_at: now, ..line.key.clone() };
        let keys: Vec<NewKey> = lines.iter().map(renewed).collect();
        let mut waits = 0;
        loop {
            let made = retry!(self.admin.context.db(), for tenant, tx => {
                storage::usage::yield_to_others(tx).await?;
                self.create_in(tx, tenant, lines, &keys, skip_invalid).await
            });
            match made {
                // Another key got one of the tokens meanwhile, which the next attempt sees.
                Err(error) if (error.is_busy() || error.is_unique_violation()) && waits < MAX_WAITS => waits += 1,
                made => return made,
            }
            tokio::time::sleep(PAUSE * waits).await;
        }
    }

    async fn create_in(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        lines: &[Ready],
        keys: &[NewKey],
        skip_invalid: bool,
    ) -> Result<Batch> {
        let catalogue = storage::scopes::catalogue_in(tx).await?;
        let policies = storage::key_policies::list_in(tx, tenant, keys[0].created_at).await?;
        let (mut batch, mut granted) = (Batch::default(), Vec::with_capacity(lines.len()));
        let mut locked: Option<(usize, std::result::Result<Locked, ApiError>)> = None;
        for (line, key) in lines.iter().zip(keys) {
            let holding = &self.holdings[line.owner];
            if locked.as_ref().is_none_or(|(owner, _)| *owner != line.owner) {
                let owner = refusal(Locked::lock(tx, holding, &policies, key.created_at).await)?;
                locked = Some((line.owner, owner));
            }
            let Some((_, owner)) = &mut locked else { continue };
            if let Some(holder) = storage::keys::find_holder_in(tx, &key.digest).await? {
                if is_repeated(&holder, &holding.permit) {
                    batch.skipped += 1;
                } else {
                    batch.rejected.push((line.number, already_held(&holder, &holding.permit)));
                }
                continue;
            }
            let scopes = match owner {
                Ok(owner) => refusal(owner.grant(holding, (&catalogue, &policies), key))?,
                Err(refused) => Err(refused.clone()),
            };
            match scopes {
                Ok(scopes) => granted.push((holding, key, scopes)),
                Err(refused) => batch.rejected.push((line.number, refused)),
            }
        }
        if batch.rejected.is_empty() || skip_invalid {
            batch.imported = granted.len();
            insert(tx, granted).await?;
        }
        Ok(batch)
    }
}

/// An owner whose row is locked, so that what is known about it stays true.
struct Locked {
    role: Role,
    most: u32,
    room: u32,
}

impl Locked {
    async fn lock(tx: &mut Tx, holding: &Holding, policies: &[KeyPolicy], now: DateTime<Utc>) -> Result<Self> {
        let permit = &holding.permit;
        let role = lock_role(tx, permit).await?;
        if matches!(permit.owner(), Some(Owner::User(_))) {
            check_still_creates(permit, role)?;
        }
        let most = key_limit(policies, now);
        let room = most - storage::keys::count_live(tx, permit, now, most).await?;
        Ok(Self { role, most, room })
    }

    /// Returns what a key may do, if the owner can have it.
    fn grant(
        &mut self,
        holding: &Holding,
        (catalogue, policies): (&Catalogue, &[KeyPolicy]),
        key: &NewKey,
    ) -> Result<ScopeGrant> {
        let scopes = key.scopes.resolve(catalogue, self.role)?;
        check_rules((catalogue, policies), &holding.permit, self.role, key, &scopes)?;
        self.room = self.room.checked_sub(1).ok_or_else(|| too_many(&holding.permit, self.most))?;
        Ok(scopes)
    }
}

async fn insert(tx: &mut Tx, granted: Vec<(&Holding, &NewKey, ScopeGrant)>) -> Result<()> {
    let mut entries: Vec<Entry> = Vec::with_capacity(granted.len());
    for (holding, key, scopes) in granted {
        storage::keys::insert(tx, &holding.permit, key, &scopes).await?;
        entries.push(entry_of(&holding.actor, key, &scopes));
    }
    storage::audit::insert_all(tx, entries).await
}

/// Whether an earlier import created the key. It can be repeated then.
fn is_repeated(holder: &Holder, permit: &WritePermit) -> bool {
    is_of(holder, permit) && holder.revoked_at.is_none()
}

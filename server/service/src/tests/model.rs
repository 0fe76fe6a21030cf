//! Runs random sequences of acts on a tenant's keys, and checks after each step that exactly those tokens verify that
//! should according to the model in `rules.rs`.
//!
//! `LATCHKEY_MODEL_CASES` sets the number of sequences, `PROPTEST_RNG_SEED` selects them. A failure prints its seed.
//! `make soak` runs many sequences.

use std::{
    env,
    sync::atomic::{AtomicU32, Ordering},
};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use domain::{
    AccountAct, InventoryQuery, IssuedKey, KeyAct, KeyFilter, KeyQuery, Owner, PageRequest, Role, ServiceAccountId,
    TenantId, UserId, api_key::act::RollKey, api_key::input::CreateKey, page::MAX_LIMIT,
    service_account::input::CreateAccount,
};
use proptest::{
    bool::weighted,
    prelude::*,
    sample::select,
    test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner},
};

use super::rules::{Act, Caller, Model, Party};
use crate::{
    Actor, Error,
    keys::{token, verification::tenant_of_good},
    storage,
    tests::stage::*,
};

type Checked<T = ()> = Result<T, TestCaseError>;

/// The maximum number of steps in a sequence.
const MAX_STEPS: usize = 25;
/// The seed, unless `PROPTEST_RNG_SEED` sets another.
const SEED: u64 = 42;
/// A key's position from here on counts from the newest key backwards.
const NEWEST: usize = 1_000;
/// The roles of the service accounts, one account each.
const ACCOUNT_ROLES: [Role; 2] = [Role::TenantAdmin, Role::User];
/// How many times to check whether the first use of a new key has ended the old one.
const MAX_LOOKS: u32 = 10_000;

/// Who performs a step.
#[derive(Clone, Copy, Debug)]
enum By {
    /// The key's owner or, for a service account's key, the administrator.
    Entitled,
    Admin,
    Member,
    /// A caller who presents a key. The position is taken modulo the number of keys.
    Key(usize),
}

#[derive(Clone, Debug)]
enum Step {
    Create {
        by: By,
        owner: Party,
        lifetime: Option<TimeDelta>,
    },
    /// `fits`: choose among the keys whose state allows the act, if there are any.
    Act {
        by: By,
        act: Act,
        key: usize,
        fits: bool,
    },
    Use {
        key: usize,
    },
    Wait(TimeDelta),
    SetBack(TimeDelta),
    Account {
        by: By,
        act: AccountAct,
        account: usize,
    },
    /// `role`: the new role, or `None` to remove the member.
    Member {
        by: By,
        role: Option<Role>,
    },
    ReadmitMember,
}

fn by() -> impl Strategy<Value = By> {
    prop_oneof![6 => Just(By::Entitled), 3 => Just(By::Admin), 2 => Just(By::Member), 3 => key().prop_map(By::Key)]
}

fn key() -> impl Strategy<Value = usize> {
    0..12_usize
}

fn owner() -> impl Strategy<Value = Party> {
    select(vec![Party::Admin, Party::Member, Party::Account(0), Party::Account(1)])
}

fn span() -> impl Strategy<Value = TimeDelta> {
    select(vec![TimeDelta::hours(1), TimeDelta::days(1), TimeDelta::days(7), TimeDelta::days(30)])
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => select(vec!["now", "1h", "24h", "7d", "first_use", "first_use"]).prop_map(Act::Roll),
        2 => select(vec!["1h", "24h", "7d"]).prop_map(Act::Extend),
        2 => Just(Act::Cancel),
        2 => Just(Act::Finish),
        2 => Just(Act::Suspend),
        2 => Just(Act::Resume),
        2 => weighted(0.7).prop_map(|and_created| Act::Revoke { and_created }),
        1 => Just(Act::Rename),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let account_act = select(vec![AccountAct::Suspend, AccountAct::Resume, AccountAct::Resume, AccountAct::Delete]);
    let role = select(vec![Some(Role::ReadOnlyUser), Some(Role::User), None]);
    prop_oneof![
        6 => (by(), owner(), proptest::option::of(span()))
            .prop_map(|(by, owner, lifetime)| Step::Create { by, owner, lifetime }),
        16 => (by(), act(), key(), weighted(0.8)).prop_map(|(by, act, key, fits)| Step::Act { by, act, key, fits }),
        3 => key().prop_map(|key| Step::Use { key }),
        3 => span().prop_map(Step::Wait),
        1 => span().prop_map(Step::SetBack),
        2 => (by(), account_act, 0..ACCOUNT_ROLES.len())
            .prop_map(|(by, act, account)| Step::Account { by, act, account }),
        1 => (by(), role).prop_map(|(by, role)| Step::Member { by, role }),
        1 => Just(Step::ReadmitMember),
    ]
}

/// Acts that depend on each other, which independent steps would rarely combine: a caller resumes what another one
/// suspended, and a key that a key rotated or created is revoked with what was created.
fn scene() -> impl Strategy<Value = Vec<Step>> {
    let create = |by, owner| Step::Create { by, owner, lifetime: None };
    let act = |by, act, key| Step::Act { by, act, key, fits: true };
    let first = select(vec![By::Entitled, By::Admin, By::Key(NEWEST)]);
    let second = select(vec![By::Entitled, By::Member, By::Key(NEWEST + 1)]);
    let resumed = (owner(), first, second).prop_map(move |(owner, first, second)| {
        let create = create(By::Entitled, owner);
        vec![create.clone(), create, act(first, Act::Suspend, NEWEST), act(second, Act::Resume, NEWEST)]
    });
    let overlap = select(vec!["1h", "24h", "first_use"]);
    let revoked = (owner(), overlap, any::<bool>()).prop_map(move |(owner, overlap, creates_too)| {
        let root = create(By::Entitled, owner);
        let rotated = act(By::Key(NEWEST), Act::Roll(overlap), NEWEST);
        let child = creates_too.then(|| create(By::Key(NEWEST), owner));
        let revoked = act(By::Entitled, Act::Revoke { and_created: true }, NEWEST + 1 + usize::from(creates_too));
        [root, rotated].into_iter().chain(child).chain([revoked]).collect()
    });
    prop_oneof![resumed, revoked]
}

/// Generates sequences of about [`MAX_STEPS`] steps, some of them in scenes. Shrinking can remove any step or scene.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let parts = prop_oneof![9 => step().prop_map(|step| vec![step]), 1 => scene()];
    let parts = proptest::collection::vec(proptest::option::weighted(0.97, parts), MAX_STEPS);
    parts.prop_map(|parts| parts.into_iter().flatten().flatten().collect())
}

/// Returns the position among `count` keys that a step means; `None` if there are no keys.
fn pick(key: usize, count: usize) -> Option<usize> {
    match key.checked_sub(NEWEST) {
        Some(back) => count.checked_sub(1).map(|last| last.saturating_sub(back)),
        None => key.checked_rem(count),
    }
}

/// The tenant of one sequence, and the model of that tenant.
struct Play<'a> {
    stage: &'a Stage,
    slug: String,
    tenant: TenantId,
    admin: UserId,
    member: UserId,
    accounts: Vec<ServiceAccountId>,
    issued: Vec<IssuedKey>,
    model: Model,
}

impl<'a> Play<'a> {
    async fn begin(stage: &'a Stage, number: u32) -> Self {
        let slug = format!("model-{number}");
        let tenant = stage.services.admin().create_tenant("Model", &slug).await.unwrap();
        let admin = stage.add_user(&format!("admin-{number}@example.org"), &slug, Role::TenantAdmin).await;
        let member = stage.add_user(&member_email(&slug), &slug, Role::User).await;
        let operator = stage.services.admin().operator(&slug).await.unwrap();
        let mut accounts = Vec::new();
        for role in ACCOUNT_ROLES {
            let input = CreateAccount { name: role.as_str().to_owned(), role: Some(role), ..CreateAccount::default() };
            accounts.push(stage.services.service_accounts().create(&operator, &input).await.unwrap().id);
        }
        let model = Model::new(stage.services.now(), &ACCOUNT_ROLES);
        Self { stage, slug, tenant, admin, member, accounts, issued: Vec::new(), model }
    }

    /// Returns the caller of a step in the service and in the model, or `None` if both refuse to authenticate them.
    /// `owner`: the owner of the key that the step is about.
    async fn caller(&mut self, by: By, owner: Party) -> Checked<Option<(Actor, Caller)>> {
        let actors = self.stage.services.actors();
        let person = async |person| {
            let user = if person == Party::Member { self.member } else { self.admin };
            let actor = actors.from_session(user, self.tenant, self.model.now, browser()).await;
            (actor, self.model.session(person))
        };
        let (actor, caller) = match by {
            By::Entitled if owner == Party::Member => person(Party::Member).await,
            By::Entitled | By::Admin => person(Party::Admin).await,
            By::Member => person(Party::Member).await,
            By::Key(key) => {
                let Some(key) = self.position(key) else { return Ok(None) };
                let actor = actors.from_bearer(self.issued[key].token.expose(), browser()).await;
                self.await_ending(key).await?;
                (actor, self.model.present(key))
            }
        };
        let actor = accepted(actor)?;
        prop_assert_eq!(actor.as_ref().map(Actor::role), caller.map(|caller| caller.role), "the caller's role");
        Ok(actor.zip(caller))
    }

    fn position(&self, key: usize) -> Option<usize> {
        pick(key, self.issued.len())
    }

    /// Returns the position of the key to act on.
    fn target(&self, act: Act, key: usize, fits: bool) -> Option<usize> {
        let fitting: Vec<_> = (0..self.issued.len()).filter(|it| fits && self.model.fits(act.kind(), *it)).collect();
        pick(key, fitting.len()).map(|position| fitting[position]).or_else(|| self.position(key))
    }

    fn owner(&self, party: Party) -> Owner {
        match party {
            Party::Admin => Owner::User(self.admin),
            Party::Member => Owner::User(self.member),
            Party::Account(position) => Owner::ServiceAccount(self.accounts[position]),
        }
    }

    /// Waits until the first use of a key has ended the old one, which the service may do after it has responded.
    async fn await_ending(&self, key: usize) -> Checked {
        if !self.model.is_valid(key) {
            return Ok(());
        }
        for _ in 0..MAX_LOOKS {
            let found = storage::keys::find_by_digest(self.stage.services.db(), &self.digest(key)).await;
            if found.unwrap().is_none_or(|candidate| candidate.ends_key.is_none()) {
                return Ok(());
            }
        }
        Err(TestCaseError::fail("the first use of a key hasn't ended the old one"))
    }

    fn digest(&self, key: usize) -> [u8; 32] {
        token::digest_of(self.issued[key].token.expose()).unwrap()
    }

    async fn take(&mut self, step: &Step) -> Checked {
        match *step {
            Step::Create { by, owner, lifetime } => self.create(by, owner, lifetime).await,
            Step::Act { by, act, key, fits } => {
                let Some(key) = self.target(act, key, fits) else { return Ok(()) };
                self.act(by, act, key).await
            }
            Step::Use { key } => self.caller(By::Key(key), Party::Admin).await.map(drop),
            Step::Wait(by) => {
                self.set_clock(self.model.now + by);
                // A background task of the server does this every second.
                storage::keys::mark_expired(self.stage.services.db(), self.model.now).await.unwrap();
                Ok(())
            }
            Step::SetBack(by) => {
                self.set_clock(self.model.now - by);
                Ok(())
            }
            Step::Account { by, act, account } => self.act_on_account(by, act, account).await,
            Step::Member { by, role } => self.change_member(by, role).await,
            Step::ReadmitMember => {
                if self.model.readmit_member() {
                    self.stage.add_user(&member_email(&self.slug), &self.slug, Role::User).await;
                }
                Ok(())
            }
        }
    }

    fn set_clock(&mut self, now: DateTime<Utc>) {
        self.stage.clock.set(now);
        self.model.set_clock(now);
    }

    async fn create(&mut self, by: By, owner: Party, lifetime: Option<TimeDelta>) -> Checked {
        let Some((actor, caller)) = self.caller(by, owner).await? else { return Ok(()) };
        let expires_at =
            lifetime.map(|lifetime| (self.model.now + lifetime).to_rfc3339_opts(SecondsFormat::Secs, true));
        let input = CreateKey { expires_at, ..new_key(self.owner(owner), "model") };
        let issued = accepted(self.stage.services.api_keys().create(&actor, &input).await)?;
        prop_assert_eq!(issued.is_some(), self.model.create(caller, owner, lifetime), "create");
        self.issued.extend(issued);
        Ok(())
    }

    async fn act(&mut self, by: By, act: Act, key: usize) -> Checked {
        let Some((actor, caller)) = self.caller(by, self.model.keys[key].owner).await? else { return Ok(()) };
        self.check_record(key).await?;
        let (services, id) = (&self.stage.services, self.issued[key].key.id);
        let (keys, rolls) = (services.api_keys(), services.rolls());
        let mut issued = None;
        let changed = match act {
            Act::Rename => keys.rename(&actor, id, "renamed").await,
            Act::Roll(overlap) => {
                let input = RollKey { key: id, overlap: overlap.to_owned(), ..RollKey::default() };
                rolls.roll(&actor, &input).await.map(|new| issued.insert(new).key.clone())
            }
            Act::Extend(overlap) => rolls.extend(&actor, id, overlap).await,
            Act::Cancel => rolls.cancel(&actor, id).await,
            Act::Finish => rolls.finish(&actor, id).await,
            Act::Suspend => keys.suspend(&actor, id).await,
            Act::Resume => keys.resume(&actor, id).await,
            Act::Revoke { and_created } => keys.revoke_with(&actor, id, and_created).await.map(|revoked| revoked.key),
        };
        prop_assert_eq!(accepted(changed)?.is_some(), self.model.act(caller, act, key), "{:?} of key {}", act, key);
        self.issued.extend(issued);
        Ok(())
    }

    async fn act_on_account(&mut self, by: By, act: AccountAct, account: usize) -> Checked {
        let Some((actor, caller)) = self.caller(by, Party::Account(account)).await? else { return Ok(()) };
        let (accounts, id) = (self.stage.services.service_accounts(), self.accounts[account]);
        let changed = match act {
            AccountAct::Suspend => accounts.suspend(&actor, id).await,
            AccountAct::Resume => accounts.resume(&actor, id).await,
            _ => accounts.delete(&actor, id).await,
        };
        let expected = self.model.act_on_account(caller, act, account);
        prop_assert_eq!(accepted(changed)?.is_some(), expected, "{:?} of service account {}", act, account);
        Ok(())
    }

    async fn change_member(&mut self, by: By, role: Option<Role>) -> Checked {
        let Some((actor, caller)) = self.caller(by, Party::Admin).await? else { return Ok(()) };
        let members = self.stage.services.members();
        let changed = match role {
            Some(role) => members.change_role(&actor, self.member, role).await,
            None => members.remove(&actor, self.member).await,
        };
        prop_assert_eq!(accepted(changed)?.is_some(), self.model.change_member(caller, role), "member {:?}", role);
        Ok(())
    }

    /// Checks that a key's record has the expected state and expiry, and allows the expected acts to an administrator.
    async fn check_record(&self, key: usize) -> Checked {
        let operator = self.stage.services.admin().operator(&self.slug).await.unwrap();
        let record = self.stage.services.api_keys().get(&operator, self.issued[key].key.id).await.unwrap();
        let now = self.model.now;
        prop_assert_eq!(record.state(now).is_valid(), self.model.is_valid(key), "the record of key {}", key);
        prop_assert_eq!(record.expires_at, self.model.keys[key].expires_at, "the expiry of key {}", key);
        for &act in KeyAct::ALL {
            let fits = act.fits(&record, now).is_ok();
            prop_assert_eq!(fits, self.model.fits(act, key), "whether {:?} fits key {}", act, key);
        }
        Ok(())
    }

    /// Checks that exactly those tokens verify that should, with the role of their owner. A token whose first use would
    /// end another key isn't used for the check.
    async fn check_tokens(&self) -> Checked {
        let services = &self.stage.services;
        for (key, (issued, expected)) in self.issued.iter().zip(&self.model.keys).enumerate() {
            let (is_valid, role) = if expected.ends.is_some() {
                let tenant = tenant_of_good(&services.0.context, &self.digest(key)).await.unwrap();
                (tenant == Some(self.tenant), None)
            } else {
                let verified = services.verification().verify(issued.token.expose(), &browser()).await.unwrap();
                (verified.is_some(), verified.map(|verified| (verified.role(), verified.expires_at())))
            };
            prop_assert_eq!(is_valid, self.model.is_valid(key), "whether key {} verifies", key);
            if let Some((role, expires_at)) = role {
                prop_assert_eq!(Some(role), self.model.role(expected.owner), "the role of key {}", key);
                prop_assert_eq!(expires_at, expected.expires_at, "the expiry of key {}", key);
            }
        }
        Ok(())
    }

    /// Checks that every key is in the list for its state and in no other.
    async fn check_lists(&self) -> Checked {
        let operator = self.stage.services.admin().operator(&self.slug).await.unwrap();
        for filter in [KeyFilter::Active, KeyFilter::Suspended, KeyFilter::Expired, KeyFilter::Revoked] {
            let page = PageRequest { limit: MAX_LIMIT, ..PageRequest::default() };
            let query = KeyQuery { filter, page, ..KeyQuery::default() };
            let listed = self.stage.services.inventory().list(&operator, &query, InventoryQuery::default()).await;
            let mut listed: Vec<_> = listed.unwrap().items.into_iter().map(|key| key.id).collect();
            listed.sort_unstable();
            let keys = self.issued.iter().enumerate().filter(|(key, _)| self.model.filter(*key) == filter);
            let mut expected: Vec<_> = keys.map(|(_, issued)| issued.key.id).collect();
            expected.sort_unstable();
            prop_assert_eq!(listed, expected, "the list {:?}", filter);
        }
        Ok(())
    }
}

/// Returns the value of an accepted call, or `None` for a refusal. Any other error fails the test.
fn accepted<T>(outcome: crate::Result<T>) -> Checked<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(Error::Api(_) | Error::Rule(_)) => Ok(None),
        Err(fault) => Err(TestCaseError::fail(fault.to_string())),
    }
}

fn member_email(slug: &str) -> String {
    format!("member-{slug}@example.org")
}

async fn play(stage: &Stage, number: u32, steps: &[Step]) -> Checked {
    stage.clock.set("2027-01-01T00:00:00Z".parse().unwrap());
    let mut play = Play::begin(stage, number).await;
    for step in steps {
        play.take(step).await?;
        play.check_tokens().await?;
    }
    play.check_lists().await
}

/// Returns the configuration that sets the number of sequences and the seed.
fn config(default_cases: u32) -> Config {
    let cases = env::var("LATCHKEY_MODEL_CASES").ok().map(|text| text.parse().expect("LATCHKEY_MODEL_CASES: a number"));
    let config = Config::default();
    let rng_seed = if config.rng_seed == RngSeed::Random { RngSeed::Fixed(SEED) } else { config.rng_seed };
    Config {
        cases: cases.unwrap_or(default_cases),
        rng_seed,
        failure_persistence: None,
        max_shrink_iters: 1_000,
        ..config
    }
}

#[test]
fn keys_follow_the_model_through_any_sequence_of_acts() {
    on_both(async |stage| {
        let config = config(if stage.database_url.starts_with("sqlite:") { 24 } else { 8 });
        let seed = config.rng_seed;
        let number = AtomicU32::new(0);
        let outcome = tokio::task::block_in_place(|| {
            TestRunner::new(config).run(&steps(), |steps| {
                let number = number.fetch_add(1, Ordering::Relaxed);
                tokio::runtime::Handle::current().block_on(play(&stage, number, &steps))
            })
        });
        if let Err(TestError::Fail(reason, steps)) = outcome {
            panic!("{reason}\nwith the seed {seed:?} after the steps {steps:#?}");
        }
        outcome.unwrap();
    });
}

//! Bringing the database to a stated configuration.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use domain::{
    AuditQuery, ErrorCode, InventoryQuery, KeyFilter, Operation, Owner, OwnerKind, Role, Secret, api_key::act::RollKey,
    api_key::input::SetKeyPolicy,
};
use proptest::{
    prelude::*,
    sample::{select, subsequence},
    strategy::ValueTree,
    test_runner::{Config, RngSeed, TestRunner},
};

use crate::{
    access::Actor,
    apply::{
        Action, Kind, Plan, Problem, Stated, StatedAccount, StatedConfiguration, StatedKey, StatedKeyPolicy,
        StatedOwner, StatedScope, StatedTenant, StatedToken,
    },
    digest::{hex, sha256},
    keys::token,
    tests::stage::*,
};

/// A configuration under construction, with an entry on each line.
#[derive(Clone, Debug, Default)]
struct File {
    stated: StatedConfiguration,
    lines: usize,
}

impl File {
    fn line<T>(&mut self, entry: T) -> Stated<T> {
        self.lines += 1;
        Stated { line: self.lines, entry }
    }

    fn scope(mut self, scope: &str, least_role: &str) -> Self {
        let (scope, least_role, description) = (scope.to_owned(), least_role.to_owned(), "Orders".to_owned());
        let entry = self.line(StatedScope { scope, description, least_role, deprecated_since: None });
        self.stated.scopes.push(entry);
        self
    }

    fn tenant(mut self, slug: &str, name: &str) -> Self {
        let entry = self.line(StatedTenant { slug: slug.to_owned(), name: name.to_owned() });
        self.stated.tenants.push(entry);
        self
    }

    fn account(mut self, tenant: &str, name: &str, role: Option<&str>) -> Self {
        let (tenant, name, role) = (tenant.to_owned(), name.to_owned(), role.map(str::to_owned));
        let entry = self.line(StatedAccount { tenant, name, role });
        self.stated.accounts.push(entry);
        self
    }

    fn policy(mut self, policy: StatedKeyPolicy) -> Self {
        let entry = self.line(policy);
        self.stated.policies.push(entry);
        self
    }

    fn key(mut self, key: StatedKey) -> Self {
        let entry = self.line(key);
        self.stated.keys.push(entry);
        self
    }
}

fn days(policy: &str, days: i64) -> StatedKeyPolicy {
    StatedKeyPolicy {
        tenant: "acme".to_owned(),
        policy: policy.to_owned(),
        days: Some(days),
        ..StatedKeyPolicy::default()
    }
}

fn of_account(name: &str, account: &str, token: &Secret) -> StatedKey {
    StatedKey {
        tenant: "acme".to_owned(),
        owner: StatedOwner::ServiceAccount(account.to_owned()),
        name: name.to_owned(),
        token: StatedToken::Token(token.clone()),
        scopes: None,
        expires_at: None,
        allowed_addresses: None,
        rate_limit: None,
    }
}

fn of_ada(name: &str, token: &Secret) -> StatedKey {
    StatedKey { owner: StatedOwner::User("ada@example.org".to_owned()), ..of_account(name, "", token) }
}

fn draw(kind: OwnerKind) -> Secret {
    token::draw(kind)
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

impl Stage {
    async fn plan(&self, file: &File, prunes: bool) -> Result<Plan, Vec<Problem>> {
        self.services.admin().plan_apply(&file.stated, prunes).await.unwrap()
    }

    /// Applies a file, and checks that it is then as stated. Returns the steps.
    async fn apply(&self, file: &File, prunes: bool) -> Vec<String> {
        let plan = self.plan(file, prunes).await.unwrap();
        for step in plan.steps() {
            self.services.admin().apply_step(step).await.unwrap_or_else(|error| panic!("{step}: {error:?}"));
        }
        let again = self.plan(file, prunes).await.unwrap();
        let rest: Vec<String> = again.steps().iter().map(ToString::to_string).collect();
        assert_eq!((rest, again.unchanged()), (Vec::new(), file.lines), "applied twice");
        plan.steps().iter().map(ToString::to_string).collect()
    }

    /// Returns the only problem of a file, which mustn't have changed anything.
    async fn problem(&self, file: &File) -> String {
        let problems: Vec<String> =
            self.plan(file, false).await.expect_err("a problem").iter().map(ToString::to_string).collect();
        assert_eq!(problems.len(), 1, "{problems:?}");
        problems[0].clone()
    }

    /// Whether a token is that of a valid key, even if it was used too often.
    async fn accepts(&self, token: &Secret) -> bool {
        match self.services.verification().verify(token.expose(), &browser()).await {
            Ok(verified) => verified.is_some(),
            Err(error) => code::<()>(Err(error)) == ErrorCode::RateLimited,
        }
    }

    async fn operator(&self, slug: &str) -> Actor {
        self.services.admin().operator(slug).await.unwrap()
    }

    async fn account_names(&self, slug: &str) -> BTreeSet<String> {
        let accounts = self.services.service_accounts();
        let page = accounts.list(&self.operator(slug).await, &domain::AccountQuery::default()).await.unwrap();
        page.items.into_iter().map(|account| account.name.to_string()).collect()
    }
}

fn full(ci: &Secret, laptop: &Secret) -> File {
    let policy = StatedKeyPolicy { from: Some("2027-06-01".to_owned()), ..days("max_lifetime", 90) };
    File::default()
        .scope("orders:read", "READ_ONLY_USER")
        .scope("orders:write", "USER")
        .tenant("acme", "Acme")
        .tenant("globex", "Globex")
        .account("acme", "Deployer", Some("USER"))
        .account("globex", "Deployer", None)
        .policy(policy)
        .policy(StatedKeyPolicy {
            tenant: "globex".to_owned(),
            policy: "exposed_keys".to_owned(),
            on_exposure: Some("revoke".to_owned()),
            ..StatedKeyPolicy::default()
        })
        .key(StatedKey {
            scopes: Some(texts(&["orders:write", "orders:read"])),
            expires_at: Some("2027-01-31T01:00:00+01:00".to_owned()),
            allowed_addresses: Some(texts(&["192.0.2.0/24", "10.0.0.0/8"])),
            rate_limit: Some("100/60".to_owned()),
            ..of_account("ci", "Deployer", ci)
        })
        .key(of_ada("laptop", laptop))
}

#[test]
fn a_stated_configuration_is_created_once_and_every_step_is_the_operators() {
    on_both(async |stage| {
        let (ci, laptop) = (draw(OwnerKind::ServiceAccount), draw(OwnerKind::User));
        let file = full(&ci, &laptop);
        let steps = stage.apply(&file, false).await;
        assert_eq!(
            steps[..8],
            [
                "+ create scope orders:read (Orders, least role Read only)",
                "+ create scope orders:write (Orders, least role User)",
                "+ create tenant globex (“Globex”)",
                "+ create service account “Deployer” in acme (User)",
                "+ create service account “Deployer” in globex (Administrator)",
                "+ create key policy max_lifetime in acme (90 days, effective from 1 Jun 2027, 00:00 UTC)",
                "+ create key policy exposed_keys in globex (revoke, effective from 1 Jan 2027, 00:00 UTC)",
                &format!(
                    "+ create key “ci” of Deployer in acme ({}…; with orders:read orders:write; expires on 31 Jan 2027, \
                     00:00 UTC; only from 10.0.0.0/8 192.0.2.0/24; 100 requests a minute)",
                    &ci.expose()[..8]
                ),
            ]
        );
        assert_eq!(steps.len(), 9);
        assert!(stage.accepts(&ci).await && stage.accepts(&laptop).await);
        let ada = stage.session(stage.admin).await;
        let page = stage.services.audit_log().list(&ada, &AuditQuery::default()).await.unwrap();
        for operation in [Operation::CreateServiceAccount, Operation::SetKeyPolicy, Operation::CreateApiKey] {
            let entry = page.items.iter().find(|entry| entry.operation == operation.as_str()).unwrap();
            assert_eq!((entry.channel.as_str(), entry.actor_name.as_str()), ("cli", "Operator"), "{operation:?}");
        }
        // Nothing that was stated is part of an entry but the hint.
        assert!(page.items.iter().all(|entry| !entry.detail.contains(ci.expose())));
        let before = page.items.len();
        stage.apply(&file, true).await;
        let page = stage.services.audit_log().list(&ada, &AuditQuery::default()).await.unwrap();
        assert_eq!(page.items.len(), before, "nothing else was written");
    });
}

#[test]
fn what_differs_is_changed_and_nothing_else() {
    on_both(async |stage| {
        let (ci, laptop) = (draw(OwnerKind::ServiceAccount), draw(OwnerKind::User));
        stage.apply(&full(&ci, &laptop), false).await;
        let file = File::default()
            .scope("orders:read", "USER")
            .tenant("globex", "Globex Corporation")
            .account("acme", "Deployer", Some("READ_ONLY_USER"))
            .policy(days("max_lifetime", 30))
            .key(StatedKey {
                scopes: Some(texts(&["orders:read"])),
                expires_at: Some("2027-01-31T00:00:00Z".to_owned()),
                ..of_account("ci-2", "Deployer", &ci)
            })
            .key(StatedKey {
                scopes: Some(texts(&[])),
                rate_limit: Some("5/minute".to_owned()),
                ..of_ada("laptop", &laptop)
            });
        let steps = stage.apply(&file, false).await;
        assert_eq!(
            steps,
            [
                "~ change scope orders:read (least role User instead of Read only)",
                "~ change tenant globex (renamed from “Globex” to “Globex Corporation”)",
                "~ change service account “Deployer” in acme (role Read only instead of User)",
                "~ change key policy max_lifetime in acme (30 days, effective from 1 Jan 2027, 00:00 UTC)",
                "~ change key “ci-2” of Deployer in acme (renamed from “ci”; scopes: removed orders:write; addresses: all \
                 allowed; rate: no limit instead of 100 requests a minute)",
                "~ change key “laptop” of ada@example.org in acme (scopes: limited to no scopes; rate: 5 requests a minute \
                 instead of no limit)",
            ]
        );
        assert!(stage.accepts(&ci).await && stage.accepts(&laptop).await);
        // Of an account without a role, the role stays.
        assert!(stage.apply(&File::default().account("acme", "Deployer", None), false).await.is_empty());
        // A scope of which only the first was stated isn't removed.
        assert!(stage.services.admin().list_scopes().await.unwrap().operators().count() == 2);
    });
}

#[test]
fn only_pruning_removes_and_only_kinds_that_a_tenant_of_the_file_states() {
    on_both(async |stage| {
        let (ci, old, laptop, other) = (
            draw(OwnerKind::ServiceAccount),
            draw(OwnerKind::ServiceAccount),
            draw(OwnerKind::User),
            draw(OwnerKind::ServiceAccount),
        );
        let globex = |key: StatedKey| StatedKey { tenant: "globex".to_owned(), ..key };
        let before = full(&ci, &laptop)
            .account("acme", "Old", None)
            .policy(days("suspend_unused", 90))
            .key(of_account("old", "Deployer", &old))
            .key(globex(of_account("other", "Deployer", &other)));
        stage.apply(&before, false).await;

        // Neither states what could be pruned.
        assert!(stage.apply(&File::default(), true).await.is_empty());
        assert!(stage.apply(&File::default().tenant("acme", "Acme"), true).await.is_empty());
        let no_key = File::default().account("acme", "Deployer", None).account("acme", "Old", None);
        assert!(stage.apply(&no_key, true).await.is_empty(), "a file without keys revokes none");

        let file = File::default()
            .scope("orders:read", "READ_ONLY_USER")
            .account("acme", "Deployer", None)
            .policy(days("suspend_unused", 90))
            .key(of_account("old", "Deployer", &old));
        assert!(stage.apply(&file, false).await.is_empty());
        assert!(stage.accepts(&ci).await);
        let steps = stage.apply(&file, true).await;
        assert_eq!(
            steps,
            [
                "- remove key policy max_lifetime in acme".to_owned(),
                format!("- remove key “ci” of Deployer in acme ({}…)", &ci.expose()[..8]),
                "- remove service account “Old” in acme".to_owned(),
                "- remove scope orders:write (taken from all keys of all tenants)".to_owned(),
            ]
        );
        assert!(!stage.accepts(&ci).await && stage.accepts(&old).await);
        assert!(stage.accepts(&laptop).await, "keys of people are never removed");
        assert!(stage.accepts(&other).await, "the file says nothing about this tenant");
        assert_eq!(stage.account_names("globex").await, ["Deployer".to_owned()].into());
        assert_eq!(stage.account_names("acme").await, ["Deployer".to_owned()].into());

        // The owner of a stated key is stated, too.
        let owner_only = File::default().account("acme", "Other", None).key(of_account("old", "Deployer", &old));
        stage.apply(&owner_only, true).await;
        assert!(stage.accepts(&old).await);
        // A deleted account loses its keys.
        let steps = stage.apply(&File::default().account("acme", "Other", None), true).await;
        assert_eq!(steps, ["- remove service account “Deployer” in acme (revokes 1 key)"]);
        assert!(!stage.accepts(&old).await);
    });
}

#[test]
fn a_token_that_was_revoked_is_never_brought_back() {
    on_both(async |stage| {
        let (one, two) = (draw(OwnerKind::ServiceAccount), draw(OwnerKind::ServiceAccount));
        let file = |token| File::default().account("acme", "Deployer", None).key(of_account("ci", "Deployer", token));
        stage.apply(&file(&one), false).await;
        let plan = stage.plan(&file(&two), false).await.unwrap();
        let hint = &one.expose()[..8];
        assert!(plan.steps()[0].change.ends_with(&format!("the key {hint}… of the same name keeps working")));
        stage.apply(&file(&two), false).await;
        assert!(stage.accepts(&one).await && stage.accepts(&two).await);
        stage.apply(&file(&two), true).await;
        assert!(!stage.accepts(&one).await && stage.accepts(&two).await);
        for _ in 0..2 {
            let problem = stage.problem(&file(&one)).await;
            assert!(problem.starts_with("line 2, key “ci” of Deployer in acme: Its token was revoked on"), "{problem}");
        }
        assert!(!stage.accepts(&one).await);
        // Pruned and replaced at once.
        let three = draw(OwnerKind::ServiceAccount);
        let steps = stage.apply(&file(&three), true).await;
        assert!(steps[0].contains("replaces the key"), "{steps:?}");
        assert!(!stage.accepts(&two).await && stage.accepts(&three).await);
    });
}

#[test]
fn a_token_belongs_to_one_key_and_its_expiry_stays() {
    on_both(async |stage| {
        let (ci, laptop) = (draw(OwnerKind::ServiceAccount), draw(OwnerKind::User));
        let base = File::default().account("acme", "Deployer", None).account("acme", "Other", None);
        stage.apply(&base.clone().key(of_account("ci", "Deployer", &ci)).key(of_ada("laptop", &laptop)), false).await;
        let problem = stage.problem(&base.clone().key(of_account("ci", "Other", &ci))).await;
        assert!(problem.contains("Its token belongs to another key: “ci” of Deployer in acme."), "{problem}");
        let moved = base.clone().tenant("globex", "Globex").account("globex", "Deployer", None);
        let elsewhere = StatedKey { tenant: "globex".to_owned(), ..of_account("ci", "Deployer", &ci) };
        assert!(stage.problem(&moved.key(elsewhere)).await.contains("belongs to another key"));
        let expiring = StatedKey { expires_at: Some("2028-01-01T00:00:00Z".to_owned()), ..of_ada("laptop", &laptop) };
        assert!(stage.problem(&base.clone().key(expiring)).await.contains("This key never expires"));

        // An expired key stays as it is.
        let soon = draw(OwnerKind::ServiceAccount);
        let expiring =
            StatedKey { expires_at: Some("2027-01-01T01:00:00Z".to_owned()), ..of_account("soon", "Deployer", &soon) };
        let file = base.clone().key(expiring.clone());
        stage.apply(&file, false).await;
        let other = StatedKey { expires_at: Some("2027-01-01T02:00:00Z".to_owned()), ..expiring.clone() };
        let problem = stage.problem(&base.clone().key(other)).await;
        assert!(problem.contains("State expires_at = \"2027-01-01T01:00:00Z\""), "{problem}");
        stage.advance(TimeDelta::hours(2));
        assert!(stage.apply(&file, false).await.is_empty());
        let late = StatedKey { token: StatedToken::Token(draw(OwnerKind::ServiceAccount)), ..expiring };
        assert!(stage.problem(&base.clone().key(late)).await.contains("expires_at: Choose a time in the future."));

        // A rotated key isn't changed back.
        let operator = stage.operator("acme").await;
        let deployer = stage.services.admin().service_account(&operator, "Deployer").await.unwrap();
        let key = stage.walk(&operator, Owner::ServiceAccount(deployer), &every_key()).await;
        let key = key.iter().find(|key| key.name.as_str() == "ci").unwrap().id;
        let roll = RollKey { key, overlap: "1h".to_owned(), ..RollKey::default() };
        let issued = stage.services.rolls().roll(&operator, &roll).await.unwrap();
        let problem = stage.problem(&base.clone().key(of_account("ci", "Deployer", &ci))).await;
        assert!(problem.contains("This key was rotated"), "{problem}");
        assert!(stage.apply(&base.key(of_account("ci", "Deployer", &issued.token)), false).await.is_empty());
    });
}

#[test]
fn everything_is_checked_before_the_first_change() {
    on_both(async |stage| {
        stage.add_user("eve@example.org", "acme", Role::ReadOnlyUser).await;
        let ci = draw(OwnerKind::ServiceAccount);
        let base = File::default().scope("orders:write", "USER").account("acme", "Deployer", Some("USER"));
        let key = || of_account("ci", "Deployer", &ci);
        let laptop = draw(OwnerKind::User);
        for (file, expected) in [
            (base.clone().account("no", "Deployer", None), "There is no tenant with the slug no."),
            (base.clone().key(of_account("ci", "Nobody", &ci)), "There is no service account “Nobody” in acme."),
            (
                base.clone()
                    .key(StatedKey { owner: StatedOwner::User("x@example.org".to_owned()), ..of_ada("x", &laptop) }),
                "x@example.org isn't a member of acme.",
            ),
            (
                base.clone()
                    .key(StatedKey { owner: StatedOwner::User("eve@example.org".to_owned()), ..of_ada("x", &laptop) }),
                "eve@example.org has the role Read only",
            ),
            (
                base.clone().key(StatedKey { scopes: Some(texts(&["orders:read"])), ..key() }),
                "scopes: The scope orders:read isn't in the catalogue",
            ),
            (
                base.clone()
                    .scope("refunds:create", "TENANT_ADMIN")
                    .key(StatedKey { scopes: Some(texts(&["refunds:create"])), ..key() }),
                "scopes: The scope refunds:create requires the role Administrator.",
            ),
            (base.clone().policy(days("max_lifetime", 90)).key(key()), "expires_at: This tenant's policy requires"),
            (
                base.clone()
                    .policy(StatedKeyPolicy { days: None, limit: Some(1), ..days("max_keys", 0) })
                    .key(key())
                    .key(of_account("second", "Deployer", &draw(OwnerKind::ServiceAccount))),
                "Deployer can have at most 1 key in this tenant.",
            ),
            (
                base.clone().policy(StatedKeyPolicy {
                    days: None,
                    scopes: Some(texts(&["orders:read"])),
                    ..days("scopes_not_for_users", 0)
                }),
                "scopes: The scope orders:read isn't in the catalogue",
            ),
        ] {
            let problem = stage.problem(&file).await;
            assert!(problem.contains(expected), "{problem}");
        }
        assert!(stage.account_names("acme").await.is_empty(), "nothing was changed");
        // What would be pruned can't be used.
        stage.apply(&base.clone().scope("orders:read", "USER"), false).await;
        let file = base.key(StatedKey { scopes: Some(texts(&["orders:read"])), ..key() });
        assert!(stage.plan(&file, false).await.is_ok());
        let problems = stage.plan(&file, true).await.unwrap_err();
        assert!(problems[0].message.contains("--prune removes it"), "{problems:?}");
    });
}

#[test]
fn wrong_values_are_named_with_their_line_and_never_with_a_token() {
    on_both(async |stage| {
        let (ci, user) = (draw(OwnerKind::ServiceAccount), draw(OwnerKind::User));
        let last = if ci.expose().ends_with('0') { '1' } else { '0' };
        let mistyped = Secret::new(format!("{}{last}", &ci.expose()[..41]));
        let cut = Secret::new(&ci.expose()[..40]);
        let key = |token: &Secret| of_account("ci", "Deployer", token);
        let short = Secret::new("short");
        let spaced = Secret::new("two words that are long");
        let sha256 = |text: &str| StatedKey { token: StatedToken::Sha256(text.to_owned()), ..key(&ci) };
        for (file, expected) in [
            (File::default().tenant("Acme", "Acme"), "line 1, tenant Acme: slug: Use 1 to 63"),
            (File::default().tenant("acme", "a\u{202e}b"), "line 1, tenant acme: name: Use visible characters only"),
            (File::default().tenant("acme", ci.expose()), "name: This contains an API key"),
            (File::default().account("acme", "x", Some("ROOT")), "line 1, service account “x” in acme: role: Choose"),
            (File::default().scope("latchkey:read", "USER"), "scope: Scopes of the resource latchkey"),
            (File::default().scope("a:b", "user"), "line 1, scope a:b: least_role: Choose TENANT_ADMIN"),
            (File::default().policy(days("lifetime", 1)), "policy: Choose one of max_lifetime"),
            (File::default().policy(days("max_lifetime", -1)), "days: Choose 1 to 3,650 days."),
            (File::default().policy(days("expiry_required", 1)), "days: A policy of the kind expiry_required doesn't"),
            (
                File::default().account("acme", "x", None).account("acme", " x ", None),
                "line 2, service account “ x ” in acme: This is already stated on line 1.",
            ),
            (
                File::default()
                    .account("acme", "Deployer", None)
                    .key(key(&ci))
                    .key(of_account("other", "Deployer", &ci)),
                "line 3, key “other” of Deployer in acme: The key on line 2 has the same token.",
            ),
            (File::default().key(key(&user)), "token_file: This token begins like those of another kind of owner."),
            (File::default().key(key(&mistyped)), "token_file: The token begins like Latchkey's own, but isn't one."),
            (File::default().key(key(&cut)), "token_file: The token begins like Latchkey's own, but isn't one."),
            (File::default().key(key(&short)), "token_file: "),
            (File::default().key(key(&spaced)), "token_file: "),
            (File::default().key(sha256(ci.expose())), "sha256: "),
            (
                File::default().key(StatedKey { scopes: Some(texts(&["orders"])), ..key(&ci) }),
                "scopes: “orders” isn't a scope",
            ),
            (
                File::default().key(StatedKey { expires_at: Some("2028-01-01".to_owned()), ..key(&ci) }),
                "expires_at: Enter a date and time with a UTC offset",
            ),
            (
                File::default().key(StatedKey { allowed_addresses: Some(texts(&[])), ..key(&ci) }),
                "allowed_addresses: List at least one",
            ),
            (
                File::default().key(StatedKey { rate_limit: Some("100".to_owned()), ..key(&ci) }),
                "rate_limit: Choose second",
            ),
        ] {
            let problem = stage.problem(&file).await;
            assert!(problem.contains(expected), "{problem}");
            for token in [&ci, &user, &mistyped, &cut, &short, &spaced] {
                assert!(!problem.contains(token.expose()), "{problem}");
            }
        }
    });
}

#[test]
fn foreign_tokens_work_as_they_are_and_by_their_digest() {
    on_both(async |stage| {
        let (foreign, other) = (Secret::new("sk_live_4eC39HqLyjWDarjtT1zdp7dc"), Secret::new("pat-0123456789abcdef"));
        let digest = hex(&sha256(other.expose().as_bytes()));
        let by_digest = StatedKey { token: StatedToken::Sha256(digest), ..of_account("two", "Deployer", &other) };
        let base = File::default().account("acme", "Deployer", None);
        let file = base.clone().key(of_account("one", "Deployer", &foreign)).key(by_digest);
        let steps = stage.apply(&file, false).await;
        assert!(steps.iter().all(|step| !step.contains("4eC39") && !step.contains("0123456789abcdef")), "{steps:?}");
        assert!(stage.accepts(&foreign).await && stage.accepts(&other).await);
        let file = base.key(of_account("one", "Deployer", &foreign)).key(of_account("two", "Deployer", &other));
        assert!(stage.apply(&file, true).await.is_empty(), "the token and its digest are the same");
    });
}

#[test]
fn a_step_that_fails_can_be_repeated_and_the_rest_continues() {
    on_both(async |stage| {
        let ci = draw(OwnerKind::ServiceAccount);
        let base = File::default().account("acme", "Deployer", None);
        stage.apply(&base, false).await;
        let file = base.account("acme", "Second", None).key(of_account("ci", "Deployer", &ci));
        let plan = stage.plan(&file, false).await.unwrap();
        let operator = stage.operator("acme").await;
        let deployer = stage.services.admin().service_account(&operator, "Deployer").await.unwrap();
        stage.services.service_accounts().delete(&operator, deployer).await.unwrap();
        stage.services.admin().apply_step(&plan.steps()[0]).await.unwrap();
        stage.services.admin().apply_step(&plan.steps()[1]).await.expect_err("its owner was deleted");
        assert!(!stage.accepts(&ci).await);
        let steps = stage.apply(&file, false).await;
        assert_eq!(steps.len(), 2, "the account again, and the key: {steps:?}");
        assert!(stage.accepts(&ci).await);
    });
}

#[test]
fn an_account_with_the_id_of_another_as_its_name_is_not_confused_with_it() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let victim = stage.add_account(&ada, "Victim").await;
        let ci = draw(OwnerKind::ServiceAccount);
        let name = victim.to_string();
        stage.apply(&File::default().account("acme", &name, None).key(of_account("ci", &name, &ci)), false).await;
        let verified = stage.services.verification().verify(ci.expose(), &browser()).await.unwrap().unwrap();
        assert_ne!(verified.owner(), Owner::ServiceAccount(victim));
    });
}

#[test]
fn a_scope_that_is_deprecated_at_some_hour_is_changed_once() {
    on_both(async |stage| {
        for since in ["2026-12-01", "2026-12-01T09:30:00.123456789+01:00"] {
            let mut file = File::default().scope("orders:read", "USER");
            file.stated.scopes[0].entry.deprecated_since = Some(since.to_owned());
            assert_eq!(stage.apply(&file, false).await.len(), 1);
        }
        let steps = stage.apply(&File::default().scope("orders:read", "USER"), false).await;
        assert_eq!(steps, ["~ change scope orders:read (no longer deprecated)"]);
    });
}

#[test]
fn a_policy_with_a_date_is_set_once_before_and_after_it_takes_effect() {
    on_both(async |stage| {
        let later = StatedKeyPolicy { from: Some("2027-01-10".to_owned()), ..days("max_lifetime", 30) };
        let file = File::default().policy(later);
        let operator = stage.operator("acme").await;
        let set = |days: &str| SetKeyPolicy {
            policy: "max_lifetime".to_owned(),
            days: days.to_owned(),
            ..SetKeyPolicy::default()
        };
        stage.services.tenant_policies().set(&operator, &set("90")).await.unwrap();
        assert_eq!(stage.apply(&file, false).await.len(), 1);
        let days = async || {
            let policies = stage.services.tenant_policies().list(&operator).await.unwrap();
            policies.into_iter().filter_map(|policy| policy.days).collect::<BTreeSet<_>>()
        };
        assert_eq!(days().await, [30, 90].into());
        stage.advance(TimeDelta::days(20));
        assert!(stage.apply(&file, true).await.is_empty());
        assert_eq!(days().await, [30].into());
    });
}

/// A random configuration of a small world, in which many things have the same names and tokens.
fn anything(tokens: Vec<Secret>) -> impl Strategy<Value = File> {
    const SCOPES: [&str; 3] = ["orders:read", "orders:write", "refunds:create"];
    const ACCOUNTS: [&str; 3] = ["A", "B", "C"];
    let roles = || select(vec!["READ_ONLY_USER", "USER", "TENANT_ADMIN"]);
    let scopes = subsequence(SCOPES.to_vec(), 0..=3).prop_flat_map(move |list| {
        let count = list.len();
        (Just(list), proptest::collection::vec(roles(), count))
    });
    let accounts = subsequence(ACCOUNTS.to_vec(), 0..=3).prop_flat_map(move |list| {
        let count = list.len();
        (Just(list), proptest::collection::vec(proptest::option::of(roles()), count))
    });
    let policies = subsequence(vec!["suspend_unused", "max_keys", "no_keys_by_keys"], 0..=3);
    let number = tokens.len();
    let key = (
        select(vec!["k", "l"]),
        proptest::option::of(subsequence(SCOPES.to_vec(), 0..=2)),
        proptest::option::of(select(vec!["5/minute", "7/60", "1/day"])),
    );
    let keys = subsequence((0..number).collect::<Vec<_>>(), 0..=3).prop_flat_map(move |list| {
        let count = list.len();
        (Just(list), proptest::collection::vec(key.clone(), count))
    });
    (scopes, accounts, policies, 1..40_i64, keys).prop_map(move |(scopes, accounts, policies, number, keys)| {
        let mut file = File::default().tenant("acme", if number % 2 == 0 { "Acme" } else { "Acme Corporation" });
        for (scope, role) in scopes.0.iter().zip(&scopes.1) {
            file = file.scope(scope, role);
        }
        for (name, role) in accounts.0.iter().zip(&accounts.1) {
            file = file.account("acme", name, *role);
        }
        for policy in policies {
            let values = match policy {
                "suspend_unused" => days(policy, number),
                "max_keys" => StatedKeyPolicy { days: None, limit: Some(2 + number % 3), ..days(policy, 0) },
                _ => StatedKeyPolicy { days: None, ..days(policy, 0) },
            };
            file = file.policy(values);
        }
        for (token, (name, scopes, rate)) in keys.0.iter().zip(&keys.1) {
            let scopes = scopes.as_ref().map(|list| list.iter().map(|scope| (*scope).to_owned()).collect());
            let rate_limit = rate.map(str::to_owned);
            let owner = ACCOUNTS[token % ACCOUNTS.len()];
            file = file.key(StatedKey { scopes, rate_limit, ..of_account(name, owner, &tokens[*token]) });
        }
        file
    })
}

#[test]
fn whatever_can_be_planned_can_be_applied_and_is_then_as_stated() {
    let mut runner = TestRunner::new(Config { rng_seed: RngSeed::Fixed(7), ..Config::default() });
    let stories: Vec<Vec<(File, bool)>> = (0..12)
        .map(|_| {
            // New tokens for each story: those of the earlier ones have owners, or are revoked.
            let tokens = (0..16).map(|_| draw(OwnerKind::ServiceAccount)).collect();
            let states = proptest::collection::vec((anything(tokens), any::<bool>()), 12);
            states.new_tree(&mut runner).unwrap().current()
        })
        .collect();
    on_both(async |stage| {
        let (mut applied, mut refused, mut actions) = (0, 0, BTreeSet::new());
        for (file, prunes) in stories.iter().flatten() {
            match stage.plan(file, *prunes).await {
                Ok(plan) => {
                    actions.extend(plan.steps().iter().map(|step| (step.action.as_str(), step.subject.kind.as_str())));
                    stage.apply(file, *prunes).await;
                    applied += 1;
                    if *prunes && !file.stated.accounts.is_empty() {
                        let of_keys = file.stated.keys.iter().filter_map(|key| match &key.entry.owner {
                            StatedOwner::ServiceAccount(name) => Some(name.clone()),
                            StatedOwner::User(_) => None,
                        });
                        let stated = file.stated.accounts.iter().map(|account| account.entry.name.clone());
                        assert_eq!(stage.account_names("acme").await, of_keys.chain(stated).collect::<BTreeSet<_>>());
                    }
                    for key in &file.stated.keys {
                        let StatedToken::Token(token) = &key.entry.token else { continue };
                        assert!(stage.accepts(token).await, "{key:?}");
                    }
                }
                Err(problems) => {
                    assert!(!problems.is_empty() && problems.iter().all(|problem| problem.line <= file.lines));
                    assert_eq!(stage.plan(file, *prunes).await.unwrap_err(), problems);
                    refused += 1;
                }
            }
        }
        assert!(applied > 20 && refused > 10, "{applied} applied, {refused} refused");
        for action in Action::ALL {
            for kind in Kind::ALL {
                let is_possible = match kind {
                    Kind::Tenant => action == Action::Change,
                    Kind::Scope | Kind::ServiceAccount | Kind::KeyPolicy | Kind::Key => true,
                };
                let happened = actions.contains(&(action.as_str(), kind.as_str()));
                assert_eq!(happened, is_possible, "{} {}", action.as_str(), kind.as_str());
            }
        }
        // Nothing works that wasn't stated.
        let query = domain::KeyQuery { filter: KeyFilter::Active, ..every_key() };
        let keys =
            stage.services.inventory().list(&stage.operator("acme").await, &query, InventoryQuery::default()).await;
        assert!(keys.unwrap().items.iter().all(|key| key.created_channel == "cli"));
    });
}

#[test]
fn a_step_that_somebody_else_has_done_is_no_failure() {
    on_both(async |stage| {
        let token = draw(OwnerKind::ServiceAccount);
        let file = File::default()
            .tenant("new", "New")
            .account("acme", "Deployer", None)
            .key(of_account("ci", "Deployer", &token))
            .policy(days("suspend_unused", 90));
        let mine = stage.plan(&file, false).await.unwrap();
        stage.apply(&file, false).await;
        let admin = stage.services.admin();
        let mut refused = 0;
        for step in mine.steps() {
            if admin.apply_step(step).await.is_err() {
                refused += 1;
                let next = admin.plan_without(step, &file.stated, false).await.unwrap();
                assert_eq!(next.expect("another plan").steps().len(), 0, "{step}");
            }
        }
        assert_eq!(refused, 3, "the tenant, the account and the key");
        // A step that is still needed has failed for a reason of its own.
        let more = File::default().account("acme", "Other", None);
        let plan = stage.plan(&more, false).await.unwrap();
        assert!(admin.plan_without(&plan.steps()[0], &more.stated, false).await.unwrap().is_none());
    });
}

#[test]
fn all_problems_are_found_at_once_and_none_only_follows_from_another() {
    on_both(async |stage| {
        let mut file = File::default()
            .tenant("Not A Slug", "x")
            .account("nobody", "Deployer", None)
            .scope("a:b", "KING")
            .policy(StatedKeyPolicy { scopes: Some(texts(&["a:b"])), ..days("scope_max_lifetime", 90) })
            .policy(days("max_lifetime", 0));
        let lines = |problems: Vec<Problem>| problems.into_iter().map(|problem| problem.line).collect::<Vec<_>>();
        assert_eq!(lines(stage.plan(&file, true).await.unwrap_err()), [1, 3, 5]);
        // Without the wrong tenant and scope, the other entries can be judged.
        file.stated.tenants.clear();
        file.stated.scopes.clear();
        assert_eq!(lines(stage.plan(&file, true).await.unwrap_err()), [2, 4, 5]);
        // If some of the file couldn't be read, nothing can be applied, whatever else it says.
        let mut file = File::default().tenant("new", "New");
        file.stated.unreadable.insert(Kind::Scope);
        assert_eq!(stage.plan(&file, false).await.unwrap_err(), []);
    });
}

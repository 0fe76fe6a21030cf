//! The examples below each help text. A test parses each of them.

const KEY: &str = "0198c5a2-7b1e-7f3a-9c40-5d2e8f6a1b3c";

/// Returns the examples of a command, such as `admin create-key`; of `latchkey` itself if it is empty.
pub(super) fn of(command: &str) -> Vec<String> {
    let lines: &[&str] = match command.split_once(' ') {
        Some(("admin", name)) => admin(name),
        _ => top(command),
    };
    lines.iter().map(|line| line.replace("{key}", KEY)).collect()
}

fn top(command: &str) -> &'static [&'static str] {
    match command {
        "" => &[
            "latchkey serve --listen 127.0.0.1:3000",
            "latchkey admin create-service-account --tenant acme --name Deployer",
            "latchkey admin create-key --tenant acme --service-account Deployer --name agent --expires-at 2027-12-31T00:00:00Z",
            "latchkey admin list-keys --tenant acme --json",
            "latchkey audit tail --tenant acme --follow",
            "latchkey backup latchkey-backup.db",
        ],
        "serve" => &[
            "latchkey serve",
            "latchkey serve --config /etc/latchkey.toml",
            "latchkey serve --listen 10.0.0.5:3000 --public-url https://keys.example.org --trusted-proxy 10.0.0.1",
            "latchkey serve --database-url postgres://latchkey@db.example.org/latchkey --no-migrate",
        ],
        "migrate" => &["latchkey migrate", "latchkey migrate --database-url sqlite:/var/lib/latchkey/latchkey.db"],
        "admin" => &["latchkey admin list-tenants", "latchkey admin create-key --help"],
        "apply" => &[
            "latchkey apply --dry-run state.toml",
            "latchkey apply state.toml",
            "latchkey apply --prune --json - < state.toml",
        ],
        "generate-token" => &["latchkey generate-token --kind service-account > ci.token"],
        "backup" => &["latchkey backup /var/backups/latchkey.db"],
        "import" => &[
            "latchkey import keys.jsonl --tenant acme --dry-run",
            "latchkey import keys.jsonl --tenant acme",
            "latchkey import - --tenant acme --skip-invalid --json < keys.jsonl",
        ],
        "move" => &["latchkey move --to postgres://latchkey@db.example.org/latchkey"],
        "restore" => &[
            "latchkey restore /var/backups/latchkey.db",
            "latchkey restore --replace /var/backups/latchkey.db",
            "latchkey restore --database-url postgres://latchkey@db.example.org/latchkey --revocation-ledger /var/lib/latchkey/revocations",
        ],
        "audit" => &["latchkey audit tail --tenant acme", "latchkey audit verify"],
        "audit refusals" => &["latchkey audit refusals", "latchkey audit refusals --json"],
        "audit tail" => &[
            "latchkey audit tail",
            "latchkey audit tail --tenant acme --lines 100",
            "latchkey audit tail --follow --json",
        ],
        "audit verify" => &[
            "latchkey audit verify > audit-heads",
            "latchkey audit verify --expect acme:36:61d6cbb6503d4fcb143066a8ac51172a930b275ef886fb55cb9dc39213e08ede",
        ],
        "check" => &["latchkey check", "latchkey check --database-url sqlite:/var/backups/latchkey.db"],
        "secrets" => &["latchkey secrets init", "latchkey secrets rotate"],
        "secrets init" => {
            &["latchkey secrets init", "latchkey secrets init --secret-key-file /etc/latchkey/secret.key"]
        }
        "secrets rotate" => &["latchkey secrets rotate", "latchkey secrets rotate --prepare"],
        "secrets discard-lost" => &["latchkey secrets discard-lost"],
        "config" | "config check" => &[
            "latchkey config check",
            "latchkey config check --config /etc/latchkey.toml",
            "latchkey config check --json",
        ],
        "scan" => &[
            "latchkey scan .",
            "latchkey scan --json - < app.log",
            "latchkey scan --revoke --database-url sqlite:/var/lib/latchkey/latchkey.db .",
            "latchkey scan --rules gitleaks > gitleaks.toml",
        ],
        "health" => &["latchkey health", "latchkey health http://127.0.0.1:3000"],
        "completions" => &[
            "latchkey completions bash > /etc/bash_completion.d/latchkey",
            "latchkey completions zsh > /usr/local/share/zsh/site-functions/_latchkey",
            "latchkey completions fish > /etc/fish/completions/latchkey.fish",
        ],
        "man" => &["latchkey man /usr/local/share/man/man1"],
        _ => &[],
    }
}

fn admin(command: &str) -> &'static [&'static str] {
    match command {
        "list-tenants" => &["latchkey admin list-tenants", "latchkey admin list-tenants --json"],
        "create-tenant" => &["latchkey admin create-tenant --name 'Acme Robotics' --slug acme"],
        "rename-tenant" => &["latchkey admin rename-tenant --tenant acme --name 'Acme Industries'"],
        "set-policy" => &[
            "latchkey admin set-policy --tenant acme --policy max_lifetime --days 90",
            "latchkey admin set-policy --tenant acme --policy expiry_required --from 2027-01-31T09:00:00+01:00",
        ],
        "clear-policy" => &["latchkey admin clear-policy --tenant acme --policy max_lifetime"],
        _ => people(command).or_else(|| accounts(command)).or_else(|| keys(command)).unwrap_or_default(),
    }
}

fn people(command: &str) -> Option<&'static [&'static str]> {
    Some(match command {
        "list-users" => &["latchkey admin list-users", "latchkey admin list-users --json"],
        "list-members" => &["latchkey admin list-members --tenant acme"],
        "create-user" => &[
            "latchkey admin create-user --email ada@example.org --tenant acme --role TENANT_ADMIN --password-stdin < password",
            "latchkey admin create-user --email ada@example.org --tenant other --role USER",
        ],
        "set-role" => &["latchkey admin set-role --tenant acme --email grace@example.org --role USER"],
        "remove-member" => &["latchkey admin remove-member --tenant acme --email grace@example.org"],
        "rename-user" => &["latchkey admin rename-user --email grace@example.org --name 'Grace Hopper'"],
        "change-password" => &["latchkey admin change-password --email grace@example.org --password-stdin < password"],
        "disable-second-factor" => &["latchkey admin disable-second-factor --email grace@example.org"],
        "unlock-second-factor" => &["latchkey admin unlock-second-factor --email grace@example.org"],
        "list-invitations" => &["latchkey admin list-invitations --tenant acme"],
        "invite-member" => &["latchkey admin invite-member --tenant acme --email grace@example.org --role USER"],
        "cancel-invitation" => &["latchkey admin cancel-invitation {key} --tenant acme"],
        _ => return None,
    })
}

fn accounts(command: &str) -> Option<&'static [&'static str]> {
    Some(match command {
        "list-service-accounts" => &["latchkey admin list-service-accounts --tenant acme --json"],
        "create-service-account" => {
            &["latchkey admin create-service-account --tenant acme --name Deployer --role USER"]
        }
        "rename-service-account" => {
            &["latchkey admin rename-service-account Deployer --tenant acme --name Deployments"]
        }
        "change-service-account-role" => {
            &["latchkey admin change-service-account-role Deployer --tenant acme --role USER"]
        }
        "suspend-service-account" => &["latchkey admin suspend-service-account Deployer --tenant acme"],
        "resume-service-account" => &["latchkey admin resume-service-account Deployer --tenant acme"],
        "delete-service-account" => &["latchkey admin delete-service-account {key} --tenant acme"],
        _ => return None,
    })
}

fn keys(command: &str) -> Option<&'static [&'static str]> {
    Some(match command {
        "list-keys" => &[
            "latchkey admin list-keys --tenant acme --state active --json",
            "latchkey admin list-keys --tenant acme --service-account Deployer",
            "latchkey admin list-keys --tenant acme --user ada@example.org",
        ],
        "list-key-refusals" => &["latchkey admin list-key-refusals {key} --tenant acme --json"],
        "create-key" => &[
            "latchkey admin create-key --tenant acme --user ada@example.org --name laptop --expires-at 2027-12-31T00:00:00Z",
            "latchkey admin create-key --tenant acme --service-account Deployer --name agent --json",
            "latchkey admin create-key --tenant acme --service-account Deployer --name agent --scope orders:read --scope orders:write",
        ],
        "roll-key" => &[
            "latchkey admin roll-key {key} --tenant acme",
            "latchkey admin roll-key {key} --tenant acme --overlap first_use --json",
        ],
        "finish-roll" => &["latchkey admin finish-roll {key} --tenant acme"],
        "extend-roll" => &["latchkey admin extend-roll {key} --tenant acme --overlap 7d"],
        "cancel-roll" => &["latchkey admin cancel-roll {key} --tenant acme"],
        "rename-key" => &["latchkey admin rename-key {key} --tenant acme --name laptop"],
        "set-key-scopes" => &[
            "latchkey admin set-key-scopes {key} --tenant acme --scope orders:read",
            "latchkey admin set-key-scopes {key} --tenant acme --unscoped",
        ],
        "set-key-limits" => &[
            "latchkey admin set-key-limits {key} --tenant acme --allow-address 203.0.113.0/24 --rate-limit 600/minute",
            "latchkey admin set-key-limits {key} --tenant acme --allow-all-addresses",
        ],
        "list-scopes" => &["latchkey admin list-scopes", "latchkey admin list-scopes --json"],
        "set-scope" => &[
            "latchkey admin set-scope orders:read --description orders --least-role READ_ONLY_USER",
            "latchkey admin set-scope orders:read --description orders --deprecated-since 2027-01-31",
        ],
        "remove-scope" => &["latchkey admin remove-scope orders:read"],
        "suspend-key" => &["latchkey admin suspend-key {key} --tenant acme"],
        "resume-key" => &["latchkey admin resume-key {key} --tenant acme"],
        "revoke-key" => &["latchkey admin revoke-key {key} --tenant acme --and-created"],
        "suspend-keys" => &["latchkey admin suspend-keys {key} --tenant acme"],
        "revoke-keys" => &["latchkey admin revoke-keys {key} --tenant acme"],
        _ => return None,
    })
}

//! The examples below the help texts of the commands outside of `latchkey admin`. A test parses each of them.

/// Returns the examples of a command, such as `audit tail`; of `latchkey` itself if it is empty.
pub(super) fn of(command: &str) -> &'static [&'static str] {
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

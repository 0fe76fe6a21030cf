//! The action of a dialog as GraphQL, curl and CLI, so that it can be done without the dashboard.

use domain::{KeyLimits, RateLimit, Role, ScopeSet, scope::SetScope};

/// The placeholder for a key's token, which the dashboard doesn't know.
const KEY: &str = "$LATCHKEY_API_KEY";

/// The values that the texts need besides the action's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeContext {
    /// The base URL of the API.
    pub public_url: String,
    /// The slug of the selected tenant.
    pub slug: String,
    /// The id of the user or service account that owns the keys.
    pub owner_id: String,
    /// The owner's email address; `None` for a service account.
    pub email: Option<String>,
}

impl CodeContext {
    /// An administrator's command in the tenant. `words`: its arguments after `--tenant`.
    pub fn command(&self, command: &str, words: &[&str]) -> Cli {
        admin(self, command, words)
    }
}

/// How a program can do an action without a browser session. The arguments of a command are quoted when they are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cli {
    /// Neither with a key nor on the command line.
    None,
    /// With a key, but not on the command line.
    KeyOnly,
    /// On the command line, but not with a key.
    Alone(Vec<String>),
    /// On the command line and with a key.
    KeyOrCommand(Vec<String>),
}

impl Cli {
    /// The command as a line for a POSIX shell.
    fn line(&self) -> Option<String> {
        let (Self::Alone(words) | Self::KeyOrCommand(words)) = self else { return None };
        Some(words.iter().map(|word| in_shell(word)).collect::<Vec<_>>().join(" "))
    }
}

/// A tenant chosen in the form that isn't the session's selected one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// The tenant's id.
    pub tenant_id: String,
    /// The tenant's slug.
    pub slug: String,
}

/// One action as GraphQL, curl and CLI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AsCode {
    /// The GraphQL operation with its values.
    pub graphql: String,
    /// The `latchkey` command, and whether a key can do the action too.
    pub cli: Cli,
}

impl AsCode {
    /// Creates a key. `scopes`: those that it holds; `None` for everything that its owner may do. `elsewhere`: the chosen
    /// tenant, if it isn't the session's selected one.
    pub fn create_key(
        context: &CodeContext,
        name: &str,
        expires_at: Option<&str>,
        (scopes, limits): (Option<&ScopeSet>, &KeyLimits),
        elsewhere: Option<&Elsewhere>,
    ) -> Self {
        let tenant = elsewhere.map(|chosen| chosen.tenant_id.as_str());
        let more: String = [("expires_at", expires_at), ("default_tenant_id", tenant)]
            .into_iter()
            .filter_map(|(name, value)| Some(format!(", {name}: {}", quoted(value?))))
            .chain(scopes.map(|set| format!(", scopes: [{}]", quoted_list(set))))
            .chain(limit_arguments(limits).into_iter().flatten().map(|argument| format!(", {argument}")))
            .collect();
        let graphql = format!(
            "mutation {{\n  create_api_key(input: {{ user_id: {}, name: {}{more} }}) {{\n    id\n    token\n  }}\n}}",
            quoted(&context.owner_id),
            quoted(name)
        );
        let owner = match &context.email {
            Some(email) => ["--user", email],
            None => ["--service-account", &context.owner_id],
        };
        let mut words = owner.to_vec();
        words.extend(["--name", name]);
        words.extend(expires_at.map(|at| ["--expires-at", at]).into_iter().flatten());
        match scopes {
            Some(set) if set.is_empty() => words.push("--no-scopes"),
            scopes => words.extend(scopes.into_iter().flatten().flat_map(|scope| ["--scope", scope.as_str()])),
        }
        let limits = limit_flags(limits);
        words.extend(limits.iter().map(String::as_str));
        let cli = match elsewhere {
            // A key can create keys only in its own tenant.
            Some(chosen) => Cli::Alone(admin_words(&chosen.slug, "create-key", &words)),
            None => admin(context, "create-key", &words),
        };
        Self { graphql, cli }
    }

    /// Revokes a key. `and_created`: also the keys created with it.
    pub fn revoke_key(context: &CodeContext, id: &str, and_created: bool) -> Self {
        let more = if and_created { ", and_created: true" } else { "" };
        let graphql = format!(
            "mutation {{\n  delete_api_key(input: {{ key_id: {}{more} }}) {{\n    success\n  }}\n}}",
            quoted(id)
        );
        let words: &[&str] = if and_created { &[id, "--and-created"] } else { &[id] };
        Self { graphql, cli: admin(context, "revoke-key", words) }
    }

    /// Rotates a key. `overlap`: the code of the grace period. `deadline`: when a grace period that ends on first use
    /// ends at the latest, as RFC 3339.
    pub fn roll_key(context: &CodeContext, id: &str, overlap: &str, deadline: Option<&str>) -> Self {
        let more = deadline.map(|at| format!(", deadline: {}", quoted(at))).unwrap_or_default();
        let graphql = format!(
            "mutation {{\n  roll_api_key(input: {{ key_id: {}, overlap: {}{more} }}) {{\n    id\n    token\n  }}\n}}",
            quoted(id),
            quoted(overlap)
        );
        let mut words = vec![id, "--overlap", overlap];
        words.extend(deadline.map(|at| ["--deadline", at]).into_iter().flatten());
        Self { graphql, cli: admin(context, "roll-key", &words) }
    }

    /// Changes several keys at once. `mutation`: the operation's code.
    pub fn bulk(context: &CodeContext, mutation: &str, ids: &[String]) -> Self {
        let list: Vec<_> = ids.iter().map(|id| quoted(id)).collect();
        let graphql = format!("mutation {{\n  {mutation}(key_ids: [{}]) {{\n    count\n  }}\n}}", list.join(", "));
        let words: Vec<&str> = ids.iter().map(String::as_str).collect();
        Self { graphql, cli: admin(context, &mutation.replace('_', "-").replace("api-", ""), &words) }
    }

    /// Turns a key policy on, or changes it. `value`: the name and the value that the kind of policy needs. `from`: when it takes effect, as RFC 3339.
    pub fn set_policy(
        context: &CodeContext,
        policy: &str,
        value: Option<(&str, &str)>,
        scopes: &ScopeSet,
        from: Option<&str>,
    ) -> Self {
        let number = value.map(|(name, value)| (name, value.to_owned()));
        let listed = (!scopes.is_empty()).then(|| ("scopes", format!("[{}]", quoted_list(scopes))));
        let in_graphql = number.clone().into_iter().chain(listed).chain(from.map(|from| ("from", quoted(from))));
        let more: Vec<String> = in_graphql.map(|(name, value)| format!(", {name}: {value}")).collect();
        let more = more.concat();
        let graphql = format!(
            "mutation {{\n  set_tenant_policy(input: {{ policy: {policy}{more} }}) {{\n    policy\n    effective_from\n  }}\n}}"
        );
        let mut words = vec!["--policy", policy];
        let flag = number.as_ref().map(|(name, _)| format!("--{}", name.replace('_', "-")));
        words.extend(flag.iter().zip(&number).flat_map(|(flag, (_, value))| [flag.as_str(), value.as_str()]));
        words.extend(scopes.iter().flat_map(|scope| ["--scope", scope.as_str()]));
        words.extend(from.iter().flat_map(|from| ["--from", from]));
        Self { graphql, cli: admin(context, "set-policy", &words) }
    }

    /// Turns a key policy off.
    pub fn clear_policy(context: &CodeContext, policy: &str) -> Self {
        let graphql = format!("mutation {{\n  clear_tenant_policy(policy: {policy}) {{\n    success\n  }}\n}}");
        Self { graphql, cli: admin(context, "clear-policy", &["--policy", policy]) }
    }

    /// Renames the tenant.
    pub fn rename_tenant(context: &CodeContext, name: &str) -> Self {
        let graphql = format!("mutation {{\n  rename_tenant(name: {}) {{\n    name\n  }}\n}}", quoted(name));
        Self { graphql, cli: admin(context, "rename-tenant", &["--name", name]) }
    }

    /// Invites a person. `role`: the role's code.
    pub fn invite(context: &CodeContext, email: &str, role: &str) -> Self {
        let graphql = format!(
            "mutation {{\n  invite_member(email: {}, role: {role}) {{\n    id\n    link\n  }}\n}}",
            quoted(email)
        );
        Self { graphql, cli: admin(context, "invite-member", &["--email", email, "--role", role]) }
    }

    /// Cancels an invitation.
    pub fn cancel_invitation(context: &CodeContext, id: &str) -> Self {
        let graphql = format!("mutation {{\n  cancel_invitation(id: {}) {{\n    success\n  }}\n}}", quoted(id));
        Self { graphql, cli: admin(context, "cancel-invitation", &[id]) }
    }

    /// Changes a key or a service account with a mutation that takes an id. `more`: name and value of another argument.
    pub fn change(context: &CodeContext, mutation: &str, id: &str, more: Option<(&str, &str)>) -> Self {
        let argument = more.map(|(name, value)| {
            let value = if name == "role" { value.to_owned() } else { quoted(value) };
            format!(", {name}: {value}")
        });
        let graphql = format!(
            "mutation {{\n  {mutation}(id: {}{}) {{\n    state\n  }}\n}}",
            quoted(id),
            argument.unwrap_or_default()
        );
        let command = mutation.replace('_', "-").replace("api-key", "key");
        let flag = more.map(|(name, value)| [format!("--{name}"), value.to_owned()]);
        let words: Vec<&str> = std::iter::once(id).chain(flag.iter().flatten().map(String::as_str)).collect();
        Self { graphql, cli: admin(context, &command, &words) }
    }

    /// Changes what a key may do. `scopes`: those that it holds from now on; `None` for everything that its owner may do.
    pub fn change_scopes(context: &CodeContext, id: &str, scopes: Option<&ScopeSet>) -> Self {
        let (argument, words) = match scopes {
            None => ("unscoped: true".to_owned(), vec!["--unscoped"]),
            Some(set) if set.is_empty() => ("scopes: []".to_owned(), vec!["--no-scopes"]),
            Some(set) => {
                let words = set.iter().flat_map(|scope| ["--scope", scope.as_str()]).collect();
                (format!("scopes: [{}]", quoted_list(set)), words)
            }
        };
        let graphql =
            format!("mutation {{\n  change_api_key_scopes(id: {}, {argument}) {{\n    scopes\n  }}\n}}", quoted(id));
        let words: Vec<&str> = std::iter::once(id).chain(words).collect();
        Self { graphql, cli: admin(context, "set-key-scopes", &words) }
    }

    /// Changes from which addresses and how often a key may be used.
    pub fn change_limits(context: &CodeContext, id: &str, limits: &KeyLimits) -> Self {
        let none = ["allowed_addresses: null", "rate_limit: null"].map(str::to_owned);
        let [addresses, rate] = limit_arguments(limits);
        let [no_addresses, no_rate] = none;
        let (addresses, rate) = (addresses.unwrap_or(no_addresses), rate.unwrap_or(no_rate));
        let graphql = format!(
            "mutation {{\n  change_api_key_limits(id: {}, {addresses}, {rate}) {{\n    allowed_addresses\n    rate_limit {{\n      requests\n      seconds\n    }}\n  }}\n}}",
            quoted(id)
        );
        let mut flags = limit_flags(limits);
        flags.extend(limits.addresses.is_none().then(|| "--allow-all-addresses".to_owned()));
        flags.extend(limits.rate.is_none().then(|| "--no-rate-limit".to_owned()));
        let words: Vec<&str> = std::iter::once(id).chain(flags.iter().map(String::as_str)).collect();
        Self { graphql, cli: admin(context, "set-key-limits", &words) }
    }

    /// Adds a scope to the catalogue, or changes it.
    pub fn set_scope(input: &SetScope) -> Self {
        let role = input.least_role.unwrap_or(Role::ReadOnlyUser).as_str();
        let since = &input.deprecated_since;
        let more = if since.is_empty() { String::new() } else { format!(", deprecated_since: {}", quoted(since)) };
        let graphql = format!(
            "mutation {{\n  set_scope(input: {{ scope: {}, description: {}, least_role: {role}{more} }}) {{\n    scope\n  }}\n}}",
            quoted(&input.scope),
            quoted(&input.description)
        );
        let mut words = vec!["latchkey", "admin", "set-scope", &input.scope];
        words.extend(["--description", &input.description, "--least-role", role]);
        if !since.is_empty() {
            words.extend(["--deprecated-since", since]);
        }
        Self { graphql, cli: Cli::KeyOrCommand(words.into_iter().map(str::to_owned).collect()) }
    }

    /// Removes a scope from the catalogue.
    pub fn remove_scope(scope: &str) -> Self {
        let graphql = format!("mutation {{\n  remove_scope(scope: {}) {{\n    success\n  }}\n}}", quoted(scope));
        let words = ["latchkey", "admin", "remove-scope", scope];
        Self { graphql, cli: Cli::KeyOrCommand(words.map(str::to_owned).to_vec()) }
    }

    /// Changes the person's own name.
    pub fn update_profile(context: &CodeContext, name: &str) -> Self {
        let graphql = format!("mutation {{\n  update_profile(name: {}) {{\n    name\n  }}\n}}", quoted(name));
        let email = context.email.as_deref().unwrap_or_default();
        let words = ["latchkey", "admin", "rename-user", "--email", email, "--name", name];
        Self { graphql, cli: Cli::KeyOrCommand(words.map(str::to_owned).to_vec()) }
    }

    /// A mutation that requires the person's browser session and has no command. Mutations that a person's key can run
    /// too are built from this one with another [`Cli`]. `answer`: the field to select in the result.
    pub fn session_only(mutation: &str, arguments: &[(&str, &str)], answer: &str) -> Self {
        let arguments: Vec<_> = arguments.iter().map(|(name, value)| format!("{name}: {}", quoted(value))).collect();
        let list = if arguments.is_empty() { String::new() } else { format!("({})", arguments.join(", ")) };
        Self { graphql: format!("mutation {{\n  {mutation}{list} {{\n    {answer}\n  }}\n}}"), cli: Cli::None }
    }

    /// A mutation that a person's key can run too, without arguments and without a command. `answer`: as in
    /// [`AsCode::session_only`].
    pub fn session_or_key(mutation: &str, answer: &str) -> Self {
        Self { cli: Cli::KeyOnly, ..Self::session_only(mutation, &[], answer) }
    }

    /// Creates a tenant.
    pub fn create_tenant(name: &str, slug: &str) -> Self {
        let words = ["latchkey", "admin", "create-tenant", "--name", name, "--slug", slug];
        Self {
            cli: Cli::KeyOrCommand(words.map(str::to_owned).to_vec()),
            ..Self::session_only("create_tenant", &[("name", name), ("slug", slug)], "id")
        }
    }

    /// Creates a service account. `role`: the role's code.
    pub fn create_account(context: &CodeContext, name: &str, role: &str) -> Self {
        let graphql = format!(
            "mutation {{\n  create_service_account(input: {{ name: {}, role: {role} }}) {{\n    id\n  }}\n}}",
            quoted(name)
        );
        Self { graphql, cli: admin(context, "create-service-account", &["--name", name, "--role", role]) }
    }

    /// Deletes a service account.
    pub fn delete_account(context: &CodeContext, id: &str) -> Self {
        let graphql = format!("mutation {{\n  delete_service_account(id: {}) {{\n    state\n  }}\n}}", quoted(id));
        Self { graphql, cli: admin(context, "delete-service-account", &[id]) }
    }

    /// Label and text of each language in which the action can be done. `public_url`: the base URL of the API.
    pub fn texts(&self, public_url: &str) -> Vec<(&'static str, String)> {
        let curl = matches!(self.cli, Cli::KeyOrCommand(_) | Cli::KeyOnly).then(|| ("curl", self.curl(public_url)));
        let cli = self.cli.line().map(|line| ("CLI", line));
        std::iter::once(("GraphQL", self.graphql.clone())).chain(curl).chain(cli).collect()
    }

    fn curl(&self, public_url: &str) -> String {
        let line = self.graphql.split_whitespace().collect::<Vec<_>>().join(" ");
        let body = format!("{{\"query\": {}}}", quoted(&line));
        format!(
            "curl {public_url}/graphql \\\n  -H \"Authorization: Bearer {KEY}\" \\\n  -H 'Content-Type: application/json' \\\n  -d {}",
            in_shell(&body)
        )
    }
}

/// An administrator's command in the tenant of `context`, for an action that a key can do too.
fn admin(context: &CodeContext, command: &str, words: &[&str]) -> Cli {
    Cli::KeyOrCommand(admin_words(&context.slug, command, words))
}

fn admin_words(slug: &str, command: &str, words: &[&str]) -> Vec<String> {
    let all = ["latchkey", "admin", command, "--tenant", slug].into_iter().chain(words.iter().copied());
    all.map(str::to_owned).collect()
}

/// A text as a JSON string, which is also a GraphQL string (October 2021, §2.9.4).
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// An argument for a POSIX shell: in single quotes if it contains characters with a special meaning.
fn in_shell(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// The scopes of a set as the items of a GraphQL list.
fn quoted_list(set: &ScopeSet) -> String {
    set.iter().map(|scope| quoted(scope.as_str())).collect::<Vec<_>>().join(", ")
}

/// The limits of a key as GraphQL arguments; `None` for each that isn't set.
fn limit_arguments(limits: &KeyLimits) -> [Option<String>; 2] {
    let rate = |limit: RateLimit| format!("{{ requests: {}, seconds: {} }}", limit.requests(), limit.seconds());
    let addresses = limits.addresses.as_ref().map(|list| {
        let quoted: Vec<_> = list.iter().map(|network| quoted(&network)).collect();
        format!("allowed_addresses: [{}]", quoted.join(", "))
    });
    [addresses, limits.rate.map(|limit| format!("rate_limit: {}", rate(limit)))]
}

/// The limits of a key as flags of a command.
fn limit_flags(limits: &KeyLimits) -> Vec<String> {
    let networks = limits.addresses.iter().flat_map(domain::AllowedAddresses::iter);
    let addresses = networks.flat_map(|network| ["--allow-address".to_owned(), network]);
    let rate = limits
        .rate
        .into_iter()
        .flat_map(|limit| ["--rate-limit".to_owned(), format!("{}/{}", limit.requests(), limit.window())]);
    addresses.chain(rate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(email: Option<&str>) -> CodeContext {
        CodeContext {
            public_url: "https://keys.example.org".to_owned(),
            slug: "acme".to_owned(),
            owner_id: "1".to_owned(),
            email: email.map(str::to_owned),
        }
    }

    #[test]
    fn actions_that_no_key_can_do_have_no_curl() {
        let context = context(Some("ada@example.org"));
        let elsewhere = Elsewhere { tenant_id: "2".to_owned(), slug: "other".to_owned() };
        let code = AsCode::create_key(&context, "ci", None, (None, &KeyLimits::default()), Some(&elsewhere));
        let texts = code.texts(&context.public_url);
        assert!(texts[0].1.contains(r#"name: "ci", default_tenant_id: "2""#), "{}", texts[0].1);
        let cli = "latchkey admin create-key --tenant other --user ada@example.org --name ci";
        assert_eq!(texts[1], ("CLI", cli.to_owned()));
        let names = |code: AsCode| code.texts("").into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names(AsCode::update_profile(&context, "Ada")), ["GraphQL", "curl", "CLI"]);
        assert_eq!(names(AsCode::create_tenant("Acme", "acme")), ["GraphQL", "curl", "CLI"]);
        assert_eq!(names(AsCode::session_or_key("revoke_calendar_feed", "success")), ["GraphQL", "curl"]);
        assert_eq!(names(AsCode::session_only("end_other_sessions", &[], "success")), ["GraphQL"]);
    }

    #[test]
    fn texts_are_quoted_for_each_language() {
        let context = context(None);
        let none = KeyLimits::default();
        let code = AsCode::create_key(&context, "Ada's \"key\"", Some("2031-01-31T00:00:00Z"), (None, &none), None);
        assert!(code.graphql.contains(r#"name: "Ada's \"key\"", expires_at: "2031-01-31T00:00:00Z""#));
        let texts = code.texts("https://keys.example.org");
        let (curl, cli) = (&texts[1].1, &texts[2].1);
        assert!(curl.contains(r#"\"Ada'\''s \\\"key\\\"\""#), "{curl}");
        assert_eq!(
            cli,
            r#"latchkey admin create-key --tenant acme --service-account 1 --name 'Ada'\''s "key"' --expires-at 2031-01-31T00:00:00Z"#
        );
    }

    #[test]
    fn limits_are_arguments_and_flags() {
        let limits = KeyLimits::parse(Some("10.0.0.0/8 ::1"), Some("5"), Some("90")).unwrap();
        let code = AsCode::create_key(&context(None), "ci", None, (None, &limits), None);
        let arguments = r#"allowed_addresses: ["10.0.0.0/8", "::1/128"], rate_limit: { requests: 5, seconds: 90 }"#;
        assert!(code.graphql.contains(&format!(r#"name: "ci", {arguments} }}"#)), "{}", code.graphql);
        let line = code.cli.line().unwrap();
        assert!(line.ends_with("--allow-address 10.0.0.0/8 --allow-address ::1/128 --rate-limit 5/90"), "{line}");
        let code = AsCode::change_limits(&context(None), "1", &KeyLimits::default());
        assert!(code.graphql.contains(r#"(id: "1", allowed_addresses: null, rate_limit: null)"#), "{}", code.graphql);
        let line = "latchkey admin set-key-limits --tenant acme 1 --allow-all-addresses --no-rate-limit";
        assert_eq!(code.cli.line().as_deref(), Some(line));
    }
}

//! What a dialog does, as text for a program: GraphQL, curl and the command line. Everything that the dashboard does can
//! be done without it.

/// A placeholder where a key belongs: the dashboard doesn't know any.
const KEY: &str = "$LATCHKEY_API_KEY";

/// What the texts need to know of where they are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeContext {
    /// Where the API is.
    pub public_url: String,
    /// The tenant's short name.
    pub slug: String,
    /// The id of the user or service account whose keys these are.
    pub owner_id: String,
    /// The user's address; none for a service account.
    pub email: Option<String>,
}

impl CodeContext {
    /// The words of an administrator's command in the tenant.
    pub fn command(&self, command: &str, words: &[&str]) -> Vec<String> {
        admin(self, command, words)
    }
}

/// One action in three languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AsCode {
    /// The operation with its values.
    pub graphql: String,
    /// As arguments of `latchkey`; each is quoted when it is shown.
    pub cli: Vec<String>,
}

impl AsCode {
    /// Making a key.
    pub fn create_key(context: &CodeContext, name: &str, expires_at: Option<&str>) -> Self {
        let expires = expires_at.map(|at| format!(", expires_at: {}", quoted(at))).unwrap_or_default();
        let graphql = format!(
            "mutation {{\n  create_api_key(input: {{ user_id: {}, name: {}{expires} }}) {{\n    id\n    token\n  }}\n}}",
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
        Self { graphql, cli: admin(context, "create-key", &words) }
    }

    /// Ending a key.
    pub fn revoke_key(context: &CodeContext, id: &str) -> Self {
        let graphql =
            format!("mutation {{\n  delete_api_key(input: {{ key_id: {} }}) {{\n    success\n  }}\n}}", quoted(id));
        Self { graphql, cli: admin(context, "revoke-key", &[id]) }
    }

    /// A change of a key or an account: a mutation of one id and, perhaps, one more argument.
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

    /// Changing one's own name, which is a session's matter: no key can.
    pub fn update_profile(context: &CodeContext, name: &str) -> Self {
        let graphql = format!("mutation {{\n  update_profile(name: {}) {{\n    name\n  }}\n}}", quoted(name));
        let email = context.email.as_deref().unwrap_or_default();
        let words = ["latchkey", "admin", "rename-user", "--email", email, "--name", name];
        Self { graphql, cli: words.map(str::to_owned).to_vec() }
    }

    /// Making a service account. `role`: its word.
    pub fn create_account(context: &CodeContext, name: &str, role: &str) -> Self {
        let graphql = format!(
            "mutation {{\n  create_service_account(input: {{ name: {}, role: {role} }}) {{\n    id\n  }}\n}}",
            quoted(name)
        );
        Self { graphql, cli: admin(context, "create-service-account", &["--name", name, "--role", role]) }
    }

    /// Ending a service account.
    pub fn delete_account(context: &CodeContext, id: &str) -> Self {
        let graphql = format!("mutation {{\n  delete_service_account(id: {}) {{\n    state\n  }}\n}}", quoted(id));
        Self { graphql, cli: admin(context, "delete-service-account", &[id]) }
    }

    /// Label and text of each language.
    pub fn texts(&self, public_url: &str) -> [(&'static str, String); 3] {
        let line = self.graphql.split_whitespace().collect::<Vec<_>>().join(" ");
        let body = format!("{{\"query\": {}}}", quoted(&line));
        let curl = format!(
            "curl {public_url}/graphql \\\n  -H \"Authorization: Bearer {KEY}\" \\\n  -H 'Content-Type: application/json' \\\n  -d {}",
            in_shell(&body)
        );
        let cli = self.cli.iter().map(|word| in_shell(word)).collect::<Vec<_>>().join(" ");
        [("GraphQL", self.graphql.clone()), ("curl", curl), ("CLI", cli)]
    }
}

/// The words of an administrator's command.
fn admin(context: &CodeContext, command: &str, words: &[&str]) -> Vec<String> {
    let all = ["latchkey", "admin", command, "--tenant", &context.slug].into_iter().chain(words.iter().copied());
    all.map(str::to_owned).collect()
}

/// A text as a string of JSON, which is one of GraphQL too (October 2021, §2.9.4).
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A word for a POSIX shell: as it is, when nothing in it means anything, else in single quotes.
fn in_shell(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_for_each_language() {
        let context = CodeContext {
            public_url: "https://keys.example.org".to_owned(),
            slug: "acme".to_owned(),
            owner_id: "1".to_owned(),
            email: None,
        };
        let code = AsCode::create_key(&context, "Ada's \"key\"", Some("2031-01-31T00:00:00Z"));
        assert!(code.graphql.contains(r#"name: "Ada's \"key\"", expires_at: "2031-01-31T00:00:00Z""#));
        let [_, (_, curl), (_, cli)] = code.texts("https://keys.example.org");
        assert!(curl.contains(r#"\"Ada'\''s \\\"key\\\"\""#), "{curl}");
        assert_eq!(
            cli,
            r#"latchkey admin create-key --tenant acme --service-account 1 --name 'Ada'\''s "key"' --expires-at 2031-01-31T00:00:00Z"#
        );
    }
}

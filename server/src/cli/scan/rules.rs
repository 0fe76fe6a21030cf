//! Rules that let other scanners find tokens.

use std::fmt::Write;

use service::{TOKEN_PREFIXES, TOKEN_REGEX, domain::secret::TOKEN_BODY};

/// A scanner that there are rules for.
#[derive(clap::ValueEnum, Clone, Copy, Debug)]
pub(super) enum Scanner {
    /// Configuration for gitleaks, which also keeps its own rules
    Gitleaks,
    /// Fields of a custom pattern for GitHub's secret scanning
    Github,
}

/// Returns the rules for a scanner, in its format.
pub(super) fn of(scanner: Scanner) -> String {
    match scanner {
        Scanner::Gitleaks => gitleaks(),
        Scanner::Github => github(),
    }
}

fn gitleaks() -> String {
    let keywords = TOKEN_PREFIXES.map(|prefix| format!("{prefix:?}")).join(", ");
    let mut rules = "title = \"gitleaks with Latchkey\"\n\n[extend]\nuseDefault = true\n\n[[rules]]\n".to_owned();
    rules += "id = \"latchkey-api-key\"\ndescription = \"Found an API key of Latchkey. Revoke it.\"\n";
    writeln!(rules, "regex = '''{TOKEN_REGEX}'''\nkeywords = [{keywords}]").expect("writing to a string can't fail");
    rules
}

fn github() -> String {
    let example = format!("{}{}", TOKEN_PREFIXES[0], "0".repeat(TOKEN_BODY));
    let fields = [
        ("Pattern name", "Latchkey API key"),
        ("Secret format", TOKEN_REGEX),
        // GitHub's own defaults, and the digits of a percent-encoded character before the secret.
        ("Before secret", r"\A|[^0-9A-Za-z]|%[0-9A-Fa-f]{2}"),
        ("After secret", r"\z|[^0-9A-Za-z]"),
        ("Test string", &example),
    ];
    fields.map(|(name, value)| format!("{name}: {value}\n")).concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = include_str!("../../../docs/leaks.md");

    #[test]
    fn the_document_contains_the_rules() {
        assert!(DOCUMENT.contains(&format!("```toml\n{}```", gitleaks())), "{}", gitleaks());
        assert!(DOCUMENT.contains(&format!("```text\n{}```", github())), "{}", github());
    }

    #[test]
    fn the_configuration_for_gitleaks_has_one_rule() {
        let parsed: toml::Table = gitleaks().parse().unwrap();
        let rule = &parsed["rules"].as_array().unwrap()[0];
        assert_eq!(rule["regex"].as_str(), Some(TOKEN_REGEX));
        assert_eq!(rule["keywords"].as_array().unwrap().len(), TOKEN_PREFIXES.len());
    }
}

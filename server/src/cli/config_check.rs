//! The command `config check`.

use clap::{Args, Subcommand};
use serde::Serialize;
use service::Settings;
use url::Url;

use super::{
    input::Format,
    list::{List, Row, or_dash},
    outcome::Outcome,
    output,
    serve::Serve,
    settings::{Report, Setting},
    sources::key_of,
};

/// What this command can't know.
const LATER: &str = "Only the start shows whether the addresses are free, and whether the database, its tenants and the \
    mail server are as the settings expect.";

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Print the settings of serve and where each comes from, without starting it
    ///
    /// Columns: setting, value, source. Passwords are hidden. Accepts the flags of serve. Exits with 2 if a setting is
    /// invalid, and names environment variables that look like settings and aren't.
    Check(Box<Check>),
}

#[derive(Args, Debug)]
pub(super) struct Check {
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    pub(super) serve: Serve,
}

#[derive(Serialize)]
struct SettingRow {
    setting: String,
    value: Option<String>,
    source: String,
}

impl From<Setting> for SettingRow {
    fn from(setting: Setting) -> Self {
        let show = |text: &String| if setting.is_secret { without_password(text) } else { text.clone() };
        let values: Vec<String> = setting.values.iter().map(show).collect();
        Self {
            setting: key_of(&setting.variable),
            value: (!values.is_empty()).then(|| values.join(",")),
            source: setting.source.to_string(),
        }
    }
}

impl Row for SettingRow {
    fn columns(&self) -> Vec<String> {
        vec![self.setting.clone(), or_dash(self.value.as_ref()), self.source.clone()]
    }
}

/// Returns a secret setting as it may be printed: the path of an `SQLite` database, scheme and host of a URL, otherwise
/// nothing.
fn without_password(text: &str) -> String {
    if text.starts_with("sqlite:") {
        return text.to_owned();
    }
    // A URL whose host was forgotten has the password in another place, and the user instead of the host.
    let url = Url::parse(text).ok();
    let Some((url, host)) = url.as_ref().and_then(|url| Some((url, url.host_str()?))) else { return "***".to_owned() };
    if url.path().contains('@') {
        return "***".to_owned();
    }
    let has_user = !url.username().is_empty() || url.password().is_some();
    let user = if has_user { "***@" } else { "" };
    let port =
        url.port().map_or_else(String::new, |port| if has_user { format!(":{port}") } else { ":***".to_owned() });
    let query = if url.query().is_some() || url.fragment().is_some() { "?***" } else { "" };
    format!("{}://{user}{host}{port}{}{query}", url.scheme(), url.path())
}

/// `settings`: those of the services, without what `serve` adds.
pub(super) fn run(command: ConfigCommand, mut settings: Settings, report: Report) -> Outcome {
    let ConfigCommand::Check(check) = command;
    let mut out = List::new(check.format);
    out.write(report.settings.into_iter().map(SettingRow::from))?;
    check.serve.configure(&mut settings);
    let warnings = check.serve.validate(&settings)?;
    for warning in &warnings {
        output::message(format!("Warning: {warning}."));
    }
    match report.unknown_variables.as_slice() {
        [] if warnings.is_empty() => output::message("No problems found."),
        [] => (),
        unknown => output::message(format!("Not settings of this version, and ignored: {}.", unknown.join(", "))),
    }
    output::message(LATER);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn no_password_is_printed() {
        for (secret, shown) in [
            ("sqlite:/var/lib/latchkey.db", "sqlite:/var/lib/latchkey.db"),
            ("postgres://latchkey:pa:ss@word@db.example.org/latchkey", "postgres://***@db.example.org/latchkey"),
            ("postgres://db.example.org/latchkey?password=secret", "postgres://db.example.org/latchkey?***"),
            ("smtps://user:password@mail.example.org", "smtps://***@mail.example.org"),
            ("c2VjcmV0", "***"),
            ("postgres://latchkey:12/s3cret@db.example.org/latchkey", "***"),
            ("postgres://latchkey:/s3cret@db.example.org/latchkey", "***"),
            ("smtps://user:password", "***"),
            ("postgres://latchkey:s3cret", "***"),
            ("postgres://latchkey:12345", "postgres://latchkey:***"),
            ("postgres://latchkey:se?cret@db.example.org/latchkey", "***"),
            ("smtp://mail#secret", "smtp://mail?***"),
        ] {
            assert_eq!(without_password(secret), shown);
        }
    }
}

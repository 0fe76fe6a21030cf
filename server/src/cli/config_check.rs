//! The command `config check`.

use clap::{Args, Subcommand};
use serde::Serialize;

use super::{
    input::Format,
    list::{List, Row},
    outcome::Outcome,
    output,
    serve::Serve,
    settings::{Report, Setting},
    sources::key_of,
};

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
    serve: Serve,
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
        vec![self.setting.clone(), self.value.clone().unwrap_or_else(|| "-".to_owned()), self.source.clone()]
    }
}

/// Returns a secret setting as it may be printed: the path of an `SQLite` database, scheme and host of a URL, otherwise
/// nothing.
fn without_password(text: &str) -> String {
    if text.starts_with("sqlite:") {
        return text.to_owned();
    }
    let Some((scheme, rest)) = text.split_once("://") else { return "***".to_owned() };
    let (rest, query) = rest.split_once('?').map_or((rest, ""), |(rest, _)| (rest, "?***"));
    let host = rest.rsplit_once('@').map_or(rest.to_owned(), |(_, host)| format!("***@{host}"));
    format!("{scheme}://{host}{query}")
}

pub(super) fn run(command: ConfigCommand, report: Report) -> Outcome {
    let ConfigCommand::Check(check) = command;
    let mut out = List::new(check.format);
    out.write(report.settings.into_iter().map(SettingRow::from))?;
    check.serve.validate()?;
    match report.unknown_variables.as_slice() {
        [] => output::message("No problems found."),
        unknown => output::message(format!("Not settings of this version, and ignored: {}.", unknown.join(", "))),
    }
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
        ] {
            assert_eq!(without_password(secret), shown);
        }
    }
}

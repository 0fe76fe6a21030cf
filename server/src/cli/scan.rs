//! The command `scan`: finds tokens in files. Whether they work, it says only with a database.

mod files;
mod rules;

use std::{fs::File, io::Read, path::PathBuf};

use clap::Args;
use domain::{ApiKey, KeyAct, Slug};
use serde::Serialize;
use service::{Clock, FoundToken, Services, Settings, find_tokens};

use self::rules::Scanner;
use super::{
    input::Format,
    list::{List, Row, or_dash},
    outcome::{Answer, Failure, Outcome},
    output,
};

#[derive(Args, Debug)]
pub(super) struct Scan {
    #[arg(
        value_name = "PATH",
        required_unless_present = "rules",
        help = "Files and folders to search; - is standard input"
    )]
    paths: Vec<PathBuf>,
    /// Also search files that .gitignore excludes
    #[arg(long)]
    no_ignore: bool,
    /// Permanently revoke the keys of the tokens that are found; requires --database-url
    #[arg(long)]
    revoke: bool,
    #[command(flatten)]
    format: Format,
    /// Print the rules for another scanner instead of searching
    #[arg(long, value_enum, value_name = "SCANNER", conflicts_with_all = ["paths", "no_ignore", "revoke", "json"])]
    rules: Option<Scanner>,
}

/// Why the command doesn't end with 0.
#[derive(Debug, thiserror::Error)]
pub(super) enum ScanError {
    /// Tokens were found.
    #[error("{}", found(*.0))]
    Found(u64),
    /// Not everything was searched, whether or not tokens were found.
    #[error("{0}")]
    Incomplete(String),
}

fn found(tokens: u64) -> String {
    format!("{} {} found.", output::counted(tokens, "token"), if tokens == 1 { "was" } else { "were" })
}

/// `database`: the settings of the database in which to look the tokens up, if one is given.
pub(super) async fn run(options: Scan, database: Option<&Settings>) -> Outcome {
    if let Some(scanner) = options.rules {
        return Ok(output::bytes(rules::of(scanner).as_bytes())?);
    }
    let incomplete = |error: &dyn std::fmt::Display| ScanError::Incomplete(error.to_string());
    let services = match database {
        Some(settings) => Some(open(settings, options.revoke).await.map_err(|error| incomplete(&error))?),
        None if options.revoke => return Err(incomplete(&"--revoke requires --database-url.").into()),
        None => None,
    };
    let mut search = Search { services: services.as_ref(), options: &options, found: 0, failures: 0 };
    let searched = search.run().await.map_err(|failure| incomplete(&failure));
    if let Some(services) = &services {
        services.close().await;
    }
    searched?;
    match search {
        Search { failures: 1.., found, .. } => {
            let message = format!("Not everything could be searched. {}", self::found(found));
            Err(ScanError::Incomplete(message).into())
        }
        Search { found: 1.., .. } => Err(ScanError::Found(search.found).into()),
        Search { .. } => Ok(()),
    }
}

async fn open(settings: &Settings, revokes: bool) -> Result<Services, service::OpenError> {
    let services = Services::open(settings, Clock::system()).await?;
    services.require_migrated().await?;
    if revokes {
        services.require_writable().await?;
        services.open_ledger().await?;
    }
    Ok(services)
}

struct Search<'a> {
    services: Option<&'a Services>,
    options: &'a Scan,
    found: u64,
    /// The number of files and keys that the command failed at.
    failures: u64,
}

impl Search<'_> {
    async fn run(&mut self) -> Answer {
        let mut list = List::new(self.options.format);
        for path in &self.options.paths {
            if path.as_os_str() == "-" {
                self.search("-", std::io::stdin().lock(), &mut list).await?;
                continue;
            }
            for file in files::below(path, self.options.no_ignore) {
                match file.and_then(|path| Ok((files::printable(&path), File::open(&path).map_err(files::at(&path))?)))
                {
                    Ok((path, file)) => self.search(&path, file, &mut list).await?,
                    Err(message) => self.fail(message),
                }
            }
        }
        list.end("No tokens were found.");
        Ok(())
    }

    /// Searches a file, and writes a row for each token.
    async fn search(&mut self, path: &str, file: impl Read, list: &mut List) -> Answer {
        let mut tokens = Vec::new();
        if let Err(error) = find_tokens(file, |token| tokens.push(token)) {
            self.fail(format!("{path}: {error}"));
        }
        for token in tokens {
            self.found += 1;
            let key = match self.services {
                Some(services) => Some(self.look_up(services, &token).await?),
                None => None,
            };
            list.write([FoundRow::new(path, &token, key)])?;
        }
        Ok(())
    }

    /// Returns what the database knows about a token, after revoking its key if that was asked for.
    async fn look_up(&mut self, services: &Services, token: &FoundToken) -> Answer<KeyColumns> {
        let Some((tenant, mut key)) = services.admin().find_key(token).await? else {
            return Ok(KeyColumns::default());
        };
        if self.options.revoke && KeyAct::Revoke.fits(&key, services.now()).is_ok() {
            match revoke(services, &tenant, &key).await {
                Ok(revoked) => key = revoked,
                Err(failure) => self.fail(format!("The key {} can't be revoked: {failure}", key.id)),
            }
        }
        if self.options.revoke
            && let Err(failure) = services.admin().expose_key(token).await
        {
            self.fail(format!("The key {} can't be marked as exposed: {failure}", key.id));
        }
        Ok(KeyColumns::new(&tenant, key, services))
    }

    fn fail(&mut self, message: String) {
        self.failures += 1;
        output::message(format!("latchkey: {message}"));
    }
}

async fn revoke(services: &Services, tenant: &Slug, key: &ApiKey) -> Answer<ApiKey> {
    let operator = services.admin().operator(tenant.as_str()).await?;
    let revoked = services.api_keys().revoke(&operator, key.id).await.map_err(Failure::from)?;
    output::message(format!("Revoked the key {}.", key.id));
    Ok(revoked)
}

/// What a database knows about a token. All empty if it knows nothing.
#[derive(Default, Serialize)]
struct KeyColumns {
    /// Whether requests with the token are accepted.
    is_valid: bool,
    state: Option<&'static str>,
    key_id: Option<String>,
    tenant: Option<String>,
    owner: Option<String>,
    name: Option<String>,
}

impl KeyColumns {
    fn new(tenant: &Slug, key: ApiKey, services: &Services) -> Self {
        let state = key.state(services.now());
        Self {
            is_valid: state.is_valid(),
            state: Some(state.as_str()),
            key_id: Some(key.id.to_string()),
            tenant: Some(tenant.as_str().to_owned()),
            name: Some(key.name.to_string()),
            owner: Some(key.owner_name),
        }
    }
}

/// A token as the command line shows it.
#[derive(Serialize)]
struct FoundRow<'a> {
    path: &'a str,
    line: u64,
    column: u64,
    hint: String,
    /// The first digits of the token's SHA-256.
    sha256: String,
    spelling: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<KeyColumns>,
}

impl<'a> FoundRow<'a> {
    fn new(path: &'a str, token: &FoundToken, key: Option<KeyColumns>) -> Self {
        Self {
            path,
            line: token.line,
            column: token.column,
            hint: token.hint.clone(),
            sha256: token.fingerprint(),
            spelling: token.spelling.as_str(),
            key,
        }
    }
}

impl Row for FoundRow<'_> {
    fn columns(&self) -> Vec<String> {
        let place = format!("{}:{}:{}", self.path, self.line, self.column);
        let mut columns = vec![place, self.hint.clone(), self.sha256.clone(), self.spelling.to_owned()];
        if let Some(key) = &self.key {
            columns.push(key.state.unwrap_or("unknown").to_owned());
            columns.extend([&key.key_id, &key.tenant, &key.owner, &key.name].map(|column| or_dash(column.as_ref())));
        }
        columns
    }
}

//! Where settings come from: environment variables, files that variables name, and the configuration file.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

/// What the names of all environment variables begin with.
const PREFIX: &str = "LATCHKEY_";
/// The variable with the path of the configuration file.
const CONFIG: &str = "LATCHKEY_CONFIG";
/// What the name of a variable ends with if its value is the path of a file that contains the setting.
const FILE_SUFFIX: &str = "_FILE";
/// The key of the gateways in the configuration file.
const GATEWAY: &str = "gateway";
/// The maximum size of a file with settings, in bytes.
const MAX_FILE: u64 = 64 * 1_024;

/// The environment variables of the process that begin with [`PREFIX`].
pub(super) type Environment = BTreeMap<OsString, OsString>;

/// Returns the environment variables of the process that may be settings.
pub(super) fn environment() -> Environment {
    std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with(PREFIX)).collect()
}

/// Where the value of a setting comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Source {
    /// The default, because no other source has a value.
    #[default]
    Default,
    /// The command line.
    Flag,
    /// The environment variable of this name.
    Variable(String),
    /// The configuration file.
    Config(PathBuf),
    /// A file that contains only this value.
    File {
        /// The file.
        path: PathBuf,
        /// The variable that names it, or the key in the configuration file.
        named_by: String,
    },
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Flag => f.write_str("command line"),
            Self::Variable(name) => f.write_str(name),
            Self::Config(path) => path.display().fmt(f),
            Self::File { path, named_by } => write!(f, "{}, named by {named_by}", path.display()),
        }
    }
}

/// A value and its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Value {
    /// The values of a list, otherwise one.
    pub(super) values: Vec<String>,
    /// Where they come from.
    pub(super) source: Source,
}

/// The gateways of the configuration file, which are tables and no settings.
#[derive(Clone, Debug, Default)]
pub(super) struct FileGateways {
    /// The file.
    pub(super) path: PathBuf,
    /// The tables.
    pub(super) tables: Vec<toml::Value>,
}

/// Every source but the command line.
pub(super) struct Sources<'a> {
    env: &'a Environment,
    config: Option<(PathBuf, toml::Table)>,
    gateways: FileGateways,
    known: &'a BTreeSet<String>,
}

impl<'a> Sources<'a> {
    /// Reads the configuration file: `flag` or the one that `LATCHKEY_CONFIG` names. `known`: the variables of all
    /// settings.
    ///
    /// # Errors
    /// A sentence, when the file can't be read, or contains something that isn't a setting.
    pub(super) fn read(
        flag: Option<PathBuf>,
        env: &'a Environment,
        known: &'a BTreeSet<String>,
    ) -> Result<Self, String> {
        let mut sources = Self { env, config: None, gateways: FileGateways::default(), known };
        let path = match flag {
            Some(path) => Some(path),
            None => sources.variable(CONFIG)?.map(PathBuf::from),
        };
        if let Some(path) = path {
            let mut table = parse(&path)?;
            sources.gateways = take_gateways(&path, &mut table);
            sources.check_keys(&path, &table)?;
            sources.config = Some((path, table));
        }
        Ok(sources)
    }

    /// Returns the gateways of the configuration file.
    pub(super) fn gateways(&self) -> &FileGateways {
        &self.gateways
    }

    /// Returns the value of the setting with this variable, if a source has one.
    ///
    /// # Errors
    /// A sentence, when two sources of equal rank have a value, or a file can't be read.
    pub(super) fn find(&self, variable: &str) -> Result<Option<Value>, String> {
        let one = |value: String, source: Source| Some(Value { values: vec![value], source });
        let file_variable = format!("{variable}{FILE_SUFFIX}");
        // A setting may itself have a name that ends with _FILE.
        let file = if self.known.contains(&file_variable) { None } else { self.variable(&file_variable)? };
        match (self.variable(variable)?, file) {
            (Some(_), Some(_)) => Err(format!("Set either {variable} or {file_variable}, not both.")),
            (Some(value), None) => Ok(one(value, Source::Variable(variable.to_owned()))),
            (None, Some(path)) => {
                let path = PathBuf::from(path);
                Ok(one(read_value(&path, &file_variable)?, Source::File { path, named_by: file_variable }))
            }
            (None, None) if variable == CONFIG => Ok(None),
            (None, None) => self.find_in_config(variable),
        }
    }

    /// Returns the variables of the environment that look like settings and aren't.
    pub(super) fn unknown_variables(&self) -> Vec<String> {
        let is_known = |name: &str| {
            self.known.contains(name) || name.strip_suffix(FILE_SUFFIX).is_some_and(|name| self.known.contains(name))
        };
        self.env.keys().map(|name| name.to_string_lossy().into_owned()).filter(|name| !is_known(name)).collect()
    }

    /// Returns the trimmed value of a variable; `None` if it is empty, as Docker Compose passes one that isn't set.
    fn variable(&self, name: &str) -> Result<Option<String>, String> {
        let Some(value) = self.env.get(OsStr::new(name)) else { return Ok(None) };
        let text = value.to_str().ok_or_else(|| format!("{name} isn't valid UTF-8."))?.trim();
        Ok((!text.is_empty()).then(|| text.to_owned()))
    }

    fn find_in_config(&self, variable: &str) -> Result<Option<Value>, String> {
        let Some((path, table)) = &self.config else { return Ok(None) };
        let key = key_of(variable);
        let file_key = format!("{key}{}", FILE_SUFFIX.to_lowercase());
        let file = table.get(&file_key).filter(|_| !self.known.contains(&variable_of(&file_key)));
        match (table.get(&key), file) {
            (Some(_), Some(_)) => Err(format!("{}: set either {key} or {file_key}, not both.", path.display())),
            (Some(value), None) => {
                let values = texts(value).ok_or_else(|| wrong_type(path, &key))?;
                let values: Vec<String> = values.into_iter().filter(|text| !text.is_empty()).collect();
                Ok((!values.is_empty()).then(|| Value { values, source: Source::Config(path.clone()) }))
            }
            (None, Some(value)) => {
                let name = value.as_str().map(str::trim).ok_or_else(|| wrong_type(path, &file_key))?;
                // A relative path is relative to the configuration file.
                let file = path.parent().map_or_else(|| PathBuf::from(name), |folder| folder.join(name));
                let named_by = format!("{file_key} in {}", path.display());
                let value = read_value(&file, &named_by)?;
                Ok(Some(Value { values: vec![value], source: Source::File { path: file, named_by } }))
            }
            (None, None) => Ok(None),
        }
    }

    fn check_keys(&self, path: &Path, table: &toml::Table) -> Result<(), String> {
        let is_known = |key: &str| {
            let name = variable_of(key);
            let named = name.strip_suffix(FILE_SUFFIX).is_some_and(|name| self.known.contains(name));
            name != CONFIG && key == key_of(&name) && (self.known.contains(&name) || named)
        };
        let unknown: Vec<&str> = table.keys().map(String::as_str).filter(|key| !is_known(key)).collect();
        if unknown.is_empty() {
            // Also of settings that the command doesn't use.
            let wrong = table.iter().find(|(_, value)| texts(value).is_none());
            return wrong.map_or(Ok(()), |(key, _)| Err(wrong_type(path, key)));
        }
        let keys: Vec<String> = self.known.iter().filter(|name| *name != CONFIG).map(|name| key_of(name)).collect();
        Err(format!(
            "{}: unknown setting {}. The settings are {}.",
            path.display(),
            unknown.join(", "),
            keys.join(", ")
        ))
    }
}

/// Takes `[[gateway]]` from the configuration file. A text or a list of texts is a setting, as for the flag.
fn take_gateways(path: &Path, table: &mut toml::Table) -> FileGateways {
    let is_table = |value: &toml::Value| {
        value.as_array().is_some_and(|items| !items.is_empty() && items.iter().all(toml::Value::is_table))
    };
    if !table.get(GATEWAY).is_some_and(is_table) {
        return FileGateways::default();
    }
    let tables = table.remove(GATEWAY).and_then(|value| value.as_array().cloned()).unwrap_or_default();
    FileGateways { path: path.to_owned(), tables }
}

/// Returns the key of a setting in the configuration file, by the name of its variable.
pub(super) fn key_of(variable: &str) -> String {
    variable.strip_prefix(PREFIX).unwrap_or(variable).to_lowercase()
}

fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.to_uppercase())
}

fn wrong_type(path: &Path, key: &str) -> String {
    format!("{}: {key} must be a string, an integer, a boolean, or a list of strings.", path.display())
}

/// Returns a value as the command line would contain it; `None` if no setting has such a type.
fn texts(value: &toml::Value) -> Option<Vec<String>> {
    match value {
        toml::Value::String(text) => Some(vec![text.trim().to_owned()]),
        toml::Value::Integer(number) => Some(vec![number.to_string()]),
        toml::Value::Boolean(is) => Some(vec![is.to_string()]),
        toml::Value::Array(items) => items.iter().map(|item| Some(item.as_str()?.trim().to_owned())).collect(),
        toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Table(_) => None,
    }
}

fn parse(path: &Path) -> Result<toml::Table, String> {
    let text =
        read(path).map_err(|cause| format!("The configuration file {} can't be read: {cause}", path.display()))?;
    text.parse().map_err(|error: toml::de::Error| {
        // Only the position, because the line may contain a password.
        let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        let line = line.map(|line| format!(", line {line}")).unwrap_or_default();
        format!("{}{line}: {}", path.display(), error.message())
    })
}

fn read_value(path: &Path, named_by: &str) -> Result<String, String> {
    let text =
        read(path).map_err(|cause| format!("{}, named by {named_by}, can't be read: {cause}", path.display()))?;
    let value = text.trim();
    if value.is_empty() {
        return Err(format!("{}, named by {named_by}, is empty.", path.display()));
    }
    Ok(value.to_owned())
}

fn read(path: &Path) -> std::io::Result<String> {
    service::read_regular_text(path, MAX_FILE)
}

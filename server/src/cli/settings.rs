//! Settings: flags, environment variables and the configuration file, in falling precedence.
//!
//! Every argument with an environment variable is a setting, whatever command declares it. Values that aren't given as
//! flags are passed to clap as if they were, so that clap validates all of them in the same way.

use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    path::PathBuf,
};

use clap::{
    Arg, ArgAction, ArgMatches, Command, Error,
    builder::Resettable,
    error::{ContextKind, ContextValue, ErrorKind},
    parser::ValueSource,
};

use super::{
    gateways,
    sources::{Environment, Source, Sources, Value},
};
use crate::gateway::entry::Entry;

/// A setting of the command that runs, with its value.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    /// The name of its environment variable.
    pub(super) variable: String,
    /// The values; empty if the setting has none.
    pub(super) values: Vec<String>,
    /// Where they come from.
    pub(super) source: Source,
    /// Whether a value may contain a password.
    pub(super) is_secret: bool,
}

/// The settings of the command that runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Report {
    /// The settings, in the order of the help text.
    pub(super) settings: Vec<Setting>,
    /// Environment variables that look like settings and aren't.
    pub(super) unknown_variables: Vec<String>,
    /// The gateways of the configuration file.
    pub(super) gateways: Vec<Entry>,
}

impl Report {
    /// Returns whether any source has a value of a setting.
    pub(super) fn is_set(&self, variable: &str) -> bool {
        self.settings.iter().any(|setting| setting.variable == variable && setting.source != Source::Default)
    }

    /// Logs what looks like a mistake.
    pub(super) fn warn(&self) {
        if !self.unknown_variables.is_empty() {
            let names = self.unknown_variables.join(", ");
            tracing::warn!("ignored environment variables that aren't settings of this version: {names}");
        }
    }
}

/// Parses arguments together with the settings from all other sources.
///
/// # Errors
/// When an argument or a setting is invalid, and with the help text if that was asked for.
pub(super) fn parse(command: Command, args: &[OsString], env: &Environment) -> Result<(ArgMatches, Report), Error> {
    let mut plain = without_variables(command.clone());
    let given = match plain.clone().ignore_errors(true).try_get_matches_from(args) {
        Ok(given) => given,
        // A help text, which also shows the variables.
        Err(help) => return Err(command.try_get_matches_from(args).err().unwrap_or(help)),
    };
    let invalid = |message: String| Error::raw(ErrorKind::InvalidValue, format!("{message}\n"));
    let (leaf, given) = innermost(&command, &given);
    if leaf.has_subcommands() {
        // A subcommand is missing. Clap says so.
        return Ok((plain.try_get_matches_from_mut(args)?, Report::default()));
    }
    let known = names(&command);
    let sources = Sources::read(flag_of(given, "config"), env, &known).map_err(invalid)?;
    let gateways = gateways::of_file(sources.gateways().clone()).map_err(invalid)?;
    let declared: Vec<Declared> =
        command.get_arguments().chain(leaf.get_arguments()).filter_map(Declared::of).collect();
    let mut added = Vec::new();
    for setting in &declared {
        if !is_given(given, &setting.id)
            && let Some(value) = sources.find(&setting.variable).map_err(invalid)?
        {
            added.push((setting, value));
        }
    }
    let matches = plain.try_get_matches_from_mut(with_added(args, &added)).map_err(|error| explained(error, &added))?;
    let settings = report(&declared, innermost(&command, &matches).1, &added);
    Ok((matches, Report { settings, unknown_variables: sources.unknown_variables(), gateways }))
}

/// An argument that is a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Declared {
    id: String,
    variable: String,
    long: String,
    is_secret: bool,
}

impl Declared {
    fn of(arg: &Arg) -> Option<Self> {
        Some(Self {
            id: arg.get_id().to_string(),
            variable: arg.get_env()?.to_str()?.to_owned(),
            long: arg.get_long()?.to_owned(),
            is_secret: arg.is_hide_env_values_set(),
        })
    }
}

/// Returns the names of the variables of a command and its subcommands.
fn names(command: &Command) -> BTreeSet<String> {
    let own = command.get_arguments().filter_map(Declared::of).map(|setting| setting.variable);
    own.chain(command.get_subcommands().flat_map(names)).collect()
}

/// Returns a command that reads no environment variables, and whose switches accept a value, as in `--no-migrate=false`.
fn without_variables(command: Command) -> Command {
    let plain = |arg: Arg| if arg.get_env().is_some() { with_optional_value(arg).env(Resettable::Reset) } else { arg };
    command.mut_args(plain).mut_subcommands(without_variables)
}

fn with_optional_value(arg: Arg) -> Arg {
    if !matches!(arg.get_action(), ArgAction::SetTrue) {
        return arg;
    }
    arg.action(ArgAction::Set).num_args(0..=1).require_equals(true).default_missing_value("true").default_value("false")
}

/// Returns the subcommand that was given, and its matches.
fn innermost<'a>(command: &'a Command, matches: &'a ArgMatches) -> (&'a Command, &'a ArgMatches) {
    let inner = matches.subcommand().and_then(|(name, matches)| Some((command.find_subcommand(name)?, matches)));
    inner.map_or((command, matches), |(command, matches)| innermost(command, matches))
}

fn is_given(matches: &ArgMatches, id: &str) -> bool {
    matches.ids().any(|known| known == id) && matches.value_source(id) == Some(ValueSource::CommandLine)
}

fn flag_of(matches: &ArgMatches, id: &str) -> Option<PathBuf> {
    let value = is_given(matches, id).then(|| matches.get_raw(id)).flatten()?.next()?;
    Some(PathBuf::from(value))
}

/// Inserts the values as flags, before a `--`.
fn with_added(args: &[OsString], added: &[(&Declared, Value)]) -> Vec<OsString> {
    let end = args.iter().position(|arg| arg == "--").unwrap_or(args.len());
    let flags = added.iter().flat_map(|(setting, value)| {
        value.values.iter().map(|value| OsString::from(format!("--{}={value}", setting.long)))
    });
    args[..end].iter().cloned().chain(flags).chain(args[end..].iter().cloned()).collect()
}

/// Adds the source of an invalid value to its error, and removes the value if it is a secret.
fn explained(mut error: Error, added: &[(&Declared, Value)]) -> Error {
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else { return error };
    let long = flag.trim_start_matches('-').split([' ', '=', '[']).next().unwrap_or_default();
    let Some((setting, value)) = added.iter().find(|(setting, _)| setting.long == long) else { return error };
    let text = format!("the value comes from {}", value.source);
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![text.into()]));
    if setting.is_secret {
        error.insert(ContextKind::InvalidValue, ContextValue::String("***".to_owned()));
    }
    error
}

fn report(declared: &[Declared], matches: &ArgMatches, added: &[(&Declared, Value)]) -> Vec<Setting> {
    let source = |setting: &Declared| {
        let found = added.iter().find(|(known, _)| known.id == setting.id);
        match found {
            Some((_, value)) => value.source.clone(),
            None if is_given(matches, &setting.id) => Source::Flag,
            None => Source::Default,
        }
    };
    let values = |id: &str| -> Vec<String> {
        let is_known = matches.ids().any(|known| known == id);
        let raw = is_known.then(|| matches.get_raw(id)).flatten().into_iter().flatten();
        raw.map(|value: &OsStr| value.to_string_lossy().into_owned()).collect()
    };
    let setting = |setting: &Declared| Setting {
        variable: setting.variable.clone(),
        values: values(&setting.id),
        source: source(setting),
        is_secret: setting.is_secret,
    };
    declared.iter().map(setting).collect()
}

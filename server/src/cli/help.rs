//! The parts of the help texts that clap can't derive: groups of commands, and examples.

use clap::Subcommand;

use super::{
    accounts::AccountCommand, examples, keys::KeyCommand, people::PeopleCommand, scopes::ScopeCommand,
    tenants::TenantCommand,
};

/// The id in examples.
const EXAMPLE_KEY: &str = "0198c5a2-7b1e-7f3a-9c40-5d2e8f6a1b3c";

/// What the exit statuses mean; below the help of `latchkey`.
const EXIT_STATUS: &str = "\
Exit status:
  0  success
  1  the command was refused or failed
  2  an argument or a setting is invalid; nothing was done";

/// Adds groups, examples and exit statuses to the help texts of all commands.
pub(super) fn complete(command: clap::Command) -> clap::Command {
    let command = with_examples(with_groups(command), "");
    let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    command.after_help(format!("{examples}\n\n{EXIT_STATUS}"))
}

/// Completes the examples of a command and its subcommands. A command of `latchkey admin` states its own, one a line; the
/// others have them in `examples`. `path`: the command, such as `admin create-key`.
fn with_examples(command: clap::Command, path: &str) -> clap::Command {
    let own = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let lines =
        own.lines().chain(examples::of(path).iter().copied()).flat_map(|line| ["\n  ", line]).collect::<String>();
    let lines = lines.replace("{key}", EXAMPLE_KEY);
    let command = command.mut_subcommands(|inner| {
        let path = format!("{path} {}", inner.get_name());
        with_examples(inner, path.trim_start())
    });
    if lines.is_empty() { command } else { command.after_help(format!("Examples:{lines}")) }
}

/// Lists the commands of `latchkey admin` below headings.
fn with_groups(command: clap::Command) -> clap::Command {
    let group = |title: &str, commands: clap::Command| {
        let line = |command: &clap::Command| {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            format!("  {:<29}{about}\n", command.get_name())
        };
        format!("{title}:\n{}\n", commands.get_subcommands().map(line).collect::<String>())
    };
    let empty = clap::Command::default;
    let groups = [
        group("Tenants", TenantCommand::augment_subcommands(empty())),
        group("People", PeopleCommand::augment_subcommands(empty())),
        group("Service accounts", AccountCommand::augment_subcommands(empty())),
        group("Keys", KeyCommand::augment_subcommands(empty())),
        group("Scopes", ScopeCommand::augment_subcommands(empty())),
    ];
    let template = "{about}\n\n{usage-heading} {usage}\n\n{before-help}Options:\n{options}{after-help}";
    command.mut_subcommand("admin", |admin| {
        admin.help_template(template).before_help(groups.concat().trim_end().to_owned())
    })
}

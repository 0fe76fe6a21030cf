//! The help texts that clap can't derive, and environment variables without a value.

use clap::{Subcommand, builder::Resettable};

use super::{accounts::AccountCommand, keys::KeyCommand, people::PeopleCommand, tenants::TenantCommand};

/// Examples, below the help of `latchkey`.
pub(super) const EXAMPLES: &str = "\
Examples:
  latchkey serve --listen 127.0.0.1:3000
  latchkey admin create-service-account --tenant acme --name Deployer
  latchkey admin create-key --tenant acme --user ada@example.org --name laptop --expires-at 2027-12-31T00:00:00Z
  latchkey admin list-keys --tenant acme --json
  latchkey backup latchkey-backup.db";

/// Lists the commands of `latchkey admin` below headings.
pub(super) fn with_groups(command: clap::Command) -> clap::Command {
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
    ];
    let template = "{about}\n\n{usage-heading} {usage}\n\n{before-help}Options:\n{options}";
    command.mut_subcommand("admin", |admin| {
        admin.help_template(template).before_help(groups.concat().trim_end().to_owned())
    })
}

/// Makes clap treat a variable without a value as unset, as Docker Compose passes one that isn't set.
pub(super) fn without_empty_variables(command: clap::Command) -> clap::Command {
    let is_empty =
        |name: &std::ffi::OsStr| std::env::var_os(name).is_some_and(|value| value.to_string_lossy().trim().is_empty());
    command
        .mut_args(|arg| if arg.get_env().is_some_and(is_empty) { arg.env(Resettable::Reset) } else { arg })
        .mut_subcommands(without_empty_variables)
}

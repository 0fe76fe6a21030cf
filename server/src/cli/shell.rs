//! The commands `completions` and `man`, which write files for the system that Latchkey is installed on.

use std::path::Path;

use clap::Command;
use clap_complete::{Shell, generate};

use super::{
    outcome::{Answer, Failure},
    output,
};

/// Prints the completions for a shell.
pub(super) fn print_completions(mut command: Command, shell: Shell) -> Answer {
    let mut script = Vec::new();
    generate(shell, &mut command, "latchkey", &mut script);
    output::bytes(&script)
}

/// Writes a manual page for each command into a folder.
pub(super) fn write_manual(command: Command, folder: &Path) -> Answer {
    let failed = |cause| Failure::Other(format!("The manual can't be written to {}: {cause}", folder.display()));
    std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command, folder)).map_err(failed)
}

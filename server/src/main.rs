//! The `latchkey` command, with the built browser files.

use std::process::ExitCode;

/// The output of `frontend/bundle`. A debug build reads it from the folder, a release build embeds it in the binary.
#[derive(rust_embed::Embed)]
#[folder = "../target/site"]
#[allow_missing = true]
struct Built;

#[tokio::main]
async fn main() -> ExitCode {
    server::cli::run(server::cli::Cli::from_process(), |path| Built::get(path).map(|file| file.data)).await
}

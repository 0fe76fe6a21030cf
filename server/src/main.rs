//! The `latchkey` command, with the built browser files.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The output of `frontend/bundle`. A debug build reads it from the folder, a release build embeds it in the binary.
#[derive(rust_embed::Embed)]
#[folder = "../target/site"]
#[allow_missing = true]
struct Built;

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("latchkey: {error}");
            return ExitCode::FAILURE;
        }
    };
    let run = server::cli::run(server::cli::Cli::from_process(), |path| Built::get(path).map(|file| file.data));
    let code = runtime.block_on(run);
    // Doesn't wait for a query or a password that a cancelled request left behind.
    runtime.shutdown_background();
    code
}

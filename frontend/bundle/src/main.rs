//! Builds the files that the browser downloads into `target/site`: the WASM module with its JavaScript glue, one
//! stylesheet and, if its npm package is installed, GraphiQL. The file names contain content hashes; the server reads
//! them from `assets.json`. Each file is also written with Brotli and gzip compression.
//!
//! `cargo run -p bundle` builds a release; `cargo run -p bundle -- --profile dev` is faster, and its files are larger.

mod module;
mod output;
mod script;
mod unused;

use std::{
    error::Error,
    path::{Path, PathBuf},
    process::ExitCode,
};

use crate::output::Site;

/// Every error ends the program with its message, so its type doesn't matter.
type Result<T> = std::result::Result<T, Box<dyn Error>>;

const USAGE: &str = "Usage: bundle [--profile wasm-release|dev]";
const SHIPPED: &str = "wasm-release";

fn main() -> ExitCode {
    match profile(std::env::args().skip(1)).and_then(|profile| bundle(&profile)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bundle: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The cargo profile in the command-line arguments.
fn profile(mut arguments: impl Iterator<Item = String>) -> Result<String> {
    match (arguments.next().as_deref(), arguments.next(), arguments.next()) {
        (None, None, None) => Ok(SHIPPED.to_owned()),
        (Some("--profile"), Some(profile), None) => Ok(profile),
        _ => Err(USAGE.into()),
    }
}

fn bundle(profile: &str) -> Result<()> {
    let root = root()?;
    let is_shipped = profile == SHIPPED;
    let built = std::fs::read(module::build(&root, profile)?)?;
    let esbuild = script::Esbuild::find(&root)?;
    let css = esbuild.stylesheet(&root.join("style/main.css"))?;
    let icon = std::fs::read(root.join("style/favicon.svg"))?;
    let optimiser = if is_shipped { module::find_optimiser(&root) } else { None };

    let site = Site::new(root.join("target/site"));
    let editor = std::fs::read(root.join("frontend/graphiql/main.js"))?;
    let packages = std::fs::read(root.join("end2end/package-lock.json"))?;
    let stamp = stamp(&[
        &editor,
        &packages,
        &built,
        css.as_bytes(),
        &icon,
        format!("{profile} {optimiser:?}").as_bytes(),
        &own_program()?,
    ]);
    if site.is_fresh(&stamp) {
        println!("bundle: {} is up to date", site.path().display());
        return Ok(());
    }

    let mut bound = module::bind(built)?;
    match &optimiser {
        Some(optimiser) => bound.wasm = module::optimise(optimiser, bound.wasm)?,
        None if is_shipped => {
            eprintln!("bundle: no wasm-opt on PATH or in end2end/node_modules, so the WASM ships unoptimised");
            eprintln!("bundle: `make tools` installs it (npm's binaryen)");
        }
        None => {}
    }
    let graphiql = if is_shipped { esbuild.graphiql(&root)? } else { None };
    if is_shipped {
        bound.js = esbuild.minify(&bound.js)?;
        if graphiql.is_none() {
            eprintln!("bundle: no GraphiQL in end2end/node_modules, so the dashboard goes without it");
            eprintln!("bundle: `make tools` installs it");
        }
    }
    site.write(&bound, &css, &icon, graphiql.as_ref(), is_shipped)?;
    site.keep(&stamp)
}

/// The folder of the workspace, two levels above this crate's.
fn root() -> Result<PathBuf> {
    let own =
        std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    Ok(own.ancestors().nth(2).ok_or("this crate is no longer in frontend/bundle")?.to_owned())
}

/// The bytes of this program, so that a change to it makes the site outdated.
fn own_program() -> Result<Vec<u8>> {
    Ok(std::fs::read(std::env::current_exe()?)?)
}

/// One digest of all inputs.
fn stamp(inputs: &[&[u8]]) -> String {
    let digests: Vec<String> = inputs.iter().map(|input| output::digest(input)).collect();
    output::digest(digests.concat().as_bytes())
}

/// A path for a message.
fn shown(path: &Path) -> String {
    path.display().to_string()
}

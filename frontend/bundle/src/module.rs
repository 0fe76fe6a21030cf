//! Builds the `frontend` crate into a WASM module and its JavaScript glue.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use wasm_bindgen_cli_support::Bindgen;

use crate::{Result, shown, unused};

/// The output of wasm-bindgen.
pub struct Bound {
    /// The module that the browser runs.
    pub wasm: Vec<u8>,
    /// The ES module that loads the WASM module. It takes the URL as an argument and contains none itself.
    pub js: String,
    /// The files that the ES module imports, by their path under `snippets/`.
    pub snippets: HashMap<String, String>,
}

/// The flags of wasm-opt. They enable only WASM features that browsers have had for years and that the compiler uses by
/// default.
const OPTIMISE: [&str; 10] = [
    "-Oz",
    "--enable-bulk-memory",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-reference-types",
    "--enable-multivalue",
    "--strip-debug",
    "--strip-producers",
    "--strip-target-features",
];

/// Compiles `frontend` and returns the path of the WASM file, which cargo reports: `CARGO_TARGET_DIR` and configuration
/// files may place it anywhere.
pub fn build(root: &Path, profile: &str) -> Result<PathBuf> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(root)
        .args(["build", "--locked", "--package", "frontend", "--target", "wasm32-unknown-unknown"])
        .args(["--profile", profile, "--message-format", "json-render-diagnostics"])
        .args(paths_left_out(root))
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err("`cargo build -p frontend --target wasm32-unknown-unknown` failed".into());
    }
    String::from_utf8(output.stdout)?
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact" && message["target"]["name"] == "frontend")
        .flat_map(|message| message["filenames"].as_array().cloned().unwrap_or_default())
        .filter_map(|name| name.as_str().map(PathBuf::from))
        .find(|path| path.extension().is_some_and(|extension| extension == "wasm"))
        .ok_or_else(|| "cargo named no .wasm file".into())
}

/// Cargo options that shorten the source paths in panic messages. This saves bytes and reveals nothing about the build
/// machine.
fn paths_left_out(root: &Path) -> Vec<String> {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
    let flags: Vec<String> = [Some((root.to_owned(), "")), home.map(|home| (home.join("registry/src"), "/"))]
        .into_iter()
        .flatten()
        .map(|(from, to)| format!("{:?}", format!("--remap-path-prefix={}={to}", from.display())))
        .collect();
    vec!["--config".to_owned(), format!("target.wasm32-unknown-unknown.rustflags=[{}]", flags.join(","))]
}

/// Runs wasm-bindgen for the browser.
pub fn bind(built: Vec<u8>) -> Result<Bound> {
    let mut output = Bindgen::new()
        .input_bytes("latchkey", built)
        .web(true)?
        .typescript(false)
        .omit_default_module_path(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate_output()?;
    let inline = output.snippets().iter().flat_map(|(name, texts)| {
        texts.iter().enumerate().map(move |(index, text)| (format!("{name}/inline{index}.js"), text.clone()))
    });
    let local = output.local_modules().iter().map(|(name, text)| (name.clone(), text.clone()));
    let snippets = inline.chain(local).collect();
    unused::remove_exports(output.wasm_mut());
    let js = output.js().to_owned();
    let mut js = unused::remove_glue(&js, output.wasm_mut())?;
    // The names of imported functions end with hashes, which don't compress: a 25th of the whole download.
    for (index, import) in output.wasm_mut().imports.iter_mut().enumerate() {
        if import.name.starts_with("__wb") {
            let short = format!("i{index}");
            js = js.replace(&import.name, &short);
            import.name = short;
        }
    }
    Ok(Bound { js, snippets, wasm: output.wasm_mut().emit_wasm() })
}

/// The path of wasm-opt: on PATH, otherwise npm's. Versions that are too old for the module, such as Debian's, are
/// skipped.
pub fn find_optimiser(root: &Path) -> Option<PathBuf> {
    let on_path = std::env::var_os("PATH")
        .map(|path| std::env::split_paths(&path).collect::<Vec<_>>())
        .unwrap_or_default()
        .into_iter()
        .map(|folder| folder.join("wasm-opt"));
    on_path.chain([root.join("end2end/node_modules/.bin/wasm-opt")]).find(|program| is_recent(program))
}

/// Whether the program exists, runs, and has at least the version that [`OPTIMISE`] was tested with.
fn is_recent(program: &Path) -> bool {
    const OLDEST: u32 = 116;
    let Ok(output) = Command::new(program).arg("--version").stderr(Stdio::null()).output() else { return false };
    String::from_utf8_lossy(&output.stdout)
        .split_whitespace()
        .find_map(|word| word.parse::<u32>().ok())
        .is_some_and(|version| version >= OLDEST)
}

/// Optimises the module with wasm-opt.
pub fn optimise(program: &Path, wasm: Vec<u8>) -> Result<Vec<u8>> {
    let folder = std::env::temp_dir().join(format!("latchkey-bundle-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let (before, after) = (folder.join("before.wasm"), folder.join("after.wasm"));
    std::fs::write(&before, wasm)?;
    let status = Command::new(program).args(OPTIMISE).arg(&before).arg("-o").arg(&after).status()?;
    let optimised = if status.success() { std::fs::read(&after).ok() } else { None };
    std::fs::remove_dir_all(&folder)?;
    optimised.ok_or_else(|| format!("{} failed", shown(program)).into())
}

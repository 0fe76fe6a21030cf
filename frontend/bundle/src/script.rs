//! Runs npm's esbuild: bundles the stylesheet and GraphiQL, and minifies the JavaScript glue of the WASM module.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{Result, shown};

/// The esbuild that npm installed.
#[derive(Debug)]
pub struct Esbuild {
    program: PathBuf,
    /// The folder with npm's packages.
    modules: PathBuf,
}

/// The built GraphiQL.
pub struct Graphiql {
    pub js: Vec<u8>,
    pub css: Vec<u8>,
}

impl Esbuild {
    /// Finds esbuild in `end2end/node_modules`.
    pub fn find(root: &Path) -> Result<Self> {
        let modules = root.join("end2end/node_modules");
        let program = modules.join(".bin/esbuild");
        let runs = Command::new(&program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if runs.is_ok_and(|status| status.success()) {
            return Ok(Self { program, modules });
        }
        Err(format!("{} doesn't run: `make tools` installs it (npm's esbuild)", shown(&program)).into())
    }

    /// Bundles a stylesheet with the files that it imports, and minifies it.
    pub fn stylesheet(&self, main: &Path) -> Result<String> {
        let output = Command::new(&self.program)
            .arg(main)
            .args(["--bundle", "--minify", "--log-level=warning"])
            .stderr(Stdio::inherit())
            .output()?;
        if !output.status.success() {
            return Err(format!("esbuild could not bundle {}", shown(main)).into());
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Minifies an ES module.
    pub fn minify(&self, js: &str) -> Result<String> {
        let mut child = Command::new(&self.program)
            .args([
                "--minify",
                "--tree-shaking=true",
                "--format=esm",
                "--target=es2022",
                "--loader=js",
                "--log-level=warning",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut input = child.stdin.take().ok_or("esbuild has no standard input")?;
        let text = js.to_owned();
        // In another thread, so that reading and writing don't wait for each other.
        let writing = std::thread::spawn(move || input.write_all(text.as_bytes()));
        let output = child.wait_with_output()?;
        writing.join().map_err(|_| "esbuild could not be written to")??;
        if !output.status.success() {
            return Err("esbuild could not minify the glue".into());
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Bundles `frontend/graphiql` with its npm package; `None` when the package isn't installed.
    pub fn graphiql(&self, root: &Path) -> Result<Option<Graphiql>> {
        if !self.modules.join("graphiql/package.json").exists() {
            return Ok(None);
        }
        let folder = std::env::temp_dir().join(format!("latchkey-graphiql-{}", std::process::id()));
        let status = Command::new(&self.program)
            .arg(root.join("frontend/graphiql/main.js"))
            .args(["--bundle", "--minify", "--format=esm", "--target=es2022", "--log-level=warning"])
            .arg("--define:process.env.NODE_ENV=\"production\"")
            .arg(format!("--outdir={}", folder.display()))
            .env("NODE_PATH", &self.modules)
            .status()?;
        let built = if status.success() {
            let (js, css) = (std::fs::read(folder.join("main.js"))?, std::fs::read_to_string(folder.join("main.css"))?);
            Ok(Some(Graphiql { js, css: without_fonts(&css).into_bytes() }))
        } else {
            Err("esbuild could not bundle frontend/graphiql".into())
        };
        std::fs::remove_dir_all(&folder).ok();
        built
    }
}

/// Removes the `@font-face` rules from a stylesheet. GraphiQL's contains 250 kB of fonts, and the dashboard uses only
/// the system's.
fn without_fonts(css: &str) -> String {
    let mut rest = css;
    let mut kept = String::with_capacity(css.len());
    while let Some(start) = rest.find("@font-face") {
        kept.push_str(&rest[..start]);
        // The rule contains no other braces.
        rest = rest[start..].find('}').map_or("", |end| &rest[start + end + 1..]);
    }
    kept + rest
}

#[cfg(test)]
mod tests {
    use super::without_fonts;

    #[test]
    fn only_font_rules_are_removed() {
        assert_eq!(without_fonts("a{b:c}@font-face{src:url(data:x)}d{e:f}@font-face{}"), "a{b:c}d{e:f}");
        assert_eq!(without_fonts("a{b:c}"), "a{b:c}");
    }
}

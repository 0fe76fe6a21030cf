//! The files of `target/site`.

use std::{
    collections::HashSet,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use brotli::enc::BrotliEncoderParams;
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};

use crate::{Result, module::Bound, script::Graphiql};

const NAME: &str = "latchkey";
/// The hexadecimal digits of a hash in a file name: 64 bits are enough to tell builds apart.
const HASH_DIGITS: usize = 16;

/// The folder whose files the server serves.
pub struct Site {
    path: PathBuf,
}

impl Site {
    /// The site at a path, which doesn't have to exist.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// The path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the site was built from the same inputs. `stamp`: the digest of the inputs.
    pub fn is_fresh(&self, stamp: &str) -> bool {
        fs::read_to_string(self.stamp()).is_ok_and(|old| old == stamp)
    }

    fn stamp(&self) -> PathBuf {
        self.path.join("stamp.txt")
    }

    /// Records the digest of the inputs that the site was built from.
    pub fn keep(&self, stamp: &str) -> Result<()> {
        Ok(fs::write(self.stamp(), stamp)?)
    }

    /// Writes all files, removes those of earlier builds, and prints the sizes.
    pub fn write(
        &self,
        bound: &Bound,
        css: &str,
        icon: &[u8],
        graphiql: Option<&Graphiql>,
        is_shipped: bool,
    ) -> Result<()> {
        let mut package = Package::new(self.path.join("pkg"), is_shipped);
        println!("{:<36}{:>10}{:>10}{:>10}", "bytes", "plain", "gzip", "brotli");
        // One hash for both files: Leptos derives both names from one, and they only work together.
        let both = digest(&[bound.js.as_bytes(), &bound.wasm].concat());
        let page = format!("{NAME}.{}", &both[..HASH_DIGITS]);
        package.add(&format!("{page}.js"), bound.js.as_bytes())?;
        package.add(&format!("{page}_bg.wasm"), &bound.wasm)?;
        let stylesheet = package.add_hashed(NAME, "css", css.as_bytes())?;
        let graphiql = match graphiql {
            Some(built) => Some(serde_json::json!({
                "script": package.add_hashed("graphiql", "js", &built.js)?,
                "stylesheet": package.add_hashed("graphiql", "css", &built.css)?,
            })),
            None => None,
        };
        for (name, content) in &bound.snippets {
            package.add(&format!("snippets/{name}"), content.as_bytes())?;
        }
        let names = serde_json::json!({"page": page, "stylesheet": stylesheet, "graphiql": graphiql});
        fs::write(self.path.join("assets.json"), names.to_string())?;
        fs::write(self.path.join("favicon.svg"), icon)?;
        package.remove_others()
    }
}

struct Package {
    folder: PathBuf,
    is_shipped: bool,
    written: HashSet<PathBuf>,
}

impl Package {
    fn new(folder: PathBuf, is_shipped: bool) -> Self {
        Self { folder, is_shipped, written: HashSet::new() }
    }

    fn add(&mut self, name: &str, content: &[u8]) -> Result<()> {
        let (brotli, gzip) = (brotli(content, self.is_shipped)?, gzip(content)?);
        println!("{name:<36}{:>10}{:>10}{:>10}", content.len(), gzip.len(), brotli.len());
        self.put(name, content)?;
        self.put(&format!("{name}.br"), &brotli)?;
        self.put(&format!("{name}.gz"), &gzip)
    }

    /// Adds a file under a name that contains its hash, and returns that name.
    fn add_hashed(&mut self, name: &str, extension: &str, content: &[u8]) -> Result<String> {
        let name = format!("{name}.{}.{extension}", &digest(content)[..HASH_DIGITS]);
        self.add(&name, content)?;
        Ok(name)
    }

    fn put(&mut self, name: &str, content: &[u8]) -> Result<()> {
        let path = self.folder.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, content)?;
        self.written.insert(path);
        Ok(())
    }

    /// Removes the files of earlier builds, which would otherwise still be served.
    fn remove_others(&self) -> Result<()> {
        let mut folders = vec![self.folder.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                } else if !self.written.contains(&path) {
                    fs::remove_file(path)?;
                }
            }
        }
        Ok(())
    }
}

/// Compresses with Brotli: at the best quality (11, which takes seconds) for a shipped build, otherwise quickly.
fn brotli(content: &[u8], is_shipped: bool) -> Result<Vec<u8>> {
    let quality = if is_shipped { 11 } else { 4 };
    let parameters = BrotliEncoderParams { quality, size_hint: content.len(), ..BrotliEncoderParams::default() };
    let mut packed = Vec::new();
    brotli::BrotliCompress(&mut &*content, &mut packed, &parameters)?;
    Ok(packed)
}

fn gzip(content: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    Ok(encoder.finish()?)
}

/// SHA-256 in hexadecimal.
pub fn digest(content: &[u8]) -> String {
    format!("{:x}", Sha256::digest(content))
}

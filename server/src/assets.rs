//! The built browser files, from the binary or a folder. The build has compressed them and named them by content hash.

use std::{
    borrow::Cow,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use app::request::AssetNames;
use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};

/// Returns an embedded file by its path. The binary embeds the files, so that this crate compiles without them, and a
/// change to them compiles only the binary.
pub type Embedded = fn(&str) -> Option<Cow<'static, [u8]>>;

/// Where the built files are.
#[derive(Clone, Debug)]
pub enum Source {
    /// In the binary.
    Embedded(Embedded),
    /// In a folder that the bundle or cargo-leptos wrote.
    Folder(PathBuf),
}

/// Access to the built files.
#[derive(Clone, Debug)]
pub struct Assets {
    source: Source,
    names: AssetNames,
}

impl Assets {
    /// Reads the names of the files from their source.
    pub fn new(source: Source) -> Self {
        let mut assets = Self { source, names: AssetNames::default() };
        if let Some(names) = assets.read("assets.json").and_then(|text| serde_json::from_slice(&text).ok()) {
            assets.names = names;
        }
        assets
    }

    /// Returns the names of the files.
    pub(crate) fn names(&self) -> &AssetNames {
        &self.names
    }

    fn read(&self, path: &str) -> Option<Cow<'static, [u8]>> {
        match &self.source {
            Source::Embedded(find) => find(path),
            Source::Folder(folder) => {
                let path = Path::new(path);
                let is_inside = path.components().all(|part| matches!(part, Component::Normal(_)));
                is_inside.then(|| std::fs::read(folder.join(path)).ok()).flatten().map(Cow::Owned)
            }
        }
    }
}

/// `GET /pkg/…` and `GET /favicon.svg`.
pub(crate) async fn serve(State(assets): State<Arc<Assets>>, request: Request) -> Response {
    let path = request.uri().path().trim_start_matches('/');
    let kind = match path.rsplit('.').next() {
        Some("js") => "text/javascript; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let accepted = [("br", "br"), ("gzip", "gz")].into_iter().filter(|(word, _)| accepts(request.headers(), word));
    let packed = accepted
        .into_iter()
        .find_map(|(word, extension)| assets.read(&format!("{path}.{extension}")).map(|content| (content, Some(word))));
    let plain = || assets.read(path).map(|content| (content, None));
    let Some((content, encoding)) = packed.or_else(plain) else { return StatusCode::NOT_FOUND.into_response() };
    // The icon's name contains no hash.
    let keep = if path.starts_with("pkg/") { "public, max-age=31536000, immutable" } else { "public, max-age=86400" };
    let mut response = ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, keep)], content).into_response();
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Some(word) = encoding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(word));
    }
    response
}

/// Returns whether a client accepts an encoding (RFC 9110 §12.5.3). A weight of 0 means that it doesn't.
fn accepts(headers: &HeaderMap, encoding: &str) -> bool {
    let lines = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|item| {
        let (word, weight) = item.split_once(';').unwrap_or((item, ""));
        let weight = weight.trim().strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok()).unwrap_or(1.0);
        word.trim().eq_ignore_ascii_case(encoding) && weight > 0.0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoding_is_accepted_unless_its_weight_is_zero() {
        let accepts = |line: &'static str, word| {
            let headers = [(header::ACCEPT_ENCODING, HeaderValue::from_static(line))].into_iter().collect();
            super::accepts(&headers, word)
        };
        assert!(accepts("gzip, deflate, br", "br") && accepts("gzip;q=0.5, BR;q=1.0", "br"));
        assert!(!accepts("gzip", "br") && !accepts("br;q=0, gzip", "br") && !accepts("", "br"));
    }

    #[test]
    fn only_files_inside_the_folder_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("outside.css"), "x").expect("a file");
        std::fs::create_dir(folder.path().join("site")).expect("a folder");
        let assets = Assets::new(Source::Folder(folder.path().join("site")));
        assert!(assets.read("../outside.css").is_none() && assets.read("/etc/hostname").is_none());
        let outer = Assets::new(Source::Folder(folder.path().to_owned()));
        assert!(outer.read("outside.css").is_some());
    }
}

//! The path of a request, as rules are compared with it. What an upstream could read in another way is refused: the path is
//! forwarded byte for byte, so both sides have to mean the same by it.

use percent_encoding::percent_decode_str;

/// A path whose segments are what they seem to be, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlainPath(Vec<u8>);

/// Parts of encoded paths that servers read as a separator, as a dot, or as the end: `/`, `\`, `.` and NUL.
const HIDDEN: [&str; 4] = ["2f", "5c", "2e", "00"];

impl PlainPath {
    /// Reads the path of a request's target. `None` if it can be read in more than one way: with `.` and `..`, with empty
    /// segments, with separators, dots or NUL in an encoded form (also encoded twice), or with control characters.
    pub(crate) fn parse(raw: &str) -> Option<Self> {
        if !raw.starts_with('/') || raw.contains('\\') || hides_something(raw) {
            return None;
        }
        let decoded: Vec<u8> = percent_decode_str(raw).collect();
        if decoded.iter().any(|byte| *byte < b' ' || *byte == 0x7f) {
            return None;
        }
        let mut segments = decoded[1..].split(|byte| *byte == b'/').peekable();
        while let Some(segment) = segments.next() {
            // Some servers ignore what follows a semicolon.
            let name = segment.split(|byte| *byte == b';').next().unwrap_or_default();
            let is_last = segments.peek().is_none();
            if matches!(name, b"." | b"..") || (name.is_empty() && !(is_last && segment.is_empty())) {
                return None;
            }
        }
        Some(Self(decoded))
    }

    /// Returns the path, and the same as servers read it that ignore what follows a semicolon.
    pub(crate) fn readings(&self) -> [Vec<u8>; 2] {
        let mut plain = Vec::with_capacity(self.0.len());
        for (index, segment) in self.0.split(|byte| *byte == b'/').enumerate() {
            if index > 0 {
                plain.push(b'/');
            }
            plain.extend_from_slice(segment.split(|byte| *byte == b';').next().unwrap_or_default());
        }
        [self.0.clone(), plain]
    }

    /// Returns the decoded path.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Whether a path contains one of [`HIDDEN`] after a percent sign, which may itself be encoded, or a percent sign that
/// encodes nothing.
fn hides_something(raw: &str) -> bool {
    if !raw.contains('%') {
        return false;
    }
    let lower = raw.to_ascii_lowercase();
    lower.match_indices('%').any(|(at, _)| {
        let mut rest = &lower[at + 1..];
        while let Some(inner) = rest.strip_prefix("25") {
            rest = inner;
        }
        let is_encoded = lower.as_bytes()[at + 1..].iter().take(2).filter(|byte| byte.is_ascii_hexdigit()).count() == 2;
        !is_encoded || HIDDEN.iter().any(|hidden| rest.starts_with(hidden))
    })
}

/// Whether a path is `prefix`, or below it.
pub(crate) fn is_below(path: &[u8], prefix: &[u8]) -> bool {
    let prefix = prefix.strip_suffix(b"/").unwrap_or(prefix);
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// The same, whatever the case of letters.
pub(crate) fn is_below_in_any_case(path: &[u8], prefix: &[u8]) -> bool {
    let prefix = prefix.strip_suffix(b"/").unwrap_or(prefix);
    let (begin, rest) = path.split_at(prefix.len().min(path.len()));
    begin.eq_ignore_ascii_case(prefix) && (rest.is_empty() || rest.starts_with(b"/"))
}

/// Whether a path matches a pattern, in which `*` matches any characters.
pub(crate) fn matches(path: &[u8], pattern: &[u8]) -> bool {
    let mut parts = pattern.split(|byte| *byte == b'*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = path.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = (0..=rest.len().saturating_sub(part.len())).find(|at| rest[*at..].starts_with(part)) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for path in [
            "/..",
            "/a/../b",
            "/a/./b",
            "/a/..",
            "//",
            "//a",
            "/a//b",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
            "/%2e%2e/b",
            "/a/%2E",
            "/a%00",
            "/a%0ab",
            "/a%252fb",
            "/a%25252e",
            "/..;/a",
            "/a/..;x=1/b",
            "/a/;/b",
            "/a%",
            "/a%4",
            "/a%zz",
            "/;a",
            "a",
            "",
            "*",
            "/%7f",
        ] {
            assert_eq!(PlainPath::parse(path), None, "{path}");
        }
        for (path, read) in [
            ("/", "/"),
            ("/a", "/a"),
            ("/a/", "/a/"),
            ("/a%20b", "/a b"),
            ("/a.b/..c", "/a.b/..c"),
            ("/%41", "/A"),
            ("/a;x=1/b", "/a;x=1/b"),
            ("/100%25", "/100%"),
            ("/...", "/..."),
        ] {
            assert_eq!(PlainPath::parse(path).unwrap().bytes(), read.as_bytes(), "{path}");
        }
        assert!(PlainPath::parse("/%E9").is_some(), "not every upstream uses UTF-8");
    }

    #[test]
    fn a_prefix_is_of_whole_segments() {
        assert!(is_below(b"/api", b"/api") && is_below(b"/api/x", b"/api") && is_below(b"/api/x", b"/api/"));
        assert!(!is_below(b"/apix", b"/api") && is_below(b"/x", b"/") && !is_below(b"/a", b"/api"));
    }

    #[test]
    fn a_star_stands_for_anything() {
        for (path, pattern, is_match) in [
            ("/api/flows/filter", "*/filter", true),
            ("/api/flows/filter/x", "*/filter", false),
            ("/filter", "*/filter", true),
            ("/api/a/b", "/api/*", true),
            ("/api/a/b", "/api/*/b", true),
            ("/api/b", "/api/*/b", false),
            ("/a", "/a", true),
            ("/ab", "/a", false),
            ("/aba", "/a*a", true),
            ("/a", "/a*a", false),
        ] {
            assert_eq!(matches(path.as_bytes(), pattern.as_bytes()), is_match, "{path} {pattern}");
        }
    }
}

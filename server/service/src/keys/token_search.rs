//! Finds tokens in bytes, such as files and logs, however they are written there. Needs no database.
//!
//! A regular expression finds where a token may begin, and the checksum decides whether it is one.

use std::{
    io::{self, Read},
    sync::LazyLock,
};

use domain::Secret;
use regex::bytes::{Regex, RegexBuilder};

use super::token::{TOKEN_CHARS, digest_of, hint_of};
use crate::storage::db::TokenDigest;

/// How many bytes are read at once.
const CHUNK: u64 = 1 << 20;
/// The most bytes that a token may take in any spelling.
const MAX_SPELLED: usize = 512;
/// The most times that a percent sign is encoded.
const MAX_NESTED: usize = 3;
/// The most backslashes that an escape begins with.
const MAX_BACKSLASHES: usize = 6;

/// What the Base64 of a text has instead of a prefix, and the bits of the prefix that the character before it ends with.
/// A prefix begins at one of three bits of a character, and these are the characters that no other bits are part of.
const BASE64_PREFIXES: [(&[u8], u32); 6] =
    [(b"bGt1X", 0), (b"bGtzX", 0), (b"xrdV", 4), (b"xrc1", 4), (b"sa3Vf", 2), (b"sa3Nf", 2)];

/// Matches where a token may begin.
static BEGINNING: LazyLock<Regex> = LazyLock::new(|| {
    let letters = ["l", "k", "[us]", "_"].map(|class| {
        let codes = class.bytes().filter(|byte| !b"[]".contains(byte)).map(|byte| format!("{byte:02x}"));
        let codes = codes.collect::<Vec<_>>().join("|");
        format!(r"(?:{class}\x00?|(?:%(?:25){{0,{MAX_NESTED}}}|\\{{1,{MAX_BACKSLASHES}}}(?:u00|x))(?i:{codes}))")
    });
    let base64 = BASE64_PREFIXES.map(|(prefix, _)| String::from_utf8_lossy(prefix).into_owned()).join("|");
    let pattern = format!("{}|{base64}", letters.concat());
    RegexBuilder::new(&pattern).unicode(false).build().expect("the pattern is constant")
});

/// How a token is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// As it is, in ASCII, UTF-8 or UTF-16.
    Plain,
    /// With characters that are percent-encoded, or escaped as in JSON.
    Escaped,
    /// As part of a text in Base64, such as the credentials of HTTP Basic.
    Base64,
}

impl Spelling {
    /// Returns its name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Escaped => "escaped",
            Self::Base64 => "base64",
        }
    }
}

/// A token that was found, without the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundToken {
    /// The line, from 1.
    pub line: u64,
    /// The first byte of the token in its line, from 1.
    pub column: u64,
    /// The prefix and the first four characters, as in lists of keys.
    pub hint: String,
    /// How it is written.
    pub spelling: Spelling,
    pub(crate) digest: TokenDigest,
}

impl FoundToken {
    /// Returns the first 16 hexadecimal digits of the token's SHA-256.
    pub fn fingerprint(&self) -> String {
        let first = self.digest.first_chunk().copied().map_or(0, u64::from_be_bytes);
        format!("{first:016x}")
    }
}

/// Calls `found` for every token in a stream, in the order in which they begin. Keeps about a megabyte of it in memory.
///
/// # Errors
/// When the stream can't be read. Tokens before that have been reported.
pub fn find_tokens(input: impl Read, found: impl FnMut(FoundToken)) -> io::Result<()> {
    find_in_chunks(input, CHUNK, found)
}

fn find_in_chunks(mut input: impl Read, chunk: u64, mut found: impl FnMut(FoundToken)) -> io::Result<()> {
    let mut window = Window::new();
    loop {
        let is_last = window.read(&mut input, chunk)?;
        window.search(is_last, &mut found);
        if is_last {
            return Ok(());
        }
    }
}

/// The part of the stream that is in memory.
struct Window {
    bytes: Vec<u8>,
    /// Where the search continues.
    next: usize,
    /// Up to where lines have been counted, and the position of that byte.
    counted: usize,
    line: u64,
    column: u64,
}

impl Window {
    fn new() -> Self {
        Self { bytes: Vec::new(), next: 0, counted: 0, line: 1, column: 1 }
    }

    /// Replaces what has been searched with the next part. Returns whether it is the last one.
    fn read(&mut self, input: &mut impl Read, chunk: u64) -> io::Result<bool> {
        // The Base64 of a token begins in the character before its prefix.
        let kept = self.next.saturating_sub(1).max(self.counted);
        self.count_lines(kept);
        self.bytes.drain(..kept);
        self.next -= kept;
        self.counted = 0;
        let read = input.take(chunk).read_to_end(&mut self.bytes)?;
        Ok(u64::try_from(read).is_ok_and(|read| read < chunk))
    }

    fn search(&mut self, is_last: bool, found: &mut impl FnMut(FoundToken)) {
        // A token that begins later may not be complete yet.
        let end = if is_last { self.bytes.len() } else { self.bytes.len().saturating_sub(MAX_SPELLED) };
        while let Some(beginning) = BEGINNING.find_at(&self.bytes, self.next).map(|found| found.start()) {
            if beginning >= end {
                break;
            }
            self.next = beginning + 1;
            let Some(token) = Spelled::read(&self.bytes, beginning) else { continue };
            let Some((text, digest)) = token.checked() else { continue };
            let hint = hint_of(&Secret::new(text));
            self.next = token.end;
            self.count_lines(token.begin);
            found(FoundToken { line: self.line, column: self.column, hint, spelling: token.spelling, digest });
        }
        self.next = self.next.max(end);
    }

    fn count_lines(&mut self, to: usize) {
        let passed = &self.bytes[self.counted..to];
        let length = |bytes: &[u8]| u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if let Some(last) = passed.iter().rposition(|byte| *byte == b'\n') {
            self.line += passed.iter().map(|byte| u64::from(*byte == b'\n')).sum::<u64>();
            self.column = length(&passed[last..]);
        } else {
            self.column += length(passed);
        }
        self.counted = to;
    }
}

/// As many characters as a token has, decoded.
struct Spelled {
    chars: [u8; TOKEN_CHARS],
    spelling: Spelling,
    begin: usize,
    end: usize,
}

impl Spelled {
    fn read(bytes: &[u8], at: usize) -> Option<Self> {
        let base64 = BASE64_PREFIXES.iter().find(|(prefix, _)| bytes[at..].starts_with(prefix));
        base64.map_or_else(|| Self::read_escaped(bytes, at), |(_, bits)| Self::read_base64(bytes, at, *bits))
    }

    /// Returns the text and its digest if it is a token.
    fn checked(&self) -> Option<(&str, TokenDigest)> {
        let text = str::from_utf8(&self.chars).ok()?;
        Some((text, digest_of(text)?))
    }

    fn read_escaped(bytes: &[u8], begin: usize) -> Option<Self> {
        let mut token = Self { chars: [0; TOKEN_CHARS], spelling: Spelling::Plain, begin, end: begin };
        for char in &mut token.chars {
            let rest = bytes.get(token.end..)?;
            let (read, length) = match *rest.first()? {
                b'%' => percent_encoded(rest)?,
                b'\\' => escaped(rest)?,
                // The second byte of a character in UTF-16.
                byte => (byte, if rest.get(1) == Some(&0) { 2 } else { 1 }),
            };
            if length > 2 {
                token.spelling = Spelling::Escaped;
            }
            *char = read;
            token.end += length;
        }
        Some(token)
    }

    /// `bits`: how many bits of the token the character before `prefix_at` ends with.
    fn read_base64(bytes: &[u8], prefix_at: usize, bits: u32) -> Option<Self> {
        let begin = prefix_at.checked_sub(usize::from(bits > 0))?;
        let (mut held, mut held_bits, mut length) = (0, 0, 0);
        let mut token = Self { chars: [0; TOKEN_CHARS], spelling: Spelling::Base64, begin, end: begin };
        for (index, byte) in bytes[begin..].iter().take(MAX_SPELLED).enumerate() {
            if matches!(byte, b'\r' | b'\n') {
                continue;
            }
            held = (held << 6) | sextet(*byte)?;
            held_bits += if index == 0 && bits > 0 { bits } else { 6 };
            held &= (1 << held_bits) - 1;
            if held_bits < 8 {
                continue;
            }
            held_bits -= 8;
            token.chars[length] = u8::try_from((held >> held_bits) & 0xff).ok()?;
            length += 1;
            if length == TOKEN_CHARS {
                token.end = begin + index + 1;
                return Some(token);
            }
        }
        None
    }
}

/// Reads a character like `%5F` or, encoded again, `%255F`. Returns it and its length.
fn percent_encoded(bytes: &[u8]) -> Option<(u8, usize)> {
    let nested = bytes[1..].chunks(2).take(MAX_NESTED).take_while(|pair| *pair == b"25").count();
    let digits = 1 + 2 * nested;
    Some((hex(bytes.get(digits..digits + 2)?)?, digits + 2))
}

/// Reads a character like `\u005f` or `\x5f`, with more backslashes if it was escaped again. Returns it and its length.
fn escaped(bytes: &[u8]) -> Option<(u8, usize)> {
    let backslashes = bytes.iter().take(MAX_BACKSLASHES).take_while(|byte| **byte == b'\\').count();
    let code = bytes.get(backslashes..)?;
    let begin = backslashes + if code.starts_with(b"u00") { 3 } else { code.starts_with(b"x").then_some(1)? };
    Some((hex(bytes.get(begin..begin + 2)?)?, begin + 2))
}

fn hex(digits: &[u8]) -> Option<u8> {
    let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
    is_hex.then(|| str::from_utf8(digits).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok())).flatten()
}

/// Returns the bits of a character of Base64, in either alphabet.
fn sextet(byte: u8) -> Option<u32> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    };
    Some(value.into())
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use domain::OwnerKind;
    use proptest::prelude::*;

    use super::*;
    use crate::keys::token::{TOKEN_PREFIXES, TOKEN_REGEX, draw};

    fn find(bytes: &[u8]) -> Vec<FoundToken> {
        let mut all = Vec::new();
        find_tokens(bytes, |token| all.push(token)).unwrap();
        all
    }

    fn token() -> String {
        draw(OwnerKind::ServiceAccount).expose().to_owned()
    }

    fn percent(text: &str) -> String {
        text.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat()
    }

    fn escape(text: &str) -> String {
        text.bytes().map(|byte| format!("\\u{byte:04x}")).collect::<Vec<_>>().concat()
    }

    #[test]
    fn a_token_is_found_in_every_spelling() {
        let token = token();
        let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
        let big_endian = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>();
        let mixed = format!("{}{}{}", percent(&token[..2]), &token[2..40], escape(&token[40..]));
        let cases = [
            (token.clone().into_bytes(), Spelling::Plain),
            (utf16(&token), Spelling::Plain),
            (big_endian(&token), Spelling::Plain),
            (token.replace('_', "%5f").into_bytes(), Spelling::Escaped),
            (percent(&token).into_bytes(), Spelling::Escaped),
            (percent(&token).replace('%', "%25").into_bytes(), Spelling::Escaped),
            (percent(&token).replace('%', "%252525").into_bytes(), Spelling::Escaped),
            (escape(&token).into_bytes(), Spelling::Escaped),
            (escape(&token).to_uppercase().replace("\\U", "\\u").into_bytes(), Spelling::Escaped),
            (escape(&token).replace('\\', "\\\\\\\\").into_bytes(), Spelling::Escaped),
            (escape(&token).replace("u00", "x").into_bytes(), Spelling::Escaped),
            (mixed.into_bytes(), Spelling::Escaped),
        ];
        for (bytes, spelling) in cases {
            for (before, after) in [("", ""), ("key=", "\n"), ("lku_", "x"), ("lk", "_"), ("%", "%"), ("é\\", "\\")] {
                let text = [before.as_bytes(), &bytes, after.as_bytes()].concat();
                let found = find(&text);
                assert_eq!(found.len(), 1, "{}", String::from_utf8_lossy(&text));
                assert_eq!((found[0].spelling, found[0].hint.as_str()), (spelling, &token[..8]));
                assert_eq!(Some(found[0].digest), digest_of(&token));
            }
        }
    }

    #[test]
    fn a_token_is_found_in_base64_whatever_precedes_it() {
        for token in [token(), draw(OwnerKind::User).expose().to_owned()] {
            for user in ["", "x", "ad", "git", "ada@example.org:", "~~~?>:"] {
                for after in ["", ":", "\n", "\u{fffd}?>~"] {
                    let encoded = STANDARD.encode(format!("{user}{token}{after}"));
                    let wrapped = encoded.as_bytes().chunks(76).collect::<Vec<_>>().join(b"\r\n".as_slice());
                    for text in [encoded.clone().into_bytes(), wrapped, format!("Basic {encoded}\"").into_bytes()] {
                        let found = find(&text);
                        assert_eq!(found.len(), 1, "{}", String::from_utf8_lossy(&text));
                        assert_eq!((found[0].spelling, Some(found[0].digest)), (Spelling::Base64, digest_of(&token)));
                    }
                }
            }
        }
    }

    #[test]
    fn nothing_but_a_token_with_its_checksum_is_found() {
        let token = token();
        let mut wrong = token.clone();
        wrong.replace_range(41.., if token.ends_with('a') { "b" } else { "a" });
        for text in [
            wrong.clone(),
            percent(&wrong),
            STANDARD.encode(&wrong),
            token[..41].to_owned(),
            format!("{}\n{}", &token[..20], &token[20..]),
            percent(&token)[..125].to_owned(),
            "lku_".repeat(200),
            "%25".repeat(200),
            "\\".repeat(200) + "u006c",
            "bGt1X".repeat(200),
        ] {
            assert_eq!(find(text.as_bytes()), [], "{text}");
        }
    }

    #[test]
    fn positions_are_lines_and_bytes() {
        let (first, second) = (token(), token());
        let text = format!("é {first}\n\n\u{0}\r\n  {second} {first}\n{}", STANDARD.encode(format!("x:{second}")));
        let places: Vec<_> = find(text.as_bytes()).into_iter().map(|found| (found.line, found.column)).collect();
        assert_eq!(places, [(1, 4), (4, 3), (4, 46), (5, 3)]);
        assert_eq!(find(text.as_bytes())[0].fingerprint().len(), 16);
    }

    #[test]
    fn the_regular_expression_and_the_prefixes_match_every_token() {
        let regex = Regex::new(&format!("^{TOKEN_REGEX}$")).unwrap();
        for kind in [OwnerKind::User, OwnerKind::ServiceAccount] {
            let token = draw(kind);
            assert!(regex.is_match(token.expose().as_bytes()));
            assert!(TOKEN_PREFIXES.iter().any(|prefix| token.expose().starts_with(prefix)));
            assert!(!regex.is_match(&token.expose().as_bytes()[..41]));
        }
    }

    proptest! {
        #[test]
        fn tokens_are_found_wherever_chunks_end(chunk in 1_usize..900, lead in 0_usize..900, spelling in 0..3) {
            let token = token();
            let spelled = match spelling {
                0 => token.clone(),
                1 => escape(&token),
                _ => STANDARD.encode(format!("x:{token}")),
            };
            let lines = lead as u64 + 1;
            let bytes = [&b"\n".repeat(lead), spelled.as_bytes(), &b" ".repeat(900), spelled.as_bytes()].concat();
            let mut found = Vec::new();
            find_in_chunks(bytes.as_slice(), chunk as u64, |token| found.push(token)).unwrap();
            let first = if spelling == 2 { 3 } else { 1 };
            let places: Vec<_> = found.iter().map(|found| (found.line, found.column)).collect();
            prop_assert_eq!(places, [(lines, first), (lines, first + spelled.len() as u64 + 900)]);
        }

        #[test]
        fn any_bytes_can_be_searched(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            prop_assert_eq!(find(&bytes), []);
        }
    }
}

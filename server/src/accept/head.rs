//! Finds the heads and bodies of requests in the bytes of a connection (RFC 9112).
//!
//! hyper parses the same heads afterwards. It drops a `Content-Length` beside a `Transfer-Encoding` without a trace, and
//! answers a malformed head with an empty body.

use httparse::{EMPTY_HEADER, Request};

/// The maximum size of a request's head, in bytes.
pub(super) const MAX_HEAD: usize = 16 * 1_024;
/// The maximum number of header lines, as in hyper.
const MAX_LINES: usize = 100;
/// A head that takes the place of a refused one.
pub(super) const SUBSTITUTE: &[u8] = b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n";

/// Why a request is refused before it is read. The response to such a request is made by `middleware::heads`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The head is larger than 16 KiB, or has more than 100 lines.
    TooLarge,
    /// The head wasn't received in time.
    TooSlow,
    /// The head isn't one of HTTP/1.
    Malformed,
    /// The head has several lengths, or a length beside a `Transfer-Encoding`. A proxy may have read another request
    /// than this server (request smuggling).
    Ambiguous,
    /// The head has a `Transfer-Encoding` other than `chunked`.
    Encoding,
}

/// How the end of a body is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// The number of bytes that remain.
    Length(u64),
    /// Chunks.
    Chunked(Chunks),
}

/// Returns the length of the head at the beginning of `bytes`, with its empty line. `searched`: the length without an
/// end that was searched before.
pub(super) fn end_of_head(bytes: &[u8], searched: usize) -> Option<usize> {
    let mut at = searched.saturating_sub(3);
    loop {
        at += bytes.get(at..)?.iter().position(|byte| *byte == b'\n')? + 1;
        match bytes.get(at..)? {
            [b'\n', ..] => return Some(at + 1),
            [b'\r', b'\n', ..] => return Some(at + 2),
            _ => (),
        }
    }
}

/// Returns whether a request may begin with this byte: that of a method, or of an empty line before it.
pub(super) fn may_begin(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~\r\n".contains(&byte)
}

/// Reads a whole head.
///
/// # Errors
/// Why the request must be refused.
pub(super) fn read(head: &[u8]) -> Result<Framing, Refusal> {
    let mut lines = [EMPTY_HEADER; MAX_LINES];
    let mut request = Request::new(&mut lines);
    match request.parse(head) {
        Ok(status) if status.is_complete() => (),
        Err(httparse::Error::TooManyHeaders) => return Err(Refusal::TooLarge),
        _ => return Err(Refusal::Malformed),
    }
    if !request.path.is_some_and(is_target) {
        return Err(Refusal::Malformed);
    }
    let values = |name: &'static str| {
        request.headers.iter().filter(move |line| line.name.eq_ignore_ascii_case(name)).map(|line| line.value)
    };
    let (mut lengths, mut encodings) = (values("content-length"), values("transfer-encoding"));
    match (lengths.next(), encodings.next()) {
        (None, None) => Ok(Framing::Length(0)),
        (Some(length), None) if lengths.next().is_none() => length_of(length).map(Framing::Length),
        (None, Some(encoding)) if encodings.next().is_none() => {
            let is_chunked = encoding.trim_ascii().eq_ignore_ascii_case(b"chunked") && request.version == Some(1);
            if is_chunked { Ok(Framing::Chunked(Chunks::default())) } else { Err(Refusal::Encoding) }
        }
        _ => Err(Refusal::Ambiguous),
    }
}

/// Returns whether hyper can read the target of a request. It would answer any other with an empty body.
fn is_target(target: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~?=&%+".contains(&byte);
    (target.starts_with('/') && target.bytes().all(is_plain)) || http::Uri::try_from(target).is_ok()
}

fn length_of(value: &[u8]) -> Result<u64, Refusal> {
    let digits = value.trim_ascii();
    let text = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    // A list of lengths, "5, 5", is as ambiguous as two lines.
    text.and_then(|text| text.parse().ok()).ok_or(Refusal::Ambiguous)
}

/// The position in a chunked body (RFC 9112 §7.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Chunks {
    part: Part,
    /// The size of the current chunk as far as it was read, or how much of it remains.
    size: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    #[default]
    Size,
    /// After the size, to the end of its line.
    Extension,
    Data,
    /// The line break after the data.
    AfterData,
    /// The beginning of a line after the last chunk.
    Trailer,
    /// The rest of such a line.
    TrailerLine,
    End,
}

impl Chunks {
    /// Follows the body through `bytes`. Returns how many of them belong to it. hyper refuses malformed chunks.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() && self.part != Part::End {
            if self.part == Part::Data {
                let available = u64::try_from(bytes.len() - at).unwrap_or(u64::MAX).min(self.size);
                self.size -= available;
                at += usize::try_from(available).unwrap_or_default();
                if self.size == 0 {
                    self.part = Part::AfterData;
                }
                continue;
            }
            self.step(bytes[at]);
            at += 1;
        }
        at
    }

    fn step(&mut self, byte: u8) {
        self.part = match (self.part, byte) {
            (Part::Size | Part::Extension, b'\n') => {
                if self.size == 0 {
                    Part::Trailer
                } else {
                    Part::Data
                }
            }
            (Part::Size, digit) if digit.is_ascii_hexdigit() => {
                let digit = char::from(digit).to_digit(16).unwrap_or_default();
                self.size = self.size.saturating_mul(16).saturating_add(digit.into());
                Part::Size
            }
            (Part::Size | Part::Extension, _) => Part::Extension,
            (Part::AfterData, b'\n') => {
                self.size = 0;
                Part::Size
            }
            (Part::Trailer, b'\n') => Part::End,
            (Part::Trailer, b'\r') | (Part::TrailerLine, b'\n') => Part::Trailer,
            (Part::Trailer | Part::TrailerLine, _) => Part::TrailerLine,
            (part, _) => part,
        };
    }

    /// Returns whether the body has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.part == Part::End
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framing(lines: &str) -> Result<Framing, Refusal> {
        read(format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n").as_bytes())
    }

    #[test]
    fn a_head_ends_with_an_empty_line() {
        assert_eq!(end_of_head(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nrest", 0), Some(27));
        assert_eq!(end_of_head(b"GET / HTTP/1.1\nHost: a\n\nrest", 0), Some(24));
        for searched in 0..26 {
            assert_eq!(end_of_head(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", searched), Some(27), "{searched}");
        }
        assert_eq!(end_of_head(b"GET / HTTP/1.1\r\nHost: a\r\n", 0), None);
        assert_eq!(end_of_head(b"", 0), None);
    }

    #[test]
    fn a_body_has_one_length() {
        assert_eq!(framing(""), Ok(Framing::Length(0)));
        assert_eq!(framing("Content-Length: 12\r\n"), Ok(Framing::Length(12)));
        assert_eq!(framing("Transfer-Encoding: Chunked\r\n"), Ok(Framing::Chunked(Chunks::default())));
        for lines in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            "transfer-encoding: identity\r\ncontent-length: 0\r\n",
            "Content-Length: 5\r\nContent-Length: 5\r\n",
            "Content-Length: 5\r\nContent-Length: 6\r\n",
            "Content-Length: 5, 5\r\n",
            "Content-Length: +5\r\n",
            "Content-Length: -1\r\n",
            "Content-Length: \r\n",
            "Content-Length: 99999999999999999999\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        ] {
            assert_eq!(framing(lines), Err(Refusal::Ambiguous), "{lines}");
        }
        for lines in
            ["Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: identity\r\n", "Transfer-Encoding: x\r\n"]
        {
            assert_eq!(framing(lines), Err(Refusal::Encoding), "{lines}");
        }
        assert_eq!(read(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), Err(Refusal::Encoding));
    }

    #[test]
    fn what_is_not_a_head_is_refused() {
        for head in [
            "PRI * HTTP/2.0\r\n\r\n",
            "GET /\r\n\r\n",
            "GET / HTTP/1.1\r\nA : b\r\n\r\n",
            "GET / HTTP/1.1\r\n a: b\r\n\r\n",
        ] {
            assert_eq!(read(head.as_bytes()), Err(Refusal::Malformed), "{head}");
        }
        assert_eq!(framing(&"a: b\r\n".repeat(100)), Err(Refusal::TooLarge));
        assert!(!may_begin(0x16), "a TLS handshake");
    }

    #[test]
    fn chunks_end_where_they_end() {
        let body = b"5;name=\"v\"\r\nhello\r\n0a\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n";
        let sent = [body.as_slice(), b"GET / HTTP/1.1\r\n"].concat();
        for piece in 1..sent.len() {
            let (mut chunks, mut length) = (Chunks::default(), 0);
            for bytes in sent.chunks(piece) {
                length += chunks.follow(bytes);
            }
            assert!(chunks.has_ended() && length == body.len(), "in pieces of {piece}: {length}");
        }
        let mut chunks = Chunks::default();
        assert_eq!(chunks.follow(b"ffffffffffffffffffff\r\nabc"), 25);
        assert!(!chunks.has_ended());
    }
}

//! The frames of a websocket (RFC 6455 §5), as far as a gateway looks at them: where one ends, the first message of a
//! client, and closing.

use sha1::{Digest, Sha1};

use base64::{Engine, prelude::BASE64_STANDARD};

/// The status of a connection that is closed because it isn't allowed (RFC 6455 §7.4.1).
pub(crate) const POLICY: u16 = 1008;
/// The status of a connection to a server that is about to stop.
pub(crate) const GOING_AWAY: u16 = 1001;
/// The status of a connection whose upstream fails.
pub(crate) const TRY_LATER: u16 = 1013;
/// The largest first message, in bytes.
const MAX_FIRST: usize = 4_096;
/// What the accepted key is made of (RFC 6455 §1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Follows frames in a stream of bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frames {
    /// The bytes of a header that has begun.
    head: Vec<u8>,
    /// How much of the current frame follows its header.
    rest: u64,
    /// Whether a frame that closes the connection has begun.
    has_close: bool,
}

impl Frames {
    /// Follows the next bytes.
    pub(crate) fn follow(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.rest > 0 {
                let skipped = usize::try_from(self.rest).unwrap_or(usize::MAX).min(bytes.len());
                self.rest -= skipped as u64;
                bytes = &bytes[skipped..];
                continue;
            }
            self.head.push(bytes[0]);
            bytes = &bytes[1..];
            if let Some(length) = length_of(&self.head) {
                self.has_close |= self.head[0] & 0x0f == 8;
                self.head.clear();
                self.rest = length;
            }
        }
    }

    /// Returns how much is missing of the current frame, 1 if its header is incomplete, and 0 between two frames.
    pub(crate) fn missing(&self) -> u64 {
        if self.head.is_empty() { self.rest } else { self.rest.max(1) }
    }

    /// Whether the connection is being closed by a frame.
    pub(crate) fn has_close(&self) -> bool {
        self.has_close
    }
}

/// Returns the number of bytes after a header, with a mask; `None` if the header is incomplete. Masked payloads begin after
/// the mask, which is counted as a part of the header.
fn length_of(head: &[u8]) -> Option<u64> {
    let second = *head.get(1)?;
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    let (extended, length) = match second & 0x7f {
        126 => (2, u64::from(u16::from_be_bytes(head.get(2..4)?.try_into().ok()?))),
        127 => (8, u64::from_be_bytes(head.get(2..10)?.try_into().ok()?)),
        length => (0, u64::from(length)),
    };
    (head.len() >= 2 + extended + mask).then_some(length)
}

/// What a client has sent first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum First {
    /// Not all of it is here.
    Incomplete,
    /// A text, the mask of its frame, and how many bytes it took.
    Text(String, [u8; 4], usize),
    /// A ping or a pong, with the answer to it, and how many bytes it took.
    Control(Vec<u8>, usize),
    /// Anything else.
    Other,
}

/// Reads the first frame of a client.
pub(crate) fn first(frame: &[u8]) -> First {
    let header = (2..=14).find_map(|end| length_of(frame.get(..end)?).map(|length| (end, length)));
    let Some((end, length)) = header else {
        return if frame.len() > 14 { First::Other } else { First::Incomplete };
    };
    let Some(length) = usize::try_from(length).ok().filter(|length| *length <= MAX_FIRST) else {
        return First::Other;
    };
    let (opcode, is_masked) = (frame[0], frame[1] & 0x80 != 0);
    if !is_masked || !matches!(opcode, 0x81 | 0x89 | 0x8a) {
        return First::Other;
    }
    let Some(payload) = frame.get(end..end + length) else { return First::Incomplete };
    let mask: [u8; 4] = std::array::from_fn(|at| frame[end - 4 + at]);
    let payload: Vec<u8> = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    match opcode {
        0x81 => String::from_utf8(payload).map_or(First::Other, |text| First::Text(text, mask, end + length)),
        0x89 => First::Control([header_of(0x8a, payload.len(), 0), payload].concat(), end + length),
        _ => First::Control(Vec::new(), end + length),
    }
}

/// Returns a client's frame with a short text.
pub(crate) fn masked_text(text: &str, mask: [u8; 4]) -> Vec<u8> {
    let mut frame = header_of(0x81, text.len(), 0x80);
    frame.extend(mask);
    frame.extend(text.bytes().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// Returns a server's frame that closes the connection, with a reason of at most 123 bytes.
pub(crate) fn close(status: u16, reason: &str) -> Vec<u8> {
    let mut reason = reason;
    while reason.len() > 123 {
        reason = reason.char_indices().next_back().map_or("", |(at, _)| &reason[..at]);
    }
    let mut frame = header_of(0x88, reason.len() + 2, 0);
    frame.extend(status.to_be_bytes());
    frame.extend(reason.bytes());
    frame
}

fn header_of(first: u8, length: usize, mask: u8) -> Vec<u8> {
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..126), _) => vec![first, mask | short],
        (_, Ok(long)) => [vec![first, mask | 0x7e], long.to_be_bytes().to_vec()].concat(),
        _ => [vec![first, mask | 0x7f], (length as u64).to_be_bytes().to_vec()].concat(),
    }
}

/// Returns the answer to a client's `Sec-WebSocket-Key`.
pub(crate) fn accepted(key: &[u8]) -> String {
    BASE64_STANDARD.encode(Sha1::new().chain_update(key).chain_update(GUID).finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_frame_is_found_however_its_bytes_arrive() {
        let long = [vec![0x82, 126, 1, 0], vec![7; 256]].concat();
        let huge = [vec![0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0], vec![7; 65_536]].concat();
        let masked = masked_text("hello", [1, 2, 3, 4]);
        for frame in [vec![0x81, 1, b'a'], long, huge, masked, vec![0x89, 0]] {
            for piece in [1, 2, 3, 1_000] {
                let mut frames = Frames::default();
                for (index, bytes) in frame.chunks(piece).enumerate() {
                    frames.follow(bytes);
                    let is_whole = (index + 1) * piece >= frame.len();
                    assert_eq!(frames.missing() == 0, is_whole, "{piece}");
                }
                assert!(!frames.has_close());
            }
        }
        let mut frames = Frames::default();
        frames.follow(&close(POLICY, "x"));
        assert!(frames.has_close() && frames.missing() == 0);
    }

    #[test]
    fn the_first_text_is_read_and_pings_before_it_are_answered() {
        let text = masked_text("{\"type\":\"auth\"}", [9, 8, 7, 6]);
        let both = [text.clone(), vec![0x81]].concat();
        assert_eq!(first(&both), First::Text("{\"type\":\"auth\"}".to_owned(), [9, 8, 7, 6], text.len()));
        for end in 0..text.len() {
            assert_eq!(first(&text[..end]), First::Incomplete, "{end}");
        }
        let ping = [0x89, 0x82, 1, 2, 3, 4, b'a' ^ 1, b'b' ^ 2, 0x81];
        assert_eq!(first(&ping), First::Control(vec![0x8a, 2, b'a', b'b'], 8));
        assert_eq!(first(&[0x8a, 0x80, 1, 2, 3, 4]), First::Control(Vec::new(), 6));
        let unmasked = [0x81, 1, b'a'];
        let binary = [0x82, 0x81, 1, 2, 3, 4, 5];
        let fragment = [0x01, 0x81, 1, 2, 3, 4, 5];
        let large = [0x81, 0xfe, 0xff, 0xff, 1, 2, 3, 4];
        for other in [&unmasked[..], &binary, &fragment, &large] {
            assert_eq!(first(other), First::Other, "{other:?}");
        }
    }

    #[test]
    fn a_handshake_is_answered_as_in_the_standard() {
        assert_eq!(accepted(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        let long = close(POLICY, &"é".repeat(100));
        assert!(long.len() <= 127 && long[1] as usize + 2 == long.len());
    }
}

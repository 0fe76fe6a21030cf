//! Flows as clients send them: JSON, compressed by gzip, in base64.

use std::io::Read;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use flate2::read::GzDecoder;
use service::MAX_FLOW_BYTES;

/// Decompresses a flow. Stops at the maximum length, whatever a few bytes may expand to.
///
/// # Errors
/// A sentence that says what is wrong.
pub(super) fn decompress(text: &str) -> Result<String, &'static str> {
    let compressed = BASE64_STANDARD.decode(text.trim()).map_err(|_| "The flow isn't in base64.")?;
    let most = u64::try_from(MAX_FLOW_BYTES).unwrap_or(u64::MAX);
    let mut flow = Vec::new();
    let read = GzDecoder::new(compressed.as_slice()).take(most + 1).read_to_end(&mut flow);
    read.map_err(|_| "The flow isn't compressed by gzip.")?;
    if flow.len() > MAX_FLOW_BYTES {
        return Err("The flow is longer than 4 MiB.");
    }
    String::from_utf8(flow).map_err(|_| "The flow isn't in UTF-8.")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn compress(bytes: &[u8]) -> String {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        BASE64_STANDARD.encode(encoder.finish().unwrap())
    }

    #[test]
    fn a_flow_is_decompressed() {
        assert_eq!(decompress(&compress(br#"{"name":"f"}"#)).unwrap(), r#"{"name":"f"}"#);
    }

    #[test]
    fn a_bomb_is_not_expanded() {
        let bomb = compress(&vec![b' '; 64 * MAX_FLOW_BYTES]);
        assert!(bomb.len() < 512 * 1_024, "{}", bomb.len());
        assert_eq!(decompress(&bomb), Err("The flow is longer than 4 MiB."));
    }

    #[test]
    fn anything_else_is_refused() {
        let cut = compress(b"{}");
        for bad in ["", "!", "aGVsbG8=", &cut[..cut.len() - 8], &compress(b"\xff\xfe")] {
            assert!(decompress(bad).is_err(), "{bad}");
        }
    }
}

use core::{fmt, str};

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use sha1::{Digest as _, Sha1};

/// The longest `Sec-WebSocket-Key` taken where any key will do: 256 bytes. A real one has 24.
///
/// Protects the hash from being fed a whole request head; a longer key is the client's fault.
pub const LENIENT_KEY_BYTES_MAX: usize = 256;

/// The value of `Sec-WebSocket-Key` that a client sends: 16 bytes in base64 (RFC 6455 §4.1, §11.3.1).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key([u8; 24]);

impl Key {
    /// Encodes `nonce`, which must be random and fresh for each connection (RFC 6455 §4.1, item 7).
    pub(crate) fn from_nonce(nonce: [u8; 16]) -> Self {
        Self(encode(nonce))
    }

    /// The value for the wire, 24 characters.
    pub(crate) fn as_str(&self) -> &str {
        ascii(&self.0)
    }

    /// The only `Sec-WebSocket-Accept` that answers this key.
    pub(crate) fn accept(&self) -> AcceptKey {
        AcceptKey::from_key(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.as_str()).finish()
    }
}

/// The value of `Sec-WebSocket-Accept`: a digest of the client's key (RFC 6455 §4.2.2, §11.3.3).
///
/// It proves that the server read the key and speaks this protocol. It is no secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AcceptKey([u8; 28]);

impl AcceptKey {
    /// Answers `key`, the bytes between the blanks of the field, whether or not it is well-formed.
    pub fn from_key(key: &[u8]) -> Self {
        let digest: [u8; 20] = Sha1::new().chain_update(key).chain_update(GUID).finalize().into();
        Self(encode(digest))
    }

    /// The value for the wire, 28 characters.
    pub fn as_str(&self) -> &str {
        ascii(&self.0)
    }
}

impl fmt::Debug for AcceptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AcceptKey").field(&self.as_str()).finish()
    }
}

/// Whether the key decodes to 16 bytes.
///
/// The bits that 16 bytes leave over in the last digit may be set: RFC 6455 §1.3 gives a key of that kind as
/// an example.
pub(super) fn is_valid_key(key: &[u8]) -> bool {
    // The decoder wants room for the 18 bytes that 24 characters could hold, before it looks at the padding.
    let mut nonce = [0; 18];
    LOOSE.decode_slice(key, &mut nonce) == Ok(16)
}

/// Whether the key may stand where the rules are lenient: visible ASCII, at most [`LENIENT_KEY_BYTES_MAX`].
pub(super) fn is_tolerable_key(key: &[u8]) -> bool {
    (1..=LENIENT_KEY_BYTES_MAX).contains(&key.len()) && key.iter().all(u8::is_ascii_graphic)
}

fn encode<const BYTES: usize, const CHARS: usize>(bytes: [u8; BYTES]) -> [u8; CHARS] {
    let mut text = [0; CHARS];
    let written = LOOSE.encode_slice(bytes, &mut text).expect("the text has room for the encoding");
    debug_assert_eq!(written, CHARS, "the encoding fills the text");
    text
}

fn ascii(text: &[u8]) -> &str {
    str::from_utf8(text).expect("base64 is ASCII")
}

/// Appended to the key before it is hashed (RFC 6455 §1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Standard alphabet with padding; decodes whatever the leftover bits are.
const LOOSE: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn the_examples_of_the_rfc() {
        let key = Key::from_nonce(*b"the sample nonce");
        assert_eq!(key.as_str(), "dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(key.accept().as_str(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(format!("{key:?}"), "Key(\"dGhlIHNhbXBsZSBub25jZQ==\")");

        let counted = Key::from_nonce([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
        assert_eq!(counted.as_str(), "AQIDBAUGBwgJCgsMDQ4PEA==");
    }

    #[test]
    fn a_key_is_valid_if_16_bytes_come_out() {
        let table = [
            ("dGhlIHNhbXBsZSBub25jZQ==", true),
            ("AQIDBAUGBwgJCgsMDQ4PEC==", true),
            ("AAAAAAAAAAAAAAAAAAAAAA==", true),
            ("", false),
            ("AQIDBAUGBwgJCgsMDQ4P", false),
            ("AQIDBAUGBwgJCgsMDQ4PEBE=", false),
            ("AQIDBAUGBwgJCgsMDQ4PEBES", false),
            ("AQIDBAUGBwgJCgsMDQ4PEA", false),
            ("AQIDBAUGBwgJCgsMDQ4PEA=", false),
            ("AQIDBAUGBwgJCgsMDQ4PEA===", false),
            ("__________________-___==", false),
            ("dGhlIHNhbXBs SBub25jZQ==", false),
            ("AQIDBAUG====", false),
            ("========================", false),
        ];
        for (key, valid) in table {
            assert_eq!(is_valid_key(key.as_bytes()), valid, "{key}");
        }
    }

    #[test]
    fn a_lenient_key_is_visible_and_bounded() {
        assert!(is_tolerable_key(b"AQIDBAUGBwg="));
        assert!(is_tolerable_key(&[b'x'; LENIENT_KEY_BYTES_MAX]));
        assert!(!is_tolerable_key(&[b'x'; LENIENT_KEY_BYTES_MAX + 1]));
        for bad in [b"".as_slice(), b"a b", b"a\x7f", b"\xc3\xa9", b"a\0"] {
            assert!(!is_tolerable_key(bad), "{}", bad.escape_ascii());
        }
    }
}

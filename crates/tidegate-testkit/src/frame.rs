//! Frames as bytes (RFC 6455 §5.2): what a test sends, legal or not, and a strict reader for what it receives.

use std::fmt;

/// The opcodes of RFC 6455 §5.2.
pub mod opcode {
    /// The next part of a message.
    pub const CONTINUATION: u8 = 0;
    /// A text message or its first part.
    pub const TEXT: u8 = 1;
    /// A binary message or its first part.
    pub const BINARY: u8 = 2;
    /// The closing handshake.
    pub const CLOSE: u8 = 8;
    /// Asks for a pong.
    pub const PING: u8 = 9;
    /// Answers a ping.
    pub const PONG: u8 = 10;
}

/// One frame. Made unmasked and final, as a server sends it; [`masked`](Self::masked) makes it a client's.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    /// Last frame of its message.
    pub fin: bool,
    /// RSV1, RSV2 and RSV3 as bits 2, 1 and 0.
    pub reserved: u8,
    /// What it is; see [`opcode`].
    pub opcode: u8,
    /// The masking key.
    pub mask: Option<[u8; 4]>,
    /// The payload, unmasked.
    pub payload: Vec<u8>,
}

impl Frame {
    /// A final frame of this kind.
    pub fn new(opcode: u8, payload: impl AsRef<[u8]>) -> Self {
        Self { fin: true, reserved: 0, opcode, mask: None, payload: payload.as_ref().to_vec() }
    }

    /// A text message in one frame.
    pub fn text(payload: impl AsRef<[u8]>) -> Self {
        Self::new(opcode::TEXT, payload)
    }

    /// A binary message in one frame.
    pub fn binary(payload: impl AsRef<[u8]>) -> Self {
        Self::new(opcode::BINARY, payload)
    }

    /// The last frame of a fragmented message.
    pub fn continuation(payload: impl AsRef<[u8]>) -> Self {
        Self::new(opcode::CONTINUATION, payload)
    }

    /// A ping.
    pub fn ping(payload: impl AsRef<[u8]>) -> Self {
        Self::new(opcode::PING, payload)
    }

    /// A pong.
    pub fn pong(payload: impl AsRef<[u8]>) -> Self {
        Self::new(opcode::PONG, payload)
    }

    /// A Close with code and reason.
    pub fn close(code: u16, reason: &str) -> Self {
        let mut payload = code.to_be_bytes().to_vec();
        payload.extend_from_slice(reason.as_bytes());
        Self::new(opcode::CLOSE, payload)
    }

    /// A Close without a body.
    pub fn close_empty() -> Self {
        Self::new(opcode::CLOSE, [])
    }

    /// With the masking key 0, so that the payload stays readable on the wire.
    #[must_use]
    pub fn masked(self) -> Self {
        self.masked_with([0; 4])
    }

    /// With this masking key.
    #[must_use]
    pub fn masked_with(self, key: [u8; 4]) -> Self {
        Self { mask: Some(key), ..self }
    }

    /// Without the masking key: what the other side of a relay would send on.
    #[must_use]
    pub fn unmasked(self) -> Self {
        Self { mask: None, ..self }
    }

    /// With FIN clear: more of the message is to come.
    #[must_use]
    pub fn unfinished(self) -> Self {
        Self { fin: false, ..self }
    }

    /// With these reserved bits.
    #[must_use]
    pub fn reserved(self, reserved: u8) -> Self {
        Self { reserved, ..self }
    }

    /// Its bytes, with the length in its shortest form.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.encode_header(self.payload.len() as u64);
        let header_len = bytes.len();
        bytes.extend(&self.payload);
        toggle_mask(self.mask, &mut bytes[header_len..]);
        bytes
    }

    /// The bytes of its header alone, declaring this length of payload.
    pub fn encode_header(&self, len: u64) -> Vec<u8> {
        let mut bytes = vec![u8::from(self.fin) << 7 | self.reserved << 4 | self.opcode];
        let masked = u8::from(self.mask.is_some()) << 7;
        match (u8::try_from(len), u16::try_from(len)) {
            (Ok(short), _) if short < 126 => bytes.push(masked | short),
            (_, Ok(medium)) => {
                bytes.push(masked | 126);
                bytes.extend(medium.to_be_bytes());
            }
            (_, Err(_)) => {
                bytes.push(masked | 127);
                bytes.extend(len.to_be_bytes());
            }
        }
        bytes.extend(self.mask.into_iter().flatten());
        bytes
    }

    /// The whole frame at the front of `bytes` and its length, or `None` if more bytes are needed.
    ///
    /// # Panics
    /// The length is not in its shortest form.
    pub fn parse(bytes: &[u8]) -> Option<(Self, usize)> {
        let [first, second, rest @ ..] = bytes else {
            return None;
        };
        let short = second & 0x7f;
        let (len, rest) = match short {
            126 => rest
                .split_first_chunk::<2>()
                .map(|(len, rest)| (u64::from(u16::from_be_bytes(*len)), rest))?,
            127 => rest.split_first_chunk::<8>().map(|(len, rest)| (u64::from_be_bytes(*len), rest))?,
            short => (u64::from(short), rest),
        };
        let shortest = match short {
            126 => len > 125,
            127 => len > 0xffff,
            _ => true,
        };
        assert!(
            shortest,
            "the length {len} is not in its shortest form: {:02x?}",
            &bytes[..bytes.len().min(14)]
        );
        let (mask, rest) = if second & 0x80 == 0 {
            (None, rest)
        } else {
            rest.split_first_chunk::<4>().map(|(key, rest)| (Some(*key), rest))?
        };
        let payload = rest.get(..usize::try_from(len).ok()?)?;
        let mut frame = Self {
            fin: first & 0x80 != 0,
            reserved: first >> 4 & 7,
            opcode: first & 15,
            mask,
            payload: payload.to_vec(),
        };
        toggle_mask(mask, &mut frame.payload);
        Some((frame, bytes.len() - rest.len() + payload.len()))
    }

    /// All frames in `bytes`.
    ///
    /// # Panics
    /// They do not end with a whole frame.
    #[track_caller]
    pub fn parse_all(mut bytes: &[u8]) -> Vec<Self> {
        let mut frames = Vec::new();
        while !bytes.is_empty() {
            let (frame, len) =
                Self::parse(bytes).unwrap_or_else(|| panic!("a frame was cut: {:02x?}", head_of(bytes)));
            frames.push(frame);
            bytes = &bytes[len..];
        }
        frames
    }

    /// Whether it is a Close, Ping or Pong.
    pub fn is_control(&self) -> bool {
        self.opcode & 8 != 0
    }

    /// The code of a Close; `None` for a Close without body.
    ///
    /// # Panics
    /// It is no Close.
    #[track_caller]
    pub fn close_code(&self) -> Option<u16> {
        assert_eq!(self.opcode, opcode::CLOSE, "no Close: {self:?}");
        self.payload.first_chunk().map(|code| u16::from_be_bytes(*code))
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.opcode {
            opcode::CONTINUATION => "continuation",
            opcode::TEXT => "text",
            opcode::BINARY => "binary",
            opcode::CLOSE => "close",
            opcode::PING => "ping",
            opcode::PONG => "pong",
            _ => "unknown",
        };
        write!(f, "{name}({})", self.opcode)?;
        for (set, word) in
            [(!self.fin, " unfinished"), (self.reserved != 0, " reserved"), (self.mask.is_some(), " masked")]
        {
            f.write_str(if set { word } else { "" })?;
        }
        write!(f, " {} bytes \"{}\"", self.payload.len(), head_of(&self.payload).escape_ascii())
    }
}

/// Masks a payload, or unmasks it (RFC 6455 §5.3).
fn toggle_mask(key: Option<[u8; 4]>, payload: &mut [u8]) {
    let Some(key) = key else { return };
    for (byte, key) in payload.iter_mut().zip(key.into_iter().cycle()) {
        *byte ^= key;
    }
}

/// Enough of `bytes` for a message to a human being.
fn head_of(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(32)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_6455() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        assert_eq!(Frame::text("Hello").encode(), b"\x81\x05Hello");
        assert_eq!(
            Frame::text("Hello").masked_with(key).encode(),
            b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"
        );
        assert_eq!(Frame::text("Hel").unfinished().encode(), b"\x01\x03Hel");
        assert_eq!(Frame::binary([0; 256]).encode_header(256), b"\x82\x7e\x01\x00");
        assert_eq!(Frame::binary([]).encode_header(65536), b"\x82\x7f\0\0\0\0\0\x01\0\0");
        assert_eq!(Frame::close(1000, "bye").encode(), b"\x88\x05\x03\xe8bye");
    }

    #[test]
    fn what_is_encoded_is_read_back() {
        let frames = [
            Frame::ping("a").masked_with([1, 2, 3, 4]),
            Frame::binary([7; 70_000]).unfinished(),
            Frame::continuation([8; 126]).reserved(4).masked(),
        ];
        let bytes: Vec<u8> = frames.iter().flat_map(Frame::encode).collect();
        assert_eq!(Frame::parse_all(&bytes), frames);
        assert_eq!(Frame::parse(&bytes[..6]), None);
    }
}

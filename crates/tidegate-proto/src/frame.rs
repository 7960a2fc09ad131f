//! The frame header on the wire (RFC 6455 §5.2), as pure functions.

use crate::{MaskingKey, Violation};

/// Bytes of the longest frame header.
pub const HEADER_BYTES_MAX: usize = 14;

/// Payload bytes of the longest control frame (§5.5).
pub const CONTROL_PAYLOAD_MAX: usize = 125;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// The next part of a fragmented message.
    Continuation = 0,
    /// A text message, or its first part.
    Text = 1,
    /// A binary message, or its first part.
    Binary = 2,
    /// The closing handshake.
    Close = 8,
    /// Asks for a Pong with the same payload.
    Ping = 9,
    /// Answers a Ping, or is sent unasked.
    Pong = 10,
}

impl Opcode {
    /// Whether it is Close, Ping or Pong.
    pub const fn is_control(self) -> bool {
        self as u8 & 8 != 0
    }

    const fn from_nibble(nibble: u8) -> Result<Self, Violation> {
        Ok(match nibble {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            unknown => return Err(Violation::UnknownOpcode(unknown)),
        })
    }
}

/// A frame header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// Whether this is the last frame of its message; always set on control frames.
    pub fin: bool,
    /// RSV1, RSV2 and RSV3 as bits 2, 1 and 0.
    pub reserved: u8,
    /// What the frame is.
    pub opcode: Opcode,
    /// The masking key; a client's frames have one, a server's have none (§5.1).
    pub mask: Option<MaskingKey>,
    /// Payload bytes; below 2⁶³.
    pub payload_len: u64,
}

impl FrameHeader {
    /// The header at the front of `bytes` and its length, or `None` if more bytes are needed.
    ///
    /// Each rule is checked as soon as the bytes that decide it are there. Reserved bits, the presence of a mask and
    /// limits are not judged here: they depend on the connection, and are [`Decoder`](crate::Decoder)'s duty.
    ///
    /// # Errors
    /// Unknown opcode, fragmented or long control frame, length not minimal or with its top bit set: the peer's fault.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, Violation> {
        let Some((&first_bytes, rest)) = bytes.split_first_chunk() else {
            return Ok(None);
        };
        let start = HeaderStart::parse(first_bytes)?;
        let Some((payload_len, rest)) = start.payload_len(rest)? else {
            return Ok(None);
        };
        let Some((mask, rest)) = start.mask(rest) else {
            return Ok(None);
        };
        let HeaderStart { fin, reserved, opcode, .. } = start;
        Ok(Some((Self { fin, reserved, opcode, mask, payload_len }, bytes.len() - rest.len())))
    }

    /// A header without reserved bits and without a mask, as a server sends it.
    pub const fn unmasked(fin: bool, opcode: Opcode, payload_len: u64) -> Self {
        Self { fin, reserved: 0, opcode, mask: None, payload_len }
    }

    /// Its bytes, with the length in its shortest form.
    #[inline]
    pub fn encode(&self) -> HeaderBytes {
        let mut out = HeaderBytes { bytes: [0; HEADER_BYTES_MAX], len: 0 };
        out.push(&[u8::from(self.fin) << 7 | (self.reserved & 7) << 4 | self.opcode as u8]);
        let masked = u8::from(self.mask.is_some()) << 7;
        match (u8::try_from(self.payload_len), u16::try_from(self.payload_len)) {
            (Ok(len), _) if len < 126 => out.push(&[masked | len]),
            (_, Ok(len)) => {
                out.push(&[masked | 126]);
                out.push(&len.to_be_bytes());
            }
            (_, Err(_)) => {
                out.push(&[masked | 127]);
                out.push(&(self.payload_len & !(1 << 63)).to_be_bytes());
            }
        }
        if let Some(key) = self.mask {
            out.push(&key.to_bytes());
        }
        out
    }
}

/// What the first two bytes of a header say; the rest is read when it is there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeaderStart {
    pub(crate) fin: bool,
    /// As in [`FrameHeader`].
    pub(crate) reserved: u8,
    pub(crate) opcode: Opcode,
    masked: bool,
    /// The payload length, or 126 or 127: it follows in 2 or 8 bytes.
    short_len: u8,
}

impl HeaderStart {
    #[inline]
    pub(crate) fn parse([first, second]: [u8; 2]) -> Result<Self, Violation> {
        let fin = first & 0x80 != 0;
        let opcode = Opcode::from_nibble(first & 0x0f)?;
        let short_len = second & 0x7f;
        if opcode.is_control() {
            if !fin {
                return Err(Violation::ControlFragmented);
            }
            if short_len > 125 {
                return Err(Violation::ControlTooLong);
            }
        }
        Ok(Self { fin, reserved: first >> 4 & 7, opcode, masked: second & 0x80 != 0, short_len })
    }

    /// The payload length from what follows the first two bytes, and what is left of that.
    #[inline]
    pub(crate) fn payload_len<'a>(&self, rest: &'a [u8]) -> Result<Option<(u64, &'a [u8])>, Violation> {
        match self.short_len {
            126 => match rest.split_first_chunk() {
                None => Ok(None),
                Some((&len, rest)) => match u16::from_be_bytes(len) {
                    0..126 => Err(Violation::LengthNotMinimal),
                    len => Ok(Some((u64::from(len), rest))),
                },
            },
            127 => match rest.split_first_chunk() {
                None => Ok(None),
                Some((&len, rest)) => match u64::from_be_bytes(len) {
                    0..0x1_0000 => Err(Violation::LengthNotMinimal),
                    len if len >> 63 != 0 => Err(Violation::LengthTopBit),
                    len => Ok(Some((len, rest))),
                },
            },
            short => Ok(Some((u64::from(short), rest))),
        }
    }

    /// The masking key from what follows the payload length, and what is left of that.
    #[inline]
    pub(crate) fn mask<'a>(&self, rest: &'a [u8]) -> Option<(Option<MaskingKey>, &'a [u8])> {
        if self.masked {
            let (&key, rest) = rest.split_first_chunk()?;
            Some((Some(MaskingKey::new(key)), rest))
        } else {
            Some((None, rest))
        }
    }
}

/// The bytes of an encoded frame header: 2 to 14.
#[derive(Debug, Clone, Copy)]
pub struct HeaderBytes {
    bytes: [u8; HEADER_BYTES_MAX],
    len: u8,
}

impl HeaderBytes {
    /// The bytes.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    #[inline]
    fn push(&mut self, more: &[u8]) {
        for (slot, byte) in self.bytes.iter_mut().skip(usize::from(self.len)).zip(more) {
            *slot = *byte;
            self.len += 1;
        }
    }
}

/// The bytes of a whole Ping, Pong or Close frame.
#[derive(Debug, Clone, Copy)]
pub struct ControlFrame {
    bytes: [u8; Self::BYTES_MAX],
    len: u8,
}

impl ControlFrame {
    /// Bytes of the longest control frame.
    pub const BYTES_MAX: usize = 2 + 4 + CONTROL_PAYLOAD_MAX;

    /// A control frame; `mask` is a fresh, unpredictable key for a client and `None` for a server.
    ///
    /// `payload` beyond 125 bytes is cut off. Of a Close, use [`Close::frame`](crate::Close::frame).
    pub fn new(opcode: Opcode, payload: &[u8], mask: Option<MaskingKey>) -> Self {
        let payload = payload.get(..CONTROL_PAYLOAD_MAX).unwrap_or(payload);
        let header = FrameHeader { fin: true, reserved: 0, opcode, mask, payload_len: payload.len() as u64 };
        let encoded = header.encode();
        let mut frame = Self { bytes: [0; Self::BYTES_MAX], len: 0 };
        let (head, body) = frame.bytes.split_at_mut(encoded.as_slice().len());
        head.copy_from_slice(encoded.as_slice());
        for (slot, byte) in body.iter_mut().zip(payload) {
            *slot = *byte;
        }
        if let (Some(mut key), Some(body)) = (mask, body.get_mut(..payload.len())) {
            key.apply(body);
        }
        frame.len = u8::try_from(head.len() + payload.len()).unwrap_or(u8::MAX);
        frame
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// The same frame with a mask, if it has none yet and `mask` gives one.
    #[must_use]
    pub(crate) fn masked(&self, mask: Option<MaskingKey>) -> Self {
        match (mask, FrameHeader::parse(self.as_slice())) {
            (Some(_), Ok(Some((header, len)))) if header.mask.is_none() => {
                Self::new(header.opcode, self.as_slice().get(len..).unwrap_or_default(), mask)
            }
            _ => *self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_violation_is_found_as_soon_as_its_bytes_are_there() {
        for (bytes, violation) in [
            (&b"\x83\x00"[..], Violation::UnknownOpcode(3)),
            (b"\x8f\xff", Violation::UnknownOpcode(15)),
            (b"\x09\x80", Violation::ControlFragmented),
            (b"\x89\xfe", Violation::ControlTooLong),
            (b"\x82\xfe\x00\x7d", Violation::LengthNotMinimal),
            (b"\x82\xff\x00\x00\x00\x00\x00\x00\xff\xff", Violation::LengthNotMinimal),
            (b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xfc", Violation::LengthTopBit),
        ] {
            assert_eq!(FrameHeader::parse(bytes), Err(violation), "{bytes:x?}");
            assert_eq!(FrameHeader::parse(&bytes[..bytes.len() - 1]), Ok(None), "{bytes:x?} less one");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!((HEADER_BYTES_MAX, ControlFrame::BYTES_MAX, crate::CARRY_BYTES_MAX), (14, 131, 139));
    }

    #[test]
    fn each_length_has_its_shortest_form() {
        for (payload_len, header_len) in
            [(0, 2), (125, 2), (126, 4), (0xffff, 4), (0x1_0000, 10), (u64::MAX >> 1, 10)]
        {
            let header = FrameHeader::unmasked(true, Opcode::Binary, payload_len);
            let bytes = header.encode();
            assert_eq!(bytes.as_slice().len(), header_len, "{payload_len}");
            assert_eq!(FrameHeader::parse(bytes.as_slice()), Ok(Some((header, header_len))));
        }
    }

    #[test]
    fn the_top_bit_of_a_length_is_never_written() {
        let encoded = FrameHeader::unmasked(true, Opcode::Binary, u64::MAX).encode();
        let (header, _) = FrameHeader::parse(encoded.as_slice()).unwrap().unwrap();
        assert_eq!(header.payload_len, u64::MAX >> 1);
    }

    #[test]
    fn a_control_frame_is_masked_once() {
        let [one, other] = [[1, 2, 3, 4], [5, 6, 7, 8]].map(|key| Some(MaskingKey::new(key)));
        let plain = ControlFrame::new(Opcode::Ping, b"ping", None);
        let masked = ControlFrame::new(Opcode::Ping, b"ping", one);
        assert_eq!(plain.masked(None).as_slice(), plain.as_slice());
        assert_eq!(plain.masked(one).as_slice(), masked.as_slice());
        assert_eq!(masked.masked(other).as_slice(), masked.as_slice());
    }

    proptest! {
        #[test]
        fn encode_then_parse_is_identity(
            fin: bool, reserved in 0u8..8, data_opcode in 0u8..3, key: Option<[u8; 4]>,
            payload_len in prop_oneof![0u64..300, 65_000u64..66_000, 0..u64::MAX >> 1],
        ) {
            let header = FrameHeader {
                fin, reserved, opcode: Opcode::from_nibble(data_opcode).unwrap(),
                mask: key.map(MaskingKey::new), payload_len,
            };
            let encoded = header.encode();
            prop_assert_eq!(FrameHeader::parse(encoded.as_slice()), Ok(Some((header, encoded.as_slice().len()))));
            for cut in 0..encoded.as_slice().len() {
                prop_assert_eq!(FrameHeader::parse(&encoded.as_slice()[..cut]), Ok(None));
            }
        }
    }
}

//! One direction of a connection: received bytes become parts of messages.

use super::{Coding, END, TEXT, Violation, base64::Base64, violation::bytes_max};
use crate::{Limits, Utf8};

/// What was received, decoded and checked.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// The next bytes of a message. Parts may be empty, and follow the wire: their boundaries mean nothing.
    Data {
        /// The bytes; with [`Coding::Text`], every part that was handed out so far is valid up to a cut code point.
        payload: &'a mut [u8],
        /// This is the first part of the message.
        starts_message: bool,
        /// This is the last part of the message.
        ends_message: bool,
    },
    /// A part of a frame that has no meaning. Where the peer may not send them without end, count those that end.
    Discarded {
        /// The frame ends here.
        ends_frame: bool,
    },
    /// The closing handshake. One is owed in answer; whatever follows is discarded.
    Close,
}

/// The state of one direction: what the frame under way is, and how much of it has been seen.
///
/// Nothing is allocated, and no byte is ever left over: what was decoded is consumed, whatever the split.
///
/// With the feature `serde` the state can be written down between any two bytes, and taken up by another process.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "super::written::Reading", into = "super::written::Reading"))]
pub struct Decoder {
    pub(super) bytes_max: u64,
    pub(super) state: State,
    pub(super) content: Content,
    pub(super) failed: Option<Violation>,
}

#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum State {
    /// Between two frames.
    Boundary,
    /// In a message; how many bytes of it were seen.
    Message { seen: u64 },
    /// In a frame of unknown type that a byte will end.
    Unknown { seen: u64 },
    /// In the length of a frame.
    Length(Length),
    /// The rest of a frame is to be discarded.
    Skip { left: u64 },
    /// The closing frame was seen.
    Closed,
}

/// A length whose last byte was not seen yet.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Length {
    pub(super) value: u64,
    pub(super) digits: u8,
    /// The type is the one that, with length 0, closes.
    closes: bool,
}

/// How the message under way is read.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum Content {
    Text(Utf8),
    Base64(Base64),
}

impl Decoder {
    /// A decoder at the start of a connection. A frame is a message, so of the limits the smaller of
    /// [`frame_bytes_max`](Limits::frame_bytes_max) and [`message_bytes_max`](Limits::message_bytes_max) holds, for
    /// bytes as they are on the wire and for frames that are discarded too.
    pub fn new(coding: Coding, limits: Limits) -> Self {
        let content = match coding {
            Coding::Text => Content::Text(Utf8::new()),
            Coding::Base64 => Content::Base64(Base64::default()),
        };
        Self { bytes_max: bytes_max(limits), state: State::Boundary, content, failed: None }
    }

    /// What its messages are made of.
    pub const fn coding(&self) -> Coding {
        match self.content {
            Content::Text(_) => Coding::Text,
            Content::Base64(_) => Coding::Base64,
        }
    }

    /// Whether everything consumed so far ends between two frames.
    pub const fn at_frame_boundary(&self) -> bool {
        matches!(self.state, State::Boundary | State::Closed)
    }

    /// Takes the next event from the front of `bytes`; `None` if there are none.
    ///
    /// Payload is decoded in place, so a part of `bytes` that was consumed must not be given again. The payload of an
    /// event is always the end of what it consumed.
    ///
    /// # Errors
    /// The peer's fault, and final: every later call fails alike.
    pub fn decode<'a>(&mut self, bytes: &'a mut [u8]) -> Result<Option<(usize, Event<'a>)>, Violation> {
        if let Some(violation) = self.failed {
            return Err(violation);
        }
        let Some(&first) = bytes.first() else {
            return Ok(None);
        };
        let decoded = match self.state {
            State::Boundary => self.begin_frame(first, bytes),
            State::Message { seen } => self.message(bytes, 0, seen),
            State::Unknown { seen } => self.unknown(bytes, 0, seen),
            State::Length(length) => self.length(bytes, 0, length),
            State::Skip { left } => Ok(self.skip(bytes, 0, left)),
            State::Closed => Ok((bytes.len(), Event::Discarded { ends_frame: false })),
        };
        match decoded {
            Ok(decoded) => Ok(Some(decoded)),
            Err(violation) => {
                self.failed = Some(violation);
                Err(violation)
            }
        }
    }

    fn begin_frame<'a>(&mut self, first: u8, bytes: &'a mut [u8]) -> Result<(usize, Event<'a>), Violation> {
        match first {
            TEXT => self.message(bytes, 1, 0),
            0x01..=0x7f => self.unknown(bytes, 1, 0),
            0x80..=0xff => self.length(bytes, 1, Length { value: 0, digits: 0, closes: first == 0xff }),
        }
    }

    /// Text behind `header_len` bytes, up to and with the byte that ends it.
    fn message<'a>(
        &mut self,
        bytes: &'a mut [u8],
        header_len: usize,
        seen: u64,
    ) -> Result<(usize, Event<'a>), Violation> {
        let (header, rest) = bytes.split_at_mut(header_len);
        let end = position_of_end(rest);
        let len = end.unwrap_or(rest.len());
        // What is beyond the limit is not looked at: which of two violations is found must not depend on the split.
        let allowed = self.allowed(seen, len);
        let (text, _) = rest.split_at_mut(allowed);
        let decoded = self.content.read(text)?;
        if allowed < len {
            return Err(Violation::TooBig);
        }
        if end.is_some() {
            self.content.finish()?;
        }
        self.state = if end.is_some() { State::Boundary } else { State::Message { seen: seen + len as u64 } };
        let consumed = len + usize::from(end.is_some());
        let start = consumed - decoded;
        if start > 0 {
            rest.copy_within(..decoded, start);
        }
        let (_, payload) = rest.split_at_mut(start);
        let (payload, _) = payload.split_at_mut(decoded);
        let starts_message = !header.is_empty();
        Ok((header_len + consumed, Event::Data { payload, starts_message, ends_message: end.is_some() }))
    }

    fn unknown<'a>(
        &mut self,
        bytes: &'a [u8],
        header_len: usize,
        seen: u64,
    ) -> Result<(usize, Event<'a>), Violation> {
        let (_, rest) = bytes.split_at(header_len);
        let end = position_of_end(rest);
        let len = end.unwrap_or(rest.len());
        if self.allowed(seen, len) < len {
            return Err(Violation::TooBig);
        }
        self.state = if end.is_some() { State::Boundary } else { State::Unknown { seen: seen + len as u64 } };
        let consumed = header_len + len + usize::from(end.is_some());
        Ok((consumed, Event::Discarded { ends_frame: end.is_some() }))
    }

    /// How many of `len` bytes more the limit allows in a frame of which `seen` were seen.
    fn allowed(&self, seen: u64, len: usize) -> usize {
        usize::try_from(self.bytes_max - seen).map_or(len, |left| left.min(len))
    }

    fn length<'a>(
        &mut self,
        bytes: &'a [u8],
        header_len: usize,
        mut length: Length,
    ) -> Result<(usize, Event<'a>), Violation> {
        let (_, rest) = bytes.split_at(header_len);
        for (index, digit) in rest.iter().enumerate() {
            length.digits += 1;
            if length.digits > LENGTH_BYTES_MAX {
                return Err(Violation::LengthTooLong);
            }
            length.value = length.value << 7 | u64::from(digit & 0x7f);
            if length.value > self.bytes_max {
                return Err(Violation::TooBig);
            }
            if digit & 0x80 == 0 {
                let header_len = header_len + index + 1;
                if length.closes && length.value == 0 {
                    self.state = State::Closed;
                    return Ok((header_len, Event::Close));
                }
                return Ok(self.skip(bytes, header_len, length.value));
            }
        }
        self.state = State::Length(length);
        Ok((bytes.len(), Event::Discarded { ends_frame: false }))
    }

    fn skip<'a>(&mut self, bytes: &'a [u8], header_len: usize, left: u64) -> (usize, Event<'a>) {
        let available = bytes.len() - header_len;
        let skipped = usize::try_from(left).map_or(available, |left| left.min(available));
        let left = left - skipped as u64;
        self.state = if left == 0 { State::Boundary } else { State::Skip { left } };
        (header_len + skipped, Event::Discarded { ends_frame: left == 0 })
    }
}

impl Content {
    /// Checks the next bytes of a message, and returns how many decoded ones stand at their front now.
    fn read(&mut self, text: &mut [u8]) -> Result<usize, Violation> {
        match self {
            Self::Text(utf8) => utf8.check(text).map(|()| text.len()).map_err(|_| Violation::InvalidUtf8),
            Self::Base64(base64) => base64.decode(text),
        }
    }

    fn finish(&mut self) -> Result<(), Violation> {
        match self {
            Self::Text(utf8) => utf8.finish().map_err(|_| Violation::InvalidUtf8),
            Self::Base64(base64) => base64.finish(),
        }
    }
}

/// Looks at whole blocks first, which the compiler makes a few instructions of.
fn position_of_end(bytes: &[u8]) -> Option<usize> {
    let (blocks, _) = bytes.as_chunks::<64>();
    let has_none = |block: &&[u8; 64]| !block.iter().fold(false, |found, &byte| found | (byte == END));
    let start = blocks.iter().take_while(has_none).count() * 64;
    let rest = bytes.get(start..)?;
    rest.iter().position(|&byte| byte == END).map(|at| start + at)
}

/// Bytes of the longest length: 63 bits, so that no value overflows.
pub(super) const LENGTH_BYTES_MAX: u8 = 9;

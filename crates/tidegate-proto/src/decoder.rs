//! One direction of a connection: received bytes become frames, fragments become chunks of messages (RFC 6455 §5).

use crate::frame::{CONTROL_PAYLOAD_MAX, FrameHeader, HEADER_BYTES_MAX, Opcode};
use crate::{Close, Limits, MaskingKey, Utf8, Violation};

/// Bytes that [`Decoder`] may leave unconsumed: less than a control frame with the longest payload.
pub const CARRY_BYTES_MAX: usize = HEADER_BYTES_MAX + CONTROL_PAYLOAD_MAX;

/// Which end of the connection we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// We read a client's frames, which must be masked (§5.1).
    Server,
    /// We read a server's frames, which must not be.
    Client,
}

/// What the negotiated extensions make of the reserved bits (§5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reserved {
    /// No extension: none may be set.
    #[default]
    None,
    /// permessage-deflate: RSV1 may be set on the first frame of a data message (RFC 7692 §6).
    PermessageDeflate,
    /// An extension that only the two endpoints understand: any may be set, on any frame.
    Any,
}

/// Type of a data message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageType {
    /// UTF-8 text.
    Text,
    /// Bytes.
    Binary,
}

/// A part of the received bytes: a header, payload, or both; a control frame always whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Bytes of frame header at the front; 0 where payload goes on.
    pub header_len: usize,
    /// Bytes of payload after them.
    pub payload_len: usize,
    /// The key for this payload, aligned to its first byte.
    pub mask: Option<MaskingKey>,
    /// What it is a part of.
    pub kind: StepKind,
}

impl Step {
    /// Header and payload together.
    pub const fn len(&self) -> usize {
        self.header_len + self.payload_len
    }

    /// Never: a step consumes something.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a [`Step`] is a part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepKind {
    /// A data frame.
    Data {
        /// The type of the message.
        message: MessageType,
        /// RSV1 was set on the first frame of the message.
        rsv1: bool,
        /// The message begins with this step.
        starts_message: bool,
        /// The frame ends with this step.
        ends_frame: bool,
        /// The message ends with this step.
        ends_message: bool,
    },
    /// A whole Ping.
    Ping,
    /// A whole Pong.
    Pong,
    /// A whole Close.
    Close,
}

/// What was received, unmasked and checked.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// The next bytes of a message. Chunks may be empty, and follow the wire: their boundaries mean nothing.
    Data {
        /// The type of the message.
        message: MessageType,
        /// The bytes; of text, every chunk that was handed out so far is valid up to a cut code point.
        payload: &'a mut [u8],
        /// RSV1 was set on the first frame: the message is compressed, and text was not checked.
        rsv1: bool,
        /// This is the first chunk of the message.
        starts_message: bool,
        /// This is the last chunk of its frame.
        ends_frame: bool,
        /// This is the last chunk of the message.
        ends_message: bool,
    },
    /// A Pong with the same payload is owed (§5.5.2).
    Ping(&'a [u8]),
    /// An answer to a Ping, or unsolicited.
    Pong(&'a [u8]),
    /// The closing handshake. What follows it must not be decoded.
    Close(Close<'a>),
}

/// The state of one direction: what is left of the frame and message under way, and the limits.
///
/// Time is constant per frame, plus one pass over the payload; nothing is allocated.
#[derive(Debug, Clone)]
pub struct Decoder {
    limits: Limits,
    /// Payload bytes of the frame under way that have not been seen.
    frame_left: u64,
    /// Payload bytes declared by the frames of the message under way.
    message_bytes: u64,
    fragments: u32,
    mask: Option<MaskingKey>,
    message: Option<MessageType>,
    utf8: Utf8,
    role: Role,
    reserved: Reserved,
    /// FIN of the frame under way.
    fin: bool,
    /// RSV1 of the first frame of the message under way.
    rsv1: bool,
    failed: Option<Violation>,
}

impl Decoder {
    /// A decoder at the start of a connection without extensions.
    pub const fn new(role: Role, limits: Limits) -> Self {
        Self {
            limits,
            frame_left: 0,
            message_bytes: 0,
            fragments: 0,
            mask: None,
            message: None,
            utf8: Utf8::new(),
            role,
            reserved: Reserved::None,
            fin: true,
            rsv1: false,
            failed: None,
        }
    }

    /// The same with what the negotiated extensions allow in the reserved bits.
    #[must_use]
    pub const fn with_reserved(mut self, reserved: Reserved) -> Self {
        self.reserved = reserved;
        self
    }

    /// Whether everything consumed so far ends between two frames.
    pub const fn at_frame_boundary(&self) -> bool {
        self.frame_left == 0
    }

    /// Whether everything consumed so far ends between two messages.
    pub const fn at_message_boundary(&self) -> bool {
        self.frame_left == 0 && self.message.is_none()
    }

    /// Takes the next event from the front of `bytes`; `None` if more bytes are needed.
    ///
    /// Payload is unmasked in place, so a part of `bytes` that was consumed must not be given again. The payload of an
    /// event is always the end of what it consumed.
    ///
    /// # Errors
    /// The peer's fault, and final: every later call fails alike.
    #[inline]
    pub fn decode<'a>(&mut self, bytes: &'a mut [u8]) -> Result<Option<(usize, Event<'a>)>, Violation> {
        let Some(step) = self.step(bytes)? else {
            return Ok(None);
        };
        let (_, payload) = bytes.split_at_mut(step.header_len);
        let (payload, _) = payload.split_at_mut(step.payload_len);
        if let Some(mut key) = step.mask {
            key.apply(payload);
        }
        let event = match step.kind {
            StepKind::Ping => Event::Ping(payload),
            StepKind::Pong => Event::Pong(payload),
            StepKind::Close => Event::Close(Close::parse(payload).map_err(|violation| self.fail(violation))?),
            StepKind::Data { message, rsv1, starts_message, ends_frame, ends_message } => {
                if message == MessageType::Text && !rsv1 {
                    self.check_text(payload, ends_message)?;
                }
                Event::Data { message, payload, rsv1, starts_message, ends_frame, ends_message }
            }
        };
        Ok(Some((step.len(), event)))
    }

    /// Like [`decode`](Self::decode), but looks at headers only and changes nothing: for an intermediary that passes
    /// the bytes on. Text and the bodies of Close frames are not checked.
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    #[inline]
    pub fn step(&mut self, bytes: &[u8]) -> Result<Option<Step>, Violation> {
        if let Some(violation) = self.failed {
            return Err(violation);
        }
        let result = if self.frame_left == 0 { self.begin_frame(bytes) } else { Ok(self.go_on(bytes)) };
        result.map_err(|violation| self.fail(violation))
    }

    fn begin_frame(&mut self, bytes: &[u8]) -> Result<Option<Step>, Violation> {
        self.check_first_bytes(bytes)?;
        let Some((header, header_len)) = FrameHeader::parse(bytes)? else {
            return Ok(None);
        };
        if header.payload_len > self.limits.frame_bytes_max {
            return Err(Violation::FrameTooBig);
        }
        let available = bytes.len() - header_len;
        let kind = match header.opcode {
            Opcode::Ping => StepKind::Ping,
            Opcode::Pong => StepKind::Pong,
            Opcode::Close => StepKind::Close,
            Opcode::Text => return self.begin_data(&header, header_len, available, Some(MessageType::Text)),
            Opcode::Binary => {
                return self.begin_data(&header, header_len, available, Some(MessageType::Binary));
            }
            Opcode::Continuation => return self.begin_data(&header, header_len, available, None),
        };
        match usize::try_from(header.payload_len) {
            Ok(payload_len) if payload_len <= available => {
                Ok(Some(Step { header_len, payload_len, mask: header.mask, kind }))
            }
            _ => Ok(None),
        }
    }

    /// What the first two bytes alone decide for this connection, before the rest of the header is there.
    fn check_first_bytes(&self, bytes: &[u8]) -> Result<(), Violation> {
        let [first, second, ..] = bytes else { return Ok(()) };
        let reserved_allowed = match self.reserved {
            Reserved::None => 0,
            Reserved::PermessageDeflate if matches!(first & 0x0f, 1 | 2) => 0x40,
            Reserved::PermessageDeflate => 0,
            Reserved::Any => 0x70,
        };
        if first & 0x70 & !reserved_allowed != 0 {
            return Err(Violation::ReservedBits);
        }
        match (self.role, second & 0x80 != 0) {
            (Role::Server, false) => Err(Violation::MaskMissing),
            (Role::Client, true) => Err(Violation::MaskUnexpected),
            (Role::Server, true) | (Role::Client, false) => Ok(()),
        }
    }

    fn begin_data(
        &mut self,
        header: &FrameHeader,
        header_len: usize,
        available: usize,
        starts: Option<MessageType>,
    ) -> Result<Option<Step>, Violation> {
        let message = match (starts, self.message) {
            (Some(message), None) => message,
            (None, Some(message)) => message,
            (Some(_), Some(_)) => return Err(Violation::MessageInterrupted),
            (None, None) => return Err(Violation::ContinuationWithoutStart),
        };
        if starts.is_some() {
            self.message_bytes = 0;
            self.fragments = 0;
            self.rsv1 = header.reserved & 4 != 0;
        }
        if self.fragments >= self.limits.fragments_max {
            return Err(Violation::TooManyFragments);
        }
        if header.payload_len > self.limits.message_bytes_max - self.message_bytes {
            return Err(Violation::MessageTooBig);
        }
        self.fragments = self.fragments.saturating_add(1);
        self.message_bytes += header.payload_len;
        self.message = Some(message);
        self.fin = header.fin;
        self.mask = header.mask;
        self.frame_left = header.payload_len;
        Ok(Some(self.take(message, header_len, available, starts.is_some())))
    }

    /// Payload of the frame under way; `None` if there is none in `bytes`.
    fn go_on(&mut self, bytes: &[u8]) -> Option<Step> {
        let message = self.message?;
        (!bytes.is_empty()).then(|| self.take(message, 0, bytes.len(), false))
    }

    #[inline]
    fn take(
        &mut self,
        message: MessageType,
        header_len: usize,
        available: usize,
        starts_message: bool,
    ) -> Step {
        let payload_len = usize::try_from(self.frame_left).map_or(available, |left| left.min(available));
        let mask = self.mask;
        if let Some(key) = &mut self.mask {
            key.advance(payload_len);
        }
        self.frame_left -= payload_len as u64;
        let ends_frame = self.frame_left == 0;
        let ends_message = ends_frame && self.fin;
        if ends_message {
            self.message = None;
        }
        let kind = StepKind::Data { message, rsv1: self.rsv1, starts_message, ends_frame, ends_message };
        Step { header_len, payload_len, mask, kind }
    }

    fn check_text(&mut self, payload: &[u8], ends_message: bool) -> Result<(), Violation> {
        let mut checked = self.utf8.check(payload);
        if ends_message && checked.is_ok() {
            checked = self.utf8.finish();
        }
        checked.map_err(|violation| self.fail(violation))
    }

    const fn fail(&mut self, violation: Violation) -> Violation {
        self.failed = Some(violation);
        violation
    }
}

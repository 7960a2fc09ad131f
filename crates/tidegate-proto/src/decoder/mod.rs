//! One direction of a connection: received bytes become frames, fragments become chunks of messages (RFC 6455 §5).

mod event;
#[cfg(test)]
mod tests;
#[cfg(feature = "serde")]
mod written;

pub use event::{Event, MessageType, Reserved, Role, Step, StepKind};

use crate::frame::{CONTROL_PAYLOAD_MAX, HEADER_BYTES_MAX, HeaderStart, Opcode};
use crate::{Close, Limits, MaskingKey, Utf8, Violation};

/// Bytes that [`Decoder`] may leave unconsumed: less than a control frame with the longest payload.
pub const CARRY_BYTES_MAX: usize = HEADER_BYTES_MAX + CONTROL_PAYLOAD_MAX;

/// The state of one direction: what is left of the frame and message under way, and the limits.
///
/// Time is constant per frame, plus one pass over the payload; nothing is allocated.
///
/// With the feature `serde` the state can be written down between any two bytes, together with those that were not
/// consumed, and taken up by another process.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "written::Written", into = "written::Written"))]
pub struct Decoder {
    limits: Limits,
    /// A message shorter than this may come whole in the next frame: one more than both limits allow. 0 while a message
    /// is under way and after a violation, so that one comparison tells whether there is a short cut.
    whole_below: u64,
    /// Payload bytes of the frame under way that have not been seen.
    frame_left: u64,
    /// Payload bytes declared by the frames of the message under way.
    message_bytes: u64,
    fragments: u32,
    /// The key of the frame under way, aligned to its next byte; of no meaning where frames are not masked.
    mask: MaskingKey,
    utf8: Utf8,
    message: Option<MessageType>,
    /// The mask bit that the peer must send: 0x80 if it is a client, 0 if a server.
    mask_bit: u8,
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
            whole_below: whole_below(&limits),
            frame_left: 0,
            message_bytes: 0,
            fragments: 0,
            mask: MaskingKey::new([0; 4]),
            utf8: Utf8::new(),
            message: None,
            mask_bit: match role {
                Role::Server => 0x80,
                Role::Client => 0,
            },
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
    #[inline(always)] // a call, and an event that is handed over in memory, take longer than all of the short cut
    pub fn decode<'a>(&mut self, bytes: &'a mut [u8]) -> Result<Option<(usize, Event<'a>)>, Violation> {
        let Some(whole) = self.whole_message(bytes) else {
            return self.decode_any(bytes);
        };
        let Whole { message, header_len, payload_len, mask } = whole;
        let payload = payload(bytes, header_len, payload_len);
        if message == MessageType::Binary {
            unmask(mask, payload);
        } else if !unmask_whole_text(mask, payload) {
            return Err(self.fail(Violation::InvalidUtf8));
        }
        let (rsv1, starts_message, ends_frame, ends_message) = (false, true, true, true);
        let event = Event::Data { message, payload, rsv1, starts_message, ends_frame, ends_message };
        Ok(Some((header_len + payload_len, event)))
    }

    /// Like [`decode`](Self::decode), but looks at headers only and changes nothing: for an intermediary that passes
    /// the bytes on. Text and the bodies of Close frames are not checked.
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    #[inline]
    pub fn step(&mut self, bytes: &[u8]) -> Result<Option<Step>, Violation> {
        let Some(whole) = self.whole_message(bytes) else {
            return self.step_any(bytes);
        };
        let Whole { message, header_len, payload_len, mask } = whole;
        let (rsv1, starts_message, ends_frame, ends_message) = (false, true, true, true);
        let kind = StepKind::Data { message, rsv1, starts_message, ends_frame, ends_message };
        Ok(Some(Step { header_len, payload_len, mask, kind }))
    }

    /// Payload bytes of the data frame under way that were not consumed; 0 between two frames.
    pub const fn frame_left(&self) -> u64 {
        self.frame_left
    }

    /// Like [`step`](Self::step) for payload that nobody has seen, because it went elsewhere: consumes `bytes` bytes of the
    /// frame under way, or all that is left of it. `None` between two frames.
    #[inline]
    pub fn skip(&mut self, bytes: usize) -> Option<Step> {
        let step = if self.frame_left == 0 { None } else { self.go_on(bytes) };
        self.whole_below = self.whole_below_now();
        step
    }

    /// The short cut that most messages take: whole in one frame of less than 64 KiB, all of it in `bytes`, between two
    /// messages, within the limits, and without reserved bits. It changes no state, and finds no violation: whatever
    /// does not fit is left to [`step_any`](Self::step_any), whose answer would be the same.
    #[inline(always)]
    fn whole_message(&self, bytes: &[u8]) -> Option<Whole> {
        let (&[first, second], rest) = bytes.split_first_chunk()?;
        let message = match first {
            0x81 => MessageType::Text,
            0x82 => MessageType::Binary,
            _ => return None,
        };
        let (payload_len, rest) = match second ^ self.mask_bit {
            short @ 0..126 => (usize::from(short), rest),
            126 => {
                let (&len, rest) = rest.split_first_chunk()?;
                match u16::from_be_bytes(len) {
                    0..126 => return None,
                    len => (usize::from(len), rest),
                }
            }
            _ => return None,
        };
        let (mask, rest) = if self.mask_bit == 0 {
            (None, rest)
        } else {
            let (&key, rest) = rest.split_first_chunk()?;
            (Some(MaskingKey::new(key)), rest)
        };
        if payload_len > rest.len() || payload_len as u64 >= self.whole_below {
            return None;
        }
        Some(Whole { message, header_len: bytes.len() - rest.len(), payload_len, mask })
    }

    /// [`decode`](Self::decode) without the short cut.
    #[inline(never)]
    fn decode_any<'a>(&mut self, bytes: &'a mut [u8]) -> Result<Option<(usize, Event<'a>)>, Violation> {
        let Some(step) = self.step_any(bytes)? else {
            return Ok(None);
        };
        let payload = payload(bytes, step.header_len, step.payload_len);
        match step.kind {
            StepKind::Data { message: MessageType::Text, rsv1: false, ends_message, .. } => {
                self.unmask_text(step.mask, payload, ends_message)?;
            }
            StepKind::Data { .. } | StepKind::Ping | StepKind::Pong | StepKind::Close => {
                unmask(step.mask, payload);
            }
        }
        let event = match step.kind {
            StepKind::Ping => Event::Ping(payload),
            StepKind::Pong => Event::Pong(payload),
            StepKind::Close => Event::Close(Close::parse(payload).map_err(|violation| self.fail(violation))?),
            StepKind::Data { message, rsv1, starts_message, ends_frame, ends_message } => {
                Event::Data { message, payload, rsv1, starts_message, ends_frame, ends_message }
            }
        };
        Ok(Some((step.len(), event)))
    }

    /// [`step`](Self::step) without the short cut.
    #[inline(never)]
    fn step_any(&mut self, bytes: &[u8]) -> Result<Option<Step>, Violation> {
        if let Some(violation) = self.failed {
            return Err(violation);
        }
        let result = if self.frame_left == 0 { self.begin_frame(bytes) } else { Ok(self.go_on(bytes.len())) };
        self.whole_below = self.whole_below_now();
        result.map_err(|violation| self.fail(violation))
    }

    /// Every rule is checked as soon as the bytes that decide it are there, so the order of the lines is the order of the
    /// bytes.
    fn begin_frame(&mut self, bytes: &[u8]) -> Result<Option<Step>, Violation> {
        let Some((&first_bytes, rest)) = bytes.split_first_chunk() else {
            return Ok(None);
        };
        self.check_reserved_and_mask(first_bytes)?;
        let start = HeaderStart::parse(first_bytes)?;
        let content = self.check_sequence(start.opcode)?;
        let Some((payload_len, rest)) = start.payload_len(rest)? else {
            return Ok(None);
        };
        self.check_limits(content, payload_len)?;
        let Some((mask, payload)) = start.mask(rest) else {
            return Ok(None);
        };
        let header_len = bytes.len() - payload.len();
        Ok(match content {
            Content::Data(message) => {
                let starts_message = self.message.is_none();
                self.begin_data(&start, message, payload_len, mask);
                Some(self.take(message, header_len, payload.len(), starts_message))
            }
            Content::Control(kind) => usize::try_from(payload_len)
                .ok()
                .filter(|payload_len| *payload_len <= payload.len())
                .map(|payload_len| Step { header_len, payload_len, mask, kind }),
        })
    }

    const fn check_reserved_and_mask(&self, [first, second]: [u8; 2]) -> Result<(), Violation> {
        let reserved_allowed = match self.reserved {
            Reserved::None => 0,
            Reserved::PermessageDeflate if matches!(first & 0x0f, 1 | 2) => 0x40,
            Reserved::PermessageDeflate => 0,
            Reserved::Any => 0x70,
        };
        if first & 0x70 & !reserved_allowed != 0 {
            return Err(Violation::ReservedBits);
        }
        match (self.mask_bit, second & 0x80) {
            (0x80, 0) => Err(Violation::MaskMissing),
            (0, 0x80) => Err(Violation::MaskUnexpected),
            _ => Ok(()),
        }
    }

    /// Whether such a frame may come next.
    const fn check_sequence(&self, opcode: Opcode) -> Result<Content, Violation> {
        let message = match (opcode, self.message) {
            (Opcode::Close, _) => return Ok(Content::Control(StepKind::Close)),
            (Opcode::Ping, _) => return Ok(Content::Control(StepKind::Ping)),
            (Opcode::Pong, _) => return Ok(Content::Control(StepKind::Pong)),
            (Opcode::Text, None) => MessageType::Text,
            (Opcode::Binary, None) => MessageType::Binary,
            (Opcode::Continuation, Some(message)) => message,
            (Opcode::Text | Opcode::Binary, Some(_)) => return Err(Violation::MessageInterrupted),
            (Opcode::Continuation, None) => return Err(Violation::ContinuationWithoutStart),
        };
        if self.fragments >= self.limits.fragments_max {
            return Err(Violation::TooManyFragments);
        }
        Ok(Content::Data(message))
    }

    const fn check_limits(&self, content: Content, payload_len: u64) -> Result<(), Violation> {
        if payload_len > self.limits.frame_bytes_max {
            return Err(Violation::FrameTooBig);
        }
        match content {
            Content::Data(_) if payload_len > self.limits.message_bytes_max - self.message_bytes => {
                Err(Violation::MessageTooBig)
            }
            Content::Data(_) | Content::Control(_) => Ok(()),
        }
    }

    fn begin_data(
        &mut self,
        start: &HeaderStart,
        message: MessageType,
        payload_len: u64,
        mask: Option<MaskingKey>,
    ) {
        if self.message.is_none() {
            self.rsv1 = start.reserved & 4 != 0;
        }
        self.message = Some(message);
        self.fragments = self.fragments.saturating_add(1);
        self.message_bytes += payload_len;
        self.frame_left = payload_len;
        self.mask = mask.unwrap_or_default();
        self.fin = start.fin;
    }

    /// Payload of the frame under way; `None` if there is none.
    fn go_on(&mut self, available: usize) -> Option<Step> {
        let message = self.message?;
        (available > 0).then(|| self.take(message, 0, available, false))
    }

    const fn whole_below_now(&self) -> u64 {
        match (self.message, self.failed) {
            (None, None) => whole_below(&self.limits),
            _ => 0,
        }
    }

    fn take(
        &mut self,
        message: MessageType,
        header_len: usize,
        available: usize,
        starts_message: bool,
    ) -> Step {
        let payload_len = usize::try_from(self.frame_left).map_or(available, |left| left.min(available));
        let mask = (self.mask_bit != 0).then_some(self.mask);
        self.mask.advance(payload_len);
        self.frame_left -= payload_len as u64;
        let ends_frame = self.frame_left == 0;
        let ends_message = ends_frame && self.fin;
        if ends_message {
            self.message = None;
            self.message_bytes = 0;
            self.fragments = 0;
        }
        let kind = StepKind::Data { message, rsv1: self.rsv1, starts_message, ends_frame, ends_message };
        Step { header_len, payload_len, mask, kind }
    }

    fn unmask_text(
        &mut self,
        mask: Option<MaskingKey>,
        payload: &mut [u8],
        ends_message: bool,
    ) -> Result<(), Violation> {
        let ascii = mask.is_some_and(|mut key| key.apply_ascii(payload));
        let mut checked = if ascii && self.utf8.is_complete() { Ok(()) } else { self.utf8.check(payload) };
        if ends_message && checked.is_ok() {
            checked = self.utf8.finish();
        }
        checked.map_err(|violation| self.fail(violation))
    }

    pub(crate) const fn fail(&mut self, violation: Violation) -> Violation {
        self.failed = Some(violation);
        self.whole_below = 0;
        violation
    }
}

/// A message that is whole in one frame, and in the bytes that were looked at.
#[derive(Debug, Clone, Copy)]
struct Whole {
    message: MessageType,
    header_len: usize,
    payload_len: usize,
    mask: Option<MaskingKey>,
}

/// What a frame that may come next is a part of.
#[derive(Debug, Clone, Copy)]
enum Content {
    Data(MessageType),
    Control(StepKind),
}

#[inline(always)]
fn payload(bytes: &mut [u8], header_len: usize, payload_len: usize) -> &mut [u8] {
    let (_, payload) = bytes.split_at_mut(header_len);
    let (payload, _) = payload.split_at_mut(payload_len);
    payload
}

#[inline(always)]
fn unmask(mask: Option<MaskingKey>, payload: &mut [u8]) {
    if let Some(mut key) = mask {
        key.apply(payload);
    }
}

/// Unmasks a text that is whole, and tells whether it is one: UTF-8 from its first byte to its last.
#[inline(always)]
fn unmask_whole_text(mask: Option<MaskingKey>, payload: &mut [u8]) -> bool {
    mask.is_some_and(|mut key| key.apply_ascii(payload)) || tidegate_simd::is_utf8(payload)
}

/// One more than the payload bytes of the longest message that a single frame may bring; 0 if none may come at all.
const fn whole_below(limits: &Limits) -> u64 {
    let (frame, message) = (limits.frame_bytes_max, limits.message_bytes_max);
    match limits.fragments_max {
        0 => 0,
        _ if frame < message => frame.saturating_add(1),
        _ => message.saturating_add(1),
    }
}

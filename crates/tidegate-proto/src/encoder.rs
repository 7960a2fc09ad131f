//! The writing half: payload becomes the frames of one message after the other (RFC 6455 §5, RFC 7692 §6.1).

use core::ops::Range;

#[cfg(feature = "deflate")]
use crate::deflate::Deflater;
use crate::{FrameHeader, HEADER_BYTES_MAX, HeaderBytes, MaskingKey, MessageType, Opcode, Role};

/// What the caller did wrong. Nothing was sent, and nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// A client masks each frame with a fresh key (§5.3).
    #[error("a client's frame needs a masking key")]
    MaskMissing,
    /// A server's frames are never masked (§5.1).
    #[error("a server's frame takes no masking key")]
    MaskUnexpected,
    /// The message under way is of the other type: it must end first (§5.4).
    #[error("a message of the other type is under way")]
    MessageInterrupted,
    /// The message under way is compressed: it goes on with [`Encoder::encode`].
    #[error("the message under way is compressed")]
    Compressed,
    /// A Close was sent or waits to be sent: data may not follow it (§5.5.1).
    #[error("the connection is closing")]
    Closing,
    /// The room given is smaller than [`Encoder::ROOM_MIN`].
    #[error("less room than a frame needs")]
    RoomTooSmall,
}

/// What [`Encoder::encode`] made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// Bytes of payload that are dealt with.
    pub consumed: usize,
    /// Where in the room the frame stands; empty if there is nothing to send yet.
    pub frame: Range<usize>,
    /// All payload is dealt with. If not, call again with the rest of it.
    pub done: bool,
}

/// The state of one direction: the message under way, and its compression.
///
/// Time is one pass over the payload; nothing is allocated but the compressor's own memory.
#[derive(Debug)]
pub struct Encoder {
    role: Role,
    message: Option<Message>,
    #[cfg(feature = "deflate")]
    compression: Option<Compression>,
}

#[derive(Debug, Clone, Copy)]
struct Message {
    kind: MessageType,
    compressed: bool,
    /// Its first frame was sent: the next is a continuation.
    begun: bool,
}

#[cfg(feature = "deflate")]
#[derive(Debug)]
struct Compression {
    deflater: Deflater,
    bytes_min: usize,
}

impl Encoder {
    /// The smallest room that [`encode`](Self::encode) can work in: a frame header and one byte.
    pub const ROOM_MIN: usize = HEADER_BYTES_MAX + 1;

    /// An encoder at the start of a connection without extensions.
    pub const fn new(role: Role) -> Self {
        Self {
            role,
            message: None,
            #[cfg(feature = "deflate")]
            compression: None,
        }
    }

    /// The same with permessage-deflate. Messages that are given whole and have fewer than `bytes_min` bytes are sent
    /// plain (RFC 7692 §6.1 leaves the choice to the sender).
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn with_deflate(mut self, deflater: Deflater, bytes_min: usize) -> Self {
        self.compression = Some(Compression { deflater, bytes_min });
        self
    }

    /// The compressor, if there is one. Between two messages, and behind a [`flush`](Self::flush), it may be exchanged
    /// for another of the same configuration: with [`Context::Fresh`](crate::deflate::Context::Fresh) one can serve many
    /// connections.
    #[cfg(feature = "deflate")]
    pub fn deflater_mut(&mut self) -> Option<&mut Deflater> {
        self.compression.as_mut().map(|compression| &mut compression.deflater)
    }

    /// Which end of the connection this is.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Whether everything sent so far ends between two messages.
    pub const fn at_message_boundary(&self) -> bool {
        self.message.is_none()
    }

    /// Makes `payload` the next frame of a plain message, without a copy: masks it in place, and returns the header to
    /// be sent in front of it. What is masked is not to be given again.
    ///
    /// Text must be valid UTF-8 as a message, not in each frame.
    ///
    /// # Errors
    /// The caller's fault; `payload` is as it was.
    #[inline]
    pub fn frame(
        &mut self,
        message: MessageType,
        payload: &mut [u8],
        ends_message: bool,
        mask: Option<MaskingKey>,
    ) -> Result<HeaderBytes, SendError> {
        self.check_mask(mask)?;
        let under_way = self.under_way(message, false)?;
        if under_way.compressed {
            return Err(SendError::Compressed);
        }
        if let Some(mut key) = mask {
            key.apply(payload);
        }
        Ok(self.header(under_way, payload.len(), ends_message, mask).encode())
    }

    /// Makes the next frame from the front of `payload` and puts it into `room`, compressed where that was negotiated.
    ///
    /// Call it until [`Encoded::done`], each time with the rest of `payload`. Frames are cut where the room ends, or
    /// where the compressor has something to say; their boundaries mean nothing.
    ///
    /// # Errors
    /// The caller's fault.
    pub fn encode(
        &mut self,
        message: MessageType,
        payload: &[u8],
        ends_message: bool,
        mask: Option<MaskingKey>,
        room: &mut [u8],
    ) -> Result<Encoded, SendError> {
        self.check_mask(mask)?;
        let under_way = self.under_way(message, self.compresses(payload.len(), ends_message))?;
        let (_, body) = room.split_at_mut_checked(HEADER_BYTES_MAX).ok_or(SendError::RoomTooSmall)?;
        if body.is_empty() {
            return Err(SendError::RoomTooSmall);
        }
        self.message = Some(under_way);
        let (consumed, produced, done) = self.fill(under_way, payload, ends_message, body);
        let ends = ends_message && done;
        Ok(Encoded { consumed, frame: self.framed(under_way, produced, ends, mask, room), done })
    }

    /// Puts the header in front of a payload that stands in `room` behind the place for it; a frame that would say nothing
    /// is none.
    fn framed(
        &mut self,
        message: Message,
        payload_len: usize,
        ends_message: bool,
        mask: Option<MaskingKey>,
        room: &mut [u8],
    ) -> Range<usize> {
        if payload_len == 0 && !ends_message {
            return 0..0;
        }
        let end = HEADER_BYTES_MAX + payload_len;
        if let (Some(mut key), Some(payload)) = (mask, room.get_mut(HEADER_BYTES_MAX..end)) {
            key.apply(payload);
        }
        let header = self.header(message, payload_len, ends_message, mask).encode();
        let header = header.as_slice();
        let start = HEADER_BYTES_MAX - header.len();
        for (slot, byte) in room.iter_mut().skip(start).zip(header) {
            *slot = *byte;
        }
        start..end
    }

    /// Makes a frame of what the compressor has taken of the message under way and not put out yet. A message that goes
    /// on some other time then waits without the compressor's memory.
    ///
    /// Call it until [`Encoded::done`]. Where there is nothing to put out, there is no frame.
    ///
    /// # Errors
    /// The caller's fault.
    #[cfg(feature = "deflate")]
    pub fn flush(&mut self, mask: Option<MaskingKey>, room: &mut [u8]) -> Result<Encoded, SendError> {
        self.check_mask(mask)?;
        let (_, body) = room.split_at_mut_checked(HEADER_BYTES_MAX).ok_or(SendError::RoomTooSmall)?;
        if body.is_empty() {
            return Err(SendError::RoomTooSmall);
        }
        let (Some(message @ Message { compressed: true, .. }), Some(compression)) =
            (self.message, &mut self.compression)
        else {
            return Ok(Encoded { consumed: 0, frame: 0..0, done: true });
        };
        let progress = compression.deflater.flush(body);
        let frame = self.framed(message, progress.produced, false, mask, room);
        Ok(Encoded { consumed: 0, frame, done: progress.done })
    }

    /// Puts the bytes of a frame's payload into `body`: how many were consumed and made, and whether all are.
    fn fill(
        &mut self,
        under_way: Message,
        payload: &[u8],
        ends_message: bool,
        body: &mut [u8],
    ) -> (usize, usize, bool) {
        #[cfg(feature = "deflate")]
        if let (true, Some(compression)) = (under_way.compressed, &mut self.compression) {
            let progress = compression.deflater.deflate(payload, body, ends_message);
            return (progress.consumed, progress.produced, progress.done);
        }
        let _ = (under_way, ends_message);
        let len = payload.len().min(body.len());
        for (slot, byte) in body.iter_mut().zip(payload) {
            *slot = *byte;
        }
        (len, len, len == payload.len())
    }

    pub(crate) const fn check_mask(&self, mask: Option<MaskingKey>) -> Result<(), SendError> {
        match (self.role, mask) {
            (Role::Client, None) => Err(SendError::MaskMissing),
            (Role::Server, Some(_)) => Err(SendError::MaskUnexpected),
            (Role::Client, Some(_)) | (Role::Server, None) => Ok(()),
        }
    }

    /// The message under way, or a new one.
    const fn under_way(&self, kind: MessageType, compressed: bool) -> Result<Message, SendError> {
        match (self.message, kind) {
            (None, _) => Ok(Message { kind, compressed, begun: false }),
            (Some(message), _)
                if matches!(message.kind, MessageType::Text) == matches!(kind, MessageType::Text) =>
            {
                Ok(message)
            }
            (Some(_), _) => Err(SendError::MessageInterrupted),
        }
    }

    /// Whether a message that begins like this is compressed.
    fn compresses(&self, len: usize, whole: bool) -> bool {
        #[cfg(feature = "deflate")]
        if let Some(compression) = &self.compression {
            return !whole || len >= compression.bytes_min;
        }
        let _ = (len, whole);
        false
    }

    fn header(
        &mut self,
        message: Message,
        payload_len: usize,
        ends_message: bool,
        mask: Option<MaskingKey>,
    ) -> FrameHeader {
        let opcode = match (message.begun, message.kind) {
            (true, _) => Opcode::Continuation,
            (false, MessageType::Text) => Opcode::Text,
            (false, MessageType::Binary) => Opcode::Binary,
        };
        let reserved = if message.compressed && !message.begun { RSV1 } else { 0 };
        self.message = (!ends_message).then_some(Message { begun: true, ..message });
        FrameHeader { fin: ends_message, reserved, opcode, mask, payload_len: payload_len as u64 }
    }
}

/// The first reserved bit: the message is compressed (RFC 7692 §6).
const RSV1: u8 = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Decoder, Event, Limits};
    use std::vec::Vec;

    fn sent(encoder: &mut Encoder, payload: &[u8], ends: bool, room: usize) -> Vec<u8> {
        let mut room = std::vec![0; room];
        let mut rest = payload;
        let mut wire = Vec::new();
        loop {
            let encoded = encoder.encode(MessageType::Binary, rest, ends, None, &mut room).unwrap();
            wire.extend_from_slice(&room[encoded.frame]);
            rest = &rest[encoded.consumed..];
            if encoded.done {
                return wire;
            }
        }
    }

    #[test]
    fn a_message_is_cut_where_the_room_ends() {
        let mut encoder = Encoder::new(Role::Server);
        assert_eq!(
            sent(&mut encoder, b"abcde", true, Encoder::ROOM_MIN + 1),
            b"\x02\x02ab\x00\x02cd\x80\x01e"
        );
        assert_eq!(sent(&mut encoder, b"", true, Encoder::ROOM_MIN), b"\x82\x00");
        assert!(encoder.at_message_boundary());
    }

    #[test]
    fn a_message_in_parts_is_ended_by_an_empty_frame_if_need_be() {
        let mut encoder = Encoder::new(Role::Server);
        assert_eq!(sent(&mut encoder, b"ab", false, 64), b"\x02\x02ab");
        assert!(!encoder.at_message_boundary());
        assert_eq!(sent(&mut encoder, b"", false, 64), b"", "nothing to say is no frame");
        assert_eq!(sent(&mut encoder, b"", true, 64), b"\x80\x00");
    }

    #[test]
    fn the_callers_mistakes_change_nothing() {
        let key = Some(MaskingKey::new([1, 2, 3, 4]));
        let mut server = Encoder::new(Role::Server);
        let mut room = [0; 64];
        assert_eq!(
            server.encode(MessageType::Text, b"a", true, key, &mut room),
            Err(SendError::MaskUnexpected)
        );
        let narrow = &mut room[..Encoder::ROOM_MIN - 1];
        assert_eq!(server.encode(MessageType::Text, b"a", true, None, narrow), Err(SendError::RoomTooSmall));
        assert!(server.at_message_boundary());
        server.encode(MessageType::Text, b"a", false, None, &mut room).unwrap();
        let binary = server.encode(MessageType::Binary, b"b", true, None, &mut room);
        assert_eq!(binary, Err(SendError::MessageInterrupted));
        assert_eq!(server.frame(MessageType::Text, &mut [], true, None).unwrap().as_slice(), b"\x80\x00");

        let mut client = Encoder::new(Role::Client);
        let mut payload = *b"a";
        assert_eq!(
            client.frame(MessageType::Text, &mut payload, true, None).err(),
            Some(SendError::MaskMissing)
        );
        assert_eq!(&payload, b"a");
    }

    #[test]
    fn in_place_and_copied_are_the_same_frame() {
        let key = Some(MaskingKey::new([0x37, 0xfa, 0x21, 0x3d]));
        let mut payload = *b"Hello";
        let header = Encoder::new(Role::Client).frame(MessageType::Text, &mut payload, true, key).unwrap();
        let mut room = [0; 64];
        let encoded =
            Encoder::new(Role::Client).encode(MessageType::Text, b"Hello", true, key, &mut room).unwrap();
        let in_place: Vec<u8> = header.as_slice().iter().chain(&payload).copied().collect();
        assert_eq!(in_place, room[encoded.frame.clone()]);
        assert_eq!(in_place, b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", "RFC 6455 §5.7");

        let mut decoder = Decoder::new(Role::Server, Limits::default());
        let (_, event) = decoder.decode(&mut room[encoded.frame]).unwrap().unwrap();
        assert!(matches!(event, Event::Data { payload, ends_message: true, .. } if payload == b"Hello"));
    }
}

use alloc::vec::Vec;

use ::base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{Coding, END, TEXT, Violation};
use crate::Utf8;

/// One direction of a connection: parts of messages become bytes to send.
///
/// A message is one frame, so that a client of the time, which decodes each message on its own, can do so.
///
/// With the feature `serde` the state can be written down between any two calls, and taken up by another process.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "super::written::Writing", into = "super::written::Writing"))]
pub struct Encoder {
    pub(super) coding: Coding,
    /// A frame has begun and not ended.
    pub(super) open: bool,
    pub(super) utf8: Utf8,
    /// Bytes of an open message that wait for a third, which base64 wants together.
    pub(super) held: [u8; 3],
    /// How many of `held` count; < 3 between calls.
    pub(super) held_len: u8,
}

impl Encoder {
    /// An encoder at the start of a connection.
    pub const fn new(coding: Coding) -> Self {
        Self { coding, open: false, utf8: Utf8::new(), held: [0; 3], held_len: 0 }
    }

    /// What its messages are made of.
    pub const fn coding(&self) -> Coding {
        self.coding
    }

    /// Whether everything encoded so far ends between two messages: only here may the
    /// [closing frame](super::CLOSING_FRAME) follow. Inside a message its first byte would end that message, as if it
    /// were whole.
    pub const fn at_message_boundary(&self) -> bool {
        !self.open
    }

    /// Appends the next part of a message to `wire`, in at most 4/3 of its length and seven bytes more.
    ///
    /// Bytes read from a stream, which have no messages, are best sent as one message each time: nothing is held back
    /// then. A part that is empty and does not end its message writes nothing.
    ///
    /// # Errors
    /// [`Violation::InvalidUtf8`] where text is not text, by whoever wrote it. Nothing was appended then, and the message
    /// under way, if any, cannot be ended any more.
    pub fn encode(
        &mut self,
        payload: &[u8],
        ends_message: bool,
        wire: &mut Vec<u8>,
    ) -> Result<(), Violation> {
        if self.coding == Coding::Text {
            self.check(payload, ends_message)?;
        }
        if payload.is_empty() && !ends_message {
            return Ok(());
        }
        if !self.open {
            wire.push(TEXT);
        }
        match self.coding {
            Coding::Text => wire.extend_from_slice(payload),
            Coding::Base64 => self.encode_base64(payload, ends_message, wire),
        }
        if ends_message {
            wire.push(END);
        }
        self.open = !ends_message;
        Ok(())
    }

    fn check(&mut self, text: &[u8], ends_message: bool) -> Result<(), Violation> {
        let mut checked = self.utf8.check(text);
        if ends_message && checked.is_ok() {
            checked = self.utf8.finish();
        }
        checked.map_err(|_| Violation::InvalidUtf8)
    }

    /// Groups of three go out; what is left is held, or padded at the end of the message.
    fn encode_base64(&mut self, payload: &[u8], ends_message: bool, wire: &mut Vec<u8>) {
        let rest = self.hold(payload);
        if self.held_len == 3 {
            self.flush(wire);
        }
        let (groups, left) = rest.as_chunks::<3>();
        append_base64(groups.as_flattened(), wire);
        let beyond = self.hold(left);
        debug_assert!(
            beyond.is_empty(),
            "at most two bytes are left, and all that was held has gone if there are any"
        );
        if ends_message {
            self.flush(wire);
        }
    }

    /// Takes bytes from the front of `payload` until three are held, unless none is held and whole groups may follow.
    fn hold<'a>(&mut self, payload: &'a [u8]) -> &'a [u8] {
        let held = usize::from(self.held_len);
        if held == 0 && payload.len() >= self.held.len() {
            return payload;
        }
        let (taken, rest) = payload.split_at(payload.len().min(self.held.len() - held));
        for (slot, byte) in self.held.iter_mut().skip(held).zip(taken) {
            *slot = *byte;
            self.held_len += 1;
        }
        rest
    }

    fn flush(&mut self, wire: &mut Vec<u8>) {
        let held = self.held.get(..usize::from(self.held_len)).unwrap_or_default();
        append_base64(held, wire);
        self.held_len = 0;
    }
}

fn append_base64(bytes: &[u8], wire: &mut Vec<u8>) {
    let start = wire.len();
    wire.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let room = wire.get_mut(start..).unwrap_or_default();
    let written =
        STANDARD.encode_slice(bytes, room).expect("there is room for four characters of each three bytes");
    debug_assert_eq!(start + written, wire.len(), "the encoding fills the room");
}

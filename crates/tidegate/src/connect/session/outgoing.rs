//! What is on its way to the server: one data frame, or some control frames, or these behind that.

use std::ops::Range;

use tidegate_proto::{
    CONTROL_PAYLOAD_MAX, Connection, ControlFrame, HEADER_BYTES_MAX, MaskingKey, MessageType, Utf8,
};

/// A buffer in which what was read from the local side becomes a frame without being copied.
///
/// It is filled while it is empty, and sent until it is empty again: so nothing is read that the server does not take.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// Room for a header, then for a chunk.
    bytes: Vec<u8>,
    /// What is still to be sent.
    pending: Range<usize>,
    chunk: usize,
    message: MessageType,
    /// Of text: the beginning of a code point that the last read has cut. It waits for its rest.
    held: Vec<u8>,
}

/// The local side has sent what is not UTF-8, and text frames are to be made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotText;

impl Outgoing {
    /// For frames with at most `chunk` bytes of payload.
    pub(super) fn new(chunk: usize, message: MessageType) -> Self {
        let room = (HEADER_BYTES_MAX + chunk).max(CONTROLS_BYTES_MAX);
        Self { bytes: vec![0; room], pending: 0..0, chunk, message, held: Vec::new() }
    }

    pub(super) fn pending(&self) -> &[u8] {
        &self.bytes[self.pending.clone()]
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.pending.start >= self.pending.end
    }

    /// So many bytes were sent.
    pub(super) const fn consume(&mut self, bytes: usize) {
        self.pending.start += bytes;
    }

    /// The server takes no more.
    pub(super) const fn clear(&mut self) {
        self.pending.start = self.pending.end;
    }

    /// Whether the last read has ended in the middle of a code point.
    pub(super) const fn holds_text(&self) -> bool {
        !self.held.is_empty()
    }

    /// Where the next chunk is to be read to, while nothing is pending.
    pub(super) fn room(&mut self) -> &mut [u8] {
        let start = HEADER_BYTES_MAX + self.held.len();
        &mut self.bytes[start..HEADER_BYTES_MAX + self.chunk]
    }

    /// Makes a frame, a whole message, of the `read` bytes that were put into the room.
    pub(super) fn frame(&mut self, read: usize, connection: &mut Connection) -> Result<(), NotText> {
        let start = HEADER_BYTES_MAX;
        let mut end = start + self.held.len() + read;
        self.bytes[start..start + self.held.len()].copy_from_slice(&self.held);
        self.held.clear();
        if matches!(self.message, MessageType::Text) {
            let mut utf8 = Utf8::new();
            utf8.check(&self.bytes[start..end]).map_err(|_invalid| NotText)?;
            let whole = end - utf8.incomplete_len();
            self.held.extend_from_slice(&self.bytes[whole..end]);
            end = whole;
        }
        if start == end {
            return Ok(()); // nothing but the beginning of a code point
        }
        let header = connection
            .frame(self.message, &mut self.bytes[start..end], true, Some(fresh_key()))
            .expect("nothing is read after our Close, and messages are never left open");
        let header = header.as_slice();
        self.bytes[start - header.len()..start].copy_from_slice(header);
        self.pending = start - header.len()..end;
        Ok(())
    }

    /// Puts the control frames that are due behind what is pending, which is whole frames, as far as there is room.
    /// Whether there were any.
    pub(super) fn append_controls(
        &mut self,
        mut next: impl FnMut(MaskingKey) -> Option<ControlFrame>,
    ) -> bool {
        if self.is_empty() {
            self.pending = 0..0;
        }
        let start = self.pending.end;
        while self.pending.end + CONTROL_BYTES_MAX <= self.bytes.len()
            && let Some(frame) = next(fresh_key())
        {
            let frame = frame.as_slice();
            let end = self.pending.end + frame.len();
            self.bytes[self.pending.end..end].copy_from_slice(frame);
            self.pending.end = end;
        }
        self.pending.end > start
    }
}

/// RFC 6455 §5.3: new for each frame, and nobody can foresee it.
fn fresh_key() -> MaskingKey {
    let mut key = [0; 4];
    getrandom::fill(&mut key).expect("the system gives random bytes");
    MaskingKey::new(key)
}

const CONTROL_BYTES_MAX: usize = 2 + 4 + CONTROL_PAYLOAD_MAX;

/// Room for a Pong, a Ping and a Close, of which none can wait for another.
const CONTROLS_BYTES_MAX: usize = 3 * CONTROL_BYTES_MAX;

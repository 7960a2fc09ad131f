//! permessage-deflate that ends at the gateway, for far sides that know nothing of it (RFC 7692).
//!
//! What a client sends is inflated a stretch at a time, and no further than the far side takes it: a message of any
//! size, and a bomb of any kind, passes through the same buffers of the worker. Nothing is kept between two messages,
//! because neither side takes its context over: an idle connection costs what one without compression does. The
//! compressor, which is large, belongs to the worker, and is lent for no longer than a turn lasts; what a message
//! that the client leaves open holds is the window that the rest of it may refer to.

mod frozen;

use std::cell::RefCell;
use std::ops::Range;
use std::task::{Context, Poll};

use tidegate_proto::deflate::{Deflater, DeflaterConfig, InflateLimits, Inflater};
use tidegate_proto::handshake::{DeflateAgreement, DeflateSide};
use tidegate_proto::{
    Decoder, Encoder, Event, HEADER_BYTES_MAX, Limits, MessageType, Receiver, Role, Violation,
};
use tokio::time::Instant;

use super::endpoint::Fill;
use super::{Far, Relay};
use crate::outcome::End;
use crate::recording::{Chunk, Side};
use crate::scratch::HEADROOM;

/// Bytes that one read may bring. What a far side cannot take of a client's stays compressed, and is held; what a
/// backend says at once is one message.
pub(super) const READ_BYTES_MAX: usize = 16 << 10;

/// Bytes that are inflated at a time.
const STRETCH_BYTES: usize = 32 << 10;

/// Bytes that are gathered for one write. A far side that takes none of them is owed no more than that.
const GATHER_BYTES: usize = 128 << 10;

/// Messages with fewer bytes are sent plain: they would hardly become smaller.
const COMPRESSED_BYTES_MIN: usize = 64;

/// Compressors that a worker keeps for the next message, or the next stretch of one. There is one for each window that
/// clients have agreed on of late.
const POOL_MAX: usize = 4;

thread_local! {
    static POOL: RefCell<Vec<Deflater>> = const { RefCell::new(Vec::new()) };
}

/// The compressed side of a relay.
#[derive(Debug)]
pub(super) struct Compression {
    agreement: DeflateAgreement,
    /// Bytes of the largest message that is inflated.
    message_bytes_max: u64,
    encoder: Encoder,
    /// Payload bytes of the largest frame that is made.
    frame_bytes_max: usize,
    /// Frames that were read and not decoded, because the far side took no more: at most [`READ_BYTES_MAX`].
    held: Vec<u8>,
}

/// Bytes for one write.
struct Gathered<'a> {
    bytes: &'a mut [u8],
    len: usize,
}

impl Relay {
    /// Reads and writes compressed messages from now on, as was agreed with the client.
    pub(super) fn compress_with(&mut self, agreement: &DeflateAgreement, limits: Limits) {
        let Limits { message_bytes_max, frame_bytes_max, .. } = limits;
        let compression = Compression::new(*agreement, message_bytes_max, frame_bytes_max);
        self.client.receiver =
            Receiver::new(Decoder::new(Role::Server, limits)).with_deflate(compression.inflater());
        self.compression = Some(Box::new(compression));
    }

    /// What is held, or what a read brings.
    pub(super) fn fill_compressed(
        &mut self,
        cx: &mut Context<'_>,
        scratch: &mut [u8],
        room: usize,
    ) -> Poll<Fill> {
        let held = self.compression.as_mut().map(|compression| std::mem::take(&mut compression.held));
        match held.filter(|held| !held.is_empty()) {
            None => self.client.fill(cx, scratch, room.min(READ_BYTES_MAX)),
            Some(held) => {
                let range = HEADROOM..HEADROOM + held.len();
                scratch[range.clone()].copy_from_slice(&held);
                Poll::Ready(Fill::Bytes(range))
            }
        }
    }

    /// Client to far side: the messages in what was read, inflated.
    pub(super) fn inbound_compressed(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        scratch: &mut [u8],
        range: Range<usize>,
    ) -> Result<(), Violation> {
        let (read, free) = scratch.split_at_mut(range.end);
        let (stretch, free) = free.split_at_mut(STRETCH_BYTES);
        let mut gathered = Gathered { bytes: &mut free[..GATHER_BYTES], len: 0 };
        let mut at = range.start;
        let result = loop {
            if gathered.is_full() {
                self.send_gathered(cx, now, &mut gathered);
                if self.inbound_room() == 0 {
                    self.hold(&read[at..]);
                    break Ok(());
                }
            }
            match self.client.receiver.receive(&mut read[at..], stretch) {
                Err(violation) => break Err(violation),
                Ok(None) => {
                    self.client.keep(&read[at..]);
                    break Ok(());
                }
                Ok(Some((consumed, event))) => {
                    at += consumed;
                    self.take_event(cx, now, event, &mut gathered);
                }
            }
            if !self.client.is_readable() {
                break Ok(());
            }
        };
        self.flush_answer(cx, now, &mut gathered);
        self.send_gathered(cx, now, &mut gathered);
        result
    }

    /// Puts out what the compressor has taken of an answer that is under way. How long the client leaves its message open
    /// is its own affair, and a compressor is too much to be held for that.
    fn flush_answer(&mut self, cx: &mut Context<'_>, now: Instant, gathered: &mut Gathered<'_>) {
        let Some(compression) = &mut self.compression else { return };
        if !compression.encoder.deflater_mut().is_some_and(|deflater| deflater.holds_memory()) {
            return;
        }
        loop {
            if gathered.is_full() {
                self.client.send_of_message(cx, now, gathered.take(), true);
            }
            let room = gathered.room(compression.frame_bytes_max);
            let encoded = compression.encoder.flush(None, room);
            let encoded = encoded.expect("a server's frames take no mask, and there is room");
            gathered.append(encoded.frame);
            if encoded.done {
                break;
            }
        }
        return_deflater(&mut compression.encoder);
    }

    fn take_event(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        event: Event<'_>,
        gathered: &mut Gathered<'_>,
    ) {
        match event {
            Event::Data { message: MessageType::Text, .. } if self.is_binary_only() => self.refuse_text(now),
            Event::Data { message, payload, ends_message, .. } => {
                self.keepalive.heard(now);
                self.count_in(message, ends_message.into(), payload.len() as u64);
                self.record(Side::Client, now, Chunk { message, payload, mask: None, ends_message });
                if matches!(self.far, Far::Echo(_)) {
                    if self.client.is_closing() && !self.is_answer_under_way() {
                        return; // no new answer is begun any more
                    }
                    self.record(Side::Backend, now, Chunk { message, payload, mask: None, ends_message });
                    self.compress(cx, now, message, payload, ends_message, gathered);
                } else {
                    gathered.push(payload);
                }
            }
            Event::Ping(payload) => {
                self.keepalive.heard(now);
                self.client.owe_pong(payload);
                self.control_frames(1, now);
            }
            Event::Pong(payload) => {
                if !self.received_pong(payload, now) {
                    self.keepalive.heard(now);
                    self.control_frames(1, now);
                }
            }
            Event::Close(close) => {
                self.keepalive.heard(now);
                self.end(End::ClientClosed(close.code), now);
                if self.client.closing.receive() {
                    self.client.close(now, &close);
                }
            }
        }
    }

    /// Far side to client: one message, or a part of one. `free` is scratch that nothing else uses.
    pub(super) fn send_compressed(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        message: MessageType,
        payload: &[u8],
        free: &mut [u8],
    ) {
        let mut gathered = Gathered { bytes: &mut free[..GATHER_BYTES], len: 0 };
        self.compress(cx, now, message, payload, true, &mut gathered);
        self.client.send_of_message(cx, now, gathered.take(), false);
    }

    /// Gathers the frames that `payload` becomes; sends what does not fit.
    fn compress(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        message: MessageType,
        payload: &[u8],
        ends_message: bool,
        gathered: &mut Gathered<'_>,
    ) {
        self.count_out(message, ends_message.into(), payload.len() as u64);
        let Some(compression) = &mut self.compression else { return };
        borrow_deflater(&mut compression.encoder);
        let mut rest = payload;
        loop {
            if gathered.is_full() {
                self.client.send_of_message(cx, now, gathered.take(), true);
            }
            let room = gathered.room(compression.frame_bytes_max);
            let encoded = compression
                .encoder
                .encode(message, rest, ends_message, None, room)
                .expect("a server's frames take no mask, their type is the message's, and there is room");
            gathered.append(encoded.frame);
            rest = &rest[encoded.consumed..];
            if encoded.done {
                break;
            }
        }
        if compression.encoder.at_message_boundary() {
            return_deflater(&mut compression.encoder);
        }
    }

    fn send_gathered(&mut self, cx: &mut Context<'_>, now: Instant, gathered: &mut Gathered<'_>) {
        let bytes = gathered.take();
        match &mut self.far {
            Far::Tcp(tcp) => tcp.leg.send(cx, now, bytes),
            Far::Echo(_) => {
                let is_under_way = self.is_answer_under_way();
                self.client.send_of_message(cx, now, bytes, is_under_way);
            }
            Far::WebSocket(_) => {}
        }
    }

    /// Whether the client was sent, or is owed, the beginning of a message whose end has not come.
    fn is_answer_under_way(&self) -> bool {
        self.compression.as_ref().is_some_and(|compression| !compression.encoder.at_message_boundary())
    }

    fn hold(&mut self, rest: &[u8]) {
        if let Some(compression) = &mut self.compression {
            compression.held = rest.to_vec();
        }
    }
}

impl Compression {
    fn new(agreement: DeflateAgreement, message_bytes_max: u64, frame_bytes_max: u64) -> Self {
        let DeflateSide { window, context } = agreement.server;
        let config = DeflaterConfig { window, context, level: 1, mem_level: 8 };
        let encoder = Encoder::new(Role::Server).with_deflate(Deflater::new(config), COMPRESSED_BYTES_MIN);
        let frame_bytes_max = usize::try_from(frame_bytes_max).unwrap_or(usize::MAX).max(1);
        Self { agreement, message_bytes_max, encoder, frame_bytes_max, held: Vec::new() }
    }

    /// The half that reads what the client compresses.
    fn inflater(&self) -> Inflater {
        let DeflateSide { window, context } = self.agreement.client;
        let limits = InflateLimits { message_bytes_max: self.message_bytes_max, ..InflateLimits::default() };
        Inflater::new(window, context, limits)
    }
}

impl Gathered<'_> {
    /// Whether it cannot take another stretch.
    const fn is_full(&self) -> bool {
        self.bytes.len() - self.len < STRETCH_BYTES
    }

    /// The bytes; it is empty then.
    fn take(&mut self) -> &[u8] {
        &self.bytes[..std::mem::take(&mut self.len)]
    }

    fn push(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    /// Where the next frame may be made, with at most `frame_bytes_max` bytes of payload.
    fn room(&mut self, frame_bytes_max: usize) -> &mut [u8] {
        let end =
            self.bytes.len().min(self.len.saturating_add(HEADER_BYTES_MAX).saturating_add(frame_bytes_max));
        &mut self.bytes[self.len..end]
    }

    /// Takes a frame that was made in the [`room`](Self::room).
    fn append(&mut self, frame: Range<usize>) {
        let frame = self.len + frame.start..self.len + frame.end;
        let len = frame.len();
        self.bytes.copy_within(frame, self.len);
        self.len += len;
    }
}

/// Gives the encoder a compressor of the worker's, if it has none and there is one.
fn borrow_deflater(encoder: &mut Encoder) {
    let Some(own) = encoder.deflater_mut().filter(|own| !own.holds_memory()) else { return };
    POOL.with_borrow_mut(|pool| {
        if let Some(fitting) = pool.iter().position(|pooled| pooled.config() == own.config()) {
            *own = pool.swap_remove(fitting);
        }
    });
}

/// Takes it back when nothing of the message is inside any more.
fn return_deflater(encoder: &mut Encoder) {
    let Some(own) = encoder.deflater_mut() else { return };
    let used = std::mem::replace(own, Deflater::new(own.config()));
    POOL.with_borrow_mut(|pool| {
        pool.truncate(POOL_MAX - 1);
        pool.push(used);
    });
}

//! Bulk data: payload that nobody has to look at goes from socket to socket through a pipe.
//!
//! From a TCP backend that is what fits into a pipe, behind a header of ours. Between two WebSockets it is the rest of a
//! large frame whose header was checked; of the next one no more is read than what shows its header. Only plain TCP can do
//! that, and only where payload is neither unmasked, nor inflated, nor translated, nor recorded.

use std::task::{Context, Poll};

use tidegate_proto::{FrameHeader, MessageType, Opcode, StepKind};
use tokio::time::Instant;

use super::endpoint::{Endpoint, Ends};
use super::leg::Read;
use super::pipe::Pipe;
use super::{Far, Relay};
use crate::outcome::End;
use crate::scratch::READ_BYTES_MAX;

/// A read of this size says that there is more: what comes next is bulk.
pub(super) const BULK_BYTES_MIN: usize = 256 << 10;

/// Below this, a copy costs less than what a pipe takes.
const PIPED_BYTES_MIN: usize = 16 << 10;

/// What is left of a frame has to be worth a pipe.
const FRAME_LEFT_MIN: u64 = 64 << 10;

/// What is read to see the header of the next frame.
const HEADER_READ_BYTES: usize = 4 << 10;

impl Relay {
    /// Whether bytes may go from one socket to the other unseen.
    pub(super) fn may_splice(&self) -> bool {
        let far = match &self.far {
            Far::Echo(_) => false,
            Far::Tcp(tcp) => tcp.text.is_none() && tcp.leg.is_bare(),
            Far::WebSocket(backend) => backend.leg.is_bare(),
        };
        let unseen = self.tape.is_none()
            && self.ticker.is_none()
            && self.compression.is_none()
            && self.hybi00.is_none();
        far && unseen && self.client.leg.is_bare()
    }

    /// Moves what fits into a pipe, at most `bytes_max` bytes, as one message. Whether anything moved.
    pub(super) fn splice_from_tcp(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        mut pipe: Pipe,
        bytes_max: usize,
    ) -> bool {
        let Far::Tcp(tcp) = &mut self.far else { return false };
        match tcp.leg.poll_fill(cx, &mut pipe, bytes_max) {
            Poll::Pending => return false,
            Poll::Ready(None) => tcp.bulk = false,
            Poll::Ready(Some(Read::Bytes(bytes))) => {
                tcp.bulk = bytes >= PIPED_BYTES_MIN;
                self.backend_heard(now);
                self.count_out(MessageType::Binary, 1, bytes as u64);
                let header = FrameHeader::unmasked(true, Opcode::Binary, bytes as u64).encode();
                self.client.leg.send_piped(cx, now, header.as_slice(), pipe);
            }
            Poll::Ready(Some(end @ (Read::End | Read::Cut | Read::Failed))) => self.tcp_ended(&end, now),
        }
        true
    }

    /// Draws the conclusion from a read from the client.
    pub(super) fn note_bulk_inbound(&mut self, bytes: usize, messages: u64) {
        self.client.bulk = self.client.sends_bulk(bytes, messages) && self.may_splice();
    }

    /// The same for one from a WebSocket backend.
    pub(super) fn note_bulk_outbound(&mut self, bytes: usize, messages: u64) {
        let sends_bulk = self.far.websocket_mut().is_some_and(|backend| backend.sends_bulk(bytes, messages));
        let bulk = sends_bulk && self.may_splice();
        if let Some(backend) = self.far.websocket_mut() {
            backend.bulk = bulk;
        }
    }

    /// Moves more of a client's large frame to its WebSocket backend. Whether anything moved; `None` if the ordinary way
    /// is the one to take.
    pub(super) fn splice_to_websocket(&mut self, cx: &mut Context<'_>, now: Instant) -> Option<bool> {
        if !self.client.bulk || !self.may_splice() {
            return None;
        }
        let backend = self.far.websocket_mut()?;
        match self.client.splice_to(backend, cx, now)? {
            Spliced::Nothing => return Some(false),
            Spliced::Bytes { bytes, message, ends_message } => {
                self.keepalive.heard(now);
                self.count_in(message, ends_message.into(), bytes);
            }
            Spliced::End(Read::Failed) => self.end(End::ClientLost, now),
            Spliced::End(_) => self.client_ended(now),
        }
        Some(true)
    }

    /// The same for a backend's.
    pub(super) fn splice_from_websocket(&mut self, cx: &mut Context<'_>, now: Instant) -> Option<bool> {
        if !matches!(&self.far, Far::WebSocket(backend) if backend.bulk) || !self.may_splice() {
            return None;
        }
        let backend = self.far.websocket_mut()?;
        match backend.splice_to(&mut self.client, cx, now)? {
            Spliced::Nothing => return Some(false),
            Spliced::Bytes { bytes, message, ends_message } => {
                self.count_out(message, ends_message.into(), bytes);
            }
            Spliced::End(_) => self.end(End::BackendLost, now),
        }
        Some(true)
    }
}

/// What [`Endpoint::splice_to`] did.
enum Spliced {
    Nothing,
    Bytes { bytes: u64, message: MessageType, ends_message: bool },
    End(Read),
}

impl Endpoint {
    /// How much is read at once in the ordinary way: between two large frames, as much as shows the header of the next.
    pub(super) fn read_bytes_max(&mut self) -> usize {
        if !self.bulk {
            return READ_BYTES_MAX;
        }
        let left = usize::try_from(self.receiver.decoder_mut().frame_left()).unwrap_or(READ_BYTES_MAX);
        left.saturating_add(HEADER_READ_BYTES).min(READ_BYTES_MAX)
    }

    /// Whether it sends bulk, as far as its last read shows: the bytes of that, and how many messages ended in it.
    fn sends_bulk(&mut self, bytes: usize, messages: u64) -> bool {
        let left = self.receiver.decoder_mut().frame_left();
        let goes_on = left >= FRAME_LEFT_MIN;
        match bytes {
            BULK_BYTES_MIN.. => goes_on || bytes as u64 / (messages + 1) >= FRAME_LEFT_MIN,
            _ => self.bulk && goes_on,
        }
    }

    /// Moves more of the frame under way; `None` if too little of it is left, or the other side takes none just now.
    fn splice_to(&mut self, to: &mut Self, cx: &mut Context<'_>, now: Instant) -> Option<Spliced> {
        let left = self.receiver.decoder_mut().frame_left();
        if left < FRAME_LEFT_MIN || !to.takes_frames() || to.leg.has_backlog() {
            return None;
        }
        let mut pipe = Pipe::take()?;
        let bytes_max = usize::try_from(left).unwrap_or(usize::MAX);
        let bytes = match self.leg.poll_fill(cx, &mut pipe, bytes_max) {
            Poll::Pending => return Some(Spliced::Nothing),
            Poll::Ready(None) => {
                self.bulk = false;
                return None;
            }
            Poll::Ready(Some(Read::Bytes(bytes))) => bytes,
            Poll::Ready(Some(end)) => return Some(Spliced::End(end)),
        };
        if bytes < PIPED_BYTES_MIN {
            self.bulk = false;
        }
        let step = self.receiver.decoder_mut().skip(bytes)?;
        let StepKind::Data { message, ends_frame, ends_message, .. } = step.kind else { return None };
        to.pass_on_piped(cx, now, pipe, Ends { frame: ends_frame, message: ends_message });
        Some(Spliced::Bytes { bytes: bytes as u64, message, ends_message })
    }
}

//! WebSocket to TCP: payload out of frames, frames around payload.
//!
//! Inbound, the payload of all frames of a read is moved together in place, so that it makes one write. Outbound, the
//! frame header is put into the free bytes in front of what was read, so that it is one read, one header, one write.

use std::ops::Range;
use std::os::fd::OwnedFd;
use std::task::{Context, Poll};

use tidegate_proto::{Event, FrameHeader, MessageType, Opcode, Utf8, Violation};
use tokio::time::Instant;

use super::bulk::BULK_BYTES_MIN;
use super::compressed::READ_BYTES_MAX as COMPRESSED_BYTES_MAX;
use super::frozen::Unfit;
use super::leg::{Leg, Read};
use super::pipe::Pipe;
use super::{Far, Relay, hybi00};
use crate::config::Route;
use crate::handover::record::{self, Octets};
use crate::outcome::End;
use crate::recording::{Chunk, Side};
use crate::scratch::{HEADROOM, READ_BYTES_MAX};

/// Bytes of the longest code point in UTF-8.
const CODE_POINT_BYTES_MAX: usize = 4;

/// A backend of raw bytes.
#[derive(Debug)]
pub(super) struct Tcp {
    pub(super) leg: Leg,
    /// Payload bytes of the largest frame made from its bytes.
    pub(super) frame_bytes_max: usize,
    /// Of messages of text: the beginning of a code point, held back until the rest of it arrives.
    pub(super) text: Option<Vec<u8>>,
    /// `accept = "binary"`.
    binary_only: bool,
    /// It sends as fast as it is read: through a pipe, if nothing has to be seen of it.
    pub(super) bulk: bool,
}

impl Tcp {
    /// `subprotocol`: that of the client.
    pub(super) fn new(leg: Leg, rules: &Route, subprotocol: Option<&str>) -> Self {
        let frame_bytes_max = usize::try_from(rules.frame_bytes_max).unwrap_or(READ_BYTES_MAX).max(4);
        let text = rules.message.is_text_for(subprotocol).then(Vec::new);
        Self { leg, frame_bytes_max, text, binary_only: rules.binary_only, bulk: false }
    }

    /// As it is written down for another process.
    pub(super) fn write_down(&self, now: Instant) -> record::Tcp {
        record::Tcp {
            leg: self.leg.write_down(now),
            frame_bytes_max: self.frame_bytes_max as u64,
            text: self.text.clone().map(Octets),
            binary_only: self.binary_only,
        }
    }

    /// One that another process has written down.
    ///
    /// # Errors
    /// Nobody can have written it down, or the event queue does not take its socket.
    pub(super) fn take_up(written: record::Tcp, descriptor: OwnedFd) -> Result<Self, Unfit> {
        let text = written.text.map(|Octets(held)| held);
        if text.as_ref().is_some_and(|held| held.len() >= CODE_POINT_BYTES_MAX) {
            return Err(Unfit::State("more than the beginning of a code point is held back"));
        }
        Ok(Self {
            leg: Leg::take_up(written.leg, descriptor)?,
            frame_bytes_max: usize::try_from(written.frame_bytes_max).unwrap_or(READ_BYTES_MAX).max(4),
            text,
            binary_only: written.binary_only,
            bulk: false, // the next read tells
        })
    }
}

impl Relay {
    /// Whether a client's text is to be refused here.
    pub(super) fn is_binary_only(&self) -> bool {
        matches!(&self.far, Far::Tcp(tcp) if tcp.binary_only)
    }

    /// Nothing of it, nor of what follows, is passed on.
    pub(super) fn refuse_text(&mut self, now: Instant) {
        self.client.fail();
        self.end(End::ClientText, now);
    }

    pub(super) fn inbound_to_tcp(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        scratch: &mut [u8],
        range: Range<usize>,
    ) -> Result<(), Violation> {
        let mut at = range.start;
        let mut payload = Range { start: at, end: at };
        let mut controls = 0;
        let result = loop {
            let (consumed, event) =
                match self.client.receiver.decoder_mut().decode(&mut scratch[at..range.end]) {
                    Ok(Some(decoded)) => decoded,
                    Ok(None) => break Ok(()),
                    Err(violation) => break Err(violation),
                };
            let mut heard = true;
            let payload_len = match event {
                Event::Data { message: MessageType::Text, .. } if self.is_binary_only() => {
                    self.refuse_text(now);
                    break Ok(());
                }
                Event::Data { message, payload, ends_message, .. } => {
                    self.count_in(message, ends_message.into(), payload.len() as u64);
                    self.record(Side::Client, now, Chunk { message, payload, mask: None, ends_message });
                    payload.len()
                }
                Event::Ping(payload) => {
                    self.client.owe_pong(payload);
                    controls += 1;
                    0
                }
                Event::Pong(payload) => {
                    heard = !self.received_pong(payload, now);
                    controls += u32::from(heard);
                    0
                }
                Event::Close(close) => {
                    self.end(End::ClientClosed(close.code), now);
                    if self.client.closing.receive() {
                        self.client.close(now, &close);
                    }
                    0
                }
            };
            at += consumed;
            if heard {
                self.keepalive.heard(now);
            }
            if payload.is_empty() {
                payload = at - payload_len..at;
            } else {
                scratch.copy_within(at - payload_len..at, payload.end);
                payload.end += payload_len;
            }
            if self.client.closing.received() {
                break Ok(());
            }
        };
        self.client.keep(if result.is_ok() && self.client.is_readable() {
            &scratch[at..range.end]
        } else {
            &[]
        });
        self.control_frames(controls, now);
        if let Far::Tcp(tcp) = &mut self.far {
            tcp.leg.send(cx, now, &scratch[payload.clone()]);
            if !payload.is_empty() {
                self.tick_written(Side::Backend);
            }
        }
        result
    }

    pub(super) fn outbound_from_tcp(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        scratch: &mut [u8],
    ) -> bool {
        let Far::Tcp(tcp) = &self.far else {
            return false;
        };
        if !tcp.leg.is_readable() || !self.client.is_writable() {
            return false;
        }
        let bytes_max = if self.compression.is_some() {
            COMPRESSED_BYTES_MAX
        } else if self.hybi00.is_some() {
            hybi00::READ_BYTES_MAX.min(tcp.frame_bytes_max)
        } else {
            tcp.frame_bytes_max
        };
        let splices = tcp.bulk && self.may_splice() && !self.client.leg.has_backlog();
        if splices && let Some(pipe) = Pipe::take() {
            return self.splice_from_tcp(cx, now, pipe, bytes_max);
        }
        self.look_for_room(now, Side::Client, bytes_max);
        let room = self.client.leg.room().min(bytes_max);
        let Far::Tcp(tcp) = &mut self.far else { return false };
        if room == 0 {
            return false;
        }
        let held = tcp.text.as_mut().map(std::mem::take).unwrap_or_default();
        let start = HEADROOM - held.len();
        scratch[start..HEADROOM].copy_from_slice(&held);
        let end = HEADROOM + room.saturating_sub(held.len()).max(1);
        match tcp.leg.poll_read(cx, &mut scratch[HEADROOM..end]) {
            Poll::Pending => {
                if let Some(text) = &mut tcp.text {
                    *text = held;
                }
                return false;
            }
            Poll::Ready(Read::End) if !held.is_empty() => self.end(End::BackendNotText, now),
            Poll::Ready(Read::Bytes(bytes)) => {
                tcp.bulk = bytes >= BULK_BYTES_MIN;
                self.backend_heard(now);
                self.frame_from_tcp(cx, now, scratch, start..HEADROOM + bytes);
            }
            Poll::Ready(end @ (Read::End | Read::Cut | Read::Failed)) => self.tcp_ended(&end, now),
        }
        true
    }

    pub(super) fn tcp_ended(&mut self, end: &Read, now: Instant) {
        self.end(if *end == Read::End { End::BackendEnded } else { End::BackendLost }, now);
    }

    /// A client that has ended its direction waits for as long as it is answered.
    pub(super) fn backend_heard(&mut self, now: Instant) {
        if self.half_closed_since.is_some() {
            self.half_closed_since = Some(now);
        }
    }

    /// Makes one message of what was read.
    fn frame_from_tcp(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        scratch: &mut [u8],
        mut read: Range<usize>,
    ) {
        let Far::Tcp(tcp) = &mut self.far else { return };
        let mut message = MessageType::Binary;
        if let Some(held) = &mut tcp.text {
            message = MessageType::Text;
            let mut utf8 = Utf8::new();
            if utf8.check(&scratch[read.clone()]).is_err() {
                return self.end(End::BackendNotText, now);
            }
            let whole = read.end - utf8.incomplete_len();
            *held = scratch[whole..read.end].to_vec();
            read.end = whole;
        }
        if read.is_empty() {
            return;
        }
        let payload = &scratch[read.clone()];
        self.record(Side::Backend, now, Chunk { message, payload, mask: None, ends_message: true });
        if self.hybi00.is_some() {
            return self.send_hybi00(cx, now, &scratch[read]);
        }
        if self.compression.is_some() {
            let (read_to, free) = scratch.split_at_mut(read.end);
            return self.send_compressed(cx, now, message, &read_to[read.start..], free);
        }
        self.count_out(message, 1, read.len() as u64);
        let opcode = match message {
            MessageType::Text => Opcode::Text,
            MessageType::Binary => Opcode::Binary,
        };
        let header = FrameHeader::unmasked(true, opcode, read.len() as u64).encode();
        let start = read.start - header.as_slice().len();
        scratch[start..read.start].copy_from_slice(header.as_slice());
        self.client.send(cx, now, &scratch[start..read.end]);
        self.tick_written(Side::Client);
    }
}

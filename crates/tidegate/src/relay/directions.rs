//! The two directions of a relay, whatever is on its far side: when something is read, and how much.

use std::ops::Range;
use std::task::{Context, Poll};

use tokio::time::Instant;

use super::backlog::BYTES_SOFT;
use super::endpoint::Fill;
use super::{Far, Relay, hybi00};
use crate::outcome::{Breach, End};
use crate::recording::Side;

impl Relay {
    /// Client to backend. Whether anything moved.
    pub(super) fn inbound(&mut self, cx: &mut Context<'_>, now: Instant, scratch: &mut [u8]) -> bool {
        if !self.client.is_readable() {
            return false;
        }
        if let Some(moved) = self.splice_to_websocket(cx, now) {
            return moved;
        }
        let mut bytes_max = self.client.read_bytes_max();
        if self.hybi00.is_some() {
            bytes_max = bytes_max.min(hybi00::READ_BYTES_MAX);
        }
        self.look_for_room(now, Side::Backend, bytes_max);
        let room = self.inbound_room().min(bytes_max);
        if room == 0 {
            return false;
        }
        let fill = if self.compression.is_some() {
            self.fill_compressed(cx, scratch, room)
        } else {
            self.client.fill(cx, scratch, room)
        };
        match fill {
            Poll::Pending => return false,
            Poll::Ready(Fill::Failed) => self.end(End::ClientLost, now),
            Poll::Ready(Fill::End) => self.client_ended(now),
            Poll::Ready(Fill::Bytes(range)) => {
                if let Err(breach) = self.inbound_frames(cx, now, scratch, range) {
                    self.client.fail();
                    self.end(End::ClientViolation(breach), now);
                }
            }
        }
        true
    }

    fn inbound_frames(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        scratch: &mut [u8],
        range: Range<usize>,
    ) -> Result<(), Breach> {
        match &self.far {
            _ if self.hybi00.is_some() => self.inbound_hybi00(cx, now, scratch, range)?,
            _ if self.compression.is_some() => self.inbound_compressed(cx, now, scratch, range)?,
            Far::Echo(_) => self.inbound_to_echo(cx, now, scratch, range)?,
            Far::Tcp(_) => self.inbound_to_tcp(cx, now, scratch, range)?,
            Far::WebSocket(_) => self.inbound_to_websocket(cx, now, scratch, range)?,
        }
        Ok(())
    }

    /// The client's FIN without a Close frame. A TCP backend may still answer; for others it is an abnormal end.
    pub(super) fn client_ended(&mut self, now: Instant) {
        self.keepalive.stop();
        match &self.far {
            Far::Tcp(tcp) if tcp.leg.is_readable() && !self.client.is_closing() => {
                self.half_closed_since = Some(now);
            }
            Far::Echo(_) | Far::Tcp(_) | Far::WebSocket(_) => self.end(End::ClientEnded, now),
        }
    }

    /// Backend to client. Whether anything moved.
    pub(super) fn outbound(&mut self, cx: &mut Context<'_>, now: Instant, scratch: &mut [u8]) -> bool {
        match &self.far {
            Far::Echo(_) => false,
            Far::Tcp(_) => self.outbound_from_tcp(cx, now, scratch),
            Far::WebSocket(_) => self.outbound_from_websocket(cx, now, scratch),
        }
    }

    /// Has the socket of a side asked how much it takes, before up to `bytes_max` are read for it and that could be too much.
    pub(super) fn look_for_room(&mut self, now: Instant, to: Side, bytes_max: usize) {
        if bytes_max <= BYTES_SOFT {
            return;
        }
        match (to, self.far.leg_mut()) {
            (Side::Backend, Some(far)) => far.look_for_room(now),
            (Side::Client, _) | (Side::Backend, None) => self.client.leg.look_for_room(now),
        }
    }

    /// How much may be read from the client: as much as the far side has room for.
    pub(super) fn inbound_room(&self) -> usize {
        match &self.far {
            Far::Echo(_) => self.client.leg.room(),
            Far::Tcp(tcp) => tcp.leg.room(),
            Far::WebSocket(backend) => backend.leg.room(),
        }
    }
}

//! What a relay notes of what passes: in the metrics, in the register, in a recording.

use tidegate_proto::MessageType;
use tokio::time::Instant;

use super::Relay;
use crate::outcome::End;
use crate::recording::{Chunk, Side, Tape};

impl Relay {
    /// Notes what a side says, where the session is recorded or watched.
    pub(super) fn record(&mut self, side: Side, now: Instant, chunk: Chunk<'_>) {
        self.tick_read(side, chunk);
        if let Some(mut tap) = Tape::tap(&mut self.tape, side, now) {
            tap.record(chunk);
        }
    }

    /// Counts messages from the client that have ended, and bytes of them.
    pub(super) fn count_in(&mut self, message: MessageType, messages: u64, bytes: u64) {
        self.turns.moved(bytes);
        self.live.traffic.inbound(bytes, messages);
        self.meter.inbound(message, messages, bytes);
    }

    /// The same to the client.
    pub(super) fn count_out(&mut self, message: MessageType, messages: u64, bytes: u64) {
        self.turns.moved(bytes);
        self.live.traffic.outbound(bytes, messages);
        self.meter.outbound(message, messages, bytes);
    }

    /// Notes control frames of the client.
    pub(super) fn control_frames(&mut self, frames: u32, now: Instant) {
        self.meter.controls(frames);
        if !self.rate.take(frames, now) {
            self.client.fail();
            self.end(End::ClientFlood, now);
        }
    }

    /// A ping of ours is on its way.
    pub(super) fn pinged(&mut self, now: Instant) {
        self.keepalive.pinged(now);
        self.meter.pinged();
    }

    /// Notes a pong of the client; `true` if it answers a ping of ours.
    pub(super) fn received_pong(&mut self, pong: &[u8], now: Instant) -> bool {
        let waited = self.keepalive.waited(now);
        let is_answer = self.keepalive.answered(pong);
        if let Some(waited) = waited.filter(|_| is_answer) {
            self.meter.round_trip(waited);
        }
        is_answer
    }
}

//! One turn of a relay: whatever can move, moves.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};

use tidegate_proto::CloseCode;
use tokio::time::Instant;

use super::{Far, Relay};
use crate::clock;
use crate::live::CloseNotice;
use crate::outcome::{Cause, End};

/// Reads of each direction in one turn of the task, before neighbours get theirs; fewer where they bring much.
const READS_PER_TURN: usize = 4;

/// Why a session is closed whose TLS has come to the last of its keys.
static KEYS_SPENT: LazyLock<Arc<CloseNotice>> = LazyLock::new(|| {
    CloseNotice::new(Cause::KeysSpent, CloseCode::GOING_AWAY, "please reconnect for new keys".to_owned())
});

impl Relay {
    /// Takes a turn, in which a bug of ours costs this connection and no other: both sides are told, as far as the
    /// same bug lets us. A second panic ends it without a word.
    pub(super) fn turn(
        &mut self,
        cx: &mut Context<'_>,
        poll: &mut impl FnMut(&mut Self, &mut Context<'_>) -> Poll<()>,
    ) -> Poll<()> {
        // What a panic leaves half done is not looked at again: nothing more is read, only what waits is sent.
        let turn = catch_unwind(AssertUnwindSafe(|| poll(self, cx)));
        if self.count_waiting() && turn.as_ref().is_ok_and(Poll::is_pending) {
            self.end(End::Told(Cause::Overloaded, CloseCode::TRY_AGAIN_LATER), clock::now());
            self.let_go();
            cx.waker().wake_by_ref();
        }
        turn.unwrap_or_else(|_panic| {
            if std::mem::replace(&mut self.panicked, true) {
                return Poll::Ready(());
            }
            self.client.fail();
            if let Some(backend) = self.far.websocket_mut() {
                backend.fail();
            }
            self.end(End::Panicked, clock::now());
            cx.waker().wake_by_ref();
            Poll::Pending
        })
    }

    /// Counts what waits for the sockets. Whether that is more than there is room for, and the fault of this relay.
    fn count_waiting(&mut self) -> bool {
        let waiting = self.client.leg.buffered() + self.far.leg_mut().map_or(0, |leg| leg.buffered());
        if waiting == self.held.bytes() {
            return false;
        }
        self.meter.buffered(waiting);
        self.live.traffic.hold(waiting);
        self.held.set(waiting)
    }

    /// One turn: whatever can move, moves. Ready when both sides are gone.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, scratch: &mut [u8]) -> Poll<()> {
        let now = clock::now();
        // Where there may be something to read, and room for it. Who finds neither is woken when that changes.
        let (mut inbound, mut outbound) = (true, true);
        for _ in 0..READS_PER_TURN {
            let mut moved = false;
            if !self.is_settled() {
                // First what waits, so that our control frames find their place before more is read.
                moved = self.flush(cx, now);
                if moved || !self.is_calm() {
                    (inbound, outbound) = (true, true);
                }
                self.send_due(cx, now);
            }
            inbound = inbound && self.inbound(cx, now, scratch);
            outbound = outbound && self.outbound(cx, now, scratch);
            if self.client.leg.is_spent() && self.end.is_none() {
                self.end_as_told(&KEYS_SPENT, now);
            }
            moved |= inbound | outbound;
            if !self.is_settled() {
                if !self.is_calm() {
                    self.advance_closing(cx, now);
                }
                if self.flush(cx, now) {
                    (moved, inbound, outbound) = (true, true, true);
                }
                moved |= self.client.leg.poll_finish(cx, scratch);
                moved |= self.far.leg_mut().is_some_and(|leg| leg.poll_finish(cx, scratch));
                if self.client.leg.is_gone() && self.far.leg_mut().is_none_or(|leg| leg.is_gone()) {
                    return Poll::Ready(());
                }
            }
            // Not before: what came in time is heard first, however late it is read.
            if !moved && !self.on_time(now) {
                return Poll::Pending;
            }
            if self.turns.is_over() {
                break;
            }
        }
        self.on_time(now); // who never stops for breath is judged as well
        if self.turns.stand_in_line(cx) {
            return Poll::Pending;
        }
        // Not `wake_by_ref`: that would put this task back in front of what the sockets of others have to say.
        pin!(tokio::task::yield_now()).poll(cx)
    }

    fn flush(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        if self.ticker.is_some() {
            return self.flush_and_tick(cx, now);
        }
        let client = self.client.leg.flush(cx, now);
        let far = self.far.leg_mut().is_some_and(|leg| leg.flush(cx, now));
        client || far
    }

    /// Whether it is calm and nothing waits: then there is nothing to do but to read.
    pub(super) fn is_settled(&self) -> bool {
        let far_is_flushed = match &self.far {
            Far::Echo(_) => true,
            Far::Tcp(tcp) => tcp.leg.is_flushed(),
            Far::WebSocket(backend) => backend.leg.is_flushed(),
        };
        far_is_flushed && self.client.leg.is_flushed() && self.is_calm()
    }

    /// Whether neither side has ended or is to end, and nothing of our own is to be said: then there is nothing to settle.
    fn is_calm(&self) -> bool {
        let far_is_calm = match &self.far {
            Far::Echo(_) => true,
            Far::Tcp(tcp) => tcp.leg.is_calm(),
            Far::WebSocket(backend) => backend.is_calm(),
        };
        self.end.is_none() && self.client.is_calm() && far_is_calm
    }

    /// Settling may make a Close due, and a Close that is sent may complete a closing handshake: hence both twice.
    fn advance_closing(&mut self, cx: &mut Context<'_>, now: Instant) {
        for _ in 0..2 {
            self.send_due(cx, now);
            self.settle(now);
        }
        self.send_due(cx, now);
    }

    fn send_due(&mut self, cx: &mut Context<'_>, now: Instant) {
        if self.client.send_due(cx, now) {
            self.pinged(clock::now()); // a turn may have been held up behind its beginning, and nobody answers before that
        }
        if let Some(backend) = self.far.websocket_mut() {
            backend.send_due(cx, now);
        }
    }
}

//! How a relay ends: what each side is told, in which order, and when it is let go.
//!
//! A cause is named once, by [`Relay::end`]; what follows from it, and from what the sides do meanwhile, is drawn again
//! and again by [`Relay::settle`] until both are gone.

use tidegate_proto::{Close, CloseCode};
use tokio::time::Instant;

use super::endpoint::ORDERLY;
use super::{Far, Relay, TCP_BACKEND};
use crate::outcome::End;

impl Relay {
    /// Begins the end. The first cause decides what each side is told; a later one changes nothing.
    pub(super) fn end(&mut self, cause: End, now: Instant) {
        if self.end.is_some() {
            return self.end_again(cause);
        }
        self.end = Some(cause);
        self.keepalive.stop();
        self.half_closed_since = None;
        if let (Far::WebSocket(backend), Some(code)) = (&mut self.far, cause.code_to_backend()) {
            backend.close(now, &Close::code(code));
        }
        match cause {
            End::ClientClosed(_) | End::BackendClosed(_) => {} // their frames say more than a code
            End::ClientLost | End::ClientStalled => self.client.leg.abort(),
            End::ClientEnded => self.client.leg.finish(now, ORDERLY),
            End::ClientViolation(_)
            | End::ClientText
            | End::ClientFlood
            | End::MessageUnfinished
            | End::Idle
            | End::PingUnanswered
            | End::BackendEnded
            | End::BackendLost
            | End::BackendViolation(_)
            | End::BackendNotText
            | End::BackendStalled
            | End::Drained
            | End::Panicked => {
                let code = cause.code_to_client().unwrap_or(CloseCode::NORMAL);
                self.client.close(now, &Close::code(code));
            }
        }
        if let Some(backend) = self.far.websocket_mut() {
            match cause {
                // An abnormal end is passed on, or answered, as one: no Close, but what the client has said is sent.
                End::ClientEnded | End::BackendLost => backend.leg.finish(now, ORDERLY),
                End::ClientLost => backend.leg.abort(),
                End::ClientClosed(_)
                | End::ClientViolation(_)
                | End::ClientText
                | End::ClientFlood
                | End::MessageUnfinished
                | End::ClientStalled
                | End::Idle
                | End::PingUnanswered
                | End::BackendClosed(_)
                | End::BackendEnded
                | End::BackendViolation(_)
                | End::BackendNotText
                | End::BackendStalled
                | End::Drained
                | End::Panicked => {}
            }
        }
    }

    /// A second cause, while the first is being carried out: only what it makes impossible is given up.
    fn end_again(&mut self, cause: End) {
        match cause {
            End::ClientLost | End::ClientStalled => self.client.leg.abort(),
            End::BackendLost | End::BackendStalled => self.far.abort(),
            End::ClientClosed(_)
            | End::ClientEnded
            | End::ClientViolation(_)
            | End::ClientText
            | End::ClientFlood
            | End::MessageUnfinished
            | End::Idle
            | End::PingUnanswered
            | End::BackendClosed(_)
            | End::BackendEnded
            | End::BackendViolation(_)
            | End::BackendNotText
            | End::Drained
            | End::Panicked => {}
        }
    }

    /// Draws the consequences of what has happened so far, for each side from what the other can still do.
    pub(super) fn settle(&mut self, now: Instant) {
        if self.client.leg.is_dead() {
            self.end(End::ClientLost, now);
        }
        self.client.settle(now);
        match &mut self.far {
            Far::Echo(_) => {
                // What it said is not said to its end, so neither is the answer.
                if !self.client.is_readable() && self.client.close_waits_for_frame() {
                    self.client.leg.finish(now, ORDERLY);
                }
            }
            Far::Tcp(tcp) => {
                if !self.client.is_readable() {
                    tcp.leg.half_close();
                }
                if !self.client.leg.is_open() {
                    tcp.leg.finish(now, TCP_BACKEND);
                }
            }
            Far::WebSocket(_) => self.settle_websocket(now),
        }
    }

    fn settle_websocket(&mut self, now: Instant) {
        let Some(backend) = self.far.websocket_mut() else { return };
        backend.settle(now);
        if !self.client.is_readable() && backend.close_waits_for_frame() {
            backend.leg.abort(); // the frame will never end, so neither can a Close be sent
        }
        if !self.client.leg.is_open() && !backend.is_closing() {
            backend.leg.finish(now, ORDERLY);
        }
        if !backend.is_readable() {
            if self.client.close_waits_for_frame() {
                self.client.leg.finish(now, ORDERLY);
            }
            if let Some(End::ClientClosed(code)) = self.end {
                self.client.close(now, &Close { code, reason: "" });
            }
        }
    }
}

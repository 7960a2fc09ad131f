//! How a relay ends: what each side is told, in which order, and when it is let go.
//!
//! A cause is named once, by [`Relay::end`]; what follows from it, and from what the sides do meanwhile, is drawn again
//! and again by [`Relay::settle`] until both are gone.

use std::sync::Arc;
use std::time::Duration;

use tidegate_proto::{Close, CloseCode, Violation};
use tokio::time::Instant;

use super::endpoint::{Endpoint, ORDERLY};
use super::leg::Patience;
use super::{Far, Relay};
use crate::config::{Route, spoken_size};
use crate::live::CloseNotice;
use crate::outcome::{Breach, Cause, End};

/// How long the Close for a client's violation waits for what a WebSocket backend still says to the messages before it.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// For a TCP backend that is to end: taking what it was sent, then ending its own side.
static TCP_BACKEND: Patience =
    Patience { taking: Duration::from_secs(20), after_fin: Duration::from_secs(5) };

impl Relay {
    /// Begins the end. The first cause decides what each side is told; a later one changes nothing.
    pub(super) fn end(&mut self, cause: End, now: Instant) {
        self.end_saying(cause, "", now);
    }

    /// Begins the end that somebody ordered.
    pub(super) fn end_as_told(&mut self, notice: &Arc<CloseNotice>, now: Instant) {
        self.live.leash.obeyed(notice);
        self.end_saying(notice.end(), &notice.reason, now);
    }

    /// `reason`: what the client is told beside the code.
    fn end_saying(&mut self, cause: End, reason: &str, now: Instant) {
        if self.end.is_some() {
            return self.end_again(cause);
        }
        self.end = Some(cause);
        self.keepalive.stop();
        self.half_closed_since = None;
        if let (Far::WebSocket(backend), Some(code)) = (&mut self.far, cause.code_to_backend()) {
            close(backend, cause, now, &Close::code(code));
        }
        match cause {
            End::ClientClosed(_) | End::BackendClosed(_) => {} // their frames say more than a code
            End::ClientLost | End::ClientStalled => self.client.leg.abort(),
            End::ClientEnded => self.client.leg.finish(now, &ORDERLY),
            End::ClientViolation(_)
                if self.far.websocket_mut().is_some_and(|backend| backend.is_readable()) =>
            {
                self.last_words_until = Some(now + LAST_WORDS);
            }
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
            | End::Told(..)
            | End::Panicked => {
                let code = cause.code_to_client().unwrap_or(CloseCode::NORMAL);
                let limit = exceeded(cause, &self.live.about.route);
                let reason = limit.as_deref().unwrap_or(reason);
                close(&mut self.client, cause, now, &Close { code: Some(code), reason });
            }
        }
        if matches!(cause, End::Told(Cause::Overloaded, _)) {
            self.let_go();
        }
        if let Some(backend) = self.far.websocket_mut() {
            match cause {
                // An abnormal end is passed on, or answered, as one: no Close, but what the client has said is sent.
                End::ClientEnded | End::BackendLost => backend.leg.finish(now, &ORDERLY),
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
                | End::Told(..)
                | End::Panicked => {}
            }
        }
    }

    /// Gives up what waits for a socket, and with it the side that does not take it: the memory is needed now.
    pub(super) fn let_go(&mut self) {
        if self.client.leg.has_backlog() {
            self.client.leg.abort();
        }
        if self.far.leg_mut().is_some_and(|leg| leg.has_backlog()) {
            self.far.abort();
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
            | End::Told(..)
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
                    self.client.leg.finish(now, &ORDERLY);
                }
            }
            Far::Tcp(tcp) => {
                if !self.client.is_readable() {
                    tcp.leg.half_close();
                }
                if !self.client.leg.is_open() {
                    tcp.leg.finish(now, &TCP_BACKEND);
                }
            }
            Far::WebSocket(_) => self.settle_websocket(now),
        }
    }

    /// A client that broke the protocol gets its Close when the backend has answered ours, or is gone, or has taken too
    /// long: its messages before the violation were good ones, and what the backend answers to them is still delivered.
    /// The backend's own Close is the answer to one that the client knows nothing of, and is not passed on.
    fn let_backend_finish(&mut self, now: Instant) {
        let goes_on = self.far.websocket_mut().is_some_and(|backend| backend.is_readable());
        if self.last_words_until.is_some() && !goes_on {
            self.end_last_words(now);
        }
    }

    /// What the backend says from now on is not waited for.
    fn end_last_words(&mut self, now: Instant) {
        self.last_words_until = None;
        if let Some(code) = self.end.and_then(|cause| cause.code_to_client()) {
            let limit = self.end.and_then(|cause| exceeded(cause, &self.live.about.route));
            self.client.close(now, &Close { code: Some(code), reason: limit.as_deref().unwrap_or("") });
        }
    }

    /// Gives up what the end has waited for too long: until the alarm rang. Whether there was anything.
    pub(super) fn judge_ending(&mut self, rang: Instant, now: Instant) -> bool {
        let mut is_late = self.last_words_until.is_some_and(|until| rang >= until);
        if is_late {
            self.end_last_words(now);
        }
        is_late |= self.client.judge_closing(rang, now);
        is_late |= self.client.leg.judge_finish(rang);
        is_late |= self.far.websocket_mut().is_some_and(|backend| backend.judge_closing(rang, now));
        is_late | self.far.leg_mut().is_some_and(|leg| leg.judge_finish(rang))
    }

    fn settle_websocket(&mut self, now: Instant) {
        self.let_backend_finish(now);
        let Some(backend) = self.far.websocket_mut() else { return };
        backend.settle(now);
        if !self.client.is_readable() {
            backend.message_will_not_end();
            if backend.close_waits_for_frame() {
                backend.leg.abort(); // nor will the frame, so no Close can be sent
            }
        }
        if !self.client.leg.is_open() && !backend.is_closing() {
            backend.leg.finish(now, &ORDERLY);
        }
        if !backend.is_readable() {
            self.client.message_will_not_end();
            if self.client.close_waits_for_frame() {
                self.client.leg.finish(now, &ORDERLY);
            }
            if let Some(End::ClientClosed(code)) = self.end {
                self.client.close(now, &Close { code, reason: "" });
            }
        }
    }
}

/// Which limit a client has exceeded: the one thing about its fault that whoever runs the client can act upon. It is far
/// shorter than a Close reason may be.
#[expect(clippy::wildcard_enum_match_arm, reason = "the other violations, and later ones, are of no limit")]
fn exceeded(cause: End, rules: &Route) -> Option<String> {
    let End::ClientViolation(Breach::Rfc6455(violation)) = cause else { return None };
    match violation {
        Violation::FrameTooBig => Some(format!("frame larger than {}", spoken_size(rules.frame_bytes_max))),
        Violation::MessageTooBig | Violation::InflatedTooBig => {
            Some(format!("message larger than {}", spoken_size(rules.message_limit()?)))
        }
        Violation::TooManyFragments => {
            Some(format!("message of more than {} frames", rules.fragment_limit()?))
        }
        _ => None,
    }
}

/// Puts a Close in line. Who was only told to close lets what is being said come to its end.
fn close(endpoint: &mut Endpoint, cause: End, now: Instant, close: &Close<'_>) {
    if matches!(cause, End::Told(..)) {
        endpoint.close_between_messages(now, close);
    } else {
        endpoint.close(now, close);
    }
}

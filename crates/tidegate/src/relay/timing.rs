//! What the clock demands of a relay, and when it does next.

use std::time::Duration;

use tokio::time::Instant;

use super::keepalive::Demand;
use super::{Far, Relay};
use crate::clock;
use crate::outcome::End;

/// How long a client may be silent in the middle of a message.
pub(super) const MESSAGE_SILENCE: Duration = Duration::from_secs(60);

/// How long a backend may be silent after the FIN of a client that sent no Close.
const HALF_CLOSED_SILENCE: Duration = Duration::from_secs(60);

impl Relay {
    /// What the clock demands, at the end of a turn. Whether anything came of it.
    pub(super) fn on_time(&mut self, now: Instant) -> bool {
        let had_ended = self.end.is_some();
        if !had_ended && let Some(notice) = self.orders.due(now, || self.live.traffic.counts()) {
            self.end_as_told(&notice, now);
        }
        let paused = self.client.is_readable() && self.inbound_room() == 0;
        let moved = match self.rang.take() {
            Some(rang) => {
                let lost = self.judge(rang, now, paused);
                self.keep_alive(rang, now, paused) || lost
            }
            None => paused && self.keep_alive(now, now, paused),
        };
        moved || self.end.is_some() != had_ended
    }

    /// Gives up who has been silent, or has taken nothing, for too long: until the alarm rang. What came until then has been
    /// heard, however late that was. Whether a side was let go.
    fn judge(&mut self, rang: Instant, now: Instant, paused: bool) -> bool {
        let mut lost = false;
        if self.half_closed_since.is_some_and(|since| rang >= since + HALF_CLOSED_SILENCE) {
            self.end(End::ClientEnded, now);
        }
        if self.client.leg.is_stalled(rang) {
            self.end(End::ClientStalled, now);
            self.client.leg.abort();
            lost = true;
        }
        if self.far.leg_mut().is_some_and(|leg| leg.is_stalled(rang)) {
            self.end(End::BackendStalled, now);
            self.far.abort();
            lost = true;
        }
        let (client_is_read, far_is_read) = (self.inbound_room() > 0, self.client.leg.room() > 0);
        if self.client.leg.has_fallen_silent(rang, client_is_read) {
            self.end(End::ClientLost, now);
            lost = true;
        }
        if self.far.leg_mut().is_some_and(|leg| leg.has_fallen_silent(rang, far_is_read)) {
            self.end(End::BackendLost, now);
            self.far.abort();
            lost = true;
        }
        if !paused && self.message_deadline().is_some_and(|deadline| rang >= deadline) {
            self.end(End::MessageUnfinished, now);
        }
        lost | self.judge_ending(rang, now)
    }

    /// Pings the client, or gives it up. Whether it is to be pinged.
    fn keep_alive(&mut self, rang: Instant, now: Instant, paused: bool) -> bool {
        let demand = self.keepalive.on_time(rang, paused);
        match demand {
            None => {}
            Some(Demand::Ping) => {
                let payload = *self.keepalive.payload();
                self.client.owe_ping(&payload);
            }
            Some(Demand::Unanswered) => self.end(End::PingUnanswered, now),
            Some(Demand::Idle) => self.end(End::Idle, now),
        }
        demand == Some(Demand::Ping)
    }

    /// When [`poll`](Self::poll) must run although no socket is ready.
    pub(super) fn deadline(&self) -> Instant {
        let none = || clock::now() + Duration::from_secs(3600);
        if self.is_settled() {
            let demands = [self.keepalive.deadline(), self.message_deadline(), self.orders.deadline()];
            return demands.into_iter().flatten().min().unwrap_or_else(none);
        }
        let far = match &self.far {
            Far::Echo(_) => None,
            Far::Tcp(tcp) => tcp.leg.deadline(),
            Far::WebSocket(backend) => backend.deadline(),
        };
        let half_closed = self.half_closed_since.map(|since| since + HALF_CLOSED_SILENCE);
        [
            self.client.deadline(),
            far,
            self.keepalive.deadline(),
            self.message_deadline(),
            half_closed,
            self.last_words_until,
            self.orders.deadline().filter(|_| self.end.is_none()),
        ]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or_else(none)
    }

    /// When the client has been silent in the middle of a message for too long. To a TCP backend messages mean nothing.
    fn message_deadline(&self) -> Option<Instant> {
        let counts = match self.far {
            Far::Tcp(_) => false,
            Far::Echo(_) | Far::WebSocket(_) => self.end.is_none() && self.is_client_mid_message(),
        };
        counts.then(|| self.keepalive.last_heard() + MESSAGE_SILENCE)
    }

    fn is_client_mid_message(&self) -> bool {
        match &self.hybi00 {
            Some(hybi00) => hybi00.is_mid_frame(),
            None => !self.client.receiver.at_message_boundary(),
        }
    }
}

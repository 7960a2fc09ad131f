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
    /// What the clock demands.
    pub(super) fn on_time(&mut self, now: Instant) {
        if self.end.is_none()
            && let Some(because) = self.orders.due(now, || self.live.traffic.counts())
        {
            self.end_as_told(&because, now);
        }
        if self.half_closed_since.is_some_and(|since| now >= since + HALF_CLOSED_SILENCE) {
            self.end(End::ClientEnded, now);
        }
        if self.client.leg.is_stalled(now) {
            self.end(End::ClientStalled, now);
            self.client.leg.abort();
        }
        if self.far.leg_mut().is_some_and(|leg| leg.is_stalled(now)) {
            self.end(End::BackendStalled, now);
            self.far.abort();
        }
        let paused = self.client.is_readable() && self.inbound_room() == 0;
        let (client_is_read, far_is_read) = (self.inbound_room() > 0, self.client.leg.room() > 0);
        if self.client.leg.has_fallen_silent(now, client_is_read) {
            self.end(End::ClientLost, now);
        }
        if self.far.leg_mut().is_some_and(|leg| leg.has_fallen_silent(now, far_is_read)) {
            self.end(End::BackendLost, now);
            self.far.abort();
        }
        if !paused && self.message_deadline().is_some_and(|deadline| now >= deadline) {
            self.end(End::MessageUnfinished, now);
        }
        match self.keepalive.on_time(now, paused) {
            None => {}
            Some(Demand::Ping) => {
                let payload = *self.keepalive.payload();
                self.client.owe_ping(&payload);
            }
            Some(Demand::Unanswered) => self.end(End::PingUnanswered, now),
            Some(Demand::Idle) => self.end(End::Idle, now),
        }
    }

    /// When [`poll`](Self::poll) must run although no socket is ready.
    pub(super) fn deadline(&self) -> Instant {
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
        .unwrap_or_else(|| clock::now() + Duration::from_secs(3600))
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

//! Pings of our own, and the time that a silent client is given: the protocol crate's clockwork, on this clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub(super) use tidegate_proto::Demand;
use tidegate_proto::Times;
use tokio::time::Instant;

use crate::clock;
use crate::handover::record;

/// When to ping the client and when to give it up. All of it is off where the route says 0.
#[derive(Debug)]
pub(super) struct Keepalive {
    /// The moment that the clockwork counts from.
    start: Instant,
    clockwork: tidegate_proto::Keepalive,
}

impl Keepalive {
    pub(super) fn new(
        now: Instant,
        ping_interval: Option<Duration>,
        ping_timeout: Option<Duration>,
        idle_timeout: Option<Duration>,
    ) -> Self {
        let times = Times { ping_interval, ping_timeout, idle_timeout, ..Times::default() };
        let clockwork = tidegate_proto::Keepalive::new(Duration::ZERO, &times, unique_payload());
        Self { start: now, clockwork }
    }

    /// As it is written down for another process.
    pub(super) fn write_down(&self, now: Instant) -> record::Keepalive {
        record::Keepalive { ran: now - self.start, clockwork: self.clockwork.clone() }
    }

    /// One that another process has written down. A ping that is under way there is answered here.
    pub(super) fn take_up(written: record::Keepalive) -> Self {
        Self { start: clock::ago(written.ran), clockwork: written.clockwork }
    }

    /// The payload of this connection's pings: no endpoint will have chosen the same.
    pub(super) const fn payload(&self) -> &[u8; 8] {
        self.clockwork.payload()
    }

    pub(super) fn heard(&mut self, now: Instant) {
        self.clockwork.heard(now - self.start);
    }

    pub(super) fn last_heard(&self) -> Instant {
        self.start + self.clockwork.last_heard()
    }

    /// A ping was handed to the socket: from now on it can be answered.
    pub(super) fn pinged(&mut self, now: Instant) {
        self.clockwork.pinged(now - self.start);
    }

    /// For how long a ping has waited for its answer.
    pub(super) fn waited(&self, now: Instant) -> Option<Duration> {
        Some((now - self.start).saturating_sub(self.clockwork.unanswered_since()?))
    }

    /// Whether this pong answers a ping of ours.
    pub(super) fn answered(&mut self, payload: &[u8]) -> bool {
        self.clockwork.answered(payload)
    }

    /// The client can be judged no more: it has ended its direction, or a Close is on its way.
    pub(super) const fn stop(&mut self) {
        self.clockwork.stop();
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.clockwork.deadline().map(|deadline| self.start + deadline)
    }

    /// What is due. `paused`: we ourselves do not read the client just now, so its answer may be waiting for us.
    pub(super) fn on_time(&mut self, now: Instant, paused: bool) -> Option<Demand> {
        self.clockwork.demand(now - self.start, paused)
    }
}

fn unique_payload() -> [u8; 8] {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    static START: std::sync::LazyLock<u64> =
        std::sync::LazyLock::new(|| getrandom::u64().unwrap_or(0x7469_6465));
    START.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn t058_ping_at_20_s_and_given_up_at_40_s() {
        let start = clock::now();
        let mut keepalive = Keepalive::new(start, Some(20 * S), Some(20 * S), None);
        assert_eq!(keepalive.deadline(), Some(start + 20 * S));
        assert_eq!(keepalive.on_time(start + 19 * S, false), None);
        assert_eq!(keepalive.on_time(start + 20 * S, false), Some(Demand::Ping));
        keepalive.pinged(start + 20 * S);
        assert_eq!(keepalive.on_time(start + 39 * S, false), None);
        assert_eq!(keepalive.on_time(start + 40 * S, false), Some(Demand::Unanswered));
    }

    #[test]
    fn no_two_connections_ping_with_the_same_payload() {
        assert_ne!(unique_payload(), unique_payload());
    }
}

//! Pings of our own, and the time that a silent client is given.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// When to ping the client and when to give it up. All of it is off where the route says 0.
#[derive(Debug)]
pub(super) struct Keepalive {
    interval: Option<Duration>,
    timeout: Option<Duration>,
    idle: Option<Duration>,
    next_ping: Option<Instant>,
    /// When the ping that waits for its pong was written.
    unanswered_since: Option<Instant>,
    /// When the client last sent anything but a pong to our own ping.
    heard: Instant,
    payload: [u8; 8],
}

/// What the clock demands.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Demand {
    /// Send a Ping with [`Keepalive::payload`], and say so with [`Keepalive::pinged`].
    Ping,
    /// The client has not answered in time.
    Unanswered,
    /// The client has been silent for too long.
    Idle,
}

impl Keepalive {
    pub(super) fn new(
        now: Instant,
        interval: Option<Duration>,
        timeout: Option<Duration>,
        idle: Option<Duration>,
    ) -> Self {
        let next_ping = interval.map(|interval| now + interval);
        Self {
            interval,
            timeout,
            idle,
            next_ping,
            unanswered_since: None,
            heard: now,
            payload: unique_payload(),
        }
    }

    /// The payload of this connection's pings: no endpoint will have chosen the same.
    pub(super) const fn payload(&self) -> &[u8; 8] {
        &self.payload
    }

    pub(super) const fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    pub(super) const fn last_heard(&self) -> Instant {
        self.heard
    }

    /// A ping was handed to the socket: from now on it can be answered.
    pub(super) fn pinged(&mut self, now: Instant) {
        self.unanswered_since.get_or_insert(now);
    }

    /// Whether this pong answers a ping of ours.
    pub(super) fn answered(&mut self, payload: &[u8]) -> bool {
        let ours = payload == self.payload;
        if ours {
            self.unanswered_since = None;
        }
        ours
    }

    /// The client can be judged no more: it has ended its direction, or a Close is on its way.
    pub(super) const fn stop(&mut self) {
        self.next_ping = None;
        self.timeout = None;
        self.idle = None;
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let unanswered = self.unanswered_since.zip(self.timeout).map(|(since, timeout)| since + timeout);
        let idle = self.idle.map(|idle| self.heard + idle);
        self.next_ping.into_iter().chain(unanswered).chain(idle).min()
    }

    /// What is due. `paused`: we ourselves do not read the client just now, so its answer may be waiting for us.
    pub(super) fn on_time(&mut self, now: Instant, paused: bool) -> Option<Demand> {
        if paused {
            self.unanswered_since = self.unanswered_since.map(|_| now);
            self.heard = now;
        }
        if self.unanswered_since.zip(self.timeout).is_some_and(|(since, timeout)| now >= since + timeout) {
            return Some(Demand::Unanswered);
        }
        if self.idle.is_some_and(|idle| now >= self.heard + idle) {
            return Some(Demand::Idle);
        }
        if self.next_ping.is_some_and(|next| now >= next) {
            self.next_ping = self.interval.map(|interval| now + interval);
            let goes_on = self.unanswered_since.is_none() || self.timeout.is_none();
            return goes_on.then_some(Demand::Ping);
        }
        None
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
        let start = crate::clock::now();
        let mut keepalive = Keepalive::new(start, Some(20 * S), Some(20 * S), None);
        assert_eq!(keepalive.deadline(), Some(start + 20 * S));
        assert_eq!(keepalive.on_time(start + 19 * S, false), None);
        assert_eq!(keepalive.on_time(start + 20 * S, false), Some(Demand::Ping));
        keepalive.pinged(start + 20 * S);
        assert_eq!(keepalive.on_time(start + 39 * S, false), None);
        assert_eq!(keepalive.on_time(start + 40 * S, false), Some(Demand::Unanswered));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_starts_the_next_round_and_only_our_payload_is_an_answer() {
        let start = crate::clock::now();
        let mut keepalive = Keepalive::new(start, Some(20 * S), Some(20 * S), None);
        assert_eq!(keepalive.on_time(start + 20 * S, false), Some(Demand::Ping));
        keepalive.pinged(start + 20 * S);
        assert!(!keepalive.answered(b"other"));
        let payload = *keepalive.payload();
        assert!(keepalive.answered(&payload));
        assert_eq!(keepalive.on_time(start + 40 * S, false), Some(Demand::Ping));
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_time_out_pings_go_on_unanswered() {
        let start = crate::clock::now();
        let mut keepalive = Keepalive::new(start, Some(20 * S), None, None);
        for round in 1..5 {
            assert_eq!(keepalive.on_time(start + round * 20 * S, false), Some(Demand::Ping));
            keepalive.pinged(start + round * 20 * S);
        }
        keepalive.stop();
        assert_eq!((keepalive.on_time(start + 200 * S, false), keepalive.deadline()), (None, None));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_counts_only_while_we_listen() {
        let start = crate::clock::now();
        let mut keepalive = Keepalive::new(start, None, None, Some(10 * S));
        assert_eq!(keepalive.on_time(start + 10 * S, true), None);
        assert_eq!(keepalive.on_time(start + 19 * S, false), None);
        assert_eq!(keepalive.on_time(start + 20 * S, false), Some(Demand::Idle));
        keepalive.stop();
        assert_eq!(keepalive.deadline(), None);
    }
}

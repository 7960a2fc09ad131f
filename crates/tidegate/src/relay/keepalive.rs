//! Pings of our own, and the time that a silent client is given: the protocol crate's clockwork, on this clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub(super) use tidegate_proto::Demand;
use tidegate_proto::Times;
use tokio::time::Instant;

use crate::clock;
use crate::handover::record;

/// Whoever is asked this late for what is due has slept, or had no time.
pub(super) const LATE: Duration = Duration::from_secs(1);

/// When to ping the client and when to give it up. All of it is off where the route says 0.
#[derive(Debug)]
pub(super) struct Keepalive {
    /// The moment that the clockwork counts from.
    start: Instant,
    clockwork: tidegate_proto::Keepalive,
}

impl Keepalive {
    /// `conn`: the number of the connection, which decides when its first ping is due: half an interval before or after the
    /// interval. However many connections begin at once, their pings are spread over all of it.
    pub(super) fn new(
        conn: u64,
        now: Instant,
        ping_interval: Option<Duration>,
        ping_timeout: Option<Duration>,
        idle_timeout: Option<Duration>,
    ) -> Self {
        let times = Times { ping_interval, ping_timeout, idle_timeout, ..Times::default() };
        let clockwork = tidegate_proto::Keepalive::new(Duration::ZERO, &times, unique_payload());
        let first = ping_interval.unwrap_or_default().mul_f64(0.5 + phase(conn));
        Self { start: now, clockwork: clockwork.first_ping_at(first) }
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
        // While we slept nobody read the client: its answer may lie behind the first of what it has to say now.
        let heard = self.last_heard();
        let is_heard_again = self.deadline().is_some_and(|due| now.min(heard) >= due + LATE);
        self.clockwork.demand(now - self.start, paused || is_heard_again)
    }
}

/// From 0 to 1, and for numbers that follow on each other as evenly spread as can be: multiples of the golden ratio.
fn phase(conn: u64) -> f64 {
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15; // of 2^64
    conn.wrapping_mul(GOLDEN) as f64 / u64::MAX as f64
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
    async fn t058_pinged_each_20_s_and_given_up_20_s_later() {
        let start = clock::now();
        let mut keepalive = Keepalive::new(0, start, Some(20 * S), Some(20 * S), None);
        assert_eq!(keepalive.deadline(), Some(start + 10 * S));
        assert_eq!(keepalive.on_time(start + 9 * S, false), None);
        assert_eq!(keepalive.on_time(start + 10 * S, false), Some(Demand::Ping));
        keepalive.pinged(start + 10 * S);
        let payload = *keepalive.payload();
        assert!(keepalive.answered(&payload));
        assert_eq!(keepalive.on_time(start + 29 * S, false), None);
        assert_eq!(keepalive.on_time(start + 30 * S, false), Some(Demand::Ping));
        keepalive.pinged(start + 30 * S);
        assert_eq!(keepalive.on_time(start + 49 * S, false), None);
        assert_eq!(keepalive.on_time(start + 50 * S, false), Some(Demand::Unanswered));
    }

    /// After a sleep an answer may lie behind what is read first; whoever says nothing then, or has talked on without an answer
    /// while we were awake, is given up.
    #[tokio::test(start_paused = true)]
    async fn f51_f52_who_is_heard_again_after_a_sleep_has_its_time_anew() {
        let start = clock::now();
        let pinged = || {
            let mut keepalive = Keepalive::new(0, start, Some(20 * S), Some(20 * S), None);
            assert_eq!(keepalive.on_time(start + 10 * S, false), Some(Demand::Ping));
            keepalive.pinged(start + 10 * S);
            keepalive
        };
        let mut heard_again = pinged();
        heard_again.heard(start + 60 * S);
        assert_eq!(heard_again.on_time(start + 60 * S, false), None);
        assert_eq!(heard_again.on_time(start + 80 * S, false), Some(Demand::Unanswered));
        assert_eq!(pinged().on_time(start + 60 * S, false), Some(Demand::Unanswered));
        let mut talks_on = pinged();
        talks_on.heard(start + 30 * S);
        assert_eq!(talks_on.on_time(start + 30 * S, false), Some(Demand::Unanswered));
    }

    #[tokio::test(start_paused = true)]
    async fn t245_connections_that_begin_at_once_are_pinged_evenly_over_the_interval() {
        let start = clock::now();
        let mut seconds = [0; 30];
        for conn in 1..=10_000 {
            let first = Keepalive::new(conn, start, Some(20 * S), None, None).deadline().unwrap() - start;
            seconds[usize::try_from(first.as_secs()).unwrap()] += 1;
        }
        assert_eq!(seconds[..10], [0; 10]);
        assert!(seconds[10..].iter().all(|pings| (480..=520).contains(pings)), "{seconds:?}");
    }

    #[test]
    fn no_two_connections_ping_with_the_same_payload() {
        assert_ne!(unique_payload(), unique_payload());
    }
}

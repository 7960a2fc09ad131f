//! Deadlines as values: when to ping, and when to give a silent peer up (RFC 6455 §5.5.2 leaves both to us).

use core::num::NonZeroU64;
use core::time::Duration;

/// Times of a connection. [`None`] turns one off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// Time between two Pings of ours. Default 20 s.
    pub ping_interval: Option<Duration>,
    /// How long a Ping may stay without its Pong. Default 20 s.
    pub ping_timeout: Option<Duration>,
    /// How long the peer may send nothing but Pongs to our own Pings. Default: off.
    pub idle_timeout: Option<Duration>,
    /// How long the peer may take to answer our Close, and a server to end TCP after both. Default 5 s.
    pub close_timeout: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            ping_interval: Some(Duration::from_secs(20)),
            ping_timeout: Some(Duration::from_secs(20)),
            idle_timeout: None,
            close_timeout: Duration::from_secs(5),
        }
    }
}

/// What the clock demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// Send a Ping with [`Keepalive::payload`], and say so with [`Keepalive::pinged`].
    Ping,
    /// The peer has not answered a Ping in time.
    Unanswered,
    /// The peer has been silent for too long.
    Idle,
}

/// When to ping a peer and when to give it up.
///
/// Time is an argument: the [`Duration`] since any moment that the caller keeps fixed. It is told to the nanosecond for 584
/// years; what is later counts as that. Whoever has thousands of connections has as many of these, so times are packed:
/// 56 bytes and not 104.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Keepalive {
    interval: Option<Nanos>,
    timeout: Option<Nanos>,
    idle: Option<Nanos>,
    next_ping: Option<Nanos>,
    /// When the Ping that waits for its Pong was written.
    unanswered_since: Option<Nanos>,
    /// When the peer last sent anything but a Pong to our own Ping.
    heard: Nanos,
    payload: [u8; 8],
}

impl Keepalive {
    /// Begins at `now`. `payload` is that of every Ping: an intermediary, which must tell the Pongs to its own Pings
    /// from others', picks one that no endpoint will have chosen.
    pub fn new(now: Duration, times: &Times, payload: [u8; 8]) -> Self {
        let heard = Nanos::new(now);
        let interval = times.ping_interval.map(Nanos::new);
        Self {
            interval,
            timeout: times.ping_timeout.map(Nanos::new),
            idle: times.idle_timeout.map(Nanos::new),
            next_ping: interval.map(|interval| heard.plus(interval)),
            unanswered_since: None,
            heard,
            payload,
        }
    }

    /// The first Ping is due at this time, and not after a whole interval. Whoever has thousands of connections that began
    /// together sees to it in this way that their Pings do not come together for ever.
    #[must_use]
    pub fn first_ping_at(self, time: Duration) -> Self {
        Self { next_ping: self.interval.map(|_| Nanos::new(time)), ..self }
    }

    /// The payload of this connection's Pings.
    pub const fn payload(&self) -> &[u8; 8] {
        &self.payload
    }

    /// The peer sent something.
    pub const fn heard(&mut self, now: Duration) {
        self.heard = Nanos::new(now);
    }

    /// When [`heard`](Self::heard) was last called, or the connection began.
    pub const fn last_heard(&self) -> Duration {
        self.heard.duration()
    }

    /// A Ping was handed to the socket: from now on it can be answered.
    pub fn pinged(&mut self, now: Duration) {
        self.unanswered_since.get_or_insert(Nanos::new(now));
    }

    /// Since when a Ping waits for its Pong; while we do not read the peer, that is put off.
    pub fn unanswered_since(&self) -> Option<Duration> {
        self.unanswered_since.map(Nanos::duration)
    }

    /// Whether this Pong answers a Ping of ours.
    pub fn answered(&mut self, payload: &[u8]) -> bool {
        let ours = payload == self.payload;
        if ours {
            self.unanswered_since = None;
        }
        ours
    }

    /// The peer can be judged no more: it has ended its direction, or a Close is on its way.
    pub const fn stop(&mut self) {
        self.next_ping = None;
        self.timeout = None;
        self.idle = None;
    }

    /// When [`demand`](Self::demand) must be asked.
    pub fn deadline(&self) -> Option<Duration> {
        let idle = self.idle.map(|idle| self.heard.plus(idle));
        self.next_ping.into_iter().chain(self.give_up_at()).chain(idle).min().map(Nanos::duration)
    }

    /// When the peer is given up if it has not answered a Ping until then.
    fn give_up_at(&self) -> Option<Nanos> {
        self.unanswered_since.zip(self.timeout).map(|(since, timeout)| since.plus(timeout))
    }

    /// What is due. `paused`: we ourselves do not read the peer just now, so its answer may be waiting for us.
    pub fn demand(&mut self, now: Duration, paused: bool) -> Option<Demand> {
        let now = Nanos::new(now);
        if paused {
            self.unanswered_since = self.unanswered_since.map(|_| now);
            self.heard = now;
        }
        if self.give_up_at().is_some_and(|time| now >= time) {
            return Some(Demand::Unanswered);
        }
        if self.idle.is_some_and(|idle| now >= self.heard.plus(idle)) {
            return Some(Demand::Idle);
        }
        if self.next_ping.is_some_and(|next| now >= next) {
            self.next_ping = self.interval.map(|interval| now.plus(interval));
            let goes_on = self.unanswered_since.is_none() || self.timeout.is_none();
            return goes_on.then_some(Demand::Ping);
        }
        None
    }
}

/// A [`Duration`] in half of its memory, or in a quarter where it is optional: its nanoseconds, and one more. Written down
/// as a `Duration`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(from = "Duration", into = "Duration"))]
struct Nanos(NonZeroU64);

impl Nanos {
    const fn new(duration: Duration) -> Self {
        let nanos =
            duration.as_secs().saturating_mul(1_000_000_000).saturating_add(duration.subsec_nanos() as u64);
        Self(NonZeroU64::MIN.saturating_add(nanos))
    }

    const fn duration(self) -> Duration {
        Duration::from_nanos(self.0.get() - 1)
    }

    const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0.get() - 1))
    }
}

impl From<Duration> for Nanos {
    fn from(duration: Duration) -> Self {
        Self::new(duration)
    }
}

impl From<Nanos> for Duration {
    fn from(nanos: Nanos) -> Self {
        nanos.duration()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);
    const PAYLOAD: [u8; 8] = *b"our ping";

    fn keepalive(ping_timeout: Option<Duration>) -> Keepalive {
        let times = Times { ping_timeout, ..Times::default() };
        Keepalive::new(100 * S, &times, PAYLOAD)
    }

    #[test]
    fn pinged_at_20_s_and_given_up_at_40_s() {
        let mut keepalive = keepalive(Some(20 * S));
        assert_eq!(keepalive.deadline(), Some(120 * S));
        assert_eq!(keepalive.demand(119 * S, false), None);
        assert_eq!(keepalive.demand(120 * S, false), Some(Demand::Ping));
        keepalive.pinged(120 * S);
        assert_eq!(keepalive.demand(139 * S, false), None);
        assert_eq!(keepalive.demand(140 * S, false), Some(Demand::Unanswered));
    }

    #[test]
    fn an_answer_starts_the_next_round_and_only_our_payload_is_an_answer() {
        let mut keepalive = keepalive(Some(20 * S));
        assert_eq!(keepalive.demand(120 * S, false), Some(Demand::Ping));
        keepalive.pinged(120 * S);
        assert!(!keepalive.answered(b"other"));
        assert!(keepalive.answered(&PAYLOAD));
        assert_eq!(keepalive.demand(140 * S, false), Some(Demand::Ping));
    }

    #[test]
    fn the_first_ping_has_a_time_of_its_own_and_later_ones_follow_at_the_interval() {
        let mut keepalive = keepalive(None).first_ping_at(107 * S);
        assert_eq!(keepalive.demand(106 * S, false), None);
        assert_eq!(keepalive.demand(107 * S, false), Some(Demand::Ping));
        assert_eq!(keepalive.deadline(), Some(127 * S));
        let never = Times { ping_interval: None, ..Times::default() };
        assert_eq!(Keepalive::new(S, &never, PAYLOAD).first_ping_at(7 * S).deadline(), None);
    }

    #[test]
    fn times_are_exact_to_the_nanosecond_and_have_an_end() {
        let exact = Duration::new(3, 7);
        assert_eq!(
            (Nanos::new(exact).duration(), Nanos::new(Duration::ZERO).duration()),
            (exact, Duration::ZERO)
        );
        assert_eq!(Nanos::new(exact).plus(Nanos::new(S)).duration(), Duration::new(4, 7));
        let mut keepalive = keepalive(Some(Duration::MAX));
        keepalive.pinged(101 * S);
        assert_eq!(keepalive.demand(119 * S, false), None, "a time-out of for ever is not one of no time");
        assert_eq!(keepalive.demand(Duration::MAX, false), Some(Demand::Unanswered));
    }

    #[test]
    fn without_a_time_out_pings_go_on_unanswered() {
        let mut keepalive = keepalive(None);
        for round in 1..5 {
            let now = 100 * S + round * 20 * S;
            assert_eq!(keepalive.demand(now, false), Some(Demand::Ping));
            keepalive.pinged(now);
        }
        keepalive.stop();
        assert_eq!((keepalive.demand(900 * S, false), keepalive.deadline()), (None, None));
    }

    #[test]
    fn silence_counts_only_while_we_listen() {
        let times = Times { ping_interval: None, idle_timeout: Some(10 * S), ..Times::default() };
        let mut keepalive = Keepalive::new(Duration::ZERO, &times, PAYLOAD);
        assert_eq!(keepalive.demand(10 * S, true), None);
        assert_eq!(keepalive.demand(19 * S, false), None);
        assert_eq!(keepalive.demand(20 * S, false), Some(Demand::Idle));
        keepalive.stop();
        assert_eq!(keepalive.deadline(), None);
    }
}

//! Deadlines as values: when to ping, and when to give a silent peer up (RFC 6455 §5.5.2 leaves both to us).

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
/// Time is an argument: the [`Duration`] since any moment that the caller keeps fixed.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Keepalive {
    interval: Option<Duration>,
    timeout: Option<Duration>,
    idle: Option<Duration>,
    next_ping: Option<Duration>,
    /// When the Ping that waits for its Pong was written.
    unanswered_since: Option<Duration>,
    /// When the peer last sent anything but a Pong to our own Ping.
    heard: Duration,
    payload: [u8; 8],
}

impl Keepalive {
    /// Begins at `now`. `payload` is that of every Ping: an intermediary, which must tell the Pongs to its own Pings
    /// from others', picks one that no endpoint will have chosen.
    pub fn new(now: Duration, times: &Times, payload: [u8; 8]) -> Self {
        Self {
            interval: times.ping_interval,
            timeout: times.ping_timeout,
            idle: times.idle_timeout,
            next_ping: times.ping_interval.map(|interval| now + interval),
            unanswered_since: None,
            heard: now,
            payload,
        }
    }

    /// The first Ping is due at this time, and not after a whole interval. Whoever has thousands of connections that began
    /// together sees to it in this way that their Pings do not come together for ever.
    #[must_use]
    pub fn first_ping_at(self, time: Duration) -> Self {
        Self { next_ping: self.interval.map(|_| time), ..self }
    }

    /// The payload of this connection's Pings.
    pub const fn payload(&self) -> &[u8; 8] {
        &self.payload
    }

    /// The peer sent something.
    pub const fn heard(&mut self, now: Duration) {
        self.heard = now;
    }

    /// When [`heard`](Self::heard) was last called, or the connection began.
    pub const fn last_heard(&self) -> Duration {
        self.heard
    }

    /// A Ping was handed to the socket: from now on it can be answered.
    pub fn pinged(&mut self, now: Duration) {
        self.unanswered_since.get_or_insert(now);
    }

    /// Since when a Ping waits for its Pong; while we do not read the peer, that is put off.
    pub const fn unanswered_since(&self) -> Option<Duration> {
        self.unanswered_since
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
        let unanswered = self.unanswered_since.zip(self.timeout).map(|(since, timeout)| since + timeout);
        let idle = self.idle.map(|idle| self.heard + idle);
        self.next_ping.into_iter().chain(unanswered).chain(idle).min()
    }

    /// What is due. `paused`: we ourselves do not read the peer just now, so its answer may be waiting for us.
    pub fn demand(&mut self, now: Duration, paused: bool) -> Option<Demand> {
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

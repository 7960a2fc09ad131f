//! The line to the server: one attempt at a time, and a back-off between attempts that fail.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

use super::failure::Failure;
use super::open::{Opened, Opener};
use super::session::End;
use crate::clock::{self, timeout_at};

/// What all local connections share. RFC 6455 §4.1 (2) lets a client open one WebSocket to a server at a time; here that
/// also keeps local connections that wait from asking a server that is down side by side.
pub(super) struct Line {
    opener: Opener,
    /// How attempts are repeated; `None`: there is one for each local connection.
    backoff: Option<Backoff>,
    /// How long a local connection waits for its WebSocket, all attempts together.
    patience: Duration,
    state: Mutex<State>,
}

/// RFC 6455 §7.2.3: a random first delay, so that clients which have lost the same server do not come back together;
/// then twice as long each time, up to a cap.
#[derive(Debug, Clone, Copy)]
pub(super) struct Backoff {
    /// The first delay is between nothing and this.
    pub(super) first: Duration,
    /// No delay is longer.
    pub(super) max: Duration,
}

/// What is known of the server.
#[derive(Debug, Default)]
struct State {
    /// Attempts that have failed since the last one that has not.
    failures: u32,
    down_since: Option<Instant>,
    not_before: Option<Instant>,
}

impl Line {
    pub(super) fn new(opener: Opener, backoff: Option<Backoff>, patience: Duration) -> Self {
        Self { opener, backoff, patience, state: Mutex::new(State::default()) }
    }

    pub(super) const fn opener(&self) -> &Opener {
        &self.opener
    }

    /// Opens a WebSocket for one local connection, as often as it takes and as long as it waits.
    pub(super) async fn open(&self) -> Result<Opened, Failure> {
        let deadline = clock::now() + self.patience;
        let out_of_patience = || Failure::TooLong {
            step: "waiting for a WebSocket",
            limit: self.patience,
            flag: "--connect-timeout",
        };
        let Ok(mut state) = timeout_at(deadline, self.state.lock()).await else {
            return Err(out_of_patience());
        };
        loop {
            match state.not_before {
                Some(at) if at >= deadline => {
                    sleep_until(deadline).await;
                    return Err(out_of_patience());
                }
                Some(at) => sleep_until(at).await,
                None => {}
            }
            match timeout_at(deadline, self.opener.open()).await {
                Ok(Ok(opened)) => {
                    state.up(&self.opener);
                    return Ok(opened);
                }
                Ok(Err(failure)) => match self.backoff {
                    Some(backoff) if !failure.is_final() => state.down(&self.opener, backoff, &failure),
                    Some(_) | None => return Err(failure),
                },
                Err(_elapsed) => return Err(out_of_patience()),
            }
        }
    }

    /// Notes how a session has ended: after one that broke, the next attempt is delayed.
    pub(super) async fn note(&self, end: &End) {
        if let Some(backoff) = self.backoff.filter(|_| end.is_abnormal()) {
            let mut state = self.state.lock().await;
            if state.failures == 0 {
                state.down(&self.opener, backoff, end);
            }
        }
    }
}

impl State {
    fn up(&mut self, opener: &Opener) {
        if let Some(since) = self.down_since {
            let outage = Duration::from_secs((clock::now() - since).as_secs());
            tracing::info!("{} is there again, after {}", opener.place, humantime::format_duration(outage));
        }
        *self = Self::default();
    }

    fn down(&mut self, opener: &Opener, backoff: Backoff, why: &dyn std::fmt::Display) {
        let delay = backoff.delay(self.failures, random());
        self.failures = self.failures.saturating_add(1);
        let now = clock::now();
        self.down_since.get_or_insert(now);
        self.not_before = Some(now + delay);
        tracing::warn!("{}: {why}; next attempt in {:.1} s", opener.place, delay.as_secs_f64());
    }
}

impl Backoff {
    /// The delay after so many failures before this one. `random` is from 0 to 1.
    fn delay(self, failures: u32, random: f64) -> Duration {
        if failures == 0 {
            return self.first.mul_f64(random).min(self.max);
        }
        let doubled = self.first.saturating_mul(2_u32.saturating_pow(failures)).min(self.max);
        doubled.mul_f64(1.0 - random * JITTER)
    }
}

/// The part of a delay that is left to chance, so that clients that failed together do not go on together.
const JITTER: f64 = 0.25;

/// From 0 to 1, unforeseeable.
fn random() -> f64 {
    let bits = getrandom::u32().expect("the system gives random bytes");
    f64::from(bits) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn c071_the_first_delay_is_random_and_the_next_ones_double_up_to_a_cap() {
        let backoff = Backoff { first: 5 * S, max: 60 * S };
        let nominal: Vec<_> = (1..8).map(|failures| backoff.delay(failures, 0.0)).collect();
        assert_eq!(nominal, [10 * S, 20 * S, 40 * S, 60 * S, 60 * S, 60 * S, 60 * S]);
        assert_eq!(backoff.delay(0, 0.0), Duration::ZERO);
        assert_eq!(backoff.delay(0, 1.0), 5 * S);
        assert_eq!(backoff.delay(3, 1.0), 30 * S, "a quarter of it is left to chance");
        assert_eq!(backoff.delay(u32::MAX, 0.0), 60 * S);
        let one_second_at_most = Backoff { first: 5 * S, max: S };
        assert_eq!(one_second_at_most.delay(0, 1.0), S);
        let drawn: Vec<_> = (0..20).map(|_| backoff.delay(0, random())).collect();
        assert!(drawn.iter().any(|delay| *delay != drawn[0]), "{drawn:?}");
        assert!(drawn.iter().all(|delay| *delay <= 5 * S), "{drawn:?}");
    }
}

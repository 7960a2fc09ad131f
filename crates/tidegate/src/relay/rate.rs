//! How many control frames a client may send.

use tokio::time::Instant;

/// Control frames a second, in the long run. A client that pings ten times a second is a hundred times too eager.
const PER_SECOND: f64 = 100.0;

/// Control frames at once.
const BURST: f64 = 200.0;

/// A token bucket. What is sent to a socket in answer is bounded elsewhere; this bounds the work.
#[derive(Debug)]
pub(super) struct ControlRate {
    tokens: f64,
    since: Instant,
}

impl ControlRate {
    pub(super) const fn new(now: Instant) -> Self {
        Self { tokens: BURST, since: now }
    }

    /// How many frames it lets through now.
    pub(super) fn left(&self, now: Instant) -> f64 {
        (self.tokens + (now - self.since).as_secs_f64() * PER_SECOND).min(BURST)
    }

    /// One with this many tokens left.
    pub(super) const fn going_on(tokens: f64, now: Instant) -> Self {
        Self { tokens: tokens.min(BURST), since: now }
    }

    /// Takes `frames` tokens; `false` when there are fewer.
    pub(super) fn take(&mut self, frames: u32, now: Instant) -> bool {
        if frames == 0 {
            return true;
        }
        self.tokens = self.left(now);
        self.since = now;
        self.tokens -= f64::from(frames);
        self.tokens >= 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn a_burst_passes_and_a_flood_does_not() {
        let start = crate::clock::now();
        let mut rate = ControlRate::new(start);
        assert!((0..200).all(|_| rate.take(1, start)));
        assert!(!rate.take(1, start));

        let mut rate = ControlRate::new(start);
        assert!((0..10_000u32).all(|frame| rate.take(1, start + Duration::from_millis(10) * frame)));
        assert!(!rate.take(201, start + Duration::from_secs(1000)), "tokens do not pile up");
    }
}

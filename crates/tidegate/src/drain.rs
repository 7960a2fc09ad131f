//! The stop signal of the gateway, and the pace at which sessions are told to close.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::live::{CloseNotice, Order};

/// Told once that the gateway stops; from then on it has an order for each session, those included that open later.
#[derive(Debug, Clone, Default)]
pub struct Drain {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    token: CancellationToken,
    /// Set before the token is cancelled.
    started: OnceLock<(Arc<CloseNotice>, Pace)>,
}

/// How fast a drain tells its sessions to close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Haste {
    /// As fast as `drain_rate` lets it: somebody waits for its end.
    AtDrainRate,
    /// Evenly over all of the time that there is: nobody waits.
    None,
}

/// Spreads what many sessions are told over time: each has a short stretch of it, and is told at random within that.
#[derive(Debug)]
pub struct Pace {
    begun: Instant,
    tickets: AtomicU64,
    /// How many go first, without waiting.
    burst: u64,
    /// The stretch of each of the others.
    step: Duration,
}

impl Drain {
    /// Starts the drain; a second start changes nothing.
    pub fn start(&self, notice: Arc<CloseNotice>, pace: Pace) {
        if self.shared.started.set((notice, pace)).is_ok() {
            self.shared.token.cancel();
        }
    }

    /// Whether it was started.
    pub fn is_started(&self) -> bool {
        self.shared.started.get().is_some()
    }

    /// Completes when it is started.
    pub fn started(&self) -> impl Future<Output = ()> + Send + 'static {
        self.shared.token.clone().cancelled_owned()
    }

    /// What the next session is told, once it is started.
    pub fn order(&self) -> Option<Order> {
        let (notice, pace) = self.shared.started.get()?;
        Some(Order { at: pace.next(), idle: None, notice: Arc::clone(notice) })
    }
}

impl Pace {
    /// For `count` sessions that are all to be told within four fifths of the window: `rate` of them a second, or as many as
    /// that takes. A tenth of a second's worth of them need not wait.
    pub fn within(window: Duration, count: usize, rate: u32, begun: Instant) -> Self {
        let step = (told_within(window) / at_least_one(count)).min(at_rate(rate));
        Self { begun, tickets: AtomicU64::new(0), burst: u64::from(rate / 10), step }
    }

    /// For `count` sessions that are told evenly over four fifths of the window, however few they are.
    pub fn evenly(window: Duration, count: usize, begun: Instant) -> Self {
        let step = told_within(window) / at_least_one(count);
        Self { begun, tickets: AtomicU64::new(0), burst: 0, step }
    }

    /// For `count` sessions that are told evenly over all of the window, but no more than `rate` of them in a second.
    pub fn over(window: Duration, count: usize, rate: u32, begun: Instant) -> Self {
        let step = (window / at_least_one(count)).max(at_rate(rate));
        let burst = if window.is_zero() { u64::from(rate / 10) } else { 0 };
        Self { begun, tickets: AtomicU64::new(0), burst, step }
    }

    /// How long it takes until `count` sessions have been told.
    pub fn span(&self, count: usize) -> Duration {
        let waiting = u64::try_from(count).unwrap_or(u64::MAX).saturating_sub(self.burst);
        self.step.saturating_mul(u32::try_from(waiting).unwrap_or(u32::MAX))
    }

    /// When the next one is told.
    pub fn next(&self) -> Instant {
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        let Some(place) = ticket.checked_sub(self.burst) else { return self.begun };
        self.begun + self.step.mul_f64(place as f64 + chance())
    }
}

/// Of the time that a drain has, the part in which everybody is told: the rest is for their closing handshakes.
pub(crate) fn told_within(window: Duration) -> Duration {
    window * 4 / 5
}

/// A random number from 0 to 1; the middle where the system gives none.
pub(crate) fn chance() -> f64 {
    getrandom::u32().map_or(0.5, |number| f64::from(number) / f64::from(u32::MAX))
}

fn at_least_one(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX).max(1)
}

fn at_rate(rate: u32) -> Duration {
    Duration::from_secs(1) / rate.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn delays(pace: &Pace, count: usize) -> Vec<Duration> {
        (0..count).map(|_| pace.next() - pace.begun).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_few_close_at_once_and_thousands_are_spread() {
        let delays = delays(&Pace::within(30 * S, 5_050, 500, crate::clock::now()), 5_050);
        assert!(delays[..50].iter().all(Duration::is_zero));
        assert!((S * 9..=S * 10).contains(&delays[5_049]), "{:?}", delays[5_049]);
        let in_first_second = delays.iter().filter(|delay| **delay < S).count();
        assert!((540..=551).contains(&in_first_second), "{in_first_second}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_rate_gives_way_where_the_time_is_short() {
        let delays = delays(&Pace::within(10 * S, 80_000, 500, crate::clock::now()), 80_000);
        assert!((S * 7..=S * 8).contains(&delays[79_999]), "{:?}", delays[79_999]);
    }

    #[tokio::test(start_paused = true)]
    async fn over_a_long_time_everybody_has_an_own_moment() {
        let pace = Pace::over(600 * S, 100, 500, crate::clock::now());
        for (place, delay) in (0..).zip(delays(&pace, 100)) {
            assert!((6 * S * place..=6 * S * (place + 1)).contains(&delay), "{place}: {delay:?}");
        }
        assert_eq!(pace.span(100), 600 * S);
    }

    #[tokio::test(start_paused = true)]
    async fn a_few_have_all_the_time_that_there_is() {
        let pace = Pace::evenly(30 * S, 12, crate::clock::now());
        for (place, delay) in (0..).zip(delays(&pace, 12)) {
            assert!((2 * S * place..=2 * S * (place + 1)).contains(&delay), "{place}: {delay:?}");
        }
        assert_eq!(Pace::evenly(30 * S, 0, crate::clock::now()).span(0), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn the_rate_holds_where_the_time_is_short() {
        let delays = delays(&Pace::over(S, 5_000, 500, crate::clock::now()), 5_000);
        assert!((S * 9..=S * 10).contains(&delays[4_999]), "{:?}", delays[4_999]);
        let pace = Pace::over(Duration::ZERO, 5_050, 500, crate::clock::now());
        assert_eq!((pace.span(50), pace.span(5_050)), (Duration::ZERO, 10 * S), "a few need not wait");
    }
}

//! The stop signal that every connection holds, and the pace at which it is obeyed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// Told once that the gateway stops; then spreads the Close frames of all connections over time.
#[derive(Debug, Clone)]
pub struct Drain {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    token: CancellationToken,
    /// Mirrors the token for a look that takes no lock.
    started: AtomicBool,
    tickets: AtomicU64,
    rate: u32,
}

impl Drain {
    /// A signal that lets `rate` connections a second close; 0 counts as 1.
    pub fn new(rate: u32) -> Self {
        let shared = Shared {
            token: CancellationToken::new(),
            started: AtomicBool::new(false),
            tickets: AtomicU64::new(0),
            rate: rate.max(1),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Starts the drain.
    pub fn start(&self) {
        self.shared.started.store(true, Ordering::Release);
        self.shared.token.cancel();
    }

    /// Whether it was started.
    pub fn is_started(&self) -> bool {
        self.shared.started.load(Ordering::Acquire)
    }

    /// Completes when it is started.
    pub fn started(&self) -> impl Future<Output = ()> + Send + 'static {
        self.shared.token.clone().cancelled_owned()
    }

    /// How long this connection waits before it closes: nothing for the first ones, so that a few close at once,
    /// then so much that no more than the rate close in a second.
    pub fn delay(&self) -> Duration {
        let ticket = self.shared.tickets.fetch_add(1, Ordering::Relaxed);
        let burst = u64::from(self.shared.rate / 10);
        Duration::from_secs_f64(ticket.saturating_sub(burst) as f64 / f64::from(self.shared.rate))
    }
}

#[cfg(test)]
mod tests {
    use super::Drain;
    use std::time::Duration;

    #[test]
    fn a_few_close_at_once_and_thousands_are_spread() {
        let drain = Drain::new(500);
        let delays: Vec<_> = (0..5_050).map(|_| drain.delay()).collect();
        assert!(delays[..50].iter().all(Duration::is_zero));
        assert_eq!(delays[5_049], Duration::from_millis(9_998));
        let in_first_second = delays.iter().filter(|delay| **delay < Duration::from_secs(1)).count();
        assert!(in_first_second <= 550, "{in_first_second}");
    }
}

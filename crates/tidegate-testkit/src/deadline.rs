//! The only reader of the clock in tests; above all hard bounds, so that a test that cannot pass fails instead of hanging.

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long a test waits for anything. Generous: it is there to end a hopeless test on a crowded machine, and proves
/// nothing about speed.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A point in time after which waiting is given up.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    since: Instant,
    wait: Duration,
}

impl Deadline {
    /// So long from now.
    #[expect(clippy::disallowed_methods, reason = "tests read the clock here and nowhere else")]
    pub fn after(wait: Duration) -> Self {
        Self { since: Instant::now(), wait }
    }

    /// [`PATIENCE`] from now.
    pub fn patient() -> Self {
        Self::after(PATIENCE)
    }

    /// What is left; `None` once it has passed.
    pub fn left(&self) -> Option<Duration> {
        self.wait.checked_sub(self.elapsed()).filter(|left| !left.is_zero())
    }

    /// How long ago it was set.
    pub fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }
}

/// The time of day, for what is valid for a time.
#[expect(clippy::disallowed_methods, reason = "tests read the clock here and nowhere else")]
pub(crate) fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970")
}

/// Asks again and again until the answer is `Some`, for what tells nobody that it has changed, such as the descriptors
/// of a process.
///
/// # Panics
/// With `what` when [`PATIENCE`] has passed.
#[track_caller]
pub fn eventually<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    let answer = within(PATIENCE, ask);
    answer.unwrap_or_else(|| panic!("in {PATIENCE:?} it did not come to this: {what}"))
}

/// As [`eventually`], but for so long only, and `None` then.
pub fn within<T>(wait: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Deadline::after(wait);
    loop {
        match ask() {
            None if deadline.left().is_some() => thread::sleep(Duration::from_millis(5)),
            answer => return answer,
        }
    }
}

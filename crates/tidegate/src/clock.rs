//! The only reader of time. Deadlines use the monotonic clock, log lines the wall clock.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// The monotonic clock: no step of the wall clock moves it.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The moment that was this time ago; where the clock did not exist yet, its beginning is near enough.
pub(crate) fn ago(time: Duration) -> Instant {
    let now = now();
    now.checked_sub(time).unwrap_or(now)
}

/// The wall clock, for people.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}

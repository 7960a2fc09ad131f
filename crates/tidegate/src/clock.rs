//! The only reader of time. Deadlines use the monotonic clock, log lines the wall clock.

use std::time::SystemTime;
use tokio::time::Instant;

/// The monotonic clock: no step of the wall clock moves it.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The wall clock, for people.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}

//! The only reader of time, and the only one who judges by it that something took too long. Deadlines use the monotonic
//! clock, log lines the wall clock.

use std::io;
use std::time::{Duration, SystemTime};

use tokio::task::{unconstrained, yield_now};
use tokio::time::{Instant, sleep_until};

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

/// Does this work within a limit of time.
///
/// After a sleep of the process or its machine the clock may wake us before the sockets do. Nobody is judged who has not
/// been heard, so the work gets another look at what has come meanwhile.
///
/// # Errors
/// It was not done in time.
pub(crate) fn timeout<F: Future>(
    limit: Duration,
    work: F,
) -> impl Future<Output = Result<F::Output, Elapsed>> {
    let mut work = Box::pin(work); // moved into the future as it is, it would have a place there twice
    async move {
        tokio::select! {
            biased;
            done = &mut work => Ok(done),
            () = patience(now() + limit) => Err(Elapsed),
        }
    }
}

/// The same, until a moment.
///
/// # Errors
/// It was not done by then.
pub(crate) fn timeout_at<F: Future>(
    deadline: Instant,
    work: F,
) -> impl Future<Output = Result<F::Output, Elapsed>> {
    timeout(deadline.saturating_duration_since(now()), work)
}

/// Completes at the deadline, once the sockets were asked since; however busy the task is.
pub(crate) async fn patience(deadline: Instant) {
    unconstrained(async {
        sleep_until(deadline).await;
        yield_now().await; // which lets the runtime ask them
    })
    .await;
}

/// It was not done in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it took too long")]
pub(crate) struct Elapsed;

impl From<Elapsed> for io::Error {
    fn from(elapsed: Elapsed) -> Self {
        Self::new(io::ErrorKind::TimedOut, elapsed)
    }
}

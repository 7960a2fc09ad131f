//! The clock as hyper has it: a head is late only when the socket was asked after the deadline, and had none.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

use crate::clock;

/// Deadlines that [are patient](clock::patience).
#[derive(Debug, Clone, Copy)]
pub(super) struct PatientTimer;

struct Patience(Pin<Box<dyn Future<Output = ()> + Send + Sync>>);

impl Timer for PatientTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Patience(Box::pin(clock::patience(deadline.into()))))
    }

    fn now(&self) -> Instant {
        clock::now().into_std()
    }
}

impl Sleep for Patience {}

impl Future for Patience {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Patience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Patience")
    }
}

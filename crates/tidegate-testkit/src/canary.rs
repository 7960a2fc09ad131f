//! One well-behaved client that keeps talking while others misbehave.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::{Frame, Request, Wire, opcode};

/// A client of an `echo:` route that sends a message, waits for it to come back, and begins again.
///
/// It fails where an answer is wrong or does not come within the patience of every [`Wire`]: a gateway that serves
/// nobody else meanwhile is found out, one that is merely slow is not.
#[derive(Debug)]
pub struct Canary {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<u64>>,
}

impl Canary {
    /// Connects to the `echo:` route at `target` and begins.
    #[track_caller]
    pub fn start(gateway: SocketAddr, target: &str) -> Self {
        Self::over(Wire::connect(gateway), target)
    }

    /// The same over this connection to the gateway.
    #[track_caller]
    pub fn over(mut wire: Wire, target: &str) -> Self {
        wire.send(Request::upgrade(target).encode());
        assert_eq!(wire.read_head().status(), 101, "the canary is let in");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut rounds = 0;
            while !stopped.load(Ordering::Acquire) {
                rounds += 1;
                round_trip(&mut wire, rounds);
                thread::park_timeout(PACE);
            }
            round_trip(&mut wire, rounds + 1);
            wire.send_frame(&Frame::close(1000, "").masked());
            wire.expect_close(1000);
            rounds
        });
        Self { stop, thread: Some(thread) }
    }

    /// Has a last round trip and ends. The number of round trips.
    ///
    /// # Panics
    /// One of them failed.
    #[track_caller]
    pub fn finish(mut self) -> u64 {
        let rounds = self.join().expect("the canary finishes once");
        rounds.unwrap_or_else(|_| panic!("the canary was not served while others misbehaved"))
    }

    fn join(&mut self) -> Option<thread::Result<u64>> {
        self.stop.store(true, Ordering::Release);
        let thread = self.thread.take()?;
        thread.thread().unpark();
        Some(thread.join())
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        let failed = self.join().is_some_and(|result| result.is_err());
        assert!(!failed || thread::panicking(), "the canary was not served while others misbehaved");
    }
}

/// Ten round trips a second are enough to notice, and leave the machine to the test.
const PACE: Duration = Duration::from_millis(100);

fn round_trip(wire: &mut Wire, round: u64) {
    let message = format!("round {round}");
    wire.send_frame(&Frame::text(&message).masked());
    let mut answer = wire.read_frame();
    while answer.opcode == opcode::PING {
        wire.send_frame(&Frame::pong(&answer.payload).masked());
        answer = wire.read_frame();
    }
    assert_eq!(answer, Frame::text(&message));
}

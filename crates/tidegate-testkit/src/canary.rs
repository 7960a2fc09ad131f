//! One well-behaved client that keeps talking while others misbehave.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::gateway::process;
use crate::{Deadline, Frame, Gateway, Request, Wire, opcode};

/// A client of an `echo:` route that sends a message, waits for it to come back, and begins again.
///
/// It fails where an answer is wrong or does not come within the patience of every [`Wire`]; and where it knows the
/// gateway's process, if more than one in a hundred is late, by a quarter of a second, which is the invariant I5.
#[derive(Debug)]
pub struct Canary {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Rounds>>,
}

/// What came of it.
#[derive(Debug, Default)]
struct Rounds {
    count: usize,
    /// How long those took that were late.
    late: Vec<Duration>,
}

impl Canary {
    /// Connects to the `echo:` route at `target` and begins. It is served in time, whatever the gateway has to do beside.
    #[track_caller]
    pub fn of(gateway: &Gateway, target: &str) -> Self {
        Self::over(gateway.connect(), target, Some(gateway.pid()))
    }

    /// The same by an address of the gateway from where answers may take as long as they like.
    #[track_caller]
    pub fn start(gateway: SocketAddr, target: &str) -> Self {
        Self::over(Wire::connect(gateway), target, None)
    }

    #[track_caller]
    fn over(mut wire: Wire, target: &str, gateway: Option<u32>) -> Self {
        wire.send(Request::upgrade(target).encode());
        assert_eq!(wire.read_head().status(), 101, "the canary is let in");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut rounds = Rounds::default();
            while !stopped.load(Ordering::Acquire) {
                rounds.count += 1;
                let took = timed(gateway, || round_trip(&mut wire, rounds.count));
                rounds.late.extend(took.filter(|took| *took > LATE));
                thread::park_timeout(PACE);
            }
            round_trip(&mut wire, rounds.count + 1);
            wire.send_frame(&Frame::close(1000, "").masked());
            wire.expect_close(1000);
            rounds
        });
        Self { stop, thread: Some(thread) }
    }

    /// Has a last round trip and ends. The number of round trips.
    ///
    /// # Panics
    /// One of them failed, or too many were late.
    #[track_caller]
    pub fn finish(self) -> usize {
        self.judged().unwrap_or_else(|complaint| panic!("{complaint}"))
    }

    fn judged(mut self) -> Result<usize, String> {
        let rounds = self.join().expect("the canary finishes once");
        let Rounds { count, late } =
            rounds.map_err(|_| "the canary was not served while others misbehaved".to_owned())?;
        let is_in_time = late.len() <= 1.max(count / 100);
        is_in_time
            .then_some(count)
            .ok_or_else(|| format!("I5: of {count} round trips these were late: {late:?}"))
    }

    fn join(&mut self) -> Option<thread::Result<Rounds>> {
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

/// The longest that a round trip may take, but for one in a hundred.
const LATE: Duration = Duration::from_millis(250);

/// How long that takes, without the time for which this thread, or a thread of the gateway, was ready and had no processor:
/// what the machine does beside makes nobody late.
fn timed(gateway: Option<u32>, round_trip: impl FnOnce()) -> Option<Duration> {
    let waited = || {
        let here = process::schedule_of_this_thread().unwrap_or_default();
        let there = gateway.and_then(|pid| process::schedule(pid).ok()).unwrap_or_default();
        here.waited + there.waited
    };
    let (since, before) = (Deadline::patient(), waited());
    round_trip();
    let waited = waited().saturating_sub(before);
    gateway.map(|_| since.elapsed().saturating_sub(waited))
}

fn round_trip(wire: &mut Wire, round: usize) {
    let message = format!("round {round}");
    wire.send_frame(&Frame::text(&message).masked());
    let mut answer = wire.read_frame();
    while answer.opcode == opcode::PING {
        wire.send_frame(&Frame::pong(&answer.payload).masked());
        answer = wire.read_frame();
    }
    assert_eq!(answer, Frame::text(&message));
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;
    use crate::Backend;

    /// What a server comes to that thinks so long about each message.
    fn served_in(pause: Duration) -> Result<usize, String> {
        let backend = Backend::bind();
        let script = format!("echo 'listening on http://{}' >&2; read -r", backend.address());
        let mut command = Command::new("bash");
        command.args(["-c", &script]).stdin(Stdio::piped());
        let gateway = Gateway::run(command);
        let serving = thread::spawn(move || {
            let (mut wire, _) = backend.accept_websocket();
            for rounds in 0.. {
                let frame = wire.read_frame();
                if frame.opcode == opcode::CLOSE {
                    wire.send_frame(&frame.unmasked());
                    return wire.finish();
                }
                if rounds > 0 {
                    thread::sleep(pause); // the lateness itself
                }
                wire.send_frame(&frame.unmasked());
            }
        });
        let canary = Canary::of(&gateway, "/echo");
        thread::sleep(4 * LATE);
        let judged = canary.judged();
        serving.join().expect("it serves to the end");
        judged
    }

    #[test]
    fn i5_whoever_is_served_late_says_so() {
        assert!(served_in(Duration::ZERO).is_ok_and(|rounds| rounds > 3));
        assert!(served_in(LATE + LATE / 5).is_err_and(|complaint| complaint.starts_with("I5")));
    }
}

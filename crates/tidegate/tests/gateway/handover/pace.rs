//! Sessions that say something now and then, as most do: what a hand-over adds to the time of an answer can be told from
//! what everything else takes.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tidegate_testkit::{Deadline, Frame, Wire};

use crate::rig::assert_same;

/// A message of each session in so long, and how long the answers took.
pub(super) struct Paced {
    every: Duration,
    answers: Mutex<Vec<Duration>>,
}

/// How long answers took.
pub(super) struct Answers(Vec<Duration>);

impl Paced {
    /// Nobody waits for nothing: without a pace there is none.
    pub(super) fn by(every: Duration) -> Option<Self> {
        (!every.is_zero()).then(|| Self { every, answers: Mutex::default() })
    }

    /// Each session in its turn ends its message, has all of it back, and begins the next one.
    pub(super) fn rounds(&self, share: &mut [Wire], payload: &[u8], stop: &AtomicBool) -> usize {
        let message = Frame::binary(payload).masked().encode();
        let (first, rest) = message.split_at(message.len() / 3);
        let between = self.every / u32::try_from(share.len().max(1)).unwrap();
        share.iter_mut().for_each(|session| session.send(first));
        let (begun, mut rounds, mut due) = (Deadline::patient(), 0, Duration::ZERO);
        while !stop.load(Ordering::Relaxed) {
            for session in share.iter_mut() {
                due += between;
                thread::sleep(due.saturating_sub(begun.elapsed())); // the pace is what is asked for
                let asked = Deadline::patient();
                session.send(rest);
                assert_same(&session.read_payload(payload.len()), payload);
                let took = asked.elapsed();
                self.answers.lock().unwrap_or_else(PoisonError::into_inner).push(took);
                session.send(first);
            }
            rounds += share.len();
        }
        rounds
    }

    /// What the answers took while this went on.
    pub(super) fn watch(&self, doing: impl FnOnce()) -> Answers {
        let take = || std::mem::take(&mut *self.answers.lock().unwrap_or_else(PoisonError::into_inner));
        take();
        doing();
        let mut answers = take();
        answers.sort_unstable();
        Answers(answers)
    }
}

impl fmt::Display for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(answers) = self;
        let [median, p99, longest] = [50, 99, 100].map(|percent| {
            let at = answers.len().saturating_sub(1) * percent / 100;
            answers.get(at).map_or(0.0, |answer| answer.as_secs_f64() * 1e3)
        });
        write!(
            f,
            "{} answers: median {median:.1} ms, p99 {p99:.1} ms, longest {longest:.1} ms",
            answers.len()
        )
    }
}

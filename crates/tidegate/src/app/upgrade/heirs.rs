//! New processes that have something of this one's, although the hand-over to them has failed.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Child;

/// Those that run still. Each ends with what it has, or when the gateway that it came of is told to stop.
#[derive(Debug, Clone, Default)]
pub(in crate::app) struct Heirs(Arc<Mutex<HashSet<Pid>>>);

impl Heirs {
    /// This is one more, until it ends.
    pub(super) fn add(&self, mut child: Child) {
        let Some(pid) = child.id().and_then(number) else { return }; // it has ended already
        self.pids().insert(pid);
        let heirs = self.clone();
        tokio::spawn(async move {
            if let Err(error) = child.wait().await {
                tracing::warn!(%error, pid = pid.as_raw_nonzero(), "a process that was left cannot be waited for");
            }
            heirs.pids().remove(&pid); // from here on the number may be anybody's
        });
    }

    /// Sends all of them this signal.
    pub(in crate::app) fn tell(&self, signal: Signal) {
        for pid in &*self.pids() {
            send(*pid, signal);
        }
    }

    fn pids(&self) -> MutexGuard<'_, HashSet<Pid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends a process that this one has started a signal.
pub(in crate::app) fn send(pid: Pid, signal: Signal) {
    if let Err(error) = kill_process(pid, signal) {
        tracing::warn!(%error, pid = pid.as_raw_nonzero(), "a new process cannot be told what this one was");
    }
}

/// The number of a process, as the system wants it.
pub(in crate::app) fn number(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

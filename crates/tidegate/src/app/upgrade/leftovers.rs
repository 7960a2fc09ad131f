//! What hand-overs that have failed leave behind: new processes that have taken some sessions, but not the gateway's place.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Child;

/// The new processes that still run. Each ends with its sessions, or when the gateway that started it is told to stop.
#[derive(Debug, Clone, Default)]
pub(in crate::app) struct Leftovers(Arc<Mutex<HashSet<Pid>>>);

impl Leftovers {
    /// Keeps this process until it ends.
    pub(super) fn add(&self, mut child: Child) {
        let Some(pid) = child.id().and_then(number) else { return }; // it has ended already
        self.pids().insert(pid);
        let leftovers = self.clone();
        tokio::spawn(async move {
            if let Err(error) = child.wait().await {
                tracing::warn!(%error, pid = pid.as_raw_nonzero(), "a process that was left cannot be waited for");
            }
            leftovers.pids().remove(&pid); // from here on the number may be anybody's
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

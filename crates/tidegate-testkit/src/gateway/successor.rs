//! A process that was started by the gateway, and has taken its place.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, set_child_subreaper, waitpid};

use crate::eventually;

/// It is killed when this is dropped.
#[derive(Debug)]
pub(super) struct Successor {
    pid: Pid,
    ended: Option<ExitStatus>,
}

/// Processes whose parents end become ours from now on, so that they can be waited for.
pub(super) fn adopt_orphans() {
    set_child_subreaper(Some(rustix::process::getpid())).expect("a process may adopt orphans");
}

/// Kills the processes that this one has started.
pub(super) fn end_children(pid: u32) {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    for child in children.split_ascii_whitespace().filter_map(|child| Pid::from_raw(child.parse().ok()?)) {
        kill_process(child, Signal::KILL).ok(); // it may just have ended
    }
}

/// The number of the process in `handed over to process 4711, …`.
pub(super) fn taken_over_by(said: &str) -> Option<u32> {
    let (_, rest) = said.split_once("handed over to process ")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

impl Successor {
    /// The process of this number, which is ours as soon as the one that has started it has ended.
    pub(super) fn new(pid: u32) -> Self {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process has a number");
        Self { pid, ended: None }
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// How it has ended, if it has: its status, if it had one.
    pub(super) fn try_wait(&mut self) -> Option<Option<i32>> {
        if self.ended.is_none() {
            let waited = waitpid(Some(self.pid), WaitOptions::NOHANG).expect("it is our own child by now");
            self.ended = waited.map(|(_, status)| ExitStatus::from_raw(status.as_raw()));
        }
        self.ended.map(|status| status.code())
    }

    /// Waits for its end.
    #[track_caller]
    pub(super) fn wait(&mut self) -> ExitStatus {
        eventually("the process ends", || {
            self.try_wait();
            self.ended
        })
    }
}

impl Drop for Successor {
    fn drop(&mut self) {
        if self.ended.is_none() {
            kill_process(self.pid, Signal::KILL).ok(); // it may just have ended
            waitpid(Some(self.pid), WaitOptions::empty()).ok();
        }
    }
}

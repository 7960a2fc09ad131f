//! Whether a process stands still.

use std::fs;

use crate::deadline::eventually;

/// Waits until every thread of a process that was sent SIGSTOP has stopped: on a busy machine one may still take up what comes.
#[track_caller]
pub fn await_stopped(pid: u32) {
    eventually("every thread has stopped", || all_have_stopped(pid).then_some(()));
}

fn all_have_stopped(pid: u32) -> bool {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("our own child can be looked at");
    tasks.map_while(Result::ok).all(|task| {
        // The state follows the name of the program, which is in brackets and may have anything in it.
        let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
    })
}

//! A process that is to take over from one that falls silent: [`Giver`] plays that one, and is the test itself.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate_testkit::{PATIENCE, within};

use super::fake::Line;
use crate::rig::binary;

/// How long the new process waits at the longest, which is while the last sessions could still come, and as long again for
/// a busy machine.
const LONGEST_WAIT: Duration = Duration::from_secs(100);

/// The last thing that it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    Nothing,
    Hello,
    Prepare,
    Serve,
}

const EVERY_LAST: [Last; 4] = [Last::Nothing, Last::Hello, Last::Prepare, Last::Serve];

/// A process that hands over, down to a point, and the new one that it has started.
struct Giver {
    line: Line,
    taker: Child,
    _folder: TempDir,
}

impl Giver {
    /// Says everything down to this, and has heard the answers.
    fn silent_after(last: Last) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tidegate.toml");
        let config = "[[listener]]\naddress = '127.0.0.1:0'\n[[route]]\npath = '/'\nbackend = 'echo:'\n";
        fs::write(&file, config).unwrap();
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(PATIENCE)).unwrap();
        let taker = Command::new(binary())
            .args(["serve", "--take-over", "--config"])
            .arg(&file)
            .stdin(OwnedFd::from(theirs))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut giver = Self { line: Line(ours), taker, _folder: folder };
        giver.speak(last);
        giver
    }

    fn speak(&mut self, last: Last) {
        let says = [
            (Last::Hello, json!({ "hello": { "format": 1, "version": "0.0.0" } }), "hello"),
            (Last::Prepare, json!("prepare"), "ready"),
            (Last::Serve, json!({ "serve": { "connections": 0 } }), "serving"),
        ];
        if last == Last::Nothing {
            return;
        }
        for (this, says, answer) in says {
            self.line.say(&says);
            let heard = self.line.hear().map(|(_, heard)| heard);
            let is_answer = |heard: &Value| *heard == answer || heard.get(answer).is_some();
            assert!(heard.as_ref().is_some_and(is_answer), "{this:?}: {heard:?}");
            if this == last {
                break;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.taker), signal).unwrap();
    }

    /// The end of the new process, in this time.
    fn end_within(&mut self, time: Duration) -> Option<ExitStatus> {
        within(time, || self.taker.try_wait().unwrap())
    }
}

impl Drop for Giver {
    fn drop(&mut self) {
        drop(self.taker.kill());
        drop(self.taker.wait());
    }
}

/// Whoever stops the new process need not wait for the old one.
#[test]
fn f60_a_new_process_is_stopped_while_the_old_one_is_silent() {
    for signal in [Signal::TERM, Signal::INT, Signal::QUIT] {
        for last in EVERY_LAST {
            let mut giver = Giver::silent_after(last);
            giver.signal(signal);
            let end = giver.end_within(PATIENCE);
            // Before anything was said it may be so young that signals end it.
            let is_ended_by_it =
                last == Last::Nothing && end.and_then(|end| end.signal()) == Some(signal.as_raw());
            assert!(
                end.is_some_and(|end| end.success()) || is_ended_by_it,
                "{signal:?} behind {last:?}: {end:?}"
            );
        }
    }
}

/// Nobody has to stop it: it does not wait for ever.
#[test]
fn f60_a_new_process_gives_up_an_old_one_that_is_silent() {
    for (last, giver) in EVERY_LAST.map(|last| (last, Giver::silent_after(last))).iter_mut() {
        let end = giver.end_within(LONGEST_WAIT);
        // What has begun to take over ends in order; what has not failed at it.
        let code = if matches!(last, Last::Nothing | Last::Hello) { 1 } else { 0 };
        assert_eq!(end.and_then(|end| end.code()), Some(code), "behind {last:?}");
    }
}

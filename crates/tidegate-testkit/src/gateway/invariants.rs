//! What is true of every gateway at the end of a test, whatever was done to it: the invariants I1 to I4, I6 and I8 to I10.
//!
//! They are judged from outside of the process. Each is a condition that is waited for, and what the machine has to do
//! beside the gateway counts neither for nor against it.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::{Gateway, process};
use crate::{Deadline, PATIENCE, within};

/// What a gateway has right after its start, and must have again in the end.
#[derive(Debug)]
pub(super) struct Baseline {
    sockets: usize,
    /// Descriptors that are neither sockets nor pipes.
    others: usize,
    pipes: usize,
    memory: u64,
}

/// What its memory may have grown by in the end, beside a tenth of what it was: the buffers that belong to threads, and
/// what the allocator keeps for the next connection.
const GROWTH_MAX: u64 = 8 << 20;

/// Ends of pipes that a worker keeps for bulk data. No gateway has more workers than threads.
const PIPE_ENDS_PER_THREAD: usize = 32;

/// For how long it is watched whether it rests.
const REST_PERIOD: Duration = Duration::from_millis(50);

/// So many connections may have been open at once that the allocator keeps more: pages in which a small piece of one still
/// lies. It does not add up; a second thousand of them finds room where the first was.
const CROWD: usize = 100;
const GROWTH_OF_CROWD_MAX: u64 = 32 << 20;

impl Baseline {
    pub(super) fn of(pid: u32) -> io::Result<Self> {
        Ok(Self {
            sockets: process::sockets(pid)?,
            others: process::other_descriptors(pid)?,
            pipes: process::pipes(pid)?,
            memory: process::anonymous_memory(pid)?,
        })
    }

    /// A worker is gone, and with it the socket that wakes its runtime for signals.
    pub(super) const fn lose_worker(&mut self) {
        self.sockets -= 1;
    }

    /// So much more memory may be in use in the end.
    pub(super) const fn keep(&mut self, bytes: u64) {
        self.memory += bytes;
    }
}

impl Gateway {
    /// Waits until all of them hold.
    #[track_caller]
    pub(super) fn assert_invariants(&mut self) {
        let mut complaint = None;
        let hold = within(PATIENCE, || {
            complaint = self.complaint();
            complaint.is_none().then_some(())
        });
        assert!(hold.is_some(), "in {PATIENCE:?} it did not come to an end: {complaint:#?}");
    }

    /// The first that does not hold now.
    pub(super) fn complaint(&mut self) -> Option<String> {
        if let Some(status) = self.ended() {
            return Some(format!("I1: the process has ended, with status {status:?}"));
        }
        let all = [
            Self::told_bugs,
            Self::keeps_offenders,
            Self::left_open,
            Self::counts_some_open,
            Self::kept_memory,
            Self::unrest,
            Self::unlike_answers,
        ];
        all.iter().find_map(|complain| complain(self))
    }

    /// I2: none of its threads has panicked, but for those that the test has made panic.
    fn told_bugs(&self) -> Option<String> {
        let told = self.diagnosis.all();
        let said = |bug: &str| told.iter().filter(|line| line.contains(bug)).count();
        // Whether a panic is told with its backtrace is up to the environment.
        let all_expected = said("panicked at") == self.panics && said("stack backtrace:") <= self.panics;
        (!all_expected).then(|| format!("I2: {} panics were expected: {told:#?}", self.panics))
    }

    /// I8: it has got rid of each client that it has told of its fault, although none of them leaves by itself.
    fn keeps_offenders(&self) -> Option<String> {
        let kept = |(gateway, client): &(_, _)| process::is_open(*gateway, *client).unwrap_or(false);
        let kept: Vec<_> = self.answers.offenders().into_iter().filter(kept).collect();
        (!kept.is_empty()).then(|| format!("I8: it keeps {kept:?}, who were told of their fault"))
    }

    /// I3: it has the sockets and files that it had, and no more pipes than belong to its workers.
    fn left_open(&self) -> Option<String> {
        let kinds = [process::other_descriptors(self.pid()).ok()?, process::pipes(self.pid()).ok()?];
        let pipes_max = self.baseline.pipes + PIPE_ENDS_PER_THREAD * self.threads();
        let closed = self.has_closed() && kinds[0] <= self.baseline.others && kinds[1] <= pipes_max;
        (!closed).then(|| {
            let shown = process::shown_descriptors(self.pid());
            format!("I3: it had {:?} and has {shown:#?}", self.baseline)
        })
    }

    /// Whether it has as many sockets as after its start.
    pub(super) fn has_closed(&self) -> bool {
        self.sockets() == self.baseline.sockets
    }

    /// I4: it has given back what it took. Whoever panics reads the debug information for its backtrace, and keeps it.
    fn kept_memory(&self) -> Option<String> {
        if self.panics > 0 {
            return None;
        }
        let (before, now) = (self.baseline.memory, self.memory());
        let is_crowd = self.answers.connections() >= CROWD;
        let growth_max = if is_crowd { GROWTH_OF_CROWD_MAX } else { GROWTH_MAX };
        let is_kept = now > before + before / 10 + growth_max;
        is_kept.then(|| format!("I4: it had {} KiB of memory and has {} KiB", before >> 10, now >> 10))
    }

    /// I9: it uses less than a twentieth of the time that it could have on a processor. When others have the processors,
    /// it is not asked for what it cannot show.
    pub(super) fn unrest(&self) -> Option<String> {
        let schedule = || process::schedule(self.pid()).unwrap_or_default();
        let (period, before) = (Deadline::after(REST_PERIOD), schedule());
        thread::sleep(REST_PERIOD);
        let after = schedule();
        let ran = after.ran.saturating_sub(before.ran);
        let could = period.elapsed().saturating_sub(after.waited.saturating_sub(before.waited));
        (ran >= could / 20).then(|| format!("I9: it ran for {ran:?} of {could:?} that it could"))
    }

    /// I10: its access lines can be read, there are as many as it has counted requests, and there is one for each answer
    /// that a client has read.
    fn unlike_answers(&self) -> Option<String> {
        let lines: Vec<Value> = match self.log.all().iter().map(|line| serde_json::from_str(line)).collect() {
            Ok(lines) => lines,
            Err(error) => return Some(format!("I10: an access line is no JSON: {error}")),
        };
        let config = self.config.as_ref().and_then(|file| fs::read_to_string(file.path()).ok());
        let says = |key: &str| config.as_ref().is_some_and(|config| config.contains(key));
        let answers = self.answers.by_client();
        if says("access_log") {
            return None; // the lines are elsewhere
        }
        // What a process before this one has counted is gone with it.
        let admin = self.admin.as_ref().filter(|_| self.successor.is_none());
        if let Some(due) = admin.and_then(|admin| admin.lines_due().ok().flatten())
            && due != lines.len()
        {
            return Some(format!("I10: {due} requests are counted, and there are {} lines", lines.len()));
        }
        if says("trusted_proxies") || says("proxy_protocol") {
            // Clients are not who they are by their sockets: only how many lines there are can be said.
            let answers = answers.into_values().sum();
            return (lines.len() < answers)
                .then(|| format!("I10: {answers} answers, and {} lines", lines.len()));
        }
        let mut by_client = HashMap::<&str, Vec<&Value>>::new();
        for line in &lines {
            by_client.entry(line["client"].as_str().unwrap_or_default()).or_default().push(line);
        }
        answers.into_iter().find_map(|(client, answers)| {
            let lines = by_client.remove(&*client.to_string()).unwrap_or_default();
            (lines.len() != answers)
                .then(|| format!("I10: {answers} answers to {client}, and {} lines: {lines:?}", lines.len()))
        })
    }
}

#[cfg(test)]
mod tests;

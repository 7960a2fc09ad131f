//! What a process writes, line by line, for tests that wait for a line.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::{Deadline, PATIENCE};

/// The lines of one stream of a process. A thread collects them until the stream ends.
#[derive(Debug, Clone)]
pub(crate) struct Lines {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<String>,
    ended: bool,
}

impl Lines {
    pub(crate) fn collect(stream: impl Read + Send + 'static) -> Self {
        let shared = Arc::<Shared>::default();
        let lines = Self { shared: Arc::clone(&shared) };
        thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n') {
                let Ok(line) = line else { break };
                shared.lock().lines.push(String::from_utf8_lossy(&line).into_owned());
                shared.changed.notify_all();
            }
            shared.lock().ended = true;
            shared.changed.notify_all();
        });
        lines
    }

    /// All lines so far.
    pub(crate) fn all(&self) -> Vec<String> {
        self.shared.lock().lines.clone()
    }

    /// What `find` makes of the first line that it makes something of.
    #[track_caller]
    pub(crate) fn wait_for<T>(&self, what: &str, mut find: impl FnMut(&str) -> Option<T>) -> T {
        let mut seen = 0;
        let found = self.wait(|state| {
            let found = state.lines[seen..].iter().find_map(|line| find(line));
            seen = state.lines.len();
            (found.is_some() || state.ended).then_some(found)
        });
        match found {
            Some(Some(found)) => found,
            Some(None) => panic!("it ended without {what}; its lines:\n{}", self.all().join("\n")),
            None => panic!("no {what} within {PATIENCE:?}; its lines:\n{}", self.all().join("\n")),
        }
    }

    /// Waits until the stream ends.
    #[track_caller]
    pub(crate) fn wait_for_end(&self) {
        let ended = self.wait(|state| state.ended.then_some(()));
        assert!(ended.is_some(), "it did not end within {PATIENCE:?}; its lines:\n{}", self.all().join("\n"));
    }

    /// Writes all lines where a failed test shows them.
    pub(crate) fn print(&self, title: &str) {
        let text = format!("{title}:\n{}\n", self.all().join("\n"));
        drop(std::io::stderr().write_all(text.as_bytes())); // a help to the reader; the test has failed already
    }

    fn wait<T>(&self, mut ask: impl FnMut(&State) -> Option<T>) -> Option<T> {
        let deadline = Deadline::patient();
        let mut state = self.shared.lock();
        loop {
            if let Some(answer) = ask(&state) {
                return Some(answer);
            }
            let left = deadline.left()?;
            state = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

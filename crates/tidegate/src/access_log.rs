//! The access log: one JSON line for each HTTP request and one for each WebSocket, at its end.
//!
//! Lines are written by a thread of their own behind a bounded queue: a full disk or a blocked pipe costs lines, which
//! are counted, and never a connection. A disk that fills up may cut a line; the next one begins behind a line feed.

mod line;

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

pub(crate) use self::line::{Line, WebSocketLine, encode};
use crate::{config, queue};

/// Lines that may wait to be written.
const QUEUE_MAX: usize = 8192;

/// The longest that [`AccessLog::flush`] waits.
const FLUSH_WAIT: Duration = Duration::from_secs(2);

/// Where lines are handed in. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct AccessLog(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: SyncSender<Entry>,
    state: Arc<WriterState>,
}

/// What the thread that writes and those who hand in lines both see.
#[derive(Default)]
struct WriterState {
    /// Nobody wants the lines.
    off: AtomicBool,
    /// Where the writer is to write from now on.
    next: Mutex<Option<Sink>>,
    /// Lines that came faster than they could be written, since the last time that it was said.
    dropped_unsaid: AtomicU64,
    /// All of them, and those that could not be written.
    lost: AtomicU64,
}

/// Where lines go in the end: opened, so that from now on it can only fail as a full disk does.
pub(crate) struct Sink {
    to: Box<dyn Write + Send>,
    off: bool,
}

enum Entry {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
    /// There is something else to do.
    Wake,
}

impl AccessLog {
    /// Opens the log and starts its thread.
    ///
    /// # Errors
    /// The file cannot be opened, or no thread be started.
    pub(crate) fn open(to: &config::AccessLog) -> io::Result<Self> {
        let sink = Sink::open(to)?;
        let (queue, entries) = sync_channel(QUEUE_MAX);
        let state = Arc::new(WriterState { off: AtomicBool::new(sink.off), ..WriterState::default() });
        let seen_by_writer = Arc::clone(&state);
        thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || write_all(&entries, sink.to, &seen_by_writer))?;
        Ok(Self(Arc::new(Shared { queue, state })))
    }

    /// From now on lines go there: all that are handed in after this, and those that still wait.
    pub(crate) fn redirect(&self, sink: Sink) {
        let Shared { queue, state } = &*self.0;
        state.off.store(sink.off, Ordering::Relaxed);
        *state.next() = Some(sink);
        queue.try_send(Entry::Wake).ok(); // whose queue is full is awake
    }

    /// Hands in a line, made only where somebody wants it. Never waits: a full queue drops it.
    pub(crate) fn write<'a>(&self, line: impl FnOnce() -> Line<'a>) {
        let Shared { queue, state } = &*self.0;
        if state.off.load(Ordering::Relaxed) {
            return;
        }
        let time = humantime::format_rfc3339_millis(crate::clock::wall()).to_string();
        let bytes = encode(&Line { time, ..line() });
        if let Err(TrySendError::Full(_)) = queue.try_send(Entry::Line(bytes)) {
            state.dropped_unsaid.fetch_add(1, Ordering::Relaxed);
            state.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many lines came faster than they could be written, or could not be written at all.
    pub(crate) fn lines_lost(&self) -> u64 {
        self.0.state.lost.load(Ordering::Relaxed)
    }

    /// Waits, a bounded time, until everything handed in so far is written.
    pub(crate) fn flush(&self) {
        if !queue::is_through(&self.0.queue, Entry::Flush, FLUSH_WAIT) {
            warn_of_loss();
        }
    }
}

fn warn_of_loss() {
    tracing::warn!("the access log takes no lines; its last ones are lost");
}

impl Sink {
    /// Opens it.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub(crate) fn open(to: &config::AccessLog) -> io::Result<Self> {
        let off = *to == config::AccessLog::Off;
        let to: Box<dyn Write + Send> = match to {
            config::AccessLog::Off => Box::new(io::sink()),
            // Past the standard library's buffer, which would hold the end of a batch that a full disk did not take.
            config::AccessLog::Stdout => Box::new(File::from(io::stdout().as_fd().try_clone_to_owned()?)),
            config::AccessLog::Diagnosis => Box::new(Diagnosis),
            config::AccessLog::File(path) => Box::new(open_file(path)?),
        };
        Ok(Self { to, off })
    }
}

/// Never waits: a pipe whose reader is gone is an error, and not a reason to stand still.
fn open_file(path: &Path) -> io::Result<File> {
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().create(true).append(true).custom_flags(nonblocking).open(path)?;
    let flags = fcntl_getfl(&file)?;
    fcntl_setfl(&file, flags.difference(OFlags::NONBLOCK))?; // whoever writes may wait, it does nothing else
    Ok(file)
}

impl WriterState {
    fn next(&self) -> MutexGuard<'_, Option<Sink>> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for WriterState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriterState")
            .field("off", &self.off)
            .field("lost", &self.lost)
            .finish_non_exhaustive()
    }
}

/// Makes an event of each line; what is written to it ends with a line.
struct Diagnosis;

impl Write for Diagnosis {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        for line in String::from_utf8_lossy(lines).lines() {
            tracing::info!("{line}");
        }
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Where lines are being written.
struct Writer {
    to: Box<dyn Write + Send>,
    /// The last line that it took is not whole.
    is_cut: bool,
}

impl Writer {
    const fn new(to: Box<dyn Write + Send>) -> Self {
        Self { to, is_cut: false }
    }

    /// Writes whole lines, behind the end of one that was cut; how many of them it did not take whole, and why.
    fn write(&mut self, lines: &[u8]) -> Result<(), (u64, io::Error)> {
        let mut left = lines;
        let result = self.try_write(&mut left);
        if left.len() < lines.len() {
            self.is_cut = lines[..lines.len() - left.len()].last() != Some(&b'\n');
        }
        let lost = left.iter().filter(|byte| **byte == b'\n').count();
        result.map_err(|error| (lost as u64, error))
    }

    /// What was not taken stays in `left`.
    fn try_write(&mut self, left: &mut &[u8]) -> io::Result<()> {
        if self.is_cut && !left.is_empty() {
            self.to.write_all(b"\n")?;
            self.is_cut = false;
        }
        while !left.is_empty() {
            match self.to.write(left) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(taken) => *left = &left[taken..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.to.flush()
    }
}

fn write_all(entries: &Receiver<Entry>, to: Box<dyn Write + Send>, state: &WriterState) {
    let mut writer = Writer::new(to);
    let mut batch = Vec::new();
    let mut failing = false;
    while let Ok(first) = entries.recv() {
        let mut waiting = Vec::new();
        let mut next = Some(first);
        while let Some(entry) = next {
            match entry {
                Entry::Line(line) => batch.extend_from_slice(&line),
                Entry::Flush(done) => waiting.push(done),
                Entry::Wake => {}
            }
            next = if batch.len() < 1 << 16 { entries.try_recv().ok() } else { None };
        }
        if let Some(next) = state.next().take() {
            writer = Writer::new(next.to);
        }
        let result = writer.write(&batch);
        batch.clear();
        for done in waiting {
            // Whoever asked may have stopped waiting.
            done.try_send(()).ok();
        }
        match &result {
            Err((_, error)) if !failing => {
                tracing::warn!(%error, "the access log cannot be written; lines are lost");
            }
            Ok(()) if failing => tracing::info!("the access log is written again"),
            Ok(()) | Err(_) => {}
        }
        if let Err((lost, _)) = &result {
            state.lost.fetch_add(*lost, Ordering::Relaxed);
        }
        failing = result.is_err();
        let lost = state.dropped_unsaid.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(
                lost,
                "access log lines were dropped: they came faster than they could be written"
            );
        }
    }
}

//! From the relay to the thread that writes: a queue that never makes a session wait.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender, sync_channel};
use std::thread;
use std::time::Duration;

use tidegate_proto::{MaskingKey, MessageType};
use tokio::time::Instant;

use super::encoder::Encoder;
use super::file::RecordingFile;
use super::writer::{self, Item, PIECE_BYTES, What};
use super::{About, Format, Name, Side};
use crate::clock;

/// Payload bytes of all sessions that may wait to be written. What comes while there are more is missing from its
/// recording.
const QUEUE_BYTES_MAX: usize = 64 << 20;

/// The longest that [`Recorder::flush`] waits.
const FLUSH_WAIT: Duration = Duration::from_secs(5);

/// Where sessions are recorded. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Recorder {
    queue: Sender<Item>,
    /// Payload bytes in the queue.
    waiting: Arc<AtomicUsize>,
    tapes: Arc<AtomicU64>,
}

/// A session's way into its recording. The recording ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Tape {
    recorder: Recorder,
    id: u64,
    since: Instant,
    /// The recording takes no more.
    full: Arc<AtomicBool>,
    /// Pieces and bytes that found no place in the queue since the last that did.
    lost: (u64, u64),
}

/// A piece of a message on its way from one side to the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chunk<'a> {
    /// The type of the message.
    pub(crate) message: MessageType,
    /// The bytes, masked if there is a key.
    pub(crate) payload: &'a [u8],
    /// The key that they are masked with, aligned to the first of them.
    pub(crate) mask: Option<MaskingKey>,
    /// The message ends with it.
    pub(crate) ends_message: bool,
}

/// One side of a tape, at one moment.
#[derive(Debug)]
pub(crate) struct Tap<'a> {
    tape: &'a mut Tape,
    side: Side,
    now: Instant,
}

impl Recorder {
    /// Starts the thread that writes.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start() -> io::Result<Self> {
        let (queue, items) = mpsc::channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let released = Arc::clone(&waiting);
        thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || writer::write_all(&items, &released))?;
        Ok(Self { queue, waiting, tapes: Arc::default() })
    }

    /// Begins the recording of a session in a new file, which only this user may read.
    ///
    /// # Errors
    /// There is no such file: the folder is missing or shut, the name is taken, the disk full.
    pub(crate) async fn open(
        &self,
        name: &Name,
        format: Format,
        bytes_max: u64,
        (conn, url): (u64, String),
    ) -> io::Result<Tape> {
        let about = About { url, started: clock::wall() };
        let since = clock::now();
        let path = name.of(conn, about.started);
        let encoder = Encoder::new(format, about);
        let opening = tokio::task::spawn_blocking(move || {
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            RecordingFile::begin(file, path.clone(), encoder, bytes_max).inspect_err(|_full| {
                fs::remove_file(&path).ok(); // nothing is in it
            })
        });
        let file = opening.await??;
        let id = self.tapes.fetch_add(1, Ordering::Relaxed);
        let full = Arc::new(AtomicBool::new(false));
        let tape = Tape { recorder: self.clone(), id, since, full: Arc::clone(&full), lost: (0, 0) };
        if tape.put(since, What::Begin(Box::new(file), full)) {
            Ok(tape)
        } else {
            Err(io::Error::other("the thread that writes recordings has died"))
        }
    }

    /// Waits, a bounded time, until everything handed in so far is written.
    pub(crate) fn flush(&self) {
        let (done, written) = sync_channel(1);
        let item = Item { tape: 0, at: Duration::ZERO, what: What::Flush(done) };
        let sent = self.queue.send(item).is_ok();
        if sent && written.recv_timeout(FLUSH_WAIT) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("recordings are cut off: the disk does not take what is left of them");
        }
    }

    /// Reserves room in the queue.
    fn reserve(&self, bytes: usize) -> bool {
        let reserve = |waiting: usize| waiting.checked_add(bytes).filter(|sum| *sum <= QUEUE_BYTES_MAX);
        self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, reserve).is_ok()
    }
}

impl Tape {
    /// What this side says now, if there is a tape.
    pub(crate) fn tap(tape: &mut Option<Box<Self>>, side: Side, now: Instant) -> Option<Tap<'_>> {
        tape.as_deref_mut().map(|tape| Tap { tape, side, now })
    }

    fn tell_lost(&mut self, now: Instant) {
        if let (pieces @ 1.., bytes) = std::mem::take(&mut self.lost) {
            self.put(now, What::Gap { pieces, bytes });
        }
    }

    /// Hands something in for which there is room. `false`: the thread that writes has died, of a bug and not in silence.
    fn put(&self, now: Instant, what: What) -> bool {
        let item = Item { tape: self.id, at: now.saturating_duration_since(self.since), what };
        self.recorder.queue.send(item).is_ok()
    }
}

impl Tap<'_> {
    /// Records a piece of a message. Never waits: without room in the queue the piece is lost, and the recording says
    /// so.
    pub(crate) fn record(&mut self, chunk: Chunk<'_>) {
        let Self { tape, side, now } = self;
        let says_nothing = chunk.payload.is_empty() && !chunk.ends_message;
        if says_nothing || tape.full.load(Ordering::Relaxed) {
            return;
        }
        if !tape.recorder.reserve(chunk.payload.len() + PIECE_BYTES) {
            tape.lost.0 += 1;
            tape.lost.1 += chunk.payload.len() as u64;
            return;
        }
        tape.tell_lost(*now);
        let mut payload = chunk.payload.to_vec();
        if let Some(mut key) = chunk.mask {
            key.apply(&mut payload);
        }
        let (side, message, ends_message) = (*side, chunk.message, chunk.ends_message);
        tape.put(*now, What::Piece { side, message, payload, ends_message });
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        let now = clock::now();
        self.tell_lost(now);
        self.put(now, What::End);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::Receiver;

    fn piece(payload: &[u8]) -> Chunk<'_> {
        Chunk { message: MessageType::Binary, payload, mask: None, ends_message: true }
    }

    fn next(items: &Receiver<Item>) -> String {
        match items.try_recv().expect("something was handed in").what {
            What::Piece { payload, .. } => payload.escape_ascii().to_string(),
            What::Gap { pieces, bytes } => format!("gap of {bytes} in {pieces}"),
            What::End => "end".to_owned(),
            What::Begin(..) | What::Flush(_) => "?".to_owned(),
        }
    }

    #[test]
    fn what_finds_no_room_is_counted_and_told_with_the_next_that_does() {
        let (queue, items) = mpsc::channel();
        let recorder = Recorder { queue, waiting: Arc::default(), tapes: Arc::default() };
        let now = clock::now();
        let mut tape = Some(Box::new(Tape {
            recorder: recorder.clone(),
            id: 0,
            since: now,
            full: Arc::default(),
            lost: (0, 0),
        }));
        let mut say = |payload: &[u8]| {
            Tape::tap(&mut tape, Side::Client, now).expect("there is a tape").record(piece(payload));
        };
        say(b"first");
        recorder.waiting.fetch_add(QUEUE_BYTES_MAX - 2 * PIECE_BYTES, Ordering::Relaxed);
        say(&[0; PIECE_BYTES]);
        say(&[0; 2 * PIECE_BYTES]);
        assert_eq!(recorder.waiting.load(Ordering::Relaxed), QUEUE_BYTES_MAX + 5 - PIECE_BYTES);
        recorder.waiting.fetch_sub(QUEUE_BYTES_MAX - 2 * PIECE_BYTES, Ordering::Relaxed);
        say(b"again");
        recorder.waiting.fetch_add(QUEUE_BYTES_MAX, Ordering::Relaxed);
        say(b"last");
        drop(tape);
        let told: Vec<_> = (0..5).map(|_| next(&items)).collect();
        assert_eq!(told, ["first", "gap of 384 in 2", "again", "gap of 4 in 1", "end"]);
    }
}

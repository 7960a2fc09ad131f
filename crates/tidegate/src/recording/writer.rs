//! The thread that writes all recordings of the process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::Duration;

use tidegate_proto::MessageType;

use super::Side;
use super::file::{Full, RecordingFile};

/// What a piece in the queue costs beside its payload.
pub(super) const PIECE_BYTES: usize = 128;

/// Something that a session hands in.
pub(super) struct Item {
    /// The session's number.
    pub(super) tape: u64,
    /// Since the session began.
    pub(super) at: Duration,
    pub(super) what: What,
}

pub(super) enum What {
    Begin(Box<RecordingFile>, Arc<AtomicBool>),
    Piece { side: Side, message: MessageType, payload: Vec<u8>, ends_message: bool },
    Gap { pieces: u64, bytes: u64 },
    End,
    Flush(SyncSender<()>),
}

/// A file that is written, and how its session learns that it takes no more.
struct Open {
    file: Box<RecordingFile>,
    full: Arc<AtomicBool>,
    /// That it has a gap was said.
    gap_told: bool,
}

pub(super) fn write_all(items: &Receiver<Item>, waiting: &AtomicUsize) {
    let mut open: BTreeMap<u64, Open> = BTreeMap::new();
    while let Ok(Item { tape, at, what }) = items.recv() {
        let recording = open.get_mut(&tape);
        match what {
            What::Begin(file, full) => drop(open.insert(tape, Open { file, full, gap_told: false })),
            What::Flush(done) => drop(done.try_send(())), // whoever asked may have stopped waiting
            What::End => {
                if let Some(mut recording) = open.remove(&tape) {
                    recording.settle(|file| file.end(at));
                }
            }
            What::Gap { pieces, bytes } => {
                if let Some(recording) = recording {
                    recording.tell_gap(bytes);
                    recording.settle(|file| file.gap(at, pieces, bytes));
                }
            }
            What::Piece { side, message, payload, ends_message } => {
                let released = payload.len() + PIECE_BYTES;
                if let Some(recording) = recording {
                    recording.settle(|file| file.take(side, at, message, payload, ends_message));
                }
                waiting.fetch_sub(released, Ordering::Relaxed);
            }
        }
    }
}

impl Open {
    /// Writes something. Where that was the end of the recording, this is said once, and the session copies no more.
    fn settle(&mut self, write: impl FnOnce(&mut RecordingFile) -> Result<(), Full>) {
        let Err(full) = write(&mut self.file) else { return };
        self.full.store(true, Ordering::Relaxed);
        let path = self.file.path().display();
        match full {
            Full::BytesMax => tracing::info!("recording {path} ends before its session: {full}"),
            Full::Io(_) => tracing::warn!("recording {path} ends before its session: {full}"),
        }
    }

    fn tell_gap(&mut self, bytes: u64) {
        if !std::mem::replace(&mut self.gap_told, true) {
            let path = self.file.path().display();
            tracing::warn!("recording {path} has gaps, of {bytes} bytes so far: the disk is too slow for it");
        }
    }
}

//! The file of one session: messages are put together, bounded, and written.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tidegate_proto::MessageType;

use super::encoder::{Encoder, TAIL_BYTES_MAX};
use super::{Message, Part, Side};

/// Payload bytes that are held until a message is complete, for each side of a session. What is longer becomes several
/// entries.
const PART_BYTES_MAX: usize = 64 << 10;

/// A recording under way.
#[derive(Debug)]
pub(super) struct RecordingFile {
    file: File,
    path: PathBuf,
    encoder: Encoder,
    /// Bytes of the file so far, and how many there may be.
    written: u64,
    bytes_max: u64,
    client: Unfinished,
    backend: Unfinished,
    /// When something was recorded last.
    last: Duration,
    ended: bool,
    /// One entry, or a few; kept for its memory.
    entries: Vec<u8>,
}

/// A message that has not ended yet.
#[derive(Debug, Default)]
struct Unfinished {
    message: Option<MessageType>,
    payload: Vec<u8>,
    /// Parts of it are written already.
    begun: bool,
}

/// Why a recording takes no more.
#[derive(Debug, thiserror::Error)]
pub(super) enum Full {
    /// It has as many bytes as it may.
    #[error("it has max_bytes")]
    BytesMax,
    /// The disk is full, or broken.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl RecordingFile {
    /// Begins a recording in an empty file.
    ///
    /// # Errors
    /// Not even its head can be written.
    pub(super) fn begin(file: File, path: PathBuf, encoder: Encoder, bytes_max: u64) -> io::Result<Self> {
        let head = encoder.head();
        let mut recording = Self {
            file,
            path,
            encoder,
            written: 0,
            bytes_max,
            client: Unfinished::default(),
            backend: Unfinished::default(),
            last: Duration::ZERO,
            ended: false,
            entries: Vec::new(),
        };
        recording.entries = head;
        recording.write_entries()?;
        Ok(recording)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes a piece of a message.
    ///
    /// # Errors
    /// This was the end of the recording: it is complete, but for what the disk does not take.
    pub(super) fn take(
        &mut self,
        side: Side,
        at: Duration,
        message: MessageType,
        payload: Vec<u8>,
        ends_message: bool,
    ) -> Result<(), Full> {
        if self.ended {
            return Ok(());
        }
        self.last = at;
        let unfinished = self.side(side);
        unfinished.add(message, payload);
        let parts = unfinished.parts(ends_message);
        parts.into_iter().try_for_each(|(part, payload)| self.write(&Message { side, at, part, payload }))
    }

    /// Notes that something is missing here.
    ///
    /// # Errors
    /// As for [`take`](Self::take).
    pub(super) fn gap(&mut self, at: Duration, pieces: u64, bytes: u64) -> Result<(), Full> {
        if self.ended {
            return Ok(());
        }
        self.write_unfinished()?;
        let text = format!("gap: {bytes} bytes in {pieces} pieces are missing, the disk was too slow");
        self.encoder.note(&text, at, &mut self.entries);
        self.write_or_end()
    }

    /// Ends the recording with the session.
    ///
    /// # Errors
    /// As for [`take`](Self::take).
    pub(super) fn end(&mut self, at: Duration) -> Result<(), Full> {
        if self.ended {
            return Ok(());
        }
        self.last = at;
        self.write_unfinished()?;
        self.entries = self.encoder.tail(at);
        self.ended = true;
        Ok(self.write_entries()?)
    }

    fn side(&mut self, side: Side) -> &mut Unfinished {
        match side {
            Side::Client => &mut self.client,
            Side::Backend => &mut self.backend,
        }
    }

    /// Writes what there is of messages whose rest will not come.
    fn write_unfinished(&mut self) -> Result<(), Full> {
        let at = self.last;
        for side in [Side::Client, Side::Backend] {
            let rest = std::mem::take(self.side(side)).parts(true);
            rest.into_iter()
                .try_for_each(|(part, payload)| self.write(&Message { side, at, part, payload }))?;
        }
        Ok(())
    }

    fn write(&mut self, message: &Message) -> Result<(), Full> {
        self.encoder.message(message, &mut self.entries);
        self.write_or_end()
    }

    /// Writes the entries that were made, or else ends the recording without them.
    fn write_or_end(&mut self) -> Result<(), Full> {
        if self.written + self.entries.len() as u64 + TAIL_BYTES_MAX > self.bytes_max {
            self.entries.clear();
            self.encoder.note("the recording ends here: it has max_bytes", self.last, &mut self.entries);
            self.entries.extend(self.encoder.tail(self.last));
            self.ended = true;
            self.write_entries()?;
            return Err(Full::BytesMax);
        }
        self.write_entries().map_err(|error| {
            self.ended = true;
            self.close_after_failure();
            error.into()
        })
    }

    fn write_entries(&mut self) -> io::Result<()> {
        let result = self.file.write_all(&self.entries);
        self.written += result.as_ref().map_or(0, |()| self.entries.len() as u64);
        self.entries.clear();
        result
    }

    /// Takes the entry back that was written in part, which often makes room for the tail. If not, the file is as
    /// readable as one that was cut off by a crash.
    fn close_after_failure(&mut self) {
        let back =
            self.file.set_len(self.written).and_then(|()| self.file.seek(SeekFrom::Start(self.written)));
        if back.is_ok() {
            self.file.write_all(&self.encoder.tail(self.last)).ok(); // that it cannot be written is told already
        }
    }
}

impl Drop for RecordingFile {
    /// The session has never begun: its client left while the file was made.
    fn drop(&mut self) {
        self.end(self.last).ok();
    }
}

impl Unfinished {
    fn add(&mut self, message: MessageType, payload: Vec<u8>) {
        self.message = Some(message);
        if self.payload.is_empty() {
            self.payload = payload;
        } else {
            self.payload.extend(payload);
        }
    }

    /// The parts that can be written: whole ones, and the rest where the message has ended.
    fn parts(&mut self, ended: bool) -> Vec<(Part, Vec<u8>)> {
        let Some(message) = self.message else { return Vec::new() };
        let mut parts = Vec::new();
        while self.payload.len() > PART_BYTES_MAX {
            let rest = self.payload.split_off(cut(&self.payload, message));
            parts.push((self.next(message), std::mem::replace(&mut self.payload, rest)));
        }
        if ended {
            if !self.payload.is_empty() || !self.begun {
                parts.push((self.next(message), std::mem::take(&mut self.payload)));
            }
            *self = Self::default();
        }
        parts
    }

    fn next(&mut self, message: MessageType) -> Part {
        if std::mem::replace(&mut self.begun, true) { Part::More(message) } else { Part::First(message) }
    }
}

/// Where a long payload is cut: in text, not inside a character.
fn cut(payload: &[u8], message: MessageType) -> usize {
    let inside = |at: &usize| payload[*at] & 0xc0 == 0x80;
    match message {
        MessageType::Binary => PART_BYTES_MAX,
        MessageType::Text => {
            (PART_BYTES_MAX - 3..=PART_BYTES_MAX).rev().find(|at| !inside(at)).unwrap_or(PART_BYTES_MAX)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{About, Format};
    use super::*;
    use std::fs;
    use std::time::UNIX_EPOCH;

    fn begin(file: File, bytes_max: u64) -> RecordingFile {
        let about = About { url: "ws://gw.test/".to_owned(), started: UNIX_EPOCH };
        let encoder = Encoder::new(Format::Websockify, about);
        RecordingFile::begin(file, PathBuf::from("x"), encoder, bytes_max).unwrap()
    }

    fn lengths(parts: &[(Part, Vec<u8>)]) -> Vec<(Part, usize)> {
        parts.iter().map(|(part, payload)| (*part, payload.len())).collect()
    }

    #[test]
    fn a_long_message_is_written_in_parts_and_held_in_one() {
        let mut unfinished = Unfinished::default();
        unfinished.add(MessageType::Binary, vec![0; 2 * PART_BYTES_MAX + 1]);
        let first = (Part::First(MessageType::Binary), PART_BYTES_MAX);
        let more = |len| (Part::More(MessageType::Binary), len);
        assert_eq!(lengths(&unfinished.parts(false)), [first, more(PART_BYTES_MAX)]);
        unfinished.add(MessageType::Binary, vec![0; 9]);
        assert_eq!(lengths(&unfinished.parts(true)), [more(10)]);
        unfinished.add(MessageType::Binary, Vec::new());
        assert_eq!(lengths(&unfinished.parts(true)), [(Part::First(MessageType::Binary), 0)]);
        assert_eq!(lengths(&unfinished.parts(true)), []);
    }

    #[test]
    fn text_is_cut_between_characters() {
        let mut unfinished = Unfinished::default();
        let text = format!("a{}", "€".repeat(PART_BYTES_MAX));
        unfinished.add(MessageType::Text, text.clone().into_bytes());
        let parts = unfinished.parts(true);
        let read: String = parts.iter().map(|(_, part)| std::str::from_utf8(part).unwrap()).collect();
        assert!(parts.len() > 2 && read == text);
    }

    #[test]
    fn a_full_disk_ends_the_recording_and_leaves_what_was_written() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let mut recording = begin(file.reopen().unwrap(), 1 << 20);
        recording.take(Side::Client, Duration::ZERO, MessageType::Binary, b"a".to_vec(), true).unwrap();
        recording.file = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let full = recording.take(Side::Client, Duration::ZERO, MessageType::Binary, b"b".to_vec(), true);
        assert!(matches!(full, Err(Full::Io(_))), "{full:?}");
        recording.take(Side::Client, Duration::ZERO, MessageType::Binary, b"c".to_vec(), true).unwrap();
        recording.end(Duration::ZERO).unwrap();
        let mut text = String::new();
        io::Read::read_to_string(&mut file, &mut text).unwrap();
        assert_eq!(text, "var VNC_frame_data = [\n'}0}a',\n");
    }
}

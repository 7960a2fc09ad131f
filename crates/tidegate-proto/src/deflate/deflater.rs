//! The writing half.

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush};

use super::{Context, Progress, WindowBits};

/// How a [`Deflater`] works: the first two were agreed, the other two weigh size against time and memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflaterConfig {
    /// The window that we write with. 256 bytes are kept to exactly, but take the memory of 512.
    pub window: WindowBits,
    /// Whether messages refer to the ones before.
    pub context: Context,
    /// From 0, which only stores, over 1, which is fastest, to 9, which is smallest; what is above counts as 9.
    pub level: u8,
    /// From 1, which takes the least memory, to 9, which takes the most and compresses best; what is outside counts
    /// as the nearer of the two.
    pub mem_level: u8,
}

/// The writing half: messages become compressed payloads (RFC 7692 §7.2.1).
///
/// It owns nothing before the first message, and from then on what the table in the [module](super) says. With
/// [`Context::Fresh`] nothing of a message is left after it, so that one half can serve any number of connections in
/// turn, message by message.
pub struct Deflater {
    config: DeflaterConfig,
    codec: Option<Deflate>,
    stage: Stage,
    tail: Tail,
}

/// How far the message under way is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// No byte of it was seen.
    Empty,
    /// Some were, and more may come.
    Open,
    /// All were compressed, and the end of the output waits in the tail.
    Flushed,
}

impl Deflater {
    /// A half at the start of a connection.
    pub const fn new(config: DeflaterConfig) -> Self {
        Self { config, codec: None, stage: Stage::Empty, tail: Tail::new() }
    }

    /// How it works.
    pub const fn config(&self) -> DeflaterConfig {
        self.config
    }

    /// Compresses the next piece of a message into the front of `output`.
    ///
    /// While the result is not [`done`](Progress::done), call again with the rest of `input`, the same `ends_message`
    /// and more room. `ends_message` says that `input` ends the message; pieces may be empty. Without it, what was
    /// taken may stay inside for as long as the message lasts.
    ///
    /// Every call takes input or makes output, unless there is neither input nor a byte of room.
    pub fn deflate(&mut self, input: &[u8], output: &mut [u8], ends_message: bool) -> Progress {
        if self.stage == Stage::Empty && input.is_empty() {
            return if ends_message { Self::empty_message(output) } else { Progress::NOTHING };
        }
        let mut run = Run { input, consumed: 0, output, produced: 0 };
        let done = if ends_message { self.finish(&mut run) } else { self.go_on(&mut run) };
        Progress { consumed: run.consumed, produced: run.produced, done }
    }

    /// Puts out all that was taken of the message under way, which costs it up to ten bytes, so that nothing of it stays
    /// inside. With [`Context::Fresh`] another half of the same configuration may go on with the message then.
    ///
    /// While the result is not [`done`](Progress::done), call again with more room. Nothing is consumed.
    pub fn flush(&mut self, output: &mut [u8]) -> Progress {
        let mut run = Run { input: &[], consumed: 0, output, produced: 0 };
        let done = loop {
            self.tail.drain(&mut run, 0);
            if !self.tail.is_empty() {
                break false;
            }
            let (Stage::Open, Some(codec)) = (self.stage, &mut self.codec) else {
                self.stage = Stage::Empty;
                break true;
            };
            let flush = flush_of(self.config);
            let is_full = if run.room() >= ROOM_MIN {
                run.compress(codec, flush)
            } else {
                self.tail.compress(&mut run, codec, flush)
            };
            if !is_full {
                self.stage = Stage::Flushed;
            }
        };
        Progress { consumed: 0, produced: run.produced, done }
    }

    /// Whether it has the memory of a compressor.
    pub const fn holds_memory(&self) -> bool {
        self.codec.is_some()
    }

    /// Goes back to the state of [`new`](Self::new) but keeps the memory, for another connection that agreed on the
    /// same.
    pub fn reset(&mut self) {
        if self.stage != Stage::Empty || !self.tail.is_empty() {
            // Resetting the codec would not take back what it has yet to put out.
            self.codec = None;
        } else if self.config.context == Context::Takeover
            && let Some(codec) = &mut self.codec
        {
            codec.reset();
        }
        self.stage = Stage::Empty;
        self.tail = Tail::new();
    }

    /// An empty message is one byte (RFC 7692 §7.2.3.6), which the codec would not make: asked to flush nothing, it
    /// does nothing.
    const fn empty_message(output: &mut [u8]) -> Progress {
        let Some(byte) = output.first_mut() else { return Progress { done: false, ..Progress::NOTHING } };
        *byte = 0;
        Progress { produced: 1, ..Progress::NOTHING }
    }

    fn go_on(&mut self, run: &mut Run<'_>) -> bool {
        // There is a tail only where the end of the message was announced and is taken back.
        self.tail.drain(run, 0);
        self.stage = Stage::Open;
        let codec = self.codec.get_or_insert_with(|| codec(self.config));
        if self.tail.is_empty() {
            while !run.input.is_empty() && run.room() > 0 {
                run.compress(codec, DeflateFlush::NoFlush);
            }
        }
        run.input.is_empty() && self.tail.is_empty()
    }

    /// The end of a message is flushed to a byte, which makes the codec end it with 00 00 FF FF: those four are held
    /// back, wherever the output is cut, and are dropped.
    ///
    /// If the room ends exactly where the flush does, the codec cannot tell, and flushes once more: five bytes that
    /// mean nothing. It has room for them at every call, so it cannot do so for ever.
    fn finish(&mut self, run: &mut Run<'_>) -> bool {
        let codec = self.codec.get_or_insert_with(|| codec(self.config));
        let flush = flush_of(self.config);
        loop {
            self.tail.drain(run, MARKER_BYTES);
            if self.tail.len > MARKER_BYTES {
                return false;
            }
            if self.stage == Stage::Flushed {
                self.stage = Stage::Empty;
                self.tail = Tail::new();
                return true;
            }
            self.stage = Stage::Open;
            let is_full = if run.room() >= ROOM_MIN {
                self.tail.put_back(run);
                let is_full = run.compress(codec, flush);
                self.tail.take_last(run);
                is_full
            } else {
                self.tail.compress(run, codec, flush)
            };
            if !is_full {
                self.stage = Stage::Flushed;
            }
        }
    }
}

impl core::fmt::Debug for Deflater {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Deflater")
            .field("config", &self.config)
            .field("stage", &self.stage)
            .field("tail", &self.tail)
            .finish_non_exhaustive()
    }
}

/// What ends a flush and is not sent (RFC 7692 §7.2.1): 00 00 FF FF.
const MARKER_BYTES: usize = 4;
/// Room with which the codec is called, or more: for what is held back, and for a flush of nothing.
const ROOM_MIN: usize = 16;

/// What is flushed is not referred to again, unless the context is taken over.
const fn flush_of(config: DeflaterConfig) -> DeflateFlush {
    match config.context {
        Context::Takeover => DeflateFlush::SyncFlush,
        Context::Fresh => DeflateFlush::FullFlush,
    }
}

/// The codec knows no window of 256 bytes. In one of 512 it never looks back farther than 250, since it wants a match
/// of the longest kind, and a bit, to lie in the window with what it copies from.
fn codec(config: DeflaterConfig) -> Deflate {
    Deflate::new_with_config(DeflateConfig {
        level: config.level.min(9).into(),
        window_bits: -i32::from(config.window.get().max(9)),
        mem_level: config.mem_level.clamp(1, 9).into(),
        ..DeflateConfig::default()
    })
}

/// One call: what is left of the input, and the output so far.
struct Run<'a> {
    input: &'a [u8],
    consumed: usize,
    output: &'a mut [u8],
    produced: usize,
}

impl Run<'_> {
    fn room(&self) -> usize {
        self.output.len() - self.produced
    }

    fn compress(&mut self, codec: &mut Deflate, flush: DeflateFlush) -> bool {
        let (_, room) = self.output.split_at_mut(self.produced);
        let (taken, made) = compress(codec, self.input, room, flush);
        self.consumed += taken;
        self.input = self.input.split_at(taken).1;
        let is_full = made == room.len();
        self.produced += made;
        is_full
    }
}

/// Bytes taken and made.
fn compress(codec: &mut Deflate, input: &[u8], output: &mut [u8], flush: DeflateFlush) -> (usize, usize) {
    let (taken_before, made_before) = (codec.total_in(), codec.total_out());
    let status = codec.compress(input, output, flush);
    debug_assert!(status.is_ok(), "the configuration was in range");
    let difference = |after: u64, before| usize::try_from(after - before).unwrap_or(usize::MAX);
    let taken = difference(codec.total_in(), taken_before).min(input.len());
    (taken, difference(codec.total_out(), made_before).min(output.len()))
}

/// The last bytes that were made, in case they are the last of the message.
#[derive(Clone, Copy, Debug)]
struct Tail {
    bytes: [u8; MARKER_BYTES + ROOM_MIN],
    len: usize,
}

impl Tail {
    const fn new() -> Self {
        Self { bytes: [0; MARKER_BYTES + ROOM_MIN], len: 0 }
    }

    const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Puts out all but the last `kept`, as far as there is room.
    fn drain(&mut self, run: &mut Run<'_>, kept: usize) {
        let count = self.len.saturating_sub(kept).min(run.room());
        for (slot, byte) in run.output.iter_mut().skip(run.produced).zip(self.bytes.iter().take(count)) {
            *slot = *byte;
        }
        run.produced += count;
        self.bytes.copy_within(count..self.len, 0);
        self.len -= count;
    }

    /// Puts out all, to be followed at once by more.
    fn put_back(&mut self, run: &mut Run<'_>) {
        self.drain(run, 0);
    }

    /// Takes the last four bytes back, or as many as there are.
    fn take_last(&mut self, run: &mut Run<'_>) {
        let len = run.produced.min(MARKER_BYTES);
        run.produced -= len;
        for (slot, byte) in self.bytes.iter_mut().zip(run.output.iter().skip(run.produced).take(len)) {
            *slot = *byte;
        }
        self.len = len;
    }

    /// Where there is no room for more than a few bytes, they are made here.
    fn compress(&mut self, run: &mut Run<'_>, codec: &mut Deflate, flush: DeflateFlush) -> bool {
        let (_, free) = self.bytes.split_at_mut(self.len);
        let (room, _) = free.split_at_mut(ROOM_MIN.min(free.len()));
        let (taken, made) = compress(codec, run.input, room, flush);
        let is_full = made == room.len();
        run.consumed += taken;
        run.input = run.input.split_at(taken).1;
        self.len += made;
        is_full
    }
}

//! The format of blocks (RFC 1951 §3.2) as a machine that stops wherever the input or the room for output ends.

use alloc::boxed::Box;

use super::bits::Bits;
use super::codes::Table;
use super::dynamic::Dynamic;
use super::entries::{FIXED_DISTANCES, FIXED_LITERALS};
use super::symbols::{Codes, Io, Paused};
use super::window::Window;
use crate::{InvalidDeflate, Violation};

/// Why the machine stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// All input is taken, and more is needed.
    Input,
    /// A byte waits for room.
    Output,
}

/// What comes next in the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The header of a block.
    Header,
    /// The length of a stored block, and its complement.
    StoredLength,
    /// The bytes that are left of a stored block.
    Stored(usize),
    /// The codes of the block.
    Codes,
    /// Symbols.
    Symbols { fixed: bool },
    /// Nothing: the rest of a match waits for room, and then symbols.
    Match { fixed: bool, distance: usize, length: usize },
}

#[derive(Debug)]
pub(super) struct Blocks {
    state: State,
    bits: Bits,
    /// The block under way, or the last one, says that it is the last.
    is_final: bool,
    /// Blocks with codes of their own in the message so far.
    dynamic_blocks: u64,
    dynamic: Option<Box<Dynamic>>,
}

/// Blocks with codes of their own that a message may have whatever it holds. Such a block takes about a microsecond to
/// set up and can be written in under 20 bytes: without a bound, a message of such blocks would cost far more than its
/// bytes. Compressors write one where it saves more than its header takes, which a few bytes of content cannot.
const DYNAMIC_BLOCKS_MAX: u64 = 1024;
/// Bytes of content that allow for one more.
const DYNAMIC_BLOCK_BYTES_MIN: u64 = 16;

impl Blocks {
    pub(super) const fn new() -> Self {
        Self { state: State::Header, bits: Bits::new(), is_final: false, dynamic_blocks: 0, dynamic: None }
    }

    /// Bits that were taken from the input and not used.
    pub(super) const fn bits_held(&self) -> u32 {
        self.bits.len()
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        self.dynamic.as_ref().map_or(0, |dynamic| dynamic.heap_bytes())
    }

    /// Whether a message may end here: all that lacks is the 00 00 FF FF that its sender took off (RFC 7692 §7.2.2),
    /// the lengths of an empty stored block.
    ///
    /// Two more ends are taken for what they can only mean, though the RFC wants one byte 00 there: no input at all,
    /// and that of a block that says it is the last. Both are what zlib leaves when it is asked for a flush of nothing
    /// or for the end of a stream.
    pub(super) fn may_end(&self, is_empty: bool) -> bool {
        let is_boundary = matches!(self.state, State::Header) && (is_empty || self.is_final);
        self.bits.len() == 0 && (is_boundary || matches!(self.state, State::StoredLength))
    }

    /// Goes to the start of the next message.
    pub(super) fn end(&mut self) {
        *self = Self::new();
    }

    pub(super) fn settle(&mut self) {
        self.bits.settle();
    }

    pub(super) fn run(&mut self, io: &mut Io<'_, '_>, window: &Window) -> Result<Stop, Violation> {
        loop {
            let paused = match self.state {
                State::Header => self.header(io)?,
                State::StoredLength => self.stored_length(io)?,
                State::Stored(left) => self.stored(left, io),
                State::Codes => self.codes(io)?,
                State::Symbols { fixed } => self.symbols(fixed, io, window)?,
                State::Match { fixed, distance, length } => {
                    self.rest_of_match(fixed, distance, length, io, window)
                }
            };
            if let Some(stop) = paused {
                return Ok(stop);
            }
        }
    }

    /// A block after one that says it is the last begins at a byte (RFC 7692 §7.2.3.4).
    fn header(&mut self, io: &mut Io<'_, '_>) -> Result<Option<Stop>, Violation> {
        if !self.bits.have(3, &mut io.input) {
            return Ok(Some(Stop::Input));
        }
        self.is_final = self.bits.take(1) != 0;
        self.state = match self.bits.take(2) {
            0 => {
                self.bits.align();
                State::StoredLength
            }
            1 => State::Symbols { fixed: true },
            2 => self.begin_codes(io)?,
            _ => return Err(InvalidDeflate::BlockType.into()),
        };
        Ok(None)
    }

    fn end_block(&mut self) {
        if self.is_final {
            self.bits.align();
        }
        self.state = State::Header;
    }

    fn stored_length(&mut self, io: &mut Io<'_, '_>) -> Result<Option<Stop>, Violation> {
        if !self.bits.have(32, &mut io.input) {
            return Ok(Some(Stop::Input));
        }
        let length = self.bits.take(16);
        if self.bits.take(16) != length ^ 0xffff {
            return Err(InvalidDeflate::StoredLength.into());
        }
        self.state = State::Stored(length);
        Ok(None)
    }

    /// First the bytes that were taken as bits already.
    fn stored(&mut self, mut left: usize, io: &mut Io<'_, '_>) -> Option<Stop> {
        let mut stop = None;
        while left > 0 && self.bits.len() >= 8 {
            let Some(slot) = io.output.get_mut(io.at) else {
                stop = Some(Stop::Output);
                break;
            };
            *slot = self.bits.take(8).to_le_bytes()[0];
            io.at += 1;
            left -= 1;
        }
        if stop.is_none() && left > 0 {
            self.bits.settle();
            let room = io.output.len() - io.at;
            let (bytes, rest) = io.input.split_at(left.min(room).min(io.input.len()));
            if let Some(target) = io.output.get_mut(io.at..io.at + bytes.len()) {
                target.copy_from_slice(bytes);
            }
            io.at += bytes.len();
            left -= bytes.len();
            io.input = rest;
            if left > 0 {
                stop = Some(if rest.is_empty() { Stop::Input } else { Stop::Output });
            }
        }
        if left == 0 {
            self.end_block();
        } else {
            self.state = State::Stored(left);
        }
        stop
    }

    fn begin_codes(&mut self, io: &Io<'_, '_>) -> Result<State, Violation> {
        let content = io.made_before + io.at as u64;
        self.dynamic_blocks += 1;
        if self.dynamic_blocks > DYNAMIC_BLOCKS_MAX + content / DYNAMIC_BLOCK_BYTES_MIN {
            return Err(Violation::TooManyBlocks);
        }
        self.dynamic.get_or_insert_with(Dynamic::new).begin();
        Ok(State::Codes)
    }

    fn codes(&mut self, io: &mut Io<'_, '_>) -> Result<Option<Stop>, Violation> {
        let dynamic = self.dynamic.get_or_insert_with(Dynamic::new);
        if !dynamic.read(&mut self.bits, &mut io.input)? {
            return Ok(Some(Stop::Input));
        }
        self.state = State::Symbols { fixed: false };
        Ok(None)
    }

    fn symbols(
        &mut self,
        fixed: bool,
        io: &mut Io<'_, '_>,
        window: &Window,
    ) -> Result<Option<Stop>, Violation> {
        let codes = match &self.dynamic {
            Some(dynamic) if !fixed => dynamic.codes(),
            _ => Codes {
                literals: Table { entries: &FIXED_LITERALS, root: 9 },
                distances: Table { entries: &FIXED_DISTANCES, root: 5 },
            },
        };
        match codes.decode(&mut self.bits, io, window)? {
            Paused::EndOfBlock => {
                self.end_block();
                Ok(None)
            }
            Paused::Input => Ok(Some(Stop::Input)),
            Paused::Literal => Ok(Some(Stop::Output)),
            Paused::Match { distance, length } => {
                self.state = State::Match { fixed, distance, length };
                Ok(None)
            }
        }
    }

    fn rest_of_match(
        &mut self,
        fixed: bool,
        distance: usize,
        length: usize,
        io: &mut Io<'_, '_>,
        window: &Window,
    ) -> Option<Stop> {
        let now = length.min(io.output.len() - io.at);
        io.copy_match(window, distance, now);
        if now < length {
            self.state = State::Match { fixed, distance, length: length - now };
            return Some(Stop::Output);
        }
        self.state = State::Symbols { fixed };
        None
    }
}

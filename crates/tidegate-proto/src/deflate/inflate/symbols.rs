//! The symbols of a block: literals, and matches of a length and a distance (RFC 1951 §3.2.5).

use super::bits::Bits;
use super::codes::Table;
use super::matches;
use super::window::Window;
use crate::{InvalidDeflate, Violation};

/// What is left of the input, and the output so far.
pub(super) struct Io<'i, 'o> {
    pub(super) input: &'i [u8],
    pub(super) output: &'o mut [u8],
    /// Where the next byte of output goes; at most the length of `output`.
    pub(super) at: usize,
    /// Bytes of the message that were put out before the first of `output`.
    pub(super) made_before: u64,
}

impl Io<'_, '_> {
    pub(super) fn copy_match(&mut self, window: &Window, distance: usize, length: usize) {
        matches::copy(self.output, self.at, window, distance, length);
        self.at += length;
    }

    #[inline(always)]
    fn put(&mut self, byte: u8) {
        if let Some(slot) = self.output.get_mut(self.at) {
            *slot = byte;
        }
        self.at += 1;
    }
}

/// Why decoding stopped.
pub(super) enum Paused {
    /// The block ended.
    EndOfBlock,
    /// All input is taken, and a symbol is not complete.
    Input,
    /// A literal waits for room; it was not used.
    Literal,
    /// A match waits for room, in part or as a whole; it was used.
    Match { distance: usize, length: usize },
}

/// The codes of a block.
pub(super) struct Codes<'a> {
    pub(super) literals: Table<'a>,
    pub(super) distances: Table<'a>,
}

impl Codes<'_> {
    pub(super) fn decode(
        &self,
        bits: &mut Bits,
        io: &mut Io<'_, '_>,
        window: &Window,
    ) -> Result<Paused, Violation> {
        // Copies, so that the compiler may keep them in registers.
        let mut local = Io { input: io.input, output: &mut *io.output, ..*io };
        let mut held = *bits;
        let result = self.decode_local(&mut held, &mut local, window);
        *bits = held;
        (io.input, io.at) = (local.input, local.at);
        result
    }

    #[inline(always)]
    fn decode_local(
        &self,
        bits: &mut Bits,
        io: &mut Io<'_, '_>,
        window: &Window,
    ) -> Result<Paused, Violation> {
        loop {
            while io.input.len() >= FAST_INPUT_MIN && io.output.len() - io.at >= FAST_OUTPUT_MIN {
                if self.fast(bits, io, window)? {
                    return Ok(Paused::EndOfBlock);
                }
            }
            if let Some(paused) = self.careful(bits, io, window)? {
                return Ok(paused);
            }
        }
    }

    /// A match, or up to three literals and a match, with input and room enough for whatever they are. `true`: the
    /// block ended.
    #[inline(always)]
    fn fast(&self, bits: &mut Bits, io: &mut Io<'_, '_>, window: &Window) -> Result<bool, Violation> {
        bits.fill(&mut io.input);
        let mut entry = self.literals.find(bits);
        // Of the 56 bits at least, a literal takes 15 at most: two, and a length with its extra bits, are there.
        let mut literals = 0;
        while entry.is_literal() {
            bits.consume(entry.length());
            io.put(entry.value().to_le_bytes()[0]);
            literals += 1;
            if literals == 3 {
                return Ok(false);
            }
            entry = self.literals.find(bits);
        }
        if !entry.is_base() {
            bits.consume(entry.length());
            return if entry.is_end_of_block() { Ok(true) } else { Err(InvalidDeflate::Symbol.into()) };
        }
        bits.consume(entry.length());
        let length = usize::from(entry.value()) + bits.take(entry.extra());
        bits.fill(&mut io.input);
        let entry = self.distances.find(bits);
        if !entry.is_base() {
            return Err(InvalidDeflate::Symbol.into());
        }
        bits.consume(entry.length());
        let distance = usize::from(entry.value()) + bits.take(entry.extra());
        check_distance(distance, io.at, window)?;
        io.copy_match(window, distance, length);
        Ok(false)
    }

    /// One symbol, if it is there and has room.
    fn careful(
        &self,
        bits: &mut Bits,
        io: &mut Io<'_, '_>,
        window: &Window,
    ) -> Result<Option<Paused>, Violation> {
        bits.fill(&mut io.input);
        // Used up only as a whole: a match has 48 bits at most.
        let mut ahead = *bits;
        let entry = self.literals.find(&ahead);
        if entry.length() > ahead.len() {
            return Ok(Some(Paused::Input));
        }
        ahead.consume(entry.length());
        if entry.is_literal() {
            let Some(slot) = io.output.get_mut(io.at) else { return Ok(Some(Paused::Literal)) };
            *slot = entry.value().to_le_bytes()[0];
            io.at += 1;
            *bits = ahead;
            return Ok(None);
        }
        if entry.is_end_of_block() {
            *bits = ahead;
            return Ok(Some(Paused::EndOfBlock));
        }
        if !entry.is_base() {
            return Err(InvalidDeflate::Symbol.into());
        }
        if entry.extra() > ahead.len() {
            return Ok(Some(Paused::Input));
        }
        let length = usize::from(entry.value()) + ahead.take(entry.extra());
        let entry = self.distances.find(&ahead);
        if entry.length() + entry.extra() > ahead.len() {
            return Ok(Some(Paused::Input));
        }
        if !entry.is_base() {
            return Err(InvalidDeflate::Symbol.into());
        }
        ahead.consume(entry.length());
        let distance = usize::from(entry.value()) + ahead.take(entry.extra());
        check_distance(distance, io.at, window)?;
        *bits = ahead;
        if length > io.output.len() - io.at {
            return Ok(Some(Paused::Match { distance, length }));
        }
        io.copy_match(window, distance, length);
        Ok(None)
    }
}

/// Input that lets bits be taken a word at a time, twice.
const FAST_INPUT_MIN: usize = 16;
/// Room for two literals, the longest match, and what copying it in chunks may overwrite.
const FAST_OUTPUT_MIN: usize = 2 + 258 + 16;

/// A distance must stay within the agreed window, whatever memory there is, and within what was received.
#[inline(always)]
fn check_distance(distance: usize, at: usize, window: &Window) -> Result<(), Violation> {
    if distance > window.size() {
        return Err(Violation::DeflateWindowExceeded);
    }
    if distance > at + window.len() {
        return Err(InvalidDeflate::Distance.into());
    }
    Ok(())
}

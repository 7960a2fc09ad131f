//! The codes that a block brings with it (RFC 1951 §3.2.7).

use alloc::{boxed::Box, vec, vec::Vec};

use super::bits::Bits;
use super::codes::{Alphabet, DISTANCES_LEN, LITERALS_LEN, Table, build};
use super::entries::Entry;
use super::symbols::Codes;
use crate::InvalidDeflate;

/// What a block with codes of its own needs while it lasts.
#[derive(Debug)]
pub(super) struct Dynamic {
    stage: Stage,
    /// For literals, and behind them for distances; the code of code lengths stands where those will.
    entries: Vec<Entry>,
    literals_root: u32,
    distances_root: u32,
    /// How many of the lengths are those of literals; the rest are those of distances.
    literals: usize,
    meta_lengths: usize,
    lengths: [u8; LENGTHS_MAX],
    lengths_len: usize,
}

/// What comes next in the header of the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The numbers of code lengths.
    Counts,
    /// A length in the code of code lengths, and how many of them were read.
    MetaLength(usize),
    /// A length in the codes for literals and distances, and how many of them were read.
    Length(usize),
}

impl Dynamic {
    pub(super) fn new() -> Box<Self> {
        Box::new(Self {
            stage: Stage::Counts,
            entries: vec![Entry::NONE; LITERALS_LEN + DISTANCES_LEN],
            literals_root: 0,
            distances_root: 0,
            literals: 0,
            meta_lengths: 0,
            lengths: [0; LENGTHS_MAX],
            lengths_len: 0,
        })
    }

    /// Bytes on the heap.
    pub(super) const fn heap_bytes(&self) -> usize {
        size_of::<Self>() + self.entries.capacity() * size_of::<Entry>()
    }

    /// Begins the next block.
    pub(super) const fn begin(&mut self) {
        self.stage = Stage::Counts;
        self.lengths = [0; LENGTHS_MAX];
    }

    /// Reads the header of the block. `false`: all input is taken, and more is needed.
    pub(super) fn read(&mut self, bits: &mut Bits, input: &mut &[u8]) -> Result<bool, InvalidDeflate> {
        loop {
            self.stage = match self.stage {
                Stage::Counts if !bits.have(14, input) => return Ok(false),
                Stage::Counts => {
                    self.read_counts(bits)?;
                    Stage::MetaLength(0)
                }
                Stage::MetaLength(index) if index == self.meta_lengths => {
                    self.build_meta()?;
                    Stage::Length(0)
                }
                Stage::MetaLength(_) if !bits.have(3, input) => return Ok(false),
                Stage::MetaLength(index) => {
                    self.set_meta_length(index, bits.take(3).to_le_bytes()[0]);
                    Stage::MetaLength(index + 1)
                }
                Stage::Length(index) if index == self.lengths_len => {
                    self.build()?;
                    return Ok(true);
                }
                Stage::Length(index) => match self.read_length(index, bits, input)? {
                    Some(next) => Stage::Length(next),
                    None => return Ok(false),
                },
            }
        }
    }

    pub(super) fn codes(&self) -> Codes<'_> {
        let (literals, distances) = self.entries.split_at(LITERALS_LEN);
        Codes {
            literals: Table { entries: literals, root: self.literals_root },
            distances: Table { entries: distances, root: self.distances_root },
        }
    }

    fn read_counts(&mut self, bits: &mut Bits) -> Result<(), InvalidDeflate> {
        self.literals = 257 + bits.take(5);
        let distances = 1 + bits.take(5);
        self.meta_lengths = 4 + bits.take(4);
        if self.literals > LITERALS_MAX || distances > DISTANCES_MAX {
            return Err(InvalidDeflate::CodeLengths);
        }
        self.lengths_len = self.literals + distances;
        Ok(())
    }

    fn set_meta_length(&mut self, index: usize, length: u8) {
        if let Some(&symbol) = META_ORDER.get(index)
            && let Some(slot) = self.lengths.get_mut(symbol)
        {
            *slot = length;
        }
    }

    /// The code of code lengths, from what stands in their place.
    fn build_meta(&mut self) -> Result<(), InvalidDeflate> {
        let (_, entries) = self.entries.split_at_mut(LITERALS_LEN);
        let (lengths, _) = self.lengths.split_at(META_ORDER.len());
        self.distances_root = build(Alphabet::CodeLengths, lengths, entries)?;
        Ok(())
    }

    /// Reads the length at `index`, and its repetitions. `None`: more input is needed, and nothing was used.
    fn read_length(
        &mut self,
        index: usize,
        bits: &mut Bits,
        input: &mut &[u8],
    ) -> Result<Option<usize>, InvalidDeflate> {
        let entry = loop {
            let entry = self.codes().distances.find(bits);
            if entry.length() <= bits.len() {
                break entry;
            }
            let had = bits.len();
            bits.fill(input);
            if bits.len() == had {
                return Ok(None);
            }
        };
        let (extra, base) = match entry.value() {
            16 => (2, 3),
            17 => (3, 3),
            18 => (7, 11),
            _ => (0, 1),
        };
        if !bits.have(entry.length() + extra, input) {
            return Ok(None);
        }
        bits.consume(entry.length());
        let end = index + base + bits.take(extra);
        let length = match entry.value() {
            17 | 18 => 0,
            16 => index
                .checked_sub(1)
                .and_then(|last| self.lengths.get(last))
                .copied()
                .ok_or(InvalidDeflate::CodeLengths)?,
            length => length.to_le_bytes()[0],
        };
        if end > self.lengths_len {
            return Err(InvalidDeflate::CodeLengths);
        }
        self.lengths.get_mut(index..end).ok_or(InvalidDeflate::CodeLengths)?.fill(length);
        Ok(Some(end))
    }

    fn build(&mut self) -> Result<(), InvalidDeflate> {
        let lengths = self.lengths.get(..self.lengths_len).unwrap_or_default();
        let (for_literals, for_distances) =
            lengths.split_at_checked(self.literals).ok_or(InvalidDeflate::CodeLengths)?;
        if for_literals.get(END_OF_BLOCK) == Some(&0) {
            return Err(InvalidDeflate::CodeLengths);
        }
        let (literals, distances) = self.entries.split_at_mut(LITERALS_LEN);
        self.literals_root = build(Alphabet::Literals, for_literals, literals)?;
        self.distances_root = build(Alphabet::Distances, for_distances, distances)?;
        Ok(())
    }
}

/// Codes for literals and distances together.
const LENGTHS_MAX: usize = LITERALS_MAX + DISTANCES_MAX;
const LITERALS_MAX: usize = 286;
const DISTANCES_MAX: usize = 30;

const END_OF_BLOCK: usize = 256;

/// The order in which the lengths of the code of code lengths are written (RFC 1951 §3.2.7).
const META_ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

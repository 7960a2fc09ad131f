//! Decoding tables for Huffman codes (RFC 1951 §3.2.2).
//!
//! A table is indexed by the next bits of the input. The first level has [`root`](build) bits; a longer code leads to a
//! second level that decides it. An [`Entry`] says what the code means and how many bits it has in all.

use super::entries::{DISTANCES, Entry, LITERALS, OP_LINK};
use crate::InvalidDeflate;

/// A table with the number of bits that index its first level.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table<'a> {
    pub(super) entries: &'a [Entry],
    pub(super) root: u32,
}

impl Table<'_> {
    /// The entry for the next bits; it counts only if all bits of its length are there.
    #[inline(always)]
    pub(super) fn find(&self, bits: &super::bits::Bits) -> Entry {
        let entry = self.entry(bits.peek(self.root));
        if !entry.is_link() {
            return entry;
        }
        let index = bits.peek(self.root + entry.extra()) >> self.root;
        self.entry(usize::from(entry.value()) + index)
    }

    #[inline(always)]
    fn entry(&self, index: usize) -> Entry {
        self.entries.get(index).copied().unwrap_or(Entry::NONE)
    }
}

/// The three alphabets of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// Literals, lengths and the end of the block.
    Literals,
    /// Distances.
    Distances,
    /// The code in which the lengths of the other two are written.
    CodeLengths,
}

impl Alphabet {
    /// Bits of the first level; where all codes are shorter, it has fewer.
    const fn root_max(self) -> u32 {
        match self {
            Self::Literals => 10,
            Self::Distances => 8,
            Self::CodeLengths => CODE_LENGTH_BITS_MAX,
        }
    }

    /// What a symbol means, without its length.
    fn entry(self, symbol: usize) -> Entry {
        let entry = match self {
            Self::Literals => LITERALS.get(symbol).copied(),
            Self::Distances => DISTANCES.get(symbol).copied(),
            Self::CodeLengths => u16::try_from(symbol).ok().map(|symbol| Entry::new(symbol, 0, 0)),
        };
        entry.unwrap_or(Entry::NONE)
    }
}

/// Entries that the tables of one block need at most: the worst case of a complete code with 288 symbols, codes of 15
/// bits and a first level of 10, and of one with 32 symbols and 8.
pub(super) const LITERALS_LEN: usize = 1334;
pub(super) const DISTANCES_LEN: usize = 402;
const CODE_LENGTH_BITS_MAX: u32 = 7;

/// Makes the table of the canonical code with these lengths, in bits from 0 to 15, and says the bits of its first level.
///
/// A code must be complete, but for two that compressors do write: one of a single symbol with one bit, and one of no
/// symbols, for a block without distances.
pub(super) fn build(
    alphabet: Alphabet,
    lengths: &[u8],
    entries: &mut [Entry],
) -> Result<u32, InvalidDeflate> {
    let mut counts = [0u16; LENGTHS];
    for &length in lengths {
        if let Some(count) = counts.get_mut(usize::from(length)) {
            *count += 1;
        }
    }
    counts[0] = 0;
    let Some(longest) = counts.iter().rposition(|&count| count != 0) else {
        if alphabet != Alphabet::Distances {
            return Err(InvalidDeflate::CodeLengths);
        }
        entries.iter_mut().take(2).for_each(|entry| *entry = Entry::NONE);
        return Ok(1);
    };
    check_complete(alphabet, &counts, longest)?;
    let longest = u32::try_from(longest).unwrap_or(CODE_BITS_MAX);
    let root = longest.min(alphabet.root_max());
    let (symbols, len) = sorted(lengths, &counts);
    let symbols = symbols.get(..len).unwrap_or_default();
    Builder { alphabet, entries, counts, root, end: 0 }.fill(symbols).ok_or(InvalidDeflate::CodeLengths)?;
    Ok(root)
}

/// The length of the longest code, and one more for none.
const CODE_BITS_MAX: u32 = 15;
const LENGTHS: usize = CODE_BITS_MAX as usize + 1;

fn check_complete(alphabet: Alphabet, counts: &[u16; LENGTHS], longest: usize) -> Result<(), InvalidDeflate> {
    let mut left = 1i32;
    for &count in counts.iter().skip(1) {
        left = 2 * left - i32::from(count);
        if left < 0 {
            return Err(InvalidDeflate::CodeLengths);
        }
    }
    // What is left counts codes of 15 bits.
    if left == 0 || (longest == 1 && alphabet != Alphabet::CodeLengths) {
        Ok(())
    } else {
        Err(InvalidDeflate::CodeLengths)
    }
}

/// The symbols that have a code, shortest code first, and their number.
fn sorted(lengths: &[u8], counts: &[u16; LENGTHS]) -> ([u16; SYMBOLS_MAX], usize) {
    let mut next = [0u16; LENGTHS];
    let mut sum = 0;
    for (slot, count) in next.iter_mut().zip(counts) {
        *slot = sum;
        sum += count;
    }
    let mut symbols = [0u16; SYMBOLS_MAX];
    for (symbol, &length) in (0u16..).zip(lengths) {
        if length != 0
            && let Some(next) = next.get_mut(usize::from(length))
            && let Some(slot) = symbols.get_mut(usize::from(*next))
        {
            *slot = symbol;
            *next += 1;
        }
    }
    (symbols, usize::from(sum))
}

const SYMBOLS_MAX: usize = 288;

struct Builder<'a> {
    alphabet: Alphabet,
    entries: &'a mut [Entry],
    /// Codes of each length that are not placed yet.
    counts: [u16; LENGTHS],
    root: u32,
    /// Where the next second level begins.
    end: usize,
}

impl Builder<'_> {
    /// Gives each symbol the next code of its length. `None`: the entries do not suffice, which the sizes rule out.
    fn fill(&mut self, mut symbols: &[u16]) -> Option<()> {
        // One code of no bits stands for all; each level doubles what the one before left open.
        *self.entries.first_mut()? = Entry::NONE;
        let mut code = 0u32;
        let mut open = (u32::MAX, Entry::NONE);
        let mut length = 0u8;
        for count in self.counts.into_iter().skip(1) {
            length += 1;
            code <<= 1;
            let bits = u32::from(length);
            if bits <= self.root {
                let half = 1usize << (bits - 1);
                self.entries.get_mut(..2 * half)?.copy_within(..half, half);
            }
            let (now, later) = symbols.split_at_checked(usize::from(count))?;
            symbols = later;
            for &symbol in now {
                let entry = self.alphabet.entry(usize::from(symbol)).with_length(length);
                let index = code.reverse_bits() >> (32 - bits);
                if bits <= self.root {
                    *self.entries.get_mut(usize::try_from(index).ok()?)? = entry;
                } else {
                    self.place_second(index, entry, &mut open)?;
                }
                code += 1;
            }
            self.end = self.end.max(1 << self.root);
        }
        Some(())
    }

    /// Places a code that is longer than the first level; `open` is the second level under way with its prefix.
    fn place_second(&mut self, index: u32, entry: Entry, open: &mut (u32, Entry)) -> Option<()> {
        let prefix = index & ((1 << self.root) - 1);
        if open.0 != prefix {
            *open = (prefix, self.open_second(prefix, entry.length())?);
        }
        let (_, link) = *open;
        let start = usize::from(link.value());
        let level = self.entries.get_mut(start..start + (1 << link.extra()))?;
        let step = 1 << (entry.length() - self.root);
        let first = usize::try_from(index >> self.root).ok()?;
        level.iter_mut().skip(first).step_by(step).for_each(|slot| *slot = entry);
        *self.counts.get_mut(usize::try_from(entry.length()).ok()?)? -= 1;
        Some(())
    }

    /// Begins the second level behind `prefix`, whose shortest code has `length` bits: just large enough for the
    /// codes that share the prefix.
    fn open_second(&mut self, prefix: u32, length: u32) -> Option<Entry> {
        let mut bits = length - self.root;
        let mut left = 1i32 << bits;
        while self.root + bits < CODE_BITS_MAX {
            left -= i32::from(*self.counts.get(usize::try_from(self.root + bits).ok()?)?);
            if left <= 0 {
                break;
            }
            bits += 1;
            left <<= 1;
        }
        let link = Entry::new(
            u16::try_from(self.end).ok()?,
            OP_LINK | u8::try_from(bits).ok()?,
            u8::try_from(self.root).ok()?,
        );
        self.end += 1 << bits;
        *self.entries.get_mut(usize::try_from(prefix).ok()?)? = link;
        Some(link)
    }
}

#[cfg(test)]
mod tests {
    use super::super::bits::Bits;
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    /// Lengths of a complete code: a leaf of a growing tree is split until there are enough.
    fn complete_code(symbols: usize) -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<prop::sample::Index>(), symbols - 2).prop_flat_map(|splits| {
            let mut lengths = std::vec![1u8, 1];
            for split in splits {
                // Towards the longest, so that deep codes are not rare.
                let at = split.index(lengths.len() + 40).min(lengths.len() - 1);
                if lengths[at] < 15 {
                    lengths[at] += 1;
                    lengths.push(lengths[at]);
                }
            }
            Just(lengths).prop_shuffle()
        })
    }

    /// The codes as RFC 1951 §3.2.2 numbers them.
    fn codes(lengths: &[u8]) -> Vec<(usize, u8, u16)> {
        let mut order: Vec<usize> = (0..lengths.len()).filter(|&symbol| lengths[symbol] != 0).collect();
        order.sort_by_key(|&symbol| lengths[symbol]);
        let (mut code, mut last) = (0u32, 0);
        let mut codes = Vec::new();
        for symbol in order {
            code <<= lengths[symbol] - last;
            last = lengths[symbol];
            codes.push((symbol, last, u16::try_from(code).unwrap().reverse_bits() >> (16 - last)));
            code += 1;
        }
        codes
    }

    fn find(entries: &[Entry], root: u32, input: u64) -> Entry {
        let mut bits = Bits::new();
        bits.fill(&mut input.to_le_bytes().as_slice());
        Table { entries, root }.find(&bits)
    }

    proptest! {
        #[test]
        fn every_code_is_found_whatever_follows(lengths in (2usize..=286).prop_flat_map(complete_code), behind: u32) {
            for (alphabet, len, symbols) in [
                (Alphabet::Literals, LITERALS_LEN, 286),
                (Alphabet::Distances, DISTANCES_LEN, 30),
            ] {
                if lengths.len() > symbols {
                    continue;
                }
                let mut entries = std::vec![Entry::NONE; len];
                let root = build(alphabet, &lengths, &mut entries).unwrap();
                for (symbol, length, code) in codes(&lengths) {
                    let found = find(&entries, root, u64::from(code) | u64::from(behind) << length);
                    prop_assert_eq!(found, alphabet.entry(symbol).with_length(length), "symbol {}", symbol);
                }
            }
        }

        #[test]
        fn a_code_that_is_not_complete_is_refused(lengths in (3usize..=30).prop_flat_map(complete_code), at: prop::sample::Index) {
            let at = at.index(lengths.len());
            for wrong in [0, lengths[at] - 1, lengths[at] + 1] {
                if wrong > 15 {
                    continue;
                }
                let mut lengths = lengths.clone();
                lengths[at] = wrong;
                let mut entries = [Entry::NONE; DISTANCES_LEN];
                let found = build(Alphabet::Distances, &lengths, &mut entries);
                prop_assert_eq!(found, Err(InvalidDeflate::CodeLengths), "{:?}", lengths);
            }
        }
    }

    #[test]
    fn the_two_codes_that_are_not_complete_and_yet_written() {
        let mut entries = [Entry::NONE; DISTANCES_LEN];
        assert_eq!(build(Alphabet::Distances, &[0, 0], &mut entries), Ok(1));
        assert_eq!(entries[..2], [Entry::NONE; 2]);
        assert_eq!(build(Alphabet::Distances, &[0, 1], &mut entries), Ok(1));
        assert_eq!(entries[..2], [Alphabet::Distances.entry(1).with_length(1), Entry::NONE]);
        for alphabet in [Alphabet::CodeLengths, Alphabet::Literals] {
            assert_eq!(build(alphabet, &[0, 0], &mut entries), Err(InvalidDeflate::CodeLengths));
        }
        assert!(build(Alphabet::CodeLengths, &[0, 1], &mut entries).is_err());
        assert!(build(Alphabet::Distances, &[0, 2], &mut entries).is_err());
    }

    #[test]
    fn the_fixed_codes_are_those_of_rfc_1951_section_3_2_6() {
        let mut lengths = [8u8; 288];
        lengths[144..256].fill(9);
        lengths[256..280].fill(7);
        let mut entries = [Entry::NONE; LITERALS_LEN];
        assert_eq!(build(Alphabet::Literals, &lengths, &mut entries), Ok(9));
        assert_eq!(entries[..512], super::super::entries::FIXED_LITERALS);
        assert_eq!(build(Alphabet::Distances, &[5; 32], &mut entries), Ok(5));
        assert_eq!(entries[..32], super::super::entries::FIXED_DISTANCES);
    }
}

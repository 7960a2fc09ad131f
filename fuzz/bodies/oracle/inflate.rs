//! RFC 1951, a bit at a time, over a whole message as RFC 7692 §7.2.2 has it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// It is not DEFLATE, ends too early, or looks back too far.
    Format,
    /// It has more bytes than were asked for.
    TooBig,
}

/// What `payload` becomes, up to `bytes_max` bytes, after a `history` and with a window of so many bytes.
pub(crate) fn inflate(
    history: &[u8],
    window: usize,
    payload: &[u8],
    bytes_max: usize,
) -> Result<Vec<u8>, Wrong> {
    let start = history.len();
    let mut message = Message { made: history.to_vec(), start, window, bytes_max };
    let mut bits = Bits { bytes: payload, at: 0 };
    let mut is_final = payload.is_empty();
    loop {
        // The end of the block that says it is the last, with nothing behind it, is what zlib leaves at the end of a
        // stream; so is no payload at all, where it was asked to flush nothing.
        if is_final && bits.left() == 0 {
            return Ok(message.made.split_off(start));
        }
        is_final = bits.take(1)? == 1;
        match bits.take(2)? {
            0 => {
                bits.align();
                // What a sender takes off: the lengths of an empty stored block.
                if bits.left() == 0 {
                    return Ok(message.made.split_off(start));
                }
                message.stored(&mut bits)?;
            }
            1 => message.symbols(&mut bits, &FIXED.0, &FIXED.1)?,
            2 => {
                let (literals, distances) = codes(&mut bits)?;
                message.symbols(&mut bits, &literals, &distances)?;
            }
            _ => return Err(Wrong::Format),
        }
        if is_final {
            bits.align();
        }
    }
}

struct Bits<'a> {
    bytes: &'a [u8],
    /// Bits that were taken.
    at: usize,
}

impl Bits<'_> {
    fn left(&self) -> usize {
        self.bytes.len() * 8 - self.at
    }

    fn align(&mut self) {
        self.at = self.at.next_multiple_of(8);
    }

    /// A number, its lowest bit first.
    fn take(&mut self, count: usize) -> Result<usize, Wrong> {
        if self.left() < count {
            return Err(Wrong::Format);
        }
        let bit = |at: usize| usize::from(self.bytes[at / 8] >> (at % 8) & 1);
        let number = (0..count).map(|index| bit(self.at + index) << index).sum();
        self.at += count;
        Ok(number)
    }

    /// A symbol, the highest bit of its code first.
    fn symbol(&mut self, code: &Code) -> Result<usize, Wrong> {
        let mut prefix = (0, 0);
        while prefix.0 < 15 {
            prefix = (prefix.0 + 1, prefix.1 << 1 | self.take(1)?);
            if let Some(symbol) = code.get(&prefix) {
                return Ok(*symbol);
            }
        }
        Err(Wrong::Format)
    }
}

/// From the length and the bits of a code to its symbol.
type Code = BTreeMap<(usize, usize), usize>;

/// §3.2.2, with the codes that are not complete and yet allowed: of one symbol with one bit, and `or_none` of no symbol.
fn code(lengths: &[usize], or_single: bool, or_none: bool) -> Result<Code, Wrong> {
    let mut code = Code::new();
    let mut next = 0usize;
    for length in 1..=15 {
        next <<= 1;
        for (symbol, _) in lengths.iter().enumerate().filter(|(_, found)| **found == length) {
            if next >> length != 0 {
                return Err(Wrong::Format);
            }
            code.insert((length, next), symbol);
            next += 1;
        }
    }
    let is_complete = next == 1 << 15;
    let is_single = code.len() == 1 && lengths.contains(&1);
    if is_complete || or_single && is_single || or_none && code.is_empty() {
        Ok(code)
    } else {
        Err(Wrong::Format)
    }
}

const END_OF_BLOCK: usize = 256;

/// §3.2.6.
static FIXED: LazyLock<(Code, Code)> = LazyLock::new(|| {
    let literals = [vec![8; 144], vec![9; 112], vec![7; 24], vec![8; 8]].concat();
    let complete = |lengths: &[usize]| code(lengths, false, false).expect("the fixed codes are complete");
    (complete(&literals), complete(&[5; 32]))
});

/// §3.2.7.
fn codes(bits: &mut Bits<'_>) -> Result<(Code, Code), Wrong> {
    let literals = bits.take(5)? + 257;
    let distances = bits.take(5)? + 1;
    let meta_len = bits.take(4)? + 4;
    if literals > 286 || distances > 30 {
        return Err(Wrong::Format);
    }
    let mut meta = [0; 19];
    let order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
    for place in order.into_iter().take(meta_len) {
        meta[place] = bits.take(3)?;
    }
    let meta = code(&meta, false, false)?;
    let mut lengths = Vec::new();
    while lengths.len() < literals + distances {
        let (length, times) = match bits.symbol(&meta)? {
            16 => (*lengths.last().ok_or(Wrong::Format)?, 3 + bits.take(2)?),
            17 => (0, 3 + bits.take(3)?),
            18 => (0, 11 + bits.take(7)?),
            length => (length, 1),
        };
        lengths.extend(std::iter::repeat_n(length, times));
    }
    if lengths.len() > literals + distances {
        return Err(Wrong::Format);
    }
    let (literals, distances) = lengths.split_at(literals);
    // A block that could never end is none, even where a limit would be met first.
    if literals[END_OF_BLOCK] == 0 {
        return Err(Wrong::Format);
    }
    Ok((code(literals, true, false)?, code(distances, true, true)?))
}

struct Message {
    /// The history, and behind it the message.
    made: Vec<u8>,
    start: usize,
    window: usize,
    bytes_max: usize,
}

impl Message {
    fn push(&mut self, byte: u8) -> Result<(), Wrong> {
        if self.made.len() - self.start == self.bytes_max {
            return Err(Wrong::TooBig);
        }
        self.made.push(byte);
        Ok(())
    }

    fn stored(&mut self, bits: &mut Bits<'_>) -> Result<(), Wrong> {
        let (len, complement) = (bits.take(16)?, bits.take(16)?);
        if len ^ complement != 0xffff {
            return Err(Wrong::Format);
        }
        for _ in 0..len {
            let byte = bits.take(8)?;
            self.push(byte.to_le_bytes()[0])?;
        }
        Ok(())
    }

    fn symbols(&mut self, bits: &mut Bits<'_>, literals: &Code, distances: &Code) -> Result<(), Wrong> {
        loop {
            let length = match bits.symbol(literals)? {
                literal @ 0..256 => {
                    self.push(literal.to_le_bytes()[0])?;
                    continue;
                }
                END_OF_BLOCK => return Ok(()),
                symbol => number(&LENGTHS, symbol - 257, bits)?,
            };
            let symbol = bits.symbol(distances)?;
            let distance = number(&DISTANCES, symbol, bits)?;
            if distance > self.window || distance > self.made.len() {
                return Err(Wrong::Format);
            }
            for _ in 0..length {
                self.push(self.made[self.made.len() - distance])?;
            }
        }
    }
}

/// A base and so many bits more.
fn number(table: &[(usize, usize)], symbol: usize, bits: &mut Bits<'_>) -> Result<usize, Wrong> {
    let &(base, extra) = table.get(symbol).ok_or(Wrong::Format)?;
    Ok(base + bits.take(extra)?)
}

/// §3.2.5.
#[rustfmt::skip]
const LENGTHS: [(usize, usize); 29] = [
    (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0), (9, 0), (10, 0), (11, 1), (13, 1),
    (15, 1), (17, 1), (19, 2), (23, 2), (27, 2), (31, 2), (35, 3), (43, 3), (51, 3), (59, 3),
    (67, 4), (83, 4), (99, 4), (115, 4), (131, 5), (163, 5), (195, 5), (227, 5), (258, 0),
];
#[rustfmt::skip]
const DISTANCES: [(usize, usize); 30] = [
    (1, 0), (2, 0), (3, 0), (4, 0), (5, 1), (7, 1), (9, 2), (13, 2), (17, 3), (25, 3),
    (33, 4), (49, 4), (65, 5), (97, 5), (129, 6), (193, 6), (257, 7), (385, 7), (513, 8), (769, 8),
    (1025, 9), (1537, 9), (2049, 10), (3073, 10), (4097, 11), (6145, 11), (8193, 12), (12289, 12),
    (16385, 13), (24577, 13),
];

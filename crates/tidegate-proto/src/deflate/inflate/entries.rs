//! What the codes of a block mean, and the fixed codes (RFC 1951 §3.2.5, §3.2.6).
#![expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "the tables are made at compile time, where both would be errors"
)]

/// What a code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry(u32);

impl Entry {
    /// No code has these bits.
    pub(super) const NONE: Self = Self::new(0, OP_NONE, 0);

    /// From the top: 16 bits of value, 8 bits of operation, 8 bits of length.
    pub(super) const fn new(value: u16, op: u8, length: u8) -> Self {
        Self((value as u32) << 16 | (op as u32) << 8 | length as u32)
    }

    /// The bits of its code; of a link, those of the first level.
    #[inline(always)]
    pub(super) const fn length(self) -> u32 {
        self.0 & 0xff
    }

    /// A byte, the base of a length or distance, a code length symbol, or where a second level begins.
    #[inline(always)]
    pub(super) const fn value(self) -> u16 {
        (self.0 >> 16) as u16
    }

    #[inline(always)]
    pub(super) const fn is_literal(self) -> bool {
        self.0 & 0xff00 == 0
    }

    /// Whether it is the base of a length or distance.
    #[inline(always)]
    pub(super) const fn is_base(self) -> bool {
        self.0 & (OP_BASE as u32) << 8 != 0
    }

    #[inline(always)]
    pub(super) const fn is_end_of_block(self) -> bool {
        self.0 & (OP_END as u32) << 8 != 0
    }

    #[inline(always)]
    pub(super) const fn is_link(self) -> bool {
        self.0 & (OP_LINK as u32) << 8 != 0
    }

    /// Bits that follow the code; of a link, those that index the second level.
    #[inline(always)]
    pub(super) const fn extra(self) -> u32 {
        self.0 >> 8 & 0xf
    }

    pub(super) const fn with_length(self, length: u8) -> Self {
        Self(self.0 & !0xff | length as u32)
    }
}

const OP_BASE: u8 = 0x10;
const OP_END: u8 = 0x20;
pub(super) const OP_LINK: u8 = 0x40;
const OP_NONE: u8 = 0x80;

pub(super) static LITERALS: [Entry; 286] = {
    let mut entries = [Entry::NONE; 286];
    let mut symbol = 0;
    while symbol < entries.len() {
        entries[symbol] = literal(symbol as u16);
        symbol += 1;
    }
    entries
};

pub(super) static DISTANCES: [Entry; 30] = {
    let mut entries = [Entry::NONE; 30];
    let mut symbol = 0;
    while symbol < entries.len() {
        entries[symbol] = distance(symbol as u16);
        symbol += 1;
    }
    entries
};

/// A literal, the end of the block, or a length (RFC 1951 §3.2.5).
const fn literal(symbol: u16) -> Entry {
    match symbol {
        0..=255 => Entry::new(symbol, 0, 0),
        256 => Entry::new(0, OP_END, 0),
        257..=264 => Entry::new(symbol - 254, OP_BASE, 0),
        285 => Entry::new(258, OP_BASE, 0),
        286.. => Entry::NONE,
        265..=284 => {
            let extra = (symbol - 261) / 4;
            Entry::new((((symbol - 261) % 4 + 4) << extra) + 3, OP_BASE | extra as u8, 0)
        }
    }
}

/// A distance (RFC 1951 §3.2.5).
const fn distance(symbol: u16) -> Entry {
    match symbol {
        0..=3 => Entry::new(symbol + 1, OP_BASE, 0),
        30.. => Entry::NONE,
        4..=29 => {
            let extra = symbol / 2 - 1;
            Entry::new(((symbol % 2 + 2) << extra) + 1, OP_BASE | extra as u8, 0)
        }
    }
}

/// The fixed code of literals and lengths, by the next nine bits.
pub(super) static FIXED_LITERALS: [Entry; 512] = {
    let mut entries = [Entry::NONE; 512];
    let mut index = 0;
    while index < entries.len() {
        let code = (index as u16).reverse_bits() >> 7;
        entries[index] = match code {
            0..=0b0_0101_1111 => literal(256 + (code >> 2)).with_length(7),
            0b0_0110_0000..=0b1_0111_1111 => literal((code >> 1) - 0x30).with_length(8),
            0b1_1000_0000..=0b1_1000_1111 => literal(280 + (code >> 1) - 0xc0).with_length(8),
            _ => literal(144 + code - 0x190).with_length(9),
        };
        index += 1;
    }
    entries
};

/// The fixed code of distances, by the next five bits.
pub(super) static FIXED_DISTANCES: [Entry; 32] = {
    let mut entries = [Entry::NONE; 32];
    let mut index = 0;
    while index < entries.len() {
        entries[index] = distance((index as u16).reverse_bits() >> 11).with_length(5);
        index += 1;
    }
    entries
};

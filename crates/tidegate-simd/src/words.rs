//! Words of four bytes: what masking and the check of text have in common.

/// Up to this length two overlapping blocks do, in the registers that every processor of the kind has.
pub(crate) const SHORT_BYTES_MAX: usize = 128;

/// Whether words whose or this is are of ASCII alone.
#[inline(always)]
pub(crate) const fn is_ascii_word(word: u32) -> bool {
    word & 0x8080_8080 == 0
}

/// The or of all words of `bytes`, a multiple of four.
#[inline(always)]
pub(crate) fn or_words(bytes: &[u8]) -> u32 {
    bytes.as_chunks().0.iter().fold(0, |all, word| all | u32::from_le_bytes(*word))
}

/// `N` bytes, a multiple of four. `N` being known, the compiler makes of it as many registers as that takes.
#[inline(always)]
pub(crate) fn block<const N: usize>(mut bytes: [u8; N], key: u32) -> [u8; N] {
    for word in bytes.as_chunks_mut().0 {
        *word = (u32::from_le_bytes(*word) ^ key).to_le_bytes();
    }
    bytes
}

/// Both, bit by bit; `N` as in [`block`].
#[inline(always)]
pub(crate) fn or<const N: usize>(mut bytes: [u8; N], others: [u8; N]) -> [u8; N] {
    for (word, other) in bytes.as_chunks_mut().0.iter_mut().zip(others.as_chunks().0) {
        *word = (u32::from_le_bytes(*word) | u32::from_le_bytes(*other)).to_le_bytes();
    }
    bytes
}

/// The key for the bytes that follow `past` others.
#[inline(always)]
pub(crate) const fn turn(key: u32, past: usize) -> u32 {
    key.rotate_right(8 * (past % 4) as u32)
}

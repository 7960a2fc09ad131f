//! XOR with a key of four bytes that repeats: in place, and on the way from one buffer to another.
//!
//! No length is finished byte by byte. The last bytes are taken as one block, which may overlap what the blocks before it
//! cover: it is computed from the bytes as they were and written last, so a byte that is covered twice gets the same
//! value twice.

use crate::utf8::{is_ascii_word, or_words};
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
use crate::x86;

/// Masks or unmasks `buf` in place: byte `i` is combined with byte `i % 4` of `key`.
#[inline(always)]
pub fn xor(buf: &mut [u8], key: [u8; 4]) {
    let key = u32::from_le_bytes(key);
    if buf.len() <= SHORT_BYTES_MAX {
        xor_short(buf, key);
    } else {
        xor_long(buf, key);
    }
}

/// Does what [`xor`] does, and tells whether the result is ASCII alone: found out in the same pass, and for texts that are
/// in most cases ASCII the cheapest check there is.
#[inline]
pub fn xor_ascii(buf: &mut [u8], key: [u8; 4]) -> bool {
    let key = u32::from_le_bytes(key);
    let all = if buf.len() <= SHORT_BYTES_MAX { xor_short(buf, key) } else { xor_long_or(buf, key) };
    is_ascii_word(all)
}

/// Writes to `dst` what [`xor`] would make of `src`; bytes beyond the length of the shorter one are left alone.
#[inline]
pub fn xor_copy(dst: &mut [u8], src: &[u8], key: [u8; 4]) {
    let len = dst.len().min(src.len());
    let (Some(dst), Some(src)) = (dst.get_mut(..len), src.get(..len)) else { return };
    let key = u32::from_le_bytes(key);
    match len {
        0..4 => copy_bytes(dst, src, key),
        4..8 => copy_ends::<4>(dst, src, key),
        8..16 => copy_ends::<8>(dst, src, key),
        16..32 => copy_ends::<16>(dst, src, key),
        32..64 => copy_ends::<32>(dst, src, key),
        64..=SHORT_BYTES_MAX => copy_ends::<64>(dst, src, key),
        _ => copy_long(dst, src, key),
    }
}

/// Up to here two overlapping blocks do, in the registers that every processor of the kind has.
pub(crate) const SHORT_BYTES_MAX: usize = 128;

/// Up to here they still do, but no longer where they would be compiled into every caller.
const MEDIUM_BYTES_MAX: usize = 2 * SHORT_BYTES_MAX;

/// What the loops over long buffers take at once: four registers of AVX2, eight of SSE2 and NEON.
const BLOCK: usize = 128;

/// Where their blocks begin: a register of AVX2 that lies across two cache lines takes twice the time.
const ALIGNMENT: usize = 32;

/// At most [`SHORT_BYTES_MAX`]. Returns the result's words, or-ed: for callers who want to know whether it is ASCII, and
/// at no cost for others.
#[inline(always)]
fn xor_short(buf: &mut [u8], key: u32) -> u32 {
    match buf.len() {
        0..4 => xor_bytes(buf, key),
        4..8 => xor_ends::<4>(buf, key),
        8..16 => xor_ends::<8>(buf, key),
        16..32 => xor_ends::<16>(buf, key),
        32..64 => xor_ends::<32>(buf, key),
        _ => xor_ends::<64>(buf, key),
    }
}

/// Less than the smallest block.
#[inline(always)]
fn xor_bytes(buf: &mut [u8], key: u32) -> u32 {
    let mut all = 0;
    for (byte, key) in buf.iter_mut().zip(key.to_le_bytes()) {
        *byte ^= key;
        all |= *byte;
    }
    u32::from(all)
}

/// `N` to `2 * N` bytes, as the first and the last `N`.
#[inline(always)]
fn xor_ends<const N: usize>(buf: &mut [u8], key: u32) -> u32 {
    let turned = turn(key, buf.len() - N);
    let (Some(&first), Some(&last)) = (buf.first_chunk::<N>(), buf.last_chunk::<N>()) else { return 0 };
    let (first, last) = (block(first, key), block(last, turned));
    if let Some(slot) = buf.first_chunk_mut() {
        *slot = first;
    }
    if let Some(slot) = buf.last_chunk_mut() {
        *slot = last;
    }
    or_words(&first) | or_words(&last)
}

#[inline(always)]
fn copy_bytes(dst: &mut [u8], src: &[u8], key: u32) {
    for ((to, from), key) in dst.iter_mut().zip(src).zip(key.to_le_bytes()) {
        *to = from ^ key;
    }
}

#[inline(always)]
fn copy_ends<const N: usize>(dst: &mut [u8], src: &[u8], key: u32) {
    let turned = turn(key, src.len() - N);
    if let (Some(to), Some(from)) = (dst.first_chunk_mut::<N>(), src.first_chunk::<N>()) {
        *to = block(*from, key);
    }
    if let (Some(to), Some(from)) = (dst.last_chunk_mut::<N>(), src.last_chunk::<N>()) {
        *to = block(*from, turned);
    }
}

#[inline(never)]
fn xor_long(buf: &mut [u8], key: u32) {
    if buf.len() <= MEDIUM_BYTES_MAX {
        xor_ends::<SHORT_BYTES_MAX>(buf, key);
        return;
    }
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    if x86::xor_blocks(buf, key) {
        return;
    }
    xor_blocks(buf, key);
}

/// The same for who wants the or of the result's words; apart, since here the loop has to keep it.
#[inline(never)]
fn xor_long_or(buf: &mut [u8], key: u32) -> u32 {
    if buf.len() <= MEDIUM_BYTES_MAX {
        return xor_ends::<SHORT_BYTES_MAX>(buf, key);
    }
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    if let Some(all) = x86::xor_blocks_or(buf, key) {
        return all;
    }
    xor_blocks(buf, key)
}

#[inline(never)]
fn copy_long(dst: &mut [u8], src: &[u8], key: u32) {
    if src.len() <= MEDIUM_BYTES_MAX {
        copy_ends::<SHORT_BYTES_MAX>(dst, src, key);
        return;
    }
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    if x86::copy_blocks(dst, src, key) {
        return;
    }
    copy_blocks(dst, src, key);
}

/// More than [`MEDIUM_BYTES_MAX`]: the two ends, and between them blocks that begin at a multiple of [`ALIGNMENT`].
/// Returns the or of the result's words.
#[inline(always)]
pub(crate) fn xor_blocks(buf: &mut [u8], key: u32) -> u32 {
    let before = buf.as_ptr().align_offset(ALIGNMENT) % ALIGNMENT;
    let turned = turn(key, buf.len() - BLOCK);
    let (Some(&first), Some(&last)) = (buf.first_chunk::<ALIGNMENT>(), buf.last_chunk::<BLOCK>()) else {
        return 0;
    };
    let (first, last) = (block(first, key), block(last, turned));
    let (_, aligned) = buf.split_at_mut(before);
    let aligned_key = turn(key, before);
    let mut all = last;
    for bytes in aligned.as_chunks_mut().0 {
        *bytes = block(*bytes, aligned_key);
        all = or(all, *bytes);
    }
    if let Some(slot) = buf.first_chunk_mut() {
        *slot = first;
    }
    if let Some(slot) = buf.last_chunk_mut() {
        *slot = last;
    }
    or_words(&all) | or_words(&first)
}

/// The same from one buffer to another of the same length; it is the writes that are aligned.
#[inline(always)]
pub(crate) fn copy_blocks(dst: &mut [u8], src: &[u8], key: u32) {
    let before = dst.as_ptr().align_offset(ALIGNMENT) % ALIGNMENT;
    let (_, from) = src.split_at(before);
    let (_, to) = dst.split_at_mut(before);
    let aligned_key = turn(key, before);
    for (to, from) in to.as_chunks_mut::<BLOCK>().0.iter_mut().zip(from.as_chunks().0) {
        *to = block(*from, aligned_key);
    }
    let turned = turn(key, src.len() - BLOCK);
    if let (Some(to), Some(from)) = (dst.first_chunk_mut::<ALIGNMENT>(), src.first_chunk()) {
        *to = block(*from, key);
    }
    if let (Some(to), Some(from)) = (dst.last_chunk_mut::<BLOCK>(), src.last_chunk()) {
        *to = block(*from, turned);
    }
}

/// `N` bytes, a multiple of four. `N` being known, the compiler makes of it as many registers as that takes.
#[inline(always)]
fn block<const N: usize>(mut bytes: [u8; N], key: u32) -> [u8; N] {
    for word in bytes.as_chunks_mut().0 {
        *word = (u32::from_le_bytes(*word) ^ key).to_le_bytes();
    }
    bytes
}

#[inline(always)]
fn or<const N: usize>(mut bytes: [u8; N], others: [u8; N]) -> [u8; N] {
    for (word, other) in bytes.as_chunks_mut().0.iter_mut().zip(others.as_chunks().0) {
        *word = (u32::from_le_bytes(*word) | u32::from_le_bytes(*other)).to_le_bytes();
    }
    bytes
}

/// The key for the bytes that follow `past` others.
#[inline(always)]
const fn turn(key: u32, past: usize) -> u32 {
    key.rotate_right(8 * (past % 4) as u32)
}

/// The loops as they are compiled where there is no AVX2: what calls them here may never take that way.
#[cfg(test)]
mod tests {
    use super::{MEDIUM_BYTES_MAX, copy_blocks, is_ascii_word, xor_blocks};
    use core::ops::Range;

    /// One that leaves ASCII what it is, and one that does not.
    const KEYS: [u32; 2] = [0x2d21_7a37, 0xad21_7a37];

    const ROOM: usize = 700;

    #[test]
    fn without_avx2_it_is_the_same() {
        let from: [u8; ROOM] = core::array::from_fn(|i| (i * 7 + i / 251) as u8 & 0x7f);
        for before in [0, 1, 3, 8, 31, 64] {
            for len in (MEDIUM_BYTES_MAX + 1..ROOM - before).step_by(if cfg!(miri) { 91 } else { 1 }) {
                for key in KEYS {
                    like_the_naive_loop(&from, before..before + len, key);
                }
            }
        }
    }

    fn like_the_naive_loop(from: &[u8; ROOM], range: Range<usize>, key: u32) {
        let mut right = [0; ROOM];
        for (i, (to, from)) in right[range.clone()].iter_mut().zip(&from[range.clone()]).enumerate() {
            *to = from ^ key.to_le_bytes()[i % 4];
        }
        let mut copied = [0; ROOM];
        copy_blocks(&mut copied[range.clone()], &from[range.clone()], key);
        assert_eq!(copied, right, "copy of {range:?}");

        let mut in_place = [0; ROOM];
        in_place[range.clone()].copy_from_slice(&from[range.clone()]);
        let all = xor_blocks(&mut in_place[range.clone()], key);
        assert_eq!(in_place, right, "{range:?}");
        assert_eq!(is_ascii_word(all), right.is_ascii(), "{range:?}");
    }
}

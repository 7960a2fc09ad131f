//! XOR with a key of four bytes that repeats: in place, and on the way from one buffer to another.
//!
//! No length is finished byte by byte. The last bytes are taken as one block, which may overlap what the blocks before it
//! cover: it is computed from the bytes as they were and written last, so a byte that is covered twice gets the same
//! value twice.

use crate::blocks::{copy_blocks, xor_blocks};
use crate::words::{SHORT_BYTES_MAX, block, is_ascii_word, or_words, turn};
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

/// Up to here two overlapping blocks still do, but no longer where they would be compiled into every caller.
const MEDIUM_BYTES_MAX: usize = 2 * SHORT_BYTES_MAX;

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

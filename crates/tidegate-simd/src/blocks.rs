//! The loops over long buffers, for whatever registers they are compiled for.

use crate::words::{block, or, or_words, turn};

/// What the loops over long buffers take at once: four registers of AVX2, eight of SSE2 and NEON.
const BLOCK: usize = 128;

/// Where their blocks begin: a register of AVX2 that lies across two cache lines takes twice the time.
const ALIGNMENT: usize = 32;

/// At least [`BLOCK`] and [`ALIGNMENT`] together: the two ends, and between them blocks that begin at a multiple of
/// [`ALIGNMENT`]. Returns the or of the result's words.
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

/// The loops as they are compiled where there is no AVX2: what calls them here may never take that way.
#[cfg(test)]
mod tests {
    use super::{ALIGNMENT, BLOCK, copy_blocks, xor_blocks};
    use crate::words::is_ascii_word;
    use core::ops::Range;

    /// One that leaves ASCII what it is, and one that does not.
    const KEYS: [u32; 2] = [0x2d21_7a37, 0xad21_7a37];

    const ROOM: usize = 700;

    #[test]
    fn without_avx2_it_is_the_same() {
        let from: [u8; ROOM] = core::array::from_fn(|i| (i * 7 + i / 251) as u8 & 0x7f);
        for before in [0, 1, 3, 8, 31, 64] {
            for len in (ALIGNMENT + BLOCK..ROOM - before).step_by(if cfg!(miri) { 91 } else { 1 }) {
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

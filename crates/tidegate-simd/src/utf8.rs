//! UTF-8 (RFC 3629).

use crate::words::{SHORT_BYTES_MAX, is_ascii_word, or_words};
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
use crate::x86;

/// Whether `bytes` are UTF-8 from the first to the last, so that nothing is cut at the end.
#[inline(never)]
pub fn is_utf8(bytes: &[u8]) -> bool {
    if bytes.len() <= SHORT_BYTES_MAX {
        if is_ascii_word(or_short(bytes)) {
            return true;
        }
        if bytes.len() < VECTOR_BYTES_MIN {
            return core::str::from_utf8(bytes).is_ok();
        }
    }
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    if let Some(valid) = x86::is_utf8(bytes) {
        return valid;
    }
    // Without `std` it asks nothing at run time: it takes what was known when it was compiled, as NEON on 64-bit ARM.
    simdutf8::basic::from_utf8(bytes).is_ok()
}

/// Below this a loop over code points takes less time than filling a block of 64 bytes.
const VECTOR_BYTES_MIN: usize = 16;

/// At most [`SHORT_BYTES_MAX`], as the first and the last bytes, which may overlap.
#[inline(always)]
fn or_short(bytes: &[u8]) -> u32 {
    match bytes.len() {
        0..4 => bytes.iter().fold(0, |all, byte| all | u32::from(*byte)),
        4..8 => or_ends::<4>(bytes),
        8..16 => or_ends::<8>(bytes),
        16..32 => or_ends::<16>(bytes),
        32..64 => or_ends::<32>(bytes),
        _ => or_ends::<64>(bytes),
    }
}

#[inline(always)]
fn or_ends<const N: usize>(bytes: &[u8]) -> u32 {
    match (bytes.first_chunk::<N>(), bytes.last_chunk::<N>()) {
        (Some(first), Some(last)) => or_words(first) | or_words(last),
        _ => 0,
    }
}

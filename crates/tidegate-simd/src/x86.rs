//! The loops of this crate compiled for AVX2, and the only place that calls them: after asking whether it is there.
#![allow(unsafe_code, reason = "calling what is compiled for AVX2 is sound where AVX2 is, and only there")]

use crate::blocks;

cpufeatures::new!(avx2, "avx2");

/// [`blocks::xor_blocks`] with AVX2; `false`, and nothing done, without it.
#[inline(always)]
pub(crate) fn xor_blocks(buf: &mut [u8], key: u32) -> bool {
    #[target_feature(enable = "avx2")]
    fn with_avx2(buf: &mut [u8], key: u32) {
        blocks::xor_blocks(buf, key);
    }

    let there = avx2::get();
    if there {
        // SAFETY: `with_avx2` is a safe function but for its demand that the processor has AVX2, which it was asked for.
        unsafe { with_avx2(buf, key) };
    }
    there
}

/// The same with what it returns; `None` without AVX2.
#[inline(always)]
pub(crate) fn xor_blocks_or(buf: &mut [u8], key: u32) -> Option<u32> {
    #[target_feature(enable = "avx2")]
    fn with_avx2(buf: &mut [u8], key: u32) -> u32 {
        blocks::xor_blocks(buf, key)
    }

    // SAFETY: as in `xor_blocks`.
    avx2::get().then(|| unsafe { with_avx2(buf, key) })
}

/// [`blocks::copy_blocks`] with AVX2; `false`, and nothing done, without it.
#[inline(always)]
pub(crate) fn copy_blocks(dst: &mut [u8], src: &[u8], key: u32) -> bool {
    #[target_feature(enable = "avx2")]
    fn with_avx2(dst: &mut [u8], src: &[u8], key: u32) {
        blocks::copy_blocks(dst, src, key);
    }

    let there = avx2::get();
    if there {
        // SAFETY: as in `xor_blocks`.
        unsafe { with_avx2(dst, src, key) };
    }
    there
}

/// Whether `bytes` are UTF-8; `None` without AVX2.
#[inline(always)]
pub(crate) fn is_utf8(bytes: &[u8]) -> Option<bool> {
    use simdutf8::basic::imp::x86::avx2::validate_utf8;

    // SAFETY: the function demands that the processor has AVX2, which it was asked for.
    avx2::get().then(|| unsafe { validate_utf8(bytes) }.is_ok())
}

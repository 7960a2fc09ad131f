//! Every length and alignment where the code takes another way, against loops that are too simple to be wrong.

use tidegate_simd::{is_utf8, xor, xor_ascii, xor_copy};

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0xbd];

/// Beyond the last change of method, 256 bytes, by more than a block.
fn lengths() -> impl Iterator<Item = usize> {
    (0..420).step_by(if cfg!(miri) { 23 } else { 1 })
}

/// Long ones: blocks and what is left of them, in and beyond the caches.
const LONG: &[usize] = if cfg!(miri) { &[1027] } else { &[1000, 1024, 4095, 4096, 16_387, (1 << 20) + 77] };

/// All alignments of a register of AVX2; under an interpreter the telling ones.
const ALIGNMENTS: &[usize] = if cfg!(miri) {
    &[0, 13]
} else {
    &[
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27,
        28, 29, 30, 31,
    ]
};

fn cases() -> impl Iterator<Item = (usize, usize)> {
    let short = lengths().flat_map(|len| ALIGNMENTS.iter().map(move |before| (len, *before)));
    let long = LONG.iter().flat_map(|len| ALIGNMENTS.iter().step_by(11).map(move |before| (*len, *before)));
    short.chain(long)
}

/// Bytes that repeat nowhere near the size of a key or a register.
fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 + i / 251) as u8).collect()
}

fn masked(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().enumerate().map(|(i, byte)| byte ^ KEY[i % 4]).collect()
}

#[test]
fn xor_is_the_naive_loop_and_touches_nothing_else() {
    for (len, before) in cases() {
        let all = bytes(before + len + 40);
        let mut buf = all.clone();
        xor(&mut buf[before..before + len], KEY);
        assert_eq!(buf[before..before + len], masked(&all[before..before + len]), "{len} bytes at {before}");
        assert_eq!(buf[..before], all[..before], "before {len} bytes at {before}");
        assert_eq!(buf[before + len..], all[before + len..], "after {len} bytes at {before}");
    }
}

#[test]
fn xor_copy_is_the_naive_loop_and_touches_nothing_else() {
    for (len, before) in cases() {
        let from = bytes(len + 40);
        // The source is not aligned as the target is.
        let src = &from[before / 3..before / 3 + len];
        let mut to = vec![0xee; before + len + 40];
        xor_copy(&mut to[before..before + len], src, KEY);
        assert_eq!(to[before..before + len], masked(src), "{len} bytes at {before}");
        assert!(to[..before].iter().all(|byte| *byte == 0xee), "before {len} bytes at {before}");
        assert!(to[before + len..].iter().all(|byte| *byte == 0xee), "after {len} bytes at {before}");
    }
}

#[test]
fn xor_copy_ends_with_the_shorter_one() {
    for (room, len) in [(0, 5), (5, 0), (3, 200), (200, 3), (130, 500), (500, 130), (300, 1000), (1000, 300)]
    {
        let src = bytes(len);
        let mut dst = vec![0xee; room];
        xor_copy(&mut dst, &src, KEY);
        let both = room.min(len);
        assert_eq!(dst[..both], masked(&src[..both]), "{len} bytes to {room}");
        assert!(dst[both..].iter().all(|byte| *byte == 0xee), "beyond {len} bytes in {room}");
    }
}

#[test]
fn xor_ascii_masks_and_finds_the_one_byte_that_is_not() {
    let ascii = |len: usize| (0..len).map(|i| (i % 128) as u8).collect::<Vec<_>>();
    for (len, before) in cases() {
        let text = [vec![0xff; before], ascii(len), vec![0xff; 40]].concat();
        let mut buf = text.clone();
        xor(&mut buf[before..before + len], KEY);
        assert!(xor_ascii(&mut buf[before..before + len], KEY), "{len} bytes at {before}");
        assert_eq!(buf, text, "{len} bytes at {before}");
    }
    for len in lengths() {
        for at in (0..len).step_by(if cfg!(miri) { 41 } else { 1 }) {
            let mut buf = ascii(len);
            buf[at] |= 0x80;
            let mut masked = masked(&buf);
            assert!(!xor_ascii(&mut masked, KEY), "byte {at} of {len}");
            assert_eq!(masked, buf);
        }
    }
}

#[test]
fn is_utf8_agrees_with_the_standard_library() {
    let points =
        ["a", "~", "\u{80}", "ß", "\u{7ff}", "\u{800}", "語", "\u{ffff}", "🙂", "\u{10ffff}", "...."];
    for len in (0..180).step_by(if cfg!(miri) { 29 } else { 1 }) {
        let text: String = (0..len).map(|i| points[(i * i + len) % points.len()]).collect();
        let text = text.as_bytes();
        for end in [len.min(text.len()), text.len().saturating_sub(1), text.len()] {
            let text = &text[..end];
            assert_eq!(is_utf8(text), std::str::from_utf8(text).is_ok(), "{text:x?}");
        }
        for at in (0..text.len()).step_by(if cfg!(miri) { 31 } else { 1 }) {
            for byte in [b'x', 0x80, 0xbf, 0xc0, 0xc3, 0xe0, 0xed, 0xf0, 0xf4, 0xff] {
                let mut broken = text.to_vec();
                broken[at] = byte;
                assert_eq!(is_utf8(&broken), std::str::from_utf8(&broken).is_ok(), "{broken:x?}");
            }
        }
    }
}

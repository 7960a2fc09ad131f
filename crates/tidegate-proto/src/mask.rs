//! Masking: XOR with a four-byte key that repeats (RFC 6455 §5.3).

/// A masking key, aligned to the next payload byte it will be applied to.
///
/// Applying it to a part of a payload turns it, so that the rest can follow in any number of parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(from = "[u8; 4]", into = "[u8; 4]"))]
pub struct MaskingKey(u32);

impl From<[u8; 4]> for MaskingKey {
    fn from(key: [u8; 4]) -> Self {
        Self::new(key)
    }
}

impl From<MaskingKey> for [u8; 4] {
    fn from(key: MaskingKey) -> Self {
        key.to_bytes()
    }
}

impl MaskingKey {
    /// The key as it stands in a frame header.
    pub const fn new(key: [u8; 4]) -> Self {
        Self(u32::from_le_bytes(key))
    }

    /// The key as it would stand in a frame header whose payload begins with the next byte.
    pub const fn to_bytes(self) -> [u8; 4] {
        self.0.to_le_bytes()
    }

    /// The key that takes a payload under `self` to what it is under `other`, in one pass and without unmasking it.
    ///
    /// Both must be aligned to the same byte.
    #[must_use]
    pub const fn combined(self, other: Self) -> Self {
        Self(self.0 ^ other.0)
    }

    /// Masks or unmasks the next `payload.len()` bytes in place.
    #[inline]
    pub fn apply(&mut self, payload: &mut [u8]) {
        tidegate_simd::xor(payload, self.to_bytes());
        self.advance(payload.len());
    }

    /// Does what [`apply`](Self::apply) does, and tells whether the result is ASCII alone, at hardly any cost.
    #[inline]
    pub(crate) fn apply_ascii(&mut self, payload: &mut [u8]) -> bool {
        let ascii = tidegate_simd::xor_ascii(payload, self.to_bytes());
        self.advance(payload.len());
        ascii
    }

    /// Masks or unmasks the next bytes of `src` on their way to `dst`; for less than a copy and [`apply`](Self::apply).
    ///
    /// As many as the shorter one has; what is beyond that is left alone, in `dst` too.
    #[inline]
    pub fn apply_copy(&mut self, dst: &mut [u8], src: &[u8]) {
        tidegate_simd::xor_copy(dst, src, self.to_bytes());
        self.advance(dst.len().min(src.len()));
    }

    /// Turns the key past `bytes` payload bytes that it was not applied to.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "a remainder of 4 fits anywhere")]
    pub const fn advance(&mut self, bytes: usize) {
        self.0 = self.0.rotate_right(8 * (bytes % 4) as u32);
    }
}

#[cfg(test)]
mod tests {
    use super::MaskingKey;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn naive(key: [u8; 4], payload: &[u8]) -> Vec<u8> {
        payload.iter().enumerate().map(|(i, b)| b ^ key[i % 4]).collect()
    }

    #[test]
    fn the_example_of_rfc_6455_section_5_7() {
        let mut payload = *b"\x7f\x9f\x4d\x51\x58";
        MaskingKey::new([0x37, 0xfa, 0x21, 0x3d]).apply(&mut payload);
        assert_eq!(&payload, b"Hello");
    }

    proptest! {
        #[test]
        fn any_split_gives_what_the_naive_loop_gives(
            key: [u8; 4],
            payload in proptest::collection::vec(any::<u8>(), 0..200),
            cuts in proptest::collection::vec(0usize..200, 0..6),
        ) {
            let expected = naive(key, &payload);
            let mut masked = payload;
            let mut turning = MaskingKey::new(key);
            let mut rest = &mut masked[..];
            for cut in cuts {
                let (now, later) = rest.split_at_mut(cut.min(rest.len()));
                turning.apply(now);
                rest = later;
            }
            turning.apply(rest);
            prop_assert_eq!(masked, expected);
        }

        #[test]
        fn a_copy_is_masked_as_in_place(
            key: [u8; 4], payload in proptest::collection::vec(any::<u8>(), 0..400), cut in 0usize..400, room in 0usize..400,
        ) {
            let (a, b) = payload.split_at(cut.min(payload.len()));
            let mut copy = std::vec![0xee; room];
            let mut turning = MaskingKey::new(key);
            let (to_a, to_b) = copy.split_at_mut(cut.min(room));
            turning.apply_copy(to_a, a);
            if to_a.len() == a.len() {
                turning.apply_copy(to_b, b);
            }
            let masked = naive(key, &payload);
            let copied = room.min(payload.len());
            prop_assert_eq!(&copy[..copied], &masked[..copied]);
            prop_assert!(copy[copied..].iter().all(|byte| *byte == 0xee), "no byte beyond the payload is touched");
        }

        #[test]
        fn one_key_for_two(ours: [u8; 4], theirs: [u8; 4], payload in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut combined = MaskingKey::new(ours).combined(MaskingKey::new(theirs));
            let mut masked = naive(ours, &payload);
            combined.apply(&mut masked);
            prop_assert_eq!(masked, naive(theirs, &payload));
        }

        #[test]
        fn advance_is_apply_without_the_bytes(key: [u8; 4], skipped in 0usize..50) {
            let mut applied = MaskingKey::new(key);
            applied.apply(&mut std::vec![0; skipped]);
            let mut advanced = MaskingKey::new(key);
            advanced.advance(skipped);
            prop_assert_eq!(applied, advanced);
        }
    }
}

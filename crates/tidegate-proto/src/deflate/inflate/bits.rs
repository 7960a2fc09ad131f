//! The input as bits (RFC 1951 §3.1.1): the first one of a byte is its lowest.

/// Bits that were taken from the input and are not used yet, the next one lowest.
///
/// Above `len` bits stand zeros, or bits of the very bytes that will be taken next: both stay right when those bytes
/// are added.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bits {
    hold: u64,
    len: u32,
}

impl Bits {
    pub(super) const fn new() -> Self {
        Self { hold: 0, len: 0 }
    }

    /// As many whole bytes as fit: at least 56 bits are there afterwards, or the input is empty.
    #[inline(always)]
    pub(super) const fn fill(&mut self, input: &mut &[u8]) {
        if let Some(word) = input.first_chunk() {
            self.hold |= u64::from_le_bytes(*word) << self.len;
            let (_, rest) = input.split_at(((63 - self.len) / 8) as usize);
            *input = rest;
            self.len |= 56;
        } else {
            self.fill_slowly(input);
        }
    }

    const fn fill_slowly(&mut self, input: &mut &[u8]) {
        while self.len < 56
            && let [byte, rest @ ..] = *input
        {
            self.hold |= (*byte as u64) << self.len;
            self.len += 8;
            *input = rest;
        }
    }

    /// Whether `count` bits are there; takes input to have them.
    #[inline]
    pub(super) const fn have(&mut self, count: u32, input: &mut &[u8]) -> bool {
        if self.len < count {
            self.fill(input);
        }
        self.len >= count
    }

    /// Bits that are there.
    #[inline(always)]
    pub(super) const fn len(&self) -> u32 {
        self.len
    }

    /// The next `count` bits, at most 32, as a number. Where they are not all there, what stands for them is no
    /// matter: see the type.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the mask leaves 32 bits at most")]
    pub(super) const fn peek(&self, count: u32) -> usize {
        (self.hold & !(u64::MAX << count)) as usize
    }

    /// Uses up `count` bits, which are there.
    #[inline(always)]
    pub(super) const fn consume(&mut self, count: u32) {
        self.hold >>= count;
        self.len -= count;
    }

    /// The next `count` bits, at most 32, which are there.
    #[inline(always)]
    pub(super) const fn take(&mut self, count: u32) -> usize {
        let bits = self.peek(count);
        self.consume(count);
        bits
    }

    /// Drops what is left of the byte under way.
    pub(super) const fn align(&mut self) {
        self.consume(self.len % 8);
    }

    /// Forgets the bytes that were looked at but not taken, since the next input may not begin with them.
    pub(super) const fn settle(&mut self) {
        self.hold &= (1 << self.len) - 1;
    }
}

#[cfg(test)]
mod tests {
    use super::Bits;

    #[test]
    fn bits_come_lowest_first_whatever_the_pieces() {
        let bytes: [u8; 20] = core::array::from_fn(|index| (77 * index).to_le_bytes()[0] ^ 0x5a);
        let bit = |at: usize| usize::from(bytes[at / 8] >> (at % 8) & 1);
        for piece in 1..=bytes.len() {
            let mut bits = Bits::new();
            let mut at = 0;
            for mut input in bytes.chunks(piece) {
                while bits.have(7, &mut input) {
                    let expected = (0..7).map(|index| bit(at + index) << index).sum::<usize>();
                    assert_eq!(bits.take(7), expected, "bit {at} in pieces of {piece}");
                    at += 7;
                }
                assert!(input.is_empty());
                bits.settle();
            }
            assert_eq!(at, bytes.len() * 8 / 7 * 7);
        }
    }
}

//! What was inflated before the output under way: the history that a match may copy from.

use alloc::vec::Vec;

use crate::deflate::WindowBits;

/// The last bytes of the output, as many as the agreed window has. It takes memory as it fills: nothing before the
/// first byte, and never more than a power of two above what was received.
#[derive(Debug)]
pub(super) struct Window {
    /// Up to the size of the window in the order of arrival; from then on a ring.
    bytes: Vec<u8>,
    /// Where the oldest byte of the ring is.
    oldest: usize,
    bits: WindowBits,
}

impl Window {
    pub(super) const fn new(bits: WindowBits) -> Self {
        Self { bytes: Vec::new(), oldest: 0, bits }
    }

    pub(super) const fn bits(&self) -> WindowBits {
        self.bits
    }

    /// The farthest that a match may reach back.
    #[inline]
    pub(super) const fn size(&self) -> usize {
        self.bits.bytes()
    }

    /// How much there is to reach back to.
    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes on the heap.
    pub(super) const fn heap_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Forgets all, memory included.
    pub(super) fn clear(&mut self) {
        self.bytes = Vec::new();
        self.oldest = 0;
    }

    /// Adds what was put out.
    pub(super) fn extend(&mut self, output: &[u8]) {
        let kept = output.split_at(output.len().saturating_sub(self.size())).1;
        let (fresh, over) = kept.split_at(kept.len().min(self.size() - self.bytes.len()));
        if fresh.len() > self.bytes.capacity() - self.bytes.len() {
            let wanted = (self.bytes.len() + fresh.len()).next_power_of_two().max(GROWTH_BYTES_MIN);
            self.bytes.reserve_exact(wanted.min(self.size()) - self.bytes.len());
        }
        self.bytes.extend_from_slice(fresh);
        let (at_end, at_front) = over.split_at(over.len().min(self.bytes.len() - self.oldest));
        for part in [at_end, at_front] {
            if let Some(slots) = self.bytes.get_mut(self.oldest..self.oldest + part.len()) {
                slots.copy_from_slice(part);
            }
            self.oldest = (self.oldest + part.len()) % self.size();
        }
    }

    /// Fills `target` with what begins `back` bytes before the end: at most `back` bytes, which are there.
    #[inline]
    pub(super) fn copy_to(&self, back: usize, target: &mut [u8]) {
        let from_oldest = self.oldest + self.bytes.len() - back;
        let start = from_oldest.checked_sub(self.bytes.len()).unwrap_or(from_oldest);
        let before_end = target.len().min(self.bytes.len() - start);
        let (front, rest) = target.split_at_mut(before_end);
        if let Some(from) = self.bytes.get(start..start + before_end) {
            front.copy_from_slice(from);
        }
        if let Some(from) = self.bytes.get(..rest.len()) {
            rest.copy_from_slice(from);
        }
    }
}

/// The first allocation, so that small messages do not grow it by a byte each.
const GROWTH_BYTES_MIN: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_the_end_of_all_that_was_put_out(
            outputs in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..400), 0..12),
            bits in 8u8..=10,
        ) {
            let bits = WindowBits::try_from(bits).unwrap();
            let mut window = Window::new(bits);
            let mut all = Vec::new();
            for output in outputs {
                window.extend(&output);
                all.extend_from_slice(&output);
                let len = all.len().min(bits.bytes());
                prop_assert_eq!(window.len(), len);
                prop_assert!(window.heap_bytes() <= bits.bytes());
                for back in [len, len / 2, len.min(1)] {
                    let mut copy = alloc::vec![0; back - back / 3];
                    window.copy_to(back, &mut copy);
                    let end = &all[all.len() - back..];
                    prop_assert_eq!(&copy[..], &end[..copy.len()]);
                }
            }
        }
    }
}

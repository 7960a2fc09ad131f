//! Every choice of a simulation, from one number or from the input of a fuzzer.

/// A source of choices: the bytes of a fuzzer while there are any, then what a generator makes of a seed.
#[derive(Debug, Clone)]
pub(crate) struct Choices<'a> {
    given: &'a [u8],
    state: u64,
}

impl<'a> Choices<'a> {
    /// The same choices for the same seed.
    #[cfg(test)]
    pub(crate) const fn seeded(seed: u64) -> Self {
        Self { given: &[], state: seed }
    }

    /// Choices that are these bytes, as long as there are any.
    pub(crate) const fn given(bytes: &'a [u8]) -> Self {
        Self { given: bytes, state: 0 }
    }

    /// Choices of somebody else's own, which depend on this one.
    pub(crate) fn split(&mut self) -> Choices<'static> {
        let seed = self.next();
        Choices { given: &[], state: seed }
    }

    /// A number below this one, which is at least 1.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        match self.given.split_first() {
            Some((first, rest)) if end <= 256 => {
                self.given = rest;
                usize::from(*first) % end
            }
            _ => usize::try_from(self.next() % end as u64).unwrap_or(0),
        }
    }

    /// Yes, once in so many times.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }

    /// One of these.
    pub(crate) fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// So many bytes; a fuzzer gives the first of them.
    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        let (first, rest) = self.given.split_at(len.min(self.given.len()));
        self.given = rest;
        let mut bytes = first.to_vec();
        while bytes.len() < len {
            bytes.extend(self.next().to_le_bytes());
        }
        bytes.truncate(len);
        bytes
    }

    /// The next number of SplitMix64.
    const fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

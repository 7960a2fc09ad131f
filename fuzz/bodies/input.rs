//! How a body reads its input: choices stand at the front, so that what follows them can grow by itself.

/// What is left of an input. What is not there reads as zero.
pub(crate) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(crate) const fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.array::<1>()[0]
    }

    pub(crate) fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        let taken = self.take(N);
        array[..taken.len()].copy_from_slice(taken);
        array
    }

    /// The next `len` bytes, or as many as there are.
    pub(crate) fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }

    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Lengths of pieces, which the next three bytes give and which repeat.
    pub(crate) fn pieces(&mut self) -> Pieces {
        Pieces { lens: self.array(), at: 0 }
    }
}

/// Lengths from 1 to 255, and no bound at all.
#[derive(Clone)]
pub(crate) struct Pieces {
    lens: [u8; 3],
    at: usize,
}

impl Pieces {
    /// Everything at once.
    pub(crate) const WHOLE: Self = Self { lens: [u8::MAX; 3], at: 0 };
}

impl Iterator for Pieces {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let len = self.lens[self.at % 3];
        self.at += 1;
        Some(if len == u8::MAX { usize::MAX } else { usize::from(len) + 1 })
    }
}

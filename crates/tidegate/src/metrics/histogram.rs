//! Times, sorted into buckets.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How many times fell below each of `N` bounds. Many may count at once.
#[derive(Debug)]
pub(crate) struct Histogram<const N: usize> {
    /// Upper bounds in seconds, rising; they are inclusive.
    bounds: &'static [f64; N],
    buckets: [AtomicU64; N],
    /// Above the last bound.
    rest: AtomicU64,
    micros: AtomicU64,
}

/// A histogram as it was at one moment. The buckets are no sums: each time is in one of them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Snapshot {
    /// Upper bound in seconds, the last one infinite, and how many.
    pub(crate) buckets: Vec<(f64, u64)>,
    /// All times together, in seconds.
    pub(crate) sum: f64,
}

impl<const N: usize> Histogram<N> {
    pub(crate) const fn new(bounds: &'static [f64; N]) -> Self {
        Self {
            bounds,
            buckets: [const { AtomicU64::new(0) }; N],
            rest: AtomicU64::new(0),
            micros: AtomicU64::new(0),
        }
    }

    pub(crate) fn observe(&self, time: Duration) {
        let seconds = time.as_secs_f64();
        let at = self.bounds.partition_point(|bound| *bound < seconds);
        self.buckets.get(at).unwrap_or(&self.rest).fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let counts = self.buckets.iter().chain([&self.rest]).map(|bucket| bucket.load(Ordering::Relaxed));
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        Snapshot {
            buckets: bounds.zip(counts).collect(),
            sum: self.micros.load(Ordering::Relaxed) as f64 / 1e6,
        }
    }
}

impl Snapshot {
    /// How many times there are.
    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }

    /// Adds those of another one, which has the same bounds.
    pub(crate) fn add(&mut self, other: &Self) {
        for ((_, count), (_, more)) in self.buckets.iter_mut().zip(&other.buckets) {
            *count += more;
        }
        self.sum += other.sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_inclusive_and_what_is_above_them_all_counts() {
        let histogram = Histogram::new(&[0.5, 1.0]);
        for millis in [0, 500, 501, 1000, 1001] {
            histogram.observe(Duration::from_millis(millis));
        }
        let snapshot = histogram.snapshot();
        assert_eq!(snapshot.buckets, [(0.5, 2), (1.0, 2), (f64::INFINITY, 1)]);
        assert_eq!((snapshot.count(), snapshot.sum), (5, 3.002));
        let mut twice = snapshot.clone();
        twice.add(&snapshot);
        assert_eq!((twice.count(), twice.sum), (10, 6.004));
    }
}

//! Counts of things that are told apart by a few words.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// How often each happened. The caller sees to it that there are few: it is one entry for each that ever happened.
#[derive(Debug)]
pub(crate) struct Tally<K>(Mutex<BTreeMap<K, u64>>);

impl<K: Ord + Copy> Tally<K> {
    /// One more of these.
    pub(crate) fn add(&self, what: K) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(what).or_default() += 1;
    }

    /// All of them, in order.
    pub(crate) fn all(&self) -> Vec<(K, u64)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|(what, count)| (*what, *count)).collect()
    }
}

impl<K> Default for Tally<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

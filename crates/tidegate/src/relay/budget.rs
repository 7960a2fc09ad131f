//! What may wait for sockets in all: each worker has its share, so that nothing has to be asked of the others.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::backlog::BYTES_SOFT;

/// The share of each worker. It is read for each turn and written with each reading of the configuration.
static SHARE: AtomicUsize = AtomicUsize::new(usize::MAX);

thread_local! {
    static WAITING: Cell<usize> = const { Cell::new(0) };
}

/// Sets how many bytes may wait from now on, divided among the workers.
pub(crate) fn set(bytes_max: u64, workers: usize) {
    let share = usize::try_from(bytes_max).unwrap_or(usize::MAX) / workers.max(1);
    SHARE.store(share.max(BYTES_SOFT), Ordering::Relaxed);
}

/// What one relay has waiting, as its worker counts it. It stays with that worker.
#[derive(Debug, Default)]
pub(super) struct Held(usize);

impl Held {
    /// What was [`set`](Self::set) last.
    pub(super) const fn bytes(&self) -> usize {
        self.0
    }

    /// Notes how many bytes wait now. `true`: that is more than there is room for, and it is this relay that grew.
    pub(super) fn set(&mut self, bytes: usize) -> bool {
        let grows = bytes > self.0;
        // Not there any more when the thread ends.
        let all = WAITING.try_with(|waiting| {
            waiting.set(waiting.get().saturating_sub(self.0) + bytes);
            waiting.get()
        });
        self.0 = bytes;
        grows && all.is_ok_and(|all| all > SHARE.load(Ordering::Relaxed))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_goes_above_it_is_told_and_nobody_else() {
        let [mut one, mut other] = [Held::default(), Held::default()];
        let share = 1 << 40; // nobody who runs beside this comes near
        set(1 << 41, 2);
        assert!(!one.set(share - 10));
        assert!(!other.set(10));
        assert!(other.set(11));
        assert!(!one.set(share - 20), "it has become less");
        drop(one);
        assert!(!other.set(share));
        drop(other);
        assert!(!Held::default().set(share));
    }
}

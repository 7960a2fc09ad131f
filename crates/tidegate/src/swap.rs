//! A value that is replaced as a whole while others use it: whoever has taken it keeps what it took.

use std::sync::{Arc, PoisonError, RwLock};

/// Holds what is in force just now. Nobody holds its lock for longer than it takes to copy a pointer.
#[derive(Debug)]
pub(crate) struct Swap<T>(RwLock<Arc<T>>);

impl<T: Default> Default for Swap<T> {
    fn default() -> Self {
        Self::new(Arc::default())
    }
}

impl<T> Swap<T> {
    /// With this in force.
    pub(crate) fn new(value: Arc<T>) -> Self {
        Self(RwLock::new(value))
    }

    /// What is in force.
    pub(crate) fn load(&self) -> Arc<T> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another in force; the one before is handed back, so that it is not dropped under the lock.
    pub(crate) fn store(&self, value: Arc<T>) -> Arc<T> {
        std::mem::replace(&mut self.0.write().unwrap_or_else(PoisonError::into_inner), value)
    }

    /// Puts another in the place of this one, unless that is not in force any more.
    pub(crate) fn replace(&self, former: &Arc<T>, value: Arc<T>) {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&current, former) {
            *current = value;
        }
    }
}

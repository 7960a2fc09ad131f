//! What the clients of a gateway were answered, as far as they have read it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Answers by the address of the client that has read them. Clones count together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answers(Arc<Mutex<HashMap<SocketAddr, usize>>>);

impl Answers {
    /// One more, and the last to its request.
    pub(crate) fn count(&self, client: SocketAddr) {
        *self.lock().entry(client).or_default() += 1;
    }

    /// How many there are of each client that has read one.
    pub(super) fn by_client(&self) -> HashMap<SocketAddr, usize> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SocketAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! What the clients of a gateway were answered, as far as they have read it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Answers by the address of the client. Clones count together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answers(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    connections: usize,
    by_client: HashMap<SocketAddr, usize>,
}

impl Answers {
    /// One more client, who has read none yet.
    pub(crate) fn count_connection(&self) {
        self.lock().connections += 1;
    }

    /// One more of them, and the last to its request.
    pub(crate) fn count(&self, client: SocketAddr) {
        *self.lock().by_client.entry(client).or_default() += 1;
    }

    /// How many connections there have been.
    pub(super) fn connections(&self) -> usize {
        self.lock().connections
    }

    /// How many answers there are to each client that has read one.
    pub(super) fn by_client(&self) -> HashMap<SocketAddr, usize> {
        self.lock().by_client.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! What the clients of a gateway were answered, as far as they have read it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::transport::Transport;

/// Answers by the address of the client. Clones count together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answers(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    connections: usize,
    by_client: HashMap<SocketAddr, usize>,
    /// Both ends of their connections, the gateway's first.
    offenders: Vec<(SocketAddr, SocketAddr, Transport)>,
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

    /// This client was told of its fault. Its connection stays for as long as somebody counts: however the test ends, it is
    /// the gateway that has to see to its end.
    pub(crate) fn hold(&self, transport: &Transport) {
        let socket = &transport.socket;
        if let (Ok(gateway), Ok(client)) = (socket.peer_addr(), socket.local_addr()) {
            let offenders = &mut self.lock().offenders;
            if offenders.iter().all(|(_, other, _)| *other != client) {
                offenders.push((gateway, client, transport.clone()));
            }
        }
    }

    /// This client leaves in its own way.
    pub(crate) fn release(&self, client: SocketAddr) {
        self.lock().offenders.retain(|(_, other, _)| *other != client);
    }

    /// Both ends of the connections of those that were told of their fault, the gateway's first.
    pub(super) fn offenders(&self) -> Vec<(SocketAddr, SocketAddr)> {
        self.lock().offenders.iter().map(|(gateway, client, _)| (*gateway, *client)).collect()
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

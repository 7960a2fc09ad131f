//! The places that a connection takes: one among all connections, and one among the handshakes under way. How many there
//! are, the configuration says; it may change while they are taken.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::limit::{Limit, Place};
use super::share::{AddressShare, AddressShares, ShareExceeded};

/// All places of a gateway.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// All connections.
    connections: Arc<Limit>,
    /// Connections whose handshake is not finished.
    handshakes: Arc<Limit>,
    /// How many of those each client address has.
    shares: Arc<AddressShares>,
    /// Connections that were accepted and have no place yet.
    waiting: Arc<AtomicUsize>,
}

/// A place among the handshakes, and a part of its client's share of them. Given back by dropping it.
#[derive(Debug)]
pub(crate) struct Handshake {
    place: Option<Place>,
    share: Option<AddressShare>,
}

/// How many places there are, and how many are taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Occupancy {
    pub(crate) handshakes: usize,
    pub(crate) handshakes_max: usize,
    pub(crate) connections_max: usize,
    /// Connections that were accepted and have no place yet.
    pub(crate) waiting: usize,
}

/// Counts a connection as waiting, until this is dropped.
struct Waiting<'p>(&'p AtomicUsize);

impl Places {
    /// As many as the configuration says.
    pub(crate) fn new(connections_max: usize, handshakes_max: usize) -> Self {
        let connections = Limit::new(connections_max);
        let shares = AddressShares::new(connections_max, handshakes_max);
        Self { connections, handshakes: Limit::new(handshakes_max), shares, waiting: Arc::default() }
    }

    /// As many as a configuration that was read again says. Nobody loses a place.
    pub(crate) fn set(&self, connections_max: usize, handshakes_max: usize) {
        self.connections.set(connections_max);
        self.handshakes.set(handshakes_max);
        self.shares.set(connections_max, handshakes_max);
    }

    /// How many are taken just now.
    pub(crate) fn occupancy(&self) -> Occupancy {
        Occupancy {
            handshakes: self.handshakes.taken(),
            handshakes_max: self.handshakes.max(),
            connections_max: self.connections.max(),
            waiting: self.waiting.load(Ordering::Relaxed),
        }
    }

    /// A place among the connections for one that another process has let in, however many there are.
    pub(crate) fn take_anyway(&self) -> Place {
        self.connections.take_anyway()
    }

    /// A place among the connections and one among the handshakes, as soon as both are free.
    pub(super) async fn take(&self) -> (Place, Handshake) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        let connection = self.connections.take().await;
        (connection, Handshake { place: Some(self.handshakes.take().await), share: None })
    }

    /// Counts a handshake towards the share of its client's address. Where others of that address have all of it, the
    /// connection waits, and holds no place meanwhile.
    ///
    /// # Errors
    /// It has waited for too long, or too many wait.
    pub(super) async fn take_share(
        &self,
        client: IpAddr,
        handshake: &mut Handshake,
    ) -> Result<(), ShareExceeded> {
        let share = match self.shares.join(client) {
            Ok(share) => share,
            Err(queued) => {
                handshake.place = None;
                let share = queued.wait().await?;
                handshake.place = Some(self.handshakes.take().await);
                share
            }
        };
        handshake.share = Some(share);
        Ok(())
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

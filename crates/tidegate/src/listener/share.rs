//! The share that one client address may have of the handshakes under way: without such a bound, whoever connects and says
//! nothing keeps all others out.
//!
//! An address may have half of the places. Its further connections wait and hold none meanwhile, but are not refused: many
//! may come at once and mean well, as behind one router, or after a restart.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::limit::{Limit, Place};
use crate::clock::timeout;
use crate::io::network;

/// How long a connection waits for others of its address.
const WAIT: Duration = Duration::from_secs(30);

/// The shares of all addresses. Memory is one entry for each address that has a handshake under way.
#[derive(Debug)]
pub(super) struct AddressShares {
    /// Handshakes that one address may have under way.
    share_max: AtomicUsize,
    /// Connections that wait for their address's share, of all addresses together.
    waiting: AtomicUsize,
    waiting_max: AtomicUsize,
    addresses: Mutex<HashMap<IpAddr, Arc<Limit>>>,
}

/// One handshake within its address's share, given back by dropping it.
#[derive(Debug)]
pub(super) struct AddressShare {
    place: Option<Place>,
    address: IpAddr,
    shares: Arc<AddressShares>,
}

/// The other handshakes of the address did not come to their end in time, or too many connections wait already: 503.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many handshakes of this address are under way")]
pub(crate) struct ShareExceeded;

/// Counts a connection as waiting, until this is dropped.
struct Waiting<'c>(&'c AtomicUsize);

impl AddressShares {
    pub(super) fn new(connections_max: usize, handshakes_max: usize) -> Arc<Self> {
        Arc::new(Self {
            share_max: half(handshakes_max).into(),
            waiting: AtomicUsize::new(0),
            waiting_max: half(connections_max).into(),
            addresses: Mutex::default(),
        })
    }

    /// Goes by other limits from now on; nobody loses what it has.
    pub(super) fn set(&self, connections_max: usize, handshakes_max: usize) {
        self.waiting_max.store(half(connections_max), Ordering::Relaxed);
        let addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        self.share_max.store(half(handshakes_max), Ordering::Relaxed);
        addresses.values().for_each(|limit| limit.set(half(handshakes_max)));
    }

    /// Counts a handshake of this client, or lets it wait where its address has all of its share.
    pub(super) fn join(self: &Arc<Self>, client: IpAddr) -> Result<AddressShare, Queued> {
        let address = network(client);
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Limit::new(self.share_max.load(Ordering::Relaxed));
        let limit = Arc::clone(addresses.entry(address).or_insert_with(new));
        drop(addresses);
        let place = limit.try_take();
        let share = AddressShare { place, address, shares: Arc::clone(self) };
        if share.place.is_some() { Ok(share) } else { Err(Queued { limit, share }) }
    }

    fn wait(&self) -> Option<Waiting<'_>> {
        let waiting = Waiting(&self.waiting); // counted back in any case
        let others = waiting.0.fetch_add(1, Ordering::Relaxed);
        (others < self.waiting_max.load(Ordering::Relaxed)).then_some(waiting)
    }
}

/// A handshake that waits for others of its address.
#[derive(Debug)]
pub(super) struct Queued {
    /// Stands before the share and so is dropped first: the share's drop looks whether anybody else holds it.
    limit: Arc<Limit>,
    share: AddressShare,
}

impl Queued {
    /// Waits until another handshake of the address has come to its end.
    pub(super) async fn wait(mut self) -> Result<AddressShare, ShareExceeded> {
        let shares = Arc::clone(&self.share.shares);
        let _waiting = shares.wait().ok_or(ShareExceeded)?;
        let place = timeout(WAIT, self.limit.take()).await.map_err(|_elapsed| ShareExceeded)?;
        self.share.place = Some(place);
        Ok(self.share)
    }
}

impl Drop for AddressShare {
    fn drop(&mut self) {
        let mut addresses = self.shares.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        self.place = None;
        // Whoever waits holds the limit as well.
        if addresses.get(&self.address).is_some_and(|limit| Arc::strong_count(limit) == 1) {
            addresses.remove(&self.address);
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Half of all, and at least one.
const fn half(all: usize) -> usize {
    if all < 2 { 1 } else { all / 2 }
}

#[cfg(test)]
mod tests {
    use tokio::task::yield_now;

    use super::*;

    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn is_empty(shares: &AddressShares) -> bool {
        shares.addresses.lock().unwrap().is_empty() && shares.waiting.load(Ordering::Relaxed) == 0
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_has_half_and_waits_for_more() {
        let shares = AddressShares::new(100, 4);
        let (first, second) = (shares.join(ONE).unwrap(), shares.join(ONE).unwrap());
        let queued = shares.join(ONE).unwrap_err();
        let other = shares.join(OTHER).unwrap();
        let waiting = tokio::spawn(queued.wait());
        yield_now().await;
        assert!(!waiting.is_finished());
        drop(first);
        let third = waiting.await.unwrap().unwrap();
        assert_eq!(shares.join(ONE).unwrap_err().wait().await.unwrap_err(), ShareExceeded, "nobody goes");
        shares.set(100, 6);
        let fourth = shares.join(ONE).unwrap();
        drop((second, third, fourth, other));
        assert!(is_empty(&shares));
    }

    #[tokio::test(start_paused = true)]
    async fn only_so_many_wait() {
        let shares = AddressShares::new(4, 2);
        let first = shares.join(ONE).unwrap();
        let waiting: Vec<_> = (0..2).map(|_| tokio::spawn(shares.join(ONE).unwrap_err().wait())).collect();
        yield_now().await;
        assert_eq!(shares.join(ONE).unwrap_err().wait().await.unwrap_err(), ShareExceeded);
        waiting.iter().for_each(tokio::task::JoinHandle::abort);
        drop((first, waiting));
        yield_now().await;
        assert!(is_empty(&shares));
    }
}

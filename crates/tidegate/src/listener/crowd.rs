//! The part of one client address in the handshakes under way: without it, whoever connects and says nothing keeps all
//! others out.
//!
//! An address may have half of the places. Its further connections wait and hold none meanwhile: they may come all at once
//! and mean well, as behind one router, or after a restart.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::timeout;

use super::places::{Limit, Place};
use crate::io::network;

/// How long a connection waits for others of its address.
const WAIT: Duration = Duration::from_secs(30);

/// Who takes part in the handshakes. Memory is one entry for each address that does.
#[derive(Debug)]
pub(super) struct Crowd {
    /// Places of one address.
    part_max: AtomicUsize,
    /// Connections that wait, of all addresses.
    waiting: AtomicUsize,
    waiting_max: AtomicUsize,
    addresses: Mutex<HashMap<IpAddr, Arc<Limit>>>,
}

/// A handshake's part, given back by dropping it.
#[derive(Debug)]
pub(super) struct Part {
    place: Option<Place>,
    address: IpAddr,
    crowd: Arc<Crowd>,
}

/// The connections of one address hold too many handshakes for too long, or too many wait: 503.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many handshakes of this address are under way")]
pub(crate) struct Crowded;

/// Counts as one that waits, until it is dropped.
struct Waiting<'c>(&'c AtomicUsize);

impl Crowd {
    pub(super) fn new(connections_max: usize, handshakes_max: usize) -> Arc<Self> {
        Arc::new(Self {
            part_max: part(handshakes_max).into(),
            waiting: AtomicUsize::new(0),
            waiting_max: part(connections_max).into(),
            addresses: Mutex::default(),
        })
    }

    /// So many from now on; nobody loses a part.
    pub(super) fn set(&self, connections_max: usize, handshakes_max: usize) {
        self.waiting_max.store(part(connections_max), Ordering::Relaxed);
        let addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        self.part_max.store(part(handshakes_max), Ordering::Relaxed);
        addresses.values().for_each(|limit| limit.set(part(handshakes_max)));
    }

    /// A part for a connection of this client, if one is left.
    pub(super) fn join(self: &Arc<Self>, client: IpAddr) -> Result<Part, Outside> {
        let address = network(client);
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Limit::new(self.part_max.load(Ordering::Relaxed));
        let limit = Arc::clone(addresses.entry(address).or_insert_with(new));
        drop(addresses);
        let place = limit.try_take();
        let part = Part { place, address, crowd: Arc::clone(self) };
        if part.place.is_some() { Ok(part) } else { Err(Outside { limit, part }) }
    }

    fn wait(&self) -> Option<Waiting<'_>> {
        let waiting = Waiting(&self.waiting); // counted back in any case
        let others = waiting.0.fetch_add(1, Ordering::Relaxed);
        (others < self.waiting_max.load(Ordering::Relaxed)).then_some(waiting)
    }
}

/// One that has none yet.
#[derive(Debug)]
pub(super) struct Outside {
    /// Dropped before the part, which looks whether anybody holds it.
    limit: Arc<Limit>,
    part: Part,
}

impl Outside {
    /// Waits for it.
    pub(super) async fn wait(mut self) -> Result<Part, Crowded> {
        let crowd = Arc::clone(&self.part.crowd);
        let _waiting = crowd.wait().ok_or(Crowded)?;
        let place = timeout(WAIT, self.limit.take()).await.map_err(|_elapsed| Crowded)?;
        self.part.place = Some(place);
        Ok(self.part)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let mut addresses = self.crowd.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        self.place = None;
        // Whoever waits holds it as well.
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
const fn part(all: usize) -> usize {
    if all < 2 { 1 } else { all / 2 }
}

#[cfg(test)]
mod tests {
    use tokio::task::yield_now;

    use super::*;

    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn is_empty(crowd: &Crowd) -> bool {
        crowd.addresses.lock().unwrap().is_empty() && crowd.waiting.load(Ordering::Relaxed) == 0
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_has_half_and_waits_for_more() {
        let crowd = Crowd::new(100, 4);
        let (first, second) = (crowd.join(ONE).unwrap(), crowd.join(ONE).unwrap());
        let outside = crowd.join(ONE).unwrap_err();
        let other = crowd.join(OTHER).unwrap();
        let waiting = tokio::spawn(outside.wait());
        yield_now().await;
        assert!(!waiting.is_finished());
        drop(first);
        let third = waiting.await.unwrap().unwrap();
        assert_eq!(crowd.join(ONE).unwrap_err().wait().await.unwrap_err(), Crowded, "nobody goes");
        crowd.set(100, 6);
        let fourth = crowd.join(ONE).unwrap();
        drop((second, third, fourth, other));
        assert!(is_empty(&crowd));
    }

    #[tokio::test(start_paused = true)]
    async fn only_so_many_wait() {
        let crowd = Crowd::new(4, 2);
        let first = crowd.join(ONE).unwrap();
        let waiting: Vec<_> = (0..2).map(|_| tokio::spawn(crowd.join(ONE).unwrap_err().wait())).collect();
        yield_now().await;
        assert_eq!(crowd.join(ONE).unwrap_err().wait().await.unwrap_err(), Crowded);
        waiting.iter().for_each(tokio::task::JoinHandle::abort);
        drop((first, waiting));
        yield_now().await;
        assert!(is_empty(&crowd));
    }
}

//! Places that connections take, as many as the configuration says at the time.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use super::crowd::{Crowd, Crowded, Part};

/// The places that connections take.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// All connections.
    connections: Arc<Limit>,
    /// Connections whose handshake is not finished.
    handshakes: Arc<Limit>,
    /// Whose those are.
    crowd: Arc<Crowd>,
    /// Connections that were accepted and have no place yet.
    waiting: Arc<AtomicUsize>,
}

/// A place among the handshakes, and its client's part of them. Given back by dropping it.
#[derive(Debug)]
pub(crate) struct Handshake {
    place: Option<Place>,
    part: Option<Part>,
}

/// How many places there are, and how many are taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taken {
    pub(crate) handshakes: usize,
    pub(crate) handshakes_max: usize,
    pub(crate) connections_max: usize,
    /// Connections that were accepted and have none yet.
    pub(crate) waiting: usize,
}

/// Counts as one that waits, until it is dropped.
struct Waiting<'p>(&'p AtomicUsize);

impl Places {
    /// So many of either.
    pub(crate) fn new(connections_max: usize, handshakes_max: usize) -> Self {
        let connections = Limit::new(connections_max);
        let crowd = Crowd::new(connections_max, handshakes_max);
        Self { connections, handshakes: Limit::new(handshakes_max), crowd, waiting: Arc::default() }
    }

    /// So many of either from now on.
    pub(crate) fn set(&self, connections_max: usize, handshakes_max: usize) {
        self.connections.set(connections_max);
        self.handshakes.set(handshakes_max);
        self.crowd.set(connections_max, handshakes_max);
    }

    /// How it is just now.
    pub(crate) fn taken(&self) -> Taken {
        Taken {
            handshakes: self.handshakes.taken.load(Ordering::Relaxed),
            handshakes_max: self.handshakes.max.load(Ordering::Relaxed),
            connections_max: self.connections.max.load(Ordering::Relaxed),
            waiting: self.waiting.load(Ordering::Relaxed),
        }
    }

    /// A place among the connections for one that was let in elsewhere, however many there are.
    pub(crate) fn take_anyway(&self) -> Place {
        self.connections.taken.fetch_add(1, Ordering::SeqCst);
        Place(Arc::clone(&self.connections))
    }

    /// A place among the connections and one among the handshakes, as soon as there are.
    pub(super) async fn take(&self) -> (Place, Handshake) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        let connection = self.connections.take().await;
        (connection, Handshake { place: Some(self.handshakes.take().await), part: None })
    }

    /// Takes the part of this client for a handshake; where others of the same client have all of it, waits without
    /// holding a place.
    ///
    /// # Errors
    /// It has waited for too long, or too many wait.
    pub(super) async fn part(&self, client: IpAddr, handshake: &mut Handshake) -> Result<(), Crowded> {
        let part = match self.crowd.join(client) {
            Ok(part) => part,
            Err(outside) => {
                handshake.place = None;
                let part = outside.wait().await?;
                handshake.place = Some(self.handshakes.take().await);
                part
            }
        };
        handshake.part = Some(part);
        Ok(())
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A number of places that may change while they are taken.
#[derive(Debug)]
pub(super) struct Limit {
    max: AtomicUsize,
    taken: AtomicUsize,
    /// Told when one is given back, or when there are more.
    freed: Notify,
}

/// One of them, given back by dropping it.
#[derive(Debug)]
pub(crate) struct Place(Arc<Limit>);

impl Limit {
    /// So many places.
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max: AtomicUsize::new(max), taken: AtomicUsize::new(0), freed: Notify::new() })
    }

    /// So many from now on. Where more are taken already, nobody loses one: none is given until enough came back.
    pub(super) fn set(&self, max: usize) {
        self.max.store(max, Ordering::SeqCst);
        self.freed.notify_waiters();
    }

    /// Takes one, if there is one.
    pub(super) fn try_take(self: &Arc<Self>) -> Option<Place> {
        let free = |taken| (taken < self.max.load(Ordering::SeqCst)).then_some(taken + 1);
        let taken = self.taken.fetch_update(Ordering::SeqCst, Ordering::SeqCst, free);
        taken.is_ok().then(|| Place(Arc::clone(self)))
    }

    /// Takes one, when there is one.
    pub(super) async fn take(self: &Arc<Self>) -> Place {
        loop {
            let mut freed = pin!(self.freed.notified());
            freed.as_mut().enable(); // before the look, so that no place comes back unnoticed between the two
            if let Some(place) = self.try_take() {
                return place;
            }
            freed.await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::SeqCst);
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn is_free(limit: &Arc<Limit>) -> Option<Place> {
        tokio::select! {
            biased;
            place = limit.take() => Some(place),
            () = tokio::task::yield_now() => None,
        }
    }

    #[tokio::test]
    async fn who_waits_gets_the_place_that_comes_back() {
        let limit = Limit::new(1);
        let first = limit.take().await;
        let waiting =
            [limit.clone(), limit.clone()].map(|limit| tokio::spawn(async move { limit.take().await }));
        tokio::task::yield_now().await;
        drop(first);
        for place in waiting {
            drop(place.await.unwrap());
        }
        assert!(is_free(&limit).await.is_some());
    }

    #[tokio::test]
    async fn the_number_may_change_while_places_are_taken() {
        let limit = Limit::new(2);
        let places = [limit.take().await, limit.take().await];
        assert!(is_free(&limit).await.is_none());
        limit.set(3);
        let third = is_free(&limit).await.unwrap();
        limit.set(1);
        let [first, second] = places;
        drop((first, second));
        assert!(is_free(&limit).await.is_none(), "one is taken, and there is one");
        drop(third);
        assert!(is_free(&limit).await.is_some());
    }
}
